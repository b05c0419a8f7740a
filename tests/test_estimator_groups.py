"""HSClassifier with a budget per group: exact counts, thresholds, labels of any kind, what is kept of the groups."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, N, binary, by_loop, multi, raw, small

from hsboost import HSClassifier, HypersimplexLoss, PrecisionAtK, precision_at_k
from hsboost._solver.segments import Segments

X, Y = binary()
GROUPS = np.random.default_rng(4).integers(0, 12, N)


def fitted(booster: str = "xgboost", k: Any = 2, **settings: Any) -> HSClassifier:
    return HSClassifier(small(booster), k=k, **settings).fit(X, Y, groups=GROUPS)


# Exactly k_g positives


@pytest.fixture(scope="module")
def thousand() -> dict[str, Any]:
    """A model, and rows of 1,000 groups in no order; scores from few trees, with many ties."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), rng.integers(1, 12, 1000))
    rng.shuffle(labels)
    rows = rng.normal(size=(labels.size, 5)).round()
    model = HSClassifier(small("xgboost", n_estimators=2, max_depth=2), k=0.3).fit(X, Y)
    return {"model": model, "X": rows, "groups": labels, "scores": model.decision_function(rows)}


@pytest.mark.parametrize("kind", ["count", "share", "mapping", "mapping of shares"])
def test_exactly_k_g_rows_of_a_thousand_groups(thousand: dict[str, Any], kind: str) -> None:
    labels, rng = thousand["groups"], np.random.default_rng(1)
    sizes = np.bincount(labels)
    each: Any = {
        "count": 3,
        "share": 0.3,
        "mapping": {g: int(rng.integers(0, sizes[g] + 1)) for g in range(1000)},
        "mapping of shares": {g: float(rng.uniform(0.01, 0.99)) for g in range(1000)},
    }[kind]
    chosen = thousand["model"].predict_top_k(thousand["X"], each, labels).astype(bool)
    counts = np.bincount(labels, chosen, minlength=1000).astype(int)
    for g in range(1000):
        k = each[g] if isinstance(each, dict) else each
        assert counts[g] == (min(k, sizes[g]) if isinstance(k, int) else round(k * sizes[g]))
    assert np.unique(thousand["scores"]).size < 20, "no ties: no test of who wins them"
    np.testing.assert_array_equal(chosen, by_loop(thousand["scores"], labels.tolist(), each))


def test_the_order_of_groups_does_not_matter_the_order_of_tied_rows_does(thousand: dict[str, Any]) -> None:
    model, rows, labels = thousand["model"], thousand["X"], thousand["groups"]
    chosen = model.predict_top_k(rows, 2, labels)
    by_group = np.argsort(labels, kind="stable")
    np.testing.assert_array_equal(model.predict_top_k(rows[by_group], 2, labels[by_group]), chosen[by_group])
    back = model.predict_top_k(rows[::-1], 2, labels[::-1])[::-1]
    assert (back != chosen).any()
    np.testing.assert_array_equal(np.bincount(labels, back), np.bincount(labels, chosen))


@BOOSTERS
def test_the_models_own_k_is_the_default_and_serves_groups_never_seen(booster: str) -> None:
    model = fitted(booster, k=2)
    strangers = np.arange(N) // 8 + 1000
    assert set(np.bincount(strangers - 1000, model.predict_top_k(X, groups=strangers))) == {2}
    budgets = {g: 1 + g % 3 for g in range(12)}
    model = fitted(booster, k=budgets)
    chosen = model.predict_top_k(X, groups=GROUPS)
    assert dict(enumerate(np.bincount(GROUPS, chosen).astype(int).tolist())) == budgets
    with pytest.raises(ValueError, match=r"k has no budget for group 1000"):
        model.predict_top_k(X, groups=strangers)
    with pytest.raises(ValueError, match=r"pass groups="):
        model.predict_top_k(X)


