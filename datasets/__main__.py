"""Command line of the data sets: ``python -m datasets list | describe NAME | verify NAME``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import datasets
from datasets.loaders import shipped
from datasets.registry import DatasetError, DatasetInfo, registry, unknown

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at the data sets of the benchmarks.")
Folder = Annotated[Path | None, typer.Option("--data-dir", help="Folder with your own data (or HSBOOST_DATA_DIR).")]
Name = Annotated[str, typer.Argument(help="A name from the list command.")]


def _fail(error: DatasetError) -> typer.Exit:
    Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


@app.command("list")
def list_command(data_dir: Folder = None) -> None:
    """List the data sets: rows, share of positives, licence, title."""
    try:
        infos = [datasets.describe(name, data_dir) for name in datasets.list_datasets(data_dir)]
    except DatasetError as error:
        raise _fail(error) from None
    table = Table("name", "rows", "positives", "columns", "licence", "title", box=None, pad_edge=False)
    for info in infos:
        share, columns = f"{info.positive_rate:.1%}", str(len(info.columns))
        table.add_row(info.name, f"{info.rows:,}", share, columns, escape(info.licence), escape(info.title))
    Console().print(table)


@app.command()
def describe(name: Name, data_dir: Folder = None) -> None:
    """Describe one data set: label, columns, split, what was left out, licence, citation."""
    try:
        info = datasets.describe(name, data_dir)
    except DatasetError as error:
        raise _fail(error) from None
    table = Table(box=None, show_header=False, pad_edge=False)
    for field, text in _facts(info):
        table.add_row(field, escape(text))
    Console().print(table)


def _facts(info: DatasetInfo) -> list[tuple[str, str]]:
    columns = [f"{column}*" if column in info.categorical else column for column in info.columns]
    facts = [
        ("name", info.name),
        ("title", info.title),
        ("task", info.task),
        ("rows", f"{info.rows:,}, {info.positive_rate:.2%} positive"),
        ("label", f"{info.label}: {info.label_meaning}" if info.label_meaning else info.label),
        ("columns", ", ".join(columns) + (" (* categorical)" if info.categorical else "")),
        ("groups", info.group_meaning or info.group or ""),
        ("split", info.split_meaning or info.split),
        ("left out", "\n".join(info.left_out)),
        ("notes", info.notes),
        ("licence", info.licence),
        ("source", info.source),
        ("citation", info.citation),
    ]
    return [(field, text) for field, text in facts if text]


@app.command()
def verify(name: Name) -> None:
    """Check a shipped file's SHA-256 against the registry."""
    try:
        if name not in registry():
            raise unknown("name", name, registry())
        path = shipped.verify(registry()[name])
    except DatasetError as error:
        raise _fail(error) from None
    Console().print(f"ok: {path.name} has the expected SHA-256", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    app(prog_name="python -m datasets")
