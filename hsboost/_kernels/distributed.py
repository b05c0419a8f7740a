"""Sums for many candidate multipliers at once: one machine's part in a distributed search.

Rows are sorted by problem (a problem is a group, a class, or all rows) and cut into *tasks* of at most
`_compile.BLOCK` neighbouring rows of one problem. Sums of tasks are added in their order, whatever the threads do.
A row counts with clip(v, 0, 1), v = (x - anchor) * scale - nu.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, FINITE, Kernel, inner, njit
from hsboost._kernels.multiplier import gap

#: Sums per candidate: weight with v >= 1; with 0 < v < 1 (active); Σ w v and Σ w y of the active; weight that stays
#: strictly inside whatever rounding does.
KINDS = 5


@inner(fastmath=FAST)
def block_candidate(x, y, w, anchor, scale, nu, margin):
    """The sums of one block at one candidate, in the order of `KINDS`."""
    mass = 0.0
    positive = 0.0
    if w is None:
        above = 0
        inside = 0
        interior = 0
        for i in range(x.size):
            v = (np.float64(x[i]) - anchor) * scale - nu
            active = (v > 0.0) & (v < 1.0)
            above += 1 if v >= 1.0 else 0
            inside += 1 if active else 0
            interior += 1 if (v > margin) & (v < 1.0 - margin) else 0
            mass += v if active else 0.0
            positive += np.float64(y[i]) if active else 0.0
        return np.float64(above), np.float64(inside), mass, positive, np.float64(interior)
    ones = 0.0
    weight = 0.0
    within = 0.0
    for i in range(x.size):
        wi = np.float64(w[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        counted = wi if (v > 0.0) & (v < 1.0) else 0.0
        ones += wi if v >= 1.0 else 0.0
        weight += counted
        within += wi if (v > margin) & (v < 1.0 - margin) else 0.0
        mass += counted * min(max(v, 0.0), 1.0)
        positive += counted * np.float64(y[i])
    return ones, weight, mass, positive, within


def _candidates(x, y, w, problem, start, stop, anchor, scale, nus, counts, margin, out):
    """out[t, c] = `block_candidate` of task t at candidate c of its problem, for the first ``counts`` of them."""
    for t in prange(problem.size):
        p, i, j = problem[t], start[t], stop[t]
        for c in range(counts[p]):
            if w is None:
                s = block_candidate(x[i:j], y[i:j], None, anchor[p], scale, nus[p, c], margin)
            else:
                s = block_candidate(x[i:j], y[i:j], w[i:j], anchor[p], scale, nus[p, c], margin)
            out[t, c, 0], out[t, c, 1], out[t, c, 2], out[t, c, 3], out[t, c, 4] = s


@njit
def add_tasks(problem, counts, parts, out):
    """out[p, c] += the parts of p's tasks, in their order."""
    for t in range(problem.size):
        p = problem[t]
        for c in range(counts[p]):
            for kind in range(out.shape[2]):
                out[p, c, kind] += parts[t, c, kind]


@inner(fastmath=FAST)
def block_sure(x, y, w, anchor, scale, lo, hi):
    """Of one block, what holds for every nu in [lo, hi]: (ones, active, Σ w u, Σ w y of the active, rows undecided)."""
    mass = 0.0
    positive = 0.0
    one = hi + 1.0
    # Strictly between hi and lo + 1, in the form that LLVM turns into vector code: what clipping leaves alone.
    first = np.nextafter(hi, np.inf)
    last = np.nextafter(lo + 1.0, -np.inf)
    sure = 0
    above = 0
    below = 0
    if w is None:
        for i in range(x.size):
            u = (np.float64(x[i]) - anchor) * scale
            c = min(max(u, first), last)
            sure += 1 if c == u else 0
            mass += c if c == u else 0.0
            positive += np.float64(y[i]) if c == u else 0.0
            above += 1 if u >= one else 0
            below += 1 if u <= lo else 0
        return np.float64(above), np.float64(sure), mass, positive, x.size - (sure + above + below)
    ones = 0.0
    active = 0.0
    for i in range(x.size):
        wi = np.float64(w[i])
        u = (np.float64(x[i]) - anchor) * scale
        c = min(max(u, first), last)
        counted = wi if c == u else 0.0
        active += counted
        mass += counted * c if c == u else 0.0
        positive += counted * np.float64(y[i])
        ones += wi if u >= one else 0.0
        sure += 1 if c == u else 0
        above += 1 if u >= one else 0
        below += 1 if u <= lo else 0
    return ones, active, mass, positive, x.size - (sure + above + below)


