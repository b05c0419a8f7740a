"""training_history_ and verbose: what happened round by round, in numbers and on stderr."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from _models import BOOSTERS, binary, multi, small, stopping, trained_rounds

from hsboost import HSClassifier, HypersimplexLoss
from hsboost.estimators._history import History

X, Y = binary()
X3, Y3 = multi()
GROUPS = np.random.default_rng(4).integers(0, 6, len(Y))
HYPERSIMPLEX = pytest.mark.parametrize("loss", ["hypersimplex", "hypersimplex-fy"])


@BOOSTERS
@HYPERSIMPLEX
@pytest.mark.parametrize(
    ("classes", "grouped", "shape"), [(2, False, ()), (2, True, (6,)), (3, False, (3,)), (3, True, (3, 6))]
)
def test_one_entry_per_round(booster: str, loss: str, classes: int, grouped: bool, shape: tuple[int, ...]) -> None:
    rows, labels = (X, Y) if classes == 2 else (X3, Y3)
    groups = GROUPS if grouped else None
    model = HSClassifier(small(booster, n_estimators=5), loss=loss, k=0.2).fit(rows, labels, groups=groups)
    history = model.training_history_
    assert list(history) == ["iteration", "soft_threshold", "active_share"]
    assert history["iteration"] == [0, 1, 2, 3, 4]
    assert [np.shape(one) for one in history["soft_threshold"]] == [shape] * 5
    assert [np.shape(one) for one in history["active_share"]] == [() if classes == 2 else (3,)] * 5
    share = np.array(history["active_share"])
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert share[0].min() == 1.0  # all scores are equal, and every row is active


@BOOSTERS
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_thresholds_are_those_of_the_scores_that_the_round_began_with(
    booster: str, classes: int, grouped: bool
) -> None:
    rows, labels = (X, Y) if classes == 2 else (X3, Y3)
    groups = GROUPS if grouped else None
    model = HSClassifier(small(booster, n_estimators=5), k=0.3, loss="hypersimplex").fit(rows, labels, groups=groups)
    loss = HypersimplexLoss(k=0.3)
    for i in range(1, 5):
        if booster == "xgboost":
            raw = model.estimator_.predict(rows, output_margin=True, iteration_range=(0, i))
        else:
            raw = model.estimator_.predict(rows, raw_score=True, num_iteration=i)
        expected = loss.soft_threshold(labels, raw, groups=groups)
        np.testing.assert_allclose(model.training_history_["soft_threshold"][i], expected, atol=1e-5)


def test_the_active_share_is_the_weight_between_zero_and_one() -> None:
    weight = np.random.default_rng(0).uniform(0.5, 2.0, len(Y))
    model = HSClassifier(small("lightgbm", n_estimators=25, learning_rate=0.5), k=0.3, loss="hypersimplex").fit(
        X, Y, sample_weight=weight
    )
    raw = model.estimator_.predict(X, raw_score=True, num_iteration=24)
    curvature = HypersimplexLoss(k=0.3).boosting_step(Y, raw, weight, None)[1]
    active = np.isclose(curvature, weight, rtol=1e-5)  # the others have the floor
    assert 0.0 < active.mean() < 1.0
    assert model.training_history_["active_share"][24] == pytest.approx(weight[active].sum() / weight.sum(), abs=1e-6)


@BOOSTERS
@pytest.mark.parametrize("loss", ["log-loss", "hinge", "focal"])
def test_losses_without_a_threshold_leave_the_rounds_alone(booster: str, loss: str) -> None:
    model = HSClassifier(small(booster, n_estimators=4), loss=loss).fit(X, Y)
    assert model.training_history_ == {"iteration": [0, 1, 2, 3]}


@BOOSTERS
def test_rounds_after_the_best_one_are_recorded_too(booster: str) -> None:
    estimator, extra = stopping(booster)
    model = HSClassifier(estimator, k=0.2).fit(X, Y, eval_set=binary(300, seed=11), **extra)
    assert 4 < len(model.training_history_["soft_threshold"]) == trained_rounds_grown(model) < 60


def trained_rounds_grown(model: HSClassifier) -> int:
    """Rounds that were grown; LightGBM forgets those after the best one, but not how often it looked."""
    found = model.estimator_
    if hasattr(found, "evals_result_"):
        return len(next(iter(next(iter(found.evals_result_.values())).values())))
    return trained_rounds(model)


def test_fitting_again_begins_a_new_record() -> None:
    model = HSClassifier(small("xgboost", n_estimators=5)).fit(X, Y)
    first = model.training_history_
    model.set_params(estimator__n_estimators=3).fit(X, Y)
    assert len(first["iteration"]) == 5
    assert len(model.training_history_["iteration"]) == 3


@BOOSTERS
def test_the_record_survives_and_the_callback_does_not(booster: str) -> None:
    model = HSClassifier(small(booster), k=3, verbose=0).fit(X3, Y3, groups=GROUPS)
    assert model.objective_.on_round is None
    assert b"hsboost.estimators._history" not in pickle.dumps(model)
    restored = pickle.loads(pickle.dumps(model))
    np.testing.assert_equal(restored.training_history_, model.training_history_)
    assert model.estimator_.get_params()["objective"] is model.objective_
    assert copy.deepcopy(model).training_history_.keys() == model.training_history_.keys()


# What is printed


@BOOSTERS
@pytest.mark.parametrize(
    ("verbose", "rounds"),
    [(1, [0, 1, 2, 3, 4, 5, 6]), (True, [0, 1, 2, 3, 4, 5, 6]), (np.int64(3), [0, 3, 6]), (100, [0])],
)
def test_every_so_many_rounds_a_line_goes_to_stderr(
    booster: str, verbose: int, rounds: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    model = HSClassifier(small(booster, n_estimators=7), k=0.2, verbose=verbose).fit(X, Y, eval_set=(X, Y))
    out, err = capfd.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert [line.partition("]")[0] for line in lines] == [f"[{i}" for i in rounds]
    threshold = model.training_history_["soft_threshold"][rounds[-1]]
    assert f"threshold {threshold:.6g}, active {model.training_history_['active_share'][rounds[-1]]:.1%}" in lines[-1]


@BOOSTERS
@pytest.mark.parametrize(
    ("settings", "arguments", "pattern"),
    [
        ({"k": 0.2}, {"groups": GROUPS}, " to "),
        ({"loss": "log-loss"}, {}, "[0]\n"),
    ],
)
def test_lines_of_groups_and_of_other_losses(
    booster: str, settings: Any, arguments: Any, pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    HSClassifier(small(booster), verbose=2, **settings).fit(X, Y, **arguments)
    out, err = capfd.readouterr()
    assert out == ""
    assert pattern in err
    assert len(err.splitlines()) == 3


@BOOSTERS
def test_silence_is_the_default(booster: str, capfd: pytest.CaptureFixture[str]) -> None:
    estimator, extra = stopping(booster)
    HSClassifier(estimator).fit(X, Y, eval_set=(X, Y), **extra)
    HSClassifier(booster).fit(X[:60], Y[:60])
    HSClassifier(booster, verbose=-1).fit(X[:60], Y[:60])
    assert capfd.readouterr() == ("", "")


def test_a_record_by_itself() -> None:
    class State:
        def __init__(self, cut: Any, active_share: Any) -> None:
            self.soft_threshold, self.active_share = cut, active_share

    one, several, none = History(0), History(0), History(0)
    one(State(0.5, 1.0))
    several(State(np.array([0.5, 1.5]), np.array([1.0, 0.5])))
    none(None)
    assert one.finished() == {"iteration": [0], "soft_threshold": [0.5], "active_share": [1.0]}
    np.testing.assert_array_equal(several.finished()["soft_threshold"], [[0.5, 1.5]])
    np.testing.assert_array_equal(several.finished()["active_share"], [[1.0, 0.5]])
    assert none.finished() == {"iteration": [0]}
