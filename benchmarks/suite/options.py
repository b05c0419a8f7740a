"""From the command line to a request: options, their parsing, and one error type for mistakes of the caller."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeAlias, get_type_hints

import typer

from benchmarks.suite import environment


class OptionError(Exception):
    """Names the wrong option, its value and the remedy.

    Raised for everything that a caller can fix by changing the command; anything else is a bug and keeps its
    traceback.
    """


#: The option of commands that use every core by default.
Threads: TypeAlias = Annotated[int | None, typer.Option(help="Threads. Default: every core available.")]


@dataclass(frozen=True)
class Request:
    """The options that all commands share; a command's own options are the fields of a subclass, None if omitted.

    ``module`` has the function ``main(request)`` that carries the command out; it is imported when the command runs,
    so that the modules with requests import nothing heavy.
    """

    module: ClassVar[str]

    out: Path | None = None
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from what is finished in --out.")] = False
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what is finished in --out first.")] = False

    @property
    def folder(self) -> Path:
        """The folder of the report and the finished runs."""
        assert self.out is not None
        return self.out


def command(name: str, request: type[Request]) -> Callable[..., None]:
    """Create the command ``name``: the request's fields are its options, the request's docstring is its help.

    An OptionError becomes one line and exit code 2.
    """

    def run(**given: Any) -> None:
        try:
            code = importlib.import_module(request.module).main(request(**given))
        except OptionError as error:
            typer.echo(f"error: {error}", err=True)
            code = 2
        raise typer.Exit(code)

    hints = get_type_hints(request, include_extras=True)
    defaults = {field.name: field.default for field in fields(request)}
    # A request's own options first, in its order.
    names = dict.fromkeys([*request.__annotations__, *defaults])
    keyword = inspect.Parameter.KEYWORD_ONLY
    options = [inspect.Parameter(n, keyword, default=defaults[n], annotation=hints[n]) for n in names if n in defaults]
    run.__name__, run.__doc__ = name, request.__doc__
    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def unknown(option: str, what: str, value: str, choices: Iterable[str]) -> OptionError:
    """Build the error for a value outside a closed list of choices."""
    return OptionError(f"{option}: unknown {what} {value!r}; choose from: {', '.join(choices)}")


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


def at_least(least: float, **values: float | None) -> None:
    """Raise OptionError for an option below ``least``; None (omitted) passes."""
    for name, value in values.items():
        if value is not None and not value >= least:
            raise OptionError(f"--{name.replace('_', '-')}: must be at least {least:g}, got {value:g}")


def above_zero(**values: float) -> None:
    """Raise OptionError for an option that is not a positive number."""
    for name, value in values.items():
        if not value > 0.0:
            raise OptionError(f"--{name.replace('_', '-')}: must be positive, got {value:g}")


def threads(asked: int | None) -> int:
    """Read --threads: at most the available cores, which are the default."""
    at_least(1, threads=asked)
    cores = environment.available_cores()
    if asked is not None and asked > cores:
        raise OptionError(f"--threads: only {cores} cores are available, got {asked}")
    return asked or cores
