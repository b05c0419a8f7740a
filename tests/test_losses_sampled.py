"""Sampled softmax: exactly right on average, by enumerating every draw and by drawing often."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hsboost._kernels import sampled as kernels
from hsboost.losses import SampledSoftmaxLoss, SoftmaxLoss


def draw(x, y, picks, inverse, corrected, share):
    gradient, hessian = np.zeros(x.size), np.zeros(x.size)
    kernels.sampled_row(x, y, np.array(picks), inverse, gradient, hessian)
    estimate = gradient.copy()
    if corrected:
        kernels.correct_row(x, y, share, np.empty(x.size), gradient, hessian)
    return gradient, hessian, estimate


@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize("samples", [1, 2, 3])
def test_the_mean_over_every_possible_draw_is_the_exact_gradient(samples, share, rng):
    x, y = 2 * rng.normal(size=4), 1
    q = np.array([0.4, 0.3, 0.2, 0.1])
    mean, biased = np.zeros(4), np.zeros(4)
    for picks in itertools.product(range(4), repeat=samples):
        for corrected in (False, True):
            chance = q[list(picks)].prod() * (share if corrected else 1 - share)
            gradient, hessian, estimate = draw(x, y, picks, 1 / (samples * q), corrected, share)
            assert gradient.sum() == pytest.approx(0, abs=1e-13)
            assert (hessian >= 0).all()
            mean += chance * gradient
            biased += chance * estimate
    exact = SoftmaxLoss().gradient([y], x[None])[0]
    np.testing.assert_allclose(mean, exact, rtol=0, atol=1e-14)
    assert np.abs(biased - exact).max() > 0.01  # without the correction the estimate is off


def test_estimate_of_a_row_by_hand():
    x, q = np.array([0.5, 1.0, -0.3, 0.2]), np.array([0.1, 0.2, 0.3, 0.4])
    inverse = 1 / (3 * q)
    gradient, hessian, _ = draw(x, 0, [3, 0, 3], inverse, False, 1.0)  # class 0 is the true one: not counted
    term = 2 * inverse[3] * np.exp(0.2)
    total = np.exp(0.5) + term
    np.testing.assert_allclose(gradient, [-term / total, 0, 0, term / total], rtol=1e-14)
    p = np.exp([0.5, 0.2]) / total
    np.testing.assert_allclose(hessian[[0, 3]], [2 * p[0] * (1 - p[0]), 2 * term / total * (1 - p[1])], rtol=1e-13)


@pytest.mark.parametrize("proposal", ["prior", "uniform"])
def test_the_mean_over_many_rounds_is_the_exact_gradient(proposal, rng):
    x, y, w = rng.normal(size=(30, 50)), rng.integers(0, 50, 30), rng.uniform(0.5, 2, 30)
    loss = SampledSoftmaxLoss(8, 0.2, proposal, seed=3)
    state, rounds, total, squares, bend = None, 4000, 0.0, 0.0, 0.0
    for _ in range(rounds):
        gradient, hessian, state = loss.boosting_step(y, x, w, state)
        total, squares, bend = total + gradient, squares + gradient.astype(float) ** 2, bend + hessian
    mean = total / rounds
    error = np.sqrt((squares / rounds - mean**2) / rounds)
    z = (mean - SoftmaxLoss().gradient(y, x, w)) / error
    assert np.abs(z).max() < 5  # 1500 entries
    assert 0.9 < z.std() < 1.1
    np.testing.assert_allclose((bend / rounds).mean(), SoftmaxLoss().gradient_hessian(y, x, w)[1].mean(), rtol=0.3)


def test_rounds_differ_and_seeds_repeat(rng):
    x, y = rng.normal(size=(20, 300)), rng.integers(0, 300, 20)
    loss = SampledSoftmaxLoss(5, 0.1)
    first, _, state = loss.boosting_step(y, x, None, None)
    second, _, state = loss.boosting_step(y, x, None, state)
    assert state == 2
    assert (first != second).any()
    np.testing.assert_array_equal(loss.boosting_step(y, x, None, None)[0], first)
    np.testing.assert_allclose(loss.gradient(y, x), first, rtol=1e-6)
    assert (SampledSoftmaxLoss(5, 0.1, seed=1).boosting_step(y, x, None, None)[0] != first).any()
    assert loss.loss(y, x) == SoftmaxLoss().loss(y, x)
    np.testing.assert_array_equal(loss.probabilities(x), SoftmaxLoss().probabilities(x))


def test_most_rows_touch_few_classes(rng):
    x, y = rng.normal(size=(2000, 500)), rng.integers(0, 500, 2000)
    gradient, hessian = SampledSoftmaxLoss(10, 0.1).gradient_hessian(y, x)
    touched = (gradient != 0).sum(axis=1)
    assert np.median(touched) <= 11
    assert 0.07 < (touched == 500).mean() < 0.13
    assert (hessian > 0).all()
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-12)


def test_the_prior_proposal_knows_the_weights(rng):
    loss = SampledSoftmaxLoss()
    y = np.array([0, 0, 2])
    np.testing.assert_allclose(loss.proposal_of(y, np.ones(1), 4), np.array([3, 1, 2, 1]) / 7)
    np.testing.assert_allclose(loss.proposal_of(y, np.array([3.0, 3.0, 0.0]), 4), np.array([8, 2, 2, 2]) / 14)


def test_more_samples_are_closer(rng):
    x, y = rng.normal(size=(400, 200)), rng.integers(0, 200, 400)
    exact = SoftmaxLoss().gradient(y, x)
    errors = [np.linalg.norm(SampledSoftmaxLoss(m, 0.2).gradient(y, x) - exact) for m in (4, 32, 256)]
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"samples": 0}, "samples must be a whole number of at least 1, got 0"),
        ({"samples": 2.5}, "samples must be a whole number"),
        ({"exact_share": 0.0}, "exact_share must be a positive"),
        ({"exact_share": 1.5}, r"exact_share is a share of the rows, in \(0, 1\]; got 1.5"),
        ({"proposal": "alias"}, "proposal must be one of 'prior', 'uniform'"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_wrong_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        SampledSoftmaxLoss(**parameters)
