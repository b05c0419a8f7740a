"""The report: one set of tables, written as Markdown and printed with rich."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks import targets as promised
from benchmarks.losses import promises
from benchmarks.losses.aggregate import Figures, ratio, timing
from benchmarks.losses.case_run import DRAWS, LEAF_ROWS
from benchmarks.losses.methods import LABELS, SAMPLES
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
        fit = self.figures.fit()
        return {
            **{key: self.shared[key] for key in ("settings", "versions", "openmp_wait_policy")},
            "environment_of_the_report": self.environment,
            "targets": [target.to_json() for target in promises.targets(self.figures)],
            "exact_fit": None if fit is None else fit._asdict(),
            "cases": self.figures.to_json(),
        }


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file."""
    figures = result.figures
    found = [
        promised.table(promises.targets(figures)), _exact(figures), _softmax(figures), _sampled(figures)
    ]  # fmt: skip
    return [table for table in found if table.rows]


def _exact(figures: Figures) -> Table:
    rows = []
    for record in figures.of("exact"):
        methods, classes = record["methods"], record["classes"]
        own = timing(record, "exact")
        assert own is not None
        work = methods["exact"]["nodes"] * classes
        genz = methods.get("genz")
        rows.append(
            [
                Cell(f"{classes:,}"),
                Cell(f"{methods['exact']['nodes']:.1f}"),
                _time(record, "exact"),
                _time(record, "exact_log"),
                Cell(f"{own.median / work * 1e9:.1f} ns"),
                _times(record, "exact", "softmax"),
                Cell(f"{methods['exact']['error']:.0e}"),
                _time(record, "genz"),
                _times(record, "genz", "exact"),
                NONE if genz is None else Cell(f"{genz['error']:.0e}"),
            ]
        )
    header = ["classes", "nodes Q", LABELS["exact"], LABELS["exact_log"], "per Q·C", "× softmax", "error",
              "Genz, value only", "× EXACT", "Genz's error"]  # fmt: skip
    return Table("EXACT: gradient and curvature, time per row", list(map(Cell, header)), rows, labels=1)


def _softmax(figures: Figures) -> Table:
    names = ("softmax", "sparsemax", "entmax15", "entmax")
    rows = []
    for name in names:
        cells = []
        for record in figures.of("softmax"):
            found = timing(record, name)
            text = _seconds(found.median) if found else "–"
            above = "" if name == "softmax" else f" ×{ratio(record, name, 'softmax') or 0.0:.2g}"
            cells.append(Cell(text + above))
        rows.append([Cell(LABELS[name]), *cells])
    header = [Cell("loss"), *(Cell(f"C = {record['classes']:,}") for record in figures.of("softmax"))]
    return Table("Softmax family: gradient and curvature, time per row", header, rows if len(header) > 1 else [], 1)


def _sampled(figures: Figures) -> Table:
    rows = []
    for record in figures.of("sampled"):
        rows.append(
            [Cell(f"{record['classes']:,}"), Cell("softmax, exact"), _time(record, "softmax"), NONE, NONE, NONE]
        )
        for samples in SAMPLES:
            name = f"sampled_{samples}"
            found = record["methods"][name]
            rows.append(
                [
                    Cell(f"{record['classes']:,}"),
                    Cell(LABELS[name]),
                    _time(record, name),
                    _times(record, "softmax", name),
                    Cell(f"{found['row_error']:.2f}"),
                    Cell(f"{found['leaf_error']:.2f}"),
                ]
            )
    header = ["classes", "gradient", "time per row", "times cheaper", "error of a row", f"of a leaf ({LEAF_ROWS} rows)"]
    return Table("Sampled softmax: cost, and root mean square error beside the gradient's size",
                 list(map(Cell, header)), rows)  # fmt: skip


def _time(record: Record, method: str) -> Cell:
    found = timing(record, method)
    if found is None:
        return NONE
    return Cell(f"{_seconds(found.median)} ±{50 * (found.high - found.low) / found.median:.0f} %",
                brief=_seconds(found.median))  # fmt: skip


def _times(record: Record, method: str, base: str) -> Cell:
    found = ratio(record, method, base)
    return NONE if found is None else Cell(f"{found:.3g}×")


def _seconds(seconds: float) -> str:
    for unit, size in (("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    settings = result.shared["settings"]
    return [
        f"{len(result.figures.records)} cases, threads: {settings['threads']}; medians of {settings['repeats']} "
        "samples ± half the interquartile range; methods take turns within a case, so ratios are of one moment. "
        "Float64, checks of the input included; rows are seeded by the case.",
        "EXACT: σ = 1, standard normal scores with the true class ahead by an exponential variable. Nodes Q are "
        "counted over the rows. Errors are the largest over the first rows, against a trapezoid rule of 2001 nodes.",
        "Genz's sampling is compiled too, gets its random numbers for free and computes the value alone, one thread.",
        "Softmax family and sampled softmax: class shares by Zipf's law, scores noise around their logarithms.",
        f"Sampled softmax: a tenth of the rows are exact and correct the others; errors over {DRAWS} draws. A leaf is "
        f"{LEAF_ROWS} neighbours in the order of their classes, as a tree gathers rows that are alike: in their sum "
        "noise averages out, and nothing in it is bias.",
    ]


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    lines = ["# Losses benchmark: what gradients cost", ""]
    lines += [f"* {note}" for note in notes(result)] + ["", "![time per row against classes](losses.png)", ""]
    for table in tables(result):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    lines += made_with(result.shared, result.environment)
    return "\n".join(lines) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables in their brief form, targets last, where the eye is when the command ends."""
    first, *others = tables(result)
    for table in [*others, first]:
        print_table(table, console, brief=False if table is first else console.width < 170)
    console.print("• Spreads and how to read the figures: table.md.", highlight=False)
