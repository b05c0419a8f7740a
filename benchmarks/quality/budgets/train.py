"""One training: boost with a loss, choose the round on validation rows for each budget, judge on test rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter, process_time
from typing import Any, ClassVar

import numpy as np

from benchmarks.quality.budgets.figures import Judge, judges
from benchmarks.quality.budgets.methods import Training, loss_of
from benchmarks.quality.budgets.settings import BUDGETS, Settings, Trees, share
from benchmarks.quality.budgets.tables import Fold
from benchmarks.suite.store import Record

METRIC = "precision"
#: A training has at most about so many rounds to choose from: judging all of them would take as long as boosting.
CHOICES = 50
#: LightGBM's ranking losses refuse longer queries.
LONGEST_QUERY = 10_000
SEARCHED = ("learning_rate", "num_leaves", "min_data_in_leaf", "lambda_l2", "feature_fraction")


class Refused(Exception):
    """The booster cannot train this: says why."""


@dataclass
class Course:
    """Called by the booster in every round; remembers validation precision at every ``step``-th round, and its time."""

    judges: dict[str, Judge]
    rounds: int
    seconds: float = 0.0
    processor: float = 0.0
    seen: int = 0
    found: list[tuple[int, dict[str, np.ndarray]]] = field(default_factory=list)

    @property
    def step(self) -> int:
        return max(1, self.rounds // CHOICES)

    def __call__(self, score: np.ndarray) -> float:
        start, busy = perf_counter(), process_time()
        self.seen += 1
        if self.seen % self.step == 0 or self.seen == self.rounds:
            if not np.isfinite(score).all():
                raise FloatingPointError("the model's scores are not finite")
            order = np.argsort(-score)
            self.found.append((self.seen, {name: one.precision(score, order) for name, one in self.judges.items()}))
        self.seconds += perf_counter() - start
        self.processor += process_time() - busy
        return 0.0

    def best(self, judged: str, budget: int) -> tuple[int, float]:
        """The first round with the best validation precision, and that precision."""
        values = [precision[judged][budget] for _, precision in self.found]
        place = int(np.argmax(values))
        return self.found[place][0], float(values[place])


class Prepared(ABC):
    """One split in a booster's own format, used for every loss."""

    name: ClassVar[str]

    def __init__(self, fold: Fold, settings: Settings) -> None:
        self.fold, self.settings = fold, settings
        self.valid_judges = judges(fold.valid.seen, fold.valid.groups, fold.split)
        self.test_judges = judges(fold.test.positive, fold.test.groups, fold.split)
        self.convert()

    def warm_up(self, training: Training, rounds: int) -> None:
        """A few rounds, so that compilation and first memory accesses are over."""
        objective, more = self.objective(training)
        params = self.params(Trees(rounds, 4, 0.1), training) | more
        self.boost(params, training, objective, rounds, Course(self.valid_judges, rounds))

    def run(self, training: Training, size: Trees) -> Record:
        """Train and judge; returns the entries of a record, or raises `Refused`."""
        params = self.params(size, training)
        params |= {} if training.tree < 0 else self.searched(tree_settings(training.tree))
        objective, more = self.objective(training)
        course = Course(self.valid_judges, size.rounds)
        start, busy = perf_counter(), process_time()
        model = self.boost(params | more, training, objective, size.rounds, course)
        seconds = perf_counter() - start - course.seconds
        # Of all threads: what other processes take from the cores hardly changes it.
        processor = process_time() - busy - course.processor
        figures = self.judged(model, course)
        return {"seconds": seconds, "processor_seconds": processor, "figures": figures, "refused": None}

    def judged(self, model: Any, course: Course) -> dict[str, list[dict[str, Any]]]:
        """Test figures for each way to judge and each budget, at the round that is best on validation rows."""
        chosen = {name: [course.best(name, i) for i in range(len(BUDGETS))] for name in self.test_judges}
        rounds = sorted({number for best in chosen.values() for number, _ in best})
        found: dict[str, list[dict[str, Any]]] = {name: [{} for _ in BUDGETS] for name in chosen}
        for number, score in self.scores(model, rounds):
            for name, judge in self.test_judges.items():
                places = [i for i, (best, _) in enumerate(chosen[name]) if best == number]
                if not places:
                    continue
                precision, recall, auc = judge.precision(score), judge.recall(score), judge.auc(score)
                for i in places:
                    found[name][i] = {
                        "rounds": number,
                        "valid": chosen[name][i][1],
                        "precision": float(precision[i]),
                        "recall": float(recall[i]),
                        "auc": auc,
                    }
        return found

    def budget(self, training: Training) -> Any:
        """The k that a loss of hsboost trains with."""
        from hsboost.comparison._trials import training_budget

        part = self.fold.train
        groups = part.groups if training.by_group else None
        return training_budget(share(training.budget), training.factor, part.seen, None, groups)

    def query_top(self, training: Training) -> int:
        """Rows of an average group that the budget reaches: where ranking losses truncate."""
        part = self.fold.train
        assert part.groups is not None
        size = len(part) / (int(part.groups.max()) + 1)
        reached = share(training.budget)
        return max(1, round(training.factor * size * (part.seen.mean() if reached is None else reached)))

    def objective(self, training: Training) -> tuple[Any, dict[str, Any]]:
        """The custom objective, or None, and the booster's parameters for the loss."""
        if training.loss in ("lambdarank", "rank_xendcg", "rank:pairwise", "log-loss", "l2"):
            return None, self.own_loss(training)
        from hsboost.objectives import objective_of

        loss = loss_of(training, self.budget(training) if training.budget else None)
        best = loss.intercept(self.fold.train.seen.astype(np.float64), None, 2)
        offset = None if best is None else float(best[0])
        return objective_of(loss, self.fold.train.groups if training.by_group else None, offset), self.custom()

    @abstractmethod
    def convert(self) -> None:
        """Convert the three parts."""

    @abstractmethod
    def params(self, size: Trees, training: Training) -> dict[str, Any]:
        """Settings of the trees."""

    @abstractmethod
    def searched(self, values: dict[str, Any]) -> dict[str, Any]:
        """Settings of `tree_settings` under the booster's names."""

    @abstractmethod
    def own_loss(self, training: Training) -> dict[str, Any]:
        """Parameters of a loss that the booster has itself."""

    @abstractmethod
    def custom(self) -> dict[str, Any]:
        """Parameters beside a custom objective."""

    @abstractmethod
    def boost(self, params: dict[str, Any], training: Training, objective: Any, rounds: int, course: Course) -> Any:
        """Boost all rounds, calling ``course`` with validation scores after each; returns the model."""

    @abstractmethod
    def scores(self, model: Any, rounds: list[int]) -> Any:
        """Pairs (number, raw test scores of the first so many rounds) for increasing numbers."""


