"""HSClassifier(loss="auto"): which loss it trains, and settings that the trained loss does not have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from _models import small
from sklearn.base import clone

from hsboost import HSClassifier, HypersimplexLoss
from hsboost.dask import DaskHSClassifier
from hsboost.losses import LOSSES, BudgetLogLoss, SoftmaxLoss

BOOSTERS = pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
RNG = np.random.default_rng(5)
X = RNG.normal(size=(400, 3))
Y = (X[:, 0] + RNG.normal(size=400) > 0.8).astype(int)
GROUPS = np.arange(400) % 4
CLASSES = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
BUDGETS: dict[str, tuple[Any, np.ndarray, Any]] = {
    "share": (0.1, Y, None),
    "count": (30, Y, None),
    "nothing": (0, Y, None),
    "everything": (400, Y, None),
    "by group": ({0: 5, None: 0.1}, Y, GROUPS),
    "same in each group": (0.1, Y, GROUPS),
    "by class": ({0: 20, 1: 30, 2: 10}, CLASSES, None),
    "same for each class": (0.1, CLASSES, GROUPS),
}


@BOOSTERS
@pytest.mark.parametrize("case", BUDGETS)
def test_with_a_budget_it_is_log_loss_at_the_budget(booster: str, case: str) -> None:
    k, y, groups = BUDGETS[case]
    model = HSClassifier(small(booster), k=k, threshold="training").fit(X, y, groups=groups)
    named = HSClassifier(small(booster), k=k, loss="budget-log-loss", threshold="training").fit(X, y, groups=groups)
    assert type(model.objective_.loss) is BudgetLogLoss
    np.testing.assert_array_equal(model.decision_function(X, groups), named.decision_function(X, groups))
    assert model.get_params()["loss"] == "auto"
    assert clone(model).loss == "auto"


@BOOSTERS
@pytest.mark.parametrize("y", [Y, CLASSES], ids=["two classes", "three classes"])
def test_without_a_budget_it_is_the_hypersimplex_loss(booster: str, y: np.ndarray) -> None:
    model = HSClassifier(small(booster), temperature=2.0, hessian_floor=0.01).fit(X, y)
    loss = model.objective_.loss
    assert type(loss) is HypersimplexLoss
    assert (loss.temperature, loss.hessian_floor) == (2.0, 0.01)


@BOOSTERS
@pytest.mark.parametrize("k", [None, 0.1])
@pytest.mark.parametrize("y", [Y, CLASSES], ids=["two classes", "three classes"])
def test_models_for_the_thresholds_are_trained_with_the_same_loss(booster: str, k: Any, y: np.ndarray) -> None:
    name = "hypersimplex" if k is None else "budget-log-loss"
    auto, named = (HSClassifier(small(booster), k=k, loss=loss, threshold="cross-fit") for loss in ("auto", name))
    np.testing.assert_array_equal(auto.fit(X, y).threshold_, named.fit(X, y).threshold_)


SETTINGS: dict[str, dict[str, Any]] = {
    "temperature": {"temperature": 2.0},
    "hessian": {"hessian": "unit"},
    "hessian_floor": {"hessian_floor": 0.5},
    "a list": {"temperature": [1.0, 2.0]},
    "not a number": {"temperature": float("nan")},
}
OTHERS: dict[str, dict[str, Any]] = {
    "auto": {"k": 0.1},
    **{name: {"loss": name} for name in LOSSES if not name.startswith("hypersimplex")},
    "a loss with a budget": {"loss": HypersimplexLoss(), "k": 0.1},
    "a loss without": {"loss": SoftmaxLoss()},
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("loss", OTHERS)
def test_settings_that_would_have_no_effect_are_refused(loss: str, setting: str) -> None:
    given = next(iter(SETTINGS[setting]))
    for kind in (HSClassifier, DaskHSClassifier):
        model = kind(**OTHERS[loss], **SETTINGS[setting])
        resolve = model._loss if kind is HSClassifier else model._blank()._loss
        with pytest.raises(
            ValueError, match=rf"{given}=.* is a setting of the hypersimplex losses .*no effect.*leave it"
        ):
            resolve(model.k)
    with pytest.raises(ValueError, match=rf"{given}=.*no effect"):
        HSClassifier(**OTHERS[loss], **SETTINGS[setting]).fit(X, Y)


@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("hypersimplex")])
def test_hypersimplex_losses_take_them(name: str) -> None:
    loss = HSClassifier(loss=name, k=0.1, temperature=2.0, hessian="unit", hessian_floor=0.5)._loss(0.1)
    assert (loss.k, loss.temperature, loss.hessian, loss.hessian_floor) == (0.1, 2.0, "unit", 0.5)


@pytest.mark.parametrize("loss", ["Auto", "hypersimplexes", "", 3, None, ["auto"], HypersimplexLoss])
def test_what_is_no_loss_is_refused_with_all_names(loss: Any) -> None:
    with pytest.raises(ValueError, match=r"loss must be the name of a loss; got .* Known: auto, hypersimplex, "):
        HSClassifier(loss=loss, temperature=2.0).fit(X, Y)


def test_a_saved_model_says_which_loss_it_was(tmp_path: Any) -> None:
    model = HSClassifier(small("xgboost"), k=0.1).fit(X, Y)
    model.save_model(tmp_path / "model.json")
    again = HSClassifier.load_model(tmp_path / "model.json")
    assert again.loss == "auto"
    assert type(again.objective_.loss) is BudgetLogLoss
    np.testing.assert_array_equal(again.decision_function(X), model.decision_function(X))
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
