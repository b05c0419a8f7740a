"""Options that several commands share, and their reading: errors name option, value and what would be right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, TypeAlias

import typer

from benchmarks.errors import OptionError, unknown

#: Of commands that take every core unless told otherwise.
Threads: TypeAlias = Annotated[int | None, typer.Option(help="Threads. Default: every core available.")]
ReportOnly: TypeAlias = Annotated[bool, typer.Option("--report-only", help="Redraw from what is finished in --out.")]
Fresh: TypeAlias = Annotated[bool, typer.Option("--fresh", help="Forget what is finished in --out first.")]


def choose(option: str, what: str, text: str | None, choices: Iterable[str]) -> list[str]:
    """Read a list separated by commas (None: all choices). Raises OptionError for an unknown name."""
    choices = list(choices)
    if text is None:
        return choices
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names or [text]:
        if name not in choices:
            raise unknown(option, what, name, choices)
    return list(dict.fromkeys(names))


def sizes(option: str, text: str, least: int) -> list[int]:
    """Read row counts separated by commas, written 1000 or 1e3, into increasing order."""
    found = set()
    for word in text.split(","):
        try:
            value = float(word)
        except ValueError:
            value = float("nan")
        if not (value == value and value.is_integer() and value >= least):
            raise OptionError(
                f"{option}: {word.strip()!r} is not a whole number of rows of at least {least}; "
                "write for example 1000,1e6"
            )
        found.add(int(value))
    return sorted(found)


def at_least(option: str, value: float | None, least: float) -> None:
    """Raise OptionError for a number below ``least``; None (left out) passes."""
    if value is not None and not value >= least:
        raise OptionError(f"{option}: must be at least {least:g}, got {value:g}")
