"""Rounds of the smooth losses over several workers give every row what it gets when all rows are on one machine."""

from __future__ import annotations

import numpy as np
import pytest
from _collective import on_workers
from _workers import deals
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from test_workers_step import changing, data, in_turns, joined, step

from hsboost import project_hypersimplex
from hsboost._workers.communicator import Workers
from hsboost._workers.entropic import WorkersReducer
from hsboost.losses import HypersimplexSmoothFYLoss, HypersimplexSmoothLoss

LOSSES = [
    HypersimplexSmoothLoss(),
    HypersimplexSmoothLoss(k=0.1, temperature=0.4),
    HypersimplexSmoothLoss(k=3, hessian="unit", reduction="mean"),
    HypersimplexSmoothFYLoss(),
    HypersimplexSmoothFYLoss(k=0.3),
]
WIDE = np.float32([-1e30, -1e12, -1e6, -30.0, -1.0, 0.0, 1e-3, 1.0, 2.0, 1e6, 1e12, 1e30])


def assert_same(ends, loss, x, y, w, groups):
    for end in ends:
        if isinstance(end, Exception):
            raise end
    gradient, hessian, state = loss.boosting_step(y, x, w, None, groups)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(joined(ends, 0, x.shape), gradient, rtol=3e-6, atol=1e-6 * scale)
    np.testing.assert_allclose(joined(ends, 1, x.shape), hessian, rtol=3e-6)
    for end in ends:
        other = end[2]
        np.testing.assert_allclose(other.soft_threshold, state.soft_threshold, rtol=1e-10, atol=1e-10)
        assert other.active_share == pytest.approx(state.active_share, rel=1e-9, abs=1e-12)
        np.testing.assert_array_equal(other.where.nu, ends[0][2].where.nu)  # to the last bit, everywhere


@given(st.integers(0, 10_000), deals, st.sampled_from(LOSSES), st.booleans(), st.booleans(), st.sampled_from([2, 3]))
def test_derivatives_are_those_of_all_rows(seed, deal, loss, weighted, grouped, classes):
    x, y, w, groups = data(seed, classes=classes, weighted=weighted)
    groups = groups if grouped else None
    if grouped and loss.k == 3:
        loss = type(loss)(k={0: 1, 1: 0.5, 2: None, 3: 0.1} if classes == 2 else 0.4)
    assert_same(
        on_workers(len(deal), lambda workers: step(workers, loss, x, y, w, groups, deal)), loss, x, y, w, groups
    )


@given(st.integers(0, 10_000), deals, st.booleans(), st.sampled_from(LOSSES))
def test_later_rounds_go_on_from_the_last_and_see_what_changed(seed, deal, grouped, loss):
    x, y, w, groups = data(seed, n=120, weighted=True)
    groups = groups if grouped else None
    if grouped and loss.k == 3:
        loss = type(loss)(k=1)
    turns = changing(x, y)
    for (scores, labels), ends in zip(turns, in_turns(loss, turns, w, groups, deal), strict=True):
        assert_same(ends, loss, scores, labels, w, groups)


@given(st.integers(0, 10_000), deals, st.sampled_from([0.02, 0.3, 0.5, 0.97]), st.sampled_from([1e-20, 1.0, 1e12]))
def test_scores_over_many_magnitudes(seed, deal, share, temperature):
    rng = np.random.default_rng(seed)
    x, y = rng.choice(WIDE, 40), np.arange(40) % 2
    w = rng.choice(np.float32([0.0, 1.0, 2.5]), 40) + (np.arange(40) < 2).astype(np.float32)
    loss = HypersimplexSmoothLoss(share, temperature)
    ends = on_workers(len(deal), lambda workers: step(workers, loss, x, y, w, None, deal))
    for end in ends:
        assert not isinstance(end, Exception), end
    mass = share * w.sum(dtype=float)
    truth = project_hypersimplex(
        x.astype(float), mass, temperature=temperature, sample_weight=w, regularization="entropic"
    )
    values = expit(logits(ends[0][2], x))
    np.testing.assert_allclose(values[w > 0], truth.values[w > 0], rtol=0, atol=1e-11)


