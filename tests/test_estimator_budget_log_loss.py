"""HSClassifier and the objectives with log loss tailored to a budget: trees, starts, probabilities, files, devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from _models import BOOSTERS, binary, multi, small
from scipy.special import expit, logit

from hsboost import HSClassifier, HypersimplexObjective, precision_at_k
from hsboost.losses import BudgetLogLoss, SoftmaxLoss
from hsboost.objectives import LossObjective

X, Y = binary(600)
X3, Y3 = multi(600)
GROUPS = np.random.default_rng(4).integers(0, 5, len(Y))


@BOOSTERS
@pytest.mark.parametrize(("classes", "grouped"), [(2, False), (2, True), (3, False), (3, True)])
def test_it_learns_saves_and_loads(booster: str, classes: int, grouped: bool, tmp_path: Any) -> None:
    rows, labels = (X, Y) if classes == 2 else (X3, Y3)
    groups = GROUPS if grouped else None
    model = HSClassifier(small(booster, n_estimators=15, learning_rate=0.3), loss=BudgetLogLoss(guard=20), k=0.2)
    model.fit(rows, labels, groups=groups)
    options = {"groups": groups} if grouped else {}
    if classes == 2:
        assert precision_at_k(labels, model.decision_function(rows, **options), 0.2) > 0.9
    history = model.training_history_
    assert np.shape(history["soft_threshold"][0]) == (((3,) if classes == 3 else ()) + ((5,) if grouped else ()))
    np.testing.assert_allclose(np.array(history["active_share"])[0], 4 * 0.2 * 0.8, rtol=1e-6)  # all scores are equal
    shares = np.bincount(labels) / len(labels)
    start = logit(shares[1:] if classes == 2 else shares)
    np.testing.assert_allclose(model.objective_.offset, start if classes == 3 else start[0], rtol=1e-12)
    path = tmp_path / "model.hsb"
    model.save_model(path)
    loaded = HSClassifier.load_model(path)
    np.testing.assert_array_equal(loaded.decision_function(rows, **options), model.decision_function(rows, **options))
    assert repr(loaded.objective_.loss) == repr(model.objective_.loss)
    assert (loaded.objective_.loss.width, loaded.objective_.loss.floor, loaded.objective_.loss.guard) == (0.5, 0.05, 20)
    assert hasattr(loaded, "predict_proba") == hasattr(model, "predict_proba") == (not grouped)


@BOOSTERS
def test_an_endless_guard_is_log_loss(booster: str) -> None:
    guarded = HSClassifier(small(booster), loss=BudgetLogLoss(guard=1e12), k=0.2).fit(X, Y)
    plain = HSClassifier(small(booster), loss="log-loss", k=0.2).fit(X, Y)
    np.testing.assert_allclose(guarded.decision_function(X), plain.decision_function(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(guarded.predict_proba(X), plain.predict_proba(X), rtol=1e-4, atol=1e-5)


@BOOSTERS
@pytest.mark.parametrize("classes", [2, 3])
def test_probabilities_are_its_own_without_groups_and_none_with(booster: str, classes: int) -> None:
    rows, labels = (X, Y) if classes == 2 else (X3, Y3)
    model = HSClassifier(small(booster), loss="budget-log-loss", k=0.2).fit(rows, labels)
    each = expit(model.decision_function(rows) + model.threshold_)
    expected = np.stack([1 - each, each], axis=1) if classes == 2 else each / each.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(rows), expected, rtol=1e-6)
    grouped = HSClassifier(small(booster), loss="budget-log-loss", k=0.2).fit(rows, labels, groups=GROUPS)
    with pytest.raises(AttributeError) as error:
        grouped.predict_proba(rows)
    assert "raw scores of groups (log-odds up to a constant of each) are not probabilities" in str(
        error.value.__cause__
    )
    calibrated = HSClassifier(small(booster), loss="budget-log-loss", k=0.2, calibration="sigmoid")
    assert calibrated.fit(rows, labels, groups=GROUPS).predict_proba(rows).shape == (600, classes)


def test_it_is_calibrated_near_the_cut() -> None:
    """Rows of log-odds 2 x - 2: small trees, a tenth as the budget; near the cut the probabilities are right."""
    rng = np.random.default_rng(0)
    n, k = 40_000, 0.1
    x = rng.normal(size=(n, 1))
    truth = expit(2.0 * x[:, 0] - 2.0)
    y = (rng.random(n) < truth).astype(int)
    model = HSClassifier(
        small("lightgbm", n_estimators=60, num_leaves=3, learning_rate=0.2), loss="budget-log-loss", k=k
    )
    found = model.fit(x, y).predict_proba(x)[:, 1]
    near = np.abs(model.decision_function(x)) < 1.0
    assert near.sum() > 3000
    assert found[near].mean() == pytest.approx(y[near].mean(), abs=0.01)
    for lower, upper in ((-1.0, 0.0), (0.0, 1.0)):
        part = (model.decision_function(x) >= lower) & (model.decision_function(x) < upper)
        assert found[part].mean() == pytest.approx(truth[part].mean(), abs=0.02)


@BOOSTERS
def test_the_estimators_k_reaches_it_and_settings_of_other_losses_do_not(booster: str) -> None:
    loss = HSClassifier(small(booster), loss="budget-log-loss", k=9).fit(X, Y).objective_.loss
    assert repr(loss) == "BudgetLogLoss(k=9, width=0.5, floor=0.05, guard=150.0)"
    with pytest.raises(ValueError, match=r"pass HSClassifier\(k=3\) and a loss without k"):
        HSClassifier(small(booster), loss=BudgetLogLoss(k=3)).fit(X, Y)


@BOOSTERS
@pytest.mark.parametrize("first", ["log-loss", "budget-log-loss"])
def test_trees_of_log_loss_are_gone_on_from(booster: str, first: str) -> None:
    """Its scores are log-odds as those of log loss are: it starts where that ended."""
    start = HSClassifier(small(booster), loss=first).fit(X, Y)
    model = HSClassifier(small(booster), loss="budget-log-loss", k=0.1).fit(X, Y, init_model=start)
    assert model.objective_.offset == start.objective_.offset
    assert precision_at_k(Y, model.decision_function(X), 0.1) >= precision_at_k(Y, start.decision_function(X), 0.1)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_leaf_is_a_newton_step(weighted: bool) -> None:
    w = np.random.default_rng(0).uniform(0.5, 2, len(Y)).astype(np.float32) if weighted else None
    loss = BudgetLogLoss(k=0.1)
    data = xgb.DMatrix(X, label=Y, weight=w)
    one = xgb.train({"base_score": 0.0, "max_depth": 1, "eta": 1.0, "lambda": 1.0}, data, 1, obj=LossObjective(loss))
    scores = one.predict(data, output_margin=True)
    gradient, hessian, _ = SoftmaxLoss().boosting_step(Y.astype(float), np.zeros(len(Y)), w, None)
    for value in np.unique(scores):
        leaf = scores == value
        expected = -gradient[leaf].sum(dtype=float) / (hessian[leaf].sum(dtype=float) + 1.0)
        assert value == pytest.approx(expected, rel=1e-5)  # the first round, of equal scores, is one of log loss


def test_a_loss_that_a_gpu_does_not_know_is_refused_there_at_the_first_round() -> None:
    class Own(BudgetLogLoss):
        runs_on_cuda = False

    objective = HypersimplexObjective.of(Own(), device="cuda")
    with pytest.raises(ValueError, match=r"device='cuda' does not know BudgetLogLoss"):
        objective(Y, np.zeros(len(Y)))
    gradient, hessian = HypersimplexObjective.of(Own(), device="auto")(Y, np.zeros(len(Y)))
    assert gradient.any()
    assert (hessian > 0).all()


@BOOSTERS
def test_classes_apart_end_the_training_quietly(booster: str) -> None:
    rows = np.linspace(-1, 1, 60).reshape(-1, 1)
    labels = (rows[:, 0] > 0).astype(int)
    model = HSClassifier(small(booster, n_estimators=150, learning_rate=1.0, max_depth=1), loss="budget-log-loss").fit(
        rows, labels
    )
    np.testing.assert_array_equal(model.predict(rows), labels)
    assert np.isfinite(model.decision_function(rows)).all()
