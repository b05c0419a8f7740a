"""From a source file to Parquet in one pass and little memory, with a note that identifies its source."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from datasets import _csv, _libsvm, _sealed
from datasets._layouts import Layout
from datasets._malformed import Malformed
from datasets._refusals import raise_refusal, unwritable
from datasets._sealed import BlockReader, BlockWriter, scratch, unseal, write_note
from datasets._sources import ENDINGS, Reader, Source, digest
from datasets.registry import DatasetError, DatasetInfo

VERSION = 1
NOTE_KEYS = {
    "fingerprint",
    "bytes",
    "digests",
    "source",
    "published",
    "beside",
    "malformed",
    "rows",
    "levels",
    "missing",
}
LEVELS_AT_MOST = 512
BATCH = 1 << 18  # rows read at a time from a Parquet source
_LEFTOVER_SECONDS = 3600
_INTEGER = r"^(0|[1-9][0-9]{0,14})$"
Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class Part:
    """One converted file: the Parquet file, the notes from its JSON file, and the source if it exists."""

    path: Path
    notes: dict[str, Any]
    source: Source | None = None

    def open(self) -> BlockReader:
        """Open the Parquet file so that each block is compared with its digest in the notes as it is read."""
        return BlockReader(self.path, self.notes["bytes"], self.notes["digests"])

    def distrust(self) -> None:
        """Mark the Parquet file as damaged, so that the next use converts it again; nothing without a source."""
        if self.source is not None:
            with contextlib.suppress(OSError):
                write_note(self.path.with_suffix(".json"), self.notes | {"damaged": True})


class Unusable(Exception):
    """A converted file that must not be read: the reason, whether it is damaged, and the source that its note names.

    ``malformed`` is the number of malformed rows accepted in it; converting it again accepts as many.
    """

    def __init__(self, reason: str, damaged: bool = False, source: Source | None = None, malformed: int = 0) -> None:
        super().__init__(reason)
        self.damaged, self.source, self.malformed = damaged, source, malformed


def fingerprint(layout: Layout) -> str:
    """Return a short hash of everything that affects a conversion's result: the layout and the version of the code."""
    stored = [(column.source, column.kind) for column in (*layout.columns, *layout.derived)]
    rules = (VERSION, _sealed.BLOCK, layout.format, layout.features, layout.positive, layout.negative, layout.at_least)
    return hashlib.sha256(repr((rules, layout.delimiter, layout.further, stored)).encode()).hexdigest()[:16]


def cached(layout: Layout, part: str, folder: Path, source: Source | None) -> Part | None:
    """Return a part that was converted before, or None if there is none, or if source or code have changed.

    A cache whose source was removed since is valid; one whose source changed is not. Only the size of the Parquet file
    is compared here; its content is compared block by block whenever it is read.
    """
    try:
        return inspect(layout, part, folder, source)
    except Unusable:
        return None


def inspect(layout: Layout, part: str, folder: Path, source: Source | None) -> Part | None:
    """Same as `cached`, but raises `Unusable`, with the reason, for an existing Parquet file that must not be read."""
    path, note = folder / f"{part}.parquet", folder / f"{part}.json"
    if not path.is_file():
        return None
    try:
        notes = unseal(note.read_bytes())
    except (OSError, ValueError) as error:
        raise_refusal(note, error)
        missing = isinstance(error, FileNotFoundError)
        reason = "is missing" if missing else f"is damaged or of an earlier version ({error})"
        raise Unusable(f"its note {note.name} {reason}", damaged=True) from error
    if not notes.keys() >= NOTE_KEYS:
        raise Unusable(f"its note {note.name} is of another version of this code", source=_noted(notes))
    source = _noted(notes) if source is None else source
    if notes.get("damaged"):
        raise Unusable("it was found damaged before", True, source, notes["malformed"]["count"])
    if notes["fingerprint"] != fingerprint(layout):
        raise Unusable("it was made by another version of this code", source=source)
    if notes["bytes"] != (size := path.stat().st_size):
        reason = f"it has {size:,} bytes, {notes['bytes']:,} were written"
        raise Unusable(reason, True, source, notes["malformed"]["count"])
    if source is None:
        return Part(path, notes)
    made_from, found = notes["source"], source.path.stat()
    changed = Unusable("its source has changed since", source=source)
    if notes["beside"] != _beside(layout, source):
        raise changed
    if (source.member, found.st_size) != (made_from["member"], made_from["size"]):
        raise changed
    if found.st_mtime_ns != made_from["mtime_ns"]:
        if digest(source.path) != made_from["file_sha256"]:
            raise changed
        notes["source"] |= {"mtime_ns": found.st_mtime_ns, "path": str(source.path)}
        with contextlib.suppress(OSError):  # the note only saves computing the digest next time
            write_note(note, notes)
    return Part(path, notes, source)


