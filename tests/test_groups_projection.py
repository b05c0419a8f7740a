"""Projections by group and by column: each equals the slow truth of its own rows, whatever stands beside it."""

from __future__ import annotations

import datetime
import warnings
from types import SimpleNamespace

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import reference
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from strategies import GroupedProblem, grouped_problems
from test_projection import check_against_truth

from hsboost import project_hypersimplex
from hsboost._kernels import _compile
from hsboost._segments import Segments

METHODS = ["threshold", "pav"]
both = pytest.mark.parametrize("method", METHODS)
several = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


#: Scores of two groups (0: rows 0 and 2, 1: rows 1 and 3) in two columns.
X = np.array([[2.0, -1.0], [1.0, 0.5], [0.0, 0.25], [-1.0, 3.0]])
GROUPS = ["b", "a", "b", "a"]


def solve(p: GroupedProblem, method="threshold", **changes):
    p = p._replace(**changes)
    return project_hypersimplex(
        p.x, p.k, temperature=p.temperature, sample_weight=p.weight, groups=p.groups, method=method
    )


def by_column_and_group(got, p: GroupedProblem):
    """values (n, C) and cuts, thresholds (C, G), also where there was one column only."""
    shape = p.k.shape
    return got.values.reshape(p.x.shape), np.reshape(got.cut, shape), np.reshape(got.threshold, shape)


def check_each(p: GroupedProblem, got, tolerance=1e-11):
    values, cuts, _ = by_column_and_group(got, p)
    for c in range(p.k.shape[0]):
        for g in range(p.k.shape[1]):
            rows, one = p.one(c, g)
            check_against_truth(one, SimpleNamespace(values=values[rows, c], cut=cuts[c, g]), tolerance)


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
        patch.setattr("hsboost._threshold.SMALL", small)
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
            assert cuts[c, g] == pytest.approx(alone.cut, abs=1e-12)
            assert thresholds[c, g] == pytest.approx(alone.threshold, abs=1e-11)


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
    assert np.ndim(got.cut) == 1
    np.testing.assert_allclose(np.bincount(p.groups, got.values), p.k[0], rtol=1e-12, atol=1e-12)
    z = p.x[:, 0] / p.temperature - got.threshold[p.groups]
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
    np.testing.assert_allclose(single.cut, double.cut, rtol=1e-14)


@both
@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 1e-300])
def test_small_temperatures_without_a_reciprocal(method, temperature):
    x = np.column_stack([[0.5, -1.0, 0.5, 2.0, 0.5, 7.0], np.arange(6) * temperature])
    got = project_hypersimplex(x, [[2, 0.5], [1.5, 1]], temperature=temperature, groups=[0] * 5 + [1], method=method)
    np.testing.assert_allclose(got.values[:5, 0], [1 / 3, 0, 1 / 3, 1, 1 / 3], rtol=0, atol=1e-15)
    np.testing.assert_allclose(got.values[:5, 1], [0, 0, 0, 0.5, 1], rtol=0, atol=1e-15)
    np.testing.assert_allclose(got.values[5], [0.5, 1], rtol=0, atol=1e-15)
    assert got.cut[0].tolist() == [0.5, 7.0]


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
    assert not (x > got.cut[[0, 1, 0, 1, 2, 3]])[[0, 2]].any()
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
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    x, w, groups = np.array([2.0, 1.0, 0.4, 0.0]), np.array([1.0, 0, 1, 0]), [0, 1, 0, 1]
    got = project_hypersimplex(x, [1, 0], sample_weight=w, groups=groups, method=method)
    np.testing.assert_allclose(got.values[[0, 2]], [1, 0], atol=1e-15)
    assert np.isfinite(got.values).all()
    assert np.isfinite(got.cut).all()
    with pytest.raises(ValueError, match=r"k must lie between 0 and the total weight 0, got 1.0 for group 1"):
        project_hypersimplex(x, 1, sample_weight=w, groups=groups, method=method)


# --- shapes -------------------------------------------------------------------------------------------------------


def test_small_shapes_of_thresholds():
    one = project_hypersimplex(X[:, 0], 1)
    assert isinstance(one.cut, float)
    assert one.groups is None
    columns = project_hypersimplex(X, 1)
    assert columns.values.shape == (4, 2)
    assert columns.cut.shape == columns.threshold.shape == (2,)
    grouped = project_hypersimplex(X[:, 0], 1, groups=GROUPS)
    assert grouped.groups == ["a", "b"]
    assert grouped.cut.shape == grouped.threshold.shape == (2,)
    assert grouped.cut.tolist() == [0.0, 1.0]
    both_of_them = project_hypersimplex(X, 1, groups=GROUPS)
    assert both_of_them.values.shape == (4, 2)
    assert both_of_them.cut.shape == both_of_them.threshold.shape == (2, 2)
    np.testing.assert_array_equal(both_of_them.cut, [[0.0, 1.0], [1.75, -0.375]])
    single = project_hypersimplex(X[:, :1], 1, groups=GROUPS)  # one column is a vector
    assert single.values.shape == (4,)
    assert single.cut.tolist() == [0.0, 1.0]
    for p in (columns, grouped, both_of_them):
        assert "thresholds" in repr(p)


