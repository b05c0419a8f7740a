"""Many small entropic projections at once: what `segments` does for the Euclidean ones, with the same tasks."""

from __future__ import annotations

from numba import prange

from hsboost._kernels._compile import BLOCK, Kernel, inner
from hsboost._kernels.entropic import (
    block_convex_gradient,
    block_gradient,
    block_log_loss,
    block_residuals,
    block_residuals_and_labels,
    block_values,
)
from hsboost._kernels.entropic_search import settle


def _solve(x, w, offsets, first, scale, k, total, cold, anchor, nu, flat, status):
    """`settle` for every segment, starting from the given (anchor, nu) and overwriting them."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                q = settle(x[i:j], None, scale, k[s], total[s], cold, anchor[s], nu[s])
            else:
                q = settle(x[i:j], w[i:j], scale, k[s], total[s], cold, anchor[s], nu[s])
            anchor[s], nu[s], flat[s], status[s] = q


def _values(x, offsets, first, scale, anchor, nu, out):
    """The projections themselves."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            block_values(x[i:j], anchor[s], scale, nu[s], out[i:j])


@inner
def add_residuals(x, y, w, anchor, scale, nu, out):
    """out = `block_residuals` of all blocks, added up in their order."""
    out[:] = 0.0
    for i in range(0, x.size, BLOCK):
        j = i + BLOCK
        if w is None:
            s = block_residuals(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_residuals(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0] += s[0]
        out[1] += s[1]
        out[2] += s[2]
        out[3] += s[3]


def _residuals(x, y, w, offsets, first, scale, anchor, nu, out):
    """out[s] = (Σ w d, Σ w d r, Σ w d², Σ w r²) of segment s; shape (segments, 4)."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                add_residuals(x[i:j], y[i:j], None, anchor[s], scale, nu[s], out[s])
            else:
                add_residuals(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s], out[s])


@inner
def add_residuals_and_labels(x, y, w, anchor, scale, nu, soft, out):
    """out = `block_residuals_and_labels` of all blocks, added up in their order."""
    out[:] = 0.0
    for i in range(0, x.size, BLOCK):
        j = i + BLOCK
        if w is None:
            s = block_residuals_and_labels(x[i:j], y[i:j], None, anchor, scale, nu, soft)
        else:
            s = block_residuals_and_labels(x[i:j], y[i:j], w[i:j], anchor, scale, nu, soft)
        out[0] += s[0]
        out[1] += s[1]
        out[2] += s[2]
        out[3] += s[3]
        out[4] += s[4]
        out[5] += s[5]
        out[6] += s[6]


def _residuals_and_labels(x, y, w, offsets, first, scale, anchor, nu, soft, out):
    """out[s] = `block_residuals_and_labels` of segment s; shape (segments, 7)."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                add_residuals_and_labels(x[i:j], y[i:j], None, anchor[s], scale, nu[s], soft, out[s])
            else:
                add_residuals_and_labels(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s], soft, out[s])


@inner
def add_log_loss(x, y, w, anchor, scale, nu, out):
    """out = `block_log_loss` of all blocks, added up in their order."""
    out[:] = 0.0
    for i in range(0, x.size, BLOCK):
        j = i + BLOCK
        if w is None:
            s = block_log_loss(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_log_loss(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0] += s[0]
        out[1] += s[1]


def _log_loss(x, y, w, offsets, first, scale, anchor, nu, out):
    """out[s] = (Σ w log-loss, Σ w v) of segment s; shape (segments, 2)."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                add_log_loss(x[i:j], y[i:j], None, anchor[s], scale, nu[s], out[s])
            else:
                add_log_loss(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s], out[s])


def _gradient(x, y, w, offsets, first, scale, anchor, nu, mean, own, spread, slope, bend, least, grad, hess):
    """`block_gradient` with one mean, own, spread, slope, bend and least per segment."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                block_gradient(
                    x[i:j], y[i:j], None, anchor[s], scale, nu[s],
                    mean[s], own[s], spread[s], slope[s], bend[s], least[s], grad[i:j], hess[i:j],
                )  # fmt: skip
            else:
                block_gradient(
                    x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s],
                    mean[s], own[s], spread[s], slope[s], bend[s], least[s], grad[i:j], hess[i:j],
                )  # fmt: skip


def _convex_gradient(x, y, w, offsets, first, scale, anchor, nu, shift, own, slope, bend, least, grad, hess):
    """`block_convex_gradient` with one shift, own, slope, bend and least per segment."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                block_convex_gradient(
                    x[i:j], y[i:j], None, anchor[s], scale, nu[s],
                    shift[s], own[s], slope[s], bend[s], least[s], grad[i:j], hess[i:j],
                )  # fmt: skip
            else:
                block_convex_gradient(
                    x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s],
                    shift[s], own[s], slope[s], bend[s], least[s], grad[i:j], hess[i:j],
                )  # fmt: skip


segment_multipliers = Kernel(_solve)
segment_values = Kernel(_values)
segment_residuals = Kernel(_residuals)
segment_residuals_and_labels = Kernel(_residuals_and_labels)
segment_log_loss = Kernel(_log_loss)
segment_gradient = Kernel(_gradient)
segment_convex_gradient = Kernel(_convex_gradient)
