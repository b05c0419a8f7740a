"""The search for the multiplier of the entropic projection, written once above a *reducer* and for many problems.

ŷ = σ(x / temperature - nu) with Σ w ŷ = k in each problem (a group, a class, or all rows). A reducer supplies a few
sums at one nu per problem; threads, a GPU or an all-reduce over workers are reducers. Problems that one thread solves
fastest stay in compiled code.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hsboost._kernels import entropic as kernels
from hsboost._kernels import entropic_search as search
from hsboost._kernels import multiplier
from hsboost._kernels._compile import BLOCK
from hsboost._kernels.entropic_segments import segment_multipliers
from hsboost._kernels.guess import sample
from hsboost._solver import segments as segments_module
from hsboost._solver.search import Multiplier, scale_of
from hsboost._solver.segments import Multipliers, Search, Segments
from hsboost._solver.top_k import last_score
from hsboost._validation import FloatArray

#: Up to this many rows one compiled call on one thread beats threaded passes.
SMALL = 65_536

#: The first guess comes from so many runs of neighbouring rows (one cache line of float64 each).
RUN, RUNS = 8, 1024

#: Status of a problem in `find` beside those of `search.advance`: k is 0 or all; nu is far from its anchor.
_LIMIT, _FAR = 10, 11


#: ŷ is 1/2 where v is 0.
HALF = 0.0


class Reducer(Protocol):
    """What `find` needs to know of the rows; arrays have one entry per problem."""

    def sums(self, anchor: np.ndarray, scale: float, nu: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Sums (P, KINDS) over all rows of the problems that are ``asked``.

        FloatingPointError: a score is NaN or infinite.
        """
        ...

    def edges(self, anchor: np.ndarray, scale: float, nu: np.ndarray) -> np.ndarray:
        """(P, 4): largest score with v <= 1/2, minus the smallest with more, the largest, minus the smallest.

        v = (x - anchor) scale - nu; of the rows with weight; as `hsboost._workers.rows.WorkerRows.edges`.
        """
        ...


def find(
    rows: Reducer,
    k: np.ndarray,
    total: np.ndarray,
    scale: float,
    start: tuple[np.ndarray, np.ndarray],
    bracket: tuple[np.ndarray, np.ndarray] | None = None,
) -> Multipliers:
    """Solve every problem, 0 <= k <= total, from ``start`` = (anchor, nu).

    OverflowError: the scores are so far apart, in units of the temperature, that the search needs the score at which
    the running weight passes k to begin with, and the bracket around it from `search.beside`.
    """
    anchor, nu = start[0].copy(), start[1].copy()
    lo, hi = (np.full(k.size, -np.inf), np.full(k.size, np.inf)) if bracket is None else (b.copy() for b in bracket)
    patience = search.PATIENCE if bracket is None else search.ENCLOSED_PATIENCE
    status = np.where((k <= search.TINY * total) | (k >= total), _LIMIT, search.SEEK)
    steps, moves = np.zeros(k.size, np.intp), np.zeros(k.size, np.intp)
    flat = np.zeros(k.size, np.bool_)
    while True:
        asked = status == search.SEEK
        if asked.any():
            search.advance_all(status, k, total, rows.sums(anchor, scale, nu, asked), lo, hi, nu, steps)
            status[asked & (status == search.DONE) & (np.abs(nu) > search.FAR)] = _FAR
        elif (status != search.DONE).any():
            found = rows.edges(anchor, scale, nu - 0.5) * [1.0, -1.0, 1.0, -1.0]
            for p in np.flatnonzero(status != search.DONE).tolist():
                below, above, most, least = found[p].tolist()
                if status[p] == _LIMIT:
                    none = bool(k[p] <= search.TINY * total[p])
                    end = most if none else least
                    anchor[p], nu[p] = end if np.isfinite(end) else 0.0, search.BEYOND if none else -search.BEYOND
                    flat[p], status[p] = True, search.DONE
                elif status[p] == search.FLAT:
                    if abs(nu[p]) > search.UNCERTAIN:
                        raise OverflowError
                    anchor[p], nu[p] = search.middle_of_gap(below, above, scale)
                    flat[p], status[p] = True, search.DONE
                elif status[p] == search.BOUNDS:
                    lo[p], hi[p], nu[p] = search.enclose(
                        lo[p], hi[p], nu[p], least, most, anchor[p], scale, k[p], total[p]
                    )
                    status[p] = search.SEEK
                else:
                    _move_anchor(p, below, above, scale, anchor, nu, status, moves)
                    if status[p] == search.SEEK:
                        lo[p], hi[p], steps[p] = -np.inf, np.inf, 0
        else:
            return Multipliers(anchor, nu, flat, scale, HALF)
        if (steps > patience).any() or np.isnan(nu).any():
            raise OverflowError


def _move_anchor(
    p: int,
    below: float,
    above: float,
    scale: float,
    anchor: np.ndarray,
    nu: np.ndarray,
    status: np.ndarray,
    moves: np.ndarray,
) -> None:
    """Seek again from the score that is nearest to the solution, or leave it at that where nothing is gained."""
    with np.errstate(over="ignore"):
        off = [abs((edge - anchor[p]) * scale - nu[p]) for edge in (below, above)]
    closer = below if off[0] <= off[1] else above
    anchor[p], nu[p], moved = search.closer_anchor(closer, anchor[p], nu[p], scale)
    moves[p] += moved
    if moves[p] == 3 or (not moved and abs(nu[p]) > search.FARTHEST):
        raise OverflowError
    status[p] = search.SEEK if moved else search.DONE


