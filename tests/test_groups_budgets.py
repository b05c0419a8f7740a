"""Losses with one budget per group: what budgets mean, and one clear error for bad budgets and bad rows."""

from __future__ import annotations

import numpy as np
import pytest
from _groups import LOSSES, budget_of, each_loss

from hsboost import HypersimplexLoss, project_hypersimplex

# --- budgets ------------------------------------------------------------------------------------------------------


@each_loss
def test_small_counts_shares_and_mappings_in_units_of_weight(kind, rng):
    groups = np.repeat([0, 1], [8, 12])
    x, y = rng.normal(size=20) * 0.3, (np.arange(20) % 3 == 0).astype(float)
    w = rng.integers(1, 4, 20).astype(float)
    totals, positives = np.bincount(groups, w), np.bincount(groups, w * y)
    for k, masses in {
        None: positives, 3: [3, 3], 0.25: 0.25 * totals, "each": [5, 0.5 * totals[1]], "one": [positives[0], 0],
    }.items():  # fmt: skip
        budgets = {"each": {0: 5, 1: 0.5}, "one": {0: None, 1: 0, "unused": 99}}.get(k, k)
        expected = project_hypersimplex(x, masses, sample_weight=w, groups=groups).soft_threshold
        np.testing.assert_allclose(kind(budgets).soft_threshold(y, x, w, groups), expected, rtol=0, atol=1e-13)


def test_small_budget_cuts_let_each_groups_best_through(rng):
    groups = rng.permutation(np.repeat(np.arange(3), 10))
    x, y = rng.permutation(30) / 8.0, np.arange(30) % 2
    for k, counts in (
        (4, [4, 4, 4]),
        ({0: 0, 1: 10, 2: 3}, [0, 10, 3]),
        (0.2, [2, 2, 2]),
        (None, np.bincount(groups, y)),
    ):
        cut = HypersimplexLoss(k).threshold(y, x, None, groups)
        assert cut.shape == (3,)
        np.testing.assert_array_equal(np.bincount(groups, x > cut[groups]), counts)


