"""The objective with budgets per group and with several classes, in both boosters and by every way in."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import (
    LGB,
    XGB,
    Recorder,
    lgb_data,
    make_data,
    make_weight,
    raw,
    splits,
    train_lgb,
    train_xgb,
    trees,
    xgb_data,
)
from sklearn.base import clone

from hsboost import HypersimplexLoss, HypersimplexObjective, project_hypersimplex
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss

BOOSTERS = ("xgboost", "lightgbm")
SIZES = [30, 120, 1, 200, 149]
GROUPS = np.repeat(np.arange(5), SIZES)
NAMES = np.array(["north", "east", "south", "west", "far"])[GROUPS]
each_booster = pytest.mark.parametrize("booster", BOOSTERS)


def dataset(booster: str, X: np.ndarray, y: np.ndarray, sizes: Any = None, **kwargs: Any) -> Any:
    if booster == "lightgbm":
        return lgb_data(X, y, group=sizes, **kwargs)
    return xgb_data(X, y, qid=None if sizes is None else np.repeat(np.arange(len(sizes)), sizes), **kwargs)


def train(booster: str, obj: Any, data: Any, rounds: int = 5, **params: Any) -> Any:
    return (train_xgb if booster == "xgboost" else train_lgb)(obj, data, rounds, **params)


def classifier(booster: str, objective: Any, **params: Any) -> Any:
    if booster == "xgboost":
        return xgb.XGBClassifier(
            objective=objective, n_estimators=5, n_jobs=1, max_depth=3, tree_method="exact", **params
        )
    params = {"min_data_in_bin": 1, "deterministic": True, "force_row_wise": True, **params}
    return lgb.LGBMClassifier(objective=objective, n_estimators=5, n_jobs=1, num_leaves=8, verbose=-1, **params)


def inner(model: Any) -> Any:
    return model.get_booster() if isinstance(model, xgb.XGBModel) else model.booster_


def classes(X: np.ndarray) -> np.ndarray:
    """Three classes that trees can tell apart."""
    return (X[:, 0] > 0.4).astype(int) + (X[:, 1] > -0.2)


@each_booster
@pytest.mark.parametrize("k", [None, 0.25, 1, {0: 3, 1: None, 2: 0, 3: 0.5, 4: 10}])
def test_groups_of_the_data_set_and_an_array_of_labels_grow_the_same_trees(booster: str, k: Any) -> None:
    X, y = make_data()
    array, carried = HypersimplexObjective(k, groups=GROUPS), HypersimplexObjective(k, groups="dataset")
    plain, grouped = dataset(booster, X, y), dataset(booster, X, y, SIZES)
    first, second = train(booster, array, plain), train(booster, carried, grouped)
    assert trees_equal(first, second)
    assert splits(first) != splits(train(booster, HypersimplexObjective(0.4), dataset(booster, X, y)))
    for objective, data in ((array, plain), (carried, grouped)):
        assert objective.soft_threshold_.shape == (5,)
        np.testing.assert_array_equal(objective.soft_threshold_, objective.soft_threshold_for(data))
    np.testing.assert_array_equal(array.soft_threshold_, carried.soft_threshold_)


def trees_equal(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(trees(first), trees(second), strict=True))


@each_booster
@pytest.mark.parametrize("weighted", [False, True])
def test_what_the_booster_gets_is_the_loss_of_its_groups(booster: str, weighted: bool) -> None:
    X, y = make_data()
    w = make_weight(y.size) if weighted else None
    seen = Recorder(HypersimplexObjective(0.3, groups=NAMES))
    train(booster, seen, dataset(booster, X, y, weight=w), learning_rate=1.0)
    assert len(seen.inputs) == 5
    for x, outputs in zip(seen.inputs, seen.outputs, strict=True):
        expected = HypersimplexLoss(0.3).boosting_step(y, x, w, None, NAMES)
        for ours, theirs in zip(outputs, expected[:2], strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.bincount(GROUPS, outputs[0]), 0, atol=1e-3)


@each_booster
@pytest.mark.parametrize("kind", [HypersimplexLoss, HypersimplexFYLoss])
def test_wrappers_take_an_array_of_labels(booster: str, kind: Any) -> None:
    X, y = make_data()
    w, objective = make_weight(y.size), HypersimplexObjective.of(kind(0.3), groups=NAMES)
    model = classifier(booster, objective).fit(X, y.astype(int), sample_weight=w)
    if booster == "xgboost":
        trained = train(booster, HypersimplexObjective.of(kind(0.3), groups=NAMES), xgb_data(X, y, weight=w))
    else:
        trained = train(booster, HypersimplexObjective.of(kind(0.3), groups=NAMES), dataset(booster, X, y, weight=w))
    assert splits(inner(model)) == splits(trained)
    assert objective.soft_threshold_.shape == (5,)
    again = clone(model).fit(X, y.astype(int), sample_weight=w)
    assert splits(inner(again)) == splits(trained)
    with pytest.raises(ValueError, match=r"groups describes 500 rows, but the scores have 400; pass one label per row"):
        clone(model).fit(X[:400], y[:400].astype(int))


@each_booster
def test_wrappers_hand_over_no_data_set(booster: str) -> None:
    X, y = make_data()
    with pytest.raises(
        ValueError, match=r"groups='dataset' works in xgb.train and lgb.train.*pass groups as one label"
    ):
        classifier(booster, HypersimplexObjective(groups="dataset")).fit(X, y.astype(int))


def test_quantile_matrices_with_codes_and_with_an_array_and_weights() -> None:
    X, y = make_data()
    w = make_weight(y.size)
    a, b = (HypersimplexObjective(groups=g) for g in ("label_lower_bound", GROUPS))
    quantiles = {"tree_method": "hist"}
    first = train_xgb(a, xgb.QuantileDMatrix(X, y, qid=GROUPS, label_lower_bound=GROUPS, nthread=1), **quantiles)
    second = train_xgb(b, xgb.QuantileDMatrix(X, y, nthread=1), **quantiles)
    assert trees_equal(first, second)
    weighted = train_xgb(b, xgb.QuantileDMatrix(X, y, weight=w, nthread=1), **quantiles)
    assert splits(weighted) != splits(first)
    assert b.soft_threshold_.shape == (5,)


def test_lightgbm_weights_rows_in_query_groups() -> None:
    X, y = make_data()
    w = make_weight(y.size)
    a, b = (HypersimplexObjective(groups=g) for g in ("dataset", GROUPS))
    first = train_lgb(a, dataset("lightgbm", X, y, SIZES, weight=w))
    assert trees_equal(first, train_lgb(b, dataset("lightgbm", X, y, weight=w)))


def test_xgboost_weights_query_groups() -> None:
    X, y = make_data()
    per_group = np.array([1.0, 2.0, 1.0, 0.5, 3.0])
    a, b = (HypersimplexObjective(groups=g) for g in ("dataset", GROUPS))
    first = train_xgb(a, dataset("xgboost", X, y, SIZES, weight=per_group))
    assert splits(first) == splits(train_xgb(b, dataset("xgboost", X, y, weight=per_group[GROUPS])))


@each_booster
def test_a_data_set_without_groups_is_one_clear_error(booster: str) -> None:
    X, y = make_data()
    with pytest.raises(ValueError, match=r"groups='dataset', but the data set carries no query groups; build it with"):
        train(booster, HypersimplexObjective(groups="dataset"), dataset(booster, X, y))


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("data", r"groups must be None, 'dataset', 'label_lower_bound' or one label per row, got 'data'"),
        ([], r"groups is empty; pass one label per row"),
        (7, r"groups must be one-dimensional, got shape \(\)"),
        ([1, None], r"groups must not hold missing labels, got one at row 1"),
    ],
)
def test_bad_groups_are_refused_at_once(groups: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HypersimplexObjective(groups=groups)
    with pytest.raises(ValueError, match=message):
        HypersimplexObjective.of(HypersimplexLoss(), groups=groups)


@each_booster
@pytest.mark.parametrize(
    ("k", "message"),
    [
        ({0: 1, 1: 1, 2: 1, 3: 1}, r"k has no budget for group 4 \(1 such groups in all\)"),
    ],
)
def test_budgets_that_do_not_fit_are_one_clear_error(booster: str, k: Any, message: str) -> None:
    X, y = make_data()
    with pytest.raises(ValueError, match=message):
        train(booster, HypersimplexObjective(k, groups="dataset"), dataset(booster, X, y, SIZES))
    with pytest.raises(ValueError, match=r"k is a mapping of 1 labels, but there is one projection only"):
        train(booster, HypersimplexObjective({0: 1}), dataset(booster, X, y))


@each_booster
@pytest.mark.parametrize("groups", [GROUPS, "dataset"])
def test_pickles_and_copies(booster: str, groups: Any) -> None:
    X, y = make_data()
    sizes = SIZES if isinstance(groups, str) else None
    objective = HypersimplexObjective(0.3, temperature=2.0, groups=groups)
    size = len(pickle.dumps(objective))
    expected = train(booster, objective, dataset(booster, X, y, sizes))
    assert len(pickle.dumps(objective)) == size
    restored = pickle.loads(pickle.dumps(objective))
    assert repr(restored) == repr(objective)
    assert not hasattr(restored, "soft_threshold_")
    assert trees_equal(train(booster, restored, dataset(booster, X, y, sizes)), expected)
    assert copy.deepcopy(objective) is copy.copy(objective) is objective
    assert ("'dataset'" if sizes else "<5 groups>") in repr(objective)


def test_xgboost_cv_with_an_array_of_labels_is_one_clear_error() -> None:
    X, y = make_data()
    objective = HypersimplexObjective(groups=GROUPS)
    with pytest.raises(ValueError, match=r'groups describes 500 rows, but the scores have 250; .*groups="dataset"'):
        xgb.cv(XGB, xgb_data(X, y), 3, nfold=2, obj=objective, metrics="auc")


def test_xgboost_cv_keeps_groups_together_and_each_fold_gets_its_own() -> None:
    X, y = make_data()
    seen = Recorder(HypersimplexObjective(0.3, groups="dataset"))
    sizes: list[int] = []
    seen.watch = lambda _, data, __: sizes.append(len(data.get_uint_info("group_ptr")) - 1)
    data = xgb_data(X, y, qid=np.arange(500) // 20)
    found = xgb.cv(XGB, data, 4, nfold=5, obj=seen, metrics="rmse", as_pandas=False)
    assert len(found["test-rmse-mean"]) == 4
    assert len(sizes) == 20
    assert set(sizes) == {20}
    for x, (gradient, _) in zip(seen.inputs, seen.outputs, strict=True):
        assert x.size == 400
        np.testing.assert_allclose(gradient.reshape(20, 20).sum(axis=1), 0, atol=1e-4)


@pytest.mark.parametrize("by_group", [False, True])
def test_lightgbm_cv_hands_each_fold_the_groups_of_its_rows(by_group: bool) -> None:
    """Its own folds cut through groups, and what is left of each is one; folds of whole groups have to be given."""
    X, y = make_data()
    queries = np.arange(500) // 20
    folds = [(np.flatnonzero(queries % 5 != f), np.flatnonzero(queries % 5 == f)) for f in range(5)]
    seen = Recorder(HypersimplexObjective(0.3, groups="dataset"))
    sizes: list[np.ndarray] = []
    seen.watch = lambda _, data, __: sizes.append(data.get_group())
    options = {"folds": folds} if by_group else {"nfold": 5}
    lgb.cv({**LGB, "objective": seen, "metric": "auc"}, lgb_data(X, y, group=[20] * 25), 3, **options)
    assert len(seen.inputs) == 15
    assert all((np.size(s) == 20 and np.min(s) == 20) == by_group for s in sizes)
    for size, (gradient, _) in zip(sizes, seen.outputs, strict=True):
        sums = np.bincount(np.repeat(np.arange(size.size), size), gradient, minlength=size.size)
        np.testing.assert_allclose(sums, 0, atol=1e-4)


@each_booster
def test_fit_threshold_lets_each_groups_budget_through(booster: str) -> None:
    X, y = make_data()
    objective = HypersimplexObjective(0.2, groups=NAMES)
    model = train(booster, objective, dataset(booster, X, y))
    scores = raw(model, X) + 1e-9 * np.arange(500)  # no ties
    with pytest.raises(ValueError, match=r"budget per group; pass groups=, one label for each of these rows"):
        objective.fit_threshold(scores, y)
    names = np.unique(NAMES)
    cut = objective.fit_threshold(scores, y, groups=NAMES)
    assert cut.shape == objective.soft_threshold_.shape == (5,)
    for name, level in zip(names, cut, strict=True):
        rows = name == NAMES
        assert (scores[rows] > level).sum() == pytest.approx(0.2 * rows.sum(), abs=1)
    soft = objective.loss.soft_threshold(y, scores, None, NAMES)
    expected = project_hypersimplex(scores, 0.2 * np.unique(NAMES, return_counts=True)[1], groups=NAMES).soft_threshold
    np.testing.assert_allclose(soft, expected, atol=1e-12)
    few = objective.fit_threshold(scores[:150], y[:150], groups=NAMES[:150])  # other rows, fewer groups
    assert few.shape == (2,)


def test_state_of_groups_is_kept_per_data_set() -> None:
    X, y = make_data()
    objective = HypersimplexObjective(groups="dataset")
    first = dataset("xgboost", X, y, SIZES)
    second = dataset("xgboost", X, y, [250, 250], base_margin=np.full(500, 100.0))
    train_xgb(objective, first)
    train_xgb(objective, second)
    assert objective.soft_threshold_for(first).shape == (5,)
    assert objective.soft_threshold_for(first).max() < 10 < 90 < objective.soft_threshold_for(second).min()
    np.testing.assert_array_equal(objective.soft_threshold_, objective.soft_threshold_for(second))
    rounds: list[Any] = []
    objective.on_round = rounds.append
    again = train_xgb(objective, first)
    assert trees_equal(again, train_xgb(HypersimplexObjective(groups="dataset"), first))
    assert len(rounds) == 5
    assert {state.soft_threshold.shape for state in rounds} == {(5,)}


# --- several classes ----------------------------------------------------------------------------------------------

MULTI = {"num_class": 3, "objective": "multi:softprob", "base_score": 0.5}


def train_classes(booster: str, objective: Any, X: np.ndarray, y: np.ndarray, rounds: int = 20, **kwargs: Any) -> Any:
    params = {"learning_rate": 0.3, **(MULTI if booster == "xgboost" else {"num_class": 3})}
    return train(booster, objective, dataset(booster, X, y, **kwargs), rounds, **params)


@each_booster
@pytest.mark.parametrize("kind", [HypersimplexLoss, HypersimplexFYLoss])
@pytest.mark.parametrize("weighted", [False, True])
def test_classes_are_learnt_about_as_well_as_by_softmax(booster: str, kind: Any, weighted: bool) -> None:
    X, _ = make_data(800)
    noise = np.random.default_rng(1).random(800) < 0.05
    y = np.where(noise, np.random.default_rng(2).integers(0, 3, 800), classes(X))
    w = make_weight(800)[:500] if weighted else None
    objective = HypersimplexObjective.of(kind())
    model = train_classes(booster, objective, X[:500], y[:500], weight=w)
    scores = raw(model, X)
    cut = objective.fit_threshold(scores[:500], y[:500], w)
    assert objective.soft_threshold_.shape == cut.shape == (3,)
    ours = (np.argmax(scores[500:] - cut, axis=1) == y[500:]).mean()
    if booster == "xgboost":
        softmax = xgb.train({**XGB, **MULTI, "learning_rate": 0.3}, xgb_data(X[:500], y[:500], weight=w), 20)
    else:
        params = {**LGB, "objective": "multiclass", "num_class": 3, "learning_rate": 0.3}
        softmax = lgb.train(params, dataset(booster, X[:500], y[:500], weight=w), 20)
    theirs = (np.argmax(raw(softmax, X)[500:], axis=1) == y[500:]).mean()
    assert theirs > 0.85
    assert ours > theirs - 0.05


@each_booster
@pytest.mark.parametrize("grouped", [False, True])
def test_what_the_booster_gets_is_the_loss_of_each_class(booster: str, grouped: bool) -> None:
    X, _ = make_data()
    y, w, groups = classes(X), make_weight(500), GROUPS if grouped else None
    seen = Recorder(HypersimplexObjective(groups=groups))
    train_classes(booster, seen, X, y, rounds=4, weight=w)
    for x, outputs in zip(seen.inputs, seen.outputs, strict=True):
        assert x.shape == (500, 3)
        for c in range(3):
            expected = HypersimplexLoss().boosting_step((y == c) * 1, x[:, c].copy(), w, None, groups)
            for ours, theirs in zip(outputs, expected[:2], strict=True):
                np.testing.assert_allclose(ours[:, c], theirs, rtol=1e-5, atol=1e-6)
    assert seen.objective.soft_threshold_.shape == ((3, 5) if grouped else (3,))


@each_booster
def test_wrappers_train_several_classes(booster: str) -> None:
    X, _ = make_data()
    y = np.array(["a", "b", "c"])[classes(X)] if booster == "lightgbm" else classes(X)
    objective = HypersimplexObjective()
    model = classifier(booster, objective, learning_rate=0.3).fit(X, y)
    trained = train_classes(booster, HypersimplexObjective(), X, classes(X), rounds=5)
    np.testing.assert_allclose(raw(inner(model), X), raw(trained, X), rtol=1e-5, atol=1e-6)
    assert objective.soft_threshold_.shape == (3,)


@each_booster
def test_columns_that_do_not_fit_the_labels_are_one_clear_error(booster: str) -> None:
    X, _ = make_data()
    y = classes(X)
    params = {"num_class": 2, "objective": "multi:softprob"} if booster == "xgboost" else {"num_class": 2}
    with pytest.raises(
        ValueError, match=r"y_true must hold the classes 0 … 1 when scores have 2 columns, got 2(.0)? at row"
    ):
        train(booster, HypersimplexObjective(), dataset(booster, X, y), **params)
    with pytest.raises(ValueError, match=r"k has no budget for class 2 \(of 3\)"):
        train_classes(booster, HypersimplexObjective({0: 10, 1: 10}), X, y)


def test_one_tree_with_several_outputs() -> None:
    X, _ = make_data()
    y, objective = classes(X), HypersimplexObjective()
    params = {**XGB, **MULTI, "multi_strategy": "multi_output_tree", "tree_method": "hist", "learning_rate": 0.3}
    model = xgb.train(params, xgb_data(X, y), 20, obj=objective)
    scores = raw(model, X)
    assert (np.argmax(scores - objective.fit_threshold(scores, y), axis=1) == y).mean() > 0.9
