"""Train a loss with LightGBM or XGBoost: same trees, same splits, same early stopping for every loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.tabular.adapters import FloatArray, Loss, Objective, Range
from benchmarks.tabular.published import recipe
from benchmarks.tabular.rivals import queries
from benchmarks.tabular.settings import Settings

METRIC = "selection"
#: Points kept of a course over rounds: enough for a curve, few enough to store.
POINTS = 200


@dataclass(frozen=True)
class Trained:
    """A trained model, reduced to what the report needs.

    ``raw_valid`` and ``raw_test`` are raw scores at the selected round; ``rounds`` is that round's number
    (from 1), ``rounds_trained`` counts the rounds boosted before early stopping ended training; ``seconds``
    is the wall time of boosting alone, without building the data set and without the validation metric.
    ``course`` are (round, validation metric) and ``active`` (round, share of rows in the band), every so many rounds;
    ``active`` is empty for a loss without a band.
    """

    raw_valid: FloatArray
    raw_test: FloatArray
    rounds: int
    rounds_trained: int
    seconds: float
    course: list[tuple[int, float]]
    active: list[tuple[int, float]]


@dataclass
class _Stopwatch:
    """The selection metric on raw scores, with the time that it took (which is not the loss's time), and its course."""

    score: Callable[[FloatArray], float]
    to_raw: Callable[[FloatArray], FloatArray]
    seconds: float = field(default=0.0)
    course: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, objective: Objective, score: Callable[[FloatArray], float]) -> _Stopwatch:
        watch = cls(score, objective.to_raw)
        function: Any = objective.function
        if hasattr(function, "on_round"):
            function.on_round = watch.on_round
        return watch

    def on_round(self, state: Any) -> None:
        if hasattr(state, "active_share"):
            self.active.append(float(state.active_share))

    def __call__(self, predictions: FloatArray) -> float:
        start = perf_counter()
        raw = self.to_raw(predictions)
        if not np.isfinite(raw).all():
            raise FloatingPointError("the model's raw scores are not finite")
        value = self.score(raw)
        self.course.append(value)
        self.seconds += perf_counter() - start
        return value