def test_a_count_takes_all_rows_of_a_smaller_group_in_a_mapping_too() -> None:
    labels = np.repeat([0, 1, 2], [1, 3, N - 4])
    model = HSClassifier(small("xgboost"), k=5).fit(X, Y, groups=labels)
    assert np.bincount(labels, model.predict_top_k(X, groups=labels)).tolist() == [1, 3, 5]
    assert np.bincount(labels, model.predict(X, groups=labels))[:2].tolist() == [1, 3]
    budgets = {0: 2, 1: 30, 2: 5}
    assert np.bincount(labels, model.predict_top_k(X, budgets, labels)).tolist() == [1, 3, 5]
    mapped = HSClassifier(small("xgboost"), k=budgets).fit(X, Y, groups=labels)
    np.testing.assert_array_equal(mapped.decision_function(X, labels), model.decision_function(X, labels))


# Multipliers


@BOOSTERS
@pytest.mark.parametrize("k", [None, 3, 0.25, {g: (None, 4, 0.5)[g % 3] for g in range(12)}])
@pytest.mark.parametrize("weighted", [False, True])
def test_group_thresholds_are_the_cuts_of_each_groups_rows_alone(booster: str, k: Any, weighted: bool) -> None:
    weight = np.random.default_rng(2).integers(1, 4, N).astype(float) if weighted else np.ones(N)
    model = HSClassifier(small(booster), k=k, threshold="training", loss="hypersimplex").fit(
        X, Y, groups=GROUPS, sample_weight=weight if weighted else None
    )
    assert list(model.group_thresholds_) == list(range(12))
    scores, mass = raw(model, X), 0.0
    for g in range(12):
        at = g == GROUPS
        budget = k[g] if isinstance(k, dict) else k
        alone = HypersimplexLoss(budget).threshold(Y[at], scores[at], weight[at])
        assert type(model.group_thresholds_[g]) is float
        assert model.group_thresholds_[g] == alone
        w = weight[at]
        mass += (w * Y[at]).sum() if budget is None else budget if isinstance(budget, int) else budget * w.sum()
    assert model.threshold_ == HypersimplexLoss(mass / weight.sum()).threshold(Y, scores, weight)
    own = np.array([model.group_thresholds_[g] for g in GROUPS])
    np.testing.assert_array_equal(model.decision_function(X, GROUPS), scores - own)
    np.testing.assert_array_equal(model.predict(X, groups=GROUPS), (scores > own).astype(int))
    np.testing.assert_array_equal(model.decision_function(X), scores - model.threshold_)


def test_unseen_groups_get_the_common_threshold() -> None:
    model = fitted()
    labels = np.where(GROUPS < 3, 99, GROUPS)
    expected = np.where(GROUPS < 3, model.decision_function(X), model.decision_function(X, GROUPS))
    np.testing.assert_array_equal(model.decision_function(X, labels), expected)
    np.testing.assert_array_equal(model.predict(X, labels), (expected > 0).astype(int))


@BOOSTERS
def test_one_group_is_no_group(booster: str) -> None:
    plain = HSClassifier(small(booster), k=0.2, loss="hypersimplex").fit(X, Y)
    grouped = HSClassifier(small(booster), k=0.2, loss="hypersimplex").fit(X, Y, groups=np.zeros(N))
    np.testing.assert_allclose(grouped.decision_function(X), plain.decision_function(X), atol=1e-6)
    assert grouped.group_thresholds_ == pytest.approx({0.0: plain.threshold_}, abs=1e-6)


@BOOSTERS
def test_training_projects_group_wise(booster: str) -> None:
    # Within a group only the first feature tells; between groups only the second does.
    rng = np.random.default_rng(5)
    n, groups = 900, np.repeat(np.arange(30), 30)
    features = np.column_stack([rng.normal(size=n), groups + rng.normal(size=n)])
    labels = (features[:, 0] + 0.3 * groups + rng.normal(size=n) > 5).astype(int)
    stumps = small(booster, n_estimators=5, **({"max_depth": 1} if booster == "xgboost" else {"num_leaves": 2}))
    grouped = HSClassifier(stumps, k=5).fit(features, labels, groups=groups)
    plain = HSClassifier(stumps, k=1 / 6).fit(features, labels)
    value = [precision_at_k(labels, m.decision_function(features), 5, groups=groups) for m in (grouped, plain)]
    assert value[0] > value[1] + 0.02
    assert grouped.feature_importances_[1] == 0.0 < plain.feature_importances_[1]


# Labels of the groups


NAMES = np.array([f"branch {g}" for g in range(12)])
DAYS = np.datetime64("2026-01-01") + np.arange(12)


