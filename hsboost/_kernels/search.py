"""The step of the safeguarded Newton search, and the search itself on one thread."""

from __future__ import annotations

import numpy as np

from hsboost._kernels._compile import inner, njit
from hsboost._kernels.multiplier import block_sums, ends, gap, nearest

EPS = 2.220446049250313e-16

#: A solution further than this from its anchor (in units of the temperature) has lost digits: choose a new anchor.
FAR = 4.0

#: This far from its anchor a score's position in [0, 1] is as small as rounding errors.
COARSE = 1e12

#: An excess of so many times the rounding error of k is more than rounding.
NOTICED = 1e6

#: Rows closer than this to 0 or 1 do not make the threshold unique: rounding put them there.
MARGIN = 64 * EPS

#: Scores further apart than this (in units of the temperature) do not fit one anchor chosen at random.
WIDEST = 1e300

#: Steps after which a search that knows no bracket is given up for the score at which the running weight passes k: the
#: solution lies within one temperature of it. Other searches take half as many, except in small groups.
PATIENCE = 16

#: Halving a bracket of one temperature every third step ends before.
ENCLOSED_PATIENCE = 400

#: A bracket for nu relative to the score at which the running weight passes k: the solution lies in [-1, 0], often at
#: an end, and Newton's step has to come out inside.
BESIDE = (-1.25, 0.25)

DONE, NEWTON, BISECT, UNBOUNDED, GAP = 0, 1, 2, 3, 4
SOLVED, NOT_FINITE, TOO_WIDE = 0, 1, 2


@njit
def advance(lo, hi, nu, excess, active, step, slack):
    """One step towards the root of the non-increasing F inside [lo, hi].

    ``excess`` = F(nu) and ``-active`` its slope there. Newton's step is exact once the active rows are the right
    ones; outside the bracket, or when it creeps, the bracket is halved. Returns (lo, hi, next nu, status), where GAP
    asks for `across_gap` and UNBOUNDED for the ends of the scores.

    A step within rounding is the last, unless much of k is still missing (more than `NOTICED` times ``slack``): heavy
    rows just at the edge of the band may hide that only light rows are active one step further. Then one evaluation
    beyond the edge decides.
    """
    if excess > 0.0:
        lo = nu
    elif excess < 0.0:
        hi = nu
    else:
        return lo, hi, nu, DONE
    if active == 0.0:
        return lo, hi, nu, GAP
    newton = nu + excess / active
    rounding = 2.0 * EPS * (abs(nu) if abs(nu) > 1.0 else 1.0)  # Numba compiles max and min for each kind of number
    if abs(newton - nu) <= rounding:
        if abs(excess) <= NOTICED * slack or hi - lo <= 4.0 * rounding:
            return lo, hi, newton, DONE
        newton = nu + 2.0 * rounding if excess > 0.0 else nu - 2.0 * rounding
    if lo < newton < hi and (step < 8 or step % 3 != 2):
        return lo, hi, newton, NEWTON
    if lo == -np.inf or hi == np.inf:
        return lo, hi, nu, UNBOUNDED
    return bisect(lo, hi)


@inner
def bisect(lo, hi):
    """The middle of the bracket; DONE when there is nothing left to halve."""
    middle = 0.5 * lo + 0.5 * hi
    if hi - lo <= EPS * (abs(middle) if abs(middle) > 1.0 else 1.0):
        return lo, hi, hi, DONE
    return lo, hi, middle, BISECT


@njit
def across_gap(lo, hi, nu, excess, below, above, step):
    """Where no row is active F is flat but not 0: move directly to the rows at the far edge of the gap.

    ``below`` and ``above`` are the edges as shifted scores (x - anchor) * scale. The step ends a quarter inside, so
    that the rows there are active despite rounding.
    """
    edge = above - 0.75 if excess > 0.0 else below - 0.25
    if lo < edge < hi and step % 4 != 3:
        return lo, hi, edge, NEWTON
    if lo == -np.inf or hi == np.inf:
        return lo, hi, nu, UNBOUNDED
    return bisect(lo, hi)


@inner
def solve(x, w, scale, k, anchor, nu, lo, hi, slack, patience):
    """Multiplier of a problem that one thread solves fastest: (anchor, nu, SOLVED | NOT_FINITE | TOO_WIDE).

    [lo, hi] is a bracket for nu at the first anchor, infinite when none is known. ``slack`` is the rounding error of k
    (a sum of weights) that a flat stretch of F may hide. TOO_WIDE after ``patience`` steps. Needs 0 < k < Σ w.
    """
    for attempt in range(3):
        for step in range(patience + 1):
            ones, active, mass, check = block_sums(x, w, anchor, scale, nu)
            if check != 0.0:
                return anchor, nu, NOT_FINITE
            excess = (ones - k) + mass
            if active == 0.0 and abs(excess) <= slack:
                break
            lo, hi, nu, status = advance(lo, hi, nu, excess, active, step, slack)
            if status == GAP:
                below, above = gap(x, w, anchor, scale, nu, -np.inf, np.inf)
                below, above = (below - anchor) * scale, (above - anchor) * scale
                lo, hi, nu, status = across_gap(lo, hi, nu, excess, below, above, step)
            if status == DONE:
                break
            if status == UNBOUNDED:
                smallest, largest, _ = ends(x, None)
                smallest, largest = (smallest - anchor) * scale, (largest - anchor) * scale
                if largest - smallest > WIDEST:
                    return anchor, nu, TOO_WIDE
                lo = lo if lo > smallest - 1.0 else smallest - 1.0
                hi = hi if hi < largest else largest
                nu = 0.5 * lo + 0.5 * hi
        else:
            return anchor, nu, TOO_WIDE
        if abs(nu) <= FAR:
            break
        if active == 0.0 and abs(excess) <= slack and abs(nu) < COARSE:
            break  # in the middle of a flat interval, where no anchor is near and none is needed
        closer = nearest(x, anchor, scale, nu)
        if closer == anchor or attempt == 2:
            return anchor, nu, TOO_WIDE
        anchor = closer
        nu = -0.5
        lo = -np.inf
        hi = np.inf
    return anchor, nu, SOLVED


@njit
def flat_cut(below, above, scale):
    """(anchor, nu) in the middle of the gap between the scores that get 0 and those that get 1."""
    if above == np.inf:
        return below, 0.0
    if below == -np.inf:
        return above, -1.0
    middle = 0.5 * below + 0.5 * above
    if not below < middle < above:
        return below, 0.0  # neighbouring floats
    if (below - middle) * scale <= -0.5 and (above - middle) * scale >= 0.5:
        return middle, -0.5
    # So few floats lie in between that the middle, rounded to one of them, is too close to an end.
    return below, 0.5 * (above - below) * scale - 0.5
