"""EXACT's probability by the paper's method: Genz's sequential sampling, compiled, O(N C²) per row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hsboost._kernels._compile import njit

FloatArray = NDArray[np.float64]

# Wichura, "Algorithm AS 241: The Percentage Points of the Normal Distribution", Applied Statistics 37, 1988.
_CENTRE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0),
)  # fmt: skip
_NEAR = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
     3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
     0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
     0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
     0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


@njit
def _ratio(r: Any, above: Any, below: Any) -> Any:
    p, q = above[0], below[0]
    for i in range(1, 8):
        p = p * r + above[i]
        q = q * r + below[i]
    return p / q


@njit
def ndtri(p: Any) -> Any:
    """Inverse of the normal distribution function, 0 < p < 1."""
    q = p - 0.5
    if abs(q) <= 0.425:
        return q * _ratio(0.180625 - q * q, _CENTRE[0], _CENTRE[1])
    r = math.sqrt(-math.log(min(p, 1.0 - p)))
    x = _ratio(r - 1.6, _NEAR[0], _NEAR[1]) if r <= 5.0 else _ratio(r - 5.0, _FAR[0], _FAR[1])
    return -x if q < 0.0 else x


@njit
def _row(a: Any, factor: Any, uniforms: Any, drawn: Any) -> Any:
    total = 0.0
    m = a.size
    for k in range(uniforms.shape[0]):
        product = 1.0
        for i in range(m):
            mean = 0.0
            for j in range(i):
                mean += factor[i, j] * drawn[j]
            share = 0.5 * math.erfc((mean - a[i]) / factor[i, i] * math.sqrt(0.5))
            product *= share
            if i < m - 1:
                drawn[i] = ndtri(max(uniforms[k, i] * share, 1e-300))
        total += product
    return total / uniforms.shape[0]


@njit
def _rows(x: Any, y: Any, factor: Any, uniforms: Any, out: Any) -> None:
    classes = x.shape[1]
    a, drawn = np.empty(classes - 1), np.empty(classes - 1)
    for row in range(x.shape[0]):
        k = 0
        for c in range(classes):
            if c != y[row]:
                a[k] = x[row, y[row]] - x[row, c]
                k += 1
        out[row] = _row(a, factor, uniforms, drawn)


def probabilities(x: FloatArray, y: NDArray[np.int64], uniforms: FloatArray) -> FloatArray:
    """P(true class scores highest) of each row, scores x (n, C) with σ = 1, from uniform numbers (N, C - 1).

    The numbers are shared by the rows and drawn beforehand, so that drawing is not timed. It computes the value only,
    no gradient. Genz, "Numerical Computation of Multivariate Normal Probabilities", J. Comp. Graph. Stat. 1, 1992.
    """
    factor = np.linalg.cholesky(np.eye(x.shape[1] - 1) + 1.0)
    out = np.empty(x.shape[0])
    _rows(x, y, factor, uniforms, out)
    return out
