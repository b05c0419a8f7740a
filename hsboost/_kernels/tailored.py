"""Passes of log loss tailored to a budget: rows count by a window over the scores, intercepts may be given.

v = (x - anchor) * scale - nu places a row in the window: with ŷ = σ(v) and d = ŷ (1 - ŷ) it is 4 d, 1 at the cut.
u = (x - start) - offset is the row's log-odds, p = σ(u); without an intercept start and offset are 0. Everything else
is as in `entropic`.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, Kernel, njit
from hsboost._kernels.logistic import halves, minus_log


@njit(fastmath=FAST, error_model="numpy")
def block_window(x, y, w, anchor, scale, nu):
    """(Σ w d, Σ w d y, Σ w d²) and, of the same rows, what `gradient.block_labels` returns: one load for both."""
    inside = 0.0
    found = 0.0
    square = 0.0
    positive = 0.0
    total = 0.0
    good_labels = 0
    good_weights = 0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        yi = np.float64(y[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        d = p * q
        wd = wi * d
        inside += wd
        found += wd * yi
        square += wd * d
        positive += wi * yi
        good_labels += 1 if (yi == 0.0) | (yi == 1.0) else 0
        if w is not None:
            total += wi
            good_weights += 1 if (wi >= 0.0) & (wi < np.inf) else 0
    n = np.float64(x.size)
    if w is None:
        return inside, found, square, n, positive, n - good_labels, 0.0
    return inside, found, square, total, positive, n - good_labels, n - good_weights


def _window(x, y, w, anchor, scale, nu, out):
    """out[:, b] = `block_window` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_window(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_window(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0, b], out[1, b], out[2, b], out[3, b] = s[0], s[1], s[2], s[3]
        out[4, b], out[5, b], out[6, b] = s[4], s[5], s[6]


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


window = Kernel(_window)
weights = Kernel(_weights)
gradient = Kernel(_gradient)
value = Kernel(_value)
