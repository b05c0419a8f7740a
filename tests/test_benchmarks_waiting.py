"""``python -m benchmarks waiting``: every row runs on few data rows, and the report says what the runs found."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from _commands import check_refused, command, records

import hsboost
from benchmarks.suite.options import OptionError
from benchmarks.suite.profiling import longest, profile
from benchmarks.trainings import waiting
from benchmarks.trainings.waiting_report import WaitingReport, ratios
from benchmarks.trainings.waiting_rows import PROFILE, ROWS
from benchmarks.trainings.waiting_worker import measured

PACKAGE = Path(hsboost.__file__).parent
SMALL = ("--rows", "far_3", "--scale", "0.001", "--turns", "2", "--repeats", "2", "--threads", "1")


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if row.make is not None])
def test_every_row_runs(name: str) -> None:
    # LambdaMART needs no more than 10,000 rows a group, and a booster some rows to train.
    found = measured(ROWS[name], 0.03 if name.startswith(("queue", "groups")) else 0.01, 1)
    assert {len(samples) for samples in found.values()} == {1}
    assert found.keys() == {"measured", "base"}


def test_builds_take_turns(tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(PACKAGE, other / "hsboost", ignore=shutil.ignore_patterns("__pycache__"))
    out = tmp_path / "out"
    result = command("waiting", out, *SMALL, "--against", str(other))
    assert result.exit_code == 0, result.output
    runs = records(out)
    assert [(run["row"], run["turn"]) for run in runs] == [("far_3", 0), ("far_3", 1), ("far_3", PROFILE)]
    assert runs[2]["this"]["profile"][0]["share"] > 0.0
    (entry,) = json.loads((out / "results.json").read_text())["rows"]
    for build in ("this", "other"):
        assert entry[build] == pytest.approx([sum(ratios(run, build)) / 2 for run in runs[:2]])
    assert "far_3" in (out / "table.md").read_text()


def report(*runs: dict[str, Any]) -> WaitingReport:
    return WaitingReport({"settings": {"threads": 1, "scale": 1.0}}, {}, list(runs))


def turn(row: str, this: Any, other: Any = None, number: int = 0) -> dict[str, Any]:
    return {"row": row, "turn": number, "this": this, "other": other}


def test_misses_and_failures_are_shown() -> None:
    slow = {"measured": [3.0, 3.0, 9.0], "base": [1.0, 1.0, 1.0]}
    found = report(
        turn("sorted_10", slow, {"failed": "no such name"}),
        turn("classes_rows", {"failed": "out of memory"}),
        turn("first_fit", {"measured": [1.0]}, {"measured": [4.0]}),
        turn("first_fit", {"measured": [2.0]}, {"measured": [4.0]}, 1),
        turn("first_fit_cached", {"measured": [1.0]}),
        turn("groups_lambdamart", {"measured": [7.0], "base": [1.0]}),
    )
    required = {one.claim: one for one in found.requirements()}
    verdicts = {row: required[ROWS[row].claim].verdict for row in found.found}
    assert verdicts == {
        "sorted_10": "not met", "classes_rows": "not measured", "first_fit": "met", "first_fit_cached": "not measured",
        "groups_lambdamart": "met",
    }  # fmt: skip
    assert required[ROWS["first_fit"].claim].measured == pytest.approx(0.375)
    assert required[ROWS["sorted_10"].claim].measured == pytest.approx(3.0)
    assert required[ROWS["classes_rows"].claim].note == "failed: out of memory"
    assert required[ROWS["first_fit_cached"].claim].note == "needs --against"
    assert any("no such name" in note for note in found.notes())


def test_the_profile_of_a_miss_is_shown() -> None:
    told = {"profile": [{"where": "hsboost/a: f", "seconds": 2e-3, "share": 0.75}]}
    slow, quick = ({"measured": [time], "base": [1.0]} for time in (3.0, 1.0))
    runs = [turn("sorted_10", slow), turn("sorted_1000", quick)]
    runs += [turn(row, told, number=PROFILE) for row in ("sorted_10", "sorted_1000", "far_0")]
    found = report(*runs)
    assert found.of("sorted_10", "this") == [3.0]
    (table,) = [one for one in found.tables() if "misses" in one.title]
    assert [[cell.text for cell in row] for row in table.rows] == [["sorted_10", "hsboost/a: f", "75 %", "2 ms"]]
    by_row = {one["row"]: one["profile"] for one in found.summary()["rows"]}
    assert by_row == {"sorted_10": told["profile"], "sorted_1000": told["profile"]}


def test_the_longest_functions_come_first_and_share_all_time() -> None:
    own = {
        ("~", 0, "<built-in method numpy.empty>"): 1.0,
        (f"{PACKAGE}/a.py", 3, "f"): 5.0,
        (f"{PACKAGE}/a.py", 9, "f"): 2.0,
    }
    found = longest(own, 2)
    assert [(one["where"], one["seconds"], one["share"]) for one in found] == [
        ("hsboost/a: f", 3.5, 0.875),
        ("numpy.empty", 0.5, 0.125),
    ]
    assert longest({}, 1) == []


def test_the_profile_names_the_function_that_takes_the_time() -> None:
    def busy() -> int:
        return sum(i * i for i in range(200_000))

    assert any("busy" in one["where"] or "genexpr" in one["where"] for one in profile(busy))


def test_the_stages_of_a_first_fit_are_told(tmp_path: Path) -> None:
    turns = waiting.Turns(waiting.Settings(1, 1.0, 1, None), None, tmp_path)
    found = turns(("first_fit", PROFILE), None, lambda words: None)  # type: ignore[arg-type]
    stages = {one["where"]: one["seconds"] for one in found["this"]["profile"]}
    assert stages["compiling kernels, or reading compiled ones"] > 0.0
    assert stages["import of Numba"] > 0.0
    assert sum(one["share"] for one in found["this"]["profile"]) == pytest.approx(1.0)


def test_the_fit_alone_takes_less_than_its_process(tmp_path: Path) -> None:
    turns = waiting.Turns(waiting.Settings(1, 1.0, 1, None), None, tmp_path)
    start = perf_counter()
    found = turns(("first_fit_alone", 0), None, lambda words: None)["this"]  # type: ignore[arg-type]
    assert 0.0 < found["measured"][0] < perf_counter() - start


def test_a_first_fit_finds_bytecode_whatever_the_shell_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package has it; without it a process compiles every module of every library."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    turns = waiting.Turns(waiting.Settings(1, 1.0, 1, None), None, tmp_path)
    row = dataclasses.replace(
        ROWS["first_fit"], script="import hsboost.losses, sys; assert not sys.dont_write_bytecode"
    )
    monkeypatch.setitem(waiting.ROWS, "first_fit", row)
    assert turns(("first_fit", 0), None, lambda words: None)["this"]["measured"][0] > 0.0  # type: ignore[arg-type]
    written = {path.name.partition(".")[0] for path in (tmp_path / "bytecode").rglob("*.pyc")}
    assert {"hypersimplex", "_problems", "dispatcher"} <= written  # hsboost's, and Numba's


def test_a_failure_does_not_say_where_the_build_lies(tmp_path: Path) -> None:
    said = f"Traceback\nImportError: no such name ({tmp_path}/hsboost/__init__.py)\n"
    assert waiting._last_words(said, tmp_path) == "ImportError: no such name (hsboost/__init__.py)"
    assert waiting._last_words("", tmp_path) == "no message"


def test_a_wheel_is_unpacked(tmp_path: Path) -> None:
    wheel = tmp_path / "hsboost-0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("hsboost/__init__.py", "")
    folder = waiting._build(wheel, tmp_path / "out")
    assert (folder / "hsboost" / "__init__.py").is_file()
    with pytest.raises(OptionError, match="holds no package hsboost"):
        waiting._build(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--rows", "sorted_7"], ["--rows", "sorted_7", "sorted_10"]),
        (["--scale", "2"], ["--scale", "(0, 1]", "2"]),
        (["--turns", "0"], ["--turns", "1", "0"]),
        (["--against", "nowhere.whl"], ["--against", "nowhere.whl", "pip install"]),
    ],
)
def test_a_bad_option_gets_one_clear_error(given: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("waiting", tmp_path, *given), words)


def test_the_committed_report_has_every_row() -> None:
    """A report drawn for some rows only was published once."""
    path = Path(__file__).parents[1] / "docs" / "results" / "waiting"
    table = (path / "table.md").read_text(encoding="utf-8")
    assert [row for row in ROWS if f"| {row} |" not in table] == []
    assert [one.claim for one in ROWS.values() if f"| {one.claim} |" not in table] == []
