"""A boosting round of a hypersimplex loss on one machine, and the state that a round leaves for the next."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.problems import users_numbers
from hsboost._solver.segments import Multipliers, Segments
from hsboost._validation import BudgetRule, Budgets, FloatArray
from hsboost.losses._passes import Passes, Slopes, Sums, Totals
from hsboost.losses._problems import Rows, check_learnable, warn_if_all
from hsboost.losses._recycled import LEAST, Recycled


class Coupled(Protocol):
    """The interface of a loss that a round needs."""

    k: Budgets
    temperature: float

    @property
    def passes(self) -> Passes:
        """Those of its projection."""
        ...

    def boosting_slopes(self, total: float) -> Slopes:
        """Scales of the derivatives that boosters get, for weights with the sum ``total``."""
        ...


class Round(NamedTuple):
    """The result of a round: a few numbers per problem, and memory for the next round's results.

    Attributes
    ----------
    where : Multipliers of shape (C, G)
        The solutions: where the next search starts.
    totals : Totals
        Budgets as masses, Σ w, Σ w y.
    active : ndarray of shape (C, G)
        Σ w of the rows with 0 < ŷ < 1; for entropic projections Σ w 4 ŷ (1 - ŷ).
    weight : float
        Σ w of all rows.
    offsets : ndarray of shape (G + 1,)
        Offsets of the groups in the sorted rows.
    k : Budgets
        The loss's budget or budgets.
    rule : BudgetRule
        The budgets of these classes and groups, as a rule for masses.
    columns, grouped : bool
        Whether scores came with a column per class, and in groups.
    meeting : Any
        What the workers of a distributed training agreed on.
    kept : Any
        What the passes left for those of the next round.
    spare : Recycled or None
        The memory of gradient and curvature, if that is much.
    """

    where: Multipliers
    totals: Totals
    active: np.ndarray
    weight: float
    offsets: np.ndarray
    k: Budgets
    rule: BudgetRule
    columns: bool = False
    grouped: bool = False
    meeting: Any = None
    kept: Any = None
    spare: Recycled | None = None

    @property
    def soft_threshold(self) -> Any:
        """The raw score that got ŷ = 1/2: a float, per group (G,), per class (C,), or (C, G)."""
        return users_numbers(self.where, self.columns, self.grouped)[1]

    @property
    def active_share(self) -> Any:
        """Share of the weight that is active: a float, or one per class (C,)."""
        shares = self.active.sum(axis=1) / self.weight
        return shares if self.columns else float(shares[0])

    def without_memory(self) -> Round:
        """The numbers alone."""
        return self if self.spare is None else self._replace(spare=None)

    def is_of(self, loss: Coupled, x: FloatArray, segments: Segments | None) -> bool:
        """Whether a round with this loss's budget and scores and groups of these shapes can start from this one."""
        if self.meeting is not None or self.grouped != (segments is not None) or self.columns != (x.ndim == 2):
            return False
        if (self.columns and len(self.where.nu) != x.shape[1]) or self.k != loss.k:
            return False
        if segments is None:
            return bool(self.offsets[-1] == x.shape[0])
        return np.array_equal(self.offsets, segments.offsets) and self.rule.labels == segments.labels


