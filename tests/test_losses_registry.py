"""Every loss of the registry that is a sum over rows, put to the same questions."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

from hsboost.losses import (
    LOSSES,
    EntmaxLoss,
    ExactLoss,
    FocalLoss,
    HingeLoss,
    Loss,
    SampledSoftmaxLoss,
    SoftmaxLoss,
    SparsemaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
    get_loss,
)
from hsboost.losses.hypersimplex import HypersimplexLoss

#: How each name is tested. exact: the curvature is the diagonal of the Hessian; bound: at least that.
EXACT, BOUND, OTHER = "exact", "bound", "other"
CASES = {
    "exact": (ExactLoss(0.7, hessian_floor=1e-9), EXACT, BOUND),
    "exact, log": (ExactLoss(0.7, log=True, curvature="exact", hessian_floor=1e-9), EXACT, EXACT),
    "log-loss": (SoftmaxLoss(), EXACT, BOUND),
    "softmax": (SoftmaxLoss("exact"), EXACT, EXACT),
    "softmax, constant": (SoftmaxLoss("constant"), BOUND, BOUND),
    "sparsemax": (SparsemaxLoss(), BOUND, BOUND),
    "sparsemax, exact": (SparsemaxLoss("exact"), EXACT, EXACT),
    "sparsemax, bound": (SparsemaxLoss("bound"), BOUND, BOUND),
    "entmax15": (get_loss("entmax15"), BOUND, BOUND),
    "entmax15, exact": (get_loss("entmax15", curvature="exact"), EXACT, EXACT),
    "entmax": (EntmaxLoss(1.25), BOUND, BOUND),
    "entmax, exact": (EntmaxLoss(1.7, "exact"), EXACT, EXACT),
    "entmax, bound": (EntmaxLoss(1.1, "bound"), BOUND, BOUND),
    "squared": (SquaredLoss(), EXACT, EXACT),
    "hinge": (HingeLoss(), OTHER, OTHER),
    "squared-hinge": (SquaredHingeLoss(hessian_floor=1e-12), EXACT, EXACT),
    "squared-hinge, bound": (SquaredHingeLoss("bound"), BOUND, BOUND),
    "focal": (FocalLoss(), BOUND, BOUND),
    "focal, weighted": (FocalLoss(0.5, (0.3, 1.0)), BOUND, None),
    "focal, none": (FocalLoss(0, 0.25), EXACT, None),
    "sampled-softmax": (SampledSoftmaxLoss(exact_share=1.0), EXACT, BOUND),
}
#: Losses that do not see a shift of a row's scores.
SHIFT = [name for name in CASES if not name.startswith(("squared", "hinge"))]
CONVEX = [name for name in CASES if not name.startswith("focal") and name != "exact"]  # 1 - P is not
#: The two classes play the same part.
SYMMETRIC = [name for name in CASES if name not in ("focal, weighted", "focal, none", "squared")]
WIDTHS = (1, 2, 5)


def cases(names=None, widths=WIDTHS, kind=None):
    """Loss and number of scores; ``kind``: only where the curvature is of that kind."""
    return [
        pytest.param(name, width, id=f"{name}-{width}")
        for name, (_, _, multiclass) in CASES.items()
        for width in widths
        if (names is None or name in names) and not (multiclass is None and width > 2)
        if kind is None or CASES[name][2 if width > 1 else 1] == kind
    ]


def problem(width, rng, n=40, size=1.0):
    """Scores (n,) or (n, width), labels, weights; no score near a corner of the piecewise losses."""
    x = size * (rng.integers(-30, 30, (n, width)) / 10 + 0.037 + 0.002 * rng.random((n, width)))
    y = rng.integers(0, max(2, width), n)
    return (x[:, 0] if width == 1 else x), y, rng.uniform(0.2, 2, n)


def steps(x, h):
    for index in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[index] = h
        yield index, d


# --- the registry -------------------------------------------------------------------------------------------------


def test_every_name_makes_a_loss_that_pickles_and_is_tested_here():
    for name in LOSSES:
        loss = get_loss(name)
        assert isinstance(loss, Loss)
        for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
            assert repr(twin) == repr(loss)
        assert name.startswith("hypersimplex") or name in CASES
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


# --- derivatives --------------------------------------------------------------------------------------------------


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


# --- rows ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "width"), cases())
def test_integer_weights_are_repeated_rows(name, width, rng):
    loss = CASES[name][0]
    x, y, _ = problem(width, rng)
    times = rng.integers(0, 4, y.size)
    repeated = np.repeat(y, times), np.repeat(x, times, axis=0)
    assert loss.loss(y, x, times) == pytest.approx(loss.loss(*repeated), rel=1e-12)
    for found, each in zip(loss.gradient_hessian(y, x, times), loss.gradient_hessian(*repeated), strict=True):
        np.testing.assert_allclose(
            np.repeat(found / np.maximum(times, 1).reshape(-1, *[1] * (x.ndim - 1)), times, axis=0), each, rtol=1e-12
        )
        assert not found[times == 0].any()
    gradient, hessian, _ = loss.boosting_step(y, x, times, None)
    assert not gradient[times == 0].any()
    assert not hessian[times == 0].any()
    assert (hessian[times > 0] > 0).all()
    one = loss.boosting_step(y, x, None, None)
    for found, each in zip((gradient, hessian), one[:2], strict=True):
        np.testing.assert_allclose(found, each * times.reshape(-1, *[1] * (x.ndim - 1)), rtol=1e-6)


@pytest.mark.parametrize(("name", "width"), cases())
def test_order_of_rows_does_not_matter_and_many_rows_take_threads(name, width, rng):
    loss = CASES[name][0]
    n = 150_000 if name in ("log-loss", "sparsemax", "hinge") and width == 1 else 3000
    x, y, w = problem(width, rng, n)
    order = rng.permutation(n)
    assert loss.loss(y[order], x[order], w[order]) == pytest.approx(loss.loss(y, x, w), rel=1e-12)
    for found, each in zip(
        loss.gradient_hessian(y[order], x[order], w[order]), loss.gradient_hessian(y, x, w), strict=True
    ):
        np.testing.assert_array_equal(found, each[order])
    first = slice(0, 50)
    np.testing.assert_array_equal(loss.gradient(y[first], x[first], w[first]), loss.gradient(y, x, w)[first])


@pytest.mark.parametrize(("name", "width"), cases(SHIFT, (2, 5)))
def test_a_shift_of_a_row_changes_nothing(name, width, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    moved = x + rng.integers(-8, 9, (len(y), 1))
    assert loss.loss(y, moved, w) == pytest.approx(loss.loss(y, x, w), rel=1e-12)
    gradient, hessian = loss.gradient_hessian(y, x, w)
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-13)
    np.testing.assert_allclose(loss.gradient_hessian(y, moved, w)[0], gradient, rtol=0, atol=1e-12)
    np.testing.assert_allclose(loss.gradient_hessian(y, moved, w)[1], hessian, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "width"), cases(widths=(5,)))
def test_classes_may_be_renamed(name, width, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    order = rng.permutation(width)
    renamed = np.argsort(order)[y], x[:, order]
    assert loss.loss(*renamed, w) == pytest.approx(loss.loss(y, x, w), rel=1e-12)
    for found, each in zip(loss.gradient_hessian(*renamed, w), loss.gradient_hessian(y, x, w), strict=True):
        np.testing.assert_allclose(found, each[:, order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "width"), cases(SHIFT, (1,)))
def test_two_scores_are_one_lead(name, width, rng):
    """(0, s) has the loss of s, and the two scores' gradients are ∓ that of s."""
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    both = np.column_stack([np.ones_like(x), 1 + x])
    assert loss.loss(y, both, w) == pytest.approx(loss.loss(y, x, w), rel=1e-11)
    single = loss.gradient(y, x, w)
    np.testing.assert_allclose(loss.gradient(y, both, w), np.column_stack([-single, single]), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("name", "width"), cases(SYMMETRIC, (1,)))
