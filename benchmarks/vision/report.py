"""The report: one set of tables, written as Markdown and printed with rich."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
from benchmarks.store import Record
from benchmarks.vision.aggregate import FIGURES, OURS, RIVALS, Figures, Paired
from benchmarks.vision.losses import DESCRIBED
from benchmarks.vision.published import SOURCE, differences, published

NONE = Cell("–")


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the shared facts, where it was drawn, the figures."""

    shared: Record
    environment: dict[str, Any]
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        figures = self.figures
        trends = [
            {"dataset": dataset, "loss": loss, "figure": figure} | found._asdict()
            for dataset in figures.datasets
            for loss in figures.losses
            if loss != "ce"
            for figure in FIGURES
            if (found := figures.trend(dataset, loss, figure))
        ]
        data = {record["dataset"]: record["data"] for record in figures.records}
        return {
            **{key: self.shared[key] for key in ("settings", "versions", "device")},
            "environment_of_the_report": self.environment,
            "data": data,
            "cells": figures.to_json(),
            "gap_to_cross_entropy_by_batch": trends,
        }


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file."""
    figures = result.figures
    found = [
        _accuracy(figures, dataset, figure) for dataset in figures.datasets for figure in FIGURES
    ]  # fmt: skip
    found += [_tests(figures, dataset, figure) for dataset in figures.datasets for figure in FIGURES]
    found += [_trends(figures), _seconds(figures)]
    return [table for table in found if table.rows]


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
    header = [Cell("loss"), Cell("from"), *(Cell(f"batch {batch}") for batch in batches)]
    return Table(f"{dataset}: {FIGURES[figure]}", header, rows)


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
    header = [Cell("loss"), Cell("minus"), *(Cell(f"batch {batch}") for batch in batches)]
    return Table(f"{dataset}, {figure}: differences paired by seed (p of t-test / of Wilcoxon's test)", header, rows)


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
                slope = Cell(f"{found.slope:+.4f}")
                rows.append(
                    [Cell(dataset), Cell(DESCRIBED[loss].label), Cell(figure), slope, interval, Cell(found.verdict)]
                )
    header = ["data set", "loss", "figure", "per doubling", "95 % interval", "the difference"]
    return Table("Loss minus cross entropy against the batch size (published: it moves for HyperSimplex)",
                 list(map(Cell, header)), rows, labels=3)  # fmt: skip


def _seconds(figures: Figures) -> Table:
    cells = figures.to_json()
    rows = []
    for dataset in figures.datasets:
        batches = figures.batches(dataset)
        for loss in figures.losses:
            found = {c["batch"]: c["seconds_per_epoch"] for c in cells if (c["dataset"], c["loss"]) == (dataset, loss)}
            texts = [f"{batch}: {found[batch]:.3g} s" for batch in batches if batch in found]
            rows.append([Cell(dataset), Cell(DESCRIBED[loss].label), Cell(", ".join(texts))])
    header = [Cell("data set"), Cell("loss"), Cell("median by batch size")]
    return Table("Seconds per epoch of training, augmentation included", header, rows)


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    settings, figures = result.shared["settings"], result.figures
    seeds = len({record["seed"] for record in figures.records})
    lines = [
        f"{len(figures.records)} runs of {settings['epochs']} epochs, {seeds} seed{'s' if seeds > 1 else ''}, on "
        f"{result.shared['device']} ({settings['device']}, {settings['precision']}).",
        f"Four 3 × 3 convolutions of {settings['hidden']} channels with batch norm, two poolings, two dense layers; "
        f"Adam {settings['learning_rate']:g}; temperature {settings['temperature']:g} for HyperSimplex. "
        + ("Random crops with mirrored edges, and flips." if settings["augment"] else "No augmentation."),
    ]
    for dataset, data in {record["dataset"]: record["data"] for record in figures.records}.items():
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


def to_markdown(result: Result, plots: list[str]) -> str:
    """Write the whole report as Markdown."""
    lines = ["# Vision benchmark: losses and batch sizes", ""]
    lines += [f"* {note}" for note in notes(result)] + [""]
    lines += [line for name in plots for line in (f"![{name.removesuffix('.png').replace('_', ' ')}]({name})", "")]
    for table in tables(result):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    lines += made_with(result.shared, result.environment)
    return "\n".join(lines) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables in their brief form."""
    for table in tables(result):
        print_table(table, console, brief=console.width < 170)
    console.print("• Deviations, p-values and how to read the figures: table.md.", highlight=False)
