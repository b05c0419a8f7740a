"""X as a booster reads it rightly, and its columns compared with those of ``fit``."""

from __future__ import annotations

from typing import Any

from hsboost import _stack
from hsboost.estimators._boosters.kinds import kind, kind_meant, native
from hsboost.estimators._inputs import categories, features
from hsboost.estimators._inputs.features import column_names
from hsboost.estimators._inputs.rows import check_matrix, n_columns


def readable(estimator: Any, X: Any, name: str = "X") -> Any:
    """X as the booster of an estimator (or of its name) reads it rightly; X itself if it does."""
    return features.readable(X, name, kind_meant(estimator))


def check_names(estimator: Any, X: Any) -> None:
    """Every column of the training rows has a name of its own."""
    features.check_names(X, "X", kind_meant(estimator))


def know_categories(estimator: Any, X: Any) -> None:
    """Let an XGBClassifier read the categories that X has.

    Raises
    ------
    ValueError
        For XGBoost's boosters and methods without categories.
    """
    if kind(estimator) != "xgboost":
        return
    columns = list(categories.of_frame(X, "xgboost") or ())
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


def continued(first: Any, X: Any) -> Any:
    """X as a booster reads it rightly that goes on from a fitted estimator ``first``."""
    if kind(first) != "lightgbm":
        return X
    return categories.continued(categories.of_booster("lightgbm", native(first)), X)


def check_evaluation(estimator: Any, X: Any, other: Any, name: str) -> Any:
    """The columns of an evaluation set are those of X, as :func:`check_columns` requires it of rows to be predicted.

    Returns the set as the booster reads it beside X: XGBoost compares names, of columns that have none, too.
    """
    booster = kind_meant(estimator)
    names, others = column_names(X), column_names(other)
    doubt = features.compare_names(names, others, "X", name)
    if booster == "xgboost" and (names is None) != (others is None):
        other = features.named_alike(X, other, names, name, certain=doubt is None)
    if doubt is not None:
        _stack.warn(doubt)
    check_matrix(other, name)
    if n_columns(X) != n_columns(other):
        raise ValueError(f"{name} has {n_columns(other)} features, but X has {n_columns(X)}; pass the same columns")
    known = categories.of_frame(X, booster)
    categories.check(known, other, name, booster)
    return categories.aligned(known, other) if booster == "xgboost" else other


def check_columns(estimator: Any, X: Any) -> None:
    """The columns are those of ``fit``, in number and in name; ``estimator`` is an HSClassifier."""
    who = type(estimator).__name__
    doubt = features.compare_names(getattr(estimator, "feature_names_in_", None), column_names(X), who)
    if doubt is not None:
        _stack.warn(doubt)
    check_matrix(X)
    columns = n_columns(X)
    if columns is None and isinstance(X, list | tuple):
        raise ValueError(
            f"X is an empty {type(X).__name__}, without columns; pass an array of shape (0, {estimator.n_features_in_})"
        )
    if columns is not None and columns != estimator.n_features_in_:
        raise ValueError(
            f"X has {columns} features, but {who} is expecting {estimator.n_features_in_} features as input"
        )
    booster = kind(estimator.estimator_)
    if categories.of_frame(X, booster) is not None:
        categories.check(categories.of_booster(booster, native(estimator.estimator_)), X, "X", booster)


def check_columns_of_start(init_model: Any, X: Any) -> None:
    """The columns are those that the model to go on from was trained on."""
    try:
        check_columns(init_model, X)
    except ValueError as error:
        raise ValueError(f"init_model was trained on other columns: {error}") from error
