"""Paired tests that account for the overlap of seeds and test rows, and Holm's correction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95


def standard_error(
    gaps: Sequence[float],
    replicates: Sequence[Sequence[float]] | None,
    same_test: bool,
    train_rows: int,
    test_rows: int,
) -> tuple[float, float]:
    """Standard error of the mean of paired differences over seeds, and its degrees of freedom.

    Seeds with separate splits draw overlapping rows from one table: their variance is increased as by Nadeau and
    Bengio, s² (1/S + test rows / training rows), with S - 1 degrees of freedom. If every seed has the same test rows,
    the variance over seeds does not include the choice of rows: s²/S + the variance of the mean difference over
    bootstrap samples of the test rows (Welch and Satterthwaite's degrees of freedom). One seed: the bootstrap alone.
    """
    values = np.asarray(gaps, dtype=np.float64)
    seeds = len(values)
    spread = float(values.var(ddof=1)) if seeds > 1 else 0.0
    if seeds > 1 and not same_test:
        return float(np.sqrt(spread * (1.0 / seeds + test_rows / train_rows))), seeds - 1.0
    if replicates is None:
        raise ValueError("replicates: needed for one seed, or for seeds that share their test rows")
    rows = float(np.asarray(replicates, dtype=np.float64).mean(axis=0).var(ddof=1))
    training = spread / seeds
    if training == 0.0:
        return float(np.sqrt(rows)), np.inf
    return float(np.sqrt(rows + training)), float((rows + training) ** 2 / (training**2 / (seeds - 1)))


def p_value(mean: float, error: float, freedom: float) -> float:
    """Two-sided p of a difference; 1 if the standard error is 0."""
    return 1.0 if error <= 1e-12 * (1.0 + abs(mean)) else float(2.0 * t.sf(abs(mean) / error, freedom))


def half_width(error: float, freedom: float) -> float:
    """Half the width of the 95 % interval."""
    return float(t.ppf(0.5 + CONFIDENCE / 2, freedom) * error)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values: below α for the differences that are significant when all are tested together at α."""
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    factors = len(values) - np.arange(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * factors))
    return [float(value) for value in adjusted]


def over_datasets(gaps: Sequence[float]) -> float | None:
    """Two-sided p of Wilcoxon's signed ranks over the data sets' mean differences; None for fewer than 6.

    With 5 or fewer no result could fall below 0.05.
    """
    from scipy.stats import wilcoxon

    if len(gaps) < 6 or not np.any(gaps):
        return None
    return float(wilcoxon(gaps).pvalue)
