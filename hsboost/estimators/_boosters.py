"""What differs between XGBoost's and LightGBM's scikit-learn estimators, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import clone

from hsboost import _warning
from hsboost.estimators import (
    _aliases,
    _categories,
    _eval_metric,
    _evaluation,
    _features,
    _guarded,
    _inputs,
    _nested,
    _rounds,
    _stopping,
)
from hsboost.estimators._evaluation import EvaluationSet
from hsboost.metrics import PrecisionAtK
from hsboost.objectives import LossObjective

#: Scores to start from, which predicting would know nothing of.
_STARTING_POINTS = ("base_margin", "base_margin_eval_set", "init_score", "eval_init_score")

#: How XGBoost says that it does not know a metric.
_UNKNOWN_METRIC = "Unknown metric function"
_INFINITE = "Input data contains `inf`"

#: Arguments of LightGBM's ``fit`` that HSClassifier has its own for.
_OTHER_WAYS = {
    "group": "budgets per group are groups=, one label per row",
    "eval_group": "budgets per group are eval_groups=, one label per row",
}


def prepare(estimator: Any, objective: LossObjective, n_classes: int) -> Any:
    """A fresh booster with the objective in place."""
    if estimator is None or (isinstance(estimator, str) and estimator in ("xgboost", "lightgbm")):
        fresh = _nested.named(estimator)
    elif kind(estimator) is not None:
        _eval_metric.check_of_estimator(estimator)  # what cannot be read need not be copyable
        fresh = clone(estimator)
    else:
        raise ValueError(
            f"estimator must be None, 'xgboost', 'lightgbm', an XGBClassifier or an LGBMClassifier; got {estimator!r}"
        )
    fresh = _aliases.settled(fresh, str(kind(fresh)), n_classes)
    settings = fresh.get_params()
    if settings.get("class_weight") is not None:  # in the sample weights already
        fresh.set_params(class_weight=None)
        (getattr(fresh, "kwargs", None) or {}).pop("class_weight", None)
    if kind(fresh) == "xgboost":
        base = settings.get("base_score")
        zero = 0.5 if n_classes == 2 else 0.0  # the nominal objective's link makes this a raw score of 0
        if base is None:
            fresh.set_params(base_score=zero)
        elif objective.offset is not None and not np.all(np.equal(base, zero)):
            raise ValueError(
                f"base_score={base!r} would be added to the constant that {objective.loss!r} starts from by itself; "
                "leave base_score at None"
            )
    return fresh.set_params(objective=objective)


def class_weight(estimator: Any) -> Any:
    """Class weights set on the booster; XGBoost, which has none, keeps them among its free arguments."""
    # Not get_params: with a generator as random_state it draws a number.
    free = getattr(estimator, "kwargs", None) or {}
    return getattr(estimator, "class_weight", free.get("class_weight"))


def exchange_objective(estimator: Any, objective: LossObjective) -> None:
    """Another objective for a trained estimator: what it says of itself, no longer what it does. It is guarded then."""
    if kind(estimator) == "xgboost":
        estimator.objective = objective  # set_params would hand metrics that are functions to the native booster
    else:
        estimator.set_params(objective=objective)
    _guarded.guard(estimator)


def kind(estimator: Any) -> str | None:
    """ "xgboost" or "lightgbm", by the classes an object descends from; the other library is not imported."""
    names = {(c.__module__.partition(".")[0], c.__name__) for c in type(estimator).__mro__}
    if ("xgboost", "XGBClassifier") in names:
        return "xgboost"
    if ("lightgbm", "LGBMClassifier") in names:
        return "lightgbm"
    return None


def fit(
    estimator: Any,
    X: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    eval_sets: list[EvaluationSet],
    metric: PrecisionAtK,
    before: Any,
    fit_params: dict[str, Any],
) -> None:
    """Train. Unless the user chose a metric, evaluation sets are watched with ``metric``.

    The boosters' own default, log loss, would read raw scores as probabilities. XGBoost prints evaluation results
    unless told not to. ``before`` is a native model whose trees come first, or None.
    """
    know_categories(estimator, X)
    # LightGBM writes its own names of metrics into the list it is given.
    extra = {name: list(value) if isinstance(value, list) else value for name, value in fit_params.items()}
    _check_fit_params(estimator, extra, before)
    pairs = [(one.X, one.y) for one in eval_sets]
    weights = [one.metric_weight for one in eval_sets]
    if before is not None:
        extra["xgb_model" if kind(estimator) == "xgboost" else "init_model"] = before
    if kind(estimator) == "xgboost":
        extra.setdefault("verbose", False)
        estimator.set_params(eval_metric=_eval_metric.for_xgboost(estimator.eval_metric))
        if eval_sets:
            extra["eval_set"] = pairs
            if any(one is not None for one in weights):
                extra["sample_weight_eval_set"] = weights
            if estimator.eval_metric is None:
                estimator.set_params(eval_metric=metric)
            if callable(estimator.eval_metric):
                estimator.set_params(disable_default_eval_metric=True)
    else:
        _choose_lightgbm_metrics(estimator, extra, metric if eval_sets else None, int(y.max()) + 1)
    if kind(estimator) == "lightgbm" and eval_sets:
        if any(one is not None for one in weights):
            extra["eval_sample_weight"] = weights
        if "eval_X" in signature(estimator.fit).parameters:  # LightGBM 4.7 renamed eval_set
            extra["eval_X"], extra["eval_y"] = (tuple(part) for part in zip(*pairs, strict=True))
        else:
            extra["eval_set"] = pairs
    is_training = [one.is_training for one in eval_sets]
    if "eval_names" in extra:
        extra["eval_names"] = _evaluation.names(extra["eval_names"], is_training)
    try:
        with explained(), _stopping.on_one_set(kind(estimator), estimator, extra, is_training):
            estimator.fit(X, y, sample_weight=weight, **extra)
    except Exception as error:
        reason = _reason(error, X)
        if reason is None:
            raise
        raise ValueError(reason) from error
    if getattr(estimator, "eval_metric", None) is metric:
        estimator.set_params(eval_metric=PrecisionAtK(metric.k))  # without the evaluation rows' groups


def know_categories(estimator: Any, X: Any) -> None:
    """Let an XGBClassifier read the categories that X has: they are there to be used.

    Raises
    ------
    ValueError
        For XGBoost's boosters and methods that know no categories.
    """
    if kind(estimator) != "xgboost":
        return
    columns = list(_categories.of_frame(X, "xgboost") or ())
    if not columns:
        return
    for name, value in (("booster", "gblinear"), ("tree_method", "exact")):
        if getattr(estimator, name) == value:
            raise ValueError(
                f"X: column {columns[0]!r} holds categories, which XGBoost's {name}={value!r} does not read; leave "
                f"{name} out, or turn categories into numbers first"
            )
    if not estimator.enable_categorical:
        estimator.set_params(enable_categorical=True)


def _reason(error: Exception, X: Any) -> str | None:
    """Why a booster could not train, where its own error does not say it."""
    text = str(error)
    if "num_features()) > (0)" in text:
        return (
            "X: LightGBM finds no column to split on, as they are constant, or there are too few rows for "
            "min_child_samples; set it lower"
        )
    if "feature_names_in_" in text and "no setter" in text:
        package = type(X).__module__.partition(".")[0]
        return f"X: LightGBM before 4.7 takes no {package} {type(X).__name__}; upgrade it, or pass a pandas DataFrame"
    return None


def _choose_lightgbm_metrics(
    estimator: Any, extra: dict[str, Any], metric: PrecisionAtK | None, n_classes: int
) -> None:
    """The metrics that were chosen, as LightGBM reads them; ``metric`` if none were, None without sets to watch."""
    # A list of our own: LightGBM writes its names of metrics into the one it is given.
    chosen = _eval_metric.for_lightgbm(extra.pop("eval_metric", None))
    of_estimator = estimator.get_params().get("metric")  # by its main name: see _aliases
    names = _eval_metric.names_for_lightgbm(of_estimator)
    if names and not isinstance(of_estimator, str):
        estimator.set_params(metric=names)
    if metric is not None:
        _eval_metric.check_known_to_lightgbm(names, "metric", n_classes)
        _eval_metric.check_known_to_lightgbm(chosen, "eval_metric", n_classes)
        if (names or chosen) and _eval_metric.is_nothing([*names, *chosen]) and _stopping.is_asked(estimator, extra):
            names, chosen = [], []  # of nothing there is no best round: as if no metric had been named
        if not names:
            estimator.set_params(metric="None")  # else LightGBM watches log loss beside the metric asked for
            chosen = chosen or [metric.lightgbm]
    elif of_estimator is not None and not names:
        estimator.set_params(metric=None)
    if chosen:
        extra["eval_metric"] = chosen


def _check_fit_params(estimator: Any, extra: dict[str, Any], before: Any) -> None:
    """What else ``fit`` was given has a meaning here, and one only."""
    given = [name for name, value in extra.items() if value is not None]
    for name in given:
        if name in _STARTING_POINTS:
            raise ValueError(f"{name} would not be there when predicting, and thresholds would be wrong; leave it out")
        if name in _OTHER_WAYS:
            raise ValueError(f"{name} would have no effect here, or a wrong one; {_OTHER_WAYS[name]}")
    if before is not None and "xgb_model" in given:
        raise ValueError("init_model and xgb_model both say where to go on from; give one of them")
    arguments = signature(estimator.fit).parameters
    if any(one.kind is one.VAR_KEYWORD for one in arguments.values()):
        return
    for name in extra:
        if name not in arguments:
            kind_ = type(estimator).__name__
            way = f"set it on the estimator, {kind_}({name}=...)" if name in estimator.get_params() else "leave it out"
            raise TypeError(f"fit got {name!r}, an argument that {kind_}.fit does not take; {way}")


def readable(estimator: Any, X: Any, name: str = "X") -> Any:
    """X as the booster of an estimator (or of its name) reads it rightly; X itself if it does. See ``_features``."""
    return _features.readable(X, name, kind_meant(estimator))


def kind_meant(estimator: Any) -> str | None:
    """The booster of what a user passes as estimator."""
    if estimator is None or isinstance(estimator, str):
        return "xgboost" if estimator is None else estimator
    return kind(estimator)


def check_names(estimator: Any, X: Any) -> None:
    """Every column of the training rows has a name of its own."""
    _features.check_names(X, "X", kind_meant(estimator))


def check_evaluation(estimator: Any, X: Any, other: Any, name: str) -> Any:
    """The columns of an evaluation set are those of X, as :func:`check_columns` says it of rows to be predicted.

    Returns the set as the booster reads it beside X: XGBoost compares names, of columns that have none, too.
    """
    booster = kind_meant(estimator)
    names, others = column_names(X), column_names(other)
    doubt = _features.compare_names(names, others, "X", name)
    if booster == "xgboost" and (names is None) != (others is None):
        other = _features.named_alike(X, other, names, name, certain=doubt is None)
    if doubt is not None:
        _warning.warn(doubt)
    _inputs.check_matrix(other, name)
    if _inputs.columns(X) != _inputs.columns(other):
        raise ValueError(
            f"{name} has {_inputs.columns(other)} features, but X has {_inputs.columns(X)}; pass the same columns"
        )
    known = _categories.of_frame(X, booster)
    _categories.check(known, other, name, booster)
    return _categories.aligned(known, other) if booster == "xgboost" else other


@contextmanager
def explained() -> Iterator[None]:
    """XGBoost's errors about categories, infinite values and names of metrics, in one line."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if type(error).__name__ == "XGBoostError" and _UNKNOWN_METRIC in text:
            name = text.partition(_UNKNOWN_METRIC)[2].splitlines()[0].strip()
            raise ValueError(
                f"eval_metric={name!r} is no metric of XGBoost; correct the name, or pass a function or a metric of "
                "this package"
            ) from error
        if type(error).__name__ == "XGBoostError" and _INFINITE in text:
            raise ValueError(
                "X holds infinite values, which XGBoost's DMatrix refuses; put large numbers in their place, or NaN "
                "where they are missing"
            ) from error
        if type(error).__name__ != "XGBoostError" or "cat_container" not in text:
            raise
        line = text.splitlines()[0].partition("cat_container")[2].partition(": ")[2].strip()
        raise ValueError(
            "X: the categories do not fit those of fit, used or not: set values that fit did not see to missing and "
            f"call cat.remove_unused_categories(), or train with them (XGBoost: {line})"
        ) from error


