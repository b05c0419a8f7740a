"""The smooth losses: their formulas, derivatives by differences, weights, groups, columns, and what boosters get."""

from __future__ import annotations

import re

import numpy as np
import pytest
from _smooth import slow
from hypothesis import given
from hypothesis import strategies as st

from hsboost import project_hypersimplex
from hsboost.losses import HypersimplexSmoothFYLoss, HypersimplexSmoothLoss, get_loss

KINDS = [HypersimplexSmoothLoss, HypersimplexSmoothFYLoss]
each = pytest.mark.parametrize("kind", KINDS)
CLASSES = pytest.mark.parametrize("classes", [1, 3])
GROUPED = pytest.mark.parametrize("grouped", [False, True], ids=["", "groups"])
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["", "weights"])
BUDGETS = pytest.mark.parametrize("k", [None, 2, 0.3, "mapping"])


def rows(rng, n=18, classes=1, grouped=False, weighted=False):
    """Scores, labels, weights (one of them 0), groups in disorder."""
    x = rng.normal(size=n if classes == 1 else (n, classes)) * 1.5
    y = rng.permutation(np.arange(n) % max(2, classes)).astype(float)
    w = np.where(np.arange(n) == 3, 0.0, rng.uniform(0.3, 2, n)) if weighted else None
    return x, y, w, rng.permutation(np.arange(n) % 3) if grouped else None


def budgets(k, classes, grouped):
    """Budgets of every kind: by group, by class, or by class and group."""
    if k != "mapping":
        return k
    own = {0: 1, 1: 0.4, 2: None}
    if not grouped:
        return own if classes > 1 else 0.45
    return {0: own, 1: {0: 0.2, 1: 2, 2: None}, 2: own} if classes > 1 else own


def differences(f, x, h=1e-5):
    """Central differences of a number in every score."""
    found = np.empty(x.size)
    for i in range(x.size):
        up, down = x.ravel().copy(), x.ravel().copy()
        up[i] += h
        down[i] -= h
        found[i] = (f(up.reshape(x.shape)) - f(down.reshape(x.shape))) / (2 * h)
    return found.reshape(x.shape)


