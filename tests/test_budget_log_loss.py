"""Log loss tailored to a budget: its formulas, derivatives by differences, weights, groups, columns, the guard."""

from __future__ import annotations

import platform
import re

import numba
import numpy as np
import pytest
from _smooth import multiplier
from _windowed import slow, window_of
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from test_hypersimplex_smooth import BUDGETS, CLASSES, GROUPED, WEIGHTED, budgets, differences, rows

from hsboost._kernels import windowed as kernels
from hsboost._kernels._compile import at_most
from hsboost.losses import BudgetLogLoss, SoftmaxLoss, get_loss

GUARDS = pytest.mark.parametrize("guard", [0.0, 2.0])


@CLASSES
@GROUPED
@WEIGHTED
@BUDGETS
@GUARDS
def test_small_everything_is_what_the_formulas_say(classes, grouped, weighted, k, guard, rng):
    x, y, w, groups = rows(rng, 18, classes, grouped, weighted)
    settings = {"k": budgets(k, classes, grouped), "width": 0.7, "floor": 0.1, "guard": guard}
    loss, truth = BudgetLogLoss(**settings), slow(y, x, w, groups, **settings)
    gradient, hessian = loss.gradient_hessian(y, x, w, groups)
    assert loss.loss(y, x, w, groups) == pytest.approx(truth.value, rel=1e-12)
    np.testing.assert_allclose(gradient, truth.gradient, rtol=0, atol=1e-12)
    np.testing.assert_allclose(hessian, truth.hessian, rtol=1e-10)
    np.testing.assert_array_equal(loss.gradient(y, x, w, groups), gradient)
    step = loss.boosting_step(y, x, w, None, groups)
    for found, expected in zip(step, truth[3:5], strict=False):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@CLASSES
@GROUPED
@GUARDS
def test_derivatives_by_differences_at_a_frozen_window(classes, grouped, guard, rng):
    """Intercepts follow the scores: they are those of the least loss, so that the derivative does not see them."""
    x, y, w, groups = rows(rng, 18, classes, grouped, weighted=True)
    settings = {"k": 0.3, "width": 0.6, "floor": 0.1, "guard": guard}
    window = window_of(y, x, w, groups, **settings)

    def value(scores):
        frozen = window
        if grouped:
            for c, g in window.intercepts:
                if g is not None:
                    frozen = frozen._replace(
                        intercepts=frozen.intercepts | {(c, g): best(scores, c, groups == g, window.a)}
                    )
        return slow(y, scores, w, groups, window=frozen).value

    def best(scores, c, at, a):
        column = scores[at] if scores.ndim == 1 else scores[at, c]
        inside = w[at] * (a[at] if a.ndim == 1 else a[at, c])
        return multiplier(column, inside, inside @ ((y[at] == c) if classes > 1 else y[at]))

    gradient, hessian = BudgetLogLoss(**settings).gradient_hessian(y, x, w, groups)
    np.testing.assert_allclose(gradient, differences(value, x), rtol=0, atol=1e-8)
    if not grouped:  # with intercepts the curvature leaves out how they follow
        bend = differences(lambda x: slow(y, x, w, window=window).gradient.sum(), x)
        np.testing.assert_allclose(hessian, np.where(w[:, None] if classes > 1 else w, bend, 0.0), rtol=0, atol=1e-8)


@CLASSES
def test_at_equal_scores_boosters_get_log_loss(classes, rng):
    _, y, w, _ = rows(rng, 40, classes, weighted=True)
    if classes == 1:
        x = np.full(40, -0.4)
        expected = SoftmaxLoss().boosting_step(y, x, w, None)
        found = BudgetLogLoss(0.1).boosting_step(y, x, w, None)
        for one, other in zip(found[:2], expected[:2], strict=True):
            np.testing.assert_allclose(one, other, rtol=2e-6)
        return
    gradient, hessian, _ = BudgetLogLoss(0.1, guard=0).boosting_step(y, np.zeros((40, 3)), w, None)
    np.testing.assert_allclose(gradient, w[:, None] * (0.5 - (y[:, None] == np.arange(3))), rtol=2e-6)
    np.testing.assert_allclose(hessian, np.broadcast_to(w[:, None] / 4, (40, 3)), rtol=2e-6)


