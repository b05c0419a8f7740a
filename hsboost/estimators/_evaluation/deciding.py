"""Which evaluation set decides when to stop and fits the calibrator.

Both boosters follow one rule: the last set that is not the training rows decides. The training rows may be among the
sets to be watched, but do not show how the model does on other rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

#: Values that are compared at a time.
COMPARED = 1 << 18


def deciding(is_training: list[bool]) -> int | None:
    """The place of the set that stops training early and fits the calibrator; None if there is none."""
    return max((i for i, own in enumerate(is_training) if not own), default=None)


def only_training_rows(name: str, value: str) -> ValueError:
    """The error for a calibrator or a threshold without rows that the trees have not seen."""
    return ValueError(
        f"{name}={value!r} is {'fitted' if name == 'calibration' else 'found'} on rows that the trees are not trained "
        "on, but eval_set holds the training rows only; pass other rows as eval_set"
    )


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
