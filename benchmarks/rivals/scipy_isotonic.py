"""The paper's reduction with existing parts: argsort and SciPy's isotonic regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.rivals._base import FloatArray, Rival


class ScipyIsotonic(Rival):
    """y = x - v, where v is the non-increasing regression of the sorted x minus the polytope's vertex."""

    name = "scipy_isotonic"
    label = "argsort + SciPy isotonic"
    sorts = True
    packages = (("scipy", "scipy"),)

    def prepare(self, x: FloatArray, k: float, w: FloatArray | None) -> Callable[[], FloatArray]:
        """See :class:`Rival`."""
        from scipy.optimize import isotonic_regression

        def solve() -> FloatArray:
            order = np.argsort(x)[::-1]
            z = x[order].astype(np.float64, copy=False)
            if w is None:
                weight = None
                whole = int(k)
                vertex = np.zeros(x.size)
                vertex[:whole] = 1.0
                if whole < x.size:
                    vertex[whole] = k - whole
            else:
                weight = w[order].astype(np.float64, copy=False)
                before = np.cumsum(weight) - weight
                vertex = np.clip((k - before) / weight, 0.0, 1.0)
            fitted = isotonic_regression(z - vertex, weights=weight, increasing=False).x
            y = np.empty(x.size)
            y[order] = z - fitted
            return y

        return solve