def _noted(notes: dict[str, Any]) -> Source | None:
    """The source that a note names, if it still exists."""
    made_from = notes.get("source")
    if not isinstance(made_from, dict) or not {"path", "member"} <= made_from.keys():
        return None
    source = Source(Path(made_from["path"]), made_from["member"])
    return source if source.path.is_file() else None


def convert(
    info: DatasetInfo,
    layout: Layout,
    part: str,
    source: Source,
    folder: Path,
    *,
    derive: _csv.Derive | None = None,
    max_malformed: int = 0,
    progress: Progress | None = None,
) -> Part:
    """Convert one source file to ``folder/<part>.parquet``, one block in memory at a time.

    The file gets its name when it is complete. An interrupted conversion leaves no partial file under that name, and
    does not change an earlier conversion. Raises `DatasetError` for a damaged file, a wrong checksum, more than
    ``max_malformed`` malformed rows, and a folder that cannot be written or has no space left.
    """
    path = folder / f"{part}.parquet"
    temporary, note = scratch(path), scratch(path.with_suffix(".json"))
    try:
        with _written(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            sink = BlockWriter(temporary)
        with sink:
            notes = _convert(info, layout, source, sink, derive, max_malformed, progress)
        with _written(folder):
            # Everything that needs space is written before anything is replaced.
            write_note(note, notes)
            # Remove the old note first, so that a note never exists next to a file that it does not describe.
            path.with_suffix(".json").unlink(missing_ok=True)
            temporary.replace(path)
            note.replace(path.with_suffix(".json"))
    finally:
        for leftover in (temporary, note):
            with contextlib.suppress(OSError):
                leftover.unlink(missing_ok=True)
    return Part(path, notes, source)


@contextlib.contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise unwritable(folder, error) from error


def _convert(
    info: DatasetInfo,
    layout: Layout,
    source: Source,
    sink: BlockWriter,
    derive: _csv.Derive | None,
    max_malformed: int,
    progress: Progress | None,
) -> dict[str, Any]:
    """Write the Parquet file to ``sink``; returns its notes."""
    before = source.path.stat()
    beside = _beside(layout, source)
    malformed = Malformed(source, max_malformed)
    census = _Census(layout)
    writer: pq.ParquetWriter | None = None
    with contextlib.ExitStack() as stack:
        tables = stack.enter_context(contextlib.closing(_Tables(layout, source, malformed, derive)))
        for table in tables:
            malformed.check()
            census.add(table)
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(sink, table.schema, compression="zstd"))
            if table.num_rows:
                writer.write_table(table, row_group_size=table.num_rows)
            if progress is not None:
                progress(tables.position, tables.size, census.rows)
        hashes = tables.hashes()
    malformed.check()
    if not census.rows:
        raise DatasetError(f"{source} holds no rows of data; fetch or copy it again")
    return {
        "fingerprint": fingerprint(layout),
        "bytes": sink.size,
        "digests": sink.digests(),
        "source": {
            "path": str(source.path.resolve()),
            "member": source.member,
            "size": before.st_size,
            "mtime_ns": before.st_mtime_ns,
            "file_sha256": hashes["sha256"] if source.member is None else digest(source.path),
            **hashes,
        },
        "published": _is_published(info, source, before.st_size, hashes),
        "beside": beside,
        "malformed": malformed.record(),
        **census.record(),
    }


