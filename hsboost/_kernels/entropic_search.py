"""The search for the multiplier of the entropic projection: its step, for any source of sums, and itself on one thread.

F(nu) = Σ w σ(v) - k is smooth and falls. Two scales make it nearly straight. The log-odds of the mean are so where the
rows are spread wide. Where nu lies in a gap, the rows above it weigh c less than k, lack A of being 1, and the rows
below have B; then F = B - A - c, and log(B - min(c, 0)) - log(A + max(c, 0)) is so: A and B are exponentials. The
longer of the two Newton steps is taken, inside a bracket; near the root three derivatives of F make one step as good
as two. F's derivatives are bounded by its slope, which is how far a step can be trusted.
"""

from __future__ import annotations

import math

import numpy as np

from hsboost._kernels._compile import BLOCK, ONE, inner, njit
from hsboost._kernels.entropic import ABOVE, BEND, KINDS, OVER, SHORT, SLOPE_ABOVE, SLOPE_BELOW, SQUARE, block_sums
from hsboost._kernels.guess import sample
from hsboost._kernels.multiplier import ends, gap, nearest
from hsboost._kernels.search import EPS, WIDEST

#: nu for k = 0 and -nu for k = Σ w: from so far beyond the last score all values are 0, or 1.
BEYOND = 800.0

#: Less than this share of the total weight is none: exp(-|v|) runs out of numbers.
TINY = 1e-305

#: After a step of less than this, with three derivatives, nu is right to 1e-13.
SURE = 2.5e-4

#: The series of three derivatives is used where its later terms are less than this part of the first.
CONVERGES = 0.5

#: With a slope below this part of min(k, Σ w - k), all values are 0 or 1 but for rounding.
FLAT_SLOPE = 1e-13

#: A solution further than this from its anchor, in units of the temperature, may have lost digits: try a new anchor.
FAR = 64.0
#: As far as that a row may be from the solution, for a tiny k. Beyond it the anchor is not next to the solution.
FARTHEST = 1e3
#: This far from the anchor nothing is left of where nu was.
COARSE = 1e8

#: Longer steps into the unknown are not made before the scores' ends are known.
LEAP = 64.0

#: Beyond this v is rounded by more than values of 0 and 1 lie apart: which rows lie above nu is no longer certain.
UNCERTAIN = 1e16

#: In the middle of a gap as wide as this all values are 0 or 1.
WIDE_GAP = 200.0

#: Passes for one anchor before the search gives up, for scores of many orders of magnitude; in a finite bracket, of
#: less than a few thousand temperatures, halving alone would end well before the second number.
PATIENCE, ENCLOSED_PATIENCE = np.int64(16), np.int64(400)

#: Samples of the cold search: from so many rows on, one row in so many, at most.
SAMPLED_FROM, ONE_IN, MOST = 2048, 16, 4096

SEEK, DONE, FLAT, BOUNDS = 0, 1, 2, 3
SOLVED, NOT_FINITE, TOO_WIDE = 0, 1, 2


@njit(error_model="numpy")
def log_odds(k, total):
    """log(k / (total - k))."""
    return math.log(k / total) - math.log((total - k) / total)


@inner(error_model="numpy")
def odds_off(excess, s0, rest, k, total):
    """Log-odds of the mean minus those of k / total; s0 = k + excess, rest = total - s0, each to its own last digit."""
    if abs(excess) <= 0.5 * min(k, total - k):
        return math.log1p(excess / k) - math.log1p(-excess / (total - k))
    ones = min(max(s0 / k, 1e-300), 1e300)
    zeros = min(max(rest / (total - k), 1e-300), 1e300)
    return math.log(ones) - math.log(zeros)


@inner(error_model="numpy")
def refined(newton, s0, rest, slope, bend, square, total):
    """(the step with three derivatives of the log-odds, True), or (Newton's step, False) where the series fails."""
    if not abs(newton) <= CONVERGES:
        return newton, False
    mean, off = s0 / total, rest / total
    variance = mean * off
    skew = mean - off
    u1 = -slope / total / variance
    u2 = bend / total / variance
    u3 = -(slope - 6.0 * square) / total / variance
    g2 = u2 + skew * u1 * u1
    g3 = u3 + 3.0 * skew * u1 * u2 + 2.0 * (1.0 - 3.0 * variance) * u1 * u1 * u1
    a = g2 / (2.0 * u1)
    second = a * newton
    third = (2.0 * a * a - g3 / (6.0 * u1)) * newton * newton
    if not abs(second) + abs(third) <= CONVERGES:
        return newton, False
    return newton * (1.0 - second + third), True


