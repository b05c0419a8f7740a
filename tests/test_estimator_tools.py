"""HSClassifier inside scikit-learn's tools: search, pipelines, calibration, thresholds, metadata routing, pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, N, binary, multi, small
from sklearn import config_context
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.inspection import permutation_importance
from sklearn.metrics import make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.utils import estimator_html_repr

from hsboost import HSClassifier, precision_at_k

X, Y = binary()
X3, Y3 = multi()
GROUPS = np.arange(N) % 6
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, N)


@pytest.fixture
def routing() -> Iterator[None]:
    with config_context(enable_metadata_routing=True):
        yield


# Search and validation


@BOOSTERS
def test_grid_search_over_budgets_losses_and_nested_parameters(booster: str) -> None:
    depth = "estimator__max_depth"
    search = GridSearchCV(
        HSClassifier(small(booster)),
        {"k": [None, 12, 0.2], depth: [1, 3], "loss": ["hypersimplex", "log-loss"]},
        scoring=make_scorer(precision_at_k, response_method="decision_function", k=0.1),
        cv=2,
        error_score="raise",
    ).fit(X, Y)
    assert len(search.cv_results_["params"]) == 12
    assert set(search.best_params_) == {"k", depth, "loss"}
    assert search.best_estimator_.estimator_.max_depth == search.best_params_[depth]
    assert search.best_score_ == max(search.cv_results_["mean_test_score"]) > 0.6
    assert len(set(search.cv_results_["mean_test_score"])) >= 4


@BOOSTERS
def test_the_scorer_of_precision_at_k_is_precision_at_k(booster: str) -> None:
    scorer = make_scorer(precision_at_k, response_method="decision_function", k=0.1)
    model = HSClassifier(small(booster), k=0.1).fit(X, Y)
    assert scorer(model, X, Y) == precision_at_k(Y, model.decision_function(X), 0.1)
    each = cross_val_score(HSClassifier(small(booster), k=0.1), X, Y, scoring=scorer, cv=3)
    assert each.shape == (3,)
    assert each.min() > 0.5


def test_grid_search_in_two_processes() -> None:
    model = HSClassifier(small("xgboost"), k=0.2, calibration="sigmoid", random_state=0)
    grid = {"estimator__max_depth": [2, 3]}
    one, two = (GridSearchCV(model, grid, cv=2, n_jobs=jobs, scoring="roc_auc").fit(X, Y) for jobs in (1, 2))
    np.testing.assert_array_equal(one.cv_results_["mean_test_score"], two.cv_results_["mean_test_score"])
    np.testing.assert_array_equal(one.decision_function(X), two.decision_function(X))


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_cross_val_predict(booster: str, n_classes: int) -> None:
    rows, labels = (X, np.where(Y == 1, "yes", "no")) if n_classes == 2 else (X3, Y3)
    model = HSClassifier(small(booster), calibration="sigmoid", random_state=0)
    decision = cross_val_predict(model, rows, labels, cv=3, method="decision_function")
    assert decision.shape == ((N,) if n_classes == 2 else (N, 3))
    probability = cross_val_predict(model, rows, labels, cv=3, method="predict_proba")
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert (cross_val_predict(model, rows, labels, cv=3) == labels).mean() > 0.6


@BOOSTERS
def test_pipelines(booster: str) -> None:
    frame = pd.DataFrame(X, columns=list("abcde")).assign(city=np.array(["x", "y", "z"])[GROUPS % 3])
    first = ColumnTransformer([("city", OrdinalEncoder(), ["city"])], remainder=StandardScaler())
    pipeline = make_pipeline(first, HSClassifier(small(booster), k=0.2)).fit(frame, Y)
    assert pipeline.decision_function(frame).shape == (N,)
    assert pipeline.score(frame, Y) > 0.7
    pipeline.set_params(hsclassifier__k=0.5, hsclassifier__estimator__n_estimators=3)
    assert (pipeline[-1].k, pipeline[-1].estimator.n_estimators) == (0.5, 3)
    with config_context(transform_output="pandas"):
        named = clone(pipeline).fit(frame, Y)
        assert named[-1].feature_names_in_[0] == "city__city"
        expected = pipeline.fit(frame, Y).decision_function(frame)
        np.testing.assert_array_equal(named.decision_function(frame), expected)
    search = GridSearchCV(pipeline, {"hsclassifier__k": [0.2, 0.4]}, cv=2).fit(frame, Y)
    assert search.best_params_["hsclassifier__k"] in (0.2, 0.4)


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_classifier_cv(booster: str, n_classes: int, method: str) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    wrapped = CalibratedClassifierCV(HSClassifier(small(booster)), cv=3, method=method).fit(rows, labels)
    probability = wrapped.predict_proba(rows)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert (probability.argmax(axis=1) == labels).mean() > 0.75


@BOOSTERS
def test_tuned_thresholds(booster: str) -> None:
    for response, settings in (("decision_function", {}), ("predict_proba", {"loss": "log-loss"})):
        tuned = TunedThresholdClassifierCV(
            HSClassifier(small(booster), **settings), scoring="f1", cv=2, response_method=response
        ).fit(X, Y)
        score = getattr(tuned.estimator_, response)(X)
        score = score[:, 1] if score.ndim == 2 else score
        np.testing.assert_array_equal(tuned.predict(X), (score >= tuned.best_threshold_).astype(int))
        assert tuned.score(X, Y) > 0.6


@BOOSTERS
def test_one_against_the_rest_and_permutations(booster: str) -> None:
    wrapped = OneVsRestClassifier(HSClassifier(small(booster))).fit(X3, Y3)
    assert wrapped.score(X3, Y3) > 0.75
    model = HSClassifier(small(booster)).fit(X, Y)
    found = permutation_importance(model, X, Y, n_repeats=2, random_state=0, scoring="roc_auc")
    assert found.importances_mean[0] > 0.05


def test_clone_keeps_settings_and_forgets_the_fit() -> None:
    k = {0: {"a": 1, "b": 0.5}, 1: 2, 2: None}
    model = HSClassifier(
        small("xgboost", max_depth=2), loss="hypersimplex-fy", k=k, class_weight={0: 2.0}, verbose=0, temperature=2
    )
    copy = clone(model.fit(X3, Y3, groups=np.array(["a", "b"])[GROUPS % 2]))
    assert copy.k == k
    assert copy.k is not k
    assert copy.class_weight == {0: 2.0}
    assert not [name for name in vars(copy) if name.endswith("_")]
    assert clone(copy).get_params()["estimator__max_depth"] == 2
    assert is_classifier(copy)


def test_a_model_has_no_outputs_to_set() -> None:
    assert not hasattr(HSClassifier(), "set_output")
    assert not hasattr(HSClassifier(), "transform")


@BOOSTERS
def test_the_picture_in_a_notebook_shows_the_nested_estimator(booster: str) -> None:
    kind = type(small(booster)).__name__
    for model in (HSClassifier(small(booster), k=17), HSClassifier(small(booster), k=17).fit(X, Y)):
        page = estimator_html_repr(model)
        assert page.count(kind) >= 2  # in the text, and as a box of its own
        assert "HSClassifier" in page
        assert "17" in page
        assert f"estimator: {kind}" in page
        assert "k=17" in repr(model)
        assert model._repr_html_() is not None


# Metadata routing


@BOOSTERS
def test_weights_and_groups_through_a_pipeline(booster: str, routing: None) -> None:
    model = HSClassifier(small(booster), k=3).set_fit_request(sample_weight=True, groups=True)
    model.set_predict_request(groups=True).set_decision_function_request(groups=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("model", model)])
    pipeline["scale"].set_fit_request(sample_weight=False)
    pipeline.fit(X, Y, sample_weight=WEIGHT, groups=GROUPS)
    scaled = StandardScaler().fit_transform(X)
    expected = HSClassifier(small(booster), k=3).fit(scaled, Y, sample_weight=WEIGHT, groups=GROUPS)
    assert pipeline["model"].group_thresholds_ == expected.group_thresholds_
    np.testing.assert_array_equal(
        pipeline.decision_function(X, groups=GROUPS), expected.decision_function(scaled, GROUPS)
    )
    np.testing.assert_array_equal(pipeline.predict(X, groups=GROUPS), expected.predict(scaled, GROUPS))


@BOOSTERS
def test_weights_and_groups_through_cross_validation(booster: str, routing: None) -> None:
    seen: list[tuple[Any, Any]] = []

    class Spy(HSClassifier):
        def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Any:
            seen.append((np.asarray(sample_weight), np.asarray(groups)))
            return super().fit(X, y, sample_weight, groups=groups)

    model = Spy(small(booster), k=0.2).set_fit_request(sample_weight=True, groups=True)
    scorer = make_scorer(precision_at_k, response_method="decision_function", k=0.2)
    scorer.set_score_request(sample_weight=True, groups=False)
    found = cross_validate(
        model, X, Y, cv=GroupKFold(3), params={"sample_weight": WEIGHT, "groups": GROUPS}, return_estimator=True,
        scoring=scorer, error_score="raise",
    )  # fmt: skip
    for fold, (weight, groups), (rows, _) in zip(
        found["estimator"], seen, GroupKFold(3).split(X, Y, GROUPS), strict=True
    ):
        np.testing.assert_array_equal(weight, WEIGHT[rows])
        np.testing.assert_array_equal(groups, GROUPS[rows])
        assert len(fold.group_thresholds_) == 4


def test_weights_reach_a_grid_search_and_its_scorer(routing: None) -> None:
    scorer = make_scorer(precision_at_k, response_method="decision_function", k=0.2)
    scorer.set_score_request(sample_weight=True, groups=True)
    model = HSClassifier(small("xgboost")).set_fit_request(sample_weight=True, groups=True)
    search = GridSearchCV(model, {"k": [0.1, 0.3]}, scoring=scorer, cv=2, error_score="raise")
    search.fit(X, Y, sample_weight=WEIGHT, groups=GROUPS)
    assert len(search.best_estimator_.group_thresholds_) == 6
    value = search.score(X, Y, sample_weight=WEIGHT, groups=GROUPS)
    decision = search.best_estimator_.decision_function(X)
    assert value == precision_at_k(Y, decision, 0.2, sample_weight=WEIGHT, groups=GROUPS)


def test_metadata_nobody_asked_for_is_an_error(routing: None) -> None:
    with pytest.raises(
        ValueError, match=r"\[sample_weight\] are passed but are not explicitly set as requested or not"
    ):
        Pipeline([("model", HSClassifier(small("xgboost")))]).fit(X, Y, sample_weight=WEIGHT)


def test_groups_are_asked_for_by_default(routing: None) -> None:
    model = Pipeline([("model", HSClassifier(small("xgboost")))]).fit(X, Y, groups=GROUPS)
    assert len(model[-1].group_thresholds_) == 6
    np.testing.assert_array_equal(model.predict(X, groups=GROUPS), model[-1].predict(X, groups=GROUPS))
    assert model.score(X, Y, groups=GROUPS) == model[-1].score(X, Y, groups=GROUPS)


def test_calibration_by_others_passes_weights_and_groups_on(routing: None) -> None:
    model = HSClassifier(small("xgboost"), k=0.2).set_fit_request(sample_weight=True, groups=True)
    wrapped = CalibratedClassifierCV(model, cv=2).fit(X, Y, sample_weight=WEIGHT, groups=GROUPS)
    assert all(len(one.estimator.group_thresholds_) == 6 for one in wrapped.calibrated_classifiers_)
