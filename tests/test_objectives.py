"""The custom objective by every way in: wrappers, copies, threads, thresholds, weights, imports."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import (
    LGB,
    XGB,
    SlowObjective,
    average_precision,
    leaves,
    lgb_data,
    make_data,
    make_weight,
    raw,
    splits,
    train_any,
    train_lgb,
    train_xgb,
    trees,
    xgb_data,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from hsboost import HypersimplexLoss, HypersimplexObjective, hypersimplex_obj, project_hypersimplex
from hsboost.objectives import LossObjective

BOOSTERS = ("xgboost", "lightgbm")

#: Leaves of the same size mean the same in both, with nothing that depends on the number of rows.
EVEN = {
    "xgboost": {"min_child_weight": 4.5},
    "lightgbm": {"min_sum_hessian_in_leaf": 4.5, "min_data_in_leaf": 1},
}


def classifier(booster: str, objective: Any, **params: Any) -> Any:
    """The scikit-learn wrapper with the parameters of `train_any`."""
    params = {"n_estimators": 5, "n_jobs": 1, "objective": objective, **params}
    if booster == "xgboost":
        params |= {key: XGB[key] for key in ("max_depth", "tree_method", "verbosity")}
        return xgb.XGBClassifier(base_score=0.5, **params)  # of the nominal binary:logistic: a margin of 0
    params |= {key: LGB[key] for key in ("num_leaves", "verbose", "deterministic", "force_row_wise")}
    return lgb.LGBMClassifier(min_data_in_bin=1, **params)


def inner(model: Any) -> Any:
    return model.get_booster() if isinstance(model, xgb.XGBModel) else model.booster_


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("weighted", [False, True])
def test_train_and_wrapper_give_equal_predictions(booster: str, weighted: bool) -> None:
    X, y = make_data()
    weight = make_weight(y.size) if weighted else None
    trained = train_any(booster, HypersimplexObjective(), X, y, weight=weight)
    fitted = classifier(booster, HypersimplexObjective()).fit(X, y.astype(int), sample_weight=weight)
    np.testing.assert_array_equal(raw(inner(fitted), X), raw(trained, X))
    assert np.ptp(raw(trained, X)) > 0.2
    if weighted:
        assert splits(trained) != splits(train_any(booster, HypersimplexObjective(), X, y))


@pytest.mark.parametrize("booster", BOOSTERS)
def test_clone_keeps_the_objective(booster: str) -> None:
    X, y = make_data()
    model = classifier(booster, HypersimplexObjective(k=0.2))
    twin = clone(model)
    assert twin.get_params()["objective"] is model.get_params()["objective"]
    assert trees(inner(twin.fit(X, y))) == trees(inner(clone(model.fit(X, y)).fit(X, y)))


@pytest.mark.parametrize("booster", BOOSTERS)
def test_grid_search_with_one_and_two_jobs(booster: str) -> None:
    X, y = make_data()
    grid = {"objective": [HypersimplexObjective(k=k) for k in (None, 0.1)], "learning_rate": [0.05, 0.5]}
    results = []
    for jobs in (1, 2):
        model = classifier(booster, "replaced")
        search = GridSearchCV(model, grid, scoring=average_precision, cv=3, n_jobs=jobs).fit(X, y)
        results.append(search.cv_results_["mean_test_score"])
        assert isinstance(search.best_params_["objective"], HypersimplexObjective)
    np.testing.assert_allclose(results[0], results[1], rtol=1e-6)
    assert np.unique(results[0].round(6)).size > 2
    assert results[0].min() > 0.5


@pytest.mark.parametrize("booster", BOOSTERS)
def test_joblib_restores_a_fitted_model_bit_for_bit(booster: str, tmp_path: Path) -> None:
    X, y = make_data()
    model = classifier(booster, HypersimplexObjective(k=0.3, temperature=2.0)).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    restored = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(raw(inner(restored), X), raw(inner(model), X))
    assert repr(restored.get_params()["objective"]) == repr(model.get_params()["objective"])
    assert trees(inner(restored.fit(X, y))) == trees(inner(model))


def test_pickle_keeps_the_parameters_and_forgets_the_data() -> None:
    X, y = make_data()
    objective = HypersimplexObjective(0.3, 2.0, "unit", "mean", hessian_floor=0.01)
    size = len(pickle.dumps(objective))
    train_xgb(objective, xgb_data(X, y))
    assert len(pickle.dumps(objective)) == size
    restored = pickle.loads(pickle.dumps(objective))
    assert repr(restored) == repr(objective)
    assert restored.loss.__dict__ == HypersimplexLoss(0.3, 2.0, "unit", "mean", 0.01).__dict__
    assert not hasattr(restored, "soft_threshold_")
    assert trees(train_xgb(restored, xgb_data(X, y))) == trees(train_xgb(objective, xgb_data(X, y)))
    assert copy.deepcopy(objective) is objective


def run_together(*work: Callable[[], Any]) -> list[Any]:
    """Results of all calls, each in a thread of its own."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [future.result() for future in [pool.submit(call) for call in work]]


