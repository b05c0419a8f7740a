"""Gradients and curvatures of losses that are sums over rows, put to the same questions."""

from __future__ import annotations

import numpy as np
import pytest
from _row_losses import BOUND, CASES, CONVEX, EXACT, cases, problem, steps


@pytest.mark.parametrize(("name", "width"), cases())
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_the_derivative_of_the_loss(name, width, weighted, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng, 12)
    w = w if weighted else None
    gradient = loss.gradient(y, x, w)
    assert gradient.shape == x.shape
    for index, d in steps(x, 1e-5):
        numeric = (loss.loss(y, x + d, w) - loss.loss(y, x - d, w)) / 2e-5
        assert gradient[index] == pytest.approx(numeric, abs=2e-8 * (1 + abs(numeric)))


@pytest.mark.parametrize(("name", "width"), cases())
def test_curvature_is_the_derivative_of_the_gradient_or_above_it(name, width, rng):
    loss, *kinds = CASES[name]
    kind = kinds[width > 1]
    x, y, w = problem(width, rng, 30)
    hessian = loss.gradient_hessian(y, x, w)[1]
    assert hessian.shape == x.shape
    assert (hessian > 0).all()
    for index, d in steps(x, 1e-6):
        numeric = (loss.gradient(y, x + d, w)[index] - loss.gradient(y, x - d, w)[index]) / 2e-6
        if kind == EXACT and not (name == "exact" and numeric < hessian[index]):
            assert hessian[index] == pytest.approx(numeric, abs=1e-7)
        assert hessian[index] > numeric - 1e-7


@pytest.mark.parametrize(("name", "width"), cases(kind=BOUND))
def test_bounds_bound_the_whole_hessian_of_a_row(name, width, rng):
    loss = CASES[name][0]
    x, y, _ = problem(width, rng, 40)
    hessian = loss.gradient_hessian(y, x)[1].reshape(len(y), -1)
    full = np.empty((len(y), width, width))
    for c in range(width):
        d = np.zeros((len(y), width))
        d[:, c] = 1e-6
        up, down = (loss.gradient(y, x + s * d.reshape(x.shape)).reshape(len(y), -1) for s in (1, -1))
        full[:, :, c] = (up - down) / 2e-6
    above = np.array([np.diag(row) for row in hessian]) - full
    assert np.linalg.eigvalsh((above + above.transpose(0, 2, 1)) / 2).min() > -1e-6


@pytest.mark.parametrize(
    ("name", "width"),
    cases(["sparsemax", "entmax15", "entmax", "softmax, constant", "squared", "squared-hinge, bound"]),
)
def test_global_bounds_are_parabolas_above_the_loss(name, width, rng):
    """Not only at the point: the model that a Newton step minimises is nowhere below the loss."""
    loss = CASES[name][0]
    for size in (0.3, 1.0, 5.0):
        x, y, _ = problem(width, rng, 60, size)
        for row, label in zip(np.atleast_2d(x.T).T, y, strict=True):
            start = row.reshape(1, -1) if width > 1 else row
            value, (gradient, hessian) = loss.loss([label], start), loss.gradient_hessian([label], start)
            d = rng.normal(size=start.shape) * size * rng.choice([0.1, 1.0, 5.0])
            model = value + (gradient * d).sum() + 0.5 * (hessian * d * d).sum()
            assert loss.loss([label], start + d) <= model + 1e-10 * (1 + abs(model))


@pytest.mark.parametrize(("name", "width"), cases(CONVEX))
def test_convex_losses_lie_above_their_tangents(name, width, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    for size in (0.1, 1.0, 10.0):
        d = size * rng.normal(size=x.shape)
        tangent = loss.loss(y, x, w) + (loss.gradient(y, x, w) * d).sum()
        assert loss.loss(y, x + d, w) >= tangent - 1e-9 * abs(tangent)
