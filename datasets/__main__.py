"""Command line of the data sets: ``python -m datasets list | describe | fetch | verify | convert``."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

import datasets
from datasets import _convert, _places
from datasets._store import DamagedCache
from datasets.loaders import own, published, shipped
from datasets.registry import DatasetError, DatasetInfo, registry, unknown

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Look at, fetch and convert the benchmarks' data sets."
)
Folder = Annotated[Path | None, typer.Option("--data-dir", help="Folder with data (or HSBOOST_DATA_DIR).")]
Name = Annotated[str, typer.Argument(help="A name from the list command.")]
LayoutName = Annotated[str | None, typer.Option("--layout", help="The form, where a set has several (see describe).")]


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Turn a `DatasetError` into one line and exit status 1, and an interruption into a hint and 130."""
    try:
        yield
    except DatasetError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; run the command again to go on")
        raise typer.Exit(130) from None


@app.command("list")
def list_command(data_dir: Folder = None) -> None:
    """List the data sets: where they are, rows, share of positives, licence, title."""
    with _one_line_errors():
        folder = datasets._folder(data_dir)
        own_names = [] if folder is None else [name for name in own.names(folder) if name not in registry()]
        infos = [_known(name, folder) for name in [*registry(), *own_names]]
    table = Table(box=None, pad_edge=False)
    for heading in ("name", "rows", "positives", "where", "licence", "title"):
        table.add_column(heading, no_wrap=heading in ("name", "rows", "positives", "where"))
    for info, where in infos:
        licence = re.split(r" \(|; ", info.licence)[0]
        table.add_row(
            info.name, f"{info.rows:,}", f"{info.positive_rate:.1%}", where, escape(licence), escape(info.title)
        )
    Console().print(table)


def _known(name: str, folder: Path | None) -> tuple[DatasetInfo, str]:
    """A set's facts without converting anything, and its location."""
    info = registry().get(name)
    if info is None or not info.published:
        return datasets.describe(name, folder), "shipped" if info else "own"
    layout = published.available_layout(info, folder)
    if layout is None:
        return info, "to fetch" if info.files else "to get"
    made = published.converted(info, info.layouts[layout], folder)
    if made is None:
        return info, "unconverted"
    try:
        return published.local_info(info, info.layouts[layout], made), "here"
    except DamagedCache:
        return info, "damaged"


@app.command()
def describe(name: Name, data_dir: Folder = None, layout: LayoutName = None) -> None:
    """Describe one data set: label, columns, split, what is at hand, published figures, licence. Writes nothing."""
    with _one_line_errors():
        info = datasets.describe(name, datasets._folder(data_dir), layout)
    table = Table(box=None, show_header=False, pad_edge=False)
    for field, text in _facts(info):
        table.add_row(field, escape(text))
    Console().print(table)


def _facts(info: DatasetInfo) -> list[tuple[str, str]]:
    columns = [
        column + ("*" if column in info.categorical else "+" if column in info.encoded else "")
        for column in info.columns
    ]
    marks = " (* categorical)" * bool(info.categorical) + " (+ target encoding)" * bool(info.encoded)
    layouts = [
        f"{layout.name}: {', '.join(patterns[0] for patterns in layout.names.values())}"
        for layout in info.layouts.values()
    ]
    paper = ", ".join(f"{loss.replace('_', ' ')} {value}" for loss, value in info.paper.items())
    facts = [
        ("name", info.name),
        ("title", info.title),
        ("task", info.task),
        ("rows", f"{info.rows:,}, {info.positive_rate:.2%} positive"),
        ("at hand", info.here),
        ("label", f"{info.label}: {info.label_meaning}" if info.label_meaning else info.label),
        ("columns", ", ".join(columns) + marks),
        ("groups", info.group_meaning or info.group or ""),
        ("split", info.split_meaning or info.split),
        ("left out", "\n".join(info.left_out)),
        ("notes", info.notes),
        ("layouts", "\n".join(layouts)),
        ("the paper", f"AUC: {paper}" if paper else ""),
        ("figures", "\n".join(f"AUC of {figure}" for figure in info.figures)),
        ("licence", info.licence),
        ("source", info.source),
        ("citation", info.citation),
    ]
    return [(field, text) for field, text in facts if text]


