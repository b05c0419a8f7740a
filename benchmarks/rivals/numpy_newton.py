"""The obvious first implementation: Newton's method on Σ w clip(x - nu, 0, 1) = k in a few lines of NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.rivals._base import DidNotConverge, FloatArray, Rival

MOST_STEPS = 100


class NumpyNewton(Rival):
    """Plain Newton from the solution with all rows active; no bracket, so it may cycle."""

    name = "numpy_newton"
    label = "NumPy Newton (naive)"

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        if w is None:
            return lambda: _solve(x, k, float(x.size), lambda v: v.sum(dtype=np.float64), np.count_nonzero)
        total = float(w.sum(dtype=np.float64))
        return lambda: _solve(x, k, total, lambda v: np.dot(w, v), lambda at: w[at].sum(dtype=np.float64))


def _solve(
    x: FloatArray, k: float, total: float, weigh: Callable[[FloatArray], Any], count: Callable[[Any], Any]
) -> FloatArray:
    """Newton's method; ``weigh`` adds up values (n,), ``count`` the rows of a mask, both by their weights."""
    nu = (float(weigh(x)) - k) / total
    smallest = 4 * float(np.finfo(x.dtype).eps)
    for _ in range(MOST_STEPS):
        y = np.clip(x - nu, 0, 1)
        excess, active = float(weigh(y)) - k, float(count((y > 0) & (y < 1)))
        if abs(excess) <= smallest * max(active, 1.0) * max(1.0, abs(nu)):
            return y
        nu += excess / max(active, 1.0)
    raise DidNotConverge(f"no solution after {MOST_STEPS} steps (no bracket: it cycles)")
