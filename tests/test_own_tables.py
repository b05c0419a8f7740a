"""Own tables whose columns have any name, type or value: neutral names for the boosters, the user's everywhere else."""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import _published as tiny
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from _commands import command, records

import datasets
from benchmarks.quality.tabular.splits import neutral
from datasets import DatasetError, load

pytestmark = [pytest.mark.truth, pytest.mark.usefixtures("own_cache")]
ROWS = 300
Y = np.arange(ROWS) % 3 // 2
NAMES = [
    *("price [EUR]", "x:y", "p<5", "f 1", "f_1", "f0", "", " ", "0", "1", "-1", "1.5", '"quoted"', "{a}", "[", "]"),
    *("größe", "価格", "😀", "tab\tname", "line\nend", "Y", "y ", "label", "None", "nan", "True", "a" * 500, "\\"),
    *("%s", "a.b", "a,b"),
]  # fmt: skip


def features(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [Y * (place % 3) + rng.normal(size=ROWS) for place in range(count)]


def put(folder: Path, table: pd.DataFrame | pa.Table, toml: str = 'label = "y"\n') -> Path:
    if isinstance(table, pd.DataFrame):
        table.to_parquet(folder / "mine.parquet")
    else:
        pq.write_table(table, folder / "mine.parquet")
    (folder / "mine.toml").write_text(toml, encoding="utf-8")
    return folder


def tabular(folder: Path) -> list[dict[str, Any]]:
    options = ("--losses", "l2,hypersimplex", "--seeds", "1", "--rounds", "4", "--threads", "1")
    out = folder / "out"
    result = command("tabular", out, "--datasets", "mine", "--data-dir", str(folder), *options)
    assert result.exit_code == 0, result.output
    return records(out)


def figures(record: dict[str, Any]) -> dict[str, Any]:
    return {key: record[key] for key in ("auc", "log_loss", "accuracy", "curve", "rounds", "valid_auc", "course")}


def test_any_name_trains_on_both_boosters_and_changes_no_figure(tmp_path):
    columns = features(len(NAMES))
    found = {}
    for case, names in {"odd": NAMES, "plain": [f"plain_{i}" for i in range(len(columns))]}.items():
        (tmp_path / case).mkdir()
        table = pd.DataFrame({**dict(zip(names, columns, strict=True)), "y": Y})
        found[case] = tabular(put(tmp_path / case, table))
    assert [run["booster"] for run in found["odd"]] == ["lightgbm"] * 2 + ["xgboost"] * 2
    for odd, plain in zip(found["odd"], found["plain"], strict=True):
        assert figures(odd) == figures(plain)
        assert odd["auc"] > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_kept_outside(name, tmp_path):
    folder = put(tmp_path, pd.DataFrame({name: features(1)[0], "other": features(2)[1], "y": Y}))
    data = load("mine", split="train", data_dir=folder)
    assert list(data.X.columns) == list(data.info.columns) == [name, "other"]
    values = np.array(features(1)[0])
    values[41] = -np.inf
    put(folder, pd.DataFrame({name: values, "other": values, "y": Y}))
    with pytest.raises(DatasetError) as caught:
        load("mine", data_dir=folder)
    assert f"mine.parquet: column {name!r} holds -inf in row 42 (of 1 such)" in str(caught.value)


def test_whole_numbers_and_pairs_as_names_are_the_texts_of_the_file(tmp_path):
    one, two = features(2)
    folder = put(tmp_path, pd.DataFrame({0: one, 1: two, 2: Y}), 'label = "2"\ndrop = ["1"]\n')
    assert list(load("mine", data_dir=folder).X.columns) == ["0"]
    put(folder, pd.DataFrame({("a", 1): one, ("b", 2): Y}), """label = "('b', '2')"\n""")
    assert list(load("mine", data_dir=folder).X.columns) == ["('a', '1')"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "a", "y"], r"2 columns are named 'a' \(columns 1, 2\); rename or drop all but one"),
        (["y", "a", "y"], r"2 columns are named 'y' \(columns 1, 3\)"),
        (["", "", "y"], r"2 columns are named '' \(columns 1, 2\)"),
    ],
)
def test_a_name_that_two_columns_have_is_refused(names, message, tmp_path):
    table = pa.table([pa.array(Y), pa.array(Y), pa.array(Y)], names=names)
    with pytest.raises(DatasetError, match=rf"mine\.parquet: {message}"):
        load("mine", data_dir=put(tmp_path, table))


