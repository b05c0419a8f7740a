"""Conversion to Parquet: atomic, restartable, in little memory, and never out of step with its source."""

from __future__ import annotations

import json
import os
import shutil

import _published as tiny
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from datasets import DatasetError, _convert, _csv, _places, _sources, describe, list_datasets, load, measure_conversion
from datasets.__main__ import app
from datasets._malformed import Malformed
from datasets._sources import Source
from datasets.loaders import published
from datasets.registry import registry

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def conversions(monkeypatch):
    """Counts the files that are converted."""
    seen = []
    real = _convert.convert

    def counted(info, layout, part, *arguments, **more):
        seen.append(part)
        return real(info, layout, part, *arguments, **more)

    monkeypatch.setattr(published, "convert", counted)
    return seen


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_a_file_is_converted_once(tmp_path, conversions):
    tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs())
    for _ in range(3):
        load("higgs", split="test", data_dir=tmp_path)
    assert conversions == ["all"]
    assert (tmp_path / "higgs" / "parquet" / "uci" / "all.parquet").is_file()


def test_a_changed_source_is_converted_again(tmp_path, conversions):
    path = tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs())
    before = load("higgs", data_dir=tmp_path)
    # The same size and another time: only the contents tell.
    flipped = "\n".join(("0" if line[0] == "1" else "1") + line[1:] for line in tiny.higgs().splitlines()) + "\n"
    path.write_text(flipped)
    os.utime(path, ns=(1, 1))
    after = load("higgs", data_dir=tmp_path)
    assert conversions == ["all", "all"]
    np.testing.assert_array_equal(before.y, 1 - after.y)


def test_a_copied_source_is_recognised(tmp_path, conversions):
    path = tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs())
    load("higgs", data_dir=tmp_path)
    os.utime(path, ns=(1, 1))
    load("higgs", data_dir=tmp_path)
    load("higgs", data_dir=tmp_path)
    assert conversions == ["all"]


def test_a_cache_of_other_code_is_made_again_or_refused(tmp_path, conversions, monkeypatch):
    path = tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs())
    load("higgs", data_dir=tmp_path)
    monkeypatch.setattr(_convert, "VERSION", _convert.VERSION + 1)
    load("higgs", data_dir=tmp_path)
    assert conversions == ["all", "all"]
    path.unlink()
    assert len(load("higgs", data_dir=tmp_path).y) == 60
    monkeypatch.setattr(_convert, "VERSION", _convert.VERSION + 1)
    with pytest.raises(DatasetError, match="'higgs' is known, but its files are not in"):
        load("higgs", data_dir=tmp_path)


@pytest.mark.parametrize("damage", ["cut", "no note", "note of another file", "half a note", "empty note", "no object"])
def test_a_cache_that_is_not_whole_is_made_again(damage, tmp_path, conversions):
    tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs())
    expected = load("higgs", data_dir=tmp_path)
    parquet = tmp_path / "higgs" / "parquet" / "uci" / "all.parquet"
    note = parquet.with_suffix(".json")
    if damage == "cut":
        parquet.write_bytes(parquet.read_bytes()[:-100])
    elif damage == "no note":
        note.unlink()
    elif damage == "half a note":
        note.write_text(note.read_text()[:50])
    elif damage in ("empty note", "no object"):
        note.write_text({"empty note": "{}", "no object": "[1]"}[damage])
    else:
        note.write_text(json.dumps(json.loads(note.read_text()) | {"bytes": 1}))
    again = load("higgs", data_dir=tmp_path)
    assert conversions == ["all", "all"]
    pd.testing.assert_frame_equal(again.X, expected.X)


