"""What works without being asked for: nested settings of a booster's name, categories, a metric to stop on."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small
from _versions import need, older
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from xgboost import XGBClassifier

from hsboost import DistributedAUC, HSClassifier, PrecisionAtK, RecallAtK, precision_at_k

X, Y = binary(160)
VALID, Y_VALID = binary(120, seed=4)
FRAME = pd.DataFrame(X[:, :2], columns=["a", "b"]).assign(
    c=pd.Categorical(np.array(["x", "y", "z"])[np.digitize(X[:, 2], [-0.5, 0.5])])
)


# Settings of a booster that is given by its name

NAMES = [("xgboost", "max_depth"), (None, "max_depth"), ("lightgbm", "num_leaves")]


@pytest.mark.parametrize(("name", "setting"), NAMES)
def test_nested_settings_of_a_name(name: Any, setting: str) -> None:
    model = HSClassifier(name)
    assert model.set_params(**{f"estimator__{setting}": 3, "estimator__n_estimators": 4, "k": 0.3}) is model
    assert (model.get_params()[f"estimator__{setting}"], model.k) == (3, 0.3)
    kind = LGBMClassifier if name == "lightgbm" else XGBClassifier
    more = {"verbose": -1} if name == "lightgbm" else {}
    right = HSClassifier(kind(n_estimators=4, **{setting: 3}, **more), k=0.3).fit(X, Y)
    np.testing.assert_array_equal(clone(model).fit(X, Y).decision_function(X), right.decision_function(X))


@pytest.mark.parametrize(("name", "setting"), NAMES)
@pytest.mark.parametrize("form", ["alone", "pipeline"])
def test_searches_over_settings_of_a_name(name: Any, setting: str, form: str) -> None:
    model: Any = HSClassifier(name, k=0.3)
    model = make_pipeline(FunctionTransformer(), model) if form == "pipeline" else model
    before = "" if form == "alone" else "hsclassifier__"
    grid = {f"{before}estimator__{setting}": [2, 5], f"{before}estimator__n_estimators": [3]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, Y)
    assert search.best_params_.keys() == grid.keys()
    last = search.best_estimator_ if form == "alone" else search.best_estimator_[-1]
    assert last.estimator_.get_params()[setting] == search.best_params_[f"{before}estimator__{setting}"]


def test_a_search_over_names_and_their_settings() -> None:
    grid = {"estimator": ["xgboost", "lightgbm", None], "estimator__n_estimators": [2]}
    search = GridSearchCV(HSClassifier(), grid, cv=2, error_score="raise").fit(X, Y)
    assert search.best_estimator_.estimator_.get_params()["n_estimators"] == 2
    model = HSClassifier("xgboost").set_params(estimator="lightgbm", estimator__n_estimators=2)
    assert isinstance(model.estimator, LGBMClassifier)
    assert HSClassifier("xgboost").set_params(estimator="lightgbm").estimator == "lightgbm"


def test_nested_settings_of_an_unknown_name() -> None:
    with pytest.raises(
        ValueError, match="estimator__depth is a setting of a booster, and estimator='catboost' is none"
    ):
        HSClassifier("catboost").set_params(estimator__depth=3)
    with pytest.raises(ValueError, match="Invalid parameter 'estimator_'"):
        HSClassifier("xgboost").set_params(estimator_=3)


def test_nested_settings_of_a_name_on_a_cluster() -> None:
    pytest.importorskip("distributed")
    from hsboost.dask import DaskHSClassifier

    model = DaskHSClassifier("xgboost").set_params(estimator__max_depth=3)
    assert isinstance(model.estimator, XGBClassifier)
    assert model.get_params()["estimator__max_depth"] == 3


# Categories


@BOOSTERS
@pytest.mark.parametrize("form", ["name", "instance", "none", "off"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_categories_are_read_where_there_are_any(booster: str, form: str, n_classes: int, tmp_path: Any) -> None:
    if booster == "lightgbm" and form in ("none", "off"):
        pytest.skip("only XGBoost has enable_categorical")
    off = small("xgboost", enable_categorical=False)
    estimator: Any = {"name": booster, "none": None, "off": off}.get(form, small(booster))
    labels = Y if n_classes == 2 else multi(160)[1]
    model = HSClassifier(estimator, k=0.2).fit(FRAME, labels, eval_set=(FRAME[:80], labels[:80]))
    if booster == "lightgbm" or not older("xgboost", "3.1.1"):  # which tells categories by their names
        changed = FRAME.assign(c=FRAME.c.cat.set_categories(["z", "y", "x"]))
        np.testing.assert_array_equal(model.decision_function(changed), model.decision_function(FRAME))
    np.testing.assert_allclose(
        model.contributions(FRAME).sum(axis=-1), model.decision_function(FRAME), atol=1e-4
    )  # fmt: skip
    if booster == "xgboost":
        right = HSClassifier(
            (estimator if isinstance(estimator, XGBClassifier) else XGBClassifier()).set_params(
                enable_categorical=True
            ),
            k=0.2,
        ).fit(FRAME, labels)
        np.testing.assert_array_equal(model.decision_function(FRAME), right.decision_function(FRAME))
    model.save_model(tmp_path / "model.json")
    again = HSClassifier.load_model(tmp_path / "model.json")
    np.testing.assert_array_equal(again.decision_function(FRAME), model.decision_function(FRAME))
    more = HSClassifier(estimator, k=0.2).fit(FRAME, labels, init_model=model)
    assert more.predict(FRAME).shape == (160,)


def test_a_frame_without_categories_leaves_the_booster_alone() -> None:
    model = HSClassifier(small("xgboost")).fit(FRAME[["a", "b"]], Y)
    assert model.estimator_.enable_categorical is False
    estimator = small("xgboost")
    HSClassifier(estimator).fit(FRAME, Y)
    assert estimator.enable_categorical is False


NEW = FRAME.assign(c=FRAME.c.cat.add_categories("new").where(np.arange(160) != 3, "new"))
CALLS: dict[str, Any] = {
    "predict": lambda model: model.predict(NEW),
    "top k": lambda model: model.predict_top_k(NEW, 5),
    "rank": lambda model: model.rank(NEW),
    "contributions": lambda model: model.contributions(NEW),
    "evaluation set": lambda model: HSClassifier(model.estimator).fit(FRAME, Y, eval_set=(NEW, Y)),
    "going on": lambda model: HSClassifier(model.estimator).fit(NEW, Y, init_model=model),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_category_that_training_did_not_know_is_one_line(call: str) -> None:
    if call != "evaluation set":  # beside the training rows themselves
        need("xgboost", "3.1.1", "a fitted model knows its categories' names")
    model = HSClassifier(small("xgboost"), k=0.2).fit(FRAME, Y)
    with pytest.raises(ValueError, match="column 'c' holds the category 'new' that fit did not have") as caught:
        CALLS[call](model)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("booster", "gblinear"), ("tree_method", "exact")])
def test_boosters_without_categories_say_so(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"X: column 'c' holds categories, which XGBoost's {name}='{value}' does not"):
        HSClassifier(XGBClassifier(n_estimators=2, **{name: value})).fit(FRAME, Y)


# A metric to stop on


@pytest.mark.parametrize("nothing", ["None", "none", "", "custom", ["None"], None])
@pytest.mark.parametrize("route", ["estimator", "fit"])
@pytest.mark.parametrize("stop", ["callback", "parameter"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_lightgbm_that_watches_nothing_stops_on_the_budget(nothing: Any, route: str, stop: str, n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else multi(160)
    other, other_labels = (VALID, Y_VALID) if n_classes == 2 else multi(120, seed=4)
    settings = {"metric": nothing} if route == "estimator" else {}
    settings |= {"early_stopping_round": 4} if stop == "parameter" else {}
    more: dict[str, Any] = {"eval_metric": nothing} if route == "fit" else {}
    more |= {"callbacks": [lgb.early_stopping(4, verbose=False)]} if stop == "callback" else {}
    model = HSClassifier(small("lightgbm", n_estimators=60, **settings), k=0.2).fit(
        rows, labels, eval_set=(other, other_labels), **more
    )
    (history,) = model.estimator_.evals_result_.values()
    assert list(history) == ["precision@0.2"]
    assert model.estimator_.best_iteration_ == int(np.argmax(history["precision@0.2"])) + 1 < 60


METRICS = [PrecisionAtK(0.1), RecallAtK(0.1), DistributedAUC()]


@BOOSTERS
@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize("weighted", [False, True])
def test_one_metric_object_for_both_wrappers(booster: str, metric: Any, weighted: bool) -> None:
    weight = np.linspace(0.5, 2.0, 120) if weighted else None
    if booster == "xgboost":
        model: Any = XGBClassifier(n_estimators=1, eval_metric=metric, n_jobs=1)
        model.fit(
            X, Y, eval_set=[(VALID, Y_VALID)], sample_weight_eval_set=[weight] if weighted else None, verbose=False
        )
        scores, (record,) = model.predict(VALID, output_margin=True), model.evals_result().values()
    else:
        model = LGBMClassifier(n_estimators=1, metric="None", n_jobs=1, verbose=-1)
        given = {"eval_set": [(VALID, Y_VALID)]}
        if hasattr(lgb.LGBMModel.fit, "__kwdefaults__") and "eval_X" in (lgb.LGBMModel.fit.__kwdefaults__ or {}):
            given = {"eval_X": VALID, "eval_y": Y_VALID}
        model.fit(X, Y, **given, eval_sample_weight=[weight] if weighted else None, eval_metric=metric)
        scores, (record,) = model.predict(VALID, raw_score=True), model.evals_result_.values()
    assert list(record)[-1] == metric.__name__
    assert record[metric.__name__][-1] == pytest.approx(metric(Y_VALID, scores, weight), abs=1e-6)


def test_a_function_of_ones_own_between_lightgbm_and_the_metric() -> None:
    metric = PrecisionAtK(0.1)

    def twice(y: Any, scores: Any) -> Any:
        return "twice", 2.0 * metric(y, scores), True

    model = HSClassifier(small("lightgbm")).fit(X, Y, eval_set=(VALID, Y_VALID), eval_metric=[metric, twice])
    (record,) = model.estimator_.evals_result_.values()
    assert record["twice"] == pytest.approx(2.0 * np.array(record["precision@0.1"]))
    assert metric(Y_VALID, VALID[:, 0]) == precision_at_k(Y_VALID, VALID[:, 0], 0.1)
    assert isinstance(metric(Y_VALID, VALID[:, 0]), float)
