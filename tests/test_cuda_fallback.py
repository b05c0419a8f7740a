"""`HypersimplexObjective(device=…)` without a GPU to use: the processor, silently and right, or a clear refusal."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from hsboost import HypersimplexObjective, cuda
from hsboost.cuda import _device, _selection


@pytest.fixture
def rows(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X = rng.standard_normal((200, 3))
    return X, (X[:, 0] * X[:, 1] + 0.5 * rng.standard_normal(200) > 0.3).astype(np.float32), rng.random(200) + 0.1


def trained(loss: HypersimplexObjective, data: xgb.DMatrix, **more: Any) -> np.ndarray:
    params = {"max_depth": 3, "base_score": 0.0, "nthread": 1} | more
    return xgb.train(params, data, 4, obj=loss).predict(data, output_margin=True)


@pytest.fixture
def all_for_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but groups and LightGBM speaks for a GPU."""
    monkeypatch.setattr(_selection, "LEAST_ROWS", 1)
    monkeypatch.setattr(_selection, "missing", lambda: None)
    monkeypatch.setattr(_selection, "device_of", lambda booster: 0)
    monkeypatch.setattr("hsboost._boosting.accelerator._leaf", lambda device: cuda)


@pytest.mark.usefixtures("all_for_a_gpu")
def test_groups(rows: Any) -> None:
    X, y, _ = rows
    data, groups = xgb.DMatrix(X, y), np.arange(len(y)) % 3
    with pytest.raises(ValueError, match="does not know groups"):
        trained(HypersimplexObjective(groups=groups, device="cuda"), data)
    trained(HypersimplexObjective(groups=groups), data)


@pytest.mark.usefixtures("all_for_a_gpu")
def test_lightgbm(rows: Any) -> None:
    lgb = pytest.importorskip("lightgbm", reason="LightGBM is not installed, as on some machines with a GPU")
    X, y, _ = rows
    objective: Any = HypersimplexObjective(device="cuda")
    with pytest.raises(ValueError, match="works with XGBoost only"):
        lgb.train({"objective": objective, "verbosity": -1, "num_threads": 1}, lgb.Dataset(X, y), 1)
    lgb.train({"objective": HypersimplexObjective(), "verbosity": -1, "num_threads": 1}, lgb.Dataset(X, y), 1)


@pytest.mark.skipif(_device.simulated(), reason="the simulator takes every booster for one on a GPU")
def test_a_booster_on_a_processor_is_not_given_gradients_on_a_gpu(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = rows
    monkeypatch.setattr(_selection, "missing", lambda: None)
    with pytest.raises(ValueError, match="the booster does not train on a GPU"):
        trained(HypersimplexObjective(device="cuda"), xgb.DMatrix(X, y), device="cpu")
    monkeypatch.setattr("hsboost._boosting.accelerator._leaf", lambda device: cuda)
    monkeypatch.setattr(_selection, "LEAST_ROWS", 1)
    trained(HypersimplexObjective(device="auto"), xgb.DMatrix(X, y), device="cpu")


def test_the_device_is_pickled_and_checked() -> None:
    assert HypersimplexObjective().device == "auto"
    assert pickle.loads(pickle.dumps(HypersimplexObjective(device="cuda:1"))).device == "cuda:1"
    with pytest.raises(ValueError, match="device must be 'auto'"):
        HypersimplexObjective(device="gpu")
