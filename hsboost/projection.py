"""Projection onto the hypersimplex, also known as capped simplex, budget polytope, box section or top-k polytope."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.problems import REGULARIZATIONS, Problems, total_weight, users_numbers, values_at
from hsboost._solver.segments import Segments
from hsboost._validation import FloatArray

#: A k that is less than Σ w by this part of it or less is all of it: the rounding of the sum, as in the search.
_ALL_BUT = 8.0 * float(np.finfo(np.float64).eps)
#: Subnormal temperatures have no finite reciprocal: scores below _LARGEST are multiplied, exactly, by 2**_SHIFT first.
_TINY = float(np.finfo(np.float64).tiny)
_SHIFT, _LARGEST = 128, 1e250


__all__ = ["HypersimplexProjection", "project_hypersimplex"]


def project_hypersimplex(
    x: ArrayLike,
    k: float | ArrayLike | Mapping[Any, float],
    *,
    temperature: float = 1.0,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    method: Literal["threshold", "pav"] = "threshold",
    regularization: Literal["euclidean", "entropic"] = "euclidean",
    out: FloatArray | None = None,
) -> HypersimplexProjection:
    """Soft top-k: turn scores into assignments in [0, 1] whose (weighted) sum is exactly k.

    Solves argmin ½ Σ wᵢ (yᵢ - xᵢ / temperature)² over { y in [0,1]^n : Σ wᵢ yᵢ = k }. The answer is
    y = clip(x / temperature - ν, 0, 1) with one scalar ν; with ``groups``, one problem and one ν per group; for scores
    of shape (n, C), one per column. With ``regularization="entropic"`` it is argmin Σ wᵢ [yᵢ log yᵢ + (1 - yᵢ)
    log(1 - yᵢ) - yᵢ xᵢ / temperature], whose answer is smooth: y = σ(x / temperature - ν).

    Parameters
    ----------
    x : array-like of shape (n,) or (n, C)
        Raw scores, finite. float32 stays float32 (all sums are float64); other number types become float64.
    k : float; with groups or columns also an array or a mapping
        Total mass Σ w y, integer or fractional, 0 <= k <= Σ w. Never a proportion: for "the best 5 %" of unweighted
        rows pass ``0.05 * n``. A number applies to every group and column. An array has one entry per group (in the
        order of the sorted labels) or per column, shape (C, G) for both; a mapping gives each group label its mass.
    temperature : float, default 1.0
        Softness, in units of x. Towards 0 the result is the indicator of the k largest scores.
    sample_weight : array-like of shape (n,), optional
        Finite, >= 0, not all 0. An integer weight means exactly what repeating the row would mean.
    groups : array-like of shape (n,), optional
        Label of each row's group (branch, day, region, query): numbers, texts, dates or categories, in any order.
        Faster when the rows are sorted by group, as they need not be gathered.
    method : {"threshold", "pav"}, default "threshold"
        ``"threshold"``: safeguarded Newton on the piecewise linear equation for ν, O(n), a few passes, no sort.
        ``"pav"``: the paper's reduction to isotonic regression after a sort, O(n log n). Same answer; Euclidean only.
    regularization : {"euclidean", "entropic"}, default "euclidean"
        ``"euclidean"``: the nearest point; far rows get 0 or 1. ``"entropic"``: every row gets something in between and
        has a derivative; the layer of Amos, Koltun and Kolter.
    out : ndarray of the shape and dtype of the values, optional
        Array to write the values into, which becomes ``values`` of the result; default: a new array. ``x`` itself is
        allowed. In a loop over tens of millions of rows this saves a fifth to a third of the time, because the
        operating system zeroes the pages of new arrays.

    Returns
    -------
    HypersimplexProjection
        With ``values``, ``multiplier``, ``soft_threshold``, ``active`` and the derivative as ``jvp(v)`` and ``vjp(u)``.
        ``multiplier`` and ``soft_threshold`` are floats, or arrays with one entry per group and column.

    Raises
    ------
    ValueError
        For an empty or non-finite ``x``, k out of range, bad weights or temperature, or an ``out`` of the wrong shape
        or dtype. ``out`` is then left unchanged.
    TypeError
        For an ``out`` that is not a NumPy array.

    References
    ----------
    Gomez, Wang, Tang, "Differentiable Zero-One Loss via Hypersimplex Projections", arXiv 2602.23336.
    Amos, Koltun, Kolter, "The Limited Multi-Label Projection Layer", arXiv 1906.08707 (entropic).

    Examples
    --------
    >>> from hsboost import project_hypersimplex
    >>> p = project_hypersimplex([2.0, 1.2, 0.9, -3.0], k=2)
    >>> p.values.round(3)
    array([1.  , 0.65, 0.35, 0.  ])
    >>> round(p.soft_threshold, 3)
    1.05
    >>> p = project_hypersimplex([2.0, 1.2, 0.9, -3.0], k={"a": 1, "b": 1}, groups=["a", "b", "a", "b"])
    >>> p.values
    array([1., 1., 0., 0.])
    >>> p.soft_threshold
    array([ 1.45, -0.9 ])
    >>> scores = np.array([2.0, 1.2, 0.9, -3.0])
    >>> project_hypersimplex(scores, k=2, out=scores).values is scores
    True
    """
    scores = check.check_score_columns(x, "x")
    temperature = check.check_temperature(temperature)
    check.check_choice(method, "method", ("threshold", "pav"))
    check.check_choice(regularization, "regularization", REGULARIZATIONS)
    if method == "pav" and regularization != "euclidean":
        raise ValueError(f"method='pav' solves the Euclidean projection; got regularization={regularization!r}")
    n = scores.shape[0]
    weight = check.check_weight(sample_weight, n, "x")
    total = total_weight(weight, n)
    check.check_out(out, scores, weight)
    shift = 0
    unit = temperature
    dtype = scores.dtype
    if temperature < _TINY and float(np.abs(scores).max()) < _LARGEST:
        scores, unit, shift = np.ldexp(scores.astype(np.float64), _SHIFT), float(np.ldexp(temperature, _SHIFT)), _SHIFT
    segments = None if groups is None else Segments.by_label(groups, n, "x")
    columns = scores[None] if scores.ndim == 1 else scores.T
    direct = None if out is None else _direct(np.atleast_2d(out.T), columns)
    target = np.empty_like(columns) if direct is None else direct
    # Euclidean values are looked up row by row: until then the sorted scores may lie where the values will, which saves
    # an array of their size, and the time of fresh memory.
    free = direct is None and target.flags.c_contiguous and regularization == "euclidean"
    problems = Problems.of(scores, weight, segments, target if free else None)
    if scores.ndim == 1 and segments is None and method == "threshold":
        mass = _mass(k, problems, total)
        one = problems.find_one(mass, total, unit, "x", regularization=regularization)
        values = _delivered(values_at(scores, one, target[0]), dtype, out, direct is not None)
        soft = math.ldexp(one.soft_threshold, -shift)
        return HypersimplexProjection(values, one.value, soft, temperature, weight, None, regularization)
    masses, totals = _masses(k, problems, total, scores.shape[1:], segments)
    where = problems.find(masses, totals, unit, "x", method=method, regularization=regularization)
    values = problems.values(where, target, columns)
    values = _delivered(values[0] if scores.ndim == 1 else values.T, dtype, out, direct is not None)
    multiplier, soft_threshold = users_numbers(where, scores.ndim == 2, segments is not None, shift)
    return HypersimplexProjection(values, multiplier, soft_threshold, temperature, weight, segments, regularization)


def _mass(k: Any, problems: Problems, total: float) -> float:
    """The mass of a single problem."""
    mass = check.check_mass(k, total)
    mass = total if mass >= total * (1.0 - _ALL_BUT) else mass
    check.check_resolution(mass, total, problems.w)
    return mass


def _masses(
    k: Any, problems: Problems, total: float, columns: tuple[int, ...], segments: Segments | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mass of every problem, (C, G), and Σ w of every group, (G,)."""
    if segments is None and not columns:
        return np.array([[_mass(k, problems, total)]]), np.array([total])
    labels = None if segments is None else segments.labels
    totals = np.array([total]) if segments is None else problems.weights()
    masses = check.check_masses(k, labels, columns)
    check.check_masses_fit(masses, totals, labels)
    # Whether k is all of the weight must not depend on the order in which weights are added up.
    masses = np.where(masses >= totals * (1.0 - _ALL_BUT), totals, masses)
    check.check_resolution(masses, totals, problems.w, labels)
    return masses, totals


