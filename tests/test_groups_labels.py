"""Projections by group and by column: shapes, labels of every kind, every way to say k, one clear error each."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from _groups import GROUPS, X, both
from _versions import need
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier

from hsboost import HSClassifier, HypersimplexObjective, PrecisionAtK, project_hypersimplex
from hsboost._kernels._compile import BLOCK
from hsboost._kernels.segments import sorted_starts
from hsboost._solver.segments import Segments
from hsboost._validation import by_label

# --- shapes -------------------------------------------------------------------------------------------------------


def test_small_shapes_of_thresholds():
    one = project_hypersimplex(X[:, 0], 1)
    assert isinstance(one.soft_threshold, float)
    assert one.groups is None
    columns = project_hypersimplex(X, 1)
    assert columns.values.shape == (4, 2)
    assert columns.soft_threshold.shape == columns.multiplier.shape == (2,)
    grouped = project_hypersimplex(X[:, 0], 1, groups=GROUPS)
    assert grouped.groups == ["a", "b"]
    assert grouped.soft_threshold.shape == grouped.multiplier.shape == (2,)
    assert grouped.soft_threshold.tolist() == [0.0, 1.0]
    both_of_them = project_hypersimplex(X, 1, groups=GROUPS)
    assert both_of_them.values.shape == (4, 2)
    assert both_of_them.soft_threshold.shape == both_of_them.multiplier.shape == (2, 2)
    np.testing.assert_array_equal(both_of_them.soft_threshold, [[0.0, 1.0], [1.75, -0.375]])
    single = project_hypersimplex(X[:, :1], 1, groups=GROUPS)  # one column is a vector
    assert single.values.shape == (4,)
    assert single.soft_threshold.tolist() == [0.0, 1.0]
    for p in (columns, grouped, both_of_them):
        assert "multipliers" in repr(p)


@both
def test_small_one_group_is_no_groups(method, rng):
    x = rng.normal(size=40)
    alone, grouped = (project_hypersimplex(x, 9.5, groups=g, method=method) for g in (None, ["only"] * 40))
    np.testing.assert_array_equal(grouped.values, alone.values)
    assert grouped.soft_threshold.tolist() == [alone.soft_threshold]


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
        assert got.soft_threshold[c] == alone.soft_threshold


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
        np.testing.assert_array_equal(got.soft_threshold, expected.soft_threshold)
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
        pd.Series(codes, dtype="int64[pyarrow]"),
        pd.to_datetime(DAYS[codes]).tz_localize("UTC"), pd.to_datetime(DAYS[codes]).to_period("D"),
    ):  # fmt: skip
        np.testing.assert_array_equal(project_hypersimplex(x, k, groups=same).values, expected)


def test_small_labels_in_numpys_own_texts(rng):
    need("numpy", "2.0", "texts of any length have a type of their own")
    codes = rng.integers(0, 3, 30)
    x = rng.normal(size=30)
    expected = project_hypersimplex(x, [1, 2, 3], groups=codes).values
    labels = np.array(np.array(["x", "y", "z"])[codes].tolist(), np.dtypes.StringDType())
    np.testing.assert_array_equal(project_hypersimplex(x, [1, 2, 3], groups=labels).values, expected)


@pytest.mark.truth
@pytest.mark.parametrize("unit", ["M8[Y]", "M8[D]", "M8[s]", "M8[ns]", "m8[D]", "m8[ns]"])
@pytest.mark.parametrize("route", ["projection", "objective", "metric", "estimator", "top_k"])
def test_small_budgets_by_date_are_found(route, unit, rng):
    """NumPy's dates as keys, pandas' as labels: equal, but with other hashes before NumPy 2.2."""
    dates = np.array(["2026", "2027", "2028"], "M8[Y]").astype("M8[D]")
    dates = (dates - dates[0]).astype(unit) if unit.startswith("m8") else dates.astype(unit)
    codes = np.repeat([0, 1, 2], 40)
    named, numbered = {day: 10 * c + 5 for c, day in enumerate(dates)}, {0: 5, 1: 15, 2: 25}
    x = rng.normal(size=120)
    y = (x + rng.normal(size=120) > 0).astype(int)
    by_date, by_number = (
        _with_budgets(route, x, y, k, groups) for k, groups in ((named, dates[codes]), (numbered, codes))
    )
    np.testing.assert_array_equal(by_date, by_number)
    assert np.unique(by_date).size > 1 or route == "metric"
    without = {day: k for day, k in named.items() if k > 5}
    with pytest.raises(
        ValueError, match=r"k has no (mass|budget) for group Time\w+\(.*\(1 such groups in all\); add it"
    ):
        _with_budgets(route, x, y, without, dates[codes])


def _with_budgets(route, x, y, k, groups):
    """What comes of a mapping of budgets, as an array."""
    if route == "projection":
        return project_hypersimplex(x, k, groups=groups).values
    if route == "objective":
        return HypersimplexObjective(k, groups=groups)(y, x)[0]
    if route == "metric":
        return np.array([PrecisionAtK(k, groups=groups)(y, x)])
    if route == "top_k":
        model = HSClassifier(LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1)).fit(x[:, None], y)
        return model.predict_top_k(x[:, None], k, groups=groups)
    model = HSClassifier(LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1), k=k).fit(x[:, None], y, groups=groups)
    return model.predict(x[:, None], groups=groups)


def test_small_dates_as_keys_become_labels():
    keys = [np.datetime64("2026-01-01"), np.timedelta64(3, "D"), np.timedelta64(1, "M"), "a", 4, np.datetime64("NaT")]
    found = list(by_label(dict.fromkeys(keys)))
    assert found[:2] == [pd.Timestamp("2026-01-01"), pd.Timedelta(days=3)]
    assert [type(key) for key in found[:2]] == [pd.Timestamp, pd.Timedelta]
    assert found[2:5] == keys[2:5]
    assert found[5] is pd.NaT
    plain = {"a": 1}
    assert by_label(plain) is plain


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
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
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


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=200), st.sampled_from("bhilBHIL"), st.booleans())
def test_small_runs_of_sorted_labels(labels, kind, ascending):
    labels = np.array(labels)
    labels = np.sort(labels + 3 if kind.isupper() else labels).astype(kind)
    labels = labels if ascending else labels[::-1].copy()
    starts = sorted_starts(labels)
    if (labels[1:] < labels[:-1]).any():
        assert starts.size == 0
    else:
        np.testing.assert_array_equal(starts, np.unique(labels, return_index=True)[1])


@pytest.mark.parametrize("at", [1, 63, 64, 65, BLOCK, BLOCK + 1, 2 * BLOCK, 20_000])
@pytest.mark.parametrize("length", [1, 2, 300])
def test_runs_that_begin_and_end_anywhere(at, length):
    labels = np.zeros(20_001, np.int64)
    labels[at:] = 5
    labels[at + length :] = 7
    np.testing.assert_array_equal(sorted_starts(labels), np.unique(labels, return_index=True)[1])
    labels[at] = -1
    assert sorted_starts(labels).size == 0