def native(estimator: Any) -> Any:
    """The ``xgboost.Booster`` or ``lightgbm.Booster`` of a fitted estimator."""
    return estimator.get_booster() if kind(estimator) == "xgboost" else estimator.booster_


def warn_of_one_score(estimator: Any, average: float, weights: str) -> None:
    """Say that all training rows got one score, if trees were grown for them.

    ``average`` is the weight of a row, ``weights`` what weights are called.
    """
    booster = native(estimator)
    if (booster.num_boosted_rounds() if kind(estimator) == "xgboost" else booster.num_trees()) == 0:
        return
    least = f"min_child_weight={estimator.get_params().get('min_child_weight')!r}"
    small = f"{weights} is {average:.3g} on average: multiply it by {1.0 / average:.3g}, or lower {least}"
    _warning.warn(
        "no tree has a split: all rows get the same score and none is chosen before others; "
        + (small if average < 0.5 else f"lower {least} if that forbids splits, or see what columns and weights hold"),
    )


def rounds(estimator: Any) -> int | None:
    """How many of its rounds an XGBoost estimator predicts with; None for all."""
    best = native(estimator).attr("best_iteration")
    return None if best is None else int(best) + 1


def start(estimator: Any) -> Any:
    """The native model to go on from: the rounds that it predicts with."""
    booster = native(estimator)
    return _rounds.start(booster, rounds(estimator)) if kind(estimator) == "xgboost" else booster


