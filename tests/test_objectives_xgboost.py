"""What XGBoost does to a custom objective, and that this one holds up to it."""

from __future__ import annotations

import gc
import json
import re
import weakref
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from _boosters import XGB, Recorder, leaves, make_data, make_weight, raw, splits, train_xgb, trees, xgb_data

from hsboost import HypersimplexObjective, hypersimplex_obj, project_hypersimplex

#: Nothing but the Hessian stands between a leaf and a division by zero.
UNREGULARISED: dict[str, Any] = {"reg_lambda": 0.0, "min_child_weight": 0.0, "gamma": 0.0}


def test_predt_is_float32_of_shape_n_and_so_are_gradient_and_hessian() -> None:
    X, y = make_data()
    seen = Recorder(HypersimplexObjective())
    train_xgb(seen, xgb_data(X, y))
    assert len(seen.inputs) == 5
    for preds, outputs in zip(seen.inputs, seen.outputs, strict=True):
        assert preds.dtype == np.float32
        for array in (preds, *outputs):
            assert array.shape == y.shape
        for array in outputs:
            assert array.dtype == np.float32
            assert array.flags.c_contiguous
            assert np.isfinite(array).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_float16_never_reaches_the_booster(dtype: type) -> None:
    _, y = make_data()
    scores = (np.arange(y.size) % 16 / 8).astype(np.float16)
    scores = scores.astype(int) if dtype is np.int64 else scores
    weight = np.where(y == 1, 0.5, 2.0)
    expected = hypersimplex_obj(y, scores.astype(np.float64), weight)
    found = hypersimplex_obj(y.astype(dtype), scores.astype(dtype), weight.astype(np.float16))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rows", [slice(7, 8), slice(None)])
def test_nan_predictions_raise_one_clear_error(value: float, rows: slice) -> None:
    X, y = make_data()
    margin = np.zeros(y.size)
    margin[rows] = value
    message = r"raw_prediction must be finite, got .* at row \d+ .*base_margin"
    with pytest.raises(ValueError, match=message) as info:
        train_xgb(hypersimplex_obj, xgb_data(X, y, base_margin=margin))
    assert info.value.__suppress_context__ or info.value.__context__ is None


