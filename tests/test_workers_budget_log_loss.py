"""Log loss tailored to a budget over several workers gives every row what it gets when all are on one machine."""

from __future__ import annotations

import numpy as np
import pytest
from _collective import on_workers
from _workers import deals
from hypothesis import given
from hypothesis import strategies as st
from test_workers_step import changing, data, in_turns, joined, step

from hsboost.losses import BudgetLogLoss, HypersimplexLoss, HypersimplexSmoothLoss, _entropic, _problems, _windowed


class UsedMemory:
    """NumPy whose empty arrays hold what a program may have left there."""

    def __getattr__(self, name):
        return getattr(np, name)

    def empty(self, shape, dtype=float):
        return np.full(shape, 77, dtype)


LOSSES = [
    BudgetLogLoss(guard=5),
    BudgetLogLoss(k=0.1, width=0.4, guard=0),
    BudgetLogLoss(k=3, floor=0.5),
]


def assert_same(ends, loss, x, y, w, groups):
    for end in ends:
        if isinstance(end, Exception):
            raise end
    gradient, hessian, state = loss.boosting_step(y, x, w, None, groups)
    np.testing.assert_allclose(joined(ends, 0, x.shape), gradient, rtol=3e-6, atol=1e-6)
    np.testing.assert_allclose(joined(ends, 1, x.shape), hessian, rtol=3e-6)
    for end in ends:
        np.testing.assert_allclose(end[2].soft_threshold, state.soft_threshold, rtol=1e-10, atol=1e-10)
        assert end[2].active_share == pytest.approx(state.active_share, rel=1e-9, abs=1e-12)
        np.testing.assert_array_equal(end[2].where.nu, ends[0][2].where.nu)  # to the last bit, everywhere


@given(st.integers(0, 10_000), deals, st.sampled_from(LOSSES), st.booleans(), st.booleans(), st.sampled_from([2, 3]))
def test_derivatives_are_those_of_all_rows(seed, deal, loss, weighted, grouped, classes):
    x, y, w, groups = data(seed, classes=classes, weighted=weighted)
    groups = groups if grouped else None
    if grouped and loss.k == 3:
        loss = BudgetLogLoss(k={0: 1, 1: 0.5, 2: None, 3: 0.1} if classes == 2 else 0.4)
    assert_same(
        on_workers(len(deal), lambda workers: step(workers, loss, x, y, w, groups, deal)), loss, x, y, w, groups
    )


@given(st.integers(0, 10_000), deals, st.booleans(), st.sampled_from(LOSSES[:2]))
def test_later_rounds_go_on_from_the_last_and_see_what_changed(seed, deal, grouped, loss):
    x, y, w, groups = data(seed, n=120, weighted=True)
    groups = groups if grouped else None
    turns = changing(x, y)
    for (scores, labels), ends in zip(turns, in_turns(loss, turns, w, groups, deal), strict=True):
        assert_same(ends, loss, scores, labels, w, groups)


@pytest.mark.parametrize(
    "loss",
    [BudgetLogLoss(0.2, guard=5), HypersimplexSmoothLoss(0.2), HypersimplexLoss(0.2)],
    ids=lambda loss: type(loss).__name__,
)
def test_a_worker_with_large_groups_only(loss, monkeypatch):
    """It has an entry for the small groups of the others, which adds nothing to their sums."""
    monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", 40)
    for module in (_entropic, _problems, _windowed):
        monkeypatch.setattr(module, "np", UsedMemory())
    x, y, w, _ = data(7, n=160, weighted=True)
    groups = np.repeat([0, 1, 2, 3], [80, 20, 30, 30])
    ends = on_workers(2, lambda workers: step(workers, loss, x, y, w, groups, (0.5, 0.5)))
    assert_same(ends, loss, x, y, w, groups)


@pytest.mark.parametrize("k", [0, 60, {0: 0, 1: 100, 2: None, 3: 0.5}])
def test_budgets_of_nothing_and_everything(k):
    x, y, w, groups = data(3, weighted=False)
    groups = groups if isinstance(k, dict) else None
    loss = BudgetLogLoss(k)
    ends = on_workers(4, lambda workers: step(workers, loss, x, y, w, groups, (0.25, 0.25, 0.25, 0.25)))
    assert_same(ends, loss, x, y, w, groups)


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("grouped", [False, True], ids=["", "groups"])
def test_a_score_that_is_not_finite_is_named_on_every_worker(later, grouped):
    loss, (x, y, w, groups) = BudgetLogLoss(), data(5)
    groups = groups if grouped else None

    def rounds(workers):
        state = step(workers, loss, x, y, w, groups, (0.5, 0.5))[2] if later else None
        wrong = x.copy()
        wrong[40] = np.nan
        return step(workers, loss, wrong, y, w, groups, (0.5, 0.5), state)

    for end in on_workers(2, rounds):
        assert isinstance(end, (ValueError, RuntimeError))
        assert "raw_prediction must be finite" in str(end)