@each
@CLASSES
@GROUPED
@WEIGHTED
@BUDGETS
def test_everything_is_what_the_formulas_say(kind, classes, grouped, weighted, k, rng):
    x, y, w, groups = rows(rng, 18, classes, grouped, weighted)
    k = budgets(k, classes, grouped)
    loss, convex = kind(k, 0.7, hessian_floor=0.05), kind is HypersimplexSmoothFYLoss
    truth = slow(y, x, w, groups, k, 0.7, 0.05, convex)
    gradient, hessian = loss.gradient_hessian(y, x, w, groups)
    assert loss.loss(y, x, w, groups) == pytest.approx(truth.value, rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(gradient, truth.gradient, rtol=0, atol=1e-12)
    np.testing.assert_allclose(hessian, truth.hessian, rtol=1e-12)
    numeric = differences(lambda x: loss.loss(y, x, w, groups), x)
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(loss.gradient(y, x, w, groups), gradient)
    step = loss.boosting_step(y, x, w, None, groups)
    for found, expected in zip(step, truth[3:], strict=False):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    unit = kind(k, 0.7, "unit")
    gradient_of_unit, ones = unit.gradient_hessian(y, x, w, groups)
    np.testing.assert_array_equal(gradient_of_unit, gradient)
    expected = np.ones(x.shape) if w is None else np.broadcast_to(w if classes == 1 else w[:, None], x.shape)
    np.testing.assert_array_equal(ones, expected)
    own, ones, _ = unit.boosting_step(y, x, w, None, groups)
    np.testing.assert_allclose(own, gradient, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(ones, expected.astype(np.float32))


@each
@CLASSES
@GROUPED
def test_float32_scores_and_passes_agree_with_one_compiled_call(kind, classes, grouped, rng, request):
    x, y, w, groups = rows(rng, 400, classes, grouped, weighted=True)
    x = x.astype(np.float32)
    loss = kind(0.3, 0.7)
    one = loss.loss(y, x, w, groups), *loss.gradient_hessian(y, x, w, groups)
    assert one[1].dtype == one[2].dtype == np.float32
    request.getfixturevalue("passes_only")
    request.getfixturevalue("monkeypatch").setattr("hsboost._solver.entropic.SMALL", 0)
    passes = loss.loss(y, x, w, groups), *loss.gradient_hessian(y, x, w, groups)
    assert passes[0] == pytest.approx(one[0], rel=1e-12)
    for a, b in zip(passes[1:], one[1:], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)


@CLASSES
@GROUPED
@WEIGHTED
def test_the_mean_is_the_sum_times_two_over_the_weight(classes, grouped, weighted, rng):
    x, y, w, groups = rows(rng, 18, classes, grouped, weighted)
    factor = 2.0 / (x.shape[0] if w is None else w.sum())
    total, mean = HypersimplexSmoothLoss(0.3, 0.7), HypersimplexSmoothLoss(0.3, 0.7, reduction="mean")
    assert mean.loss(y, x, w, groups) == pytest.approx(factor * total.loss(y, x, w, groups), rel=1e-13)
    for a, b in zip(mean.gradient_hessian(y, x, w, groups), total.gradient_hessian(y, x, w, groups), strict=True):
        np.testing.assert_allclose(a, factor * b, rtol=1e-12)
    for a, b in zip(mean.boosting_step(y, x, w, None, groups)[:2], total.boosting_step(y, x, w, None, groups)[:2],
                    strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)
    unit = HypersimplexSmoothLoss(0.3, 0.7, "unit", "mean").boosting_step(y, x, w, None, groups)
    np.testing.assert_allclose(unit[0], factor * total.gradient(y, x, w, groups), rtol=1e-6, atol=1e-8)


@each
@CLASSES
@GROUPED
@pytest.mark.parametrize("k", [None, 4, 0.3])
def test_integer_weights_are_repeated_rows(kind, classes, grouped, k, rng):
    x, y, _, groups = rows(rng, 18, classes, grouped)
    w = rng.permutation(np.arange(18) % 4)
    many = np.repeat(np.arange(18), w)
    more = None if groups is None else groups[many]
    loss = kind(k, 0.8)
    assert loss.loss(y, x, w, groups) == pytest.approx(loss.loss(y[many], x[many], None, more), rel=1e-12)
    gradient, (g, h, _) = loss.gradient(y, x, w, groups), loss.boosting_step(y, x, w, None, groups)
    each_gradient, (eg, eh, _) = (
        loss.gradient(y[many], x[many], None, more),
        loss.boosting_step(y[many], x[many], None, None, more),
    )
    at = np.searchsorted(many, np.flatnonzero(w))
    heavy, times = w > 0, w[w > 0].reshape(-1, *[1] * (x.ndim - 1))
    np.testing.assert_allclose(gradient[heavy], times * each_gradient[at], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(g[heavy], times * eg[at], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(h[heavy], times * eh[at], rtol=1e-6)
    assert not gradient[~heavy].any()
    assert not h[~heavy].any()


@each
@CLASSES
@WEIGHTED
@BUDGETS
def test_a_group_is_the_loss_of_its_rows_alone(kind, classes, weighted, k, rng):
    x, y, w, groups = rows(rng, 30, classes, True, weighted)
    k = budgets(k, classes, True)
    together, value, cut = kind(k, 0.6), 0.0, kind(k, 0.6).soft_threshold(y, x, w, groups)
    gradient = together.gradient(y, x, w, groups)
    for g in range(3):
        at = groups == g
        own = k if not isinstance(k, dict) else k[g] if classes == 1 else {c: k[c][g] for c in k}
        alone, weight = kind(own, 0.6), None if w is None else w[at]
        value += alone.loss(y[at], x[at], weight)
        np.testing.assert_allclose(gradient[at], alone.gradient(y[at], x[at], weight), rtol=0, atol=1e-13)
        np.testing.assert_allclose(cut[..., g], alone.soft_threshold(y[at], x[at], weight), rtol=0, atol=1e-12)
    assert together.loss(y, x, w, groups) == pytest.approx(value, rel=1e-12)


@each
def test_columns_are_problems_of_their_own_and_share_one_floor_and_one_factor(kind, rng):
    x, y, w, _ = rows(rng, 24, 3, weighted=True)
    loss = kind(0.3, 0.6)
    gradient = loss.gradient(y, x, w)
    for c in range(3):
        np.testing.assert_allclose(gradient[:, c], loss.gradient(y == c, x[:, c], w), rtol=0, atol=1e-13)
    # Three equal columns of two classes: what one column gives, with its floor and its factor.
    y = (y > 0).astype(int)
    same = np.stack([-x[:, 0], x[:, 0]], axis=1)
    half = kind(None, 0.6)
    columns, one = half.boosting_step(y, same, w, None), half.boosting_step(y, x[:, 0], w, None)
    np.testing.assert_allclose(columns[0], np.stack([-one[0], one[0]], axis=1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(columns[1], np.stack([one[1], one[1]], axis=1), rtol=1e-5)


# --- rounds -------------------------------------------------------------------------------------------------------


def assert_same_step(a, b, tolerance=2e-6):
    for one, other in zip(a[:2], b[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(a[2].soft_threshold, b[2].soft_threshold, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(a[2].totals.positive, b[2].totals.positive, rtol=1e-12)
    np.testing.assert_allclose(a[2].active_share, b[2].active_share, rtol=1e-10)


@each
@CLASSES
@GROUPED
@pytest.mark.parametrize("k", [None, 0.1])
def test_a_warm_start_changes_nothing_and_changed_rows_are_noticed(kind, classes, grouped, k, rng):
    x, y, w, groups = rows(rng, 300, classes, grouped, weighted=True)
    x, w = x.astype(np.float32), w.astype(np.float32)
    loss, state = kind(k, 0.8), None
    out = np.empty((2, *x.shape[::-1]), np.float32)
    changed = np.where(np.arange(300) < 40, y[::-1], y)
    heavier = np.where(np.arange(300) < 40, 3 * w, w).astype(np.float32)
    for labels, weight in [(y, w), (y, w), (changed, w), (changed, w), (changed, heavier), (changed, heavier)]:
        x = x + (rng.normal(size=x.shape) * 0.2).astype(np.float32)
        cold = loss.boosting_step(labels, x, weight, None, groups)
        warm = loss.boosting_step(labels, x, weight, state, groups, out[0].T, out[1].T)
        assert np.shares_memory(warm[0], out[0])
        assert np.shares_memory(warm[1], out[1])
        assert_same_step(warm, cold)
        state = warm[2]
    for shorter in (slice(0, 200), slice(0, 299)):  # a state of other rows is not used
        part = None if groups is None else groups[shorter]
        cold = loss.boosting_step(y[shorter], x[shorter], None, None, part)
        assert_same_step(loss.boosting_step(y[shorter], x[shorter], None, state, part), cold)


@each
@pytest.mark.parametrize("where", ["labels", "weights"])
@GROUPED
def test_what_becomes_wrong_between_rounds_is_an_error(kind, where, grouped, rng):
    x, y, w, groups = rows(rng, 60, 1, grouped, weighted=True)
    state = kind().boosting_step(y, x, w, None, groups)[2]
    bad_y, bad_w = y.copy(), w.copy()
    if where == "labels":
        bad_y[7] = 0.5
        expected = "y_true must be 0 or 1, got 0.5 at row 7"
    else:
        bad_w[7] = -1.0
        expected = "sample_weight"
    with pytest.raises(ValueError, match=expected):
        kind().boosting_step(bad_y, x, bad_w, state, groups)


@each
@pytest.mark.parametrize("temperature", [1e-6, 0.3, 1e5])
def test_the_temperature_is_the_unit_of_the_scores(kind, temperature, rng):
    """Scores times the temperature get the curvature of before and the gradient times the temperature."""
    x, y, w, groups = rows(rng, 60, 1, True, weighted=True)
    gradient, hessian, state = kind(0.2).boosting_step(y, x, w, None, groups)
    loss = kind(0.2, temperature)
    other = loss.boosting_step(y, x * temperature, w, None, groups)
    np.testing.assert_allclose(other[0] / temperature, gradient, rtol=2e-6, atol=1e-6)
    np.testing.assert_allclose(other[1], hessian, rtol=2e-6)
    np.testing.assert_allclose(other[2].soft_threshold / temperature, state.soft_threshold, rtol=1e-11, atol=1e-11)
    assert loss.unit == temperature


@pytest.mark.parametrize("share", [1e-7, 1e-4, 0.01, 0.5])
def test_rows_that_count_get_a_curvature_near_their_weight_whatever_the_budget(share, rng):
    y = (np.arange(1000) < 100).astype(float)
    for kind in KINDS:
        gradient, hessian, _ = kind(share).boosting_step(y, np.zeros(1000), None, None)
        np.testing.assert_allclose(hessian, 1.0, rtol=1e-5)  # equal scores count equally
        if kind is HypersimplexSmoothLoss:
            # A Newton step of 1 / (share (1 - share)) times the residual: it brings the edge to the rows.
            np.testing.assert_allclose(gradient, (0.1 - y) / (share * (1 - share)), rtol=1e-5)


# --- ends of the range --------------------------------------------------------------------------------------------


@each
@GROUPED
@pytest.mark.parametrize("apart", [20.0, 80.0, 178.0, 360.0, 372.0, 700.0, 745.0, 1e6, 1e30])
def test_scores_that_training_drove_apart_end_the_training(kind, grouped, apart, rng):
    """Finite derivatives, curvature above 0, and gradients that vanish: no number overflows on the way."""
    y = np.repeat([1, 1, 0, 0], 5)
    x = np.where(y == 1, apart, -apart) * (1 + np.arange(20) * 1e-3)
    groups = np.arange(20) % 2 if grouped else None
    for loss in (kind(), kind(hessian="unit")):
        for found in (*loss.gradient_hessian(y, x, None, groups), *loss.boosting_step(y, x, None, None, groups)[:2]):
            assert np.isfinite(found).all()
        assert (loss.boosting_step(y, x, None, None, groups)[1] > 0).all()
    assert (kind().gradient_hessian(y, x, None, groups)[1] > 0).all()
    assert kind().loss(y, x, None, groups) == pytest.approx(0.0, abs=1e-6)
    if apart > 30:
        np.testing.assert_allclose(kind().boosting_step(y, x, None, None, groups)[0], 0.0, atol=1e-3)


@each
@CLASSES
@pytest.mark.parametrize("k", [0, 100, 1.0])
def test_nothing_and_everything_are_limits(kind, classes, k, rng):
    if k == 1.0:
        with pytest.raises(ValueError, match="k"):
            kind(k)
        return
    x, y, w, _ = rows(rng, 20, classes, weighted=True)
    loss = kind(k)
    if kind is HypersimplexSmoothLoss:
        expected = np.ones_like(y) if k else np.zeros_like(y)
        labels = y[:, None] == np.arange(classes) if classes > 1 else y[:, None]
        value = 0.5 * (w[:, None] * (expected[:, None] - labels) ** 2).sum()
        assert loss.loss(y, x, w) == pytest.approx(value, rel=1e-12)
        assert not loss.gradient(y, x, w).any()
    numeric = differences(lambda x: loss.loss(y, x, w), x)
    np.testing.assert_allclose(loss.gradient(y, x, w), numeric, rtol=0, atol=1e-6)


@each
def test_every_row_taken_is_said_once(kind, rng):
    x, y, _, _ = rows(rng, 20)
    if kind is HypersimplexSmoothLoss:
        with pytest.warns(UserWarning, match="k takes all rows"):
            kind(20).boosting_step(y, x, None, None)
    else:
        kind(20).boosting_step(y, x, None, None)  # its gradient does not vanish


@each
def test_a_group_of_one_class_or_without_weight_teaches_nothing(kind, rng):
    x, y, w, groups = rows(rng, 30, grouped=True, weighted=True)
    y = np.where(groups == 0, 0.0, np.where(groups == 1, 1.0, y))
    w = np.where(groups == 2, w, 1.0)
    gradient = kind().gradient(y, x, w, groups)
    assert not gradient[groups < 2].any()
    at = groups == 2
    np.testing.assert_allclose(gradient[at], kind().gradient(y[at], x[at], w[at]), rtol=0, atol=1e-14)
    w[at] = 0.0
    y[groups == 0] = np.arange(10) % 2
    gradient, hessian = kind().gradient_hessian(y, x, w, groups)
    assert gradient[groups == 0].any()
    assert not gradient[groups > 0].any()
    assert not hessian[at].any()
    with pytest.raises(ValueError, match="y_true must hold both classes"):
        kind().boosting_step(np.ones(30), x, None, None)


@each
@GROUPED
@pytest.mark.parametrize("state", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_named(kind, grouped, state, bad, rng):
    x, y, w, groups = rows(rng, 30, grouped=grouped)
    last = kind().boosting_step(y, x, w, None, groups)[2] if state else None
    x[11] = bad
    message = re.escape(f"raw_prediction must be finite, got {bad} at row 11")
    with pytest.raises(ValueError, match=message):
        kind().boosting_step(y, x, w, last, groups)
    with pytest.raises(ValueError, match=message):
        kind().loss(y, x, w, groups)


@each
@given(data=st.data())
def test_scores_of_all_magnitudes(kind, data):
    """Derivatives stay finite, the values hand out k, gradients sum to what the formula says."""
    kinds = st.sampled_from([st.sampled_from([-1e30, 0.0, 1e-12, 1.0, 1e12, 1e30]), st.floats(-1e4, 1e4)])
    n = data.draw(st.integers(2, 12))
    x = np.array(data.draw(kinds.flatmap(lambda e: st.lists(e, min_size=n, max_size=n))))
    y = np.array([1, 0, *data.draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))], float)
    loss = kind(data.draw(st.sampled_from([None, 1, 0.4])), data.draw(st.sampled_from([1.0, 1e-3, 1e12])))
    gradient, hessian, state = loss.boosting_step(y, x, None, None)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    assert (hessian > 0).all()
    mass = y.sum() if loss.k is None else 1 if loss.k == 1 else 0.4 * n
    values = project_hypersimplex(x, mass, temperature=loss.temperature, regularization="entropic").values
    assert values.sum() == pytest.approx(mass, rel=1e-11)
    if kind is HypersimplexSmoothFYLoss:
        exact = loss.gradient(y, x) * loss.temperature
        np.testing.assert_allclose(exact, values - y - (mass - y.sum()) / n, rtol=0, atol=1e-11)
    again = loss.boosting_step(y, x, None, state)
    noise = 1e-12 * loss.temperature  # where all of a sum is one row, its gradient is the rounding of 0
    np.testing.assert_allclose(again[0], gradient, rtol=1e-5, atol=1e-5 * np.abs(gradient).max() + noise)


@each
@given(st.integers(0, 10_000), st.floats(0, 1))
def test_only_the_convex_one_is_convex_and_neither_sees_a_shift(kind, seed, share):
    rng = np.random.default_rng(seed)
    x, y, w, groups = rows(rng, 12, 1, bool(seed % 2), bool(seed % 3))
    other, loss = rng.normal(size=12) * 4, kind(0.3)
    shift = rng.normal(size=3)[groups] if groups is not None else 2.5
    assert loss.loss(y, x + shift, w, groups) == pytest.approx(loss.loss(y, x, w, groups), rel=1e-10)
    np.testing.assert_allclose(loss.gradient(y, x + shift, w, groups), loss.gradient(y, x, w, groups), atol=1e-12)
    total = np.bincount(np.zeros(12, int) if groups is None else groups, loss.gradient(y, x, w, groups))
    np.testing.assert_allclose(total, 0.0, atol=1e-12)
    if kind is HypersimplexSmoothFYLoss:
        between = loss.loss(y, share * x + (1 - share) * other, w, groups)
        assert between <= share * loss.loss(y, x, w, groups) + (1 - share) * loss.loss(y, other, w, groups) + 1e-10


# --- parameters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        HypersimplexSmoothLoss(0.3, 2.0, "unit", "mean", 0.5),
        HypersimplexSmoothLoss(),
        HypersimplexSmoothFYLoss({"a": 1}, 2.0, "unit", 0.5),
        HypersimplexSmoothFYLoss(),
    ],
)
def test_repr_and_parameters(loss):
    assert loss.__dict__ == eval(repr(loss)).__dict__
    assert loss.runs_on_cuda is True
    assert loss.has_budget
    assert not loss.is_separable


@each
def test_by_name_with_defaults(kind):
    name = "hypersimplex-smooth" if kind is HypersimplexSmoothLoss else "hypersimplex-smooth-fy"
    loss = get_loss(name, k=0.1, temperature=3.0)
    assert type(loss) is kind
    assert (loss.k, loss.temperature, loss.hessian, loss.reduction, loss.hessian_floor) == (
        0.1, 3.0, "exact", "sum", 0.02,
    )  # fmt: skip
    if kind is HypersimplexSmoothFYLoss:
        with pytest.raises(TypeError, match="reduction"):
            kind(reduction="mean")
    for wrong in ({"hessian": "gauss"}, {"hessian_floor": 0.0}, {"hessian_floor": 1.5}, {"temperature": -1}, {"k": -1}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            kind(**wrong)