@both
def test_small_one_group_is_no_groups(method, rng):
    x = rng.normal(size=40)
    alone, grouped = (project_hypersimplex(x, 9.5, groups=g, method=method) for g in (None, ["only"] * 40))
    np.testing.assert_array_equal(grouped.values, alone.values)
    assert grouped.cut.tolist() == [alone.cut]


@pytest.mark.parametrize("layout", ["C", "F", "strided", "list", "frame", "int"])
def test_small_columns_in_any_memory_order(layout, rng):
    x = np.round(rng.normal(size=(30, 3)) * 4)
    same = {
        "C": np.ascontiguousarray(x), "F": np.asfortranarray(x), "strided": np.kron(x, np.ones((2, 2)))[::2, ::2],
        "list": x.tolist(), "frame": pd.DataFrame(x), "int": x.astype(int),
    }[layout]  # fmt: skip
    got = project_hypersimplex(same, [3, 4.5, 6], groups=None, temperature=2.0)
    for c, k in enumerate([3, 4.5, 6]):
        alone = project_hypersimplex(x[:, c], k, temperature=2.0)
        np.testing.assert_array_equal(got.values[:, c], alone.values)
        assert got.cut[c] == alone.cut


@pytest.mark.parametrize("labels", [None, ["b", "a"]])
@pytest.mark.parametrize("columns", [False, True])
def test_small_every_way_to_say_k(labels, columns):
    """One number, an array, a mapping: the same masses."""
    groups = None if labels is None else GROUPS
    x = X if columns else X[:, 0]
    same = [1, 1.0, np.float32(1), np.int64(1), np.array(1)]
    if groups is not None:
        same += [[1, 1], (1, 1), np.ones(2), {"a": 1, "b": 1}, {"b": 1.0, "a": 1, "c": 9}]
    if columns and groups is None:
        same += [[1, 1], np.ones(2, int)]
    if columns and groups is not None:
        same += [np.ones((2, 2)), [[1, 1], [1, 1]]]
    if not columns and groups is None:
        same = same[:4]
    expected = project_hypersimplex(x, 1, groups=groups).values
    for k in same:
        np.testing.assert_array_equal(project_hypersimplex(x, k, groups=groups).values, expected)
    if groups is not None:
        got = project_hypersimplex(x, {"b": 2, "a": 0}, groups=groups).values
        np.testing.assert_array_equal(got.T, np.broadcast_to([1, 0, 1, 0], got.T.shape))
        np.testing.assert_array_equal(project_hypersimplex(x, [0, 2], groups=groups).values, got)


# --- labels -------------------------------------------------------------------------------------------------------

DAYS = np.datetime64("2026-01-01") + np.arange(3)

