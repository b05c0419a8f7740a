"""save_model and load_model, pickle, joblib, skops."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, N, binary, multi, small, stopping, trained_rounds
from sklearn.base import clone

from hsboost import HSClassifier, HypersimplexLoss
from hsboost.losses import LOSSES, ExactLoss, FocalLoss

X, Y = binary()
X3, Y3 = multi()
GROUPS = np.random.default_rng(4).integers(0, 6, N)
REGIONS = np.array(["north", "south", "east", "west", "Ünïcode ☃", ""])[GROUPS]
DAYS = np.datetime64("2026-01-01") + np.arange(6)
FRAME = pd.DataFrame(X, columns=list("abcde")).assign(
    region=pd.Categorical(np.where(GROUPS == 3, None, REGIONS), ["west", "south", "east", "north", "Ünïcode ☃", ""])
)
FRAME.loc[::7, "a"] = np.nan


def models(booster: str) -> dict[str, tuple[HSClassifier, Any, Any]]:
    """Fitted models of all kinds, with rows and groups for them."""
    stop, extra = stopping(booster)
    categories = {"enable_categorical": True} if booster == "xgboost" else {}
    validation = {"eval_set": binary(200, seed=8)}
    make = {
        "plain": (HSClassifier(small(booster), k=0.2), X, Y, {}),
        "strings": (HSClassifier(small(booster), k={"yes": 30}), X, np.where(Y == 1, "yes", "no"), {}),
        "objects": (HSClassifier(small(booster)), X, np.where(Y == 1, "ja", "nein").astype(object), {}),
        "bools": (HSClassifier(small(booster), class_weight={True: 2.0, False: 1.0}), X, Y == 1, {}),
        "sigmoid": (HSClassifier(small(booster), calibration="sigmoid", random_state=0), X, Y, {}),
        "isotonic": (HSClassifier(small(booster), calibration="isotonic", random_state=0), X3, Y3, {}),
        "multiclass": (HSClassifier(small(booster), k={0: 9, 1: 0.5, 2: None}), X3, Y3, {}),
        "stopped": (HSClassifier(stop, k=0.1), X, Y, {**validation, **extra}),
        "categories": (HSClassifier(small(booster, **categories)), FRAME, Y, {}),
        "groups": (HSClassifier(small(booster), k=3), X, Y, {"groups": REGIONS}),
        "classes of groups": (
            HSClassifier(small(booster), k={0: 2, 1: {g: g for g in range(6)}, 2: 0.3}), X3, Y3, {"groups": GROUPS},
        ),
        "truth groups": (HSClassifier(small(booster), k=5), X, Y, {"groups": GROUPS > 2}),
        "loss of its own": (HSClassifier(small(booster), loss=ExactLoss(sigma=(2.0, 0.5, 4), log=True)), X, Y, {}),
        "focal": (HSClassifier(small(booster), loss=FocalLoss(gamma=1.5)), X3, Y3, {}),
        "rows without values": (HSClassifier(small(booster)), np.where(X > 1, np.nan, X), Y, {}),
    }  # fmt: skip
    return {
        name: (model.fit(rows, labels, **more), rows, more.get("groups"))
        for name, (model, rows, labels, more) in make.items()
    }


@pytest.fixture(scope="module", params=["xgboost", "lightgbm"])
def zoo(request: pytest.FixtureRequest) -> dict[str, tuple[HSClassifier, Any, Any]]:
    return models(request.param)


def answers(model: HSClassifier, rows: Any, groups: Any = None) -> dict[str, Any]:
    """Everything a model says about rows."""
    found = {
        "decision": model.decision_function(rows),
        "predicted": model.predict(rows),
        "threshold": np.asarray(model.threshold_),
        "classes": model.classes_,
        "contributions": model.contributions(rows),
        "importances": model.feature_importances_,
    }
    if not hasattr(model, "group_thresholds_"):  # which ranks rows of one group only
        each = 7 if model.classes_.size == 2 else dict.fromkeys(model.classes_.tolist(), 7)
        found["top"] = model.predict_top_k(rows, each)
    if groups is not None:
        found["grouped"] = model.decision_function(rows, groups)
        found["top of groups"] = model.predict_top_k(rows, groups=groups)
    if hasattr(model, "predict_proba"):
        found["probabilities"] = model.predict_proba(rows)
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
        assert found[name].dtype == value.dtype, name


READER = """
import pickle, sys
from hsboost import HSClassifier
sys.path.insert(0, sys.argv[2])
from test_persistence import answers
with open(sys.argv[1], "rb") as file:
    work = pickle.load(file)
