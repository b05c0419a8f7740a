"""Many small groups at once, for log loss under a window: what `entropic_segments` does, with the same tasks."""

from __future__ import annotations

from numba import prange

from hsboost._kernels._compile import BLOCK, Kernel, inner
from hsboost._kernels.windowed import block_gradient, block_value, block_weights


def _weights(x, w, offsets, first, scale, anchor, nu, base, peak, out):
    """`block_weights` with one anchor and nu per segment."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                block_weights(x[i:j], None, anchor[s], scale, nu[s], base, peak, out[i:j])
            else:
                block_weights(x[i:j], w[i:j], anchor[s], scale, nu[s], base, peak, out[i:j])


def _gradient(x, y, w, offsets, first, scale, anchor, nu, start, offset, base, peak, least, grad, hess):
    """`block_gradient` with one anchor, nu, start and offset per segment."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                block_gradient(
                    x[i:j], y[i:j], None, anchor[s], scale, nu[s],
                    start[s], offset[s], base, peak, least, grad[i:j], hess[i:j],
                )  # fmt: skip
            else:
                block_gradient(
                    x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s],
                    start[s], offset[s], base, peak, least, grad[i:j], hess[i:j],
                )  # fmt: skip


@inner
def add_value(x, y, w, anchor, scale, nu, start, offset, out):
    """out = `block_value` of all blocks, added up in their order."""
    out[:] = 0.0
    for i in range(0, x.size, BLOCK):
        j = i + BLOCK
        if w is None:
            s = block_value(x[i:j], y[i:j], None, anchor, scale, nu, start, offset)
        else:
            s = block_value(x[i:j], y[i:j], w[i:j], anchor, scale, nu, start, offset)
        out[0] += s[0]
        out[1] += s[1]


def _value(x, y, w, offsets, first, scale, anchor, nu, start, offset, out):
    """out[s] = `block_value` of segment s; shape (segments, 2)."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                add_value(x[i:j], y[i:j], None, anchor[s], scale, nu[s], start[s], offset[s], out[s])
            else:
                add_value(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s], start[s], offset[s], out[s])


segment_weights = Kernel(_weights)
segment_gradient = Kernel(_gradient)
segment_value = Kernel(_value)
