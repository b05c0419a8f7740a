"""Evaluation sets on the cluster: as they are passed, encoded where they are, and compared with the training rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from hsboost import _validation as check
from hsboost._engines import rows as _rows
from hsboost.dask import _levels
from hsboost.dask import _partitions as partitions
from hsboost.dask._predicting import head
from hsboost.dask._training import Training
from hsboost.estimators import _boosters, _calibration, _evaluation
from hsboost.estimators._inputs import categories
from hsboost.estimators._inputs.class_weight import weight_by_class


class Given(NamedTuple):
    """One evaluation set as it was passed, with the names that errors use."""

    X: Any
    y: Any
    groups: Any
    weight: Any
    class_weight: Any
    name: str
    weight_name: str
    class_weight_name: str


def given_sets(
    eval_set: Any,
    eval_X: Any,
    eval_y: Any,
    groups: Any,
    eval_groups: Any,
    calibration: Any,
    eval_sample_weight: Any,
    sample_weight_eval_set: Any,
    eval_class_weight: Any,
) -> list[Given]:
    """The arguments of ``fit`` by set; what is wrong with their form is an error before any rows are read."""
    pairs, called = _evaluation.one_form(eval_set, eval_X, eval_y)
    if eval_groups is not None and groups is None:
        raise ValueError("eval_groups goes with groups: a budget per group is trained for only with groups=")
    sets = _evaluation.evaluation_sets(pairs, None, called)
    n = len(sets)
    if eval_groups is not None and n != 1:
        raise ValueError(f"eval_groups goes with one eval_set, got {n}; pass a single pair (X, y)")
    if calibration is not None and not sets:
        raise ValueError(
            f"calibration={calibration!r} is fitted on rows that the trees are not trained on; pass them as eval_set"
        )
    name, weights = _evaluation.sample_weights(n, eval_sample_weight, sample_weight_eval_set)
    of_classes = _evaluation.class_weights(n, eval_class_weight)
    return [
        Given(
            *sets[i],
            eval_groups,
            weights[i],
            of_classes[i],
            _evaluation.set_name(i, n, called),
            f"{name}[{i}]",
            f"eval_class_weight[{i}]",
        )
        for i in range(n)
    ]


def read(client: Any, training: Training, X: Any, y: Any, sets: list[Given]) -> list[Training]:
    """The rows of each set, encoded; ``X`` and ``y`` are the training rows as they were passed."""
    found = [_encoded(client, training, one) for one in sets]
    same = [partitions.is_same(X, one.X) and partitions.is_same(y, one.y) for one in sets]
    return [
        one._replace(is_training=known or _is_training(client, training, one))
        for known, one in zip(same, found, strict=True)
    ]


def _encoded(client: Any, training: Training, given: Given) -> Training:
    """The rows of one set as :class:`Training`."""
    name, classes = given.name, training.classes
    X: Any = given.X
    if getattr(X, "ndim", 2) != 2 or (hasattr(X, "shape") and X.shape[1] != training.X.shape[1]):
        raise ValueError(f"{name}'s X must have the {training.X.shape[1]} columns of X, got shape {X.shape}")
    _boosters.check_evaluation("xgboost", head(training.X), head(X), f"{name}'s X")
    X = partitions.kept(client, X)
    x, labels, index = partitions.pieces(X, f"{name}'s X"), None, None
    if categories.of_frame(head(X), "xgboost"):  # the head shows the categories of some rows only
        check_categories(client, categories.of_frame(head(training.X), "xgboost"), X, f"{name}'s X")
        X = _levels.like(client, X, training.X)
        x = partitions.pieces(X, f"{name}'s X")
    y = client.compute(partitions.aligned(X, given.y, f"{name}'s y", f"{name}'s X"))
    sizes = client.compute(partitions.each(_rows.size, x))
    if not sum(partitions.collect(client, sizes)):
        raise _evaluation.empty_set(name)
    own = [None] * len(x)
    if given.groups is not None:
        own = client.compute(partitions.aligned(X, given.groups, "eval_groups", f"{name}'s X"))
        seen = {one for part in partitions.collect(client, partitions.each(_rows.labels_with, x, own)) for one in part}
        labels = [*(training.labels or []), *sorted(seen - set(training.labels or []))]
        index = {label: g for g, label in enumerate(labels)}
    by_class, product = None, given.weight_name
    weights = [None] * len(x)
    if given.weight is not None:
        weights = client.compute(partitions.aligned(X, given.weight, given.weight_name, f"{name}'s X"))
    if given.class_weight is not None:
        counts = partitions.Partitions(client, y).sum((classes.size,), _rows.class_counts, classes, name)
        where = given.class_weight_name
        product = where if given.weight is None else f"{where} times {given.weight_name}"
        by_class = weight_by_class(given.class_weight, classes, counts, where, strict=True)
    shared = (classes, by_class, index, name, given.weight_name, product)
    places = partitions.holders(client, X)
    rows = partitions.beside(client, places, _rows.evaluated, sizes, y, weights, own, shared=shared)
    weighted = given.weight is not None or by_class is not None
    if weighted:
        parts = partitions.Partitions(client, rows)
        total = parts.sum((classes.size, 1), _rows.class_cells, classes.size)
        check.check_total_weight(float(total.sum()), product)
        check.check_some_weight(float(parts.max((1,), _rows.largest_weight)[0]), product)
    return Training(X, places, rows, classes, labels, weighted, training.cells, training.n_rows)


def _is_training(client: Any, training: Training, evaluation: Training) -> bool:
    """Whether an evaluation set holds the values of the training rows, in partitions of the same length."""
    if len(training.rows) != len(evaluation.rows):
        return False
    other = partitions.collect(client, partitions.each(_rows.other_labels, training.rows, evaluation.rows))
    if any(other):  # compared first, because labels are small: no features are moved
        return False
    X = partitions.pieces(training.X, "X"), partitions.pieces(evaluation.X, "eval_set's X")
    return not any(partitions.collect(client, partitions.each(_rows.other_data, *X)))


def of_calibrator(client: Any, rows: Training) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels and sample weights of the rows that fit the calibrator."""
    parts = partitions.collect(client, partitions.each(_rows.label_and_weight, rows.rows))
    labels = np.concatenate([label for label, _ in parts]).astype(np.int32)
    weighted = [weight for _, weight in parts if weight is not None]
    weight = np.concatenate(weighted) if weighted else None
    _calibration.check_rows(labels, weight, rows.classes.size)
    return labels, weight


def group_numbers(training: Training, evaluation: list[Training]) -> dict[Any, int] | None:
    """Group labels to numbers; an evaluation set may know more of them."""
    if training.labels is None or not evaluation or evaluation[-1].numbers is None:
        return training.numbers
    return evaluation[-1].numbers


def check_categories(client: Any, known: dict[str, Any] | None, X: Any, name: str) -> None:
    """The categories of all partitions are the ``known`` ones."""
    x = partitions.pieces(X, name)
    partitions.collect(client, partitions.each(_check_categories, x, shared=(known, name)))


def _check_categories(rows: Any, known: Any, name: str) -> None:
    categories.check(known, rows, name, "xgboost")
