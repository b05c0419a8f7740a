"""Displays are readable: every curve is named, names are whole and hide nothing, and curves can be told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest
from _figures import drawing

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.text import Text
from test_plotting import texts

from hsboost.plotting import BudgetGainDisplay, HypersimplexDisplay, PrecisionAtKDisplay, _style

LONG = "a gradient-boosted model with a rather long name, trained on everything there was"
RNG = np.random.default_rng(5)
Y = (RNG.random(400) < 0.2).astype(int)
GOOD, FAIR, POOR, NOISE = (RNG.normal(size=400) + signal * Y for signal in (2.5, 1.5, 0.8, 0.0))
CROSSING = np.where(RNG.random(400) < 0.5, GOOD, -FAIR)


def many(count: int) -> dict[str, np.ndarray]:
    """Rankings from a random one to a good one."""
    return {f"model {i}": RNG.normal(size=Y.size) + 3.0 * i / count * Y for i in range(count)}


def compare(scores: dict[str, np.ndarray], **options: Any) -> PrecisionAtKDisplay:
    """The first of several models on one axes."""
    return next(iter(PrecisionAtKDisplay.compare(Y, scores, **options).values()))


def gains(scores: dict[str, np.ndarray], **options: Any) -> BudgetGainDisplay:
    """The last of several gains on one axes."""
    _, ax = plt.subplots(figsize=(7.2, 4.2), layout="constrained")
    for name, score in scores.items():
        display = BudgetGainDisplay.from_predictions(Y, score, baseline=FAIR, name=name, ax=ax, **options)
    return display


def gain(score: np.ndarray, **options: Any) -> BudgetGainDisplay:
    return BudgetGainDisplay.from_predictions(Y, score, baseline=FAIR, n_bootstrap=20, **options)


def in_a_titled_grid() -> PrecisionAtKDisplay:
    _, grid = plt.subplots(2, 2, figsize=(12, 7.6), layout="constrained")
    for log, ax in zip((False, False, True, True), grid.flat, strict=True):
        display = compare({"good": GOOD, "poor": POOR, "noise": NOISE}, ax=ax, log=log)
        ax.set_title("One pile of four", loc="left")
    return display


def both_on_one_axes() -> PrecisionAtKDisplay:
    first = PrecisionAtKDisplay.from_predictions(Y, GOOD, name="good")
    return PrecisionAtKDisplay.from_predictions(Y, POOR, name="poor", ax=first.ax_)


CASES: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "alone": (lambda: PrecisionAtKDisplay.from_predictions(Y, FAIR, n_bootstrap=20), ["precision", "recall"]),
    "noise": (lambda: PrecisionAtKDisplay.from_predictions(Y, NOISE, name="m"), ["m, precision", "m, recall"]),
    "log": (lambda: PrecisionAtKDisplay.from_predictions(Y, FAIR, log=True), ["precision", "recall"]),
    "both metrics": (both_on_one_axes, ["good, precision", "poor, precision", "good, recall", "poor, recall"]),
    "apart": (lambda: compare({"good": GOOD, "noise": NOISE}), ["good", "noise"]),
    "on each other": (lambda: compare({"one": GOOD, "two": GOOD + 1e-9}), ["one", "two"]),
    "crossing": (lambda: compare({"steady": FAIR, "crossing": CROSSING, "back": -FAIR}), ["steady", "crossing"]),
    "bands": (lambda: compare({"good": GOOD, "poor": POOR, "noise": NOISE}, log=True, n_bootstrap=20), ["poor"]),
    "recall": (lambda: compare({"good": GOOD, "noise": NOISE}, metric="recall", log=True), ["good", "noise"]),
    "long names": (lambda: compare({LONG: GOOD, f"{LONG} twice": POOR}), [LONG, f"{LONG} twice"]),
    "twelve": (lambda: compare(many(12)), [f"model {i}" for i in range(12)]),
    "eighty": (lambda: compare(many(80)), [f"model {i}" for i in range(80)]),
    "grid": (in_a_titled_grid, ["good", "poor", "noise"]),
    "gain": (lambda: gain(GOOD, name="m"), ["m", "baseline"]),
    "loss": (lambda: gain(NOISE, name="m", log=True), ["m", "baseline"]),
    "long gain": (lambda: gain(GOOD, name=LONG, baseline_name=f"{LONG} twice"), [LONG, f"{LONG} twice"]),
    "lifts": (lambda: gains(many(3), kind="lift", n_bootstrap=0), ["model 0", "model 2", "baseline"]),
    "differences": (lambda: gains(many(3), kind="difference", n_bootstrap=20), ["model 0", "model 1", "model 2"]),
    "eighty gains": (lambda: gains(many(80), kind="lift", n_bootstrap=0), [f"model {i}" for i in range(80)]),
    "assignment": (lambda: HypersimplexDisplay.from_predictions(Y, FAIR), ["active band"]),
    "long title": (lambda: HypersimplexDisplay.from_predictions(Y, FAIR, name=LONG), ["active band"]),
}


@pytest.fixture(autouse=True)
def _drawing() -> Iterator[None]:
    with drawing():
        yield


@pytest.mark.parametrize("case", CASES)
def test_names_are_whole_and_hide_neither_curves_nor_each_other(case: str) -> None:
    make, names = CASES[case]
    display = make()
    figure = display.figure_
    figure.draw_without_rendering()
    written = [" ".join(text.split(_style.SAYS)[0].split()) for text in texts(display.ax_)]
    for name in names:
        assert any(text == name or text.startswith(f"{name}:") for text in written), (name, written)
    paper = figure.bbox
    words = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text() and t.get_window_extent().width]
    panels = [panel for ax in figure.axes for panel in (ax, *ax.child_axes)]
    for legend in filter(None, (panel.get_legend() for panel in panels)):
        own = legend.get_texts()
        box = legend.get_window_extent()
        assert all(paper.contains(*corner) for text in own for corner in text.get_window_extent().corners())
        others = [word for word in words if word not in own]
        assert not [word.get_text() for word in others if shown(word) and word.get_window_extent().overlaps(box)]
        for panel in panels:
            for line in _style.curves(panel):
                assert not line.get_transform().transform_path(line.get_path()).intersects_bbox(box, filled=False)
            for band in (found for found in panel.collections if found.get_gid() == _style.CURVE):
                (path,) = band.get_paths()
                assert not band.get_transform().transform_path(path).intersects_bbox(box, filled=True)


def shown(word: Any) -> bool:
    """Whether a text is drawn: tick labels outside the limits and those of axes without frame are not."""
    axes = word.axes
    if axes is not None and not axes.axison:
        return word in (axes.title, axes._left_title)
    box = word.get_window_extent()
    return bool(np.isfinite(box.extents).all())


def test_eighty_curves_each_have_their_own_look() -> None:
    _, ax = plt.subplots()
    looks = []
    for _ in range(80):
        style = _style.curve_style(ax, None, {})
        ax.plot([0.0, 1.0], [0.0, 1.0], **style)
        looks.append((style["color"], style["linestyle"], style.get("marker")))
    assert len(set(looks)) == 80


def test_a_short_legend_stands_inside_where_it_hides_no_curve() -> None:
    display = compare({"good": GOOD, "noise": NOISE}, reference=False)
    display.figure_.draw_without_rendering()
    box, frame = display.ax_.get_legend().get_window_extent(), display.ax_.get_window_extent()
    assert all(frame.contains(*corner) for corner in box.corners())


def test_a_long_legend_lists_names_alone() -> None:
    assert texts(compare(many(12)).ax_)[:2] == ["model 0", "model 1"]
    few = compare({"good": GOOD, "noise": NOISE})
    assert texts(few.ax_)[0] == f"good: {100 * few.break_even:.1f} % at break-even"


def test_a_legend_stays_inside_where_the_figure_makes_no_room() -> None:
    figure, ax = plt.subplots()
    display = PrecisionAtKDisplay.from_predictions(Y, FAIR, name="m", ax=ax)
    figure.draw_without_rendering()
    box, frame = display.ax_.get_legend().get_window_extent(), ax.get_window_extent()
    assert all(frame.contains(*corner) for corner in box.corners())


def test_groups_of_a_history_are_told_from_their_mean() -> None:
    rounds = np.arange(20)
    history = {"iteration": rounds, "soft_threshold": np.ones((20, 3)), "active_share": np.full((20, 3), 0.5)}
    display = HypersimplexDisplay.from_predictions([1, 0], [1.0, 0.0], history=history, kind="rounds")
    assert texts(display.ax_) == ["mean of groups or classes"]
