"""Displays: their numbers against brute force and the metrics, and what stands on the axes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest
from _figures import drawing
from hypothesis import given, settings
from hypothesis import strategies as st

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from hsboost import precision_at_k, recall_at_k
from hsboost.plotting import BudgetGainDisplay, HypersimplexDisplay, PrecisionAtKDisplay
from hsboost.plotting import _curves as curves


@pytest.fixture(autouse=True)
def _drawing() -> Iterator[None]:
    with drawing():
        yield


def ranked(rng: np.random.Generator, n: int = 400, signal: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, a fifth of them positive, and scores without ties."""
    y = (rng.random(n) < 0.2).astype(int)
    y[0] = 1
    return y, rng.normal(size=n) + signal * y


def texts(axes: Any) -> list[str]:
    """What stands on the axes, in the legend or by itself, each on one line."""
    legend = axes.get_legend()
    found = [*axes.texts, *([] if legend is None else legend.get_texts())]
    return [" ".join(text.get_text().split()) for text in found]


def gids(axes: Any) -> list[Any]:
    return [line.get_gid() for line in axes.get_lines()]


def png(figure: Any) -> np.ndarray:
    """The picture's pixels."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=60)
    buffer.seek(0)
    return plt.imread(buffer)


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with a positive that counts, scores with ties, whole weights with zeros."""
    n = draw(st.integers(1, 25))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    score = np.array(draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), dtype=float)
    weight = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    at = draw(st.integers(0, n - 1))
    y[at], weight[at] = 1, max(weight[at], 1)
    return y, score, weight


def measure(y: np.ndarray, score: np.ndarray, weight: np.ndarray | None = None) -> PrecisionAtKDisplay:
    """A display's numbers without its picture."""
    return PrecisionAtKDisplay._of(curves.Measured(y, score, weight, None, 0, 0.95, 0, 1000))


@given(problems())
def test_every_budget_has_exactly_the_metrics_values(problem: Any) -> None:
    y, score, _ = problem
    display = measure(y, score)
    assert display.budget.tolist() == list(range(1, y.size + 1))
    assert display.precision.tolist() == [precision_at_k(y, score, k) for k in range(1, y.size + 1)]
    assert display.recall.tolist() == [recall_at_k(y, score, k) for k in range(1, y.size + 1)]
    assert display.break_even == precision_at_k(y, score)


@given(problems())
def test_every_budget_has_exactly_the_metrics_values_with_whole_weights(problem: Any) -> None:
    y, score, weight = problem
    display = measure(y, score, weight)
    rows = curves.Ranking(y[weight > 0] == 1, score[weight > 0], weight[weight > 0].astype(float))
    budget = np.arange(1.0, weight.sum() + 1)
    values = [precision_at_k(y, score, int(k), sample_weight=weight) for k in budget]
    assert np.minimum(rows.hits(budget) / budget, 1.0).tolist() == values
    whole = display.budget == np.rint(display.budget)
    assert display.precision[whole].tolist() == [values[int(k) - 1] for k in display.budget[whole]]
    assert display.budget[-1] == weight.sum() == display.total
    assert display.break_even == precision_at_k(y, score, sample_weight=weight)


def test_fractional_weights_agree_with_the_metrics_at_shares(rng: np.random.Generator) -> None:
    y, score = ranked(rng, 300)
    score, weight = score.round(1), rng.uniform(0.1, 3.0, 300)
    display = PrecisionAtKDisplay.from_predictions(y, score, sample_weight=weight)
    share = display.budget[:-1] / display.total
    expected = [precision_at_k(y, score, float(s), sample_weight=weight) for s in share]
    np.testing.assert_allclose(display.precision[:-1], expected, rtol=1e-9)
    assert display.ax_.get_xlabel().startswith("budget k: weight")


def test_thinning_keeps_small_budgets_the_ends_and_the_values(rng: np.random.Generator) -> None:
    y, score = ranked(rng, 50_000)
    display = PrecisionAtKDisplay.from_predictions(y, score, max_points=400)
    assert 200 < display.budget.size <= 402
    assert set(range(1, 101)) <= set(display.budget)
    assert {int(y.sum()), 50_000} <= set(display.budget)
    steps = np.diff(np.log(display.budget[display.budget > 100]))
    assert steps.max() < 0.05
    for at in (0, 7, 150, -1):
        assert display.precision[at] == precision_at_k(y, score, int(display.budget[at]))


