"""The losses by name, among them the strongest simple rivals for the top of a ranking."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.quality.tabular.adapters import (
    Hypersimplex,
    IntArray,
    LogLoss,
    Loss,
    Objective,
    Range,
    Registered,
    SquaredError,
    from_probability,
)
from benchmarks.quality.tabular.published import PublishedHypersimplex

#: Rows of a training query. A single query of all rows is not possible: LightGBM takes 10,000 rows at most, and the
#: pairs grow with the square. Random queries of some hundred rows resemble the table, so that the top of a query is the
#: top of the table, and both boosters rank far better than with one long query truncated to as many pairs.
QUERY_ROWS = 250


class ClassWeighted(Loss):
    """Log loss in which positives weigh (negatives / positives) ** ``power``; 1 gives both classes equal weight."""

    name = "weighted-log-loss"
    label = "log loss, classes balanced"
    brief = "balanced"
    space: Mapping[str, Range] = MappingProxyType({"power": Range(0.0, 1.5, 1.0)})

    def __init__(self, power: float = 1.0, weight: float = 1.0) -> None:
        self._power, self._weight = power, weight

    def on(self, y_train: IntArray) -> Loss:
        positives = float(np.sum(y_train))
        return ClassWeighted(self._power, ((len(y_train) - positives) / positives) ** self._power)

    def tuned(self, **own: float) -> Loss:
        return ClassWeighted(own["power"]) if set(own) == {"power"} else super().tuned(**own)

    def lightgbm(self) -> Objective:
        return Objective({"objective": "binary", "scale_pos_weight": self._weight}, to_raw=from_probability)

    def xgboost(self) -> Objective:
        return Objective({"objective": "binary:logistic", "scale_pos_weight": self._weight}, to_raw=from_probability)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"power": self._power}


class Ranking(Loss):
    """LambdaMART: the boosters' own NDCG gradients, over random queries, truncated at ``depth`` × their positives."""

    name = "lambdarank"
    label = "LambdaMART, top k"
    brief = "LambdaMART"
    space: Mapping[str, Range] = MappingProxyType({"depth": Range(0.1, 2.0, 1.0, log=True)})

    def __init__(self, depth: float = 1.0, truncation: int = 30) -> None:
        self._depth, self._truncation = depth, truncation

    def on(self, y_train: IntArray) -> Loss:
        rows = min(QUERY_ROWS, len(y_train))
        expected = self._depth * rows * float(np.mean(y_train))
        return Ranking(self._depth, int(np.clip(round(expected), 1, rows - 1)))

    def tuned(self, **own: float) -> Loss:
        return Ranking(own["depth"]) if set(own) == {"depth"} else super().tuned(**own)

    def lightgbm(self) -> Objective:
        params = {"objective": "lambdarank", "lambdarank_truncation_level": self._truncation}
        return Objective(params, query_rows=QUERY_ROWS)

    def xgboost(self) -> Objective:
        params = {
            "objective": "rank:ndcg",
            "lambdarank_pair_method": "topk",
            "lambdarank_num_pair_per_sample": self._truncation,
        }
        return Objective(params, query_rows=QUERY_ROWS)

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"depth": self._depth}


def queries(rows: int, query_rows: int, seed: int) -> tuple[IntArray, IntArray]:
    """Assign rows to queries: a random order of the rows, and the sizes of the queries along it (equal up to 1)."""
    order = np.random.default_rng(seed).permutation(rows)
    count = max(1, round(rows / query_rows))
    return order, np.full(count, rows // count) + (np.arange(count) < rows % count)


#: Losses that ``--losses`` accepts. Softmax and sampled softmax are log loss with two classes, and squared is L2, so
#: they are not in the list.
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        SquaredError(),
        LogLoss(),
        Hypersimplex(),
        Hypersimplex("fy"),
        ClassWeighted(),
        Registered("focal", "focal", space={"gamma": Range(0.25, 4.0, 2.0, log=True)}),
        Ranking(),
        Hypersimplex("smooth"),
        Hypersimplex("smooth-fy"),
        Registered("exact", "EXACT"),
        Registered("exact-log", "EXACT, -log P", "exact", log=True),
        Registered("sparsemax", "sparsemax"),
        Registered("entmax15", "entmax 1.5"),
        Registered("hinge", "hinge"),
        Registered("squared-hinge", "squared hinge"),
    )
}
#: These, and the losses of a single protocol.
EVERY_LOSS: dict[str, Loss] = LOSSES | {PublishedHypersimplex.name: PublishedHypersimplex()}
DEFAULT_LOSSES = (SquaredError.name, LogLoss.name, Hypersimplex.name)
BASELINE = LogLoss.name
