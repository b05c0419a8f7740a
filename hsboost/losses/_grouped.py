"""One hypersimplex per group of rows: what `_single` does, for all groups at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import segments as kernels
from hsboost._kernels._compile import as_input
from hsboost._solver.segments import Multipliers, Segments
from hsboost._solver.solve import solve_multipliers
from hsboost._validation import BudgetRule, Budgets, FloatArray
from hsboost.losses import _single
from hsboost.losses._single import Rows, Slopes


class GroupedRows(NamedTuple):
    """Rows sorted by group, with Σ w, Σ w y and the mass of each group."""

    segments: Segments
    x: FloatArray
    y: FloatArray
    w: FloatArray | None
    total: np.ndarray
    positive: np.ndarray
    mass: np.ndarray

    def of(self, g: int) -> Rows:
        """The rows of one group."""
        at = self.segments.slice(g)
        w = None if self.w is None else self.w[at]
        sums = float(self.total[g]), float(self.positive[g]), float(self.mass[g])
        return Rows(self.x[at], self.y[at], w, *sums)


class GroupedRound(NamedTuple):
    """What one boosting round leaves for the next."""

    segments: Segments
    rule: BudgetRule
    where: Multipliers
    total: float
    active: float

    @property
    def soft_threshold(self) -> np.ndarray:
        """The raw score that got ŷ = 1/2, per group."""
        return self.where.soft_threshold

    @property
    def active_share(self) -> float:
        """Share of the weight with 0 < ŷ < 1."""
        return self.active / self.total

    def without_arrays(self) -> GroupedRound:
        """Without the rows' order, which is the size of the data."""
        slim = Segments(self.segments.labels, self.segments.offsets, None)
        return self._replace(segments=slim)


class Counted(NamedTuple):
    """Labels and weights sorted by group, and the sums Σ w and Σ w y of each."""

    y: FloatArray
    w: FloatArray | None
    total: np.ndarray
    positive: np.ndarray


def count(segments: Segments, y_true: ArrayLike, n: int, w: FloatArray | None) -> Counted:
    """Check labels and weights, sort them by group and add them up."""
    y = _single.check_label_array(y_true, n)
    own = as_input(check.as_floats(y, np.float32))
    sorted_y, sorted_w = segments.sort(own), None if w is None else segments.sort(w)
    sums = np.empty((4, len(segments.labels)))
    kernels.segment_totals(segments.small_rows, sorted_y, sorted_w, segments.offsets, segments.tasks, sums)
    for g in segments.large:
        at = segments.slice(g)
        sums[:, g] = _single.label_totals(sorted_y[at], None if sorted_w is None else sorted_w[at])
    total, positive, wrong_labels, wrong_weights = sums
    if wrong_labels.any():
        raise check.bad_labels(y)
    if wrong_weights.any() and w is not None:
        raise check.bad_weights(w)
    return Counted(sorted_y.astype(np.float32, copy=False), sorted_w, total, positive)


def check_rows(
    rule: BudgetRule, segments: Segments, x: FloatArray, y_true: ArrayLike, w: FloatArray | None
) -> GroupedRows:
    """Check labels and weights and sort everything by group."""
    y, sorted_w, total, positive = count(segments, y_true, x.size, w)
    check.check_total_weight(float(total.sum()))
    mass = rule.masses(total, positive)
    check.check_resolution(mass, total, sorted_w, segments.labels)
    return GroupedRows(segments, segments.sort(x), y, sorted_w, total, positive, mass)


def find(rows: GroupedRows, temperature: float, start: Multipliers | None = None) -> Multipliers:
    """Where the groups are cut."""
    return solve_multipliers(rows.segments, rows.x, rows.w, rows.mass, rows.total, temperature, "raw_prediction", start)


def squared_distance(rows: GroupedRows, where: Multipliers) -> float:
    """Σ w (ŷ - y)² over all groups."""
    out = np.zeros(rows.total.size)
    s = rows.segments
    kernels.segment_squares(
        s.small_rows, rows.x, rows.y, rows.w, s.offsets, s.tasks, where.scale, where.anchor, where.nu, out
    )
    for g in s.large:
        out[g] = _single.squared_distance(rows.of(g), where.at(g))
    return float(out.sum())


def conjugate_loss(rows: GroupedRows, where: Multipliers) -> float:
    """The sum of `_single.conjugate_loss` over the groups that weigh something."""
    s = rows.segments
    out = np.zeros((3, rows.total.size))
    kernels.segment_conjugates(
        s.small_rows, rows.x, rows.y, rows.w, s.offsets, s.tasks, where.scale, where.anchor, where.nu, out
    )
    for g in s.large:
        out[:, g] = _single.conjugate_sums(rows.of(g), where.at(g))
    inner, position, squares = out
    unbalanced = (rows.mass - rows.positive) / np.where(rows.total > 0.0, rows.total, 1.0)
    # Where mass and positives agree nothing is to be centred, however far the scores are.
    with np.errstate(invalid="ignore", over="ignore"):
        centring = np.where(unbalanced != 0.0, position, 0.0) * unbalanced
    return _single.finite_or_infinite(float((inner - centring + 0.5 * squares).sum()))


def derivatives(
    rows: GroupedRows, where: Multipliers, slopes: Slopes, dtype: Any, means: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Gradient and curvature in the caller's order, and the weight of all active rows.

    ``means`` is what each group's residuals are centred with when these are not all of its rows.
    """
    s = rows.segments
    gradient, hessian = np.empty(s.n, dtype), np.empty(s.n, dtype)
    given = means is not None
    if means is None and slopes.convex:
        means = np.divide(rows.mass - rows.positive, rows.total, out=np.zeros(rows.total.size), where=rows.total > 0.0)
    active = np.zeros(rows.total.size)
    kernels.segment_gradient(
        s.small_rows, rows.x, rows.y, rows.w, s.offsets, s.tasks, where.scale, where.anchor, where.nu,
        means, slopes.own, slopes.slope, slopes.outer, slopes.bend, slopes.floor,
        gradient, hessian, active,
    )  # fmt: skip
    for g in s.large:
        at = s.slice(g)
        mean = float(means[g]) if given and means is not None else None
        active[g] = _single.write_derivatives(rows.of(g), where.at(g), slopes, gradient[at], hessian[at], mean)
    return s.unsort(gradient), s.unsort(hessian), float(active.sum())


def step(
    k: Budgets,
    temperature: float,
    slopes_of: Callable[[float], Slopes],
    x: FloatArray,
    y_true: ArrayLike,
    w: FloatArray | None,
    segments: Segments,
    state: GroupedRound | None,
    one_of_several: bool = False,
) -> tuple[np.ndarray, np.ndarray, GroupedRound]:
    """One boosting round; ``slopes_of`` gives the `Slopes` for a total weight."""
    same = state is not None and np.array_equal(state.segments.offsets, segments.offsets)
    last = state if same else None
    rule = last.rule if last is not None and last.rule.labels == segments.labels else BudgetRule.of(k, segments.labels)
    rows = check_rows(rule, segments, x, y_true, w)
    total = float(rows.total.sum())
    if k is None and not one_of_several and not 0.0 < float(rows.mass.sum()) < total:
        raise _single.one_class(0 if rows.mass.sum() <= 0.0 else 1)
    slopes = slopes_of(total)
    if last is None:
        _single.warn_if_all(float(rows.mass.sum()), total, slopes)
    where = find(rows, temperature, None if last is None else last.where)
    gradient, hessian, active = derivatives(rows, where, slopes, np.float32)
    return gradient, hessian, GroupedRound(segments, rule, where, total, active)
