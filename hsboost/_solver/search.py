"""The search for the one scalar that couples all rows, written once above a *reducer*.

F(nu) = Σ w clip(x / temperature - nu, 0, 1) - k is non-increasing and piecewise linear. A reducer supplies the sums
that F and its slope need at a candidate nu; threads, a GPU or an all-reduce over workers are reducers. The search is
Newton's method inside a bracket. Once the bracket is narrow the reducer is asked to set aside the rows that are the
same for every nu in it, so that the remaining steps cost next to nothing.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple, Protocol

import numpy as np

from hsboost._kernels import guess, multiplier, search
from hsboost._kernels._compile import BLOCK
from hsboost._kernels.settle import SAMPLED_FROM, settle, settle_cold
from hsboost._solver.top_k import last_score

#: Up to this many rows one compiled call on one thread beats the passes below.
SMALL = 65_536

#: Passes over many rows after which a search gives up for `last_score`. Scores that are not spread over many orders
#: of magnitude take no more than six.
MOST_PASSES = 8

#: Where neighbouring floats are further apart than this, in units of the temperature, the rounding of a cut matters.
DISTINCT = 1e-6

#: The first guess comes from runs of `RUN` neighbouring rows (one cache line of float64 each), and this least and
#: greatest number of rows.
RUN, FEWEST_RUNS, MOST_RUNS = 8, 128, 1024


class Multiplier(NamedTuple):
    """Where the projection cuts: row i gets clip((x_i - anchor) / temperature - nu, 0, 1).

    ``anchor`` is a raw score near the solution; keeping it apart from ``nu`` keeps every digit when scores are huge.
    ``flat`` means that all values are 0 or 1: any nu of an interval is a solution, and its middle was taken. ``half``
    is the (x - anchor) / temperature - nu that gives the value 1/2: 0 in the entropic projection, which has σ in place
    of the clip.
    """

    anchor: float
    nu: float
    scale: float
    flat: bool
    half: float = 0.5

    @property
    def soft_threshold(self) -> float:
        """The raw score that gets the value 1/2: `soft_threshold_of` for one problem, in a fraction of the time."""
        nu = self.nu + self.half
        cut = self.anchor + nu / self.scale
        if math.isfinite(cut) and math.ulp(cut) * self.scale > DISTINCT and (cut - self.anchor) * self.scale > nu:
            return math.nextafter(cut, -math.inf)
        return cut

    @property
    def value(self) -> float:
        """The multiplier in units of x / temperature, as in the paper's KKT conditions."""
        return self.anchor * self.scale + self.nu


def soft_threshold_of(anchor: Any, nu: Any, scale: float, half: float = 0.5) -> Any:
    """The raw score that gets the value 1/2, for floats or arrays.

    Where floats are as far apart as temperatures, the next float below: exactly the scores above it get more than 1/2.
    """
    cut = anchor + (nu + half) / scale
    with np.errstate(over="ignore"):
        is_beyond = (np.spacing(np.abs(cut)) * scale > DISTINCT) & ((cut - anchor) * scale > nu + half)
    return np.where(is_beyond, np.nextafter(cut, -np.inf), cut)


class Sums(NamedTuple):
    """F's ingredients at one nu: weight above 1, weight in [0, 1], and the mass Σ w v of the latter."""

    ones: float
    active: float
    mass: float


class Reducer(Protocol):
    """What `find_multiplier` needs from the rows; the search sets ``anchor`` before it asks for sums."""

    scale: float
    anchor: float

    def guess(self, k: float) -> tuple[float, float, float | None]:
        """A cheap (anchor, nu) near the solution, and perhaps a nu without active rows that may be a solution already.

        Every guess leads to the correct result; a good one is faster.
        """
        ...

    def sums(self, nu: float) -> Sums:
        """Sums over all rows at ``nu``; raises FloatingPointError when a score is NaN or infinite."""
        ...

    def narrow(self, lo: float, hi: float) -> bool:
        """Restrict later calls to nu in [lo, hi]. False (and no change) when too many rows stay undecided."""
        ...

    def widen(self) -> None:
        """Lift the restriction."""
        ...

    def bounds(self) -> tuple[float, float]:
        """Smallest and largest raw score of the rows with weight; raises FloatingPointError as `sums` does."""
        ...

    def nearest(self, nu: float) -> float:
        """The raw score whose value is closest to 1/2 at ``nu``."""
        ...

    def interior(self, nu: float) -> float:
        """Weight of the rows strictly between 0 and 1 (by more than rounding) at ``nu``."""
        ...

    def gap(self, nu: float) -> tuple[float, float]:
        """Largest raw score with value <= 1/2 and smallest with more, of the rows with weight."""
        ...


