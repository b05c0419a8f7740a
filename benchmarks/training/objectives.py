"""What is compared: HyperSimplex, two built-in losses, and the cheapest custom objective there can be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

HYPERSIMPLEX, LOG_LOSS, TRIVIAL = "hypersimplex", "log_loss", "trivial"


@dataclass
class Stopwatch:
    """A custom objective with its time taken, call by call; a deep copy (LightGBM makes one) is the object itself."""

    function: Callable[[Any, Any], tuple[np.ndarray, np.ndarray]]
    seconds: list[float] = field(default_factory=list)

    def __call__(self, predictions: Any, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
        start = perf_counter()
        result = self.function(predictions, dataset)
        self.seconds.append(perf_counter() - start)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> Stopwatch:
        return self


@dataclass(frozen=True)
class Objective:
    """A loss in the boosters' terms: the name of a built-in one, or what makes a fresh custom one."""

    name: str
    label: str
    xgboost: str
    lightgbm: str | None = None
    custom: Callable[[], Callable[[Any, Any], tuple[np.ndarray, np.ndarray]]] | None = None

    def watched(self) -> Stopwatch | None:
        """Make a fresh custom objective under a stopwatch; None for a built-in loss."""
        return None if self.custom is None else Stopwatch(self.custom())


def squared_error(predictions: Any, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
    """L2 in two NumPy calls, in the type that boosters keep, so that nothing is converted afterwards."""
    y = dataset.get_label()
    return np.subtract(predictions, y, dtype=np.float32), np.ones(len(y), np.float32)


def _hypersimplex() -> Callable[[Any, Any], tuple[np.ndarray, np.ndarray]]:
    from hsboost import HypersimplexObjective

    return HypersimplexObjective()


OBJECTIVES: dict[str, Objective] = {
    objective.name: objective
    for objective in (
        Objective(HYPERSIMPLEX, "HyperSimplex", "reg:squarederror", custom=_hypersimplex),
        Objective(TRIVIAL, "custom L2 in NumPy (floor)", "reg:squarederror", custom=lambda: squared_error),
        Objective(LOG_LOSS, "log loss, built in", "binary:logistic", "binary"),
        Objective("l2", "L2, built in", "reg:squarederror", "regression"),
    )
}
