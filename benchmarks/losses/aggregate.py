"""From records to figures: time per row, ratios of one moment, the fit of EXACT's time to nodes times classes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.losses.cases import FAMILIES
from benchmarks.measure import Spread, spread
from benchmarks.store import Record

#: The fit starts where a row's fixed cost no longer shows.
FIT_FROM = 16


class Fit(NamedTuple):
    """time = scale · (Q C)^power, from a straight line in logarithms; r2 is the line's share of the variance."""

    power: float
    scale: float
    r2: float


class Figures:
    """Answers about a set of case records."""

    def __init__(self, records: list[Record]) -> None:
        self.records = sorted(records, key=lambda r: (FAMILIES.index(r["family"]), r["classes"]))

    def of(self, family: str) -> list[Record]:
        """Return the cases of a family by number of classes."""
        return [record for record in self.records if record["family"] == family]

    def at(self, family: str, classes: int) -> Record | None:
        """Return one case, if it was run."""
        return next((record for record in self.of(family) if record["classes"] == classes), None)

    def fit(self) -> Fit | None:
        """Fit EXACT's time per row to nodes times classes; None for fewer than three cases."""
        records = [record for record in self.of("exact") if record["classes"] >= FIT_FROM]
        if len(records) < 3:
            return None
        work = np.log([record["methods"]["exact"]["nodes"] * record["classes"] for record in records])
        time = np.log([median(record, "exact") for record in records])
        power, offset = np.polyfit(work, time, 1)
        rest = time - (power * work + offset)
        return Fit(float(power), float(np.exp(offset)), float(1.0 - rest.var() / time.var()))

    def to_json(self) -> list[Record]:
        """Summarise every case for results.json."""
        rows = []
        for record in self.records:
            methods = {
                name: {key: value for key, value in found.items() if key != "seconds"}
                | {"seconds_per_row": spread(found["seconds"]).to_json()}
                for name, found in record["methods"].items()
            }
            rows.append({key: value for key, value in record.items() if key != "methods"} | {"methods": methods})
        return rows


def timing(record: Record, method: str) -> Spread | None:
    """Seconds per row of a method in a case; None where it was not timed."""
    found = record["methods"].get(method)
    return spread(found["seconds"]) if found else None


def median(record: Record, method: str) -> float:
    """Median seconds per row of a method that was timed."""
    found = timing(record, method)
    assert found is not None
    return found.median


def ratio(record: Record, method: str, base: str) -> float | None:
    """Ratio of medians of two methods timed in the same rounds."""
    above, below = timing(record, method), timing(record, base)
    return above.median / below.median if above and below else None
