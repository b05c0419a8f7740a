"""Many small projections at once: rows are sorted by segment, each segment has a mass and a multiplier.

The unit of work is a *task*, a run of neighbouring segments of about `_compile.BLOCK` rows: one thread takes a
segment through all of its passes while it is in the cache. Within a segment sums run in row order, so the number of
threads changes no bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, Kernel, njit
from hsboost._kernels.gradient import block_conjugate, block_gradient, block_labels, block_residuals, block_values
from hsboost._kernels.multiplier import RUN
from hsboost._kernels.settle import settle_segment


@njit
def block_changes(labels, before):
    """(labels that differ from the one before them, labels that are below it) of one block; ``before`` is its first."""
    changes = 0
    descents = 0
    for i in range(labels.size):
        changes += 1 if labels[i] != before[i] else 0
        descents += 1 if labels[i] < before[i] else 0
    return changes, descents


def _changes(labels, out):
    """out[:, b] = `block_changes` of block b."""
    n = labels.size
    for b in prange(out.shape[1]):
        i, j = max(b * BLOCK, 1), min(n, (b + 1) * BLOCK)
        out[0, b], out[1, b] = block_changes(labels[i:j], labels[i - 1 : j - 1])


@njit
def starts_of(labels, changes, total):
    """Where runs of equal labels begin, ``total`` of them, with so many ``changes`` within each block."""
    starts = np.empty(total + 1, np.intp)  # what follows a change is written before it is known whether it is one
    starts[0] = 0
    at = 1
    for b in range(changes.size):
        if changes[b] == 0:
            continue
        for i in range(max(b * BLOCK, 1), min(labels.size, (b + 1) * BLOCK), RUN):
            j = min(labels.size, (b + 1) * BLOCK, i + RUN)
            if labels[j - 1] != labels[i - 1]:  # ascending: else all between are equal too
                for r in range(i, j):
                    starts[at] = r
                    at += 1 if labels[r] != labels[r - 1] else 0
    return starts[:total]


def sorted_starts(labels: np.ndarray) -> np.ndarray:
    """Where runs of equal labels begin, if these ascend; empty if not."""
    n = labels.size
    if n > BLOCK and block_changes(labels[1:BLOCK], labels[: BLOCK - 1])[1] > 0:
        return np.empty(0, np.intp)
    found = np.empty((2, (n + BLOCK - 1) // BLOCK), np.intp)
    changes(n, labels, found)
    if found[1].any():
        return np.empty(0, np.intp)
    return starts_of(labels, found[0], 1 + int(found[0].sum()))


def _totals(y, w, offsets, first, out):
    """out[:, s] = `block_labels` of segment s, for the segments of each task."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                q = block_labels(y[i:j], None)
            else:
                q = block_labels(y[i:j], w[i:j])
            out[0, s], out[1, s], out[2, s], out[3, s] = q


def _solve(x, w, offsets, first, scale, k, total, cold, anchor, nu, flat, status):
    """`settle_segment` for every segment, starting from the given (anchor, nu) and overwriting them."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                q = settle_segment(x[i:j], None, scale, k[s], total[s], cold, anchor[s], nu[s])
            else:
                q = settle_segment(x[i:j], w[i:j], scale, k[s], total[s], cold, anchor[s], nu[s])
            anchor[s], nu[s], flat[s], status[s] = q


def _values(x, offsets, first, scale, anchor, nu, flat, margin, out):
    """The projections themselves."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            block_values(x[i:j], anchor[s], scale, nu[s], margin if flat[s] else 0.0, out[i:j])


def _squares(x, y, w, offsets, first, scale, anchor, nu, out):
    """out[s] = Σ w (ŷ - y)² of segment s."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                q = block_residuals(x[i:j], y[i:j], None, anchor[s], scale, nu[s])
            else:
                q = block_residuals(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s])
            out[s] = q[2]


def _conjugates(x, y, w, offsets, first, scale, anchor, nu, out):
    """out[:, s] = `block_conjugate` of segment s."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                q = block_conjugate(x[i:j], y[i:j], None, anchor[s], scale, nu[s])
            else:
                q = block_conjugate(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s])
            out[0, s], out[1, s], out[2, s] = q


def _gradient(x, y, w, offsets, first, scale, anchor, nu, means, own, slope, outer, bend, floor, grad, hess, out):
    """Derivatives by `block_gradient`, out[s] = Σ_A w; ``means`` None: the mean residual of the active rows."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if w is None:
                active, residual, _ = block_residuals(x[i:j], y[i:j], None, anchor[s], scale, nu[s])
            else:
                active, residual, _ = block_residuals(x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s])
            out[s] = active
            share = own / active if active > 0.0 else 0.0
            if means is None:
                mean = residual / active if active > 0.0 else 0.0
            else:
                mean = means[s]
            if w is None:
                block_gradient(
                    x[i:j], y[i:j], None, anchor[s], scale, nu[s],
                    mean, share, slope, outer, bend, floor, grad[i:j], hess[i:j],
                )  # fmt: skip
            else:
                block_gradient(
                    x[i:j], y[i:j], w[i:j], anchor[s], scale, nu[s],
                    mean, share, slope, outer, bend, floor, grad[i:j], hess[i:j],
                )  # fmt: skip


changes = Kernel(_changes)
segment_totals = Kernel(_totals)
segment_thresholds = Kernel(_solve)
segment_values = Kernel(_values)
segment_squares = Kernel(_squares)
segment_conjugates = Kernel(_conjugates)
segment_gradient = Kernel(_gradient)
