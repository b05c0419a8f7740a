"""Labels of any type to 0 … C-1 and back, with one clear error for what cannot be learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, column_or_1d

from hsboost import _validation as check
from hsboost import _warning
from hsboost.estimators._features import native


def encode(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted classes and labels 0 … C-1, with one clear error for a single class."""
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, encoded = np.unique(y, return_inverse=True)
    if classes.size < 2:
        raise ValueError(f"y holds 1 class, {classes[0]!r}; HSClassifier needs rows of two classes at least")
    return classes, encoded.astype(np.int32)


def numbered(classes: np.ndarray, pos_label: Any) -> np.ndarray:
    """Sorted classes in the order of their numbers: of two the positive one comes last.

    Of more than two, and without ``pos_label``, the order is the sorted one.

    Raises
    ------
    ValueError
        For a ``pos_label`` that is no class, or beside more than two classes.

    Warns
    -----
    UserWarning
        Where the order of two texts decides which one is positive: it says nothing about what is looked for.
    """
    known = classes.tolist()
    if pos_label is None:
        if len(known) == 2 and all(isinstance(one, str) for one in known):
            _warning.warn(
                f"{known[1]!r} counts as positive, the later one of the labels {known!r}; say which one is looked for: "
                f"pos_label={known[0]!r} or pos_label={known[1]!r}",
            )
        return classes
    if len(known) > 2:
        raise ValueError(
            f"pos_label={pos_label!r} chooses one class of two, and y holds {len(known)}; leave it out (every class "
            "has a top k of its own)"
        )
    places = [i for i, one in enumerate(known) if np.ndim(pos_label) == 0 and _is_label(one, pos_label)]
    if not places:
        raise ValueError(f"pos_label={pos_label!r} is no class of y; name one of them: {known!r}")
    return classes if places == [1] else classes[::-1]


def _is_label(label: Any, other: Any) -> bool:
    """Equal, and of one kind: NumPy compares texts with numbers, too."""
    return isinstance(label, str) == isinstance(other, str) and bool(label == other)


