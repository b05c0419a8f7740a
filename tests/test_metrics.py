"""precision@k and recall@k: brute force, scikit-learn, and life inside both boosters."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import LGB, XGB, lgb_data, make_data, make_weight, xgb_data
from hypothesis import given
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import precision_score, recall_score
from xgboost import XGBClassifier

from hsboost import PrecisionAtK, RecallAtK, hypersimplex_obj, precision_at_k, recall_at_k

BOTH = pytest.mark.parametrize("function", [precision_at_k, recall_at_k])
CLASSES = pytest.mark.parametrize("metric", [PrecisionAtK, RecallAtK])


def hits_by_brute_force(y: np.ndarray, score: np.ndarray, k: float, draws: int = 4000) -> float:
    """Positives among the first k rows, averaged over random orders of tied rows."""
    rng = np.random.default_rng(0)
    whole, part = int(k), k - int(k)
    hits = 0.0
    for _ in range(draws):
        ranked = y[np.lexsort((rng.random(y.size), -score))]
        hits += ranked[:whole].sum() + (part * ranked[whole] if part else 0.0)
    return hits / draws


@st.composite
def rankings(draw: st.DrawFn, weighted: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with a positive among them, scores with ties, integer weights (ones unless ``weighted``)."""
    n = draw(st.integers(1, 12))
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)))
    score = np.array(draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)), dtype=float)
    weight = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)) if weighted else [1] * n)
    at = draw(st.integers(0, n - 1))
    y[at], weight[at] = 1, max(weight[at], 1)
    return y, score, weight


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7, 8, None, 0.25, 0.3, 0.9])
def test_ties_are_the_average_over_all_orders(k: int | float | None) -> None:
    y = np.array([1, 0, 0, 1, 1, 0, 0, 1])
    score = np.array([3.0, 2, 2, 2, 1, 1, 1, 0])
    mass = 4 if k is None else k if isinstance(k, int) else k * 8
    hits = hits_by_brute_force(y, score, mass)
    assert precision_at_k(y, score, k) == pytest.approx(hits / mass, abs=0.02)
    assert recall_at_k(y, score, k) == pytest.approx(hits / 4, abs=0.02)


@BOTH
@given(rankings(weighted=True), st.data())
def test_integer_weights_are_repeated_rows(function: Any, ranking: Any, data: st.DataObject) -> None:
    y, score, weight = ranking
    k = data.draw(st.one_of(st.none(), st.integers(1, int(weight.sum())), st.floats(0.01, 0.99)))
    repeated = function(y.repeat(weight), score.repeat(weight), k)
    assert function(y, score, k, sample_weight=weight) == pytest.approx(repeated, rel=1e-12)


