"""Metrics by every route and in every container: used as they are meant, or refused with one clear error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small
from test_estimator_fit_arguments import values

from hsboost import HSClassifier, PrecisionAtK, RecallAtK, precision_at_k
from hsboost.estimators._evaluation import eval_metric as _eval_metric

pytestmark = pytest.mark.truth

X, Y = binary(160)
X3, Y3 = multi(160)
VALID, Y_VALID = binary(120, seed=4)
OURS, OTHER = PrecisionAtK(0.1), RecallAtK(0.1)

#: The booster, and how it is given a metric: LightGBM has two ways.
ROUTES = pytest.mark.parametrize(
    "route", ["eval_metric of XGBClassifier", "fit of LightGBM", "metric of LGBMClassifier"]
)


def fitted(route: str, metric: Any, watched: bool = True) -> HSClassifier:
    more: dict[str, Any] = {"eval_set": (VALID, Y_VALID)} if watched else {}
    if route == "fit of LightGBM":
        return HSClassifier(small("lightgbm")).fit(X, Y, eval_metric=metric, **more)
    booster, name = ("xgboost", "eval_metric") if "XGB" in route else ("lightgbm", "metric")
    return HSClassifier(small(booster, **{name: metric})).fit(X, Y, **more)


def own(y: np.ndarray, scores: np.ndarray, sample_weight: Any = None) -> float:
    return 0.25


@pytest.mark.parametrize("container", [list, tuple, lambda one: np.array(one, dtype=object)])
@pytest.mark.parametrize("metric", [OURS, OURS.lightgbm, own])
@pytest.mark.parametrize("watched", [True, False])
def test_a_list_of_one_function_is_the_function(container: Any, metric: Any, watched: bool) -> None:
    model = fitted("eval_metric of XGBClassifier", container([metric]), watched)
    if watched:
        right = precision_at_k(Y_VALID, model.decision_function(VALID), 0.1)
        expected = {"own": 0.25} if metric is own else {"precision@0.1": pytest.approx(right, abs=1e-6)}
        assert values(model) == expected


@ROUTES
@pytest.mark.parametrize(
    "names",
    [
        ["auc", "NAME"],
        ("auc", "NAME"),
        np.array(["auc", "NAME"]),
        pd.Index(["auc", "NAME"]),
        pd.Series(["auc", "NAME"]),
    ],
    ids=lambda names: type(names).__name__,
)
@pytest.mark.parametrize("watched", [True, False])
def test_names_in_containers_with_an_order(route: str, names: Any, watched: bool) -> None:
    name = "logloss" if "XGB" in route else "binary_logloss"
    kind: Any = np.array if isinstance(names, np.ndarray) else type(names)
    model = fitted(route, kind([name if one == "NAME" else one for one in names]), watched)
    if watched:
        assert list(values(model)) == ["auc", name]


@ROUTES
@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ({"auc", "binary_error"}, r"^{} must be a metric's name, a function, or a list .*got \{{'.*pass a list"),
        ({OURS}, r"^{} must be a metric's name.*got \{{PrecisionAtK"),
        ({"auc": 1}, r"^{} must be .*got \{{'auc': 1\}}; pass a list"),
        ({"auc": 1}.keys(), r"^{} must be .*got dict_keys"),
        ((one for one in ["auc"]), r"^{} must be .*got <generator"),
        (map(str, ["auc"]), r"^{} must be .*got <map"),
        (5, r"^{} must be .*got 5"),
        (True, r"^{} must be .*got True"),
        (b"auc", r"^{} must be .*got b'auc'"),
        ([["auc"]], r"^{}\[0\] must be .*got \['auc'\]; pass a flat list"),
        ([["auc"], "auc"], r"^{}\[0\] must be .*got \['auc'\]; pass a flat list"),
        (np.array([["auc"]]), r"^{} must be .*got array"),
        (["auc", 5], r"^{}\[1\] must be a metric's name or a function, got 5"),
        ([None], r"^{}\[0\] must be a metric's name or a function, got None"),
        (PrecisionAtK, r"^{} is the class PrecisionAtK, not a metric; pass an object, PrecisionAtK\(\)"),
        (["auc", RecallAtK], r"^{}\[1\] is the class RecallAtK"),
    ],
)
def test_other_containers_are_refused(route: str, watched: bool, metric: Any, message: str) -> None:
    name = "metric" if route.startswith("metric") else "eval_metric"
    with pytest.raises(TypeError, match=message.format(name)):
        fitted(route, metric, watched)


@ROUTES
@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_metric_chosen_is_the_one_of_the_budget(route: str, nothing: Any) -> None:
    assert list(values(fitted(route, nothing))) == ["precision@positives"]


@pytest.mark.parametrize("metrics", [[OURS, OTHER], (OURS.lightgbm, own), ["auc", OURS, own]])
@pytest.mark.parametrize("watched", [True, False])
def test_xgboost_takes_one_function(metrics: Any, watched: bool) -> None:
    with pytest.raises(
        ValueError, match=r"^eval_metric holds 2 functions \(precision@0\.1, .*XGBoost takes one, and na"
    ):
        fitted("eval_metric of XGBClassifier", metrics, watched)


def test_names_beside_a_function_need_a_later_xgboost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xgboost.__version__", "3.0.5")
    with pytest.raises(ValueError, match=r"beside the names \['auc'\], .*from XGBoost 3\.1 on; this is 3\.0\.5: pass"):
        fitted("eval_metric of XGBClassifier", ["auc", OURS])
    monkeypatch.setattr("xgboost.__version__", "3.10.0")
    assert _eval_metric.for_xgboost(("auc", OURS)) == ["auc", OURS]


@pytest.mark.parametrize("metrics", [OURS, [OURS], ["auc", OURS.lightgbm]])
@pytest.mark.parametrize("watched", [True, False])
def test_functions_belong_to_fit_of_lightgbm(metrics: Any, watched: bool) -> None:
    with pytest.raises(TypeError, match=r"^metric holds the function .*takes names only; pass it to fit"):
        fitted("metric of LGBMClassifier", metrics, watched)


@ROUTES
@pytest.mark.parametrize("metric", ["no such metric", ["auc", "no such metric"]])
def test_unknown_names_are_named(route: str, metric: Any) -> None:
    name = "metric" if route.startswith("metric") else "eval_metric"
    with pytest.raises(
        ValueError, match=rf"^{name}='no such metric' is no metric (of XGB|that LightGBM comp).*correct"
    ):
        fitted(route, metric)


@pytest.mark.parametrize("metric", ["auc", "binary_logloss,auc", "auc_mu, multi_error"])
@pytest.mark.parametrize("route", ["metric", "eval_metric"])
def test_metrics_of_lightgbm_for_other_numbers_of_classes(metric: str, route: str) -> None:
    settings, argument = ({route: metric}, {}) if route == "metric" else ({}, {route: metric})
    with pytest.raises(ValueError, match=rf"^{route}='.*' is no metric that LightGBM computes here, for 3 classes"):
        HSClassifier(small("lightgbm", **settings)).fit(X3, Y3, eval_set=(X3, Y3), **argument)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_metrics_of_lightgbm_by_their_second_names(n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    metric = "AUC,binary" if n_classes == 2 else "auc_mu,multiclass"
    model = HSClassifier(small("lightgbm", metrics=metric)).fit(rows, labels, eval_set=(VALID, Y_VALID))
    assert list(values(model)) == (["auc", "binary_logloss"] if n_classes == 2 else ["auc_mu", "multi_logloss"])


@pytest.mark.parametrize("name", ["logloss", "binary_logloss", "multi_logloss"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_fit_of_lightgbm_fits_names_to_the_number_of_classes(name: str, n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    model = HSClassifier(small("lightgbm")).fit(rows, labels, eval_set=(rows, labels), eval_metric=[name])
    fitted_names = next(iter(model.estimator_.evals_result_.values()))
    assert list(fitted_names) == ["binary_logloss" if n_classes == 2 else "multi_logloss"]


@pytest.mark.parametrize("name", ["None", "none", "", "custom", "na"])
@pytest.mark.parametrize("route", ["fit of LightGBM", "metric of LGBMClassifier"])
def test_watching_nothing(route: str, name: str) -> None:
    assert fitted(route, name).estimator_.evals_result_ == {}


@BOOSTERS
def test_the_users_list_and_estimator_stay_as_they_were(booster: str) -> None:
    names = ["auc"]
    estimator = small(booster, **{"eval_metric" if booster == "xgboost" else "metric": names})
    HSClassifier(estimator).fit(X, Y, eval_set=(VALID, Y_VALID))
    assert names == ["auc"]
    assert estimator.get_params()["eval_metric" if booster == "xgboost" else "metric"] is names
