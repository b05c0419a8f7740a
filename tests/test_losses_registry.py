"""The registry of losses: names and parameters, where boosting starts, probabilities."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from _row_losses import CASES, cases

from hsboost.losses import LOSSES, Loss, get_loss
from hsboost.losses.hypersimplex import HypersimplexLoss

# --- the registry -------------------------------------------------------------------------------------------------


def test_every_name_makes_a_loss_that_pickles_and_is_tested_here():
    for name in LOSSES:
        loss = get_loss(name)
        assert isinstance(loss, Loss)
        for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
            assert repr(twin) == repr(loss)
        assert loss.has_budget or name in CASES  # those with a budget have tests of their own
    assert get_loss("hypersimplex", k=3).k == 3
    assert type(get_loss("hypersimplex")) is HypersimplexLoss
    assert type(get_loss("log-loss")) is type(get_loss("softmax"))
    assert get_loss("exact", sigma="learned").n_outputs(2) == 2
    assert [get_loss("squared").n_outputs(c) for c in (2, 3, 100)] == [1, 3, 100]


def test_unknown_names_and_parameters_get_one_clear_error():
    with pytest.raises(ValueError, match=r"got 'log_loss'; did you mean 'log-loss'\? Known: hypersimplex, "):
        get_loss("log_loss")
    with pytest.raises(ValueError, match=r"got 'sparsmax'; did you mean 'sparsemax'"):
        get_loss("sparsmax")
    with pytest.raises(ValueError, match=r"got 7\. Known: hypersimplex, "):
        get_loss(7)
    with pytest.raises(
        ValueError, match=r"'focal' has no parameter 'gama'; did you mean 'gamma'\? Known: gamma, alpha"
    ):
        get_loss("focal", gama=1)
    with pytest.raises(ValueError, match=r"'squared' has no parameter 'k'\. Known: none"):
        get_loss("squared", k=1)
    with pytest.raises(ValueError, match="gamma must be a positive finite number, got -1"):
        get_loss("focal", gamma=-1)


# --- starts and probabilities -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "width"), cases(widths=(1, 5)))
def test_intercept_is_the_constant_with_the_least_loss(name, width, rng):
    loss = CASES[name][0]
    y = np.repeat(np.arange(max(2, width)), [11, 4, 5, 1, 2][: max(2, width)])
    w = rng.uniform(0.5, 1, y.size)
    start = loss.intercept(y, w, max(2, width))
    if start is None:
        assert name.startswith(("focal", "exact"))
        return
    assert start.shape == (width,)

    def constant(scores):
        return loss.loss(y, np.broadcast_to(scores, (y.size, width)) if width > 1 else np.full(y.size, scores[0]), w)

    for size in (1e-3, 0.1, 1.0):
        for _ in range(20):
            assert constant(start + size * rng.normal(size=width)) >= constant(start) - 1e-10
    assert loss.intercept(y, w) == pytest.approx(start)


@pytest.mark.parametrize("name", LOSSES)
def test_intercept_and_probabilities_stay_finite_without_a_class(name):
    loss = get_loss(name)
    for y, classes in (([1, 1], 2), ([0, 2, 2], 4)):
        start = loss.intercept(y, None, classes)
        assert start is None or np.isfinite(start).all()
    for raw in (np.array([0.3, -1e30, 1e30]), np.array([[0.0, 1e30, -1e30], [1, 2, 3]])):
        p = loss.probabilities(raw)
        if p is not None:
            assert p.shape == (len(raw), 2 if raw.ndim == 1 else 3)
            assert ((p >= 0) & (p <= 1)).all()
            np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    assert (loss.probabilities([0.0]) is None) == name.startswith(("hypersimplex", "hinge", "squared"))


@pytest.mark.parametrize("name", LOSSES)
def test_class_scores_are_the_raw_scores(name, rng):
    x = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(get_loss(name).class_scores(x), x)
