"""A converted data set: labels, groups and splits in memory, the features on disk, read a row group at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datasets import _csv
from datasets._convert import LEVELS_AT_MOST, Part
from datasets._layouts import Layout
from datasets._refusals import raise_refusal
from datasets.registry import DatasetError, DatasetInfo

PART_CODES = {"train": 0, "valid": 1, "test": 2, "all": 0}


@dataclass(frozen=True)
class Piece:
    """One row group: its file, its number there, and its rows' position in the full table."""

    part: int
    group: int
    start: int
    rows: int


@dataclass(frozen=True, eq=False)
class Coded:
    """A text column of some rows: the distinct texts, and for each row the number of its text (-1: missing)."""

    texts: pd.Index
    codes: np.ndarray

    @classmethod
    def of(cls, column: pa.ChunkedArray | pa.Array) -> Coded:
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        array = array.dictionary_encode() if not pa.types.is_dictionary(array.type) else array
        codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return cls(pd.Index(array.dictionary.to_pylist(), dtype=object), codes)

    def take(self, places: np.ndarray) -> Coded:
        return Coded(self.texts, self.codes[places])

    def mapped(self, values: np.ndarray, missing: float) -> np.ndarray:
        """Map each row to its text's value."""
        return np.append(values, missing).astype(values.dtype)[self.codes]


@dataclass(frozen=True, eq=False)
class Store:
    """All rows of a published set; it has the fields of `_table.Table`, but the features stay on disk.

    ``part`` is the source's own split or None, ``carve`` the way to cut a validation split if it has none,
    ``encoders`` the encoders that were fitted last. Any number of threads, forked processes and processes that got a
    pickled copy may read at the same time.
    """

    info: DatasetInfo
    layout: Layout
    parts: dict[str, Part]
    part: np.ndarray | None = None
    carve: str = "end"
    encoders: dict[object, object] = field(default_factory=dict)
    _opened: threading.local = field(default_factory=threading.local, init=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in fields(self) if item.init}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _opened=threading.local())

    @property
    def _files(self) -> list[pq.ParquetFile]:
        """The files, opened once in each thread: two threads that read from one ParquetFile get each other's bytes."""
        if not hasattr(self._opened, "files"):
            # Only the label and the categories benefit from reading the file's dictionaries.
            columns = [] if self.layout.sparse else [*self.categories, *self._group_columns]
            self._opened.files = [open_parquet(part, columns) for part in self.parts.values()]
        files: list[pq.ParquetFile] = self._opened.files
        return files

    @cached_property
    def pieces(self) -> list[Piece]:
        """Row groups in order."""
        found, start = [], 0
        for number, file in enumerate(self._files):
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                found.append(Piece(number, group, start, rows))
                start += rows
        return found

    @cached_property
    def schema(self) -> pa.Schema:
        return open_parquet(next(iter(self.parts.values()))).schema_arrow

    @cached_property
    def features(self) -> list[str]:
        """Names of the feature columns, in order."""
        hidden = {_csv.LABEL, _csv.ORDER, *self._group_columns}
        return [name for name in self.schema.names if name not in hidden]

    @cached_property
    def categories(self) -> list[str]:
        """Names of the columns that hold text."""
        return [name for name in self.schema.names if self.schema.field(name).type == pa.string()]

    @cached_property
    def _group_columns(self) -> list[str]:
        return [column.name for column in (*self.layout.columns, *self.layout.derived) if column.kind == "group"]

    def levels(self, name: str) -> list[str] | None:
        """All levels of a category over the full table, sorted (integers by value); None for too many."""
        known = [part.notes["levels"].get(name) for part in self.parts.values()]
        if any(levels is None for levels in known):
            return None
        together = set().union(*known)
        return None if len(together) > LEVELS_AT_MOST else self.sort(name, together)

    def integers(self, name: str) -> bool:
        """Whether all levels are integers of up to 15 digits."""
        return all(part.notes["integers"].get(name, True) for part in self.parts.values())

    def sort(self, name: str, levels: set[str]) -> list[str]:
        return sorted(levels, key=int) if self.integers(name) else sorted(levels)

    def missing(self, name: str) -> bool:
        """Whether a column has missing values anywhere."""
        return any(part.notes["missing"].get(name) for part in self.parts.values())

    @cached_property
    def y(self) -> np.ndarray:
        """(n,) int8 of 0/1."""
        return self._whole(_csv.LABEL).to_numpy().astype(np.int8, copy=False)

    @cached_property
    def groups(self) -> np.ndarray | None:
        """(n,) int32 group ids from 0 in sorted order, or None."""
        if self.info.group is None:
            return None
        coded = Coded.of(self._whole(self.info.group))
        ordered = self.sort(self.info.group, set(coded.texts))
        numbers = pd.Index(ordered, dtype=object).get_indexer(coded.texts)
        if (coded.codes < 0).any():
            # Rows without a value form a separate group, the last.
            return coded.mapped(numbers.astype(np.int32), len(ordered))
        return coded.mapped(numbers.astype(np.int32), -1)

    @cached_property
    def order(self) -> np.ndarray | None:
        """(n,) values that order the rows of a group, or None."""
        return self._whole(_csv.ORDER).to_numpy() if _csv.ORDER in self.schema.names else None

    def read(self, piece: Piece, columns: list[str] | None = None) -> pa.Table:
        """Read a row group: text columns as dictionaries, one chunk each."""
        with reading(list(self.parts.values())[piece.part]):
            table = self._files[piece.part].read_row_group(piece.group, columns=columns, use_threads=False)
        return table.unify_dictionaries().combine_chunks()

    def over(self, rows: np.ndarray) -> Iterator[tuple[Piece, np.ndarray]]:
        """Yield the row groups that hold some of the rows (sorted numbers), with those rows' positions in them."""
        ends = [piece.start + piece.rows for piece in self.pieces]
        cuts = np.searchsorted(rows, [0, *ends])
        for piece, low, high in zip(self.pieces, cuts[:-1], cuts[1:], strict=True):
            if high > low:
                yield piece, rows[low:high] - piece.start

    def check(self) -> None:
        """Compare the files with the digests of what was written; raises `DamagedCache` for a difference."""
        for part, file in zip(self.parts.values(), self._files, strict=True):
            with reading(part), part.open() as content:
                content.check()
            if file.metadata.num_rows != (noted := part.notes["rows"]):
                raise damaged(part, ValueError(f"{file.metadata.num_rows:,} rows, {noted:,} noted"))

    def _whole(self, name: str) -> pa.Array:
        column = pa.chunked_array([chunk for piece in self.pieces for chunk in self.read(piece, [name])[name].chunks])
        return column.unify_dictionaries().combine_chunks()


