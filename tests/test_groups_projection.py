"""Projections by group and by column: each equals the slow truth of its own rows, whatever stands beside it."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numba
import numpy as np
import pytest
import reference
from _groups import GROUPS, METHODS, X, both
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from strategies import GroupedProblem, grouped_problems
from test_projection import check_against_truth

from hsboost import project_hypersimplex
from hsboost._kernels import _compile

several = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


def solve(p: GroupedProblem, method="threshold", **changes):
    p = p._replace(**changes)
    return project_hypersimplex(
        p.x, p.k, temperature=p.temperature, sample_weight=p.weight, groups=p.groups, method=method
    )


def by_column_and_group(got, p: GroupedProblem):
    """values (n, C) and cuts, thresholds (C, G), also where there was one column only."""
    shape = p.k.shape
    return got.values.reshape(p.x.shape), np.reshape(got.soft_threshold, shape), np.reshape(got.multiplier, shape)


def check_each(p: GroupedProblem, got, tolerance=1e-11):
    values, cuts, _ = by_column_and_group(got, p)
    for c in range(p.k.shape[0]):
        for g in range(p.k.shape[1]):
            rows, one = p.one(c, g)
            check_against_truth(one, SimpleNamespace(values=values[rows, c], soft_threshold=cuts[c, g]), tolerance)


def mixed(rng, sizes, shuffled=True, weighted=False, columns=1):
    """Groups of the given sizes with scores of different scales, and a budget for each."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    groups = rng.permutation(groups) if shuffled else groups
    x = rng.normal(size=(groups.size, columns)) * rng.uniform(0.1, 5, len(sizes))[groups, None]
    weight = np.where(rng.random(groups.size) < 0.1, 0.0, rng.uniform(0.2, 2, groups.size)) if weighted else None
    total = np.bincount(groups, weight)
    return GroupedProblem(x, rng.uniform(0.1, 0.9, (columns, len(sizes))) * total, 0.7, weight, groups)


# --- the answer ---------------------------------------------------------------------------------------------------


@both
@given(grouped_problems())
@example(GroupedProblem(np.array([[1e30], [0.7], [-1e30]]), np.array([[0.5, 1.0]]), 5e-324, None, np.array([0, 1, 0])))
@example(GroupedProblem(np.array([[3.0], [0.7]]), np.array([[0.0, 1.0]]), 1.0, np.array([0.0, 1.0]), np.array([0, 1])))
def test_small_each_group_and_column_equals_the_truth(method, p):
    check_each(p, solve(p, method))


@pytest.mark.parametrize("small", [0, 3])
@given(p=grouped_problems())
def test_small_the_way_of_large_groups_gives_the_same(small, p):
    """With SMALL = 3 a problem has groups of both kinds."""
    usual = solve(p)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hsboost._solver.search.SMALL", small)
        patch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
        if p.weight is not None:  # large groups without any weight: see the test of their own
            light = np.flatnonzero(np.bincount(p.groups, p.weight) == 0)
            p = p._replace(weight=np.where(np.isin(p.groups, light), 1.0, p.weight))
            usual = solve(p)
        got = solve(p)
    counted = p.w > 0
    np.testing.assert_allclose(got.values[counted], usual.values[counted], rtol=0, atol=1e-11)
    check_each(p, got)


@both
@given(grouped_problems())
def test_small_values_sum_to_k_in_each_group_and_column(method, p):
    values, _, _ = by_column_and_group(solve(p, method), p)
    assert values.min() >= 0
    assert values.max() <= 1
    for c in range(p.k.shape[0]):
        for g in range(p.k.shape[1]):
            rows, one = p.one(c, g)
            assert (one.w * values[rows, c]).sum() == pytest.approx(one.k, rel=1e-11, abs=1e-12 * one.total)


@both
@given(grouped_problems(moderate=True))
def test_small_equals_one_call_per_group_and_column(method, p):
    values, cuts, thresholds = by_column_and_group(solve(p, method), p)
    for c in range(p.k.shape[0]):
        for g in range(p.k.shape[1]):
            rows, one = p.one(c, g)
            if one.total == 0:
                continue
            alone = project_hypersimplex(
                one.x, one.k, temperature=one.temperature, sample_weight=one.weight, method=method
            )
            np.testing.assert_allclose(values[rows, c], alone.values, rtol=0, atol=1e-12)
            assert cuts[c, g] == pytest.approx(alone.soft_threshold, abs=1e-12)
            assert thresholds[c, g] == pytest.approx(alone.multiplier, abs=1e-11)