def find_multiplier(
    rows: Reducer,
    k: float,
    total: float,
    start: tuple[float, float] | None = None,
    bracket: tuple[float, float] = (-np.inf, np.inf),
    patience: int | None = None,
) -> Multiplier:
    """Solve F(nu) = 0 for 0 <= k <= total, from ``start`` = (anchor, nu) or from the reducer's guess.

    ``bracket`` encloses nu at the first anchor. OverflowError: the scores are too far apart, in units of the
    temperature, for any anchor but one next to the solution, or ``patience`` (None: any) steps did not suffice.

    When F is flat at its root every nu of an interval gives the same projection and the middle is returned, so that
    predictions are cut in the middle of the gap. For k = 0 and k = total the interval has one end only: it is taken.
    """
    if k <= 0.0:
        return Multiplier(rows.bounds()[1], 0.0, rows.scale, True)
    if k >= total:
        return Multiplier(rows.bounds()[0], -1.0, rows.scale, True)
    slack = 8 * search.EPS * k
    rows.anchor, nu, gap = (*start, None) if start is not None else rows.guess(k)
    for attempt in range(3):
        nu, empty = _root(rows, k, nu, gap, bracket, slack, patience)
        bracket, gap = (-np.inf, np.inf), None
        if abs(nu) <= search.FAR or (empty and abs(nu) < search.COARSE):
            break
        rows.widen()
        at = rows.sums(nu)
        if at.active == 0.0 and abs((at.ones - k) + at.mass) <= slack and abs(nu) < search.COARSE:
            break  # in the middle of a flat interval, where no anchor is near and none is needed
        closer = rows.nearest(nu)
        if closer == rows.anchor or attempt == 2:
            raise OverflowError
        rows.anchor, nu = closer, -0.5
    if not empty and rows.interior(nu) > 0.0:
        return Multiplier(rows.anchor, nu, rows.scale, False)
    rows.widen()
    anchor, nu = search.flat_cut(*rows.gap(nu), rows.scale)
    return Multiplier(anchor, nu, rows.scale, True)


def _root(
    rows: Reducer,
    k: float,
    nu: float,
    gap: float | None,
    bracket: tuple[float, float],
    slack: float,
    patience: int | None,
) -> tuple[float, bool]:
    """A root of F for the present anchor, and whether it is known that no row is active there.

    OverflowError after ``patience`` steps; those after narrowing cost next to nothing and do not count.
    """
    lo, hi = bracket
    narrowed = False
    if gap is not None:
        at = rows.sums(gap)
        excess = (at.ones - k) + at.mass
        if at.active == 0.0 and abs(excess) <= slack:
            return gap, True
        lo, hi = (gap, hi) if excess > 0.0 else (lo, gap)
        if not lo < nu < hi:
            nu = gap
    for step in range(10_000):  # bisection every third step ends far earlier
        if patience is not None and step >= patience and not narrowed:
            raise OverflowError
        at = rows.sums(nu)
        excess = (at.ones - k) + at.mass
        if at.active == 0.0 and abs(excess) <= slack:
            return nu, True
        lo, hi, following, status = search.advance(lo, hi, nu, excess, at.active, step, slack)
        if status == search.GAP:
            below, above = ((edge - rows.anchor) * rows.scale for edge in rows.gap(nu))
            lo, hi, following, status = search.across_gap(lo, hi, nu, excess, below, above, step)
        if status == search.DONE:
            return float(following), False
        if status == search.UNBOUNDED:
            lo, hi, following = _bracket(rows, lo, hi)
        elif not narrowed and status == search.NEWTON and abs(following - nu) < 0.5:
            narrowed, lo, hi, following = _try_narrow(rows, k, lo, hi, following, abs(following - nu))
        nu = following
    raise RuntimeError("the threshold search did not end; please report the scores and k that did this")


