"""log Φ(x), its derivative λ = φ/Φ and its curvature, from a table of Taylor polynomials: no transcendental calls.

λ solves λ' = -λ (x + λ), which gives every Taylor coefficient from the ones before it. The nearest zero of Φ in the
complex plane lies 2.8 from the real line; with grid points 1/16 apart a point is at most 1/32 from one, so that the
first term left out after eight is (1/32 / 2.8)^8 = 2e-16 of λ.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from hsboost._kernels._compile import inner, njit

#: The table covers [LOW, HIGH]; below, an asymptotic series takes over; above, 1 - Φ is less than 1e-17.
LOW, HIGH = -16.0, 8.5
PER_UNIT = 16
_STEP = 1.0 / PER_UNIT
TERMS = 8
_THIRD, _FIFTH, _SIXTH, _SEVENTH = 1.0 / 3.0, 1.0 / 5.0, 1.0 / 6.0, 1.0 / 7.0

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@cache
def table() -> np.ndarray:
    """Rows of (log Φ, λ, λ'/1!, λ''/2!, …) at the grid points. Made when first asked for (scipy loads slowly)."""
    from scipy.special import erfcx, log_ndtr

    points = np.arange(int((HIGH - LOW) * PER_UNIT) + 1) / PER_UNIT + LOW
    rows = np.zeros((points.size, TERMS + 1))
    rows[:, 0] = log_ndtr(points)
    series = rows[:, 1:]
    series[:, 0] = math.sqrt(2.0 / math.pi) / erfcx(-points / math.sqrt(2.0))
    series[:, 1] = -series[:, 0] * (points + series[:, 0])
    for k in range(1, TERMS - 1):
        squares = sum(series[:, j] * series[:, k - j] for j in range(k + 1))
        series[:, k + 1] = -(points * series[:, k] + series[:, k - 1] + squares) / (k + 1)
    rows.flags.writeable = False
    return rows


@inner
def _beyond(x):
    """`log_cdf` outside the table."""
    if x > HIGH:
        slope = math.exp(-0.5 * x * x - _HALF_LOG_2PI)
        return -slope / x, slope, x
    # Mills' ratio: Φ(x) = φ(x)/|x| S with S = 1 - 1/x² + 3/x⁴ - …; x + λ = |x| (1 - S)/S without the difference.
    u = 1.0 / (x * x)
    rest = 0.0
    for k in range(10, 0, -1):
        rest = (2.0 * k - 1.0) * u * (1.0 - rest)
    series = 1.0 - rest
    return -0.5 * x * x - _HALF_LOG_2PI - math.log(-x) + math.log1p(-rest), -x / series, -x * rest / series


@njit(inline="always")
def log_cdf(x, rows):
    """(log Φ(x), λ = φ(x)/Φ(x), x + λ). The curvature of -log Φ is λ (x + λ), between 0 and 1."""
    if (x < LOW) | (x > HIGH):
        return _beyond(x)
    i = int((x - LOW) * PER_UNIT + 0.5)
    d = x - (LOW + i * _STEP)
    # Both polynomials in pairs (Estrin's scheme): a chain of three products where Horner's rule has eight.
    d2 = d * d
    d4 = d2 * d2
    slope = (rows[i, 1] + d * rows[i, 2]) + d2 * (rows[i, 3] + d * rows[i, 4])
    slope += d4 * ((rows[i, 5] + d * rows[i, 6]) + d2 * (rows[i, 7] + d * rows[i, 8]))
    value = (rows[i, 1] + d * (rows[i, 2] / 2.0)) + d2 * (rows[i, 3] * _THIRD + d * (rows[i, 4] / 4.0))
    last = rows[i, 7] * _SEVENTH + d * (rows[i, 8] / 8.0)
    value += d4 * ((rows[i, 5] * _FIFTH + d * (rows[i, 6] * _SIXTH)) + d2 * last)
    return rows[i, 0] + d * value, slope, x + slope
