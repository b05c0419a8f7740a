"""The one exception that the command line turns into a single line and exit code 2, and where it does so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NoReturn

import typer


class OptionError(Exception):
    """Say which option is wrong, what it was given and what would be right.

    Raised for everything that a caller can mend by changing the command; anything else is a bug and keeps its
    traceback.
    """


def unknown(option: str, what: str, value: str, choices: Iterable[str]) -> OptionError:
    """Build the error for a value outside a closed list of choices."""
    return OptionError(f"{option}: unknown {what} {value!r}; choose from: {', '.join(choices)}")


def carry_out(command: Callable[[], int]) -> NoReturn:
    """Run a command and leave with its exit code; an OptionError becomes one line and exit code 2."""
    try:
        code = command()
    except OptionError as error:
        typer.echo(f"error: {error}", err=True)
        code = 2
    raise typer.Exit(code)
