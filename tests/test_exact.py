"""EXACT: against quadrature with mpmath and with a fine grid, against Genz, and against its own derivatives."""

from __future__ import annotations

import pickle

import genz
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, ndtr

from hsboost._kernels import exact as kernels
from hsboost._kernels.normal import log_cdf, table
from hsboost.losses import ExactLoss


def fine(a):
    """log P for offsets a, on a grid far finer and wider than needed, around the largest value of the integrand."""
    t = np.linspace(-60.0, 60.0, 1601)
    for width in (2.0, 10.0):
        log_g = -0.5 * t**2 + log_ndtr(t[:, None] + a).sum(axis=1)
        t = t[np.argmax(log_g)] + np.linspace(-width, width, 1601)
    log_g = -0.5 * t**2 + log_ndtr(t[:, None] + a).sum(axis=1)
    return log_g.max() + np.log(np.exp(log_g - log_g.max()).sum() * (2 * width / 1600)) - 0.5 * np.log(2 * np.pi)


def score_rows(classes, rng):
    """Scores of many shapes; class 0 is the true one: ties, spread, ahead, behind, one rival, half of them."""
    m = classes - 1
    others = [
        np.zeros(m), np.full(m, -3.0), np.full(m, -6.0), np.full(m, 2.0), np.full(m, 12.0),
        rng.normal(size=m), 5 * rng.normal(size=m), 5 * rng.normal(size=m) + 5,
        np.r_[6.0, np.full(m - 1, -3.0)], np.r_[15.0, np.full(m - 1, 8.0)],
        np.where(np.arange(m) < m // 2, 5.0, -2.0),
    ]  # fmt: skip
    return np.column_stack([np.zeros(len(others)), np.array(others)])


# --- the value ----------------------------------------------------------------------------------------------------


def test_small_log_cdf_and_its_derivatives():
    x = np.concatenate([np.linspace(-60, 40, 4001), -np.logspace(1, 30, 30)])
    value, slope, rest = np.array([log_cdf(v, table()) for v in x]).T
    np.testing.assert_allclose(value, log_ndtr(x), rtol=4e-15, atol=1e-15)
    inner = np.abs(x) < 40
    h = 1e-5
    numeric = (log_ndtr(x[inner] + h) - log_ndtr(x[inner] - h)) / (2 * h)
    np.testing.assert_allclose(slope[inner], numeric, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(rest[inner], x[inner] + slope[inner], rtol=0, atol=1e-12)
    kappa = slope * rest
    assert np.all((kappa >= 0) & (kappa <= 1 + 4e-16))
    np.testing.assert_allclose(kappa[x < -1e4], 1, atol=1e-7)


@pytest.mark.parametrize("classes", [3, 4, 10, 100, 1000])
def test_probability_equals_fine_quadrature(classes, rng):
    x = score_rows(classes, rng)
    expected = np.array([fine(row[0] - row[1:]) for row in x])
    for sigma in (1.0, 0.25):
        found = [ExactLoss(sigma, log=True).loss([0], row[None] * sigma) for row in x]
        np.testing.assert_allclose(found, -expected, rtol=3e-14, atol=3e-14)
        found = [ExactLoss(sigma).loss([0], row[None] * sigma) for row in x]
        np.testing.assert_allclose(found, -np.expm1(expected), rtol=0, atol=3e-14)


@pytest.mark.parametrize("offsets", [[0.3, -1.2], [4.0, -7.0, 0.5], [-3.0] * 5, [-20.0, 1.0, 2.0], [2.5] * 20])
def test_probability_equals_mpmath(offsets):
    mpmath = pytest.importorskip("mpmath", reason="mpmath is not installed")
    found = ExactLoss(log=True).loss([0], [[0.0, *(-v for v in offsets)]])
    with mpmath.workdps(25):
        a, scale = [mpmath.mpf(v) for v in offsets], mpmath.exp(found)
        grid = [-12, *range(-9, 25, 3)]
        one = mpmath.quad(lambda t: scale * mpmath.npdf(t) * mpmath.fprod(mpmath.ncdf(t + v) for v in a), grid)
    assert float(one) == pytest.approx(1, abs=1e-13)


@pytest.mark.parametrize("sigma", [1.0, 0.1, 7.0])
def test_two_classes_are_a_normal_distribution(sigma):
    s = np.linspace(-30, 30, 601)[:, None]
    y = np.arange(601) % 2
    lead = np.where(y == 1, s[:, 0], -s[:, 0]) / (sigma * np.sqrt(2))
    for x in (s, s[:, 0], np.hstack([np.ones_like(s), 1 + s])):
        by_row = [ExactLoss(sigma).loss([c], row[None]) for c, row in zip(y, np.atleast_2d(x.T).T, strict=True)]
        np.testing.assert_allclose(by_row, ndtr(-lead), rtol=1e-12, atol=1e-15)
        assert ExactLoss(sigma, log=True).loss(y, x) == pytest.approx(-log_ndtr(lead).sum(), rel=1e-12)


def test_three_points_on_a_line_have_the_papers_optimum():
    """f(x) = x - b on -0.25, 0, 0.25 with labels -, -, +: the middle of the gap, once σ is small beside it."""
    x, y = np.array([-0.25, 0.0, 0.25]), np.array([0, 0, 1])
    for log in (False, True):
        best = minimize_scalar(lambda b, log=log: ExactLoss(0.02, log=log).loss(y, x - b), (0.05, 0.15), tol=1e-10).x
        assert best == pytest.approx(0.125, abs=1e-6)


@pytest.mark.parametrize("classes", [3, 6, 16])
def test_genz_agrees_within_its_error(classes, rng):
    for seed in range(5):
        a = rng.normal(size=classes - 1) + 0.5
        mean, error = genz.probability(a, 20_000, seed)
        exact = 1 - ExactLoss().loss([0], np.r_[0.0, -a][None])
        assert abs(exact - mean) < 4 * error
        assert error < 0.01


def test_sampling_the_classifier_agrees(rng):
    means, n = np.array([0.5, 0.0, 0.9, -1.0]), 200_000
    wins = np.bincount((means + 0.7 * rng.normal(size=(n, 4))).argmax(axis=1), minlength=4) / n
    p = ExactLoss(0.7).probabilities(means[None])[0]
    assert np.abs(wins - p).max() < 4 * np.sqrt(0.25 / n)
    each = [1 - ExactLoss(0.7).loss([c], means[None]) for c in range(4)]
    np.testing.assert_allclose(p, each, rtol=0, atol=3e-14)


@pytest.mark.parametrize("classes", [2, 3, 50, 1000])
def test_probabilities_are_those_of_the_loss(classes, rng):
    x = rng.normal(size=(4, classes)) * [[0.1], [1.0], [4.0], [1e30]]
    p = ExactLoss(1.5).probabilities(x)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-13)
    for row, found in zip(x[:3], p, strict=False):
        some = np.unique(np.r_[0, 1, row.argmax(), row.argmin()])
        each = [1 - ExactLoss(1.5).loss([c], row[None]) for c in some]
        np.testing.assert_allclose(found[some], each, rtol=0, atol=5e-14)
    assert p[3, x[3].argmax()] == 1


# --- the quadrature -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [3, 10, 100, 1000])
def test_halving_the_step_changes_nothing(classes, rng):
    """The step is chosen by a bound; here the error, for every shape of row, by a twice as fine rule."""
    for row in score_rows(classes, rng):
        a = row[0] - row[1:]
        work = np.empty((3, a.size))
        mode = kernels.find_mode(a, table(), work[0], work[1])
        top, bend, _ = kernels.integrand(mode, a, table(), work[0], work[1])
        h = kernels.step_size(mode, top, bend, a, table(), work[0], work[1])
        sums = []
        for step, start in ((h, mode), (h, mode + h / 2)):
            t = start + step * np.arange(-4000, 4001)
            t = t[np.abs(t - mode) < 9]
            sums.append(sum(np.exp(kernels.integrand(v, a, table(), work[0], work[1])[0] - top) for v in t))
        # The twice as fine rule is their mean.
        assert sums[0] == pytest.approx(sums[1], rel=3e-14)


def test_nodes_grow_slowly_with_the_classes(rng):
    nodes = {
        classes: kernels.count_nodes(rng.normal(size=(20, classes)), rng.integers(0, classes, 20), 1.0, table())
        for classes in (3, 10, 100, 1000)
    }
    assert 15 < nodes[3] < 50
    assert nodes[1000] < 4 * nodes[3]


# --- derivatives --------------------------------------------------------------------------------------------------


def numeric_gradient(loss, y, x, h=1e-5):
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[index] = h
        found[index] = (loss.loss(y, x + d) - loss.loss(y, x - d)) / (2 * h)
    return found


def hessians(loss, y, x, h=1e-5):
    """Full Hessian of each row, (n, m, m), from the gradient."""
    flat = x.reshape(len(x), -1)
    found = np.empty((*flat.shape, flat.shape[1]))
    for c in range(flat.shape[1]):
        d = np.zeros_like(flat)
        d[:, c] = h
        up, down = (loss.gradient(y, (flat + s * d).reshape(x.shape)).reshape(flat.shape) for s in (1, -1))
        found[:, :, c] = (up - down) / (2 * h)
    return found


@pytest.mark.parametrize("sigma", [0.5, "learned"])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("margin", [None, 0.8])
@pytest.mark.parametrize("classes", [2, 3, 7])
def test_gradient_in_means_and_log_sigma(sigma, log, margin, classes, rng):
    loss = ExactLoss(sigma, log=log, margin=margin)
    outputs = loss.n_outputs(classes)
    x = rng.normal(size=(12, outputs)) if outputs > 1 else rng.normal(size=12)
    y = rng.integers(0, classes, 12)
    np.testing.assert_allclose(loss.gradient(y, x), numeric_gradient(loss, y, x), rtol=0, atol=2e-8)


def test_the_gradient_in_log_sigma_is_that_of_sigma(rng):
    """d/d log σ of the fixed-σ loss, for every class count."""
    for classes in (2, 5, 40):
        x, y = rng.normal(size=(6, classes)), rng.integers(0, classes, 6)
        with_sigma = np.column_stack([x, np.full(6, np.log(0.7))])
        found = ExactLoss("learned", log=True).gradient(y, with_sigma)
        up, down = (ExactLoss(0.7 * np.exp(h), log=True).loss(y, x) for h in (1e-5, -1e-5))
        assert found[:, -1].sum() == pytest.approx((up - down) / 2e-5, abs=1e-8)
        np.testing.assert_allclose(found[:, :-1], ExactLoss(0.7, log=True).gradient(y, x), rtol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 8, 30])