@given(grouped_problems(), st.randoms(use_true_random=False))
def test_small_rows_may_come_in_any_order(p, random):
    order = np.array(random.sample(range(len(p.x)), len(p.x)))
    weight = None if p.weight is None else p.weight[order]
    a = solve(p, x=p.x[order], weight=weight, groups=p.groups[order]).values
    counted = p.w[order] > 0
    np.testing.assert_allclose(a[counted], solve(p).values[order][counted], rtol=0, atol=1e-11)


@both
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("columns", [1, 3])
def test_groups_of_a_few_rows_and_of_several_blocks(method, weighted, shuffled, columns, rng):
    p = mixed(rng, [1, 20_000, 3, 2, 5000, 1, 17_000, 40], shuffled, weighted, columns)
    got = solve(p, method)
    for c in range(columns):
        for g in range(8):
            rows, one = p.one(c, g)
            truth = reference.project_by_sorting(*one)
            ours = got.values.reshape(p.x.shape)[rows, c]
            np.testing.assert_allclose(ours, truth.values, rtol=0, atol=1e-10)
            assert (one.w * ours).sum() == pytest.approx(one.k, rel=1e-11)


def test_many_tiny_groups(rng):
    """More groups than rows in a block, one to three rows each."""
    p = mixed(rng, rng.integers(1, 4, 9000).tolist())
    got = solve(p)
    assert np.ndim(got.soft_threshold) == 1
    np.testing.assert_allclose(np.bincount(p.groups, got.values), p.k[0], rtol=1e-12, atol=1e-12)
    z = p.x[:, 0] / p.temperature - got.multiplier[p.groups]
    np.testing.assert_allclose(got.values, np.clip(z, 0, 1), rtol=0, atol=1e-12)


@both
@pytest.mark.parametrize("shape", ["groups", "columns", "both"])
def test_float32_stays_float32(method, shape, rng):
    x = (rng.normal(size=(300, 3)) * 2 + 100).astype(np.float32)
    x = x[:, 0] if shape == "groups" else x
    groups = None if shape == "columns" else rng.integers(0, 5, 300)
    single, double = (project_hypersimplex(a, 7.5, groups=groups, method=method) for a in (x, x.astype(np.float64)))
    assert single.values.dtype == np.float32
    assert double.values.dtype == np.float64
    np.testing.assert_allclose(single.values, double.values, rtol=0, atol=6e-8)
    np.testing.assert_allclose(single.soft_threshold, double.soft_threshold, rtol=1e-14)


