"""The smooth projection and losses on a GPU against the processor's, by numba's CUDA simulator (test_cuda.py)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from hsboost import HypersimplexLoss, HypersimplexObjective, cuda, project_hypersimplex
from hsboost._solver import entropic
from hsboost.cuda import _entropic, _entropic_kernels, _kernels, _step
from hsboost.cuda._device import device, missing
from hsboost.losses import BudgetLogLoss, HypersimplexSmoothFYLoss, HypersimplexSmoothLoss
from hsboost.losses._rounds import Round

if missing() is not None:
    pytest.skip(
        f"needs a GPU, or NUMBA_ENABLE_CUDASIM=1 with which test_cuda.py runs it ({missing()})", allow_module_level=True
    )

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")


@pytest.fixture(autouse=True, scope="module")
def _threads() -> Iterator[None]:
    """What the simulator needs of Python's threads; see test_cuda_passes.py."""
    for module in (_kernels, _entropic_kernels):
        vars(module).setdefault("__warningregistry__", {})
    usual = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    yield
    sys.setswitchinterval(usual)


def projected(x: np.ndarray, k: float, temperature: float, weight: np.ndarray | None) -> tuple[np.ndarray, Any, int]:
    place = device(0)
    with place.current():
        w = None if weight is None else place.upload(weight)
        values, where, passes = cuda.project_hypersimplex(place.upload(x), k, temperature, w, regularization="entropic")
        return place.download(values), where, passes


@pytest.mark.parametrize("kind", ["normal", "ties", "saturated", "huge"])
@pytest.mark.parametrize(("weighted", "dtype"), [(False, np.float32), (True, np.float64)])
def test_projections_equal_those_of_the_processor(
    kind: str, weighted: bool, dtype: Any, rng: np.random.Generator
) -> None:
    x = rng.standard_normal(60)
    x = {"normal": x, "ties": np.round(2.0 * x), "saturated": np.sign(x) * 50.0 + x, "huge": x * 1e30}[kind]
    x = x.astype(dtype)
    w = rng.random(60) * (rng.random(60) > 0.2) if weighted else None
    total = 60.0 if w is None else w.sum()
    for k, temperature in ((0.3 * total, 1.0), (total - 0.37, 0.2)):
        values, where, passes = projected(x, k, temperature, w)
        truth = project_hypersimplex(x, k, temperature=temperature, sample_weight=w, regularization="entropic")
        assert values.dtype == dtype
        np.testing.assert_allclose(values, truth.values, rtol=0, atol=max(1e-12, 2 * np.finfo(dtype).eps))
        expected = entropic.multiplier_of(x, w, k, total, temperature)
        assert where.soft_threshold == pytest.approx(expected.soft_threshold, rel=1e-11, abs=1e-11)
        assert where.flat == expected.flat
        assert passes >= 1


@pytest.mark.parametrize("k", [0.0, 5.0, 2.5, 3.0])
def test_limits(k: float) -> None:
    for x in ([0.3, -1.0, 2.0, 0.25, 9.0], [1e30, -1e30, 0.25, 1e30, 0.3], [1.0] * 5):
        for temperature in (1.0, 0.01):
            values, where, _ = projected(np.array(x), k, temperature, None)
            truth = project_hypersimplex(x, k, temperature=temperature, regularization="entropic")
            np.testing.assert_allclose(values, truth.values, rtol=0, atol=1e-12)
            assert values.sum() == pytest.approx(k, abs=1e-12)
            assert where.flat or k in (2.5, 3.0)
    values, _, _ = projected(np.array([4.0]), 0.25, 1.0, None)
    assert values.tolist() == [pytest.approx(0.25, rel=1e-12)]


def test_errors_of_the_projection(rng: np.random.Generator) -> None:
    x = rng.standard_normal(20)
    with pytest.raises(ValueError, match="k must be between 0 and the total weight 20, got 21"):
        projected(x, 21, 1.0, None)
    with pytest.raises(ValueError, match="regularization must be one of"):
        cuda.project_hypersimplex(x, 1.0, regularization="entropy")  # type: ignore[arg-type]
    x[7] = np.nan
    for k in (0.0, 6.0):
        with pytest.raises(ValueError, match="x must be finite, got nan at row 7 "):
            projected(x, k, 1.0, None)


def test_sums_are_the_processor_s(rng: np.random.Generator) -> None:
    place, x, w = device(0), rng.standard_normal(90), rng.random(90)
    ours, theirs = _entropic.EntropicReducer(place, place.upload(x), place.upload(w)), entropic.ArrayReducer(x, w)
    for nu in (-3.0, 0.3, 40.0):
        at = np.array([0.1]), 2.0, np.array([nu])
        asked = np.array([True])
        np.testing.assert_allclose(ours.sums(*at, asked), theirs.sums(*at, asked), rtol=1e-12, atol=1e-300)
        np.testing.assert_array_equal(ours.edges(*at), theirs.edges(*at))


