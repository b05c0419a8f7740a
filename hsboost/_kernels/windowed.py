"""Passes of log loss under a window over the scores, which lies where a budget ends; intercepts may be given.

v = (x - anchor) * scale - nu places a row in the window: with ŷ = σ(v) and d = ŷ (1 - ŷ) it is 4 d, 1 at the cut.
u = (x - start) - offset is the row's log-odds, p = σ(u); without an intercept start and offset are 0. Everything else
is as in `entropic`, whose `residuals_and_labels` adds up what the window holds.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, Kernel, SumKernel, njit
from hsboost._kernels.logistic import halves, minus_log


@njit(fastmath=FAST, error_model="numpy")
def block_weights(x, w, anchor, scale, nu, base, peak, out):
    """out = w a, with a = base + peak d."""
    for i in range(x.size):
        p, q = halves((np.float64(x[i]) - anchor) * scale - nu)
        a = base + peak * (p * q)
        out[i] = a if w is None else np.float64(w[i]) * a


def _weights(x, w, anchor, scale, nu, base, peak, out):
    """`block_weights` over all blocks."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            block_weights(x[i:j], None, anchor, scale, nu, base, peak, out[i:j])
        else:
            block_weights(x[i:j], w[i:j], anchor, scale, nu, base, peak, out[i:j])


@njit(fastmath=FAST, error_model="numpy")
def block_gradient(x, y, w, anchor, scale, nu, start, offset, base, peak, least, grad, hess):
    """grad = w a (p - y), hess = w max(a p (1 - p), least), with a = base + peak d."""
    for i in range(x.size):
        xi = np.float64(x[i])
        p, q = halves((xi - anchor) * scale - nu)
        a = base + peak * (p * q)
        u = (xi - start) - offset
        p, q = halves(u)
        r = (q if u > 0.0 else p) - np.float64(y[i])
        if w is None:
            grad[i] = a * r
            hess[i] = max(a * (p * q), least)
        else:
            wi = np.float64(w[i])
            grad[i] = wi * a * r
            hess[i] = wi * max(a * (p * q), least)


def _gradient(x, y, w, anchor, scale, nu, start, offset, base, peak, least, grad, hess):
    """`block_gradient` over all blocks, straight into the output arrays."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            block_gradient(
                x[i:j], y[i:j], None, anchor, scale, nu, start, offset, base, peak, least, grad[i:j], hess[i:j]
            )
        else:
            block_gradient(
                x[i:j], y[i:j], w[i:j], anchor, scale, nu, start, offset, base, peak, least, grad[i:j], hess[i:j]
            )


@njit(fastmath=FAST, error_model="numpy")
def block_value(x, y, w, anchor, scale, nu, start, offset):
    """(Σ w log-loss(p, y), Σ w d log-loss(p, y)) of one block."""
    plain = 0.0
    inside = 0.0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        yi = np.float64(y[i])
        xi = np.float64(x[i])
        p, q = halves((xi - anchor) * scale - nu)
        d = p * q
        u = (xi - start) - offset
        p, q = halves(u)
        wrong = wi * (1.0 - yi if u > 0.0 else yi)
        # u may be infinite: no product with 0 then.
        far = abs(u) if wrong > 0.0 else 0.0
        loss = wi * minus_log(p, q) + wrong * far
        plain += loss
        inside += d * loss if d > 0.0 else 0.0
    return plain, inside


def _value(x, y, w, anchor, scale, nu, start, offset, out):
    """out[:, b] = `block_value` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_value(x[i:j], y[i:j], None, anchor, scale, nu, start, offset)
        else:
            s = block_value(x[i:j], y[i:j], w[i:j], anchor, scale, nu, start, offset)
        out[0, b], out[1, b] = s


weights = Kernel(_weights, block_weights)
gradient = Kernel(_gradient, block_gradient)
value = SumKernel(_value, block_value, 2)