class LightGBM(Prepared):
    """LightGBM: leaf-wise trees, native categories."""

    name = "lightgbm"

    def convert(self) -> None:
        import lightgbm as lgb

        train, valid = self.fold.train, self.fold.valid
        common = {"verbosity": -1, "feature_pre_filter": False}
        self.rows = lgb.Dataset(train.X, train.seen.astype(np.int8), params=common, free_raw_data=False).construct()
        self.valid = self.rows.create_valid(valid.X, valid.seen.astype(np.int8), params=common).construct()

    def params(self, size: Trees, training: Training) -> dict[str, Any]:
        return {
            "num_leaves": size.leaves,
            "learning_rate": size.learning_rate * training.step,
            "num_threads": self.settings.threads,
            # Without these two, LightGBM chooses its histogram layout by timing it, and reruns may differ.
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
            "seed": self.settings.seed,
            "metric": "None",
        }

    def searched(self, values: dict[str, Any]) -> dict[str, Any]:
        return values

    def own_loss(self, training: Training) -> dict[str, Any]:
        if training.loss == "lambdarank":
            return {"objective": "lambdarank", "lambdarank_truncation_level": self.query_top(training)}
        if training.loss == "log-loss":
            return {"objective": "binary", "scale_pos_weight": training.weight}
        return {"objective": {"l2": "regression"}.get(training.loss, training.loss)}

    def custom(self) -> dict[str, Any]:
        return {}

    def boost(self, params: dict[str, Any], training: Training, objective: Any, rounds: int, course: Course) -> Any:
        import lightgbm as lgb

        groups = self.fold.train.groups
        if training.by_group and objective is None:
            assert groups is not None
            sizes = np.bincount(groups)
            if sizes.max() > LONGEST_QUERY:
                raise Refused(f"refuses groups of more than {LONGEST_QUERY:,} rows; the largest has {sizes.max():,}")
            self.rows.set_group(sizes)  # stays; other losses do not look at it
        return lgb.train(
            params | ({} if objective is None else {"objective": objective}),
            self.rows,
            num_boost_round=rounds,
            valid_sets=[self.valid],
            feval=lambda scores, _: (METRIC, course(scores), True),
        )

    def scores(self, model: Any, rounds: list[int]) -> Any:
        total, before = 0.0, 0
        for number in rounds:
            more = model.predict(
                self.fold.test.X, raw_score=True, start_iteration=before, num_iteration=number - before
            )
            total, before = total + more, number
            yield number, total


