"""Reduction passes of the threshold search.

Rows enter as ``v = (x - anchor) * scale - nu`` and count with ``clip(v, 0, 1)``. The shift by an anchor near the
solution keeps ``nu`` small, so that scores of 1e30 lose no digits; ``scale`` is 1 / temperature. Sums are kept in
float64 whatever the scores are. ``w`` is an array or None (all ones): Numba drops the branch not taken.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, ZERO, Kernel, inner, njit

#: Up to this distance from the anchor, in units of the temperature, scores are summed unshifted, see `block_sums`.
NEAR = 64.0

#: Rows decided at a time inside `narrow`: chunks without an undecided row are skipped.
CHUNK = 512

#: Rows per test inside `keep_undecided` and `gap`: whole runs without an undecided row are skipped.
RUN = 64

#: Most rows of a block that may stay undecided; with more, narrowing costs more than it saves.
CAPACITY = 256


@njit(fastmath=FAST)
def block_sums(x, w, anchor, scale, nu):
    """(weight above 1, weight in [0, 1], Σ w v over it, 0 or NaN when a score is not finite) of one block."""
    # nu is subtracted from the sum, not from each row: float32 scores differ from the anchor by few digits and add up
    # exactly, while all v of a block end in the same digits, and would be rounded to the same side row after row.
    base = 0.0 if abs(nu) <= NEAR else nu
    zero = nu - base
    one = zero + 1.0
    mass = 0.0
    check = 0.0
    if w is None:
        # Counts are integers: exact, and the only form that LLVM turns into vector code here.
        above = 0
        inside = 0
        for i in range(x.size):
            xi = np.float64(x[i])
            t = (xi - anchor) * scale - base
            counts = (t >= zero) & (t <= one)
            above += 1 if t > one else 0
            inside += 1 if counts else 0
            mass += t if counts else 0.0
            check += xi * 0.0
        return np.float64(above), np.float64(inside), mass - zero * inside, check
    ones = 0.0
    active = 0.0
    for i in range(x.size):
        xi = np.float64(x[i])
        wi = np.float64(w[i])
        t = (xi - anchor) * scale - base
        counts = (t >= zero) & (t <= one)
        counted = wi if counts else 0.0
        ones += wi if t > one else 0.0
        active += counted
        mass += counted * (t if counts else 0.0)  # may be infinite; a choice of products would be no vector code
        check += xi * 0.0
    return ones, active, mass - zero * active, check


@inner(fastmath=FAST)
def block_interior(x, w, anchor, scale, nu, margin):
    """Weight of the rows strictly inside: margin < v < 1 - margin."""
    if w is None:
        inside = 0
        for i in range(x.size):
            v = (np.float64(x[i]) - anchor) * scale - nu
            inside += 1 if min(max(v, margin), 1.0 - margin) == v else 0
        return np.float64(inside)
    weight = 0.0
    for i in range(x.size):
        v = (np.float64(x[i]) - anchor) * scale - nu
        weight += np.float64(w[i]) if min(max(v, margin), 1.0 - margin) == v else 0.0
    return weight


@inner(fastmath=FAST)
def block_decided(x, w, anchor, scale, lo, hi):
    """Sums over one block that hold for every nu in (lo, hi), and how many rows are undecided."""
    mass = 0.0
    top = lo + 1.0
    one = hi + 1.0
    sure = 0
    above = 0
    below = 0
    if w is None:
        for i in range(x.size):
            u = (np.float64(x[i]) - anchor) * scale
            c = min(max(u, hi), top)
            sure += 1 if c == u else 0
            mass += c if c == u else 0.0
            above += 1 if u >= one else 0
            below += 1 if u <= lo else 0
        return np.float64(above), np.float64(sure), mass, x.size - (sure + above + below)
    ones = 0.0
    active = 0.0
    for i in range(x.size):
        wi = np.float64(w[i])
        u = (np.float64(x[i]) - anchor) * scale
        c = min(max(u, hi), top)
        counted = wi if c == u else 0.0
        active += counted
        mass += counted * c
        ones += wi if u >= one else 0.0
        sure += 1 if c == u else 0
        above += 1 if u >= one else 0
        below += 1 if u <= lo else 0
    return ones, active, mass, x.size - (sure + above + below)


@inner(fastmath=FAST)
def count_near(x, anchor, scale, middle, reach):
    """How many rows lie within ``reach`` of middle - 1/2 or middle + 1/2."""
    count = 0
    for i in range(x.size):
        u = (np.float64(x[i]) - anchor) * scale
        count += 1 if abs(abs(u - middle) - 0.5) <= reach else 0
    return count


@inner
def keep_undecided(x, w, anchor, scale, lo, hi, keep_x, keep_w, kept):
    """Append the undecided rows of one chunk to its block's store; how many there are now, or more than fit.

    They are 0, 1 or in between depending on where nu lies in (lo, hi): those near lo or lo + 1.
    """
    middle = 0.5 * lo + 0.5 * hi + 0.5
    reach = 0.5 * (hi - lo) + 1e-15 * (2.0 + abs(lo))  # a little more than that, whatever rounding does
    for start in range(0, x.size, RUN):
        run = x[start : start + RUN]
        if count_near(run, anchor, scale, middle, reach) == 0:
            continue
        for i in range(run.size):
            u = (np.float64(run[i]) - anchor) * scale
            if ((u > lo) & (u < hi)) | ((u > lo + 1.0) & (u < hi + 1.0)):
                if kept == keep_x.size:
                    return kept + 1
                keep_x[kept] = run[i]
                if w is not None:
                    keep_w[kept] = w[start + i]
                kept += 1
    return kept


@njit
def collect(store, counts, out):
    """The filled front of each row of the store, one after the other."""
    at = 0
    for b in range(counts.size):
        for i in range(counts[b]):
            out[at] = store[b, i]
            at += 1


def _sums(x, w, anchor, scale, nus, out):
    """For each candidate c: out[c] = (ones, active, mass, check) per block; shape (candidates, 4, blocks)."""
    n = x.size
    for b in prange(out.shape[2]):
        start, stop = b * BLOCK, min(n, (b + 1) * BLOCK)
        for c in range(nus.size):
            if w is None:
                s = block_sums(x[start:stop], None, anchor, scale, nus[c])
            else:
                s = block_sums(x[start:stop], w[start:stop], anchor, scale, nus[c])
            out[c, 0, b], out[c, 1, b], out[c, 2, b], out[c, 3, b] = s


def _interior(x, w, anchor, scale, nu, margin, out):
    """out[b] = weight strictly inside, per block."""
    n = x.size
    for b in prange(out.size):
        start, stop = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            out[b] = block_interior(x[start:stop], None, anchor, scale, nu, margin)
        else:
            out[b] = block_interior(x[start:stop], w[start:stop], anchor, scale, nu, margin)


def _narrow(x, w, anchor, scale, lo, hi, keep_x, keep_w, out):
    """out[:, b] = (ones, active, mass, rows kept) of block b for any nu in (lo, hi); the undecided rows are kept."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        ones = active = mass = 0.0
        kept = ZERO
        for p in range(i, j, CHUNK):
            q = min(j, p + CHUNK)
            if w is None:
                o, a, m, undecided = block_decided(x[p:q], None, anchor, scale, lo, hi)
                if undecided > 0 and kept <= CAPACITY:
                    kept = keep_undecided(x[p:q], None, anchor, scale, lo, hi, keep_x[b], None, kept)
            else:
                o, a, m, undecided = block_decided(x[p:q], w[p:q], anchor, scale, lo, hi)
                if undecided > 0 and kept <= CAPACITY:
                    kept = keep_undecided(x[p:q], w[p:q], anchor, scale, lo, hi, keep_x[b], keep_w[b], kept)
            ones += o
            active += a
            mass += m
        out[0, b], out[1, b], out[2, b], out[3, b] = ones, active, mass, kept


