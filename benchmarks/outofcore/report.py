"""The report on training out of core: the promise, memory by way and width, what the objective itself needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks import targets as promised
from benchmarks.outofcore.batches import NARROW, WIDE
from benchmarks.outofcore.plan import KEYS, MOST_ROWS
from benchmarks.outofcore.work import EXTERNAL, HYPERSIMPLEX
from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
from benchmarks.store import Record
from benchmarks.targets import Target

BOUND = 0.5
NONE = Cell("–")
LABELS = {HYPERSIMPLEX: "HyperSimplex", "log_loss": "log loss, built in"}


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the shared facts, where it was drawn, the cases."""

    shared: Record
    environment: dict[str, Any]
    records: list[Record]

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        return {
            **{key: self.shared[key] for key in ("settings", "params", "versions")},
            "environment_of_the_report": self.environment,
            "targets": [target.to_json() for target in targets(self)],
            "runs": self.records,
        }


def targets(result: Result) -> list[Target]:
    """List the promise."""
    claim = f"3e6 flights x {WIDE} columns, out of core: peak memory against the features as float32"
    wanted = (EXTERNAL, HYPERSIMPLEX, WIDE, MOST_ROWS)
    for r in result.records:
        if (r["way"], r["objective"], r["columns"], r["rows"]) == wanted and r["peak_bytes"] is not None:
            note = f"{r['peak_bytes'] / 2**20:.0f} MiB of {r['raw_bytes'] / 2**20:.0f}; {r['matrix']}"
            return [Target(claim, r["peak_bytes"] / r["raw_bytes"], BOUND, note=note)]
    return [Target(claim, None, BOUND, note="needs 3e6 rows, and Linux to measure memory")]


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file."""
    order = {key: place for place, key in enumerate(KEYS)}
    rows = []
    for r in sorted(result.records, key=lambda r: order[r["way"], r["objective"], r["columns"]]):
        peak = r["peak_bytes"]
        rows.append(
            [
                Cell(str(r["columns"])),
                Cell(r["way"]),
                Cell(LABELS[r["objective"]], r["objective"] == HYPERSIMPLEX),
                Cell(f"{r['raw_bytes'] / 2**20:.0f}"),
                NONE if peak is None else Cell(f"{peak / 2**20:.0f}"),
                NONE if peak is None else Cell(f"{peak / r['raw_bytes']:.2f}"),
                NONE if peak is None else Cell(f"{peak / r['rows']:.0f}"),
                Cell(f"{r['disk_bytes'] / 2**20:.0f}"),
                Cell(f"{r['seconds_binning']:.1f}"),
                Cell(f"{r['seconds_per_round']:.3f}"),
            ]
        )
    names = "columns, way, objective, raw MiB, peak MiB, of raw, peak B a row, disk MiB, binning s, s a round"
    header = [Cell(name) for name in names.split(", ")]
    own = next((r["objective_bytes_per_row"] for r in result.records if r.get("objective_bytes_per_row")), None)
    found = [Table("Memory", header, rows, labels=3)]
    if own is not None:
        cells = [[Cell(name.replace("_", " ")), Cell(f"{value:.1f}")] for name, value in own.items()]
        found.append(Table("What the objective allocates", [Cell("when"), Cell("bytes a row")], cells, labels=1))
    return [*found, promised.table(targets(result))]


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    settings = result.shared["settings"]
    return [
        f"{settings['rows']:,} flights of 2001 (flights3m) from Parquet, a row group at a time, through the loaders' "
        f"iterator; {settings['rounds']} rounds, {settings['threads']} threads, each case in a process of its own.",
        f"{NARROW} columns are the flights as they are, airports as codes; {WIDE} are those with the product and the "
        "difference of every two, made slice by slice as XGBoost asks for them and never there as a whole.",
        "raw is the size of the features as float32. peak is the growth of resident memory from before the files are "
        "opened to the end of training, pages of XGBoost's file that the system keeps in memory included. disk is "
        "that file.",
        "Labels, scores, gradients and the place of each row in the tree grow with the rows and not with the columns: "
        "out of core they are what stays in memory, for every loss. Narrow rows therefore gain little.",
    ]


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    lines = ["# Training out of core", ""]
    lines += [f"* {note}" for note in notes(result)] + [""]
    for table in reversed(tables(result)):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    return "\n".join(lines + made_with(result.shared, result.environment)) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables, the promise last, where the eye is when the command ends."""
    for table in tables(result):
        print_table(table, console)
