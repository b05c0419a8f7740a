"""Losses with one budget per group: the sum over groups of the loss without groups, and what that implies."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from _groups import BUDGETS, LOSSES, budget_of, cases, each_loss, generic, part, rows_of
from hypothesis import assume, given
from hypothesis import strategies as st

from hsboost import HypersimplexLoss

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
        truth = reference.project(x[rows], mass, temperature, weight)
        values[rows] = truth.values
        counted = np.ones(len(rows), bool) if weight is None else weight > 0
        ones, zeros = (x[rows][counted & chosen] for chosen in (truth.values > 0.5, truth.values <= 0.5))
        if truth.flat and ones.size and zeros.size:
            # One temperature apart both lie on an edge of [0, 1], where the loss has a kink and rounding takes a side.
            assume(ones.min() - zeros.max() > temperature * (1 + 1e-7))
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
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
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


# --- properties of the formulas ------------------------------------------------------------------------------------


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
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
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
