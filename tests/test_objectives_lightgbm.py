"""What LightGBM does to a custom objective, and that this one holds up to it."""

from __future__ import annotations

import copy
import gc
import sys
import weakref
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from _boosters import LGB, Recorder, leaves, lgb_data, make_data, make_weight, raw, splits, train_lgb, trees

from hsboost import HypersimplexObjective, hypersimplex_obj, project_hypersimplex

UNREGULARISED: dict[str, Any] = {"lambda_l2": 0.0, "min_sum_hessian_in_leaf": 0.0, "min_data_in_leaf": 1}


def test_preds_is_the_same_live_buffer_each_round_and_is_never_kept() -> None:
    X, y = make_data()
    objective = HypersimplexObjective()
    addresses = []

    def watch(preds: np.ndarray, dataset: lgb.Dataset, result: tuple[np.ndarray, np.ndarray]) -> None:
        addresses.append(preds.ctypes.data)
        assert not any(np.shares_memory(preds, array) for array in result)
        other = preds.copy()  # a buffer the objective has not met; a view of it would count as well
        before = sys.getrefcount(other)
        objective(other, dataset)
        assert sys.getrefcount(other) == before
        # What LightGBM will do next, at once: a kept reference or view would notice.
        saved, cut = preds.copy(), objective.soft_threshold_
        preds[:] = np.nan
        assert objective.soft_threshold_ == cut == objective.soft_threshold_for(dataset)
        preds[:] = saved

    seen = Recorder(objective, watch)
    train_lgb(seen, lgb_data(X, y))
    assert len(addresses) == 5
    assert len(set(addresses)) == 1
    arrays = [array for result in seen.outputs for array in result]
    for i, one in enumerate(arrays):
        assert one.dtype == np.float32
        assert one.shape == y.shape
        assert not any(np.shares_memory(one, other) for other in arrays[:i])
    fresh = HypersimplexObjective()
    for preds, result in zip(seen.inputs, seen.outputs, strict=True):
        assert preds.dtype == np.float64
        for ours, theirs in zip(result, fresh(y, preds), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_the_buffer_is_left_as_it_was() -> None:
    X, y = make_data()
    dataset = lgb_data(X, y, weight=make_weight(y.size)).construct()
    preds = np.linspace(-1.0, 1.0, y.size)
    before = preds.copy()
    preds.flags.writeable = False
    labels, weight = dataset.get_label().copy(), dataset.get_weight().copy()
    hypersimplex_obj(preds, dataset)
    np.testing.assert_array_equal(preds, before)
    np.testing.assert_array_equal(dataset.get_label(), labels)
    np.testing.assert_array_equal(dataset.get_weight(), weight)


def test_train_deep_copies_params_but_not_the_objective() -> None:
    X, y = make_data()
    objective = HypersimplexObjective(k=0.3)
    assert copy.deepcopy({"objective": [objective]})["objective"][0] is objective
    assert copy.copy(objective) is objective
    params = {**LGB, "objective": objective}
    dtrain = lgb_data(X, y)
    model = lgb.train(params, dtrain, 5)
    assert params["objective"] is objective
    before_last = model.predict(X, raw_score=True, num_iteration=4)
    cut = project_hypersimplex(before_last, 0.3 * y.size).soft_threshold
    assert objective.soft_threshold_ == pytest.approx(cut, rel=1e-6, abs=1e-9)
    assert objective.soft_threshold_for(dtrain) == objective.soft_threshold_


def test_no_boost_from_average() -> None:
    X, y = make_data(share=0.2)
    seen = Recorder(hypersimplex_obj)
    model = train_lgb(seen, lgb_data(X, y), boost_from_average=True)
    assert not seen.inputs[0].any()
    assert abs(raw(model, X).mean()) < 0.02  # not near the prevalence, 0.2, nor its logit


def test_init_score_is_not_added_back_at_predict() -> None:
    X, y = make_data()
    start = 5.0 + 0.1 * X[:, 0]
    objective = HypersimplexObjective()
    seen = Recorder(objective)
    model = train_lgb(seen, lgb_data(X, y, init_score=start))
    np.testing.assert_allclose(seen.inputs[0], start)
    for done in range(1, 5):
        np.testing.assert_allclose(seen.inputs[done], start + model.predict(X, num_iteration=done), rtol=1e-9)
    # So the last round's threshold is in units of start + prediction: of no use for predictions alone.
    assert objective.soft_threshold_ == pytest.approx(
        project_hypersimplex(seen.inputs[-1], y.sum()).soft_threshold, rel=1e-9
    )
    assert abs(objective.fit_threshold(raw(model, X), y)) < 2 < 4 < objective.soft_threshold_


@pytest.mark.parametrize("temperature", [1e-3, 1.0, 1e3])
def test_default_settings_grow_trees_whatever_the_temperature(temperature: float) -> None:
    X, y = make_data()
    objective = HypersimplexObjective(temperature=temperature)
    model = lgb.train({"objective": objective, "num_threads": 1, "verbose": -1}, lgb_data(X, y), 10)
    assert model.num_trees() == 10
    assert all(tree["num_leaves"] > 5 for tree in model.dump_model()["tree_info"])
    assert np.isfinite(raw(model, X)).all()


@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_min_sum_hessian_and_min_data_apply_in_units_of_rows(temperature: float) -> None:
    X, y = make_data()
    for least in ({"min_sum_hessian_in_leaf": 60.0, "min_data_in_leaf": 1}, {"min_data_in_leaf": 60}):
        model = train_lgb(HypersimplexObjective(temperature=temperature), lgb_data(X, y), 1, **least)
        frame = model.trees_to_dataframe()
        leaf = frame[frame["split_feature"].isna()]
        assert 3 <= len(leaf) <= y.size // 60
        assert leaf["count"].min() >= 60
        np.testing.assert_allclose(leaf["weight"], leaf["count"], rtol=1e-6)


def test_classifier_predict_returns_raw_scores() -> None:
    X, y = make_data()
    model = lgb.LGBMClassifier(objective=hypersimplex_obj, n_estimators=5, n_jobs=1, verbose=-1).fit(X, y)
    scores = raw(model.booster_, X)
    assert scores.min() < -0.1 < 0.1 < scores.max()
    for predict in (model.predict, model.predict_proba):
        with pytest.warns(UserWarning, match="customized objective"):
            np.testing.assert_array_equal(predict(X), scores)


def test_cv_equals_separately_trained_folds() -> None:
    X, y = make_data(600)
    weight = make_weight(y.size)
    part = np.arange(y.size) % 4
    folds = [(np.flatnonzero(part != f), np.flatnonzero(part == f)) for f in range(2)]
    folds.append((np.flatnonzero(part < 2), np.flatnonzero(part > 1)))
    dtrain = lgb_data(X, y, weight=weight)
    seen = Recorder(HypersimplexObjective(k=0.3))
    params = {**LGB, "objective": seen, "metric": "auc"}
    together = lgb.cv(params, dtrain, 6, folds=folds, return_cvbooster=True)["cvbooster"]
    assert [p.size for p in seen.inputs[:6]] == [450, 450, 300] * 2  # interleaved
    for (rows, _), booster in zip(folds, together.boosters, strict=True):
        alone = train_lgb(HypersimplexObjective(k=0.3), dtrain.subset(np.sort(rows)), 6)
        assert trees(booster) == trees(alone)


def test_labels_that_do_not_fit_the_columns_raise_a_clear_error() -> None:
    X, y = make_data()
    with pytest.raises(ValueError, match=r"y_true must hold the classes 0 … 2 .* got 3.0"):
        train_lgb(hypersimplex_obj, lgb_data(X, y * 3), num_class=3)


def test_data_without_a_label_raises_a_clear_error() -> None:
    X, _ = make_data()
    with pytest.raises(ValueError, match="label"):
        train_lgb(hypersimplex_obj, lgb_data(X))


def test_nan_init_score_is_read_as_zero_by_lightgbm() -> None:
    X, y = make_data()
    seen = Recorder(HypersimplexObjective())
    model = train_lgb(seen, lgb_data(X, y, init_score=np.full(y.size, np.nan)))
    assert not seen.inputs[0].any()
    assert np.isfinite(raw(model, X)).all()


def test_nan_predictions_raise_one_clear_error() -> None:
    X, y = make_data()
    dataset = lgb_data(X, y).construct()
    preds = np.zeros(y.size)
    preds[4] = np.nan
    with pytest.raises(ValueError, match=r"got nan at row 4 \(1 such rows in all\).*init_score"):
        hypersimplex_obj(preds, dataset)


@pytest.mark.parametrize("start", ["right", "wrong", "mixed"])
@pytest.mark.parametrize("size", [1e6, 1e30])
def test_hessian_is_never_zero_or_negative_when_everything_is_saturated(start: str, size: float) -> None:
    X, y = make_data(share=0.5)
    mixed = np.where(np.arange(y.size) % 2, 1.0, -1.0)
    sign = {"right": 2 * y - 1, "wrong": 1 - 2 * y, "mixed": mixed}[start]
    seen = Recorder(HypersimplexObjective())
    model = train_lgb(seen, lgb_data(X, y, init_score=sign * size), **UNREGULARISED)
    for gradient, hessian in seen.outputs:
        assert (hessian > 0).all()
        assert np.isfinite(gradient).all()
        assert np.isfinite(hessian).all()
    assert np.isfinite(raw(model, X)).all()
    if start != "mixed":
        assert not seen.outputs[0][0].any()


def test_rows_of_zero_weight_give_no_nan() -> None:
    X, y = make_data()
    weight = (X[:, 0] > 0.65).astype(float)
    seen = Recorder(HypersimplexObjective())
    model = train_lgb(seen, lgb_data(X, y, weight=weight), **UNREGULARISED)
    for gradient, hessian in seen.outputs:
        assert not gradient[weight == 0].any()
        assert not hessian[weight == 0].any()
    assert np.isfinite(leaves(model)).all()
    assert np.isfinite(raw(model, X)).all()
    assert np.ptp(raw(model, X[weight > 0])) > 0.1


def test_bagging_still_shows_the_objective_all_rows() -> None:
    X, y = make_data()
    seen = Recorder(HypersimplexObjective())
    bagged = train_lgb(seen, lgb_data(X, y), bagging_fraction=0.3, bagging_freq=1)
    for preds, (gradient, _) in zip(seen.inputs, seen.outputs, strict=True):
        assert preds.shape == gradient.shape == y.shape
        assert abs(gradient.sum(dtype=np.float64)) < 1e-3
    assert splits(bagged) != splits(train_lgb(hypersimplex_obj, lgb_data(X, y)))


def test_state_is_kept_per_data_set_and_dropped_with_it() -> None:
    objective = HypersimplexObjective()
    X, y = make_data()
    first, second = lgb_data(X, y), lgb_data(X, y, init_score=np.full(y.size, 100.0))
    models = [train_lgb(objective, first), train_lgb(objective, second)]
    assert objective.soft_threshold_for(first) < 10 < 90 < objective.soft_threshold_for(second)
    watch = weakref.ref(first)
    del first, models[0]
    gc.collect()
    assert watch() is None
    assert list(objective._states) == [second]


def test_early_stopping_works_with_a_custom_metric() -> None:
    X, y = make_data(600)
    dtrain = lgb_data(X[:300], y[:300])
    dvalid = lgb_data(X[300:], y[300:], reference=dtrain)
    history: dict[str, Any] = {}

    def mistakes(preds: np.ndarray, data: lgb.Dataset) -> tuple[str, float, bool]:
        labels = data.get_label()
        positive = preds > hypersimplex_obj.fit_threshold(preds, labels)
        return "mistakes", float((positive != labels).mean()), False

    model = lgb.train(
        {**LGB, "objective": hypersimplex_obj, "metric": "None"}, dtrain, 200, valid_sets=[dvalid],
        valid_names=["valid"], feval=mistakes,
        callbacks=[lgb.early_stopping(5, verbose=False), lgb.record_evaluation(history)],
    )  # fmt: skip
    values = history["valid"]["mistakes"]
    assert len(values) == model.best_iteration + 5 < 200
    assert model.best_iteration == int(np.argmin(values)) + 1 > 1


def test_continued_training_goes_on_where_it_stopped() -> None:
    X, y = make_data()
    whole = train_lgb(hypersimplex_obj, lgb_data(X, y), 8)
    half = train_lgb(hypersimplex_obj, lgb_data(X, y), 4)
    seen = Recorder(hypersimplex_obj)
    continued = lgb.train({**LGB, "objective": seen}, lgb_data(X, y), 4, init_model=half)
    np.testing.assert_allclose(seen.inputs[0], raw(half, X), rtol=1e-9)
    assert splits(continued) == splits(whole)
    np.testing.assert_allclose(raw(continued, X), raw(whole, X), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("temperature", [1.0, 8.0])
def test_with_all_rows_active_it_grows_the_trees_of_squared_error(temperature: float) -> None:
    # See the same test for XGBoost. Here the intercept is what LightGBM fits and adds to its first tree.
    X, y = make_data()
    rate, rounds = 0.125, 6
    objective = HypersimplexObjective(temperature=temperature)
    ours = train_lgb(objective, lgb_data(X, y), rounds, learning_rate=rate)
    params = {**LGB, "objective": "regression", "boost_from_average": True, "learning_rate": rate}
    theirs = lgb.train(params, lgb_data(X, temperature * y), rounds)
    for done in range(1, rounds + 1):
        scores = ours.predict(X, num_iteration=done)
        assert project_hypersimplex(scores, y.sum(), temperature=temperature).active.all()
    assert splits(ours) == splits(theirs)
    first = leaves(ours).size // rounds
    expected = leaves(theirs)
    expected[:first] -= temperature * y.mean()
    np.testing.assert_allclose(leaves(ours), expected, rtol=2e-5, atol=1e-6 * temperature)
    np.testing.assert_allclose(raw(ours, X) + temperature * y.mean(), raw(theirs, X), rtol=1e-5)
