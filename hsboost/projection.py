"""Projection onto the hypersimplex, also known as capped simplex, budget polytope, box section or top-k polytope."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import gradient as kernels
from hsboost._kernels import pav, search
from hsboost._kernels._compile import BLOCK
from hsboost._threshold import ArrayReducer, Threshold, flat_threshold, threshold_of
from hsboost._validation import FloatArray

#: Subnormal temperatures have no finite reciprocal: scores below _ROOM are multiplied, exactly, by 2**_SHIFT first.
_TINY = float(np.finfo(np.float64).tiny)
_SHIFT, _ROOM = 128, 1e250


class HypersimplexProjection:
    """The result of :func:`project_hypersimplex`: soft 0/1 assignments and the one threshold behind them.

    Attributes
    ----------
    values : ndarray of shape (n,)
        The projection y, in [0, 1], with Σ w y = k; dtype of the scores.
    threshold : float
        The multiplier ν, in units of x / temperature: y = clip(x / temperature - ν, 0, 1). Where several ν give the
        same y, the middle of their interval.
    cut : float
        The raw score that gets y = 1/2, temperature (ν + 1/2), in units of x. ``x > cut`` is the hard assignment.
    temperature : float
        The temperature used.
    """

    def __init__(
        self, values: FloatArray, where: Threshold, temperature: float, weight: FloatArray | None, shift: int = 0
    ) -> None:
        self.values = values
        self.temperature = temperature
        self.threshold = where.total
        self.cut = float(np.ldexp(where.cut, -shift))
        self._weight = weight

    def __repr__(self) -> str:
        return (
            f"HypersimplexProjection(n={self.values.size}, threshold={self.threshold:.6g}, cut={self.cut:.6g}, "
            f"active={int(self.active.sum())})"
        )

    @cached_property
    def active(self) -> np.ndarray:
        """Boolean mask of the active set A, the rows with 0 < y < 1: the only ones through which gradients flow."""
        return (self.values > 0) & (self.values < 1)

    def jvp(self, v: ArrayLike) -> np.ndarray:
        """Derivative of the values when the scores move in direction ``v``.

        J v = (v - Σ_A w v / Σ_A w) / temperature on A, 0 elsewhere: a shift of all active scores moves nothing.

        Parameters
        ----------
        v : array-like of shape (n,)
            Direction, in units of x.

        Returns
        -------
        ndarray of shape (n,), float64.
        """
        v = self._direction(v)
        active, weight, total = self._active_weight()
        out = np.zeros_like(v)
        out[active] = v[active] - (np.dot(weight, v[active]) / total if total > 0.0 else 0.0)
        return out / self.temperature

    def vjp(self, u: ArrayLike) -> np.ndarray:
        """Gradient with respect to the scores of a function whose gradient in the values is ``u``.

        Jᵀ u = (u - w Σ_A u / Σ_A w) / temperature on A, 0 elsewhere. Equal to :meth:`jvp` for equal weights.

        Parameters
        ----------
        u : array-like of shape (n,)
            Gradient with respect to the values.

        Returns
        -------
        ndarray of shape (n,), float64.
        """
        u = self._direction(u)
        active, weight, total = self._active_weight()
        out = np.zeros_like(u)
        out[active] = u[active] - (weight * (u[active].sum() / total) if total > 0.0 else 0.0)
        return out / self.temperature

    def _direction(self, v: ArrayLike) -> np.ndarray:
        v = np.asarray(v, dtype=np.float64)
        check.check_same_length(v, "the direction", self.values.size, "the projection")
        return v

    def _active_weight(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The active set, its weights and their sum."""
        weight = np.ones(self.active.sum()) if self._weight is None else self._weight[self.active].astype(np.float64)
        return self.active, weight, float(weight.sum())


