"""The whole search in one compiled call, for problems that one thread solves fastest."""

from __future__ import annotations

import numpy as np

from hsboost._kernels._compile import ONE, inner, njit
from hsboost._kernels.guess import guess, last_in, middle_of_gap, sample, sort_by_score
from hsboost._kernels.multiplier import block_sums, ends, gap
from hsboost._kernels.search import (
    BESIDE,
    ENCLOSED_PATIENCE,
    EPS,
    MARGIN,
    NOT_FINITE,
    PATIENCE,
    SOLVED,
    TOO_WIDE,
    flat_cut,
    solve,
)

#: Least number of rows at which a cold search begins with a sample; the sample takes one row in so many, and at most.
SAMPLED_FROM, ONE_IN, MOST = 8192, 32, 1024

#: Where scores lie far apart, the score beside which the solution lies is selected here for up to this many rows; NumPy
#: does it for more.
SELECTED_UP_TO = 16_384

#: Rows that `any_interior` looks at together.
PART = 256


@njit
def settle(x, w, scale, k, total, anchor, nu, lo, hi):
    """Multiplier for any 0 <= k <= total on one thread: (anchor, nu, whether all values are 0 or 1, status).

    [lo, hi] is a bracket for nu at the first anchor; both infinite when none is known.
    """
    if k <= 0.0 or k >= total:
        smallest, largest, check = ends(x, w)
        if check != 0.0:
            return anchor, nu, True, NOT_FINITE
        return (largest, 0.0, True, SOLVED) if k <= 0.0 else (smallest, -1.0, True, SOLVED)
    patience = ENCLOSED_PATIENCE if lo > -np.inf and hi < np.inf else PATIENCE
    anchor, nu, status = solve(x, w, scale, k, anchor, nu, lo, hi, 8 * EPS * k, patience)
    if status != SOLVED or any_interior(x, w, anchor, scale, nu):
        return anchor, nu, False, status
    below, above = gap(x, w, anchor, scale, nu, -np.inf, np.inf)
    anchor, nu = flat_cut(below, above, scale)
    return anchor, nu, True, SOLVED


@njit
def settle_cold(x, w, scale, k, total, anchor, nu):
    """`settle` from a sample, where (anchor, nu) is no better than any other start; for `SAMPLED_FROM` rows or more.

    Apart from it, so that the first call on few rows need not wait for this to be compiled.
    """
    lo, hi = -np.inf, np.inf
    if 0.0 < k < total:
        rows = min(MOST, x.size // ONE_IN)
        some = sample(x, rows, ONE)
        if w is None:
            anchor, nu, middle = guess_or_gap(some, None, scale, k / total)
        else:  # a conditional expression would have Numba compile all of it for "an array or None", too
            anchor, nu, middle = guess_or_gap(some, sample(w, rows, ONE), scale, k / total)
        if not np.isnan(middle):
            lo, hi, nu = try_gap(x, w, scale, k, total, anchor, nu, middle)
    return settle(x, w, scale, k, total, anchor, nu, lo, hi)


@inner
def guess_or_gap(some, some_w, scale, share):
    """(anchor, nu) from a sample, and the nu in the middle of a gap that may hold the solution, or NaN."""
    anchor, nu, few = guess(some, some_w, scale, share)
    if not few:
        return anchor, nu, np.nan
    sort_by_score(some, some_w)
    return anchor, nu, (middle_of_gap(some, some_w, scale, share, ONE) - anchor) * scale - 0.5


@inner
def settle_segment(x, w, scale, k, total, cold, anchor, nu):
    """`settle` or `settle_cold` for one of many segments; scores far apart need no way back to Python."""
    if cold and x.size >= SAMPLED_FROM:
        found = settle_cold(x, w, scale, k, total, anchor, nu)
    else:
        found = settle(x, w, scale, k, total, anchor, nu, -np.inf, np.inf)
    if found[3] == TOO_WIDE and x.size <= SELECTED_UP_TO:
        found = settle(x, w, scale, k, total, np.float64(last_in(x, w, k)), -0.5, *BESIDE)
    return found


@inner
def any_interior(x, w, anchor, scale, nu):
    """Whether a row with weight lies strictly between 0 and 1: mostly one of the first does."""
    for start in range(0, x.size, PART):
        part = x[start : start + PART]
        inside = 0
        if w is None:
            for i in range(part.size):
                v = (np.float64(part[i]) - anchor) * scale - nu
                inside += 1 if (v > MARGIN) & (v < 1.0 - MARGIN) else 0
        else:
            its_w = w[start : start + PART]
            for i in range(part.size):
                v = (np.float64(part[i]) - anchor) * scale - nu
                inside += 1 if (v > MARGIN) & (v < 1.0 - MARGIN) & (its_w[i] > 0.0) else 0
        if inside > 0:
            return True
    return False


@inner
def try_gap(x, w, scale, k, total, anchor, nu, middle):
    """A bracket with ``middle`` as one of its ends, and where in it to begin: at ``middle`` if that is the solution."""
    ones, active, mass, _ = block_sums(x, w, anchor, scale, middle)
    excess = (ones - k) + mass
    if active == 0.0 and abs(excess) <= 8 * EPS * k:
        return -np.inf, np.inf, middle
    if excess > 0.0:
        return middle, np.inf, max(nu, middle)
    return -np.inf, middle, min(nu, middle)
