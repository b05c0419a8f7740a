"""The start of a cold search: the solution for a sample of the rows. That saves passes over all rows."""

from __future__ import annotations

import math

import numpy as np

from hsboost._kernels._compile import inner, njit
from hsboost._kernels.multiplier import block_sums, nearest
from hsboost._kernels.search import EPS, SOLVED, solve

#: With a smaller share of active rows the solution of a sample may lie at the edge of a gap.
FEW_ACTIVE = 0.05

#: Steps of a search among a sample, which cost little.
SAMPLE_PATIENCE = np.int64(100)

#: Samples are taken at steps of the golden ratio: repeatable, and not in phase with any period in the data.
GOLDEN = 0.6180339887498949


@njit
def places(n, runs, length):
    """First rows of ``runs`` runs of ``length`` neighbours, spread over n rows."""
    found = np.empty(runs * length, np.intp)
    for r in range(runs):
        start = int((r * GOLDEN) % 1.0 * (n - length))
        for i in range(length):
            found[r * length + i] = start + i
    return found


@njit
def sample(a, runs, length):
    """The entries of ``a`` at `places`."""
    at = places(a.size, runs, length)
    some = np.empty(at.size, a.dtype)
    for i in range(at.size):
        some[i] = a[at[i]]
    return some


@njit
def guess(x, w, scale, share):
    """(anchor, nu, whether so few rows are active there that `middle_of_gap` should be tried) from a sample.

    ``share`` is the mass over the total weight. Every guess leads to the correct result; a good one is faster.
    """
    full = np.float64(x.size) if w is None else np.float64(w.sum())
    mass = share * full
    anchor = np.float64(x[0])
    if not 0.0 < mass < full:
        return anchor, -0.5, False
    found, nu, status = solve(x, w, scale, mass, anchor, -0.5, -np.inf, np.inf, 8 * EPS * mass, SAMPLE_PATIENCE)
    if status != SOLVED:
        return anchor, -0.5, False
    anchor = nearest(x, found, scale, nu)
    nu += (found - anchor) * scale
    return anchor, nu, block_sums(x, w, anchor, scale, nu)[1] < FEW_ACTIVE * full


@inner
def sort_by_score(x, w):
    """Shell's sort of a sample and its weights, in place: Numba needs seconds to compile its own sort."""
    for step in (701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(step, x.size):
            xi = x[i]
            wi = xi if w is None else w[i]
            j = i
            while j >= step and x[j - step] > xi:
                x[j] = x[j - step]
                if w is not None:
                    w[j] = w[j - step]
                j -= step
            x[j] = xi
            if w is not None:
                w[j] = wi


@njit
def last_in(score, w, mass):
    """The score of the last row, at least in part, among the top ``mass`` > 0: Hoare's selection, by weight."""
    x = score.copy()
    v = np.ones(x.size) if w is None else w.astype(np.float64)
    first, stop = 0, x.size
    while True:
        a, b, c = x[first], x[(first + stop) // 2], x[stop - 1]
        pivot = max(min(a, b), min(max(a, b), c))
        # Higher scores to the front, lower ones to the back, those like the pivot in between.
        i, front, back = first, first, stop
        above = tied = 0.0
        while i < back:
            xi, vi = x[i], v[i]
            if xi > pivot:
                x[i], v[i], x[front], v[front] = x[front], v[front], xi, vi
                above += vi
                front += 1
                i += 1
            elif xi < pivot:
                back -= 1
                x[i], v[i], x[back], v[back] = x[back], v[back], xi, vi
            else:
                tied += vi
                i += 1
        if mass <= above and front > first:
            stop = front
        elif mass <= above + tied or back == stop:
            return pivot
        else:
            mass -= above + tied
            first = back


@njit
def middle_of_gap(x, w, scale, share, length):
    """The middle of the widest gap where the running weight passes k, give or take the sampling error; or NaN.

    Training separates scores and leaves a gap there in which no row is active; Newton's method would approach it
    slowly through the tail of a cluster. ``x`` ascends, a sample in runs of ``length`` neighbours.
    """
    m = x.size
    total = np.float64(m) if w is None else np.float64(w.sum())
    # Rows come in runs of neighbours, which may resemble each other: count the runs, not the rows.
    error = 4.0 * math.sqrt(share * (1.0 - share) * length / m) + 2.0 * length / m
    running = 0.0
    first, last = -1, 1
    for r in range(m):
        running += 1.0 if w is None else np.float64(w[m - 1 - r])
        first += 1 if running < (share - error) * total else 0
        last += 1 if running < (share + error) * total else 0
    first, last = max(first, 0), min(last, m - 1)
    widest, ordinary, middle = 0.0, 0.0, np.nan
    for r in range(first, last):
        upper, lower = np.float64(x[m - 1 - r]), np.float64(x[m - 2 - r])
        if upper - lower > widest:
            widest, ordinary = upper - lower, widest
            middle = 0.5 * upper + 0.5 * lower
        else:
            ordinary = max(ordinary, upper - lower)
    # Thin tails have wide gaps everywhere.
    return middle if last - first >= 2 and widest > max(1.0 / scale, 4.0 * ordinary) else np.nan
