"""Labels of any type to 0 … C-1 and back, with one clear error for what cannot be learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples, column_or_1d

from hsboost import _validation as check


def encode(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted classes and labels 0 … C-1, with one clear error for a single class."""
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, encoded = np.unique(y, return_inverse=True)
    if classes.size < 2:
        raise ValueError(f"y holds 1 class, {classes[0]!r}; HSClassifier needs rows of two classes at least")
    return classes, encoded.astype(np.int32)


def encode_known(X: Any, y: ArrayLike, classes: np.ndarray) -> np.ndarray:
    """Labels of evaluation rows, all of them known."""
    check.refuse_mask(y, "eval_set's y")
    labels = column_or_1d(np.asarray(y))
    if labels.size != _num_samples(X):
        raise ValueError(f"eval_set must have one label per row: got {_num_samples(X)} rows and {labels.size} labels")
    unknown = ~np.isin(labels, classes)
    if unknown.any():
        raise ValueError(
            f"eval_set holds the label {labels[unknown][0]!r}, which y does not; known: {classes.tolist()}"
        )
    return np.searchsorted(classes, labels).astype(np.int32)


def evaluation_sets(eval_set: Any, eval_groups: Any) -> list[tuple[Any, Any]]:
    """eval_set as a list of pairs."""
    if eval_set is None:
        sets = []
    elif isinstance(eval_set, tuple) and len(eval_set) == 2 and not isinstance(eval_set[0], tuple):
        sets = [eval_set]
    elif isinstance(eval_set, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in eval_set):
        sets = eval_set
    else:
        raise ValueError("eval_set must be a pair (X, y) or a list of such pairs")
    if eval_groups is not None and len(sets) != 1:
        raise ValueError(f"eval_groups goes with one eval_set, got {len(sets)}; pass a single pair (X, y)")
    if eval_groups is not None:
        check.check_same_length(np.empty(len(eval_groups)), "eval_groups", _num_samples(sets[0][0]), "eval_set's X")
    return sets
