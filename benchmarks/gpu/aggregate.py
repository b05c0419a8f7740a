"""From finished sizes and turns to figures: medians, and ratios of what was measured together."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.gpu.kernels import FLOORS
from benchmarks.gpu.training import LOG_LOSS, OBJECTIVES, ON_HOST
from benchmarks.measure import Spread, spread
from benchmarks.store import Record


class Figures:
    """Answers about what was measured."""

    def __init__(self, records: list[Record]) -> None:
        kernels = [record for record in records if record["kind"] == "kernels"]
        turns = [record for record in records if record["kind"] == "training"]
        self.kernels = sorted(kernels, key=lambda record: (record["dtype"], record["n"]))
        self.turns = sorted(turns, key=lambda record: (record["rows"], record["repeat"]))
        self.rows = list(dict.fromkeys(record["rows"] for record in self.turns))

    def at(self, n: int, dtype: str) -> Record | None:
        """Return the kernels of one size."""
        return next((record for record in self.kernels if (record["n"], record["dtype"]) == (n, dtype)), None)

    def line(self, dtype: str) -> list[Record]:
        """Return the kernels of all sizes."""
        return [record for record in self.kernels if record["dtype"] == dtype]

    def trainings(self, rows: int, objective: str) -> list[Record]:
        """Return an objective's trainings in the order of the repeats."""
        return [record["objectives"][objective] for record in self.turns if record["rows"] == rows]

    def seconds(self, rows: int, objective: str) -> Spread:
        """Wall time of training."""
        return spread([training["seconds"] for training in self.trainings(rows, objective)])

    def ratios(self, rows: int, objective: str, base: str) -> list[float]:
        """Time against another objective's, each within one turn."""
        pairs = zip(self.trainings(rows, objective), self.trainings(rows, base), strict=True)
        return [ours["seconds"] / theirs["seconds"] for ours, theirs in pairs]

    def calls(self, rows: int, objective: str) -> float | None:
        """Median seconds of a call of a custom objective."""
        found = [training["calls"] for training in self.trainings(rows, objective) if training["calls"]]
        return float(np.median(np.concatenate(found))) if found else None

    def to_json(self) -> dict[str, Any]:
        """Summarise everything for results.json."""
        kernels = [
            {
                **{key: record[key] for key in ("n", "dtype", "passes", "gradient_difference")},
                "seconds": {name: spread(found).to_json() for name, found in record["methods"].items()},
                "ratio_to_floor": {name: ratio(record, name) for name in FLOORS if ratio(record, name) is not None},
            }
            for record in self.kernels
        ]
        trainings = [
            {
                "rows": rows,
                "objective": name,
                "seconds": self.seconds(rows, name).to_json(),
                "ratio_to_log_loss": spread(self.ratios(rows, name, LOG_LOSS)).to_json(),
                "ratio_to_processor": spread(self.ratios(rows, name, ON_HOST)).to_json(),
                "seconds_per_call": self.calls(rows, name),
                "leaves": float(np.mean([training["leaves"] for training in self.trainings(rows, name)])),
            }
            for rows in self.rows
            for name in OBJECTIVES
        ]
        return {"kernels": kernels, "trainings": trainings}


def median(record: Record, method: str) -> float | None:
    """Median seconds of a kernel's method; None where it was not timed."""
    found = record["methods"].get(method)
    return float(np.median(found)) if found else None


def ratio(record: Record, method: str) -> float | None:
    """Time of a method over the least it can cost, medians of samples taken in turn."""
    own, least = median(record, method), median(record, FLOORS[method])
    return None if own is None or least is None else own / least
