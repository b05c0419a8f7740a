"""Displays: any classifier, any labels, one clear error each, and no matplotlib until something is drawn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from _figures import drawing
from lightgbm import LGBMClassifier
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from hsboost import HSClassifier, precision_at_k
from hsboost.plotting import BudgetGainDisplay, HypersimplexDisplay, PrecisionAtKDisplay

DISPLAYS = (PrecisionAtKDisplay, HypersimplexDisplay, BudgetGainDisplay)
EVERY = pytest.mark.parametrize("display", DISPLAYS, ids=lambda display: display.__name__)
Y, SCORE = np.array([0, 1, 0, 1, 1, 0]), np.array([0.1, 0.7, 0.3, 0.2, 0.9, 0.4])


@pytest.fixture(autouse=True)
def _drawing() -> Iterator[None]:
    with drawing():
        yield


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_breast_cancer(return_X_y=True)
    return X[:300, :8], y[:300]


def numbers(display: Any) -> np.ndarray:
    """The curve of any of the three."""
    if isinstance(display, HypersimplexDisplay):
        return np.r_[display.values, display.k, display.threshold]
    return display.precision if isinstance(display, PrecisionAtKDisplay) else display.lift


@EVERY
def test_estimator_and_predictions_give_the_same(display: Any, table: Any) -> None:
    X, y = table
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    for model, scores, method in (
        (linear, linear.decision_function(X), "auto"),
        (linear, linear.predict_proba(X)[:, 1], "predict_proba"),
        (forest, forest.predict_proba(X)[:, 1], "auto"),
    ):
        one = display.from_estimator(model, X, y, response_method=method)
        two = display.from_predictions(y, scores)
        np.testing.assert_array_equal(numbers(one), numbers(two))
        assert one.name == type(model).__name__
        assert two.name is None
        assert display.from_estimator(model, X, y, response_method=method, name="mine").name == "mine"


@EVERY
def test_the_other_class_can_be_the_positive_one(display: Any, table: Any) -> None:
    X, y = table
    names = np.where(y == 1, "benign", "malignant")
    model = LogisticRegression(max_iter=5000).fit(X, names)
    default = display.from_estimator(model, X, names)
    np.testing.assert_array_equal(
        numbers(default), numbers(display.from_predictions(y == 0, model.decision_function(X)))
    )
    first = display.from_estimator(model, X, names, pos_label="benign")
    np.testing.assert_array_equal(numbers(first), numbers(display.from_predictions(y, -model.decision_function(X))))
    by_share = display.from_estimator(model, X, names, pos_label="benign", response_method="predict_proba")
    scores = model.predict_proba(X)[:, 0]
    np.testing.assert_array_equal(
        numbers(by_share), numbers(display.from_predictions(names, scores, pos_label="benign"))
    )


@EVERY
def test_one_class_of_several(display: Any) -> None:
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = LogisticRegression(max_iter=2000).fit(X, names)
    with pytest.raises(ValueError, match=r"knows 3 classes .* one class's column of its scores to from_predictions"):
        display.from_estimator(model, X, names)
    one = display.from_estimator(model, X, names, pos_label="versicolor")
    two = display.from_predictions(names, model.decision_function(X)[:, 1], pos_label="versicolor")
    np.testing.assert_array_equal(numbers(one), numbers(two))
    np.testing.assert_array_equal(
        numbers(two), numbers(display.from_predictions(y == 1, model.decision_function(X)[:, 1]))
    )
    with pytest.raises(ValueError, match="pos_label='rose' is not a class of the estimator; known"):
        display.from_estimator(model, X, names, pos_label="rose")
    with pytest.raises(ValueError, match=r"one score per row, got shape \(150, 3\); pass the column of the class"):
        display.from_predictions(names, model.decision_function(X), pos_label="versicolor")


def test_models_of_different_kinds_are_compared_fairly(table: Any) -> None:
    X, y = table
    axes = None
    for model in (
        HSClassifier(LGBMClassifier(n_estimators=10, verbose=-1)),
        LGBMClassifier(n_estimators=10, verbose=-1),
        Perceptron(),
    ):
        model.fit(X, y)
        display = PrecisionAtKDisplay.from_estimator(model, X, y, metric="precision", ax=axes)
        axes = display.ax_
        response = "decision_function" if hasattr(model, "decision_function") else "predict_proba"
        scores = getattr(model, response)(X)
        assert display.break_even == precision_at_k(y, scores if scores.ndim == 1 else scores[:, 1])
    assert sum(line.get_gid() == "hsboost:curve" for line in axes.get_lines()) == 3


def test_gain_over_another_estimator_or_its_scores(table: Any) -> None:
    X, y = table
    ours, theirs = RandomForestClassifier(10, random_state=0).fit(X, y), LogisticRegression(max_iter=5000).fit(X, y)
    one = BudgetGainDisplay.from_estimator(ours, X, y, baseline=theirs, k=40, n_bootstrap=20)
    scores = theirs.decision_function(X)
    two = BudgetGainDisplay.from_estimator(ours, X, y, baseline=scores, k=40, n_bootstrap=20, baseline_name="linear")
    np.testing.assert_array_equal(one.difference, two.difference)
    assert one.at_budget == two.at_budget
    assert (one.baseline_name, two.baseline_name) == ("LogisticRegression", "linear")


def test_an_hsclassifier_brings_its_budget_temperature_and_cut(table: Any) -> None:
    X, y = table
    model = HSClassifier(LGBMClassifier(n_estimators=15, verbose=-1), k=0.2, loss="hypersimplex", temperature=2.0).fit(
        X, y
    )
    display = HypersimplexDisplay.from_estimator(model, X, y)
    assert (display.k, display.temperature, display.cut_) == (60.0, 2.0, 0.0)
    assert (display.score > 0).sum() == (model.predict(X) == 1).sum()
    own = HypersimplexDisplay.from_estimator(model, X, y, k=30, temperature=0.5)
    assert (own.k, own.temperature) == (30.0, 0.5)
    search = GridSearchCV(make_pipeline(model), {"hsclassifier__k": [0.3]}, cv=2, scoring="roc_auc").fit(X, y)
    assert HypersimplexDisplay.from_estimator(search, X, y).k == 90.0


class _Stub(LogisticRegression):
    """A fitted classifier with whatever attributes a test wants."""


def test_a_training_history_is_shown_and_budgets_per_group_are_asked_for(table: Any) -> None:
    X, y = table
    model = _Stub(max_iter=5000).fit(X, y)
    model.training_history_ = {"iteration": [0, 1], "soft_threshold": [0.0, 0.5], "active_share": [1.0, 0.5]}
    display = HypersimplexDisplay.from_estimator(model, X, y, kind="rounds")
    assert display.axes_[1].get_lines()[0].get_ydata().tolist() == [0.0, 0.5]
    model.k = {"north": 3, "south": 5}
    with pytest.raises(ValueError, match="a budget per class or group; pass k, the budget of the rows shown here"):
        HypersimplexDisplay.from_estimator(model, X, y)
    assert HypersimplexDisplay.from_estimator(model, X, y, k=8).k == 8
    X, y = load_iris(return_X_y=True)
    model = _Stub(max_iter=2000).fit(X, y)
    model.k = {0: 10, 1: 20, 2: 30}
    assert HypersimplexDisplay.from_estimator(model, X, y, pos_label=2).k == 30
    with pytest.raises(ValueError, match="no training history to draw"):
        HypersimplexDisplay.from_predictions(Y, SCORE).plot_rounds()


@pytest.mark.parametrize(
    ("labels", "pos_label"),
    [
        (Y, None),
        (Y == 1, None),
        (2 * Y - 1, None),
        (Y.astype(float), None),
        (np.where(Y, "yes", "no"), "yes"),
        (pd.Series(np.where(Y, "yes", "no")), "yes"),
        (np.where(Y, 7, 3), 7),
        (list(Y), 1),
    ],
)
def test_labels_of_every_kind(labels: Any, pos_label: Any) -> None:
    found = PrecisionAtKDisplay.from_predictions(labels, pd.Series(SCORE), pos_label=pos_label)
    np.testing.assert_array_equal(found.precision, PrecisionAtKDisplay.from_predictions(Y, SCORE).precision)


@EVERY
def test_rows_without_weight_do_not_count(display: Any) -> None:
    weight = np.array([1, 2, 0, 1, 0, 1])
    kept = weight > 0
    baseline = {"baseline": -SCORE} if display is BudgetGainDisplay else {}
    short = {"baseline": -SCORE[kept]} if baseline else {}
    one = display.from_predictions(Y, SCORE, sample_weight=weight, **baseline)
    two = display.from_predictions(Y[kept], SCORE[kept], sample_weight=weight[kept], **short)
    np.testing.assert_array_equal(numbers(one), numbers(two))


@EVERY
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": np.array(["a", "b"] * 3)}, "must be 0/1 or -1/1 unless pos_label says .* holds 'a', 'b'"),
        ({"y_true": np.array([0, 1, 2, 1, 1, 0])}, "unless pos_label says what is positive; it holds 0, 1, 2"),
        ({"y_true": np.array([0, 1, np.nan, 1, 1, 0])}, "a label in every row, got nan"),
        ({"y_true": Y[:4]}, r"y_true must have one entry per row .* expected shape \(6,\), got \(4,\)"),
        ({"y_true": np.zeros(6)}, "y_true holds no positive row"),
        ({"score": np.r_[SCORE[:5], np.nan]}, "must be finite, got nan at row 5"),
        ({"score": np.array([])}, "is empty"),
        ({"score": np.c_[SCORE, SCORE]}, r"one score per row, got shape \(6, 2\); pass the column of the class"),
        ({"score": np.array(list("abcdef"))}, "must hold numbers"),
        ({"sample_weight": -np.ones(6)}, "sample_weight must be finite and >= 0, got -1"),
        ({"sample_weight": np.ones(3)}, "sample_weight must have one entry per row"),
        ({"sample_weight": np.zeros(6)}, "sample_weight must have a positive sum"),
        ({"sample_weight": 1 - Y}, "y_true holds no positive row"),
    ],
)
def test_bad_rows_get_one_clear_error(display: Any, change: dict[str, Any], message: str) -> None:
    given = {"y_true": Y, "score": SCORE, **change}
    with pytest.raises(ValueError, match=message):
        display.from_predictions(given.pop("y_true"), given.pop("score"), **given)
    assert plt.get_fignums() == [], "an error leaves no empty figure"


@pytest.mark.parametrize(
    ("display", "options", "message"),
    [
        (PrecisionAtKDisplay, {"n_bootstrap": -1}, "n_bootstrap must be an int >= 0, got -1"),
        (PrecisionAtKDisplay, {"n_bootstrap": 2.5}, "n_bootstrap must be an int >= 0, got 2.5"),
        (PrecisionAtKDisplay, {"n_bootstrap": 1}, "n_bootstrap must be 0 .* or at least 2"),
        (PrecisionAtKDisplay, {"random_state": None}, "random_state must be an int >= 0, got None"),
        (PrecisionAtKDisplay, {"confidence_level": 95}, "confidence_level must lie in .*; for 95 % pass 0.95"),
        (PrecisionAtKDisplay, {"confidence_level": 0}, "confidence_level must be a positive"),
        (PrecisionAtKDisplay, {"max_points": 3}, "max_points must be an int >= 8, got 3"),
        (PrecisionAtKDisplay, {"metric": "auc"}, "metric must be one of 'both', 'precision', 'recall'"),
        (PrecisionAtKDisplay, {"x": "rows"}, "x must be one of 'count', 'share'"),
        (PrecisionAtKDisplay, {"start": -1}, "start must be a positive"),
        (BudgetGainDisplay, {"kind": "ratio"}, "kind must be one of 'auto', 'both', 'lift', 'difference'"),
        (BudgetGainDisplay, {"kind": "difference"}, "kind='difference' needs baseline="),
        (BudgetGainDisplay, {"k": 0}, "k must be above 0"),
        (BudgetGainDisplay, {"baseline": SCORE[:3]}, "baseline must have one entry per row of y_score"),
        (BudgetGainDisplay, {"baseline": SCORE * np.inf}, "baseline must be finite"),
        (HypersimplexDisplay, {"k": 1.5}, "k as a float is a share"),
        (HypersimplexDisplay, {"temperature": 0.0}, "temperature must be a positive finite number"),
        (HypersimplexDisplay, {"bins": 1}, "bins must be an int >= 2"),
        (HypersimplexDisplay, {"kind": "both"}, "kind must be one of 'scores', 'rounds'"),
    ],
)
def test_bad_options_get_one_clear_error(display: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        display.from_predictions(Y, SCORE, **options)
    assert plt.get_fignums() == [], "an error leaves no empty figure"


def test_compare_wants_a_mapping() -> None:
    for wrong in ([SCORE], {}):
        with pytest.raises(ValueError, match="scores must be a mapping of names to scores"):
            PrecisionAtKDisplay.compare(Y, wrong)


@EVERY
def test_estimators_that_cannot_score(display: Any, table: Any) -> None:
    X, y = table
    with pytest.raises(NotFittedError):
        display.from_estimator(LogisticRegression(), X, y)
    with pytest.raises(ValueError, match="response_method must be one of 'auto', 'decision_function'"):
        display.from_estimator(LogisticRegression().fit(X[:, :1], y), X[:, :1], y, response_method="predict")
    scaler = StandardScaler().fit(X)
    with pytest.raises(ValueError, match="StandardScaler has no decision_function and no predict_proba; pass its sco"):
        display.from_estimator(scaler, X, y)
    with pytest.raises(ValueError, match="Perceptron has no predict_proba"):
        display.from_estimator(Perceptron().fit(X, y), X, y, response_method="predict_proba")


@EVERY
def test_docstrings_open_with_the_problem_and_describe_every_method(display: Any) -> None:
    assert (display.__doc__ or "").startswith("See ")
    for name, value in vars(display).items():
        if not name.startswith("_"):
            assert getattr(value, "__doc__", None) or getattr(display, name).__doc__, name


def run(source: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).resolve().parents[1]
    return subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, cwd=root, check=False)


def test_importing_needs_no_matplotlib_and_drawing_says_how_to_get_it() -> None:
    done = run(
        "import sys\n"
        "import hsboost.plotting as p\n"
        "assert not any(name.startswith('matplotlib') for name in sys.modules)\n"
        "sys.modules['matplotlib'] = sys.modules['matplotlib.pyplot'] = None\n"
        "for display in (p.PrecisionAtKDisplay, p.HypersimplexDisplay, p.BudgetGainDisplay):\n"
        "    try:\n"
        "        display.from_predictions([0, 1], [0.0, 1.0])\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(line.endswith("pip install hsboost[plot]") for line in lines)