@BOTH
@given(rankings(weighted=True), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(function: Any, ranking: Any, random: Any) -> None:
    y, score, weight = ranking
    order = np.array(random.sample(range(y.size), y.size))
    for k in (None, 1, 0.4):
        value = function(y, score, k, sample_weight=weight)
        assert function(y[order], score[order], k, sample_weight=weight[order]) == pytest.approx(value, rel=1e-12)


@given(rankings(weighted=True), st.floats(0.01, 0.99))
def test_constant_scores_give_the_prevalence(ranking: Any, share: float) -> None:
    y, _, weight = ranking
    prevalence = (y * weight).sum() / weight.sum()
    for k in (None, 1, share):
        assert precision_at_k(y, np.full(y.size, 0.7), k, sample_weight=weight) == pytest.approx(prevalence)
    assert recall_at_k(y, np.zeros(y.size), share, sample_weight=weight) == pytest.approx(share)


@given(rankings())
def test_only_the_order_of_the_scores_counts(ranking: Any) -> None:
    y, score, _ = ranking
    for k in (None, 1, 0.4):
        assert precision_at_k(y, np.exp(3 * score) - 7, k) == precision_at_k(y, score, k)
        assert precision_at_k(y, score.astype(np.int8), k) == precision_at_k(y, score, k)


def test_without_ties_they_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    y, score = rng.integers(0, 2, 200), rng.permutation(200) / 7
    for k in (1, 17, 100, 200):
        top = np.zeros(200, dtype=int)
        top[np.argsort(-score)[:k]] = 1
        for y_, pos_label in ((y, 1), (1 - y, 0)):
            labels = (top, 1) if pos_label == 1 else (1 - top, 0)
            ours = precision_at_k(y_, score, k, pos_label=pos_label)
            assert ours == pytest.approx(precision_score(y_, labels[0], pos_label=labels[1]), rel=1e-12)
            ours = recall_at_k(y_, score, k, pos_label=pos_label)
            assert ours == pytest.approx(recall_score(y_, labels[0], pos_label=labels[1]), rel=1e-12)
    assert precision_at_k(y, score, 0.25) == precision_at_k(y, score, 50)
    assert precision_at_k(y, score) == precision_at_k(y, score, int(y.sum())) == recall_at_k(y, score)


def test_weighted_values_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    y, score, weight = rng.integers(0, 2, 200), rng.permutation(200) / 7, rng.uniform(0.1, 2, 200)
    order = np.argsort(-score)
    top = np.zeros(200, dtype=int)
    top[order[:40]] = 1
    share = float(weight[order[:40]].sum() / weight.sum())
    for ours, theirs in ((precision_at_k, precision_score), (recall_at_k, recall_score)):
        value = ours(y, score, share, sample_weight=weight)
        assert value == pytest.approx(theirs(y, top, sample_weight=weight), rel=1e-9)


@BOTH
def test_values_stay_in_the_unit_interval_whatever_the_rounding(function: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        n = int(rng.integers(1, 12))
        score, weight = rng.integers(0, 4, n).astype(float), rng.random(n)
        value = function(np.ones(n, dtype=int), score, float(rng.uniform(0.01, 0.99)), sample_weight=weight)
        assert 0.0 <= value <= 1.0


@BOTH
def test_labels_of_any_type(function: Any) -> None:
    y, score = np.array([1, 0, 1, 0, 0]), [5.0, 4.0, 3.0, 2.0, 1.0]
    expected = function(y, score, 1)
    names = np.where(y == 1, "spam", "ham")
    assert function(names, score, 1, pos_label="spam") == expected
    assert function(list(names), score, 1, pos_label="spam") == expected
    assert function(names.astype(object), score, 1, pos_label="spam") == expected
    assert function(y.astype(bool), score, 1) == expected
    assert function(y.astype(np.float32), score, 1) == expected
    assert function(y * 2 - 1, score, 1) == expected
    assert function(y, score, 1) != function(names, score, 1, pos_label="ham")
    assert function([1, 1], [0.1, 0.2], 2) == 1.0


@BOTH
def test_float32_and_column_scores(function: Any) -> None:
    y, score = [1, 0, 1, 0], np.array([[0.5], [0.25], [0.125], [0.0]], dtype=np.float32)
    assert function(y, score, 2) == function(y, score[:, 0], 2) == function(y, score[:, 0].tolist(), 2) == 0.5


def test_undefined_values_warn_at_the_callers_line() -> None:
    with pytest.warns(UndefinedMetricWarning, match=r"Precision@k is undefined because k is 0; 0\.0 is") as caught:
        assert precision_at_k([1, 0], [0.1, 0.2], 0) == 0.0
    assert caught[0].filename == __file__
    with pytest.warns(UndefinedMetricWarning, match="Precision@k is undefined because k is 0"):
        assert precision_at_k([0, 0], [0.1, 0.2]) == 0.0
    with pytest.warns(UndefinedMetricWarning, match="Recall@k is undefined because there are no positive") as caught:
        assert recall_at_k([0, 0], [0.1, 0.2], 1) == 0.0
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert precision_at_k([0, 0], [0.1, 0.2], 1) == 0.0
        assert recall_at_k([1, 0], [0.1, 0.2], 0) == 0.0


@BOTH
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": -1}, r"k as a count must be >= 0, got -1"),
        ({"k": 1.0}, r"k as a float is a share.*\(0, 1\), got 1\.0; for a count pass an int"),
        ({"k": 0.0}, r"k as a float is a share"),
        ({"k": float("nan")}, r"k as a float is a share.*got nan"),
        ({"k": True}, r"k must be None, an int .* got True"),
        ({"k": "all"}, r"k must be None, an int .* got 'all'"),
        ({"y_true": [1, 0]}, r"y_true must have one entry per row of y_score: expected shape \(3,\), got \(2,\)"),
        ({"y_true": [0, 1, 2]}, r"y_true must hold two values, pos_label=1 and one other.*y_true == your_label"),
        ({"y_true": ["a", "b", "a"]}, r"y_true must hold two values, pos_label=1"),
        ({"y_true": [1, 0, np.nan]}, r"y_true must hold two values, pos_label=1"),
        ({"y_score": [0.1, np.nan, 0.2]}, r"y_score must be finite, got nan at row 1 \(1 such rows"),
        ({"y_score": [0.1, 0.2, np.inf]}, r"y_score must be finite, got inf at row 2"),
        ({"y_score": []}, r"y_score is empty"),
        ({"y_score": np.ones((3, 2, 2))}, r"y_score must be one-dimensional, got shape \(3, 2, 2\)"),
        ({"y_true": [0, 1, 2], "y_score": np.ones((3, 2))}, r"y_true must hold the classes 0 … 1 .* got 2 at row 2"),
        ({"y_score": ["a", "b", "c"]}, r"y_score must hold numbers"),
        ({"sample_weight": [1, 2]}, r"sample_weight must have one entry per row of y_score"),
        ({"sample_weight": [1, -1, 1]}, r"sample_weight must be finite and >= 0, got -1\.0 at row 1"),
        ({"sample_weight": [1, 1, np.nan]}, r"sample_weight must be finite and >= 0, got nan at row 2"),
        ({"sample_weight": [0, 0, 0]}, r"sample_weight must have a positive sum"),
        ({"sample_weight": ["a", "b", "c"]}, r"sample_weight must hold numbers"),
    ],
)
def test_bad_input_gets_one_clear_error(function: Any, change: dict[str, Any], message: str) -> None:
    arguments = {"y_true": [1, 0, 0], "y_score": [0.3, 0.2, 0.1], **change}
    with pytest.raises(ValueError, match=message):
        function(**arguments)


