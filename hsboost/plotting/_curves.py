"""Positives among the top k of a ranking, for every k: one sort, then sums. The same numbers as ``precision_at_k``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import Budget, FloatArray
from hsboost.plotting import _inputs


class Ranking:
    """Labelled rows sorted once by score, to count the positives among the top k for any k.

    Parameters
    ----------
    positive : bool array of shape (n,)
    score : float array of shape (n,), higher first.
    weight : float64 array of shape (n,) with positive entries, or None.
    """

    def __init__(self, positive: np.ndarray, score: FloatArray, weight: FloatArray | None) -> None:
        self.order = np.argsort(-score, kind="stable")
        ranked = score[self.order]
        # One block per distinct score: rows tied at the boundary share its places evenly.
        self.starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        self._positive = positive[self.order]
        self._weight = weight
        self._tied, self._tied_positive, self._ends = self._blocks(weight)
        self.n = score.size
        self.total = float(score.size if weight is None else weight.sum())
        self.positives = float(positive.sum() if weight is None else weight[positive].sum())

    def _blocks(self, weight: FloatArray | None) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weight of each block, of the positives in it, and of everything down to its end."""
        ranked = np.ones(self.order.size) if weight is None else weight[self.order]
        tied = np.add.reduceat(ranked, self.starts)
        return tied, np.add.reduceat(ranked * self._positive, self.starts), np.cumsum(tied)

    def hits(self, mass: FloatArray) -> FloatArray:
        """Weight of the positives among the top ``mass``, for an array of masses in (0, total]."""
        return _hits(mass, self._tied, self._tied_positive, self._ends, self._weight is None)

    def resampled(self, share: FloatArray, times: FloatArray) -> tuple[FloatArray, float]:
        """(hits at shares of the total weight, total) when row i occurs ``times[i]`` times."""
        weight = times if self._weight is None else times * self._weight
        tied, tied_positive, ends = self._blocks(weight)
        return _hits(share * ends[-1], tied, tied_positive, ends, False), float(ends[-1])

    def budgets(self, limit: int, also: Sequence[float] = ()) -> FloatArray:
        """Masses at which to draw: after each row, thinned to about ``limit`` points, those of ``also`` kept."""
        rows = _thin(self.n, limit) + 1.0
        if self._weight is not None:
            last = np.r_[self.starts[1:], self.n]
            rows = np.interp(rows, np.r_[0, last], np.r_[0.0, self._ends])
        return np.union1d(np.minimum(rows, self.total), np.asarray(also, dtype=np.float64))


def _hits(
    mass: FloatArray, tied: FloatArray, tied_positive: FloatArray, ends: FloatArray, unweighted: bool
) -> FloatArray:
    block = np.minimum(np.searchsorted(ends, mass), ends.size - 1)
    above = np.r_[0.0, ends][block]
    above_positive = np.r_[0.0, np.cumsum(tied_positive)][block]
    # The same operations in the same order as precision_at_k, so that whole numbers agree to the last bit.
    if unweighted:
        return above_positive + (mass - above) * tied_positive[block] / tied[block]
    size = tied[block]
    share = np.divide(mass - above, size, out=np.zeros_like(mass), where=size > 0.0)
    return above_positive + np.clip(share, 0.0, 1.0) * tied_positive[block]