def thinned(values: list[float]) -> list[tuple[int, float]]:
    """Keep at most about POINTS of a course, as (round from 1, value with six digits), the last one always."""
    step = max(1, -(-len(values) // POINTS))
    rounds = [*range(step, len(values), step), len(values)] if values else []
    return [(number, float(f"{values[number - 1]:.6g}")) for number in rounds]


class Prepared(ABC):
    """One split in a booster's own format, built once and used by every loss."""

    @abstractmethod
    def train(
        self,
        loss: Loss,
        score: Callable[[FloatArray], float],
        rounds: int,
        trees: Mapping[str, Any] | None = None,
    ) -> Trained:
        """Boost at most ``rounds`` rounds, stop early by ``score`` on validation (higher is better).

        ``loss`` is one that was fitted to these training labels; ``trees`` are settings that replace the usual ones.
        """


class Booster(ABC):
    """A boosting library: a name for the command line, a label, and the settings of its trees."""

    name: str
    label: str

    @abstractmethod
    def params(self, settings: Settings, dataset: str) -> dict[str, Any]:
        """Return the trees' settings, the same for every loss; what is not named is the booster's default."""

    @abstractmethod
    def space(self) -> dict[str, Range]:
        """Return what the tuned protocol searches: settings of the trees, the same for every loss."""

    @abstractmethod
    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        """Convert the three splits (objects with .X and .y); ``seed`` drives the booster's own sampling."""


class LightGBM(Booster):
    """LightGBM with native categories, leaf-wise trees."""

    name = "lightgbm"
    label = "LightGBM"

    def params(self, settings: Settings, dataset: str) -> dict[str, Any]:
        published = settings.protocol == "paper"
        return {
            **(recipe(dataset).params if published else self._usual(settings)),
            "num_threads": settings.threads,
            # Without these two, LightGBM picks its histogram layout by a stopwatch, and reruns may differ.
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            **({"feature_pre_filter": False} if settings.trials else {}),
        }

    @staticmethod
    def _usual(settings: Settings) -> dict[str, Any]:
        return {"learning_rate": settings.learning_rate, "num_leaves": 31, "feature_fraction": 0.8}

    def space(self) -> dict[str, Range]:
        return {
            "learning_rate": Range(0.03, 0.3, 0.1, log=True),
            "num_leaves": Range(8, 128, 31, log=True, whole=True),
            "min_data_in_leaf": Range(5, 200, 20, log=True, whole=True),
            "feature_fraction": Range(0.4, 1.0, 0.8),
            "lambda_l2": Range(1e-3, 30.0, 1e-3, log=True),
        }

    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        return _PreparedLightGBM(
            train, valid, test, self.params(settings, train.name) | {"seed": seed}, patience_for(settings, train.name)
        )


class _PreparedLightGBM(Prepared):
    def __init__(self, train: Any, valid: Any, test: Any, params: dict[str, Any], patience: int) -> None:
        import lightgbm as lgb

        self._params, self._patience = params, patience
        self._valid_X, self._test_X = valid.X, test.X
        self._train = lgb.Dataset(train.X, train.y, params=params, free_raw_data=False).construct()
        self._valid = self._train.create_valid(valid.X, valid.y, params=params).construct()
        self._queries: dict[int, Any] = {}

    def _in_queries(self, query_rows: int) -> Any:
        """The training rows in queries, in the bins of the plain ones."""
        import lightgbm as lgb

        if query_rows not in self._queries:
            order, sizes = queries(self._train.num_data(), query_rows, self._params["seed"])
            X, y = rows_of(self._train.get_data(), order), self._train.get_label()[order]
            self._queries[query_rows] = lgb.Dataset(
                X, y, group=sizes, reference=self._train, params=self._train.params, free_raw_data=False
            ).construct()
        return self._queries[query_rows]

    def train(
        self,
        loss: Loss,
        score: Callable[[FloatArray], float],
        rounds: int,
        trees: Mapping[str, Any] | None = None,
    ) -> Trained:
        import lightgbm as lgb

        objective = loss.lightgbm()
        watch = _Stopwatch.of(objective, score)
        train = self._train if objective.query_rows is None else self._in_queries(objective.query_rows)
        custom = {} if objective.function is None else {"objective": objective.function}
        start = perf_counter()
        model = lgb.train(
            self._params | dict(trees or {}) | objective.params | custom | {"metric": "None"},
            train,
            num_boost_round=rounds,
            valid_sets=[self._valid],
            feval=lambda predictions, _: (METRIC, watch(predictions), True),
            callbacks=[lgb.early_stopping(self._patience, verbose=False)],
        )
        seconds = perf_counter() - start - watch.seconds
        best = model.best_iteration

        def raw(X: Any) -> FloatArray:
            return np.asarray(model.predict(X, raw_score=True, num_iteration=best), dtype=np.float64)

        courses = thinned(watch.course), thinned(watch.active)
        return Trained(raw(self._valid_X), raw(self._test_X), best, len(watch.course), seconds, *courses)


class XGBoost(Booster):
    """XGBoost with native categories, histogram trees, depth-wise."""

    name = "xgboost"
    label = "XGBoost"

    def params(self, settings: Settings, dataset: str) -> dict[str, Any]:
        return {
            "tree_method": "hist",
            "learning_rate": settings.learning_rate,
            "max_depth": 6,
            "colsample_bytree": 0.8,
            "nthread": settings.threads,
            "disable_default_eval_metric": True,
            "verbosity": 1,
        }

    def space(self) -> dict[str, Range]:
        return {
            "learning_rate": Range(0.03, 0.3, 0.1, log=True),
            "max_depth": Range(3, 9, 6, whole=True),
            "min_child_weight": Range(0.1, 100.0, 1.0, log=True),
            "colsample_bytree": Range(0.4, 1.0, 0.8),
            "lambda": Range(1e-3, 30.0, 1.0, log=True),
        }

    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        return _PreparedXGBoost(
            train, valid, test, self.params(settings, train.name) | {"seed": seed}, patience_for(settings, train.name)
        )


class _PreparedXGBoost(Prepared):
    def __init__(self, train: Any, valid: Any, test: Any, params: dict[str, Any], patience: int) -> None:
        import xgboost as xgb

        self._params, self._patience = params, patience
        threads = params["nthread"]
        self._X, self._y, self._valid_rows = train.X, train.y, (valid.X, valid.y)
        self._queries: dict[int, Any] = {}
        self._train = xgb.QuantileDMatrix(train.X, train.y, enable_categorical=True, nthread=threads)
        self._valid, self._test = (
            xgb.QuantileDMatrix(part.X, part.y, enable_categorical=True, nthread=threads, ref=self._train)
            for part in (valid, test)
        )

    def _in_queries(self, query_rows: int) -> tuple[Any, Any]:
        """The training rows in queries, in the bins of the plain ones, and validation rows that refer to them."""
        import xgboost as xgb

        if query_rows not in self._queries:
            order, sizes = queries(len(self._y), query_rows, self._params["seed"])
            threads = self._params["nthread"]
            train = xgb.QuantileDMatrix(
                rows_of(self._X, order),
                self._y[order],
                qid=np.repeat(np.arange(len(sizes)), sizes),
                enable_categorical=True,
                nthread=threads,
                ref=self._train,
            )
            X, y = self._valid_rows
            valid = xgb.QuantileDMatrix(X, y, enable_categorical=True, nthread=threads, ref=train)
            self._queries[query_rows] = train, valid
        return self._queries[query_rows]

    def train(
        self,
        loss: Loss,
        score: Callable[[FloatArray], float],
        rounds: int,
        trees: Mapping[str, Any] | None = None,
    ) -> Trained:
        import xgboost as xgb

        objective = loss.xgboost()
        watch = _Stopwatch.of(objective, score)
        train, valid = self._train, self._valid
        if objective.query_rows is not None:
            train, valid = self._in_queries(objective.query_rows)
        stopping = xgb.callback.EarlyStopping(rounds=self._patience, metric_name=METRIC, maximize=True)
        start = perf_counter()
        model = xgb.train(
            self._params | dict(trees or {}) | objective.params,
            train,
            num_boost_round=rounds,
            evals=[(valid, "valid")],
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

        courses = thinned(watch.course), thinned(watch.active)
        return Trained(raw(self._valid), raw(self._test), best, len(watch.course), seconds, *courses)


def patience_for(settings: Settings, dataset: str) -> int:
    """Rounds without a better validation metric after which training ends."""
    return recipe(dataset).patience if settings.protocol == "paper" else settings.patience


def rows_of(X: Any, order: Any) -> Any:
    """Rows of a DataFrame or a CSR matrix in another order."""
    return X.iloc[order] if hasattr(X, "iloc") else X[order]


BOOSTERS: dict[str, Booster] = {booster.name: booster for booster in (LightGBM(), XGBoost())}
