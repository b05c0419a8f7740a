"""Each published layout loads: right columns, types, labels, groups and split, from tiny files of that very form."""

from __future__ import annotations

import dataclasses
import hashlib

import _published as tiny
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import datasets
from datasets import DatasetError, load, load_splits
from datasets.registry import registry

pytestmark = pytest.mark.usefixtures("own_cache")


def three(writer):
    return {f"{part}.csv": writer(seed=seed) for seed, part in enumerate(("train", "valid", "test"))}


# Name of the case -> (set, layout, files, sizes of the splits).
CASES = {
    "higgs": ("higgs", "uci", {"HIGGS.csv": tiny.higgs()}, [36, 12, 12]),
    "flight, train alone": ("flight", "benchm-ml", {"train-0.1m.csv": tiny.flight(372)}, [223, 75, 74]),
    "flight, with test": (
        "flight",
        "benchm-ml",
        {"train-1m.csv": tiny.flight(), "test.csv": tiny.flight(20)},
        [54, 6, 20],
    ),
    "flight, all three": (
        "flight",
        "benchm-ml",
        {"train-10m.csv": tiny.flight(), "valid.csv": tiny.flight(15), "test.csv": tiny.flight(20)},
        [60, 15, 20],
    ),
    "kdd10 libsvm": ("kdd10", "libsvm", {"kddb": tiny.libsvm(), "kddb.t": tiny.libsvm(12, 1)}, [38, 2, 12]),
    "kdd10 log": ("kdd10", "log", {"algebra_2005.tsv": tiny.student_log()}, [36, 12, 12]),
    "kdd10 datashop": ("kdd10", "datashop", {"bridge_to_algebra_2008_2009_train.txt": tiny.datashop()}, [36, 12, 12]),
    "kdd12 libsvm": ("kdd12", "libsvm", {"kdd12.tr": tiny.libsvm(), "kdd12.val": tiny.libsvm(12, 1)}, [38, 2, 12]),
    "kdd12 log": ("kdd12", "log", {"click_prediction_small.csv": tiny.kdd12_log()}, [36, 12, 12]),
    "kdd12 training": ("kdd12", "training", {"training.txt": tiny.kdd12_training()}, [36, 12, 12]),
    "criteo x1": ("criteo", "x1", three(tiny.criteo_x1), [30, 30, 30]),
    "criteo raw": ("criteo", "raw", {"train.txt": tiny.criteo_raw()}, [18, 6, 6]),
    "criteo raw with header": ("criteo", "raw", {"criteo_head_30.tsv": tiny.criteo_raw(header=True)}, [18, 6, 6]),
    "avazu x1": ("avazu", "x1", three(tiny.avazu_x1), [30, 30, 30]),
    "avazu raw": ("avazu", "raw", {"train.csv": tiny.avazu_raw()}, [18, 6, 6]),
    "kkbox x1": ("kkbox", "x1", three(tiny.kkbox_x1), [30, 30, 30]),
    "kkbox raw": ("kkbox", "raw", tiny.kkbox_raw(), [18, 6, 6]),
    "movielens x1": ("movielens", "x1", three(tiny.movielens_x1), [30, 30, 30]),
    "movielens afn": (
        "movielens",
        "afn",
        {f"{part}.libsvm": tiny.movielens_afn(seed=s) for s, part in enumerate(("train", "valid", "test"))},
        [30, 30, 30],
    ),
    "movielens ratings": ("movielens", "ratings", {"ml-100k.inter": tiny.movielens_ratings()}, [36, 12, 12]),
}


def write(case, folder, ending=""):
    name, _, files, _ = CASES[case]
    for file, text in files.items():
        tiny.put(folder / name, file, text, ending)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_every_layout_loads(case, tmp_path):
    name, layout, _, sizes = CASES[case]
    folder = write(case, tmp_path)
    parts = load_splits(name, data_dir=folder)
    assert [len(part.y) for part in parts] == sizes
    info = parts[0].info
    assert info.layout == layout
    assert info.rows == sum(sizes)
    whole = load(name, data_dir=folder)
    assert len(whole.y) == info.rows
    assert whole.y.dtype == np.int8
    assert whole.y.mean() == pytest.approx(info.positive_rate)
    assert 0.2 < info.positive_rate < 0.5
    assert name in datasets.list_datasets(folder)
    if registry()[name].layouts[layout].sparse:
        assert whole.X.shape == (info.rows, registry()[name].layouts[layout].features)
        assert (whole.groups, info.columns) == (None, ())
    else:
        assert list(whole.X.columns) == list(info.columns)
        assert whole.categorical == list(info.categorical)
        for column in whole.X:
            assert isinstance(whole.X[column].dtype, pd.CategoricalDtype) == (column in whole.categorical)
    assert (whole.groups is None) == (info.group is None or registry()[name].layouts[layout].sparse)


