"""The registry's losses inside both boosters: the built-in objectives' trees, several classes, a learned σ."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import LGB, XGB, leaves, lgb_data, make_data, make_weight, raw, splits, trees, xgb_data
from sklearn.metrics import roc_auc_score

from hsboost.losses import LOSSES, EntmaxLoss, ExactLoss, HingeLoss, SoftmaxLoss, SquaredLoss, get_loss
from hsboost.objectives import LossObjective

BOOSTERS = ["xgboost", "lightgbm"]
OURS = [name for name in LOSSES if not name.startswith("hypersimplex")]
ROUNDS = 8
#: Leaf values. Ours are rounded to float32 from float64; XGBoost's built-ins compute in float32.
TOLERANCE = {"rtol": 2e-4, "atol": 2e-6}


def classes_data(n=600, seed=2):
    """Features (n, 5) and one of four classes of different sizes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5)).round(1)
    scores = X[:, :1] * np.arange(4) - 0.3 * (np.arange(4) - 1.5) ** 2 + X[:, 1:2] ** 2 * (np.arange(4) == 1)
    return X, (scores + 0.8 * rng.gumbel(size=(n, 4))).argmax(axis=1).astype(float)


def train(booster, X, y, obj=None, weight=None, rounds=ROUNDS, **params):
    """Train with an objective of ours, or with the built-in one that the params name; both start at scores of 0."""
    if booster == "xgboost":
        return xgb.train({**XGB, **params}, xgb_data(X, y, weight=weight), rounds, obj=obj)
    params = {**LGB, "boost_from_average": False, **params} | ({} if obj is None else {"objective": obj})
    return lgb.train(params, lgb_data(X, y, weight=weight), rounds)


def assert_same_trees(ours, theirs, X):
    assert splits(ours) == splits(theirs)
    np.testing.assert_allclose(leaves(ours), leaves(theirs), **TOLERANCE)
    np.testing.assert_allclose(raw(ours, X), raw(theirs, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("booster", "loss", "builtin"),
    [
        ("xgboost", SoftmaxLoss(), {"objective": "binary:logistic", "base_score": 0.5}),
        ("xgboost", SquaredLoss(), {"objective": "reg:squarederror"}),
        ("lightgbm", SoftmaxLoss(), {"objective": "binary"}),
        ("lightgbm", SquaredLoss(), {"objective": "regression"}),
    ],
)
def test_binary_losses_grow_the_built_in_trees(booster, loss, builtin, weighted):
    X, y = make_data()
    weight = make_weight(y.size) if weighted else None
    theirs = train(booster, X, y, None, weight, **builtin)
    assert_same_trees(train(booster, X, y, LossObjective(loss), weight), theirs, X)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("booster", "loss", "builtin"),
    [
        ("xgboost", SoftmaxLoss(), "multi:softprob"),
        ("lightgbm", SoftmaxLoss("friedman"), "multiclass"),
    ],
)
def test_softmax_grows_the_built_in_trees(booster, loss, builtin, weighted):
    X, y = classes_data()
    weight = make_weight(y.size) if weighted else None
    theirs = train(booster, X, y, None, weight, objective=builtin, num_class=4)
    assert_same_trees(train(booster, X, y, LossObjective(loss), weight, num_class=4), theirs, X)


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("name", OURS)
def test_every_loss_learns_two_classes(booster, name):
    X, y = make_data(800)
    model = train(booster, X, y, LossObjective(get_loss(name)), rounds=20)
    assert roc_auc_score(y, raw(model, X)) > 0.85


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("name", OURS)
def test_every_loss_learns_four_classes(booster, name):
    X, y = classes_data(800)
    loss = get_loss(name)
    model = train(booster, X, y, LossObjective(loss), rounds=20, num_class=loss.n_outputs(4))
    accuracy = (loss.class_scores(raw(model, X)).argmax(axis=1) == y).mean()
    assert accuracy > np.bincount(y.astype(int)).max() / y.size + 0.2


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("log", [False, True])
def test_sigma_is_one_more_output(booster, classes, log):
    X, y = make_data(800) if classes == 2 else classes_data(800)
    noisy = np.random.default_rng(5).random(800) < 0.5
    X = np.column_stack([X, noisy])
    y = np.where(noisy, np.random.default_rng(6).integers(0, classes, 800), y)  # half of the rows are pure noise
    loss = ExactLoss("learned", log=log)
    model = train(booster, X, y, LossObjective(loss), rounds=30, num_class=loss.n_outputs(classes), learning_rate=0.1)
    scores = raw(model, X)
    assert scores.shape == (800, loss.n_outputs(classes))
    means = loss.class_scores(scores)
    predicted = means > 0 if classes == 2 else means.argmax(axis=1)
    assert (predicted == y)[~noisy].mean() > (0.7 if classes == 2 else 0.55)
    certainty = loss.probabilities(scores).max(axis=1)
    assert certainty[~noisy].mean() > certainty[noisy].mean() + 0.05


@pytest.mark.parametrize("booster", BOOSTERS)
def test_a_schedule_starts_anew_with_each_training(booster):
    X, y = make_data()
    objective = LossObjective(ExactLoss((2.0, 0.5, 6)))
    data = (xgb_data if booster == "xgboost" else lgb_data)(X, y)

    def once():
        if booster == "xgboost":
            return xgb.train(XGB, data, ROUNDS, obj=objective)
        return lgb.train({**LGB, "objective": objective}, data, ROUNDS)

    first = trees(once())
    assert trees(once()) == first
    assert trees(train(booster, X, y, LossObjective(ExactLoss(2.0)))) != first
    assert trees(train(booster, X, y, LossObjective(ExactLoss(0.5)))) != first


@pytest.mark.parametrize("loss", [EntmaxLoss(1.5), ExactLoss(), HingeLoss()], ids=repr)
def test_integer_weights_are_repeated_rows(loss):
    """With XGBoost: LightGBM guesses row counts from curvatures, weighted or not, and prunes by them."""
    X, y = classes_data()
    weight = np.random.default_rng(3).integers(1, 4, y.size)
    params = {"num_class": 4, "min_child_weight": 4.53}
    weighted = train("xgboost", X, y, LossObjective(loss), weight.astype(float), 3, **params)
    again = np.repeat(X, weight, axis=0), np.repeat(y, weight)
    repeated = train("xgboost", *again, LossObjective(loss), None, 3, **params)
    assert splits(weighted) == splits(repeated)
    np.testing.assert_allclose(leaves(weighted), leaves(repeated), **TOLERANCE)


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("name", OURS)
def test_intercept_and_boosting_make_the_loss_smaller_each_few_rounds(booster, name):
    X, y = make_data()
    loss = get_loss(name)
    values = [
        loss.loss(y, raw(train(booster, X, y, LossObjective(loss), rounds=rounds), X)) for rounds in (1, 4, 8, 16)
    ]
    start = loss.intercept(y)
    if start is not None:
        assert loss.loss(y, np.full(y.size, start[0])) <= loss.loss(y, np.zeros(y.size))
    assert values == sorted(values, reverse=True)
