"""One clear error for each kind of bad input: it names the argument, the value found and the remedy."""

from __future__ import annotations

import numbers
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]

#: k as the objectives and estimators read it: None, a count (int) or a share of the total weight (float in (0, 1)).
Budget: TypeAlias = int | float | None

#: k may exceed Σ w by this share and still mean "all": sums of float weights depend on their order.
ROUNDING = 1e-12


def check_scores(x: ArrayLike, name: str) -> FloatArray:
    """A contiguous 1-D float32 or float64 array of ``x``; other number types become float64."""
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
        array = array.astype(np.float64)
    return np.ascontiguousarray(array)


def not_finite(x: FloatArray, name: str) -> ValueError:
    """The error for scores with NaN or infinity, with the first such row."""
    bad = ~np.isfinite(x)
    row = int(np.argmax(bad))
    return ValueError(
        f"{name} must be finite, got {x[row]} at row {row} ({int(bad.sum())} such rows in all); "
        "if this happens in training, look for a diverging learning rate or for NaN in init_score / base_margin"
    )


def check_same_length(array: np.ndarray, name: str, n: int, other: str) -> None:
    """Both arrays describe the same rows."""
    if array.shape != (n,):
        raise ValueError(f"{name} must have one entry per row of {other}: expected shape ({n},), got {array.shape}")


def check_weight(sample_weight: ArrayLike | None, n: int, other: str) -> FloatArray | None:
    """Weights as a contiguous float array of length n, or None. Values are checked with :func:`bad_weights`."""
    if sample_weight is None:
        return None
    array = np.asarray(sample_weight)
    check_same_length(array, "sample_weight", n, other)
    if array.dtype not in (np.float32, np.float64):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"sample_weight must hold numbers, got dtype {array.dtype}; convert it first")
        array = array.astype(np.float64)
    return np.ascontiguousarray(array)


def bad_weights(weight: FloatArray) -> ValueError:
    """The error for weights that are negative, NaN or infinite."""
    bad = ~(np.isfinite(weight) & (weight >= 0))
    row = int(np.argmax(bad))
    return ValueError(
        f"sample_weight must be finite and >= 0, got {weight[row]} at row {row} ({int(bad.sum())} such rows in all)"
    )


def check_total_weight(total: float) -> None:
    """Some row must count."""
    if total == np.inf:
        raise ValueError("sample_weight must have a finite sum, got inf; divide the weights by a constant")
    if not total > 0.0:
        raise ValueError(
            f"sample_weight must have a positive sum, got {total}; with every weight zero no row would count"
        )


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


def check_positive(value: float, name: str) -> float:
    """A positive finite number (for example a floor)."""
    number = _as_float(value)
    if number is not None and 0.0 < number < np.inf:
        return number
    raise ValueError(f"{name} must be a positive finite number, got {value!r}")


def _as_float(value: Any) -> float | None:
    """The number as a float, infinite when it is beyond floats; None for what is not a real number, NaN included."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return float(np.inf)  # a huge int or fraction; its sign is of no interest to anyone here
    return None if np.isnan(number) else number


def check_choice(value: str, name: str, choices: tuple[str, ...]) -> str:
    """One of the named choices."""
    if value not in choices:
        known = ", ".join(repr(c) for c in choices)
        raise ValueError(f"{name} must be one of {known}; got {value!r}")
    return value


def check_mass(k: float, total: float) -> float:
    """k as a total mass: 0 <= k <= Σ w."""
    mass = _as_float(k)
    if mass is None or np.isinf(mass):
        raise ValueError(f"k must be a finite number, the total mass Σ w y; got {k!r}")
    if not 0.0 <= mass <= total * (1.0 + ROUNDING):
        raise ValueError(f"k must lie between 0 and the total weight {total:g}, got {k}; no projection has that mass")
    return min(mass, total)


def check_budget(k: Budget) -> Budget:
    """k as objectives and estimators read it; the data come later."""
    if k is None:
        return None
    if isinstance(k, bool):
        raise ValueError(f"k must be None, an int (a count) or a float in (0, 1) (a share), got {k!r}")
    if isinstance(k, numbers.Integral):
        if int(k) < 0:
            raise ValueError(f"k as a count must be >= 0, got {k}")
        return int(k)
    if isinstance(k, numbers.Real):
        if 0.0 < float(k) < 1.0:
            return float(k)
        raise ValueError(
            f"k as a float is a share of the total weight and must lie in (0, 1), got {k!r}; "
            f"for a count pass an int, for example k={int(k) if np.isfinite(float(k)) and float(k) >= 1 else 1}"
        )
    raise ValueError(f"k must be None, an int (a count) or a float in (0, 1) (a share), got {k!r}")


def budget_mass(k: Budget, total: float, positive: float) -> float:
    """The total mass that a budget means on data with total weight ``total``, ``positive`` of it in the positives."""
    if k is None:
        return positive
    if isinstance(k, int):
        if k > total * (1.0 + ROUNDING):
            raise ValueError(
                f"k={k} is more than the total weight {total:g} of the rows; "
                "pass a count up to the number of rows, or a float in (0, 1) for a share of them"
            )
        return min(float(k), total)
    return k * total
