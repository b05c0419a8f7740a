"""One trial on one split: train, stop at the best validation round, measure on the test rows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from hsboost._validation import Budgets
from hsboost.comparison._splits import Split
from hsboost.comparison._statistics import auc
from hsboost.comparison._trials import Trial, training_budget
from hsboost.estimators import HSClassifier, _boosters
from hsboost.estimators._boosters import aliases
from hsboost.estimators._boosters.named import named
from hsboost.estimators._inputs import categories
from hsboost.estimators._inputs.rows import take_rows
from hsboost.metrics import PrecisionAtK, precision_at_k, recall_at_k

#: No training stops before its last round: every loss gets the same number of rounds to choose from.
NEVER = 1_000_000


@dataclass(frozen=True)
class Rows:
    """All rows: X as the booster reads it, y == positive, weights, groups as numbers, and the k of the comparison."""

    X: Any
    positive: np.ndarray
    weight: np.ndarray | None
    codes: np.ndarray | None
    k: Budgets

    def weights(self, rows: np.ndarray) -> np.ndarray | None:
        """Weights of some rows."""
        return None if self.weight is None else self.weight[rows]

    def groups(self, rows: np.ndarray) -> np.ndarray | None:
        """Groups of some rows."""
        return None if self.codes is None else self.codes[rows]


class _Ranker(HSClassifier):
    """HSClassifier without thresholds, which a ranking does not need: they take a prediction of all training rows."""

    def _find_thresholds(self, *arguments: Any) -> None:
        self.threshold_ = 0.0


def booster_of(estimator: Any, X: Any) -> Any:
    """The booster with its settings, ready to be cloned; every round of it is trained.

    Raises
    ------
    ValueError
        For what is no booster of ours.
    """
    booster = named(estimator)
    if isinstance(estimator, HSClassifier):
        raise ValueError(
            f"estimator must be a booster, got {type(estimator).__name__}; pass its estimator, and its settings as "
            "losses={name: Trial(loss, settings={...})}"
        )
    if _boosters.kind(booster) is None:
        raise ValueError(
            f"estimator must be None, 'xgboost', 'lightgbm', an XGBClassifier or an LGBMClassifier; got {estimator!r}"
        )
    if booster is estimator:
        return clone(estimator)
    if _boosters.kind(booster) == "xgboost":
        booster.set_params(enable_categorical=bool(categories.of_frame(X, "xgboost")))
    return booster


def run(trial: Trial, estimator: Any, rows: Rows, split: Split) -> dict[str, Any]:
    """Train and measure: validation precision, test figures, the round that was chosen, seconds of ``fit``."""
    booster = clone(estimator)
    valid_groups, test_groups = rows.groups(split.valid), rows.groups(split.test)
    more = _choose_rounds(booster, PrecisionAtK(rows.k, valid_groups))
    weight, positive = rows.weights(split.train), rows.positive[split.train]
    valid_weight = rows.weights(split.valid)
    if trial.positive_weight != 1.0:
        weight = np.where(positive, trial.positive_weight, 1.0) * (1.0 if weight is None else weight)
    k, groups = None, None
    if trial.has_budget:
        groups = rows.groups(split.train)
        k = training_budget(rows.k, trial.k_factor, positive, weight, groups)
        if isinstance(k, Mapping) and groups is not None:
            k = {code: k[code] for code in np.unique(groups).tolist()}
    model = _Ranker(booster, loss=trial.loss, k=k, threshold="training", **dict(trial.settings))
    X, y = take_rows(rows.X, split.train), positive.astype(np.int32)
    valid_X = take_rows(rows.X, split.valid)
    begin = perf_counter()
    model.fit(
        X,
        y,
        sample_weight=weight,
        eval_set=[(valid_X, rows.positive[split.valid].astype(np.int32))],
        groups=groups,
        eval_groups=None if groups is None else valid_groups,
        eval_sample_weight=None if valid_weight is None else [valid_weight],
        **more,
    )
    seconds = perf_counter() - begin
    score = model.decision_function(take_rows(rows.X, split.test))
    valid_score = model.decision_function(valid_X)
    if not np.ptp(valid_score) and not np.ptp(score):
        average = 1.0 if weight is None else float(weight.mean())
        _boosters.warn_of_one_score(model.estimator_, average, "sample_weight")
    valid = precision_at_k(
        rows.positive[split.valid], valid_score, rows.k, sample_weight=valid_weight, groups=valid_groups
    )
    truth, test_weight = rows.positive[split.test], rows.weights(split.test)
    measured: dict[str, Any] = {"k": rows.k, "sample_weight": test_weight, "groups": test_groups}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # figures that are undefined in every split are refused before
        return {
            "valid": valid,
            "precision": precision_at_k(truth, score, **measured),
            "recall": recall_at_k(truth, score, **measured),
            "auc": auc(truth, score, test_weight, test_groups),
            "rounds": _rounds(model.estimator_),
            "seconds": seconds,
        }


def _choose_rounds(booster: Any, metric: PrecisionAtK) -> dict[str, Any]:
    """Have the booster keep its best validation round; arguments of ``fit`` that this needs."""
    if _boosters.kind(booster) == "xgboost":
        if booster.eval_metric is None:
            booster.set_params(eval_metric=metric)
        if booster.early_stopping_rounds is None:
            booster.set_params(early_stopping_rounds=NEVER)
        return {}
    import lightgbm as lgb

    names = aliases.lightgbm_names()
    given = {names.get(name, name) for name, value in booster.get_params().items() if value is not None}
    more: dict[str, Any] = {} if "metric" in given else {"eval_metric": metric}
    dart = str(booster.get_params().get("boosting_type")) == "dart"  # which LightGBM cannot cut off
    return more if dart else more | {"callbacks": [lgb.early_stopping(NEVER, verbose=False)]}


def _rounds(estimator: Any) -> int:
    """How many rounds predictions use."""
    if _boosters.kind(estimator) == "xgboost":
        return int(getattr(estimator, "best_iteration", estimator.get_num_boosting_rounds() - 1)) + 1
    return int(estimator.best_iteration_ or estimator.booster_.current_iteration())