def numbers(labels: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The numbers of labels, all of them known: their places in ``classes``, whatever their order."""
    order = np.argsort(classes, kind="stable")
    return order[np.searchsorted(classes, labels, sorter=order)].astype(np.int32)


def check_start(model: Any, classes: np.ndarray) -> None:
    """A model to go on from, a fitted HSClassifier, knows these classes and has the same positive one."""
    if not np.array_equal(model.classes_, np.sort(classes)):
        raise ValueError(f"init_model knows the classes {model.classes_.tolist()}, y holds {np.sort(classes).tolist()}")
    if not np.array_equal(model._numbered(), classes):
        positive, other = (one[1:].tolist()[0] for one in (classes, model._numbered()))
        raise ValueError(
            f"init_model was trained for pos_label={other!r}, this estimator is for {positive!r}; use the same"
        )


def without_weight(label: Any, weights: str) -> ValueError:
    """The error for a class of two whose rows weigh nothing; ``weights`` is what the weights are called."""
    label = label.item() if isinstance(label, np.generic) else label
    return ValueError(
        f"{weights} leaves the class {label!r} without any weight, and k=None stands for the weight of the positives; "
        "give some row of that class a weight above 0, or pass k"
    )


def set_name(i: int, n_sets: int, called: str = "eval_set") -> str:
    """What evaluation set ``i`` is called in errors: by its place where there are several; see :func:`one_form`."""
    return called if n_sets == 1 else f"{called}[{i}]"


def encode_known(rows: int, y: ArrayLike, classes: np.ndarray, name: str) -> np.ndarray:
    """Labels of an evaluation set of so many rows, called ``name``: all of them known, and at least one."""
    if y is None:
        raise ValueError(f"{name}'s y is None; pass the labels, {name}=(X, y)")
    check.refuse_mask(y, f"{name}'s y")
    labels = native(np.asarray(y))
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


def unknown_label(labels: np.ndarray, unknown: np.ndarray, classes: np.ndarray, name: str) -> ValueError:
    """The error for labels that the training rows do not have."""
    row = int(np.argmax(unknown))
    label = labels[row].item() if isinstance(labels[row], np.generic) else labels[row]
    return ValueError(
        f"{name} holds the label {label!r} at row {row} (leave such rows out, or train with them), which y does not; "
        f"known: {np.sort(classes).tolist()}"
    )


def check_labels(labels: np.ndarray, name: str = "y") -> None:
    """No label is missing, in whichever way its dtype says so."""
    if labels.ndim > 1 and labels.shape[1:] != (1,):
        raise ValueError(
            f"{name} should be a 1d array, got an array of shape {labels.shape} instead; pass one label per row, "
            "several label columns one at a time"
        )
    if labels.dtype.kind == "c":
        raise ValueError(f"{name} holds complex numbers; pass labels that can be sorted, such as numbers or texts")
    missing = np.asarray(pd.isna(labels)) | _is_infinite(labels)
    if missing.any():
        row = int(np.argmax(missing))
        raise ValueError(
            f"{name} must not contain NaN or infinity; drop the rows without a label "
            f"(first: row {row}, {labels[row]!r})"
        )


def _is_infinite(labels: np.ndarray) -> Any:
    if labels.dtype.kind == "f":
        return np.isinf(labels)
    if labels.dtype.kind == "O":
        found = [isinstance(one, float | np.floating) and bool(np.isinf(one)) for one in labels.ravel()]
        return np.array(found, dtype=np.bool_).reshape(labels.shape)
    return False


def one_form(eval_set: Any, eval_X: Any, eval_y: Any) -> tuple[Any, str]:
    """Evaluation sets as pairs, and what they are called in errors, whichever of the two forms they came in.

    ``eval_X`` and ``eval_y`` are one set, or tuples (or lists of matrices) of as many entries: LightGBM's form from
    4.7 on.

    Raises
    ------
    ValueError
        For both forms at once, for one of the two without the other, for different numbers of sets.
    """
    if eval_X is None and eval_y is None:
        return eval_set, "eval_set"
    if eval_set is not None:
        raise ValueError("eval_set and eval_X, eval_y are one argument in two forms; give one of them")
    if eval_X is None or eval_y is None:
        there, missing = ("eval_X", "eval_y") if eval_y is None else ("eval_y", "eval_X")
        raise ValueError(f"{there} goes with {missing}, which is None; pass both, or eval_set=(X, y)")
    if not (isinstance(eval_X, list | tuple) and len(eval_X) and all(map(_is_matrix, eval_X))):
        return [(eval_X, eval_y)], "(eval_X, eval_y)"
    if not isinstance(eval_y, list | tuple) or len(eval_y) != len(eval_X):
        raise ValueError(
            f"eval_y must have the labels of each of the {len(eval_X)} sets of eval_X, got {_described(eval_y)}; pass "
            "a tuple with one entry for each"
        )
    return list(zip(eval_X, eval_y, strict=True)), "(eval_X, eval_y)"


def evaluation_sets(eval_set: Any, eval_groups: Any, called: str = "eval_set") -> list[tuple[Any, Any]]:
    """eval_set as a list of pairs.

    A tuple of two may be one pair whose X is a tuple or list of rows, or two pairs. It is two pairs only where both
    of its entries hold a matrix first: the first entry of rows is a row, whose own entries are numbers. A list of two
    is never one pair.
    """
    if eval_set is None:
        sets = []
    elif isinstance(eval_set, list | tuple) and all(_is_pair(one) for one in eval_set):
        sets = [tuple(pair) for pair in eval_set]
    elif isinstance(eval_set, tuple) and len(eval_set) == 2 and not _is_pair(eval_set[0]):
        sets = [eval_set]
    elif isinstance(eval_set, list | tuple) and all(isinstance(one, tuple) and len(one) == 2 for one in eval_set):
        sets = list(eval_set)
    else:
        raise ValueError(
            f"eval_set must be a pair (X, y) or a list of such pairs, got {_described(eval_set)}; pass [(X, y)]"
        )
    for i, (X, _) in enumerate(sets):
        if X is None or isinstance(X, str | bytes) or np.isscalar(X):
            raise ValueError(f"{set_name(i, len(sets), called)}'s X is {X!r}; pass rows with the columns of X")
    if eval_groups is not None and len(sets) != 1:
        raise ValueError(f"eval_groups goes with one eval_set, got {len(sets)}; pass a single pair (X, y)")
    if eval_groups is not None:
        check.check_same_length(np.empty(len(eval_groups)), "eval_groups", _num_samples(sets[0][0]), f"{called}'s X")
    return sets


def _is_pair(value: Any) -> bool:
    """Two entries, of which the first is a matrix."""
    return isinstance(value, list | tuple) and len(value) == 2 and _is_matrix(value[0])


def _is_matrix(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and (isinstance(value[0], list | tuple) or np.ndim(value[0]) == 1)
    shape = getattr(value, "shape", None)
    return hasattr(value, "__array__") if shape is None else len(shape) == 2


def _described(value: Any) -> str:
    """The kinds of what is in a container."""
    if not isinstance(value, list | tuple):
        return f"a {type(value).__name__}"
    inside = [
        f"{type(one).__name__} of {len(one)}" if isinstance(one, list | tuple) else type(one).__name__
        for one in value[:4]
    ]
    return f"a {type(value).__name__} of {len(value)} ({', '.join(inside)}{', …' if len(value) > 4 else ''})"