def _thin(n: int, limit: int) -> np.ndarray:
    """About ``limit`` of 0 … n - 1: all of the first, then even steps on a log axis and on a linear one."""
    if n <= limit:
        return np.arange(n)
    first = max(limit // 4, 1)
    log = np.geomspace(first, n - 1, 3 * limit // 8)
    linear = np.linspace(first, n - 1, 3 * limit // 8)
    return np.unique(np.r_[np.arange(first), np.rint(log), np.rint(linear), n - 1].astype(np.intp))


class Measured:
    """Rankings of the same rows, their hits at the budgets to draw, and resamples of the rows.

    Attributes
    ----------
    budget : ndarray of shape (m,)
        Masses, ``marked`` among them.
    marked : float
        The mass that ``k`` means.
    at : int
        Index of ``marked`` in ``budget``.
    hits : list of ndarray of shape (m,)
        Weight of the positives among the top, for the scores and, if there is one, the baseline.
    share : ndarray of shape (m,)
        ``budget`` as shares of the total weight.
    common : dict
        Arguments for the constructor of every display of curves against the budget.
    """

    def __init__(
        self,
        y_true: ArrayLike,
        y_score: ArrayLike,
        sample_weight: ArrayLike | None,
        pos_label: Any,
        n_bootstrap: int,
        confidence_level: float,
        random_state: int,
        max_points: int,
        baseline: ArrayLike | None = None,
        k: Budget = None,
    ) -> None:
        check_resampling(n_bootstrap, confidence_level, random_state)
        self.n_bootstrap, self._level, self._seed = n_bootstrap, confidence_level, random_state
        rows = _inputs.check_rows(y_true, y_score, sample_weight, pos_label)
        scores = [rows.score] if baseline is None else [rows.score, rows.also(baseline, "baseline")]
        self._rankings = [Ranking(rows.positive, score, rows.weight) for score in scores]
        first = self._rankings[0]
        self.marked = check.budget_mass(check.check_budget(k), first.total, first.positives)
        if self.marked <= 0.0:
            raise ValueError("k must be above 0: nothing is found among no rows")
        self.budget = first.budgets(check_whole(max_points, "max_points", 8), [self.marked])
        self.share = self.budget / first.total
        self.at = int(np.searchsorted(self.budget, self.marked))
        self.hits = [ranking.hits(self.budget) for ranking in self._rankings]
        self.positives, self.total = first.positives, first.total
        self.common: dict[str, Any] = {
            "budget": self.budget,
            "positives": first.positives,
            "total": first.total,
            "rows": first.n,
            "weighted": rows.weight is not None,
        }

    def resampled(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """:func:`resample` at the budgets to draw."""
        return resample(self._rankings, self.share, self.n_bootstrap, self._seed)

    def interval(self, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Lower and upper end of the central part of the draws, along the first axis."""
        low, high = np.quantile(draws, [0.5 - self._level / 2, 0.5 + self._level / 2], axis=0)
        return low, high


def resample(
    rankings: Sequence[Ranking], share: FloatArray, times: int, random_state: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Bootstrap the rows of rankings of the same rows, together, so that differences between them are paired.

    Returns
    -------
    hits : (times, len(rankings), len(share)) weight of positives at shares of the resampled total weight.
    total : (times,) resampled total weight.
    positives : (times,) resampled weight of the positives.
    """
    rng = np.random.default_rng(random_state)
    hits = np.empty((times, len(rankings), share.size))
    total, positives = np.empty(times), np.empty(times)
    everything = np.r_[share, 1.0]
    for draw in range(times):
        n = rankings[0].n
        count = np.bincount(rng.integers(0, n, n), minlength=n).astype(np.float64)
        for place, ranking in enumerate(rankings):
            found, total[draw] = ranking.resampled(everything, count)
            hits[draw, place], positives[draw] = found[:-1], found[-1]
    return hits, total, positives


def check_resampling(n_bootstrap: int, confidence_level: float, random_state: int) -> None:
    """Check the arguments of a bootstrap."""
    check_whole(n_bootstrap, "n_bootstrap", 0)
    check_whole(random_state, "random_state", 0)
    if n_bootstrap == 1:
        raise ValueError("n_bootstrap must be 0 (no band) or at least 2, got 1; some hundreds give a steady band")
    if not 0.0 < check.check_positive(confidence_level, "confidence_level") < 1.0:
        raise ValueError(f"confidence_level must lie in (0, 1), got {confidence_level!r}; for 95 % pass 0.95")


def check_whole(value: int, name: str, least: int) -> int:
    """An integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an int >= {least}, got {value!r}")
    return int(value)


def from_start(budget: FloatArray, start: float | None, rows: int, total: float) -> np.ndarray:
    """Which budgets to draw: from ``start`` on; None: from 10 rows of 500 or more, else all."""
    if start is None:
        start = float(budget[9] if rows >= 500 else budget[0])
    shown = np.asarray(budget >= check.check_positive(start, "start"))
    if not shown.any():
        raise ValueError(f"start={start} is more than all {total:g} rows (or weight); nothing is left to draw")
    return shown
