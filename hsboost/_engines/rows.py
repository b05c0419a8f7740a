"""What is done with one partition: counting, encoding, scoring, marking. Plain functions of plain arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import _num_samples, column_or_1d

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import native
from hsboost._workers.radix import Rows
from hsboost.estimators import _boosters, _evaluation
from hsboost.estimators._boosters import scores as _scores
from hsboost.estimators._inputs import labels as _labels


class Encoded(NamedTuple):
    """Rows of one partition: class number, weight (sample times class weight), group number, sample weight."""

    label: np.ndarray
    weight: np.ndarray | None
    group: np.ndarray | None
    own: np.ndarray | None = None  # of evaluation rows


class Seen(NamedTuple):
    """What one partition holds."""

    classes: np.ndarray
    counts: np.ndarray
    groups: list[Any]


def survey(x: Any, y: Any, weight: Any, groups: Any) -> Seen:
    """Look at one partition: lengths, labels, groups."""
    n = _num_samples(x)
    check.refuse_mask(y, "y")
    labels = np.asarray(y)
    _labels.check_labels(labels)
    labels = column_or_1d(native(labels))
    check.check_same_length(labels, "y", n, "X")
    if weight is not None:
        check.refuse_mask(weight, "sample_weight")
        check.check_same_length(np.asarray(weight), "sample_weight", n, "X")
    classes, counts = np.unique(labels, return_counts=True)
    return Seen(classes, counts, group_labels(groups, n) if groups is not None else [])


def group_labels(groups: Any, n: int) -> list[Any]:
    """The distinct group labels of one partition, sorted."""
    check.check_same_length(np.asarray(groups), "groups", n, "X")
    return Segments.by_label(groups).labels if n else []


def labels_with(x: Any, groups: Any) -> list[Any]:
    """:func:`group_labels` of a partition of rows to be predicted."""
    return group_labels(groups, _num_samples(x))


def encode(
    y: Any,
    weight: Any,
    groups: Any,
    classes: np.ndarray,
    by_class: np.ndarray | None,
    index: dict[Any, int] | None,
    name: str = "sample_weight",
) -> Encoded:
    """Labels of any type, all of them known, as numbers; ``name`` is what the weights are called."""
    label = _labels.numbers(column_or_1d(np.asarray(y)), classes)
    return _encoded(label, weight, groups, by_class, index, name)


def _encoded(
    label: np.ndarray, weight: Any, groups: Any, by_class: np.ndarray | None, index: dict[Any, int] | None, name: str
) -> Encoded:
    total = None if weight is None else np.asarray(weight, dtype=np.float64)
    if total is not None and not (np.isfinite(total) & (total >= 0)).all():
        raise check.bad_weights(total, name)
    if by_class is not None:
        total = by_class[label] * (1.0 if total is None else total)
    return Encoded(label, total, None if index is None else codes(groups, index))


def size(x: Any) -> int:
    """Rows of one partition."""
    return int(_num_samples(x))


def evaluated(
    n: int,
    y: Any,
    weight: Any,
    groups: Any,
    classes: np.ndarray,
    by_class: np.ndarray | None,
    index: dict[Any, int] | None,
    place: str,
    name: str,
    product: str,
) -> Encoded:
    """:func:`encode` for a partition of ``n`` rows of an evaluation set, called ``place``; sample weights are kept.

    ``name`` is what the weights are called, ``product`` what they are together with the weights of classes.
    """
    label = known(n, y, classes, place)
    weight = check.check_weight(weight, n, f"{place}'s X", name)
    found = _encoded(label, weight, groups, by_class, index, name)._replace(own=weight)
    if weight is not None:
        check.check_most(weight, name)
    if found.weight is not None:
        check.check_most(found.weight, product)
    return found


def known(n: int, y: Any, classes: np.ndarray, place: str) -> np.ndarray:
    """Class numbers of a partition of ``n`` rows of an evaluation set."""
    if n or np.size(y):
        return _evaluation.encode_known(n, y, classes, place)
    return np.empty(0, np.int32)


def largest_weight(rows: Encoded) -> np.ndarray:
    """The largest weight of one partition."""
    return np.array([0.0 if rows.weight is None or not rows.label.size else rows.weight.max()])


def class_cells(rows: Encoded, n_classes: int) -> np.ndarray:
    """Weight of each class."""
    return np.bincount(rows.label, rows.weight, n_classes)


def class_counts(y: Any, classes: np.ndarray, place: str) -> np.ndarray:
    """Rows of each class, of an evaluation set."""
    return np.bincount(known(int(np.shape(y)[0]), y, classes, place), minlength=classes.size)


def other_labels(rows: Encoded, other: Encoded) -> int:
    """1 where two partitions differ in their labels."""
    return int(not np.array_equal(rows.label, other.label))


def other_data(x: Any, other: Any) -> int:
    """1 where two partitions differ."""
    return int(not _evaluation.same_data(x, other))


def label_and_weight(rows: Encoded) -> tuple[np.ndarray, np.ndarray | None]:
    """What a calibrator needs besides the scores."""
    return rows.label, rows.own


def codes(groups: Any, index: dict[Any, int]) -> np.ndarray:
    """Group numbers."""
    if not len(groups):
        return np.empty(0, np.intp)
    segments = Segments.by_label(groups)
    return np.array([index[label] for label in segments.labels], np.intp)[segments.codes]


def cells(rows: Encoded, n_classes: int, n_groups: int) -> np.ndarray:
    """Weight of each class in each group, flat."""
    at = rows.label.astype(np.intp) * n_groups
    return np.bincount(at if rows.group is None else at + rows.group, rows.weight, n_classes * n_groups)


def label_of(rows: Encoded) -> np.ndarray:
    """Labels for XGBoost."""
    return rows.label


def weight_of(rows: Encoded) -> np.ndarray:
    """Weights for XGBoost."""
    assert rows.weight is not None
    return rows.weight


def group_of(rows: Encoded) -> np.ndarray:
    """Group numbers for XGBoost."""
    assert rows.group is not None
    return rows.group


def raw(x: Any, model: Any) -> np.ndarray:
    """XGBoost's own scores, (n,) or (n, C) float32."""
    if _num_samples(x) == 0:
        return np.empty(_empty_shape(model), np.float32)
    return _scores.raw_scores(model.estimator_, _boosters.readable(model.estimator_, x)).astype(np.float32)


