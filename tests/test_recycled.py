"""The memory of gradient and curvature is used again in the next round, and never while somebody holds a part of it."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from lightgbm import LGBMClassifier
from numpy.testing import assert_array_equal
from xgboost import XGBClassifier

from hsboost import HSClassifier, HypersimplexObjective
from hsboost.losses import BudgetLogLoss, HypersimplexLoss, HypersimplexSmoothLoss
from hsboost.losses._recycled import LEAST, Recycled

N = LEAST // 2
HOLDS: dict[str, Callable[[np.ndarray], Any]] = {
    "the array": lambda one: one,
    "a view": lambda one: one[1:],
    "a view of a view": lambda one: one[1:][::2][..., None],
    "another type": lambda one: one.view(np.int32),
    "a buffer": memoryview,
    "a transposed slice": lambda one: one.T[..., :5],
}


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.parametrize("hold", HOLDS)
def test_memory_is_lent_once_at_a_time(hold: str) -> None:
    memory = Recycled((8, 3))
    first = memory.lend()
    assert first is not None
    assert (first.shape, first.dtype, first.flags.writeable) == ((8, 3), np.float32, True)
    place, held = address(first), HOLDS[hold](first)
    del first
    assert memory.lend() is None
    del held
    second = memory.lend()
    assert second is not None
    assert address(second) == place


def test_a_copy_is_memory_of_its_own() -> None:
    memory = Recycled((4,))
    first = memory.lend()
    for other in (pickle.loads(pickle.dumps(memory)), copy.deepcopy(memory)):
        assert other.shape == (4,)
        lent = other.lend()
        assert first is not None
        assert lent is not None
        assert address(lent) != address(first)


def rows(n: int, columns: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, max(columns, 2), n).astype(np.float32)
    shape = n if columns == 1 else (n, columns)
    return y, rng.standard_normal(shape).astype(np.float32), rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("loss", [HypersimplexLoss(0.1), HypersimplexSmoothLoss(0.1), BudgetLogLoss(0.1)], ids=repr)
def test_a_round_writes_where_the_last_one_did_unless_that_is_held(loss: Any) -> None:
    y, one, two = rows(N)
    expected = [loss.boosting_step(y, x, None, None)[:2] for x in (one, two)]
    gradient, hessian, state = loss.boosting_step(y, one, None, None)
    places = address(gradient), address(hessian)
    del gradient, hessian
    gradient, hessian, state = loss.boosting_step(y, two, None, state)
    assert (address(gradient), address(hessian)) == places
    part = hessian[-3:]
    kept = gradient.copy()
    del hessian
    later, other, state = loss.boosting_step(y, one, None, state)
    assert not {address(later), address(other)} & set(places)
    assert_array_equal(gradient, kept)
    np.testing.assert_allclose(part, expected[1][1][-3:], rtol=1e-6)
    np.testing.assert_allclose(later, expected[0][0], rtol=1e-4, atol=1e-6)


def test_a_round_of_another_shape_gets_memory_of_its_own() -> None:
    loss = HypersimplexLoss()
    y, x, _ = rows(N)
    state = loss.boosting_step(y, x, None, None)[2]
    state = loss.boosting_step(y[1:], x[1:], None, state)[2]
    assert state.spare is None or state.spare.shape == (2, N - 1)
    y, x, _ = rows(N, 3)
    gradient, hessian, _ = loss.boosting_step(y, x, None, state)
    assert gradient.shape == hessian.shape == (N, 3)


def test_small_rounds_keep_no_memory() -> None:
    y, x, _ = rows(1_000)
    assert HypersimplexLoss().boosting_step(y, x, None, None)[2].spare is None


def test_an_objective_reuses_memory_per_data_set_and_releases_it_with_that() -> None:
    y, one, two = rows(N)
    first, second = (xgb.DMatrix(np.zeros((N, 1), np.float32), y) for _ in range(2))
    seen: list[Any] = []
    objective = HypersimplexObjective(0.1)
    objective.on_round = seen.append
    places = [[address(objective(x, data)[0]) for x in (one, two, one)] for data in (first, second)]
    assert len(set(places[0])) == len(set(places[1])) == 1
    held = objective(one, first)[0]
    kept = held.copy()
    objective(two, first)
    assert_array_equal(held, kept)
    memory = weakref.ref(objective._states[second].spare)
    assert [state.spare for state in seen] == [None] * len(seen)
    assert objective._last.spare is None
    del second
    gc.collect()
    assert memory() is None


@pytest.mark.parametrize(
    "booster",
    [
        pytest.param(XGBClassifier(n_estimators=2), id="XGBoost"),
        pytest.param(LGBMClassifier(n_estimators=2, verbose=-1), id="LightGBM"),
    ],
)
def test_a_fitted_model_keeps_no_memory_of_its_rounds(booster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Counted as they are made: the list of all objects would hold those of other tests, too.
    made: list[weakref.ref[Recycled]] = []
    make = Recycled.__init__

    def count(self: Recycled, shape: tuple[int, ...]) -> None:
        make(self, shape)
        made.append(weakref.ref(self))

    monkeypatch.setattr(Recycled, "__init__", count)
    y, x, _ = rows(N)
    model = HSClassifier(k=0.1, loss="hypersimplex", threshold="training", estimator=booster).fit(x[:, None], y)
    gc.collect()
    assert made
    assert [one for one in made if one() is not None] == []
    assert model.n_features_in_ == 1


def test_an_objective_reuses_memory_between_the_rounds_of_scikit_learns_wrappers() -> None:
    y, one, two = rows(N)
    objective = HypersimplexObjective(0.1)
    assert len({address(objective(y, x)[0]) for x in (one, two, one)}) == 1
