"""Bootstrap of the test rows: every metric on resamples of test, the same resamples for every loss."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.tabular import evaluate
from benchmarks.quality.tabular.adapters import FloatArray, IntArray

#: Bootstrap samples of the test rows; their spread is known to about 1 / sqrt(2 · 200) = 5 %.
SAMPLES = 200
#: Samples processed at a time: at 50,000 rows about 20 MB.
BLOCK = 50


def replicates(
    y_valid: IntArray, raw_valid: FloatArray, y_test: IntArray, raw_test: FloatArray, name: str
) -> dict[str, list[float]]:
    """Compute the metrics of METRICS and ECE on SAMPLES resamplings of the test rows.

    ``name`` (for example the digest of the test rows) seeds the samples: the same rows are drawn for every loss and
    seed, so that differences between them are paired. Cut, calibration and bins stay those of the full split. Returns
    five significant digits of each.
    """
    generator = np.random.default_rng([ord(letter) for letter in name])
    n = len(y_test)
    order = np.argsort(-raw_test, kind="stable")
    y = np.asarray(y_test, dtype=np.float64)[order]
    probabilities = evaluate.calibrated(y_valid, raw_valid, raw_test)[order]
    right = ((raw_test >= evaluate.accuracy_cut(y_valid, raw_valid)) == y_test)[order]
    surprise = -np.log(np.where(y == 1, probabilities, 1.0 - probabilities))
    bins = evaluate.calibration_bins(probabilities)
    distinct = np.diff(raw_test[order], prepend=np.inf) != 0
    starts = np.flatnonzero(distinct)
    gaps = np.zeros((n, int(bins.max()) + 1))
    gaps[np.arange(n), bins] = probabilities - y

    found: dict[str, list[FloatArray]] = {}
    for _ in range(SAMPLES // BLOCK):
        drawn = np.stack([np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(BLOCK)])
        w = drawn[:, order].astype(np.float64)
        # Tied rows are grouped: they share their places.
        positive, negative = (np.add.reduceat(part, starts, axis=1) for part in (w * y, w * (1.0 - y)))
        hits, total = np.cumsum(positive, axis=1), np.cumsum(positive + negative, axis=1)
        values = {
            "auc": _auc(positive, negative),
            "accuracy": w @ right / n,
            "log_loss": w @ surprise / n,
            "calibration_error": np.abs(w @ gaps).sum(axis=1) / n,
            "precision_prevalence": _precision(hits, total, hits[:, -1]),
        }
        for key, share in evaluate.SHARES.items():
            values[key] = _precision(hits, total, np.full(BLOCK, share * n))
        for key, value in values.items():
            found.setdefault(key, []).append(value)
    return {key: [float(f"{value:.5g}") for value in np.concatenate(blocks)] for key, blocks in found.items()}


def _auc(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """AUC of weights (B, distinct scores) sorted by falling score; ties count one half."""
    above = np.cumsum(positive, axis=1) - 0.5 * positive
    return np.asarray((above * negative).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1)))


def _precision(hits: FloatArray, total: FloatArray, mass: FloatArray) -> FloatArray:
    """Share of positives among the first ``mass`` (B,) of weight along sorted scores; ties at the end count in part."""
    # Sums of integers are exact; the last entry is the total weight, which no budget exceeds.
    last = np.array([np.searchsorted(row, m) for row, m in zip(total, mass, strict=True)])
    rows = np.arange(len(mass))
    before = np.where(last > 0, total[rows, last - 1], 0.0)
    hits_before = np.where(last > 0, hits[rows, last - 1], 0.0)
    inside = total[rows, last] - before
    part = np.divide(mass - before, inside, out=np.zeros_like(mass), where=inside > 0)
    return np.asarray((hits_before + part * (hits[rows, last] - hits_before)) / mass)
