"""After an error in fit an estimator is what it was before: fitted as it was, or not at all."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _models import BOOSTERS, N, binary, multi, small
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from hsboost import HSClassifier
from hsboost.estimators import _boosters, _calibration
from hsboost.losses import HypersimplexLoss

pytestmark = pytest.mark.truth

X, Y = binary()
NEW, Y_NEW = binary(300, seed=5)
FRAME = pd.DataFrame(NEW, columns=list("abcde"))
GROUPS = np.arange(N) % 3


class OwnError(Exception):
    """Raised in the midst of a fit."""


def at_round(booster: str, error: type[BaseException]) -> dict[str, Any]:
    """Arguments of ``fit``, and settings of the booster, with which a callback raises in the third round."""
    if booster == "xgboost":

        class Raise(xgb.callback.TrainingCallback):
            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                if epoch == 2:
                    raise error
                return False

        return {"settings": {"estimator__callbacks": [Raise()]}}

    def stop(env: Any) -> None:
        if env.iteration == 2:
            raise error

    return {"fit": {"callbacks": [stop]}}


def raising(error: type[BaseException]) -> Callable[..., Any]:
    def function(*_: Any, **__: Any) -> Any:
        raise error

    return function


def metric(booster: str) -> dict[str, Any]:
    if booster == "xgboost":
        return {
            "settings": {"estimator__eval_metric": raising(OwnError)},
            "fit": {"eval_set": (FRAME[:50], Y_NEW[:50])},
        }
    return {"fit": {"eval_set": (FRAME[:50], Y_NEW[:50]), "eval_metric": raising(OwnError)}}


#: What goes wrong: a function of the booster's name to settings, arguments of fit, replaced functions, and the error.
FAULTS: dict[str, tuple[Callable[[str], dict[str, Any]], type[BaseException]]] = {
    "bad labels": (lambda _: {"fit": {"y": np.zeros(300)}}, ValueError),
    "bad weights": (lambda _: {"fit": {"sample_weight": -np.ones(300)}}, ValueError),
    "bad budget": (lambda _: {"settings": {"k": -1}}, ValueError),
    "bad groups": (lambda _: {"fit": {"groups": np.arange(5)}}, ValueError),
    "bad temperature": (lambda _: {"settings": {"temperature": -1.0}}, ValueError),
    "bad loss": (lambda _: {"settings": {"loss": "no such loss"}}, ValueError),
    "budget without a hypersimplex loss": (
        lambda _: {"settings": {"loss": "log-loss"}, "fit": {"y": multi(300)[1]}}, ValueError,
    ),
    "bad evaluation weights": (
        lambda _: {"fit": {"eval_set": (FRAME, Y_NEW), "eval_sample_weight": [[1.0]]}}, ValueError,
    ),
    "unknown argument": (lambda _: {"fit": {"no_such_argument": 1}}, TypeError),
    "bad setting of the booster": (
        lambda booster: {"settings": {"estimator__max_depth": "deep"}}, Exception,
    ),
    "one class to calibrate": (
        lambda _: {"settings": {"calibration": "sigmoid"}, "fit": {"eval_set": (FRAME[Y_NEW == 1], Y_NEW[Y_NEW == 1])}},
        ValueError,
    ),
    "training rows to calibrate": (
        lambda _: {"settings": {"calibration": "sigmoid"}, "fit": {"eval_set": (FRAME, Y_NEW)}}, ValueError,
    ),
    "interrupt in a round": (lambda booster: at_round(booster, KeyboardInterrupt), KeyboardInterrupt),
    "error in a callback": (lambda booster: at_round(booster, OwnError), OwnError),
    "error in a metric": (metric, OwnError),
    "error in the loss": (lambda _: {"replace": [(HypersimplexLoss, "boosting_step")]}, OwnError),
    "error after the trees": (lambda _: {"replace": [(_boosters, "exchange_objective")]}, OwnError),
    "error in the threshold": (lambda _: {"replace": [(HypersimplexLoss, "threshold")]}, OwnError),
    "error in the calibrator": (
        lambda _: {"settings": {"calibration": "isotonic"}, "replace": [(_calibration, "fit_all")]}, OwnError,
    ),
}  # fmt: skip


def state(model: HSClassifier) -> dict[str, Any]:
    """Attributes, the objects themselves and copies of them."""
    return dict(vars(model)) | {f"copy of {n}": copy.deepcopy(v) for n, v in vars(model).items() if n in CONTENT}


CONTENT = ("classes_", "threshold_", "group_thresholds_", "training_history_", "feature_names_in_", "n_features_in_")


def fail(model: HSClassifier, booster: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fit ``model`` to other rows, which goes wrong."""
    make, error = FAULTS[fault]
    case = make(booster)
    for owner, name in case.get("replace", []):
        assert hasattr(owner, name)
        monkeypatch.setattr(owner, name, raising(OwnError))
    with pytest.raises(error):
        model.fit(**{"X": FRAME, "y": Y_NEW} | case.get("fit", {}))
    monkeypatch.undo()