@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_exact_curvature_is_the_diagonal_and_the_bound_bounds(classes, sigma, rng):
    exact, bound = (ExactLoss(sigma, log=True, curvature=c, hessian_floor=1e-12) for c in ("exact", "bound"))
    x = sigma * 2 * rng.normal(size=(10, classes))
    y = rng.integers(0, classes, 10)
    full = hessians(exact, y, x, 1e-5 * sigma)
    np.testing.assert_allclose(
        exact.gradient_hessian(y, x)[1], np.diagonal(full, axis1=1, axis2=2), rtol=1e-6, atol=1e-6 / sigma**2
    )
    assert np.linalg.eigvalsh(full).min() > -1e-6 / sigma**2  # convex
    above = np.array([np.diag(row) for row in bound.gradient_hessian(y, x)[1]]) - full
    assert np.linalg.eigvalsh(above).min() > -1e-6 / sigma**2


@pytest.mark.parametrize("classes", [3, 8])
@pytest.mark.parametrize("margin", [None, 0.7])
def test_expected_accuracy_is_bounded_by_its_curvature(classes, margin, rng):
    """1 - P and its parabola at steps of all sizes: the Newton model is never below, near the point."""
    loss = ExactLoss(log=False, hessian_floor=1e-12, margin=margin)
    x, y = 2 * rng.normal(size=(30, classes)), rng.integers(0, classes, 30)
    full = hessians(loss, y, x)
    above = np.array([np.diag(row) for row in loss.gradient_hessian(y, x)[1]]) - full
    assert np.linalg.eigvalsh(above).min() > -1e-6


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("classes", [2, 4])
def test_learned_sigma_has_positive_curvature_above_its_second_derivative(log, classes, rng):
    loss = ExactLoss("learned", log=log, hessian_floor=1e-12)
    x, y = rng.normal(size=(40, loss.n_outputs(classes))), rng.integers(0, classes, 40)
    hessian = loss.gradient_hessian(y, x)[1]
    full = np.diagonal(hessians(loss, y, x), axis1=1, axis2=2)
    assert np.all(hessian > 0)
    assert np.all(hessian >= full - 1e-7)


