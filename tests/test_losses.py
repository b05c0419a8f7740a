"""The loss, its gradient and its curvature: against the slow truth, and against each other numerically."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import reference
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import Problem, problems

from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost.losses.hypersimplex import DEFAULT_FLOOR

REDUCTIONS = ["sum", "mean"]


def clear_of_kinks(x, k, temperature, weight, y):
    """No row within rounding of the edges of the active band, where the gradient jumps."""
    cut = reference.project(x, reference.mass_of(k, y, weight), temperature, weight).cut
    v = (np.asarray(x) - cut) / temperature + 0.5
    return bool(np.all((np.abs(v) > 1e-7) & (np.abs(v - 1) > 1e-7)))


@st.composite
def labelled(draw: st.DrawFn, **kwargs):
    p: Problem = draw(problems(moderate=True, **kwargs))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=p.x.size, max_size=p.x.size)), dtype=float)
    k = draw(st.one_of(st.none(), st.floats(0.01, 0.99), st.integers(0, int(p.total))))
    return p, y, k


def generic(rng, n=30, weighted=False, temperature=0.9):
    """Rows on both sides and inside, none near a kink, labels that often disagree."""
    while True:
        x, y = rng.normal(size=n), (rng.random(n) < 0.4).astype(float)
        w = rng.uniform(0.5, 2, n) if weighted else None
        p = project_hypersimplex(x, reference.mass_of(None, y, w), temperature=temperature, sample_weight=w)
        z = x / temperature - p.multiplier
        if min(np.abs(z).min(), np.abs(z - 1).min()) > 1e-3 and 3 < p.active.sum() < n - 2:
            return x, y, w


# --- against the truth --------------------------------------------------------------------------------------------


@given(labelled(), st.sampled_from(REDUCTIONS))
def test_small_loss_gradient_and_curvature_equal_the_truth(case, reduction):
    p, y, k = case
    loss = HypersimplexLoss(k, p.temperature, reduction=reduction)
    assert loss.loss(y, p.x, p.weight) == pytest.approx(
        reference.loss(y, p.x, k, p.temperature, p.weight, reduction), rel=1e-10, abs=1e-10
    )
    assume(clear_of_kinks(p.x, k, p.temperature, p.weight, y))
    factor = 1.0 if reduction == "sum" else 2.0 / p.total
    gradient, hessian = loss.gradient_hessian(y, p.x, p.weight)
    np.testing.assert_array_equal(gradient, loss.gradient(y, p.x, p.weight))
    expected = factor * reference.gradient(y, p.x, k, p.temperature, p.weight)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-9)
    expected = factor * reference.hessian_diagonal(y, p.x, k, p.temperature, p.weight, DEFAULT_FLOOR)
    np.testing.assert_allclose(hessian, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [4096, 16_385, 70_000])
@pytest.mark.parametrize("weighted", [False, True])
def test_large_arrays(n, weighted, rng):
    x, y = rng.normal(size=n), rng.integers(0, 2, n)
    w = np.where(rng.random(n) < 0.1, 0, rng.uniform(0, 2, n)) if weighted else None
    loss = HypersimplexLoss(0.3, 0.7)
    mass = reference.mass_of(0.3, y, w)
    values = reference.project_by_sorting(x, mass, 0.7, w).values
    ones = np.ones(n) if w is None else w
    assert loss.loss(y, x, w) == pytest.approx(0.5 * (ones * (values - y) ** 2).sum(), rel=1e-12)
    active = (values > 0) & (values < 1)
    total = ones[active].sum()
    r = values - y
    expected = np.where(active, ones * (r - (ones * r)[active].sum() / total), 0) / 0.7
    gradient, hessian = loss.gradient_hessian(y, x, w)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-11)
    expected = ones * np.where(active, np.maximum(1 - ones / total, DEFAULT_FLOOR), DEFAULT_FLOOR) / 0.49
    np.testing.assert_allclose(hessian, expected, rtol=1e-11)


# --- derivatives, numerically -------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("temperature", [0.9, 1e-3, 1e3])
def test_small_gradient_is_the_derivative_of_the_loss(weighted, reduction, temperature, rng):
    x, y, w = generic(rng, weighted=weighted)
    loss = HypersimplexLoss(temperature=temperature, reduction=reduction)
    x, h = x / 0.9 * temperature, 1e-5 * temperature
    numeric = [(loss.loss(y, x + h * e, w) - loss.loss(y, x - h * e, w)) / (2 * h) for e in np.eye(x.size)]
    np.testing.assert_allclose(loss.gradient(y, x, w) * temperature, np.array(numeric) * temperature, rtol=0, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_small_exact_hessian_is_the_derivative_of_the_gradient(weighted, reduction, rng):
    x, y, w = generic(rng, weighted=weighted)
    loss, h = HypersimplexLoss(temperature=0.9, reduction=reduction), 1e-5
    shifted = [(loss.gradient(y, x + h * e, w) - loss.gradient(y, x - h * e, w)) / (2 * h) for e in np.eye(x.size)]
    numeric = np.array([s[i] for i, s in enumerate(shifted)])
    hessian = loss.gradient_hessian(y, x, w)[1]
    mass = reference.mass_of(None, y, w)
    active = project_hypersimplex(x, mass, temperature=0.9, sample_weight=w).active
    np.testing.assert_allclose(hessian[active], numeric[active], rtol=0, atol=1e-6)
    np.testing.assert_allclose(numeric[~active], 0, rtol=0, atol=1e-9)
    assert hessian[~active].min() > 0  # the floor


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_small_mean_is_sum_times_two_over_the_weight(weighted, rng):
    x, y, w = generic(rng, weighted=weighted)
    by_sum, by_mean = (HypersimplexLoss(temperature=0.9, reduction=r) for r in REDUCTIONS)
    factor = 2 / (x.size if w is None else w.sum())
    assert by_mean.loss(y, x, w) == pytest.approx(factor * by_sum.loss(y, x, w), rel=1e-13)
    for a, b in zip(by_mean.gradient_hessian(y, x, w), by_sum.gradient_hessian(y, x, w), strict=True):
        np.testing.assert_allclose(a, factor * b, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_small_unit_hessian_is_the_weight(weighted, reduction, rng):
    x, y, w = generic(rng, weighted=weighted)
    exact, unit = (HypersimplexLoss(temperature=0.3, hessian=h, reduction=reduction) for h in ("exact", "unit"))
    gradient, hessian = unit.gradient_hessian(y, x, w)
    np.testing.assert_array_equal(hessian, np.ones(x.size) if w is None else w)
    np.testing.assert_allclose(gradient, exact.gradient(y, x, w), rtol=1e-14)


@pytest.mark.parametrize("floor", [1e-6, 1e-3, 0.5, 1.0])
def test_small_floor(floor, rng):
    x, y, w = generic(rng, weighted=True)
    w[3] = 0.0
    hessian = HypersimplexLoss(temperature=0.9, hessian_floor=floor).gradient_hessian(y, x, w)[1]
    np.testing.assert_allclose(hessian, reference.hessian_diagonal(y, x, None, 0.9, w, floor), rtol=1e-11)
    assert np.all(hessian[w > 0] >= floor * w[w > 0] / 0.81 * (1 - 1e-12))
    assert hessian[3] == 0.0


def test_small_k_is_positives_count_or_share(rng):
    x, y = rng.normal(size=20) * 0.4, (np.arange(20) < 6).astype(float)
    w = rng.integers(1, 4, 20).astype(float)
    cut = {k: HypersimplexLoss(k).soft_threshold(y, x, w) for k in (None, 7, np.int64(7), 0.25)}
    for k, mass in ((None, w[:6].sum()), (7, 7.0), (0.25, 0.25 * w.sum())):
        assert cut[k] == pytest.approx(project_hypersimplex(x, mass, sample_weight=w).soft_threshold, abs=1e-13)
    assert HypersimplexLoss(0).loss(y, x) == 3.0  # no row is called positive: half of six mistakes
    assert HypersimplexLoss(20).loss(y, x) == 7.0
    assert HypersimplexLoss(1).k == 1
    assert isinstance(HypersimplexLoss(np.int64(3)).k, int)


@pytest.mark.parametrize("temperature", [1e-6, 1.0, 1e6, 1e-30, 1e30, 1e-200, 1e200])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_small_temperature_is_a_unit(temperature, reduction, rng):
    """In units of the temperature nothing changes, up to temperatures whose square is not a float."""
    x, y, w = generic(rng, weighted=True)
    one = HypersimplexLoss(reduction=reduction)
    other = HypersimplexLoss(temperature=temperature, reduction=reduction)
    assert other.loss(y, x * temperature, w) == pytest.approx(one.loss(y, x, w), rel=1e-12)
    np.testing.assert_allclose(other.gradient(y, x * temperature, w) * temperature, one.gradient(y, x, w), atol=1e-12)
    if 1e-100 < temperature < 1e100:
        a, b = (f.gradient_hessian(y, s, w)[1] for f, s in ((one, x), (other, x * temperature)))
        np.testing.assert_allclose(b * temperature**2, a, rtol=1e-10)
    assert np.all(np.isfinite(other.boosting_step(y, x * temperature, w, None)[1]))


# --- properties of the formulas ------------------------------------------------------------------------------------


@given(labelled())
def test_small_gradient_sums_to_zero(case):
    p, y, k = case
    gradient = HypersimplexLoss(k, p.temperature).gradient(y, p.x, p.weight)
    assert gradient.sum() == pytest.approx(0, abs=1e-10 * max(1, p.total) / p.temperature)


@given(labelled(weighted=True))
def test_small_integer_weights_are_repeated_rows(case):
    p, y, k = case
    times = np.round(p.weight).astype(int)
    assume(times.sum() > 0)
    k = min(k, int(times.sum())) if isinstance(k, int) else k
    loss, w = HypersimplexLoss(k, p.temperature), times.astype(float)
    repeated = np.repeat(y, times), np.repeat(p.x, times)
    assert loss.loss(y, p.x, w) == pytest.approx(loss.loss(*repeated), rel=1e-10, abs=1e-10)
    assume(clear_of_kinks(p.x, k, p.temperature, w, y))
    gradient = np.repeat(loss.gradient(y, p.x, w) / np.maximum(w, 1), times)
    np.testing.assert_allclose(gradient, loss.gradient(*repeated), rtol=0, atol=1e-9)


@given(labelled(weighted=True), st.floats(-4, 4))
def test_small_rows_without_weight_are_not_there(case, extra):
    p, y, k = case
    loss, kept = HypersimplexLoss(k, p.temperature), p.weight > 0
    x = np.where(kept, p.x, extra)
    assert loss.loss(y, x, p.weight) == pytest.approx(loss.loss(y[kept], x[kept], p.weight[kept]), rel=1e-11, abs=1e-11)
    gradient, hessian = loss.gradient_hessian(y, x, p.weight)
    assert not gradient[~kept].any()
    assert not hessian[~kept].any()
    assume(clear_of_kinks(x[kept], k, p.temperature, p.weight[kept], y[kept]))
    np.testing.assert_allclose(gradient[kept], loss.gradient(y[kept], x[kept], p.weight[kept]), rtol=0, atol=1e-9)


@given(labelled(), st.integers(-40, 40))
def test_small_a_shift_of_all_scores_changes_nothing(case, eighths):
    p, y, k = case
    x = np.round(p.x * 8) / 8
    loss = HypersimplexLoss(k, p.temperature)
    assert loss.loss(y, x + eighths / 8, p.weight) == pytest.approx(loss.loss(y, x, p.weight), rel=1e-10, abs=1e-10)
    assume(clear_of_kinks(x, k, p.temperature, p.weight, y))
    np.testing.assert_allclose(
        loss.gradient(y, x + eighths / 8, p.weight), loss.gradient(y, x, p.weight), rtol=0, atol=1e-9
    )


@pytest.mark.parametrize("k", [None, 0, 1, 5, 13, 30])
def test_small_at_vertices_the_loss_counts_mistakes(k, rng):
    x, y = rng.permutation(30) * 1e6, (rng.random(30) < 0.3).astype(int)
    budget = int(y.sum()) if k is None else k
    hits = y[np.argsort(-x)[:budget]].sum()
    assert 2 * HypersimplexLoss(k).loss(y, x) == budget + y.sum() - 2 * hits
    assert not HypersimplexLoss(k).gradient(y, x).any()


@pytest.mark.parametrize("weighted", [False, True])
def test_small_when_all_rows_are_active_it_is_least_squares_on_centred_scores(weighted, rng):
    x, y = rng.uniform(-0.2, 0.2, 25), np.arange(25) % 2
    w = rng.uniform(0.5, 2, 25) if weighted else np.ones(25)
    mean = np.average(x - y, weights=w)
    expected = 0.5 * (w * (x - y - mean) ** 2).sum()
    assert HypersimplexLoss().loss(y, x, w if weighted else None) == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(HypersimplexLoss().gradient(y, x, w), w * (x - y - mean), rtol=0, atol=1e-14)


def test_small_confidently_wrong_rows_have_no_gradient():
    x, y = np.array([9.0, -9.0, 0.2, 0.0, 9.0]), np.array([0, 1, 1, 0, 1])
    gradient = HypersimplexLoss().gradient(y, x)
    assert gradient[[0, 1, 4]].tolist() == [0, 0, 0]
    assert gradient[2] < 0 < gradient[3]


# --- dtypes and kinds of input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_small_float32_scores(weighted, rng):
    x, y, w = generic(rng, weighted=weighted)
    x = x.astype(np.float32)
    loss = HypersimplexLoss(temperature=0.9)
    assert loss.loss(y, x, w) == pytest.approx(loss.loss(y, x.astype(np.float64), w), rel=1e-14)
    single, double = loss.gradient_hessian(y, x, w), loss.gradient_hessian(y, x.astype(np.float64), w)
    for a, b in zip(single, double, strict=True):
        assert a.dtype == np.float32
        assert b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=2e-7, atol=1e-9)


def test_small_labels_and_weights_of_all_kinds(rng):
    x, y, w = generic(rng, weighted=True)
    w = np.round(w * 4)
    loss = HypersimplexLoss(temperature=0.9)
    truth = loss.gradient(y, x, w)
    frozen = y.copy()
    frozen.flags.writeable = False
    index = pd.Index(range(len(y))[::-1])
    labels = [y.astype(t) for t in (bool, np.int8, np.int64, np.float32, np.uint16, np.float16, ">f8", ">i4")]
    labels += [frozen, y.tolist(), pd.Series(y, index=index), pd.Series(y, dtype="int64"), np.repeat(y, 2)[::2]]
    for same in labels:
        np.testing.assert_array_equal(loss.gradient(same, x, w), truth)
    for same in (w.tolist(), pd.Series(w, index=index), w.astype(int), w.astype(np.float32), np.repeat(w, 2)[::2]):
        np.testing.assert_allclose(loss.gradient(y, x, same), truth, rtol=0, atol=1e-14)
    for same in (x.tolist(), pd.Series(x, index=index), x[:, None]):
        np.testing.assert_array_equal(loss.gradient(y, same, w), truth)


# --- boosting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("temperature", [0.9, 1e-4, 1e4])
def test_small_boosting_step_makes_the_curvature_the_weight(weighted, reduction, temperature, rng):
    x, y, w = generic(rng, weighted=weighted)
    x = x / 0.9 * temperature
    plain = HypersimplexLoss(temperature=temperature)
    loss = HypersimplexLoss(temperature=temperature, reduction=reduction)
    gradient, hessian, state = loss.boosting_step(y, x, w, None)
    assert gradient.dtype == hessian.dtype == np.float32
    exact = plain.gradient(y, x, w)
    np.testing.assert_allclose(gradient, exact * temperature**2, rtol=3e-7, atol=3e-7 * temperature)
    active = np.abs((x - state.soft_threshold) / temperature) < 0.5
    assert active.any()
    assert not active.all()
    weights = np.ones(x.size) if w is None else w
    np.testing.assert_allclose(hessian, weights * np.where(active, 1.0, plain.hessian_floor), rtol=3e-7)
    assert state.soft_threshold == pytest.approx(plain.soft_threshold(y, x, w), abs=1e-12 * temperature)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_small_boosting_step_with_unit_hessian_changes_no_scale(reduction, rng):
    x, y, w = generic(rng, weighted=True)
    loss = HypersimplexLoss(temperature=0.5, hessian="unit", reduction=reduction)
    gradient, hessian, _ = loss.boosting_step(y, x, w, None)
    for got, exact in zip((gradient, hessian), loss.gradient_hessian(y, x, w), strict=True):
        np.testing.assert_allclose(got, exact, rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize("n", [50, 20_000])
def test_a_warm_start_changes_nothing(n, rng):
    loss, y = HypersimplexLoss(0.3), rng.integers(0, 2, n)
    before = rng.normal(size=n)
    state = loss.boosting_step(y, before, None, None)[2]
    confident = np.where(y == 1, 50.0, -50.0) + rng.normal(size=n) * 0.01
    for x in (before, before + 0.1 * rng.normal(size=n), before + 1e6, before * 1e4, confident, before * 0 + 3.0):
        cold, warm = (loss.boosting_step(y, x, None, s) for s in (None, state))
        for a, b in zip(cold[:2], warm[:2], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
        assert warm[2].where.soft_threshold == pytest.approx(
            cold[2].where.soft_threshold, abs=1e-9 * max(1, np.abs(x).max())
        )


def test_rounds_write_into_the_arrays_that_are_given(rng):
    loss, n = HypersimplexLoss(), 1000
    y, x = rng.integers(0, 2, n), rng.normal(size=n)
    gradient, hessian, state = loss.boosting_step(y, x, None, None)
    expected = [part.copy() for part in loss.boosting_step(y, x + y, None, state)[:2]]
    again = loss.boosting_step(y, x + y, None, state, gradient_out=gradient, hessian_out=hessian)
    assert again[0] is gradient
    assert again[1] is hessian
    for ours, theirs in zip(again[:2], expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not np.shares_memory(loss.boosting_step(y, x, None, state)[0], gradient)  # nothing is kept unasked


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("grouped", [False, True])
def test_every_layout_writes_into_given_arrays(classes, grouped, rng):
    n = 300
    shape = n if classes == 1 else (n, classes)
    y, x, groups = rng.integers(0, classes if classes > 1 else 2, n), rng.normal(size=shape), rng.integers(0, 4, n)
    groups = groups if grouped else None
    expected = HypersimplexLoss().boosting_step(y, x, None, None, groups)
    out = HypersimplexLoss().boosting_step(y, 2 * x, None, None, groups)[:2]
    found = HypersimplexLoss().boosting_step(y, x, None, None, groups, *out)
    for ours, theirs, target in zip(found[:2], expected[:2], out, strict=True):
        assert ours is target
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "wrong", [np.empty(7, np.float32), np.empty(8), np.empty((8, 1), np.float32)], ids=["rows", "dtype", "shape"]
)
def test_given_arrays_must_fit(wrong):
    y, x, right = [0, 1] * 4, np.arange(8.0), np.empty(8, np.float32)
    for names in (("gradient_out", "hessian_out"), ("hessian_out", "gradient_out")):
        with pytest.raises(ValueError, match=f"{names[0]} must be a float32 array of the scores' shape .*, got"):
            HypersimplexLoss().boosting_step(y, x, None, None, **dict(zip(names, (wrong, right), strict=True)))
    with pytest.raises(ValueError, match=r"hessian_out .*got None"):
        HypersimplexLoss().boosting_step(y, x, None, None, gradient_out=right)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [40, 20_000])
def test_labels_and_weights_that_changed_since_the_last_round_are_noticed(weighted, n, rng):
    loss = HypersimplexLoss()
    x = rng.normal(size=n).astype(np.float32)
    y, w = (rng.random(n) < 0.3).astype(np.float32), rng.random(n).astype(np.float32) if weighted else None
    state = loss.boosting_step(y, x, w, None)[2]
    same = loss.boosting_step(y, x, w, state)[2]
    assert same.where.nu == pytest.approx(state.where.nu, abs=1e-6)
    for y_new, w_new in ((1 - y, w), (y, None if w is None else w[::-1].copy()), (y, np.ones(n, np.float32))):
        cold, warm = (loss.boosting_step(y_new, x, w_new, s) for s in (None, state))
        np.testing.assert_allclose(warm[0], cold[0], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(warm[1], cold[1], rtol=1e-5)
    wrong = y.copy()
    wrong[np.flatnonzero(y)[:2]] = 2, 0  # the same sum, but not labels
    with pytest.raises(ValueError, match="y_true must be 0 or 1"):
        loss.boosting_step(wrong, x, w, state)
    if w is not None:
        negative = w.copy()
        negative[0] = -1.0
        with pytest.raises(ValueError, match="sample_weight must be finite and >= 0"):
            loss.boosting_step(y, x, negative, state)