class ArrayReducer:
    """One problem, rows in this machine's memory: Numba passes, threaded when there are many."""

    def __init__(self, x: FloatArray, w: FloatArray | None) -> None:
        self.x, self.w = x, w
        self._blocks = (x.size + BLOCK - 1) // BLOCK

    def sums(self, anchor: np.ndarray, scale: float, nu: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """See :class:`Reducer`."""
        parts = np.empty((1, kernels.KINDS + 1, self._blocks))
        kernels.sums(self.x.size, self.x, self.w, float(anchor[0]), scale, nu, parts)
        out = np.empty((1, kernels.KINDS + 1))
        search.add_blocks(parts[0], out[0])
        if out[0, -1] != 0.0:
            raise FloatingPointError
        return out[:, :-1].copy()

    def edges(self, anchor: np.ndarray, scale: float, nu: np.ndarray) -> np.ndarray:
        """See :class:`Reducer`."""
        out = np.empty((2, self._blocks))
        multiplier.gaps(self.x.size, self.x, self.w, float(anchor[0]), scale, float(nu[0]), -np.inf, np.inf, out)
        least, most = _ends(self.x, self.w)
        return np.array([[out[0].max(), -out[1].min(), most, -least]])

    def guess(self, scale: float, share: float) -> tuple[float, float]:
        """(anchor, nu) of a sample; of all rows as if they were normally distributed, when there are few."""
        if self.x.size < RUN * RUNS:
            anchor = float(self.x[0])
            return anchor, search.spread_start(self.x, self.w, anchor, scale, share, 1.0)
        some, some_w = sample(self.x, RUNS, RUN), None if self.w is None else sample(self.w, RUNS, RUN)
        return search.guess(some, some_w, scale, share)


def _ends(x: FloatArray, w: FloatArray | None) -> tuple[float, float]:
    least, most, check = multiplier.ends(x, w)
    if check != 0.0:
        raise FloatingPointError
    return float(least), float(most)


def multiplier_of(
    x: FloatArray,
    w: FloatArray | None,
    k: float,
    total: float,
    temperature: float,
    start: tuple[float, float] | None = None,
) -> Multiplier:
    """The multiplier of scores in memory; the way is chosen by size. Raises FloatingPointError on NaN or inf."""
    scale = scale_of(temperature)
    try:
        if x.size > SMALL:
            return _threaded(x, w, k, total, scale, start)
        first = (float(x[0]), 0.0) if start is None else start
        anchor, nu, flat, status = search.settle(x, w, scale, k, total, start is None, *first)
    except OverflowError:
        status = search.TOO_WIDE
    if status == search.NOT_FINITE:
        raise FloatingPointError
    if status == search.TOO_WIDE:
        return _from_rank(x, w, k, total, scale)
    return Multiplier(anchor, nu, scale, flat, HALF)


def _threaded(
    x: FloatArray, w: FloatArray | None, k: float, total: float, scale: float, start: tuple[float, float] | None
) -> Multiplier:
    rows = ArrayReducer(x, w)
    if k <= search.TINY * total or k >= total:
        none = k <= search.TINY * total
        least, most = _ends(x, None)
        return Multiplier(most if none else least, search.BEYOND if none else -search.BEYOND, scale, True, HALF)
    anchor, nu = rows.guess(scale, k / total) if start is None else start
    one = np.array([k]), np.array([total])
    return find(rows, *one, scale, (np.array([anchor]), np.array([nu]))).at(0)


def _from_rank(x: FloatArray, w: FloatArray | None, k: float, total: float, scale: float) -> Multiplier:
    """The solution begins at the score at which the running weight passes k: it lies beside it, or in the gap below."""
    last = float(last_score(x, w, k))
    counted = x if w is None else x[w > 0.0]
    lower = float(counted[counted < last].max(initial=-np.inf))
    above, tied = (
        float(rows.sum()) if w is None else float(w[rows].sum(dtype=np.float64)) for rows in (x > last, x == last)
    )
    lo, hi = search.beside(last, lower, above, tied, k, total, scale)
    if np.isnan(lo):
        anchor, nu = search.middle_of_gap(lower, last, scale)
        return Multiplier(anchor, nu, scale, True, HALF)
    bracket, patience = (lo, hi), search.ENCLOSED_PATIENCE
    anchor, nu, flat, status = search.solve(x, w, scale, k, total, last, 0.5 * lo + 0.5 * hi, *bracket, patience)
    if status != search.SOLVED:
        raise RuntimeError("the search for the multiplier did not end; please report the scores and k that did this")
    return Multiplier(anchor, nu, scale, flat, HALF)


def find_multipliers(
    segments: Segments,
    x: FloatArray,
    w: FloatArray | None,
    mass: np.ndarray,
    total: np.ndarray,
    temperature: float,
    start: Multipliers | None = None,
) -> Multipliers:
    """Solve every group's projection; ``x`` and ``w`` are sorted, ``mass`` and ``total`` are per group.

    Raises FloatingPointError when a score is NaN or infinite.
    """
    search_of = Search(segment_multipliers, multiplier_of, 0.0, HALF)
    return segments_module.find_multipliers(segments, x, w, mass, total, temperature, start, search_of)


def values_at(x: FloatArray, where: Multiplier, out: FloatArray | None = None) -> FloatArray:
    """σ((x - anchor) / temperature - nu), in the dtype of the scores; ``out`` may be the scores themselves."""
    out = np.empty_like(x) if out is None else out
    if x.size <= BLOCK:
        kernels.block_values(x, where.anchor, where.scale, where.nu, out)
    else:
        kernels.values(x.size, x, where.anchor, where.scale, where.nu, out)
    return out