def _sure(x, y, w, problem, start, stop, anchor, scale, lo, hi, out, kept):
    """out[t, 0] = `block_sure` of task t between its problem's ends; kept[t] = how many rows are undecided."""
    for t in prange(problem.size):
        p, i, j = problem[t], start[t], stop[t]
        if w is None:
            s = block_sure(x[i:j], y[i:j], None, anchor[p], scale, lo[p], hi[p])
        else:
            s = block_sure(x[i:j], y[i:j], w[i:j], anchor[p], scale, lo[p], hi[p])
        out[t, 0, 0], out[t, 0, 1], out[t, 0, 2], out[t, 0, 3], kept[t] = s
        out[t, 0, 4] = out[t, 0, 1]  # sure rows are inside by more than rounding


@inner
def find_undecided(x, anchor, scale, lo, hi, found):
    """Places of the undecided rows, one after the other. No branch: which rows they are cannot be predicted."""
    count = 0
    for i in range(x.size):
        u = (np.float64(x[i]) - anchor) * scale
        found[count] = i
        decided = ((u > hi) & (u < lo + 1.0)) | (u <= lo) | (u >= hi + 1.0)
        count += 0 if decided else 1


def _keep(x, y, w, problem, start, stop, anchor, scale, lo, hi, place, keep_x, keep_y, keep_w):
    """The undecided rows of task t from place[t] on, in row order."""
    for t in prange(problem.size):
        p, i, at = problem[t], start[t], place[t]
        if place[t + 1] == at:
            continue
        found = np.empty(BLOCK, np.int32)
        find_undecided(x[i : stop[t]], anchor[p], scale, lo[p], hi[p], found)
        for q in range(place[t + 1] - at):
            keep_x[at + q] = x[i + found[q]]
            keep_y[at + q] = y[i + found[q]]
            if w is not None:
                keep_w[at + q] = w[i + found[q]]


@inner(fastmath=FINITE)
def block_ends(x, w):
    """(smallest, largest) score of the rows with weight; (inf, -inf) where there are none."""
    least = np.inf
    most = -np.inf
    for i in range(x.size):
        xi = np.float64(x[i])
        if w is None:
            least = min(least, xi)
            most = max(most, xi)
        else:
            least = min(least, xi if w[i] > 0.0 else np.inf)
            most = max(most, xi if w[i] > 0.0 else -np.inf)
    return least, most


def _edges(x, w, problem, start, stop, anchor, scale, nu, out):
    """out[t] = (largest score with v <= 1/2, -smallest with v > 1/2, largest, -smallest) of the rows with weight."""
    for t in prange(problem.size):
        p, i, j = problem[t], start[t], stop[t]
        if w is None:
            below, above = gap(x[i:j], None, anchor[p], scale, nu[p], -np.inf, np.inf)
            least, most = block_ends(x[i:j], None)
        else:
            below, above = gap(x[i:j], w[i:j], anchor[p], scale, nu[p], -np.inf, np.inf)
            least, most = block_ends(x[i:j], w[i:j])
        out[t, 0], out[t, 1], out[t, 2], out[t, 3] = below, -above, most, -least


candidates = Kernel(_candidates)
sure = Kernel(_sure)
keep = Kernel(_keep)
edges = Kernel(_edges)