@pytest.mark.parametrize("case", CASES)
def test_no_feature_is_the_label_or_marked_as_left_out(case, tmp_path):
    name = CASES[case][0]
    folder = write(case, tmp_path)
    load(name, data_dir=folder)
    info = datasets.describe(name, folder)
    assert info.label not in info.columns
    for column in info.columns:
        assert not any(text.split(":")[0] == column for text in info.left_out)


@pytest.mark.parametrize("case", ["kdd12 libsvm", "higgs", "criteo raw", "movielens ratings"])
@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz"])
def test_compressed_files_give_the_same(case, ending, tmp_path):
    name = CASES[case][0]
    plain, packed = (load(name, data_dir=write(case, tmp_path / (e or "plain"), e)) for e in ("", ending))
    np.testing.assert_array_equal(plain.y, packed.y)
    if hasattr(plain.X, "nnz"):
        assert (plain.X != packed.X).nnz == 0
    else:
        pd.testing.assert_frame_equal(plain.X, packed.X)


@pytest.mark.parametrize("folder", ["", "Criteo_x1/"])
def test_the_published_archive_is_read_as_it_is(folder, tmp_path, monkeypatch):
    """The members' checksums count, so the registry's are replaced by those of the tiny files."""
    files = three(tiny.criteo_x1)
    (tmp_path / "criteo").mkdir()
    (tmp_path / "criteo" / "Criteo_x1.zip").write_bytes(tiny.zipped(files, folder))
    with pytest.raises(DatasetError, match=r"Criteo_x1\.zip \(.*train\.csv\): md5 is [0-9a-f]{32}, expected 30b89c1c"):
        load("criteo", data_dir=tmp_path)
    info = registry()["criteo"]
    members = {name: "md5:" + hashlib.md5(text.encode()).hexdigest() for name, text in files.items()}
    changed = dataclasses.replace(info, files=(dataclasses.replace(info.files[0], members=members),))
    monkeypatch.setitem(registry(), "criteo", changed)
    parts = load_splits("criteo", data_dir=tmp_path)
    assert [len(part.y) for part in parts] == [30, 30, 30]
    assert "is the published file by its checksum" in parts[0].info.here


def test_values_are_those_of_the_file(tmp_path):
    """Higgs: the numbers come back as the float32 they were printed from."""
    data = load("higgs", data_dir=write("higgs", tmp_path))
    expected = np.random.default_rng(1).normal(size=(60, 28)).astype(np.float32)
    np.testing.assert_array_equal(data.X.to_numpy(), expected)
    np.testing.assert_array_equal(data.y, tiny.labels(60))
    assert data.X.columns[0] == "lepton_pt"


def test_higgs_takes_the_last_rows_of_the_whole_file_as_test():
    from datasets.loaders import higgs

    part = higgs.split(11_000_000)
    assert np.bincount(part).tolist() == [10_000_000, 500_000, 500_000]
    assert (part[-500_000:] == 2).all()
    assert (part[:10_000_000] == 0).all()
    assert higgs.split(10_999_999) is None


def test_flight_numbers_and_days(tmp_path):
    data = load("flight", data_dir=write("flight, train alone", tmp_path))
    assert data.X.loc[13, ["Month", "DayofMonth", "DayOfWeek"]].tolist() == [2, 14, 7]
    np.testing.assert_array_equal(data.y, tiny.labels(372))
    assert len(np.unique(data.groups)) == 372
    dates = pd.factorize(data.X["Month"] * 100 + data.X["DayofMonth"], sort=True)[0]
    np.testing.assert_array_equal(data.groups, dates)


