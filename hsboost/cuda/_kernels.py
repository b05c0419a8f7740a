"""CUDA passes of the multiplier search and of the boosting step, written with numba-cuda.

Thread t of the S threads in the grid has the rows t, t + S, t + 2 S … The rows that it keeps are stored in the same
pattern, so one loop reads both. A thread adds up its rows in order, a block its threads as a tree, and the host the
blocks in order: the same launch always gives the same bits. Sums are float64 for every dtype of the scores. There are
no atomics.

Rows enter as ``v = (x - anchor) * scale - nu`` as in `hsboost._kernels.multiplier`, which these passes follow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda, float64

from hsboost._kernels._cache import attach
from hsboost.cuda._ahead import LOADS, rows_ahead

#: Threads of a block, a power of two.
THREADS = 256

#: Most sums that a block adds up at once; this sets its shared memory.
KINDS = 6


def kernel(function: Any) -> Any:
    """``numba.cuda.jit``, stored on disk like the processor's kernels."""
    return attach(cuda.jit(function))


@cuda.jit(device=True)
def add_up(shared: Any, kinds: Any, out: Any) -> None:
    """out[kind, block] = sum over the block's threads of shared[kind * threads + thread]."""
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    half = threads // 2
    while half > 0:
        cuda.syncthreads()
        if t < half:
            for kind in range(kinds):
                shared[kind * threads + t] += shared[kind * threads + t + half]
        half //= 2
    if t == 0:
        for kind in range(kinds):
            out[kind, cuda.blockIdx.x] = shared[kind * threads]
    cuda.syncthreads()


@cuda.jit(device=True)
def keep_largest(shared: Any, kinds: Any, out: Any) -> None:
    """out[kind, block] = maximum over the block's threads of shared[kind * threads + thread]."""
    t, threads = cuda.threadIdx.x, cuda.blockDim.x
    half = threads // 2
    while half > 0:
        cuda.syncthreads()
        if t < half:
            for kind in range(kinds):
                at = kind * threads + t
                shared[at] = max(shared[at], shared[at + half])
        half //= 2
    if t == 0:
        for kind in range(kinds):
            out[kind, cuda.blockIdx.x] = shared[kind * threads]
    cuda.syncthreads()


@cuda.jit(device=True)
def rows_of_thread(n: Any, counts: Any, kept: Any, first: Any, stride: Any) -> Any:
    """How many rows the thread has: of all n, or of those it kept."""
    if kept:
        return np.int64(counts[first])
    return (n - first + stride - 1) // stride


@kernel
def sums(x: Any, w: Any, weighted: Any, counts: Any, kept: Any, anchor: Any, scale: Any, nu: Any, out: Any) -> None:
    """out[:, block] = (weight above 1, weight in [0, 1], Σ w v over it, scores not finite)."""
    shared = cuda.shared.array(0, float64)
    t, threads, first, stride = cuda.threadIdx.x, cuda.blockDim.x, cuda.grid(1), cuda.gridsize(1)
    rows = rows_of_thread(x.size, counts, kept, first, stride)
    ones = 0.0
    active = 0.0
    mass = 0.0
    bad = 0.0
    for j in range(0, rows, LOADS):
        ahead = rows_ahead(x, first + j * stride, stride, first + (rows - 1) * stride)
        for q in range(LOADS):
            if j + q < rows:
                xi = np.float64(ahead[q])
                wi = np.float64(w[first + (j + q) * stride]) if weighted else 1.0
                v = (xi - anchor) * scale - nu
                if v > 1.0:
                    ones += wi
                elif v >= 0.0:
                    active += wi
                    mass += wi * v
                bad += 0.0 if math.isfinite(xi) else 1.0
    shared[t], shared[threads + t] = ones, active
    shared[2 * threads + t], shared[3 * threads + t] = mass, bad
    add_up(shared, 4, out)


@kernel
def window(
    x: Any, w: Any, weighted: Any, counts: Any, kept: Any, anchor: Any, scale: Any, lo: Any, hi: Any,
    keep_x: Any, keep_w: Any, keep_counts: Any, capacity: Any, out: Any,
) -> None:  # fmt: skip
    """Sums that hold for every nu in [lo, hi], lo < hi < lo + 1, and a copy of the rows that depend on it.

    out[:, block] = (weight above 1, weight in [0, 1], Σ w u over it with u = v at nu = 0, scores not finite, rows that
    depend on nu, those of them beyond the capacity). A thread may keep rows in the arrays that it reads.
    """
    shared = cuda.shared.array(0, float64)
    t, threads, first, stride = cuda.threadIdx.x, cuda.blockDim.x, cuda.grid(1), cuda.gridsize(1)
    rows = rows_of_thread(x.size, counts, kept, first, stride)
    ones = 0.0
    active = 0.0
    mass = 0.0
    bad = 0.0
    held = 0
    for j in range(0, rows, LOADS):
        ahead = rows_ahead(x, first + j * stride, stride, first + (rows - 1) * stride)
        for q in range(LOADS):
            if j + q < rows:
                xi = np.float64(ahead[q])
                wi = np.float64(w[first + (j + q) * stride]) if weighted else 1.0
                u = (xi - anchor) * scale
                if u >= hi + 1.0:
                    ones += wi
                elif u >= hi and u <= lo + 1.0:
                    active += wi
                    mass += wi * u
                elif u > lo:
                    if held < capacity:
                        keep_x[first + held * stride] = ahead[q]
                        if weighted:
                            keep_w[first + held * stride] = w[first + (j + q) * stride]
                    held += 1
                bad += 0.0 if math.isfinite(xi) else 1.0
    keep_counts[first] = min(held, capacity)
    shared[t], shared[threads + t] = ones, active
    shared[2 * threads + t], shared[3 * threads + t] = mass, bad
    shared[4 * threads + t], shared[5 * threads + t] = np.float64(held), np.float64(max(held - capacity, 0))
    add_up(shared, 6, out)