def test_references_are_what_a_perfect_and_a_random_ranking_get(rng: np.random.Generator) -> None:
    y, score = ranked(rng)
    display = PrecisionAtKDisplay.from_predictions(y, score)
    ks = display.budget.astype(int)
    np.testing.assert_allclose(display.ceiling, [precision_at_k(y, y, int(k)) for k in ks], rtol=1e-12)
    np.testing.assert_allclose(display.recall_ceiling, [recall_at_k(y, y, int(k)) for k in ks], rtol=1e-12)
    assert display.prevalence == y.mean()
    assert (display.positives, display.total, display.rows) == (y.sum(), 400, 400)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_bootstrap_is_the_metric_on_resampled_rows(rng: np.random.Generator, weighted: bool) -> None:
    y, score = ranked(rng, 60)
    score = score.round(1)
    other = rng.normal(size=60).round(1)
    weight = rng.integers(1, 4, 60).astype(float) if weighted else None
    rankings = [curves.Ranking(y == 1, s, weight) for s in (score, other)]
    share = np.array([0.05, 0.3, 0.99])
    hits, total, positives = curves.resample(rankings, share, 5, 11)
    draws = np.random.default_rng(11)
    for b in range(5):
        rows = draws.integers(0, 60, 60)
        w = np.ones(60) if weight is None else weight[rows]
        assert total[b] == w.sum()
        assert positives[b] == (w * y[rows]).sum()
        for place, s in enumerate((score, other)):
            expected = [recall_at_k(y[rows], s[rows], float(f), sample_weight=w) * positives[b] for f in share]
            np.testing.assert_allclose(hits[b, place], expected, rtol=1e-9)


