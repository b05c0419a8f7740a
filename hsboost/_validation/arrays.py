"""Check the arrays, numbers and choices that users pass, and convert them to the form that the kernels need."""

from __future__ import annotations

import numbers
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hsboost._kernels._compile import as_input
from hsboost._kernels.columns import transpose

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]


def native(array: np.ndarray) -> np.ndarray:
    """The same values in this machine's byte order."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_floats(array: np.ndarray, otherwise: type[np.floating[Any]] = np.float64) -> FloatArray:
    """float32 and float64 unchanged, in this machine's byte order; other numbers as floats of type ``otherwise``."""
    if array.dtype in (np.float32, np.float64):
        return array
    own = array.dtype.newbyteorder("=")
    return array.astype(own if own in (np.float32, np.float64) else otherwise)


def check_scores(x: ArrayLike, name: str) -> FloatArray:
    """A contiguous 1-D float32 or float64 array of ``x``; other number types become float64."""
    refuse_mask(x, name)
    array = np.asarray(x)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}; pass one score per row")
    if array.size == 0:
        raise ValueError(f"{name} is empty; pass at least one row")
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}; convert it first")
        array = as_floats(array)
    return as_input(array)


def check_score_columns(x: ArrayLike, name: str) -> FloatArray:
    """`check_scores` for shape (n,) or, stored column by column in memory, (n, C) with C > 1."""
    refuse_mask(x, name)
    array = np.asarray(x)
    if array.ndim != 2 or array.shape[1] == 1:
        return check_scores(array, name)
    if array.size == 0:
        raise ValueError(f"{name} is empty, shape {array.shape}; pass at least one row and one column")
    if array.dtype in (np.float32, np.float64) and not array.flags.f_contiguous:
        columns = np.empty(array.shape[::-1], array.dtype)
        transpose(array.size, as_input(array, any_layout=True), columns)
        return columns.T
    return check_scores(array.T.reshape(-1), name).reshape(array.T.shape).T


def not_finite(x: FloatArray, name: str) -> ValueError:
    """The error for scores with NaN or infinity, with the first such row."""
    bad = ~np.isfinite(x)
    row = int(np.argmax(bad if x.ndim == 1 else bad.any(axis=1)))
    value = x[row] if x.ndim == 1 else x[row][bad[row]][0]
    return ValueError(
        f"{name} must be finite, got {value} at row {row} ({int(bad.sum())} such rows in all); "
        "if this happens in training, look for a diverging learning rate or for NaN in init_score / base_margin"
    )


def check_out(out: Any, scores: FloatArray, weight: FloatArray | None) -> None:
    """Check that ``out`` can hold the values of a projection of ``scores``; None passes."""
    if out is None:
        return
    if not isinstance(out, np.ndarray):
        kind = type(out).__name__
        raise TypeError(f"out must be a NumPy array or None, got {kind}; pass numpy.empty({scores.shape})")
    if out.shape != scores.shape or out.dtype != scores.dtype:
        raise ValueError(
            f"out must have the shape {scores.shape} and dtype {scores.dtype} of the values, got {out.shape} and "
            f"{out.dtype}; pass numpy.empty({scores.shape}, {str(scores.dtype)!r})"
        )
    if not out.flags.writeable:
        raise ValueError("out must be writeable, got a read-only array; pass out.copy()")
    if weight is not None and np.shares_memory(out, weight):
        raise ValueError(
            "out must not share memory with sample_weight, which the derivatives of the result need; pass another array"
        )


def refuse_mask(array: Any, name: str) -> None:
    """Refuse masked entries: NumPy would drop the mask and use the values under it."""
    if type(array) is not np.ndarray and np.ma.is_masked(array):
        row = int(np.argmax(np.ma.getmaskarray(array).reshape(len(array), -1).any(axis=1)))
        raise ValueError(
            f"{name} is a masked array with masked entries (first: row {row}); drop these rows, or fill them in"
        )


def check_same_length(array: np.ndarray, name: str, n: int, other: str) -> None:
    """Check that both arrays describe the same rows."""
    if array.shape != (n,):
        raise ValueError(f"{name} must have one entry per row of {other}: expected shape ({n},), got {array.shape}")


def check_weight(sample_weight: ArrayLike | None, n: int, other: str, name: str = "sample_weight") -> FloatArray | None:
    """Weights as a contiguous float array of length n, or None. :func:`checked_weight` checks the values."""
    if sample_weight is None:
        return None
    refuse_mask(sample_weight, name)
    array = np.asarray(sample_weight)
    check_same_length(array, name, n, other)
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold numbers, got dtype {array.dtype}; convert it first")
        array = as_floats(array)
    return as_input(array)


def checked_weight(weight: FloatArray, name: str = "sample_weight") -> FloatArray:
    """Weights as float64, every one finite and >= 0, with a positive finite sum."""
    if not (np.isfinite(weight) & (weight >= 0)).all():
        raise bad_weights(weight, name)
    with np.errstate(over="ignore"):  # refused
        total = float(weight.sum(dtype=np.float64))
    check_total_weight(total, name)
    return weight.astype(np.float64, copy=False)


