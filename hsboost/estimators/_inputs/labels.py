"""Labels of any type to 0 … C-1 and back, with one clear error for what cannot be learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from hsboost import _stack


def encode(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted classes and labels 0 … C-1, with one clear error for a single class."""
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, encoded = np.unique(y, return_inverse=True)
    if classes.size < 2:
        raise ValueError(f"y holds 1 class, {classes.tolist()[0]!r}; HSClassifier needs rows of two classes at least")
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
            _stack.warn(
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


def without_weight(label: Any, weights: str) -> ValueError:
    """The error for a class of two whose rows weigh nothing; ``weights`` is what the weights are called."""
    label = label.item() if isinstance(label, np.generic) else label
    return ValueError(
        f"{weights} leaves the class {label!r} without any weight, and k=None stands for the weight of the positives; "
        "give some row of that class a weight above 0, or pass k"
    )


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
