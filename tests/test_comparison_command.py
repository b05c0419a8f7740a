"""python -m hsboost compare: a file in, an answer out, one line for each mistake."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _boosters import make_data

from hsboost.comparison import ComparisonInterrupted, _command, _files, _training
from hsboost.comparison._command import main

X, Y = make_data(300, share=0.3)
DAYS = pd.date_range("2013-01-01", periods=60).strftime("%Y-%m-%d").repeat(5)
TABLE = pd.DataFrame(X, columns=list("abcde")).assign(
    city=np.where(X[:, 0] > 0, "north", "south"),
    flight=[f"flight {i}" for i in range(300)],
    day=DAYS,
    empty=np.nan,
    late=np.where(Y == 1, "yes", "no"),
    delay=np.where(Y == 1, 90.0, 3.0),
    weight=1.0,
)
TABLE.loc[::9, "b"] = np.nan
LATE = ["--label", "late", "--positive", "yes", "--drop", "delay", "--weight", "weight"]


@pytest.fixture
def file(tmp_path):
    TABLE.to_csv(tmp_path / "flights.csv", index=False)
    return str(tmp_path / "flights.csv")


@pytest.fixture
def made_up(monkeypatch):
    """Trainings that cost nothing; they remember their rows."""
    seen = []

    def run(trial, estimator, rows, split):
        seen.append((estimator, rows, split))
        figures = dict.fromkeys(("valid", "precision", "recall", "auc"), 0.1 + 0.01 * len(seen))
        return {**figures, "rounds": 3, "seconds": 0.5}

    monkeypatch.setattr(_training, "run", run)
    return seen


def test_a_file_gets_its_answer(file):
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    options = ["--k", "10%", "--trees", "3", "--splits", "2", "--repeats", "1", "--losses", "hypersimplex-fy,squared"]
    done = subprocess.run(
        [sys.executable, "-m", "hsboost", "compare", file, *LATE, *options],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "300 rows, 30 % positive; k: 10 %; XGBClassifier" in done.stdout
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if re.match(r"(log-loss|hypersimplex-fy|squared) ", line)] == [
        "log-loss", "hypersimplex-fy", "squared",
    ]  # fmt: skip
    assert "features: a, b, c, d, e, city" in done.stderr
    assert "6/6  split 2/2" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_command_it_says_what_there_is(capsys):
    assert main([]) == 0
    said = capsys.readouterr().out
    assert "compare" in said
    assert "python -m hsboost.precompile" in said
    with pytest.raises(SystemExit, match="0"):
        main(["compare", "--help"])
    assert "--label COLUMN" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "parquet"])
def test_kinds_of_files(kind, tmp_path):
    place = tmp_path / f"flights.{kind}"
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        TABLE.to_parquet(place)
    else:
        TABLE.to_csv(place, index=False, sep="\t" if kind == "tsv" else ",")
    found = _files.prepare(_files.read(place), label="late", positive="yes", drop=["delay", "weight"])
    assert found.X.columns.tolist() == ["a", "b", "c", "d", "e", "city"]
    assert found.X["city"].dtype == "category"
    assert np.isnan(found.X["b"][0])
    assert np.array_equal(found.y, Y)
    assert found.notes == [
        "left out (texts that differ in most rows): flight",
        "left out (dates and the like): day",
        "left out (empty): empty",
    ]


def test_parquet_without_a_reader_says_what_to_install(tmp_path, monkeypatch):
    def read_parquet(place):
        raise ImportError("no engine")

    monkeypatch.setattr(pd, "read_parquet", read_parquet)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(ValueError, match="pip install pyarrow"):
        _files.read(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        ({"label": "late", "positive": "yes"}, Y),
        ({"label": "late", "positive": "no"}, 1 - Y),
        ({"label": "delay", "above": 60.0}, Y),
        ({"label": "delay", "positive": "90"}, Y),
        ({"label": "delay", "positive": "90.0"}, Y),
        ({"label": "digit"}, Y),
        ({"label": "sign"}, Y),
        ({"label": "truth"}, Y),
    ],
)
def test_labels(options, labels):
    table = TABLE.assign(digit=Y.astype(int), sign=2.0 * Y - 1, truth=Y == 1)
    assert np.array_equal(_files.prepare(table, **options).y, labels)


def test_rows_without_a_label_are_left_out_and_counted():
    found = _files.prepare(TABLE.assign(late=TABLE["late"].where(TABLE.index % 3 != 0)), label="late", positive="yes")
    assert len(found.X) == 200
    assert found.X.index.tolist() == list(range(200))
    assert found.notes[0] == "100 rows without a label in 'late' are left out"


@pytest.mark.parametrize(
    ("options", "feature", "words"),
    [
        (["--groups", "day"], False, "60 groups"),
        (["--groups", "city"], True, "2 groups"),
        (["--groups", "city", "--new-groups", "--splits", "2"], False, None),
        (["--groups", "day", "--no-new-groups"], False, "60 groups"),
        (["--time", "day"], False, "in order of time"),
        (["--time", "day", "--groups", "day"], False, "60 groups"),
    ],
)
def test_groups_and_time(options, feature, words, file, made_up, capsys):
    status = main(["compare", file, *LATE, "--k", "3", *options, "--quiet"])
    if words is None:  # two towns are too few to hold some out
        assert status == 2
        assert "need 4 groups at least, and there are 2" in capsys.readouterr().err
        return
    assert status == 0
    captured = capsys.readouterr()
    assert words in captured.out
    assert captured.err == ""
    _, rows, split = made_up[0]
    assert ("city" in rows.X.columns) is ("city" not in options or feature)
    assert "day" not in rows.X.columns
    if options == ["--groups", "day"]:
        assert rows.k == 3
        assert not set(rows.codes[split.train]) & set(rows.codes[split.test])


def test_options_reach_the_trees(file, made_up):
    options = ["--trees", "7", "--learning-rate", "0.2", "--threads", "1", "--seed", "4", "--quiet"]
    assert main(["compare", file, *LATE, "--booster", "lightgbm", "--leaves", "9", *options]) == 0
    estimator, rows, _ = made_up[-1]
    params = estimator.get_params()
    assert (params["n_estimators"], params["learning_rate"], params["num_leaves"]) == (7, 0.2, 9)
    assert (params["random_state"], params["n_jobs"]) == (4, 1)
    assert rows.weight is not None
    assert main(["compare", file, *LATE, "--depth", "5", *options]) == 0
    assert made_up[-1][0].get_params()["max_depth"] == 5


def test_warnings_are_said_once(file, monkeypatch, capsys):
    def run(*arguments):
        warnings.warn("look at\nthis", UserWarning, stacklevel=1)
        warnings.warn("not for users", DeprecationWarning, stacklevel=1)
        figures = dict.fromkeys(("valid", "precision", "recall", "auc"), 0.5)
        return {**figures, "rounds": 3, "seconds": 0.5}

    monkeypatch.setattr(_training, "run", run)
    assert main(["compare", file, *LATE, "--losses", "focal"]) == 0
    said = capsys.readouterr().err
    assert said.count("warning: look at this\n") == 1
    assert "not for users" not in said


def test_figures_and_a_picture_are_written(file, made_up, tmp_path):
    pytest.importorskip("matplotlib")
    options = ["--csv", str(tmp_path / "figures.csv"), "--plot", str(tmp_path / "picture.png"), "--quiet"]
    assert main(["compare", file, *LATE, "--losses", "focal", *options]) == 0
    figures = pd.read_csv(tmp_path / "figures.csv", index_col="loss")
    assert figures.index.tolist() == ["log-loss", "focal"]
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_ctrl_c_prints_what_is_done(file, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise ComparisonInterrupted(None, 3, 9)

    monkeypatch.setattr(_command, "compare_losses", interrupted)
    assert main(["compare", file, *LATE, "--quiet"]) == 130
    said = capsys.readouterr().err
    assert "interrupted after 3 of 9 trainings; with --state FILE it could go on" in said
    assert main(["compare", file, *LATE, "--quiet", "--state", "x"]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err


def test_state_goes_on(file, made_up, tmp_path):
    command = ["compare", file, *LATE, "--losses", "focal", "--state", str(tmp_path / "state"), "--quiet"]
    assert main(command) == 0
    done = len(made_up)
    assert main(command) == 0
    assert len(made_up) == done
    assert main([*command, "--k", "5"]) == 2


#: Options after the file (None: another file); what the error says.
ERRORS = {
    "no such file": (["missing.csv", "--label", "late"], "missing.csv does not exist"),
    "a folder": ([".", "--label", "late"], "is a folder"),
    "another kind": (["table.xlsx", "--label", "late"], "ends in '.xlsx'; name a file that ends in .csv"),
    "no rows": (["empty.csv", "--label", "late"], "has no rows"),
    "nothing": (["nothing.csv", "--label", "late"], "cannot be read as text"),
    "no Parquet": (["bad.parquet", "--label", "late"], "cannot be read as Parquet|pip install pyarrow"),
    "another separator": (["semicolons.csv", "--label", "late"], "is another separator meant\\? --sep ';'"),
    "no such label": ([None, "--label", "lat"], "--label lat: there is no such column; did you mean 'late'\\?"),
    "no such group": ([None, *LATE, "--groups", "zzz"], "--groups zzz: there is no such column; columns: a, b"),
    "no such time": ([None, *LATE, "--time", "dayy"], "did you mean 'day'"),
    "no such weight": ([None, "--label", "late", "--weight", "w"], "--weight w: there is no such column"),
    "no such column to drop": ([None, *LATE, "--drop", "a,zzz"], "--drop zzz: there is no such column"),
    "label and group": ([None, *LATE, "--groups", "late"], "--groups late: this column is the label"),
    "label dropped": ([None, *LATE, "--drop", "late"], "--label late: this column is dropped, too"),
    "group dropped": ([None, *LATE, "--groups", "day", "--drop", "day"], "--groups day: this column is dropped, too"),
    "missing groups": ([None, *LATE, "--groups", "b"], "--groups b: 34 rows have none \\(first: row 0\\)"),
    "missing times": ([None, *LATE, "--time", "b"], "--time b: 34 rows have none"),
    "which is positive": ([None, "--label", "late"], "holds .*; say which is positive with --positive VALUE"),
    "many labels": ([None, "--label", "a"], "different labels, .* --positive VALUE, or from where on with --above"),
    "no such value": ([None, "--label", "late", "--positive", "maybe"], "--positive maybe: no row of 'late' has this"),
    "above of texts": ([None, "--label", "late", "--above", "3"], "--above 3 needs numbers"),
    "above everything": ([None, "--label", "delay", "--above", "99"], "no rows are above; 'delay' runs from 3 to 90"),
    "above nothing": ([None, "--label", "delay", "--above", "0"], "all rows are above"),
    "no label at all": ([None, "--label", "empty"], "no row has a label"),
    "no feature": ([None, *LATE, "--drop", "a,b,c,d,e,city"], "no column is left"),
    "leaves of XGBoost": ([None, *LATE, "--leaves", "9"], "--leaves 9 is for --booster lightgbm"),
    "unknown loss": ([None, *LATE, "--losses", "fokal"], "losses hold 'fokal', which is no loss"),
    "too many rows": ([None, *LATE, "--k", "300"], "k=300 is not below the 300 rows"),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_a_mistake_is_one_line(case, file, made_up, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("empty.csv").write_text("a,late\n")
    Path("nothing.csv").write_text("")
    Path("bad.parquet").write_text("no table")
    Path("semicolons.csv").write_text("a;late\n1;0\n")
    Path("table.xlsx").touch()
    (name, *options), message = ERRORS[case]
    assert main(["compare", file if name is None else name, *options, "--quiet"]) == 2
    said = capsys.readouterr().err
    assert re.search(message, said), said
    assert said.startswith("hsboost: ")
    assert said.count("\n") == 1
    assert not made_up


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--k", "1.5"], "k as a float is a share"),
        (["--k", "0.0"], "k as a float is a share"),
        (["--k", "120%"], "k as a float is a share"),
        (["--k", "-3"], "k as a count must be >= 0"),
        (["--k", "many"], "give a share as 0.05 or 5%, or a count as 200"),
        (["--splits", "0"], "give a whole number from 1"),
        (["--trees", "x"], "give a whole number from 1"),
        (["--positive", "yes", "--above", "3"], "not allowed with argument"),
        (["--booster", "catboost"], "invalid choice"),
    ],
)
def test_options_out_of_range(options, message, file, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["compare", file, "--label", "late", *options])
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("text", "budget"), [("0.05", 0.05), ("5%", 0.05), ("200", 200), ("12.5%", 0.125)])
def test_budgets_as_text(text, budget):
    found = _command.budget(text)
    assert type(found) is type(budget)
    assert found == pytest.approx(budget)
