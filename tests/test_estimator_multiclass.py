"""HSClassifier with more than two classes: thresholds, decisions, top k, budgets by class, calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from _models import BOOSTERS, N, multi, raw, small
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from hsboost import HSClassifier, HypersimplexLoss

X, Y = multi()
NAMES = np.array(["ham", "junk", "spam"])


# Multipliers and decisions


@BOOSTERS
@pytest.mark.parametrize("k", [None, 30, 0.25, {0: 60, 1: 0.5, 2: None}])
def test_each_class_has_the_cut_of_its_own_budget(booster: str, k: Any) -> None:
    fine = small(booster, n_estimators=40, min_child_weight=0.0)
    model = HSClassifier(fine, k=k, threshold="training", loss="hypersimplex").fit(X, Y)
    scores = raw(model, X)
    assert model.threshold_.shape == (3,)
    clear = 0
    for c in range(3):
        budget = k[c] if isinstance(k, dict) else k
        count = int((c == Y).sum()) if budget is None else budget if isinstance(budget, int) else round(budget * N)
        assert model.threshold_[c] == HypersimplexLoss(budget).threshold(c == Y, scores[:, c])
        ranked = np.sort(scores[:, c])[::-1]
        if ranked[count - 1] > ranked[count]:
            clear += 1
            assert model.threshold_[c] == pytest.approx((ranked[count - 1] + ranked[count]) / 2)
            assert (scores[:, c] > model.threshold_[c]).sum() == count
    assert clear > 0, "scores tied at every boundary: no test"
    decision = model.decision_function(X)
    np.testing.assert_array_equal(decision, scores - model.threshold_)
    assert decision.dtype == np.float64
    np.testing.assert_array_equal(model.predict(X), decision.argmax(axis=1))


@BOOSTERS
def test_weights_reach_every_class(booster: str) -> None:
    weight = np.random.default_rng(3).uniform(0.2, 3.0, N)
    k = {0: 0.2, 1: 40, 2: None}
    model = HSClassifier(small(booster), k=k, threshold="training", loss="hypersimplex").fit(X, Y, sample_weight=weight)
    scores = raw(model, X)
    for c in range(3):
        assert model.threshold_[c] == HypersimplexLoss(k[c]).threshold(c == Y, scores[:, c], weight)
    assert (
        np.abs(
            raw(HSClassifier(small(booster), k=k, threshold="training", loss="hypersimplex").fit(X, Y), X) - scores
        ).max()
        > 1e-3
    )


def test_integer_weights_are_repeated_rows() -> None:
    weight = np.random.default_rng(3).integers(1, 4, N)
    model = HSClassifier(small("xgboost", tree_method="exact"), hessian="unit", threshold="training")
    weighted = model.fit(X, Y, sample_weight=weight).decision_function(X)
    repeated = model.fit(X.repeat(weight, axis=0), Y.repeat(weight)).decision_function(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-5)


@BOOSTERS
@pytest.mark.parametrize("loss", ["hypersimplex", "hypersimplex-fy", "log-loss"])
@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_accuracy_is_sane(booster: str, loss: str, load: Any) -> None:
    rows, labels = load(return_X_y=True)
    train, test, y_train, y_test = train_test_split(rows[:900], labels[:900], random_state=0, stratify=labels[:900])
    rival = RandomForestClassifier(30, max_depth=6, random_state=0).fit(train, y_train).score(test, y_test)
    # Newton steps of log loss in softmax go half as far: the same rate needs more rounds.
    model = HSClassifier(small(booster, n_estimators=20, learning_rate=0.5), loss=loss).fit(train, y_train)
    assert model.score(test, y_test) > rival - 0.08 > 0.75
    assert model.decision_function(test).shape == (len(test), len(np.unique(labels)))


@BOOSTERS
@pytest.mark.parametrize(
    "labels",
    [NAMES, NAMES.astype(object), np.array([-1, 0, 7]), np.array([0.0, 1.0, 2.0]), np.array([1, 2, 3], np.uint8)],
    ids=["str", "object", "int", "float", "uint8"],
)
def test_labels_of_any_type(booster: str, labels: np.ndarray) -> None:
    expected = HSClassifier(small(booster)).fit(X, Y)
    model = HSClassifier(small(booster)).fit(X, labels[Y], eval_set=(X[:50], labels[Y[:50]]))
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.predict(X).dtype == labels.dtype
    np.testing.assert_array_equal(model.decision_function(X), expected.decision_function(X))
    np.testing.assert_array_equal(model.predict(X), labels[expected.predict(X)])


# Top k


def by_permutation(decision: np.ndarray, budgets: list[int | float]) -> np.ndarray:
    """Row by row, class by class: a row is in if fewer rows than the count go before it."""
    n, n_classes = decision.shape
    out = np.zeros((n, n_classes), dtype=bool)
    for c in range(n_classes):
        count = budgets[c] if isinstance(budgets[c], int) else round(budgets[c] * n)
        for i in range(n):
            before = sum(
                decision[j, c] > decision[i, c] or (decision[j, c] == decision[i, c] and j < i) for j in range(n)
            )
            out[i, c] = before < count
    return out


@BOOSTERS
@pytest.mark.parametrize("k", [3, 0, 7, 0.4, {"ham": 2, "junk": 0.5, "spam": 0}, {"spam": 7, "junk": 1, "ham": 0.1}])
def test_top_k_is_the_one_of_brute_force(booster: str, k: Any) -> None:
    model = HSClassifier(small(booster, n_estimators=2, max_depth=1), k=0.3).fit(X, NAMES[Y])
    budgets = [k[name] for name in NAMES] if isinstance(k, dict) else [k] * 3
    for start in range(0, 70, 7):
        rows = X[start : start + 7]
        chosen = model.predict_top_k(rows, k)
        assert chosen.dtype == np.bool_
        np.testing.assert_array_equal(chosen, by_permutation(model.decision_function(rows), budgets))


def test_the_models_own_budgets_are_the_default() -> None:
    k = {"ham": 5, "junk": 7, "spam": 2}
    model = HSClassifier(small("xgboost"), k=k).fit(X, NAMES[Y])
    assert model.predict_top_k(X).sum(axis=0).tolist() == [5, 7, 2]
    with pytest.raises(ValueError, match="k must be an int"):
        HSClassifier(small("xgboost")).fit(X, Y).predict_top_k(X)
    with pytest.raises(ValueError, match="k must be an int"):
        model.predict_top_k(X, {"ham": None, "junk": 1, "spam": 1})


@pytest.mark.parametrize(
    ("k", "message"),
    [
        ({"ham": 1, "junk": 1}, r"k has no budget for class 'spam'; give every class a budget"),
        ({"ham": 1, "junk": 1, "spam": 1, "egg": 1}, r"k has the unknown class 'egg'"),
        ({0: 1, 1: 1, 2: 1}, r"k has the unknown class 0"),
        ({"ham": 1, "junk": 1, "spam": {"a": 1}}, r"pass groups="),
        ({"ham": 1, "junk": 1, "spam": 1.5}, r"k\['spam'\]: k as a float is a share"),
    ],
)
def test_mappings_that_do_not_fit(k: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(small("xgboost"), k=k).fit(X, NAMES[Y])
    with pytest.raises(ValueError, match=message):
        HSClassifier(small("xgboost"), k=3).fit(X, NAMES[Y]).predict_top_k(X, k)


def test_a_mapping_for_two_classes_names_the_positive_one() -> None:
    labels = np.where(Y == 2, "yes", "no")
    expected = HSClassifier(small("xgboost"), k=30).fit(X, labels)
    model = HSClassifier(small("xgboost"), k={"yes": 30}).fit(X, labels)
    np.testing.assert_array_equal(model.decision_function(X), expected.decision_function(X))
    assert (model.predict_top_k(X) == "yes").sum() == 30
    truth = HSClassifier(small("xgboost"), k={True: 30}).fit(X, Y == 2)
    np.testing.assert_array_equal(truth.decision_function(X), expected.decision_function(X))
    assert truth.predict_top_k(X, {True: 4}).sum() == 4
    for wrong in ({"no": 30}, {"yes": 30, "no": 210}, {1: 30}):
        with pytest.raises(ValueError, match="may name the positive class only"):
            HSClassifier(small("xgboost"), k=wrong).fit(X, labels)


# Budgets when rows are set aside, probabilities


@BOOSTERS
@pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
def test_calibrated_probabilities(booster: str, kind: Any) -> None:
    rows, labels = multi(600, seed=2)
    test, y_test = multi(600, seed=3)
    model = HSClassifier(small(booster, n_estimators=15), calibration=kind, calibration_fraction=0.3, random_state=0)
    probability = model.fit(rows, NAMES[labels]).predict_proba(test)
    assert probability.shape == (600, 3)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert probability.min() >= 0.0
    assert len(model.calibrators_) == 3
    prevalence = np.tile(np.bincount(labels) / 600, (600, 1))
    apart = 0.99 * probability + 0.01 / 3  # isotonic ones may be 0
    assert log_loss(y_test, apart) < 0.8 * log_loss(y_test, prevalence)
    assert np.abs(probability.mean(axis=0) - np.bincount(y_test) / 600).max() < 0.1


@BOOSTERS
def test_counts_become_shares_when_rows_are_set_aside(booster: str) -> None:
    k = {0: 60, 1: None, 2: 0.1}
    model = HSClassifier(small(booster), k=k, calibration="sigmoid", calibration_fraction=0.25, random_state=0)
    assert model.fit(X, Y).objective_.loss.k == {0: 0.25, 1: None, 2: 0.1}
    watched = HSClassifier(small(booster), k=k, calibration="sigmoid").fit(X, Y, eval_set=multi(seed=1))
    assert watched.objective_.loss.k == k


def test_where_no_class_has_a_chance_all_have_the_same() -> None:
    from hsboost.estimators._calibration import Isotonic, predict

    never = [Isotonic(np.array([0.0, 1.0]), np.array([0.0, 0.0]))] * 3
    np.testing.assert_allclose(predict(never, np.zeros((4, 3))), 1 / 3)


@BOOSTERS
def test_probabilities_without_calibration_for_losses_that_have_them(booster: str) -> None:
    model = HSClassifier(small(booster), loss="softmax").fit(X, NAMES[Y])
    probability = model.predict_proba(X)
    score = raw(model, X) + model.objective_.offset
    expected = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probability, expected, rtol=1e-6)
    np.testing.assert_array_equal(NAMES[probability.argmax(axis=1)], model.predict(X))
    assert not model.threshold_.any()


# Errors


@BOOSTERS
def test_classes_must_be_known(booster: str) -> None:
    with pytest.raises(ValueError, match=r"eval_set holds the label .*egg.*which y does not"):
        HSClassifier(small(booster)).fit(X, NAMES[Y], eval_set=(X, np.where(Y == 1, "egg", NAMES[Y])))
    with pytest.raises(ValueError, match=r"y should be a 1d array"):
        HSClassifier(small(booster)).fit(X, np.column_stack([Y, Y]))


@BOOSTERS
def test_a_class_without_weight_is_never_chosen_for_certain(booster: str) -> None:
    model = HSClassifier(small(booster)).fit(X, Y, sample_weight=(Y != 1).astype(float))
    assert np.isfinite(model.decision_function(X)).all()
    assert (model.predict(X) == 1).mean() < 0.05


def test_a_class_that_is_set_aside_whole_is_an_error() -> None:
    labels = Y.copy()
    labels[0] = 3
    with pytest.raises(ValueError, match=r"leaves a class without rows \(\["):
        HSClassifier(small("xgboost"), calibration="sigmoid").fit(X, labels)