def test_whole_groups_stay_in_one_split(tmp_path):
    for case in ("flight, train alone", "kdd12 log"):
        seen = [set(part.groups) for part in load_splits(CASES[case][0], data_dir=write(case, tmp_path))]
        assert not seen[0] & seen[1]
        assert not (seen[0] | seen[1]) & seen[2]


def test_kdd10_validation_is_the_end_of_train(tmp_path):
    folder = write("kdd10 libsvm", tmp_path)
    train, valid, test = load_splits("kdd10", data_dir=folder)
    np.testing.assert_array_equal(np.r_[train.y, valid.y], tiny.labels(40))
    np.testing.assert_array_equal(test.y, tiny.labels(12, 1))
    # Row i has a 1 in column 9 + i, counted from 0.
    assert [valid.X[i].indices[1] for i in range(2)] == [9 + 38, 9 + 39]
    assert valid.X[0].data.tolist() == [0.5, 1.0, 0.25]
    assert valid.X[0].indices[2] == 29_890_094


@pytest.mark.parametrize("case", ["kdd10 log", "movielens ratings"])
def test_later_rows_of_a_user_are_never_before_earlier_ones(case, tmp_path):
    name = CASES[case][0]
    folder = write(case, tmp_path)
    text = next(iter(CASES[case][2].values())).splitlines()[1:]
    table = datasets._table(name, folder)
    part = datasets._splits.assign(table, 0)
    time = np.array([float(line.split("\t")[2 if "log" in case else 3]) for line in text])
    for group in np.unique(table.groups):
        mine = table.groups == group
        assert np.bincount(part[mine]).tolist() == [12, 4, 4]
        for earlier in (0, 1):
            assert time[mine & (part == earlier)].max() < time[mine & (part == earlier + 1)].min()
    np.testing.assert_array_equal(part, datasets._splits.assign(table, 5))


def test_clicks_in_file_order_are_cut_by_time(tmp_path):
    parts = load_splits("criteo", data_dir=write("criteo raw", tmp_path), seed=3)
    np.testing.assert_array_equal(np.concatenate([part.y for part in parts]), tiny.labels(30))


def test_missing_values_stay_missing(tmp_path):
    data = load("criteo", data_dir=write("criteo raw", tmp_path))
    rows = np.arange(30)
    for k in range(13):
        np.testing.assert_array_equal(data.X[f"I{k + 1}"].isna(), (rows + k) % 5 == 0)
    for k in range(26):
        np.testing.assert_array_equal(data.X[f"C{k + 1}"].isna(), (rows + k) % 6 == 0)
    numbers = load("criteo", data_dir=tmp_path, encoding="as_numbers")
    np.testing.assert_array_equal(numbers.X["C1"].isna(), rows % 6 == 0)


def test_avazu_time(tmp_path):
    data = load("avazu", data_dir=write("avazu raw", tmp_path))
    np.testing.assert_array_equal(data.X["hour_of_day"], np.arange(30) % 24)
    assert set(data.X["weekday"]) == {1}  # 21 October 2014 was a Tuesday
    assert set(data.groups) == {0}
    assert not {"id", "hour"} & set(data.X.columns)


def test_kkbox_header_decides_and_quotes_are_read(tmp_path):
    folder = write("kkbox x1", tmp_path)
    data = load("kkbox", split="train", data_dir=folder)
    assert "song_length" in data.X.columns
    assert data.X["artist_name"].iloc[1] == 'The "Band" 1'
    assert data.X["source_screen_name"].iloc[0] == "Local, playlist"
    np.testing.assert_array_equal(data.groups, np.arange(30) % 6)
    assert data.X["gender"].isna().sum() == 20


def test_files_of_two_downloads_are_not_mixed(tmp_path):
    folder = write("kkbox x1", tmp_path)
    rows = tiny.kkbox_x1(seed=2).splitlines()
    tiny.put(folder / "kkbox", "test.csv", tiny.lines([row + ",x" for row in rows[1:]], rows[0] + ",composer"))
    with pytest.raises(
        DatasetError, match=r"kkbox: the test file has not the columns of the others \(composer differ\)"
    ):
        load("kkbox", data_dir=folder)