def test_an_interrupted_conversion_leaves_nothing_and_the_next_one_goes_on(tmp_path, monkeypatch, conversions):
    """Train is done when valid is interrupted: it is not converted again."""
    for seed, part in enumerate(("train", "valid", "test")):
        tiny.put(tmp_path / "avazu", f"{part}.csv", tiny.avazu_x1(seed=seed))
    real = _csv.parse
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(_csv, "parse", interrupted)
    result = run("convert", "avazu", "--data-dir", tmp_path)
    assert result.exit_code == 130
    assert "run the command again to go on" in result.output
    folder = tmp_path / "avazu" / "parquet" / "x1"
    assert sorted(path.name for path in folder.iterdir()) == ["train.json", "train.parquet"]
    result = run("convert", "avazu", "--data-dir", tmp_path)
    assert result.exit_code == 0, result.output
    assert conversions == ["train", "valid", "valid", "test"]
    assert len(load("avazu", data_dir=tmp_path).y) == 90


def test_what_a_killed_conversion_left_is_never_read_and_swept_later(tmp_path):
    folder = tmp_path / "higgs" / "parquet" / "uci"
    folder.mkdir(parents=True)
    old, new = folder / "all.parquet.1-a.partial", folder / "all.parquet.2-b.partial"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs())
    assert len(load("higgs", data_dir=tmp_path).y) == 60
    assert not old.exists()
    assert new.exists()  # another process may be writing it


def test_convert_from_a_folder_a_file_and_an_archive(tmp_path):
    sources = {f"{part}.csv": tiny.movielens_x1(seed=seed) for seed, part in enumerate(("train", "valid", "test"))}
    for file, text in sources.items():
        tiny.put(tmp_path / "elsewhere", file, text, ".gz")
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    result = run("convert", "movielens", "--from", tmp_path / "elsewhere", "--data-dir", one)
    assert result.exit_code == 0, result.output
    tiny.put(tmp_path, "some.csv", tiny.higgs())
    wrong = run("convert", "higgs", "--from", tmp_path / "some.csv", "--data-dir", two)
    assert wrong.exit_code == 1
    assert "does not have the files of higgs (uci: HIGGS.csv" in wrong.output
    assert run("convert", "higgs", "--from", tmp_path / "some.csv", "--layout", "uci", "--data-dir", two).exit_code == 0
    archive = tmp_path / "any.zip"
    archive.write_bytes(tiny.zipped(sources))
    assert run("convert", "movielens", "--from", archive, "--data-dir", three).exit_code == 0
    assert len(load("higgs", data_dir=two).y) == 60
    first, second = (load("movielens", data_dir=folder) for folder in (one, three))
    pd.testing.assert_frame_equal(first.X, second.X)
    # The sources are not needed any more.
    shutil.rmtree(tmp_path / "elsewhere")
    assert "movielens" in list_datasets(one)
    pd.testing.assert_frame_equal(load("movielens", data_dir=one).X, first.X)


def test_files_can_be_converted_one_by_one(tmp_path):
    for seed, part in enumerate(("kddb", "kddb.t")):
        path = tiny.put(tmp_path / "a", part, tiny.libsvm(seed=seed), ".bz2")
        result = run("convert", "kdd10", "--from", path, "--data-dir", tmp_path / "b")
        if part == "kddb":
            assert result.exit_code == 1
            assert "does not have the files of kdd10" in result.output
    assert run("convert", "kdd10", "--from", tmp_path / "a", "--data-dir", tmp_path / "b").exit_code == 0
    assert len(load("kdd10", data_dir=tmp_path / "b").y) == 80


def test_a_folder_closed_to_writing_stays_as_it_is(tmp_path, own_cache):
    data = tmp_path / "data"
    tiny.put(data / "higgs", "HIGGS.csv", tiny.higgs())
    for folder in (data / "higgs", data):
        folder.chmod(0o555)
    try:
        assert len(load("higgs", data_dir=data).y) == 60
        assert [path.name for path in data.rglob("*")] == ["higgs", "HIGGS.csv"]
        assert len(list(own_cache.rglob("all.parquet"))) == 1
    finally:
        for folder in (data, data / "higgs"):
            folder.chmod(0o755)


def test_two_data_folders_do_not_share_a_cache(tmp_path):
    info = registry()["higgs"]
    layout = info.layouts["uci"]
    folders = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir(mode=0o555)
        folders.append(_places.cache_folder(info, layout, tmp_path / name))
    assert folders[0] != folders[1]


