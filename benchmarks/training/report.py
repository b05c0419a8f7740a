"""The report of the training benchmark: promises, times, ratios, the objective's share, memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import targets as promised
from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
from benchmarks.store import Record
from benchmarks.training import promises
from benchmarks.training.aggregate import Trainings
from benchmarks.training.boosters import BOOSTERS
from benchmarks.training.objectives import HYPERSIMPLEX, LOG_LOSS, OBJECTIVES, TRIVIAL

NONE = Cell("–")


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the shared facts, where it was drawn, the figures."""

    shared: Record
    environment: dict[str, Any]
    trainings: Trainings

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        return {
            **{key: self.shared[key] for key in ("settings", "boosters", "versions", "openmp_wait_policy")},
            "environment_of_the_report": self.environment,
            "targets": [target.to_json() for target in promises.targets(self.trainings)],
            "rows": self.trainings.to_json(),
            "runs": self.trainings.records,
        }


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file."""
    return [_times(result.trainings), promised.table(promises.targets(result.trainings))]


def _times(trainings: Trainings) -> Table:
    rows = []
    for case in trainings.cases:
        for name, objective in OBJECTIVES.items():
            seconds, call = trainings.seconds(case, name), trainings.call_seconds(case, name)
            share, peak = trainings.share(case, name), trainings.peak_bytes(case, name)
            assert seconds is not None
            rows.append(
                [
                    Cell(BOOSTERS[case[0]].label),
                    Cell(f"{case[1]:,}"),
                    Cell(objective.label),
                    Cell(f"{seconds.median:.2f}", name == HYPERSIMPLEX),
                    _ratios(trainings.ratios(case, name, TRIVIAL)),
                    _ratios(trainings.ratios(case, name, LOG_LOSS)),
                    NONE if share is None else Cell(f"{share:.1%}"),
                    NONE if call is None else Cell(f"{1e3 * call[0]:.2f}"),
                    NONE if call is None else Cell(f"{1e3 * call[1]:.2f}"),
                    NONE if peak is None else Cell(f"{peak / 2**20:.0f}"),
                    Cell(f"{trainings.leaves(case, name):.1f}"),
                ]
            )
    header = [
        Cell("booster"),
        Cell("rows"),
        Cell("objective"),
        Cell("seconds", brief="s"),
        Cell("× custom L2"),
        Cell("× log loss"),
        Cell("inside objective", brief="inside"),
        Cell("ms a call"),
        Cell("ms, first call", brief="first"),
        Cell("peak MiB"),
        Cell("leaves a tree", brief="leaves"),
    ]
    return Table("Training", header, rows, labels=3)


def _ratios(ratios: list[float]) -> Cell:
    middle = f"{np.median(ratios):.3f}"
    return Cell(f"{middle} ({min(ratios):.3f}–{max(ratios):.3f})", brief=middle)


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    settings = result.shared["settings"]
    return [
        f"{settings['rounds']} rounds on {settings['columns']} numeric columns drawn like the Higgs data, "
        f"{settings['threads']} threads (OMP_WAIT_POLICY {result.shared['openmp_wait_policy'] or 'unset'}). Wall time "
        "of xgb.train and lgb.train alone: the data were binned before, once for all objectives, after an untimed "
        "warm-up.",
        "In each repeat the objectives take turns, in rotating order. Ratios are taken within a repeat: median, and in "
        "brackets the least and the greatest.",
        "The floor of any custom objective returns predictions - labels and ones, float32. Custom objectives pay for "
        "the hand-over of predictions and gradients, built-in ones do not.",
        "The trees' settings are one for all objectives, with no least curvature in a leaf; leaves a tree shows "
        "whether the trees came out alike. Peak MiB is the growth of resident memory during training (Linux).",
    ]


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    lines = ["# Training benchmark: what the loss costs", ""]
    lines += [f"* {note}" for note in notes(result)] + ["", "![seconds of training](training.png)", ""]
    for table in reversed(tables(result)):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    return "\n".join(lines + made_with(result.shared, result.environment)) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables, targets last, where the eye is when the command ends."""
    times, promise = tables(result)
    print_table(times, console, brief=console.width < 170)
    print_table(promise, console)
    console.print("• Ranges and how to read the figures: table.md.", highlight=False)