def test_margin_stops_the_pull_of_beaten_classes():
    loss = ExactLoss(margin=1.0, log=True)
    x = np.array([[3.0, 1.5, 2.5]])
    gradient = loss.gradient([0], x)[0]
    assert gradient[1] == 0
    assert gradient[0] == -gradient[2] < 0
    clipped = ExactLoss(log=True).loss([0], [[3.0, 2.0, 2.5]])
    assert loss.loss([0], x) == pytest.approx(clipped, rel=1e-14)
    assert not loss.gradient([1], [5.0]).any()


def test_learned_sigma_stops_at_its_bounds():
    loss = ExactLoss("learned", sigma_bounds=(0.5, 2.0))
    at = [loss.loss([1], [[1.0, v]]) for v in (np.log(2.0), 5.0, 1e30)]
    assert at[0] == pytest.approx(at[1], rel=1e-14)
    assert at[1] == at[2] == pytest.approx(ExactLoss(2.0).loss([1], [1.0]), rel=1e-12)
    right_and_wide, wrong_and_wide = (loss.gradient([c], [[1.0, 5.0]])[0, 1] for c in (1, 0))
    assert right_and_wide > 0  # leads back
    assert wrong_and_wide == 0
    assert loss.gradient([1], [[1.0, -5.0]])[0, 1] == 0


