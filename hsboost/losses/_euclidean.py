"""Passes of the hypersimplex losses over rows whose Euclidean projection is known: values, sums, derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost._kernels import gradient as kernels
from hsboost._kernels.segments import segment_conjugates, segment_gradient, segment_squares
from hsboost._solver.problems import Regularization
from hsboost._solver.search import scale_of
from hsboost._solver.segments import Multipliers
from hsboost._validation import FloatArray
from hsboost._workers.communicator import Workers
from hsboost._workers.search import find_distributed
from hsboost.losses._passes import Slopes, Solved, Sums, Totals, one_problem, place_of, seen
from hsboost.losses._problems import Rows, worker_rows

REGULARIZATION: Regularization = "euclidean"


def checks_along(rows: Rows) -> bool:
    """Whether the pass over the residuals can check labels and weights as well: no group is small."""
    return not rows.problems.segments.small_rows and rows.y.dtype == np.float32


def means(
    slopes: Slopes,
    totals: Totals,
    active: np.ndarray,
    residual: np.ndarray,
) -> np.ndarray:
    """The value that each problem's residuals are centred with."""
    mass, total, positive = totals
    over, under = (mass - positive, np.broadcast_to(total, mass.shape)) if slopes.convex else (residual, active)
    return np.divide(over, under, out=np.zeros(mass.shape), where=under > 0.0)


def value(rows: Rows, where: Multipliers, convex: bool, totals: Totals) -> float:
    """½ Σ w (ŷ - y)² over all problems, or `conjugate`."""
    return conjugate(rows, where, totals) if convex else 0.5 * squared_distance(rows, where)


def squared_distance(rows: Rows, where: Multipliers) -> float:
    """Σ w (ŷ - y)² over all problems."""
    s, x, w = rows.problems
    out = np.zeros(where.nu.shape)
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_squares(s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, out[c])
        for g in s.large:
            out[c, g] = kernels.residuals.totals(*one_problem(rows, c, g), *place_of(where, c, g))[2]
    return float(out.sum())


def conjugate(rows: Rows, where: Multipliers, totals: Totals) -> float:
    """Σ w [(z - z̄) (ŷ - y) + (y² - ŷ²) / 2] over all problems, with z = x / temperature and z̄ its mean in each."""
    s, x, w = rows.problems
    mass, total, positive = totals
    # Σ w u (ŷ - y), Σ w u and Σ w (y² - ŷ²) with u = (x - anchor) / temperature
    out = np.zeros((len(rows.y), 3, total.size))
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_conjugates(s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, out[c])
        for g in s.large:
            out[c, :, g] = kernels.conjugate.totals(*one_problem(rows, c, g), *place_of(where, c, g))
    inner, position, squares = out.transpose(1, 0, 2)
    unbalanced = mass - positive
    # Where mass and positives agree the centre cancels, however large the scores are.
    with np.errstate(invalid="ignore", over="ignore"):
        centring = np.where(unbalanced != 0.0, position, 0.0) / np.where(total > 0.0, total, 1.0) * unbalanced
        value = float((inner - centring + 0.5 * squares).sum())
    # Sums of finite scores that overflow in both directions are NaN; the loss itself is then beyond floats.
    return float("inf") if value != value else value


def sums(rows: Rows, where: Multipliers, totals: Totals, kept: Any = None) -> Sums | None:
    """The sums behind the derivatives, unless a group is small; the same pass compares ``totals``."""
    if not checks_along(rows):
        return None
    found = [
        kernels.residuals_and_labels.totals(*one_problem(rows, c, g), *place_of(where, c, g))
        for c in range(len(rows.y))
        for g in range(totals.total.size)
    ]
    return seen(np.array(found), 2, totals)


def write(
    rows: Rows,
    where: Multipliers,
    slopes: Slopes,
    gradient: FloatArray,
    hessian: FloatArray,
    totals: Totals,
    sums: Sums | None,
) -> np.ndarray:
    """Write gradient and curvature into arrays (C, n), sorted by group; returns Σ_A w of every problem.

    ``sums`` are those of all rows of a problem, of which these may be a part; None: the sums of these rows.
    """
    s, x, w = rows.problems
    active = np.zeros(where.nu.shape) if sums is None or s.small_rows else sums.active
    centres = None
    if s.small_rows and (slopes.convex or sums is not None):
        nothing = Sums(active, active)
        centres = means(slopes, totals, *(sums or nothing)[:2])
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_gradient(
                s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu,
                None if centres is None else centres[c], slopes.own, slopes.slope, slopes.outer, slopes.bend,
                slopes.floor, gradient[c], hessian[c], active[c],
            )  # fmt: skip
        for g in s.large:
            one, place, at_rows = one_problem(rows, c, g), place_of(where, c, g), s.slice(g)
            if sums is None:
                weight, residual, _ = kernels.residuals.totals(*one, *place)
            else:
                weight, residual = sums.active.item(c, g), sums.residual.item(c, g)
            active[c, g] = weight
            mean = residual / weight if weight > 0.0 else 0.0
            if slopes.convex:
                whole = totals.total.item(g)
                mean = (totals.mass.item(c, g) - totals.positive.item(c, g)) / whole if whole > 0.0 else 0.0
            kernels.gradient(
                *one, *place, mean, slopes.own / weight if weight > 0.0 else 0.0, slopes.slope, slopes.outer,
                slopes.bend, slopes.floor, gradient[c, at_rows], hessian[c, at_rows],
            )  # fmt: skip
    return active


def solve_over_workers(
    workers: Workers,
    rows: Rows,
    totals: Totals,
    temperature: float,
    guess: Any,
) -> Solved:
    """The projections of all workers' rows, all problems in the same few calls."""
    mass = totals.mass
    weights = np.broadcast_to(totals.total, mass.shape).ravel()
    found = find_distributed(workers, worker_rows(rows), mass.ravel(), weights, scale_of(temperature), guess)
    residual = (found.mass - found.positive).reshape(mass.shape)
    return Solved(found.where.reshape(mass.shape), Sums(found.active.reshape(mass.shape), residual), found.guess())
