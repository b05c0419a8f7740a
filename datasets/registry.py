"""Which data sets there are, and what is known of each: `DatasetInfo`, read from registry.toml."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

HERE = Path(__file__).resolve().parent

SplitPolicy = Literal["groups", "stratified", "given"]


class DatasetError(ValueError):
    """A data set cannot be loaded as asked; the message names the argument or file, and the remedy."""


@dataclass(frozen=True)
class DatasetInfo:
    """Answer what a data set is, where it comes from and how it is split.

    Fields: ``rows`` is the whole table's row count and ``positive_rate`` its share of ones, in [0, 1].
    ``columns`` are the features, in order; ``categorical`` those with levels in place of numbers. ``group``
    is the column behind ``Dataset.groups``, or None. ``split`` is the policy: "groups" (whole groups at
    random by seed), "stratified" (rows at random by seed within each class) or "given" (fixed by the source,
    the same for every seed). ``left_out`` lists what was removed from the source and why. ``loader``,
    ``file`` and ``sha256`` say which module reads which file.
    """

    name: str
    title: str
    loader: str
    label: str
    rows: int
    positive_rate: float
    split: SplitPolicy
    columns: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    task: str = ""
    label_meaning: str = ""
    group: str | None = None
    group_meaning: str = ""
    split_meaning: str = ""
    left_out: tuple[str, ...] = ()
    notes: str = ""
    licence: str = "not stated"
    licence_file: str | None = None
    source: str = "not stated"
    citation: str = ""
    file: str = ""
    sha256: str = ""


@cache
def registry() -> dict[str, DatasetInfo]:
    """Return every data set known to the repository, by name, in the registry's order."""
    with (HERE / "registry.toml").open("rb") as stream:
        tables = tomllib.load(stream)
    return {name: _info(name, table) for name, table in tables.items()}


def _info(name: str, table: dict[str, object]) -> DatasetInfo:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return DatasetInfo(name=name, **values)  # type: ignore[arg-type]  # the registry is ours and tested


def unknown(argument: str, value: object, choices: Iterable[str], remedy: str = "") -> DatasetError:
    """Build the error for a value that is not among the choices, with the nearest one suggested."""
    known = list(choices)
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return DatasetError(f"{argument}: unknown value {value!r}, known are {', '.join(known)}{hint}{remedy}")