VALUES: dict[str, Any] = {
    "inf": np.inf, "-inf": -np.inf, "1e+39": 1e39, "-1e+300": -1e300,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float64", "Float64", "float32"])
@pytest.mark.parametrize("shown", VALUES)
def test_infinities_name_column_and_row(shown, dtype, tmp_path):
    values = pd.Series(np.zeros(ROWS))
    values[[7, 99]] = VALUES[shown]
    with np.errstate(over="ignore"):
        values = values.astype(dtype)
    folder = put(tmp_path, pd.DataFrame({"x:y": values, "other": Y, "y": Y}))
    # float32 has no value between 3.4e38 and the infinities.
    found = shown if dtype != "float32" else f"{'-' if shown.startswith('-') else ''}inf"
    with pytest.raises(
        DatasetError, match="infinite as float32; make it missing, rescale the column, or drop it"
    ) as caught:
        load("mine", data_dir=folder)
    assert f"column 'x:y' holds {found} in row 8 (of 2 such)" in str(caught.value)
    put(folder, pd.DataFrame({"x:y": values, "other": Y, "y": Y}), 'label = "y"\ndrop = ["x:y"]\n')
    assert list(load("mine", data_dir=folder).X.columns) == ["other"]


def test_any_type_of_category_and_columns_without_values_train_on_both_boosters(tmp_path):
    """Levels that one booster or the other refuses as they are: truth values, dates, fractions, bytes, none."""
    code = np.arange(ROWS) % 4
    table = pd.DataFrame(
        {
            "bool": code > 1,
            "date": pd.to_datetime(code, unit="D"),
            "fraction": code / 2,
            "bytes": [b"%d" % value for value in code],
            "decimal": [decimal.Decimal(int(value)) for value in code],
            "infinite": np.where(code == 1, np.inf, code),
            "text": np.array(['{"a": 1}', "[x]", "", "ü"])[code],
            "none": [None] * ROWS,
            "nothing": [None] * ROWS,
            "missing": [np.nan] * ROWS,
            "constant": 1.0,
            "number": features(3)[2],
            "y": Y,
        }
    )
    categories = [*table.columns[:8]]
    folder = put(tmp_path, table, f'label = "y"\ncategorical = {categories}\n')
    data = load("mine", data_dir=folder)
    assert data.categorical == categories
    assert data.X["nothing"].isna().all()
    assert data.X["nothing"].dtype == data.X["missing"].dtype == "float64"
    runs = tabular(folder)
    assert [run["data"]["categorical"] for run in runs] == [8] * 4
    assert all(run["auc"] > 0.6 for run in runs)


def test_neutral_names_keep_values_and_missing_ones():
    table = pd.DataFrame({"a[": [1.5, np.nan, 2.0], "b": pd.Categorical(["x", None, "w"])}, index=[5, 3, 9])
    found = neutral(table)
    assert list(found.columns) == ["f0", "f1"]
    assert found.index.tolist() == [5, 3, 9]
    np.testing.assert_array_equal(found["f0"], [1.5, np.nan, 2.0])
    assert found["f1"].cat.categories.tolist() == [0, 1]
    assert found["f1"].cat.codes.tolist() == [1, -1, 0]


@pytest.mark.parametrize(
    ("columns", "toml", "message"),
    [
        ({}, 'label = "y"\n', "no feature is left beside 'y'"),
        ({"a": [[1]] * ROWS}, 'label = "y"\ncategorical = ["a"]\n', "column 'a' holds lists or structures"),
        ({"a": [{"b": 1}] * ROWS}, 'label = "y"\ncategorical = ["a"]\n', "column 'a' holds lists or structures"),
        ({"a": [[1]] * ROWS, "b": Y}, 'label = "a"\n', "column 'a' holds lists or structures"),
        ({"a": [[1]] * ROWS, "b": Y}, 'label = "y"\ngroup = "a"\n', "column 'a' holds lists or structures"),
        ({"a": [[1]] * ROWS, "b": Y}, 'label = "y"\nsplit_column = "a"\n', "column 'a' holds lists or structures"),
        (
            {"a": [[1]] * ROWS},
            'label = "y"\n',
            "column 'a' holds object, not numbers; list it under categorical or drop",
        ),
        ({"a": Y, "y": 0 * Y}, 'label = "y"\n', "'y' holds 0 only; two classes are needed"),
    ],
)
def test_what_is_no_table_of_features_is_refused(columns, toml, message, tmp_path):
    with pytest.raises(DatasetError, match=message):
        load("mine", data_dir=put(tmp_path, pd.DataFrame({"y": Y} | columns), toml))


@pytest.mark.parametrize("name", ["price [EUR]", "x:y", "p<5", "bd ", "{a}", "f 1"])
def test_streams_hand_over_names_that_the_booster_takes(name, tmp_path):
    """Published files may have further columns, of any name."""
    for part in ("train", "valid", "test"):
        text = tiny.kkbox_x1().replace("song_length", name, 1)
        tiny.put(tmp_path / "kkbox", f"{part}.csv", text)
    stream = datasets.stream("kkbox", split="train", data_dir=tmp_path)
    assert name in stream.columns
    matrix = xgb.QuantileDMatrix(stream.xgboost(), enable_categorical=True)
    assert matrix.num_col() == len(stream.columns)
    assert (matrix.feature_names == stream.columns) == (not set(name) & set("[]<"))
    data = stream.lightgbm({"verbosity": -1, "min_data_in_bin": 1, "min_data_in_leaf": 1}).construct()
    trained = lgb.train({"objective": "binary", "verbosity": -1, "min_data_in_leaf": 1}, data, 2)
    expected = [f"f{place}" for place in range(len(stream.columns))]
    if not set(name) & set(',:[]{}"'):
        expected = [column.replace(" ", "_") for column in stream.columns]
    assert trained.feature_name() == expected
