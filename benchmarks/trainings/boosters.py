"""The boosters: data binned once, outside the timing, and the same trees' settings for every objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.trainings.objectives import Objective, Stopwatch

LEARNING_RATE = 0.1


class Booster(ABC):
    """A boosting library. Leaves have no minimum curvature, so that all losses grow trees of the same size."""

    name: str
    label: str

    @abstractmethod
    def params(self, threads: int) -> dict[str, Any]:
        """Return the trees' settings; all others are the booster's defaults."""

    @abstractmethod
    def prepare(self, X: np.ndarray, y: np.ndarray, threads: int) -> Any:
        """Bin the rows; the result is used for every training on them."""

    @abstractmethod
    def trainer(
        self, data: Any, objective: Objective, watch: Stopwatch | None, rounds: int, threads: int
    ) -> Callable[[], Any]:
        """Return the call that is timed; it returns the model."""

    @abstractmethod
    def leaves(self, model: Any) -> float:
        """Mean number of leaves of a tree, which shows whether two trainings are comparable."""


class XGBoost(Booster):
    """``xgb.train`` on a QuantileDMatrix: histogram trees, depth-wise."""

    name = "xgboost"
    label = "XGBoost"

    def params(self, threads: int) -> dict[str, Any]:
        return {
            "tree_method": "hist",
            "learning_rate": LEARNING_RATE,
            "max_depth": 6,
            "min_child_weight": 0.0,
            # Set, because a built-in loss would otherwise spend a round on estimating it.
            "base_score": 0.5,
            "nthread": threads,
            "seed": 0,
            "verbosity": 1,
        }

    def prepare(self, X: np.ndarray, y: np.ndarray, threads: int) -> Any:
        import xgboost as xgb

        return xgb.QuantileDMatrix(X, y, nthread=threads)

    def trainer(
        self, data: Any, objective: Objective, watch: Stopwatch | None, rounds: int, threads: int
    ) -> Callable[[], Any]:
        import xgboost as xgb

        params = self.params(threads) | {"objective": objective.xgboost}
        return lambda: xgb.train(params, data, num_boost_round=rounds, obj=watch)

    def leaves(self, model: Any) -> float:
        return float(np.mean([tree.count("leaf=") for tree in model.get_dump()]))


class LightGBM(Booster):
    """``lgb.train`` on one Dataset: leaf-wise trees."""

    name = "lightgbm"
    label = "LightGBM"

    def params(self, threads: int) -> dict[str, Any]:
        return {
            "learning_rate": LEARNING_RATE,
            "num_leaves": 31,
            "min_sum_hessian_in_leaf": 0.0,
            "num_threads": threads,
            # Otherwise LightGBM times both histogram layouts at the start of every training.
            "force_row_wise": True,
            "seed": 0,
            "verbosity": -1,
        }

    def prepare(self, X: np.ndarray, y: np.ndarray, threads: int) -> Any:
        import lightgbm as lgb

        # Keep the raw rows: a Dataset without them refuses some repeated trainings.
        return lgb.Dataset(X, y, params=self.params(threads), free_raw_data=False).construct()

    def trainer(
        self, data: Any, objective: Objective, watch: Stopwatch | None, rounds: int, threads: int
    ) -> Callable[[], Any]:
        import lightgbm as lgb

        chosen: Any = watch if watch is not None else objective.lightgbm
        params = self.params(threads) | {"objective": chosen, "metric": "None"}
        return lambda: lgb.train(params, data, num_boost_round=rounds)

    def leaves(self, model: Any) -> float:
        return float(np.mean([tree["num_leaves"] for tree in model.dump_model()["tree_info"]]))


BOOSTERS: dict[str, Booster] = {booster.name: booster for booster in (XGBoost(), LightGBM())}
