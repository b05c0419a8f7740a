"""From finished cases to figures: a round's time, shares, traffic, memory; ratios paired within a repeat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.measure import Spread, spread
from benchmarks.scaling.plan import DASK, Key
from benchmarks.scaling.work import HYPERSIMPLEX, LOG_LOSS, OBJECTIVES
from benchmarks.store import Record


class Traffic(NamedTuple):
    """What one worker hands to all-reduce: calls and bytes of a round, and the largest single call."""

    cold_calls: int
    warm_calls: float
    warm_calls_most: int
    cold_bytes: int
    warm_bytes: float
    largest: int


class Cases:
    """Answers about a set of cases; the first round of a training is cold, the others are warm."""

    def __init__(self, records: list[Record]) -> None:
        self.records = sorted(records, key=lambda r: (r["engine"] == DASK, r["rows"], r["workers"]))

    def at(self, key: Key) -> Record | None:
        """Return one case."""
        return next((r for r in self.records if (r["engine"], r["rows"], r["workers"]) == key), None)

    def of(self, record: Record, objective: str) -> list[list[Record]]:
        """Return a case's trainings with one objective: repeat after repeat, in each worker after worker."""
        found = [t for t in record["trainings"] if t["objective_name"] == objective]
        return [[t for t in found if t["repeat"] == repeat] for repeat in sorted({t["repeat"] for t in found})]

    def round_seconds(self, record: Record, objective: str) -> Spread:
        """Wall time of a warm round, on the slowest worker."""
        return spread(_warm([_per_round(workers, "rounds", max) for workers in self.of(record, objective)]))

    def cold_seconds(self, record: Record, objective: str) -> float:
        """Median wall time of the first round."""
        return float(np.median([max(w["rounds"][0] for w in workers) for workers in self.of(record, objective)]))

    def inside_seconds(self, record: Record, part: str = "objective") -> float:
        """Median time of a warm round inside the objective (or its ``reductions``), mean over workers."""
        repeats = self.of(record, HYPERSIMPLEX)
        return float(np.median(_warm([_per_round(workers, part, np.mean) for workers in repeats])))

    def share(self, record: Record, part: str = "objective") -> float:
        """Share of the training's time inside the objective (or its ``reductions``), cold round included."""
        repeats = self.of(record, HYPERSIMPLEX)
        return float(np.median([sum(w[part]) / sum(w["rounds"]) for workers in repeats for w in workers]))

    def ratios(self, record: Record) -> list[float]:
        """HyperSimplex against log loss, whole trainings of one repeat each: the machine's moods cancel."""
        found = [[_whole(workers) for workers in self.of(record, name)] for name in (HYPERSIMPLEX, LOG_LOSS)]
        return [ours / theirs for ours, theirs in zip(*found, strict=True)]

    def traffic(self, record: Record) -> Traffic:
        """Count all-reduce calls and bytes per round; the same on every worker."""
        rounds = [w["traffic"] for workers in self.of(record, HYPERSIMPLEX) for w in workers]
        cold = np.array([traffic[0] for traffic in rounds])
        warm = np.array([one for traffic in rounds for one in traffic[1:]])
        return Traffic(
            int(cold[:, 0].max()),
            float(np.median(warm[:, 0])),
            int(warm[:, 0].max()),
            int(cold[:, 1].max()),
            float(np.median(warm[:, 1])),
            int(max(cold[:, 2].max(), warm[:, 2].max())),
        )

    def peak_bytes(self, record: Record, objective: str) -> int | None:
        """Largest resident memory of a worker while it trained."""
        found = [w["peak_bytes"] for workers in self.of(record, objective) for w in workers]
        return None if None in found else max(found)

    def to_json(self) -> list[Record]:
        """Summarise every case for results.json."""
        return [
            {
                **{name: record[name] for name in ("engine", "rows", "workers", "threads_each", "bins")},
                "seconds_per_round": {name: self.round_seconds(record, name).to_json() for name in OBJECTIVES},
                "seconds_first_round": {name: self.cold_seconds(record, name) for name in OBJECTIVES},
                "ratio_to_log_loss": spread(self.ratios(record)).to_json(),
                "share_inside_objective": self.share(record),
                "share_in_reductions": self.share(record, "reductions"),
                "traffic": self.traffic(record)._asdict(),
                "peak_bytes_per_worker": {name: self.peak_bytes(record, name) for name in OBJECTIVES},
            }
            for record in self.records
        ]


def _per_round(workers: list[Record], what: str, together: object) -> list[float]:
    rounds = zip(*[w[what] for w in workers], strict=True)
    return [float(together(values)) for values in rounds]  # type: ignore[operator]


def _warm(repeats: list[list[float]]) -> list[float]:
    return [seconds for rounds in repeats for seconds in rounds[1:]]


def _whole(workers: list[Record]) -> float:
    return max(sum(w["rounds"]) for w in workers)
