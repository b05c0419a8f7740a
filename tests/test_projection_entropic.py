"""project_hypersimplex(regularization="entropic"): its sum, its derivatives, and every argument beside it."""

from __future__ import annotations

import re

import numpy as np
import pytest
import reference_entropic as reference
from hypothesis import given
from strategies import GroupedProblem, grouped_problems, problems

from hsboost import project_hypersimplex

ENTROPIC = {"regularization": "entropic"}


def project(x, k, **options):
    return project_hypersimplex(x, k, **ENTROPIC, **options)


@given(problems())
def test_small_values_are_the_truth_and_add_up_to_k(p):
    found = project(p.x, p.k, temperature=p.temperature, sample_weight=p.weight)
    truth = reference.project(p.x, p.k, p.temperature, p.weight)
    counted = p.w > 0
    np.testing.assert_allclose(found.values[counted], truth.values[counted].astype(float), rtol=0, atol=1e-12)
    assert p.w @ found.values == pytest.approx(p.k, rel=1e-12, abs=1e-12 * p.total)
    assert ((found.values >= 0) & (found.values <= 1)).all()
    assert f"active={int(((found.values > 0) & (found.values < 1)).sum())})" in repr(found)


@pytest.mark.parametrize("options", [ENTROPIC, {}])
@pytest.mark.parametrize("off", [-4, -1, 0, 1, 4])
def test_a_budget_of_all_weight_is_one_whatever_the_order_of_its_additions(options, off):
    w = np.array([1.7883109, 0.0, 0.0, 1.91032642, 7.00342947])
    k = w.sum()
    for _ in range(abs(off)):
        k = np.nextafter(k, np.inf if off > 0 else 0.0)
    alone = project_hypersimplex(np.zeros(5), float(k), sample_weight=w, **options)
    for x, form in ((np.zeros(5), {"groups": np.zeros(5, int)}), (np.zeros((5, 1)), {})):
        found = project_hypersimplex(x, float(k), sample_weight=w, **form, **options)
        assert found.values.ravel().tolist() == alone.values.tolist() == [1.0] * 5
        assert np.ravel(found.multiplier).tolist() == [alone.multiplier]
        assert np.ravel(found.soft_threshold).tolist() == [alone.soft_threshold]


@given(grouped_problems(moderate=True))
def test_small_groups_and_columns_are_problems_of_their_own(p: GroupedProblem):
    found = project(p.x, p.k, temperature=p.temperature, sample_weight=p.weight, groups=p.groups)
    values, multipliers = found.values.reshape(p.x.shape), found.multiplier.reshape(p.k.shape)
    for c in range(p.x.shape[1]):
        for g in range(p.k.shape[1]):
            at, one = p.one(c, g)
            if one.total == 0.0:
                continue
            alone = project(one.x, one.k, temperature=one.temperature, sample_weight=one.weight)
            np.testing.assert_allclose(values[at, c], alone.values, rtol=0, atol=1e-12)
            assert multipliers[c, g] == pytest.approx(alone.multiplier, rel=1e-11, abs=1e-11)


SHAPES = [(9, 1, False), (9, 1, True), (9, 3, False), (9, 3, True)]


def some(rng, n, columns, grouped, weighted):
    x = rng.normal(size=n if columns == 1 else (n, columns))
    w = np.where(np.arange(n) == 4, 0.0, rng.uniform(0.3, 2, n)) if weighted else None
    groups = rng.permutation(np.arange(n) % 3) if grouped else None
    k = rng.uniform(0.3, 0.8, size=(*(() if columns == 1 else (columns,)), *((3,) if grouped else ())))
    return x, k if k.shape else float(k), {"sample_weight": w, "groups": groups, "temperature": 0.6}


