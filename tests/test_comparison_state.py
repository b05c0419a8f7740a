"""A comparison that was interrupted goes on; one of other rows or settings does not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from _boosters import make_data
from lightgbm import LGBMClassifier
from scipy.sparse import csr_array
from xgboost import XGBClassifier

from hsboost import compare_losses
from hsboost.comparison import ComparisonInterrupted, _training
from hsboost.comparison._state import digest

X, Y = make_data(200)
Y = Y.astype(int)
SETTINGS = {
    "k": 0.1,
    "losses": ["focal", "squared"],
    "cv": 3,
    "repeats": 1,
    "estimator": XGBClassifier(n_estimators=2, n_jobs=1),
}


@pytest.fixture
def trainings(monkeypatch):
    """Trainings that cost nothing, listed as they happen; the one at place ``stop`` is interrupted."""

    class Trainings(list):
        stop = -1

        def run(self, trial, estimator, rows, split):
            if len(self) == self.stop:
                raise KeyboardInterrupt
            self.append(trial.key)
            rng = np.random.default_rng([len(trial.key), int(split.test[0])])
            figures = dict(zip(("valid", "precision", "recall", "auc"), rng.random(4).tolist(), strict=True))
            return {**figures, "rounds": 3, "seconds": 0.5}

    made = Trainings()
    monkeypatch.setattr(_training, "run", made.run)
    return made


@pytest.mark.parametrize("stop", [0, 1, 4, 8])
def test_an_interrupted_comparison_goes_on(stop, trainings, tmp_path):
    whole = compare_losses(X, Y, **SETTINGS)
    file = tmp_path / "state"
    trainings.clear()
    trainings.stop = stop
    with pytest.raises(ComparisonInterrupted, match=f"interrupted after {stop} of 9 trainings") as stopped:
        compare_losses(X, Y, **SETTINGS, state=file)
    partial = stopped.value.partial
    complete = stop // 3
    if complete:
        assert "Interrupted: " in partial.description
        assert f"{complete} of 3 splits" in partial.description
        pd.testing.assert_frame_equal(partial.splits, whole.splits[whole.splits["split"] < complete])
    else:
        assert partial is None
    trainings.stop = -1
    lines: list[str] = []
    again = compare_losses(X, Y, **SETTINGS, state=file, verbose=lines.append)
    assert len(trainings) == 9
    pd.testing.assert_frame_equal(again.frame, whole.frame)
    assert ("were done before" in lines[0]) == (stop > 0)
    compare_losses(X, Y, **SETTINGS, state=file)
    assert len(trainings) == 9


def test_ctrl_c_is_a_keyboard_interrupt_without_a_state_file_too(trainings):
    trainings.stop = 6
    with pytest.raises(KeyboardInterrupt) as stopped:
        compare_losses(X, Y, **SETTINGS)
    assert stopped.value.partial.splits["split"].nunique() == 2


def test_losses_may_be_added(trainings, tmp_path):
    compare_losses(X, Y, **SETTINGS, state=tmp_path / "state")
    trainings.clear()
    more = compare_losses(X, Y, **SETTINGS | {"losses": ["squared", "hinge"]}, state=tmp_path / "state")
    assert trainings == ["hinge"] * 3
    assert more.frame.index.tolist() == ["log-loss", "squared", "hinge"]


def test_splits_may_be_added_and_left_out_again(trainings, tmp_path):
    one = compare_losses(X, Y, **SETTINGS, state=tmp_path / "state")
    trainings.clear()
    two = compare_losses(X, Y, **SETTINGS | {"repeats": 2}, state=tmp_path / "state")
    assert len(trainings) == 9
    pd.testing.assert_frame_equal(two.splits.iloc[:9], one.splits)
    again = compare_losses(X, Y, **SETTINGS, state=tmp_path / "state")
    assert len(trainings) == 9
    pd.testing.assert_frame_equal(again.frame, one.frame)


OTHER = X.copy()
OTHER[7, 1] += 1.0
#: What is changed, and what the error says was.
CHANGES = {
    "rows": ({"X": OTHER}, "X changed"),
    "missing values": ({"X": np.where(X > 2, np.nan, X)}, "X changed"),
    "labels": ({"y": 1 - Y}, "y changed"),
    "k": ({"k": 0.2}, r"k was 0\.1, is 0\.2"),
    "weights": ({"sample_weight": np.ones(200)}, "sample_weight changed"),
    "groups": ({"groups": np.arange(200) // 4, "cv": 3}, "groups changed"),
    "splits": ({"cv": 4}, "splits changed"),
    "seed": ({"random_state": 1}, "splits changed"),
    "trees": ({"estimator": XGBClassifier(n_estimators=3, n_jobs=1)}, "estimator changed|estimator was"),
    "booster": ({"estimator": LGBMClassifier(n_estimators=2)}, "estimator"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_another_comparison_is_refused(case, trainings, tmp_path):
    compare_losses(X, Y, **SETTINGS, state=tmp_path / "state")
    before = (tmp_path / "state").read_bytes()
    changed, message = CHANGES[case]
    with pytest.raises(ValueError, match=f"is of another comparison: .*({message})"):
        compare_losses(**({"X": X, "y": Y} | SETTINGS | changed), state=tmp_path / "state")
    assert (tmp_path / "state").read_bytes() == before


def test_a_line_cut_short_is_trained_again(trainings, tmp_path):
    file = tmp_path / "state"
    whole = compare_losses(X, Y, **SETTINGS, state=file)
    content = file.read_bytes()
    for end in (len(content) - 5, content.index(b"\n") + 1, 10, 0):
        file.write_bytes(content[:end])
        trainings.clear()
        again = compare_losses(X, Y, **SETTINGS, state=file)
        assert len(trainings) == (1 if end > 1000 else 9)
        pd.testing.assert_frame_equal(again.frame, whole.frame)
        assert len(file.read_bytes().splitlines()) == 10
        assert all(json.loads(line) for line in file.read_bytes().splitlines())


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "[]\n", '{"a": 1}\n', "\n\n"])
def test_other_files_are_left_alone(content, trainings, tmp_path):
    file = tmp_path / "table.csv"
    file.write_text(content)
    with pytest.raises(ValueError, match="is not a file of a comparison"):
        compare_losses(X, Y, **SETTINGS, state=file)
    assert file.read_text() == content


def test_a_later_format_is_refused(trainings, tmp_path):
    file = tmp_path / "state"
    file.write_text('{"hsboost compare": 99, "of": {}}\n')
    with pytest.raises(ValueError, match="has format 99, and this version reads 1"):
        compare_losses(X, Y, **SETTINGS, state=file)


def test_one_process_writes_a_state_file(trainings, tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    file = tmp_path / "state"
    compare_losses(X, Y, **SETTINGS, state=file)
    with open(file, "r+b") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="is in use by another comparison"):
            compare_losses(X, Y, **SETTINGS, state=file)
    compare_losses(X, Y, **SETTINGS, state=file)


FRAME = pd.DataFrame({"a": [1.0, np.nan], "b": pd.Categorical(["x", "y"])})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (FRAME, FRAME.rename(columns={"a": "c"})),
        (FRAME, FRAME[::-1]),
        (FRAME, FRAME.assign(b=pd.Categorical(["x", "z"]))),
        (np.eye(2), np.eye(2, dtype=np.float32)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (csr_array(np.eye(3)), csr_array(2 * np.eye(3))),
        (np.array(["a", "b"], dtype=object), np.array(["a", "c"], dtype=object)),
    ],
)
def test_digests_tell_contents_apart(one, other):
    assert digest(one) == digest(one.copy())
    assert digest(one) != digest(other)
    assert digest(None) is None


def test_digests_read_polars_and_arrow():
    polars = pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    for make in (polars.DataFrame, pyarrow.table):
        assert digest(make({"a": [1, 2]})) == digest(make({"a": [1, 2]}))
        assert digest(make({"a": [1, 2]})) != digest(make({"a": [1, 3]}))
