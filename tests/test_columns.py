"""Scores with one column per class: C problems in one call, each against the indicator of its class."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hsboost import HypersimplexLoss, HypersimplexObjective
from hsboost._kernels._compile import BLOCK
from hsboost.losses._problems import Rows
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss

LOSSES = [HypersimplexLoss, HypersimplexFYLoss]
each_loss = pytest.mark.parametrize("kind", LOSSES)


def make(rng, n=60, classes=3, weighted=False, grouped=False):
    y = rng.integers(0, classes, n)
    x = rng.normal(size=(n, classes)) * 0.6 + 0.8 * (y[:, None] == np.arange(classes))
    return y, x, rng.uniform(0.3, 2, n) if weighted else None, rng.integers(0, 3, n) if grouped else None


@each_loss
@pytest.mark.parametrize("k", [None, 4, 0.2, {0: 3, 1: None, 2: 0.4}])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_small_equals_one_problem_per_column(kind, k, weighted, grouped, rng):
    y, x, w, groups = make(rng, weighted=weighted, grouped=grouped)
    loss = kind(k, 0.8)
    gradient, hessian = loss.gradient_hessian(y, x, w, groups)
    step = loss.boosting_step(y, x, w, None, groups)
    assert gradient.shape == hessian.shape == step[0].shape == step[1].shape == x.shape
    value = 0.0
    for c in range(3):
        alone, labels = kind(k[c] if isinstance(k, dict) else k, 0.8), (y == c).astype(int)
        value += alone.loss(labels, x[:, c], w, groups)
        one = alone.gradient_hessian(labels, x[:, c], w, groups)
        np.testing.assert_array_equal(gradient[:, c], one[0])
        np.testing.assert_array_equal(hessian[:, c], one[1])
        for ours, theirs in zip(step[:2], alone.boosting_step(labels, x[:, c], w, None, groups)[:2], strict=True):
            np.testing.assert_array_equal(ours[:, c], theirs)
        for cut in ("soft_threshold", "threshold"):
            np.testing.assert_array_equal(getattr(loss, cut)(y, x, w, groups)[c],
                                          getattr(alone, cut)(labels, x[:, c], w, groups))  # fmt: skip
    assert loss.loss(y, x, w, groups) == pytest.approx(value, rel=1e-13)
    assert loss.soft_threshold(y, x, w, groups).shape == ((3, 3) if grouped else (3,))


@each_loss
def test_small_classes_map_to_groups(kind, rng):
    y, x, w, groups = make(rng, weighted=True, grouped=True)
    k = {0: {0: 2, 1: None, 2: 0.5}, 1: 0.3, 2: {0: None, 1: 1, 2: 0, "unused": 5}}
    value = sum(kind(k[c]).loss((y == c) * 1, x[:, c], w, groups) for c in range(3))
    assert kind(k).loss(y, x, w, groups) == pytest.approx(value, rel=1e-13)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("grouped", [False, True])
def test_small_any_memory_order_and_both_precisions(kind, dtype, grouped, rng):
    y, x, w, groups = make(rng, weighted=True, grouped=grouped)
    x, loss = x.astype(dtype), kind()
    truth = loss.gradient_hessian(y, np.ascontiguousarray(x), w, groups)
    assert {a.dtype for a in truth} == {np.dtype(dtype)}
    for same in (np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], pd.DataFrame(x)):
        for ours, theirs in zip(loss.gradient_hessian(y, same, w, groups), truth, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    double = loss.gradient_hessian(y, x.astype(np.float64), w, groups)
    for ours, theirs in zip(truth, double, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
    step = loss.boosting_step(y, x, w, None, groups)
    assert step[0].dtype == step[1].dtype == np.float32


@each_loss
@pytest.mark.parametrize("grouped", [False, True])
def test_small_gradient_is_the_derivative_of_the_loss(kind, grouped, rng):
    y, x, w, groups = make(rng, n=24, weighted=True, grouped=grouped)
    loss, h = kind(temperature=0.7), 1e-6
    numeric = np.empty_like(x)
    for i, c in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[i, c] = h
        numeric[i, c] = (loss.loss(y, x + step, w, groups) - loss.loss(y, x - step, w, groups)) / (2 * h)
    np.testing.assert_allclose(loss.gradient_hessian(y, x, w, groups)[0], numeric, rtol=0, atol=1e-6)


@each_loss
@pytest.mark.parametrize("grouped", [False, True])
def test_a_warm_start_changes_nothing(kind, grouped, rng):
    y, x, w, groups = make(rng, n=500, weighted=True, grouped=grouped)
    loss = kind()
    state = loss.boosting_step(y, x, w, None, groups)[2]
    assert state.soft_threshold.shape == (3, len(np.unique(groups))) if grouped else (3,)
    for labels, scores, weight in ((y, x + 0.1, w), (y[::-1], x, w), (y, x * 50, w[::-1]), (y, x[:, ::-1], None)):
        cold, warm = (loss.boosting_step(labels, scores, weight, s, groups) for s in (None, state))
        for a, b in zip(cold[:2], warm[:2], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for other in (x[:, :2], np.column_stack([x, x])):  # fewer and more classes than the state knows
        labels = np.minimum(y, other.shape[1] - 1)
        cold, warm = (loss.boosting_step(labels, other, w, s, groups) for s in (None, state))
        np.testing.assert_allclose(warm[0], cold[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint16, np.float32, np.float64])
def test_the_columns_of_classes_are_those_of_each_label(kind, rng):
    n = 3 * BLOCK + 7  # blocks of rows, and a rest
    y = rng.integers(0, 5, n)
    rows = Rows.of(np.asfortranarray(rng.normal(size=(n, 5))), y.astype(kind), None, None)
    np.testing.assert_array_equal(rows.y, y == np.arange(5)[:, None])
    assert rows.y.dtype == np.float32


@each_loss
@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 2, 3], r"y_true must hold the classes 0 … 2 when scores have 3 columns, got 3 at row 3 \(1 such"),
        ([0, -1, 2, 1], r"y_true must hold the classes 0 … 2 .* got -1 at row 1 \(1 such"),
        ([0, 0.5, 2, 1.5], r"y_true must hold the classes 0 … 2 .* got 0.5 at row 1 \(2 such"),
        ([0, 1, np.nan, 1], r"y_true must hold the classes 0 … 2 .* got nan at row 2"),
        (list("abca"), r"y_true must hold the classes 0 … 2, got dtype <U1; encode them first"),
        ([0, 1, 2], r"y_true must have one entry per row of raw_prediction: expected shape \(4,\), got \(3,\)"),
        (np.eye(4, 3), r"y_true must have one entry per row of raw_prediction: expected shape \(4,\), got \(4, 3\)"),
    ],
)
def test_small_labels_that_are_no_classes_are_one_clear_error(kind, y, message, rng):
    x = rng.normal(size=(4, 3))
    for call in (kind().loss, kind().gradient_hessian, kind().soft_threshold, kind().threshold):
        with pytest.raises(ValueError, match=message):
            call(y, x)
    with pytest.raises(ValueError, match=message):
        kind().boosting_step(y, x, None, None)


@each_loss
def test_small_budgets_of_classes_are_checked(kind, rng):
    y, x, _, _ = make(rng)
    with pytest.raises(ValueError, match=r"k has no budget for class 2 \(of 3\); add it to the mapping"):
        kind({0: 1, 1: None}).loss(y, x)
    with pytest.raises(ValueError, match=r"k has no budget for class 0 \(of 3\)"):
        kind({"a": 1}).loss(y, x)
    assert kind(61).loss(y, x) == kind(60).loss(y, x)
    with pytest.raises(ValueError, match=r"k is a mapping of 1 labels.*pass groups="):
        kind({0: 1, 1: {"a": 1}, 2: 1}).loss(y, x)


@each_loss
def test_small_a_class_without_rows_gets_nothing_and_disturbs_nobody(kind, rng):
    y, x, w, _ = make(rng, weighted=True)
    y[y == 1] = 0
    gradient, hessian, _ = kind().boosting_step(y, x, w, None)
    assert not gradient[:, 1].any()
    assert hessian.min() > 0
    assert gradient[:, 0].any()
    assert np.isfinite(kind().threshold(y, x, w)).all()


@each_loss
@pytest.mark.parametrize("weight", [None, pytest.param("ones of one class")])
def test_small_one_class_only_is_an_error_in_training(kind, weight, rng):
    y, x, _, _ = make(rng)
    weight = None if weight is None else (y == 1).astype(float)
    y = np.ones_like(y) if weight is None else y
    with pytest.raises(
        ValueError,
        match=r"y_true must hold at least two classes .*when k is None; got only \[1\]; pass the labels, or give k",
    ):
        kind().boosting_step(y, x, weight, None)


@each_loss
def test_small_scores_that_are_not_finite_are_named_by_their_row(kind, rng):
    y, x, _, groups = make(rng, grouped=True)
    x[17, 1] = np.nan
    for labels in (None, groups):
        for call in (kind().loss, kind().gradient_hessian, kind().soft_threshold, kind().threshold):
            with pytest.raises(ValueError, match=r"raw_prediction must be finite, got nan at row 17 \(1 such"):
                call(y, x, None, labels)


def test_small_the_highest_score_above_its_threshold_predicts(rng):
    """Columns live on scales of their own: only relative to their thresholds do they compare."""
    y, x, _, _ = make(rng, n=400)
    x = 4 * (y[:, None] == np.arange(3)) + rng.normal(size=(400, 3)) + np.array([100.0, -50.0, 0.0])
    cut = HypersimplexObjective().fit_threshold(x, y)
    assert cut.shape == (3,)
    np.testing.assert_array_equal((x > cut).sum(axis=0), np.bincount(y))
    assert (np.argmax(x - cut, axis=1) == y).mean() > 0.95
    assert (np.argmax(x, axis=1) == y).mean() < 0.5
