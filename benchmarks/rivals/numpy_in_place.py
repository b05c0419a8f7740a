"""The same Newton's method without the cost of new memory: every array is allocated beforehand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.rivals._base import DidNotConverge, FloatArray, Rival
from benchmarks.rivals.numpy_newton import MOST_STEPS


class NumpyInPlace(Rival):
    """`NumpyNewton` without temporary arrays; it writes into an existing array, like hsboost with ``out=``."""

    name = "numpy_in_place"
    label = "NumPy Newton, in place"
    kinds = ("one",)
    into = True

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        y, inside, below = np.zeros_like(x), np.zeros(x.shape, bool), np.zeros(x.shape, bool)
        total = float(x.size) if w is None else float(w.sum(dtype=np.float64))
        smallest = 4 * float(np.finfo(x.dtype).eps)

        def solve() -> FloatArray:
            nu = ((float(x.sum(dtype=np.float64)) if w is None else float(np.dot(w, x))) - k) / total
            for _ in range(MOST_STEPS):
                np.subtract(x, nu, out=y)
                np.clip(y, 0, 1, out=y)
                np.greater(y, 0, out=inside)
                np.less(y, 1, out=below)
                np.logical_and(inside, below, out=inside)
                if w is None:
                    excess, active = float(y.sum(dtype=np.float64)) - k, float(np.count_nonzero(inside))
                else:
                    excess, active = float(np.dot(w, y)) - k, float(np.dot(w, inside))
                if abs(excess) <= smallest * max(active, 1.0) * max(1.0, abs(nu)):
                    return y
                nu += excess / max(active, 1.0)
            raise DidNotConverge(f"no solution after {MOST_STEPS} steps (no bracket: it cycles)")

        return solve