def test_the_band_is_seeded_holds_the_curve_and_narrows(rng: np.random.Generator) -> None:
    y, score = ranked(rng, 2000)
    widths = []
    for n in (200, 2000):
        displays = [
            PrecisionAtKDisplay.from_predictions(y[:n], score[:n], n_bootstrap=100, random_state=seed)
            for seed in (0, 0, 1)
        ]
        first, again, other = (display.precision_low for display in displays)
        np.testing.assert_array_equal(first, again)
        assert not np.array_equal(first, other)
        display = displays[0]
        middle = slice(n // 10, n // 2)
        assert (display.precision_low <= display.precision_high).all()
        inside = (display.precision_low <= display.precision) & (display.precision <= display.precision_high)
        assert inside[middle].mean() > 0.95
        assert display.recall_low is not None
        widths.append(float((display.precision_high - display.precision_low)[middle].mean()))
        assert len(display.ax_.collections) == 1
    assert widths[1] < 0.6 * widths[0]
    narrow = PrecisionAtKDisplay.from_predictions(y, score, n_bootstrap=100, confidence_level=0.5)
    assert (narrow.precision_high - narrow.precision_low)[200:1000].mean() < widths[1]


def test_precision_and_recall_share_a_scale_and_cross_at_the_break_even_point(rng: np.random.Generator) -> None:
    y, score = ranked(rng)
    display = PrecisionAtKDisplay.from_predictions(y, score)
    left, right = display.ax_, display.recall_ax_
    assert right is not None
    assert left.get_ylim() == right.get_ylim()
    assert left.figure is display.figure_
    assert (left.get_ylabel(), right.get_ylabel()) == ("precision", "recall (thin)")
    curve = left.get_lines()[0]
    np.testing.assert_array_equal(curve.get_ydata(), display.precision)
    np.testing.assert_array_equal(right.get_lines()[0].get_ydata(), display.recall)
    marker = next(line for line in left.get_lines() if line.get_marker() == "o")
    assert [float(v[0]) for v in marker.get_data()] == [display.positives, display.break_even]
    at = np.flatnonzero(display.budget == display.positives)[0]
    assert display.precision[at] == display.recall[at] == display.break_even
    found = " | ".join(texts(left))
    assert f"break-even {100 * display.break_even:.1f} %" in found
    assert f"prevalence {100 * y.mean():.3g} %" in found
    assert f"k = {y.sum()} positives" in found
    assert {"precision", "recall"} <= set(texts(left))


def test_several_models_on_one_axes(rng: np.random.Generator) -> None:
    y, good = ranked(rng, 600, 2.5)
    poor = rng.normal(size=600) + 0.8 * y
    displays = PrecisionAtKDisplay.compare(y, {"good": good, "poor": poor, "noise": rng.random(600)})
    assert list(displays) == ["good", "poor", "noise"]
    axes = displays["good"].ax_
    assert all(display.ax_ is axes for display in displays.values())
    drawn = [line for line in axes.get_lines() if line.get_gid() == "hsboost:curve"]
    assert len(drawn) == 3
    assert len({line.get_color() for line in drawn}) == 3
    assert [line.is_dashed() for line in drawn] == [False, True, True]
    assert sum(str(gid).startswith("hsboost:once") for gid in gids(axes)) == 1
    for name, display in displays.items():
        assert f"{name}: {100 * display.break_even:.1f} % at break-even" in texts(axes)
    assert plt.get_fignums() == [axes.figure.number]


def test_both_metrics_of_two_models_use_one_second_axis(rng: np.random.Generator) -> None:
    y, score = ranked(rng)
    first = PrecisionAtKDisplay.from_predictions(y, score, name="a")
    second = PrecisionAtKDisplay.from_predictions(y, -score, name="b", ax=first.ax_)
    assert second.recall_ax_ is first.recall_ax_
    assert len(first.figure_.axes) == 2


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("x", ["count", "share"])
@pytest.mark.parametrize("metric", ["precision", "recall", "both"])
def test_options_of_the_plot(rng: np.random.Generator, metric: Any, x: Any, log: bool) -> None:
    y, score = ranked(rng, 800)
    _, axes = plt.subplots()
    display = PrecisionAtKDisplay.from_predictions(y, score, ax=axes, metric=metric, x=x, log=log, color="black", lw=3)
    assert display.ax_ is axes
    line = axes.get_lines()[0]
    at = np.asarray(line.get_xdata())
    assert at[-1] == (1.0 if x == "share" else 800)
    assert at[0] * (800 if x == "share" else 1) == pytest.approx(10)
    assert axes.get_xscale() == ("log" if log else "linear")
    assert (line.get_color(), line.get_linewidth()) == ("black", 3)
    assert (display.recall_ax_ is not None) == (metric == "both")
    expected = display.recall if metric == "recall" else display.precision
    np.testing.assert_array_equal(line.get_ydata(), expected[9:])
    assert ("share of the rows" in axes.get_xlabel()) == (x == "share")
    assert png(axes.figure).std() > 0.01


def test_start_and_reference(rng: np.random.Generator) -> None:
    y, score = ranked(rng)
    display = PrecisionAtKDisplay.from_predictions(y, score, metric="precision", start=50, reference=False, name="m")
    assert len(display.ax_.get_lines()) == 1
    assert display.ax_.get_lines()[0].get_xdata()[0] == 50
    assert texts(display.ax_) == ["m"]
    with pytest.raises(ValueError, match="start=1000 is more than all 400"):
        PrecisionAtKDisplay.from_predictions(y, score, start=1000)


def test_lift_and_difference_are_those_of_the_metrics(rng: np.random.Generator) -> None:
    y, score = ranked(rng, 300)
    other = (rng.normal(size=300) + 0.5 * y).round(1)
    display = BudgetGainDisplay.from_predictions(
        y, score, baseline=other, k=50, n_bootstrap=50, baseline_name="log loss"
    )
    ks = [int(k) for k in display.budget]
    assert ks == list(range(1, 301))
    ours, theirs = (np.array([precision_at_k(y, s, k) for k in ks]) for s in (score, other))
    np.testing.assert_allclose(display.lift, ours / y.mean(), rtol=1e-12)
    np.testing.assert_allclose(display.baseline_lift, theirs / y.mean(), rtol=1e-12)
    np.testing.assert_allclose(display.difference, (ours - theirs) * ks, atol=1e-9)
    np.testing.assert_allclose(display.ceiling, [precision_at_k(y, y, k) / y.mean() for k in ks], rtol=1e-12)
    point = display.at_budget
    assert point is not None
    assert (point.k, point.hits) == (50, round(50 * precision_at_k(y, score, 50)))
    assert point.difference == pytest.approx(display.difference[49])
    assert (point.low, point.high) == (display.difference_low[49], display.difference_high[49])
    np.testing.assert_allclose(display.difference[-1], 0.0, atol=1e-12)
    np.testing.assert_allclose(display.difference_low[-1], 0.0, atol=1e-9)
    top, bottom = display.axes_
    assert display.ax_ is top
    assert str(point) in texts(bottom)
    assert bottom.get_ylabel() == "positives beyond\nlog loss"
    assert top.get_ylabel() == "lift over random"
    np.testing.assert_array_equal(bottom.get_lines()[0].get_ydata(), display.difference)
    np.testing.assert_array_equal(top.get_lines()[0].get_ydata(), display.lift)


def test_the_paired_band_is_narrower_than_an_unpaired_one(rng: np.random.Generator) -> None:
    y, score = ranked(rng, 500)
    close = score + 0.1 * rng.normal(size=500)
    share = np.array([0.2])
    pair = [curves.Ranking(y == 1, s, None) for s in (score, close)]
    hits, _, _ = curves.resample(pair, share, 300, 0)
    apart, _, _ = curves.resample(pair[1:], share, 300, 1)
    assert (hits[:, 0] - hits[:, 1]).std() < 0.7 * (hits[:, 0] - apart[:, 0]).std()
    display = BudgetGainDisplay.from_predictions(y, score, baseline=close, k=100, n_bootstrap=300)
    low, high = np.quantile((hits[:, 0] - hits[:, 1])[:, 0], [0.025, 0.975])
    assert (display.at_budget.low, display.at_budget.high) == pytest.approx((low, high))


def test_gain_says_its_number() -> None:
    y = np.repeat([1, 0], [30, 70])
    perfect, reverse = np.arange(100.0)[::-1], np.arange(100.0)
    gain = BudgetGainDisplay.from_predictions(y, perfect, baseline=reverse, k=20, n_bootstrap=0)
    assert str(gain.at_budget) == "+20 positives among 20 reviewed"
    loss = BudgetGainDisplay.from_predictions(y, reverse, baseline=perfect, k=0.2, n_bootstrap=0, kind="difference")
    assert str(loss.at_budget) == "−20 positives among 20 reviewed"
    assert texts(loss.ax_) == ["−20 positives among 20 reviewed"]
    alone = BudgetGainDisplay.from_predictions(y, perfect, k=20)
    assert str(alone.at_budget) == "20 positives among 20 reviewed: 3.33 × random"
    assert alone.difference is None
    assert len(alone.axes_) == 1
    same = BudgetGainDisplay.from_predictions(y, perfect, baseline=perfect, n_bootstrap=10)
    assert str(same.at_budget) == "±0 positives among 30 reviewed (95 %: ±0 … ±0)"


def test_several_gains_on_one_axes(rng: np.random.Generator) -> None:
    y, score = ranked(rng)
    base = rng.normal(size=400)
    for kind in ("lift", "difference"):
        _, axes = plt.subplots()
        for name, s in {"a": score, "b": score + 2 * base}.items():
            BudgetGainDisplay.from_predictions(
                y, s, baseline=base, name=name, ax=axes, kind=kind, log=True, x="share", n_bootstrap=20
            )
        drawn = [line for line in axes.get_lines() if line.get_gid() == "hsboost:curve"]
        assert len(drawn) == (3 if kind == "lift" else 2)
        assert png(axes.figure).std() > 0.01


@pytest.mark.parametrize("score", [np.full(50, 0.3), np.r_[np.zeros(25), np.full(25, 1e6)], np.r_[1e-9, np.zeros(49)]])
def test_awkward_scores_are_drawn(score: np.ndarray) -> None:
    y = np.r_[np.zeros(25), np.ones(25)]
    assert png(HypersimplexDisplay.from_predictions(y, score).figure_).std() > 0.01
    assert png(PrecisionAtKDisplay.from_predictions(y, score, n_bootstrap=5).figure_).std() > 0.01
    assert png(BudgetGainDisplay.from_predictions(y, score, baseline=-score, n_bootstrap=5).figure_).std() > 0.01


@pytest.mark.parametrize("n", [1, 2])
def test_tiny_data_are_drawn(n: int) -> None:
    y, score = np.ones(n), np.arange(n, dtype=float)
    for log in (False, True):
        png(PrecisionAtKDisplay.from_predictions(y, score, log=log).figure_)
        png(BudgetGainDisplay.from_predictions(y, score, baseline=score, log=log, n_bootstrap=3).figure_)
    png(HypersimplexDisplay.from_predictions(y, score).figure_)


def test_displays_fit_into_a_users_grid(rng: np.random.Generator) -> None:
    y, score = ranked(rng)
    figure, grid = plt.subplots(2, 2, figsize=(12, 8), layout="constrained")
    PrecisionAtKDisplay.from_predictions(y, score, ax=grid[0, 0], name="m")
    BudgetGainDisplay.from_predictions(y, score, baseline=-score, ax=grid[0, 1], n_bootstrap=10)
    HypersimplexDisplay.from_predictions(y, score, ax=grid[1, 0])
    BudgetGainDisplay.from_predictions(y, score, ax=grid[1, 1])
    assert plt.get_fignums() == [figure.number]
    for axes in grid.flat:
        frame = axes.get_position()
        for panel in axes.child_axes:
            box = panel.get_window_extent().transformed(figure.transFigure.inverted())
            assert frame.x0 - 1e-6 <= box.x0
            assert box.y1 <= frame.y1 + 1e-6
    assert png(figure).std() > 0.01


@settings(max_examples=20)
@given(problems())
def test_the_order_of_the_rows_does_not_matter(problem: Any) -> None:
    y, score, weight = problem
    order = np.random.default_rng(3).permutation(y.size)
    first, second = (measure(y[o], score[o], weight[o]) for o in (np.arange(y.size), order))
    np.testing.assert_allclose(first.budget, second.budget, rtol=1e-12)
    np.testing.assert_allclose(first.precision, second.precision, rtol=1e-12)
