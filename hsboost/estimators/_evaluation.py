"""Evaluation sets: their rows, their weights, and which of them decides when to stop and fits the calibrator.

Both boosters follow one rule: the last set that is not the training rows decides. The training rows may be among the
sets to be watched, but say nothing about other rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse
from sklearn.utils.validation import _num_samples

from hsboost import _validation as check
from hsboost.estimators import _class_weight, _labels

#: Values that are compared at a time.
COMPARED = 1 << 18


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
        place, of_rows = _labels.set_name(i, len(pairs), called), f"{name}[{i}]"
        y = _labels.encode_known(_num_samples(X), labels, classes, place)
        weight = check.check_weight(weights[i], y.size, f"{place}'s X", of_rows)
        weight = total = None if weight is None else check.checked_stored_weight(weight, of_rows)
        if of_classes[i] is not None:
            where = f"eval_class_weight[{i}]"
            counts = np.bincount(y, minlength=classes.size)
            by_row = _class_weight.by_class(of_classes[i], classes, counts, where, strict=True)[y]
            total = by_row if weight is None else by_row * weight
            total = check.checked_stored_weight(total, where if weight is None else f"{where} times {of_rows}")
        sets.append(EvaluationSet(X, y, weight, total, np.array_equal(y, training[1]) and same_data(X, training[0])))
    return sets


def deciding(is_training: list[bool]) -> int | None:
    """The place of the set that stops training early and fits the calibrator; None if there is none."""
    return max((i for i, own in enumerate(is_training) if not own), default=None)


def only_training_rows(name: str, value: str) -> ValueError:
    """The error for a calibrator or a threshold without rows that the trees have not seen."""
    return ValueError(
        f"{name}={value!r} is {'fitted' if name == 'calibration' else 'found'} on rows that the trees are not trained "
        "on, but eval_set holds the training rows only; pass other rows as eval_set"
    )


def sample_weights(n_sets: int, eval_sample_weight: Any, sample_weight_eval_set: Any) -> tuple[str, list[Any]]:
    """The weights of each set, by either booster's name, and that name."""
    if eval_sample_weight is not None and sample_weight_eval_set is not None:
        raise ValueError("eval_sample_weight and sample_weight_eval_set are one argument; give one of them")
    if eval_sample_weight is None and sample_weight_eval_set is not None:
        return "sample_weight_eval_set", _entries(sample_weight_eval_set, "sample_weight_eval_set", n_sets, _is_column)
    return "eval_sample_weight", _entries(eval_sample_weight, "eval_sample_weight", n_sets, _is_column)


def class_weights(n_sets: int, eval_class_weight: Any) -> list[Any]:
    """The class weights of each set."""
    return _entries(eval_class_weight, "eval_class_weight", n_sets, lambda value: isinstance(value, str | Mapping))


def names(value: Any, is_training: list[bool]) -> list[str] | None:
    """LightGBM's ``eval_names``: a text of its own for each set, or None.

    LightGBM leaves out names that are too many, joins sets of one name, and calls the training rows "training": its
    early stopping passes over a set of that name.
    """
    if value is None:
        return None
    ordered = isinstance(value, list | tuple | np.ndarray | pd.Index | pd.Series) and np.ndim(value) == 1
    given = [value] if isinstance(value, str) else list(value) if ordered else None
    if given is None or not all(isinstance(one, str) for one in given):
        raise TypeError(f"eval_names must be a list of texts, one for each evaluation set, got {value!r}; pass a list")
    if not given:
        return None
    if not is_training:
        raise ValueError(f"eval_names={given!r} goes with eval_set, and there is none; pass eval_set=, or leave it out")
    if len(given) != len(is_training):
        raise ValueError(
            f"eval_names must have one name for each evaluation set: expected {len(is_training)}, got {given!r}"
        )
    if len(set(given)) < len(given):
        raise ValueError(f"eval_names={given!r} gives one name to several sets; call each by a name of its own")
    place = deciding(is_training)
    if place is not None and given[place] == "training":
        raise ValueError(
            f"eval_names={given!r} calls the set that decides when to stop 'training', LightGBM's name for the "
            "training rows, on which it never stops; give it another name"
        )
    return [str(one) for one in given]


