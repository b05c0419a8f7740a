"""What one would write first: Newton's method on Σ w clip(x - nu, 0, 1) = k in a few lines of NumPy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.rivals._base import DidNotConverge, FloatArray, Rival

MOST_STEPS = 100


class NumpyNewton(Rival):
    """Plain Newton from the solution with all rows active; no bracket, so it may cycle."""

    name = "numpy_newton"
    label = "NumPy Newton (naive)"

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        return lambda: _solve(x, k) if w is None else _solve_weighted(x, k, w)


def _solve(x: FloatArray, k: float) -> FloatArray:
    nu = float(x.mean(dtype=np.float64)) - k / x.size
    smallest = 4 * float(np.finfo(x.dtype).eps)
    for _ in range(MOST_STEPS):
        y = np.clip(x - nu, 0, 1)
        excess, active = float(y.sum(dtype=np.float64)) - k, float(np.count_nonzero((y > 0) & (y < 1)))
        if abs(excess) <= smallest * max(active, 1.0) * max(1.0, abs(nu)):
            return y
        nu += excess / max(active, 1.0)
    raise DidNotConverge(f"no solution after {MOST_STEPS} steps (no bracket: it cycles)")


def _solve_weighted(x: FloatArray, k: float, w: FloatArray) -> FloatArray:
    total = float(w.sum(dtype=np.float64))
    nu = (float(np.dot(w, x)) - k) / total
    smallest = 4 * float(np.finfo(x.dtype).eps)
    for _ in range(MOST_STEPS):
        y = np.clip(x - nu, 0, 1)
        excess, active = float(np.dot(w, y)) - k, float(w[(y > 0) & (y < 1)].sum(dtype=np.float64))
        if abs(excess) <= smallest * max(active, 1.0) * max(1.0, abs(nu)):
            return y
        nu += excess / max(active, 1.0)
    raise DidNotConverge(f"no solution after {MOST_STEPS} steps (no bracket: it cycles)")
