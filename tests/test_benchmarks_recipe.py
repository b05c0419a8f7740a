"""What the protocols are made of: the paper's recipe, and the statistics of the fair one."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from benchmarks.quality.tabular import compare, evaluate, published, resample
from datasets.registry import registry
from hsboost import HypersimplexObjective

# ---- the published recipe --------------------------------------------------------------------------------


def slow_gradient(scores: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The scripts' backward pass, step by step: sort, isotonic regression, block means."""
    n, k = len(y), published.published_k(y)
    order = np.argsort(-scores, kind="stable")
    s = scores[order] / published.TEMPERATURE
    w = np.r_[np.ones(k), np.zeros(n - k)]
    v = IsotonicRegression(increasing=False).fit(np.arange(n), s - w).predict(np.arange(n))
    gradient = 2.0 / n * (s - v - y[order])
    blocks = np.cumsum(np.abs(np.diff(v, prepend=v[0])) > 1e-9)
    means = np.array([gradient[blocks == block].mean() for block in range(blocks[-1] + 1)])
    found = np.empty(n)
    found[order] = (gradient - means[blocks]) / published.TEMPERATURE
    return found


@settings(max_examples=60, deadline=None)
@given(n=st.integers(4, 60), width=st.sampled_from([1e-4, 2e-3, 0.1]), ties=st.booleans(), seed=st.integers(0, 999))
def test_published_gradient_is_the_scripts(n: int, width: float, ties: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = width * (rng.integers(-2, 3, n) if ties else rng.normal(size=n))
    y = rng.permutation(np.arange(n) % 3 == 0).astype(float)
    found, active = published.published_gradient(scores, y)
    np.testing.assert_allclose(found, slow_gradient(scores, y), rtol=1e-6, atol=1e-6 / published.TEMPERATURE)
    assert 0.0 <= active <= 1.0


def test_published_gradient_is_the_jacobians_unless_rows_outside_the_band_tie() -> None:
    rng = np.random.default_rng(3)
    y = (np.arange(64) % 4 == 0).astype(float)  # 64 · 0.25 is exact: k is the number of positives
    objective = HypersimplexObjective(hessian="unit", reduction="mean", temperature=published.TEMPERATURE)
    scores = 0.002 * rng.normal(size=64)
    ours, active = published.published_gradient(scores, y)
    theirs, hessian = objective(y, scores)
    assert 0 < active < 1
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)
    assert (hessian == 1).all()
    # Eight tied rows above the band and 24 below, of mixed labels; the other 32 share what is left of k = 16.
    tied = np.repeat([1.0, 0.0, -1.0], [8, 32, 24])
    tied[8:40] = np.linspace(-0.0002, 0.0002, 32)
    outside = np.abs(tied) == 1.0
    ours, active = published.published_gradient(tied, y)
    theirs, _ = objective(y, tied)
    assert active == 0.5
    assert np.abs(theirs[outside]).max() == 0
    assert np.abs(ours[outside]).min() > 1.0
    np.testing.assert_allclose(ours[~outside], theirs[~outside], rtol=1e-4, atol=1e-3)


def test_published_k_is_the_scripts_with_its_rounding() -> None:
    off = 0
    for n in range(2, 120):
        for positives in range(1, n):
            y = np.r_[np.ones(positives), np.zeros(n - positives)]
            assert published.published_k(y) == int(n * (positives / n))
            off += published.published_k(y) == positives - 1
    assert off > 50  # 22 rows, 15 positives for one


def test_the_step_is_a_learning_rate_of_l2_boosting() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 3))
    y = (X[:, 0] + rng.normal(size=2000) > 0.5).astype(float)
    script = published.recipe("flight")
    trees = {"num_leaves": 15, "verbosity": -1, "num_threads": 1, "deterministic": True, "feature_fraction": 1.0}
    objective = published.PublishedGradient(script.scale)
    common = lgb.Dataset(X, y, free_raw_data=False)
    ours = lgb.train(trees | {"learning_rate": script.learning_rate, "objective": objective}, common, 4)
    l2 = lgb.train(trees | {"learning_rate": script.step(2000), "objective": "l2"}, common, 4)
    moved = ours.predict(X, raw_score=True) / published.TEMPERATURE
    expected = l2.predict(X) - y.mean()
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(moved, expected, atol=1e-4 * np.ptp(expected))


