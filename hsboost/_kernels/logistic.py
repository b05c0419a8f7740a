"""The logistic function in plain arithmetic, which LLVM turns into vector code: Numba calls libm's exp row by row.

exp(-|v|) = 2^m exp(r) with |r| <= log(2) / 2, and exp(r) = N(r) / N(-r) up to r^13 / 6e12, Padé's approximant with N's
coefficients (12 - j)! 6! / (j! (6 - j)!), divided by 6!. Then σ(-|v|) = 2^m N(r) / (2^m N(r) + N(-r)): one division.
"""

from __future__ import annotations

import numpy as np

from hsboost._kernels._compile import njit

#: Beyond that exp(-|v|) is 0: below lie the subnormal numbers.
LEAST = -708.0

_LOG2_E = 1.4426950408889634
#: log 2 in two parts; the first ends in zeros, so that its multiples are exact.
_LOG2_HIGH = float.fromhex("0x1.62e42feep-1")
_LOG2_LOW = 1.9082149292705877e-10

#: Added to a number of less than 2^51 it leaves the nearest integer plus 1023, an exponent's offset, in the last bits.
_ROUND = 1.5 * 2.0**52 + 1023.0

_ROOT_HALF = 0.7071067811865476
_ROOT_TWO = 1.4142135623730951
_HALF_LOG_TWO = 0.34657359027997264

_T3, _T5, _T7, _T9 = 2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0
_T11, _T13, _T15, _T17, _T19 = 2.0 / 11.0, 2.0 / 13.0, 2.0 / 15.0, 2.0 / 17.0, 2.0 / 19.0


# Not reassociated: adding and subtracting `_ROUND` would cancel. Numba's usual division looks for zeros, row by row.
@njit(fastmath={"contract"}, error_model="numpy")
def halves(v):
    """(σ(-|v|), σ(|v|)), both within two units in the last place; the first is 0 for |v| > 708."""
    t = max(-abs(v), LEAST)
    shifted = t * _LOG2_E + _ROUND
    m = shifted - _ROUND
    r = (t - m * _LOG2_HIGH) - m * _LOG2_LOW
    power = np.int64(np.float64(shifted).view(np.int64) << 52).view(np.float64)
    rr = r * r
    odd = r * (332640.0 + rr * (10080.0 + 42.0 * rr))
    even = 665280.0 + rr * (75600.0 + rr * (840.0 + rr))
    small = power * (even + odd) if t > LEAST else 0.0
    p = small / (small + (even - odd))
    return p, 1.0 - p


@njit(fastmath={"contract"}, error_model="numpy")
def minus_log(p, q):
    """-log q for q = 1 - p between 1/2 and 1: log(1 + exp(-|v|)) from what `halves` returns.

    2 atanh((1 - q) / (1 + q)), with q √2 in place of q where that is nearer to 1.
    """
    near = q >= _ROOT_HALF
    s = (p if near else 1.0 - _ROOT_TWO * q) / (1.0 + (q if near else _ROOT_TWO * q))
    c = s * s
    high = c * (_T11 + c * (_T13 + c * (_T15 + c * (_T17 + c * _T19))))
    series = 2.0 + c * (_T3 + c * (_T5 + c * (_T7 + c * (_T9 + high))))
    return s * series + (0.0 if near else _HALF_LOG_TWO)
