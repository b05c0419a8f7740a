"""Train a loss with LightGBM or XGBoost: same trees, same splits, same early stopping for every loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, ClassVar

import numpy as np

from benchmarks.quality.tabular.adapters import FloatArray, Loss, Objective, Range
from benchmarks.quality.tabular.losses import queries
from benchmarks.quality.tabular.published import recipe
from benchmarks.quality.tabular.settings import Settings

METRIC = "selection"
#: Points kept of a learning curve: enough to draw it, few enough to store.
POINTS = 200
Score = Callable[[FloatArray], float]


@dataclass(frozen=True)
class Trained:
    """A trained model, reduced to the values that the report needs.

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
    """The selection metric on raw scores, its time (which is not the loss's time), and its learning curve."""

    score: Score
    to_raw: Callable[[FloatArray], FloatArray]
    seconds: float = field(default=0.0)
    course: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, objective: Objective, score: Score) -> _Stopwatch:
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
    """At most about POINTS points of a learning curve, as (round from 1, value with six digits), with the last."""
    step = max(1, -(-len(values) // POINTS))
    rounds = [*range(step, len(values), step), len(values)] if values else []
    return [(number, float(f"{values[number - 1]:.6g}")) for number in rounds]


class Prepared(ABC):
    """One split (``train``, ``valid``, ``test`` with .X and .y) in a booster's own format, used for every loss.

    ``params`` are the trees' settings; ``patience`` are rounds without a better validation metric before training ends.
    """

    def __init__(self, train: Any, valid: Any, test: Any, params: dict[str, Any], patience: int) -> None:
        self.params, self.patience = params, patience
        self._train, self._valid, self._test = train, valid, test
        self._queries: dict[int, Any] = {}
        self.rows, self.valid, self.test = self.convert()

    def train(self, loss: Loss, score: Score, rounds: int, trees: Mapping[str, Any] | None = None) -> Trained:
        """Boost at most ``rounds`` rounds, with early stopping by ``score`` on validation (higher is better).

        ``loss`` must be fitted to these training labels; ``trees`` are settings that replace the usual ones.
        """
        objective = self.objective_of(loss)
        watch = _Stopwatch.of(objective, score)
        data = self.rows, self.valid
        if objective.query_rows is not None:
            if objective.query_rows not in self._queries:
                dealt = queries(len(self._train.y), objective.query_rows, self.params["seed"])
                self._queries[objective.query_rows] = self.in_queries(*dealt)
            data = self._queries[objective.query_rows]
        params = self.params | dict(trees or {}) | objective.params
        start = perf_counter()
        model, best = self.boost(params, data, objective.function, watch, rounds)
        seconds = perf_counter() - start - watch.seconds
        raw_valid, raw_test = (
            np.asarray(self.raw(model, part, best), dtype=np.float64) for part in (self.valid, self.test)
        )
        courses = thinned(watch.course), thinned(watch.active)
        return Trained(raw_valid, raw_test, best, len(watch.course), seconds, *courses)

    @abstractmethod
    def convert(self) -> tuple[Any, Any, Any]:
        """Convert the three splits."""

    @abstractmethod
    def in_queries(self, order: Any, sizes: Any) -> tuple[Any, Any]:
        """The training rows in queries, in the bins of the plain ones, and matching validation rows."""

    @abstractmethod
    def objective_of(self, loss: Loss) -> Objective:
        """Return a fresh objective for this booster."""

    @abstractmethod
    def boost(
        self, params: dict[str, Any], data: tuple[Any, Any], function: Any, watch: _Stopwatch, rounds: int
    ) -> tuple[Any, int]:
        """Train on the first of ``data``, validate on the second; returns the model and its best round, from 1."""

    @abstractmethod
    def raw(self, model: Any, part: Any, best: int) -> Any:
        """Raw scores of a converted split by the first ``best`` rounds."""


class Booster(ABC):
    """A boosting library: a name for the command line, a label, and the settings of its trees."""

    name: ClassVar[str]
    label: ClassVar[str]
    prepared: ClassVar[type[Prepared]]

    @abstractmethod
    def params(self, settings: Settings, dataset: str) -> dict[str, Any]:
        """Return the trees' settings, the same for every loss; all others are the booster's defaults."""

    @abstractmethod
    def space(self) -> dict[str, Range]:
        """Return the settings of the trees that the tuned protocol searches, the same for every loss."""

    def prepare(self, train: Any, valid: Any, test: Any, settings: Settings, seed: int) -> Prepared:
        """Convert the three splits; ``seed`` drives the booster's own sampling."""
        patience = recipe(train.name).patience if settings.protocol == "paper" else settings.patience
        return self.prepared(train, valid, test, self.params(settings, train.name) | {"seed": seed}, patience)


class _PreparedLightGBM(Prepared):
    def convert(self) -> tuple[Any, Any, Any]:
        import lightgbm as lgb

        train = lgb.Dataset(self._train.X, self._train.y, params=self.params, free_raw_data=False).construct()
        valid = train.create_valid(self._valid.X, self._valid.y, params=self.params).construct()
        return train, valid, self._test

    def in_queries(self, order: Any, sizes: Any) -> tuple[Any, Any]:
        import lightgbm as lgb

        X, y = rows_of(self.rows.get_data(), order), self.rows.get_label()[order]
        params = self.rows.params
        train = lgb.Dataset(X, y, group=sizes, reference=self.rows, params=params, free_raw_data=False).construct()
        return train, self.valid

    def objective_of(self, loss: Loss) -> Objective:
        return loss.lightgbm()

    def boost(
        self, params: dict[str, Any], data: tuple[Any, Any], function: Any, watch: _Stopwatch, rounds: int
    ) -> tuple[Any, int]:
        import lightgbm as lgb

        custom = {} if function is None else {"objective": function}
        model = lgb.train(
            params | custom | {"metric": "None"},
            data[0],
            num_boost_round=rounds,
            valid_sets=[data[1]],
            feval=lambda predictions, _: (METRIC, watch(predictions), True),
            callbacks=[lgb.early_stopping(self.patience, verbose=False)],
        )
        return model, model.best_iteration

    def raw(self, model: Any, part: Any, best: int) -> Any:
        X = self._valid.X if part is self.valid else part.X
        return model.predict(X, raw_score=True, num_iteration=best)


class LightGBM(Booster):
    """LightGBM with native categories, leaf-wise trees."""

    name = "lightgbm"
    label = "LightGBM"
    prepared = _PreparedLightGBM

    def params(self, settings: Settings, dataset: str) -> dict[str, Any]:
        usual = {"learning_rate": settings.learning_rate, "num_leaves": 31, "feature_fraction": 0.8}
        return {
            **(recipe(dataset).params if settings.protocol == "paper" else usual),
            "num_threads": settings.threads,
            # Without these two, LightGBM chooses its histogram layout by timing it, and reruns may differ.
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            **({"feature_pre_filter": False} if settings.trials else {}),
        }

    def space(self) -> dict[str, Range]:
        return {
            "learning_rate": Range(0.03, 0.3, 0.1, log=True),
            "num_leaves": Range(8, 128, 31, log=True, whole=True),
            "min_data_in_leaf": Range(5, 200, 20, log=True, whole=True),
            "feature_fraction": Range(0.4, 1.0, 0.8),
            "lambda_l2": Range(1e-3, 30.0, 1e-3, log=True),
        }


class _PreparedXGBoost(Prepared):
    def _matrix(self, X: Any, y: Any, **more: Any) -> Any:
        import xgboost as xgb

        return xgb.QuantileDMatrix(X, y, enable_categorical=True, nthread=self.params["nthread"], **more)

    def convert(self) -> tuple[Any, Any, Any]:
        train = self._matrix(self._train.X, self._train.y)
        valid, test = (self._matrix(part.X, part.y, ref=train) for part in (self._valid, self._test))
        return train, valid, test

    def in_queries(self, order: Any, sizes: Any) -> tuple[Any, Any]:
        numbers = np.repeat(np.arange(len(sizes)), sizes)
        train = self._matrix(rows_of(self._train.X, order), self._train.y[order], qid=numbers, ref=self.rows)
        return train, self._matrix(self._valid.X, self._valid.y, ref=train)

    def objective_of(self, loss: Loss) -> Objective:
        return loss.xgboost()

    def boost(
        self, params: dict[str, Any], data: tuple[Any, Any], function: Any, watch: _Stopwatch, rounds: int
    ) -> tuple[Any, int]:
        import xgboost as xgb

        model = xgb.train(
            params,
            data[0],
            num_boost_round=rounds,
            evals=[(data[1], "valid")],
            obj=function,
            custom_metric=lambda predictions, _: (METRIC, watch(predictions)),
            callbacks=[xgb.callback.EarlyStopping(rounds=self.patience, metric_name=METRIC, maximize=True)],
            verbose_eval=False,
        )
        return model, int(model.best_iteration) + 1

    def raw(self, model: Any, part: Any, best: int) -> Any:
        return model.predict(part, output_margin=True, iteration_range=(0, best))


class XGBoost(Booster):
    """XGBoost with native categories, histogram trees, depth-wise."""

    name = "xgboost"
    label = "XGBoost"
    prepared = _PreparedXGBoost

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


def rows_of(X: Any, order: Any) -> Any:
    """Rows of a DataFrame or a CSR matrix in another order."""
    return X.iloc[order] if hasattr(X, "iloc") else X[order]


BOOSTERS: dict[str, Booster] = {booster.name: booster for booster in (LightGBM(), XGBoost())}
