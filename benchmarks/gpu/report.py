"""The report of the GPU benchmark: promises, kernels beside the memory's bandwidth, trainings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import targets as promised
from benchmarks.gpu import promises
from benchmarks.gpu.aggregate import Figures, median, ratio
from benchmarks.gpu.kernels import FLOORS, LABELS, MOVE
from benchmarks.gpu.plan import DTYPES
from benchmarks.gpu.training import LOG_LOSS, OBJECTIVES, ON_GPU, ON_HOST
from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
from benchmarks.store import Record

NONE = Cell("–")


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the shared facts, where it was drawn, the figures."""

    shared: Record
    environment: dict[str, Any]
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        return {
            **{key: self.shared[key] for key in ("settings", "versions", "gpu")},
            "environment_of_the_report": self.environment,
            "targets": [target.to_json() for target in promises.targets(self.figures)],
            **self.figures.to_json(),
        }


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file, targets first."""
    found = [promised.table(promises.targets(result.figures))]
    found += [_kernels(result.figures, dtype) for dtype in DTYPES]
    return [table for table in [*found, _trainings(result.figures)] if table.rows]


def _kernels(figures: Figures, dtype: str) -> Table:
    line = figures.line(dtype)
    rows = []
    for method, label in LABELS.items():
        cells = [_kernel(record, method) for record in line]
        if any(cell is not NONE for cell in cells):
            rows.append([Cell(label), *cells])
    if rows:
        rows.append([Cell("passes of the projection's search"), *(Cell(f"{record['passes']}") for record in line)])
    header = [Cell("method"), *(Cell(f"n = {record['n']:.0e}".replace("e+0", "e")) for record in line)]
    return Table(f"Kernels, {dtype}: milliseconds (× what moving the same bytes costs)", header, rows, labels=1)


def _kernel(record: Record, method: str) -> Cell:
    time = median(record, method)
    if time is None:
        return NONE
    times = ratio(record, method) if method in FLOORS else None
    return Cell(f"{1e3 * time:.4g}" + ("" if times is None else f" (×{times:.3g})"), method in FLOORS)


def _trainings(figures: Figures) -> Table:
    rows = []
    for n in figures.rows:
        for name, objective in OBJECTIVES.items():
            calls = figures.calls(n, name)
            rows.append(
                [
                    Cell(f"{n:,}"),
                    Cell(objective.label),
                    Cell(f"{figures.seconds(n, name).median:.3f}", name == ON_GPU),
                    _ratios(figures.ratios(n, name, LOG_LOSS)),
                    _ratios(figures.ratios(n, name, ON_HOST)),
                    NONE if calls is None else Cell(f"{1e3 * calls:.3f}"),
                    Cell(f"{np.mean([training['leaves'] for training in figures.trainings(n, name)]):.1f}"),
                ]
            )
    header = [
        Cell("rows"),
        Cell("objective"),
        Cell("seconds", brief="s"),
        Cell("× log loss"),
        Cell("× on the processor", brief="× processor"),
        Cell("ms a call"),
        Cell("leaves a tree", brief="leaves"),
    ]
    return Table("XGBoost's training on the GPU", header, rows, labels=2)


def _ratios(ratios: list[float]) -> Cell:
    middle = f"{np.median(ratios):.3f}"
    return Cell(f"{middle} ({min(ratios):.3f}–{max(ratios):.3f})", brief=middle)


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    settings, gpu = result.shared["settings"], result.shared["gpu"]
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in gpu.items() if name != "name")
    return [
        f"GPU: {gpu['name']}" + (f" ({facts})." if facts else "."),
        f"Kernels: medians of {settings['samples']} samples, methods in turn; normal scores, half of the labels "
        "positive, temperature 1, no weights. Wall time of a call that waits for the GPU, so every exchange with the "
        "host is in it. The copy is a device-to-device copy of the same array in the same run; the projection reads "
        "the scores in each pass of its search and once more to write the values. Warm: from the threshold of the "
        f"round before, whose scores differ by up to {MOVE:g}.",
        f"Trainings: {settings['rounds']} rounds on {settings['columns']} numeric columns drawn like the Higgs data, "
        "device='cuda', binned before, after an untimed warm-up. In each repeat the objectives take turns in rotating "
        "order; ratios are within a repeat: median, and in brackets the least and the greatest.",
        "The floor moves the predictions to the GPU and subtracts labels that are there: XGBoost hands every custom "
        "objective host memory, built-in ones never leave the GPU.",
    ]


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    lines = ["# GPU benchmark", ""]
    lines += [f"* {note}" for note in notes(result)] + ["", "![kernels and trainings](gpu.png)", ""]
    for table in tables(result):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    return "\n".join(lines + made_with(result.shared, result.environment)) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables, targets last, where the eye is when the command ends."""
    first, *others = tables(result)
    for table in others:
        print_table(table, console, brief=console.width < 170)
    print_table(first, console)
    console.print(f"• {notes(result)[0]} How to read the figures: table.md.", highlight=False)
