"""What differs between XGBoost's and LightGBM's scikit-learn estimators, in one place."""

from __future__ import annotations

from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse
from sklearn.base import clone
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_feature_names, _get_feature_names, _num_samples

from hsboost.metrics import PrecisionAtK
from hsboost.objectives import LossObjective

#: Settings of the boosters' own losses, which a custom objective would silently do without.
_OF_BUILT_IN_LOSSES = ("scale_pos_weight", "is_unbalance", "unbalance")


#: Scores to start from, which predicting would know nothing of.
_STARTING_POINTS = ("base_margin", "base_margin_eval_set", "init_score", "eval_init_score")


def prepare(estimator: Any, objective: LossObjective, n_classes: int) -> Any:
    """A fresh booster with the objective in place."""
    if estimator is None or estimator == "xgboost":
        from xgboost import XGBClassifier

        fresh = XGBClassifier()
    elif isinstance(estimator, str) and estimator == "lightgbm":
        from lightgbm import LGBMClassifier

        fresh = LGBMClassifier(verbose=-1)
    elif kind(estimator) is not None:
        fresh = clone(estimator)
    else:
        raise ValueError(
            f"estimator must be None, 'xgboost', 'lightgbm', an XGBClassifier or an LGBMClassifier; got {estimator!r}"
        )
    settings = fresh.get_params()
    for name in _OF_BUILT_IN_LOSSES:
        neutral = (None, 1) if name == "scale_pos_weight" else (None, False)
        if settings.get(name) not in neutral:
            raise ValueError(
                f"{name}={settings[name]!r} belongs to the booster's own losses and would have no effect here; "
                "use HSClassifier(class_weight=...) or sample_weight"
            )
    if settings.get("class_weight") is not None:
        fresh.set_params(class_weight=None)  # in the sample weights already
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


def exchange_objective(estimator: Any, objective: LossObjective) -> None:
    """Another objective for a trained estimator: what it says of itself, no longer what it does."""
    if kind(estimator) == "xgboost":
        estimator.objective = objective  # set_params would hand metrics that are functions to the native booster
    else:
        estimator.set_params(objective=objective)


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
    eval_sets: list[tuple[Any, np.ndarray]],
    metric: PrecisionAtK,
    before: Any,
    fit_params: dict[str, Any],
) -> None:
    """Train. Unless the user chose a metric, evaluation sets are watched with ``metric``.

    The boosters' own default, log loss, would read raw scores as probabilities. XGBoost prints evaluation results
    unless told not to. ``before`` is a native model whose trees come first, or None.
    """
    extra = dict(fit_params)
    if before is not None:
        extra["xgb_model" if kind(estimator) == "xgboost" else "init_model"] = before
    if kind(estimator) == "xgboost":
        extra.setdefault("verbose", False)
        if eval_sets:
            extra["eval_set"] = eval_sets
            if estimator.eval_metric is None:
                estimator.set_params(eval_metric=metric)
            if callable(estimator.eval_metric):
                estimator.set_params(disable_default_eval_metric=True)
    elif eval_sets:
        if not ({"metric", "metrics"} & set(estimator.get_params())):
            estimator.set_params(metric="None")  # else LightGBM watches log loss beside the metric asked for
            extra.setdefault("eval_metric", metric.lightgbm)
        if "eval_X" in signature(estimator.fit).parameters:  # LightGBM 4.7 renamed eval_set
            extra["eval_X"], extra["eval_y"] = (tuple(part) for part in zip(*eval_sets, strict=True))
        else:
            extra["eval_set"] = eval_sets
    for name in _STARTING_POINTS:
        if extra.get(name) is not None:
            raise ValueError(f"{name} would not be there when predicting, and thresholds would be wrong; leave it out")
    try:
        estimator.fit(X, y, sample_weight=weight, **extra)
    except Exception as error:
        if type(error).__name__ == "LightGBMError" and "num_features()) > (0)" in str(error):
            raise ValueError(
                "X: LightGBM finds no column to split on, as they are constant, or there are too few rows for "
                "min_child_samples; set it lower"
            ) from error
        raise
    if getattr(estimator, "eval_metric", None) is metric:
        estimator.set_params(eval_metric=PrecisionAtK(metric.k))  # without the evaluation rows' groups


def raw_scores(estimator: Any, X: Any) -> np.ndarray:
    """Raw scores of the rounds that the booster predicts with (early stopping), float64, shape (n,) or (n, C)."""
    if kind(estimator) == "xgboost":
        raw = estimator.predict(X, output_margin=True)
    else:
        raw = estimator.predict(X, raw_score=True)
    if len(raw) == 0:  # XGBoost from 3.4 on has no columns where there are no rows
        return np.empty((0,) if estimator.n_classes_ <= 2 else (0, estimator.n_classes_))
    return np.asarray(raw, dtype=np.float64)