def _bracket(rows: Reducer, lo: float, hi: float) -> tuple[float, float, float]:
    """Finite ends for a bracket that Newton's step could not close, and its middle."""
    smallest, largest = ((end - rows.anchor) * rows.scale for end in rows.bounds())
    if not largest - smallest <= search.WIDEST:
        raise OverflowError
    lo, hi = max(lo, smallest - 1.0), min(hi, largest)
    return lo, hi, 0.5 * lo + 0.5 * hi


def _try_narrow(
    rows: Reducer, k: float, lo: float, hi: float, nu: float, error: float
) -> tuple[bool, float, float, float]:
    """Narrow to a bracket that should hold Newton's next iterate; otherwise use the sums at its ends as a step."""
    # Newton's error falls quadratically where F is smooth; a bracket that misses costs one pass, whose sums are used.
    reach = max(error * min(0.125, max(2.5 * error, 1.0 / 256.0)), 64 * search.EPS)
    left, right = max(lo, nu - reach), min(hi, nu + reach)
    if not rows.narrow(left, right):
        return False, lo, hi, nu
    at_left, at_right = rows.sums(left), rows.sums(right)
    excess_left = (at_left.ones - k) + at_left.mass
    excess_right = (at_right.ones - k) + at_right.mass
    if excess_left >= 0.0 >= excess_right:
        return True, left, right, nu
    rows.widen()
    if excess_left < 0.0:
        hi, end, at, excess = left, left, at_left, excess_left
    else:
        lo, end, at, excess = right, right, at_right, excess_right
    following = end + excess / at.active if at.active > 0.0 else np.nan
    if not lo < following < hi:
        following = end if not np.isfinite(lo + hi) else 0.5 * lo + 0.5 * hi
    return False, lo, hi, float(following)


