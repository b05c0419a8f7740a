"""Reports can be read on narrow terminals: no cell is cut, a table that is too wide comes in blocks."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.quality.requests import TabularRequest
from benchmarks.quality.tabular.report import TabularReport
from benchmarks.suite.tables import Cell, Table, print_table

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "tabular" / "results.json"


def printed(width: int, show: Any) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    show(console)
    return console.export_text()


@pytest.fixture(scope="module")
def report() -> TabularReport:
    """The published results of README's first command."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    return TabularReport(found, found["environment_of_the_report"], found["runs"], TabularRequest())


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_main_jobs_report_shows_every_figure(report: TabularReport, width: int) -> None:
    text = printed(width, report.print)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    seen = {cell for line in text.splitlines() for cell in re.split(r"\s{2,}", line.strip())}
    for table in report.tables():
        assert {cell.shown(brief=True) for row in table.rows for cell in row[table.labels :]} <= seen


@pytest.mark.parametrize("dataset", ["adult", "bank_marketing", "nycflights13"])
def test_differences_have_one_block_per_data_set(report: TabularReport, dataset: str) -> None:
    text = " ".join(printed(80, report.print).split())
    assert f"Differences to log loss, paired by seed, with 95 % intervals: {dataset} booster loss AUC" in text


def shown(table: Table, width: int) -> list[list[str]]:
    """The printed lines as cells: titles, headers, rows."""
    text = printed(width, lambda console: print_table(table, console, brief=True))
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    found = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]
    return [line for line in found if line != [""] and not line[0].startswith("─")]


def table(columns: int, labels: int) -> Table:
    header = [*(Cell(f"label {i}") for i in range(labels)), *(Cell(f"c{i:02}") for i in range(columns))]
    rows = [
        [*(Cell(f"{word}{i}") for i in range(labels)), *(Cell("long", brief=f"{word}{i:04}") for i in range(columns))]
        for word in ("x", "y")
    ]
    return Table("Figures", header, rows, labels)


def test_a_table_that_fits_is_one_block() -> None:
    assert shown(table(2, 2), 40) == [
        ["Figures"],
        ["label 0", "label 1", "c00", "c01"],
        ["x0", "x1", "x0000", "x0001"],
        ["y0", "y1", "y0000", "y0001"],
    ]


def test_a_wide_table_repeats_its_labels_in_blocks_of_one_size() -> None:
    assert shown(table(4, 1), 35) == [
        ["Figures"],
        ["label 0", "c00", "c01"],
        ["x0", "x0000", "x0001"],
        ["y0", "y0000", "y0001"],
        ["label 0", "c02", "c03"],
        ["x0", "x0002", "x0003"],
        ["y0", "y0002", "y0003"],
    ]


def test_three_labels_make_a_block_of_each_value_first() -> None:
    assert shown(table(1, 3), 32) == [
        ["Figures: x0"],
        ["label 1", "label 2", "c00"],
        ["x1", "x2", "x0000"],
        ["Figures: y0"],
        ["label 1", "label 2", "c00"],
        ["y1", "y2", "y0000"],
    ]
