"""precision@k and recall@k over groups and classes, against a loop; PrecisionAtK(groups=...) in both boosters."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _boosters import LGB, XGB, lgb_data, make_data, xgb_data
from _models import small
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from hsboost import HypersimplexObjective, PrecisionAtK, RecallAtK, precision_at_k, recall_at_k

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")


def hits_of(rows: list[tuple[int, int, int]], k: Any) -> tuple[Fraction, Fraction, Fraction]:
    """(hits, budget, positives) of rows (score, label, weight): ties share what is left, a count takes at most all."""
    total = Fraction(sum(w for _, _, w in rows))
    positives = Fraction(sum(w for _, y, w in rows if y))
    mass = positives if k is None else min(Fraction(k), total) if isinstance(k, int) else Fraction(k) * total
    hits, left = Fraction(0), mass
    for score in sorted({s for s, _, _ in rows}, reverse=True):
        tied = [(y, w) for s, y, w in rows if s == score]
        weight = sum(w for _, w in tied)
        taken = min(left, Fraction(weight))
        if weight:
            hits += taken * sum(w for y, w in tied if y) / weight
        left -= taken
    return hits, mass, positives


def by_loop(y: Any, score: np.ndarray, k: Any, weight: Any, groups: Any) -> tuple[float, float]:
    """(precision, recall): every class, every group, by itself; sums at the end."""
    weight = [1] * len(y) if weight is None else weight
    groups = [0] * len(y) if groups is None else groups
    columns = [score] if score.ndim == 1 else list(score.T)
    sums = [Fraction(0)] * 3
    for c, column in enumerate(columns):
        of_class = k[c] if isinstance(k, dict) and score.ndim == 2 else k
        for g in dict.fromkeys(groups):
            rows = [
                (int(s), int(label == (1 if score.ndim == 1 else c)), int(w))
                for s, label, w, h in zip(column, y, weight, groups, strict=True)
                if h == g
            ]
            budget = of_class[g] if isinstance(of_class, dict) else of_class
            sums = [a + b for a, b in zip(sums, hits_of(rows, budget), strict=True)]
    hits, mass, positives = sums
    return float(hits / mass) if mass else 0.0, float(hits / positives) if positives else 0.0


SHARES = [0.25, 0.5, 0.375]  # exact in binary


@st.composite
def problems(draw: st.DrawFn) -> dict[str, Any]:
    """Rows with ties, groups, weights perhaps, one score or three, a budget in any of its forms."""
    n = draw(st.integers(1, 14))
    n_classes = draw(st.sampled_from([1, 3]))
    numbers = st.lists(st.integers(-2, 2), min_size=n, max_size=n)
    score = np.array([draw(numbers) for _ in range(n_classes)], dtype=float).T
    groups = draw(st.lists(st.sampled_from("abc"), min_size=n, max_size=n))
    weight = draw(st.none() | st.lists(st.integers(0, 3), min_size=n, max_size=n))
    if weight is not None and sum(weight) == 0:
        weight[0] = 1
    one = st.none() | st.integers(0, 4) | st.sampled_from(SHARES)
    # Counts beyond the group are among them.
    each = st.none() | st.integers(0, 20) | st.sampled_from(SHARES)
    by_group = st.fixed_dictionaries(dict.fromkeys(sorted(set(groups)), each))
    k: Any = draw(one | by_group)
    if n_classes == 3:
        k = draw(
            st.just(k) if not isinstance(k, dict) else st.fixed_dictionaries(dict.fromkeys(range(3), one | by_group))
        )
    return {
        "y": np.array(draw(st.lists(st.integers(0, max(n_classes - 1, 1)), min_size=n, max_size=n))),
        "score": score[:, 0] if n_classes == 1 else score, "k": k, "weight": weight, "groups": groups,
    }  # fmt: skip


@given(problems())
def test_groups_and_classes_are_the_loop(problem: dict[str, Any]) -> None:
    p = problem
    precision, recall = by_loop(p["y"], p["score"], p["k"], p["weight"], p["groups"])
    arguments = {"sample_weight": p["weight"], "groups": p["groups"]}
    assert precision_at_k(p["y"], p["score"], p["k"], **arguments) == pytest.approx(precision, abs=1e-12)
    assert recall_at_k(p["y"], p["score"], p["k"], **arguments) == pytest.approx(recall, abs=1e-12)


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_the_names_of_groups_do_not_matter(problem: dict[str, Any], random: Any) -> None:
    p = problem
    order = list(range(len(p["y"])))
    random.shuffle(order)
    weight = None if p["weight"] is None else np.array(p["weight"])[order]
    value = precision_at_k(p["y"], p["score"], p["k"], sample_weight=p["weight"], groups=p["groups"])
    other = precision_at_k(
        p["y"][order], p["score"][order], p["k"], sample_weight=weight, groups=np.array(p["groups"])[order]
    )
    assert other == pytest.approx(value, abs=1e-12)


@given(st.integers(1, 12), st.integers(0, 12), st.data())
def test_columns_without_groups_are_added_up(n: int, k: int, data: st.DataObject) -> None:
    rows = st.lists(st.integers(-2, 2), min_size=n, max_size=n)
    score = np.array([data.draw(rows) for _ in range(3)], dtype=float).T
    y = np.array(data.draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    budget = {0: min(k, n), 1: None, 2: 0.5}
    precision, recall = by_loop(y, score, budget, None, None)
    assert precision_at_k(y, score, budget) == pytest.approx(precision, abs=1e-12)
    assert recall_at_k(y, score, budget) == pytest.approx(recall, abs=1e-12)


def test_a_group_smaller_than_the_count_gives_all_its_rows() -> None:
    y, score, groups = [1, 0, 1, 1, 0, 0], [1.0, 0.0, 3.0, 2.0, 1.0, 0.0], ["a", "a", "b", "b", "b", "b"]
    assert precision_at_k(y, score, 3, groups=groups) == pytest.approx(3 / 5)
    assert recall_at_k(y, score, 100, groups=groups) == 1.0
    assert precision_at_k(y, score, 100, groups=groups) == 0.5


def test_ties_share_the_last_places_of_their_group() -> None:
    y, score, groups = [1, 0, 0, 1, 1, 0], [1.0] * 6, [0, 0, 0, 1, 1, 1]
    assert precision_at_k(y, score, 1, groups=groups) == 0.5
    assert precision_at_k(y, score, {0: 3, 1: 1}, groups=groups) == pytest.approx((1 + 2 / 3) / 4)


@pytest.mark.parametrize(
    "groups",
    [
        list("aabbcc"), pd.Categorical(list("aabbcc"), list("zcba")), pd.Series(list("aabbcc"), index=range(9, 3, -1)),
        np.repeat(np.array(["2026-01-01", "2026-01-02", "2026-01-03"], "M8[D]"), 2), [0.5, 0.5, 1, 1, 2, 2],
    ],
    ids=["list", "categories", "series", "dates", "floats"],
)  # fmt: skip
def test_group_labels_of_any_kind(groups: Any) -> None:
    assert precision_at_k([1, 0, 0, 1, 1, 0], [2, 1, 2, 1, 2, 1], 1, groups=groups) == pytest.approx(2 / 3)


def test_one_group_and_one_column_are_the_plain_metric() -> None:
    rng = np.random.default_rng(0)
    y, score, weight = rng.integers(0, 2, 50), rng.integers(0, 9, 50), rng.uniform(0, 2, 50)
    for k in (None, 7, 0.3):
        plain = precision_at_k(y, score, k, sample_weight=weight)
        assert precision_at_k(y, score, k, sample_weight=weight, groups=np.zeros(50)) == pytest.approx(plain)
        assert precision_at_k(y, score[:, None], k, sample_weight=weight) == plain


def test_a_list_of_pos_label_and_groups() -> None:
    value = precision_at_k(["x", "y", "x"], [3, 2, 1], 1, groups=[0, 0, 1], pos_label="x")
    assert value == 1.0


def test_empty_budgets_and_groups_without_positives_warn_once_if_at_all() -> None:
    with pytest.warns(UndefinedMetricWarning, match="k is 0"):
        assert precision_at_k([1, 0], [1, 0], 0, groups=[0, 1]) == 0.0
    with pytest.warns(UndefinedMetricWarning, match="no positive labels"):
        assert recall_at_k([0, 0], [1, 0], 1, groups=[0, 1]) == 0.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": [0]}, r"groups must have one entry per row of y_score: expected shape \(4,\), got \(1,\)"),
        ({"groups": [[0]] * 4}, r"groups must be one-dimensional"),
        ({"groups": ["a", None, "b", "b"]}, r"groups must not hold missing labels|labels of one kind"),
        ({"groups": [0, 0, 1, 1], "k": {0: 1}}, r"k has no budget for group 1"),
        ({"k": {0: 1}}, r"pass groups="),
        ({"y_score": np.zeros((4, 2)), "k": {0: 1}}, r"k has no budget for class 1"),
        ({"y_score": np.zeros((4, 2)), "y_true": [0, 1, 2, 0]}, r"y_true must hold the classes 0 … 1"),
        ({"y_score": np.zeros((4, 2)), "y_true": list("abab")}, r"y_true must hold the classes 0 … 1, got dtype"),
        ({"y_score": np.full((4, 2), np.nan)}, r"y_score must be finite"),
        ({"y_score": np.zeros((4, 2, 2))}, r"y_score must be one-dimensional"),
        ({"groups": [0, 0, 1, 1], "sample_weight": [1, 1, -1, 1]}, r"sample_weight must be finite and >= 0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("function", [precision_at_k, recall_at_k])
def test_what_is_refused(function: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(**{"y_true": [0, 1, 1, 0], "y_score": [1.0, 2.0, 3.0, 4.0], "k": 1, **arguments})


# In the boosters

X, Y = make_data(300)
VALID, Y_VALID = make_data(200, seed=5)
GROUPS, GROUPS_VALID = np.arange(300) % 7, np.random.default_rng(1).integers(0, 7, 200)


@pytest.mark.parametrize("metric", [PrecisionAtK, RecallAtK])
@pytest.mark.parametrize("k", [2, 0.1, None, {g: 1 + g % 3 for g in range(7)}])
def test_xgb_train(metric: Any, k: Any) -> None:
    watched = metric(k, groups=GROUPS_VALID)
    record: dict[str, Any] = {}
    booster = xgb.train(
        XGB, xgb_data(X, Y), 5, obj=HypersimplexObjective(k=0.1), custom_metric=watched, verbose_eval=False,
        evals=[(xgb_data(VALID, Y_VALID), "valid")], evals_result=record,
    )  # fmt: skip
    scores = booster.predict(xgb_data(VALID), output_margin=True)
    expected = metric._function(Y_VALID, scores, k, groups=GROUPS_VALID)
    assert record["valid"][watched.__name__][-1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [PrecisionAtK, RecallAtK])
@pytest.mark.parametrize("k", [2, 0.1, None, {g: 1 + g % 3 for g in range(7)}])
def test_lgb_train(metric: Any, k: Any) -> None:
    watched = metric(k, groups=GROUPS_VALID)
    record: dict[str, Any] = {}
    train = lgb_data(X, Y)
    booster = lgb.train(
        {**LGB, "objective": HypersimplexObjective(k=0.1), "metric": "None"}, train, 5, feval=watched,
        valid_sets=[train.create_valid(VALID, Y_VALID)], callbacks=[lgb.record_evaluation(record)],
    )  # fmt: skip
    expected = metric._function(Y_VALID, booster.predict(VALID, raw_score=True), k, groups=GROUPS_VALID)
    assert record["valid_0"][watched.__name__][-1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_the_wrappers_with_weights(booster: str) -> None:
    weight = np.random.default_rng(2).uniform(0.5, 2.0, 200).astype(np.float32)
    watched = PrecisionAtK(0.2, groups=GROUPS_VALID)
    if booster == "xgboost":
        model = small(booster, objective=HypersimplexObjective(k=0.2), eval_metric=watched, base_score=0.5)
        model.fit(X, Y, eval_set=[(VALID, Y_VALID)], verbose=False)
        history = model.evals_result()["validation_0"][watched.__name__]
        scores, w = model.predict(VALID, output_margin=True), None  # XGBoost passes no weights to a callable
    else:
        model = small(booster, objective=HypersimplexObjective(k=0.2), metric="None")
        model.fit(X, Y, eval_set=[(VALID, Y_VALID)], eval_sample_weight=[weight], eval_metric=watched.lightgbm)
        history = model.evals_result_["valid_0"][watched.__name__]
        scores, w = model.predict(VALID, raw_score=True), weight
    expected = precision_at_k(Y_VALID, scores, 0.2, sample_weight=w, groups=GROUPS_VALID)
    assert history[-1] == pytest.approx(expected, abs=1e-6)


def test_several_classes_in_both_boosters() -> None:
    labels = np.where(X[:, 3] > 0.5, 2, Y)
    k = {0: 2, 1: 0.25, 2: None}
    watched = PrecisionAtK(k, groups=GROUPS)
    record: dict[str, Any] = {}
    booster = xgb.train(
        {**XGB, "objective": "multi:softprob", "num_class": 3}, xgb_data(X, labels), 4, obj=HypersimplexObjective(),
        custom_metric=watched, evals=[(xgb_data(X, labels), "train")], evals_result=record, verbose_eval=False,
    )  # fmt: skip
    scores = booster.predict(xgb_data(X), output_margin=True)
    expected = precision_at_k(labels, scores, k, groups=GROUPS)
    assert record["train"]["precision@budgets"][-1] == pytest.approx(expected, abs=1e-6)
    record = {}
    train = lgb_data(X, labels)
    model = lgb.train(
        {**LGB, "objective": HypersimplexObjective(), "metric": "None", "num_class": 3}, train, 4, feval=watched,
        valid_sets=[train], callbacks=[lgb.record_evaluation(record)],
    )  # fmt: skip
    expected = precision_at_k(labels, model.predict(X, raw_score=True), k, groups=GROUPS)
    assert record["training"]["precision@budgets"][-1] == pytest.approx(expected, abs=1e-12)


def test_groups_of_other_rows_are_noticed() -> None:
    with pytest.raises(ValueError, match="groups must have one entry per row"):
        PrecisionAtK(2, groups=GROUPS)(Y_VALID, Y_VALID)


def test_names_pickles_and_texts() -> None:
    metric = PrecisionAtK({0: 1, 1: 2}, groups=[0, 1, 1])
    assert metric.__name__ == "precision@budgets"
    assert repr(metric) == "PrecisionAtK(k={0: 1, 1: 2}, groups=…)"
    assert RecallAtK(groups=[0]).__name__ == "recall@positives"
    again = pickle.loads(pickle.dumps(metric))
    assert again([1, 0, 1], [1.0, 2.0, 3.0]) == metric([1, 0, 1], [1.0, 2.0, 3.0]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"k\[1\]: k as a count must be >= 0"):
        PrecisionAtK({0: 1, 1: -2}, groups=[0, 1])