class _Tables:
    """The blocks of a source as tables of the stored columns."""

    def __init__(self, layout: Layout, source: Source, malformed: Malformed, derive: _csv.Derive | None) -> None:
        self._layout, self._source, self._malformed, self._derive = layout, source, malformed, derive
        self._reader = None if layout.format == "parquet" else Reader(source)
        self.size, self._read = source.size, 0

    @property
    def position(self) -> int:
        return self._read if self._reader is None else self._reader.position

    def hashes(self) -> dict[str, str]:
        if self._reader is not None:
            return self._reader.hashes()
        return {name: digest(self._source.path, name) for name in ("sha256", "md5")}

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()

    def __iter__(self) -> Iterator[pa.Table]:
        if self._reader is None:
            yield from self._parquet()
            return
        columns = None
        for line, block in self._reader.blocks():
            if self._layout.sparse:
                yield _libsvm.parse(self._layout.features, line, block, self._malformed)
                continue
            if columns is None:
                first, _, rest = block.partition(b"\n")
                columns, is_header = _csv.header(self._layout, first, self._source)
                if is_header:
                    line, block = line + 1, rest
            if block:
                yield _csv.parse(self._layout, columns, line, block, self._malformed, self._derive)

    def _parquet(self) -> Iterator[pa.Table]:
        names = [column.source for column in self._layout.columns]
        row = 1
        try:
            # With the buffer, a default since pyarrow 25, iterating adds up the whole file in memory.
            file = pq.ParquetFile(self._source.path, pre_buffer=False)
            missing = [name for name in names if name not in file.schema_arrow.names]
            if missing:
                raise DatasetError(
                    f"{self._source} lacks the columns {', '.join(missing)}; it has {file.schema_arrow.names}"
                )
            for batch in file.iter_batches(batch_size=BATCH, columns=names):
                arrays = {name: batch.column(name) for name in names}
                lines = np.arange(row, row + batch.num_rows)
                row += batch.num_rows
                self._read = int(self.size * row / max(1, file.metadata.num_rows))
                yield _csv.typed(self._layout, list(self._layout.columns), arrays, lines, self._malformed, self._derive)
        except (pa.ArrowException, OSError) as error:
            raise_refusal(self._source, error)
            raise DatasetError(f"cannot read {self._source} as Parquet ({str(error).splitlines()[0]})") from error


class _Census:
    """The facts of a part that loading needs: rows, positives, missing values, levels of the categories."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.rows = self.positives = 0
        self._missing: dict[str, int] = {}
        self._levels: dict[str, set[str] | None] = {}
        self._integers: dict[str, bool] = {}

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        self.positives += pc.sum(table.column(_csv.LABEL)).as_py() or 0
        if self._layout.sparse:
            return
        for name, column in zip(table.column_names, table.columns, strict=True):
            self._missing[name] = self._missing.get(name, 0) + column.null_count
            if column.type == pa.string():
                self._add_levels(name, pc.unique(column).drop_null())

    def _add_levels(self, name: str, levels: pa.Array) -> None:
        whole = pc.all(pc.match_substring_regex(levels, _INTEGER)).as_py() is not False
        self._integers[name] = self._integers.get(name, True) and whole
        known = self._levels.setdefault(name, set())
        if known is not None:
            known |= set(levels.to_pylist()) if len(levels) <= LEVELS_AT_MOST else {None}  # type: ignore[arg-type]
            if None in known or len(known) > LEVELS_AT_MOST:
                self._levels[name] = None

    def record(self) -> dict[str, Any]:
        levels = {name: None if known is None else sorted(known) for name, known in self._levels.items()}
        return {
            "rows": self.rows,
            "positives": self.positives,
            "missing": {name: count for name, count in self._missing.items() if count},
            "levels": levels,
            "integers": self._integers,
        }


def _is_published(info: DatasetInfo, source: Source, size: int, hashes: dict[str, str]) -> bool | None:
    """Compare with the published checksum: None if none is known. Raises if the file must match but does not.

    A member of the published archive and a file of the published name and size must match. Another file of that name
    may be an intended subset.
    """
    for file in info.files:
        name = source.path.name if source.member is None else Path(source.member).name
        of_file, of_member = file.name == source.path.name, file.members.get(name)
        if source.member is not None and not of_file:
            continue
        expected = (file.checksum if of_file else of_member) if source.member is None else of_member
        if expected is None:
            continue
        algorithm, _, value = expected.partition(":")
        if hashes[algorithm] != value and (source.member is not None or file.size == size):
            raise DatasetError(
                f"{source}: {algorithm} is {hashes[algorithm]}, expected {value}; the file is damaged, fetch it again"
            )
        return hashes[algorithm] == value
    return None


def _beside(layout: Layout, source: Source) -> list[list[object]]:
    """Size and time of the tables that are joined to the rows, to detect changes."""
    found = [source.path.parent / (name + ending) for name in layout.beside for ending in ENDINGS]
    return [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in found if path.is_file()]


def _sweep(folder: Path) -> None:
    """Remove the leftovers of killed conversions, unless they are so new that one may still be running."""
    for path in folder.glob("*.partial"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFTOVER_SECONDS:
                path.unlink()
