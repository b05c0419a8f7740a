"""What a fitted booster computes for rows: raw scores, and the features' contributions to them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from hsboost.estimators._boosters.errors import explained
from hsboost.estimators._boosters.kinds import kind, native
from hsboost.estimators._inputs import categories
from hsboost.estimators._inputs.features import column_names


def raw_scores(estimator: Any, X: Any) -> np.ndarray:
    """Raw scores of the rounds that the booster predicts with (early stopping), float64, shape (n,) or (n, C)."""
    if _num_samples(X) == 0:  # which LightGBM refuses
        return np.empty((0,) if estimator.n_classes_ <= 2 else (0, estimator.n_classes_))
    if kind(estimator) == "xgboost":
        with explained():
            raw = estimator.predict(aligned(estimator, X), output_margin=True)
    else:
        with _names_compared(estimator, X):
            raw = estimator.predict(X, raw_score=True)
    return np.asarray(raw, dtype=np.float64)


def aligned(estimator: Any, X: Any) -> Any:
    """Rows whose categories XGBoost takes for those of ``fit`` that they are."""
    if categories.of_frame(X, "xgboost"):
        known = categories.of_booster("xgboost", native(estimator))
        categories.check(known, X, "X", "xgboost")
        return categories.aligned(known, X)
    return X


@contextmanager
def _names_compared(estimator: Any, X: Any) -> Iterator[None]:
    """Without a warning of missing column names: LightGBM 4.6 takes the names it made up in ``fit`` for given ones."""
    if column_names(X) is not None or not hasattr(estimator, "feature_names_in_"):
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        yield


def raw_scores_by_code(estimator: Any, X: Any) -> np.ndarray:
    """:func:`raw_scores` of a sparse matrix in which categories are codes, whatever X was in ``fit``."""
    if kind(estimator) == "lightgbm":
        return raw_scores(estimator, X)
    import xgboost as xgb

    booster = estimator.get_booster()
    # Features by place: a booster with names would require them.
    matrix = xgb.DMatrix(X, feature_names=booster.feature_names, feature_types=booster.feature_types, nthread=1)
    rounds = estimator._get_iteration_range(None)  # as predict does
    return np.asarray(booster.predict(matrix, output_margin=True, iteration_range=rounds), dtype=np.float64)


def contributions(estimator: Any, X: Any, n_classes: int) -> np.ndarray:
    """Contributions of features (and, last, the rest) to the raw scores: (n, p + 1), or (n, C, p + 1)."""
    if _num_samples(X) == 0:
        shape = (0,) if n_classes == 2 else (0, n_classes)
        return np.empty((*shape, int(estimator.n_features_in_) + 1))
    if kind(estimator) == "xgboost":
        import xgboost as xgb

        if estimator.multi_strategy == "multi_output_tree":
            raise ValueError(
                "XGBoost computes no contributions for multi_strategy='multi_output_tree'; "
                "train with multi_strategy='one_output_per_tree', its default"
            )
        categorical = bool(estimator.enable_categorical)
        matrix = xgb.DMatrix(
            aligned(estimator, X),
            missing=estimator.missing,
            feature_types=estimator.feature_types,
            enable_categorical=categorical,
            nthread=estimator.n_jobs,
        )
        # As predict does: all rounds, or those up to the best one.
        rounds = estimator._get_iteration_range(None)
        with explained():
            found: Any = estimator.get_booster().predict(matrix, pred_contribs=True, iteration_range=rounds)
        return np.asarray(found, dtype=np.float64)
    try:
        with _names_compared(estimator, X):
            found = estimator.predict(X, pred_contrib=True)
    except Exception as error:
        if type(error).__name__ == "LightGBMError" and "linear trees" in str(error):
            raise ValueError(
                "LightGBM computes no contributions for linear_tree=True; train with linear_tree=False, its default"
            ) from error
        raise
    if isinstance(found, list):  # one sparse matrix per class
        return np.stack([one.toarray() for one in found], axis=1).astype(np.float64)
    dense: Any = found.toarray() if hasattr(found, "toarray") else found
    found = np.asarray(dense, dtype=np.float64)
    return found if n_classes == 2 else found.reshape(found.shape[0], n_classes, -1)