@njit(error_model="numpy")
def proposal(sums, k, total):
    """(excess of the mass over k, slope, step, whether its error is below rounding)."""
    above, short, over = sums[ABOVE], sums[SHORT], sums[OVER]
    slope = sums[SLOPE_ABOVE] + sums[SLOPE_BELOW]
    missing = k - above
    left = over + max(-missing, 0.0)
    right = short + max(missing, 0.0)
    excess = left - right
    s0 = (above - short) + over
    rest = (total - above) + short - over
    step = 0.0
    if slope > 1e-300 * total and s0 > 0.0 and rest > 0.0:
        variance = (s0 / total) * (rest / total)
        newton = odds_off(excess, s0, rest, k, total) * (variance * (total / slope))
        step, precise = refined(newton, s0, rest, slope, sums[BEND], sums[SQUARE], total)
        if precise:
            return excess, slope, step, abs(newton) <= SURE
    if left > 0.0 and right > 0.0:
        other = math.log(left) - math.log(right)
        steepness = sums[SLOPE_BELOW] / left + sums[SLOPE_ABOVE] / right
        if steepness > 0.0 and abs(other) > abs(step) * steepness:
            step = other / steepness
    return excess, slope, step, False


@njit(error_model="numpy")
def advance(lo, hi, nu, sums, k, total, step):
    """One step towards the root inside [lo, hi] from the sums at nu: (lo, hi, next nu, status). Needs 0 < k < total.

    FLAT asks for the edges of the gap that nu lies in; BOUNDS for the scores' ends, see `enclose`.
    """
    excess, slope, move, is_last = proposal(sums, k, total)
    if excess > 0.0:
        lo = nu
    elif excess < 0.0:
        hi = nu
    if abs(excess) <= 8.0 * EPS * k and slope <= FLAT_SLOPE * min(k, total - k):
        return lo, hi, nu, FLAT
    if excess == 0.0:
        return lo, hi, nu, DONE
    following = nu + move
    if is_last:
        return lo, hi, min(max(following, lo), hi), DONE
    if hi - lo <= 4.0 * EPS * max(1.0, abs(nu)):
        return lo, hi, 0.5 * lo + 0.5 * hi, DONE
    known = (lo > -np.inf) & (hi < np.inf)
    if lo < following < hi and (step < 6 or step % 3 != 2 or not known):
        return lo, hi, following, SEEK if known or abs(move) <= LEAP else BOUNDS
    return lo, hi, 0.5 * lo + 0.5 * hi if known else nu, SEEK if known else BOUNDS


@njit(error_model="numpy")
def enclose(lo, hi, nu, least, most, anchor, scale, k, total):
    """(lo, hi, nu) after BOUNDS: with all scores at one end the mean's log-odds would be those of k there.

    Where the ends are too far apart for a bracket nu is NaN.
    """
    odds = log_odds(k, total)
    lo = max(lo, (least - anchor) * scale - odds - 1.0)
    hi = min(hi, (most - anchor) * scale - odds + 1.0)
    if not hi - lo < WIDEST:
        return lo, hi, np.nan
    return lo, hi, nu if lo < nu < hi else 0.5 * lo + 0.5 * hi


@njit(error_model="numpy")
def middle_of_gap(below, above, scale):
    """(anchor, nu) in the middle of a gap between the scores that get 0 and those that get 1."""
    if above == np.inf:
        return below, BEYOND
    if below == -np.inf:
        return above, -BEYOND
    middle = 0.5 * below + 0.5 * above
    if below < middle < above:
        return middle, 0.0
    return below, min((0.5 * above - 0.5 * below) * scale, 1e300)  # neighbouring floats


@njit(error_model="numpy")
def beside(last, lower, above, tied, k, total, scale):
    """A bracket (lo, hi) for nu relative to ``last``, the score at which the running weight passes k.

    ``above`` and ``tied`` are the weights of the rows that score more and as much, ``lower`` is the next lower score.
    nu is at most where rows like ``last`` and all below it together take what is left of k, and at least where it and
    the rows above it would have k if these were no better; or, where they weigh k, beyond the next score. Both NaN in a
    gap so wide that its middle is the solution.
    """
    room = max((k - above) / total, EPS * k / total)
    hi = -log_odds(min(room, 0.5), 1.0) + 1.0
    full = above + tied
    if k < full * (1.0 - 8.0 * EPS):
        return -log_odds(k, full) - 1.0, hi
    if lower == -np.inf:
        return -log_odds(min(k, total * (1.0 - EPS)), total) - 1.0, hi
    down = (last - lower) * scale
    if down > WIDE_GAP:
        return np.nan, np.nan
    return -down - BEYOND, hi


@inner
def total_sums(x, w, anchor, scale, nu, out):
    """`block_sums` of all blocks, added up in their order; returns 0 or NaN when a score is not finite."""
    out[:] = 0.0
    check = 0.0
    for i in range(0, x.size, BLOCK):
        if w is None:
            s = block_sums(x[i : i + BLOCK], None, anchor, scale, nu)
        else:
            s = block_sums(x[i : i + BLOCK], w[i : i + BLOCK], anchor, scale, nu)
        out[0] += s[0]
        out[1] += s[1]
        out[2] += s[2]
        out[3] += s[3]
        out[4] += s[4]
        out[5] += s[5]
        out[6] += s[6]
        check += s[7]
    return check


@njit
def add_blocks(parts, out):
    """out[kind] = the blocks' parts, added up in their order."""
    for kind in range(parts.shape[0]):
        total = 0.0
        for b in range(parts.shape[1]):
            total += parts[kind, b]
        out[kind] = total