def test_custom_objective_gets_no_fitted_intercept_and_the_loss_needs_none() -> None:
    X, y = make_data(share=0.2)
    dtrain = xgb_data(X, y)
    seen = Recorder(hypersimplex_obj)
    params = {name: value for name, value in XGB.items() if name != "base_score"}
    default = xgb.train(params, dtrain, 5, obj=seen)
    assert np.unique(seen.inputs[0]) == [0.5]  # neither the prevalence 0.2 nor its logit
    zero = train_xgb(hypersimplex_obj, dtrain, base_score=0.0)
    assert splits(default) == splits(zero)
    np.testing.assert_allclose(leaves(default), leaves(zero), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(raw(default, X) - 0.5, raw(zero, X), atol=1e-6)
    above = [s > hypersimplex_obj.fit_threshold(s, y) for s in (raw(default, X), raw(zero, X))]
    np.testing.assert_array_equal(*above)


def test_nominal_objective_is_chosen_on_purpose() -> None:
    X, y = make_data()
    dtrain = xgb_data(X, y)
    logistic = train_xgb(hypersimplex_obj, dtrain, objective="binary:logistic", base_score=0.5)
    squared = train_xgb(hypersimplex_obj, dtrain, objective="reg:squarederror", base_score=0.0)
    assert trees(logistic) == trees(squared)
    for model, name in ((logistic, "binary:logistic"), (squared, "reg:squarederror")):
        assert json.loads(model.save_config())["learner"]["objective"]["name"] == name
    margin = logistic.predict(dtrain, output_margin=True)
    np.testing.assert_allclose(logistic.predict(dtrain), 1.0 / (1.0 + np.exp(-margin)), rtol=1e-6)
    np.testing.assert_array_equal(squared.predict(dtrain), squared.predict(dtrain, output_margin=True))
    np.testing.assert_array_equal(margin, squared.predict(dtrain))


def test_base_score_passes_through_the_nominal_objectives_link() -> None:
    X, y = make_data()
    seen = Recorder(hypersimplex_obj)
    train_xgb(seen, xgb_data(X, y), rounds=1, objective="binary:logistic", base_score=0.2)
    np.testing.assert_allclose(seen.inputs[0], np.log(0.2 / 0.8), rtol=1e-5)


def test_labels_that_do_not_fit_the_columns_raise_a_clear_error() -> None:
    X, y = make_data()
    with pytest.raises(ValueError, match=r"y_true must hold the classes 0 … 2 .* got 3.0"):
        xgb.train({"num_class": 3, "nthread": 1}, xgb_data(X, y * 3), 2, obj=hypersimplex_obj)
    columns = xgb_data(X, np.column_stack([y, 1 - y]))
    shape = columns.get_label().shape  # until 3.1 XGBoost hands several columns of labels over as one
    assert shape in ((500, 2), (1000,))
    with pytest.raises(ValueError, match=rf"y_true must have one entry per row .* got {re.escape(str(shape))}"):
        train_xgb(hypersimplex_obj, columns)


def test_data_without_a_label_raises_a_clear_error() -> None:
    X, _ = make_data()
    with pytest.raises(ValueError, match="label"):
        train_xgb(hypersimplex_obj, xgb_data(X))


@pytest.mark.parametrize("margin", ["right", "wrong", "mixed", "equal", "one outlier"])
@pytest.mark.parametrize("size", [1e6, 1e30])
def test_hessian_is_never_zero_or_negative_when_everything_is_saturated(margin: str, size: float) -> None:
    X, y = make_data(share=0.5)
    sign = {
        "right": 2 * y - 1, "wrong": 1 - 2 * y, "mixed": np.where(np.arange(y.size) % 2, 1.0, -1.0),
        "equal": np.ones_like(y), "one outlier": np.where(np.arange(y.size) == 3, 1.0, 0.0),
    }[margin]  # fmt: skip
    dtrain = xgb_data(X, y, base_margin=sign * size)
    seen = Recorder(HypersimplexObjective())
    model = train_xgb(seen, dtrain, **UNREGULARISED)
    assert len(seen.outputs) == 5
    for gradient, hessian in seen.outputs:
        assert (hessian > 0).all()
        assert np.isfinite(gradient).all()
        assert np.isfinite(hessian).all()
    assert np.isfinite(model.predict(dtrain, output_margin=True)).all()
    assert np.isfinite(leaves(model)).all()
    if margin in ("right", "wrong"):
        assert not seen.outputs[0][0].any()  # hard assignments, all of them: nothing pulls


def test_leaf_of_zero_weight_rows_gives_no_nan() -> None:
    X, y = make_data()
    grown = train_xgb(hypersimplex_obj, xgb_data(X, y), **UNREGULARISED)
    left = grown.trees_to_dataframe().query("Tree == 0 and Node == 0").iloc[0]
    outside = X[:, int(left["Feature"][1:])] >= left["Split"]
    # Refreshing fills the leaves of a grown tree anew: those left of the root hold rows of zero weight only.
    update = {"process_type": "update", "updater": "refresh", "refresh_leaf": True, "tree_method": "auto"}
    dtrain = xgb_data(X, y, weight=outside.astype(float))
    model = xgb.train({**XGB, **UNREGULARISED, **update}, dtrain, 5, obj=hypersimplex_obj, xgb_model=grown)
    frame = model.trees_to_dataframe()
    assert ((frame["Feature"] == "Leaf") & (frame["Cover"] == 0)).any()
    assert np.isfinite(leaves(model)).all()
    assert np.isfinite(raw(model, X)).all()


def test_rows_of_zero_weight_train_as_if_they_were_not_there() -> None:
    X, y = make_data()
    weight = (np.arange(y.size) % 3 > 0).astype(float)
    kept = weight > 0
    with_them = Recorder(hypersimplex_obj)
    model = train_xgb(with_them, xgb_data(X, y, weight=weight), **UNREGULARISED)
    alone = Recorder(hypersimplex_obj)
    train_xgb(alone, xgb_data(X[kept], y[kept]), rounds=1, **UNREGULARISED)
    for ours, theirs in zip(with_them.outputs[0], alone.outputs[0], strict=True):
        np.testing.assert_allclose(ours[kept], theirs, rtol=1e-6)
        assert not ours[~kept].any()
    assert np.isfinite(raw(model, X)).all()


def test_subsample_still_shows_the_objective_all_rows() -> None:
    X, y = make_data()
    seen = Recorder(HypersimplexObjective())
    dtrain = xgb_data(X, y)
    sampled = train_xgb(seen, dtrain, rounds=4, subsample=0.3)
    for preds, (gradient, _) in zip(seen.inputs, seen.outputs, strict=True):
        assert preds.shape == gradient.shape == y.shape
        assert np.ptp(gradient) > 0.5
        assert abs(gradient.sum(dtype=np.float64)) < 1e-3
    assert trees(sampled) != trees(train_xgb(hypersimplex_obj, dtrain, rounds=4))


def test_weights_are_never_applied_for_you() -> None:
    X, y = make_data()
    weight = make_weight(y.size)
    plain, weighted = Recorder(hypersimplex_obj), Recorder(hypersimplex_obj)
    train_xgb(plain, xgb_data(X, y), rounds=1)
    train_xgb(weighted, xgb_data(X, y, weight=weight), rounds=1)
    share = (weight * y).sum() / weight.sum()
    np.testing.assert_allclose(weighted.outputs[0][0], weight * (share - y), rtol=1e-4)
    np.testing.assert_allclose(weighted.outputs[0][1], weight, rtol=1e-6)
    np.testing.assert_allclose(plain.outputs[0][0], y.mean() - y, rtol=1e-4)
    np.testing.assert_array_equal(plain.outputs[0][1], 1.0)


def test_labels_and_weights_are_read_anew_when_the_same_matrix_is_trained_on_again() -> None:
    X, y = make_data()
    weight = make_weight(y.size)
    objective = HypersimplexObjective()
    dtrain = xgb_data(X, y)
    first = train_xgb(objective, dtrain)
    assert trees(train_xgb(objective, dtrain)) == trees(first)
    dtrain.set_weight(weight)
    dtrain.set_label(1 - y)
    again = train_xgb(objective, dtrain)
    fresh = train_xgb(HypersimplexObjective(), xgb_data(X, 1 - y, weight=weight))
    assert splits(again) == splits(fresh)
    np.testing.assert_allclose(leaves(again), leaves(fresh), rtol=1e-5)


class _KeepFolds(xgb.callback.TrainingCallback):
    """The folds' boosters, which `xgb.cv` does not return."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.boosters = [fold.bst for fold in model.cvfolds]
        return False


def test_cv_shares_one_callable_among_interleaved_folds() -> None:
    X, y = make_data(600)
    dtrain = xgb_data(X, y, weight=make_weight(y.size))
    part = np.arange(y.size) % 4  # the last fold is larger
    folds = [(np.flatnonzero(part != f), np.flatnonzero(part == f)) for f in range(2)]
    folds.append((np.flatnonzero(part < 2), np.flatnonzero(part > 1)))
    objective, keep = HypersimplexObjective(k=0.3), _KeepFolds()
    seen = Recorder(objective)
    xgb.cv(XGB, dtrain, 6, folds=folds, obj=seen, callbacks=[keep], metrics="auc")
    assert [p.size for p in seen.inputs[:6]] == [450, 450, 300] * 2  # interleaved
    for (rows, _), booster in zip(folds, keep.boosters, strict=True):
        alone = train_xgb(HypersimplexObjective(k=0.3), dtrain.slice(rows), rounds=6)
        assert trees(booster) == trees(alone)


def test_state_is_kept_per_data_set_and_dropped_with_it() -> None:
    objective = HypersimplexObjective()
    X, y = make_data()
    first, second = xgb_data(X, y), xgb_data(X, y, base_margin=np.full(y.size, 100.0))
    train_xgb(objective, first)
    train_xgb(objective, second)
    assert objective.soft_threshold_for(first) < 10 < 90 < objective.soft_threshold_for(second)
    assert objective.soft_threshold_ == objective.soft_threshold_for(second)
    watch = weakref.ref(first)
    del first
    gc.collect()
    assert watch() is None
    assert list(objective._states) == [second]
    with pytest.raises(ValueError, match="never called with that data set"):
        objective.soft_threshold_for(xgb_data(X, y))


def test_early_stopping_works_with_a_custom_metric() -> None:
    X, y = make_data(600)
    dtrain, dvalid = xgb_data(X[:300], y[:300]), xgb_data(X[300:], y[300:])
    history: dict[str, Any] = {}

    def mistakes(preds: np.ndarray, data: xgb.DMatrix) -> tuple[str, float]:
        labels = data.get_label()
        return "mistakes", float(((preds > hypersimplex_obj.fit_threshold(preds, labels)) != labels).mean())

    model = xgb.train(
        {**XGB, "learning_rate": 0.2, "disable_default_eval_metric": True}, dtrain, 200,
        obj=hypersimplex_obj, custom_metric=mistakes, evals=[(dvalid, "valid")], early_stopping_rounds=5,
        evals_result=history, verbose_eval=False,
    )  # fmt: skip
    values = history["valid"]["mistakes"]
    assert len(values) == model.best_iteration + 6 < 200
    assert model.best_iteration == int(np.argmin(values)) > 0
    assert model.best_score == pytest.approx(min(values))


def test_continued_training_goes_on_where_it_stopped() -> None:
    X, y = make_data()
    dtrain = xgb_data(X, y)
    whole = train_xgb(hypersimplex_obj, dtrain, rounds=8)
    half = train_xgb(hypersimplex_obj, dtrain, rounds=4)
    seen = Recorder(hypersimplex_obj)
    continued = xgb.train(XGB, xgb_data(X, y), 4, obj=seen, xgb_model=half)
    np.testing.assert_allclose(seen.inputs[0], raw(half, X), rtol=1e-6)
    assert splits(continued) == splits(whole)
    np.testing.assert_allclose(raw(continued, X), raw(whole, X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 8.0])
def test_with_all_rows_active_it_grows_the_trees_of_squared_error(temperature: float) -> None:
    # While every row is active ŷ - y = (x - mean x)/temperature - (y - mean y): this is squared error on
    # temperature·y from the intercept temperature·mean(y).
    X, y = make_data()
    rate, rounds = 0.125, 6
    params = {"reg_lambda": 0.0, "min_child_weight": 4.5}
    ours = train_xgb(
        HypersimplexObjective(temperature=temperature), xgb_data(X, y), rounds,
        **params, learning_rate=rate,
    )  # fmt: skip
    squared = {**XGB, **params, "learning_rate": rate, "base_score": temperature * y.mean()}
    theirs = xgb.train(squared, xgb_data(X, temperature * y), rounds)
    for done in range(1, rounds + 1):
        scores = ours[:done].predict(xgb_data(X), output_margin=True)
        assert project_hypersimplex(scores, y.sum(), temperature=temperature).active.all()
    assert len(splits(ours)) > 5 * rounds
    assert splits(ours) == splits(theirs)
    np.testing.assert_allclose(leaves(ours), leaves(theirs), rtol=2e-5, atol=2e-7 * temperature)
    np.testing.assert_allclose(raw(ours, X) + temperature * y.mean(), raw(theirs, X), rtol=1e-5)
