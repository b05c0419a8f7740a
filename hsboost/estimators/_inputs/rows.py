"""Rows and labels as they are passed: their number and shape, and a choice of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from hsboost import _validation as check
from hsboost.estimators._inputs.labels import check_labels


def check_inputs(X: Any, y: Any) -> tuple[int, np.ndarray]:
    """The number of rows and the labels as an array; X itself is left to the booster."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    rows = _num_samples(X)
    check_matrix(X)
    check.refuse_mask(y, "y")
    labels = check.native(np.asarray(y))
    if rows == 0 or n_columns(X) == 0:
        raise ValueError(
            f"Found array with {rows} sample(s) and {n_columns(X)} feature(s) (shape={np.shape(X)}) "
            "while a minimum of 1 is required."
        )
    if labels.shape[:1] != (rows,):
        raise ValueError(f"y must have one label per row of X: expected {rows}, got {labels.shape}")
    check_labels(labels)
    return rows, labels


def check_matrix(X: Any, name: str = "X") -> None:
    """A matrix, not a single row or column."""
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 2:
        raise ValueError(
            f"{name} must be two-dimensional, got shape {tuple(shape)}. Reshape your data: array.reshape(-1, 1) for "
            "a single feature, array.reshape(1, -1) for a single row."
        )


def n_columns(X: Any) -> int | None:
    """The number of columns; None where X has no shape."""
    shape = getattr(X, "shape", None)
    return None if shape is None else int(shape[1])


def take_rows(X: Any, index: np.ndarray) -> Any:
    """Rows of an array, data frame or sparse matrix (as CSR: not every sparse format can be indexed)."""
    rows: Any = X
    if type(X).__module__.startswith("pyarrow.") and hasattr(X, "take"):  # scikit-learn knows Arrow from 1.7 on
        return X.take(index)
    return _safe_indexing(csr_array(rows) if issparse(X) else rows, index)