def step(
    loss: Coupled,
    x: FloatArray,
    y_true: ArrayLike,
    w: FloatArray | None,
    segments: Segments | None,
    state: Any,
    gradient_out: np.ndarray | None = None,
    hessian_out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, Round]:
    """Gradient and curvature in float32, in the shape of the scores, and the state for the next round."""
    last = state if isinstance(state, Round) and state.is_of(loss, x, segments) else None
    rows = Rows.of(x, y_true, w, segments)
    start, kept = (None, None) if last is None else (last.where, last.kept)
    # Labels and weights rarely change between rounds: assume those of the last round, and check them in the pass.
    sums = None
    passes = loss.passes
    if last is not None and passes.checks_along(rows):
        totals, rule, weight = last.totals, last.rule, last.weight
        where = find(loss, rows, totals, start)
        sums = passes.sums(rows, where, totals, kept)
        sums = sums if sums is not None and sums.known else None
    if sums is None:
        rows, total, positive = rows.counted()
        weight = float(total.sum())
        check.check_total_weight(weight)
        labels = None if segments is None else segments.labels
        rule = BudgetRule.of_problems(loss.k, len(positive), labels) if last is None else last.rule
        mass = rule.masses(total, positive)
        check.check_resolution(mass, total, rows.problems.w, labels)
        check_learnable(loss.k, total, positive, mass)
        totals = Totals(mass, total, positive)
        where = find(loss, rows, totals, start)
        sums = passes.sums(rows, where, totals, kept)
    slopes = loss.boosting_slopes(weight)
    if last is None and not slopes.convex:
        warn_if_all(totals.mass, totals.total)
    spare = None if last is None else last.spare
    gradient, hessian, spare = outputs(x.shape, gradient_out, hessian_out, spare)
    active = write_in_order(passes, rows, where, slopes, gradient, hessian, totals, sums)
    if sums is not None and not sums.known and sums.total is not None and sums.positive is not None:
        # As the next round's pass will add them up: the order of additions differs from the first look's.
        totals = Totals(rule.masses(sums.total, sums.positive), sums.total, sums.positive)
    offsets = rows.problems.segments.offsets
    columns, grouped = x.ndim == 2, segments is not None
    kept = None if sums is None else sums.kept
    ended = Round(where, totals, active, weight, offsets, loss.k, rule, columns, grouped, None, kept, spare)
    return gradient, hessian, ended


def outputs(
    shape: tuple[int, ...],
    gradient_out: np.ndarray | None,
    hessian_out: np.ndarray | None,
    spare: Recycled | None,
) -> tuple[np.ndarray, np.ndarray, Recycled | None]:
    """Arrays to write into, column by column in memory: the caller's, the last round's if it is free, or new ones.

    And the memory to pass to the next round.
    """
    if gradient_out is None and hessian_out is None:
        both, spare = _both((2, *shape[::-1]), spare)
        return both[0].T, both[1].T, spare
    if gradient_out is None or hessian_out is None:
        name = "gradient_out" if gradient_out is None else "hessian_out"
        raise ValueError(f"{name} must be given where the other of gradient_out and hessian_out is, got None")
    for array, name in ((gradient_out, "gradient_out"), (hessian_out, "hessian_out")):
        if array.shape != shape or array.dtype != np.float32 or not array.T.flags.c_contiguous:
            raise ValueError(
                f"{name} must be a float32 array of the scores' shape {shape}, column by column in memory, got "
                f"{array.dtype} of shape {array.shape}; pass what the last round returned"
            )
    return gradient_out, hessian_out, spare


def _both(shape: tuple[int, ...], spare: Recycled | None) -> tuple[np.ndarray, Recycled | None]:
    """One array for both results: one allocation costs less than two."""
    if math.prod(shape) < LEAST:
        return np.empty(shape, np.float32), None
    both = spare.lend() if spare is not None and spare.shape == shape else None
    if both is None:
        spare = Recycled(shape)
        both = spare.lend()
    assert both is not None
    return both, spare


def find(loss: Coupled, rows: Rows, totals: Totals, start: Multipliers | None = None) -> Multipliers:
    """The projections of rows in memory."""
    kind = loss.passes.REGULARIZATION
    return rows.problems.find(totals.mass, totals.total, loss.temperature, "raw_prediction", start, regularization=kind)


def write_in_order(
    passes: Passes,
    rows: Rows,
    where: Multipliers,
    slopes: Slopes,
    gradient: np.ndarray,
    hessian: np.ndarray,
    totals: Totals,
    sums: Sums | None = None,
) -> np.ndarray:
    """Derivatives into arrays of the caller's shape and order, (n,) or (n, C); returns each problem's active weight."""
    one = gradient.ndim == 1
    columns = (gradient[None], hessian[None]) if one else (gradient.T, hessian.T)
    segments = rows.problems.segments
    sorted_gradient, sorted_hessian = columns if segments.placed is None else map(np.empty_like, columns)
    active = passes.write(rows, where, slopes, sorted_gradient, sorted_hessian, totals, sums)
    segments.unsort(sorted_gradient, columns[0])
    segments.unsort(sorted_hessian, columns[1])
    return active