@pytest.mark.parametrize(
    "labels",
    [
        NAMES[GROUPS], NAMES[GROUPS].astype(object), NAMES[GROUPS].tolist(), pd.Series(NAMES[GROUPS], dtype="string"),
        pd.Categorical(NAMES[GROUPS], categories=[*NAMES, "never seen"]), pd.Series(pd.Categorical(NAMES[GROUPS])),
        DAYS[GROUPS], pd.Series(DAYS[GROUPS]), pd.to_datetime(DAYS[GROUPS]).tz_localize("UTC"), DAYS[GROUPS].tolist(),
        GROUPS.astype(np.uint8), GROUPS.tolist(), GROUPS / 8, pd.Series(GROUPS, dtype="Int64"),
        pd.Series(GROUPS, index=np.arange(N)[::-1]),
    ],
    ids=[
        "str", "object", "list", "string", "categorical", "series of categories", "datetime64", "dates", "zoned",
        "date objects", "uint8", "ints", "floats", "Int64", "index upside down",
    ],
)  # fmt: skip
def test_group_labels_of_any_kind_give_the_same_model(labels: Any) -> None:
    expected, model = fitted(), HSClassifier(small("xgboost"), k=2).fit(X, Y, groups=labels)
    found = np.array(list(model.group_thresholds_.values()))
    order = np.unique(NAMES, return_inverse=True)[1] if isinstance(next(iter(model.group_thresholds_)), str) else None
    wanted = np.array(list(expected.group_thresholds_.values()))
    np.testing.assert_array_equal(found if order is None else found[order], wanted)
    np.testing.assert_array_equal(model.decision_function(X, labels), expected.decision_function(X, GROUPS))
    np.testing.assert_array_equal(model.predict_top_k(X, 2, labels), expected.predict_top_k(X, 2, GROUPS))


def test_a_mapping_by_name_by_day_and_by_truth() -> None:
    by_name = {name: 1 + i % 3 for i, name in enumerate(NAMES)}
    model = HSClassifier(small("xgboost"), k=by_name).fit(X, Y, groups=NAMES[GROUPS])
    chosen = pd.Series(model.predict_top_k(X, groups=NAMES[GROUPS])).groupby(NAMES[GROUPS]).sum()
    assert chosen.to_dict() == by_name
    by_day = {pd.Timestamp(day): 1 + i % 3 for i, day in enumerate(DAYS)}
    model = HSClassifier(small("xgboost"), k=by_day).fit(X, Y, groups=DAYS[GROUPS])
    chosen = pd.Series(model.predict_top_k(X, groups=DAYS[GROUPS])).groupby(DAYS[GROUPS]).sum()
    assert chosen.to_dict() == by_day
    model = HSClassifier(small("xgboost"), k={False: 5, True: 9}).fit(X, Y, groups=GROUPS > 5)
    assert model.predict_top_k(X, groups=GROUPS > 5)[GROUPS > 5].sum() == 9


# With the rest


@BOOSTERS
@pytest.mark.parametrize("k", [None, 4, {g: 1 + g % 4 for g in range(12)}])
def test_calibration_takes_rows_from_the_groups_and_the_budgets_share_from_counts(booster: str, k: Any) -> None:
    model = HSClassifier(small(booster), k=k, calibration="sigmoid", calibration_fraction=0.25, random_state=0)
    model.fit(X, Y, groups=GROUPS)
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    order = np.argsort(model.decision_function(X))
    assert (np.diff(probability[order, 1]) >= 0).all()
    if k is not None:
        counts = {g: k if isinstance(k, int) else k[g] for g in range(12)}
        learned = model.objective_.loss.k
        assert learned == {g: pytest.approx(counts[g] / (g == GROUPS).sum()) for g in range(12)}
        assert model.predict_top_k(X, groups=GROUPS).sum() == sum(counts.values())


def test_calibration_may_take_a_whole_group_away() -> None:
    labels = np.arange(N)
    model = HSClassifier(small("xgboost"), k=1, calibration="isotonic", random_state=0).fit(X, Y, groups=labels)
    assert len(model.group_thresholds_) == N - 24
    assert model.decision_function(X, labels).shape == (N,)


