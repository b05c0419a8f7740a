"""The plots of a report: precision against budget, differences to log loss, learning curves, wins, paper's table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from benchmarks.quality.tabular import paper
from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.evaluate import BUDGETS, Metric
from benchmarks.quality.tabular.losses import BASELINE, EVERY_LOSS
from benchmarks.quality.tabular.notes import heading
from benchmarks.quality.tabular.plan import PAPER, QUICK, Protocol
from benchmarks.quality.tabular.published import TEMPERATURE, PublishedHypersimplex, recipe
from benchmarks.quality.tabular.statistics import Case, Statistics
from benchmarks.suite.plots import BLUE, DARK, GREEN, INK, ORANGE, PINK, RED, SKY, headline, legend_below, save, tidy

BROWN = "#8A6D00"
#: Styles of losses: marker and line style repeat the distinction by colour.
STYLES = {
    "l2": (ORANGE, "s", "--"),
    "log-loss": (DARK, "o", ":"),
    "hypersimplex": (BLUE, "D", "-"),
    "hypersimplex-published": (RED, "D", "-"),
}
SPARE_STYLES = (
    *((GREEN, "^", "-."), (PINK, "v", "-."), (RED, "P", "-."), (SKY, "X", "--")),
    *((BROWN, "<", "-"), (GREEN, ">", ":"), (PINK, "h", "-"), (RED, "p", ":")),
)
#: Styles of data sets.
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BROWN, DARK)


def style(statistics: Statistics, loss: str) -> tuple[str, str, str]:
    """Return a loss's colour, marker and line style; losses without their own get spare ones in turn."""
    others = [name for name in statistics.losses if name not in STYLES]
    return STYLES[loss] if loss in STYLES else SPARE_STYLES[others.index(loss) % len(SPARE_STYLES)]


def learning_curves(statistics: Statistics) -> Figure:
    """Draw the validation metric over rounds, of the first seed: a row per data set, a column per booster."""
    boosters = list(dict.fromkeys(case[1] for case in statistics.cases))
    size = (4.6 * len(boosters) + 0.5, 2.5 * len(statistics.datasets) + 0.9)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(statistics.datasets), len(boosters), squeeze=False)
    for row, dataset in zip(grid, statistics.datasets, strict=True):
        for axes, booster in zip(row, boosters, strict=True):
            tidy(axes)
            for loss in statistics.losses:
                runs = statistics.runs_of((dataset, booster), loss)
                colour, marker, line = style(statistics, loss)
                axes.plot([], [], color=colour, linestyle=line, label=EVERY_LOSS[loss].label)
                if runs:
                    rounds, values = np.array(runs[0]["course"]).T
                    axes.plot(rounds, values, color=colour, linestyle=line, linewidth=1.4)
                    axes.plot([runs[0]["rounds"]], [runs[0]["selection"]], marker, color=colour, markersize=4)
            axes.set_title(f"{heading(statistics, dataset).text}, {BOOSTERS[booster].label}", fontsize=9, loc="left")
            axes.set_xscale("log")
    for axes in grid[-1]:
        axes.set_xlabel("boosting rounds (mark: the round used)", fontsize=9, color=INK)
    legend_below(figure, grid[0][0], 6, 8)
    headline(figure, "Validation metric over rounds, first seed")
    return figure


