"""Passes of log loss under a window, over rows whose entropic projection is known: the window lies on its edge."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from hsboost._kernels import windowed as kernels
from hsboost._kernels import windowed_segments as segment_kernels
from hsboost._solver.problems import Problems, Regularization
from hsboost._solver.search import scale_of
from hsboost._solver.segments import Multipliers
from hsboost._validation import FloatArray
from hsboost._workers.communicator import Workers
from hsboost._workers.entropic import find_distributed
from hsboost._workers.rows import WorkerRows
from hsboost.losses._entropic import edge_sums, edge_sums_of_all
from hsboost.losses._passes import Slopes, Solved, Sums, Totals, one_problem, place_of, seen
from hsboost.losses._problems import Rows, worker_rows

#: Scores are log-odds: intercepts are projections at this temperature.
LOG_ODDS = 1.0


def of_log_loss(positive: np.ndarray, negative: np.ndarray, guard: float) -> np.ndarray:
    """The part ρ of the weights that plain log loss has: 1/2 where one class weighs ``guard`` under the window.

    Trees that learn from a few rows of a class learn these rows by heart.
    """
    rarer = np.maximum(np.minimum(positive, negative), 0.0)
    if guard == 0.0:
        return np.zeros_like(rarer)
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + (rarer / guard) ** 2))


class Windowed(NamedTuple):
    """The passes of one loss: `hsboost.losses._passes.Passes`.

    A row's weight is a = floor + ρ + (1 - ρ) 4 d, with d = ŷ (1 - ŷ) of its projection, times its sample weight; ρ is
    `of_log_loss`. Groups have intercepts, at which Σ w a p = Σ w a y: those of the least loss.
    """

    floor: float
    guard: float

    @property
    def REGULARIZATION(self) -> Regularization:
        """Of the projection on whose edge the window lies."""
        return "entropic"

    def checks_along(self, rows: Rows) -> bool:
        """As the smooth losses': the sums come before the derivatives in groups of every size."""
        return rows.y.dtype == np.float32

    def sums(self, rows: Rows, where: Multipliers, totals: Totals, kept: Any = None) -> Sums:
        """4 Σ w d, -Σ w d y, Σ w d² of every problem, and the groups' intercepts, which ``kept`` are to start from."""
        parts = edge_sums(rows, where, soft=0.0)
        found = seen(parts, 3, totals)
        if not found.known and parts[:, 5:].any():  # wrong labels or weights: an error comes
            return found
        if not _are_grouped(rows):
            return found
        assert found.total is not None
        assert found.positive is not None
        base, peak = self.weights(found, float(found.total.sum()), levelled=False)
        whole, share = _totals(found, found.total, found.positive, base, peak)
        s, x, _ = rows.problems
        intercepts = []
        for c, weights in enumerate(_weights(rows, where, base, peak)):
            column, start = Problems(s, x[c : c + 1], weights), None if kept is None else kept.row(c).reshape((1, -1))
            at = column.find(share[[c]], whole[c], LOG_ODDS, "raw_prediction", start, regularization="entropic")
            intercepts.append(at.row(0))
        return found._replace(kept=Multipliers.stack(intercepts))

    def weights(self, known: Sums, weight: float, levelled: bool) -> tuple[np.ndarray, np.ndarray]:
        """(base, peak) of every class column (C,), a = base + peak d, for rows of ``weight`` = Σ w.

        ``levelled``: times Σ w a / Σ w a² of all problems, so that rows that count weigh about 1.
        """
        assert known.square is not None
        inside, found = known.active.sum(axis=1), -4.0 * known.residual.sum(axis=1)
        share = of_log_loss(found, inside - found, self.guard)
        base, peak = self.floor + share, 1.0 - share
        level = 1.0
        if levelled:
            first = (base * weight + peak * inside).sum()
            square = 16.0 * known.square.sum(axis=1)
            level = first / (base**2 * weight + 2.0 * base * peak * inside + peak**2 * square).sum()
        return level * base, 4.0 * level * peak

    def value(self, rows: Rows, where: Multipliers, convex: bool, totals: Totals) -> float:
        """Σ w a log-loss(p, y) over all problems."""
        known, total = self.sums(rows, where, totals), totals.total
        s, x, w = rows.problems
        out = np.zeros((len(rows.y), total.size, 2))
        for c, y in enumerate(rows.y):
            start, offset = _starts(known.kept, c, total.size)
            if s.small_rows:
                at = where.row(c)
                segment_kernels.segment_value(
                    s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, start, offset, out[c]
                )
            for g in s.large:
                one = *one_problem(rows, c, g), *place_of(where, c, g), start.item(g), offset.item(g)
                out[c, g] = kernels.value.totals(*one)
        base, peak = self.weights(known, float(total.sum()), levelled=False)
        with np.errstate(over="ignore"):
            return float((base * out[:, :, 0].sum(axis=1) + peak * out[:, :, 1].sum(axis=1)).sum())

    def write(
        self,
        rows: Rows,
        where: Multipliers,
        slopes: Slopes,
        gradient: FloatArray,
        hessian: FloatArray,
        totals: Totals,
        sums: Sums | None,
    ) -> np.ndarray:
        """Gradient and curvature into arrays (C, n), group after group; returns 4 Σ w d of every problem."""
        known, total = self.sums(rows, where, totals) if sums is None else sums, totals.total
        base, peak = self.weights(known, float(total.sum()), slopes.levelled)
        s, x, w = rows.problems
        for c, y in enumerate(rows.y):
            start, offset = _starts(known.kept, c, total.size)
            scales = base.item(c), peak.item(c), slopes.floor
            if s.small_rows:
                at = where.row(c)
                segment_kernels.segment_gradient(
                    s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, start, offset,
                    *scales, gradient[c], hessian[c],
                )  # fmt: skip
            for g in s.large:
                at_rows = s.slice(g)
                kernels.gradient(
                    *one_problem(rows, c, g), *place_of(where, c, g), start.item(g), offset.item(g), *scales,
                    gradient[c, at_rows], hessian[c, at_rows],
                )  # fmt: skip
        return known.active

    def solve_over_workers(
        self,
        workers: Workers,
        rows: Rows,
        totals: Totals,
        temperature: float,
        guess: Any,
    ) -> Solved:
        """The projections of all workers' rows, one more call for the window's sums, and the groups' intercepts."""
        mass, total, positive = totals
        shape = mass.shape
        each, mine = np.broadcast_to(total, shape), worker_rows(rows)
        edge, middle = (None, None) if guess is None else guess
        found = find_distributed(workers, mine, mass.ravel(), each.ravel(), scale_of(temperature), edge)
        where = found.reshape(shape)
        sums = Sums(*edge_sums_of_all(workers, rows, where, soft=0.0))
        if _are_grouped(rows):
            base, peak = self.weights(sums, float(total.sum()), levelled=False)
            whole, share = _totals(sums, total, positive, base, peak)
            own_weights = list(_weights(rows, where, base, peak))
            mine = WorkerRows(mine.x, mine.y, np.concatenate(own_weights), mine.offsets)
            intercepts = find_distributed(workers, mine, share.ravel(), whole.ravel(), LOG_ODDS, middle)
            sums = sums._replace(kept=intercepts.reshape(shape))
            middle = intercepts.anchor, intercepts.nu
        return Solved(where, sums, ((found.anchor, found.nu), middle))