def raw_scores_by_code(estimator: Any, X: Any) -> np.ndarray:
    """:func:`raw_scores` of a sparse matrix in which categories are codes, whatever X was in ``fit``."""
    if kind(estimator) == "lightgbm":
        return raw_scores(estimator, X)
    import xgboost as xgb

    booster = estimator.get_booster()
    # Features by place: a booster that knows their names would ask for them.
    matrix = xgb.DMatrix(X, feature_names=booster.feature_names, feature_types=booster.feature_types, nthread=1)
    rounds = estimator._get_iteration_range(None)  # as predict does
    return np.asarray(booster.predict(matrix, output_margin=True, iteration_range=rounds), dtype=np.float64)


def native(estimator: Any) -> Any:
    """The ``xgboost.Booster`` or ``lightgbm.Booster`` of a fitted estimator."""
    return estimator.get_booster() if kind(estimator) == "xgboost" else estimator.booster_


def start(estimator: Any) -> Any:
    """The native model to go on from: the rounds that it predicts with."""
    booster = native(estimator)
    if kind(estimator) == "xgboost" and booster.attr("best_iteration") is not None:
        booster = booster[: booster.best_iteration + 1]
        booster.set_attr(best_iteration=None, best_score=None)
    return booster


def contributions(estimator: Any, X: Any, n_classes: int) -> np.ndarray:
    """Contributions of features (and, last, the rest) to the raw scores: (n, p + 1), or (n, C, p + 1)."""
    if kind(estimator) == "xgboost":
        import xgboost as xgb

        if estimator.multi_strategy == "multi_output_tree":
            raise ValueError(
                "XGBoost computes no contributions for multi_strategy='multi_output_tree'; "
                "train with multi_strategy='one_output_per_tree', its default"
            )
        categorical = bool(estimator.enable_categorical)
        matrix = xgb.DMatrix(X, missing=estimator.missing, enable_categorical=categorical, nthread=estimator.n_jobs)
        # As predict does: all rounds, or those up to the best one.
        rounds = estimator._get_iteration_range(None)
        return np.asarray(estimator.get_booster().predict(matrix, pred_contribs=True, iteration_range=rounds), float)
    found: Any = estimator.predict(X, pred_contrib=True)
    if isinstance(found, list):  # one sparse matrix per class
        return np.stack([one.toarray() for one in found], axis=1).astype(np.float64)
    dense: Any = found.toarray() if hasattr(found, "toarray") else found
    found = np.asarray(dense, dtype=np.float64)
    return found if n_classes == 2 else found.reshape(found.shape[0], n_classes, -1)


def check_inputs(X: Any, y: Any) -> tuple[int, np.ndarray]:
    """The number of rows and the labels as an array; X itself is left to the booster."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    rows = _num_samples(X)
    _check_matrix(X)
    labels = np.asarray(y)
    if rows == 0 or _columns(X) == 0:
        raise ValueError(
            f"Found array with {rows} sample(s) and {_columns(X)} feature(s) (shape={np.shape(X)}) "
            "while a minimum of 1 is required."
        )
    if labels.shape[:1] != (rows,):
        raise ValueError(f"y must have one label per row of X: expected {rows}, got {labels.shape}")
    check_labels(labels)
    return rows, labels


def check_labels(labels: np.ndarray) -> None:
    """No label is missing, in whichever way its dtype says so."""
    missing = np.asarray(pd.isna(labels)) | (np.isinf(labels) if labels.dtype.kind == "f" else False)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(
            f"y must not contain NaN or infinity; drop the rows without a label (first: row {row}, {labels[row]!r})"
        )


def _check_matrix(X: Any) -> None:
    """A matrix, not a single row or column."""
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 2:
        raise ValueError(
            f"X must be two-dimensional, got shape {tuple(shape)}. Reshape your data: array.reshape(-1, 1) for "
            "a single feature, array.reshape(1, -1) for a single row."
        )


def _columns(X: Any) -> int | None:
    """The number of columns, where X says it."""
    shape = getattr(X, "shape", None)
    return None if shape is None else int(shape[1])


def column_names(X: Any) -> np.ndarray | None:
    """Column names of a data frame, or None."""
    return _get_feature_names(X)


def check_columns(estimator: Any, X: Any) -> None:
    """The columns are those of ``fit``, in number and in name."""
    _check_feature_names(estimator, X, reset=False)
    _check_matrix(X)
    columns = _columns(X)
    if columns is not None and columns != estimator.n_features_in_:
        raise ValueError(
            f"X has {columns} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input"
        )


def take_rows(X: Any, index: np.ndarray) -> Any:
    """Rows of an array, data frame or sparse matrix (as CSR: not every sparse format can be indexed)."""
    rows: Any = X
    if type(X).__module__.startswith("pyarrow.") and hasattr(X, "take"):  # scikit-learn knows Arrow from 1.7 on
        return X.take(index)
    return _safe_indexing(csr_array(rows) if issparse(X) else rows, index)


def check_columns_of(name: str, model: Any, X: Any) -> None:
    """The columns are those that another model was trained on."""
    try:
        check_columns(model, X)
    except ValueError as error:
        raise ValueError(f"{name} was trained on other columns: {error}") from error
