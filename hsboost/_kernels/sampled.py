"""Softmax gradients from a few sampled classes, made unbiased by the exact gradient of a few sampled rows."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from hsboost._kernels._compile import Kernel, njit
from hsboost._kernels.simplex import softmax_row


@njit
def sampled_row(x, y, picks, inverse, grad, hess):
    """Importance-sampled softmax of one row, into zeroed grad and hess: p̂ - e_y and 2 p̂ (1 - p).

    ``inverse`` is 1 / (draws · q) for every class: Σ over the picks of inverse · e^θ has mean Σ e^θ over the classes.
    Picks of the true class are left out; its own term is known.
    """
    top = np.float64(x[y])
    for j in range(picks.size):
        top = max(top, np.float64(x[picks[j]]))
    own = math.exp(np.float64(x[y]) - top)
    total = own
    for j in range(picks.size):
        c = picks[j]
        if c != y:
            term = inverse[c] * math.exp(np.float64(x[c]) - top)
            grad[c] += term
            total += term
    rest = 0.0
    for j in range(picks.size):
        c = picks[j]
        if (c != y) & (hess[c] == 0.0):  # the first time that this class comes up
            rest += grad[c]
            grad[c] /= total
            p = min(math.exp(np.float64(x[c]) - top) / total, 1.0)
            hess[c] = max(2.0 * grad[c] * (1.0 - p), 1e-300)
    grad[y] = -rest / total
    hess[y] = 2.0 * (own / total) * (rest / total)


@njit
def correct_row(x, y, share, p, grad, hess):
    """Replace grad by grad + (exact - grad) / share, and hess by the exact one."""
    softmax_row(x, p)
    rest = 0.0
    for c in range(x.size):
        rest += p[c] if c != y else 0.0
    for c in range(x.size):
        exact = p[c] if c != y else -rest
        grad[c] += (exact - grad[c]) / share
        hess[c] = 2.0 * p[c] * (1.0 - p[c]) if c != y else 2.0 * p[c] * rest


def _sampled(x, y, w, picks, per_pick, inverse, corrected, share, floor, per_block, blocks, grad, hess):
    """One draw of the estimate for every row; ``per_pick`` neighbouring rows share a row of picks."""
    n, classes = x.shape
    for b in prange(blocks):
        p, g, h = np.empty(classes), np.empty(classes), np.empty(classes)
        for i in range(b * per_block, min(n, (b + 1) * per_block)):
            wi = w[i] if w.size > 1 else w[0]
            g[:] = 0.0
            h[:] = 0.0
            sampled_row(x[i], y[i], picks[i // per_pick], inverse, g, h)
            if corrected[i]:
                correct_row(x[i], y[i], share, p, g, h)
            for c in range(classes):
                grad[i, c] = wi * g[c]
                hess[i, c] = wi * max(h[c], floor)


sampled = Kernel(_sampled)
