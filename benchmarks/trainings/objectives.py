"""The objectives that are trained: HyperSimplex, built-in losses, the cheapest custom one; and the stopwatch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

HYPERSIMPLEX, LOG_LOSS, TRIVIAL = "hypersimplex", "log_loss", "trivial"
Custom = Callable[[Any, Any], tuple[Any, Any]]


@dataclass
class Stopwatch:
    """A custom objective whose calls are timed; a deep copy (LightGBM makes one) is the object itself."""

    function: Custom
    seconds: list[float] = field(default_factory=list)

    def __call__(self, predictions: Any, dataset: Any) -> tuple[Any, Any]:
        start = perf_counter()
        result = self.function(predictions, dataset)
        self.seconds.append(perf_counter() - start)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Stopwatch:
        return self


@dataclass(frozen=True)
class Objective:
    """A loss in the boosters' terms: the name of a built-in one, or a factory of a custom one.

    ``xgboost`` is always set: with a custom objective it is the nominal one.
    """

    name: str
    label: str
    xgboost: str
    lightgbm: str | None = None
    custom: Callable[[], Custom] | None = None

    def watched(self) -> Stopwatch | None:
        """Create a custom objective with a stopwatch; None for a built-in loss."""
        return None if self.custom is None else Stopwatch(self.custom())


def squared_error(predictions: Any, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """L2 in two NumPy calls, in the boosters' float type, so that nothing is converted afterwards."""
    y = dataset.get_label()
    return np.subtract(predictions, y, dtype=np.float32), np.ones(len(y), np.float32)


def hypersimplex(device: str = "auto") -> Any:
    """Make hsboost's objective."""
    from hsboost import HypersimplexObjective

    return HypersimplexObjective(device=device)


#: XGBoost's trees for large sets; the nominal objective and the threads are added.
LARGE_PARAMS: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": 6,
    "learning_rate": 0.1,
    "min_child_weight": 0.0,
    # Set, because the built-in loss would otherwise spend a round on estimating it.
    "base_score": 0.5,
    "seed": 0,
}


def large_params(objective: str, threads: int) -> dict[str, Any]:
    """LARGE_PARAMS for HyperSimplex or log loss."""
    return LARGE_PARAMS | {"nthread": threads, "objective": OBJECTIVES[objective].xgboost}


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(HYPERSIMPLEX, "HyperSimplex", "reg:squarederror", custom=hypersimplex),
        Objective(TRIVIAL, "custom L2 in NumPy (floor)", "reg:squarederror", custom=lambda: squared_error),
        Objective(LOG_LOSS, "log loss, built in", "binary:logistic", "binary"),
        Objective("l2", "L2, built in", "reg:squarederror", "regression"),
    )
}
