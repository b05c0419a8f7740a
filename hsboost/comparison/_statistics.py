"""Is a difference more than noise? Paired differences over splits that share rows, and many of them at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t


class Difference(NamedTuple):
    """Mean of paired differences over splits, its standard error and degrees of freedom, and the two-sided p.

    ``error`` and ``p`` are NaN for one split, which has no spread. Equal differences in all splits come from coarse
    counts: they show no spread, and p is 1.
    """

    mean: float
    error: float
    freedom: float
    p: float

    def interval(self, confidence: float, comparisons: int = 1) -> tuple[float, float]:
        """The interval of that confidence; with ``comparisons`` (Bonferroni) so many of them hold together."""
        if math.isnan(self.error):
            return math.nan, math.nan
        if self.error == 0.0:
            return self.mean, self.mean
        half = float(t.ppf(1.0 - (1.0 - confidence) / (2.0 * comparisons), self.freedom)) * self.error
        return self.mean - half, self.mean + half


def difference(ours: Sequence[float], base: Sequence[float], ratio: float) -> Difference:
    """Nadeau and Bengio's corrected resampled t-test of paired figures, one pair per split.

    The splits' training rows overlap, so their differences are correlated, and the usual s²/J is too small: with J
    splits the variance of the mean is s² (1/J + ``ratio``), ``ratio`` = test rows / rows for training and
    validation, with J - 1 degrees of freedom.

    References
    ----------
    Nadeau, Bengio, "Inference for the generalization error", Machine Learning 52 (2003); for repeated k-fold
    cross-validation: Bouckaert, Frank, "Evaluating the replicability of significance tests for comparing learning
    algorithms", PAKDD 2004.
    """
    gaps = np.asarray(ours, dtype=np.float64) - np.asarray(base, dtype=np.float64)
    mean, splits = float(gaps.mean()), gaps.size
    if splits < 2:
        return Difference(mean, math.nan, 0.0, math.nan)
    if np.ptp(gaps) <= 1e-12 * (1.0 + abs(mean)):
        return Difference(mean, 0.0, splits - 1.0, 1.0)
    error = float(np.sqrt(gaps.var(ddof=1) * (1.0 / splits + ratio)))
    return Difference(mean, error, splits - 1.0, float(2.0 * t.sf(abs(mean) / error, splits - 1.0)))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p: below α for the differences that are significant when all are tested together at α."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(values.size)
    factors = values.size - np.arange(values.size)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return [float(value) for value in adjusted]


def auc(positive: np.ndarray, score: np.ndarray, weight: np.ndarray | None, codes: np.ndarray | None) -> float:
    """Share of the pairs of a positive and a negative row that are in order, ties for one half.

    With ``codes`` only pairs of rows of one group count: scores of losses that are trained by group do not compare
    between groups. Pairs weigh as much as the product of their rows' weights. NaN where there is no pair.
    """
    w = np.ones(score.size) if weight is None else weight
    groups = np.zeros(score.size, np.intp) if codes is None else codes
    order = np.lexsort((score, groups))
    score, groups, w, positive = score[order], groups[order], w[order], positive[order]
    new_group = np.r_[True, groups[1:] != groups[:-1]]
    ties = np.flatnonzero(new_group | np.r_[True, score[1:] != score[:-1]])  # first rows of equal scores in a group
    good, bad = np.add.reduceat(w * positive, ties), np.add.reduceat(w * ~positive, ties)
    before = np.cumsum(bad) - bad
    first = new_group[ties]  # blocks that begin a group
    group = np.cumsum(first) - 1
    below = before - before[first][group]  # negatives of the same group with lower scores
    all_good, all_bad = np.add.reduceat(good, np.flatnonzero(first)), np.add.reduceat(bad, np.flatnonzero(first))
    pairs = float(all_good @ all_bad)
    return float(good @ (below + 0.5 * bad)) / pairs if pairs > 0.0 else math.nan