@pytest.mark.parametrize(
    "call",
    ["loss", "gradient_hessian", "soft_threshold", "threshold"],
)
@pytest.mark.parametrize(
    "small",
    [None, 0],
)
def test_small_groups_without_weight_disturb_nobody(call, small, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
    x, y, w, groups = (
        np.array([2.0, 1, 0.4, 0]),
        np.array([1.0, 0, 0, 1]),
        np.array([1.0, 0, 1, 0]),
        np.array([0, 1, 0, 1]),
    )
    for k in (None, 0.5, {0: 1, 1: None}):
        for kind in LOSSES:
            got = getattr(kind(k), call)(y, x, w, groups)
            alone = getattr(kind(budget_of(k, 0)), call)(y[::2], x[::2], w[::2])
            if call == "gradient_hessian":
                np.testing.assert_allclose([a[::2] for a in got], alone, rtol=1e-13)
                assert not np.any([a[1::2] for a in got])
            elif call == "loss":
                assert got == pytest.approx(alone)
            else:
                assert got[0] == pytest.approx(alone)
                assert np.isfinite(got).all()


X6, Y6, G6 = np.array([2.0, 1, 0, -1, 0.3, 0.4]), np.array([1, 0, 1, 0, 1, 0]), ["a", "a", "b", "b", "b", "c"]


@pytest.mark.parametrize(
    ("k", "message"),
    [
        ({"a": 1, "b": 1}, r"k has no budget for group 'c' \(1 such groups in all\); add it to the mapping"),
        ({0: {"a": 1, "b": 1, "c": 1}}, r"k has no budget for group 'a' \(3 such groups in all\)"),
        ({"a": {"a": 1}, "b": 1, "c": 1}, r"k is a mapping of 1 labels, but there is one projection only"),
    ],
)
@each_loss
def test_small_bad_budgets_are_one_clear_error(kind, k, message):
    loss = kind(k)
    for call in (loss.loss, loss.gradient_hessian, loss.soft_threshold, loss.threshold):
        with pytest.raises(ValueError, match=message):
            call(Y6, X6, None, G6)
    with pytest.raises(ValueError, match=message):
        loss.boosting_step(Y6, X6, None, None, G6)


@pytest.mark.parametrize(
    ("k", "message"),
    [
        ({}, r"k is an empty mapping; give each group or class a budget"),
        ({"a": 1.5}, r"k\['a'\]: k as a float is a share .* got 1.5; for a count pass an int, for example k=1"),
        ({"a": {"b": -1}}, r"k\['a'\]: k\['b'\]: k as a count must be >= 0, got -1"),
        ({"a": "many"}, r"k\['a'\]: k must be None, an int \(a count\) or a float in \(0, 1\).*got 'many'"),
        ([1, 2], r"k must be None, an int \(a count\) or a float in \(0, 1\) \(a share\), got \[1, 2\]"),
    ],
)
@each_loss
def test_small_bad_mappings_are_refused_at_once(kind, k, message):
    with pytest.raises(ValueError, match=message):
        kind(k)


@each_loss
def test_small_a_mapping_is_copied(kind):
    k = {"a": 1, "b": {"c": 2}}
    loss = kind(k)
    k["a"] = 7
    k["b"]["c"] = 8
    assert loss.k == {"a": 1, "b": {"c": 2}}
    assert repr(loss.k) in repr(loss)


@each_loss
def test_small_a_mapping_without_groups_is_an_error(kind):
    with pytest.raises(ValueError, match=r"k is a mapping of 2 labels.*pass groups="):
        kind({"a": 1, "b": 1}).loss(Y6, X6)


# --- bad rows -----------------------------------------------------------------------------------------------------


@each_loss
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("k", [None, 0, 0.3])
def test_scores_that_are_not_finite_in_a_small_and_in_a_large_group(kind, value, large, k, rng):
    groups = rng.permutation(np.repeat([0, 1], [17_000, 50]))
    x, y = rng.normal(size=groups.size), rng.integers(0, 2, groups.size)
    row = int(np.flatnonzero(groups == (0 if large else 1))[5])
    x[row] = value
    loss, message = kind(k), rf"raw_prediction must be finite, got {value} at row {row} \(1 such rows in all\)"
    for call in (loss.loss, loss.gradient_hessian, loss.soft_threshold, loss.threshold):
        with pytest.raises(ValueError, match=message):
            call(y, x, None, groups)
    good = loss.boosting_step(y, np.nan_to_num(x, posinf=0, neginf=0), None, None, groups)[2]
    for state in (None, good):
        with pytest.raises(ValueError, match=message):
            loss.boosting_step(y, x, None, state, groups)


@each_loss
@pytest.mark.parametrize("small", [None, 0])
def test_small_labels_and_weights_are_checked(kind, small, monkeypatch):
    if small is not None:
        monkeypatch.setattr("hsboost._solver.search.SMALL", small)
        monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", small)
    loss = kind()
    for wrong in (2, 0.5, np.nan, -1, 1e-60):
        y = np.array([1, 0, 1, wrong, 1, 0.0])
        with pytest.raises(ValueError, match=r"y_true must be 0 or 1, got .* at row 3 \(1 such rows in all\)"):
            loss.loss(y, X6, None, G6)
    for wrong in (-1.0, np.nan, np.inf):
        w = np.array([1, 1, 1, 1, wrong, 1.0])
        with pytest.raises(ValueError, match=r"sample_weight must be finite and >= 0, got .* at row 4 \(1 such"):
            loss.loss(Y6, X6, w, G6)
    with pytest.raises(ValueError, match="sample_weight must have a positive sum"):
        loss.loss(Y6, X6, np.zeros(6), G6)
    with pytest.raises(
        ValueError, match=r"y_true must have one entry per row of raw_prediction: expected shape \(6,\)"
    ):
        loss.loss(Y6[:5], X6, None, G6)
    with pytest.raises(
        ValueError, match=r"groups must have one entry per row of raw_prediction: expected shape \(6,\)"
    ):
        loss.loss(Y6, X6, None, G6[:5])


@each_loss
@pytest.mark.parametrize("label", [0, 1])
def test_small_one_class_in_all_groups_is_an_error_in_training(kind, label):
    y = np.full(6, label)
    with pytest.raises(ValueError, match=rf"y_true must hold both classes, 0 and 1, when k is None; got only {label}"):
        kind().boosting_step(y, X6, None, None, G6)
    assert kind().loss(y, X6, None, G6) == 0.0
    assert kind(0.4).boosting_step(y, X6, None, None, G6)[0].shape == (6,)