def test_swapping_the_two_classes_turns_the_score_round(name, width, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    assert loss.loss(1 - y, -x, w) == pytest.approx(loss.loss(y, x, w), rel=1e-12)
    np.testing.assert_allclose(loss.gradient(1 - y, -x, w), -loss.gradient(y, x, w), rtol=1e-12)


# --- kinds of input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "width"), cases())
@pytest.mark.parametrize("size", [30.0, 800.0, 1e10, 1e30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite_at_huge_scores(name, width, size, dtype):
    loss = CASES[name][0]
    x = size * np.array([[-1, 1, 0, 1, -1], [1, -1, -1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]], dtype)
    x = np.vstack([x, x])[:, :width].reshape((8,) if width == 1 else (8, width))
    y = np.repeat([0, 1], 4)
    assert np.isfinite(loss.loss(y, x))
    for array in (*loss.gradient_hessian(y, x), *loss.boosting_step(y, x, None, None)[:2]):
        assert np.isfinite(array).all()
    assert (loss.gradient_hessian(y, x)[1] > 0).all()
    assert (loss.boosting_step(y, x, None, None)[1] > 0).all()


@pytest.mark.parametrize(("name", "width"), cases())
def test_float32_scores(name, width, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    x = x.astype(np.float32)
    assert loss.loss(y, x, w) == pytest.approx(loss.loss(y, x.astype(np.float64), w), rel=1e-13)
    single, double = loss.gradient_hessian(y, x, w), loss.gradient_hessian(y, x.astype(np.float64), w)
    for a, b in zip(single, double, strict=True):
        assert a.dtype == np.float32
        assert b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=3e-7, atol=1e-30)
    gradient, hessian, _ = loss.boosting_step(y, x, w, None)
    assert gradient.dtype == hessian.dtype == np.float32


@pytest.mark.parametrize(("name", "width"), cases())
def test_memory_orders_labels_and_weights_of_all_kinds(name, width, rng):
    loss = CASES[name][0]
    x, y, w = problem(width, rng)
    w = np.round(w * 8) / 8
    truth = loss.gradient(y, x, w)
    scores = [np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x.tolist(), pd.DataFrame(x), x.astype(">f8")]
    if width > 1:
        scores.append(np.ascontiguousarray(x.T).T)
    for same in scores:
        np.testing.assert_array_equal(np.reshape(loss.gradient(y, same, w), truth.shape), truth)
    labels = [y.astype(t) for t in (np.int8, np.int64, np.float32, np.uint16, np.float16, ">f8")]
    labels += [y.tolist(), pd.Series(y, index=y.size - np.arange(y.size)), np.repeat(y, 2)[::2], y[:, None]]
    if width <= 2:
        labels.append(y.astype(bool))
    for same in labels:
        np.testing.assert_array_equal(loss.gradient(same, x, w), truth)
    for same in (w.tolist(), pd.Series(w), w.astype(np.float32), np.repeat(w, 2)[::2]):
        np.testing.assert_array_equal(loss.gradient(y, x, same), truth)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(loss.gradient(y, frozen, w), truth)
    if width == 1:
        assert loss.gradient(y, x[:, None], w).shape == (y.size, 1)


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_one_clear_error(name):
    loss = CASES[name][0]
    x2 = np.array([[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]])
    calls = [loss.loss, loss.gradient, loss.gradient_hessian, lambda *a: loss.boosting_step(*a, *[None] * (4 - len(a)))]
    wrong = [
        (([0, 1], [0.0, np.nan]), "raw_prediction must be finite, got nan at row 1"),
        (([0, 1], [-np.inf, 1.0]), "raw_prediction must be finite, got -inf at row 0"),
        (([0, 2], [0.0, 1.0]), "y_true must be 0 or 1, got 2 at row 1"),
        (([0, 0.5], [0.0, 1.0]), "y_true must be 0 or 1, got 0.5 at row 1"),
        (([0, np.nan], [0.0, 1.0]), "y_true must be 0 or 1, got nan at row 1"),
        ((["a", "b"], [0.0, 1.0]), "encode the labels first"),
        (([0], [0.0, 1.0]), r"y_true must have one entry per row.*\(2,\), got \(1,\)"),
        (([], []), "raw_prediction is empty"),
        (([], np.empty((0, 3))), "raw_prediction is empty"),
        (([0, 1], np.empty((2, 0))), "raw_prediction is empty"),
        (([0], np.zeros((1, 1, 1))), r"raw_prediction must have shape"),
        (([0, 1], ["a", "b"]), "raw_prediction must hold numbers"),
        (([0, 1], [0.0, 1.0], [1.0, -1.0]), "sample_weight must be finite and >= 0, got -1.0 at row 1"),
        (([0, 1], [0.0, 1.0], [1.0, np.nan]), "sample_weight must be finite and >= 0, got nan at row 1"),
        (([0, 1], [0.0, 1.0], [0.0, 0.0]), "sample_weight must have a positive sum"),
        (([0, 1], [0.0, 1.0], [1.0]), "sample_weight must have one entry per row"),
    ]
    if CASES[name][2] is not None:
        wrong += [
            (([0, 3], x2), "y_true must hold the classes 0 … 2.*got 3 at row 1"),
            (([0, -1], x2), "y_true must hold the classes 0 … 2.*got -1 at row 1"),
            (([0, 1.5], x2), "y_true must hold the classes 0 … 2.*got 1.5 at row 1"),
            (([0, 1], np.where(x2 == 2, np.nan, x2)), r"raw_prediction must be finite, got nan at row 0 \(2 such rows"),
        ]
    for arguments, message in wrong:
        for call in calls:
            with pytest.raises(ValueError, match=message):
                call(*arguments)


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