@kernel
def collect(keep: Any, counts: Any, ends: Any, out: Any) -> None:
    """Kept rows without gaps, sorted by thread; ``ends`` are the running sums of ``counts``."""
    first, stride = cuda.grid(1), cuda.gridsize(1)
    start = ends[first] - counts[first]
    for j in range(counts[first]):
        out[start + j] = keep[first + j * stride]


@kernel
def survey(x: Any, w: Any, weighted: Any, anchor: Any, scale: Any, nu: Any, margin: Any, most: Any, out: Any) -> None:
    """For rare inputs only. most[:, block] = maxima of (x where v <= 1/2, -x where v > 1/2, -x, x), all of
    rows with weight; out[:, block] = (weight with margin < v < 1 - margin, scores not finite)."""  # fmt: skip
    shared = cuda.shared.array(0, float64)
    t, threads, first, stride = cuda.threadIdx.x, cuda.blockDim.x, cuda.grid(1), cuda.gridsize(1)
    below = -math.inf
    above = -math.inf
    smallest = -math.inf
    largest = -math.inf
    interior = 0.0
    bad = 0.0
    for i in range(first, x.size, stride):
        xi = np.float64(x[i])
        wi = np.float64(w[i]) if weighted else 1.0
        v = (xi - anchor) * scale - nu
        if not math.isfinite(xi):
            bad += 1.0
        elif wi > 0.0:
            if v <= 0.5:
                below = max(below, xi)
            else:
                above = max(above, -xi)
            smallest = max(smallest, -xi)
            largest = max(largest, xi)
            if v > margin and v < 1.0 - margin:
                interior += wi
    shared[t], shared[threads + t] = below, above
    shared[2 * threads + t], shared[3 * threads + t] = smallest, largest
    keep_largest(shared, 4, most)
    shared[t], shared[threads + t] = interior, bad
    add_up(shared, 2, out)


@kernel
def residuals(
    x: Any, y: Any, w: Any, weighted: Any, target: Any, anchor: Any, scale: Any, nu: Any, out: Any
) -> None:  # fmt: skip
    """out[:, block] = (Σ_A w, Σ_A w r), r = v - [y is the target] and A the rows with 0 < v < 1."""
    shared = cuda.shared.array(0, float64)
    t, threads, first, stride = cuda.threadIdx.x, cuda.blockDim.x, cuda.grid(1), cuda.gridsize(1)
    active = 0.0
    residual = 0.0
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        ys = rows_ahead(y, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                v = (np.float64(xs[row]) - anchor) * scale - nu
                wi = np.float64(w[i]) if weighted else 1.0
                yi = 1.0 if ys[row] == target else 0.0
                if v > 0.0 and v < 1.0:
                    active += wi
                    residual += wi * (v - yi)
    shared[t], shared[threads + t] = active, residual
    add_up(shared, 2, out)


@kernel
def gradient(
    x: Any, y: Any, w: Any, weighted: Any, target: Any, anchor: Any, scale: Any, nu: Any,
    mean: Any, share: Any, slope: Any, outer: Any, bend: Any, floor: Any, grad: Any, hess: Any,
) -> None:  # fmt: skip
    """grad = slope w (r - mean), hess = bend w max(1 - w share, floor) on A; outer w (r - mean), bend w floor off A."""
    first, stride = cuda.grid(1), cuda.gridsize(1)
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        ys = rows_ahead(y, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                v = (np.float64(xs[row]) - anchor) * scale - nu
                wi = np.float64(w[i]) if weighted else 1.0
                yi = 1.0 if ys[row] == target else 0.0
                r = min(max(v, 0.0), 1.0) - yi - mean
                if v > 0.0 and v < 1.0:
                    grad[i] = slope * wi * r
                    hess[i] = bend * wi * max(1.0 - wi * share, floor)
                else:
                    grad[i] = outer * wi * r
                    hess[i] = bend * wi * floor


@kernel
def values(x: Any, anchor: Any, scale: Any, nu: Any, margin: Any, out: Any) -> None:
    """out = clip(v, 0, 1), with values within ``margin`` of 0 or 1 put there."""
    first, stride = cuda.grid(1), cuda.gridsize(1)
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                c = min(max((np.float64(xs[row]) - anchor) * scale - nu, 0.0), 1.0)
                c = 0.0 if c <= margin else c
                out[i] = 1.0 if c >= 1.0 - margin else c
