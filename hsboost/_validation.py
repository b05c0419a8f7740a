"""One clear error for each kind of bad input: it names the argument, the value found and the remedy."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from hsboost._kernels._compile import as_input
from hsboost._kernels.columns import transpose

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]

#: k as the objectives and estimators read it: None, a count (int) or a share of the total weight (float in (0, 1)).
Budget: TypeAlias = int | float | None

#: k where there are several projections: one budget for each, or a mapping from the group's (or class's) label, in
#: which None stands for all labels that it does not name.
Budgets: TypeAlias = Budget | Mapping[Any, Any]

#: Least sum of weights, and least share of it as a mass where weights lie further apart: see `check_resolution`.
LEAST_TOTAL, LEAST_SHARE = 1e-290, 1e-10

#: k may exceed Σ w by this share and still mean "all": sums of float weights depend on their order.
ROUNDING = 1e-12

#: A count that is above any number of rows, and not above all floats.
MOST = 1 << 1000


def native(array: np.ndarray) -> np.ndarray:
    """The same values in this machine's byte order."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def as_floats(array: np.ndarray, otherwise: type[np.floating[Any]] = np.float64) -> FloatArray:
    """float32 and float64 as they are, in this machine's byte order; other numbers in the float type named."""
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
    """Scores of shape (n,), or of shape (n, C) with C > 1, column by column in memory: otherwise `check_scores`."""
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
    """``out`` can take the values of a projection of ``scores``; None can."""
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
    """Nothing is masked: NumPy would drop the mask, and count what lies under it."""
    if np.ma.is_masked(array):
        row = int(np.argmax(np.ma.getmaskarray(array).reshape(len(array), -1).any(axis=1)))
        raise ValueError(
            f"{name} is a masked array with masked entries (first: row {row}); drop these rows, or fill them in"
        )


def check_same_length(array: np.ndarray, name: str, n: int, other: str) -> None:
    """Both arrays describe the same rows."""
    if array.shape != (n,):
        raise ValueError(f"{name} must have one entry per row of {other}: expected shape ({n},), got {array.shape}")


def check_weight(sample_weight: ArrayLike | None, n: int, other: str, name: str = "sample_weight") -> FloatArray | None:
    """Weights as a contiguous float array of length n, or None. :func:`checked_weight` looks at the values."""
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
    check_total_weight(float(weight.sum(dtype=np.float64)), name)
    return weight.astype(np.float64, copy=False)


def checked_stored_weight(weight: FloatArray, name: str) -> FloatArray:
    """:func:`checked_weight` of weights that a booster keeps, in float32: some count there, and none is infinite."""
    weight = checked_weight(weight, name)
    check_most(weight, name)
    check_some_weight(float(weight.max()), name)
    return weight


def check_most(weight: FloatArray, name: str) -> None:
    """No weight is infinite in float32."""
    most = float(np.finfo(np.float32).max)
    if weight.size and weight.max() > most:
        row = int(np.argmax(weight > most))
        raise ValueError(
            f"{name} must be at most {most:.3g}, as boosters keep weights in float32, got {weight[row]} at row {row}; "
            "divide the weights by a constant"
        )


def check_some_weight(greatest: float, name: str) -> None:
    """The greatest weight is not 0 in float32."""
    if not np.float32(greatest) > 0.0:
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
    """Some row must count."""
    if total == np.inf:
        raise ValueError(f"{name} must have a finite sum, got inf; divide the weights by a constant")
    if not total > 0.0:
        raise ValueError(f"{name} must have a positive sum, got {total}; with every weight zero no row would count")


