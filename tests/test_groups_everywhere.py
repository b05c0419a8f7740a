"""Groups reach every method, every loss, searches and displays, or their absence is an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from _models import BOOSTERS, binary, by_loop, multi, small
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hsboost import HSClassifier, HypersimplexLoss, precision_at_k, top_k
from hsboost.losses import LOSSES

X, Y = binary(160)
X3, Y3 = multi(160)
ROWS, Y_ROWS = binary(60, seed=4)
GROUPS = np.array(["north", "south", "west"])[np.arange(160) % 3]
OF_ROWS = np.array(["north", "south", "island"])[np.arange(60) % 3]
ONE = np.zeros(60)


def fit(booster: str = "xgboost", n_classes: int = 2, groups: Any = GROUPS, **settings: Any) -> HSClassifier:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    return HSClassifier(small(booster), **settings).fit(rows, labels, groups=groups)


# What a fitted model does


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_method_takes_groups(booster: str, n_classes: int) -> None:
    model = fit(booster, n_classes, k=0.2, loss="hypersimplex", threshold="training")
    decisions = model.decision_function(ROWS, groups=OF_ROWS)
    common = model.decision_function(ROWS)
    for label in np.unique(OF_ROWS):
        cut = model.group_thresholds_.get(label, model.threshold_)
        at = label == OF_ROWS
        np.testing.assert_allclose(decisions[at], common[at] + model.threshold_ - cut, atol=1e-12)
    labels = Y_ROWS if n_classes == 2 else multi(60, seed=4)[1]
    weight = np.linspace(0.1, 2.0, 60)
    predicted = model.predict(ROWS, groups=OF_ROWS)
    assert (predicted != model.predict(ROWS)).any()
    assert model.score(ROWS, labels, groups=OF_ROWS) == accuracy_score(labels, predicted)
    assert model.score(ROWS, labels, weight, OF_ROWS) == accuracy_score(labels, predicted, sample_weight=weight)
    np.testing.assert_allclose(
        model.contributions(ROWS, groups=OF_ROWS).sum(axis=-1), decisions, atol=1e-4
    )  # fmt: skip
    np.testing.assert_array_equal(model.rank(ROWS, groups=OF_ROWS).scores, decisions)


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("call", ["predict_top_k", "rank", "top_k", "pipeline"])
def test_a_model_of_groups_does_not_rank_all_rows_by_accident(booster: str, n_classes: int, call: str) -> None:
    model = fit(booster, n_classes, k=0.2)
    calls: dict[str, Any] = {
        "predict_top_k": lambda **more: model.predict_top_k(ROWS, 9, return_mask=True, **more),
        "rank": lambda **more: model.rank(ROWS, **more).place < 9,
        "top_k": lambda **more: top_k(model, ROWS, 9, **more),
        "pipeline": lambda **more: top_k(make_pipeline(model), ROWS, 9, **more),
    }
    with pytest.raises(ValueError, match=r"this model was trained with groups, .*pass groups=, one label per row"):
        calls[call]()
    scores = model.decision_function(ROWS)
    found, together = calls[call](groups=OF_ROWS), calls[call](groups=ONE)
    for c in range(1 if n_classes == 2 else 3):
        column = scores if n_classes == 2 else scores[:, c]
        by = (found, together) if n_classes == 2 else (found[:, c], together[:, c])
        np.testing.assert_array_equal(by[0], by_loop(column, OF_ROWS, 9))
        np.testing.assert_array_equal(by[1], by_loop(column, ONE, 9))


def test_displays_take_groups() -> None:
    plotting = pytest.importorskip("hsboost.plotting")
    pytest.importorskip("matplotlib")
    model = fit(k=0.2)
    scores = model.decision_function(ROWS, groups=OF_ROWS)
    more: dict[str, Any] = {"groups": OF_ROWS}
    display = plotting.HypersimplexDisplay.from_estimator(model, ROWS, Y_ROWS, k=9, **more)
    np.testing.assert_array_equal(display.score, scores)
    for kind in (plotting.PrecisionAtKDisplay, plotting.BudgetGainDisplay):
        found = kind.from_estimator(model, ROWS, Y_ROWS, n_bootstrap=0, **more)
        right = kind.from_predictions(Y_ROWS, scores, n_bootstrap=0)
        name = "precision" if hasattr(found, "precision") else "lift"
        np.testing.assert_array_equal(getattr(found, name), getattr(right, name))
    gain = plotting.BudgetGainDisplay.from_estimator(
        model, ROWS, Y_ROWS, baseline=LogisticRegression().fit(X, Y), n_bootstrap=0, **more
    )
    assert gain.difference is not None


# Every loss


@BOOSTERS
@pytest.mark.parametrize("loss", sorted(set(LOSSES) - {"sampled-softmax"}))
def test_every_loss_has_budgets_and_thresholds_of_groups(booster: str, loss: str, tmp_path: Any) -> None:
    """Those without a budget grow the trees that they grow without groups."""
    made = LOSSES[loss]
    n_classes = 2 if made().n_outputs(2) == 1 else 3
    if made().n_outputs(n_classes) != (1 if n_classes == 2 else n_classes):
        pytest.skip("wants other scores than scikit-learn's classifiers have")
    coupled = isinstance(made(), HypersimplexLoss)
    k: Any = {"north": 0.1, None: 0.3} if n_classes == 2 else None
    model = fit(booster, n_classes, loss=loss, k=k, threshold="training")
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    assert set(model.group_thresholds_) == set(GROUPS)
    if not coupled:
        plain = HSClassifier(small(booster), loss=loss, threshold="training").fit(rows, labels)
        raw = model.decision_function(rows) + model.threshold_
        np.testing.assert_allclose(raw, plain.decision_function(rows) + plain.threshold_, atol=1e-12)
    if n_classes == 2:
        raw = model.decision_function(X) + model.threshold_
        for label, cut in model.group_thresholds_.items():
            at = label == GROUPS
            budget = HypersimplexLoss(0.1 if label == "north" else 0.3)
            assert cut == pytest.approx(budget.threshold(Y[at], raw[at]), abs=1e-6)
    model.save_model(tmp_path / "model.json")
    again = HSClassifier.load_model(tmp_path / "model.json")
    np.testing.assert_array_equal(again.predict(rows, groups=GROUPS), model.predict(rows, groups=GROUPS))


@BOOSTERS
def test_one_word_swaps_the_loss(booster: str) -> None:
    given = {"groups": GROUPS, "eval_set": (ROWS, Y_ROWS), "eval_groups": np.resize(GROUPS, 60)}
    for loss in ("hypersimplex", "log-loss"):
        model = HSClassifier(small(booster), loss=loss, k=0.2).fit(X, Y, **given)
        fitted = model.estimator_
        record = fitted.evals_result_ if booster == "lightgbm" else fitted.evals_result()
        ((history,),) = (list(one.values()) for one in record.values())
        right = precision_at_k(Y_ROWS, model.decision_function(ROWS), 0.2, groups=given["eval_groups"])
        assert history[-1] == pytest.approx(right, abs=1e-6)
        assert model.predict_top_k(ROWS, 5, groups=OF_ROWS).sum() == 15


# Searches and pipelines


@BOOSTERS
@pytest.mark.parametrize("scorer", ["score", "precision"])
def test_searches_hand_groups_on(booster: str, scorer: str) -> None:
    at_k = make_scorer(precision_at_k, response_method="decision_function", k={"north": 6, None: 3})
    with sklearn.config_context(enable_metadata_routing=True):
        scoring = None if scorer == "score" else at_k.set_score_request(groups=True)
        search = GridSearchCV(
            HSClassifier(small(booster), k={"north": 0.3, None: 0.1}), {"estimator__n_estimators": [3]},
            scoring=scoring, cv=KFold(2), error_score="raise",
        ).fit(X, Y, groups=GROUPS)  # fmt: skip
        assert set(search.best_estimator_.group_thresholds_) == set(GROUPS)
        half = HSClassifier(small(booster, n_estimators=3), k={"north": 0.3, None: 0.1})
        right = []
        for train, test in KFold(2).split(X):
            half.fit(X[train], Y[train], groups=GROUPS[train])
            score = half.score(X[test], Y[test], groups=GROUPS[test])
            at = precision_at_k(Y[test], half.decision_function(X[test]), {"north": 6, None: 3}, groups=GROUPS[test])
            right.append(score if scorer == "score" else at)
        assert search.best_score_ == pytest.approx(np.mean(right))
        found = cross_validate(half, X, Y, params={"groups": GROUPS}, cv=KFold(2), return_estimator=True)
        assert all(hasattr(one, "group_thresholds_") for one in found["estimator"])


def test_pipelines_hand_groups_and_evaluation_sets_on() -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        model = HSClassifier(small("xgboost"), k=0.2).set_fit_request(eval_X=True, eval_y=True, eval_groups=True)
        pipeline = make_pipeline(StandardScaler(), model, transform_input=["eval_X"])
        pipeline.fit(X, Y, groups=GROUPS, eval_X=ROWS, eval_y=Y_ROWS, eval_groups=np.resize(GROUPS, 60))
        scaled = StandardScaler().fit(X).transform(ROWS)
        inner = pipeline[-1]
        np.testing.assert_array_equal(pipeline.predict(ROWS, groups=OF_ROWS), inner.predict(scaled, groups=OF_ROWS))
        (record,) = inner.estimator_.evals_result().values()
        right = precision_at_k(Y_ROWS, inner.decision_function(scaled), 0.2, groups=np.resize(GROUPS, 60))
        assert record["precision@0.2"][-1] == pytest.approx(right, abs=1e-6)


# The top k of any model

NAMES = np.array(["no", "yes"])
MODELS: dict[str, Any] = {
    "ours": lambda: HSClassifier(small("xgboost"), k=0.2, pos_label="yes"),
    "pipeline": lambda: make_pipeline(StandardScaler(), HSClassifier(small("lightgbm"), k=0.2, pos_label="yes")),
    "search": lambda: GridSearchCV(
        HSClassifier("xgboost", k=0.2, pos_label="yes"), {"estimator__n_estimators": [3]}, cv=2
    ),
    "rival": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "booster": lambda: small("lightgbm"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_the_top_k_of_any_model(kind: str) -> None:
    model = MODELS[kind]().fit(X, NAMES[Y])
    scores = model.decision_function(ROWS) if hasattr(model, "decision_function") else model.predict_proba(ROWS)[:, 1]
    for k in (0, 7, 1000, 0.25):
        np.testing.assert_array_equal(top_k(model, ROWS, k, pos_label="yes"), by_loop(scores, ONE, k))
        worst = top_k(model, ROWS, k, pos_label="no")
        np.testing.assert_array_equal(worst, by_loop(-scores if scores.min() < 0 else 1 - scores, ONE, k))
    k = {"north": 5, None: 2}
    found = top_k(model, ROWS, k, OF_ROWS, pos_label="yes")
    np.testing.assert_array_equal(found, by_loop(scores, OF_ROWS, {"north": 5, "south": 2, "island": 2}))
    if kind in ("rival", "booster"):
        with pytest.warns(UserWarning, match="'yes' counts as positive"):
            np.testing.assert_array_equal(top_k(model, ROWS, 7), by_loop(scores, ONE, 7))
        with pytest.raises(ValueError, match="k must be an int"):
            top_k(model, ROWS, pos_label="yes")
    else:
        np.testing.assert_array_equal(top_k(model, ROWS), by_loop(scores, ONE, 0.2))


def test_the_top_k_of_several_classes() -> None:
    names = np.array(["a", "b", "c"])
    for model in (HSClassifier(small("xgboost")), LogisticRegression()):
        model.fit(X3, names[Y3])
        scores = model.decision_function(ROWS)
        marks = top_k(model, ROWS, {"b": 4, None: 7})
        assert marks.sum(axis=0).tolist() == [7, 4, 7]
        np.testing.assert_array_equal(marks[:, 1], by_loop(scores[:, 1], ONE, 4))
        np.testing.assert_array_equal(top_k(model, ROWS, 4, pos_label="b"), marks[:, 1])


def test_a_model_without_scores_is_refused() -> None:
    with pytest.raises(ValueError, match="StandardScaler has no decision_function and no predict_proba; pass a class"):
        top_k(StandardScaler().fit(X), X, 3)


# On a cluster


@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
def test_on_a_cluster(loss: str, client: Any) -> None:
    da = pytest.importorskip("dask.array")
    from hsboost.dask import DaskHSClassifier

    def spread(rows: np.ndarray) -> Any:
        return da.from_array(rows, chunks=(40, *rows.shape[1:]))

    model = DaskHSClassifier(small("xgboost"), loss=loss, k=0.2)
    model.fit(spread(X), spread(Y), groups=spread(GROUPS), eval_set=(spread(X), spread(Y)), eval_groups=spread(GROUPS))
    local = model.to_local()
    rows, groups = spread(ROWS), spread(OF_ROWS)
    assert model.score(rows, spread(Y_ROWS), groups=groups) == local.score(ROWS, Y_ROWS, groups=OF_ROWS)
    with pytest.raises(ValueError, match="this model was trained with groups"):
        model.predict_top_k(rows, 9)
    right = local.predict_top_k(ROWS, 9, groups=OF_ROWS)
    np.testing.assert_array_equal(model.predict_top_k(rows, 9, groups=groups).compute(), right)
    np.testing.assert_array_equal(top_k(model, rows, 9, groups=groups).compute(), right == 1)
    raw = local.decision_function(X) + local.threshold_
    for label, cut in local.group_thresholds_.items():
        at = label == GROUPS
        assert cut == pytest.approx(HypersimplexLoss(0.2).threshold(Y[at], raw[at]), abs=1e-5)
