"""The booster inside a fitted classifier is right or refuses: its predictions, its native model, its copies."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _models import BOOSTERS, binary, multi, small, stopping
from lightgbm import LGBMClassifier
from sklearn.base import clone
from xgboost import XGBClassifier

from hsboost import HSClassifier

X, Y = binary()
MARGIN = {"xgboost": "output_margin", "lightgbm": "raw_score"}
KIND = {"xgboost": XGBClassifier, "lightgbm": LGBMClassifier}


def fitted(booster: str, **settings: Any) -> HSClassifier:
    return HSClassifier(small(booster), **{"k": 0.2, **settings}).fit(X, Y)


def loaded(model: HSClassifier, folder: Path) -> HSClassifier:
    model.save_model(folder / "model.json")
    return HSClassifier.load_model(folder / "model.json")


WAYS: dict[str, Any] = {
    "fitted": lambda model, folder: model,
    "loaded": loaded,
    "unpickled": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "copied": lambda model, folder: copy.deepcopy(model),
}


@pytest.mark.parametrize("method", ["predict", "predict_proba", "score"])
@pytest.mark.parametrize("way", WAYS)
@BOOSTERS
def test_predictions_that_know_no_threshold_are_refused(booster: str, way: str, method: str, tmp_path: Path) -> None:
    model = WAYS[way](fitted(booster), tmp_path)
    arguments = (X, Y) if method == "score" else (X,)
    with pytest.raises(ValueError, match=r"estimator_\.predict.*HSClassifier.*export\(\)"):
        getattr(model.estimator_, method)(*arguments)


@BOOSTERS
def test_raw_scores_are_there(booster: str) -> None:
    model = fitted(booster)
    raw = model.estimator_.predict(X, **{MARGIN[booster]: True})
    np.testing.assert_array_equal(
        raw.astype(np.float64) + (model.objective_.offset or 0.0) - model.threshold_, model.decision_function(X)
    )
    if booster == "lightgbm":
        np.testing.assert_array_equal(model.estimator_.predict(X, True), raw)
        assert model.estimator_.predict(X, pred_leaf=True).shape == (len(X), 6)
        assert model.estimator_.predict(X, pred_contrib=True).shape == (len(X), 6)
    else:
        assert model.estimator_.apply(X).shape == (len(X), 6)


@BOOSTERS
def test_it_is_the_booster_in_all_else(booster: str) -> None:
    model = fitted(booster)
    inside = model.estimator_
    assert isinstance(inside, KIND[booster])
    assert type(inside).__name__ == KIND[booster].__name__
    assert inside.get_params()["n_estimators"] == 6
    assert inside.feature_importances_.shape == (5,)
    assert repr(inside).startswith(KIND[booster].__name__)
    again = clone(inside)
    assert type(again) is KIND[booster]
    assert type(inside.fit(X, Y)) is KIND[booster]  # trained by the caller: the caller's


@BOOSTERS
def test_a_users_subclass_stays_one_through_pickles(booster: str) -> None:
    model = HSClassifier(clone_as(booster), k=0.2).fit(X, Y)
    again = pickle.loads(pickle.dumps(model))
    assert isinstance(again.estimator_, OWN[booster])
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))


class OwnXGB(XGBClassifier):
    """A user's."""


class OwnLGBM(LGBMClassifier):
    """A user's."""


OWN = {"xgboost": OwnXGB, "lightgbm": OwnLGBM}


def clone_as(booster: str) -> Any:
    return OWN[booster](**small(booster).get_params())


#: What each model's native booster lacks, in the words of the warning.
LACKING = {
    ("xgboost", "hypersimplex"): ["nominal objective"],
    ("xgboost", "log-loss"): ["lack the constant", "nominal objective"],
    ("lightgbm", "hypersimplex"): [],
    ("lightgbm", "log-loss"): ["lack the constant"],
}
ACCESS: dict[str, Any] = {
    "booster_": lambda model, folder: model.booster_,
    "inside": lambda model, folder: (
        model.estimator_.get_booster() if hasattr(model.estimator_, "get_booster") else model.estimator_.booster_
    ),
}


@pytest.mark.parametrize("access", ACCESS)
@pytest.mark.parametrize(("booster", "loss"), LACKING)
def test_the_native_model_warns_once_of_what_it_lacks(booster: str, loss: str, access: str, tmp_path: Path) -> None:
    model = fitted(booster, loss=loss)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for _ in range(2):
            ACCESS[access](model, tmp_path)
    said = [str(one.message) for one in seen]
    assert len(said) == bool(LACKING[booster, loss])
    for words in LACKING[booster, loss]:
        assert words in said[0]
        assert "export()" in said[0]
    assert all(Path(one.filename).name == Path(__file__).name for one in seen)


def test_rounds_after_the_best_and_saving_warn(tmp_path: Path) -> None:
    estimator, extra = stopping("xgboost")
    model = HSClassifier(estimator, k=0.2).fit(X, Y, eval_set=binary(seed=1), **extra)
    after = model.estimator_.get_params()["n_estimators"] - model.estimator_.best_iteration - 1
    assert after > 0
    with pytest.warns(UserWarning, match=r"it holds \d+ rounds after the best.*export\(\)"):
        model.estimator_.save_model(tmp_path / "model.json")


@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
@BOOSTERS
def test_our_own_methods_do_not_warn(booster: str, loss: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        model = fitted(booster, loss=loss)
        model.decision_function(X)
        model.predict(X)
        model.predict_top_k(X, 5)
        model.contributions(X)
        assert model.feature_importances_.shape == (5,)
        model.export(tmp_path / ("m.json" if booster == "xgboost" else "m.txt"))
        loaded(model, tmp_path).decision_function(X)
        pickle.loads(pickle.dumps(model)).predict(X)
        HSClassifier(small(booster), loss=loss, k=0.2).fit(X, Y, init_model=model)


@BOOSTERS
def test_margins_without_the_offset_warn(booster: str) -> None:
    model = fitted(booster, loss="log-loss")
    with pytest.warns(UserWarning, match=r"lack the constant.*objective_\.offset"):
        raw = model.estimator_.predict(X, **{MARGIN[booster]: True})
    shifted = raw.astype(np.float64) + model.objective_.offset - model.threshold_
    np.testing.assert_array_equal(shifted, model.decision_function(X))


@BOOSTERS
def test_several_classes(booster: str) -> None:
    x, y = multi()
    model = HSClassifier(small(booster), k=0.2).fit(x, y)
    with pytest.raises(ValueError, match=r"estimator_\.predict_proba"):
        model.estimator_.predict_proba(x)
    assert model.estimator_.predict(x, **{MARGIN[booster]: True}).shape == (len(x), 3)
