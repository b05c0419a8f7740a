"""The forms in which a data set is published: files, columns and label."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["label", "drop", "raw", "order", "group", "category", "float32", "float64", "int32", "int64"]
#: Types that some published headers (RecBole's) append to names.
ATOMIC = ("token", "token_seq", "float", "float_seq")
NUMBERS = ("float32", "float64", "int32", "int64")
_RANGE = re.compile(r"^([A-Za-z_]+)(\d+)-([A-Za-z_]+)(\d+)$")


@dataclass(frozen=True)
class Column:
    """One column: ``source`` is its name in the file, ``name`` the one used here, ``kind`` its role or type.

    Kinds: "label"; "drop" (not read); "raw" (text from which a set's own code derives other columns); "order"
    (orders the rows of a group, not a feature); "group" (group ids, not a feature); "category" (always kept as
    text, so that no id is too long or parsed as a number); and the numbers.
    """

    source: str
    kind: Kind

    @property
    def name(self) -> str:
        name, _, kind = self.source.rpartition(":")
        return name if name and kind in ATOMIC else self.source


@dataclass(frozen=True)
class Layout:
    """One published form of a data set; registry.toml has them.

    ``names`` gives for each part ("all", or train / valid / test) the accepted file names without the ending
    of a compression, best first; parts in ``optional`` may be missing. ``header`` is "required", "none" or
    "optional"; ``further`` is the kind of columns that the header has in addition to the known ones (None:
    refused). The label is 1 if the text is in ``positive`` and 0 if it is in ``negative``; or, with ``at_least``,
    1 if the number is at least that; otherwise 1 if the number is 1 (0 for 0 and -1). ``features`` is the number
    of columns of a libsvm set; ``beside`` names tables that are joined to the rows. ``overrides`` are the
    `DatasetInfo` fields that differ in this form.
    """

    name: str
    format: Literal["csv", "libsvm", "parquet"]
    names: dict[str, tuple[str, ...]]
    columns: tuple[Column, ...] = ()
    derived: tuple[Column, ...] = ()
    delimiter: str = ","
    header: Literal["required", "none", "optional"] = "none"
    quoted: bool = False
    further: Kind | None = None
    optional: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    at_least: float | None = None
    features: int = 0
    note: str = ""
    differs: str = ""
    overrides: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def sparse(self) -> bool:
        """Whether the features are one sparse matrix in place of columns."""
        return self.format == "libsvm"


@dataclass(frozen=True)
class SourceFile:
    """A file to download: its name, addresses in the order to try, size in bytes and checksum if published.

    ``checksum`` is "algorithm:hex"; ``members`` are the checksums of an archive's files; ``asked`` marks
    files that are fetched only when requested by name.
    """

    name: str
    layout: str
    urls: tuple[str, ...]
    part: str = "all"
    size: int | None = None
    checksum: str | None = None
    members: dict[str, str] = field(default_factory=dict, hash=False)
    asked: bool = False


@dataclass(frozen=True)
class Figure:
    """A published figure (AUC): the model, its value on valid and test (``test_to``: end of a range), the source."""

    model: str
    test: float
    note: str
    valid: float | None = None
    test_to: float | None = None

    def __str__(self) -> str:
        value = f"{self.test:.4g}" + (f" to {self.test_to:.4g}" if self.test_to else "")
        return f"{self.model}: {f'valid {self.valid:.4g}, test ' if self.valid else ''}{value} ({self.note})"


@dataclass(frozen=True)
class Subset:
    """A known local copy that is not the published file: how many rows it has and how it differs."""

    rows: int
    sha256: str
    note: str


def columns_of(specs: list[str]) -> tuple[Column, ...]:
    """Parse ``name:kind`` texts, where ``A1-A3:kind`` means A1, A2, A3."""
    found: list[Column] = []
    for spec in specs:
        source, kind = spec.rsplit(":", 1)
        span = _RANGE.match(source)
        names = [source]
        if span and span[1] == span[3]:
            names = [f"{span[1]}{number}" for number in range(int(span[2]), int(span[4]) + 1)]
        found.extend(Column(name, kind) for name in names)  # type: ignore[arg-type]  # the registry is tested
    return tuple(found)


def layout_of(name: str, table: dict[str, Any], info_fields: set[str]) -> Layout:
    """Build a `Layout` from its table in registry.toml; keys of `DatasetInfo` become ``overrides``."""
    values: dict[str, Any] = {"name": name, "overrides": {}}
    for key, value in table.items():
        frozen = tuple(value) if isinstance(value, list) else value
        if key in ("columns", "derived"):
            values[key] = columns_of(value)
        elif key == "names":
            values[key] = {part: tuple(patterns) for part, patterns in value.items()}
        elif key in info_fields:
            values["overrides"][key] = frozen
        else:
            values[key] = frozen
    return Layout(**values)