def ranked(scores: np.ndarray, weight: np.ndarray | None, group: np.ndarray | None, n_groups: int) -> Rows:
    """Scores as rows of rankings: column c of group g is ranking c * n_groups + g."""
    if scores.ndim == 1:
        return Rows(scores, weight, group)
    n, columns = scores.shape
    ranking = np.repeat(np.arange(columns), n) * n_groups
    if group is not None:
        ranking += np.tile(group, columns)
    return Rows(scores.T.ravel(), None if weight is None else np.tile(weight, columns), ranking)


def training_rows(x: Any, rows: Encoded, model: Any, n_groups: int) -> tuple[Rows, Rows]:
    """The training rows' scores as rankings of each column, and of each column and group."""
    scores = raw(x, model)
    return ranked(scores, rows.weight, None, 1), ranked(scores, rows.weight, rows.group, n_groups)


def part_of(pair: tuple[Rows, Rows], which: int) -> Rows:
    """One of the two."""
    return pair[which]


def scored(x: Any, groups: Any, model: Any, index: dict[Any, int] | None) -> Rows:
    """Rows to choose the best of."""
    return ranked(raw(x, model), None, None if index is None else codes(groups, index), len(index) if index else 1)


def tied(rows: Rows, last: np.ndarray) -> np.ndarray:
    """How many rows of each ranking have the boundary's score."""
    at, own = _own(rows, last)
    return np.bincount(at[rows.score == own], minlength=last.size)


def mark(rows: Rows, last: np.ndarray, places: np.ndarray, columns: int | None) -> np.ndarray:
    """The chosen rows: above the boundary, and the first ``places`` of those at it; (n,) or (n, columns) bool."""
    at, own = _own(rows, last)
    chosen = rows.score > own
    for ranking in np.flatnonzero(places).tolist():
        chosen[np.flatnonzero((at == ranking) & (rows.score == own))[: int(places[ranking])]] = True
    return chosen if columns is None else chosen.reshape(columns, -1).T


def _own(rows: Rows, last: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row's ranking, and its boundary."""
    at = np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking
    return at, last[at]


def named(chosen: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Labels of marks."""
    return classes[chosen.astype(np.intp)]


def call(x: Any, groups: Any, model: Any, method: str) -> np.ndarray:
    """A method of HSClassifier on one partition, empty ones too."""
    if _num_samples(x) == 0:
        shape, dtype = _empty_shape(model), np.dtype(np.float64)
        if method == "predict":
            shape, dtype = (0,), model.classes_.dtype
        return np.empty((0, model.classes_.size) if method == "predict_proba" else shape, dtype)
    return np.asarray(getattr(model, method)(x, **({} if groups is None else {"groups": groups})))


def right(x: Any, y: Any, weight: Any, groups: Any, model: Any) -> np.ndarray:
    """Weight of the rows that are predicted rightly, and of all."""
    labels = column_or_1d(np.asarray(y))
    w = np.ones(labels.size) if weight is None else np.asarray(weight, dtype=np.float64)
    check.check_same_length(labels, "y", _num_samples(x), "X")
    check.check_same_length(w, "sample_weight", labels.size, "X")
    return np.array([w[call(x, groups, model, "predict") == labels].sum(), w.sum()])


def _empty_shape(model: Any) -> tuple[int, ...]:
    """The shape of the scores of no rows."""
    return (0,) if model.classes_.size == 2 else (0, model.classes_.size)