@BOOSTERS
def test_groups_of_weight_zero_do_no_harm(booster: str) -> None:
    weight = np.where(GROUPS == 3, 0.0, 1.0)
    for k in (None, 0.2, 2):
        model = HSClassifier(small(booster), k=k).fit(X, Y, groups=GROUPS, sample_weight=weight)
        assert np.isfinite(list(model.group_thresholds_.values())).all()
        assert np.isfinite(model.decision_function(X, GROUPS)).all()


@pytest.mark.parametrize("k", [3, 100])
def test_a_count_takes_all_weight_of_a_group_that_weighs_less(k: int) -> None:
    weight = np.full(N, 0.125)  # about 2.5 in each group
    model = HSClassifier(small("xgboost"), k=k).fit(X, Y, groups=GROUPS, sample_weight=weight)
    light = np.isin(GROUPS, np.flatnonzero(np.bincount(GROUPS, weight) < k))
    assert light.sum() > 100
    assert model.predict(X, groups=GROUPS)[light].all()


@BOOSTERS
def test_groups_and_classes_together(booster: str) -> None:
    rows, labels = multi()
    k = {0: 3, 1: {g: 1 + g % 3 for g in range(12)}, 2: 0.25}
    model = HSClassifier(small(booster), k=k, threshold="training", loss="hypersimplex").fit(
        rows, labels, groups=GROUPS
    )
    scores = raw(model, rows)
    assert model.threshold_.shape == (3,)
    for g in range(12):
        at = g == GROUPS
        assert model.group_thresholds_[g].shape == (3,)
        for c in range(3):
            budget = k[c][g] if c == 1 else k[c]
            cut = HypersimplexLoss(budget).threshold(labels[at] == c, scores[at, c])
            assert model.group_thresholds_[g][c] == cut
    own = np.array([model.group_thresholds_[g] for g in GROUPS])
    np.testing.assert_array_equal(model.decision_function(rows, GROUPS), scores - own)
    np.testing.assert_array_equal(model.predict(rows, GROUPS), (scores - own).argmax(axis=1))
    chosen = model.predict_top_k(rows, groups=GROUPS)
    assert chosen.shape == (N, 3)
    for c, budget in k.items():
        np.testing.assert_array_equal(
            chosen[:, c], by_loop(model.decision_function(rows)[:, c], GROUPS.tolist(), budget)
        )


# Evaluation rows


@BOOSTERS
def test_evaluation_groups_are_watched_group_by_group(booster: str) -> None:
    rows, labels = binary(300, seed=7)
    groups = np.arange(300) % 12
    model = HSClassifier(small(booster), k=2).fit(X, Y, groups=GROUPS, eval_set=(rows, labels), eval_groups=groups)
    booster_ = model.estimator_
    results = booster_.evals_result() if booster == "xgboost" else booster_.evals_result_
    ((history,),) = [list(found.values()) for found in results.values()]
    expected = precision_at_k(labels, model.decision_function(rows), 2, groups=groups)
    assert history[-1] == pytest.approx(expected)
    assert expected != pytest.approx(precision_at_k(labels, model.decision_function(rows), 24))


@BOOSTERS
def test_without_evaluation_groups_the_sum_of_the_budgets_is_watched(booster: str) -> None:
    rows, labels = binary(300, seed=7)
    model = HSClassifier(small(booster), k=2).fit(X, Y, groups=GROUPS, eval_set=(rows, labels))
    booster_ = model.estimator_
    results = booster_.evals_result() if booster == "xgboost" else booster_.evals_result_
    ((history,),) = [list(found.values()) for found in results.values()]
    assert history[-1] == pytest.approx(precision_at_k(labels, model.decision_function(rows), 24 / N))


@BOOSTERS
def test_evaluation_rows_may_belong_to_groups_that_training_has_not_seen(booster: str) -> None:
    model = HSClassifier(small(booster), k=2)
    model.fit(X, Y, groups=GROUPS, eval_set=(X, Y), eval_groups=GROUPS + 6)
    assert model.predict(X).shape == (N,)


# Errors