def project_hypersimplex(
    x: ArrayLike,
    k: float,
    *,
    temperature: float = 1.0,
    sample_weight: ArrayLike | None = None,
    method: Literal["threshold", "pav"] = "threshold",
) -> HypersimplexProjection:
    """Soft top-k: turn scores into assignments in [0, 1] whose (weighted) sum is exactly k.

    Solves argmin ½ Σ wᵢ (yᵢ - xᵢ / temperature)² over { y in [0,1]^n : Σ wᵢ yᵢ = k }. The answer is
    y = clip(x / temperature - ν, 0, 1) with one scalar ν.

    Parameters
    ----------
    x : array-like of shape (n,)
        Raw scores, finite. float32 stays float32 (all sums are float64); other number types become float64.
    k : float
        Total mass Σ w y, whole or fractional, 0 <= k <= Σ w. Never a proportion: for "the best 5 %" of unweighted
        rows pass ``0.05 * n``.
    temperature : float, default 1.0
        Softness, in units of x. Towards 0 the result is the indicator of the k largest scores.
    sample_weight : array-like of shape (n,), optional
        Finite, >= 0, not all 0. An integer weight means exactly what repeating the row would mean.
    method : {"threshold", "pav"}, default "threshold"
        ``"threshold"``: safeguarded Newton on the piecewise linear equation for ν, O(n), a few passes, no sort.
        ``"pav"``: the paper's reduction to isotonic regression after a sort, O(n log n). Same answer.

    Returns
    -------
    HypersimplexProjection
        With ``values``, ``threshold``, ``cut``, ``active`` and the derivative as ``jvp(v)`` and ``vjp(u)``.

    Raises
    ------
    ValueError
        For an empty or non-finite ``x``, k out of range, bad weights or temperature.

    References
    ----------
    Gomez, Wang, Tang, "Differentiable Zero-One Loss via Hypersimplex Projections", arXiv 2602.23336.

    Examples
    --------
    >>> from hsboost import project_hypersimplex
    >>> p = project_hypersimplex([2.0, 1.2, 0.9, -3.0], k=2)
    >>> p.values.round(3)
    array([1.  , 0.65, 0.35, 0.  ])
    >>> round(p.cut, 3)
    1.05
    """
    scores = check.check_scores(x, "x")
    temperature = check.check_temperature(temperature)
    check.check_choice(method, "method", ("threshold", "pav"))
    weight = check.check_weight(sample_weight, scores.size, "x")
    total = total_weight(weight, scores.size)
    mass = check.check_mass(k, total)
    shift = 0
    unit = temperature
    if temperature < _TINY and np.abs(scores).max() < _ROOM:
        scores, unit, shift = np.ldexp(scores.astype(np.float64), _SHIFT), float(np.ldexp(temperature, _SHIFT)), _SHIFT
    if method == "pav":
        values, where = _by_pav(scores, weight, mass, total, unit)
    else:
        where = solve_threshold(scores, weight, mass, total, unit, "x")
        values = values_at(scores, where)
    return HypersimplexProjection(values, where, temperature, weight, shift)


def total_weight(weight: FloatArray | None, n: int) -> float:
    """Σ w, after the weights have been found finite, non-negative and not all zero."""
    if weight is None:
        return float(n)
    total = float(weight.sum(dtype=np.float64))
    if not (np.isfinite(total) and weight.min() >= 0) and not (np.isfinite(weight) & (weight >= 0)).all():
        raise check.bad_weights(weight)
    check.check_total_weight(total)
    return total


def solve_threshold(
    scores: FloatArray,
    weight: FloatArray | None,
    mass: float,
    total: float,
    temperature: float,
    name: str,
    start: tuple[float, float] | None = None,
) -> Threshold:
    """:func:`hsboost._threshold.threshold_of`, with the error that users see for scores that are not finite."""
    try:
        where = threshold_of(scores, weight, mass, total, temperature, start)
    except FloatingPointError:
        raise check.not_finite(scores, name) from None
    if where.flat and not np.isfinite(scores).all():  # k = 0 and k = Σ w never look at the sums
        raise check.not_finite(scores, name)
    return where


