"""Sums, derivatives and values of the losses over rows whose entropic projection is known, against the slow truth."""

from __future__ import annotations

import numpy as np
import pytest
import reference_entropic as reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import Problem, problems
from test_entropic import solve

from hsboost._kernels import entropic as kernels
from hsboost._kernels import entropic_segments
from hsboost._kernels._compile import BLOCK
from hsboost._solver.entropic import find_multipliers, multiplier_of
from hsboost._solver.segments import Segments


def totals(kernel, kinds, p: Problem, y, where, *more):
    out = np.empty((kinds, (p.x.size + BLOCK - 1) // BLOCK))
    kernel(p.x.size, p.x, y, p.weight, where.anchor, where.scale, where.nu, *more, out)
    return out.sum(axis=1).tolist()


def squared(p: Problem, y, own=True, least=0.0):
    """Value, gradient and curvature of the squared composition, as a loss puts them together."""
    _, where = solve(p)
    slope, residual, square, distance = totals(kernels.residuals, 4, p, y, where)
    seen = totals(kernels.residuals_and_labels, 7, p, y, where, 1.0)
    np.testing.assert_allclose(seen, [slope, residual, square, p.total, (p.w * y).sum(), 0, 0], rtol=1e-12, atol=1e-300)
    soft = totals(kernels.residuals_and_labels, 7, p, y, where, 0.0)
    v = (p.x - where.anchor) * where.scale - where.nu
    found = (p.w * np.exp(-np.logaddexp(0, v) - np.logaddexp(0, -v)) * y).sum()
    np.testing.assert_allclose(
        [soft[0], -soft[1], *soft[2:]], [slope, found, square, *seen[3:]], rtol=1e-9, atol=1e-300
    )
    mean, one, spread = (residual / slope, 1 / slope, square / slope) if slope > 0 else (0.0, 0.0, 0.0)
    grad, hess = np.empty((2, p.x.size))
    s = 1 / p.temperature
    kernels.gradient(
        p.x.size, p.x, y, p.weight, where.anchor, where.scale, where.nu,
        mean, one if own else 0.0, spread, s, s * s, least, grad, hess,
    )  # fmt: skip
    return 0.5 * distance, grad, hess


def convex(p: Problem, y, own=True, least=0.0):
    """Value, gradient and curvature of the Fenchel-Young loss."""
    _, where = solve(p)
    loss, position = totals(kernels.log_loss, 2, p, y, where)
    unbalanced = p.k - (p.w * y).sum()
    slope = totals(kernels.residuals, 4, p, y, where)[0]
    grad, hess = np.empty((2, p.x.size))
    s = 1 / p.temperature
    kernels.convex_gradient(
        p.x.size, p.x, y, p.weight, where.anchor, where.scale, where.nu,
        unbalanced / p.total, 1 / slope if own and slope > 0 else 0.0, s, s * s, least, grad, hess,
    )  # fmt: skip
    return loss - position / p.total * unbalanced, grad, hess


@st.composite
def labelled(draw):
    p = draw(problems(moderate=True, max_size=12))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=p.x.size, max_size=p.x.size)), dtype=float)
    balanced = draw(st.booleans())
    return p._replace(k=float((p.w * y).sum())) if balanced else p, y


@given(labelled())
def test_small_squared_composition_equals_the_truth(case):
    p, y = case
    value, grad, hess = squared(p, y)
    share = {"k": p.k / p.total, "temperature": p.temperature, "weight": p.weight}
    scale = p.total / p.temperature**2 + p.total
    assert value == pytest.approx(float(reference.loss(y, p.x, **share)), rel=0, abs=1e-12 * scale)
    np.testing.assert_allclose(grad, reference.gradient(y, p.x, **share).astype(float), rtol=0, atol=1e-12 * scale)
    truth = reference.gauss_newton_diagonal(p.x, p.k, p.temperature, p.weight)
    np.testing.assert_allclose(hess, truth.astype(float), rtol=0, atol=1e-12 * scale)
    assert grad.sum() == pytest.approx(0, abs=1e-12 * scale)


