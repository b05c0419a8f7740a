"""What losses that are sums over rows make of weights, orders, renamed classes and kinds of input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from _row_losses import CASES, SHIFT, SYMMETRIC, cases, problem

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