def hard_cut(scores: FloatArray, weight: FloatArray | None, mass: float) -> float:
    """The raw score exceeded by the highest-scored rows of total weight ``mass``: the limit of small temperatures.

    It lies in the middle between the last row in and the first row out, representable in the dtype of the scores so
    that comparing with them is exact. Rows tied there are taken or left together, whichever misses ``mass`` by less.
    """
    if weight is not None:
        scores, weight = scores[weight > 0.0], weight[weight > 0.0]
    n = scores.size
    if weight is None:
        place = min(int(np.ceil(mass)), n)
        last = scores.max() if place == 0 else np.partition(scores, n - place)[n - place]
    else:
        order = np.argsort(-scores, kind="stable")
        last = scores[order[min(int(np.searchsorted(np.cumsum(weight[order], dtype=np.float64), mass)), n - 1)]]
    above, tied = scores > last, scores == last
    weight_above, weight_tied = (
        (float(rows.sum()) if weight is None else float(weight[rows].sum(dtype=np.float64))) for rows in (above, tied)
    )
    if mass - weight_above >= 0.5 * weight_tied and mass > 0.0:
        lower, upper = scores[scores < last].max(initial=-np.inf), last
    else:
        lower, upper = last, scores[above].min(initial=np.inf)
    # Nobody below or above: step aside by 1, or by what the dtype can still tell apart.
    if not np.isfinite(lower):
        lower = min(upper - 1, np.nextafter(upper, -np.inf, dtype=scores.dtype))
    if not np.isfinite(upper):
        upper = max(lower + 1, np.nextafter(lower, np.inf, dtype=scores.dtype))
    middle = scores.dtype.type(0.5 * float(lower) + 0.5 * float(upper))
    return float(middle if middle < upper else lower)


def values_at(scores: FloatArray, where: Threshold) -> FloatArray:
    """clip((x - anchor) / temperature - nu, 0, 1), in the dtype of the scores."""
    out = np.empty_like(scores)
    margin = 2 * search.MARGIN if where.flat else 0.0
    n = scores.size
    if n <= BLOCK:
        kernels.block_values(scores, where.anchor, where.scale, where.nu, margin, out)
    else:
        kernels.values(n, scores, where.anchor, where.scale, where.nu, margin, out)
    return out


def _by_pav(
    scores: FloatArray, weight: FloatArray | None, mass: float, total: float, temperature: float
) -> tuple[FloatArray, Threshold]:
    """Sort, subtract the vertex of the polytope, regress isotonically, subtract (weighted generalisation)."""
    if not np.isfinite(scores).all():
        raise check.not_finite(scores, "x")
    scale = min(1.0 / temperature, np.finfo(np.float64).max)
    if mass <= 0.0 or mass >= total:
        where = threshold_of(scores, weight, mass, total, temperature)
        return values_at(scores, where), where
    order = np.argsort(-scores, kind="stable")
    if weight is not None:
        order = order[weight[order] > 0]  # rows without weight are not part of the problem: they follow the threshold
    z = scores[order].astype(np.float64)
    w = None if weight is None else weight[order].astype(np.float64)
    s, relative, sums = np.empty(z.size), np.empty(z.size), np.empty(z.size)
    first, last = np.empty(z.size, np.intp), np.empty(z.size, np.intp)
    pav.vertex(w, mass, s)
    blocks = pav.pool(z, scale, s, w, first, relative, sums, last)
    values = np.empty_like(scores)
    row, level = pav.unpool(z, scale, first, relative, last, blocks, search.MARGIN, order, values)
    if row >= 0:
        where = Threshold(float(z[row]), level, scale, False)
        if abs(level) > search.FAR:
            rows = ArrayReducer(scores, weight, scale, total)
            rows.anchor = where.anchor
            closest = rows.nearest(level)
            where = Threshold(closest, level + (where.anchor - closest) * scale, scale, False)
    else:
        # All values are 0 or 1: any threshold between the two groups will do, take the middle.
        kept = round(float(values[order].sum(dtype=np.float64)))
        below = float(z[kept]) if kept < z.size else -np.inf
        where = flat_threshold(below, float(z[kept - 1]) if kept > 0 else np.inf, scale)
    if weight is not None and order.size < scores.size:
        rest = weight == 0
        values[rest] = values_at(scores[rest], where)
    return values, where
