"""What k means: a mass for a projection; a count, a share or a mapping of them for losses, estimators and metrics."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from hsboost._validation.arrays import FloatArray, as_float

#: k as the objectives and estimators read it: None, a count (int) or a share of the total weight (float in (0, 1)).
Budget: TypeAlias = int | float | None

#: k for several projections: one budget for each of them, or a mapping from the group's (or class's) label to its
#: budget, in which None stands for all labels that are not keys.
Budgets: TypeAlias = Budget | Mapping[Any, Any]

#: Least sum of weights, and least share of it that a mass may be when weights differ by more: see `check_resolution`.
LEAST_TOTAL, LEAST_SHARE = 1e-290, 1e-10

#: k may exceed Σ w by this share and still mean "all": sums of float weights depend on their order.
ROUNDING = 1e-12

#: A count above any number of rows, and below the largest float.
MOST = 1 << 1000


def check_resolution(mass: Any, total: Any, weight: FloatArray | None, labels: list[Any] | None = None) -> None:
    """Check that sums of weights keep their digits: one total per problem (per group of ``labels``).

    ``mass`` may have any leading shape. Products of weights below `LEAST_TOTAL` are subnormal. A mass far below the
    rounding error of Σ w, assigned to rows of equally small weight, would be lost in the weights of the other rows.
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


def check_mass(k: Any, total: float) -> float:
    """k as a total mass: 0 <= k <= Σ w, give or take the rounding of a sum."""
    mass = _mass(k)
    if not 0.0 <= mass <= total * (1.0 + ROUNDING):
        raise ValueError(f"k must lie between 0 and the total weight {total:g}, got {k}; no projection has that mass")
    return mass


def _mass(k: Any) -> float:
    """A number that may be a mass; its range is checked later."""
    mass = as_float(k)
    if mass is None or np.isinf(mass):
        raise ValueError(f"k must be a finite number, the total mass Σ w y; got {k!r}")
    return mass


def _numbers(masses: list[Any]) -> Any:
    """`_mass` of each: all at once where they are Python's own numbers."""
    if set(map(type, masses)) <= {int, float}:
        try:
            found = np.array(masses, np.float64)
        except OverflowError:  # an int beyond floats
            pass
        else:
            if np.isfinite(found).all():
                return found
    return [_mass(mass) for mass in masses]


def check_masses(k: Any, labels: list[Any] | None, columns: tuple[int, ...]) -> np.ndarray:
    """k as masses of shape (columns, groups)."""
    if isinstance(k, Mapping):
        if labels is None:
            raise ValueError("k is a mapping, which goes from group labels to masses; pass groups=, or k as an array")
        k = _numbers(budgets_of(k, labels, "group", "mass"))
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
    """Check k as objectives and estimators take it, before any data are known."""
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
    """The mapping with keys equal to the groups' labels: before NumPy 2.2, its dates and pandas' hash differently."""
    dates = any(issubclass(kind, np.datetime64 | np.timedelta64) for kind in set(map(type, k)))
    return {_as_label(key): value for key, value in k.items()} if dates else k


def _as_label(key: Any) -> Any:
    if not isinstance(key, np.datetime64 | np.timedelta64):
        return key
    import pandas as pd  # labels that are dates have loaded it

    try:
        return pd.Timestamp(key) if isinstance(key, np.datetime64) else pd.Timedelta(key)
    except ValueError:  # cannot be a group's label: a span of months, or beyond pandas' range
        return key


def budgets_of(k: Mapping[Any, Any], labels: list[Any], what: str, budget: str = "budget") -> list[Any]:
    """The entry of each label; labels without their own entry get that of None.

    The error names ``what`` the labels belong to and calls an entry a ``budget``.
    """
    k = by_label(k)
    if type(k) is dict:  # without __missing__
        with suppress(KeyError):
            return list(map(k.__getitem__, labels))
    missing = [] if None in k else [label for label in labels if label not in k]
    if missing:
        many = f"({len(missing)} such groups in all)" if what == "group" else f"(of {len(labels)})"
        raise ValueError(
            f"k has no {budget} for {what} {missing[0]!r} {many}; add it to the mapping, or one for all labels that it "
            f"does not name, {{None: {budget}}}"
        )
    return [k[label] if label in k else k[None] for label in labels]


def single_budget(k: Budgets) -> Budget:
    """The budget of rows that form a single group and class."""
    if isinstance(k, Mapping):
        raise ValueError(
            f"k is a mapping of {len(k)} labels, but there is one projection only; pass groups=, scores with one "
            "column per class, or a single budget"
        )
    return k


def class_budgets(k: Budgets, n_classes: int) -> list[Budgets]:
    """The budget of each class."""
    if not isinstance(k, Mapping):
        return [k] * n_classes
    return budgets_of(k, list(range(n_classes)), "class")


class BudgetRule(NamedTuple):
    """Budgets of several problems as arrays, (G,) or (C, G): mass = fixed + share Σ w + own Σ w y."""

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
            budgets = [k]
        fixed = np.array([float(min(b, MOST)) if isinstance(b, int) else 0.0 for b in budgets])
        share = np.array([b if isinstance(b, float) else 0.0 for b in budgets])
        own = np.array([1.0 if b is None else 0.0 for b in budgets])
        if not isinstance(k, Mapping):
            fixed, share, own = (np.full(len(labels), part[0]) for part in (fixed, share, own))
        return cls(fixed, share, own, labels)

    @classmethod
    def of_problems(cls, k: Budgets, classes: int, labels: list[Any] | None) -> BudgetRule:
        """The rule for every class and group, (C, G); ``labels`` None: no groups."""
        if classes == 1 and labels is None:  # the usual case, in a tenth of the time
            one = single_budget(k)
            count = float(min(one, MOST)) if isinstance(one, int) else 0.0
            part, positives = one if isinstance(one, float) else 0.0, 1.0 if one is None else 0.0
            return cls(np.array([[count]]), np.array([[part]]), np.array([[positives]]), [None])
        budgets = [k] if classes == 1 else class_budgets(k, classes)
        rules = [cls.of(single_budget(b), [None]) if labels is None else cls.of(b, labels) for b in budgets]
        fixed, share, own = (np.stack(parts) for parts in zip(*(rule[:3] for rule in rules), strict=True))
        return cls(fixed, share, own, rules[0].labels)

    def masses(self, total: np.ndarray, positive: np.ndarray) -> np.ndarray:
        """Each problem's mass; a count takes all rows of a smaller group."""
        if positive.size == 1:  # in a fifth of the time
            whole = total.item()
            mass = self.fixed.item() + self.share.item() * whole + self.own.item() * positive.item()
            return np.full(positive.shape, min(mass, whole))
        return np.minimum(self.fixed + self.share * total + self.own * positive, total)


def budget_mass(k: Budget, total: float, positive: float) -> float:
    """The total mass that a budget means on data with total weight ``total``, ``positive`` of it in the positives.

    A count takes all rows where there are fewer, with groups and without.
    """
    if k is None:
        return positive
    return float(min(k, total)) if isinstance(k, int) else k * total
