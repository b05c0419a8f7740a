"""What benchmarks keep of unfinished work: a search's trials and a network's state, never taken up altered."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.quality.tabular import tuning
from benchmarks.quality.tabular.settings import Settings
from benchmarks.suite.options import OptionError

pytestmark = pytest.mark.truth
KEY = ("mine", "lightgbm", "hypersimplex", 0)
Y = np.arange(40) % 4 // 3


class Prepared:
    """Trains nothing: the score is the learning rate asked for."""

    def __init__(self) -> None:
        self.calls = 0

    def train(self, loss: Any, score: Any, rounds: int, trees: Any = None) -> Any:
        self.calls += 1
        return SimpleNamespace(raw_valid=np.full(3, trees["learning_rate"]))


def search(out: Path, trials: int) -> tuple[tuning.Tuned, int]:
    settings = Settings(None, 5, "auc", None, 1, protocol="tuned", trials=trials, tune_seconds=1e9)
    digests = {"train": "a", "valid": "b", "test": "c"}
    splits: Any = SimpleNamespace(train=SimpleNamespace(y=Y), facts={"digest": digests})
    prepared: Any = Prepared()
    found = tuning.tune(KEY, splits, prepared, lambda raw: float(raw[0]), settings, out)
    return found, prepared.calls


def test_a_search_goes_on_and_finished_trials_are_taken_up(tmp_path):
    first, calls = search(tmp_path, 3)
    assert (first.trials, calls) == (3, 3)
    assert first.default_score == 0.1
    again, calls = search(tmp_path, 3)
    assert (again, calls) == (first, 0)
    assert search(tmp_path, 4)[1] == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trial_values SET value = value + 1e-9 WHERE trial_id = 2",
        "UPDATE trial_params SET param_value = param_value * 1.01 WHERE trial_id = 2 AND param_name = 'learning_rate'",
        "UPDATE trial_user_attributes SET value_json = '0.5' WHERE trial_id = 2 AND key = 'seconds'",
        "DELETE FROM trial_user_attributes WHERE trial_id = 2 AND key = 'seconds'",
        "DELETE FROM trial_user_attributes WHERE trial_id = 2 AND key = 'checksum'",
    ],
)
def test_an_altered_trial_is_named(statement, tmp_path):
    search(tmp_path, 3)
    with sqlite3.connect(tmp_path / tuning.DATABASE) as database:
        assert database.execute(statement).rowcount == 1
    database.close()
    with pytest.raises(OptionError, match=r"^--out: trial 1 in .*trials\.db was altered or damaged.*--fresh"):
        search(tmp_path, 3)


@pytest.mark.parametrize("content", [b"no database " * 50, b"SQLite format 3\0" + b"x" * 5000])
def test_a_damaged_database_is_named(content, tmp_path):
    (tmp_path / tuning.DATABASE).write_bytes(content)
    with pytest.raises(OptionError, match=r"^--out: .*trials\.db cannot be read or written .*--fresh"):
        search(tmp_path, 3)


def test_a_damaged_state_of_a_network_is_left_alone(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from benchmarks.quality.vision import train
    from benchmarks.quality.vision.plan import Case
    from benchmarks.quality.vision.plan import Settings as VisionSettings
    from datasets.vision import load_images

    settings = VisionSettings(2, 60, 4, 1e-3, 0.1, 1.5, False, "float32", "cpu", 1)
    case = Case("digits", 32, "ce", 0)
    data = train.resident(load_images("digits"), settings, 0)
    monkeypatch.setattr(train, "KEPT_EVERY", 0.0)
    whole = train.run_case(case, settings, data, {}, tmp_path)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for bit in map(int, np.linspace(0, 8 * len(content) - 1, 6)):
        wrong = bytearray(content)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        training = train.Training(case, settings, data)
        with pytest.warns(UserWarning, match="is damaged, or of an earlier version; its run starts"):
            training.resume(path, "facts")
        assert training.epoch == 0
    path.write_bytes(content[: len(content) // 2])
    said: list[str] = []
    with pytest.warns(UserWarning, match="is damaged"):
        again = train.run_case(case, settings, data, {}, tmp_path, said.append)
    assert len(said) == 2
    assert again["curves"]["train_loss"] == whole["curves"]["train_loss"]
    assert [kept.name for kept in tmp_path.iterdir()] == [path.name]