def checked_stored_weight(weight: FloatArray, name: str) -> FloatArray:
    """:func:`checked_weight` for weights that a booster stores as float32: there, some are positive, none infinite."""
    weight = checked_weight(weight, name)
    check_most(weight, name)
    check_some_weight(float(weight.max()), name)
    return weight


def check_most(weight: FloatArray, name: str) -> None:
    """Check that no weight is infinite in float32."""
    most = float(np.finfo(np.float32).max)
    if weight.size and weight.max() > most:
        row = int(np.argmax(weight > most))
        raise ValueError(
            f"{name} must be at most {most:.3g}, as boosters keep weights in float32, got {weight[row]} at row {row}; "
            "divide the weights by a constant"
        )


def check_some_weight(greatest: float, name: str) -> None:
    """Check that the greatest weight is not 0 in float32."""
    with np.errstate(over="ignore"):  # too great a weight is another error
        stored = np.float32(greatest)
    if not stored > 0.0:
        raise ValueError(
            f"{name} must not be below {np.finfo(np.float32).smallest_subnormal:.3g} in every row, as boosters keep "
            f"weights in float32, got {greatest} at most; multiply the weights by a constant"
        )


def bad_weights(weight: FloatArray, name: str = "sample_weight") -> ValueError:
    """The error for weights that are negative, NaN or infinite."""
    bad = ~(np.isfinite(weight) & (weight >= 0))
    row = int(np.argmax(bad))
    return ValueError(
        f"{name} must be finite and >= 0, got {weight[row]} at row {row} ({int(bad.sum())} such rows in all)"
    )


def check_total_weight(total: float, name: str = "sample_weight") -> None:
    """Check that the sum of weights is positive and finite."""
    if total == np.inf:
        raise ValueError(f"{name} must have a finite sum, got inf; divide the weights by a constant")
    if not total > 0.0:
        raise ValueError(f"{name} must have a positive sum, got {total}; with every weight zero no row would count")


def bad_labels(y: np.ndarray) -> ValueError:
    """The error for labels other than 0 and 1."""
    bad = (y != 0) & (y != 1)
    row = int(np.argmax(bad))
    return ValueError(
        f"y_true must be 0 or 1, got {y[row]} at row {row} ({int(bad.sum())} such rows in all); "
        "encode the labels first, or use HSClassifier, which does it for you"
    )


def check_temperature(temperature: float) -> float:
    """A positive finite number."""
    return check_positive(temperature, "temperature")


def check_normal_temperature(temperature: float) -> float:
    """A positive finite number that has a finite reciprocal."""
    number = check_temperature(temperature)
    least = float(np.finfo(np.float64).tiny)
    if number < least:
        raise ValueError(
            f"temperature must be at least {least:.3g} here, got {number!r}, which has no finite reciprocal; scale "
            "scores and temperature up, or leave it at 1"
        )
    return number


def check_positive(value: float, name: str) -> float:
    """A positive finite number (for example a floor)."""
    number = as_float(value)
    if number is not None and 0.0 < number < np.inf:
        return number
    raise ValueError(f"{name} must be a positive finite number, got {value!r}")


def check_share(value: float, name: str) -> float:
    """A real number in (0, 1)."""
    number = as_float(value)
    if number is not None and 0.0 < number < 1.0:
        return number
    raise ValueError(f"{name} must be a number in (0, 1), a share of the rows; got {value!r}")


def as_float(value: Any) -> float | None:
    """The number as a float, infinite when it is beyond floats; None for what is not a real number, NaN included."""
    if type(value) is float:  # in a tenth of the time
        return value if value == value else None
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return float(np.inf)  # a huge int or fraction; no caller needs its sign
    return number if number == number else None


def check_choice(value: str, name: str, choices: tuple[str, ...]) -> str:
    """One of the named choices."""
    if value not in choices:
        known = ", ".join(repr(c) for c in choices)
        raise ValueError(f"{name} must be one of {known}; got {value!r}")
    return value


def check_classes(y_true: ArrayLike, n: int, n_classes: int) -> np.ndarray:
    """Class indices 0 … C-1 as an integer array of length n."""
    refuse_mask(y_true, "y_true")
    y = np.asarray(y_true)
    check_same_length(y, "y_true", n, "raw_prediction")
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y_true must hold the classes 0 … {n_classes - 1}, got dtype {y.dtype}; encode them first")
    if y.dtype.kind in "iu" and n and y.min() >= 0 and y.max() < n_classes:  # the usual case, without arrays
        return y.astype(np.int64, copy=False)
    good = (y >= 0) & (y < n_classes)
    if y.dtype.kind == "f":
        good &= y == np.floor(y)
    if not good.all():
        row = int(np.argmax(~good))
        raise ValueError(
            f"y_true must hold the classes 0 … {n_classes - 1} when scores have {n_classes} columns, got {y[row]} at "
            f"row {row} ({int((~good).sum())} such rows in all); encode the labels first"
        )
    return y.astype(np.int64, copy=False)


def wrong_groups(found: int, expected: int) -> ValueError:
    """The error for groups of other rows."""
    return ValueError(
        f"groups describes {found} rows, but the scores have {expected}; pass one label per row of this data set "
        '(for data sets of several sizes keep the groups in them and use groups="dataset")'
    )