def _direct(out: FloatArray | None, scores: FloatArray) -> FloatArray | None:
    """``out`` if kernels may write to it while reading the scores: contiguous, and either disjoint or identical."""
    if out is None or not out.flags.c_contiguous or out.dtype != scores.dtype:
        return None
    if np.may_share_memory(out, scores) and out.ctypes.data != scores.ctypes.data and np.shares_memory(out, scores):
        return None
    return out


def _delivered(values: FloatArray, dtype: Any, out: FloatArray | None, written: bool) -> FloatArray:
    """The values in the dtype of the scores, in ``out`` if there is one."""
    if out is None:
        return values.astype(dtype, copy=False)
    if not written:
        np.copyto(out, values, casting="same_kind")
    return out


class HypersimplexProjection:
    """The result of :func:`project_hypersimplex`: soft 0/1 assignments and the multipliers behind them.

    There is one multiplier for all rows; one per group, shape (G,), when groups were given; one per column, shape (C,),
    for scores of shape (n, C); shape (C, G) for both.

    Attributes
    ----------
    values : ndarray of the shape of x
        The projection y, in [0, 1], with Σ w y = k in each group and column; dtype of the scores.
    multiplier : float, or ndarray with one per group, per column
        The multiplier ν, in units of x / temperature: y = clip(x / temperature - ν, 0, 1), or σ(x / temperature - ν).
        Where several ν give the same y, the middle of their interval.
    soft_threshold : float, or ndarray with one per group, per column
        The raw score that gets y = 1/2, temperature (ν + 1/2), for the entropic one temperature ν, in units of x.
        ``x > soft_threshold`` is the hard assignment.
    temperature : float
        The temperature used.
    groups : list or None
        The groups' labels, sorted: the order of the multipliers.
    """

    def __init__(
        self,
        values: FloatArray,
        multiplier: Any,
        soft_threshold: Any,
        temperature: float,
        weight: FloatArray | None,
        segments: Segments | None = None,
        regularization: str = "euclidean",
    ) -> None:
        self.values = values
        self.multiplier = multiplier
        self.soft_threshold = soft_threshold
        self.temperature = temperature
        self.groups = None if segments is None else segments.labels
        self.regularization = regularization
        self._weight = weight
        self._segments = segments

    def __repr__(self) -> str:
        active = int(self.active.sum())
        if np.ndim(self.multiplier):
            shape, count = self.values.shape, np.size(self.multiplier)
            return f"HypersimplexProjection(shape={shape}, {count} multipliers, active={active})"
        return (
            f"HypersimplexProjection(n={self.values.size}, multiplier={self.multiplier:.6g}, "
            f"soft_threshold={self.soft_threshold:.6g}, active={active})"
        )

    @cached_property
    def active(self) -> np.ndarray:
        """Boolean mask of the active set A, the rows with 0 < y < 1: the only ones through which gradients flow."""
        return (self.values > 0) & (self.values < 1)

    @cached_property
    def _slope(self) -> np.ndarray:
        """dy/dz of each row at a fixed ν, z = x / temperature: 1 on the active set, or y (1 - y)."""
        if self.regularization == "euclidean":
            return self.active.astype(np.float64)
        y = self.values.astype(np.float64)
        return y * (1.0 - y)

    def jvp(self, v: ArrayLike) -> np.ndarray:
        """Derivative of the values when the scores move in direction ``v``.

        J v = s (v - Σ w s v / Σ w s) / temperature, with the sums within each group and column, and s = 1 on the active
        set and 0 elsewhere, or y (1 - y) for the entropic projection. Shifting all active scores changes nothing.

        Parameters
        ----------
        v : array-like of the shape of x
            Direction, in units of x.

        Returns
        -------
        ndarray of that shape, float64.
        """
        v = self._direction(v)
        weight = self._sloped_weight()
        moved = np.where(self.active, v - self._shared(weight * v, weight), 0.0)
        return self._slope * moved / self.temperature

    def vjp(self, u: ArrayLike) -> np.ndarray:
        """Gradient with respect to the scores of a function whose gradient in the values is ``u``.

        Jᵀ u = s (u - w Σ s u / Σ w s) / temperature. Equal to :meth:`jvp` for equal weights.

        Parameters
        ----------
        u : array-like of the shape of x
            Gradient with respect to the values.

        Returns
        -------
        ndarray of that shape, float64.
        """
        u = self._direction(u)
        own = 1.0 if self._weight is None else self._weight.reshape(-1, *[1] * (self.values.ndim - 1))
        shared = self._shared(self._slope * u, self._sloped_weight())
        return self._slope * np.where(self.active, u - own * shared, 0.0) / self.temperature

    def _direction(self, v: ArrayLike) -> np.ndarray:
        v = np.asarray(v, dtype=np.float64)
        if self.values.ndim == 1:
            check.check_same_length(v, "the direction", self.values.size, "the projection")
        elif v.shape != self.values.shape:
            raise ValueError(f"the direction must have the projection's shape {self.values.shape}, got {v.shape}")
        return v

    def _sloped_weight(self) -> np.ndarray:
        """w s of each row."""
        if self._weight is None:
            return self._slope
        weight = self._weight if self.values.ndim == 1 else self._weight[:, None]
        return self._slope * weight.astype(np.float64)

    def _shared(self, a: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Σ a / Σ weight of each row's group and column (0 where no row is active), broadcastable to the rows."""
        if self._segments is None:
            total, of = a.sum(axis=0), weight.sum(axis=0)
            return np.divide(total, of, out=np.zeros_like(total), where=of > 0)
        codes = self._segments.codes
        columns = a.reshape(a.shape[0], -1), weight.reshape(a.shape[0], -1)
        out = np.empty(columns[0].shape)
        for c, (amount, share) in enumerate(zip(columns[0].T, columns[1].T, strict=True)):
            total, of = np.bincount(codes, amount), np.bincount(codes, share)
            out[:, c] = np.divide(total, of, out=np.zeros_like(total), where=of > 0)[codes]
        return out.reshape(a.shape)
