"""Passes of the hypersimplex losses over rows whose entropic projection is known: values, sums, derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost._kernels import entropic as kernels
from hsboost._kernels import entropic_segments as segment_kernels
from hsboost._solver.problems import Regularization
from hsboost._solver.search import scale_of
from hsboost._solver.segments import Multipliers
from hsboost._validation import FloatArray
from hsboost._workers.communicator import Workers
from hsboost._workers.entropic import find_distributed
from hsboost.losses._base import LEAST_CURVATURE
from hsboost.losses._passes import Slopes, Solved, Sums, Totals, one_problem, place_of, seen
from hsboost.losses._problems import Rows, worker_rows

REGULARIZATION: Regularization = "entropic"

#: Levelling multiplies by no more than this (or its square). Where training has driven scores so far apart that Σ w d²
#: is smaller still, gradients fade instead of overflowing, and d² rests on LEAST_CURVATURE.
MOST_LEVEL = LEAST_CURVATURE**-0.5


def checks_along(rows: Rows) -> bool:
    """The sums come before the derivatives in groups of every size, and look at labels and weights on the way."""
    return rows.y.dtype == np.float32


def sums(rows: Rows, where: Multipliers, totals: Totals, kept: Any = None) -> Sums | None:
    """4 Σ w d, Σ w d r and Σ w d² of every problem; the same pass compares ``totals``."""
    return seen(edge_sums(rows, where), 3, totals)


def edge_sums(rows: Rows, where: Multipliers, soft: float = 1.0) -> np.ndarray:
    """4 Σ w d, Σ w d (soft ŷ - y), Σ w d² and what `gradient.block_labels` says, a row for each problem."""
    s, x, w = rows.problems
    found = np.zeros((len(rows.y), s.offsets.size - 1, 7))  # a worker may lack rows of every small group
    for c, (y, out) in enumerate(zip(rows.y, found, strict=True)):
        if s.small_rows:
            at = where.row(c)
            segment_kernels.segment_residuals_and_labels(
                s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, soft, out
            )
        for g in s.large:
            one = *one_problem(rows, c, g), *place_of(where, c, g), soft
            out[g] = kernels.residuals_and_labels.totals(*one)
    found[:, :, 0] *= 4.0
    return found.reshape(-1, 7)


def edge_sums_of_all(workers: Workers, rows: Rows, where: Multipliers, soft: float = 1.0) -> np.ndarray:
    """The first three of `edge_sums` over all workers' rows, (3, C, G)."""
    shape = 3, *where.nu.shape

    def own() -> np.ndarray:
        if not rows.problems.segments.n:
            return np.zeros(shape)
        return edge_sums(rows, where, soft)[:, :3].T.reshape(shape)

    return workers.sum(shape, own)


_sums_of = sums  # where an argument has that name


def value(rows: Rows, where: Multipliers, convex: bool, totals: Totals) -> float:
    """½ Σ w (ŷ - y)² over all problems; convex: Σ w [log-loss(ŷ, y) - v (k - Σ w y) / Σ w] with v = logit ŷ."""
    mass, total, positive = totals
    s, x, w = rows.problems
    kernel, segment_kernel, kinds = (
        (kernels.log_loss, segment_kernels.segment_log_loss, 2)
        if convex
        else (kernels.residuals, segment_kernels.segment_residuals, 4)
    )
    out = np.zeros((len(rows.y), total.size, kinds))
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_kernel(s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, out[c])
        for g in s.large:
            out[c, g] = kernel.totals(*one_problem(rows, c, g), *place_of(where, c, g))
    if not convex:
        return 0.5 * float(out[:, :, 3].sum())
    unbalanced = mass - positive
    with np.errstate(invalid="ignore", over="ignore"):
        position = np.where(unbalanced != 0.0, out[:, :, 1], 0.0) / np.where(total > 0.0, total, 1.0)
        found = float((out[:, :, 0] - position * unbalanced).sum())
    return float("inf") if found != found else found


def numbers(slopes: Slopes, known: Sums, totals: Totals) -> tuple[tuple[np.ndarray, ...], tuple[float, float, float]]:
    """What the kernels `gradient` and `convex_gradient` take, on every device.

    (mean, own, spread), or convex (shift, own), of every problem (C, G); then slope, bend and least for all of them.
    """
    assert known.square is not None
    mass, total, positive = totals
    slope_of, square = known.active / 4.0, known.square
    all_slopes, all_squares, weight = float(slope_of.sum()), float(square.sum()), float(total.sum()) * len(mass)
    level = 1.0
    if slopes.levelled and all_slopes > 0.0:
        level = MOST_LEVEL if all_slopes >= MOST_LEVEL * all_squares else all_slopes / all_squares
    if slopes.convex:
        shift = np.divide(mass - positive, total, out=np.zeros_like(mass), where=total > 0.0)
        least = slopes.floor * all_slopes / weight
    else:
        shift = np.divide(known.residual, slope_of, out=np.zeros_like(mass), where=slope_of > 0.0)
        level, least = level * level, slopes.floor * all_squares / weight
    own = np.divide(slopes.own, slope_of, out=np.zeros_like(mass), where=slope_of > 0.0)
    spread = np.divide(square, slope_of, out=np.zeros_like(mass), where=slope_of > 0.0)
    per_problem = (shift, own) if slopes.convex else (shift, own, spread)
    # d is at most 1/4: no row's own curvature reaches a floor of 1.
    least = 1.0 if slopes.unit else max(least, LEAST_CURVATURE)
    return per_problem, (slopes.slope * level, slopes.bend * level, least)


def write(
    rows: Rows,
    where: Multipliers,
    slopes: Slopes,
    gradient: FloatArray,
    hessian: FloatArray,
    totals: Totals,
    sums: Sums | None,
) -> np.ndarray:
    """Gradient and curvature into arrays (C, n), group after group; returns 4 Σ w d of every problem."""
    known = _sums_of(rows, where, totals) if sums is None else sums
    assert known is not None
    per_problem, scales = numbers(slopes, known, totals)
    if slopes.convex:
        kernel, segment_kernel = kernels.convex_gradient, segment_kernels.segment_convex_gradient
    else:
        kernel, segment_kernel = kernels.gradient, segment_kernels.segment_gradient
    s, x, w = rows.problems
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_kernel(
                s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu,
                *(part[c] for part in per_problem), *(np.full(totals.total.size, one) for one in scales),
                gradient[c], hessian[c],
            )  # fmt: skip
        for g in s.large:
            at_rows = s.slice(g)
            kernel(
                *one_problem(rows, c, g), *place_of(where, c, g), *(part.item(c, g) for part in per_problem),
                *scales, gradient[c, at_rows], hessian[c, at_rows],
            )  # fmt: skip
    return known.active


def solve_over_workers(workers: Workers, rows: Rows, totals: Totals, temperature: float, guess: Any) -> Solved:
    """The projections of all workers' rows, all problems in the same calls; one more for the derivatives' sums."""
    mass = totals.mass
    weights = np.broadcast_to(totals.total, mass.shape).ravel()
    found = find_distributed(workers, worker_rows(rows), mass.ravel(), weights, scale_of(temperature), guess)
    where = found.reshape(mass.shape)
    return Solved(where, Sums(*edge_sums_of_all(workers, rows, where)), (found.anchor, found.nu))
