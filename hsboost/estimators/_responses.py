"""Scores of one class from any fitted classifier: this package's, a rival's, within pipelines and searches."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from hsboost import _validation as check
from hsboost._validation import FloatArray

RESPONSES = ("auto", "decision_function", "predict_proba")


def method_of(estimator: Any, response_method: str, remedy: str) -> str:
    """The method that scores rows: ``decision_function`` if there is one, else ``predict_proba``, or the one chosen.

    Raises
    ------
    ValueError
        For an estimator that has none, with the ``remedy``.
    """
    check.check_choice(response_method, "response_method", RESPONSES)
    names = RESPONSES[1:] if response_method == "auto" else (response_method,)
    name = next((name for name in names if hasattr(estimator, name)), None)
    if name is None:
        raise ValueError(f"{type(estimator).__name__} has no {' and no '.join(names)}; {remedy}")
    check_is_fitted(estimator)
    return name


def response(
    estimator: Any,
    X: Any,
    pos_label: Any,
    response_method: str,
    remedy: str = "pass its scores to from_predictions",
    **more: Any,
) -> tuple[FloatArray, Any]:
    """(scores of one class, the label of that class); ``more`` goes to the method that scores the rows."""
    name = method_of(estimator, response_method, remedy)
    classes = np.asarray(getattr(estimator, "classes_", [0, 1]))
    if pos_label is None and classes.size > 2:
        raise ValueError(
            f"{type(estimator).__name__} knows {classes.size} classes and these displays show one of them; pass one "
            "class's column of its scores to from_predictions with y_true == that class, or name the class as pos_label"
        )
    label = inner(estimator, "pos_label_", classes[-1]) if pos_label is None else pos_label
    column = np.flatnonzero(classes == label)
    if column.size == 0:
        raise ValueError(f"pos_label={pos_label!r} is not a class of the estimator; known: {classes.tolist()}")
    values = np.asarray(getattr(estimator, name)(X, **more))
    if values.ndim == 2 and values.shape[1] > 1:
        return values[:, int(column[0])], label
    values = values.reshape(-1)
    return (values if int(column[0]) == 1 else -values), label


def inner(estimator: Any, attribute: str, default: Any) -> Any:
    """An attribute of the estimator, or of the one inside a Pipeline, a search or another wrapper."""
    while estimator is not None:
        if hasattr(estimator, attribute):
            return getattr(estimator, attribute)
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        elif hasattr(estimator, "estimator_"):  # of scikit-learn's choosers of thresholds, for example
            estimator = estimator.estimator_
        else:
            estimator = None
    return default
