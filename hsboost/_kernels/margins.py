"""Squared, hinge and squared hinge loss of one score and a label of 0 or 1; several columns: one against the rest."""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import Kernel, inner, njit

SQUARED, HINGE, SQUARED_HINGE = 0, 1, 2


@njit
def point(kind, s, label, shape):
    """(loss, derivative, curvature) of one score; ``label`` is 0.0 or 1.0.

    ``shape`` is the half-width of the hinge's rounded corner, or the curvature of the squared hinge beyond its corner.
    """
    if kind == SQUARED:
        r = s - label
        return 0.5 * r * r, r, 1.0
    sign = 2.0 * label - 1.0
    u = 1.0 - sign * s  # how much of the margin is missing
    if kind == HINGE:
        return max(u, 0.0), -sign if u > 0.0 else 0.0, 0.5 / max(abs(u), shape)
    if u > 0.0:
        return u * u, -2.0 * sign * u, 2.0
    return 0.0, 0.0, shape


@inner
def block_margins(x, y, w, start, stop, kind, shape, floor, grad, hess):
    """Σ w loss of rows start … stop-1; their derivatives too where grad has rows."""
    total = 0.0
    columns = x.shape[1]
    for i in range(start, stop):
        wi = w[i] if w.size > 1 else w[0]
        row = 0.0
        for c in range(columns):
            label = np.float64(y[i] if columns == 1 else y[i] == c)
            value, slope, bend = point(kind, np.float64(x[i, c]), label, shape)
            row += value
            if grad.shape[0] > 0:
                grad[i, c] = wi * slope
                hess[i, c] = wi * max(bend, floor)
        total += wi * row
    return total


def _margins(x, y, w, kind, shape, floor, per_block, values, grad, hess):
    """`block_margins` over all blocks."""
    n = x.shape[0]
    for b in prange(values.size):
        values[b] = block_margins(x, y, w, b * per_block, min(n, (b + 1) * per_block), kind, shape, floor, grad, hess)


margins = Kernel(_margins)
