"""The report of the image benchmark: accuracies, paired tests, the trend over batches, and plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.quality.vision.figures import FIGURES, OURS, RIVALS, Figures, Paired
from benchmarks.quality.vision.losses import DESCRIBED
from benchmarks.quality.vision.published import SOURCE, differences, published
from benchmarks.suite import plots
from benchmarks.suite.report import Report
from benchmarks.suite.tables import NONE, Cell, Table

STYLES = {
    "ce": (plots.DARK, "o", ":"),
    "hypersimplex-count": (plots.BLUE, "D", "-"),
    "hypersimplex-half": (plots.SKY, "s", "-"),
    "mse": (plots.ORANGE, "^", "--"),
    "hinge": (plots.RED, "v", "-."),
    "exact": (plots.GREEN, "P", "-."),
    "exact-log": (plots.PINK, "X", "-."),
}
#: Panels side by side.
COLUMNS = 4


class VisionReport(Report):
    """Test accuracy by loss and batch size."""

    title = "Vision benchmark: losses and batch sizes"
    facts = ("settings", "versions", "device")
    closing = "Deviations, p-values and how to read the figures: table.md."

    def gather(self) -> None:
        self.figures = Figures(self.records)
        self.data = {record["dataset"]: record["data"] for record in self.figures.records}

    def tables(self) -> list[Table]:
        """Accuracies and paired tests by data set and figure, the trend, times."""
        figures = self.figures
        each = [(dataset, figure) for dataset in figures.datasets for figure in FIGURES]
        found = [_accuracy(figures, *one) for one in each] + [_tests(figures, *one) for one in each]
        return [*found, _trends(figures), _seconds(figures)]

    def summary(self) -> dict[str, Any]:
        figures = self.figures
        trends = [
            {"dataset": dataset, "loss": loss, "figure": figure} | found._asdict()
            for dataset in figures.datasets
            for loss in figures.losses
            if loss != "ce"
            for figure in FIGURES
            if (found := figures.trend(dataset, loss, figure))
        ]
        return {"data": self.data, "cells": figures.to_json(), "gap_to_cross_entropy_by_batch": trends}

    def opening(self) -> list[str]:
        names = [f"{dataset}_{kind}.png" for dataset in self.figures.datasets for kind in ("epochs", "batches")]
        pictures = [(f"![{name.removesuffix('.png').replace('_', ' ')}]({name})", "") for name in names]
        return [*super().opening(), *(line for pair in pictures for line in pair)]

    def notes(self) -> list[str]:
        settings, figures = self.shared["settings"], self.figures
        seeds = len({record["seed"] for record in figures.records})
        lines = [
            f"{len(figures.records)} runs of {settings['epochs']} epochs, {seeds} seed{'s' if seeds > 1 else ''}, on "
            f"{self.shared['device']} ({settings['device']}, {settings['precision']}).",
            f"Four 3 × 3 convolutions of {settings['hidden']} channels with batch norm, two poolings, two dense "
            f"layers; Adam {settings['learning_rate']:g}; temperature {settings['temperature']:g} for HyperSimplex. "
            + ("Random crops with mirrored edges, and flips." if settings["augment"] else "No augmentation."),
        ]
        for dataset, data in self.data.items():
            rows = data["rows"]
            note = f" ({data['note']})" if data["note"] else ""
            lines.append(
                f"{dataset}: {data['copy']}{note}; {rows['train']:,} rows of training, {rows['valid']:,} of validation "
                f"(taken from the training rows by seed), {rows['test']:,} of test."
            )
        lines += [f"{DESCRIBED[loss].label}: {DESCRIBED[loss].meaning}." for loss in figures.losses]
        lines.append(f"Rows marked “published” are not ours: {SOURCE}; “final” read off the authors' stored curves.")
        if others := differences(settings):
            lines.append(
                f"Other than the published runs: {', '.join(others)}. Compare the losses here, not the accuracies."
            )
        lines.append(
            "± is the standard deviation over seeds; bold differences have p < 0.05 in the paired t-test. With 5 seeds "
            "Wilcoxon's test cannot give less than 0.0625. No correction for the number of tests."
        )
        return lines

    def draw(self, out: Path) -> list[str]:
        """Two plots for each data set, with the published figures if the settings are the published ones."""
        comparable, names = not differences(self.shared["settings"]), []
        for dataset in self.figures.datasets:
            names += plots.save(over_epochs(self.figures, dataset), out, f"{dataset}_epochs.png")
            names += plots.save(over_batches(self.figures, dataset, comparable), out, f"{dataset}_batches.png")
        return names


def _accuracy(figures: Figures, dataset: str, figure: str) -> Table:
    batches = figures.batches(dataset)
    rows = []
    for loss in figures.losses:
        cells = [_mean(list(figures.values(dataset, batch, loss, figure).values())) for batch in batches]
        if any(cell is not NONE for cell in cells):
            rows.append([Cell(DESCRIBED[loss].label), Cell("ours"), *cells])
    for loss in ("ce", "hypersimplex-half") if rows else ():
        printed = published(dataset, loss, figure)
        if printed:
            cells = [Cell(f"{printed[batch]:.4f}") if batch in printed else NONE for batch in batches]
            rows.append([Cell(DESCRIBED[loss].label), Cell("published"), *cells])
    return Table(f"{dataset}: {FIGURES[figure]}", _header("from", batches), rows)


def _header(second: str, batches: list[int]) -> list[Cell]:
    return [Cell("loss"), Cell(second), *(Cell(f"batch {batch}") for batch in batches)]


def _mean(values: list[float]) -> Cell:
    if not values:
        return NONE
    mean = float(np.mean(values))
    if len(values) == 1:
        return Cell(f"{mean:.4f}")
    return Cell(f"{mean:.4f} ±{np.std(values, ddof=1):.4f}", brief=f"{mean:.4f}")


def _tests(figures: Figures, dataset: str, figure: str) -> Table:
    batches, rows = figures.batches(dataset), []
    for loss in OURS:
        for rival in RIVALS:
            found = [figures.paired(dataset, batch, loss, rival, figure) for batch in batches]
            if any(found):
                rows.append([Cell(DESCRIBED[loss].label), Cell(DESCRIBED[rival].label), *map(_paired, found)])
    title = f"{dataset}, {figure}: differences paired by seed (p of t-test / of Wilcoxon's test)"
    return Table(title, _header("minus", batches), rows)


def _paired(found: Paired | None) -> Cell:
    if found is None:
        return NONE
    mean = f"{found.mean:+.4f}"
    if found.t_test is None or found.wilcoxon is None:
        return Cell(mean)
    return Cell(f"{mean} ({found.t_test:.2g} / {found.wilcoxon:.2g})", found.t_test < 0.05, brief=mean)


def _trends(figures: Figures) -> Table:
    rows = []
    for dataset in figures.datasets:
        for loss in figures.losses:
            for figure in FIGURES if loss != "ce" else ():
                found = figures.trend(dataset, loss, figure)
                if found is None:
                    continue
                interval = NONE if found.low is None else Cell(f"{found.low:+.4f} … {found.high:+.4f}")
                name = [Cell(dataset), Cell(DESCRIBED[loss].label), Cell(figure)]
                rows.append([*name, Cell(f"{found.slope:+.4f}"), interval, Cell(found.verdict)])
    header = ["data set", "loss", "figure", "per doubling", "95 % interval", "the difference"]
    title = "Loss minus cross entropy against the batch size (published: it moves for HyperSimplex)"
    return Table(title, list(map(Cell, header)), rows, labels=3)


def _seconds(figures: Figures) -> Table:
    cells = figures.to_json()
    rows = []
    for dataset in figures.datasets:
        for loss in figures.losses:
            here = [cell for cell in cells if (cell["dataset"], cell["loss"]) == (dataset, loss)]
            text = ", ".join(f"{cell['batch']}: {cell['seconds_per_epoch']:.3g} s" for cell in here)
            rows.append([Cell(dataset), Cell(DESCRIBED[loss].label), Cell(text)])
    header = [Cell("data set"), Cell("loss"), Cell("median by batch size")]
    return Table("Seconds per epoch of training, augmentation included", header, rows)


def over_epochs(figures: Figures, dataset: str) -> Figure:
    """Draw mean test accuracy against epochs: a panel per batch size, a line per loss, ± 1 sd over seeds."""
    batches = figures.batches(dataset)
    columns = min(COLUMNS, len(batches))
    rows = -(-len(batches) // columns)
    figure = Figure(figsize=(3.8 * columns + 0.6, 3.2 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, batch in zip(panels, batches, strict=False):
        plots.tidy(axes, f"batch {batch}", "epoch")
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
    for axes in panels[len(batches) :]:
        axes.set_visible(False)
    return _finished(figure, panels[0], f"{dataset}: test accuracy over epochs")


def over_batches(figures: Figures, dataset: str, comparable: bool) -> Figure:
    """Draw each figure against the batch size, ± 1 sd over seeds; faint lines are published, if ``comparable``."""
    batches = figures.batches(dataset)
    figure = Figure(figsize=(3.8 * len(FIGURES) + 0.6, 3.8), layout="constrained")
    panels = figure.subplots(1, len(FIGURES), sharey=True, squeeze=False)[0]
    for axes, name in zip(panels, FIGURES, strict=True):
        plots.tidy(axes, name, "batch size")
        for loss in figures.losses:
            found = {batch: list(figures.values(dataset, batch, loss, name).values()) for batch in batches}
            found = {batch: values for batch, values in found.items() if values}
            color, marker, line = STYLES[loss]
            axes.errorbar(
                list(found), [np.mean(values) for values in found.values()],
                [np.std(values, ddof=1) if len(values) > 1 else 0.0 for values in found.values()],
                color=color, marker=marker, linestyle=line, markersize=4, linewidth=1.5, label=DESCRIBED[loss].label,
            )  # fmt: skip
            printed = {batch: value for batch, value in published(dataset, loss, name).items() if batch in batches}
            if printed and comparable:
                label = f"{DESCRIBED[loss].label}, published"
                axes.plot(list(printed), list(printed.values()), color=color, alpha=0.35, linewidth=3, label=label)
        axes.set_xscale("log", base=2)
        axes.set_xticks(batches, [str(batch) for batch in batches])
        axes.minorticks_off()
    return _finished(figure, panels[0], f"{dataset}: test accuracy over batch sizes")


def _finished(figure: Figure, axes: Any, title: str) -> Figure:
    axes.set_ylabel("test accuracy", fontsize=9, color=plots.INK)
    plots.legend_below(figure, axes, 4)
    plots.headline(figure, title)
    return figure
