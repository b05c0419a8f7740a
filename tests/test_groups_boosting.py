"""Losses with one budget per group, round after round: warm starts, threads, and without the compiler."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from _groups import LOSSES, each_loss, generic

import hsboost
from hsboost import HypersimplexLoss
from hsboost._kernels import _compile

# --- boosting -----------------------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("temperature", [0.9, 1e-4, 1e4])
def test_small_boosting_step_makes_the_curvature_the_weight(kind, weighted, reduction, temperature, rng):
    x, y, w, groups, active = generic(rng, weighted=weighted)
    x, options = x / 0.9 * temperature, {"reduction": reduction} if kind is HypersimplexLoss else {}
    loss = kind(None, temperature, **options)
    gradient, hessian, state = loss.boosting_step(y, x, w, None, groups)
    assert gradient.dtype == hessian.dtype == np.float32
    exact = kind(None, temperature).gradient_hessian(y, x, w, groups)[0]
    np.testing.assert_allclose(gradient, exact * temperature**2, rtol=3e-7, atol=3e-7 * temperature)
    weights = np.ones(x.size) if w is None else w
    np.testing.assert_allclose(hessian, weights * np.where(active, 1.0, loss.hessian_floor), rtol=3e-7)
    np.testing.assert_allclose(
        state.soft_threshold, loss.soft_threshold(y, x, w, groups), rtol=0, atol=1e-12 * temperature
    )
    assert state.active_share == pytest.approx((weights * active).sum() / weights.sum())


def check_steps(loss, state, y, x, w, groups, tolerance=1e-6):
    cold, warm = (loss.boosting_step(y, x, w, s, groups) for s in (None, state))
    for a, b in zip(cold[:2], warm[:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(
        warm[2].soft_threshold, cold[2].soft_threshold, rtol=0, atol=1e-9 * max(1, np.abs(x).max())
    )
    return warm[2]


@each_loss
@pytest.mark.parametrize("small", [None, 0, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_warm_start_changes_nothing(kind, small, weighted, rng, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
    groups = rng.permutation(np.repeat(np.arange(5), [1, 200, 400, 7, 2000]))
    n = groups.size
    y, w = rng.integers(0, 2, n), rng.uniform(0.1, 2, n) if weighted else None
    loss, before = kind(0.3), rng.normal(size=n)
    state = loss.boosting_step(y, before, w, None, groups)[2]
    confident = np.where(y == 1, 50.0, -50.0) + rng.normal(size=n) * 0.01
    for x in (before, before + 0.1 * rng.normal(size=n), before + 1e6, before * 1e4, confident, before * 0 + 3.0):
        check_steps(loss, state, y, x, w, groups)


@each_loss
@pytest.mark.parametrize("k", [None, 0.4, 3])
def test_what_changed_since_the_last_round_is_noticed(kind, k, rng):
    """Labels, weights, groups, rows: the state of other data may cost time, never a result."""
    n = 400
    groups = np.repeat(np.arange(4), 100)
    y, x, w = (rng.random(n) < 0.3).astype(np.float32), rng.normal(size=n), rng.uniform(0.2, 2, n)
    loss = kind(k)
    state = loss.boosting_step(y, x, w, None, groups)[2]
    moved = rng.permutation(groups)
    other_sizes = np.repeat(np.arange(4), [90, 110, 120, 80])
    for y_now, w_now, groups_now in (
        (1 - y, w, groups), (y, w[::-1].copy(), groups), (y, None, groups), (y, w, moved), (y, w, groups + 7),
        (y, w, other_sizes), (y, w, groups // 2), (y, w, groups.astype(str)), (1 - y, None, moved),
    ):  # fmt: skip
        check_steps(loss, state, y_now, x, w_now, groups_now)
    check_steps(loss, state, y[:300], x[:300], w[:300], groups[:300])
    check_steps(loss, loss.boosting_step(y, x, w, None)[2], y, x, w, groups)  # the state of a call without groups
    plain, cold = (loss.boosting_step(y, x, w, s) for s in (state, None))  # and the other way round
    np.testing.assert_array_equal(plain[0], cold[0])
    wrong = y.copy()
    wrong[np.flatnonzero(y)[:2]] = 2, 0  # the same sum, but not labels
    with pytest.raises(ValueError, match="y_true must be 0 or 1"):
        loss.boosting_step(wrong, x, w, state, groups)


@pytest.mark.parametrize("swap", [{"a": "b", "b": "a"}, {"a": "c", "b": "d"}])
def test_small_budgets_follow_their_labels_from_round_to_round(swap, rng):
    loss = HypersimplexLoss({"a": 2, "b": 7, "c": 5, "d": 1})
    groups = np.repeat(["a", "b"], 10)
    x, y = rng.normal(size=20), np.arange(20) % 2
    state = loss.boosting_step(y, x, None, None, groups)[2]
    check_steps(loss, state, y, x, None, np.array([swap[g] for g in groups]))


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_a_state_holds_nothing_of_the_size_of_the_data(grouped, classes, rng):
    n = 5000
    groups, y = rng.integers(0, 3, n) if grouped else None, rng.integers(0, 2, n)
    x = rng.normal(size=n if classes == 1 else (n, classes))
    state = HypersimplexLoss().boosting_step(y, x, None, None, groups)[2]
    assert len(pickle.dumps(state)) < 3000


@pytest.mark.parametrize("k", [None, 0.3])
def test_one_thread_and_two_give_the_same_bits(k, rng, monkeypatch):
    numba_threads = pytest.importorskip("numba").config.NUMBA_NUM_THREADS
    if numba_threads < 2:
        pytest.skip("needs two threads")
    monkeypatch.setattr(_compile, "PARALLEL_FROM", 8192)
    groups = rng.permutation(np.repeat(np.arange(906), [20_000, 1, 4, 5000, 17_000, 9000, *[7] * 900]))
    y, x, w = rng.integers(0, 2, groups.size), rng.normal(size=groups.size), rng.uniform(0, 2, groups.size)
    for kind in LOSSES:
        found = []
        for threads in (1, 2):
            monkeypatch.setattr(_compile, "thread_count", lambda threads=threads: threads)
            loss = kind(k)
            found.append([loss.loss(y, x, w, groups), *loss.gradient_hessian(y, x, w, groups),
                          *loss.boosting_step(y, x, w, None, groups)[:2]])  # fmt: skip
        for one, two in zip(*found, strict=True):
            np.testing.assert_array_equal(one, two)


# --- without the compiler -----------------------------------------------------------------------------------------

PLAIN = """
import numpy as np, hsboost._solver.search
from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss
rng = np.random.default_rng(0)
groups = rng.permutation(np.repeat([0, 1, 2], [1, 9, 40]))
x, y, w = rng.normal(size=(50, 2)), rng.integers(0, 2, 50), rng.uniform(0, 2, 50)
for small in (16_384, 12):
    hsboost._solver.search.SMALL = small
    hsboost._solver.segments.SMALL_GROUP = small
    for weight in (None, w):
        for method in ("threshold", "pav"):
            p = project_hypersimplex(x, 0.2, sample_weight=weight, groups=groups, method=method)
            print(*p.values.ravel(), *p.soft_threshold.ravel())
        for loss in (HypersimplexLoss(0.3), HypersimplexFYLoss()):
            gradient, hessian = loss.gradient_hessian(y, x, weight, groups)
            print(loss.loss(y, x, weight, groups), *gradient.ravel(), *hessian.ravel())
            print(*loss.boosting_step(y, x, weight, None, groups)[0].ravel())
"""


def test_kernels_run_without_the_compiler():
    here = str(Path(hsboost.__file__).parents[1])
    printed = []
    for setting in ("0", "1"):
        environment = {**os.environ, "PYTHONPATH": here, "NUMBA_DISABLE_JIT": setting}
        done = subprocess.run(
            [sys.executable, "-c", PLAIN], env=environment, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        printed.append(np.array(done.stdout.split(), dtype=float))
    assert printed[0].size > 2000
    np.testing.assert_allclose(*printed, rtol=1e-6, atol=1e-9)