def _entries(value: Any, name: str, n_sets: int, is_entry: Any) -> list[Any]:
    """One entry for each set; for a single set the entry itself will do."""
    if value is None:
        return [None] * n_sets
    if n_sets == 0:
        raise ValueError(f"{name} goes with eval_set, and there is none; pass eval_set=, or leave {name} out")
    if n_sets == 1 and is_entry(value):
        return [value]
    if isinstance(value, np.ndarray) and value.ndim == 2:
        value = list(value)
    if not isinstance(value, list | tuple) or is_entry(value):
        raise ValueError(
            f"{name} must be a list with one entry (or None) for each of the {n_sets} evaluation sets, "
            f"got {type(value).__name__}"
        )
    if len(value) != n_sets:
        raise ValueError(
            f"{name} must have one entry (or None) for each evaluation set: expected {n_sets}, got {len(value)}"
        )
    return list(value)


def _is_column(value: Any) -> bool:
    """One weight per row, rather than a list of such columns."""
    if isinstance(value, list | tuple):
        return bool(value) and all(isinstance(one, Real | np.bool_) for one in value)
    return not isinstance(value, Mapping | str) and getattr(value, "ndim", 1) == 1


def same_data(a: Any, b: Any) -> bool:
    """Whether two matrices are one object, or hold the same values: a frame may be selected anew for every argument."""
    if a is b:
        return True
    if np.shape(a) != np.shape(b) if hasattr(a, "shape") and hasattr(b, "shape") else len(a) != len(b):
        return False
    try:
        return _equal(a, b)
    except Exception:  # of containers that cannot be compared only the object itself is the same
        return False


def _equal(a: Any, b: Any) -> bool:
    if issparse(a) or issparse(b):
        return issparse(a) and issparse(b) and _equal_sparse(a, b)
    parts = _columns(a), _columns(b)
    if parts[0] is None and parts[1] is None:
        return _equal_arrays(np.asarray(a), np.asarray(b))
    left, right = (
        list(np.asarray(one).T) if columns is None else columns for one, columns in zip((a, b), parts, strict=True)
    )
    pairs = zip(left, right, strict=True)
    return all(_equal_arrays(np.asarray(one), np.asarray(other)) for one, other in pairs)


def _columns(X: Any) -> list[Any] | None:
    """The columns of a data frame of any library."""
    if isinstance(X, pd.DataFrame):
        return [X.iloc[:, i] for i in range(X.shape[1])]
    if hasattr(X, "get_columns"):  # polars
        return list(X.get_columns())
    return list(X.columns) if type(X).__module__.startswith("pyarrow.") else None


def _equal_sparse(a: Any, b: Any) -> bool:
    if a.nnz != b.nnz:
        return False
    first, second = csr_array(a, copy=True), csr_array(b, copy=True)
    first.sum_duplicates()
    second.sum_duplicates()
    return (
        np.array_equal(first.indptr, second.indptr)
        and np.array_equal(first.indices, second.indices)
        and _equal_arrays(first.data, second.data)
    )


def _equal_arrays(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal values, missing ones equal to missing ones; part by part, as different data mostly differ early."""
    if a.shape != b.shape:
        return False
    rows = max(1, COMPARED // max(1, a[:1].size))
    for at in range(0, len(a), rows):
        one, other = a[at : at + rows], b[at : at + rows]
        if one.dtype.kind in "biuf" and other.dtype.kind in "biuf":
            same = bool(np.all((one == other) | ((one != one) & (other != other))))
        else:
            same = pd.DataFrame(one).equals(pd.DataFrame(other))
        if not same:
            return False
    return True