@pytest.mark.parametrize("guard", [1e12, 0.0])
def test_a_window_without_rows_of_a_class_is_log_loss_with_a_guard(guard, rng):
    """All positives are far below the cut: rows near it would be all that a booster sees."""
    x = np.concatenate([rng.normal(size=900) + 20.0, rng.normal(size=100) - 20.0])
    y = np.r_[np.zeros(900), np.ones(100)]
    found = BudgetLogLoss(100, guard=guard or 150.0).boosting_step(y, x, None, None)
    for one, other in zip(found[:2], SoftmaxLoss().boosting_step(y, x, None, None)[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)
    unguarded = BudgetLogLoss(100, guard=0).boosting_step(y, x, None, None)[0]
    assert np.abs(unguarded[900:]).max() < 0.2
    assert np.abs(unguarded[:900]).max() > 0.9


def test_the_guard_fades_with_what_the_rarer_class_weighs_under_the_window(rng):
    x = rng.normal(size=4000)
    for y in ((rng.random(4000) < 0.2).astype(float), (rng.random(4000) < 0.8).astype(float)):
        bell = window_of(y, x, k=0.1).a - 0.05
        rarer = min((y * bell).sum(), ((1 - y) * bell).sum())
        plain = BudgetLogLoss(0.1, guard=0).gradient(y, x) / (expit(x) - y)
        for guard in (rarer / 10, rarer, 10 * rarer):
            share = 1 / (1 + (rarer / guard) ** 2)
            found = BudgetLogLoss(0.1, guard=guard).gradient(y, x) / (expit(x) - y)
            np.testing.assert_allclose(found, 0.05 + share + (1 - share) * (plain - 0.05), rtol=1e-9)


@CLASSES
@GROUPED
def test_float32_scores_and_passes_agree_with_one_compiled_call(classes, grouped, rng, request):
    x, y, w, groups = rows(rng, 400, classes, grouped, weighted=True)
    x = x.astype(np.float32)
    loss = BudgetLogLoss(0.3, guard=20)
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
@GUARDS
@pytest.mark.parametrize("k", [None, 4, 0.3])
def test_integer_weights_are_repeated_rows(classes, grouped, guard, k, rng):
    x, y, _, groups = rows(rng, 18, classes, grouped)
    w = rng.permutation(np.arange(18) % 4)
    many = np.repeat(np.arange(18), w)
    more = None if groups is None else groups[many]
    loss = BudgetLogLoss(k, 0.8, guard=guard)
    assert loss.loss(y, x, w, groups) == pytest.approx(loss.loss(y[many], x[many], None, more), rel=1e-12)
    g, h, _ = loss.boosting_step(y, x, w, None, groups)
    eg, eh, _ = loss.boosting_step(y[many], x[many], None, None, more)
    at = np.searchsorted(many, np.flatnonzero(w))
    heavy, times = w > 0, w[w > 0].reshape(-1, *[1] * (x.ndim - 1))
    np.testing.assert_allclose(g[heavy], times * eg[at], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(h[heavy], times * eh[at], rtol=1e-5)
    assert not g[~heavy].any()
    assert not h[~heavy].any()


@CLASSES
@WEIGHTED
@BUDGETS
def test_a_group_is_the_loss_of_its_rows_alone_with_an_intercept(classes, weighted, k, rng):
    x, y, w, groups = rows(rng, 30, classes, True, weighted)
    k = budgets(k, classes, True)
    together = BudgetLogLoss(k, 0.6, guard=0)
    gradient, cut, value = together.gradient(y, x, w, groups), together.soft_threshold(y, x, w, groups), 0.0
    for g in range(3):
        at = groups == g
        own = k if not isinstance(k, dict) else k[g] if classes == 1 else {c: k[c][g] for c in k}
        alone, weight = BudgetLogLoss(own, 0.6, guard=0), None if w is None else w[at]
        value += alone.loss(y[at], x[at], weight, groups[at])
        np.testing.assert_allclose(gradient[at], alone.gradient(y[at], x[at], weight, groups[at]), atol=1e-12)
        np.testing.assert_allclose(cut[..., g], alone.soft_threshold(y[at], x[at], weight), rtol=0, atol=1e-12)
        np.testing.assert_allclose(gradient[at].sum(axis=0), 0.0, atol=1e-11)  # a constant of a group is free
    assert together.loss(y, x, w, groups) == pytest.approx(value, rel=1e-12)


def test_columns_are_problems_of_their_own_and_share_one_factor(rng):
    x, y, w, _ = rows(rng, 24, 3, weighted=True)
    loss = BudgetLogLoss(0.3, guard=3)
    gradient = loss.gradient(y, x, w)
    for c in range(3):
        np.testing.assert_allclose(gradient[:, c], loss.gradient(y == c, x[:, c], w), rtol=0, atol=1e-13)
    factor = loss.boosting_step(y, x, w, None)[0][w > 0] / gradient[w > 0]
    np.testing.assert_allclose(factor, factor.mean(), rtol=1e-5)


# --- kernels ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks at x86 code")
@pytest.mark.parametrize(("dtype", "weighted"), [(np.float32, True), (np.float64, False)])
def test_the_passes_are_vector_code(dtype, weighted):
    """Packed divisions, and no call of an exponential."""
    x, out = np.zeros(10, dtype), np.zeros(10, dtype)
    w = np.ones(10, dtype) if weighted else None
    at = (x, x, w, 0.0, 1.0, 0.0)
    for kernel, arguments in [
        (kernels.weights, (x, w, 0.0, 1.0, 0.0, 0.1, 3.6, np.empty(10))),
        (kernels.gradient, (*at, 0.0, 0.0, 0.1, 3.6, 1e-16, out, out)),
        (kernels.value, (*at, 0.0, 0.0, np.empty((2, 1)))),
    ]:
        fresh = numba.njit(kernel.serial.py_func)  # what comes from the disk cache cannot be looked at
        fresh(*arguments)
        (code,) = fresh.inspect_asm().values()
        assert re.search(r"\bv?divpd\b", code), kernel.__name__
        assert not re.search(r"\bcall\w*\s+\S*\bexp\b", code), kernel.__name__


@GROUPED
def test_the_number_of_threads_changes_no_bit(grouped, rng, monkeypatch):
    monkeypatch.setattr("hsboost._kernels._compile.PARALLEL_FROM", 8192)
    monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", 8192)
    n = 40_000
    x, y, w = rng.normal(size=n), rng.integers(0, 2, n), rng.uniform(0, 2, n)
    groups = rng.permutation(np.repeat(np.arange(903), [20_000, 13_000, 1, *[7] * 898, 713, 0])) if grouped else None
    found = []
    for threads in (1, 2):
        with at_most(threads):
            loss = BudgetLogLoss(0.1)
            first = loss.boosting_step(y, x, w, None, groups)
            found.append((*first[:2], loss.loss(y, x, w, groups), *loss.boosting_step(y, x, w, first[2], groups)[:2]))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


# --- rounds -------------------------------------------------------------------------------------------------------


def assert_same_step(a, b):
    for one, other in zip(a[:2], b[:2], strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(a[2].soft_threshold, b[2].soft_threshold, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(a[2].active_share, b[2].active_share, rtol=1e-10)
    if a[2].kept is not None:
        np.testing.assert_allclose(a[2].kept.value, b[2].kept.value, rtol=1e-9, atol=1e-9)


@CLASSES
@GROUPED
@pytest.mark.parametrize("k", [None, 0.1])
def test_a_warm_start_changes_nothing_and_changed_rows_are_noticed(classes, grouped, k, rng):
    x, y, w, groups = rows(rng, 300, classes, grouped, weighted=True)
    x, w = x.astype(np.float32), w.astype(np.float32)
    loss, state = BudgetLogLoss(k, guard=10), None
    out = np.empty((2, *x.shape[::-1]), np.float32)
    changed = np.where(np.arange(300) < 40, y[::-1], y)
    heavier = np.where(np.arange(300) < 40, 3 * w, w).astype(np.float32)
    for labels, weight in [(y, w), (y, w), (changed, w), (changed, w), (changed, heavier), (changed, heavier)]:
        x = x + (rng.normal(size=x.shape) * 0.2).astype(np.float32)
        cold = loss.boosting_step(labels, x, weight, None, groups)
        warm = loss.boosting_step(labels, x, weight, state, groups, out[0].T, out[1].T)
        assert np.shares_memory(warm[0], out[0])
        assert_same_step(warm, cold)
        state = warm[2]
    for shorter in (slice(0, 200), slice(0, 299)):  # a state of other rows is not used
        part = None if groups is None else groups[shorter]
        cold = loss.boosting_step(y[shorter], x[shorter], None, None, part)
        assert_same_step(loss.boosting_step(y[shorter], x[shorter], None, state, part), cold)


@pytest.mark.parametrize("where", ["labels", "weights"])
@GROUPED
def test_what_becomes_wrong_between_rounds_is_an_error(where, grouped, rng):
    x, y, w, groups = rows(rng, 60, 1, grouped, weighted=True)
    state = BudgetLogLoss().boosting_step(y, x, w, None, groups)[2]
    bad_y, bad_w, expected = y.copy(), w.copy(), "sample_weight"
    if where == "labels":
        bad_y[7], expected = 0.5, "y_true must be 0 or 1, got 0.5 at row 7"
    else:
        bad_w[7] = -1.0
    for last in (state, None):
        with pytest.raises(ValueError, match=expected):
            BudgetLogLoss().boosting_step(bad_y, x, bad_w, last, groups)


# --- ends of the range --------------------------------------------------------------------------------------------


@GROUPED
@pytest.mark.parametrize("apart", [20.0, 80.0, 178.0, 360.0, 372.0, 700.0, 745.0, 1e6, 1e30])
def test_scores_that_training_drove_apart_end_the_training(grouped, apart):
    y = np.repeat([1, 1, 0, 0], 5)
    x = np.where(y == 1, apart, -apart) * (1 + np.arange(20) * 1e-3)
    groups = np.arange(20) % 2 if grouped else None
    for loss in (BudgetLogLoss(), BudgetLogLoss(guard=0), BudgetLogLoss(0.3, guard=0)):
        gradient, hessian, _ = loss.boosting_step(y, x, None, None, groups)
        assert np.isfinite(gradient).all()
        assert (hessian > 0).all()
        assert np.isfinite(hessian).all()
        assert loss.loss(y, x, None, groups) == pytest.approx(0.0, abs=1e-6)
        np.testing.assert_allclose(gradient, 0.0, atol=1e-6)


@CLASSES
@GROUPED
@pytest.mark.parametrize("k", [0, 100])
def test_a_budget_of_nothing_or_everything_leaves_log_loss(classes, grouped, k, rng):
    x, y, w, groups = rows(rng, 20, classes, grouped, weighted=True)
    loss = BudgetLogLoss(k)
    truth = slow(y, x, w, groups, k=k, guard=150.0)
    gradient, hessian, _ = loss.boosting_step(y, x, w, None, groups)
    np.testing.assert_allclose(gradient, truth.boosting_gradient, rtol=1e-5, atol=1e-6)
    if classes == 1 and not grouped:
        expected = SoftmaxLoss().boosting_step(y, x, w, None)
        np.testing.assert_allclose(gradient, expected[0], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(hessian, expected[1], rtol=1e-5)


def test_small_one_row_ties_and_groups_of_one_class(rng):
    assert BudgetLogLoss(k=1).gradient([1], [0.3]) == pytest.approx([1.05 * (expit(0.3) - 1)])
    x, y = np.repeat([0.5, -0.5], 10), np.arange(20) % 2
    gradient = BudgetLogLoss(3, guard=0).gradient(y, x)
    for score in (0.5, -0.5):
        for label in (0, 1):
            assert np.ptp(gradient[(x == score) & (y == label)]) == 0.0
    x, y, w, groups = rows(rng, 30, grouped=True, weighted=True)
    y = np.where(groups == 0, 0.0, np.where(groups == 1, 1.0, y))
    w[groups == 2] = np.maximum(w[groups == 2], 0.1)
    gradient, hessian = BudgetLogLoss(0.2).gradient_hessian(y, x, w, groups)
    assert not gradient[groups < 2].any()
    assert gradient[groups == 2].all()
    w[groups == 2] = 0.0
    y[groups == 0] = np.arange(10) % 2
    gradient, hessian = BudgetLogLoss(0.2).gradient_hessian(y, x, w, groups)
    assert gradient[groups == 0].any()
    assert not gradient[groups > 0].any()
    assert not hessian[groups == 2].any()


@GROUPED
@pytest.mark.parametrize("state", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_named(grouped, state, bad, rng):
    x, y, w, groups = rows(rng, 30, grouped=grouped)
    last = BudgetLogLoss().boosting_step(y, x, w, None, groups)[2] if state else None
    x[11] = bad
    message = re.escape(f"raw_prediction must be finite, got {bad} at row 11")
    with pytest.raises(ValueError, match=message):
        BudgetLogLoss().boosting_step(y, x, w, last, groups)
    with pytest.raises(ValueError, match=message):
        BudgetLogLoss().loss(y, x, w, groups)


@given(data=st.data())
def test_scores_of_all_magnitudes(data):
    """Derivatives are finite, between 0 and the row's weight, and of the sign of the error."""
    kinds = st.sampled_from([st.sampled_from([-1e30, 0.0, 1e-12, 1.0, 1e12, 1e30]), st.floats(-1e4, 1e4)])
    n = data.draw(st.integers(2, 12))
    x = np.array(data.draw(kinds.flatmap(lambda e: st.lists(e, min_size=n, max_size=n))))
    y = np.array([1, 0, *data.draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))], float)
    groups = data.draw(st.sampled_from([None, np.arange(n) % 2]))
    loss = BudgetLogLoss(
        data.draw(st.sampled_from([None, 1, 0.4])),
        data.draw(st.sampled_from([0.5, 1e-3, 1e3])),
        guard=data.draw(st.sampled_from([0.0, 1.0, 100.0])),
    )
    gradient, hessian, state = loss.boosting_step(y, x, None, None, groups)
    assert np.isfinite(gradient).all()
    assert np.isfinite(hessian).all()
    assert (hessian > 0).all()
    assert (gradient[y == 1] <= 0).all()
    assert (gradient[y == 0] >= 0).all()
    exact = loss.gradient(y, x, None, groups)
    assert (np.abs(exact) <= 1.05 + 1e-12).all()
    again = loss.boosting_step(y, x, None, state, groups)
    np.testing.assert_allclose(again[0], gradient, rtol=1e-5, atol=1e-5)


@given(st.integers(0, 10_000))
def test_a_shift_of_a_group_changes_nothing_and_a_shift_of_all_rows_without_groups_does(seed):
    rng = np.random.default_rng(seed)
    x, y, w, groups = rows(rng, 15, 1, True, bool(seed % 3))
    loss, shift = BudgetLogLoss(0.3, guard=1), rng.normal(size=3)[groups]
    np.testing.assert_allclose(loss.gradient(y, x + shift, w, groups), loss.gradient(y, x, w, groups), atol=1e-10)
    assert loss.loss(y, x + shift, w, groups) == pytest.approx(loss.loss(y, x, w, groups), rel=1e-9)
    moved = loss.gradient(y, x + 2.5, w)
    assert (moved >= loss.gradient(y, x, w)).all()  # every row is more positive


def test_scores_of_the_least_loss_are_log_odds(rng):
    """Where a model can say anything of each of some kinds of rows, the window changes no optimum."""
    kinds, share = np.repeat(np.arange(8), 500), np.linspace(0.05, 0.9, 8)
    y = (np.arange(4000) % 500 < 500 * share[kinds]).astype(float)
    loss, scores = BudgetLogLoss(0.1), np.zeros(8)
    for _ in range(200):
        gradient, hessian, _ = loss.boosting_step(y, scores[kinds], None, None)
        scores = scores - np.bincount(kinds, gradient) / np.bincount(kinds, hessian)
    np.testing.assert_allclose(scores, logit(np.bincount(kinds, y) / 500), atol=1e-4)
    np.testing.assert_allclose(loss.probabilities(scores)[:, 1], np.bincount(kinds, y) / 500, atol=1e-4)


# --- parameters ---------------------------------------------------------------------------------------------------


def test_intercepts_and_probabilities(rng):
    y, w = (np.arange(40) < 10).astype(int), rng.uniform(1, 2, 40)
    share = (w @ y) / w.sum()
    np.testing.assert_allclose(BudgetLogLoss(0.1).intercept(y, w, 2), [logit(share)], rtol=1e-12)
    classes = np.arange(40) % 3
    shares = np.bincount(classes, w) / w.sum()
    np.testing.assert_allclose(BudgetLogLoss(0.1).intercept(classes, w, 3), logit(shares), rtol=1e-9)
    assert np.isfinite(BudgetLogLoss().intercept(np.zeros(5, int), None, 3)).all()
    scores = rng.normal(size=(6, 3)) * 3
    each = expit(scores)
    np.testing.assert_allclose(BudgetLogLoss().probabilities(scores), each / each.sum(axis=1, keepdims=True))
    two = BudgetLogLoss().probabilities(scores[:, 0])
    np.testing.assert_allclose(two, np.stack([1 - each[:, 0], each[:, 0]], axis=1))
    assert np.isfinite(BudgetLogLoss().probabilities(np.full((2, 3), -1e30))).all()


@pytest.mark.parametrize("loss", [BudgetLogLoss({"a": 1}, 2.0, 0.5, 0.0), BudgetLogLoss()])
def test_repr_and_parameters(loss):
    assert loss.__dict__ == eval(repr(loss)).__dict__
    assert loss.runs_on_cuda is True
    assert loss.has_budget
    assert not loss.is_separable
    assert loss.unit == 1.0
    assert loss.in_units(3.0) == (loss, 3.0)


def test_by_name_with_defaults():
    loss = get_loss("budget-log-loss", k=0.1)
    assert type(loss) is BudgetLogLoss
    assert (loss.k, loss.width, loss.floor, loss.guard) == (0.1, 0.5, 0.05, 150.0)
    for name, wrong in [
        ("width", 0.0), ("width", 1e-7), ("width", 1e7), ("width", "1"), ("floor", 0.0), ("floor", 1.5),
        ("guard", -1.0), ("guard", True), ("guard", np.inf), ("k", -1),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=name):
            BudgetLogLoss(**{name: wrong})
    with pytest.raises(ValueError, match="y_true must hold both classes"):
        BudgetLogLoss().boosting_step(np.ones(5), np.zeros(5), None, None)