def wins(statistics: Statistics) -> Figure:
    """Draw the share of cases in which one loss's mean beats another's, for every pair."""
    metric, names = statistics.metrics[0], statistics.losses
    counts = statistics.wins(metric)
    share = np.array([[np.nan if a == b else counts[a][b][0] / max(counts[a][b][1], 1) for b in names] for a in names])
    figure = Figure(figsize=(1.0 * len(names) + 2.6, 0.62 * len(names) + 2.2), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="PuOr", vmin=0.0, vmax=1.0, aspect="auto")
    labels = [EVERY_LOSS[name].label for name in names]
    axes.set_xticks(range(len(names)), labels, fontsize=8, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.tick_params(length=0)
    for i, ours in enumerate(names):
        for j, theirs in enumerate(names):
            if i != j:
                won, of = counts[ours][theirs]
                dark = abs(share[i, j] - 0.5) > 0.35
                axes.text(j, i, f"{won}/{of}", ha="center", va="center", fontsize=8, color="white" if dark else INK)
    figure.colorbar(image, ax=axes, format=PercentFormatter(1.0), shrink=0.8)
    headline(figure, f"Cases in which the row's mean test {metric.label} beats the column's", 11)
    return figure


def paper_table(statistics: Statistics) -> Figure:
    """Draw the paper's two figures and ours for each data set: hollow is published, filled is run here."""
    figure = Figure(figsize=(8.4, 0.75 * len(statistics.datasets) + 1.8), layout="constrained")
    axes = figure.subplots()
    tidy(axes, x="AUC", grid="x")
    for place, dataset in enumerate(statistics.datasets):
        shift = np.linspace(-0.27, 0.27, max(len(statistics.losses), 2))
        for i, loss in enumerate(statistics.losses):
            colour, marker, _ = style(statistics, loss)
            at = place + shift[i]
            if loss in paper.COLUMNS:
                theirs = paper.published(dataset)[paper.COLUMNS[loss]]
                label = f"paper: {'“Cross Entropy”' if loss == 'l2' else 'HyperSimplex'}" if place == 0 else None
                axes.plot([theirs], [at], marker, color=colour, markerfacecolor="none", markersize=8, label=label)
            for key, alpha, split in (("valid_auc", 1.0, "validation"), ("auc", 0.35, "test")):
                ours = statistics.estimate((dataset, "lightgbm"), loss, key)
                if ours is not None:
                    label = f"here: {EVERY_LOSS[loss].label}, {split}" if place == 0 else None
                    axes.plot([ours.mean], [at], marker, color=colour, alpha=alpha, markersize=5, label=label)
    names = [heading(statistics, dataset).text.replace(" (", "\n(") for dataset in statistics.datasets]
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set_ylim(len(names) - 0.5, -0.5)
    legend_below(figure, axes, 3, 8)
    headline(figure, "The paper's table (hollow, whole data sets) beside its recipe here (filled, the rows named)", 11)
    return figure


def band(statistics: Statistics) -> Figure:
    """Draw the published recipe's step against training rows, and the share of rows in the band over rounds."""
    figure = Figure(figsize=(11.0, 4.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    steps(left)
    tidy(right)
    for i, dataset in enumerate(statistics.datasets):
        runs = statistics.runs_of((dataset, "lightgbm"), PublishedHypersimplex.name)
        colour = COLOURS[i % len(COLOURS)]
        script = recipe(dataset)
        left.plot([paper.full_rows(dataset)], [script.step(paper.full_rows(dataset))], "o", color=colour, mfc="none")
        if runs:
            rows = runs[0]["data"]["rows"]["train"]
            left.plot([rows], [script.step(rows)], "o", color=colour)
            rounds, shares = np.array(runs[0]["active"]).T
            right.plot(rounds, shares, color=colour, label=heading(statistics, dataset).text)
    share_axes(right)
    legend_below(figure, right, 4, 8)
    left.set_title("hollow: all published rows; filled: the rows here", fontsize=9, color=INK, loc="left")
    right.set_title("share of training rows with 0 < ŷ < 1", fontsize=9, color=INK, loc="left")
    headline(figure, "HyperSimplex as published: on many rows it stays L2 boosting, on few it overshoots")
    return figure


def steps(axes: Axes) -> None:
    """Draw the recipe's step, as a learning rate of L2 boosting, against training rows, for both gradient factors."""
    tidy(axes, x="training rows", y="step: learning rate of L2 boosting")
    rows, n = np.geomspace(1e3, 2e8, 50), 4e3
    for dataset, line, text in (
        ("higgs", "-", "Higgs, KDD10: gradient as it is"),
        ("criteo", "--", f"others: gradient × {TEMPERATURE:g}"),
    ):
        script = recipe(dataset)
        axes.plot(rows, [script.step(int(n)) for n in rows], color=INK, linestyle=line, linewidth=1.2)
        axes.annotate(text, (n, script.step(int(n))), (4, 4), textcoords="offset points", fontsize=8, color=INK)
    axes.axhline(1.0, color=RED, linewidth=1.0, linestyle=":")
    axes.annotate(
        "1: one round takes the whole residual", (2e8, 1.0), (0, 3), textcoords="offset points", ha="right", fontsize=8
    )
    axes.set_xscale("log")
    axes.set_yscale("log")


def share_axes(axes: Axes) -> None:
    """Label a panel of shares over rounds."""
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1.05)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("boosting rounds", fontsize=9, color=INK)


#: Height of a case in the plot of differences, enough for each rival's interval.
CASE_HEIGHT, RIVAL_HEIGHT = 0.42, 0.14


def draw(statistics: Statistics, protocol: Protocol, out: Path) -> list[str]:
    """Write every plot into ``out`` as PNG and return the file names."""
    figures = [(f"precision_at_k_{name}.png", precision_curves(statistics, name)) for name in statistics.datasets]
    if statistics.rivals and BASELINE in statistics.losses:
        figures.append(("differences.png", differences(statistics)))
    if protocol is not QUICK:
        figures.append(("learning_curves.png", learning_curves(statistics)))
    if protocol is PAPER:
        figures += [("paper.png", paper_table(statistics)), ("band.png", band(statistics))]
    elif statistics.corrected and statistics.rivals:
        figures.append(("wins.png", wins(statistics)))
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
    curves = np.array([run["curve"] for run in runs], dtype=np.float64)  # None (too few rows) becomes NaN
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

    Every panel has its own scale, so that a small data set's wide intervals do not hide a large one's narrow ones.
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