def sample_runs(n: int) -> int:
    """How many runs of `RUN` rows the first guess uses."""
    return min(MOST_RUNS, max(FEWEST_RUNS, n // 256))


def guess_from(
    some: np.ndarray, some_w: np.ndarray | None, scale: float, share: float
) -> tuple[float, float, float | None]:
    """`Reducer.guess` from a sample of rows; ``share`` is the mass over the total weight."""
    anchor, nu, few = guess.guess(some, some_w, scale, share)
    if not few:
        return anchor, nu, None
    # NumPy sorts ten times as fast as compiled code here.
    order = None if some_w is None else np.argsort(some)
    ascending, its_w = (np.sort(some), None) if some_w is None else (some[order], some_w[order])
    middle = guess.middle_of_gap(ascending, its_w, scale, share, RUN)
    return anchor, nu, None if np.isnan(middle) else (middle - anchor) * scale - 0.5


class ArrayReducer:
    """Rows in this machine's memory: Numba passes, threaded when there are many."""

    def __init__(self, x: np.ndarray, w: np.ndarray | None, scale: float, total: float) -> None:
        self.x, self.w, self.scale, self.total = x, w, scale, total
        self.anchor = 0.0
        self._rest: tuple[np.ndarray, np.ndarray | None, Sums] | None = None
        self._store: tuple[np.ndarray, np.ndarray | None] | None = None
        self._blocks = (x.size + BLOCK - 1) // BLOCK

    def guess(self, k: float) -> tuple[float, float, float | None]:
        n = self.x.size
        if n < 2 * RUN:
            return float(self.x[0]), -0.5, None
        runs = sample_runs(n)
        some, some_w = guess.sample(self.x, runs, RUN), None if self.w is None else guess.sample(self.w, runs, RUN)
        return guess_from(some, some_w, self.scale, k / self.total)

    def sums(self, nu: float) -> Sums:
        if self._rest is not None:
            x, w, known = self._rest
            ones, active, mass, _ = multiplier.block_sums(x, w, self.anchor, self.scale, nu)
            # Decided rows were summed at nu = 0: each unit of nu lowers all of them by one.
            return Sums(known.ones + ones, known.active + active, known.mass - nu * known.active + mass)
        out = np.empty((1, 4, self._blocks))
        multiplier.sums(self.x.size, self.x, self.w, self.anchor, self.scale, np.array([nu]), out)
        ones, active, mass, check = out[0].sum(axis=1)
        if check != 0.0:
            raise FloatingPointError
        return Sums(float(ones), float(active), float(mass))

    def narrow(self, lo: float, hi: float) -> bool:
        if not lo < hi < lo + 1.0 or self.x.size <= BLOCK:
            return False
        capacity = multiplier.CAPACITY
        if self._store is None:
            weights = None if self.w is None else np.empty((self._blocks, capacity), self.w.dtype)
            self._store = np.empty((self._blocks, capacity), self.x.dtype), weights
        keep_x, keep_w = self._store
        out = np.empty((4, self._blocks))
        multiplier.narrow(self.x.size, self.x, self.w, self.anchor, self.scale, lo, hi, keep_x, keep_w, out)
        if out[3].max() > capacity:
            return False
        ones, active, mass, _ = out.sum(axis=1)
        counts = out[3].astype(np.intp)
        rest_w = None if keep_w is None else _collect(keep_w, counts)
        self._rest = _collect(keep_x, counts), rest_w, Sums(float(ones), float(active), float(mass))
        return True

    def widen(self) -> None:
        self._rest = None

    def bounds(self) -> tuple[float, float]:
        if not np.isfinite(self.x).all():
            raise FloatingPointError
        counted = self.x if self.w is None or not (self.w > 0.0).any() else self.x[self.w > 0.0]
        return float(counted.min()), float(counted.max())

    def nearest(self, nu: float) -> float:
        return float(multiplier.nearest(self.x, self.anchor, self.scale, nu))

    def interior(self, nu: float) -> float:
        if self._rest is not None and self._rest[2].active > 0.0:
            return self._rest[2].active
        out = np.empty(self._blocks)
        multiplier.interior(self.x.size, self.x, self.w, self.anchor, self.scale, nu, search.MARGIN, out)
        return float(out.sum())

    def gap(self, nu: float) -> tuple[float, float]:
        # Start with the edges of a sample spread over all rows: then few blocks hold a row between them.
        every = slice(None, None, self._blocks)
        few, weights = self.x[every].copy(), None if self.w is None else self.w[every].copy()
        edges = multiplier.gap(few, weights, self.anchor, self.scale, nu, -np.inf, np.inf)
        out = np.empty((2, self._blocks))
        multiplier.gaps(self.x.size, self.x, self.w, self.anchor, self.scale, nu, *edges, out)
        return float(out[0].max()), float(out[1].min())


def _collect(store: np.ndarray, counts: np.ndarray) -> np.ndarray:
    out = np.empty(counts.sum(), store.dtype)
    multiplier.collect(store, counts, out)
    return out


def multiplier_of(
    x: np.ndarray,
    w: np.ndarray | None,
    k: float,
    total: float,
    temperature: float,
    start: tuple[float, float] | None = None,
) -> Multiplier:
    """The multiplier of scores in memory; the number of rows selects the pass. FloatingPointError on NaN or inf."""
    scale = scale_of(temperature)
    try:
        return _search_in_memory(x, w, k, total, scale, start)
    except OverflowError:
        return _search_in_memory(x, w, k, total, scale, (float(last_score(x, w, k)), -0.5), search.BESIDE)


def scale_of(temperature: float) -> float:
    """1 / temperature, kept finite."""
    return min(1.0 / temperature, sys.float_info.max)


def _search_in_memory(
    x: np.ndarray,
    w: np.ndarray | None,
    k: float,
    total: float,
    scale: float,
    start: tuple[float, float] | None,
    bracket: tuple[float, float] = (-np.inf, np.inf),
) -> Multiplier:
    if x.size > SMALL:
        patience = MOST_PASSES if bracket[0] == -np.inf else None
        return find_multiplier(ArrayReducer(x, w, scale, total), k, total, start, bracket, patience)
    anchor, nu = start if start is not None else (float(x[0]), -0.5)
    if start is None and x.size >= SAMPLED_FROM:
        anchor, nu, flat, status = settle_cold(x, w, scale, k, total, anchor, nu)
    else:
        anchor, nu, flat, status = settle(x, w, scale, k, total, anchor, nu, *bracket)
    if status == search.NOT_FINITE:
        raise FloatingPointError
    if status == search.TOO_WIDE:
        raise OverflowError
    return Multiplier(anchor, nu, scale, flat)