@njit(error_model="numpy")
def closer_anchor(closer, anchor, nu, scale):
    """(anchor, nu, whether they are new): move to a score so much nearer to the solution that digits are gained."""
    shift = (closer - anchor) * scale
    if not abs(nu - shift) < 0.5 * abs(nu):
        return anchor, nu, False
    return closer, nu - shift if abs(nu) < COARSE else 0.0, True


@njit(error_model="numpy")
def solve(x, w, scale, k, total, anchor, nu, lo, hi, patience):
    """(anchor, nu, whether all values are 0 or 1, status) on one thread. Needs 0 < k < total.

    [lo, hi] is a bracket for nu at the first anchor, infinite when none is known.
    """
    sums = np.empty(KINDS)
    for attempt in range(3):
        for step in range(patience + 1):
            if total_sums(x, w, anchor, scale, nu, sums) != 0.0:
                return anchor, nu, False, NOT_FINITE
            lo, hi, nu, status = advance(lo, hi, nu, sums, k, total, step)
            if status == FLAT:
                if abs(nu) > UNCERTAIN:
                    return anchor, nu, False, TOO_WIDE
                below, above = gap(x, w, anchor, scale, nu - 0.5, -np.inf, np.inf)
                anchor, nu = middle_of_gap(below, above, scale)
                return anchor, nu, True, SOLVED
            if status == DONE:
                break
            if status == BOUNDS:
                least, most, _ = ends(x, w)
                lo, hi, nu = enclose(lo, hi, nu, least, most, anchor, scale, k, total)
            if np.isnan(nu):
                return anchor, nu, False, TOO_WIDE
        else:
            return anchor, nu, False, TOO_WIDE
        if abs(nu) <= FAR:
            break
        anchor, nu, moved = closer_anchor(nearest(x, anchor, scale, nu - 0.5), anchor, nu, scale)
        if not moved:
            break
        if attempt == 2:
            return anchor, nu, False, TOO_WIDE
        lo, hi = -np.inf, np.inf
    return anchor, nu, False, SOLVED if abs(nu) <= FARTHEST else TOO_WIDE


@njit(error_model="numpy")
def spread_start(x, w, anchor, scale, k, total):
    """nu as if the scores were normally distributed, from their mean and variance."""
    weight = 0.0
    first = 0.0
    second = 0.0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        u = (np.float64(x[i]) - anchor) * scale
        weight += wi
        first += wi * u
        second += wi * u * u
    if not weight > 0.0:
        return 0.0
    mean = first / weight
    nu = mean - log_odds(k, total) * math.sqrt(1.0 + math.pi / 8.0 * max(second / weight - mean * mean, 0.0))
    return nu if abs(nu) < COARSE else 0.0


@njit(error_model="numpy")
def guess(some, some_w, scale, share):
    """(anchor, nu) of a sample, ``share`` the part of the weight that is k. Any values are correct, good ones are fast.

    A sample is small: patience costs little.
    """
    anchor = np.float64(some[0])
    full = np.float64(some.size) if some_w is None else np.float64(some_w.sum())
    k = share * full
    if not 0.0 < k < full:
        return anchor, 0.0
    nu = spread_start(some, some_w, anchor, scale, k, full)
    found, found_nu, _, status = solve(some, some_w, scale, k, full, anchor, nu, -np.inf, np.inf, ENCLOSED_PATIENCE)
    return (found, found_nu) if status == SOLVED else (anchor, nu)


@njit(error_model="numpy")
def settle(x, w, scale, k, total, cold, anchor, nu):
    """`solve` for any 0 <= k <= total; ``cold``: (anchor, nu) is no better than any other start."""
    if k <= TINY * total or k >= total:
        none = k <= TINY * total
        least, most, check = ends(x, None)
        if check != 0.0:
            return anchor, nu, True, NOT_FINITE
        return (most, BEYOND, True, SOLVED) if none else (least, -BEYOND, True, SOLVED)
    if cold:
        if x.size >= SAMPLED_FROM:
            rows = min(MOST, x.size // ONE_IN)
            some = sample(x, rows, ONE)
            if w is None:
                anchor, nu = guess(some, None, scale, k / total)
            else:  # a conditional expression would have Numba compile the search for "an array or None", too
                anchor, nu = guess(some, sample(w, rows, ONE), scale, k / total)
        else:
            anchor = np.float64(x[0])
            nu = spread_start(x, w, anchor, scale, k, total)
    return solve(x, w, scale, k, total, anchor, nu, -np.inf, np.inf, PATIENCE)


@njit(error_model="numpy")
def advance_all(status, k, total, sums, lo, hi, nu, steps):
    """`advance` for every problem that is at `SEEK`, in place; sums has the shape (problems, KINDS)."""
    for p in range(status.size):
        if status[p] == SEEK:
            lo[p], hi[p], nu[p], status[p] = advance(lo[p], hi[p], nu[p], sums[p], k[p], total[p], steps[p])
            steps[p] += 1