@given(labelled())
def test_small_convex_loss_equals_the_truth(case):
    p, y = case
    value, grad, hess = convex(p, y)
    share = {"k": p.k / p.total, "temperature": p.temperature, "weight": p.weight}
    scale = p.total * (1 + 1 / p.temperature**2)
    assert value == pytest.approx(float(reference.fenchel_young(y, p.x, **share)), rel=0, abs=1e-11 * scale)
    truth = reference.fenchel_young_gradient(y, p.x, **share)
    np.testing.assert_allclose(grad, truth.astype(float), rtol=0, atol=1e-12 * scale)
    bend = np.diag(reference.fenchel_young_hessian(p.x, p.k, p.temperature, p.weight))
    np.testing.assert_allclose(hess, bend.astype(float), rtol=0, atol=1e-12 * scale)


def central(f, x, step=1e-5):
    """Columns of central differences of f."""
    return np.stack([(f(x + step * e) - f(x - step * e)) / (2 * step) for e in np.eye(x.size)], axis=-1)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [None, 1.0, 3.7])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_small_derivatives_by_differences(weighted, k, temperature, rng):
    n = 9
    x, y = rng.normal(size=n), (rng.uniform(size=n) < 0.5).astype(float)
    w = rng.uniform(0.2, 2, n) if weighted else None
    p = Problem(x, k if k is not None else float((y if w is None else w * y).sum()), temperature, w)
    at = {"rtol": 0, "atol": 1e-8}

    jacobian = central(lambda x: solve(p._replace(x=x))[0], x) * temperature
    values, _ = solve(p)
    d = values * (1 - values)
    np.testing.assert_allclose(jacobian, np.diag(d) - np.outer(d, p.w * d) / (p.w * d).sum(), **at)

    _, grad, hess = squared(p, y)
    np.testing.assert_allclose(central(lambda x: np.array(squared(p._replace(x=x), y)[0]), x), grad, **at)
    np.testing.assert_allclose(np.diag(jacobian.T @ (p.w[:, None] * jacobian)) / temperature**2, hess, **at)

    _, grad, hess = convex(p, y)
    np.testing.assert_allclose(central(lambda x: np.array(convex(p._replace(x=x), y)[0]), x), grad, **at)
    np.testing.assert_allclose(np.diag(central(lambda x: convex(p._replace(x=x), y)[1], x)), hess, **at)


def test_the_convex_loss_is_logistic_regression_with_a_free_intercept(rng):
    """For k = Σ w y the value is the least log loss over all intercepts."""
    from scipy.optimize import minimize_scalar

    x, y, w = rng.normal(size=200), (rng.uniform(size=200) < 0.3).astype(float), rng.uniform(0, 2, 200)
    value, grad, _ = convex(Problem(x, float((w * y).sum()), 0.7, w), y)

    def log_loss(b):
        margin = (2 * y - 1) * (x / 0.7 - b)
        return (w * np.log1p(np.exp(-margin))).sum()

    found = minimize_scalar(log_loss, bounds=(-10, 10), method="bounded", options={"xatol": 1e-12})
    assert value == pytest.approx(found.fun, rel=1e-12)
    assert grad.sum() == pytest.approx(0, abs=1e-11)