LABELS = {
    "int": np.array([-5, 7, 70]), "uint": np.array([0, 5, 2**63], np.uint64), "bool": np.array([False, True]),
    "float": np.array([-np.inf, -0.5, 2.0]), "float32": np.array([0.1, 0.2, 0.3], np.float32),
    "text": np.array(["a", "b", "ba"]), "objects": np.array(["a", "b", "c"], object), "bytes": np.array([b"a", b"b"]),
    "days": DAYS, "seconds": DAYS.astype("M8[s]"), "spans": DAYS - DAYS[1],
    "dates": np.array([datetime.date(2026, 1, d) for d in (1, 2, 3)], object), "big": np.array([1, 2**70], object),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("shuffled", [False, True])
def test_small_labels_of_every_kind_in_any_order(kind, shuffled, rng):
    labels = LABELS[kind]
    codes = np.sort(np.r_[np.arange(labels.size), rng.integers(0, labels.size, 20)])
    codes = rng.permutation(codes) if shuffled else codes
    x = rng.normal(size=codes.size)
    k = np.arange(labels.size) / 2 + 0.25
    expected = project_hypersimplex(x, k, groups=codes)
    for same in (labels[codes], pd.Series(labels[codes], index=range(codes.size)[::-1]), pd.Index(labels[codes])):
        got = project_hypersimplex(x, k, groups=same)
        np.testing.assert_array_equal(got.values, expected.values)
        np.testing.assert_array_equal(got.cut, expected.cut)
        assert got.groups == list(labels)
        # What came back, and what went in, find their budgets in a mapping.
        for keys in (got.groups, list(labels)):
            mapped = project_hypersimplex(x, dict(zip(keys, k, strict=True)), groups=same)
            np.testing.assert_array_equal(mapped.values, expected.values)


def test_small_labels_in_other_containers(rng):
    codes = rng.integers(0, 3, 30)
    names = np.array(["x", "y", "z"])[codes]
    x, k = rng.normal(size=30), [1, 2, 3]
    expected = project_hypersimplex(x, k, groups=codes).values
    frozen = codes.copy()
    frozen.flags.writeable = False
    for same in (
        codes.tolist(), tuple(names.tolist()), frozen, codes.astype(np.int8), np.repeat(codes, 2)[::2],
        pd.Categorical(names, categories=["z", "unused", "x", "y"]), pd.Series(names, dtype="category"),
        pd.Categorical(names, categories=["z", "y", "x"], ordered=True), pd.Series(codes, dtype="Int64"),
        pd.Series(names, dtype="string"), pa.array(names.tolist()), pa.chunked_array([names[:9], names[9:]]),
        pd.Series(codes, dtype="int64[pyarrow]"), np.array(names.tolist(), np.dtypes.StringDType()),
        pd.to_datetime(DAYS[codes]).tz_localize("UTC"), pd.to_datetime(DAYS[codes]).to_period("D"),
    ):  # fmt: skip
        np.testing.assert_array_equal(project_hypersimplex(x, k, groups=same).values, expected)


@pytest.mark.parametrize("dtype", [np.float16, ">i4", ">f8"])
def test_small_labels_of_rare_number_types(dtype):
    expected = project_hypersimplex(X[:, 0], 1, groups=[2, 1, 2, 1]).values
    got = project_hypersimplex(X[:, 0], 1, groups=np.array([2, 1, 2, 1]).astype(dtype))
    np.testing.assert_array_equal(got.values, expected)


@pytest.mark.parametrize(
    ("groups", "row"),
    [
        ([1.0, np.nan, 2.0, np.nan], 1),
        (["a", "a", None, "b"], 2),
        (np.array(["a", np.nan, "b", "b"], object), 1),
        (np.array(["2026-01-01", "2026-01-01", "2026-01-01", "NaT"], "M8[D]"), 3),
        (pd.Categorical(["a", "b", None, "b"]), 2),
        (pd.Series([pd.NA, 1, 1, 2], dtype="Int64"), 0),
        (pd.Series(["a", None, "b", "b"]), 1),
        pytest.param(["a", "a", float("nan"), "b"], 2),
    ],
)
def test_small_missing_labels_are_an_error(groups, row):
    with pytest.raises(ValueError, match=rf"groups must not hold missing labels, got one at row {row}.*give those"):
        project_hypersimplex(X[:, 0], 1, groups=groups)


@pytest.mark.parametrize(
    "groups",
    [
        np.array([datetime.date(2026, 1, 1), 1, 1, 1], object),
        pd.Series([(1, 2), 1, 1, 2]),
        pytest.param(np.array(["a", 1, 1, "a"], object)),
        pytest.param(["a", "a", 1, 1]),
    ],
)
def test_small_labels_of_several_kinds_are_an_error(groups):
    with pytest.raises(ValueError, match=r"groups must hold labels of one kind"):
        project_hypersimplex(X[:, 0], 1, groups=groups)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], r"groups must have one entry per row of x: expected shape \(4,\), got \(0,\)"),
        ([1, 2, 3], r"groups must have one entry per row of x: expected shape \(4,\), got \(3,\)"),
        ([[1, 2], [3, 4]], r"groups must be one-dimensional, got shape \(2, 2\); pass one label per row"),
        (np.ones((4, 1)), r"groups must be one-dimensional, got shape \(4, 1\); pass one label per row"),
        (3, r"groups must be one-dimensional, got shape \(\); pass one label per row"),
        ("abcd", r"groups must be one-dimensional, got shape \(\); pass one label per row"),
    ],
)
def test_small_groups_that_do_not_fit_are_an_error(groups, message):
    for x in (X, X[:, 0]):
        with pytest.raises(ValueError, match=message):
            project_hypersimplex(x, 1, groups=groups)


def test_small_no_labels_at_all_are_an_error():
    with pytest.raises(ValueError, match=r"groups is empty; pass one label per row"):
        Segments.by_label([])


