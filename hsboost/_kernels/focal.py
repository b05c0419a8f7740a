"""Focal loss: -(1 - p)^γ log p of the true class's probability p, for one score or one score per class."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from hsboost._kernels._compile import Kernel, inner, njit
from hsboost._kernels.simplex import softmax_row


@njit
def outer(log_p, rest, gamma):
    """(f, -f', (1 - p) max(f'', 0)) of f(q) = -(1 - e^q)^γ q at q = log p, with rest = 1 - p."""
    if gamma == 0.0:
        return -log_p, 1.0, 0.0
    p = math.exp(log_p)
    if rest <= 0.0:
        return 0.0, 0.0, 0.0
    low = rest ** (gamma - 1.0)
    pull = low * (rest - gamma * p * log_p)
    bend = gamma * p * low * (rest * (2.0 + log_p) - (gamma - 1.0) * p * log_p)
    return -low * rest * log_p, pull, max(bend, 0.0)


@inner
def block_focal_binary(x, y, w, start, stop, gamma, scale, floor, grad, hess):
    """Σ w loss of rows start … stop-1 with one score each; ``scale`` holds the two classes' factors."""
    total = 0.0
    for i in range(start, stop):
        wi = (w[i] if w.size > 1 else w[0]) * scale[y[i]]
        sign = 1.0 if y[i] == 1 else -1.0
        m = sign * np.float64(x[i, 0])
        e = math.exp(-abs(m))
        rest = (e if m >= 0.0 else 1.0) / (1.0 + e)
        log_p = -math.log1p(e) + min(m, 0.0)
        value, pull, bend = outer(log_p, rest, gamma)
        total += wi * value
        if grad.shape[0] > 0:
            grad[i, 0] = -sign * wi * pull * rest
            hess[i, 0] = wi * max(pull * (e / (1.0 + e) ** 2) + bend * rest, floor)
    return total


@inner
def block_focal(x, y, w, start, stop, gamma, scale, floor, grad, hess):
    """Σ w loss of rows start … stop-1 with a score per class."""
    total = 0.0
    classes = x.shape[1]
    p = np.empty(classes)
    for i in range(start, stop):
        true = y[i]
        wi = (w[i] if w.size > 1 else w[0]) * scale[true]
        largest, others = softmax_row(x[i], p)
        rest = 0.0
        for c in range(classes):
            rest += p[c] if c != true else 0.0
        log_p = np.float64(x[i, true]) - largest - math.log1p(others)
        value, pull, bend = outer(log_p, rest, gamma)
        total += wi * value
        if grad.shape[0] == 0:
            continue
        for c in range(classes):
            v = p[c] if c != true else rest
            grad[i, c] = wi * pull * (v if c != true else -v)
            complement = 1.0 - p[c] if c != true else rest
            hess[i, c] = wi * max(2.0 * (pull * p[c] * complement + bend * v), floor)
    return total


def _focal(x, y, w, gamma, scale, floor, per_block, values, grad, hess):
    """Either of the two over all blocks."""
    n = x.shape[0]
    for b in prange(values.size):
        start, stop = b * per_block, min(n, (b + 1) * per_block)
        if x.shape[1] == 1:
            values[b] = block_focal_binary(x, y, w, start, stop, gamma, scale, floor, grad, hess)
        else:
            values[b] = block_focal(x, y, w, start, stop, gamma, scale, floor, grad, hess)


focal = Kernel(_focal)