@pytest.mark.parametrize("derivatives", [squared, convex])
def test_integer_weights_are_repeated_rows_in_losses(derivatives, rng):
    x, y, w = rng.normal(size=30), (rng.uniform(size=30) < 0.4).astype(float), rng.integers(0, 4, 30)
    value, grad, hess = derivatives(Problem(x, 7.5, 0.8, w.astype(float)), y, own=False)
    many = Problem(np.repeat(x, w), 7.5, 0.8, None)
    value_of_rows, one_grad, one_hess = derivatives(many, np.repeat(y, w), own=False)
    assert value == pytest.approx(value_of_rows, rel=1e-12)
    for own, each in ((grad, one_grad), (hess, one_hess)):
        added = np.bincount(np.repeat(np.arange(30), w), each, minlength=30)
        np.testing.assert_allclose(own, added, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("derivatives", [squared, convex])
@pytest.mark.parametrize("k", [0.0, 4.0])
def test_small_one_class_has_nothing_to_teach(derivatives, k):
    y = np.full(4, k / 4)
    value, grad, hess = derivatives(Problem(np.array([1.0, 2.0, -3.0, 0.0]), k, 1.0, None), y, least=0.25)
    assert value == 0
    np.testing.assert_array_equal(grad, np.zeros(4))
    np.testing.assert_array_equal(hess, np.full(4, 0.25))


@pytest.mark.parametrize("derivatives", [squared, convex])
def test_small_a_floor_holds_the_curvature(derivatives):
    x, y = np.array([-40.0, -3.0, 0.0, 3.0, 40.0]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    p = Problem(x, 2.0, 0.5, np.array([1.0, 2.0, 1.0, 0.5, 0.0]))
    _, plain, bare = derivatives(p, y, own=False)
    _, grad, hess = derivatives(p, y, own=False, least=0.02)
    np.testing.assert_array_equal(grad, plain)
    np.testing.assert_array_equal(hess, np.maximum(bare, 4 * 0.02 * p.w))


def test_small_the_convex_loss_of_scores_beyond_floats():
    for x, y, expected in (
        ([1e300, -1e300], [1.0, 0.0], 0.0),
        ([1e300, -1e300], [0.0, 1.0], np.inf),
    ):
        p = Problem(np.array(x), 1.0, 1e-20, None)
        loss, _ = totals(kernels.log_loss, 2, p, np.array(y), solve(p)[1])
        assert loss == expected


@pytest.mark.parametrize(
    ("y", "w", "wrong"), [([0, 2, 1], [1, 1, 1], (1, 0)), ([0, np.nan, 0.5], [-1, np.nan, np.inf], (2, 3))]
)
def test_small_wrong_labels_and_weights_are_counted_in_the_same_pass(y, w, wrong):
    where = multiplier_of(np.zeros(3), None, 1.0, 3.0, 1.0)
    p = Problem(np.zeros(3), 1.0, 1.0, np.array(w, float))
    assert tuple(totals(kernels.residuals_and_labels, 7, p, np.array(y, float), where, 1.0)[5:]) == wrong


def test_segments_add_up_what_blocks_add_up(rng):
    sizes = np.array([3, 2 * BLOCK + 5, 1, 50])
    segments = Segments.by_label(np.repeat(np.arange(4), sizes))
    n = int(sizes.sum())
    x, y, w = rng.normal(size=n), (rng.uniform(size=n) < 0.4).astype(float), rng.uniform(0.1, 2, n)
    total = np.add.reduceat(w, segments.offsets[:-1])
    where = find_multipliers(segments, x, w, 0.3 * total, total, 0.5)
    many = (segments.offsets, segments.tasks, where.scale, where.anchor, where.nu)
    residuals, labels, losses = np.empty((4, 4)), np.empty((4, 7)), np.empty((4, 2))
    entropic_segments.segment_residuals(n, x, y, w, *many, residuals)
    entropic_segments.segment_residuals_and_labels(n, x, y, w, *many, 1.0, labels)
    entropic_segments.segment_log_loss(n, x, y, w, *many, losses)
    slope, residual, square, _ = residuals.T
    rows = {"squared": np.empty((2, n)), "convex": np.empty((2, n))}
    ones, zero, s = np.ones(4), np.zeros(4), np.full(4, 2.0)
    entropic_segments.segment_gradient(
        n, x, y, w, *many, residual / slope, 1 / slope, square / slope, s, s * s, zero, *rows["squared"]
    )
    shift = (0.3 * total - np.add.reduceat(w * y, segments.offsets[:-1])) / total
    entropic_segments.segment_convex_gradient(n, x, y, w, *many, shift, ones / slope, s, s * s, zero, *rows["convex"])
    for g in range(4):
        at = segments.slice(g)
        p = Problem(x[at], float(0.3 * total[g]), 0.5, w[at])
        np.testing.assert_allclose(totals(kernels.residuals, 4, p, y[at], where.at(g)), residuals[g], rtol=1e-13)
        np.testing.assert_allclose(
            totals(kernels.residuals_and_labels, 7, p, y[at], where.at(g), 1.0), labels[g], rtol=1e-13
        )  # fmt: skip
        np.testing.assert_allclose(totals(kernels.log_loss, 2, p, y[at], where.at(g)), losses[g], rtol=1e-13)
        for name, derivatives in (("squared", squared), ("convex", convex)):
            _, grad, hess = derivatives(p, y[at])
            np.testing.assert_allclose(rows[name][0, at], grad, rtol=1e-9, atol=1e-13)
            np.testing.assert_allclose(rows[name][1, at], hess, rtol=1e-9, atol=1e-13)