sums = Kernel(_sums)
interior = Kernel(_interior)
narrow = Kernel(_narrow)


@njit
def gap(x, w, anchor, scale, nu, below, above):
    """(largest score with v <= 1/2, smallest with v > 1/2) of rows with weight and of (``below``, ``above``).

    The edges of a flat stretch of F; infinite where no row is on that side and none was given. LLVM does not vectorise
    a minimum of selected rows, but it does count; and few runs hold a row inside the edges of the runs before. That
    is true of sorted rows, too, as runs from everywhere come first.
    """
    runs = (x.size + RUN - 1) // RUN
    apart = np.int64(math.sqrt(runs))
    for begin in range(apart):
        for run in range(begin, runs, apart):
            part = x[run * RUN : (run + 1) * RUN]
            inside = 0
            for i in range(part.size):
                inside += 1 if (part[i] > below) & (part[i] < above) else 0
            if inside == 0:
                continue
            for i in range(part.size):
                xi = np.float64(part[i])
                if (xi <= below) | (xi >= above):
                    continue
                if w is not None:
                    if w[run * RUN + i] <= 0.0:
                        continue
                if (xi - anchor) * scale - nu <= 0.5:
                    below = xi
                else:
                    above = xi
    return below, above


@njit
def ends(x, w):
    """(smallest, largest) score of the rows with weight (of all rows if none has any), and 0 or NaN for all scores."""
    smallest = least = np.inf
    largest = most = -np.inf
    check = 0.0
    for i in range(x.size):
        xi = np.float64(x[i])
        check += xi * 0.0
        least = xi if xi < least else least
        most = xi if xi > most else most
        if w is not None:
            if w[i] <= 0.0:
                continue
        smallest = xi if xi < smallest else smallest
        largest = xi if xi > largest else largest
    if smallest > largest:
        return least, most, check
    return smallest, largest, check


def _gaps(x, w, anchor, scale, nu, below, above, out):
    """out[:, b] = `gap` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            out[0, b], out[1, b] = gap(x[i:j], None, anchor, scale, nu, below, above)
        else:
            out[0, b], out[1, b] = gap(x[i:j], w[i:j], anchor, scale, nu, below, above)


gaps = Kernel(_gaps)


@njit
def nearest(x, anchor, scale, nu):
    """The score whose v is closest to 1/2; ties go to the first."""
    best = x[0]
    distance = np.inf
    for i in range(x.size):
        d = abs((np.float64(x[i]) - anchor) * scale - nu - 0.5)
        if d < distance:
            distance = d
            best = x[i]
    return np.float64(best)