@pytest.mark.parametrize(("n", "columns", "grouped"), SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_small_derivatives_are_those_of_differences(n, columns, grouped, weighted, rng):
    x, k, options = some(rng, n, columns, grouped, weighted)
    p, h = project(x, k, **options), 1e-5
    jacobian = np.stack(
        [
            (project(x + h * e, k, **options).values - project(x - h * e, k, **options).values).ravel() / (2 * h)
            for e in np.eye(x.size).reshape(x.size, *x.shape)
        ],
        axis=-1,
    )
    v, u = rng.normal(size=(2, *x.shape))
    np.testing.assert_allclose(p.jvp(v).ravel(), jacobian @ v.ravel(), rtol=0, atol=1e-8)
    np.testing.assert_allclose(p.vjp(u).ravel(), jacobian.T @ u.ravel(), rtol=0, atol=1e-8)
    np.testing.assert_allclose(p.jvp(np.ones(x.shape)), 0.0, rtol=0, atol=1e-12)
    assert p.jvp(v).dtype == p.vjp(u).dtype == np.float64
    assert p.regularization == "entropic"


@pytest.mark.parametrize(("n", "columns", "grouped"), SHAPES)
@pytest.mark.parametrize("temperature", [0.6, 1e-5, 1e5, 1e-310])
def test_small_the_soft_threshold_is_where_the_value_is_one_half(n, columns, grouped, temperature, rng):
    x, k, options = some(rng, n, columns, grouped, True)
    x = x * temperature
    p = project(x, k, **(options | {"temperature": temperature}))
    groups = np.zeros(n, int) if options["groups"] is None else options["groups"]
    cut = np.reshape(p.soft_threshold, (columns, -1))[:, groups].T.reshape(x.shape)
    above = np.abs(p.values - 0.5) > 1e-9
    np.testing.assert_array_equal((x > cut)[above], (p.values > 0.5)[above])
    np.testing.assert_allclose(np.asarray(p.multiplier) * temperature, p.soft_threshold, rtol=1e-9)
    v = (
        x / temperature - cut / temperature
        if temperature > 1e-300
        else np.ldexp(x - cut, 60) / np.ldexp(temperature, 60)
    )
    np.testing.assert_allclose(p.values, 1 / (1 + np.exp(-v)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "columns", "grouped"), [*SHAPES, (20_000, 1, False), (20_000, 2, True)])
@pytest.mark.parametrize("target", ["new", "itself", "by columns", "strided"])
def test_values_go_where_they_are_told(dtype, n, columns, grouped, target, rng):
    x, k, options = some(rng, n, columns, grouped, False)
    x = x.astype(dtype)
    expected = project(x, k, **options).values
    assert expected.dtype == dtype
    out = {
        "new": np.empty_like(x),
        "itself": x,
        "by columns": np.empty(x.shape, dtype, order="F"),
        "strided": np.empty((2 * n, *x.shape[1:]), dtype)[::2],
    }[target]
    found = project(x, k, out=out, **options)
    assert found.values is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_small_nothing_and_everything_are_limits(grouped, end, rng):
    x = rng.normal(size=12)
    groups = np.arange(12) % 2 if grouped else None
    found = project(x, end * (6 if grouped else 12), groups=groups)
    np.testing.assert_array_equal(found.values, np.full(12, end))
    assert not found.active.any()
    for moved in (found.jvp(x), found.vjp(x)):
        np.testing.assert_array_equal(moved, np.zeros(12))


@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 2e-308])
def test_small_subnormal_temperatures_choose_the_top(temperature):
    x = np.array([3.0, -1.0, 2.0, 7.0, 2.0])
    found = project(x, 3.0, temperature=temperature)
    np.testing.assert_array_equal(found.values, [1.0, 0.0, 0.5, 1.0, 0.5])
    assert found.soft_threshold == 2.0


def test_small_a_low_temperature_is_the_hard_choice_and_a_high_one_the_mean(rng):
    x = rng.permutation(np.arange(10.0))
    np.testing.assert_allclose(project(x, 3, temperature=1e-3).values, x > 6, rtol=0, atol=1e-12)
    np.testing.assert_allclose(project(x, 3, temperature=1e9).values, 0.3, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "pav", **ENTROPIC}, "method='pav' solves the Euclidean projection; got regularization='entropic'"),
        ({"regularization": "entropy"}, "regularization must be one of 'euclidean', 'entropic'; got 'entropy'"),
        ({"regularization": None}, "regularization must be one of 'euclidean', 'entropic'; got None"),
        ({"temperature": 0.0, **ENTROPIC}, "temperature must be"),
        ({"k": 6, **ENTROPIC}, "k must"),
        ({"x": [0.0, np.nan, 1.0, 2.0, 3.0], **ENTROPIC}, "x must be finite, got nan at row 1"),
        ({"sample_weight": [1, 1, -1, 1, 1], **ENTROPIC}, "sample_weight"),
    ],
)
def test_small_bad_input_gets_one_clear_error(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        project_hypersimplex(**{"x": np.arange(5.0), "k": 2, **options})
