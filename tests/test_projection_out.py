"""`project_hypersimplex(out=)`: the same bits in the caller's memory, whatever it shares with the scores."""

from __future__ import annotations

import numpy as np
import pytest
from _groups import both
from hypothesis import given
from hypothesis import strategies as st
from strategies import GroupedProblem, Problem, grouped_problems, problems

from hsboost import project_hypersimplex
from hsboost._kernels._compile import PARALLEL_FROM


def arguments(p: Problem | GroupedProblem, method="threshold"):
    groups = {"groups": p.groups} if isinstance(p, GroupedProblem) else {}
    return {"k": p.k, "temperature": p.temperature, "sample_weight": p.weight, "method": method} | groups


def check_same(got, expected, out):
    assert got.values is out
    np.testing.assert_array_equal(out, expected.values)
    np.testing.assert_array_equal(got.soft_threshold, expected.soft_threshold)
    np.testing.assert_array_equal(got.multiplier, expected.multiplier)


def memory_like(shape, layout):
    """Arrays of one shape that lie differently in memory."""
    if layout == "strided":
        return np.full(tuple(2 * size for size in shape), 7.0)[tuple(slice(None, None, 2) for _ in shape)]
    return np.full(shape, 7.0, order=layout)


layouts = st.sampled_from(["C", "F", "strided"])


@both
@given(problems(), layouts)
def test_small_the_same_bits_in_the_callers_memory(method, p, layout):
    expected, out = project_hypersimplex(p.x, **arguments(p, method)), memory_like(p.x.shape, layout)
    check_same(project_hypersimplex(p.x, out=out, **arguments(p, method)), expected, out)


@both
@given(problems(), layouts)
def test_small_the_scores_may_be_overwritten(method, p, layout):
    expected, out = project_hypersimplex(p.x, **arguments(p, method)), memory_like(p.x.shape, layout)
    out[:] = p.x
    check_same(project_hypersimplex(out, out=out, **arguments(p, method)), expected, out)


@both
@given(grouped_problems(), layouts, st.booleans())
def test_small_groups_and_columns(method, p, layout, in_place):
    expected = project_hypersimplex(p.x, **arguments(p, method))
    out = memory_like(expected.values.shape, layout)
    x = p.x
    if in_place:
        out[:] = p.x.reshape(out.shape)
        x = out
    check_same(project_hypersimplex(x, out=out, **arguments(p, method)), expected, out)


@given(problems(), st.integers(-3, 3))
def test_small_memory_shared_in_part(p, offset):
    n = p.x.size
    buffer = np.zeros(n + 6)
    x, out = buffer[3 : n + 3], buffer[3 + offset : n + 3 + offset]
    x[:] = p.x
    check_same(project_hypersimplex(x, out=out, **arguments(p)), project_hypersimplex(p.x, **arguments(p)), out)


def test_small_one_column_of_a_table_into_another(rng):
    table = rng.normal(size=(50, 3)) + np.array([0.0, 0.0, 9.0])  # the last column serves as weights
    expected = project_hypersimplex(table[:, 0].copy(), 40, sample_weight=table[:, 2].copy())
    got = project_hypersimplex(table[:, 0], 40, sample_weight=table[:, 2], out=table[:, 1])
    np.testing.assert_array_equal(table[:, 1], expected.values)
    direction = rng.normal(size=50)
    np.testing.assert_array_equal(got.jvp(direction), expected.jvp(direction))


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_rows_in_place(method, dtype, rng):
    x = rng.normal(size=PARALLEL_FROM + 5).astype(dtype)
    groups = np.repeat([3, 1, 2], [PARALLEL_FROM - 60, 25, 40])
    for given_groups in (None, groups, np.sort(groups)):
        expected = project_hypersimplex(x, 20, groups=given_groups, method=method)
        scores = x.copy()
        check_same(project_hypersimplex(scores, 20, groups=given_groups, method=method, out=scores), expected, scores)


def test_small_columns_in_place_where_scores_come_in_any_order(rng):
    x = rng.normal(size=(40, 3))
    expected = project_hypersimplex(x, [10, 20, 30])
    for order in "CF":
        scores = np.array(x, order=order)
        check_same(project_hypersimplex(scores, [10, 20, 30], out=scores), expected, scores)


@pytest.mark.parametrize("temperature", [5e-324, 1e-310])
def test_small_temperatures_without_a_reciprocal(temperature):
    x = np.arange(4, dtype=np.float32)
    out = np.empty(4, np.float32)
    assert project_hypersimplex(x, 1.5, temperature=temperature, out=out).values is out
    np.testing.assert_array_equal(out, [0, 0, 0.5, 1])


BAD = [
    ([0.0, 0.0, 0.0], TypeError, r"out must be a NumPy array or None, got list; pass numpy.empty\(\(3,\)\)"),
    (np.zeros(2), ValueError, r"out must have the shape \(3,\) and dtype float64 .* got \(2,\) and float64"),
    (np.zeros((3, 1)), ValueError, r"got \(3, 1\) and float64"),
    (np.zeros(3, np.float32), ValueError, r"got \(3,\) and float32; pass numpy.empty\(\(3,\), 'float64'\)"),
    (np.zeros(3, ">f8"), ValueError, r"got \(3,\) and >f8"),
    (np.broadcast_to(0.0, 3), ValueError, r"out must be writeable, got a read-only array; pass out.copy\(\)"),
]


@pytest.mark.parametrize(("out", "error", "message"), BAD)
def test_small_an_out_that_does_not_fit(out, error, message):
    with pytest.raises(error, match=message):
        project_hypersimplex([1.0, 2.0, 3.0], 1, out=out)


def test_small_weights_are_not_overwritten():
    weight = np.ones(3)
    with pytest.raises(ValueError, match="out must not share memory with sample_weight"):
        project_hypersimplex([1.0, 2.0, 3.0], 1, sample_weight=weight, out=weight)
    np.testing.assert_array_equal(weight, 1.0)


@both
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1]])
def test_small_nothing_is_written_when_a_score_is_not_finite(method, bad, groups):
    x = np.array([[1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, bad]])
    for scores in (x, x[:, 1].copy(), np.asfortranarray(x)):
        before = scores.copy()
        with pytest.raises(ValueError, match="x must be finite"):
            project_hypersimplex(scores, 1, groups=groups, method=method, out=scores)
        np.testing.assert_array_equal(scores, before)
