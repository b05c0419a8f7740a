"""One step of the search that asks for sums at many candidates at once, for every problem that is still open.

A call to other machines costs more than a pass over the rows, so that a step asks for as much as one call carries:
candidates close in on the expected root geometrically from both ends of an interval. Whatever the error of the
expectation was, the root ends up between two candidates about as close to each other as that error.
"""

from __future__ import annotations

import numpy as np

from hsboost._kernels._compile import inner, njit
from hsboost._kernels.search import EPS, MARGIN

#: What a problem waits for: sums at its candidates, or the scores next to its threshold (for different reasons).
SEEK, START, GAP, BOUNDS, FLAT, FAR, TRIVIAL, DONE = range(8)

#: Columns of ``ends``: a place nu, then the sums there in the order of `distributed.KINDS`.
NU, ONES, ACTIVE, MASS, POSITIVE, INTERIOR = range(6)

#: An interval of this width or more, in units of the temperature, may hold so many rows that candidates cost time.
MANY_ROWS = 0.04


@njit
def place(left, expected, right, most, out):
    """Candidates from ``left`` to ``right``, dense at ``expected``, in ascending order; how many (at most ``most``)."""
    arms = (most - 1) // 2
    shrink = 0.5 ** max(1.0, 20.0 / arms)
    part = 1.0
    for i in range(arms):
        out[i] = expected - (expected - left) * part
        out[2 * arms - i] = expected + (right - expected) * part
        part *= shrink
    out[0], out[arms], out[2 * arms] = left, expected, right
    return 2 * arms + 1


@inner
def react(nus, sums, k, slack, ends, chosen):
    """Evaluate the sums at a problem's candidates: (nu, SEEK | GAP | FLAT | DONE, how far nu may still move).

    ``ends`` holds the nearest known places with F > 0 and F < 0, and is brought up to date; ``chosen`` gets the sums
    that belong to a nu that is DONE.
    """
    for c in range(nus.size):
        excess = (sums[c, 0] - k) + sums[c, 2]
        if (sums[c, 1] == 0.0 and abs(excess) <= slack) or excess == 0.0:
            chosen[:] = sums[c]
            return nus[c], DONE if sums[c, 1] > 0.0 else FLAT, 0.0
        side = 0 if excess > 0.0 else 1
        closer = nus[c] >= ends[0, NU] if side == 0 else nus[c] < ends[1, NU]
        if closer:
            ends[side, NU] = nus[c]
            ends[side, 1:] = sums[c]
    lo, hi = ends[0, NU], ends[1, NU]
    excess_lo = np.inf if lo == -np.inf else (ends[0, ONES] - k) + ends[0, MASS]
    excess_hi = -np.inf if hi == np.inf else (ends[1, ONES] - k) + ends[1, MASS]
    near = 0 if excess_lo <= -excess_hi else 1
    enclosed = lo > -np.inf and hi < np.inf
    if enclosed and hi - lo <= EPS * max(1.0, abs(0.5 * lo + 0.5 * hi)):
        chosen[:] = ends[1, 1:]
        return hi, DONE, 0.0
    straight = enclosed and ends[0, ONES] == ends[1, ONES] and ends[0, ACTIVE] == ends[1, ACTIVE]
    for side in (near, 1 - near):
        nu, active = ends[side, NU], ends[side, ACTIVE]
        if not -np.inf < nu < np.inf or active == 0.0:
            continue
        newton = nu + (excess_lo if side == 0 else excess_hi) / active
        if straight or abs(newton - nu) <= 2.0 * EPS * max(1.0, abs(nu)):
            chosen[:] = ends[side, 1:]
            chosen[MASS - 1] += (nu - newton) * active
            if newton - lo > MARGIN and hi - newton > MARGIN:
                chosen[INTERIOR - 1] = active  # rows active at both ends are inside in between
            return newton, DONE, 0.0
        if lo < newton < hi:
            return newton, SEEK, abs(newton - nu)
    if ends[near, ACTIVE] == 0.0:
        return ends[near, NU], GAP, 0.0
    return 0.5 * lo + 0.5 * hi, SEEK, 0.5 * hi - 0.5 * lo


@njit
def react_all(status, candidates, counts, sums, k, slack, ends, nu, move, chosen):
    """`react` for every problem that was waiting for sums."""
    for p in range(status.size):
        if status[p] == SEEK:
            m = counts[p]
            nu[p], status[p], move[p] = react(candidates[p, :m], sums[p, :m], k[p], slack[p], ends[p], chosen[p])


@njit
def place_all(status, ends, steps, nu, left, right, narrow, wide, out, counts):
    """Candidates for every problem that waits for sums: ``narrow`` many where an interval is known, else few.

    Few where the interval holds many rows. Without an interval every candidate costs a pass over all rows: Newton's
    next place alone, and ``wide`` many when that has crept for a while inside a bracket.
    """
    for p in range(status.size):
        counts[p] = 0
        if status[p] != SEEK:
            continue
        if right[p] < np.inf:
            most = narrow if right[p] - left[p] <= MANY_ROWS else min(narrow, wide)
            counts[p] = place(left[p], nu[p], right[p], most, out[p])
        elif steps[p] >= 4 and ends[p, 0, NU] > -np.inf and ends[p, 1, NU] < np.inf:
            counts[p] = place(ends[p, 0, NU], nu[p], ends[p, 1, NU], wide, out[p])
        else:
            counts[p] = 1
            out[p, 0] = nu[p]