# --- far away -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("size", [1e3, 9e3, 3e4, 1e12, 1e30])
def test_far_scores(log, size, rng):
    x = np.array([[0.0, 1, 1, 1], [1, 0, 0, 0], [0, 1, 2, 3], [2, 2, 2, 2], [0, 1, 1, -1]]) * size
    loss = ExactLoss(log=log)
    gradient, hessian = loss.gradient_hessian(np.zeros(5), x)
    assert np.isfinite(loss.loss(np.zeros(5), x))
    assert np.isfinite(gradient).all()
    assert (hessian > 0).all()
    if log:
        # Far behind, -log P is half the squared distance to where the true class leads: a mean of those ahead.
        distance = [3 / 4 * size**2, 0, None, 0, 2 / 3 * size**2]
        for row, expected in zip(x, distance, strict=True):
            if expected is not None and expected > 0:
                assert loss.loss([0], row[None]) == pytest.approx(expected / 2, rel=40 / size + 1e-12)
        assert gradient[0, 0] == pytest.approx(-3 / 4 * size, rel=1e-2 + 10 / size)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-9 * max(np.abs(gradient).max(), 1))


def test_near_and_far_rules_agree():
    """Where the quadrature hands over to Laplace's method both give the same loss, gradient and curvature."""
    loss = ExactLoss(log=True, curvature="exact")
    x = np.array([[0.0, 1.0, 1.7, -3.0]])
    near, far = (loss.gradient_hessian([0], x * s) for s in (0.8 * kernels.FAR, 3 * kernels.FAR))
    np.testing.assert_allclose(near[0] / 0.8, far[0] / 3, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(near[1], far[1], rtol=1e-6, atol=1e-9)


# --- schedules and steps ------------------------------------------------------------------------------------------


def test_schedule_moves_sigma_by_round_and_starts_anew_on_equal_scores(rng):
    loss = ExactLoss((2.0, 0.5, 5), log=True)
    y = rng.integers(0, 3, 40)
    even, x = np.zeros((40, 3)), rng.normal(size=(40, 3))
    *first, state = loss.boosting_step(y, even, None, None)
    sigmas = [2.0, 2 / np.sqrt(2), 1.0, 1 / np.sqrt(2), 0.5, 0.5, 0.5]
    for sigma in sigmas[1:]:
        gradient, hessian, state = loss.boosting_step(y, x, None, state)
        expected = ExactLoss(sigma, log=True).gradient_hessian(y, x)
        np.testing.assert_allclose(gradient, sigma**2 * expected[0], rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(hessian, sigma**2 * expected[1], rtol=1e-6)
    *again, _ = loss.boosting_step(y, even, None, state)
    np.testing.assert_array_equal(again[0], first[0])
    assert loss.loss(y, x) == ExactLoss(0.5, log=True).loss(y, x)
    assert pickle.loads(pickle.dumps(loss)).sigma == loss.sigma


@pytest.mark.parametrize("sigma", [1e-3, 0.2, 50.0])
@pytest.mark.parametrize("margin", [None, 1.0])
def test_sigma_is_the_unit_of_the_scores(sigma, margin, rng):
    x, y = rng.normal(size=(20, 4)), rng.integers(0, 4, 20)
    one = ExactLoss(1.0, margin=margin).boosting_step(y, x, None, None)
    other = ExactLoss(sigma, margin=None if margin is None else margin * sigma).boosting_step(y, x * sigma, None, None)
    np.testing.assert_allclose(other[0] / sigma, one[0], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(other[1], one[1], rtol=1e-4)


def test_outputs_and_class_scores(rng):
    assert [ExactLoss().n_outputs(c) for c in (2, 5)] == [1, 5]
    assert [ExactLoss("learned").n_outputs(c) for c in (2, 5)] == [2, 6]
    x = rng.normal(size=(4, 6))
    assert ExactLoss().class_scores(x).shape == (4, 6)
    np.testing.assert_array_equal(ExactLoss("learned").class_scores(x), x[:, :5])
    np.testing.assert_array_equal(ExactLoss("learned").class_scores(x[:, :2]), x[:, 0])
    x[:, -1] = np.log(0.7)
    np.testing.assert_allclose(
        ExactLoss("learned").probabilities(x), ExactLoss(0.7).probabilities(x[:, :5]), rtol=1e-12
    )
    np.testing.assert_allclose(
        ExactLoss("learned").probabilities(x[:, [0, 5]]), ExactLoss(0.7).probabilities(x[:, 0]), rtol=1e-12
    )


def test_intercept_is_the_best_constant():
    y, w = np.array([1, 0, 0, 1, 1]), np.array([1.0, 2, 1, 3, 0.5])
    for loss in (ExactLoss(0.6, log=True), ExactLoss("learned", log=True)):
        start = loss.intercept(y, w)
        assert start.shape == (loss.n_outputs(2),)
        x = np.tile(start, (5, 1)) if start.size > 1 else np.full(5, start[0])
        assert np.atleast_2d(loss.gradient(y, x, w).T)[0].sum() == pytest.approx(0, abs=1e-12)
    assert ExactLoss().intercept(y) is None
    assert ExactLoss(log=True).intercept([0, 1, 2]) is None


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"sigma": 0.0}, "sigma must be a positive finite number, got 0.0"),
        ({"sigma": "fit"}, r"sigma must be .*'learned', got 'fit'"),
        ({"sigma": (1.0, 0.5)}, r"\(start, end, rounds\)"),
        ({"sigma": (1.0, 0.5, 0)}, "rounds a whole number"),
        ({"sigma": (1.0, -0.5, 3)}, "sigma must be a positive finite number, got -0.5"),
        ({"log": "yes"}, "log must be True"),
        ({"margin": -1}, "margin must be a positive"),
        ({"curvature": "unit"}, "curvature must be one of"),
        ({"sigma_bounds": (2.0, 1.0)}, "least < greatest"),
        ({"sigma_bounds": 1.0}, "pair"),
        ({"hessian_floor": 0}, "hessian_floor must be a positive"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        ExactLoss(**parameters)


def test_learned_sigma_needs_its_column():
    with pytest.raises(ValueError, match="one more column than there are scores"):
        ExactLoss("learned").loss([0, 1], [0.0, 1.0])