def check_resolution(mass: Any, total: Any, weight: FloatArray | None, labels: list[Any] | None = None) -> None:
    """Sums of weights keep their digits: one total per problem (per group of ``labels``), masses of any leading shape.

    Products of weights below `LEAST_TOTAL` are subnormal. A mass far below the rounding of Σ w, given to rows that
    weigh as little, would drown in the weights of the others.
    """
    if weight is None:
        return
    totals, masses = np.atleast_1d(total), np.atleast_1d(mass)
    small = (totals > 0.0) & (totals < LEAST_TOTAL)
    if small.any():
        at = int(np.argmax(small))
        where = "" if labels is None else f" in group {labels[at]!r}"
        raise ValueError(
            f"sample_weight must have a sum of at least {LEAST_TOTAL:g} (or 0), got {totals[at]:.3g}{where}, which "
            "leaves floats without digits; multiply the weights by a constant: only their ratios count"
        )
    lost = (masses > 0.0) & (masses < LEAST_SHARE * totals)
    if lost.any() and weight[weight > 0.0].min() < LEAST_SHARE * weight.max():
        mass, whole = masses[lost][0], np.broadcast_to(totals, masses.shape)[lost][0]
        raise ValueError(
            f"k={mass:.3g} is less than {LEAST_SHARE:g} of the total weight {whole:.3g}, and the weights lie further "
            f"apart than that ({weight[weight > 0.0].min():.3g} to {weight.max():.3g}): what rows of little weight get "
            "would be rounding; leave out the heavy rows, or make the weights more alike"
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
    number = _as_float(value)
    if number is not None and 0.0 < number < np.inf:
        return number
    raise ValueError(f"{name} must be a positive finite number, got {value!r}")


def check_share(value: float, name: str) -> float:
    """A real number between 0 and 1, both left out."""
    number = _as_float(value)
    if number is not None and 0.0 < number < 1.0:
        return number
    raise ValueError(f"{name} must be a number in (0, 1), a share of the rows; got {value!r}")


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


def check_mass(k: Any, total: float) -> float:
    """k as a total mass: 0 <= k <= Σ w."""
    mass = _mass(k)
    if not 0.0 <= mass <= total * (1.0 + ROUNDING):
        raise ValueError(f"k must lie between 0 and the total weight {total:g}, got {k}; no projection has that mass")
    return min(mass, total)


def _mass(k: Any) -> float:
    """A number that may be a mass; its range is checked later."""
    mass = _as_float(k)
    if mass is None or np.isinf(mass):
        raise ValueError(f"k must be a finite number, the total mass Σ w y; got {k!r}")
    return mass


def check_masses(k: Any, labels: list[Any] | None, columns: tuple[int, ...]) -> np.ndarray:
    """k as masses of shape (columns, groups)."""
    if isinstance(k, Mapping):
        if labels is None:
            raise ValueError("k is a mapping, which goes from group labels to masses; pass groups=, or k as an array")
        k = [_mass(mass) for mass in budgets_of(k, labels, "group", "mass")]
        if columns:
            k = [k] * columns[0]
    shape = (columns[0] if columns else 1, 1 if labels is None else len(labels))
    of = "one entry per " + ("column and group" if columns and labels else "column" if columns else "group")
    expected = shape if columns and labels is not None else shape[:1] if columns else shape[1:]
    if hasattr(k, "index") and hasattr(k, "loc"):
        raise ValueError("k is a pandas object, read by position or by label? pass k.to_dict() or k.to_numpy()")
    if isinstance(k, str | bytes) or np.isscalar(k):
        return np.full(shape, _mass(k))
    try:
        masses = np.asarray(k)
        found = f"shape {masses.shape} of {masses.dtype}"
    except ValueError:
        masses, found = np.empty(0, dtype=object), "rows of different lengths"
    if masses.ndim == 0 and masses.dtype.kind in "iuf":
        return np.full(shape, float(masses))
    if masses.dtype.kind not in "iuf" or masses.shape not in {
        expected,
        shape,
        shape[1:] if labels is not None else None,
    }:
        raise ValueError(f"k must be a number or have {of}, shape {expected}; got {found}")
    return np.broadcast_to(
        masses.astype(np.float64).reshape(shape if masses.size == shape[0] * shape[1] else -1), shape
    )


def check_masses_fit(masses: np.ndarray, totals: np.ndarray, labels: list[Any] | None) -> None:
    """0 <= k <= Σ w in every column and group."""
    good = (masses >= 0.0) & (masses <= totals * (1.0 + ROUNDING))
    if not good.all():
        c, g = np.argwhere(~good)[0].tolist()
        where = (
            f"column {c}" if labels is None else f"group {labels[g]!r}" + (f", column {c}" if len(masses) > 1 else "")
        )
        raise ValueError(
            f"k must lie between 0 and the total weight {totals[g]:g}, got {masses[c, g]} for {where}; "
            "no projection has that mass"
        )


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


def check_budgets(k: Budgets) -> Budgets:
    """One budget, or a mapping from labels of groups or classes to budgets (a class may map to groups again)."""
    if not isinstance(k, Mapping):
        return check_budget(k)
    if not k:
        raise ValueError("k is an empty mapping; give each group or class a budget")
    checked = {}
    for label, budget in k.items():
        try:
            checked[label] = check_budgets(budget)
        except ValueError as error:
            raise ValueError(f"k[{label!r}]: {error}") from None
    return checked


def by_label(k: Mapping[Any, Any]) -> Mapping[Any, Any]:
    """A mapping under the labels that groups have: pandas' dates for NumPy's, whose hashes differ before NumPy 2.2."""
    return {_as_label(key): value for key, value in k.items()} if any(map(_is_date, k)) else k


def _is_date(key: Any) -> bool:
    return isinstance(key, np.datetime64 | np.timedelta64)


def _as_label(key: Any) -> Any:
    if not _is_date(key):
        return key
    import pandas as pd  # labels that are dates have loaded it

    try:
        return pd.Timestamp(key) if isinstance(key, np.datetime64) else pd.Timedelta(key)
    except ValueError:  # no label of a group: spans of months, or beyond what pandas can hold
        return key


def budgets_of(k: Mapping[Any, Any], labels: list[Any], what: str, budget: str = "budget") -> list[Any]:
    """The entry of each label; that of None goes for labels without one of their own.

    ``what`` the labels are of, and what a ``budget`` is called, is for the error.
    """
    k = by_label(k)
    missing = [] if None in k else [label for label in labels if label not in k]
    if missing:
        many = f"({len(missing)} such groups in all)" if what == "group" else f"(of {len(labels)})"
        raise ValueError(
            f"k has no {budget} for {what} {missing[0]!r} {many}; add it to the mapping, or one for all labels that it "
            f"does not name, {{None: {budget}}}"
        )
    return [k[label] if label in k else k[None] for label in labels]


def single_budget(k: Budgets) -> Budget:
    """The budget of rows that are one group and one class."""
    if isinstance(k, Mapping):
        raise ValueError(
            f"k is a mapping of {len(k)} labels, but there is one projection only; pass groups=, scores with one "
            "column per class, or a single budget"
        )
    return k


def check_classes(y_true: ArrayLike, n: int, n_classes: int) -> np.ndarray:
    """Class indices 0 … C-1 as an integer array of length n."""
    refuse_mask(y_true, "y_true")
    y = np.asarray(y_true)
    check_same_length(y, "y_true", n, "raw_prediction")
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y_true must hold the classes 0 … {n_classes - 1}, got dtype {y.dtype}; encode them first")
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


def class_budgets(k: Budgets, n_classes: int) -> list[Budgets]:
    """The budget of each class."""
    if not isinstance(k, Mapping):
        return [k] * n_classes
    return budgets_of(k, list(range(n_classes)), "class")


def wrong_groups(found: int, expected: int) -> ValueError:
    """The error for groups of other rows."""
    return ValueError(
        f"groups describes {found} rows, but the scores have {expected}; pass one label per row of this data set "
        '(for data sets of several sizes keep the groups in them and use groups="dataset")'
    )


class BudgetRule(NamedTuple):
    """Budgets of several groups as arrays: mass = fixed + share Σ w + own Σ w y."""

    fixed: np.ndarray
    share: np.ndarray
    own: np.ndarray
    labels: list[Any]

    @classmethod
    def of(cls, k: Budgets, labels: list[Any]) -> BudgetRule:
        """The rule for groups with these labels."""
        if isinstance(k, Mapping):
            budgets = [single_budget(budget) for budget in budgets_of(k, labels, "group")]
        else:
            budgets = [k] * len(labels)
        fixed = np.array([float(min(b, MOST)) if isinstance(b, int) else 0.0 for b in budgets])
        share = np.array([b if isinstance(b, float) else 0.0 for b in budgets])
        own = np.array([1.0 if b is None else 0.0 for b in budgets])
        return cls(fixed, share, own, labels)

    def masses(self, total: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """Each group's mass; a count takes all rows of a smaller group."""
        return np.minimum(self.fixed + self.share * total + self.own * positive, total)


def budget_mass(k: Budget, total: float, positive: float) -> float:
    """The total mass that a budget means on data with total weight ``total``, ``positive`` of it in the positives.

    A count takes all rows where there are fewer, with groups and without.
    """
    if k is None:
        return positive
    return float(min(k, total)) if isinstance(k, int) else k * total
