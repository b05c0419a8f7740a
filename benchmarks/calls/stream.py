"""The least that a pass can cost: a gradient's reading and writing, and the gathering of rows out of order."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from hsboost._kernels._compile import BLOCK, PARALLEL_FROM, njit

Float32 = NDArray[np.float32]
FloatArray = NDArray[np.floating[Any]]


@njit
def _block(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    for i in range(x.size):
        gradient[i] = x[i] - y[i]
        hessian[i] = x[i] + y[i]


# Two functions and not one compiled twice: Numba's disk cache knows a function by name and place, not by its options,
# and would hand out whichever form was compiled first.
@njit
def _serial(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    _block(x, y, gradient, hessian)


@njit(parallel=True)
def _parallel(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        _block(x[i:j], y[i:j], gradient[i:j], hessian[i:j])


def stream(x: Float32, y: Float32, gradient: Float32, hessian: Float32) -> None:
    """Fill both outputs from both inputs and do nothing else, threaded as hsboost's passes are."""
    if x.size >= PARALLEL_FROM and numba.get_num_threads() > 1:
        _parallel(x, y, gradient, hessian)
    else:
        _serial(x, y, gradient, hessian)


@njit
def _gather_serial(x: Any, order: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = x[order[i]]


@njit(parallel=True)
def _gather_parallel(x: Any, order: Any, out: Any) -> None:
    for i in prange(x.size):
        out[i] = x[order[i]]


def gather(x: FloatArray, order: NDArray[np.intp], out: FloatArray) -> None:
    """Fill ``out`` with ``x[order]``, threaded as hsboost's passes are."""
    if x.size >= PARALLEL_FROM and numba.get_num_threads() > 1:
        _gather_parallel(x, order, out)
    else:
        _gather_serial(x, order, out)


def threading_layer() -> str:
    """Name the layer that Numba's threads run on here; starts them if need be."""
    x = np.zeros(BLOCK, np.float32)
    _parallel(x, x, np.empty_like(x), np.empty_like(x))
    return str(numba.threading_layer())
