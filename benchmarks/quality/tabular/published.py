"""The paper's recipe in its published scripts: their trees, their HyperSimplex gradient, their numbers.

Taken from github.com/camilog04/Differentiable-Zero-One-Loss-via-Hypersimplex-Projections, folder supplementary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.quality.tabular.adapters import FloatArray, IntArray, Loss, Objective

TEMPERATURE = 0.001
#: Scripts that multiply the gradient by the temperature; those of Higgs and KDD10 do not.
RESCALED = ("flight", "kdd12", "criteo", "avazu", "kkbox", "movielens")
#: Isotonic blocks closer than this are a single block in the scripts' backward pass.
SAME_BLOCK = 1e-9


@dataclass(frozen=True)
class Recipe:
    """A script's settings: LightGBM parameters, number of rounds, and the factor on the HyperSimplex gradient."""

    params: dict[str, Any]
    rounds: int
    scale: float
    patience: int = 10

    @property
    def learning_rate(self) -> float:
        """The script's learning rate."""
        return float(self.params["learning_rate"])

    def step(self, rows: int) -> float:
        """The learning rate of L2 boosting that is equivalent to this recipe while every row is in the band.

        There the gradient of a row is scale · 2 / (rows · temperature) times its residual, the Hessian is 1, and ŷ
        changes by a leaf's value over the temperature: learning rate · scale · 2 / (rows · temperature²).
        """
        return self.learning_rate * self.scale * 2.0 / (rows * TEMPERATURE**2)


EXPERIMENTS = {
    "max_bin": 255,
    "num_leaves": 250,
    "learning_rate": 0.1,
    "bagging_fraction": 0.8,  # without bagging_freq LightGBM ignores it
    "feature_fraction": 0.8,
    "min_data_in_leaf": 1,
    "min_sum_hessian_in_leaf": 100,
}
KDD12 = {
    "max_bin": 255,
    "num_leaves": 2048,
    "max_depth": -1,
    "learning_rate": 0.01,
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "min_data_in_leaf": 20,
    "min_sum_hessian_in_leaf": 1e-3,
    "lambda_l2": 0.1,
}


def recipe(dataset: str) -> Recipe:
    """Return the published script's settings for a data set of the paper."""
    scale = TEMPERATURE if dataset in RESCALED else 1.0
    return Recipe(KDD12, 3000, scale) if dataset == "kdd12" else Recipe(EXPERIMENTS, 1000, scale)


def paper_sets() -> list[str]:
    """Name the data sets of the paper's table, in its order."""
    from datasets.registry import registry

    return [name for name, info in registry().items() if info.paper]


class PublishedHypersimplex(Loss):
    """HyperSimplex as the scripts train it; see `PublishedGradient`."""

    name = "hypersimplex-published"
    label = "HyperSimplex (as published)"

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def lightgbm(self) -> Objective:
        return Objective({}, PublishedGradient(self.scale))

    def xgboost(self) -> Objective:
        raise TypeError("the published scripts train LightGBM only")

    def describe(self) -> dict[str, Any]:
        return {"lightgbm": {}, "function": repr(PublishedGradient(self.scale))}


@dataclass(frozen=True)
class Band:
    """A round's state for its observer: the share of rows with 0 < ŷ < 1."""

    active_share: float


class PublishedGradient:
    """The scripts' objective: gradient of the mean squared error behind the projection, and a Hessian of ones.

    k = int(n · p) with p = P / n as a float, which is P or, by rounding, P - 1. The temperature is 0.001. The backward
    pass splits the isotonic solution into blocks of neighbours closer than 1e-9 and subtracts each block's mean. The
    rows of the band are one block, as in the Jacobian; but tied rows outside the band also form a block and, if their
    labels differ, get a gradient that is 0 in the Jacobian.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.on_round: Callable[[Any], object] | None = None

    def __call__(self, predictions: FloatArray, dataset: Any) -> tuple[FloatArray, FloatArray]:
        y = np.asarray(dataset.get_label(), dtype=np.float64)
        gradient, active = published_gradient(np.asarray(predictions, dtype=np.float64), y)
        if self.on_round is not None:
            self.on_round(Band(active))
        return self.scale * gradient, np.ones(len(y))

    def __deepcopy__(self, memo: dict[int, Any]) -> PublishedGradient:
        return self  # LightGBM copies its parameters

    def __repr__(self) -> str:
        return f"PublishedGradient(temperature={TEMPERATURE}, scale={self.scale})"


def published_k(y: FloatArray | IntArray) -> int:
    """The scripts' k for labels (n,): int(n · p) with p the float proportion of ones."""
    n = len(y)
    return int(n * (float(np.sum(y == 1)) / n))


def published_gradient(scores: FloatArray, y: FloatArray) -> tuple[FloatArray, float]:
    """The scripts' gradient for scores (n,) and labels (n,), before their factor, and the share of rows in the band."""
    from hsboost import project_hypersimplex

    n = len(y)
    found = project_hypersimplex(scores, k=published_k(y), temperature=TEMPERATURE)
    scaled, projected = scores / TEMPERATURE, np.asarray(found.values, dtype=np.float64)
    active = (projected > 0.0) & (projected < 1.0)
    dual = scaled - projected  # the isotonic solution; in the band it is one number
    if active.any():
        dual[active] = np.median(dual[active])
    order = np.argsort(dual, kind="stable")
    block = np.empty(n, dtype=np.intp)
    block[order] = np.cumsum(np.diff(dual[order], prepend=dual[order[0]]) > SAME_BLOCK)
    gradient = 2.0 / n * (projected - y)
    means = np.bincount(block, gradient) / np.bincount(block)
    return (gradient - means[block]) / TEMPERATURE, float(np.mean(active))