def logits(state, x):
    """v = (x - anchor) / temperature - nu of the only problem."""
    at = state.where
    with np.errstate(over="ignore"):
        return (x.astype(float) - at.anchor.item()) * at.scale - at.nu.item()


@pytest.mark.parametrize("grouped", [False, True], ids=["", "groups"])
def test_the_search_from_the_rank_finds_the_same(grouped, rng, monkeypatch):
    """A search that gives up after its first step begins again at the score where the running weight passes k."""
    x, y, w, groups = data(4, n=200, weighted=True)
    x = (x * 10.0 ** rng.integers(-3, 13, 200)).astype(np.float32)
    groups = groups if grouped else None
    loss = HypersimplexSmoothLoss(0.3)
    ended = loss.boosting_step(y, x, w, None, groups)[2]
    monkeypatch.setattr("hsboost._kernels.entropic_search.PATIENCE", 0)
    ends = on_workers(3, lambda workers: step(workers, loss, x, y, w, groups, (0.4, 0.0, 0.6)))
    for end in ends:
        assert not isinstance(end, Exception), end
        np.testing.assert_allclose(end[2].soft_threshold, ended.soft_threshold, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:k takes all rows")
@pytest.mark.parametrize("loss", LOSSES[:1] + LOSSES[3:4])
@pytest.mark.parametrize("k", [0, 60, 59, {0: 0, 1: 100, 2: None, 3: 0.5}])
def test_budgets_of_nothing_and_everything(loss, k):
    x, y, w, groups = data(3, weighted=False)
    groups = groups if isinstance(k, dict) else None
    loss = type(loss)(k)
    ends = on_workers(4, lambda workers: step(workers, loss, x, y, w, groups, (0.25, 0.25, 0.25, 0.25)))
    for end in ends:
        assert not isinstance(end, Exception), end
    gradient, hessian, _ = loss.boosting_step(y, x, w, None, groups)
    np.testing.assert_allclose(joined(ends, 0, x.shape), gradient, rtol=3e-6, atol=1e-6)
    np.testing.assert_allclose(joined(ends, 1, x.shape), hessian, rtol=3e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("later", [False, True])
def test_a_score_that_is_not_finite_is_named_on_every_worker(bad, later):
    loss, (x, y, w, _) = HypersimplexSmoothLoss(), data(5)

    def rounds(workers):
        state = step(workers, loss, x, y, w, None, (0.5, 0.5))[2] if later else None
        wrong = x.copy()
        wrong[40] = bad
        return step(workers, loss, wrong, y, w, None, (0.5, 0.5), state)

    for end in on_workers(2, rounds):
        assert isinstance(end, (ValueError, RuntimeError))
        assert "raw_prediction must be finite" in str(end)


def test_a_round_takes_few_exchanges(monkeypatch):
    """Whatever the number of problems: they are solved in the same calls."""
    x, y, w, groups = data(6, n=600, classes=3, weighted=True)
    asked = []
    monkeypatch.setattr(
        WorkersReducer, "sums", lambda self, *a, _own=WorkersReducer.sums: asked.append(1) or _own(self, *a)
    )
    deal = (0.5, 0.5)

    def rounds(workers: Workers):
        first = step(workers, HypersimplexSmoothLoss(), x, y, w, groups, deal)
        one = len(asked) if workers.rank == 0 else 0
        again = step(workers, HypersimplexSmoothLoss(), x * np.float32(1.01), y, w, groups, deal, first[2])
        return one, again

    ends = on_workers(2, rounds)
    assert not isinstance(ends[0], Exception), ends[0]
    assert len(asked) <= 2 * (7 + 4)
