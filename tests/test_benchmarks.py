"""``python -m benchmarks tabular``: its report agrees with its runs, it resumes, it refuses clearly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _commands import check_refused, command, records
from _shop import write_shop

from benchmarks.quality.tabular import evaluate, run
from benchmarks.quality.tabular.losses import DEFAULT_LOSSES, LOSSES
from benchmarks.quality.tabular.settings import key_of
from benchmarks.suite.options import OptionError
from benchmarks.suite.store import RunStore
from datasets._sealed import seal, unseal

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small data set: numbers, a category, missing values, 30 % positive."""
    folder = tmp_path_factory.mktemp("data")
    write_shop(folder, np.random.default_rng(0), missing=True)
    return folder


def tabular(data_dir: Path, out: Path, *more: str, seeds: int = 2) -> Any:
    """Run the command on the small data set; an option given in ``more`` overrides the one here."""
    options = ["--datasets", "shop", "--data-dir", str(data_dir), "--threads", "1", "--rounds", "6"]
    return command("tabular", out, *options, "--seeds", str(seeds), *more)


@pytest.fixture(scope="module")
def finished(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete benchmark: two boosters, three losses, two seeds."""
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    result = tabular(data_dir, out)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The runs that are really trained, in order."""
    done: list[Any] = []
    run_once = run.run_once

    def counted(key: Any, *args: Any) -> Any:
        done.append(key)
        return run_once(key, *args)

    monkeypatch.setattr(run, "run_once", counted)
    return done


def without_times(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if not name.startswith("seconds")}


# ---- what is written -------------------------------------------------------------------------------------


def test_every_combination_is_run_once(finished: Path) -> None:
    keys = [key_of(record) for record in records(finished)]
    assert len(keys) == len(set(keys)) == 2 * 3 * 2
    assert {key[1:3] for key in keys} == {
        (booster, loss) for booster in ("lightgbm", "xgboost") for loss in ("l2", "log-loss", "hypersimplex")
    }


def test_figures_are_sane(finished: Path) -> None:
    for record in records(finished):
        assert 0.8 < record["auc"] <= 1.0  # the labels are easy: every loss must learn them
        assert 1 <= record["rounds"] <= record["rounds_trained"] <= 6
        assert record["seconds"] > 0
        assert (record["own_log_loss"] is None) == (record["loss"] != "log-loss")
        assert record["curve"][-1] == pytest.approx(record["data"]["prevalence"])
        assert record["data"]["rows"] == {"train": 540, "valid": 180, "test": 180}


def test_losses_of_a_seed_share_their_split(finished: Path) -> None:
    digests: dict[int, set[str]] = {}
    for record in records(finished):
        digests.setdefault(record["seed"], set()).add(json.dumps(record["data"]["digest"], sort_keys=True))
    assert all(len(found) == 1 for found in digests.values())
    assert digests[0] != digests[1]


def test_results_json_agrees_with_the_runs(finished: Path) -> None:
    result = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    runs = records(finished)
    assert sorted(map(key_of, result["runs"])) == sorted(map(key_of, runs))
    assert result["seeds"] == [0, 1]
    assert result["settings"]["rounds"] == 6
    assert {"hsboost", "lightgbm", "xgboost", "numpy"} <= result["versions"].keys()
    assert result["environment_of_the_report"]["hardware"]["cores"] >= 1
    for row in result["rows"]:
        for key in ("auc", "precision_5%", "accuracy", "log_loss", "seconds", "rounds"):
            values = _values(runs, row, row["loss"], key)
            assert row[key]["mean"] == pytest.approx(np.mean(values))
            assert row[key]["std"] == pytest.approx(np.std(values, ddof=1))
    assert len(result["differences_to_log_loss"]) == 2 * 2 * len(evaluate.METRICS)
    for gap in result["differences_to_log_loss"]:
        ours, base = (_values(runs, gap, loss, gap["metric"]) for loss in (gap["loss"], "log-loss"))
        assert gap["mean"] == pytest.approx(np.mean(np.subtract(ours, base)))


def _values(runs: list[dict[str, Any]], row: dict[str, Any], loss: str, key: str) -> list[float]:
    return [record[key] for record in runs if (record["booster"], record["loss"]) == (row["booster"], loss)]


def test_table_agrees_with_the_runs(finished: Path) -> None:
    text = (finished / "table.md").read_text(encoding="utf-8")
    for booster, label in (("lightgbm", "LightGBM"), ("xgboost", "XGBoost")):
        for loss, adapter in ((name, LOSSES[name]) for name in DEFAULT_LOSSES):
            found = [r["auc"] for r in records(finished) if (r["booster"], r["loss"]) == (booster, loss)]
            row = re.escape(f"| {label} | {adapter.label} | ") + r"\**"
            figures = re.escape(f"{np.mean(found):.4f} ±{np.std(found, ddof=1):.4f}")
            assert len(re.findall(row + figures, text)) == 2  # the AUC table and the data set's own
    assert "540 training, 180 validation and 180 test rows" in text
    assert "CC0-1.0" in text


def test_plots_are_images(finished: Path) -> None:
    for name in ("precision_at_k_shop.png", "differences.png"):
        assert (finished / name).read_bytes().startswith(PNG)


def test_one_seed_and_no_baseline_still_give_a_report(data_dir: Path, tmp_path: Path) -> None:
    options = ("--losses", "hypersimplex", "--boosters", "lightgbm", "--selection", "precision@10%")
    result = tabular(data_dir, tmp_path, *options, seeds=1)
    assert result.exit_code == 0
    assert "validation precision@10%" in result.output.replace("\n", " ")
    assert "Log loss was not run" in result.output
    assert not (tmp_path / "differences.png").exists()


# ---- resuming --------------------------------------------------------------------------------------------


def test_a_finished_benchmark_trains_nothing_again(
    data_dir: Path, finished: Path, tmp_path: Path, trained: list[Any]
) -> None:
    (tmp_path / "runs.jsonl").write_bytes((finished / "runs.jsonl").read_bytes())
    assert tabular(data_dir, tmp_path).exit_code == 0
    assert trained == []
    assert (tmp_path / "table.md").read_bytes() == (finished / "table.md").read_bytes()


def test_killed_and_resumed_gives_the_same_numbers(
    data_dir: Path, finished: Path, tmp_path: Path, trained: list[Any]
) -> None:
    lines = (finished / "runs.jsonl").read_bytes().splitlines(keepends=True)
    # Ten runs and half of the eleventh, as a killed process leaves them.
    (tmp_path / "runs.jsonl").write_bytes(b"".join(lines[:11]) + lines[11][: len(lines[11]) // 2])
    result = tabular(data_dir, tmp_path)
    assert result.exit_code == 0
    assert "cut short" in " ".join(result.output.split())  # lines end where a long path makes them
    assert trained == [key_of(record) for record in records(finished)[10:]]
    assert list(map(without_times, records(tmp_path))) == list(map(without_times, records(finished)))


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(
    data_dir: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: list[Any]
) -> None:
    counted = run.run_once

    def interrupted(key: Any, *args: Any) -> Any:
        if len(trained) == 5:
            raise KeyboardInterrupt
        return counted(key, *args)

    monkeypatch.setattr(run, "run_once", interrupted)
    result = tabular(data_dir, tmp_path)
    assert result.exit_code == 130
    assert "5 of 12 runs are kept" in result.output
    monkeypatch.setattr(run, "run_once", counted)
    assert tabular(data_dir, tmp_path).exit_code == 0
    assert len(trained) == 12
    assert list(map(without_times, records(tmp_path))) == list(map(without_times, records(finished)))


def test_more_seeds_keep_the_runs_already_made(
    data_dir: Path, finished: Path, tmp_path: Path, trained: list[Any]
) -> None:
    (tmp_path / "runs.jsonl").write_bytes((finished / "runs.jsonl").read_bytes())
    assert tabular(data_dir, tmp_path, seeds=3).exit_code == 0
    assert {key[3] for key in trained} == {2}
    assert len(trained) == 6


def test_report_only_redraws_without_training(
    data_dir: Path, finished: Path, tmp_path: Path, trained: list[Any]
) -> None:
    (tmp_path / "runs.jsonl").write_bytes((finished / "runs.jsonl").read_bytes())
    result = command("tabular", tmp_path, "--report-only")
    assert result.exit_code == 0
    assert (tmp_path / "table.md").read_bytes() == (finished / "table.md").read_bytes()
    only = command("tabular", tmp_path, "--report-only", "--boosters", "xgboost")
    assert only.exit_code == 0
    assert "| LightGBM |" not in (tmp_path / "table.md").read_text(encoding="utf-8")
    assert trained == []


def test_other_settings_are_not_mixed(data_dir: Path, finished: Path, tmp_path: Path, trained: list[Any]) -> None:
    (tmp_path / "runs.jsonl").write_bytes((finished / "runs.jsonl").read_bytes())
    result = tabular(data_dir, tmp_path, "--rounds", "5")
    assert result.exit_code == 2
    assert "settings.rounds was 6, is 5" in result.stderr
    assert "--fresh" in result.stderr
    assert trained == []
    assert (tmp_path / "runs.jsonl").read_bytes() == (finished / "runs.jsonl").read_bytes()
    fresh = tabular(data_dir, tmp_path, "--rounds", "5", "--fresh", "--boosters", "lightgbm", seeds=1)
    assert fresh.exit_code == 0
    assert len(records(tmp_path)) == len(trained) == 3


def test_changed_data_are_not_mixed(data_dir: Path, finished: Path, tmp_path: Path) -> None:
    lines = (finished / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    first = unseal(lines[1].encode())
    first["data"]["digest"]["train"] = "0" * 12
    (tmp_path / "runs.jsonl").write_text("\n".join([lines[0], seal(first)]) + "\n", encoding="utf-8")
    result = tabular(data_dir, tmp_path)
    assert result.exit_code == 2
    assert "the data have changed" in result.stderr


def test_a_damaged_line_in_the_middle_is_an_error(finished: Path, tmp_path: Path) -> None:
    lines = (finished / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(b"".join([*lines[:2], b"{]\n", *lines[3:]]))
    with pytest.raises(OptionError, match="line 3 of"):
        RunStore(tmp_path / "runs.jsonl", key_of)


def test_a_damaged_first_line_starts_over(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "runs.jsonl").write_bytes(b'{"shared": {"sett')
    result = tabular(data_dir, tmp_path, "--boosters", "lightgbm", "--losses", "l2,log-loss", seeds=1)
    assert result.exit_code == 0
    assert len(records(tmp_path)) == 2


# ---- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--datasets", "shop,nowhere"], ["--datasets", "'nowhere'", "shop", "adult"]),
        (["--datasets", "shop, higgs"], ["'higgs' is not at hand; fetch it", "--data-dir", "at hand:", "shop"]),
        (["--boosters", "catboost"], ["--boosters", "'catboost'", "lightgbm, xgboost"]),
        (["--losses", "l2,hinges"], ["--losses", "'hinges'", "l2, log-loss, hypersimplex"]),
        (["--losses", ","], ["--losses", "','"]),
        (["--seeds", "0"], ["--seeds", "at least 1", "got 0"]),
        (["--rounds", "0"], ["--rounds", "at least 1", "got 0"]),
        (["--rows", "-1"], ["--rows", "at least 0", "got -1"]),
        (["--rows", "2"], ["--rows", "one class only"]),
        (["--threads", "0"], ["--threads", "at least 1", "got 0"]),
        (["--selection", "f1"], ["--selection", "'f1'", "auc", "precision@prevalence"]),
        (["--selection", "precision@150%"], ["--selection", "'precision@150%'"]),
        (["--data-dir", "no-such-folder"], ["--data-dir", "no-such-folder", "not a folder"]),
        (["--report-only"], ["--report-only", "no finished runs"]),
        (["--protocol", "best"], ["--protocol", "'best'", "quick, paper, fair, tuned"]),
        (["--trials", "3"], ["--trials", "--protocol tuned", "--protocol quick"]),
        (["--tune-seconds", "3"], ["--tune-seconds", "--protocol tuned"]),
        (["--protocol", "tuned", "--trials", "0"], ["--trials", "at least 1", "got 0"]),
        (["--protocol", "tuned", "--tune-seconds", "-1"], ["--tune-seconds", "above 0", "got -1"]),
        (["--protocol", "paper"], ["--datasets", "'shop'", "higgs"]),
        (["--protocol", "paper", "--boosters", "xgboost"], ["--datasets"]),
        (["--losses", "hypersimplex-published"], ["--losses", "'hypersimplex-published'"]),
    ],
)
def test_a_bad_option_gets_one_clear_error(
    options: list[str], words: list[str], data_dir: Path, tmp_path: Path
) -> None:
    check_refused(tabular(data_dir, tmp_path / "out", *options), words)


def test_an_unwritable_folder_is_refused(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    result = tabular(data_dir, tmp_path / "file" / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: --out: cannot write to")
