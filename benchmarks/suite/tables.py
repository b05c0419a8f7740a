"""Tables, built once, then written as Markdown or printed with rich."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Generic, TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

Row = TypeVar("Row")


@dataclass(frozen=True)
class Cell:
    """A table's cell; ``strong`` is printed in bold, ``brief`` stands in for the text on narrow terminals."""

    text: str
    strong: bool = False
    brief: str | None = None

    def shown(self, brief: bool) -> str:
        """Return the text, or its brief form if requested and available."""
        return self.brief if brief and self.brief is not None else self.text


NONE = Cell("–")


@dataclass(frozen=True)
class Table:
    """A table ready for either renderer; the first ``labels`` columns are words, the others figures."""

    title: str
    header: list[Cell]
    rows: list[list[Cell]]
    labels: int = 2


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column's heading (``brief`` on narrow terminals) and its value for a row; None is shown as a dash."""

    heading: str
    show: Callable[[Row], Cell | str | None]
    brief: str | None = None

    def cell(self, row: Row) -> Cell:
        """Show a row."""
        found = self.show(row)
        return NONE if found is None else found if isinstance(found, Cell) else Cell(found)


def table_of(title: str, columns: list[Column[Row]], rows: Iterable[Row], labels: int = 2) -> Table:
    """Lay out a table with a line for each row."""
    header = [Cell(column.heading, brief=column.brief) for column in columns]
    return Table(title, header, [[column.cell(row) for column in columns] for row in rows], labels)


def with_range(values: list[float]) -> Cell:
    """The median with the least and the greatest in brackets."""
    import numpy as np

    middle = f"{np.median(values):.3f}"
    return Cell(f"{middle} ({min(values):.3f}–{max(values):.3f})", brief=middle)


def written(form: str, value: float | None, scale: float = 1.0) -> str | None:
    """A number times ``scale`` in the given form; None, which is shown as a dash, for None."""
    return None if value is None else form.format(value * scale)


def seconds(value: float, units: tuple[tuple[str, float], ...] = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))) -> str:
    """Three digits in the largest of the units that does not exceed the value, or in nanoseconds."""
    for unit, size in units:
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def count(n: int) -> str:
    """A count as one digit and a power of ten where that is exact, else in full."""
    digits = f"{n:.0e}".replace("e+0", "e")
    return digits if float(digits) == n else f"{n:,}"


def markdown_table(table: Table) -> Iterable[str]:
    """Write the table's lines in Markdown, without its title."""
    yield "| " + " | ".join(cell.text for cell in table.header) + " |"
    yield "|" + "".join("---|" if i < table.labels else "---:|" for i in range(len(table.header)))
    for row in table.rows:
        yield "| " + " | ".join(f"**{cell.text}**" if cell.strong else cell.text for cell in row) + " |"


def print_table(table: Table, console: Console, brief: bool = False) -> None:
    """Print the table, which has rows, with rich; ``brief`` asks for the cells' short forms.

    A brief table that is too wide for the console is printed in blocks that fit, so that no cell is cut.
    """
    for block in _blocks(table, console) if brief else [table]:
        console.print(_rich(block, brief))


def _blocks(table: Table, console: Console) -> Iterable[Table]:
    """The table, or narrower ones: one for each value of the first of three label columns, then some columns each."""
    if _width(table, console) <= console.width:
        yield table
    elif table.labels > 2:
        for value in dict.fromkeys(row[0].text for row in table.rows):
            rows = [row[1:] for row in table.rows if row[0].text == value]
            yield from _blocks(Table(f"{table.title}: {value}", table.header[1:], rows, table.labels - 1), console)
    else:
        ends, figures = [table.labels], len(table.header) - table.labels
        while ends[-1] < len(table.header):
            ends.append(_last_that_fits(table, ends[-1], console))
        even = -(-figures // (len(ends) - 1))  # no block of a lonely column, if blocks of one size fit
        evenly = [*range(table.labels, len(table.header), even), len(table.header)]
        pairs = list(pairwise(evenly))
        if any(_width(_cut(table, *pair), console) > console.width for pair in pairs):
            pairs = list(pairwise(ends))
        for i, pair in enumerate(pairs):
            yield replace(_cut(table, *pair), title="" if i else table.title)


def _last_that_fits(table: Table, begin: int, console: Console) -> int:
    """The end of the longest run of columns from ``begin`` on that fits; one column at least."""
    ends = range(len(table.header), begin, -1)
    return next((one for one in ends if _width(_cut(table, begin, one), console) <= console.width), begin + 1)


def _cut(table: Table, begin: int, end: int) -> Table:
    """The label columns, and some of the others."""
    kept = [*range(table.labels), *range(begin, end)]
    rows = [[row[i] for i in kept] for row in table.rows]
    return Table(table.title, [table.header[i] for i in kept], rows, table.labels)


def _width(table: Table, console: Console) -> int:
    """Columns that the brief table needs."""
    return Measurement.get(console, console.options.update(width=10_000), _rich(table, True)).maximum


def _rich(table: Table, brief: bool) -> RichTable:
    shown = RichTable(title=table.title or None, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for i, cell in enumerate(table.header):
        shown.add_column(cell.shown(brief), justify="left" if i < table.labels else "right", no_wrap=brief)
    for row, following in zip(table.rows, [*table.rows[1:], None], strict=True):
        # A rule between groups: where the last label but one changes.
        here, there = ([cell.text for cell in r[: table.labels - 1]] if r else None for r in (row, following))
        cells = [Text(cell.shown(brief), style="bold green" if cell.strong else "") for cell in row]
        shown.add_row(*cells, end_section=here != there)
    return shown
