"""What every command shares between its figures and the reader: terminal, folder, files, tables."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.errors import OptionError

INTERRUPTED = 130
PIPED_WIDTH = 120


@dataclass(frozen=True)
class Cell:
    """A table's cell; ``strong`` is printed in bold, ``brief`` stands in for the text on narrow terminals."""

    text: str
    strong: bool = False
    brief: str | None = None

    def shown(self, brief: bool) -> str:
        """Return the text, or its brief form where one is asked for and there is one."""
        return self.brief if brief and self.brief is not None else self.text


@dataclass(frozen=True)
class Table:
    """A table ready for either renderer; the first ``labels`` columns are words, the others figures."""

    title: str
    header: list[Cell]
    rows: list[list[Cell]]
    labels: int = 2


def markdown_table(table: Table) -> Iterable[str]:
    """Write the table's lines in Markdown, without its title."""
    yield "| " + " | ".join(cell.text for cell in table.header) + " |"
    yield "|" + "".join("---|" if i < table.labels else "---:|" for i in range(len(table.header)))
    for row in table.rows:
        yield "| " + " | ".join(f"**{cell.text}**" if cell.strong else cell.text for cell in row) + " |"


def made_with(shared: dict[str, Any], place: dict[str, Any]) -> list[str]:
    """Name the machine and the software, as the last section of a report."""
    return [
        "## Made with",
        "",
        f"* {shared['cpu']}, {shared['settings']['threads']} threads; {place['hardware']['memory_gib']} GiB of memory; "
        f"{place['hardware']['system']}",
        f"* {', '.join(f'{name} {version}' for name, version in shared['versions'].items())}",
        f"* commit {place['commit'] or 'unknown'}",
    ]


def print_table(table: Table, console: Console, brief: bool = False) -> None:
    """Print the table with rich; ``brief`` asks for the cells' short forms."""
    shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for i, cell in enumerate(table.header):
        shown.add_column(cell.shown(brief), justify="left" if i < table.labels else "right", no_wrap=brief)
    for row, following in zip(table.rows, [*table.rows[1:], None], strict=True):
        # A rule between groups: where the last label but one changes.
        here, there = ([cell.text for cell in r[: table.labels - 1]] if r else None for r in (row, following))
        cells = [Text(cell.shown(brief), style="bold green" if cell.strong else "") for cell in row]
        shown.add_row(*cells, end_section=here != there)
    console.print(shown)


def default_console() -> Console:
    """Open the terminal; output that goes elsewhere is laid out wide enough for the tables' brief form."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, PIPED_WIDTH))


def progress_bar(console: Console) -> Progress:
    """Open a progress bar that counts runs and guesses the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console, speed_estimate_period=600)


def check_writable(out: Path) -> None:
    """Make the folder; raises OptionError where it cannot be written."""
    probe = out / ".probe"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OptionError(f"--out: cannot write to {str(out)!r} ({error.strerror}); choose another folder") from None


def replace(path: Path, text: str) -> None:
    """Write a file whole: beside and moved over, so that an interrupt never leaves half a report."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


class Facts(Protocol):
    """A result that knows its numbers."""

    def to_json(self) -> dict[str, Any]: ...


def publish(out: Path, result: Facts, markdown: str, pictures: Iterable[str], console: Console) -> None:
    """Write results.json and table.md beside the runs and the pictures, and say what lies there now."""
    replace(out / "results.json", json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n")
    replace(out / "table.md", markdown)
    console.print(f"Wrote {out}: {', '.join(['table.md', 'results.json', 'runs.jsonl', *pictures])}.")
