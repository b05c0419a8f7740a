"""Derivatives of two-class log loss: one pass of vector code, which checks scores, labels and weights on the way."""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, SumKernel, njit
from hsboost._kernels.logistic import halves


@njit(fastmath=FAST, error_model="numpy")
def block_derivatives(x, y, w, floor, grad, hess):
    """grad = w (p - y), hess = w max(p (1 - p), floor) with p = σ(x), and what was found in one block.

    (0, or NaN where a score is not finite; rows whose label is not 0 or 1; weights that are negative or not finite;
    Σ w). What a row lacks to its label keeps its digits however small it is.
    """
    check = 0.0
    good_labels = 0
    if w is None:
        for i in range(x.size):
            xi = np.float64(x[i])
            p, q = halves(xi)
            one = y[i] > 0.5
            lacking = p if (xi > 0.0) == one else q
            grad[i] = -lacking if one else lacking
            hess[i] = max(p * q, floor)
            check += xi * 0.0
            good_labels += 1 if (y[i] == 0.0) | (y[i] == 1.0) else 0
        n = np.float64(x.size)
        return check, n - good_labels, 0.0, n
    total = 0.0
    good_weights = 0
    for i in range(x.size):
        xi = np.float64(x[i])
        wi = np.float64(w[i])
        p, q = halves(xi)
        one = y[i] > 0.5
        lacking = p if (xi > 0.0) == one else q
        grad[i] = wi * (-lacking if one else lacking)
        hess[i] = wi * max(p * q, floor)
        check += xi * 0.0
        good_labels += 1 if (y[i] == 0.0) | (y[i] == 1.0) else 0
        good_weights += 1 if (wi >= 0.0) & (wi < np.inf) else 0
        total += wi
    n = np.float64(x.size)
    return check, n - good_labels, n - good_weights, total


def _derivatives(x, y, w, floor, grad, hess, out):
    """out[:, b] = `block_derivatives` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_derivatives(x[i:j], y[i:j], None, floor, grad[i:j], hess[i:j])
        else:
            s = block_derivatives(x[i:j], y[i:j], w[i:j], floor, grad[i:j], hess[i:j])
        out[0, b], out[1, b], out[2, b], out[3, b] = s


derivatives = SumKernel(_derivatives, block_derivatives, 4)