@both
@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 1e-300])
def test_small_temperatures_without_a_reciprocal(method, temperature):
    x = np.column_stack([[0.5, -1.0, 0.5, 2.0, 0.5, 7.0], np.arange(6) * temperature])
    got = project_hypersimplex(x, [[2, 0.5], [1.5, 1]], temperature=temperature, groups=[0] * 5 + [1], method=method)
    np.testing.assert_allclose(got.values[:5, 0], [1 / 3, 0, 1 / 3, 1, 1 / 3], rtol=0, atol=1e-15)
    np.testing.assert_allclose(got.values[:5, 1], [0, 0, 0, 0.5, 1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(got.values[5], [0.5, 1], rtol=0, atol=1e-15)
    assert got.soft_threshold[0].tolist() == [0.5, 7.0]


@pytest.mark.parametrize(
    ("temperature", "groups", "dtype"),
    [
        (1e-300, [0, 0, 1], np.float64),
        pytest.param(5e-324, [0, 0, 1], np.float64),
        pytest.param(5e-324, None, np.float32),
    ],
)
def test_small_tiny_temperatures_warn_of_nothing_and_keep_the_dtype(temperature, groups, dtype):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = project_hypersimplex(np.array([3, 2, 1], dtype), 1, temperature=temperature, groups=groups)
    assert got.values.dtype == dtype


@both
def test_small_nothing_and_everything_beside_each_other(method):
    x = np.array([3.0, -1e30, 0.25, 1e30, 0.25, 0.7])
    got = project_hypersimplex(x, [0, 2, 1, 1], groups=[0, 1, 0, 1, 2, 3], method=method)
    assert got.values.tolist() == [0, 1, 0, 1, 1, 1]
    assert not got.active.any()
    assert not (x > got.soft_threshold[[0, 1, 0, 1, 2, 3]])[[0, 2]].any()
    np.testing.assert_array_equal(got.jvp(np.ones(6)), 0.0)


@both
def test_equals_scipy_isotonic_regression_by_group(method, rng):
    """The paper's reduction with SciPy's solver, group by group."""
    for weighted in (False, True):
        p = mixed(rng, rng.integers(1, 30, 60).tolist(), weighted=weighted)
        got = solve(p, method)
        for g in range(60):
            rows, one = p.one(0, g)
            order = np.argsort(-one.x, kind="stable")
            order = order[one.w[order] > 0]
            if not order.size:
                continue
            z, w = one.x[order] / one.temperature, one.w[order]
            vertex = np.clip((one.k - (np.cumsum(w) - w)) / w, 0, 1)
            expected = z - isotonic_regression(z - vertex, weights=w, increasing=False).x
            np.testing.assert_allclose(got.values[rows[order]], expected, rtol=0, atol=1e-9)


@both
@pytest.mark.parametrize("small", [None, pytest.param(0)])
def test_small_groups_without_any_weight_follow_and_disturb_nobody(method, small, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
    x, w, groups = np.array([2.0, 1.0, 0.4, 0.0]), np.array([1.0, 0, 1, 0]), [0, 1, 0, 1]
    got = project_hypersimplex(x, [1, 0], sample_weight=w, groups=groups, method=method)
    np.testing.assert_allclose(got.values[[0, 2]], [1, 0], atol=1e-15)
    assert np.isfinite(got.values).all()
    assert np.isfinite(got.soft_threshold).all()
    with pytest.raises(ValueError, match=r"k must lie between 0 and the total weight 0, got 1.0 for group 1"):
        project_hypersimplex(x, 1, sample_weight=w, groups=groups, method=method)


# --- derivatives --------------------------------------------------------------------------------------------------


def clear_of_kinks(p: GroupedProblem) -> bool:
    values, _, thresholds = by_column_and_group(solve(p), p)
    z = p.x / p.temperature - thresholds[:, p.groups].T
    inside = ((values > 0) & (values < 1)).sum()
    return bool(min(np.abs(z).min(), np.abs(z - 1).min()) > 1e-3 and inside > 5)


def generic(rng, weighted, columns):
    while True:
        p = mixed(rng, [9, 1, 14, 2], weighted=weighted, columns=columns)
        if clear_of_kinks(p) and np.bincount(p.groups, p.w).min() > 0:
            return p


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_small_jvp_is_the_derivative_and_vjp_its_transpose(weighted, columns, method, rng):
    for _ in range(3):
        p = generic(rng, weighted, columns)
        got, h = solve(p, method), 1e-6
        u, v = rng.normal(size=(2, *got.values.shape))
        shift = h * v.reshape(p.x.shape)
        ahead, behind = (solve(p, method, x=p.x + s * shift).values for s in (1, -1))
        np.testing.assert_allclose(got.jvp(v), (ahead - behind) / (2 * h), rtol=0, atol=1e-6)
        assert (u * got.jvp(v)).sum() == pytest.approx((got.vjp(u) * v).sum(), rel=1e-11)
        np.testing.assert_allclose(got.jvp(np.ones(u.shape)), 0, atol=1e-13)  # a common shift moves nothing
        moved = (p.w[:, None] * got.jvp(v).reshape(p.x.shape)).T
        for column in moved:  # the mass of each group stays
            np.testing.assert_allclose(np.bincount(p.groups, column), 0, atol=1e-12)


def test_small_a_direction_of_another_shape_is_an_error():
    got = project_hypersimplex(X, 1, groups=GROUPS)
    for call in (got.jvp, got.vjp):
        with pytest.raises(ValueError, match=r"the direction must have the projection's shape \(4, 2\), got \(4,\)"):
            call(np.ones(4))
        assert call(np.ones((4, 2))).shape == (4, 2)


# --- threads ------------------------------------------------------------------------------------------------------


@several
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shuffled", [False, True])
def test_one_thread_and_two_give_the_same_bits(weighted, shuffled, rng, monkeypatch):
    p = mixed(rng, [30_000, 1, 4, 5000, 20_000, 12_000, *[7] * 900, 16_384, 16_385], shuffled, weighted)
    launches = []
    monkeypatch.setattr(_compile, "PARALLEL_FROM", 8192)
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(_compile, "thread_count", lambda threads=threads: launches.append(threads) or threads)
        got = solve(p)
        found.append([got.values, got.soft_threshold, got.multiplier])
    assert set(launches) == {1, 2}
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