def test_recipes() -> None:
    assert published.paper_sets() == [name for name, info in registry().items() if info.paper]
    assert len(published.paper_sets()) == 8
    scales = {name: published.recipe(name).scale for name in published.paper_sets()}
    assert {name for name, scale in scales.items() if scale == 1.0} == {"higgs", "kdd10"}
    assert published.recipe("kdd12").params["num_leaves"] == 2048
    assert published.recipe("kdd12").rounds == 3 * published.recipe("avazu").rounds


# ---- statistics ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decimals", [1, 9])
def test_bootstrap_is_the_metrics_on_drawn_rows(decimals: int) -> None:
    rng = np.random.default_rng(4)
    n, y_valid, raw_valid = 310, rng.integers(0, 2, 200), rng.normal(size=200)
    y, raw = rng.integers(0, 2, n), rng.normal(size=n)
    raw = (raw + y).round(decimals)
    found = resample.replicates(y_valid, raw_valid, y, raw, "abc")
    assert found == resample.replicates(y_valid, raw_valid, y, raw, "abc")
    assert found != resample.replicates(y_valid, raw_valid, y, raw, "abd")
    generator = np.random.default_rng([ord(letter) for letter in "abc"])
    cut = evaluate.accuracy_cut(y_valid, raw_valid)
    p = evaluate.calibrated(y_valid, raw_valid, raw)
    for i in range(3):
        rows = generator.integers(0, n, n)
        expected = {
            "auc": evaluate.auc(y[rows], raw[rows]),
            "accuracy": np.mean((raw >= cut)[rows] == y[rows]),
            "log_loss": -np.mean(np.log(np.where(y == 1, p, 1 - p))[rows]),
            "precision_prevalence": evaluate.precision(y[rows], raw[rows], None),
            "precision_5%": evaluate.precision(y[rows], raw[rows], 0.05),
        }
        assert {key: found[key][i] for key in expected} == pytest.approx(expected, rel=2e-5)


def test_standard_errors_know_the_overlap() -> None:
    gaps = [0.01, 0.03, 0.02]
    s2 = np.var(gaps, ddof=1)
    error, freedom = compare.standard_error(gaps, None, False, train_rows=600, test_rows=200)
    assert (error, freedom) == pytest.approx((np.sqrt(s2 * (1 / 3 + 1 / 3)), 2))
    drawn = np.random.default_rng(0).normal(size=(3, 500))
    rows = drawn.mean(axis=0).var(ddof=1)
    error, freedom = compare.standard_error(gaps, drawn, True, 600, 200)
    assert error == pytest.approx(np.sqrt(rows + s2 / 3))
    assert freedom == pytest.approx((rows + s2 / 3) ** 2 / ((s2 / 3) ** 2 / 2))
    assert compare.standard_error(gaps[:1], drawn[:1], False, 600, 200) == (pytest.approx(drawn[0].std(ddof=1)), np.inf)
    with pytest.raises(ValueError, match="replicates"):
        compare.standard_error(gaps, None, True, 600, 200)
    assert compare.p_value(0.02, 0.01, 7) == pytest.approx(2 * stats.t.sf(2, 7))
    assert compare.p_value(0.02, 0.0, 7) == 1.0
    assert compare.half_width(0.01, np.inf) == pytest.approx(0.0196, abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.001, 0.2))
def test_holm_rejects_step_by_step(p: list[float], alpha: float) -> None:
    adjusted = compare.holm(p)
    standing = set()
    for step, index in enumerate(np.argsort(p, kind="stable")):
        if p[index] * (len(p) - step) > alpha:
            break
        standing.add(int(index))
    assert {index for index, value in enumerate(adjusted) if value <= alpha} == standing


def test_data_sets_are_compared_by_signed_ranks() -> None:
    gaps = [0.1, 0.2, -0.05, 0.3, 0.15, 0.12]
    assert compare.over_datasets(gaps) == pytest.approx(stats.wilcoxon(gaps).pvalue)
    assert compare.over_datasets(gaps[:5]) is None
    assert compare.over_datasets([0.0] * 7) is None
