"""HSClassifier as scikit-learn wants it: its checks (with the reason of each excuse), its tools, inputs, errors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _boosters import make_data
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import (
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
    parametrize_with_checks,
)
from xgboost import XGBClassifier, XGBRegressor

from hsboost import HSClassifier, HypersimplexLoss


def xgboost(**params: Any) -> XGBClassifier:
    return XGBClassifier(**{"n_estimators": 20, "n_jobs": 1, **params})


def lightgbm(**params: Any) -> LGBMClassifier:
    defaults = {"n_estimators": 20, "n_jobs": 1, "min_child_samples": 2, "verbose": -1}
    return LGBMClassifier(**{**defaults, **params})


BUILD = {"xgboost": xgboost, "lightgbm": lightgbm}
BOOSTERS = pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])


# Of LightGBM alone; XGBoost is excused from nothing.
BINS = (
    "LightGBM chooses bins and counts min_child_samples by rows, whatever they weigh: rows of weight 0 move the cut "
    "points, and (in three classes) they alone are then decided differently"
)
EXCUSED = {
    "check_sample_weight_equivalence_on_dense_data": BINS,
    "check_sample_weight_equivalence_on_sparse_data": BINS,
}


def excuses(estimator: HSClassifier) -> dict[str, str]:
    """Checks that are expected to fail."""
    return EXCUSED if isinstance(estimator.estimator, LGBMClassifier) else {}


@parametrize_with_checks([HSClassifier(xgboost()), HSClassifier(lightgbm())], expected_failed_checks=excuses)
def test_scikit_learn_checks(estimator: HSClassifier, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    "check", [check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data]
)
def test_with_the_unit_hessian_xgboost_needs_no_excuse(check: Any) -> None:
    check("HSClassifier", HSClassifier(xgboost(), hessian="unit", threshold="training"))


def weighted_and_repeated(model: HSClassifier) -> tuple[HSClassifier, HSClassifier, np.ndarray]:
    """The same model on rows of weight 1, 2, 3 and on repeated rows."""
    X, y = make_data(300)
    weight = np.random.default_rng(0).integers(1, 4, y.size)
    weighted = clone(model).fit(X, y, sample_weight=weight)
    return weighted, clone(model).fit(X.repeat(weight, axis=0), y.repeat(weight)), X


@pytest.mark.parametrize("tree_method", ["exact", "hist"])
def test_xgboost_integer_weights_are_repeated_rows(tree_method: str) -> None:
    booster = xgboost(tree_method=tree_method, max_depth=3)
    for hessian in ("exact", "unit"):
        weighted, repeated, X = weighted_and_repeated(HSClassifier(booster, hessian=hessian, threshold="training"))
        np.testing.assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-5)


def test_lightgbm_integer_weights_are_repeated_rows_but_for_counts_and_curvature() -> None:
    # One bin per value, no leaf limits in rows, and leaves heavy enough that no two splits tie up to rounding.
    weights_only: dict[str, Any] = {
        "min_data_in_bin": 1, "min_child_samples": 0, "min_child_weight": 40.0, "num_leaves": 4, "n_estimators": 5,
        "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    weighted, repeated, X = weighted_and_repeated(
        HSClassifier(lightgbm(**weights_only), hessian="unit", threshold="training")
    )
    np.testing.assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-5)
    counts = {**weights_only, "min_child_samples": 60}
    weighted, repeated, X = weighted_and_repeated(
        HSClassifier(lightgbm(**counts), hessian="unit", threshold="training")
    )
    assert np.abs(weighted.decision_function(X) - repeated.decision_function(X)).max() > 1e-3


def test_the_loss_itself_knows_no_difference_but_for_the_curvature() -> None:
    rng = np.random.default_rng(1)
    y, score, weight = rng.integers(0, 2, 40), rng.normal(size=40), rng.integers(1, 4, 40)
    rows = np.repeat(np.arange(40), weight)
    for hessian in ("exact", "unit"):
        loss = HypersimplexLoss(hessian=hessian)  # type: ignore[arg-type]
        assert loss.loss(y, score, weight) == pytest.approx(loss.loss(y[rows], score[rows]), rel=1e-12)
        gradient, curvature = loss.gradient_hessian(y, score, weight)
        each, curvature_each = loss.gradient_hessian(y[rows], score[rows])
        np.testing.assert_allclose(gradient, np.bincount(rows, each), atol=1e-12)
        several = np.bincount(rows, curvature_each)
        active = np.abs(gradient) > 0
        if hessian == "unit":
            np.testing.assert_allclose(curvature, several, rtol=1e-12)
        else:
            total = weight[active].sum()
            np.testing.assert_allclose(curvature[active], weight[active] * (1 - weight[active] / total), rtol=1e-12)
            np.testing.assert_allclose(several[active], weight[active] * (1 - 1 / total), rtol=1e-12)


# scikit-learn's tools


@BOOSTERS
def test_clone_and_nested_parameters(booster: str) -> None:
    model = HSClassifier(
        BUILD[booster](max_depth=3), k=0.1, loss="hypersimplex", temperature=2.0, hessian="unit", calibration="isotonic"
    )
    assert model.get_params()["estimator__max_depth"] == 3
    model.set_params(estimator__max_depth=5, k=7)
    copy = clone(model)
    assert copy.estimator is not model.estimator
    assert copy.estimator.max_depth == 5
    for name in ("k", "temperature", "hessian", "hessian_floor", "calibration", "calibration_fraction"):
        assert getattr(copy, name) == getattr(model, name)
    X, y = make_data(240)
    assert copy.fit(X, y).estimator_.max_depth == 5
    assert not hasattr(model, "estimator_")


@BOOSTERS
def test_grid_search_pipeline_and_cross_validation(booster: str) -> None:
    X, y = make_data(240)
    labels = np.where(y == 1, "yes", "no")
    model = HSClassifier(BUILD[booster](n_estimators=5, learning_rate=0.5))
    leaf = "estimator__max_depth" if booster == "xgboost" else "estimator__num_leaves"
    search = GridSearchCV(model, {"k": [None, 0.1], leaf: [3, 6]}, cv=2, scoring="average_precision")
    search.fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    assert search.best_params_.keys() == {"k", leaf}
    pipeline = make_pipeline(StandardScaler(), model).fit(X, labels)
    assert pipeline.score(X, labels) > 0.7
    assert pipeline.decision_function(X).shape == (240,)
    pipeline.set_params(hsclassifier__estimator__n_estimators=7)
    assert pipeline[-1].estimator.n_estimators == 7
    decision = cross_val_predict(model, X, labels, cv=3, method="decision_function")
    assert decision.shape == (240,)
    # Each fold calls about as many rows positive as there are: folds share one scale, with 0 as the cut.
    assert abs((decision > 0).mean() - 0.4) < 0.15
    assert cross_val_score(model, X, labels, cv=3, scoring="roc_auc").min() > 0.6


@BOOSTERS
def test_calibrated_classifier_cv(booster: str) -> None:
    X, y = make_data(240)
    wrapped = CalibratedClassifierCV(HSClassifier(BUILD[booster](max_depth=3)), cv=3).fit(X, y)
    probability = wrapped.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0)
    assert probability[y == 1, 1].mean() > probability[y == 0, 1].mean() + 0.2


@BOOSTERS
@pytest.mark.parametrize("calibration", [None, "sigmoid", "isotonic"])
def test_pickled_models_predict_the_same_bits(booster: str, calibration: Any) -> None:
    X, y = make_data(240)
    labels = np.where(y == 1, "yes", "no")
    model = HSClassifier(BUILD[booster](max_depth=3), k=0.2, calibration=calibration, random_state=0).fit(X, labels)
    blob = pickle.dumps(model)
    restored = pickle.loads(blob)
    X_new, _ = make_data(500, seed=5)
    np.testing.assert_array_equal(restored.decision_function(X_new), model.decision_function(X_new))
    np.testing.assert_array_equal(restored.predict(X_new), model.predict(X_new))
    np.testing.assert_array_equal(restored.predict_top_k(X_new, 20), model.predict_top_k(X_new, 20))
    if calibration:
        np.testing.assert_array_equal(restored.predict_proba(X_new), model.predict_proba(X_new))
    assert X[17].tobytes() not in blob
    again = restored.fit(X, labels)
    np.testing.assert_array_equal(again.decision_function(X_new), model.decision_function(X_new))


def test_fitting_again_forgets_the_first_fit() -> None:
    X, y = make_data(240)
    model = HSClassifier(xgboost(max_depth=3)).fit(X, y)
    model.fit(X[:, :3], np.where(y == 1, "yes", "no"))
    fresh = HSClassifier(xgboost(max_depth=3)).fit(X[:, :3], np.where(y == 1, "yes", "no"))
    assert model.n_features_in_ == 3
    np.testing.assert_array_equal(model.predict(X[:, :3]), fresh.predict(X[:, :3]))


@BOOSTERS
def test_without_calibration_there_are_no_probabilities(booster: str) -> None:
    X, y = make_data(240)
    model = HSClassifier(BUILD[booster](n_estimators=2))
    assert not hasattr(model, "predict_proba")
    assert not hasattr(model.fit(X, y), "predict_proba")
    with pytest.raises(AttributeError, match="predict_proba") as caught:
        model.predict_proba(X)
    # scikit-learn's available_if shows the remedy as the cause.
    assert "pass calibration='sigmoid' or 'isotonic'" in str(caught.value.__cause__ or caught.value)
    assert hasattr(HSClassifier(calibration="sigmoid"), "predict_proba")


# What the booster is given


@BOOSTERS
def test_categories_and_missing_values_reach_the_booster_untouched(booster: str) -> None:
    rng = np.random.default_rng(0)
    city = rng.integers(0, 12, 600)
    y = np.isin(city, [1, 4, 6, 9, 11]).astype(int) ^ (rng.random(600) < 0.05)
    missing = rng.random(600) < 0.3
    frame = pd.DataFrame({
        "city": pd.Categorical.from_codes(np.where(missing, -1, city), [f"city {i}" for i in range(12)]),
        "age": np.where(rng.random(600) < 0.2, np.nan, rng.normal(size=600)),
    })  # fmt: skip
    extra = {"enable_categorical": True, "max_cat_to_onehot": 1} if booster == "xgboost" else {}
    model = HSClassifier(BUILD[booster](n_estimators=10, **extra)).fit(frame, y, eval_set=(frame[:100], y[:100]))
    if booster == "xgboost":
        assert model.estimator_.get_booster().feature_types == ["c", "float"]
    else:
        assert model.estimator_.booster_.trees_to_dataframe()["decision_type"].eq("==").any()
    assert model.feature_names_in_.tolist() == ["city", "age"]
    known = ~missing
    assert (model.predict(frame)[known] == y[known]).mean() > 0.9
    held_out = HSClassifier(BUILD[booster](n_estimators=10, **extra), calibration="sigmoid", random_state=0).fit(
        frame, y
    )
    assert (held_out.predict_proba(frame)[known, 1].round() == y[known]).mean() > 0.9


@BOOSTERS
@pytest.mark.parametrize("calibration", [None, "sigmoid"])
@pytest.mark.parametrize("form", ["csr_matrix", "csr_array", "csc_matrix", "coo_matrix", "bsr_matrix", "dia_matrix"])
def test_sparse_matrices(booster: str, calibration: Any, form: str) -> None:
    X, y = make_data(240)
    X = np.where(X > 0.5, X, 0.0)
    kind = getattr(sp, form)
    model = HSClassifier(BUILD[booster](n_estimators=10), calibration=calibration, random_state=0)
    reference = clone(model).fit(sp.csr_matrix(X), y)
    model.fit(kind(X), y)
    np.testing.assert_array_equal(model.decision_function(kind(X)), reference.decision_function(sp.csr_matrix(X)))
    assert model.predict_top_k(kind(X), 5).sum() == 5
    assert model.n_features_in_ == 5


@BOOSTERS
def test_names_and_numbers_of_columns_are_checked(booster: str) -> None:
    X, y = make_data(240)
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = HSClassifier(BUILD[booster](n_estimators=2)).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    assert model.n_features_in_ == 5
    for wrong in (frame.rename(columns={"a": "z"}), frame[list("edcba")], frame[list("abc")]):
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(wrong)
    with pytest.raises(ValueError, match="X has 3 features, but HSClassifier is expecting 5"):
        model.fit(X, y).decision_function(X[:, :3])
    assert not hasattr(model, "feature_names_in_")
    with pytest.raises(ValueError, match="X must be two-dimensional"):
        model.predict(X[0])


# What is refused, and how


def some(value: Any, y: np.ndarray) -> np.ndarray:
    """String labels with one value put among them."""
    labels = np.where(y == 1, "yes", "no").astype(object)
    labels[3] = value
    return labels


X, Y = make_data(60)


@BOOSTERS
@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({}, {"y": np.ones(60)}, r"y holds 1 class, .*1.*HSClassifier needs rows of two classes"),
        ({"k": {0: 1, 1: 2}}, {"y": np.arange(60) % 3}, r"k has no budget for class 2; give every class a budget"),
        ({"loss": "nothing"}, {}, r"loss must be the name of a loss; got 'nothing'"),
        ({"class_weight": "even"}, {}, r"class_weight"),
        ({}, {"y": np.where(Y == 1, np.nan, 0.0)}, r"y must not contain NaN or infinity; drop the rows"),
        ({}, {"y": some(None, Y)}, r"y must not contain NaN|y .*None|y .*missing"),
        ({}, {"y": some(np.nan, Y)}, r"y must not contain NaN|y .*nan|y .*missing"),
        ({}, {"y": Y[:5]}, r"y must have one label per row of X: expected 60, got \(5,\)"),
        ({}, {"y": X[:, 0]}, r"Unknown label type: continuous"),
        ({}, {"X": X[0]}, r"X must be two-dimensional|label per row"),
        ({}, {"X": X[:0], "y": Y[:0]}, r"0 sample\(s\)"),
        ({}, {"sample_weight": np.ones(5)}, r"sample_weight must have one entry per row of X"),
        ({}, {"sample_weight": np.zeros(60)}, r"sample_weight must have a positive sum"),
        ({}, {"sample_weight": np.where(Y == 1, -1.0, 1.0)}, r"sample_weight must be finite and >= 0, got -1\.0"),
        ({}, {"sample_weight": np.where(Y == 1, np.nan, 1.0)}, r"sample_weight .*NaN|sample_weight must be finite"),
        ({}, {"sample_weight": ["a"] * 60}, r"sample_weight must hold numbers"),
        ({}, {"eval_set": (X, Y + 5)}, r"eval_set holds the label 6\.0 at row 0 .*which y does not; known: \[0\.0, 1"),
        ({}, {"eval_set": (X, some("?", Y))}, r"eval_set holds the label '(yes|no)' at row 0 .*which y does not"),
        ({}, {"eval_set": (X, np.where(Y == 1, np.nan, 0.0))}, r"eval_set's y must not contain NaN .*first: row 0"),
        ({}, {"eval_set": "X"}, r"eval_set must be a pair \(X, y\) or a list of such pairs"),
        ({}, {"eval_set": [X, Y]}, r"eval_set must be a pair \(X, y\) or a list of such pairs"),
        ({}, {"eval_set": ((X, Y), X)}, r"eval_set must be a pair \(X, y\) or a list of such pairs, got a tuple of 2 "),
        ({}, {"eval_set": (X, Y[:5])}, r"eval_set's y must have one label per row of its X: got 60 rows and 5 labels"),
        ({"calibration": "platt"}, {}, r"calibration must be one of 'sigmoid', 'isotonic'; got 'platt'"),
        ({"calibration": True}, {}, r"calibration must be one of"),
        ({"calibration": "sigmoid", "calibration_fraction": 1.0}, {}, r"calibration_fraction must be .*got 1\.0"),
        ({"calibration": "sigmoid", "calibration_fraction": 0}, {}, r"calibration_fraction must be .*got 0"),
        ({"calibration": "sigmoid", "calibration_fraction": "half"}, {}, r"calibration_fraction must be .*'half'"),
        ({"calibration": "sigmoid", "calibration_fraction": np.nan}, {}, r"calibration_fraction must be .*got nan"),
        ({"calibration": "sigmoid", "calibration_fraction": True}, {}, r"calibration_fraction must be .*got True"),
        ({"calibration": "sigmoid", "calibration_fraction": 0.01}, {}, r"leaves a class without rows \(\[36, 24\]"),
        ({"calibration": "sigmoid"}, {"y": np.arange(60) == 7}, r"leaves a class without rows \(\[59, 1\]"),
        ({"calibration": "sigmoid"}, {"eval_set": (X[Y == 1], Y[Y == 1])}, r"hold one class only; pass an eval_set"),
        ({"k": -1}, {}, r"k as a count must be >= 0, got -1"),
        ({"k": 0.0}, {}, r"k as a float is a share"),
        ({"k": 1.0}, {}, r"k as a float is a share"),
        ({"k": True}, {}, r"k must be None, an int"),
        ({"k": "all"}, {}, r"k must be None, an int"),
        ({"verbose": None}, {}, r"verbose must be a whole number, got None; pass 0 for silence"),
        ({"verbose": "yes"}, {}, r"verbose must be a whole number, got 'yes'"),
        ({"verbose": 2.5}, {}, r"verbose must be a whole number, got 2\.5"),
        ({"temperature": 0.0}, {}, r"temperature must be a positive finite number"),
        ({"hessian": "none"}, {}, r"hessian must be one of 'exact', 'unit'"),
        ({"hessian_floor": 0.0}, {}, r"hessian_floor must be a positive"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_clear_error(booster: str, settings: Any, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(BUILD[booster](n_estimators=2), **settings).fit(**{"X": X, "y": Y, **arguments})


@pytest.mark.parametrize("estimator", ["catboost", XGBRegressor(), LogisticRegression(), XGBClassifier, 3])
def test_foreign_estimators_are_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match=r"estimator must be None, 'xgboost', 'lightgbm', an XGBClassifier or an LGBM"):
        HSClassifier(estimator).fit(X, Y)


@pytest.mark.parametrize("method", ["decision_function", "predict", "predict_proba"])
def test_methods_need_fit(method: str) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(HSClassifier(calibration="sigmoid"), method)(X)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        HSClassifier().predict_top_k(X, 3)
