"""fit(init_model=...): ten and ten rounds are twenty, and what must fit together."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import _versions
import numpy as np
import pytest
from _models import BOOSTERS, N, binary, multi, raw, small, stopping, trained_rounds
from _serving import CITIES, fitted, frame
from sklearn.exceptions import NotFittedError
from test_persistence import GROUPS, through

from hsboost import HSClassifier
from hsboost.losses import SoftmaxLoss

X, Y = binary()
X3, Y3 = multi()


@BOOSTERS
@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss", "squared"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("how", [None, "json", "pickle"])
def test_ten_and_ten_rounds_are_twenty(booster: str, loss: str, n_classes: int, how: Any, tmp_path: Path) -> None:
    # float32 scores in XGBoost; LightGBM starts the second half from float64 scores that it adds up anew.
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    first = HSClassifier(small(booster, n_estimators=10), loss=loss, threshold="training").fit(rows, labels)
    first = first if how is None else through(first, how, tmp_path)
    before = first.decision_function(rows)
    second = HSClassifier(small(booster, n_estimators=10), loss=loss, threshold="training").fit(
        rows, labels, init_model=first
    )
    whole = HSClassifier(small(booster, n_estimators=20), loss=loss, threshold="training").fit(rows, labels)
    assert trained_rounds(second) == 20
    assert len(second.training_history_["iteration"]) == 10
    np.testing.assert_allclose(raw(second, rows), raw(whole, rows), atol=1e-5)
    np.testing.assert_allclose(second.decision_function(rows), whole.decision_function(rows), atol=1e-5)
    np.testing.assert_array_equal(first.decision_function(rows), before)
    np.testing.assert_allclose(second.contributions(rows).sum(-1), second.decision_function(rows), atol=1e-5)


@BOOSTERS
def test_continued_training_with_groups_calibration_and_early_stopping(booster: str) -> None:
    estimator, extra = stopping(booster)
    sets = binary(300, seed=8)
    first = HSClassifier(small(booster, n_estimators=3), k=4, threshold="training").fit(X, Y, groups=GROUPS)
    model = HSClassifier(estimator, k=4, calibration="sigmoid", threshold="training")
    model.fit(X, Y, eval_set=sets, groups=GROUPS, init_model=first, **extra)
    best = model.estimator_.best_iteration + 1 if booster == "xgboost" else model.estimator_.best_iteration_
    assert 3 < trained_rounds(model) < 63
    assert best <= trained_rounds(model)
    same = HSClassifier(small(booster, n_estimators=best), k=4, threshold="training").fit(X, Y, groups=GROUPS)
    np.testing.assert_allclose(model.decision_function(X), same.decision_function(X), atol=1e-5)
    assert model.predict_proba(X).shape == (N, 2)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
def test_continuing_a_model_that_stopped_early_uses_the_new_trees(booster: str) -> None:
    estimator, extra = stopping(booster)
    first = HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=binary(300, seed=11), **extra)
    model = HSClassifier(small(booster, n_estimators=8), k=0.1).fit(X, Y, init_model=first)
    best = first.estimator_.best_iteration + 1 if booster == "xgboost" else first.estimator_.best_iteration_
    # It goes on from the rounds that the first model predicts with.
    whole = HSClassifier(small(booster, n_estimators=best + 8), k=0.1).fit(X, Y)
    assert trained_rounds(model) == best + 8
    np.testing.assert_allclose(raw(model, X), raw(whole, X), atol=1e-5)


@BOOSTERS
@pytest.mark.parametrize("case", ["binary", "early stopping"])
def test_the_first_models_categories_are_known_by_name(booster: str, case: str) -> None:
    if booster == "xgboost":
        _versions.need("xgboost", "3.1.1", "models keep the names of categories")
    first, (x, y) = fitted(case, booster), frame(800, 0)
    settings = {"enable_categorical": True} if booster == "xgboost" else {}
    turned = x.assign(city=x["city"].cat.reorder_categories(CITIES[::-1]))
    models = [HSClassifier(small(booster, **settings), k=0.2).fit(one, y, init_model=first) for one in (x, turned)]
    np.testing.assert_array_equal(models[0].decision_function(x), models[1].decision_function(x))


def test_new_categories_come_after_the_first_lightgbm_models() -> None:
    first, (x, y) = fitted("binary", "lightgbm"), frame(800, 0)
    more = x.assign(city=x["city"].cat.set_categories(["paris", "oslo", "rome", "bonn", "lima", "cairo"]))
    more.loc[:9, "city"] = "paris"
    model = HSClassifier(small("lightgbm"), k=0.2).fit(more, y, init_model=first)
    rounds = first.booster_.current_iteration()
    found = model.estimator_.predict(x, raw_score=True, num_iteration=rounds)
    np.testing.assert_array_equal(found, first.estimator_.predict(x, raw_score=True))
    assert model.booster_.pandas_categorical[0] == [*CITIES, "paris"]


@BOOSTERS
def test_an_init_model_must_fit(booster: str) -> None:
    other = "lightgbm" if booster == "xgboost" else "xgboost"
    model, first = HSClassifier(small(booster)), HSClassifier(small(booster)).fit(X, Y)
    with pytest.raises(ValueError, match=rf"init_model was trained with {other}, this estimator is of {booster}"):
        model.fit(X, Y, init_model=HSClassifier(small(other)).fit(X, Y))
    with pytest.raises(ValueError, match=r"init_model knows the classes \[0, 1\], y holds \[0, 1, 2\]"):
        model.fit(X3, Y3, init_model=first)
    with pytest.raises(ValueError, match=r"init_model knows the classes \[0, 1\], y holds \['a', 'b'\]"):
        model.fit(X, np.array(["a", "b"])[Y], init_model=first)


def test_an_init_model_must_be_fitted() -> None:
    with pytest.raises(NotFittedError):
        HSClassifier(small("xgboost")).fit(X, Y, init_model=HSClassifier())


def test_an_init_model_is_a_classifier() -> None:
    with pytest.raises((TypeError, ValueError), match="init_model must be a fitted HSClassifier"):
        HSClassifier(small("xgboost")).fit(X, Y, init_model="model.json")


@BOOSTERS
def test_an_init_model_has_the_same_columns(booster: str) -> None:
    first = HSClassifier(small(booster)).fit(X, Y)
    with pytest.raises(ValueError, match="init_model"):
        HSClassifier(small(booster)).fit(X[:, :3], Y, init_model=first)


class Seen(SoftmaxLoss):
    """Keeps the scores of the first round."""

    first: list[np.ndarray]

    def boosting_step(self, y_true: Any, raw_prediction: Any, sample_weight: Any, state: Any) -> Any:
        self.first.append(np.array(raw_prediction))
        return super().boosting_step(y_true, raw_prediction, sample_weight, state)


@pytest.mark.parametrize("bins", [8, 256])
@pytest.mark.parametrize(
    ("booster", "how"), [("xgboost", "init_model"), ("xgboost", "xgb_model"), ("lightgbm", "init_model")]
)
def test_new_trees_go_on_from_what_the_old_ones_say_of_new_rows(booster: str, how: str, bins: int) -> None:
    """Not from what they would say of the bins that new rows are put into, within which old thresholds lie."""
    settings = {"max_bin": bins, "n_estimators": 12, "learning_rate": 0.5}
    rows, labels = binary(1_500, seed=21)
    others, other_labels = binary(1_500, seed=22)
    loss = Seen()
    loss.first = []
    first = HSClassifier(small(booster, **settings), loss=loss, threshold="training").fit(rows, labels)
    before = first.decision_function(others)
    loss.first.clear()
    given: Any = first if how == "init_model" else first.estimator_.get_booster()
    second = HSClassifier(small(booster, **settings), loss=loss, threshold="training").fit(
        others, other_labels, eval_set=[(others, other_labels)], **{how: given}
    )
    np.testing.assert_allclose(loss.first[0] - loss.first[0].mean(), before - before.mean(), atol=1e-5)
    assert "_create_dmatrix" not in vars(second.estimator_)
    pickle.dumps(second.estimator_)
