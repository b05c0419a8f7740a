"""Losses with one budget per group: the sum over groups of the loss without groups, and what that implies."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import _floats, group_codes, grouped_weights

import hsboost
from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost._kernels import _compile
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss

LOSSES = [HypersimplexLoss, HypersimplexFYLoss]
each_loss = pytest.mark.parametrize("kind", LOSSES)
BUDGETS = [None, 1, 0.3, {0: None, 1: 0.5, 2: 1, 3: 0}]


def budget_of(k, g):
    return k[g] if isinstance(k, dict) else k


def rows_of(groups):
    return [np.flatnonzero(groups == g) for g in range(int(groups.max()) + 1)]


def part(a, rows):
    return None if a is None else a[rows]


def projected(loss, y, x, w, groups):
    """Values of the projection, group by group."""
    values = np.empty(len(x))
    for g, rows in enumerate(rows_of(groups)):
        weight = part(w, rows)
        mass = reference.mass_of(budget_of(loss.k, g), y[rows], weight)
        total = len(rows) if w is None else weight.sum()
        if total > 0:
            found = project_hypersimplex(x[rows], min(mass, total), temperature=loss.temperature, sample_weight=weight)
            values[rows] = found.values
        else:
            values[rows] = 0.5
    return values


def generic(rng, k=None, weighted=False, temperature=0.9, sizes=(14, 1, 9, 6)):
    """Four mixed groups with rows on both sides and inside, none near a kink, labels that often disagree."""
    for _ in range(10_000):
        groups = rng.permutation(np.repeat(np.arange(4), sizes))
        x, y = rng.normal(size=groups.size), (rng.random(groups.size) < 0.4).astype(float)
        w = rng.uniform(1.0, 2, groups.size) if weighted else None
        loss = HypersimplexLoss(k, temperature)
        values = projected(loss, y, x, w, groups)
        z = x / temperature - loss.soft_cut(y, x, w, groups)[groups] / temperature + 0.5
        inside = (values > 0) & (values < 1)
        soft = np.isin(groups, groups[inside])  # groups that get nothing or everything have no kink nearby
        if min(np.abs(z[soft]).min(), np.abs(z[soft] - 1).min()) > 1e-3 and 6 < inside.sum() < groups.size - 4:
            return x, y, w, groups, inside
    raise AssertionError("no such rows")


@st.composite
def cases(draw: st.DrawFn):
    groups = draw(group_codes(rows=6))
    n, most = groups.size, int(groups.max()) + 1
    x = np.array(draw(st.sampled_from([_floats(-3, 3), st.integers(-3, 3).map(float)]).flatmap(
        lambda e: st.lists(e, min_size=n, max_size=n))))  # fmt: skip
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    w = draw(grouped_weights(groups)) if draw(st.booleans()) else None
    total = np.bincount(groups, w)
    one = st.one_of(st.none(), st.floats(0.01, 0.99))
    k = draw(
        st.one_of(
            one,
            st.integers(0, int(total.min())),
            st.tuples(*(st.one_of(one, st.integers(0, int(t))) for t in total)).map(lambda b: dict(enumerate(b))),
        )
    )
    assert most == total.size
    return x, y, w, groups, k, draw(_floats(0.2, 4))


# --- the sum over groups ------------------------------------------------------------------------------------------


@each_loss
@given(cases())
def test_small_loss_and_gradient_equal_the_slow_truth_of_each_group(kind, case):
    x, y, w, groups, k, temperature = case
    loss = kind(k, temperature)
    value, slow = (
        (reference.loss, reference.gradient)
        if kind is HypersimplexLoss
        else (reference.fenchel_young, reference.fenchel_young_gradient)
    )
    expected, gradient, values = 0.0, np.zeros(len(x)), np.zeros(len(x))
    for g, rows in enumerate(rows_of(groups)):
        weight = part(w, rows)
        if w is not None and not weight.sum():
            continue
        expected += value(y[rows], x[rows], budget_of(k, g), temperature, weight)
        gradient[rows] = slow(y[rows], x[rows], budget_of(k, g), temperature, weight)
        mass = reference.mass_of(budget_of(k, g), y[rows], weight)
        values[rows] = reference.project(x[rows], mass, temperature, weight).values
    assert loss.loss(y, x, w, groups) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    inside = values[(values > 0) & (values < 1)]
    assume(np.all((inside > 1e-7) & (inside < 1 - 1e-7)))
    np.testing.assert_allclose(loss.gradient_hessian(y, x, w, groups)[0], gradient, rtol=0, atol=1e-9)


@each_loss
@pytest.mark.parametrize("k", BUDGETS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("small", [None, 0, 8])
def test_small_it_is_the_sum_over_groups_of_the_loss_without_groups(kind, k, weighted, small, rng, monkeypatch):
    """small = 8: groups of 14 and 9 rows go the way of large ones, the others stay."""
    if small is not None:
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    x, y, w, groups, _ = generic(rng, k, weighted)
    w = None if w is None else np.where(np.arange(w.size) % 7 == 3, 0.0, w)
    for hessian in ("exact", "unit"):
        loss = kind(k, 0.9, hessian)
        gradient, curvature = loss.gradient_hessian(y, x, w, groups)
        total = 0.0
        for g, rows in enumerate(rows_of(groups)):
            if w is not None and not w[rows].sum():
                continue
            alone = kind(budget_of(k, g), 0.9, hessian)
            total += alone.loss(y[rows], x[rows], part(w, rows))
            for ours, theirs in zip(
                (gradient, curvature), alone.gradient_hessian(y[rows], x[rows], part(w, rows)), strict=True
            ):
                np.testing.assert_allclose(ours[rows], theirs, rtol=1e-11, atol=1e-12)
        assert loss.loss(y, x, w, groups) == pytest.approx(total, rel=1e-12)


@each_loss
def test_small_gradient_takes_groups_too(kind, rng):
    x, y, w, groups, _ = generic(rng, weighted=True)
    np.testing.assert_array_equal(kind().gradient(y, x, w, groups), kind().gradient_hessian(y, x, w, groups)[0])


@pytest.mark.parametrize("weighted", [False, True])
def test_small_mean_is_sum_times_two_over_all_the_weight(weighted, rng):
    x, y, w, groups, _ = generic(rng, weighted=weighted)
    by_sum, by_mean = (HypersimplexLoss(temperature=0.9, reduction=r) for r in ("sum", "mean"))
    factor = 2 / (x.size if w is None else w.sum())
    assert by_mean.loss(y, x, w, groups) == pytest.approx(factor * by_sum.loss(y, x, w, groups), rel=1e-13)
    pairs = zip(by_mean.gradient_hessian(y, x, w, groups), by_sum.gradient_hessian(y, x, w, groups), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a, factor * b, rtol=1e-12, atol=1e-15)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_large_and_small_groups_together(kind, dtype, weighted, rng):
    groups = rng.permutation(np.repeat(np.arange(5), [20_000, 3, 17_000, 6000, 1]))
    x = rng.normal(size=groups.size).astype(dtype)
    y, w = rng.integers(0, 2, groups.size), rng.uniform(0, 2, groups.size) if weighted else None
    loss = kind(0.3, 0.7)
    gradient, curvature = loss.gradient_hessian(y, x, w, groups)
    assert gradient.dtype == curvature.dtype == dtype
    total = 0.0
    for rows in rows_of(groups):
        total += loss.loss(y[rows], x[rows], part(w, rows))
        alone = loss.gradient_hessian(y[rows], x[rows], part(w, rows))
        np.testing.assert_allclose(gradient[rows], alone[0], rtol=0, atol=1e-11 if dtype is np.float64 else 1e-6)
        np.testing.assert_allclose(curvature[rows], alone[1], rtol=1e-6)
    assert loss.loss(y, x, w, groups) == pytest.approx(total, rel=1e-11)


# --- derivatives, numerically -------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("k", BUDGETS)
@pytest.mark.parametrize("weighted", [False, True])
def test_small_gradient_is_the_derivative_of_the_loss(kind, k, weighted, rng):
    x, y, w, groups, _ = generic(rng, k, weighted)
    loss, h = kind(k, 0.9), 1e-5
    numeric = [
        (loss.loss(y, x + h * e, w, groups) - loss.loss(y, x - h * e, w, groups)) / (2 * h) for e in np.eye(x.size)
    ]
    np.testing.assert_allclose(loss.gradient_hessian(y, x, w, groups)[0], numeric, rtol=0, atol=1e-6)


@pytest.mark.parametrize("k", BUDGETS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_small_exact_hessian_is_the_derivative_of_the_gradient(k, weighted, reduction, rng):
    x, y, w, groups, active = generic(rng, k, weighted)
    loss, h = HypersimplexLoss(k, 0.9, reduction=reduction), 1e-5
    eye = np.eye(x.size)
    shifted = [
        (loss.gradient_hessian(y, x + h * e, w, groups)[0] - loss.gradient_hessian(y, x - h * e, w, groups)[0])
        for e in eye
    ]
    numeric = np.array([s[i] for i, s in enumerate(shifted)]) / (2 * h)
    hessian = loss.gradient_hessian(y, x, w, groups)[1]
    alone = np.array([active[groups == g].sum() for g in range(4)])[groups] == 1  # its own mean: only the floor stays
    sure = active & ~alone
    np.testing.assert_allclose(hessian[sure], numeric[sure], rtol=0, atol=1e-6)
    np.testing.assert_allclose(numeric[~sure], 0, rtol=0, atol=1e-9)
    assert hessian.min() > 0  # the floor


# --- what the formulas promise ------------------------------------------------------------------------------------


@each_loss
@given(cases())
def test_small_gradient_sums_to_zero_in_each_group(kind, case):
    x, y, w, groups, k, temperature = case
    gradient = kind(k, temperature).gradient_hessian(y, x, w, groups)[0]
    np.testing.assert_allclose(np.bincount(groups, gradient), 0, atol=1e-9 * x.size / temperature)


@each_loss
@given(cases(), st.lists(st.integers(-40, 40), min_size=5, max_size=5))
def test_small_each_group_may_be_shifted_on_its_own(kind, case, eighths):
    x, y, w, groups, k, temperature = case
    x, loss = np.round(x * 8) / 8, kind(k, temperature)
    moved = x + np.array(eighths)[groups] / 8
    assert loss.loss(y, moved, w, groups) == pytest.approx(loss.loss(y, x, w, groups), rel=1e-9, abs=1e-9)


@each_loss
@given(cases())
def test_small_integer_weights_are_repeated_rows(kind, case):
    x, y, w, groups, k, temperature = case
    times = np.round(np.ones(x.size) if w is None else w).astype(int)
    totals = np.bincount(groups, times).astype(int)
    assume(times.sum() > 0)
    # A group without any row left has no budget either.
    k = {g: None if not t else min(b, int(t)) if isinstance(b, int) else b
         for g, t in enumerate(totals) for b in [budget_of(k, g)]}  # fmt: skip
    loss = kind(k, temperature)
    a = loss.loss(y, x, times.astype(float), groups)
    b = loss.loss(np.repeat(y, times), np.repeat(x, times), None, np.repeat(groups, times))
    assert a == pytest.approx(b, rel=1e-10, abs=1e-10)


@each_loss
@pytest.mark.parametrize("k", BUDGETS)
@pytest.mark.parametrize("small", [None, 0])
def test_small_a_permutation_of_the_rows_permutes_the_gradient(kind, k, small, rng, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    x, y, w, groups, _ = generic(rng, k, weighted=True)
    loss, order = kind(k, 0.9), rng.permutation(x.size)
    by_group = np.argsort(groups, kind="stable")
    for permuted in (order, by_group, by_group[::-1]):
        arrays = y[permuted], x[permuted], w[permuted]
        assert loss.loss(*arrays, groups[permuted]) == pytest.approx(loss.loss(y, x, w, groups), rel=1e-12)
        pairs = zip(
            loss.gradient_hessian(*arrays, groups[permuted]), loss.gradient_hessian(y, x, w, groups), strict=True
        )
        for ours, theirs in pairs:
            np.testing.assert_allclose(ours, theirs[permuted], rtol=1e-11, atol=1e-13)
        step = loss.boosting_step(*arrays, None, groups[permuted])
        for ours, theirs in zip(step[:2], loss.boosting_step(y, x, w, None, groups)[:2], strict=True):
            np.testing.assert_allclose(ours, theirs[permuted], rtol=1e-6, atol=1e-7)


def test_small_groups_of_one_class_and_of_one_row_pull_at_nothing(rng):
    x, y = np.array([3.0, -1.0, 0.0, 0.2, 0.1, 7.0]), np.array([1.0, 1, 0, 1, 0, 1])
    groups = np.array([0, 0, 1, 2, 2, 3])
    for kind in LOSSES:
        loss = kind()
        gradient, hessian = loss.gradient_hessian(y, x, None, groups)
        assert gradient[[0, 1, 2, 5]].tolist() == [0] * 4
        assert gradient[3] < 0 < gradient[4]
        assert hessian.min() > 0
        assert loss.loss(y, x, None, groups) == loss.loss(y[3:5], x[3:5])
        assert loss.boosting_step(y, x, None, None, groups)[0][[0, 1, 2, 5]].tolist() == [0] * 4


# --- budgets ------------------------------------------------------------------------------------------------------


@each_loss
def test_small_counts_shares_and_mappings_in_units_of_weight(kind, rng):
    groups = np.repeat([0, 1], [8, 12])
    x, y = rng.normal(size=20) * 0.3, (np.arange(20) % 3 == 0).astype(float)
    w = rng.integers(1, 4, 20).astype(float)
    totals, positives = np.bincount(groups, w), np.bincount(groups, w * y)
    for k, masses in {
        None: positives, 3: [3, 3], 0.25: 0.25 * totals, "each": [5, 0.5 * totals[1]], "one": [positives[0], 0],
    }.items():  # fmt: skip
        budgets = {"each": {0: 5, 1: 0.5}, "one": {0: None, 1: 0, "unused": 99}}.get(k, k)
        expected = project_hypersimplex(x, masses, sample_weight=w, groups=groups).cut
        np.testing.assert_allclose(kind(budgets).soft_cut(y, x, w, groups), expected, rtol=0, atol=1e-13)


def test_small_budget_cuts_let_each_groups_best_through(rng):
    groups = rng.permutation(np.repeat(np.arange(3), 10))
    x, y = rng.permutation(30) / 8.0, np.arange(30) % 2
    for k, counts in (
        (4, [4, 4, 4]),
        ({0: 0, 1: 10, 2: 3}, [0, 10, 3]),
        (0.2, [2, 2, 2]),
        (None, np.bincount(groups, y)),
    ):
        cut = HypersimplexLoss(k).budget_cut(y, x, None, groups)
        assert cut.shape == (3,)
        np.testing.assert_array_equal(np.bincount(groups, x > cut[groups]), counts)


@pytest.mark.parametrize(
    "call",
    ["loss", "gradient_hessian", "soft_cut", "budget_cut"],
)
@pytest.mark.parametrize(
    "small",
    [None, 0],
)
def test_small_groups_without_weight_disturb_nobody(call, small, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    x, y, w, groups = (
        np.array([2.0, 1, 0.4, 0]),
        np.array([1.0, 0, 0, 1]),
        np.array([1.0, 0, 1, 0]),
        np.array([0, 1, 0, 1]),
    )
    for k in (None, 0.5, {0: 1, 1: None}):
        for kind in LOSSES:
            got = getattr(kind(k), call)(y, x, w, groups)
            alone = getattr(kind(budget_of(k, 0)), call)(y[::2], x[::2], w[::2])
            if call == "gradient_hessian":
                np.testing.assert_allclose([a[::2] for a in got], alone, rtol=1e-13)
                assert not np.any([a[1::2] for a in got])
            elif call == "loss":
                assert got == pytest.approx(alone)
            else:
                assert got[0] == pytest.approx(alone)
                assert np.isfinite(got).all()


X6, Y6, G6 = np.array([2.0, 1, 0, -1, 0.3, 0.4]), np.array([1, 0, 1, 0, 1, 0]), ["a", "a", "b", "b", "b", "c"]


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (3, r"k=3 is more than the total weight 2 of group 'a' \(2 such groups in all\); pass a mapping"),
        ({"a": 2, "b": 4, "c": 1}, r"k=4 is more than the total weight 3 of group 'b' \(1 such groups in all\)"),
        ({"a": 1, "b": 1}, r"k has no budget for group 'c' \(1 such groups in all\); add it to the mapping"),
        ({0: {"a": 1, "b": 1, "c": 1}}, r"k has no budget for group 'a' \(3 such groups in all\)"),
        ({"a": {"a": 1}, "b": 1, "c": 1}, r"k is a mapping of 1 labels, but there is one projection only"),
    ],
)
@each_loss
def test_small_bad_budgets_are_one_clear_error(kind, k, message):
    loss = kind(k)
    for call in (loss.loss, loss.gradient_hessian, loss.soft_cut, loss.budget_cut):
        with pytest.raises(ValueError, match=message):
            call(Y6, X6, None, G6)
    with pytest.raises(ValueError, match=message):
        loss.boosting_step(Y6, X6, None, None, G6)


@pytest.mark.parametrize(
    ("k", "message"),
    [
        ({}, r"k is an empty mapping; give each group or class a budget"),
        ({"a": 1.5}, r"k\['a'\]: k as a float is a share .* got 1.5; for a count pass an int, for example k=1"),
        ({"a": {"b": -1}}, r"k\['a'\]: k\['b'\]: k as a count must be >= 0, got -1"),
        ({"a": "many"}, r"k\['a'\]: k must be None, an int \(a count\) or a float in \(0, 1\).*got 'many'"),
        ([1, 2], r"k must be None, an int \(a count\) or a float in \(0, 1\) \(a share\), got \[1, 2\]"),
    ],
)
@each_loss
def test_small_bad_mappings_are_refused_at_once(kind, k, message):
    with pytest.raises(ValueError, match=message):
        kind(k)


@each_loss
def test_small_a_mapping_is_copied(kind):
    k = {"a": 1, "b": {"c": 2}}
    loss = kind(k)
    k["a"] = 7
    k["b"]["c"] = 8
    assert loss.k == {"a": 1, "b": {"c": 2}}
    assert repr(loss.k) in repr(loss)


@each_loss
def test_small_a_mapping_without_groups_is_an_error(kind):
    with pytest.raises(ValueError, match=r"k is a mapping of 2 labels.*pass groups="):
        kind({"a": 1, "b": 1}).loss(Y6, X6)


# --- bad rows -----------------------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("k", [None, 0, 0.3])
def test_scores_that_are_not_finite_in_a_small_and_in_a_large_group(kind, value, large, k, rng):
    groups = rng.permutation(np.repeat([0, 1], [17_000, 50]))
    x, y = rng.normal(size=groups.size), rng.integers(0, 2, groups.size)
    row = int(np.flatnonzero(groups == (0 if large else 1))[5])
    x[row] = value
    loss, message = kind(k), rf"raw_prediction must be finite, got {value} at row {row} \(1 such rows in all\)"
    for call in (loss.loss, loss.gradient_hessian, loss.soft_cut, loss.budget_cut):
        with pytest.raises(ValueError, match=message):
            call(y, x, None, groups)
    good = loss.boosting_step(y, np.nan_to_num(x, posinf=0, neginf=0), None, None, groups)[2]
    for state in (None, good):
        with pytest.raises(ValueError, match=message):
            loss.boosting_step(y, x, None, state, groups)


@each_loss
@pytest.mark.parametrize("small", [None, 0])
def test_small_labels_and_weights_are_checked(kind, small, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    loss = kind()
    for wrong in (2, 0.5, np.nan, -1, 1e-60):
        y = np.array([1, 0, 1, wrong, 1, 0.0])
        with pytest.raises(ValueError, match=r"y_true must be 0 or 1, got .* at row 3 \(1 such rows in all\)"):
            loss.loss(y, X6, None, G6)
    for wrong in (-1.0, np.nan, np.inf):
        w = np.array([1, 1, 1, 1, wrong, 1.0])
        with pytest.raises(ValueError, match=r"sample_weight must be finite and >= 0, got .* at row 4 \(1 such"):
            loss.loss(Y6, X6, w, G6)
    with pytest.raises(ValueError, match="sample_weight must have a positive sum"):
        loss.loss(Y6, X6, np.zeros(6), G6)
    with pytest.raises(
        ValueError, match=r"y_true must have one entry per row of raw_prediction: expected shape \(6,\)"
    ):
        loss.loss(Y6[:5], X6, None, G6)
    with pytest.raises(
        ValueError, match=r"groups must have one entry per row of raw_prediction: expected shape \(6,\)"
    ):
        loss.loss(Y6, X6, None, G6[:5])


@each_loss
@pytest.mark.parametrize("label", [0, 1])
def test_small_one_class_in_all_groups_is_an_error_in_training(kind, label):
    y = np.full(6, label)
    with pytest.raises(ValueError, match=rf"y_true must hold both classes, 0 and 1, when k is None; got only {label}"):
        kind().boosting_step(y, X6, None, None, G6)
    assert kind().loss(y, X6, None, G6) == 0.0
    assert kind(0.4).boosting_step(y, X6, None, None, G6)[0].shape == (6,)


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
    np.testing.assert_allclose(state.cut, loss.soft_cut(y, x, w, groups), rtol=0, atol=1e-12 * temperature)
    assert state.active_share == pytest.approx((weights * active).sum() / weights.sum())


def check_steps(loss, state, y, x, w, groups, tolerance=1e-6):
    cold, warm = (loss.boosting_step(y, x, w, s, groups) for s in (None, state))
    for a, b in zip(cold[:2], warm[:2], strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(warm[2].cut, cold[2].cut, rtol=0, atol=1e-9 * max(1, np.abs(x).max()))
    return warm[2]


@each_loss
@pytest.mark.parametrize("small", [None, 0, 300])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_warm_start_changes_nothing(kind, small, weighted, rng, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._threshold.SMALL", small)
    groups = rng.permutation(np.repeat(np.arange(5), [1, 200, 400, 7, 2000]))
    n = groups.size
    y, w = rng.integers(0, 2, n), rng.uniform(0.1, 2, n) if weighted else None
    loss, before = kind(0.3), rng.normal(size=n)
    state = loss.boosting_step(y, before, w, None, groups)[2]
    confident = np.where(y == 1, 50.0, -50.0) + rng.normal(size=n) * 0.01
    for x in (before, before + 0.1 * rng.normal(size=n), before + 1e6, before * 1e4, confident, before * 0 + 3.0):
        check_steps(loss, state, y, x, w, groups)
        check_steps(loss, loss.without_arrays(state), y, x, w, groups)


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


def test_the_state_without_arrays_is_small(rng):
    n = 5000
    groups, y, x = rng.integers(0, 3, n), rng.integers(0, 2, n), rng.normal(size=n)
    state = HypersimplexLoss().boosting_step(y, x, None, None, groups)[2]
    slim = state.without_arrays()
    assert slim.segments.order is None
    assert state.segments.order is not None
    np.testing.assert_array_equal(slim.cut, state.cut)


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
import numpy as np, hsboost._threshold
from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss
rng = np.random.default_rng(0)
groups = rng.permutation(np.repeat([0, 1, 2], [1, 9, 40]))
x, y, w = rng.normal(size=(50, 2)), rng.integers(0, 2, 50), rng.uniform(0, 2, 50)
for small in (16_384, 12):
    hsboost._threshold.SMALL = small
    for weight in (None, w):
        for method in ("threshold", "pav"):
            p = project_hypersimplex(x, 0.2, sample_weight=weight, groups=groups, method=method)
            print(*p.values.ravel(), *p.cut.ravel())
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
