"""Passes of the hypersimplex losses over rows whose Euclidean projection is known: values, sums, derivatives."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsboost._kernels import gradient as kernels
from hsboost._kernels.segments import segment_conjugates, segment_gradient, segment_squares
from hsboost._solver.segments import Multipliers
from hsboost._validation import FloatArray
from hsboost.losses._problems import Rows, block_totals


class Slopes(NamedTuple):
    """How derivatives are scaled: on the active set A and off it.

    gradient = slope w (r - mean) on A and outer w (r - mean) off A; hessian = bend w max(1 - own w / Σ_A w, floor) on
    A and bend w floor off A. r = ŷ - y; the mean is that of r on A, or, for the ``convex`` loss, (k - Σ w y) / Σ w.
    """

    slope: float
    bend: float
    floor: float
    own: float = 0.0
    convex: bool = False

    @property
    def outer(self) -> float:
        """The slope off the active set."""
        return self.slope if self.convex else 0.0


class Sums(NamedTuple):
    """The sums that the derivatives need, from a pass over all rows, per problem, (C, G).

    ``active`` and ``residual`` are Σ w and Σ w r of the active rows; ``known`` says whether labels and weights are
    those that the masses were computed from.
    """

    active: np.ndarray
    residual: np.ndarray
    known: bool = True


def means(
    slopes: Slopes,
    mass: np.ndarray,
    total: np.ndarray,
    positive: np.ndarray,
    active: np.ndarray,
    residual: np.ndarray,
) -> np.ndarray:
    """The value that each problem's residuals are centred with."""
    over, under = (mass - positive, np.broadcast_to(total, mass.shape)) if slopes.convex else (residual, active)
    return np.divide(over, under, out=np.zeros(mass.shape), where=under > 0.0)


def squared_distance(rows: Rows, where: Multipliers) -> float:
    """Σ w (ŷ - y)² over all problems."""
    s, x, w = rows.problems
    out = np.zeros(where.nu.shape)
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_squares(s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, out[c])
        for g in s.large:
            out[c, g] = block_totals(kernels.residuals, 3, *_one(rows, c, g), *_place(where, c, g))[2]
    return float(out.sum())


def conjugate(rows: Rows, where: Multipliers, mass: np.ndarray, total: np.ndarray, positive: np.ndarray) -> float:
    """Σ w [(z - z̄) (ŷ - y) + (y² - ŷ²) / 2] over all problems, with z = x / temperature and z̄ its mean in each."""
    s, x, w = rows.problems
    # Σ w u (ŷ - y), Σ w u and Σ w (y² - ŷ²) with u = (x - anchor) / temperature
    out = np.zeros((len(rows.y), 3, total.size))
    for c, y in enumerate(rows.y):
        if s.small_rows:
            at = where.row(c)
            segment_conjugates(s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu, out[c])
        for g in s.large:
            out[c, :, g] = block_totals(kernels.conjugate, 3, *_one(rows, c, g), *_place(where, c, g))
    inner, position, squares = out.transpose(1, 0, 2)
    unbalanced = mass - positive
    # Where mass and positives agree the centre cancels, however large the scores are.
    with np.errstate(invalid="ignore", over="ignore"):
        centring = np.where(unbalanced != 0.0, position, 0.0) / np.where(total > 0.0, total, 1.0) * unbalanced
        value = float((inner - centring + 0.5 * squares).sum())
    # Sums of finite scores that overflow in both directions are NaN; the loss itself is then beyond floats.
    return float("inf") if value != value else value


def residuals(rows: Rows, where: Multipliers, total: np.ndarray, positive: np.ndarray) -> Sums:
    """The sums behind the derivatives; the same pass compares Σ w (G,) and Σ w y (C, G). Only if no group is small."""
    active, residual, known = np.empty(where.nu.shape), np.empty(where.nu.shape), True
    weights = total.tolist()
    for c, positives in enumerate(positive.tolist()):
        for g, expected in enumerate(zip(weights, positives, strict=True)):
            active[c, g], residual[c, g], *found = block_totals(
                kernels.residuals_and_labels, 6, *_one(rows, c, g), *_place(where, c, g)
            )
            known = known and found == [*expected, 0.0, 0.0]
    return Sums(active, residual, known)


def write(
    rows: Rows,
    where: Multipliers,
    slopes: Slopes,
    gradient: FloatArray,
    hessian: FloatArray,
    centres: np.ndarray | None = None,
    sums: Sums | None = None,
) -> np.ndarray:
    """Write gradient and curvature into arrays of shape (C, n), sorted by group; returns Σ_A w of every problem.

    Parameters
    ----------
    rows, where, slopes
        The rows, their projections, and how derivatives are scaled.
    gradient, hessian : ndarray of shape (C, n)
    centres : ndarray of shape (C, G), optional
        The value that residuals are centred with; default: the mean over the active rows.
    sums : Sums, optional
        Sums of these rows, if computed already.
    """
    s, x, w = rows.problems
    active = np.zeros(where.nu.shape) if sums is None or s.small_rows else sums.active
    for c, y in enumerate(rows.y):
        centre = None if centres is None else centres[c]
        if s.small_rows:
            at = where.row(c)
            segment_gradient(
                s.small_rows, x[c], y, w, s.offsets, s.tasks, at.scale, at.anchor, at.nu,
                centre, slopes.own, slopes.slope, slopes.outer, slopes.bend, slopes.floor,
                gradient[c], hessian[c], active[c],
            )  # fmt: skip
        for g in s.large:
            one, place = _one(rows, c, g), _place(where, c, g)
            if sums is None:
                active[c, g], residual, _ = block_totals(kernels.residuals, 3, *one, *place)
            else:
                residual = sums.residual.item(c, g)
            weight = active.item(c, g)
            own_mean = residual / weight if weight > 0.0 else 0.0
            mean = own_mean if centre is None else float(centre[g])
            share = slopes.own / weight if weight > 0.0 else 0.0
            rows_of = s.slice(g)
            kernels.gradient(
                *one, *place, mean, share, slopes.slope, slopes.outer, slopes.bend, slopes.floor,
                gradient[c, rows_of], hessian[c, rows_of],
            )  # fmt: skip
    return active


def _one(rows: Rows, c: int, g: int) -> tuple[int, FloatArray, FloatArray, FloatArray | None]:
    """Number, scores, labels and weights of the rows of one problem."""
    x, w = rows.problems.rows(c, g)
    return x.size, x, rows.y[c, rows.problems.segments.slice(g)], w


def _place(where: Multipliers, c: int, g: int) -> tuple[float, float, float]:
    """Anchor, scale and nu of one problem."""
    return where.anchor.item(c, g), where.scale, where.nu.item(c, g)
