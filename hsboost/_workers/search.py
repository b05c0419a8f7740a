"""The multiplier search over rows on several machines: few calls, many candidates per call, the same bits everywhere.

The distributed counterpart of :mod:`hsboost._solver.search`. Every worker holds its own rows and the same state of the
search. A call adds up the sums of all workers at candidates that each worker derives from the previous call, so all of
them reach the same multiplier to the last bit without a coordinator. All problems of a round (groups, classes) share
the calls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hsboost._kernels import refine, search
from hsboost._kernels.distributed import KINDS
from hsboost._solver.segments import Multipliers
from hsboost._workers import radix
from hsboost._workers.communicator import Workers
from hsboost._workers.rows import WorkerRows

#: Candidates of a call for one problem, five sums each: two sequences that halve their distance twenty times.
MOST_CANDIDATES = 41
#: Fewest candidates per problem, when many problems share a call; candidates that cost a pass over all rows.
FEWEST_CANDIDATES, WIDE_CANDIDATES = 5, 17

#: Widest interval around an expected multiplier for which decided rows are set aside, in units of the temperature.
REACH = 0.25

#: Approximate sample size, over all workers, with which a first search begins.
SAMPLE = 65_536


class Guess(NamedTuple):
    """The start of a search: (anchor, nu) per problem, and the possible error of nu, infinite when it is not known.

    ``before`` is nu of the last round, NaN where there was none; the next step is predicted from it.
    """

    anchor: np.ndarray
    nu: np.ndarray
    reach: np.ndarray
    before: np.ndarray | float = np.nan


class Found(NamedTuple):
    """All multipliers; Σ w, Σ w v and Σ w y over all workers' active rows; the step from the last round."""

    where: Multipliers
    active: np.ndarray
    mass: np.ndarray
    positive: np.ndarray
    moved: np.ndarray

    def guess(self) -> Guess:
        """The start of the next search, if the scores change about as much as in this round."""
        where = self.where
        shift = np.where(np.abs(where.nu) > 1.0, where.nu, 0.0)
        # Multipliers drift as scores spread, so the next step resembles the last. The reach also covers a zero step.
        steady = np.abs(self.moved) < REACH
        drift = np.where(steady, self.moved, 0.0)
        reach = np.where(steady, 1.25 * np.abs(drift) + 1e-9, np.inf)
        nu = where.nu - shift
        return Guess(where.anchor + shift / where.scale, nu + drift, reach, nu)


def find_distributed(
    workers: Workers, rows: WorkerRows, k: np.ndarray, total: np.ndarray, scale: float, guess: Guess | None
) -> Found:
    """Solve every problem over the rows of all workers.

    Parameters
    ----------
    workers : Workers
    rows : WorkerRows
        This worker's rows; finite scores.
    k, total : ndarray of shape (P,)
        Mass and Σ w over all workers, the same arrays everywhere.
    scale : float
        1 / temperature.
    guess : Guess or None
        The same on every worker; None: start from a sample.

    """
    if guess is None:
        guess = _guess_from_sample(workers, rows, k, total, scale)
    try:
        return _Search(workers, rows, k, total, scale, guess).run()
    except OverflowError:
        # Relative to the score at which the running weight passes k the solution lies in [-1, 0].
        places = radix.AtWorkers(workers, rows)
        last = radix.boundaries(places, k, np.float64, "raw_prediction").last
        near = Guess(np.where(np.isnan(last), 0.0, last), np.full(k.size, -0.5), np.full(k.size, np.inf))
        return _Search(workers, rows, k, total, scale, near, enclosed=True).run()


