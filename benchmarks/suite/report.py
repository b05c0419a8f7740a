"""The output of every command: terminal, folder, files, and the parts of a report."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.suite import requirements
from benchmarks.suite.options import OptionError
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Table, markdown_table, print_table

INTERRUPTED = 130
PIPED_WIDTH = 120
#: Columns of a terminal wide enough for the tables' long form.
WIDE = 170


class Report(ABC):
    """A benchmark's report: the results as tables, notes, plots and plain data.

    ``shared`` are the facts that all runs have in common, ``place`` describes the machine that writes the report,
    ``records`` are the finished runs, and ``request`` holds the command's options. A subclass sets the ``title``, the
    ``facts`` of ``shared`` at the start of results.json, the ``picture`` (file, caption) if there is one, and the
    ``closing`` line on the terminal, and overrides the parts that it has.
    """

    title: str
    facts: ClassVar[tuple[str, ...]] = ("settings", "versions")
    picture: ClassVar[tuple[str, str] | None] = None
    closing: str = ""

    def __init__(self, shared: Record, place: Record, records: list[Record], request: Any = None) -> None:
        self.shared, self.place, self.records, self.request = shared, place, records, request
        self.gather()

    def gather(self) -> None:  # noqa: B027 - a report may show its records as they are
        """Compute the figures from the records."""

    def requirements(self) -> list[Requirement]:
        """The requirements, with the measured figures."""
        return []

    @abstractmethod
    def tables(self) -> list[Table]:
        """The tables in the file's order, without the requirements; tables without rows are omitted."""

    @abstractmethod
    def notes(self) -> list[str]:
        """Plain sentences on how the figures were made and how to read them."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """The figures for results.json."""

    def draw(self, out: Path) -> list[str]:
        """Write the plots and return their file names."""
        return []

    def shown(self, brief: bool) -> list[tuple[Table, bool]]:
        """The tables in the terminal's order, each with a flag for its brief form."""
        return [(table, brief) for table in self.tables()]

    def spoken(self, brief: bool) -> list[str]:
        """Notes for the terminal, after the tables; ``brief`` as for the tables."""
        return []

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        facts = {key: self.shared[key] for key in self.facts} | {"environment_of_the_report": self.place}
        if required := self.requirements():
            facts["targets"] = [one.to_json() for one in required]
        return facts | self.summary()

    def opening(self) -> list[str]:
        """The lines between title and tables."""
        lines = [f"* {note}" for note in self.notes()] + [""]
        return lines if self.picture is None else [*lines, f"![{self.picture[1]}]({self.picture[0]})", ""]

    def made_with(self) -> list[str]:
        """Name the machine and the software, as the last section."""
        return made_with(self.shared, self.place)

    def to_markdown(self) -> str:
        """Write the whole report as Markdown."""
        required = self.requirements()
        lines = [f"# {self.title}", "", *self.opening()]
        for table in [*([requirements.table(required)] if required else []), *self.tables()]:
            if not table.rows:
                continue
            lines += [f"## {table.title}", "", *markdown_table(table), ""]
        return "\n".join(lines + self.made_with()) + "\n"

    def print(self, console: Console) -> None:
        """Print the tables, requirements last, so that they are visible when the command ends."""
        narrow = console.width < WIDE
        for table, brief in self.shown(narrow):
            if table.rows:
                print_table(table, console, brief)
        for note in self.spoken(narrow):
            console.print(f"• {note}", highlight=False)
        if required := self.requirements():
            print_table(requirements.table(required), console)
        if self.closing:
            console.print(f"• {self.closing}", highlight=False)

    def publish(self, out: Path, console: Console) -> None:
        """Print the report, write its files next to the runs, and list them."""
        pictures = self.draw(out)
        self.print(console)
        replace(out / "results.json", json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n")
        replace(out / "table.md", self.to_markdown())
        console.print(f"Wrote {out}: {', '.join(['table.md', 'results.json', 'runs.jsonl', *pictures])}.")


def made_with(shared: Record, place: Record, waiting: str = "") -> list[str]:
    """Name the machine and the software."""
    return [
        "## Made with",
        "",
        f"* {shared['cpu']}, {shared['settings']['threads']} threads{waiting}; {place['hardware']['memory_gib']} GiB "
        f"of memory; {place['hardware']['system']}",
        f"* {', '.join(f'{name} {version}' for name, version in shared['versions'].items())}",
        f"* commit {place['commit'] or 'unknown'}",
    ]


def default_console() -> Console:
    """Open the terminal; redirected output is wide enough for the tables' brief form."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, PIPED_WIDTH))


def progress_bar(console: Console) -> Progress:
    """Open a progress bar that counts runs and estimates the remaining time."""
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
    """Create the folder; raises OptionError if it is not writeable."""
    probe = out / ".probe"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OptionError(f"--out: cannot write to {str(out)!r} ({error.strerror}); choose another folder") from None


def replace(path: Path, text: str) -> None:
    """Write a temporary file and rename it, so that an interrupt never leaves half a report."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
