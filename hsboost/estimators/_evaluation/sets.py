"""Evaluation sets, checked: their rows, their labels as class numbers, their weights."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _num_samples

from hsboost import _validation as check
from hsboost.estimators._evaluation.arguments import class_weights, sample_weights, set_name
from hsboost.estimators._evaluation.deciding import same_data
from hsboost.estimators._inputs.class_weight import weight_by_class
from hsboost.estimators._inputs.labels import check_labels, numbers, unknown_label


class EvaluationSet(NamedTuple):
    """Rows to be watched. Class weights say what mistakes cost, not how many rows a row stands for."""

    X: Any
    y: np.ndarray  # class numbers
    weight: np.ndarray | None  # as given: how much a row counts for the calibrator
    metric_weight: np.ndarray | None  # times class weights: how much it counts for the metric
    is_training: bool


def read(
    pairs: list[tuple[Any, Any]],
    classes: np.ndarray,
    training: tuple[Any, np.ndarray],
    eval_sample_weight: Any,
    sample_weight_eval_set: Any,
    eval_class_weight: Any,
    called: str = "eval_set",
) -> list[EvaluationSet]:
    """Check the evaluation sets. ``training`` is X and the class numbers of the training rows.

    ``called`` is what the sets are called in errors.
    """
    name, weights = sample_weights(len(pairs), eval_sample_weight, sample_weight_eval_set)
    of_classes = class_weights(len(pairs), eval_class_weight)
    sets = []
    for i, (X, labels) in enumerate(pairs):
        place, of_rows = set_name(i, len(pairs), called), f"{name}[{i}]"
        y = encode_known(_num_samples(X), labels, classes, place)
        weight = check.check_weight(weights[i], y.size, f"{place}'s X", of_rows)
        weight = total = None if weight is None else check.checked_stored_weight(weight, of_rows)
        if of_classes[i] is not None:
            where = f"eval_class_weight[{i}]"
            counts = np.bincount(y, minlength=classes.size)
            by_row = weight_by_class(of_classes[i], classes, counts, where, strict=True)[y]
            total = by_row if weight is None else by_row * weight
            total = check.checked_stored_weight(total, where if weight is None else f"{where} times {of_rows}")
        sets.append(EvaluationSet(X, y, weight, total, np.array_equal(y, training[1]) and same_data(X, training[0])))
    return sets


def encode_known(rows: int, y: ArrayLike, classes: np.ndarray, name: str) -> np.ndarray:
    """Labels of an evaluation set of so many rows, called ``name``: all of them known, and at least one."""
    if y is None:
        raise ValueError(f"{name}'s y is None; pass the labels, {name}=(X, y)")
    check.refuse_mask(y, f"{name}'s y")
    labels = check.native(np.asarray(y))
    if labels.ndim == 0:
        raise ValueError(f"{name}'s y must have one label per row of its X, got a single {type(y).__name__}")
    if labels.shape[:1] != (rows,):
        raise ValueError(f"{name}'s y must have one label per row of its X: got {rows} rows and {len(labels)} labels")
    if rows == 0:
        raise empty_set(name)
    check_labels(labels, f"{name}'s y")
    labels = labels.reshape(-1)
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        raise unknown_label(labels, unknown, classes, name)
    return numbers(labels, classes)


def empty_set(name: str) -> ValueError:
    """The error for an evaluation set without rows."""
    return ValueError(f"{name} is empty, its X has 0 rows; pass rows to watch, or leave {name} out")