@BOOSTERS
@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({}, {"groups": GROUPS[:5]}, r"groups must have one entry per row of X: expected shape \(240,\), got \(5,\)"),
        ({}, {"groups": GROUPS[:, None]}, r"groups must be one-dimensional"),
        ({}, {"groups": np.where(GROUPS == 3, np.nan, GROUPS)}, r"groups must not hold missing labels"),
        ({}, {"groups": ["a", 1] * (N // 2)}, r"groups must hold labels of one kind"),
        ({"k": {0: 1}}, {"groups": GROUPS}, r"k has no budget for group 1 \(11 such groups"),
        ({"k": {0: 1}}, {}, r"two classes and no groups|pass groups="),
        ({"k": {}}, {"groups": GROUPS}, r"k is an empty mapping"),
        ({"k": dict.fromkeys(range(12), -1)}, {"groups": GROUPS}, r"k\[0\]: k as a count must be >= 0"),
        ({}, {"groups": GROUPS, "eval_groups": GROUPS}, r"eval_groups goes with one eval_set, got 0"),
        (
            {},
            {"groups": GROUPS, "eval_groups": GROUPS, "eval_set": [(X, Y), (X, Y)]},
            r"eval_groups goes with one eval_set, got 2",
        ),
    ],
)
def test_what_is_refused_in_fit(booster: str, settings: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster), **{"k": 2, **settings}).fit(X, Y, **arguments)


@pytest.mark.parametrize("method", ["decision_function", "predict"])
def test_what_is_refused_in_prediction(method: str) -> None:
    with pytest.raises(ValueError, match="this model was trained without groups"):
        getattr(HSClassifier(small("xgboost")).fit(X, Y), method)(X, groups=GROUPS)
    with pytest.raises(
        ValueError, match=r"groups must have one entry per row of X: expected shape \(240,\), got \(5,\)"
    ):
        getattr(fitted(), method)(X, groups=GROUPS[:5])
    with pytest.raises(ValueError, match=r"groups must have one entry per row of X"):
        fitted().predict_top_k(X, 1, GROUPS[:5])


def test_a_wrong_number_of_evaluation_groups_is_named() -> None:
    with pytest.raises(ValueError, match=r"eval_groups must have one entry per row"):
        HSClassifier(small("xgboost"), k=2).fit(X, Y, groups=GROUPS, eval_set=(X, Y), eval_groups=GROUPS[:5])


def test_evaluation_groups_need_training_groups() -> None:
    with pytest.raises(ValueError, match=r"eval_groups.*groups"):
        HSClassifier(small("xgboost"), k=2).fit(X, Y, eval_set=(X, Y), eval_groups=GROUPS)


# What is kept


def reachable(thing: Any, kind: type, seen: set[int] | None = None) -> bool:
    """Whether an object of this kind hangs on ``thing``."""
    seen = set() if seen is None else seen
    if id(thing) in seen:
        return False
    seen.add(id(thing))
    if isinstance(thing, kind):
        return True
    if isinstance(thing, dict | list | tuple):
        return any(reachable(value, kind, seen) for value in (thing.values() if isinstance(thing, dict) else thing))
    return hasattr(thing, "__dict__") and reachable(vars(thing), kind, seen)


@BOOSTERS
def test_the_training_rows_groups_are_not_kept(booster: str) -> None:
    sizes = []
    for n in (500, 5000):
        rows, labels = binary(n)
        model = HSClassifier(small(booster, n_estimators=2, max_depth=2), k=2)
        model.fit(rows, labels, groups=np.arange(n) % 10)
        assert not reachable(model, Segments)
        assert model.objective_.groups is None
        assert model.objective_.on_round is None
        sizes.append(len(pickle.dumps(model)))
    assert sizes[1] < sizes[0] + 1000


@pytest.mark.parametrize(
    "booster",
    [
        "xgboost",
        "lightgbm",
    ],
)
def test_the_evaluation_rows_groups_are_not_kept(booster: str) -> None:
    model = HSClassifier(small(booster), k=2).fit(X, Y, groups=GROUPS, eval_set=(X, Y), eval_groups=GROUPS)
    metric = model.estimator_.get_params().get("eval_metric")
    assert not isinstance(metric, PrecisionAtK) or metric.groups is None


@BOOSTERS
def test_fitting_again_without_groups_forgets_them(booster: str) -> None:
    model = fitted(booster).set_params(k=0.2).fit(X, Y)
    assert not hasattr(model, "group_thresholds_")
    fresh = HSClassifier(small(booster), k=0.2).fit(X, Y)
    np.testing.assert_array_equal(model.decision_function(X), fresh.decision_function(X))