# The metrics inside the boosters. Validation labels are noisy: the metric peaks early, then falls.


def split_data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, validation rows and weights of the latter that change the metric."""
    X, y = make_data(600, seed=3)
    weight = np.where(y[300:] == 1, 0.25, 2.0) * make_weight(300)
    return X[:300], y[:300], X[300:], y[300:], weight


def margin(model: Any, X: np.ndarray, rounds: int) -> np.ndarray:
    """Raw scores of the first rounds."""
    if isinstance(model, xgb.Booster):
        return model.predict(xgb_data(X), output_margin=True, iteration_range=(0, rounds))
    return np.asarray(model.predict(X, raw_score=True, num_iteration=rounds, num_threads=1))


@CLASSES
@pytest.mark.parametrize("weighted", [False, True])
def test_xgb_train_custom_metric(metric: Any, weighted: bool) -> None:
    X, y, X_val, y_val, w = split_data()
    weight = w if weighted else None
    measure = metric(0.1)
    history: dict[str, Any] = {}
    model = xgb.train(
        XGB, xgb_data(X, y), 12, obj=hypersimplex_obj, evals=[(xgb_data(X_val, y_val, weight=weight), "val")],
        custom_metric=measure, evals_result=history, verbose_eval=False,
    )  # fmt: skip
    function = precision_at_k if metric is PrecisionAtK else recall_at_k
    weight32 = None if weight is None else weight.astype(np.float32)
    expected = [function(y_val, margin(model, X_val, i + 1), 0.1, sample_weight=weight32) for i in range(12)]
    # XGBoost hands its history over as text with six digits.
    np.testing.assert_allclose(history["val"][measure.__name__], expected, atol=1e-6)
    assert len(set(expected)) > 3


def test_xgb_early_stopping_on_precision_maximises_by_itself() -> None:
    X, y, X_val, y_val, _ = split_data()
    history: dict[str, Any] = {}
    model = xgb.train(
        XGB, xgb_data(X, y), 60, obj=hypersimplex_obj, evals=[(xgb_data(X_val, y_val), "val")],
        custom_metric=PrecisionAtK(0.1), evals_result=history, verbose_eval=False, early_stopping_rounds=8,
    )  # fmt: skip
    values = history["val"]["precision@0.1"]
    assert 0 < model.best_iteration == int(np.argmax(values)) < len(values) - 1 < 59
    assert model.best_score == max(values)


def test_xgb_early_stopping_on_recall_with_maximize() -> None:
    X, y, X_val, y_val, _ = split_data()
    history: dict[str, Any] = {}
    stop = xgb.callback.EarlyStopping(rounds=8, metric_name="recall@30", maximize=True)
    model = xgb.train(
        XGB, xgb_data(X, y), 60, obj=hypersimplex_obj, evals=[(xgb_data(X_val, y_val), "val")],
        custom_metric=RecallAtK(30), evals_result=history, verbose_eval=False, callbacks=[stop],
    )  # fmt: skip
    values = history["val"]["recall@30"]
    assert 0 < model.best_iteration == int(np.argmax(values)) < len(values) - 1 < 59


@CLASSES
@pytest.mark.parametrize("weighted", [False, True])
def test_lgb_train_feval_and_early_stopping(metric: Any, weighted: bool) -> None:
    X, y, X_val, y_val, w = split_data()
    weight = w if weighted else None
    measure = metric(0.1)
    history: dict[str, Any] = {}
    train = lgb_data(X, y)
    model = lgb.train(
        {**LGB, "objective": hypersimplex_obj, "learning_rate": 0.3, "metric": "None"}, train, 60,
        valid_sets=[lgb_data(X_val, y_val, weight=weight, reference=train)], valid_names=["val"], feval=measure,
        callbacks=[lgb.record_evaluation(history), lgb.early_stopping(8, verbose=False)],
    )  # fmt: skip
    values = history["val"][measure.__name__]
    assert 1 <= model.best_iteration == int(np.argmax(values)) + 1 < len(values) < 60
    function = precision_at_k if metric is PrecisionAtK else recall_at_k
    weight32 = None if weight is None else weight.astype(np.float32)
    last = function(y_val, margin(model, X_val, model.best_iteration), 0.1, sample_weight=weight32)
    assert max(values) == pytest.approx(last, rel=1e-6)


@CLASSES
@pytest.mark.parametrize("weighted", [False, True])
def test_xgb_classifier_eval_metric(metric: Any, weighted: bool) -> None:
    X, y, X_val, y_val, w = split_data()
    measure = metric(0.1)
    model = XGBClassifier(
        objective=hypersimplex_obj, n_estimators=6, max_depth=3, n_jobs=1, eval_metric=measure, base_score=0.5
    )
    extra = {"sample_weight_eval_set": [w]} if weighted else {}
    model.fit(X, y, eval_set=[(X_val, y_val)], verbose=False, **extra)
    values = model.evals_result()["validation_0"][measure.__name__]
    function = precision_at_k if metric is PrecisionAtK else recall_at_k
    weight32 = w.astype(np.float32) if weighted else None
    scores = [model.predict(X_val, output_margin=True, iteration_range=(0, i + 1)) for i in range(6)]
    np.testing.assert_allclose(values, [function(y_val, s, 0.1, sample_weight=weight32) for s in scores], atol=1e-6)


@CLASSES
@pytest.mark.parametrize("weighted", [False, True])
def test_lgbm_classifier_eval_metric(metric: Any, weighted: bool) -> None:
    X, y, X_val, y_val, w = split_data()
    measure = metric(0.1)
    model = LGBMClassifier(objective=hypersimplex_obj, n_estimators=6, num_leaves=8, n_jobs=1, verbose=-1)
    extra = {"eval_sample_weight": [w]} if weighted else {}
    model.fit(X, y, eval_set=[(X_val, y_val)], eval_metric=measure.lightgbm, **extra)
    values = model.evals_result_["valid_0"][measure.__name__]
    function = precision_at_k if metric is PrecisionAtK else recall_at_k
    weight32 = w.astype(np.float32) if weighted else None
    scores = [model.predict(X_val, raw_score=True, num_iteration=i + 1) for i in range(6)]
    np.testing.assert_allclose(values, [function(y_val, s, 0.1, sample_weight=weight32) for s in scores], rtol=1e-6)


@CLASSES
@pytest.mark.parametrize("k", [None, 3, 0.05])
def test_pickling_names_and_repr(metric: Any, k: int | float | None) -> None:
    measure = metric(k)
    stem = "precision" if metric is PrecisionAtK else "recall"
    assert measure.__name__ == f"{stem}@{'positives' if k is None else k}"
    assert repr(measure) == f"{metric.__name__}(k={k})"
    restored = pickle.loads(pickle.dumps(measure))
    y, score = [1, 0, 1, 0, 1, 0], [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]
    assert type(restored) is metric
    assert (restored.k, restored.__name__) == (measure.k, measure.__name__)
    assert restored(y, score) == measure(y, score)
    assert measure.lightgbm(y, score) == (measure.__name__, measure(y, score), True)


@CLASSES
@pytest.mark.parametrize("k", [1.5, -1, True, "a"])
def test_a_bad_k_is_refused_at_once(metric: Any, k: Any) -> None:
    with pytest.raises(ValueError, match=r"^k "):
        metric(k)
