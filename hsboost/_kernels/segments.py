"""Many small projections at once: rows are sorted by segment, each segment has a mass and a multiplier.

The unit of work is a *task*, a run of neighbouring segments of about `_compile.BLOCK` rows: one thread takes a
segment through all of its passes while it is in the cache. Within a segment sums run in row order, so the number of
threads changes no bit.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, Kernel, inner, njit
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


@inner
def block_starts(labels, first, stop, at, end, starts):
    """The rows of one block that differ from the row before, written to ``starts`` from ``at`` to ``end``.

    A row is written before it is known whether it differs, which spares a branch; after the last one, to the last
    place.
    """
    for i in range(first, stop, RUN):
        j = min(stop, i + RUN)
        if labels[j - 1] != labels[i - 1]:  # ascending: else all between are equal too
            for r in range(i, j):
                starts[at if at < end else starts.size - 1] = r
                at += 1 if labels[r] != labels[r - 1] else 0


def _starts(labels, ends, starts):
    """Where runs of equal labels begin: those of block b fill ``starts`` up to ``ends[b + 1]``; one place is left."""
    n = labels.size
    for b in prange(ends.size - 1):
        if ends[b + 1] > ends[b]:
            block_starts(labels, max(b * BLOCK, 1), min(n, (b + 1) * BLOCK), ends[b], ends[b + 1], starts)


def sorted_starts(labels: np.ndarray) -> np.ndarray:
    """Where runs of equal labels begin, if these ascend; empty if not."""
    n = labels.size
    if n > BLOCK and block_changes(labels[1:BLOCK], labels[: BLOCK - 1])[1] > 0:
        return np.empty(0, np.intp)
    found = np.empty((2, (n + BLOCK - 1) // BLOCK), np.intp)
    changes(n, labels, found)
    if found[1].any():
        return np.empty(0, np.intp)
    ends = np.empty(found.shape[1] + 1, np.intp)
    ends[0] = 1
    np.cumsum(found[0], out=ends[1:])
    ends[1:] += 1
    begins = np.empty(int(ends[-1]) + 1, np.intp)
    begins[0] = 0
    starts(n, labels, ends, begins)
    return begins[:-1]


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
    """`settle_segment` for every segment, starting from the given (anchor, nu) and overwriting them.

    Not from its neighbour's solution, which would take a third of the passes less: a group's last bits would depend on
    its neighbours.
    """
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
starts = Kernel(_starts)
segment_totals = Kernel(_totals)
segment_thresholds = Kernel(_solve)
segment_values = Kernel(_values)
segment_squares = Kernel(_squares)
segment_conjugates = Kernel(_conjugates)
segment_gradient = Kernel(_gradient)
