"""The convex sibling: its formula, its convexity, its curvature, and that it forgets no row."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems

from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss


@st.composite
def labelled(draw: st.DrawFn):
    p = draw(problems(moderate=True))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=p.x.size, max_size=p.x.size)), dtype=float)
    return p, y, draw(st.one_of(st.none(), st.floats(0.01, 0.99), st.integers(0, int(p.total))))


def make(rng, n=30, weighted=False):
    return rng.normal(size=n) * 1.5, (rng.random(n) < 0.4).astype(float), rng.uniform(0.5, 2, n) if weighted else None


@given(labelled())
def test_small_loss_and_gradient_equal_the_slow_truth(case):
    p, y, k = case
    loss = HypersimplexFYLoss(k, p.temperature)
    expected = reference.fenchel_young(y, p.x, k, p.temperature, p.weight)
    assert loss.loss(y, p.x, p.weight) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    expected = reference.fenchel_young_gradient(y, p.x, k, p.temperature, p.weight)
    np.testing.assert_allclose(loss.gradient(y, p.x, p.weight), expected, rtol=0, atol=1e-9)  # continuous: no kinks


@pytest.mark.parametrize("k", [None, 0, 3, 12, 0.5, 30])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [0.9, 1e-3, 1e3])
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_small_gradient_is_the_derivative_in_every_row(k, weighted, temperature, passes, rng, request):
    if passes:
        request.getfixturevalue("passes_only")
    x, y, w = make(rng, weighted=weighted)
    x, h, loss = x * temperature, 1e-6 * temperature, HypersimplexFYLoss(k, temperature)
    numeric = np.array([(loss.loss(y, x + h * e, w) - loss.loss(y, x - h * e, w)) / (2 * h) for e in np.eye(x.size)])
    np.testing.assert_allclose(loss.gradient(y, x, w) * temperature, numeric * temperature, rtol=0, atol=2e-6)


@given(labelled(), st.data(), st.floats(0, 1))
def test_small_it_is_convex(case, data, share):
    p, y, k = case
    loss = HypersimplexFYLoss(k, p.temperature)
    other = np.array(data.draw(st.lists(st.floats(-20, 20), min_size=p.x.size, max_size=p.x.size)))
    between = loss.loss(y, share * p.x + (1 - share) * other, p.weight)
    ends = share * loss.loss(y, p.x, p.weight) + (1 - share) * loss.loss(y, other, p.weight)
    assert between <= ends + 1e-9 * (1 + abs(ends))
    slope = loss.gradient(y, p.x, p.weight) - loss.gradient(y, other, p.weight)
    assert slope @ (p.x - other) >= -1e-9 * (1 + abs(ends))


@given(labelled(), st.integers(-400, 400))
def test_small_a_shift_of_all_scores_changes_nothing(case, eighths):
    p, y, k = case
    x, loss = np.round(p.x * 8) / 8, HypersimplexFYLoss(k, p.temperature)
    a, b = (loss.loss(y, s, p.weight) for s in (x, x + eighths / 8))
    assert a == pytest.approx(b, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(*(loss.gradient(y, s, p.weight) for s in (x, x + eighths / 8)), rtol=0, atol=1e-9)


@given(labelled())
def test_small_it_is_never_negative_at_the_positives_own_budget(case):
    p, y, _ = case
    assert HypersimplexFYLoss(None, p.temperature).loss(y, p.x, p.weight) >= -1e-11 * p.total
    gradient = HypersimplexFYLoss(None, p.temperature).gradient(y, p.x, p.weight)
    assert gradient.sum() == pytest.approx(0, abs=1e-10 * max(1, p.total) / p.temperature)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [1e-3, 1.0, 50.0])
def test_small_zero_exactly_where_classes_are_apart_by_the_temperature(weighted, temperature, rng):
    _, y, w = make(rng, weighted=weighted)
    x = (y * 1.25 + rng.integers(0, 2, y.size) * (2 * y - 1) + 3) * temperature
    loss = HypersimplexFYLoss(temperature=temperature)
    assert loss.loss(y, x, w) == pytest.approx(0, abs=1e-13)
    np.testing.assert_allclose(loss.gradient(y, x, w), 0, atol=1e-12 / temperature)
    nearer = x - y * 0.5 * temperature
    assert loss.loss(y, nearer, w) > 1e-3
    assert loss.gradient(y, nearer, w).any()


def test_small_no_row_is_dead_however_wrong_it_is():
    x, y = np.array([90.0, -90.0, 0.2, 0.0, 9.0]), np.array([0, 1, 1, 0, 1])
    gradient = HypersimplexFYLoss().gradient(y, x)
    assert gradient[0] == 1
    assert gradient[1] == -1
    assert gradient[4] == 0  # confidently right
    assert not HypersimplexLoss().gradient(y, x)[:2].any()


@pytest.mark.parametrize("k", [None, 8, 0.6])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("hessian", ["exact", "unit"])
def test_small_the_curvature_bounds_the_hessian(k, weighted, hessian, rng):
    x, y, w = make(rng, 12, weighted)
    weights, h, temperature = np.ones(12) if w is None else w, 1e-6, 0.8 if hessian == "exact" else 1.0
    loss = HypersimplexFYLoss(k, temperature, hessian)
    curvature = loss.gradient_hessian(y, x, w)[1]
    np.testing.assert_allclose(curvature, weights / temperature**2, rtol=1e-12)
    full = np.array([(loss.gradient(y, x + h * e, w) - loss.gradient(y, x - h * e, w)) / (2 * h) for e in np.eye(12)])
    assert np.abs(full - full.T).max() < 1e-6
    eigenvalues = np.linalg.eigvalsh(np.diag(curvature) - (full + full.T) / 2)
    assert eigenvalues.min() > -1e-6
    assert np.linalg.eigvalsh((full + full.T) / 2).min() > -1e-6
    # A Newton step with it never goes up.
    step = loss.gradient(y, x, w) / curvature
    assert loss.loss(y, x - step, w) <= loss.loss(y, x, w) + 1e-12


@pytest.mark.parametrize("floor", [1e-3, 0.3, 1.0])
def test_small_exact_curvature_and_its_floor(floor, rng):
    x, y, w = make(rng, weighted=True)
    hessian = HypersimplexFYLoss(temperature=0.9, hessian_floor=floor).gradient_hessian(y, x, w)[1]
    np.testing.assert_allclose(hessian, reference.hessian_diagonal(y, x, None, 0.9, w, floor), rtol=1e-11)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [1e-4, 0.7, 1e4])
def test_small_boosters_get_diag_w(weighted, temperature, rng):
    x, y, w = make(rng, weighted=weighted)
    loss = HypersimplexFYLoss(temperature=temperature)
    gradient, hessian, state = loss.boosting_step(y, x * temperature, w, None)
    assert gradient.dtype == hessian.dtype == np.float32
    np.testing.assert_allclose(hessian, np.ones(30) if w is None else w, rtol=3e-7)
    expected = loss.gradient(y, x * temperature, w) * temperature**2
    np.testing.assert_allclose(gradient, expected, rtol=3e-7, atol=3e-7 * temperature)
    mass = reference.mass_of(None, y, w)
    cut = project_hypersimplex(x * temperature, mass, temperature=temperature, sample_weight=w).soft_threshold
    assert state.soft_threshold == pytest.approx(cut, abs=1e-12 * temperature)


def test_small_descent_reaches_zero_on_separable_rows(rng):
    y = (np.arange(40) < 13).astype(float)
    x, loss = rng.normal(size=40) * 5, HypersimplexFYLoss()
    for _ in range(200):
        gradient, hessian = loss.gradient_hessian(y, x)
        x = x - gradient / hessian
    assert loss.loss(y, x) < 1e-9
    assert x[:13].min() > x[13:].max()


@pytest.mark.parametrize("k", [None, 7, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_large_arrays(k, weighted, rng):
    n = 30_000
    x, y, w = make(rng, n, weighted)
    loss = HypersimplexFYLoss(k, 0.7)
    values = reference.project_by_sorting(x, reference.mass_of(k, y, w), 0.7, w).values
    ones = np.ones(n) if w is None else w
    z = (x - np.average(x, weights=ones)) / 0.7
    expected = (ones * (z * (values - y) + (y**2 - values**2) / 2)).sum()
    assert loss.loss(y, x, w) == pytest.approx(expected, rel=1e-10)
    centre = (reference.mass_of(k, y, w) - (ones * y).sum()) / ones.sum()
    np.testing.assert_allclose(loss.gradient(y, x, w), ones / 0.7 * (values - y - centre), rtol=0, atol=1e-10)


def test_small_repr_and_parameters():
    loss = HypersimplexFYLoss(0.3, 2.0, "unit", 0.5)
    assert repr(loss) == "HypersimplexFYLoss(k=0.3, temperature=2.0, hessian='unit', hessian_floor=0.5)"
    assert loss.__dict__ == eval(repr(loss)).__dict__
    with pytest.raises(TypeError, match="reduction"):
        HypersimplexFYLoss(reduction="mean")


@pytest.mark.parametrize("k", [None, pytest.param(1)])
@pytest.mark.parametrize("groups", [None, [0, 0]])
def test_small_a_loss_beyond_floats_is_infinite_not_nan(k, groups):
    loss = HypersimplexFYLoss(k, temperature=1e-300)
    wrong = [0, 1] if k is None else [0, 0]
    assert loss.loss(wrong, [1e30, -1e30], None, groups) == np.inf