class InTurns:
    """The shared objective, each thread's round waiting for the other's: the worst interleaving."""

    def __init__(self, parties: int) -> None:
        self.barrier = threading.Barrier(parties, timeout=60)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        self.barrier.wait()
        result = hypersimplex_obj(y_true, y_pred, sample_weight)
        self.barrier.wait()
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> InTurns:
        return self


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("wrapper", [False, True])
def test_two_threads_share_one_objective(booster: str, wrapper: bool) -> None:
    sets = [make_data(500, seed=0, share=0.4), make_data(500, seed=5, share=0.1)]

    def fit(objective: Any, X: np.ndarray, y: np.ndarray) -> Any:
        if wrapper:
            return inner(classifier(booster, objective).fit(X, y))
        return train_any(booster, objective, X, y)

    alone = [fit(hypersimplex_obj, X, y) for X, y in sets]
    turns = InTurns(2)
    together = run_together(*(lambda X=X, y=y: fit(turns, X, y) for X, y in sets))
    for one, other in zip(alone, together, strict=True):
        assert splits(one) == splits(other)
        np.testing.assert_allclose(leaves(one), leaves(other), rtol=1e-5, atol=1e-8)


def test_two_threads_with_many_rows_get_the_bits_of_one() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=100_000), (rng.random(100_000) < 0.3).astype(np.float32)
    shared, loss = HypersimplexObjective(), HypersimplexLoss()
    expected = [*HypersimplexObjective()(y, x), *loss.gradient_hessian(y, x)]

    def often() -> list[list[np.ndarray]]:
        return [[*shared(y, x), *loss.gradient_hessian(y, x)] for _ in range(5)]

    for found in chain(*run_together(often, often)):
        for ours, theirs in zip(found[:2], expected[:2], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
        for ours, theirs in zip(found[2:], expected[2:], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_what_other_data_taught_never_changes_a_result() -> None:
    _, y = make_data()
    scores = np.random.default_rng(4).normal(size=y.size)
    expected = HypersimplexObjective()(y, scores)
    shared = HypersimplexObjective()
    for past in (1e30 * scores, 1e-30 * scores, scores - 1e9, np.zeros_like(scores), 1e300 * scores):
        shared(y, past)
        for ours, theirs in zip(shared(y, scores), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


class Chain(HypersimplexLoss):
    """A loss that fails when it is handed another data set's state (told apart by size here)."""

    def boosting_step(self, y_true: Any, raw_prediction: Any, sample_weight: Any, state: Any) -> Any:
        rounds, size, start = state or (0, len(y_true), None)
        assert size == len(y_true)
        result = super().boosting_step(y_true, raw_prediction, sample_weight, start)
        return *result[:2], (rounds + 1, size, result[2])


@pytest.mark.parametrize("booster", BOOSTERS)
def test_cv_keeps_one_state_per_fold(booster: str) -> None:
    X, y = make_data()
    objective = LossObjective(Chain())
    folds = [(np.arange(m), np.arange(m, y.size)) for m in (200, 300, 400)]
    if booster == "xgboost":
        xgb.cv(XGB, xgb_data(X, y), 4, folds=folds, obj=objective, metrics="auc")
        again = xgb_data(X, y)
        train_xgb(objective, again, 4)
    else:
        lgb.cv({**LGB, "objective": objective, "metric": "auc"}, lgb_data(X, y), 4, folds=folds)
        again = lgb_data(X, y)
        train_lgb(objective, again, 4)
    assert objective._states[again][:2] == (4, y.size)


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("k", [None, 0.2, 60])
def test_thresholds_agree_with_the_projection_and_the_budget(booster: str, k: float | None) -> None:
    X, y = make_data()
    weight = make_weight(y.size)
    total = float(weight.sum(dtype=np.float64))
    mass = {None: float(weight @ y), 0.2: 0.2 * total, 60: 60.0}[k]
    objective = HypersimplexObjective(k=k, temperature=0.5)
    data = (xgb_data if booster == "xgboost" else lgb_data)(X, y, weight=weight)
    model = (train_xgb if booster == "xgboost" else train_lgb)(objective, data, 5)
    if booster == "xgboost":
        before_last = model[:4].predict(xgb_data(X), output_margin=True)
    else:
        before_last = model.predict(X, num_iteration=4)

    def cut(scores: np.ndarray) -> float:
        return project_hypersimplex(scores, mass, temperature=0.5, sample_weight=weight).soft_threshold

    assert objective.soft_threshold_ == objective.soft_threshold_for(data)
    assert objective.soft_threshold_ == pytest.approx(cut(before_last), rel=1e-5, abs=1e-7)
    # The threshold to predict with lets k rows through, up to ties: no other cut misses k by less.
    scores = raw(model, X)
    levels = np.array([scores.min() - 1.0, *np.unique(scores), scores.max() + 1.0])
    chosen = objective.fit_threshold(scores, y, weight)
    middles = 0.5 * (levels[:-1] + levels[1:])
    assert np.abs(middles - chosen).min() < 1e-12
    misses = [abs(float(weight[scores > middle].sum(dtype=np.float64)) - mass) for middle in middles]
    assert abs(float(weight[scores > chosen].sum(dtype=np.float64)) - mass) == min(misses)


@pytest.mark.parametrize("k", [None, 0.25, 1, 60, 499])
def test_fit_threshold_is_the_projections_cut_as_temperature_vanishes(k: float | None) -> None:
    _, y = make_data(share=0.2)
    scores = np.random.default_rng(7).permutation(y.size) / 8.0
    count = {None: 100, 0.25: 125}.get(k, k)
    cut = HypersimplexObjective(k=k).fit_threshold(scores, y)
    assert cut == project_hypersimplex(scores, count, temperature=1e-6).soft_threshold
    assert (scores > cut).sum() == count


@pytest.mark.parametrize("size", [1.0, 1e9, 1e30])
@pytest.mark.parametrize(("k", "count"), [(0, 0), (500, 500)])
def test_fit_threshold_for_none_and_all_whatever_the_size_of_the_scores(size: float, k: int, count: int) -> None:
    _, y = make_data()
    scores = (size * (1 + np.arange(y.size) / y.size)).astype(np.float32)
    assert (scores > HypersimplexObjective(k=k).fit_threshold(scores, y)).sum() == count


def test_threshold_before_training_raises_a_clear_attribute_error() -> None:
    objective = HypersimplexObjective()
    with pytest.raises(AttributeError, match=r"soft_threshold_ exists after training.*fit_threshold"):
        _ = objective.soft_threshold_
    X, y = make_data(50)
    with pytest.raises(ValueError, match="never called with that data set"):
        objective.soft_threshold_for(xgb_data(X, y))
    objective.fit_threshold(X[:, 0], y)
    assert not hasattr(objective, "soft_threshold_")


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("temperature", [1e-2, 1e-1, 2.0**-4, 1e3, 2.0**20])
def test_temperature_only_sets_the_unit_of_the_scores(booster: str, temperature: float) -> None:
    X, y = make_data()
    weight = make_weight(y.size)
    once = train_any(booster, HypersimplexObjective(), X, y, weight=weight, **EVEN[booster])
    objective = HypersimplexObjective(temperature=temperature)
    scaled = train_any(booster, objective, X, y, weight=weight, **EVEN[booster])
    assert splits(scaled) == splits(once)
    np.testing.assert_allclose(raw(scaled, X) / temperature, raw(once, X), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("temperature", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_hessian_of_an_active_row_is_near_its_weight(temperature: float, reduction: Any) -> None:
    _, y = make_data()
    weight = make_weight(y.size).astype(np.float64)
    scores = temperature * np.random.default_rng(2).normal(size=y.size)
    loss = HypersimplexLoss(temperature=temperature, reduction=reduction)
    gradient, hessian = HypersimplexObjective(temperature=temperature, reduction=reduction)(y, scores, weight)
    projected = project_hypersimplex(scores, weight @ y, temperature=temperature, sample_weight=weight)
    active = projected.active
    assert 20 < active.sum() < y.size - 20
    np.testing.assert_allclose(hessian[active], weight[active], rtol=1e-6)
    np.testing.assert_allclose(hessian[~active], 1e-3 * weight[~active], rtol=1e-5)
    # Newton's step is that of the loss itself, with the curvature's part between rows bounded by its diagonal.
    true_gradient, true_hessian = loss.gradient_hessian(y, scores, weight)
    alone = (1 - weight / weight[active].sum())[active]
    step, newton = (gradient / hessian)[active], (true_gradient / true_hessian)[active] * alone
    np.testing.assert_allclose(step, newton, rtol=1e-4, atol=1e-6 * temperature)


@pytest.mark.parametrize("booster", BOOSTERS)
def test_unit_hessian_makes_the_temperature_a_step_size(booster: str) -> None:
    X, y = make_data()
    warm, cold = (HypersimplexObjective(temperature=t, hessian="unit") for t in (4.0, 2.0))
    first = [raw(train_any(booster, objective, X, y, 1), X) for objective in (warm, cold)]
    np.testing.assert_allclose(2.0 * first[0], first[1], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("hessian", ["exact", "unit"])
def test_integer_weights_equal_repeated_rows(booster: str, hessian: Any) -> None:
    X, y = make_data()
    weight = np.random.default_rng(6).integers(0, 4, y.size)
    objective = HypersimplexObjective(hessian=hessian)
    weighted = train_any(booster, objective, X, y, weight=weight.astype(float), **EVEN[booster])
    # A row left out would also leave its value out of the candidates for a split: keep it, with no weight.
    none = weight == 0
    rows = np.concatenate([np.repeat(np.arange(y.size), weight), np.flatnonzero(none)])
    ones = np.concatenate([np.ones(weight.sum()), np.zeros(none.sum())])
    repeated = train_any(booster, objective, X[rows], y[rows], weight=ones, **EVEN[booster])
    assert splits(weighted) == splits(repeated)
    tolerance = 1e-4 if hessian == "unit" else 3 / weight.sum()
    np.testing.assert_allclose(leaves(weighted), leaves(repeated), rtol=tolerance * 5, atol=1e-6)
    assert splits(weighted) != splits(train_any(booster, objective, X, y, **EVEN[booster]))


@pytest.mark.parametrize("booster", BOOSTERS)
@pytest.mark.parametrize("share", [None, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.125])
def test_three_rounds_equal_a_slow_numpy_objective(
    booster: str, share: float | None, weighted: bool, temperature: float
) -> None:
    X, y = make_data(300)
    weight = make_weight(y.size) if weighted else None
    params = {**EVEN[booster], "learning_rate": 1.0}  # far enough that rows leave the active set
    objective = HypersimplexObjective(k=share, temperature=temperature)
    ours = train_any(booster, objective, X, y, 3, weight, **params)
    slow = train_any(booster, SlowObjective(share, temperature), X, y, 3, weight, **params)
    assert splits(ours) == splits(slow)
    np.testing.assert_allclose(leaves(ours), leaves(slow), rtol=1e-4, atol=1e-6)
    k = (0.5 if share is None else share) * y.size
    assert not project_hypersimplex(raw(ours, X), k, temperature=temperature).active.all()


BOOSTERS_AND_KIN = {"xgboost", "lightgbm", "torch", "cupy", "dask", "sklearn", "pandas", "matplotlib"}


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import hsboost", BOOSTERS_AND_KIN | {"numpy", "numba", "scipy"}),
        ("from hsboost import hypersimplex_obj, project_hypersimplex", BOOSTERS_AND_KIN),
    ],
)
def test_import_is_cheap_and_brings_no_booster(statement: str, heavy: set[str]) -> None:
    code = f"{statement}; import json, sys; print(json.dumps([m.split('.')[0] for m in sys.modules]))"
    root = Path(sys.modules["hsboost"].__file__ or "").parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    loaded = set(json.loads(done.stdout))
    assert "hsboost" in loaded
    assert not heavy & loaded