def _are_grouped(rows: Rows) -> bool:
    """Whether the rows came with groups, were it one group of them all."""
    return rows.problems.segments.labels != [None]


def _totals(
    sums: Sums, total: np.ndarray, positive: np.ndarray, base: np.ndarray, peak: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(Σ w a, Σ w a y) of every problem (C, G)."""
    whole = base[:, None] * total + peak[:, None] * (sums.active / 4.0)
    share = base[:, None] * positive - peak[:, None] * sums.residual
    return whole, np.minimum(share, whole)


def _weights(rows: Rows, where: Multipliers, base: np.ndarray, peak: np.ndarray) -> Iterator[np.ndarray]:
    """w a of the rows of each class column."""
    s, x, w = rows.problems
    for c, column in enumerate(x):
        out = np.empty(column.size)
        at, scales = where.row(c), (base.item(c), peak.item(c))
        if s.small_rows:
            segment_kernels.segment_weights(
                s.small_rows, column, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, *scales, out
            )
        for g in s.large:
            size, one, _, weight = one_problem(rows, c, g)
            kernels.weights(size, one, weight, *place_of(where, c, g), *scales, out[s.slice(g)])
        yield out


def _starts(intercepts: Multipliers | None, c: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """(start, offset) of a class column's groups: what is taken from scores, in two parts."""
    if intercepts is None:
        return np.zeros(groups), np.zeros(groups)
    return intercepts.anchor[c], intercepts.nu[c]
