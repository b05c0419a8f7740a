"""``python -m benchmarks training``: its report agrees with its runs; and how all speed figures are measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _commands import check_refused, command, records

from benchmarks.suite import measure
from benchmarks.suite.requirements import Requirement
from benchmarks.trainings import training as training_run
from benchmarks.trainings.boosters import BOOSTERS
from benchmarks.trainings.data import COLUMNS, make_data
from benchmarks.trainings.figures import Trainings
from benchmarks.trainings.objectives import OBJECTIVES, Stopwatch, squared_error
from benchmarks.trainings.training_report import requirements

PNG = b"\x89PNG\r\n\x1a\n"
TRAINING = ("--rows", "400", "--rounds", "3", "--repeats", "2", "--threads", "1")


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished training benchmark."""
    out = tmp_path_factory.mktemp("training") / "new"
    result = command("training", out, *TRAINING)
    assert result.exit_code == 0, result.output
    return out


def test_training_requirements_pair_ratios_within_a_repeat() -> None:
    def turn(repeat: int, **seconds: float) -> dict[str, Any]:
        return {
            "booster": "xgboost",
            "rows": 1_000_000,
            "repeat": repeat,
            "objectives": {name: {"seconds": found} for name, found in seconds.items()},
        }

    turns = [
        turn(0, hypersimplex=1.0, trivial=1.0, log_loss=0.5),
        turn(1, hypersimplex=2.1, trivial=2.0, log_loss=2.0),
        turn(2, hypersimplex=9.9, trivial=9.0, log_loss=9.0),
    ]
    found = requirements(Trainings(turns, BOOSTERS))
    assert [target.measured for target in found] == [pytest.approx(1.05), pytest.approx(1.1), None, None]
    assert [target.verdict for target in found[1:]] == ["met", "not measured", "not measured"]


def test_a_target_knows_its_direction() -> None:
    assert Requirement("fast", 2.0, 3.0).verdict == "met"
    assert Requirement("faster", 2.0, 3.0, at_least=True).verdict == "not met"
    assert Requirement("unknown", None, 3.0).to_json()["verdict"] == "not measured"


# ---- training --------------------------------------------------------------------------------------------------


def test_training_files_agree_with_the_runs(training: Path) -> None:
    result = json.loads((training / "results.json").read_text(encoding="utf-8"))
    turns = records(training)
    assert result["runs"] == sorted(turns, key=lambda r: (r["booster"] != "xgboost", r["repeat"]))
    assert len(turns) == 2 * 2
    assert len(result["rows"]) == 2 * len(OBJECTIVES)
    for row in result["rows"]:
        own = [t["objectives"] for t in turns if t["booster"] == row["booster"]]
        ratios = [t[row["objective"]]["seconds"] / t["trivial"]["seconds"] for t in own]
        assert row["ratio_to_trivial"]["median"] == pytest.approx(np.median(ratios))
        custom = OBJECTIVES[row["objective"]].custom is not None
        assert (row["share_inside_objective"] is not None) == custom
        assert all(len(t[row["objective"]]["calls"]) == (3 if custom else 0) for t in own)
        assert row["leaves"] > 1
        if custom:
            assert 0.0 < row["share_inside_objective"] < 1.0
    assert (training / "training.png").read_bytes().startswith(PNG)
    text = (training / "table.md").read_text(encoding="utf-8")
    assert "needs 1e6 rows" in text
    assert "HyperSimplex" in text


def test_training_resumes_and_redraws(training: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (training / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(b"".join(lines[:-1]))
    train_once, trained = training_run.train_once, []

    def interrupted(*args: Any) -> Any:
        trained.append(args[2].name)
        if len(trained) == 2:
            raise KeyboardInterrupt
        return train_once(*args)

    monkeypatch.setattr(training_run, "train_once", interrupted)
    stopped = command("training", tmp_path, *TRAINING)
    assert stopped.exit_code == 130
    assert "3 of 4 turns are kept" in stopped.output
    assert command("training", tmp_path, *TRAINING).exit_code == 0
    # The second repeat begins with the second objective.
    assert trained[0] == list(OBJECTIVES)[1]
    assert len(trained) == 2 + len(OBJECTIVES)
    table = (tmp_path / "table.md").read_bytes()
    assert command("training", tmp_path, "--report-only").exit_code == 0
    assert (tmp_path / "table.md").read_bytes() == table


def test_training_data_are_seeded_and_learnable() -> None:
    X, y = make_data(5_000)
    again, _ = make_data(5_000)
    np.testing.assert_array_equal(X, again)
    assert X.shape == (5_000, COLUMNS)
    assert X.dtype == y.dtype == np.float32
    assert np.isfinite(X).all()
    assert 0.4 < y.mean() < 0.6


def test_a_stopwatch_survives_lightgbms_copies() -> None:
    import copy

    class Labels:
        def get_label(self) -> np.ndarray:
            return np.array([0.0, 1.0], np.float32)

    watch = Stopwatch(squared_error)
    assert copy.deepcopy({"objective": watch})["objective"] is watch
    gradient, hessian = watch(np.array([0.5, 0.5]), Labels())
    assert gradient.tolist() == [0.5, -0.5]
    assert gradient.dtype == hessian.dtype == np.float32
    assert len(watch.seconds) == 1


# ---- measuring -------------------------------------------------------------------------------------------------


def test_methods_take_turns_spread_over_the_rounds() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in "abc"}
    found = measure.interleaved(calls, {"a": 1, "b": 2, "c": 1}, {"a": 4, "b": 4, "c": 2})
    # The first call of each turn is not timed.
    assert "".join(order) == "aabbb" + "aabbbcc" + "aabbb" + "aabbbcc"
    assert {name: len(seconds) for name, seconds in found.items()} == {"a": 4, "b": 4, "c": 2}


def test_peak_memory_counts_what_a_call_needs() -> None:
    def needs() -> np.ndarray:
        scratch = np.ones(4_000_000)
        return scratch[:1_000_000].copy()

    found = measure.extra_peak_bytes(needs)
    if found is None:
        pytest.skip("this system does not tell a process its peak memory")
    peak, output = found
    assert output == 8_000_000
    assert 38_000_000 < peak < 60_000_000


def test_pinning_is_undone() -> None:
    import numba

    before = numba.get_num_threads()
    with measure.pinned(1):
        assert numba.get_num_threads() == 1
    assert numba.get_num_threads() == before


# ---- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--rows", "5"], ["--rows", "'5'", "at least 100"]),
        (["--boosters", "catboost"], ["--boosters", "'catboost'", "xgboost, lightgbm"]),
        (["--rounds", "0"], ["--rounds", "at least 1", "got 0"]),
        (["--repeats", "0"], ["--repeats", "at least 1", "got 0"]),
        (["--threads", "100000"], ["--threads", "cores are available"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
    ],
)
def test_a_bad_option_gets_one_clear_error(given: list[str], words: list[str], tmp_path: Path) -> None:
    check_refused(command("training", tmp_path / "out", *given), words)


@pytest.mark.parametrize("name", ["kernels", "training"])
def test_an_unwritable_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = command(name, tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: --out: cannot write to")
