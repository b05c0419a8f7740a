"""Train a loss with LightGBM or XGBoost: same trees, same splits, same early stopping for every loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.tabular.losses import FloatArray, Loss
from benchmarks.tabular.settings import Settings

METRIC = "selection"


@dataclass(frozen=True)
class Trained:
    """A trained model, reduced to what the report needs.

    ``raw_valid`` and ``raw_test`` are raw scores at the selected round; ``rounds`` is that round's number
    (from 1), ``rounds_trained`` counts the rounds boosted before early stopping ended training; ``seconds``
    is the wall time of boosting alone, without building the data set and without the validation metric.
    """

    raw_valid: FloatArray
    raw_test: FloatArray
    rounds: int
    rounds_trained: int
    seconds: float


@dataclass
class _Stopwatch:
    """The selection metric on raw scores, with the time that it took (which is not the loss's time)."""

    score: Callable[[FloatArray], float]
    to_raw: Callable[[FloatArray], FloatArray]
    seconds: float = field(default=0.0)

    def __call__(self, predictions: FloatArray) -> float:
        start = perf_counter()
        raw = self.to_raw(predictions)
        if not np.isfinite(raw).all():
            raise FloatingPointError("the model's raw scores are not finite")
        value = self.score(raw)
        self.seconds += perf_counter() - start
        return value


class Prepared(ABC):
    """One split in a booster's own format, built once and used by every loss."""

    @abstractmethod
    def train(self, loss: Loss, score: Callable[[FloatArray], float], rounds: int) -> Trained:
        """Boost at most ``rounds`` rounds, stop early by ``score`` on validation (higher is better)."""


class Booster(ABC):
    """A boosting library: a name for the command line, a label, and the settings of its trees."""

    name: str
    label: str

    @abstractmethod
    def params(self, settings: Settings) -> dict[str, Any]:
        """Return the trees' settings, the same for every loss; what is not named is the booster's default."""

    @abstractmethod
    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        """Convert the three splits (objects with .X and .y); ``seed`` drives the booster's own sampling."""


class LightGBM(Booster):
    """LightGBM with native categories, leaf-wise trees."""

    name = "lightgbm"
    label = "LightGBM"

    def params(self, settings: Settings) -> dict[str, Any]:
        return {
            "learning_rate": settings.learning_rate,
            "num_leaves": 31,
            "feature_fraction": 0.8,
            "num_threads": settings.threads,
            # Without these two, LightGBM picks its histogram layout by a stopwatch, and reruns may differ.
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        return _PreparedLightGBM(train, valid, test, self.params(settings) | {"seed": seed}, settings.patience)


class _PreparedLightGBM(Prepared):
    def __init__(self, train: Any, valid: Any, test: Any, params: dict[str, Any], patience: int) -> None:
        import lightgbm as lgb

        self._params, self._patience = params, patience
        self._valid_X, self._test_X = valid.X, test.X
        self._train = lgb.Dataset(train.X, train.y, params=params, free_raw_data=False).construct()
        self._valid = self._train.create_valid(valid.X, valid.y).construct()

    def train(self, loss: Loss, score: Callable[[FloatArray], float], rounds: int) -> Trained:
        import lightgbm as lgb

        objective = loss.lightgbm()
        watch = _Stopwatch(score, objective.to_raw)
        custom = {} if objective.function is None else {"objective": objective.function}
        start = perf_counter()
        model = lgb.train(
            self._params | objective.params | custom | {"metric": "None"},
            self._train,
            num_boost_round=rounds,
            valid_sets=[self._valid],
            feval=lambda predictions, _: (METRIC, watch(predictions), True),
            callbacks=[lgb.early_stopping(self._patience, verbose=False)],
        )
        seconds = perf_counter() - start - watch.seconds
        best = model.best_iteration

        def raw(X: Any) -> FloatArray:
            return np.asarray(model.predict(X, raw_score=True, num_iteration=best), dtype=np.float64)

        return Trained(raw(self._valid_X), raw(self._test_X), best, model.current_iteration(), seconds)


class XGBoost(Booster):
    """XGBoost with native categories, histogram trees, depth-wise."""

    name = "xgboost"
    label = "XGBoost"

    def params(self, settings: Settings) -> dict[str, Any]:
        return {
            "tree_method": "hist",
            "learning_rate": settings.learning_rate,
            "max_depth": 6,
            "colsample_bytree": 0.8,
            "nthread": settings.threads,
            "disable_default_eval_metric": True,
            "verbosity": 1,
        }

    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        return _PreparedXGBoost(train, valid, test, self.params(settings) | {"seed": seed}, settings.patience)


class _PreparedXGBoost(Prepared):
    def __init__(self, train: Any, valid: Any, test: Any, params: dict[str, Any], patience: int) -> None:
        import xgboost as xgb

        self._params, self._patience = params, patience
        threads = params["nthread"]
        self._train = xgb.QuantileDMatrix(train.X, train.y, enable_categorical=True, nthread=threads)
        self._valid, self._test = (
            xgb.QuantileDMatrix(part.X, part.y, enable_categorical=True, nthread=threads, ref=self._train)
            for part in (valid, test)
        )

    def train(self, loss: Loss, score: Callable[[FloatArray], float], rounds: int) -> Trained:
        import xgboost as xgb

        objective = loss.xgboost()
        watch = _Stopwatch(score, objective.to_raw)
        stopping = xgb.callback.EarlyStopping(rounds=self._patience, metric_name=METRIC, maximize=True)
        start = perf_counter()
        model = xgb.train(
            self._params | objective.params,
            self._train,
            num_boost_round=rounds,
            evals=[(self._valid, "valid")],
            obj=objective.function,
            custom_metric=lambda predictions, _: (METRIC, watch(predictions)),
            callbacks=[stopping],
            verbose_eval=False,
        )
        seconds = perf_counter() - start - watch.seconds
        best = int(model.best_iteration) + 1

        def raw(matrix: xgb.DMatrix) -> FloatArray:
            margin = model.predict(matrix, output_margin=True, iteration_range=(0, best))
            return np.asarray(margin, dtype=np.float64)

        return Trained(raw(self._valid), raw(self._test), best, model.num_boosted_rounds(), seconds)


BOOSTERS: dict[str, Booster] = {booster.name: booster for booster in (LightGBM(), XGBoost())}
