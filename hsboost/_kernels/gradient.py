"""Passes that turn a multiplier into values, loss, gradient and curvature."""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, Kernel, SumKernel, njit


@njit(fastmath=FAST)
def block_residuals(x, y, w, anchor, scale, nu):
    """(Σ_A w, Σ_A w r, Σ w r²) of one block, with r = clip(v, 0, 1) - y and A the rows with 0 < v < 1."""
    residual = 0.0
    squared = 0.0
    if w is None:
        count = 0
        for i in range(x.size):
            v = (np.float64(x[i]) - anchor) * scale - nu
            r = min(max(v, 0.0), 1.0) - np.float64(y[i])
            inside = (v > 0.0) & (v < 1.0)
            count += 1 if inside else 0
            residual += r if inside else 0.0
            squared += r * r
        return np.float64(count), residual, squared
    active = 0.0
    for i in range(x.size):
        wi = np.float64(w[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        r = min(max(v, 0.0), 1.0) - np.float64(y[i])
        counted = wi if (v > 0.0) & (v < 1.0) else 0.0
        active += counted
        residual += counted * r
        squared += wi * (r * r)
    return active, residual, squared


def _residuals(x, y, w, anchor, scale, nu, out):
    """out[:, b] = `block_residuals` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        start, stop = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_residuals(x[start:stop], y[start:stop], None, anchor, scale, nu)
        else:
            s = block_residuals(x[start:stop], y[start:stop], w[start:stop], anchor, scale, nu)
        out[0, b], out[1, b], out[2, b] = s


@njit(fastmath=FAST)
def block_residuals_and_labels(x, y, w, anchor, scale, nu):
    """(Σ_A w, Σ_A w r) and, of the same rows, what `block_labels` returns: one load for both."""
    residual = 0.0
    positive = 0.0
    good_labels = 0
    if w is None:
        count = 0
        for i in range(x.size):
            yi = np.float64(y[i])
            v = (np.float64(x[i]) - anchor) * scale - nu
            inside = (v > 0.0) & (v < 1.0)
            count += 1 if inside else 0
            residual += v - yi if inside else 0.0
            positive += yi
            good_labels += 1 if (yi == 0.0) | (yi == 1.0) else 0
        n = np.float64(x.size)
        return np.float64(count), residual, n, positive, n - good_labels, 0.0
    active = 0.0
    total = 0.0
    good_weights = 0
    for i in range(x.size):
        yi = np.float64(y[i])
        wi = np.float64(w[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        counted = wi if (v > 0.0) & (v < 1.0) else 0.0
        active += counted
        residual += counted * (min(max(v, 0.0), 1.0) - yi)
        total += wi
        positive += wi * yi
        good_labels += 1 if (yi == 0.0) | (yi == 1.0) else 0
        good_weights += 1 if (wi >= 0.0) & (wi < np.inf) else 0
    n = np.float64(x.size)
    return active, residual, total, positive, n - good_labels, n - good_weights


def _residuals_and_labels(x, y, w, anchor, scale, nu, out):
    """out[:, b] = `block_residuals_and_labels` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_residuals_and_labels(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_residuals_and_labels(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0, b], out[1, b], out[2, b], out[3, b], out[4, b], out[5, b] = s


@njit(fastmath=FAST)
def block_gradient(x, y, w, anchor, scale, nu, mean, share, slope, outer, bend, floor, grad, hess):
    """grad = slope w (r - mean), hess = bend w max(1 - w share, floor) on A; outer w (r - mean), bend w floor off A."""
    for i in range(x.size):
        v = (np.float64(x[i]) - anchor) * scale - nu
        r = min(max(v, 0.0), 1.0) - np.float64(y[i]) - mean
        inside = (v > 0.0) & (v < 1.0)
        if w is None:
            grad[i] = slope * r if inside else outer * r
            hess[i] = bend * max(1.0 - share, floor) if inside else bend * floor
        else:
            wi = np.float64(w[i])
            grad[i] = slope * wi * r if inside else outer * wi * r
            hess[i] = bend * wi * max(1.0 - wi * share, floor) if inside else bend * wi * floor


def _gradient(x, y, w, anchor, scale, nu, mean, share, slope, outer, bend, floor, grad, hess):
    """`block_gradient` over all blocks, straight into the output arrays."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            block_gradient(
                x[i:j], y[i:j], None, anchor, scale, nu,
                mean, share, slope, outer, bend, floor, grad[i:j], hess[i:j],
            )  # fmt: skip
        else:
            block_gradient(
                x[i:j], y[i:j], w[i:j], anchor, scale, nu,
                mean, share, slope, outer, bend, floor, grad[i:j], hess[i:j],
            )  # fmt: skip


@njit
def block_conjugate(x, y, w, anchor, scale, nu):
    """(Σ w u (ŷ - y), Σ w u, Σ w (y² - ŷ²)) of one block, u = (x - anchor) scale: the Fenchel-Young loss's sums."""
    inner = 0.0
    position = 0.0
    squares = 0.0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        yi = np.float64(y[i])
        u = (np.float64(x[i]) - anchor) * scale
        c = min(max(u - nu, 0.0), 1.0)
        if wi > 0.0:
            position += wi * u
            squares += wi * (yi - c) * (yi + c)
            if c != yi:  # u may be infinite where the score is settled
                inner += wi * u * (c - yi)
    return inner, position, squares


def _conjugate(x, y, w, anchor, scale, nu, out):
    """out[:, b] = `block_conjugate` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_conjugate(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_conjugate(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0, b], out[1, b], out[2, b] = s


@njit(fastmath=FAST)
def block_values(x, anchor, scale, nu, margin, out):
    """out = clip(v, 0, 1), with values within `margin` of 0 or 1 put there."""
    if margin == 0.0:  # the usual case, in half of the instructions
        for i in range(x.size):
            v = (np.float64(x[i]) - anchor) * scale - nu
            out[i] = min(max(v, 0.0), 1.0)
        return
    for i in range(x.size):
        v = (np.float64(x[i]) - anchor) * scale - nu
        c = min(max(v, 0.0), 1.0)
        c = 0.0 if c <= margin else c
        out[i] = 1.0 if c >= 1.0 - margin else c


def _values(x, anchor, scale, nu, margin, out):
    """The projection itself."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        block_values(x[i:j], anchor, scale, nu, margin, out[i:j])


@njit(fastmath=FAST)
def block_labels(y, w):
    """(Σ w, Σ w y, rows whose label is not 0 or 1, weights that are negative or not finite) of one block."""
    total = 0.0
    positive = 0.0
    good_labels = 0
    good_weights = 0
    for i in range(y.size):
        yi = np.float64(y[i])
        good_labels += 1 if (yi == 0.0) | (yi == 1.0) else 0
        if w is None:
            positive += yi
        else:
            wi = np.float64(w[i])
            good_weights += 1 if (wi >= 0.0) & (wi < np.inf) else 0
            total += wi
            positive += wi * yi
    if w is None:
        total = np.float64(y.size)
        good_weights = y.size
    return total, positive, np.float64(y.size - good_labels), np.float64(y.size - good_weights)


def _labels(y, w, out):
    """out[:, b] = `block_labels` of block b."""
    n = y.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_labels(y[i:j], None)
        else:
            s = block_labels(y[i:j], w[i:j])
        out[0, b], out[1, b], out[2, b], out[3, b] = s


residuals = SumKernel(_residuals, block_residuals, 3)
residuals_and_labels = SumKernel(_residuals_and_labels, block_residuals_and_labels, 6)
gradient = Kernel(_gradient, block_gradient)
conjugate = SumKernel(_conjugate, block_conjugate, 3)
values = Kernel(_values, block_values)
labels = SumKernel(_labels, block_labels, 4)