@app.command()
def fetch(
    name: Name,
    data_dir: Folder = None,
    layout: LayoutName = None,
    only: Annotated[str | None, typer.Option("--only", help="Fetch this one file.")] = None,
) -> None:
    """Download a published set's files; run it again to resume."""
    from datasets import _fetch

    with _one_line_errors():
        info = _published(name)
        choices = [file for file in info.files if layout in (None, file.layout)]
        if layout is not None and layout not in info.layouts:
            raise unknown("--layout", layout, info.layouts)
        files = [file for file in choices if (file.name == only if only else not file.asked)]
        if only and not files:
            raise unknown("--only", only, [file.name for file in choices])
        if not files:
            raise DatasetError(f"no download is known of {name}; get it from {info.source}, then convert it")
        folder = published.home(datasets._folder(data_dir, must_exist=False)) / name
        with _bar() as bar:
            for file in files:
                task = bar.add_task(file.name, total=file.size)
                found = _fetch.fetch(file, folder, _shown(bar, task))
                size = found.path.stat().st_size
                bar.update(task, completed=size, total=size)
                bar.print(f"{found.path}: {f'from {found.url}' if found.url else 'was there, whole'}", soft_wrap=True)


@app.command()
def verify(name: Name, data_dir: Folder = None) -> None:
    """Check a set's files against the registry's checksums, and its Parquet cache against its notes."""
    from datasets import _fetch

    with _one_line_errors():
        info = registry().get(name)
        if info is None:
            raise unknown("name", name, registry())
        if not info.published:
            lines = [f"ok: {shipped.verify(info).name} has the expected SHA-256"]
        else:
            folder = datasets._folder(data_dir)
            lines = list(published.verify(info, folder, _fetch.verify))
    for line in lines:
        Console().print(line, markup=False, highlight=False, soft_wrap=True)


@app.command()
def convert(
    name: Name,
    source: Annotated[Path | None, typer.Option("--from", help="The file, or the folder with the set's files.")] = None,
    data_dir: Folder = None,
    layout: LayoutName = None,
    max_malformed: Annotated[
        int, typer.Option(min=0, help="Malformed rows of each file to leave out; more are refused.")
    ] = 0,
) -> None:
    """Convert a published set to Parquet; parts that are done are kept when it is stopped and run again."""
    with _one_line_errors():
        info = _published(name)
        folder = datasets._folder(data_dir, must_exist=False)
        if folder is not None:
            os.makedirs(folder, exist_ok=True)
        with _bar() as bar:

            def watch(title: str) -> _convert.Progress:
                task = bar.add_task(title)
                return lambda done, total, rows: bar.update(task, completed=done, total=total)

            made, chosen = published.convert_from(info, folder, source, layout, max_malformed, watch)
        for part, result in made.items():
            malformed = result.notes["malformed"]
            text = f"{part}: {result.notes['rows']:,} rows in {result.path}"
            if malformed["count"]:
                text += (
                    f"; malformed rows left out: {malformed['count']} ("
                    + "; ".join(f"line {line}: {reason}" for line, reason in malformed["first"])
                    + ")"
                )
            Console().print(text, markup=False, highlight=False, soft_wrap=True)
        where = _places.cache_folder(info, chosen, folder)
        Console().print(f"layout {chosen.name}, in {where}", markup=False, highlight=False, soft_wrap=True)


def _published(name: str) -> DatasetInfo:
    names = [known for known, info in registry().items() if info.published]
    if name not in names:
        raise unknown("name", name, names)
    return registry()[name]


def _shown(bar: Progress, task: TaskID) -> Callable[[int, int | None], None]:
    return lambda done, total: bar.update(task, completed=done, total=total)


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


if __name__ == "__main__":
    app(prog_name="python -m datasets")
