"""The Parquet cache: no flipped bit gives other data, verify finds each, and damage and full disks leave no trace."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import _published as tiny
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy import sparse
from typer.testing import CliRunner

import datasets
from datasets import DatasetError, _convert, _sealed, _sources, load
from datasets.__main__ import app
from datasets._sealed import BlockReader, BlockWriter
from datasets._store import DamagedCache
from datasets.loaders import published
from datasets.registry import registry

pytestmark = pytest.mark.truth
FLIPS = 200
BLOCK = _sealed.BLOCK
LAYOUTS = {"flight": ("flight", "flight-x.csv", "benchm-ml"), "kdd12": ("kdd12", "kdd12.tr", "libsvm")}


@pytest.fixture(autouse=True)
def small_blocks(own_cache, monkeypatch):
    """Several row groups and many blocks, as large files have."""
    monkeypatch.setattr(_sealed, "BLOCK", 512)
    monkeypatch.setattr(_sources, "BLOCK", 1_000)


def made(folder: Path, case: str = "flight") -> tuple[str, Path, Path]:
    """Put a set and convert it; returns its name, its source and the Parquet file of its first part."""
    name, file, layout = LAYOUTS[case]
    source = tiny.put(folder / name, file, tiny.flight() if case == "flight" else tiny.libsvm())
    if case == "kdd12":
        tiny.put(folder / name, "kdd12.val", tiny.libsvm(12, 1))
    assert run("convert", name, "--data-dir", folder).exit_code == 0
    return name, source, folder / name / "parquet" / layout / "train.parquet"


def run(*arguments: object):
    return CliRunner().invoke(app, [*map(str, arguments)])


def flipped(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def same(data: datasets.Dataset, expected: datasets.Dataset) -> bool:
    if sparse.issparse(data.X):
        return (data.X != expected.X).nnz == 0 and bool((data.y == expected.y).all())
    return data.X.equals(expected.X) and bool((data.y == expected.y).all())


@pytest.mark.parametrize("which", ["parquet", "note"])
@pytest.mark.parametrize("case", LAYOUTS)
def test_no_flipped_bit_gives_other_data(case, which, tmp_path):
    """Over all of the file: magic numbers, page headers, pages, footer; and over all of the note."""
    name, _, parquet = made(tmp_path, case)
    for source in (tmp_path / name).glob("[fk]*"):
        source.unlink()
    path = parquet if which == "parquet" else parquet.with_suffix(".json")
    content = path.read_bytes()
    assert len(content) > 600
    places = np.linspace(0, 8 * len(content) - 1, FLIPS // 2).astype(int)
    for bit in map(int, places):
        flipped(path, bit)
        with pytest.raises(DatasetError, match=r"damaged|not in") as caught:
            load(name, data_dir=tmp_path)
        assert str(tmp_path) in str(caught.value)
        with pytest.raises(DatasetError, match=r"is damaged \(|cannot be trusted: "):
            list(published.verify(registry()[name], tmp_path, lambda file, path: "fine"))
        path.write_bytes(content)
    assert len(load(name, data_dir=tmp_path).y) > 50
    assert "is whole" in run("verify", name, "--data-dir", tmp_path).output


@pytest.mark.parametrize("case", LAYOUTS)
def test_a_damaged_cache_is_made_again_from_its_source(case, tmp_path):
    name, _, parquet = made(tmp_path, case)
    expected = load(name, data_dir=tmp_path)
    content, note = parquet.read_bytes(), parquet.with_suffix(".json").read_bytes()
    for bit in map(int, np.linspace(0, 8 * len(content) - 1, 12).astype(int)):
        flipped(parquet, bit)
        with pytest.warns(UserWarning, match=rf"{parquet.name} was damaged; it is converted again from "):
            assert same(load(name, data_dir=tmp_path), expected)
        assert parquet.read_bytes() == content
    for bit in map(int, np.linspace(0, 8 * len(note) - 1, 12).astype(int)):
        flipped(parquet.with_suffix(".json"), bit)
        assert same(load(name, data_dir=tmp_path), expected)
    assert "is whole" in run("verify", name, "--data-dir", tmp_path).output


def test_commands_tell_of_damage_and_mend_it(tmp_path):
    name, source, parquet = made(tmp_path)
    flipped(parquet, 8 * (parquet.stat().st_size - 20))  # in the footer
    listed = run("list", "--data-dir", tmp_path).output.split("\n")
    assert " damaged " in next(line for line in listed if line.startswith("flight "))
    for _ in range(2):
        result = run("verify", name, "--data-dir", tmp_path)
        assert result.exit_code == 1
        assert f"the next use converts it again from {source}" in result.output
        assert "is whole" not in result.output
    assert run("convert", name, "--data-dir", tmp_path).exit_code == 0
    assert "is whole (60 rows)" in run("verify", name, "--data-dir", tmp_path).output
    flipped(parquet, 8 * 600)
    assert run("convert", name, "--data-dir", tmp_path).exit_code == 0
    assert "is whole (60 rows)" in run("verify", name, "--data-dir", tmp_path).output


def test_as_many_malformed_rows_are_left_out_again(tmp_path):
    text = tiny.flight().replace('"c-4"', '"c-99"', 1)
    tiny.put(tmp_path / "flight", "flight-x.csv", text)
    assert run("convert", "flight", "--data-dir", tmp_path, "--max-malformed", 1).exit_code == 0
    flipped(tmp_path / "flight" / "parquet" / "benchm-ml" / "train.parquet", 8 * 600)
    with pytest.warns(UserWarning, match="was damaged"):
        assert len(load("flight", data_dir=tmp_path).y) == 59


def test_a_cache_whose_source_lies_elsewhere_is_made_again(tmp_path):
    source = tiny.put(tmp_path / "elsewhere", "flight-x.csv", tiny.flight())
    assert run("convert", "flight", "--from", source, "--data-dir", tmp_path / "data").exit_code == 0
    flipped(tmp_path / "data" / "flight" / "parquet" / "benchm-ml" / "train.parquet", 8 * 600)
    with pytest.warns(UserWarning, match=f"converted again from {source}"):
        assert len(load("flight", data_dir=tmp_path / "data").y) == 60


def test_damage_under_a_stream_is_an_error_and_mended_at_the_next_use(tmp_path):
    name, _, parquet = made(tmp_path)
    expected = load(name, data_dir=tmp_path)
    stream = datasets.stream(name, data_dir=tmp_path)
    file = pq.ParquetFile(parquet)
    # A column that opening does not read, in the last row group.
    names = [file.schema_arrow.field(number).name for number in range(len(file.schema_arrow))]
    chunk = file.metadata.row_group(file.num_row_groups - 1).column(names.index("Distance"))
    content = bytearray(parquet.read_bytes())
    content[chunk.data_page_offset + 3] ^= 4
    with parquet.open("r+b") as opened:
        opened.write(content)
    with pytest.raises(DamagedCache, match="the next use converts it again"):
        pd.concat([X for X, _ in stream])
    again = datasets.stream(name, data_dir=tmp_path)
    assert pd.concat([X for X, _ in again], ignore_index=True).equals(expected.X)


def test_every_byte_is_read_once(tmp_path, monkeypatch):
    """Checking needs no second pass: a full reading takes the file and the edges of its column chunks."""
    name, _, parquet = made(tmp_path)
    blocks = []
    real = BlockReader._blocks

    def counted(self: BlockReader, first: int, last: int):
        blocks.extend(range(first, last))
        return real(self, first, last)

    monkeypatch.setattr(BlockReader, "_blocks", counted)
    part = published.converted(registry()[name], _layout(name), tmp_path)["train"]
    file = pq.ParquetFile(part.open())
    footer, chunks = len(blocks), file.num_row_groups * file.metadata.num_columns
    for group in range(file.num_row_groups):
        file.read_row_group(group)
    size = -(-parquet.stat().st_size // 512)
    assert set(blocks) == set(range(size))
    assert len(blocks) - footer <= size + chunks


def test_the_blocks_are_of_the_size_that_the_guide_says():
    guide = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")
    assert f"has a CRC-32 of each\n{BLOCK // 1024} KB of it" in guide


def _layout(name: str):
    return next(iter(registry()[name].layouts.values()))


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 5_000])
def test_blocks_are_those_written_and_any_read_is_right(size, tmp_path, rng):
    content = rng.bytes(size)
    with BlockWriter(tmp_path / "file") as writer:
        for piece in np.array_split(np.frombuffer(content, np.uint8), 7):
            writer.write(piece.tobytes())
    assert (tmp_path / "file").read_bytes() == content
    reader = BlockReader(tmp_path / "file", writer.size, writer.digests())
    reader.check()
    for start, count in rng.integers(0, size + 2, (50, 2)).tolist():
        reader.seek(start)
        assert bytes(reader.read(count)) == content[start : start + count]
    reader.seek(0)
    assert bytes(reader.read()) == content
    for wrong in (content + b"x", content[:-1], bytes([*content[:-1], content[-1] ^ 1])) if size else ():
        (tmp_path / "wrong").write_bytes(wrong)
        with pytest.raises(_sealed.Damaged):
            BlockReader(tmp_path / "wrong", writer.size, writer.digests()).check()


def test_a_seal_breaks_with_any_byte():
    sealed = _sealed.seal({"rows": 3, "text": 'x", "checksum": "'}).encode()
    assert _sealed.unseal(sealed) == {"rows": 3, "text": 'x", "checksum": "'}
    for place in range(len(sealed)):
        for bit in range(8):
            wrong = bytearray(sealed)
            wrong[place] ^= 1 << bit
            with pytest.raises(ValueError, match="checksum"):
                _sealed.unseal(bytes(wrong))


# Several at a time, and a full disk


def test_of_several_uses_at_a_time_one_converts(tmp_path, monkeypatch):
    tiny.put(tmp_path / "flight", "flight-x.csv", tiny.flight())
    begun, calls = Barrier(4), []
    real = _convert.convert

    def counted(*arguments, **more):
        calls.append(1)
        return real(*arguments, **more)

    monkeypatch.setattr(published, "convert", counted)

    def one(_: int) -> int:
        begun.wait(60)
        return len(load("flight", data_dir=tmp_path).y)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(one, range(4))) == [60] * 4
    assert len(calls) == 1
    folder = tmp_path / "flight" / "parquet" / "benchm-ml"
    assert sorted(path.name for path in folder.iterdir()) == ["train.json", "train.parquet"]


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize("after", [0, 2_000])
def test_a_full_disk_leaves_no_half_cache(after, tmp_path, monkeypatch):
    tiny.put(tmp_path / "flight", "flight-x.csv", tiny.flight())
    written = []

    def full(file, data):
        written.append(len(data))
        if sum(written) > after:
            raise FULL
        file.write(data)

    monkeypatch.setattr(_sealed, "write_all", full)
    with pytest.raises(DatasetError, match=r"cannot write to .*parquet.*No space left on device.*HSBOOST_CACHE_DIR"):
        load("flight", data_dir=tmp_path)
    result = run("convert", "flight", "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "\nerror: cannot write to " in result.output
    assert not [path for path in (tmp_path / "flight" / "parquet").rglob("*") if path.is_file()]


@pytest.mark.parametrize("what", ["parquet", "note"])
def test_a_full_disk_keeps_the_old_cache(what, tmp_path, monkeypatch):
    name, source, parquet = made(tmp_path)
    before = {path.name: path.read_bytes() for path in parquet.parent.iterdir()}
    shutil.copy2(source, tmp_path / "kept")
    source.write_text(tiny.flight().replace('"c-4"', '"c-5"'))

    def full(*_: object, **__: object) -> None:
        raise FULL

    with monkeypatch.context() as patched:
        patched.setattr(*((_sealed, "write_all") if what == "parquet" else (_convert, "write_note")), full)
        with pytest.raises(DatasetError, match="No space left on device"):
            load(name, data_dir=tmp_path)
    assert {path.name: path.read_bytes() for path in parquet.parent.iterdir()} == before
    shutil.copy2(tmp_path / "kept", source)
    monkeypatch.setattr(published, "convert", full)
    assert len(load(name, data_dir=tmp_path).y) == 60


def test_a_cache_of_an_earlier_version_is_made_again(tmp_path):
    name, _, parquet = made(tmp_path)
    note = parquet.with_suffix(".json")
    note.write_bytes(note.read_bytes().rpartition(b', "checksum"')[0] + b"}")
    result = run("verify", name, "--data-dir", tmp_path)
    assert result.exit_code == 1
    assert "is damaged or of an earlier version (it has no checksum); the next use converts it again" in result.output
    assert len(load(name, data_dir=tmp_path).y) == 60
    assert "is whole" in run("verify", name, "--data-dir", tmp_path).output