# --- errors about k and the scores --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("x", "k", "groups", "message"),
    [
        (X[:, 0], 3, GROUPS, r"k must lie between 0 and the total weight 2, got 3.0 for group 'a'; no projection"),
        (X[:, 0], [1, 2.5], GROUPS, r"k must lie between 0 and the total weight 2, got 2.5 for group 'b'"),
        (X[:, 0], {"a": 1, "b": -1}, GROUPS, r"k must lie between 0 and the total weight 2, got -1.0 for group 'b'"),
        (X[:, 0], [1, np.nan], GROUPS, r"k must lie between 0 and .* got nan for group 'b'"),
        (X[:, 0], np.inf, GROUPS, r"k must be a finite number, .* got inf"),
        (X, [1, 5], None, r"k must lie between 0 and the total weight 4, got 5.0 for column 1; no projection"),
        (X, [[1, 1], [1, 3]], GROUPS, r"between 0 and the total weight 2, got 3.0 for group 'b', column 1"),
        (X[:, 0], {"a": 1}, GROUPS, r"k has no mass for group 'b' \(1 such groups in all\); add it"),
        (X[:, 0], {0: 1}, GROUPS, r"k has no mass for group 'a' \(2 such groups in all\); add it"),
        (X, {"a": 1, "b": 1}, None, r"k is a mapping.*pass groups=, or k as an array"),
        (X[:, 0], [1, 1, 1], GROUPS, r"k must be a number or have one entry per group, shape \(2,\); got .*\(3,\)"),
        (X, [1, 1, 1], None, r"k must be a number or have one entry per column, shape \(2,\); got .*\(3,\)"),
        (X, np.ones((3, 2)), GROUPS, r"one entry per column and group, shape \(2, 2\); got .*\(3, 2\)"),
        (X[:, 0], "two", GROUPS, r"k must be a finite number, .* got 'two'"),
        (X[:, 0], [1, 1], None, r"k must be a finite number, the total mass Σ w y; got \[1, 1\]"),
        pytest.param(X[:, 0], [[1], [1, 2]], GROUPS, r"k must be a number or have one entry per group"),
    ],
)
@both
def test_small_bad_k_is_one_clear_error(method, x, k, groups, message):
    with pytest.raises(ValueError, match=message):
        project_hypersimplex(x, k, groups=groups, method=method)


@pytest.mark.parametrize(
    "k",
    [
        None,
        {"a": None, "b": 1},
        *(k for k in ("1", True, np.True_, {"a": "1", "b": 1})),
        pytest.param([1]),
    ],
)
def test_small_k_that_is_no_mass_is_refused_with_groups_as_without(k):
    with pytest.raises(ValueError, match=r"^k "):
        project_hypersimplex(X[:, 0], k)
    with pytest.raises(ValueError, match=r"^k "):
        project_hypersimplex(X[:, 0], k, groups=GROUPS)


@pytest.mark.parametrize("method", ["threshold", pytest.param("pav")])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("k", [0, 1, 2])
@pytest.mark.parametrize("small", [None, 0])
def test_small_scores_that_are_not_finite_are_named_by_their_row(method, value, k, small, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    x = np.array([3.0, 1.0, 0.0, 2.0, value, 5.0])
    message = rf"x must be finite, got {value} at row 4 \(1 such rows in all\)"
    with pytest.raises(ValueError, match=message):
        project_hypersimplex(x, k, groups=[2, 1, 2, 0, 1, 0], method=method)
    with pytest.raises(ValueError, match=message):
        project_hypersimplex(np.column_stack([np.arange(6.0), x]), k, method=method)
    with pytest.raises(ValueError, match=message):
        project_hypersimplex(np.column_stack([np.arange(6.0), x]), k, groups=[2, 1, 2, 0, 1, 0], method=method)


@pytest.mark.parametrize("n", [100, 40_000])
def test_nan_in_a_small_and_in_a_large_group(n, rng):
    groups = rng.permutation(np.repeat([0, 1], [n, 50]))
    for g in (0, 1):
        x = rng.normal(size=groups.size)
        row = int(np.flatnonzero(groups == g)[7])
        x[row] = np.nan
        with pytest.raises(ValueError, match=rf"x must be finite, got nan at row {row} "):
            project_hypersimplex(x, 5, groups=groups)


def test_small_weights_of_groups_are_checked(rng):
    for bad in (-1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match=r"sample_weight must be finite and >= 0, got .* at row 2"):
            project_hypersimplex(X[:, 0], 1, sample_weight=[1, 1, bad, 1], groups=GROUPS)
    with pytest.raises(ValueError, match="sample_weight must have a positive sum"):
        project_hypersimplex(X[:, 0], 0, sample_weight=np.zeros(4), groups=GROUPS)


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
        found.append([got.values, got.cut, got.threshold])
    assert set(launches) == {1, 2}
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)
