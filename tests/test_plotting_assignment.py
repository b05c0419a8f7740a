"""HypersimplexDisplay: the projection, what stands on its panels, and the rounds of training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest
from _figures import drawing

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from lightgbm import LGBMClassifier
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from test_plotting import png, ranked, texts

from hsboost import HSClassifier, HypersimplexLoss, project_hypersimplex
from hsboost.losses import HypersimplexSmoothLoss
from hsboost.plotting import HypersimplexDisplay


@pytest.fixture(autouse=True)
def _drawing() -> Iterator[None]:
    with drawing():
        yield


@pytest.mark.parametrize("weighted", [False, True])
def test_soft_assignment_is_the_projection(rng: np.random.Generator, weighted: bool) -> None:
    y, score = ranked(rng)
    weight = rng.integers(1, 4, 400).astype(float) if weighted else None
    display = HypersimplexDisplay.from_predictions(y, score, 0.25, 0.5, weight)
    total = 400.0 if weight is None else weight.sum()
    expected = project_hypersimplex(score, 0.25 * total, temperature=0.5, sample_weight=weight)
    np.testing.assert_array_equal(display.values, expected.values)
    assert display.threshold == expected.soft_threshold
    assert display.band == (expected.soft_threshold - 0.25, expected.soft_threshold + 0.25)
    np.testing.assert_array_equal(display.active, (display.values > 0) & (display.values < 1))
    assert display.active_share == display.active.mean()
    w = np.ones(400) if weight is None else weight
    assert (w * display.values).sum() == pytest.approx(display.k)
    assert w[score > display.hard_threshold].sum() == pytest.approx(0.25 * total, abs=3)
    top, bottom = display.axes_
    ramp = top.get_lines()[1]
    np.testing.assert_allclose(np.interp(score, *ramp.get_data()), display.values, atol=1e-12)
    assert top.get_xlim() == bottom.get_xlim()
    positive, negative = bottom.patches[-2:]
    assert positive.get_data()[0].sum() == pytest.approx(1.0)
    assert negative.get_data()[0].sum() == pytest.approx(-1.0)
    assert f"{y.sum()} positive" in texts(bottom)
    assert any("active band" in text for text in texts(top))
    assert png(display.figure_).std() > 0.01


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 0.01])
def test_the_smooth_assignment_is_the_entropic_projection(
    rng: np.random.Generator, weighted: bool, temperature: float
) -> None:
    y, score = ranked(rng)
    weight = rng.integers(1, 4, 400).astype(float) if weighted else None
    display = HypersimplexDisplay.from_predictions(y, score, 0.25, temperature, weight, regularization="entropic")
    total = 400.0 if weight is None else weight.sum()
    expected = project_hypersimplex(
        score, 0.25 * total, temperature=temperature, sample_weight=weight, regularization="entropic"
    )
    np.testing.assert_array_equal(display.values, expected.values)
    assert display.regularization == "entropic"
    assert display.threshold == expected.soft_threshold
    inside = (score > display.band[0]) & (score < display.band[1])
    np.testing.assert_array_equal(inside, (display.values > 0.1) & (display.values < 0.9))
    assert display.active_share == pytest.approx((4.0 * display.values * (1.0 - display.values)).mean())
    top = display.axes_[0]
    curve = top.get_lines()[1]
    np.testing.assert_allclose(np.interp(score, *curve.get_data()), display.values, atol=2e-3)
    share = f"{100 * display.active_share:.3g} % of the rows count"
    assert any("soft assignments 0.1 to 0.9" in text and share in text for text in texts(top))
    assert png(display.figure_).std() > 0.01
    rounds = HypersimplexDisplay.from_predictions(
        [1, 0], [1.0, 0.0], history=history(), kind="rounds", regularization="entropic"
    )
    assert rounds.axes_[0].get_ylabel() == "active, by 4y(1 − y)"
    with pytest.raises(ValueError, match="regularization must be one of"):
        HypersimplexDisplay.from_predictions(y, score, regularization="smooth")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "regularization", "temperature"),
    [
        ({"loss": "hypersimplex"}, "euclidean", 1.0),
        ({}, "entropic", 0.5),
        ({"loss": "hypersimplex-fy", "temperature": 2.0}, "euclidean", 2.0),
        ({"loss": "hypersimplex-smooth", "temperature": 2.0}, "entropic", 2.0),
        ({"loss": "hypersimplex-smooth-fy"}, "entropic", 1.0),
        ({"loss": HypersimplexSmoothLoss(temperature=3.0)}, "entropic", 3.0),
        ({"loss": HypersimplexLoss(temperature=3.0)}, "euclidean", 3.0),
        ({"loss": "log-loss"}, "euclidean", 1.0),
    ],
)
def test_a_model_is_shown_with_the_projection_that_it_was_trained_with(
    settings: dict[str, Any], regularization: Any, temperature: float, rng: np.random.Generator
) -> None:
    X = rng.normal(size=(120, 2))
    y = (X[:, 0] + rng.normal(size=120) > 0.5).astype(int)
    model = make_pipeline(HSClassifier(LGBMClassifier(n_estimators=3, n_jobs=1, verbose=-1), k=0.2, **settings))
    display = HypersimplexDisplay.from_estimator(model.fit(X, y), X, y)
    assert (display.regularization, display.temperature) == (regularization, temperature)
    expected = project_hypersimplex(
        model.decision_function(X), 24.0, temperature=temperature, regularization=regularization
    )
    np.testing.assert_array_equal(display.values, expected.values)
    other: Any = "euclidean" if regularization == "entropic" else "entropic"
    assert HypersimplexDisplay.from_estimator(model, X, y, regularization=other).regularization == other


def test_few_rows_are_shown_one_by_one() -> None:
    display = HypersimplexDisplay.from_predictions([1, 0, 1, 0], [2.0, 1.2, 0.9, -3.0])
    points = np.vstack([found.get_offsets() for found in display.ax_.collections])
    assert sorted(map(tuple, points.round(12).tolist())) == [(-3.0, 0.0), (0.9, 0.35), (1.2, 0.65), (2.0, 1.0)]


def history(rounds: int = 20) -> dict[str, Any]:
    at = np.arange(rounds)
    return {"iteration": at, "soft_threshold": 0.1 * at, "active_share": 1.0 / (1.0 + at), "loss": 1.0 / (2.0 + at)}


def test_rounds_are_drawn_from_the_history() -> None:
    display = HypersimplexDisplay.from_predictions([1, 0], [1.0, 0.0], history=history(), kind="rounds")
    top, bottom = display.axes_
    np.testing.assert_array_equal(top.get_lines()[0].get_ydata(), history()["active_share"])
    np.testing.assert_array_equal(bottom.get_lines()[0].get_ydata(), history()["soft_threshold"])
    assert texts(top) == ["5 %"]
    assert bottom.get_xlabel() == "round of boosting"
    assert display.history is not None
    assert "loss" in display.history
    assert png(display.figure_).std() > 0.01
    several = {**history(), "soft_threshold": np.arange(60.0).reshape(20, 3), "active_share": np.full((20, 3), 0.5)}
    display = HypersimplexDisplay.from_predictions([1, 0], [1.0, 0.0], history=several, kind="rounds")
    assert [len(panel.get_lines()) for panel in display.axes_] == [3, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"soft_threshold": None}, "lacks soft_threshold"),
        (
            {"soft_threshold": [1.0, 2.0]},
            r"history\['soft_threshold'\] must hold one entry per round, got shape \(2,\)",
        ),
        ({"active_share": np.ones((20, 2, 2))}, r"history\['active_share'\] must hold one entry"),
        ({"soft_threshold": [[1.0], [1.0, 2.0]] * 10}, "the same number of them per round"),
        ({key: [] for key in history()}, "for 0 rounds"),
    ],
)
def test_a_history_that_is_none_is_refused(change: dict[str, Any], message: str) -> None:
    given_ = {key: value for key, value in {**history(), **change}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        HypersimplexDisplay.from_predictions([1, 0], [1.0, 0.0], history=given_)


def test_rounds_drawn_into_given_axes_leave_the_scores_alone() -> None:
    _, (left, right) = plt.subplots(1, 2)
    display = HypersimplexDisplay.from_predictions([1, 0], [1.0, 0.0], history=history(), ax=left)
    scores = display.axes_
    assert display.plot_rounds(right) is display
    assert scores[0] in left.child_axes
    assert display.axes_[0] in right.child_axes


@pytest.fixture(scope="module")
def grouped() -> tuple[HSClassifier, np.ndarray, np.ndarray]:
    """A model trained with a budget per group, and its rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    y = (X[:, 0] + 0.3 * rng.normal(size=200) > 0.8).astype(int)
    model = HSClassifier(LGBMClassifier(n_estimators=8, verbose=-1), k=10)
    return model.fit(X, y, groups=np.repeat(["north", "south"], 100)), X, y


def test_a_model_with_groups_is_shown_with_a_budget_of_the_rows_shown(grouped: Any) -> None:
    model, X, y = grouped
    with pytest.raises(ValueError, match="trained with a budget per group; pass k, the budget of the rows shown here"):
        HypersimplexDisplay.from_estimator(model, X, y)
    display = HypersimplexDisplay.from_estimator(model, X, y, k=20)
    assert display.k == 20
    display.plot_rounds()
    assert len(display.axes_[1].get_lines()) == 2
    assert np.shape(display.history["soft_threshold"]) == (8, 2)


def test_a_class_of_a_model_with_several() -> None:
    X, y = load_wine(return_X_y=True)
    model = HSClassifier(LGBMClassifier(n_estimators=8, verbose=-1), k={0: 40, 1: 50, 2: 30}).fit(X, y)
    display = HypersimplexDisplay.from_estimator(model, X, y, pos_label=2)
    assert display.k == 30
    np.testing.assert_array_equal(display.score, model.decision_function(X)[:, 2])
    history = model.training_history_
    np.testing.assert_array_equal(display.history["soft_threshold"], np.array(history["soft_threshold"])[:, 2])
    np.testing.assert_array_equal(display.history["active_share"], np.array(history["active_share"])[:, 2])