class XGBoost(Prepared):
    """XGBoost: leaf-wise trees too, so that a size means the same, native categories."""

    name = "xgboost"

    def convert(self) -> None:
        self.rows = self._matrix(self.fold.train)
        self.valid, self.test = (self._matrix(part, ref=self.rows) for part in (self.fold.valid, self.fold.test))
        self.queries: Any = None

    def _matrix(self, part: Any, **more: Any) -> Any:
        import xgboost as xgb

        labels = part.seen.astype(np.float32)
        return xgb.QuantileDMatrix(part.X, labels, enable_categorical=True, nthread=self.settings.threads, **more)

    def params(self, size: Trees, training: Training) -> dict[str, Any]:
        return {
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_leaves": size.leaves,
            "max_depth": 0,
            "learning_rate": size.learning_rate * training.step,
            "nthread": self.settings.threads,
            "seed": self.settings.seed,
            "disable_default_eval_metric": True,
            "verbosity": 1,
        }

    def searched(self, values: dict[str, Any]) -> dict[str, Any]:
        # A leaf of n rows has about n / 5 of log loss's curvature.
        return {
            "learning_rate": values["learning_rate"],
            "max_leaves": values["num_leaves"],
            "min_child_weight": values["min_data_in_leaf"] / 5,
            "lambda": values["lambda_l2"],
            "colsample_bytree": values["feature_fraction"],
        }

    def own_loss(self, training: Training) -> dict[str, Any]:
        if training.loss == "lambdarank":
            pairs = {"lambdarank_pair_method": "topk", "lambdarank_num_pair_per_sample": self.query_top(training)}
            return {"objective": "rank:ndcg", **pairs}
        if training.loss == "log-loss":
            return {"objective": "binary:logistic", "scale_pos_weight": training.weight}
        return {"objective": {"l2": "reg:squarederror"}.get(training.loss, training.loss)}

    def custom(self) -> dict[str, Any]:
        return {"objective": "reg:squarederror", "base_score": 0.0}

    def boost(self, params: dict[str, Any], training: Training, objective: Any, rounds: int, course: Course) -> Any:
        import xgboost as xgb

        rows, valid = self.rows, self.valid
        if training.by_group and objective is None:
            if self.queries is None:
                queries = self._matrix(self.fold.train, ref=self.rows, qid=self.fold.train.groups)
                self.queries = queries, self._matrix(self.fold.valid, ref=queries, qid=self.fold.valid.groups)
            rows, valid = self.queries
        return xgb.train(
            params,
            rows,
            num_boost_round=rounds,
            evals=[(valid, "valid")],
            obj=objective,
            custom_metric=lambda scores, _: (METRIC, course(np.asarray(scores, dtype=np.float64))),
            verbose_eval=False,
        )

    def scores(self, model: Any, rounds: list[int]) -> Any:
        for number in rounds:
            score = model.predict(self.test, output_margin=True, iteration_range=(0, number))
            yield number, np.asarray(score, dtype=np.float64)


PREPARED: dict[str, Callable[[Fold, Settings], Prepared]] = {one.name: one for one in (LightGBM, XGBoost)}


def tree_settings(number: int) -> dict[str, Any]:
    """The trees' settings of a trial, the same for every loss: points of a scrambled Sobol sequence.

    The first trial has the usual settings. A search that learns from its trials would favour a loss by chance; shared
    points keep the differences paired.
    """
    if number == 0:
        return {
            "learning_rate": 0.1,
            "num_leaves": 31,
            "min_data_in_leaf": 20,
            "lambda_l2": 0.0,
            "feature_fraction": 1.0,
        }
    from scipy.stats import qmc

    points = qmc.Sobol(len(SEARCHED), seed=0).random(256)
    u = points[number % 256]

    def between(low: float, high: float, at: float) -> float:
        return float(low * (high / low) ** at)

    return {
        "learning_rate": between(0.02, 0.3, u[0]),
        "num_leaves": round(between(6, 128, u[1])),
        "min_data_in_leaf": round(between(5, 500, u[2])),
        "lambda_l2": between(0.01, 30.0, u[3]),
        "feature_fraction": float(0.4 + 0.6 * u[4]),
    }
