"""What a projection leaves behind: values, thresholds, the active set and derivatives."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import FloatArray


class HypersimplexProjection:
    """The result of :func:`project_hypersimplex`: soft 0/1 assignments and the thresholds behind them.

    There is one threshold for all rows; one per group, shape (G,), when groups were given; one per column, shape (C,),
    for scores of shape (n, C); shape (C, G) for both.

    Attributes
    ----------
    values : ndarray of the shape of x
        The projection y, in [0, 1], with Σ w y = k in each group and column; dtype of the scores.
    threshold : float, or ndarray with one per group, per column
        The multiplier ν, in units of x / temperature: y = clip(x / temperature - ν, 0, 1). Where several ν give the
        same y, the middle of their interval.
    cut : float, or ndarray with one per group, per column
        The raw score that gets y = 1/2, temperature (ν + 1/2), in units of x. ``x > cut`` is the hard assignment.
    temperature : float
        The temperature used.
    groups : list or None
        The groups' labels, sorted: the order of the thresholds.
    """

    def __init__(
        self,
        values: FloatArray,
        threshold: Any,
        cut: Any,
        temperature: float,
        weight: FloatArray | None,
        segments: Segments | None = None,
    ) -> None:
        self.values = values
        self.threshold = threshold
        self.cut = cut
        self.temperature = temperature
        self.groups = None if segments is None else segments.labels
        self._weight = weight
        self._segments = segments

    def __repr__(self) -> str:
        active = int(self.active.sum())
        if np.ndim(self.threshold):
            return f"HypersimplexProjection(shape={self.values.shape}, {np.size(self.cut)} thresholds, active={active})"
        return (
            f"HypersimplexProjection(n={self.values.size}, threshold={self.threshold:.6g}, cut={self.cut:.6g}, "
            f"active={active})"
        )

    @cached_property
    def active(self) -> np.ndarray:
        """Boolean mask of the active set A, the rows with 0 < y < 1: the only ones through which gradients flow."""
        return (self.values > 0) & (self.values < 1)

    def jvp(self, v: ArrayLike) -> np.ndarray:
        """Derivative of the values when the scores move in direction ``v``.

        J v = (v - Σ_A w v / Σ_A w) / temperature on A, 0 elsewhere, the sums within each group and column: a shift of
        all active scores moves nothing.

        Parameters
        ----------
        v : array-like of the shape of x
            Direction, in units of x.

        Returns
        -------
        ndarray of that shape, float64.
        """
        v = self._direction(v)
        weight = self._active_weight()
        return np.where(self.active, v - self._shared(weight * v, weight), 0.0) / self.temperature

    def vjp(self, u: ArrayLike) -> np.ndarray:
        """Gradient with respect to the scores of a function whose gradient in the values is ``u``.

        Jᵀ u = (u - w Σ_A u / Σ_A w) / temperature on A, 0 elsewhere. Equal to :meth:`jvp` for equal weights.

        Parameters
        ----------
        u : array-like of the shape of x
            Gradient with respect to the values.

        Returns
        -------
        ndarray of that shape, float64.
        """
        u = self._direction(u)
        weight = self._active_weight()
        return np.where(self.active, u - weight * self._shared(self.active * u, weight), 0.0) / self.temperature

    def _direction(self, v: ArrayLike) -> np.ndarray:
        v = np.asarray(v, dtype=np.float64)
        if self.values.ndim == 1:
            check.check_same_length(v, "the direction", self.values.size, "the projection")
        elif v.shape != self.values.shape:
            raise ValueError(f"the direction must have the projection's shape {self.values.shape}, got {v.shape}")
        return v

    def _active_weight(self) -> np.ndarray:
        """Weights of the active rows, 0 elsewhere."""
        if self._weight is None:
            return self.active.astype(np.float64)
        weight = self._weight if self.values.ndim == 1 else self._weight[:, None]
        return self.active * weight.astype(np.float64)

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
