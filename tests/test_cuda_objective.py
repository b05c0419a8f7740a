"""`HypersimplexObjective(device=…)` in XGBoost, end to end, by numba's CUDA simulator (test_cuda.py) or on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from benchmarks.calls import gpu_machine as machine
from benchmarks.calls.gpu import LABELS, run_case
from benchmarks.trainings.gpu import OBJECTIVES, train_once
from hsboost import HSClassifier, HypersimplexObjective, cuda
from hsboost.cuda import _selection
from hsboost.losses import HypersimplexFYLoss

if cuda.missing() is not None:
    pytest.skip(
        f"needs a GPU, or NUMBA_ENABLE_CUDASIM=1 with which test_cuda.py runs it ({cuda.missing()})",
        allow_module_level=True,
    )


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = rng.standard_normal((200, 3))
    return X, (X[:, 0] * X[:, 1] + 0.5 * rng.standard_normal(200) > 0.3).astype(np.float32), rng.random(200) + 0.1


def trained(loss: HypersimplexObjective, data: xgb.DMatrix, **more: Any) -> np.ndarray:
    params = {"max_depth": 3, "base_score": 0.0, "nthread": 1, "device": machine.xgboost_device()} | more
    return xgb.train(params, data, 4, obj=loss).predict(data, output_margin=True)


@pytest.mark.parametrize("k", [None, 0.2, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_trees_are_those_of_the_processor(k: Any, weighted: bool, rows: Any) -> None:
    X, y, w = rows
    data = xgb.DMatrix(X, y, weight=w if weighted else None)
    ours, theirs = HypersimplexObjective(k=k, device="cuda"), HypersimplexObjective(k=k, device="cpu")
    np.testing.assert_allclose(trained(ours, data), trained(theirs, data), rtol=1e-5, atol=1e-6)
    assert ours.soft_threshold_ == pytest.approx(theirs.soft_threshold_, rel=1e-6, abs=1e-6)
    assert ours.soft_threshold_for(data) == ours.soft_threshold_


def test_classes_and_the_convex_sibling(rows: Any, rng: np.random.Generator) -> None:
    X, y, _ = rows
    classes = xgb.DMatrix(X, rng.integers(0, 3, len(X)))
    several = {"objective": "multi:softprob", "num_class": 3}
    ours, theirs = (trained(HypersimplexObjective(device=device), classes, **several) for device in ("cuda", "cpu"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    data = xgb.DMatrix(X, y)
    ours, theirs = (
        trained(HypersimplexObjective.of(HypersimplexFYLoss(k=0.3), device=device), data) for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_is_moved_is_kept_for_the_data_set_and_dropped_with_it(rows: Any) -> None:
    X, y, _ = rows
    data, objective = xgb.DMatrix(X, y), HypersimplexObjective(device="cuda")
    trained(objective, data)
    kept = objective._accelerator._rows
    assert list(kept._rows) == [data]
    before = kept._rows[data]
    trained(objective, data)
    assert kept._rows[data] is before
    data.set_label(1.0 - y)  # the same data set, another problem
    expected = trained(HypersimplexObjective(device="cpu"), data)
    np.testing.assert_allclose(trained(objective, data), expected, rtol=1e-5, atol=1e-6)
    assert kept._rows[data] is not before
    del data
    assert len(kept._rows) == 0


def test_the_scikit_learn_wrapper_and_hsclassifier(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, w = rows
    moves = []
    moved = cuda._step.moved
    monkeypatch.setattr(cuda._step, "moved", lambda *given: moves.append(1) or moved(*given))
    settings = {"n_estimators": 3, "n_jobs": 1, "max_depth": 2, "base_score": 0.0, "device": machine.xgboost_device()}
    margins = [
        xgb.XGBClassifier(objective=HypersimplexObjective(device=device), **settings)
        .fit(X, y, sample_weight=w)
        .predict(X, output_margin=True)
        for device in ("cuda", "cpu")
    ]
    np.testing.assert_allclose(*margins, rtol=1e-5, atol=1e-6)
    assert len(moves) == 1  # the DMatrix was found, though the wrapper does not hand it over
    # HSClassifier leaves the choice to "auto": make the booster look as if it trained on a GPU, and few rows enough.
    plain = HSClassifier(xgb.XGBClassifier(**settings), threshold="training").fit(X, y).decision_function(X)
    monkeypatch.setattr(_selection, "LEAST_ROWS", 1)
    monkeypatch.setattr(_selection, "device_of", lambda booster: 0)
    monkeypatch.setattr("hsboost._boosting.accelerator._leaf", lambda device: cuda)
    again = HSClassifier(xgb.XGBClassifier(**settings), threshold="training").fit(X, y).decision_function(X)
    assert len(moves) == 2
    np.testing.assert_allclose(again, plain, rtol=1e-5, atol=1e-6)


def test_interleaved_folds(rows: Any) -> None:
    X, y, _ = rows
    data = xgb.DMatrix(X, y)
    params = {"max_depth": 2, "base_score": 0.0, "nthread": 1, "device": machine.xgboost_device(), "eval_metric": "auc"}
    ours, theirs = (
        xgb.cv(params, data, 3, nfold=2, obj=HypersimplexObjective(device=device), seed=1) for device in ("cuda", "cpu")
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_the_benchmark_measures_every_method_and_objective(rng: np.random.Generator) -> None:
    record = run_case(40, "float32", 1)
    assert set(record["methods"]) == set(LABELS)
    assert all(seconds > 0.0 for found in record["methods"].values() for seconds in found)
    assert record["passes"] >= 1
    assert record["gradient_difference"] < 1e-6
    data = machine.binned(rng.standard_normal((60, 3)).astype(np.float32), (rng.random(60) < 0.5).astype(np.float32), 1)
    for objective in OBJECTIVES.values():
        training = train_once(data, objective, 2, 1)
        assert len(training["calls"]) == (0 if objective.custom is None else 2)
        assert training["seconds"] > training["objective_seconds"]
        assert training["leaves"] > 1
