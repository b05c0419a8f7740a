"""What the system refuses to a reader is told as that: a file is not called damaged, and nothing is made again."""

from __future__ import annotations

import errno
import gzip
import io
import pathlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _published as tiny
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from datasets import DatasetError, _places, describe, load, vision
from datasets._refusals import raise_refusal
from datasets._sealed import BlockReader
from datasets._sources import Reader, Source
from datasets.loaders import published

pytestmark = [pytest.mark.truth, pytest.mark.usefixtures("own_cache")]
REFUSALS = {
    "too many open files": OSError(errno.EMFILE, "Too many open files"),
    "a failing disk": OSError(errno.EIO, "Input/output error"),
    "no permission": PermissionError(errno.EACCES, "Permission denied"),
    "a stale share": OSError(errno.ESTALE, "Stale file handle"),
}
CONTENT = [
    OSError("not a gzip file"),
    gzip.BadGzipFile("not one"),
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    pa.ArrowInvalid("no Parquet file"),
    EOFError("it ends early"),
    ValueError("no number"),
]


@pytest.mark.parametrize("error", REFUSALS.values(), ids=list(REFUSALS))
def test_refusals_are_raised(error: OSError) -> None:
    with pytest.raises(DatasetError, match=f"^here cannot be read: {error.strerror}$"):
        raise_refusal("here", error)


@pytest.mark.parametrize("error", [MemoryError("full"), pa.ArrowMemoryError("malloc of size 64 failed")], ids=repr)
def test_too_little_memory_stays_what_it_is(error: MemoryError) -> None:
    with pytest.raises(MemoryError, match=str(error)):
        raise_refusal("here", error)


@pytest.mark.parametrize("error", CONTENT, ids=repr)
def test_what_the_content_explains_is_left_to_the_reader(error: Exception) -> None:
    raise_refusal("here", error)


def flight(folder: Path, ending: str = "") -> Callable[[], Any]:
    tiny.put(folder / "flight", "flight-x.csv", tiny.flight(), ending)
    return lambda: load("flight", data_dir=folder)


def flights_in_parquet(folder: Path) -> Callable[[], Any]:
    (folder / "flight").mkdir()
    table = pa.table(
        {
            "date": pa.array(pd.date_range("2001-01-01", periods=90, freq="h", unit="us")),
            "delay": list(range(90)),
            "distance": list(range(90)),
            "origin": ["LAS", "ATL"] * 45,
            "destination": ["PHL", "SAV", "SAV"] * 30,
        }
    )
    pq.write_table(table, folder / "flight" / "flights-3m.parquet")
    return lambda: load("flights3m", data_dir=folder)


def own_table(folder: Path) -> Callable[[], Any]:
    frame = pd.DataFrame({"x": range(40), "y": [0, 1] * 20})
    frame.to_parquet(folder / "mine.parquet")
    (folder / "mine.toml").write_text('label = "y"\n')
    return lambda: load("mine", data_dir=folder)


#: Where a source is read: how it is put there, and the ending of the file that is refused.
SOURCES: dict[str, tuple[Callable[[Path], Callable[[], Any]], str]] = {
    "text": (flight, ".csv"),
    "gzip": (lambda folder: flight(folder, ".gz"), ".gz"),
    "bzip2": (lambda folder: flight(folder, ".bz2"), ".bz2"),
    "Parquet": (flights_in_parquet, "flights-3m.parquet"),
    "a table of one's own": (own_table, "mine.parquet"),
    "its description": (own_table, "mine.toml"),
}


def refuse(monkeypatch: pytest.MonkeyPatch, ending: str, error: OSError) -> None:
    """Have every way to open files of this ending for reading raise the error."""
    opened, parquet = io.open, pq.ParquetFile

    def of_path(self: Path, mode: str = "r", *more: Any, **named: Any) -> Any:
        if str(self).endswith(ending) and "r" in mode:
            raise error
        return opened(self, mode, *more, **named)

    def of_arrow(source: Any, **named: Any) -> Any:
        if str(source).endswith(ending):
            raise error
        return parquet(source, **named)

    monkeypatch.setattr(pathlib.Path, "open", of_path)
    monkeypatch.setattr(pq, "ParquetFile", of_arrow)


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("kind", SOURCES)
def test_a_source(kind: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, ending = SOURCES[kind]
    read = put(tmp_path)
    with monkeypatch.context() as patched:
        refuse(patched, ending, REFUSALS[reason])
        with pytest.raises(DatasetError, match=rf"{ending}.*{REFUSALS[reason].strerror}") as caught:
            read()
    assert not any(word in str(caught.value) for word in ("damaged", "again", "re-make"))
    assert len(read().y)


@pytest.mark.parametrize("reason", REFUSALS)
def test_pictures(reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "train.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01\0\0\0\x02ab"))
    with monkeypatch.context() as patched:
        refuse(patched, ".gz", REFUSALS[reason])
        with pytest.raises(DatasetError, match=f"train.gz cannot be read: {REFUSALS[reason].strerror}"):
            vision._idx(path)
    assert vision._idx(path).tolist() == [97, 98]


@pytest.mark.parametrize("reason", REFUSALS)
def test_an_archive(reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", "1,2\n")

    def refused(*_: object) -> None:
        raise REFUSALS[reason]

    with monkeypatch.context() as patched:
        patched.setattr(zipfile, "ZipFile", refused)
        with pytest.raises(DatasetError, match=rf"some.zip cannot be read: {REFUSALS[reason].strerror}"):
            _places._member(path, ("*.csv",))
        with pytest.raises(DatasetError, match=rf"cannot be read: {REFUSALS[reason].strerror}"):
            Reader(Source(path, "rows.csv"))
    assert _places._member(path, ("*.csv",)) == "rows.csv"


@pytest.mark.parametrize("reason", REFUSALS)
@pytest.mark.parametrize("when", ["the note", "open", "read"])
def test_a_converted_file(when: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = flight(tmp_path)
    read()
    published._opened.clear()
    folder = tmp_path / "flight" / "parquet" / "benchm-ml"
    before = {path: path.read_bytes() for path in folder.iterdir()}

    def refused(*_: object, **__: object) -> None:
        raise REFUSALS[reason]

    with monkeypatch.context() as patched:
        if when == "the note":
            refuse(patched, ".json", REFUSALS[reason])
        else:
            patched.setattr(BlockReader, {"open": "__init__", "read": "_blocks"}[when], refused)
        with pytest.raises(DatasetError, match=rf"train\.\w+ cannot be read: {REFUSALS[reason].strerror}"):
            read()
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    monkeypatch.setattr(published, "convert", refused)
    assert len(read().y) == 60
    assert describe("flight", data_dir=tmp_path).rows == 60


def test_too_little_memory_for_a_converted_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = flight(tmp_path)
    read()

    def full(*_: object, **__: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 64 failed")

    with monkeypatch.context() as patched:
        patched.setattr(pq.ParquetFile, "read_row_group", full)
        with pytest.raises(MemoryError, match="malloc"):
            read()
    monkeypatch.setattr(published, "convert", full)
    assert len(read().y) == 60
