"""Explanations add up to decisions and probabilities, and go into shap's plots."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small
from _serving import fitted, rows

from hsboost import HSClassifier

CASES = ["binary", "early stopping", "DART", "classes", "log loss", "classes, log loss", "sigmoid"]


@pytest.mark.parametrize("case", CASES)
@BOOSTERS
def test_contributions_add_up_to_the_decision(booster: str, case: str) -> None:
    model, X = fitted(case, booster), rows(case).head(300)
    np.testing.assert_allclose(model.contributions(X).sum(axis=-1), model.decision_function(X), atol=2e-5)


@pytest.mark.parametrize("case", CASES)
@BOOSTERS
def test_an_explanation_is_the_contributions_with_names(booster: str, case: str) -> None:
    pytest.importorskip("shap", reason="needs shap")
    model, X = fitted(case, booster), rows(case).head(100)
    found = model.explain(X)
    several = case.startswith("classes")
    assert found.values.shape == ((100, 7, 3) if several else (100, 7))
    assert list(found.feature_names) == [*"abcde", "city", "size"]
    assert found.output_names == (
        ["no", "perhaps", "yes"] if case == "classes" else ["0", "1", "2"] if several else "1"
    )
    shares = model.contributions(X)
    np.testing.assert_array_equal(np.moveaxis(found.values, 2, 1) if several else found.values, shares[..., :-1])
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, model.decision_function(X), atol=2e-5)
    known = X["city"].notna().to_numpy()
    np.testing.assert_array_equal(found.data[known, 5], X["city"].cat.codes[known])
    assert found.display_data[known, 5].tolist() == X["city"][known].tolist()


@pytest.mark.parametrize("case", ["log loss", "classes, log loss", "sigmoid"])
@BOOSTERS
def test_shares_of_probabilities_add_up(booster: str, case: str) -> None:
    pytest.importorskip("shap", reason="needs shap")
    model, X = fitted(case, booster), rows(case).head(200)
    found = model.explain(X, output="probability")
    expected = model.predict_proba(X)
    expected = expected if case.startswith("classes") else expected[:, 1]
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, expected, atol=1e-6)
    decision = model.explain(X)
    if case != "classes, log loss":  # one score: each share keeps its sign, and its part of the whole
        np.testing.assert_array_equal(np.sign(found.values), np.sign(decision.values))


def test_shares_of_probabilities_of_a_model_by_hand() -> None:
    pytest.importorskip("shap", reason="needs shap")
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]] * 50)
    y = np.array([0, 0, 1, 1] * 50)
    model = HSClassifier(small("xgboost", n_estimators=5, max_depth=1), loss="log-loss", k=0.5).fit(X, y)
    found = model.explain(X[:4], output="probability")
    p = model.predict_proba(X[:4])[:, 1]
    middle = 1.0 / (1.0 + np.exp(-np.log(p / (1 - p)).mean()))
    np.testing.assert_allclose(found.values[:, 0], p - middle, atol=1e-6)  # the first column decides alone
    np.testing.assert_array_equal(found.values[:, 1], 0.0)
    np.testing.assert_allclose(found.base_values, middle, atol=1e-6)


@BOOSTERS
def test_arrays_have_numbers_for_names_and_plots_take_them(booster: str) -> None:
    shap = pytest.importorskip("shap", reason="needs shap")
    import matplotlib.pyplot as plt

    for X, y in (binary(), multi()):
        model = HSClassifier(small(booster), k=0.2).fit(X, y)
        found = model.explain(X[:50])
        assert list(found.feature_names) == ["x0", "x1", "x2", "x3", "x4"]
        one = found if found.values.ndim == 2 else found[:, :, 1]
        shap.plots.beeswarm(one, show=False)
        shap.plots.waterfall(one[0], show=False)
        shap.plots.bar(one, show=False)
        plt.close("all")


@BOOSTERS
def test_no_rows_and_other_units(booster: str) -> None:
    pytest.importorskip("shap", reason="needs shap")
    X, y = binary()
    model = HSClassifier(small(booster), k=0.2, loss="hypersimplex", temperature=7.0).fit(X, y)
    found = model.explain(X)
    np.testing.assert_allclose(found.values.sum(axis=1) + found.base_values, model.decision_function(X), atol=1e-4)
    assert model.contributions(X[:0]).shape == (0, 6)


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = binary()
    model = HSClassifier(small("lightgbm"), k=0.2).fit(pd.DataFrame(X, columns=list("abcde")), y)
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match=r"pip install shap.*contributions\(X\)"):
        model.explain(pd.DataFrame(X, columns=list("abcde")))


def test_refused_outputs() -> None:
    pytest.importorskip("shap", reason="needs shap")
    X = rows("binary").head(5)
    model = fitted("no probabilities", "xgboost")
    with pytest.raises(ValueError, match="output must be 'decision' or 'probability', got 'raw'"):
        model.explain(X, output="raw")
    with pytest.raises(ValueError, match="output='probability': this model has none"):
        model.explain(X, output="probability")
    with pytest.raises(ValueError, match=r"several calibrated classes.*output='decision'"):
        fitted("classes, sigmoid", "xgboost").explain(rows("classes").head(5), output="probability")
    with pytest.raises(ValueError, match=r"calibration='isotonic'.*output='decision'"):
        fitted("isotonic", "lightgbm").explain(X, output="probability")