@BOOSTERS
@pytest.mark.parametrize("fault", FAULTS)
def test_a_failed_fit_leaves_no_trace(booster: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FAULTS[fault][0](booster).get("settings", {})
    generator = np.random.RandomState(0)
    model = HSClassifier(small(booster), k=5, calibration="sigmoid", random_state=generator).fit(X, Y, groups=GROUPS)
    model.set_params(**settings)
    before, given, drawn = state(model), model.estimator, generator.get_state()
    params, decided = given.get_params(), model.decision_function(X, groups=GROUPS)
    fail(model, booster, fault, monkeypatch)
    after = state(model)
    assert list(after) == list(before)
    for name, value in before.items():
        if name.startswith("copy of "):
            np.testing.assert_equal(after[name], value)
        else:
            assert after[name] is value, name
    np.testing.assert_array_equal(model.decision_function(X, groups=GROUPS), decided)
    np.testing.assert_equal(generator.get_state(), drawn)
    assert model.estimator is given
    np.testing.assert_equal(given.get_params(), params)
    # A first fit leaves an estimator that is not fitted.
    first = clone(model)
    attributes = list(vars(first))
    fail(first, booster, fault, monkeypatch)
    assert list(vars(first)) == attributes
    with pytest.raises(NotFittedError):
        check_is_fitted(first)
    with pytest.raises(NotFittedError):
        first.predict(X)


@BOOSTERS
def test_a_fit_after_a_failed_one_is_as_if_it_had_not_been(booster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fresh() -> HSClassifier:
        return HSClassifier(small(booster), k=5, calibration="sigmoid", random_state=np.random.RandomState(1))

    model, expected = fresh(), fresh().fit(X, Y)
    fail(model, booster, "error in the calibrator", monkeypatch)
    np.testing.assert_array_equal(model.fit(X, Y).predict_proba(NEW), expected.predict_proba(NEW))
    # The generator has moved on, as after any fit.
    assert (model.fit(X, Y).predict_proba(NEW) == expected.fit(X, Y).predict_proba(NEW)).all()
    assert (model.predict_proba(NEW) != fresh().fit(X, Y).predict_proba(NEW)).any()


@BOOSTERS
def test_what_an_earlier_fit_knew_and_this_one_does_not_is_gone(booster: str) -> None:
    model = HSClassifier(small(booster), k=5, calibration="sigmoid")
    model.fit(FRAME, Y_NEW, groups=np.arange(300) % 4)
    assert {"group_thresholds_", "feature_names_in_", "calibrators_"} <= set(vars(model))
    model.note = "mine"
    model.set_params(calibration=None).fit(X, Y)
    fresh = HSClassifier(small(booster), k=5).fit(X, Y)
    assert {name for name in vars(model) if name.endswith("_")} == {n for n in vars(fresh) if n.endswith("_")}
    assert model.note == "mine"
    np.testing.assert_array_equal(model.decision_function(X), fresh.decision_function(X))


@BOOSTERS
@pytest.mark.parametrize("fails", [False, True])
def test_what_fit_is_given_stays_as_it_was(booster: str, fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    first = HSClassifier(small(booster), k=0.1).fit(X, Y)
    content = str(first.booster_.save_raw("json") if booster == "xgboost" else first.booster_.model_to_string())
    attributes = dict(vars(first))
    callbacks: list[Any] = [] if booster == "xgboost" else [lgb.early_stopping(2, verbose=False)]
    given = {
        "X": X.copy(), "y": Y.copy(), "sample_weight": np.ones(N), "groups": GROUPS.copy(),
        "eval_set": [(NEW.copy(), Y_NEW.copy()), (X.copy(), Y.copy())], "eval_sample_weight": [np.ones(300), None],
        "eval_class_weight": [{0: 1.0, 1: 2.0}, "balanced"],
    }  # fmt: skip
    before = copy.deepcopy(given)
    model = HSClassifier(small(booster), k=0.1, calibration="sigmoid")
    more: dict[str, Any] = {"callbacks": callbacks} if callbacks else {}
    if fails:
        monkeypatch.setattr(_calibration, "fit_all", raising(OwnError))
        with pytest.raises(OwnError):
            model.fit(**given, init_model=first, **more)
    else:
        model.fit(**given, init_model=first, **more)
    np.testing.assert_equal(given, before)
    assert dict(vars(first)) == attributes
    now = str(first.booster_.save_raw("json") if booster == "xgboost" else first.booster_.model_to_string())
    assert now == content
    if callbacks:
        assert len(callbacks) == 1
        assert isinstance(callbacks[0], type(lgb.early_stopping(1)))


@BOOSTERS
def test_a_model_may_go_on_from_itself(booster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = HSClassifier(small(booster), k=0.1).fit(X, Y)
    decided = model.decision_function(X)
    monkeypatch.setattr(HypersimplexLoss, "threshold", raising(OwnError))
    with pytest.raises(OwnError):
        model.fit(X, Y, init_model=model)
    monkeypatch.undo()
    np.testing.assert_array_equal(model.decision_function(X), decided)
    model.fit(X, Y, init_model=model)
    assert len(model.training_history_["iteration"]) == 6
    assert np.abs(model.decision_function(X) - decided).max() > 1e-3


@pytest.mark.parametrize("damage", ["booster", "calibrators", "loss"])
def test_a_file_that_cannot_be_read_makes_no_model(damage: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hsboost.estimators._model_file import native, persistence

    model = HSClassifier(small("lightgbm"), calibration="sigmoid").fit(X, Y)
    model.save_model(tmp_path / "model.json")
    before = dict(vars(model))
    owner, name = {
        "booster": (native, "from_plain"),
        "calibrators": (_calibration, "from_plain"),
        "loss": (persistence, "objective_of"),
    }[damage]
    monkeypatch.setattr(owner, name, raising(OwnError))
    with pytest.raises(OwnError):
        model.load_model(tmp_path / "model.json")
    monkeypatch.undo()
    assert dict(vars(model)) == before
    np.testing.assert_array_equal(
        HSClassifier.load_model(tmp_path / "model.json").predict_proba(NEW), model.predict_proba(NEW)
    )
