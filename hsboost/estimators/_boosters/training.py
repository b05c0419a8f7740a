"""A booster made ready for a loss of this package, and trained: the arguments of either booster's ``fit``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any

import numpy as np
from sklearn.base import clone

from hsboost import _stack
from hsboost.estimators import _guarded
from hsboost.estimators._boosters.aliases import settled
from hsboost.estimators._boosters.columns import know_categories
from hsboost.estimators._boosters.errors import explained, reason_of
from hsboost.estimators._boosters.kinds import kind, native
from hsboost.estimators._boosters.named import named
from hsboost.estimators._evaluation import EvaluationSet, names, stopping
from hsboost.estimators._evaluation import eval_metric as _eval_metric
from hsboost.metrics import PrecisionAtK
from hsboost.objectives import LossObjective

#: Scores to start from, which predictions would lack.
_STARTING_POINTS = ("base_margin", "base_margin_eval_set", "init_score", "eval_init_score")

#: Arguments of LightGBM's ``fit`` that HSClassifier has its own for.
_OTHER_WAYS = {
    "group": "budgets per group are groups=, one label per row",
    "eval_group": "budgets per group are eval_groups=, one label per row",
}


def prepare(estimator: Any, objective: LossObjective, n_classes: int) -> Any:
    """A fresh booster with the objective in place."""
    if estimator is None or (isinstance(estimator, str) and estimator in ("xgboost", "lightgbm")):
        fresh = named(estimator)
    elif kind(estimator) is not None:
        _eval_metric.check_of_estimator(estimator)  # what cannot be read need not be copyable
        fresh = clone(estimator)
    else:
        raise ValueError(
            f"estimator must be None, 'xgboost', 'lightgbm', an XGBClassifier or an LGBMClassifier; got {estimator!r}"
        )
    fresh = settled(fresh, str(kind(fresh)), n_classes)
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
    """Another objective for a trained estimator: a record, no longer called. The estimator is then guarded."""
    if kind(estimator) == "xgboost":
        estimator.objective = objective  # set_params would hand metrics that are functions to the native booster
    else:
        estimator.set_params(objective=objective)
    _guarded.guard(estimator)


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
        extra["eval_names"] = names(extra["eval_names"], is_training)
    try:
        with (
            explained(),
            stopping.on_one_set(kind(estimator), estimator, extra, is_training),
            _keeps_values(estimator, extra.get("xgb_model") is not None),
        ):
            estimator.fit(X, y, sample_weight=weight, **extra)
    except Exception as error:
        reason = reason_of(error, X)
        if reason is None:
            raise
        raise ValueError(reason) from error
    if getattr(estimator, "eval_metric", None) is metric:
        estimator.set_params(eval_metric=PrecisionAtK(metric.k))  # without the evaluation rows' groups


@contextmanager
def _keeps_values(estimator: Any, is_continued: bool) -> Iterator[None]:
    """Let XGBoost's trees of before see the rows as they are, where training goes on from them.

    Its ``fit`` keeps nothing of a row but the bins that it makes of these rows. Trees grown on other rows have their
    thresholds within bins, so that rows fall on the wrong side, and new trees repair errors that the model does not
    make (findings/xgboost_continued_fit_bins_rows_for_old_trees.sh).
    """
    if not (is_continued and hasattr(estimator, "_create_dmatrix")):
        yield
        return
    import xgboost as xgb

    def with_values(ref: Any, **fields: Any) -> Any:
        return xgb.DMatrix(**fields, nthread=estimator.n_jobs)

    estimator._create_dmatrix = with_values
    try:
        yield
    finally:
        del estimator._create_dmatrix


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
        if (names or chosen) and _eval_metric.is_nothing([*names, *chosen]) and stopping.is_asked(estimator, extra):
            names, chosen = [], []  # of nothing there is no best round: as if no metric had been named
        if not names:
            estimator.set_params(metric="None")  # else LightGBM watches log loss beside the metric asked for
            chosen = chosen or [metric.lightgbm]
    elif of_estimator is not None and not names:
        estimator.set_params(metric=None)
    if chosen:
        extra["eval_metric"] = chosen


def _check_fit_params(estimator: Any, extra: dict[str, Any], before: Any) -> None:
    """Every other argument of ``fit`` has one meaning here."""
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


def warn_of_one_score(estimator: Any, average: float, weights: str) -> None:
    """Warn that all training rows got one score, if trees were grown for them.

    ``average`` is the weight of a row, ``weights`` what weights are called.
    """
    booster = native(estimator)
    if (booster.num_boosted_rounds() if kind(estimator) == "xgboost" else booster.num_trees()) == 0:
        return
    least = f"min_child_weight={estimator.get_params().get('min_child_weight')!r}"
    small = f"{weights} is {average:.3g} on average: multiply it by {1.0 / average:.3g}, or lower {least}"
    _stack.warn(
        "no tree has a split: all rows get the same score and none is chosen before others; "
        + (small if average < 0.5 else f"lower {least} if that forbids splits, or see what columns and weights hold"),
    )
