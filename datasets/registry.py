"""The data sets and the facts about each: `DatasetInfo`, read from registry.toml."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from datasets._layouts import Figure, Layout, SourceFile, Subset, layout_of

HERE = Path(__file__).resolve().parent

SplitPolicy = Literal["groups", "stratified", "given", "order", "within_groups"]


class DatasetError(ValueError):
    """A data set cannot be loaded as requested; the message names the argument or file, and the remedy."""


@dataclass(frozen=True)
class DatasetInfo:
    """The content, the source and the splits of a data set.

    Fields: ``rows`` is the full table's row count and ``positive_rate`` its share of ones, in [0, 1].
    ``columns`` are the features, in order; ``categorical`` those with levels in place of numbers. ``group``
    is the column behind ``Dataset.groups``, or None. ``split`` is the policy: "groups" (groups at random by
    seed), "stratified" (rows at random by seed within each class), "given" (fixed by the source, the same for
    every seed), "order" (by position in the file, where that is time) or "within_groups" (by time within each
    group). ``left_out`` lists what was removed from the source and why. ``loader``, ``file`` and ``sha256``
    name the module, the file that it reads, and the file's digest.

    Published sets also have ``layouts``, ``files`` (to download), ``figures`` and ``paper`` (AUC as printed by
    others; the two rows of the paper's table), and after loading ``layout``, ``encoded`` (id columns with too
    many levels for categories) and ``here`` (a description of the local copy, and how it differs from the full set).
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
    encoded: tuple[str, ...] = ()
    layout: str = ""
    here: str = ""
    paper: dict[str, float] = field(default_factory=dict, hash=False)
    figures: tuple[Figure, ...] = ()
    files: tuple[SourceFile, ...] = ()
    subsets: tuple[Subset, ...] = ()
    layouts: dict[str, Layout] = field(default_factory=dict, hash=False)

    @property
    def published(self) -> bool:
        """Whether the set is one of the published ones, whose data are not in the repository."""
        return bool(self.layouts)


@cache
def registry() -> dict[str, DatasetInfo]:
    """Return every data set known to the repository, by name, in the registry's order."""
    with (HERE / "registry.toml").open("rb") as stream:
        tables = tomllib.load(stream)
    return {name: _info(name, table) for name, table in tables.items()}


def _info(name: str, table: dict[str, Any]) -> DatasetInfo:
    known = {item.name for item in fields(DatasetInfo)} - {"name", "loader", "layouts", "layout"}
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    values["figures"] = tuple(Figure(**figure) for figure in table.get("figures", []))
    values["subsets"] = tuple(Subset(**subset) for subset in table.get("subsets", []))
    values["files"] = tuple(
        SourceFile(**(source | {"urls": tuple(source["urls"])})) for source in table.get("files", [])
    )
    values["layouts"] = {title: layout_of(title, layout, known) for title, layout in table.get("layouts", {}).items()}
    return DatasetInfo(name=name, **values)


def unknown(argument: str, value: object, choices: Iterable[str], remedy: str = "") -> DatasetError:
    """Build the error for a value that is not among the choices, with the nearest one suggested."""
    known = list(choices)
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return DatasetError(f"{argument}: unknown value {value!r}, known are {', '.join(known)}{hint}{remedy}")