def _guess_from_sample(
    workers: Workers, rows: WorkerRows, k: np.ndarray, total: np.ndarray, scale: float
) -> Guess | None:
    """Multipliers of a sample; None when there are too few rows for a sample to pay off."""
    n = int(workers.sum((1,), lambda: [rows.x.size])[0])
    if n < 2 * SAMPLE:
        return None
    few = rows.every(n // SAMPLE)
    weight = workers.sum(total.shape, few.weights)
    share = np.divide(k, total, out=np.zeros_like(k), where=total > 0.0)
    found = _Search(workers, few, share * weight, weight, scale, None).run()
    # Four standard errors of F, in units of nu; without sampled rows the multiplier may be anywhere.
    error = 4.0 * np.sqrt(share * (1.0 - share) * weight * np.divide(total, n) * (n // SAMPLE))
    reach = np.divide(error, found.active, out=np.full_like(k, np.inf), where=found.active > 0.0)
    return Guess(found.where.anchor, found.where.nu, reach)


class _Search:
    """The state of a search: the same on every worker."""

    def __init__(
        self,
        workers: Workers,
        rows: WorkerRows,
        k: np.ndarray,
        total: np.ndarray,
        scale: float,
        guess: Guess | None,
        enclosed: bool = False,
    ) -> None:
        count = k.size
        self.workers, self.all, self.k, self.total, self.scale = workers, rows, k, total, scale
        self.guess = guess or Guess(np.zeros(count), np.zeros(count), np.full(count, np.inf))
        self.anchor, self.nu, self.reach = (part.copy() for part in self.guess[:3])
        self.flat, self.chosen = np.zeros(count, np.bool_), np.zeros((count, KINDS))
        self.slack = 8 * search.EPS * k
        self.steps, self.jumps = np.zeros(count, np.intp), np.zeros(count, np.intp)
        self.ends = np.zeros((count, 2, 1 + KINDS))
        self._forget(slice(None))
        if enclosed:
            self.ends[:, 0, refine.NU], self.ends[:, 0, refine.ONES], self.ends[:, 1, refine.NU] = -1.0, total, 0.0
        self.status = np.full(count, refine.START if guess is None else refine.SEEK)
        self.status[(k <= 0.0) | (k >= total)] = refine.TRIVIAL
        empty = total <= 0.0
        self.status[empty], self.flat[empty] = refine.DONE, True
        #: The undecided rows, and the intervals of nu for which the others are summed up.
        self.rows = rows
        self.left, self.right = np.full(count, -np.inf), np.full(count, np.inf)
        fitting = (MOST_CANDIDATES // count - 1) | 1  # odd: the expected root and two sequences
        self.narrow = max(FEWEST_CANDIDATES, min(MOST_CANDIDATES, fitting))

    def run(self) -> Found:
        """Exchange sums until every problem is done."""
        while True:
            if (self.status == refine.SEEK).any():
                self._ask_for_sums()
            elif (self.status != refine.DONE).any():
                self._ask_for_edges()
            else:
                break
            if self.steps.max() > 10_000:  # bisection ends far earlier
                raise RuntimeError("the threshold search did not end; please report the scores and k that did this")
        with np.errstate(over="ignore"):
            moved = (self.anchor - self.guess.anchor) * self.scale + (self.nu - self.guess.before)
        where = Multipliers(self.anchor, self.nu, self.flat, self.scale)
        return Found(where, self.chosen[:, 1], self.chosen[:, 2], self.chosen[:, 3], moved)

    def _forget(self, problems: int | slice) -> None:
        """Discard what is known about F."""
        self.ends[problems] = 0.0
        self.ends[problems, 0, refine.NU], self.ends[problems, 1, refine.NU] = -np.inf, np.inf

    def _intervals(self) -> tuple[np.ndarray, np.ndarray]:
        """The interval of each problem's candidates; infinite where no interval is worth setting rows aside for."""
        lo, hi = self.ends[:, 0, refine.NU], self.ends[:, 1, refine.NU]
        left, right = np.maximum(lo, self.nu - self.reach), np.minimum(hi, self.nu + self.reach)
        wide = ~(right - left <= 2.0 * REACH)
        left[wide], right[wide] = -np.inf, np.inf
        settled = self.status != refine.SEEK
        left[settled] = right[settled] = self.nu[settled]
        return left, right

    def _ask_for_sums(self) -> None:
        left, right = self._intervals()
        nus, counts = np.zeros((self.k.size, max(self.narrow, WIDE_CANDIDATES))), np.zeros(self.k.size, np.intp)
        refine.place_all(
            self.status, self.ends, self.steps, self.nu, left, right, self.narrow, WIDE_CANDIDATES, nus, counts
        )
        nus = np.ascontiguousarray(nus[:, : counts.max()])

        def compute() -> np.ndarray:
            inside = bool(((left >= self.left) & (right <= self.right)).all())
            rows = self.rows if inside else self.all
            if np.isfinite(right).any():
                rows = rows.narrowed(self.anchor, self.scale, left, right)
            self.rows, self.left, self.right = rows, left, right
            return rows.sums(self.anchor, self.scale, nus, counts)

        sums = self.workers.sum((*nus.shape, KINDS), compute)
        asked = self.status == refine.SEEK
        self.steps += asked
        move = np.zeros(self.k.size)
        refine.react_all(self.status, nus, counts, sums, self.k, self.slack, self.ends, self.nu, move, self.chosen)
        # Newton's error falls quadratically where F is smooth; an interval that misses costs one more call.
        reach = np.minimum(REACH, np.maximum(np.maximum(4.0 * move**2, move / 64.0), 64 * search.EPS))
        self.reach = np.where(move < 0.5, reach, np.inf)
        self._look_twice(asked)

    def _look_twice(self, asked: np.ndarray) -> None:
        """Handle roots that only rounding makes unique, roots too far from their anchor, and slow searches."""
        done = asked & (self.status == refine.DONE)
        self.status[done & ~(self.chosen[:, refine.INTERIOR - 1] > 0.0)] = refine.FLAT
        far = np.abs(self.nu) > np.where(self.status == refine.FLAT, search.COARSE, search.FAR)
        self.status[asked & far & np.isin(self.status, (refine.DONE, refine.FLAT))] = refine.FAR
        open_ended = ~np.isfinite(self.ends[:, :, refine.NU]).all(axis=1)
        self.status[(self.status == refine.SEEK) & (self.steps >= 8) & open_ended] = refine.BOUNDS

    def _ask_for_edges(self) -> None:
        found = self.workers.max((self.k.size, 4), lambda: self.all.edges(self.anchor, self.scale, self.nu))
        below, above, most, least = (found * [1.0, -1.0, 1.0, -1.0]).T
        for p in np.flatnonzero(self.status != refine.DONE).tolist():
            status = self.status[p]
            if status == refine.TRIVIAL:
                self._settle(p, *((most[p], 0.0) if self.k[p] <= 0.0 else (least[p], -1.0)))
            elif status == refine.FLAT:
                self._settle(p, *search.flat_cut(below[p], above[p], self.scale))
            elif status == refine.FAR:
                self._move_anchor(p, below[p], above[p])
            elif status == refine.GAP and self._cross(p, below[p], above[p]):
                pass
            else:
                if status == refine.START:
                    self.anchor[p] = 0.5 * least[p] + 0.5 * most[p]
                self._enclose(p, least[p], most[p])

    def _settle(self, p: int, anchor: float, nu: float) -> None:
        """All values are 0 or 1."""
        self.anchor[p], self.nu[p], self.flat[p], self.status[p] = anchor, nu, True, refine.DONE
        self.chosen[p] = 0.0

    def _move_anchor(self, p: int, below: float, above: float) -> None:
        """Start again from the score whose value is closest to 1/2: far from its anchor nu has lost digits."""
        off = [abs((edge - self.anchor[p]) * self.scale - self.nu[p] - 0.5) for edge in (below, above)]
        closer = below if off[0] <= off[1] else above
        if closer == self.anchor[p] or self.jumps[p] >= 100:
            raise OverflowError
        self.jumps[p] += 40
        self.anchor[p], self.nu[p], self.reach[p], self.status[p] = closer, -0.5, np.inf, refine.SEEK
        self._forget(p)
        # Rows were set aside relative to another anchor.
        self.rows = self.all
        self.left, self.right = np.full_like(self.left, -np.inf), np.full_like(self.right, np.inf)

    def _enclose(self, p: int, least: float, most: float) -> None:
        """Ends for a bracket that Newton's step could not close, and its middle."""
        lo, hi = self.ends[p, :, refine.NU]
        with np.errstate(over="ignore"):
            smallest, largest = (least - self.anchor[p]) * self.scale - 1.0, (most - self.anchor[p]) * self.scale
            width = min(hi, largest) - max(lo, smallest)
        if not width <= search.WIDEST:
            raise OverflowError
        if smallest > lo:
            self.ends[p, 0] = smallest, self.total[p], 0.0, 0.0, 0.0, 0.0
        if largest < hi:
            self.ends[p, 1] = largest, 0.0, 0.0, 0.0, 0.0, 0.0
        self.nu[p] = 0.5 * self.ends[p, 0, refine.NU] + 0.5 * self.ends[p, 1, refine.NU]
        self.reach[p], self.status[p] = np.inf, refine.SEEK
        self.steps[p] = max(self.steps[p], 4)  # many candidates from here on

    def _cross(self, p: int, below: float, above: float) -> bool:
        """Move directly to the far edge of a gap without active rows; False when that is slow or leaves the bracket."""
        lo, hi = self.ends[p, :, refine.NU]
        # A quarter inside, so that the rows there are active despite rounding.
        edge = (above - self.anchor[p]) * self.scale - 0.75
        if self.nu[p] != lo:
            edge = (below - self.anchor[p]) * self.scale - 0.25
        self.jumps[p] += 1
        if not lo < edge < hi or self.jumps[p] % 4 == 0:
            return False
        self.nu[p], self.reach[p], self.status[p] = edge, np.inf, refine.SEEK
        return True