class DamagedCache(DatasetError):
    """A converted file whose bytes differ from those written; ``part`` is the file."""

    part: Part | None = None


def damaged(part: Part, error: BaseException) -> DamagedCache:
    """Build the error for a converted file, and mark it so that the next use converts it again."""
    part.distrust()
    remedy = (
        f"the next use converts it again from {part.source}"
        if part.source is not None
        else f"its source ({part.notes['source']['path']}) is not there any more: fetch it again, or convert another "
        "copy with: python -m datasets convert NAME --from PATH"
    )
    found = DamagedCache(f"{part.path} is damaged ({str(error).splitlines()[0]}); {remedy}")
    found.part = part
    return found


def open_parquet(part: Part, dictionaries: list[str] | None = None) -> pq.ParquetFile:
    """Open a converted file whose blocks are checked as they are read; raises `DamagedCache`.

    It is read in the thread that asks, without `pre_buffer` (a default since pyarrow 25) and `use_threads`: the file
    is a Python object, and a thread of Arrow's that lets go of its bytes while the process ends makes it abort (seen
    with pyarrow 14).
    """
    with reading(part):
        return pq.ParquetFile(part.open(), read_dictionary=dictionaries, pre_buffer=False)


@contextlib.contextmanager
def reading(part: Part) -> Iterator[None]:
    """Raise `DamagedCache` for what only wrong bytes explain, `DatasetError` for what the system refuses."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise_refusal(part.path, error)
        raise damaged(part, error) from error