def continued(first: Any, X: Any) -> Any:
    """X as a booster reads it rightly that goes on from a fitted estimator ``first``."""
    if kind(first) != "lightgbm":
        return X
    return _categories.continued(_categories.of_booster("lightgbm", native(first)), X)


def column_names(X: Any) -> np.ndarray | None:
    """Column names of a data frame, texts or not, or None."""
    return _features.column_names(X)


def check_columns(estimator: Any, X: Any) -> None:
    """The columns are those of ``fit``, in number and in name; ``estimator`` is an HSClassifier."""
    who = type(estimator).__name__
    doubt = _features.compare_names(getattr(estimator, "feature_names_in_", None), column_names(X), who)
    if doubt is not None:
        _warning.warn(doubt)
    _inputs.check_matrix(X)
    columns = _inputs.columns(X)
    if columns is None and isinstance(X, list | tuple):
        raise ValueError(
            f"X is an empty {type(X).__name__}, without columns; pass an array of shape (0, {estimator.n_features_in_})"
        )
    if columns is not None and columns != estimator.n_features_in_:
        raise ValueError(
            f"X has {columns} features, but {who} is expecting {estimator.n_features_in_} features as input"
        )
    booster = kind(estimator.estimator_)
    if _categories.of_frame(X, booster) is not None:
        _categories.check(_categories.of_booster(booster, native(estimator.estimator_)), X, "X", booster)


def check_columns_of(name: str, model: Any, X: Any) -> None:
    """The columns are those that another model was trained on."""
    try:
        check_columns(model, X)
    except ValueError as error:
        raise ValueError(f"{name} was trained on other columns: {error}") from error
