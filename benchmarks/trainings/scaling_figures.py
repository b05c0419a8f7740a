"""From finished cases to figures: a round's time, shares, traffic, memory; ratios paired within a repeat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.suite.measure import Spread, spread
from benchmarks.suite.requirements import Requirement, ratio_within
from benchmarks.suite.store import Record
from benchmarks.trainings.objectives import HYPERSIMPLEX, LOG_LOSS

#: How the workers are connected: XGBoost's tracker alone, or `xgboost.dask` or Spark on local processes.
TRACKER, DASK, SPARK = "tracker", "dask", "spark"
#: Requirements under Dask and Spark, and for the traffic.
DASK_ROWS, DASK_WORKERS, OVERHEAD = 1_000_000, 2, 1.15
CALLS, BYTES = 4, 4096

ENGINES = (TRACKER, DASK, SPARK)
#: Engine, rows, workers.
Key = tuple[str, int, int]


class Traffic(NamedTuple):
    """One worker's all-reduce traffic: calls and bytes of a round, and the largest single call."""

    cold_calls: int
    warm_calls: float
    warm_calls_most: int
    cold_bytes: int
    warm_bytes: float
    largest: int


class Cases:
    """Figures of a set of cases; the first round of a training is cold, the others are warm."""

    def __init__(self, records: list[Record]) -> None:
        self.records = sorted(records, key=lambda r: (ENGINES.index(r["engine"]), r["rows"], r["workers"]))

    def at(self, key: Key) -> Record | None:
        """Return one case."""
        return next((r for r in self.records if (r["engine"], r["rows"], r["workers"]) == key), None)

    def of(self, record: Record, objective: str, what: str) -> list[Any]:
        """A measurement of a case's workers for one objective: one array (workers, …) per repeat."""
        found = pd.DataFrame(record["trainings"])
        found = found[found["objective_name"] == objective]
        return [group[what].tolist() for _, group in found.groupby("repeat")]

    def _each(self, record: Record, objective: str, what: str) -> list[Any]:
        """The same without grouping by repeats."""
        return [one for repeat in self.of(record, objective, what) for one in repeat]

    def round_seconds(self, record: Record, objective: str) -> Spread:
        """Wall time of a warm round, on the slowest worker."""
        return spread(_warm(self.of(record, objective, "rounds"), np.max))

    def cold_seconds(self, record: Record, objective: str) -> float:
        """Median wall time of the first round."""
        return float(
            np.median([max(rounds[0] for rounds in repeat) for repeat in self.of(record, objective, "rounds")])
        )

    def inside_seconds(self, record: Record) -> float:
        """Median time of a warm round inside the objective, mean over workers."""
        return float(np.median(_warm(self.of(record, HYPERSIMPLEX, "objective"), np.mean)))

    def share(self, record: Record, part: str = "objective") -> float:
        """Share of the training's time inside the objective (or its ``reductions``), cold round included."""
        pairs = zip(*(self._each(record, HYPERSIMPLEX, what) for what in (part, "rounds")), strict=True)
        return float(np.median([sum(part) / sum(rounds) for part, rounds in pairs]))

    def ratios(self, record: Record) -> list[float]:
        """HyperSimplex against log loss, full trainings within a repeat, so that slow phases of the machine cancel."""
        ours, theirs = (
            [max(sum(rounds) for rounds in repeat) for repeat in self.of(record, name, "rounds")]
            for name in (HYPERSIMPLEX, LOG_LOSS)
        )
        return [own / base for own, base in zip(ours, theirs, strict=True)]

    def traffic(self, record: Record) -> Traffic:
        """Count all-reduce calls and bytes per round; the same on every worker."""
        rounds = np.array(self._each(record, HYPERSIMPLEX, "traffic"))
        cold, warm = rounds[:, 0], rounds[:, 1:].reshape(-1, 3)
        return Traffic(
            int(cold[:, 0].max()),
            float(np.median(warm[:, 0])),
            int(warm[:, 0].max()),
            int(cold[:, 1].max()),
            float(np.median(warm[:, 1])),
            int(rounds[:, :, 2].max()),
        )

    def peak_bytes(self, record: Record, objective: str) -> int | None:
        """Largest resident memory of a worker while it trained."""
        found = self._each(record, objective, "peak_bytes")
        return None if any(pd.isna(peak) for peak in found) else int(max(found))

    def to_json(self) -> list[Record]:
        """Summarise every case for results.json."""
        both = (HYPERSIMPLEX, LOG_LOSS)
        return [
            {
                **{name: record[name] for name in ("engine", "rows", "workers", "threads_each", "bins")},
                "seconds_per_round": {name: self.round_seconds(record, name).to_json() for name in both},
                "seconds_first_round": {name: self.cold_seconds(record, name) for name in both},
                "ratio_to_log_loss": spread(self.ratios(record)).to_json(),
                "share_inside_objective": self.share(record),
                "share_in_reductions": self.share(record, "reductions"),
                "traffic": self.traffic(record)._asdict(),
                "peak_bytes_per_worker": {name: self.peak_bytes(record, name) for name in both},
            }
            for record in self.records
        ]


def _warm(repeats: list[list[list[float]]], together: Callable[..., Any]) -> list[float]:
    """Warm rounds of all repeats, each reduced to one figure over all workers."""
    return [float(together(values)) for workers in repeats for values in list(zip(*workers, strict=True))[1:]]


def requirements(cases: Cases) -> list[Requirement]:
    """Traffic over all cases of several workers, overhead under Dask and Spark."""
    found = [cases.traffic(record) for record in cases.records if record["workers"] > 1]
    calls = most = None
    notes = ["needs two workers"] * 2
    if found:
        calls, most = (float(max(one)) for one in zip(*((t.warm_calls_most, t.largest) for t in found), strict=True))
        median, cold = np.median([one.warm_calls for one in found]), max(one.cold_calls for one in found)
        notes = [f"cases: {len(found)}; median {median:g}, cold at most {cold}", ""]
    record, under_spark = (cases.at((engine, DASK_ROWS, DASK_WORKERS)) for engine in (DASK, SPARK))
    return [
        Requirement("all-reduce calls of a warm round, at most", calls, CALLS, "", note=notes[0]),
        Requirement("largest single call, cold rounds included", most, BYTES, " B", note=notes[1]),
        ratio_within(
            f"under Dask, 1e6 rows on {DASK_WORKERS} workers: HyperSimplex against binary:logistic",
            [] if record is None else cases.ratios(record),
            OVERHEAD,
            "needs 1e6 rows, 2 workers, dask and distributed",
        ),
        ratio_within(
            f"under Spark, 1e6 rows on {DASK_WORKERS} workers: HyperSimplex against SparkXGBClassifier's log loss",
            [] if under_spark is None else cases.ratios(under_spark),
            OVERHEAD,
            "needs 1e6 rows, 2 workers, pyspark and Java",
        ),
    ]
