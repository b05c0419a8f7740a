"""HSClassifier and the objectives with the smooth losses: trees, budgets, temperatures, groups, files, devices."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _models import BOOSTERS, binary, multi, raw, small

from hsboost import HSClassifier, HypersimplexObjective, cuda, precision_at_k
from hsboost.losses import HypersimplexSmoothFYLoss, HypersimplexSmoothLoss
from hsboost.objectives import LossObjective

NAMES = pytest.mark.parametrize("name", ["hypersimplex-smooth", "hypersimplex-smooth-fy"])
KINDS = pytest.mark.parametrize("kind", [HypersimplexSmoothLoss, HypersimplexSmoothFYLoss])
X, Y = binary(600)
X3, Y3 = multi(600)
GROUPS = np.random.default_rng(4).integers(0, 5, len(Y))


@BOOSTERS
@NAMES
@pytest.mark.parametrize(("classes", "grouped"), [(2, False), (2, True), (3, False), (3, True)])
def test_it_learns_saves_and_loads(booster: str, name: str, classes: int, grouped: bool, tmp_path: Any) -> None:
    rows, labels = (X, Y) if classes == 2 else (X3, Y3)
    groups = GROUPS if grouped else None
    k = 0.2 if name == "hypersimplex-smooth" else 0.4  # the convex one is for a budget near the number of positives
    model = HSClassifier(small(booster, n_estimators=15, learning_rate=0.3), loss=name, k=k)
    model.fit(rows, labels, groups=groups)
    options = {"groups": groups} if grouped else {}
    if classes == 2:
        assert precision_at_k(labels, model.decision_function(rows, **options), 0.2) > 0.9
    history = model.training_history_
    assert np.shape(history["soft_threshold"][0]) == (((3,) if classes == 3 else ()) + ((5,) if grouped else ()))
    share = np.array(history["active_share"])
    np.testing.assert_allclose(share[0], 4 * k * (1 - k), rtol=1e-6)  # every row has ŷ = k and counts as 4 ŷ (1 - ŷ)
    assert ((share > 0) & (share < 1)).all()
    path = tmp_path / "model.hsb"
    model.save_model(path)
    loaded = HSClassifier.load_model(path)
    np.testing.assert_array_equal(loaded.decision_function(rows, **options), model.decision_function(rows, **options))
    assert loaded.loss == name


@BOOSTERS
@KINDS
def test_the_temperature_only_sets_the_unit_of_the_scores(booster: str, kind: Any) -> None:
    found = [HSClassifier(small(booster), loss=kind(temperature=t), k=0.2).fit(X, Y) for t in (1.0, 2.0**-7, 2.0**9)]
    for model in found[1:]:
        np.testing.assert_allclose(raw(model, X), raw(found[0], X), rtol=1e-6)
        np.testing.assert_array_equal(model.predict(X), found[0].predict(X))
    assert found[1].objective_.loss.temperature == 2.0**-7


@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_objectives_of_both_boosters_train_the_same_scores(kind: Any, weighted: bool) -> None:
    """One stump of every row's own leaf value: -Σ g / (Σ h + λ), whichever booster adds up."""
    w = np.random.default_rng(0).uniform(0.5, 2, len(Y)).astype(np.float32) if weighted else None
    loss = kind(k=0.1)
    data = xgb.DMatrix(X, label=Y, weight=w)
    one = xgb.train({"base_score": 0.0, "max_depth": 1, "eta": 1.0, "lambda": 1.0}, data, 1, obj=LossObjective(loss))
    scores = one.predict(data, output_margin=True)
    gradient, hessian, _ = loss.boosting_step(Y.astype(float), np.zeros(len(Y)), w, None)
    for value in np.unique(scores):
        leaf = scores == value
        expected = -gradient[leaf].sum(dtype=float) / (hessian[leaf].sum(dtype=float) + 1.0)
        assert value == pytest.approx(expected, rel=1e-5)
    booster = lgb.train(
        {
            "objective": LossObjective(kind(k=0.1)),
            "num_leaves": 2,
            "learning_rate": 1.0,
            "lambda_l2": 1.0,
            "verbose": -1,
        },
        lgb.Dataset(X, Y, weight=w),
        1,
    )
    leaves = booster.predict(X, pred_leaf=True)[:, 0]
    for leaf_index in np.unique(leaves):
        leaf = leaves == leaf_index
        expected = -gradient[leaf].sum(dtype=float) / (hessian[leaf].sum(dtype=float) + 1.0)
        assert booster.predict(X)[leaf][0] == pytest.approx(expected, rel=1e-5)


@KINDS
@pytest.mark.skipif(cuda.missing() is None, reason="there is a GPU, or the simulator of one")
def test_an_objective_refuses_a_gpu_that_is_not_there_at_its_first_round(kind: Any) -> None:
    objective = HypersimplexObjective.of(kind(), device="cuda")
    with pytest.raises(ValueError, match=r"device='cuda' cannot be had"):
        objective(Y, np.zeros(len(Y)))
    gradient, hessian = HypersimplexObjective.of(kind(), device="auto")(Y, np.zeros(len(Y)))
    assert gradient.any()
    assert (hessian > 0).all()


@BOOSTERS
@NAMES
def test_classes_apart_end_the_training_quietly(booster: str, name: str) -> None:
    """More rounds than it takes to separate the classes: scores and derivatives stay finite."""
    rows = np.linspace(-1, 1, 60).reshape(-1, 1)
    labels = (rows[:, 0] > 0).astype(int)
    model = HSClassifier(small(booster, n_estimators=150, learning_rate=1.0, max_depth=1), loss=name).fit(rows, labels)
    np.testing.assert_array_equal(model.predict(rows), labels)
    assert np.isfinite(model.decision_function(rows)).all()
    assert np.isfinite(np.array(model.training_history_["soft_threshold"])).all()