with open(sys.argv[1] + ".out", "wb") as file:
    pickle.dump({name: answers(HSClassifier.load_model(path), *rest) for name, (path, *rest) in work.items()}, file)
"""


def test_in_a_fresh_process_every_bit_is_the_same(zoo: Any, tmp_path: Path) -> None:
    work = {}
    for i, (name, (model, rows, groups)) in enumerate(zoo.items()):
        model.save_model(tmp_path / f"{i}.json")
        work[name] = (str(tmp_path / f"{i}.json"), rows, groups)
    (tmp_path / "work").write_bytes(pickle.dumps(work))
    here = Path(__file__).parent
    command = [sys.executable, "-c", READER, str(tmp_path / "work"), str(here)]
    done = subprocess.run(command, cwd=here.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = pickle.loads((tmp_path / "work.out").read_bytes())
    for name, (model, rows, groups) in zoo.items():
        assert_same(found[name], answers(model, rows, groups))


def test_what_a_loaded_model_knows(zoo: Any, tmp_path: Path) -> None:
    for name, (model, _, _) in zoo.items():
        model.save_model(tmp_path / "model.json")
        loaded = HSClassifier.load_model(str(tmp_path / "model.json"))
        assert type(loaded) is HSClassifier
        assert loaded.n_features_in_ == model.n_features_in_
        assert hasattr(loaded, "feature_names_in_") == hasattr(model, "feature_names_in_")
        assert repr(loaded.objective_) == repr(model.objective_)
        np.testing.assert_array_equal(loaded.objective_.offset, model.objective_.offset)
        np.testing.assert_equal(loaded.training_history_, model.training_history_)
        np.testing.assert_equal(getattr(loaded, "group_thresholds_", 0), getattr(model, "group_thresholds_", 0))
        assert trained_rounds(loaded) == trained_rounds(model), name
        for parameter in ("k", "temperature", "class_weight", "calibration", "calibration_fraction", "random_state"):
            assert getattr(loaded, parameter) == getattr(model, parameter)


@BOOSTERS
def test_a_loaded_model_has_the_settings_of_the_one_that_was_saved(booster: str, tmp_path: Path) -> None:
    model = HSClassifier(small(booster)).fit(X, Y, eval_set=(X, Y))
    before, after = model.get_params(), through(model, "json", tmp_path).get_params()
    del before["estimator"], after["estimator"]
    np.testing.assert_equal(after, before)


@BOOSTERS
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_saved(booster: str, name: str, tmp_path: Path) -> None:
    for rows, labels in ((X, Y), (X3, Y3)):
        model = HSClassifier(small(booster, n_estimators=2), loss=name).fit(rows, labels)
        model.save_model(tmp_path / "model.json")
        loaded = HSClassifier.load_model(tmp_path / "model.json")
        assert loaded.loss == name
        assert_same(answers(loaded, rows), answers(model, rows))


@BOOSTERS
def test_a_loaded_model_is_saved_like_any_other(booster: str, tmp_path: Path) -> None:
    model = HSClassifier(small(booster), k=3).fit(X3, Y3, groups=REGIONS)
    model.save_model(tmp_path / "a.json")
    HSClassifier.load_model(tmp_path / "a.json").save_model(tmp_path / "b.json")
    first, second = (json.loads((tmp_path / name).read_text())["content"] for name in ("a.json", "b.json"))
    assert first.keys() == second.keys()
    for part in first.keys() - {"booster"}:
        assert first[part] == second[part], part
    assert_same(answers(HSClassifier.load_model(tmp_path / "b.json"), X3, REGIONS), answers(model, X3, REGIONS))


# Going on from a loaded model


@BOOSTERS
@pytest.mark.parametrize("how", ["json", "pickle"])
def test_a_loaded_model_may_be_fitted_again(booster: str, how: str, tmp_path: Path) -> None:
    model = HSClassifier(small(booster, reg_lambda=2.0), k=0.2, calibration="sigmoid", random_state=3).fit(X, Y)
    again = through(model, how, tmp_path).fit(X[:200], Y[:200])
    fresh = clone(model).fit(X[:200], Y[:200])
    assert_same(answers(again, X), answers(fresh, X))
    assert type(again.estimator.get_params()["objective"]) is type(small(booster).get_params()["objective"])


def through(model: HSClassifier, how: str, tmp_path: Path) -> HSClassifier:
    if how == "pickle":
        return pickle.loads(pickle.dumps(model))
    if how == "joblib":
        joblib.dump(model, tmp_path / "model.joblib")
        return joblib.load(tmp_path / "model.joblib")
    if how == "skops":
        io = pytest.importorskip("skops.io", reason="skops is not installed")
        blob = io.dumps(model)
        return io.loads(blob, trusted=io.get_untrusted_types(data=blob))
    model.save_model(tmp_path / "through.json")
    return HSClassifier.load_model(tmp_path / "through.json")


@BOOSTERS
def test_a_loaded_model_with_a_loss_instance_may_be_fitted_again(booster: str, tmp_path: Path) -> None:
    model = HSClassifier(small(booster), loss=HypersimplexLoss(temperature=2.0), k=0.2).fit(X, Y)
    again = through(model, "json", tmp_path).fit(X, Y)
    assert_same(answers(again, X), answers(model, X))


def test_a_loaded_model_keeps_the_class_weight_of_its_estimator(tmp_path: Path) -> None:
    model = HSClassifier(small("lightgbm", class_weight={0: 1.0, 1: 5.0})).fit(X, Y)
    again = through(model, "json", tmp_path).fit(X, Y)
    assert_same(answers(again, X), answers(model, X))


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_a_loaded_model_may_stop_early_again(booster: str, tmp_path: Path) -> None:
    estimator, extra = stopping(booster)
    sets = binary(200, seed=8)
    model = HSClassifier(estimator).fit(X, Y, eval_set=sets, **extra)
    again = through(model, "json", tmp_path).fit(X, Y, eval_set=sets, **extra)
    assert trained_rounds(again) == trained_rounds(model)
    assert_same(answers(again, X), answers(model, X))


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_a_loaded_model_may_be_fitted_to_other_classes(booster: str, tmp_path: Path) -> None:
    again = through(HSClassifier(small(booster)).fit(X3, Y3), "json", tmp_path).fit(X, Y)
    assert_same(answers(again, X), answers(HSClassifier(small(booster)).fit(X, Y), X))


@BOOSTERS
@pytest.mark.parametrize("how", ["pickle", "joblib", "skops"])
def test_other_ways_of_keeping_a_model(booster: str, how: str, tmp_path: Path) -> None:
    for rows, labels, groups in ((X, np.where(Y == 1, "yes", "no"), REGIONS), (X3, Y3, None)):
        model = HSClassifier(small(booster), k=4, calibration="isotonic", random_state=0)
        model.fit(rows, labels, groups=groups)
        restored = through(model, how, tmp_path)
        assert_same(answers(restored, rows, groups), answers(model, rows, groups))
        np.testing.assert_equal(restored.training_history_, model.training_history_)
