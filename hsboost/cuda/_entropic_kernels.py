"""CUDA passes of the entropic projection: those of `hsboost._kernels.entropic`, with rows and sums as in `_kernels`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import cuda, float64

from hsboost.cuda._ahead import LOADS, rows_ahead
from hsboost.cuda._kernels import add_up, kernel

#: Sums of the search, in the order of `hsboost._kernels.entropic.KINDS`, and the scores that are not finite.
KINDS = 8


@cuda.jit(device=True)
def halves(v: Any) -> Any:
    """(σ(-|v|), σ(|v|)), each to its last digits."""
    e = math.exp(-abs(v))
    large = 1.0 / (1.0 + e)
    return e * large, large


@kernel
def sums(x: Any, w: Any, weighted: Any, anchor: Any, scale: Any, nu: Any, out: Any) -> None:
    """out[:, block] = (Σ w where v > 0, Σ w (1 - ŷ) over them, Σ w ŷ over the others, Σ w d of the former, of the
    latter, Σ w d (1 - 2 ŷ), Σ w d², scores not finite)."""  # fmt: skip
    shared = cuda.shared.array(0, float64)
    t, threads, first, stride = cuda.threadIdx.x, cuda.blockDim.x, cuda.grid(1), cuda.gridsize(1)
    above = 0.0
    short = 0.0
    over = 0.0
    slope_above = 0.0
    slope_below = 0.0
    bend = 0.0
    square = 0.0
    bad = 0.0
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                xi = np.float64(xs[row])
                wi = np.float64(w[i]) if weighted else 1.0
                p, q = halves((xi - anchor) * scale - nu)
                wd = wi * p * q
                if (xi - anchor) * scale - nu > 0.0:
                    above += wi
                    short += wi * p
                    slope_above += wd
                    bend -= wd * (q - p)
                else:
                    over += wi * p
                    slope_below += wd
                    bend += wd * (q - p)
                square += wd * (p * q)
                bad += 0.0 if math.isfinite(xi) else 1.0
    shared[t], shared[threads + t] = above, short
    shared[2 * threads + t], shared[3 * threads + t] = over, slope_above
    shared[4 * threads + t], shared[5 * threads + t] = slope_below, bend
    shared[6 * threads + t], shared[7 * threads + t] = square, bad
    add_up(shared, 8, out)


@kernel
def residuals(
    x: Any, y: Any, w: Any, weighted: Any, target: Any, anchor: Any, scale: Any, nu: Any, soft: Any, out: Any
) -> None:  # fmt: skip
    """out[:, block] = (Σ w d, Σ w d r, Σ w d²), r = soft ŷ - [y is the target]; ``soft`` is 0 or 1."""
    shared = cuda.shared.array(0, float64)
    t, threads, first, stride = cuda.threadIdx.x, cuda.blockDim.x, cuda.grid(1), cuda.gridsize(1)
    slope = 0.0
    residual = 0.0
    square = 0.0
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        ys = rows_ahead(y, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                v = (np.float64(xs[row]) - anchor) * scale - nu
                wi = np.float64(w[i]) if weighted else 1.0
                yi = 1.0 if ys[row] == target else 0.0
                p, q = halves(v)
                d = p * q
                slope += wi * d
                residual += wi * d * (soft * (q if v > 0.0 else p) - yi)
                square += wi * d * d
    shared[t], shared[threads + t], shared[2 * threads + t] = slope, residual, square
    add_up(shared, 3, out)


@kernel
def gradient(
    x: Any, y: Any, w: Any, weighted: Any, target: Any, anchor: Any, scale: Any, nu: Any,
    mean: Any, own: Any, spread: Any, slope: Any, bend: Any, least: Any, grad: Any, hess: Any,
) -> None:  # fmt: skip
    """grad = slope w d (r - mean), hess = bend w max(d² (1 - own w (2 d - spread)), least)."""
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
                p, q = halves(v)
                d = p * q
                r = (q if v > 0.0 else p) - yi - mean
                grad[i] = slope * wi * d * r
                hess[i] = bend * wi * max(d * d * (1.0 - own * wi * (2.0 * d - spread)), least)


@kernel
def convex_gradient(
    x: Any, y: Any, w: Any, weighted: Any, target: Any, anchor: Any, scale: Any, nu: Any,
    shift: Any, own: Any, slope: Any, bend: Any, least: Any, grad: Any, hess: Any,
) -> None:  # fmt: skip
    """grad = slope w (r - shift), hess = bend w max(d (1 - own w d), least)."""
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
                p, q = halves(v)
                d = p * q
                grad[i] = slope * wi * ((q if v > 0.0 else p) - yi - shift)
                hess[i] = bend * wi * max(d * (1.0 - own * wi * d), least)


@kernel
def windowed_gradient(
    x: Any, y: Any, w: Any, weighted: Any, target: Any, anchor: Any, scale: Any, nu: Any,
    base: Any, peak: Any, least: Any, grad: Any, hess: Any,
) -> None:  # fmt: skip
    """grad = w a (p - y), hess = w max(a p (1 - p), least), with a = base + peak d and p = σ(x)."""
    first, stride = cuda.grid(1), cuda.gridsize(1)
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        ys = rows_ahead(y, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                xi = np.float64(xs[row])
                wi = np.float64(w[i]) if weighted else 1.0
                yi = 1.0 if ys[row] == target else 0.0
                p, q = halves((xi - anchor) * scale - nu)
                a = base + peak * (p * q)
                p, q = halves(xi)
                grad[i] = wi * a * ((q if xi > 0.0 else p) - yi)
                hess[i] = wi * max(a * (p * q), least)


@kernel
def values(x: Any, anchor: Any, scale: Any, nu: Any, out: Any) -> None:
    """out = ŷ."""
    first, stride = cuda.grid(1), cuda.gridsize(1)
    for j in range(first, x.size, LOADS * stride):
        xs = rows_ahead(x, j, stride, x.size - 1)
        for row in range(LOADS):
            i = j + row * stride
            if i < x.size:
                v = (np.float64(xs[row]) - anchor) * scale - nu
                p, q = halves(v)
                out[i] = q if v > 0.0 else p
