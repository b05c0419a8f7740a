"""The GPU path against the processor's, run by numba's CUDA simulator (see test_cuda.py) or by a GPU."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from _cuda_forms import ARGUMENTS, MODULES, forms, type_of
from hypothesis import given, settings

from hsboost import HypersimplexLoss, cuda, project_hypersimplex
from hsboost._solver.problems import values_at
from hsboost._solver.search import ArrayReducer, multiplier_of, scale_of
from hsboost.cuda import _entropic, _kernels, _reducer, _rows, _step
from hsboost.cuda._device import Device, device, grid, missing, simulated
from hsboost.losses import BudgetLogLoss, HypersimplexFYLoss, HypersimplexSmoothFYLoss, HypersimplexSmoothLoss
from hsboost.losses._rounds import Round
from tests.strategies import Problem, problems

if missing() is not None:
    pytest.skip(
        f"needs a GPU, or NUMBA_ENABLE_CUDASIM=1 with which test_cuda.py runs it ({missing()})", allow_module_level=True
    )

# Scores of 1e30 over a temperature of 1e-310: infinite, as they should be, and NumPy's in the simulator.
pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered:RuntimeWarning")

# A GPU contracts a product and a sum into one rounding where the processor may make two.
VALUES = 1e-12


@pytest.fixture(autouse=True, scope="module")
def _threads() -> Iterator[None]:
    """What the simulator needs of Python's threads.

    It waits for its own in a busy loop: let them have their turn sooner. Each of them goes through the module's names,
    to which the first warning would add one meanwhile.
    """
    vars(_kernels).setdefault("__warningregistry__", {})
    usual = sys.getswitchinterval()
    sys.setswitchinterval(2e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.fixture
def place() -> Iterator[Device]:
    with device(0).current():
        yield device(0)


def projected(x: np.ndarray, k: float, temperature: float, weight: np.ndarray | None) -> tuple[np.ndarray, Any, int]:
    where = device(0)
    with where.current():
        w = None if weight is None else where.upload(weight)
        values, threshold, passes = cuda.project_hypersimplex(where.upload(x), k, temperature, w)
        return where.download(values), threshold, passes


def scores(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    x = rng.standard_normal(n)
    if kind == "ties":
        return np.round(2.0 * x) / 2.0
    if kind == "saturated":
        return np.sign(x) * 50.0 + 0.1 * x
    if kind == "heavy tails":
        return rng.standard_cauchy(n)
    return x * 1e30 if kind == "huge" else x


@pytest.mark.parametrize("kind", ["normal", "ties", "saturated", "heavy tails", "huge"])
@pytest.mark.parametrize(("weighted", "dtype"), [(False, np.float32), (True, np.float64)])
def test_projections_equal_those_of_the_processor(
    kind: str, weighted: bool, dtype: Any, rng: np.random.Generator
) -> None:
    n = 12 if kind == "huge" else 257
    x = scores(kind, n, rng).astype(dtype)
    w = rng.random(n) * (rng.random(n) > 0.2) if weighted else None
    total = n if w is None else w.sum()
    for k, temperature in ((0.3 * total, 1.0), (total - 0.37, 0.2)):
        ours, where, passes = projected(x, k, temperature, w)
        theirs = project_hypersimplex(x, k, temperature=temperature, sample_weight=w)
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs.values, rtol=0, atol=max(VALUES, 2 * np.finfo(dtype).eps))
        expected = multiplier_of(x, w, k, float(total), temperature)
        assert where.soft_threshold == pytest.approx(expected.soft_threshold, rel=1e-12, abs=1e-12)
        assert passes >= 1


@settings(max_examples=20)
@given(problem=problems())
def test_awkward_problems_have_the_processor_s_threshold(problem: Problem) -> None:
    x, k, temperature, weight = problem
    ours, where, _ = projected(x, k, temperature, weight)
    theirs = multiplier_of(x, weight, k, problem.total, temperature)
    assert where.flat == theirs.flat
    if theirs.flat:
        # Both took the middle of the same gap between two scores.
        assert where.soft_threshold == pytest.approx(theirs.soft_threshold, rel=1e-12, abs=1e-300)
    mass = float((problem.w * ours.astype(np.float64)).sum())
    assert mass == pytest.approx(k, rel=1e-9, abs=1e-9 * problem.total)
    np.testing.assert_allclose(ours, values_at(x, theirs), rtol=0, atol=1e-9)


@pytest.mark.parametrize("k", [0.0, 5.0, 2.5])
def test_no_row_all_rows_and_a_share_of_one(k: float) -> None:
    x = np.array([0.3, -1.0, 2.0, 0.25, 9.0])
    ours, where, _ = projected(x, k, 1.0, None)
    np.testing.assert_allclose(ours, project_hypersimplex(x, k).values, rtol=0, atol=VALUES)
    assert where.flat == (k in (0.0, 5.0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_named(value: float, rng: np.random.Generator) -> None:
    x = rng.standard_normal(50)
    x[17] = value
    for k in (0.0, 20.0):
        with pytest.raises(ValueError, match=f"x must be finite, got {value} at row 17 "):
            projected(x, k, 1.0, None)


def test_masses_and_weights_out_of_reach_are_refused() -> None:
    x = np.zeros(4)
    with pytest.raises(ValueError, match="k must be between 0 and the total weight 4, got 5"):
        projected(x, 5, 1.0, None)
    with pytest.raises(ValueError, match="finite and >= 0"):
        projected(x, 1, 1.0, np.array([1.0, -1.0, 1.0, 1.0]))


@pytest.mark.parametrize(("weighted", "dtype"), [(True, np.float32), (False, np.float64)])
def test_sums_are_right_before_and_after_narrowing(
    weighted: bool, dtype: Any, place: Device, rng: np.random.Generator
) -> None:
    n, scale = 300, scale_of(0.4)
    x = rng.standard_normal(n).astype(dtype)
    w = rng.random(n).astype(dtype) if weighted else None
    ours = _reducer.DeviceReducer(place, place.upload(x), None if w is None else place.upload(w), scale, float(n))
    theirs = ArrayReducer(x, w, scale, float(n))
    ours.anchor = theirs.anchor = 0.1
    for nu in (-2.0, 0.31, 0.30):
        np.testing.assert_allclose(ours.sums(nu), theirs.sums(nu), rtol=1e-12)
    assert ours.passes == 2  # the third nu lay in the window of the second
    assert ours.narrow(0.295, 0.325)
    assert ours.passes == 2
    for nu in (0.295, 0.31, 0.325):
        np.testing.assert_allclose(ours.sums(nu), theirs.sums(nu), rtol=1e-12)
    assert ours.passes == 2
    assert ours.narrow(-0.6, 0.3)  # wider than what is kept: a new pass
    np.testing.assert_allclose(ours.sums(-0.5), theirs.sums(-0.5), rtol=1e-12)
    assert ours.passes == 3
    assert not ours.narrow(0.0, 1.5)
    ours.widen()
    ours.anchor = theirs.anchor = -0.2  # what is kept belongs to another anchor
    np.testing.assert_allclose(ours.sums(0.3), theirs.sums(0.3), rtol=1e-12)


def test_rows_kept_on_the_device_are_summed_there(
    place: Device, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reducer, "MOST_ON_HOST", 0)
    x, w = rng.standard_normal(300), rng.random(300)
    ours = _reducer.DeviceReducer(place, place.upload(x), place.upload(w), 1.0, w.sum())
    theirs = ArrayReducer(x, w, 1.0, w.sum())
    assert ours.narrow(-0.3, 0.1)
    assert ours.narrow(-0.2, 0.0)
    assert ours._kept is not None
    assert ours._kept.host is None
    for nu in (-0.2, -0.1, 0.0):
        np.testing.assert_allclose(ours.sums(nu), theirs.sums(nu), rtol=1e-12)
    assert ours.passes == 1


def test_crowded_windows_give_up_keeping(
    place: Device, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_reducer, "CAPACITY", 1)
    x = np.concatenate([np.full(200, 0.5), rng.standard_normal(100)])
    ours = _reducer.DeviceReducer(place, place.upload(x), None, 1.0, 300.0)
    theirs = ArrayReducer(x, None, 1.0, 300.0)
    np.testing.assert_allclose(ours.sums(0.49), theirs.sums(0.49), rtol=1e-12)
    assert ours.passes == 2
    ours.sums(0.48)
    assert ours.passes == 3  # rows beyond the capacity are not tried again at every step
    assert not ours.narrow(0.49, 0.51)
    values, _, _ = projected(x, 120.0, 1.0, None)
    np.testing.assert_allclose(values, project_hypersimplex(x, 120.0).values, rtol=0, atol=VALUES)


def test_edges_and_extremes(place: Device, rng: np.random.Generator) -> None:
    x, w = rng.standard_normal(100), rng.integers(0, 2, 100).astype(np.float64)
    ours = _reducer.DeviceReducer(place, place.upload(x), place.upload(w), 2.0, w.sum())
    theirs = ArrayReducer(x, w, 2.0, w.sum())
    assert ours.bounds() == theirs.bounds()
    assert ours.gap(0.2) == theirs.gap(0.2)
    assert ours.interior(0.2) == pytest.approx(theirs.interior(0.2))
    assert ours.nearest(0.2) in x[w > 0]
    assert ours.gap(1e9) == (x[w > 0].max(), np.inf)
    assert ours.guess(0.3 * w.sum()) == theirs.guess(0.3 * w.sum())


def test_the_grid_depends_on_the_rows_alone() -> None:
    place = device(0)
    assert grid(place, 1)[:2] == (place.blocks[0], place.threads)
    assert grid(place, 10**9)[:2] == (place.blocks[1], place.threads)


LOSSES = [
    HypersimplexLoss(),
    HypersimplexLoss(),
    HypersimplexLoss(k=7, temperature=0.3),
    HypersimplexLoss(k=0.25, hessian="unit", reduction="mean"),
    HypersimplexLoss(k=0, hessian_floor=0.5),
    HypersimplexFYLoss(k=0.4),
]


@pytest.mark.parametrize(("loss", "weighted"), list(zip(LOSSES, (True, False, True, False, True, False), strict=True)))
def test_rounds_equal_those_of_the_processor(loss: HypersimplexLoss, weighted: bool, rng: np.random.Generator) -> None:
    n, place = 203, device(0)
    y = (rng.random(n) < 0.3).astype(np.float32)
    w = rng.random(n).astype(np.float32) if weighted else None
    raw = rng.standard_normal(n).astype(np.float32)
    state, host_state, rows = None, None, None
    for _ in range(2):
        gradient, hessian, state, rows = _step.boosting_step(place, loss, y, raw, w, state, rows)
        host_gradient, host_hessian, host_state = loss.boosting_step(y, raw, w, host_state)
        close(place, gradient, host_gradient)
        close(place, hessian, host_hessian)
        assert state.soft_threshold == pytest.approx(host_state.soft_threshold, rel=1e-12, abs=1e-12)
        assert state.active_share == pytest.approx(host_state.active_share, abs=1e-12)
        assert isinstance(state, Round)
        raw = raw - 0.05 * host_gradient


def close(place: Device, ours: Any, theirs: np.ndarray) -> None:
    with place.current():
        found = place.download(ours)
    assert found.dtype == np.float32
    assert found.shape == theirs.shape
    np.testing.assert_allclose(found, theirs, rtol=2e-7, atol=1e-7)


def test_states_go_from_one_path_to_the_other(rng: np.random.Generator) -> None:
    loss, place = HypersimplexLoss(k=40), device(0)
    y, raw = (rng.random(150) < 0.3).astype(np.float32), rng.standard_normal(150)
    _, _, host_state = loss.boosting_step(y, raw, None, None)
    gradient, _, state, rows = _step.boosting_step(place, loss, y, raw + 0.01, None, host_state, None)
    expected, _, _ = loss.boosting_step(y, raw + 0.01, None, state)
    close(place, gradient, expected)
    _, _, _, rows = _step.boosting_step(place, loss, y, raw, None, ("not", "a state"), rows)


def test_class_columns(rng: np.random.Generator) -> None:
    n, place = 120, device(0)
    y, w = rng.integers(0, 3, n), rng.random(n)
    raw = rng.standard_normal((n, 3)).astype(np.float32)
    for loss in (HypersimplexLoss(), HypersimplexLoss(k={0: 10, 1: 0.2, 2: None})):
        gradient, hessian, state, _ = _step.boosting_step(place, loss, y, raw, w, None, None)
        host_gradient, host_hessian, host_state = loss.boosting_step(y, raw, w, None)
        close(place, gradient, host_gradient)
        close(place, hessian, host_hessian)
        assert state.soft_threshold == pytest.approx(host_state.soft_threshold, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("y", "raw", "w", "loss"),
    [
        ([0, 1, 2, 1], [1.0, 2.0, 3.0, 4.0], None, HypersimplexLoss()),
        ([0, 1, 0.5, 1], [1.0, 2.0, 3.0, 4.0], None, HypersimplexLoss()),
        ([0, 1, 0, 1], [1.0, np.nan, 3.0, 4.0], None, HypersimplexLoss()),
        ([0, 1, 0, 1], [1.0, -np.inf, 3.0, 4.0], None, HypersimplexLoss(k=0)),
        ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [1.0, -1.0, 1.0, 1.0], HypersimplexLoss()),
        ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0], HypersimplexLoss()),
        ([0, 1, 0], [1.0, 2.0, 3.0, 4.0], None, HypersimplexLoss()),
        ([0, 0, 0, 0], [1.0, 2.0, 3.0, 4.0], None, HypersimplexLoss()),
        ([1, 1, 1, 1], [1.0, 2.0, 3.0, 4.0], None, HypersimplexLoss()),
        ([0, 1, 0, 1], [1.0, 2.0, 3.0, 4.0], None, HypersimplexLoss(k={0: 1})),
        ([0, 1, 0, 3], [[1.0, 2.0]] * 4, None, HypersimplexLoss()),
        ([0, 0, 0, 0], [[1.0, 2.0], [3.0, 4.0]] * 2, None, HypersimplexLoss()),
        ([0, 1, 0, 1], [[1.0, 2.0], [np.nan, 4.0]] * 2, None, HypersimplexLoss()),
        ([0, 1, 0, 1], [[1.0, 2.0]] * 4, [1.0, np.inf, 1.0, 1.0], HypersimplexLoss()),
    ],
)
def test_errors_are_those_of_the_processor(y: Any, raw: Any, w: Any, loss: HypersimplexLoss) -> None:
    with pytest.raises(ValueError) as theirs:
        loss.boosting_step(np.array(y), np.array(raw), None if w is None else np.array(w), None)
    with pytest.raises(ValueError) as ours:
        _step.boosting_step(device(0), loss, np.array(y), np.array(raw), None if w is None else np.array(w), None, None)
    assert str(ours.value) == str(theirs.value)


def test_labels_and_weights_are_moved_once_and_again_when_they_change(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, loss, moves = device(0), HypersimplexLoss(), []
    monkeypatch.setattr(_step, "moved", lambda *given: moves.append(1) or _rows.moved(*given))
    y, w = (rng.random(90) < 0.4).astype(np.float32), rng.random(90)
    raw = rng.standard_normal(90)

    def step(state: Any, rows: Any) -> Any:
        gradient, _, state, rows = _step.boosting_step(place, loss, y, raw, w, state, rows)
        close(place, gradient, loss.boosting_step(y, raw, w, None)[0])
        return state, rows

    state, rows = step(None, None)
    for _ in range(2):
        state, rows = step(state, rows)
    assert len(moves) == 1
    y[[3, 4]] = 1.0 - y[[3, 4]]  # in place, and perhaps with the same sum
    state, rows = step(state, rows)
    assert len(moves) == 2
    w[5] += 0.5
    state, rows = step(state, rows)
    assert len(moves) == 3
    step(state, rows)
    assert len(moves) == 3


def test_rows_are_taken_out_while_in_use_and_dropped_with_their_data_set() -> None:
    class Dataset: ...

    kept, dataset = _rows.RowsByDataset(), Dataset()
    rows: Any = object()
    kept.put(dataset, rows)
    assert kept.take(dataset) is rows
    assert kept.take(dataset) is None
    kept.put(dataset, rows)
    del dataset
    assert len(kept._rows) == 0
    kept.put(None, rows)
    assert kept.take(None) is None


def test_the_same_bits_every_time(rng: np.random.Generator) -> None:
    x, w = rng.standard_normal(400).astype(np.float32), rng.random(400)
    first = projected(x, 100.3, 0.3, w)
    second = projected(x, 100.3, 0.3, w)
    assert first[1:] == second[1:]
    np.testing.assert_array_equal(first[0], second[0])


def test_scores_too_far_apart_for_the_search_are_solved_on_the_host() -> None:
    x = np.array([-1.7e308, -1e300, 0.0, 1e300, 1.7e308])
    ours, _, _ = projected(x, 2.5, 1e-3, None)
    np.testing.assert_allclose(ours, project_hypersimplex(x, 2.5, temperature=1e-3).values, rtol=0, atol=VALUES)


class _Launches:
    """In place of a kernel: checks that its arguments have a form that test_cuda_compiled.py compiles."""

    def __init__(self, kernel: Any, name: str, seen: set[str]) -> None:
        self.kernel, self.name, self.seen = kernel, name, seen

    def __getitem__(self, launch: Any) -> Any:
        def call(*arguments: Any) -> None:
            assert tuple(map(type_of, arguments)) in forms(self.name), self.name
            self.seen.add(self.name)
            self.kernel[launch](*arguments)

        return call


def test_launches_have_the_types_that_are_compiled(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    modules = {module.__name__.rpartition(".")[2]: module for module in MODULES}
    for name in ARGUMENTS:
        module, _, kernel = name.partition(".")
        monkeypatch.setattr(modules[module], kernel, _Launches(getattr(modules[module], kernel), name, seen))
    monkeypatch.setattr(_entropic, "survey", _kernels.survey)
    y, raw = (rng.random(90) < 0.4).astype(np.int64), rng.standard_normal(90)
    losses = (
        HypersimplexLoss(),
        HypersimplexSmoothLoss(),
        HypersimplexSmoothFYLoss(k=np.int64(30)),
        BudgetLogLoss(k=np.float32(0.25)),
    )
    for loss in losses:
        for x in (raw.astype(np.float32), raw):
            for w in (None, rng.random(90), rng.random(90).astype(np.float32), np.ones(90, np.int64)):
                _step.boosting_step(device(0), loss, y, x, w, None, None)
    where = device(0)
    with where.current():
        for x in (raw.astype(np.float32), np.array([-1e3, 0.0, 1e3])):
            for k in (1, np.float32(0.5)):
                for regularization in ("euclidean", "entropic"):
                    cuda.project_hypersimplex(where.upload(x), k, np.float32(0.01), regularization=regularization)
    assert seen == set(ARGUMENTS)


def test_a_gpu_s_arrays_are_cupy_s() -> None:
    if simulated():
        pytest.skip("this is the simulator: its arrays are NumPy's")
    gradient, *_ = _step.boosting_step(
        device(0), HypersimplexLoss(), np.array([0, 1, 0]), np.array([1.0, 2.0, 3.0]), None, None, None
    )
    assert hasattr(gradient, "__cuda_array_interface__")
