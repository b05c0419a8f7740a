"""The pictures of a report: precision against budget, differences to log loss, and those of the protocols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from benchmarks.quality.tabular import courses
from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.courses import style
from benchmarks.quality.tabular.evaluate import BUDGETS, Metric
from benchmarks.quality.tabular.losses import BASELINE, EVERY_LOSS
from benchmarks.quality.tabular.notes import heading
from benchmarks.quality.tabular.protocols import PAPER, QUICK, Protocol
from benchmarks.quality.tabular.statistics import Case, Statistics
from benchmarks.suite.plots import INK, headline, legend_below, save, tidy

#: Height of a case in the plot of differences: room for each rival's interval.
CASE_HEIGHT, RIVAL_HEIGHT = 0.42, 0.14


def draw(statistics: Statistics, protocol: Protocol, out: Path) -> list[str]:
    """Write every plot into ``out`` as PNG and return the files' names."""
    figures = [(f"precision_at_k_{name}.png", precision_curves(statistics, name)) for name in statistics.datasets]
    if statistics.rivals and BASELINE in statistics.losses:
        figures.append(("differences.png", differences(statistics)))
    if protocol is not QUICK:
        figures.append(("learning_curves.png", courses.learning_curves(statistics)))
    if protocol is PAPER:
        figures += [("paper.png", courses.paper_table(statistics)), ("band.png", courses.band(statistics))]
    elif statistics.corrected and statistics.rivals:
        figures.append(("wins.png", courses.wins(statistics)))
    return [written for name, figure in figures for written in save(figure, out, name)]


def precision_curves(statistics: Statistics, dataset: str) -> Figure:
    """Draw one data set's precision@k against k: a panel per booster, a line per loss, ± 1 sd over seeds."""
    cases = [case for case in statistics.cases if case[0] == dataset]
    figure = Figure(figsize=(5.4 * len(cases), 4.2), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(cases), sharey=True, squeeze=False)[0])
    percent = FuncFormatter(lambda share, _: f"{100 * share:g} %")
    for axes, case in zip(panels, cases, strict=True):
        tidy(axes, BOOSTERS[case[1]].label, "budget: share of test rows taken, highest scores first")
        _mark_prevalence(axes, statistics.data(dataset)["prevalence"])
        for loss in statistics.losses:
            _curve(axes, statistics, case, loss)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(percent)
        axes.yaxis.set_major_formatter(percent)
    panels[0].set_ylabel("precision on test", fontsize=9, color=INK)
    panels[-1].legend(frameon=False, fontsize=9, loc="lower left")
    headline(figure, f"{heading(statistics, dataset).text}: precision at every budget")
    return figure


def _mark_prevalence(axes: Axes, prevalence: float) -> None:
    axes.axvline(prevalence, color=INK, linewidth=0.8, linestyle=(0, (2, 3)))
    axes.annotate(
        "prevalence", (prevalence, 1.0), (-4, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
        rotation=90, ha="right", va="top", fontsize=8, color=INK,
    )  # fmt: skip


def _curve(axes: Axes, statistics: Statistics, case: Case, loss: str) -> None:
    runs = statistics.runs_of(case, loss)
    if not runs:
        return
    curves = np.array([run["curve"] for run in runs], dtype=np.float64)  # None becomes NaN: too few rows to show
    shown = np.isfinite(curves).all(axis=0)
    budgets, curves = np.asarray(BUDGETS)[shown], curves[:, shown]
    color, _, line = style(statistics, loss)
    mean = curves.mean(axis=0)
    axes.plot(budgets, mean, color=color, linestyle=line, linewidth=1.8, label=EVERY_LOSS[loss].label)
    if len(runs) > 1:
        spread = curves.std(axis=0, ddof=1)
        low, high = np.clip([mean - spread, mean + spread], 0.0, 1.0)
        axes.fill_between(budgets, low, high, color=color, alpha=0.15, linewidth=0)


def differences(statistics: Statistics) -> Figure:
    """Draw paired differences to log loss with 95 % intervals: a row per data set, a column per metric.

    Every panel has its own scale: a small data set's wide intervals must not hide a large one's narrow ones.
    """
    names = statistics.datasets
    cases = {name: [case for case in statistics.cases if case[0] == name] for name in names}
    each = max(CASE_HEIGHT, RIVAL_HEIGHT * len(statistics.rivals))
    heights = [0.5 + each * len(cases[name]) for name in names]
    metrics = statistics.metrics
    size = (2.1 * len(metrics) + 1.5, 1.1 + sum(heights) + 0.25 * len(names))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(names), len(metrics), squeeze=False, height_ratios=heights)
    for row, name in zip(grid, names, strict=True):
        for axes, metric in zip(row, metrics, strict=True):
            _difference_panel(axes, statistics, cases[name], metric)
            axes.tick_params(labelleft=axes is row[0])
        row[0].set_ylabel(heading(statistics, name).text.replace(" (", "\n("), fontsize=10, color=INK)
    for axes, metric in zip(grid[0], metrics, strict=True):
        reverse = "" if metric.higher_is_better else " (axis reversed)"
        axes.set_title(metric.label + reverse, fontsize=10, color=INK, loc="left")
    legend_below(figure, grid[0][0], 6)
    noise = "within noise after Holm" if statistics.corrected else "within noise"
    headline(figure, f"Difference to log loss, paired by seed, 95 % interval (right: better; faint: {noise})")
    return figure


def _difference_panel(axes: Axes, statistics: Statistics, cases: list[Case], metric: Metric) -> None:
    tidy(axes, grid="x")
    axes.axvline(0.0, color=INK, linewidth=1.0)
    rivals = statistics.rivals
    for i, loss in enumerate(rivals):
        color, marker, _ = style(statistics, loss)
        shift = (0.6 if len(rivals) < 4 else 0.85) * ((i + 0.5) / len(rivals) - 0.5)
        axes.plot([], [], marker, color=color, markersize=5, label=EVERY_LOSS[loss].label)
        for place, case in enumerate(cases):
            gap = statistics.difference(case, loss, metric)
            if gap is None:
                continue
            low, high = (gap.mean if end is None else end for end in (gap.low, gap.high))
            alpha = 1.0 if gap.verdict in ("better", "worse") else 0.4
            axes.plot([low, high], [place + shift] * 2, color=color, linewidth=1.6, alpha=alpha)
            axes.plot([gap.mean], [place + shift], marker, color=color, markersize=5, alpha=alpha)
    axes.set_yticks(range(len(cases)), [BOOSTERS[booster].label for _, booster in cases])
    axes.set_ylim(len(cases) - 0.5, -0.5)
    if not metric.higher_is_better:
        axes.invert_xaxis()
    axes.locator_params(axis="x", nbins=3)