LOSSES = [
    (HypersimplexSmoothLoss(), True),
    (HypersimplexSmoothLoss(k=7, temperature=0.3), False),
    (HypersimplexSmoothLoss(k=0.25, hessian="unit", reduction="mean"), True),
    (HypersimplexSmoothLoss(k=0, hessian_floor=0.5), False),
    (HypersimplexSmoothFYLoss(), False),
    (HypersimplexSmoothFYLoss(k=0.4, temperature=2.0), True),
    (HypersimplexSmoothFYLoss(hessian="unit"), True),
    (BudgetLogLoss(), False),
    (BudgetLogLoss(k=9, width=0.2, floor=0.5, guard=0), True),
    (BudgetLogLoss(k=0.2, width=2.0, guard=5), True),
    (BudgetLogLoss(k=0), False),
]


def close(ours: Any, theirs: np.ndarray) -> None:
    with device(0).current():
        found = device(0).download(ours)
    assert found.dtype == np.float32
    assert found.shape == theirs.shape
    np.testing.assert_allclose(found, theirs, rtol=3e-7, atol=1e-7 * np.abs(theirs).max())


@pytest.mark.parametrize(("loss", "weighted"), LOSSES)
@pytest.mark.parametrize("classes", [0, 3])
def test_rounds_equal_those_of_the_processor(
    loss: HypersimplexLoss, weighted: bool, classes: int, rng: np.random.Generator
) -> None:
    n, place = 83, device(0)
    y = rng.integers(0, classes or 2, n)
    w = rng.random(n).astype(np.float32) if weighted else None
    raw = rng.standard_normal((n, classes) if classes else n).astype(np.float32)
    state, host_state, rows = None, None, None
    for _ in range(2):
        gradient, hessian, state, rows = _step.boosting_step(place, loss, y, raw, w, state, rows)
        host_gradient, host_hessian, host_state = loss.boosting_step(y, raw, w, host_state)
        close(gradient, host_gradient)
        close(hessian, host_hessian)
        assert isinstance(state, Round)
        np.testing.assert_allclose(state.soft_threshold, host_state.soft_threshold, rtol=1e-11, atol=1e-11)
        np.testing.assert_allclose(state.active_share, host_state.active_share, rtol=1e-11, atol=1e-11)
        raw = raw - 0.05 * host_gradient
    # Either path goes on from the other's state.
    close(_step.boosting_step(place, loss, y, raw, w, host_state, rows)[0], loss.boosting_step(y, raw, w, state)[0])


@pytest.mark.parametrize("loss", [HypersimplexSmoothLoss(), HypersimplexSmoothFYLoss(), BudgetLogLoss()])
@pytest.mark.parametrize(
    ("y", "raw", "w"),
    [
        ([0, 1, 2, 1], [1.0, 2.0, 3.0, 4.0], None),
        ([0, 1, 0, 1], [1.0, np.nan, 3.0, 4.0], None),
        ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [1.0, -1.0, 1.0, 1.0]),
        ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [0.0] * 4),
        ([0, 0, 0, 0], [1.0, 2.0, 3.0, 4.0], None),
        ([0, 1, 0, 1], [[1.0, 2.0], [np.inf, 4.0]] * 2, None),
    ],
)
def test_errors_are_those_of_the_processor(y: Any, raw: Any, w: Any, loss: HypersimplexLoss) -> None:
    given = np.array(y), np.array(raw), None if w is None else np.array(w), None
    with pytest.raises(ValueError) as theirs:
        loss.boosting_step(*given)
    with pytest.raises(ValueError) as ours:
        _step.boosting_step(device(0), loss, *given, None)
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("kind", [HypersimplexSmoothLoss, HypersimplexSmoothFYLoss, BudgetLogLoss])
def test_trees_are_those_of_the_processor(kind: Any, rng: np.random.Generator) -> None:
    X = rng.standard_normal((120, 3))
    y = (X[:, 0] * X[:, 1] > 0.3).astype(np.float32)
    data, groups = xgb.DMatrix(X, y, weight=rng.random(120) + 0.1), np.arange(120) % 3
    params = {"max_depth": 2, "base_score": 0.0, "nthread": 1}
    params["device"] = "cpu" if device(0).threads < 32 else "cuda"
    ours, theirs = (
        xgb.train(params, data, 2, obj=HypersimplexObjective.of(kind(k=0.2), device=name)).predict(data)
        for name in ("cuda", "cpu")
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="device='cuda' does not know groups yet"):
        xgb.train(params, data, 1, obj=HypersimplexObjective.of(kind(k=0.2), device="cuda", groups=groups))


def test_the_same_bits_every_time(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal(100).astype(np.float32), rng.random(100)
    first, second = projected(x, 20.3, 0.3, w), projected(x, 20.3, 0.3, w)
    assert first[1:] == second[1:]
    np.testing.assert_array_equal(first[0], second[0])
