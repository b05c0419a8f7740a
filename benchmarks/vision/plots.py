"""The plots: test accuracy over epochs, and the report's figures over batch sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.vision.aggregate import FIGURES, Figures
from benchmarks.vision.losses import DESCRIBED
from benchmarks.vision.published import published

INK, GRID = "#222222", "#dddddd"
STYLES = {
    "ce": ("#555555", "o", ":"),
    "hypersimplex-count": ("#0072B2", "D", "-"),
    "hypersimplex-half": ("#56B4E9", "s", "-"),
    "mse": ("#E69F00", "^", "--"),
    "hinge": ("#D55E00", "v", "-."),
    "exact": ("#009E73", "P", "-."),
    "exact-log": ("#CC79A7", "X", "-."),
}
COLUMNS = 4


def draw(figures: Figures, out: Path, comparable: bool) -> list[str]:
    """Write two plots for each data set, published figures among them if ``comparable``; returns the files' names."""
    names = []
    for dataset in figures.datasets:
        pictures = {"epochs": over_epochs(figures, dataset), "batches": over_batches(figures, dataset, comparable)}
        for kind, picture in pictures.items():
            names.append(f"{dataset}_{kind}.png")
            picture.savefig(out / names[-1], dpi=150)
    return names


def _tidy(axes: Axes, title: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(which="both", colors=INK, length=0, labelsize=9)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=10, color=INK, loc="left")


def over_epochs(figures: Figures, dataset: str) -> Figure:
    """Draw mean test accuracy against epochs: a panel per batch size, a line per loss, ± 1 sd over seeds."""
    batches = figures.batches(dataset)
    columns = min(COLUMNS, len(batches))
    rows = -(-len(batches) // columns)
    figure = Figure(figsize=(3.8 * columns + 0.6, 3.2 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, batch in zip(panels, batches, strict=False):
        _tidy(axes, f"batch {batch}")
        for loss in figures.losses:
            curves = np.array([run["curves"]["test"] for run in figures.runs(dataset, batch, loss).values()])
            if curves.size:
                color, _, line = STYLES[loss]
                epochs = np.arange(1, curves.shape[1] + 1)
                mean = curves.mean(0)
                axes.plot(epochs, mean, color=color, linestyle=line, linewidth=1.5, label=DESCRIBED[loss].label)
                if len(curves) > 1:
                    spread = curves.std(0, ddof=1)
                    axes.fill_between(epochs, mean - spread, mean + spread, color=color, alpha=0.15, linewidth=0)
        axes.set_xlabel("epoch", fontsize=9, color=INK)
    for axes in panels[len(batches) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("test accuracy", fontsize=9, color=INK)
    _legend(figure, panels[0], f"{dataset}: test accuracy over epochs")
    return figure


def over_batches(figures: Figures, dataset: str, comparable: bool) -> Figure:
    """Draw each figure against the batch size, ± 1 sd over seeds; faint lines are published, if ``comparable``."""
    figure = Figure(figsize=(3.8 * len(FIGURES) + 0.6, 3.8), layout="constrained")
    panels = figure.subplots(1, len(FIGURES), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, FIGURES, strict=True):
        _tidy(axes, name)
        for loss in figures.losses:
            found = {b: list(figures.values(dataset, b, loss, name).values()) for b in figures.batches(dataset)}
            found = {batch: values for batch, values in found.items() if values}
            color, marker, line = STYLES[loss]
            axes.errorbar(
                list(found), [np.mean(values) for values in found.values()],
                [np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in found.values()],
                color=color, marker=marker, linestyle=line, markersize=4, linewidth=1.5, label=DESCRIBED[loss].label,
            )  # fmt: skip
            shown = set(figures.batches(dataset))
            printed = {batch: value for batch, value in published(dataset, loss, name).items() if batch in shown}
            if printed and comparable:
                label = f"{DESCRIBED[loss].label}, published"
                axes.plot(list(printed), list(printed.values()), color=color, alpha=0.35, linewidth=3, label=label)
        axes.set_xscale("log", base=2)
        axes.set_xticks(figures.batches(dataset), [str(batch) for batch in figures.batches(dataset)])
        axes.minorticks_off()
        axes.set_xlabel("batch size", fontsize=9, color=INK)
    panels[0].set_ylabel("test accuracy", fontsize=9, color=INK)
    _legend(figure, panels[0], f"{dataset}: test accuracy over batch sizes")
    return figure


def _legend(figure: Figure, axes: Axes, title: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=12, color=INK, x=0.01, ha="left")
