"""A model of a round's cost by rows and workers: fitted to the measured cases, applied to machines on a network.

Two sums, one for the objective and one for the rest of the round, with non-negative prices:

    seconds = a + b · rows per core + c · calls + d · ring steps

XGBoost adds up over a ring: of W workers, each sends 2 (W − 1) messages per call, one after another, each 1/W of the
data. So a call of W machines costs time linear in W.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from benchmarks.suite.store import Record
from benchmarks.trainings.objectives import HYPERSIMPLEX, LARGE_PARAMS
from benchmarks.trainings.scaling_figures import TRACKER, Cases

DEPTH = LARGE_PARAMS["max_depth"]

FAR_ROWS, FAR_WORKERS = 1_000_000_000, 100
#: One call per level for its histograms, and one before them for the sums of all rows.
TREE_CALLS = DEPTH + 1
#: Nodes whose histograms are added up: one of two siblings, as the other is the parent's minus that one.
TREE_NODES = 1 + sum(2**level // 2 for level in range(1, DEPTH))
#: A gradient and a curvature, float64.
BIN_BYTES = 16


@dataclass(frozen=True)
class Network:
    """The machines of the prediction: ``latency_us`` of one message, ``gbits`` per second, ``cores_each``."""

    latency_us: float = 50.0
    gbits: float = 10.0
    cores_each: int = 16

    def seconds(self, calls: float, call_bytes: float, workers: int) -> float:
        """Network time of ``calls`` ring all-reduces, one after another."""
        steps = ring_steps(workers)
        return calls * (steps * self.latency_us * 1e-6 + steps / workers * call_bytes * 8 / (self.gbits * 1e9))


def ring_steps(workers: int) -> int:
    """Messages that a worker sends, one after another, in one all-reduce."""
    return 2 * (workers - 1)


class Prices(NamedTuple):
    """Seconds: of a round, of a row on a core, of an all-reduce call and of each of its ring steps, as measured."""

    fixed: float
    row: float
    call: float
    step: float

    def seconds(self, rows_per_core: float, calls: float, workers: int) -> float:
        """Price a round."""
        return self.alone(rows_per_core) + self.talk(calls, workers)

    def alone(self, rows_per_core: float) -> float:
        """The part that needs no other worker."""
        return self.fixed + self.row * rows_per_core

    def talk(self, calls: float, workers: int) -> float:
        """The cost of the calls."""
        return calls * (self.call + self.step * ring_steps(workers)) if workers > 1 else 0.0


class Point(NamedTuple):
    """One measured case as input of the model."""

    rows: int
    workers: int
    rows_per_core: float
    calls: tuple[float, float]
    seconds: tuple[float, float]


class Fit(NamedTuple):
    """Prices of the objective and of the rest of a round; the points; relative residuals, (points, 2)."""

    objective: Prices
    booster: Prices
    points: list[Point]
    residuals: np.ndarray
    calls: float
    call_bytes: float
    bins: int


class Prediction(NamedTuple):
    """Seconds of a round: computation and communication, of objective and booster."""

    objective: float
    objective_talk: float
    booster: float
    booster_talk: float

    @property
    def seconds(self) -> float:
        return sum(self)

    @property
    def ratio(self) -> float:
        """The full round against the round without the custom objective."""
        return self.seconds / (self.booster + self.booster_talk)


def fit(cases: Cases, cores: int) -> Fit | None:
    """Fit the prices by least squares of relative errors; None without two numbers of rows and of workers."""
    records = [record for record in cases.records if record["engine"] == TRACKER]
    points = [_point(cases, record, cores) for record in records]
    several = [record for record in records if record["workers"] > 1]
    if len({p.rows for p in points}) < 2 or len({p.workers for p in points}) < 2:
        return None
    objective, off = _fitted(points, 0)
    booster, rest_off = _fitted(points, 1)
    largest = max(several, key=lambda record: (record["rows"], record["workers"]))
    traffic = cases.traffic(largest)
    return Fit(
        objective,
        booster,
        points,
        np.column_stack([off, rest_off]),
        traffic.warm_calls,
        traffic.warm_bytes / max(traffic.warm_calls, 1.0),
        largest["bins"],
    )


def predict(fitted: Fit, network: Network, rows: int = FAR_ROWS, workers: int = FAR_WORKERS) -> Prediction:
    """Price a warm round on a cluster: the fitted prices, and the network's for every message."""
    per_core = rows / (workers * network.cores_each)
    tree_bytes = TREE_NODES * fitted.bins * BIN_BYTES / TREE_CALLS
    return Prediction(
        fitted.objective.alone(per_core),
        fitted.objective.talk(fitted.calls, workers) + network.seconds(fitted.calls, fitted.call_bytes, workers),
        fitted.booster.alone(per_core),
        fitted.booster.talk(TREE_CALLS, workers) + network.seconds(TREE_CALLS, tree_bytes, workers),
    )


def _point(cases: Cases, record: Record, cores: int) -> Point:
    workers = record["workers"]
    inside = cases.inside_seconds(record)
    rest = cases.round_seconds(record, HYPERSIMPLEX).median - inside
    return Point(
        record["rows"],
        workers,
        record["rows"] / min(cores, workers * record["threads_each"]),
        (cases.traffic(record).warm_calls, float(TREE_CALLS)) if workers > 1 else (0.0, 0.0),
        (inside, max(rest, 1e-9)),
    )


def _fitted(points: list[Point], part: int) -> tuple[Prices, np.ndarray]:
    """Prices of one part (0: the objective, 1: the rest), and the relative residuals."""
    seconds = np.array([p.seconds[part] for p in points])
    # With one number of workers above 1, calls and ring steps are not separable: all cost is assigned to the steps.
    tell_apart = len({p.workers for p in points} - {1}) > 1
    design = np.array(
        [[1.0, p.rows_per_core, tell_apart * p.calls[part], p.calls[part] * ring_steps(p.workers)] for p in points]
    )
    relative = design / seconds[:, None]
    size = relative.max(axis=0)  # columns of one size: prices differ by powers of ten
    size[size == 0.0] = 1.0
    found, _ = nnls(relative / size, np.ones(len(points)))
    return Prices(*(float(v) for v in found / size)), relative @ (found / size) - 1.0
