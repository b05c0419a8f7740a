"""The tabular benchmark's metrics and statistics agree with independent libraries and with counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.quality.tabular import evaluate, statistics
from benchmarks.quality.tabular.adapters import from_probability
from benchmarks.quality.tabular.losses import LOSSES
from benchmarks.quality.tabular.statistics import Statistics


@pytest.mark.parametrize("decimals", [1, 12])
def test_auc_is_scikit_learns(decimals: int) -> None:
    rng = np.random.default_rng(decimals)
    y = rng.integers(0, 2, 300)
    raw = (rng.normal(size=300) + y).round(decimals)  # one decimal: many ties
    assert evaluate.auc(y, raw) == pytest.approx(roc_auc_score(y, raw), abs=1e-12)


def test_precision_is_the_share_of_positives_on_top() -> None:
    rng = np.random.default_rng(3)
    y, raw = rng.integers(0, 2, 200), rng.normal(size=200)
    top = np.argsort(-raw)
    assert evaluate.precision(y, raw, 0.05) == pytest.approx(y[top[:10]].mean())
    assert evaluate.precision(y, raw, None) == pytest.approx(y[top[: y.sum()]].mean())
    assert evaluate.precision(y, raw, 1.0) == pytest.approx(y.mean())


@pytest.mark.parametrize("seed", range(20))
def test_accuracy_cut_is_the_best_of_all_cuts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=30).round(seed % 3)
    y = (rng.normal(size=30) + raw > 0).astype(np.int64) if seed % 4 else np.full(30, seed % 8 // 4)
    every_cut = [-np.inf, *raw, np.inf]
    best = max(np.mean((raw >= cut) == y) for cut in every_cut)
    assert np.mean((raw >= evaluate.accuracy_cut(y, raw)) == y) == best


def test_calibration_ignores_the_shape_of_the_scores() -> None:
    rng = np.random.default_rng(5)
    y, raw_valid, raw_test = rng.integers(0, 2, 400), rng.normal(size=400), rng.normal(size=100)
    raw_test = rng.choice(raw_valid, 100)  # between the validation scores interpolation does see the shape
    plain = evaluate.calibrated(y, raw_valid, raw_test)
    np.testing.assert_allclose(plain, evaluate.calibrated(y, np.exp(raw_valid), np.exp(raw_test)))
    assert plain.min() >= 1 / 402
    assert plain.max() <= 401 / 402


def test_probabilities_go_back_to_raw_scores() -> None:
    raw = np.array([-30.0, -1.5, 0.0, 2.0, 20.0])
    probabilities = LOSSES["log-loss"].probabilities(raw)
    assert probabilities is not None
    np.testing.assert_allclose(from_probability(probabilities), raw, atol=1e-6)
    assert np.isfinite(from_probability(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("auc", "auc"), ("Precision@5%", 0.05), ("precision@0.05", 0.05), ("precision@prevalence", None)],
)
def test_selection_is_read(text: str, expected: float | str | None) -> None:
    assert evaluate.parse_selection(text) == expected


def test_difference_is_the_paired_t_interval() -> None:
    from scipy import stats

    rng = np.random.default_rng(7)
    ours, base = rng.normal(size=6) + 5, rng.normal(size=6)
    gap = statistics.difference(ours, base, higher_is_better=True)
    interval = stats.ttest_rel(ours, base).confidence_interval(0.95)
    assert (gap.low, gap.high) == pytest.approx((interval.low, interval.high))
    assert gap.verdict == "better"
    assert statistics.difference(ours, base, higher_is_better=False).verdict == "worse"
    assert statistics.difference(base, base, higher_is_better=True).verdict == "within noise"
    assert statistics.difference(base + 0.1, base, higher_is_better=True).verdict == "within noise"
    assert statistics.difference([1.0], [0.0], higher_is_better=True).verdict == "one seed"


@pytest.mark.parametrize(
    ("auc", "best"),
    [
        (
            {"l2": [0.1, 0.11, 0.1], "log-loss": [0.5, 0.5, 0.5], "hypersimplex": [0.8, 0.81, 0.8]},
            "hypersimplex",
        ),
        ({"l2": [0.1, 0.11, 0.1], "log-loss": [0.9, 0.9, 0.9], "hypersimplex": [0.8, 0.81, 0.8]}, "log-loss"),
        ({"l2": [0.1, 0.11, 0.1], "log-loss": [0.5, 0.5, 0.5], "hypersimplex": [0.3, 0.9, 0.6]}, None),
        ({"l2": [0.9, 0.11, 0.1], "log-loss": [0.5, 0.5, 0.5], "hypersimplex": [0.1, 0.11, 0.1]}, None),
    ],
)
def test_only_differences_outside_noise_are_bold(auc: dict[str, list[float]], best: str | None) -> None:
    runs = [
        {"dataset": "d", "booster": "xgboost", "loss": loss, "seed": seed, "auc": value}
        for loss, values in auc.items()
        for seed, value in enumerate(values)
    ]
    statistics = Statistics(runs, ["xgboost"], list(LOSSES))
    assert statistics.best(("d", "xgboost"), evaluate.METRICS[0]) == best