def test_kkbox_raw_tables_are_joined(tmp_path):
    data = load("kkbox", data_dir=write("kkbox raw", tmp_path))
    songs = np.arange(30) % 9
    np.testing.assert_array_equal(data.X["song_length"], 247_640 + songs)
    assert data.X["artist_name"].iloc[4] == 'Singer, "4"\nand friends'
    users = np.arange(30) % 6
    np.testing.assert_array_equal(data.X["bd"], np.where(users == 5, np.nan, 20 + users))
    (tmp_path / "kkbox" / "songs.csv").unlink()
    with pytest.raises(
        DatasetError, match=r"songs\.csv not found; KKBox's raw train\.csv needs members\.csv and songs"
    ):
        load("kkbox", data_dir=tmp_path)


def test_movielens_forms_of_one_table_agree(tmp_path):
    first = load("movielens", data_dir=write("movielens x1", tmp_path / "a"))
    second = load("movielens", data_dir=write("movielens afn", tmp_path / "b"))
    pd.testing.assert_frame_equal(first.X, second.X)
    np.testing.assert_array_equal(first.y, second.y)
    np.testing.assert_array_equal(first.groups, second.groups)


def test_datashop_log_keeps_what_is_known_before_the_attempt(tmp_path):
    data = load("kdd10", data_dir=write("kdd10 datashop", tmp_path))
    assert list(data.X.columns) == [
        "Anon Student Id",
        "Problem Hierarchy",
        "Problem Name",
        "Problem View",
        "Step Name",
        "KC(SubSkills)",
        "Opportunity(SubSkills)",
    ]
    assert data.X["Step Name"].iloc[1] == 'x+1="2"'
    assert data.X["KC(SubSkills)"].isna().sum() == 12


def test_kdd12_training_counts_clicks(tmp_path):
    data = load("kdd12", data_dir=write("kdd12 training", tmp_path))
    np.testing.assert_array_equal(data.y, tiny.labels(60))


def test_flights3m_makes_label_and_calendar(tmp_path):
    n = 300
    time = pd.date_range("2001-01-01 00:01", periods=n, freq="7h", unit="us")
    delay = np.arange(n) % 40 - 10
    table = pa.table(
        {
            "date": pa.array(time),
            "delay": delay,
            "distance": np.arange(n),
            "origin": pa.array(["LAS", "ATL", "MCI"] * 100, pa.large_string()),
            "destination": pa.array(["PHL", "SAV"] * 150, pa.large_string()),
        }
    )
    (tmp_path / "flight").mkdir()
    pq.write_table(table, tmp_path / "flight" / "flights-3m.parquet")
    data = load("flights3m", data_dir=tmp_path)
    np.testing.assert_array_equal(data.y, delay >= 15)
    np.testing.assert_array_equal(data.X["hour"], time.hour)
    np.testing.assert_array_equal(data.X["weekday"], time.day_of_week)
    np.testing.assert_array_equal(data.groups, pd.factorize(time.date)[0])
    assert data.categorical == ["origin", "destination"]
    assert not {"delay", "date"} & set(data.X.columns)


def test_a_layout_can_be_asked_for(tmp_path):
    write("criteo raw", tmp_path)
    write("criteo x1", tmp_path)
    assert load("criteo", data_dir=tmp_path).info.layout == "x1"
    assert load("criteo", data_dir=tmp_path, layout="raw").info.layout == "raw"
    with pytest.raises(DatasetError, match="layout: unknown value 'x2', known are x1, raw"):
        load("criteo", data_dir=tmp_path, layout="x2")
    with pytest.raises(DatasetError, match="layout: 'adult' has one form only"):
        load("adult", layout="x1")


def test_files_that_are_not_there_are_named(tmp_path):
    with pytest.raises(
        DatasetError,
        match=r"'criteo' is known, but its files are not in .*criteo; run: python -m datasets fetch criteo; or put "
        r"there, .* train\.csv \+ valid\.csv \+ test\.csv \(x1\) or train\.txt \(raw\)",
    ):
        load("criteo", data_dir=tmp_path)
    tiny.put(tmp_path / "criteo", "train.csv", tiny.criteo_x1())
    with pytest.raises(DatasetError, match=r"\(x1; only train: .*train\.csv is there\)"):
        load("criteo", data_dir=tmp_path)
    assert "criteo" not in datasets.list_datasets(tmp_path)
    assert datasets.describe("criteo", tmp_path).here.startswith("not here; run: python -m datasets fetch")