def test_describe_tells_what_the_copy_is(tmp_path):
    tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs(), ".gz")
    before = sorted(tmp_path.rglob("*"))
    waiting = "not converted yet; run: python -m datasets convert higgs"
    assert describe("higgs", tmp_path).here == describe("higgs", tmp_path, "uci").here == waiting
    assert "not converted yet" in " ".join(run("describe", "higgs", "--data-dir", tmp_path).output.split())
    assert sorted(tmp_path.rglob("*")) == before  # describing only reads
    load("higgs", data_dir=tmp_path)
    info = describe("higgs", tmp_path)
    assert info.rows == 60
    assert "60 of 11,000,000 rows published (0.00%): a subset" in info.here
    assert "HIGGS.csv.gz is not the published file (its checksum differs)" in info.here
    output = run("describe", "higgs", "--data-dir", tmp_path).output
    assert "a subset" in " ".join(output.split())
    assert "AUC: cross entropy 0.823, hypersimplex 0.846" in " ".join(output.split())
    assert describe("higgs").rows == 11_000_000


def test_parquet_holds_what_the_text_held_in_small_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "BLOCK", 3_000)
    tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.higgs(200))
    data = load("higgs", data_dir=tmp_path)
    file = pq.ParquetFile(tmp_path / "higgs" / "parquet" / "uci" / "all.parquet")
    assert file.num_row_groups > 5
    np.testing.assert_array_equal(data.X.to_numpy(), np.random.default_rng(1).normal(size=(200, 28)).astype(np.float32))


def test_joined_tables_that_change_are_noticed(tmp_path, conversions):
    files = tiny.kkbox_raw()
    for name, text in files.items():
        tiny.put(tmp_path / "kkbox", name, text)
    before = load("kkbox", data_dir=tmp_path).X["bd"]
    tiny.put(tmp_path / "kkbox", "members.csv", files["members.csv"].replace(",20,", ",77,"))
    after = load("kkbox", data_dir=tmp_path).X["bd"]
    assert conversions == ["all", "all"]
    assert (before == 20).sum() == (after == 77).sum() > 0


def test_a_parquet_source_is_not_kept_in_memory(tmp_path, monkeypatch):
    """From pyarrow 25 on a file keeps, by default, all that was read from it."""
    monkeypatch.setattr(_convert, "BATCH", 4_096)
    n = 400_000
    numbers = np.random.default_rng(0).integers(0, 4_000, n)
    table = pa.table(
        {
            "date": pa.array(pd.Timestamp("2001-01-01") + pd.to_timedelta(np.sort(numbers), unit="h")),
            "delay": numbers - 2_000,
            "distance": numbers,
            "origin": np.where(numbers % 3, "LAS", "ATL"),
            "destination": np.where(numbers % 2, "PHL", "SAV"),
        }
    )
    path = tmp_path / "flights-3m.parquet"
    pq.write_table(table, path, row_group_size=n // 20, compression="none", use_dictionary=False)
    info, source = registry()["flights3m"], Source(path)
    layout = next(iter(info.layouts.values()))
    derive = published.hooks_of(info).derive(layout, source)
    del table
    before, held, rows = pa.total_allocated_bytes(), [], 0
    for one in _convert._Tables(layout, source, Malformed(source, 0), derive):
        rows += len(one)
        del one
        held.append(pa.total_allocated_bytes() - before)
    assert rows == n
    assert max(held) < path.stat().st_size / 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["higgs", "kdd10"])
def test_memory_does_not_grow_with_the_file(name, tmp_path):
    """`python -m datasets.measure_conversion` does the same with five million rows."""
    found = {}
    for rows in (40_000, 160_000):
        (tmp_path / str(rows)).mkdir()
        found[rows] = measure_conversion.measure(tmp_path / str(rows), rows, name)
        assert found[rows]["rows"] == rows
    assert found[160_000]["bytes"] > 80e6
    assert found[160_000]["peak"] < 1.2e9
    assert found[160_000]["peak"] < found[40_000]["peak"] + 250e6
