"""Which of two classes is looked for: a model for the class that sorts first is that of the mirrored labels."""

from __future__ import annotations

import json
import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss, make_scorer, roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hsboost import HSClassifier, precision_at_k
from hsboost.estimators._model_file import persistence

X, Y = binary(160)
VALID, Y_VALID = binary(120, seed=4)
GROUPS, GROUPS_VALID = np.arange(160) % 2, np.arange(120) % 2
WEIGHT = np.random.default_rng(0).uniform(0.5, 2.0, 160)

#: Labels of class 0 and class 1, of which that of class 1 is looked for and sorts first.
LABELS: dict[str, list[Any]] = {
    "texts": ["legit", "fraud"], "numbers": [1, 0], "signs": [1.0, -1.0], "booleans": [True, False],
}  # fmt: skip


def named(y: np.ndarray, kind: str = "texts") -> np.ndarray:
    return np.array(LABELS[kind])[y]


def pair(booster: str, kind: str = "texts", fit: Any = None, **settings: Any) -> tuple[HSClassifier, HSClassifier]:
    """The model of mirrored labels 0 and 1, and that for the class that sorts first."""
    both = []
    for names in ([0, 1], LABELS[kind]):
        labels, more, own = np.array(names)[Y], dict(fit or {}), {"k": 0.2} | settings
        own |= {name: _renamed(own[name], names) for name in ("k", "class_weight") if name in own}
        own["pos_label"] = None if names == [0, 1] else names[1]
        if "eval_set" in more:
            more["eval_set"] = (VALID, np.array(names)[Y_VALID])
        if "init_model" in more:
            more["init_model"] = HSClassifier(small(booster), **own).fit(X, labels)
        both.append(HSClassifier(small(booster), random_state=0, **own).fit(X, labels, **more))
    return both[0], both[1]


def _renamed(setting: Any, names: list[Any]) -> Any:
    return {names[c]: value for c, value in setting.items()} if isinstance(setting, dict) else setting


WAYS: dict[str, dict[str, Any]] = {
    "k none": {"k": None},
    "k for the class": {"k": {1: 0.3}},
    "count": {"k": 30},
    "class weights": {"class_weight": {0: 1.0, 1: 3.0}},
    "balanced": {"class_weight": "balanced"},
    "log loss": {"loss": "log-loss"},
    "sibling": {"loss": "hypersimplex-fy"},
    "sigmoid": {"calibration": "sigmoid"},
    "isotonic on an evaluation set": {"calibration": "isotonic", "fit": {"eval_set": True}},
    "weights": {"fit": {"sample_weight": WEIGHT}},
    "groups": {"fit": {"groups": GROUPS}},
    "going on": {"fit": {"init_model": True}},
}


@BOOSTERS
@pytest.mark.parametrize("way", WAYS)
def test_the_first_class_may_be_the_positive_one(booster: str, way: str, tmp_path: Any) -> None:
    right, found = pair(booster, **WAYS[way])
    groups = {"groups": GROUPS_VALID} if "groups" in way else {}
    assert found.classes_.tolist() == ["fraud", "legit"]
    assert found.pos_label_ == "fraud"
    assert right.pos_label_ == 1
    assert found.threshold_ == right.threshold_
    np.testing.assert_array_equal(found.decision_function(VALID, **groups), -right.decision_function(VALID, **groups))
    np.testing.assert_array_equal(found.predict(VALID, **groups), named(right.predict(VALID, **groups)))
    queue = right.predict_top_k(VALID, 20, **groups)
    np.testing.assert_array_equal(found.predict_top_k(VALID, 20, **groups), named(queue))
    np.testing.assert_array_equal(found.predict_top_k(VALID, 20, **groups, return_mask=True), queue == 1)
    np.testing.assert_array_equal(found.contributions(VALID), -right.contributions(VALID))
    for one, other in zip(found.rank(VALID, **groups), right.rank(VALID, **groups), strict=True):
        np.testing.assert_array_equal(one, other)
    if hasattr(found, "predict_proba"):
        np.testing.assert_array_equal(found.predict_proba(VALID), right.predict_proba(VALID)[:, ::-1])
    found.save_model(tmp_path / "model.json")
    for again in (HSClassifier.load_model(tmp_path / "model.json"), pickle.loads(pickle.dumps(found))):
        assert (again.pos_label, again.pos_label_) == ("fraud", "fraud")
        np.testing.assert_array_equal(again.decision_function(VALID), found.decision_function(VALID))
        np.testing.assert_array_equal(again.predict(VALID, **groups), found.predict(VALID, **groups))
        if hasattr(found, "predict_proba"):
            np.testing.assert_array_equal(again.predict_proba(VALID), found.predict_proba(VALID))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_of_every_kind(kind: str, tmp_path: Any) -> None:
    right, found = pair("xgboost", kind)
    assert found.pos_label_ == LABELS[kind][1] == found.classes_[0]
    np.testing.assert_array_equal(found.predict(VALID), named(right.predict(VALID), kind))
    assert found.predict(VALID).dtype == named(Y, kind).dtype
    found.save_model(tmp_path / "model.json")
    np.testing.assert_array_equal(HSClassifier.load_model(tmp_path / "model.json").predict(VALID), found.predict(VALID))
    assert clone(found).get_params()["pos_label"] == LABELS[kind][1]
    assert found.set_params(pos_label=None).predict(VALID).tolist() == named(right.predict(VALID), kind).tolist()


@pytest.mark.parametrize("as_column", [pd.Series, lambda y: pd.Series(y, dtype="category"), list])
def test_labels_in_any_container(as_column: Any) -> None:
    model = HSClassifier(small("xgboost"), k=0.2, pos_label="fraud").fit(X, as_column(named(Y)))
    np.testing.assert_array_equal(model.predict(VALID), pair("xgboost")[1].predict(VALID))


@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
def test_scikit_learns_scorers_read_both_classes_rightly(loss: str) -> None:
    """They take what is above 0 for ``classes_[1]``, and turn it round for a pos_label of their own."""
    scorers = {
        "area": "roc_auc",
        "precision": make_scorer(
            average_precision_score, response_method="decision_function", pos_label="fraud"
        ),
        "at k": make_scorer(precision_at_k, response_method="decision_function", pos_label="fraud", k=0.2),
    }  # fmt: skip
    plain = {
        "area": "roc_auc",
        "precision": "average_precision",
        "at k": make_scorer(precision_at_k, response_method="decision_function", k=0.2),
    }
    if loss == "log-loss":
        scorers["log loss"] = plain["log loss"] = "neg_log_loss"
    model = HSClassifier(small("xgboost"), k=0.2, loss=loss)
    for name, scorer in scorers.items():
        found = cross_val_score(clone(model).set_params(pos_label="fraud"), X, named(Y), scoring=scorer, cv=3)
        right = cross_val_score(model, X, Y, scoring=plain[name], cv=3)
        np.testing.assert_allclose(found, right, rtol=1e-12, err_msg=name)
    assert roc_auc_score(Y, pair("xgboost", loss=loss)[1].rank(X).scores) > 0.7
    if loss == "log-loss":
        fitted = pair("xgboost", loss=loss)[1]
        assert log_loss(named(Y), fitted.predict_proba(X), labels=fitted.classes_) < 0.6


def test_displays_are_about_the_class_that_is_looked_for() -> None:
    plotting = pytest.importorskip("hsboost.plotting")
    pytest.importorskip("matplotlib")
    right, found = pair("xgboost")
    pipeline = make_pipeline(StandardScaler(), HSClassifier(small("xgboost"), k=0.2, pos_label="fraud")).fit(
        X, named(Y)
    )
    reference = plotting.PrecisionAtKDisplay.from_estimator(right, VALID, Y_VALID, n_bootstrap=0)
    for model in (found, pipeline):
        display = plotting.PrecisionAtKDisplay.from_estimator(model, VALID, named(Y_VALID), n_bootstrap=0)
        np.testing.assert_allclose(display.precision, reference.precision, atol=0.1 if model is pipeline else 0.0)
        assert display.prevalence == reference.prevalence
    gain = plotting.BudgetGainDisplay.from_estimator(found, VALID, named(Y_VALID), n_bootstrap=0)
    assert gain.lift[0] > 1.0
    soft = plotting.HypersimplexDisplay.from_estimator(found, VALID, named(Y_VALID))
    expected = plotting.HypersimplexDisplay.from_estimator(right, VALID, Y_VALID)
    np.testing.assert_array_equal(soft.score, expected.score)


# The queue


def test_rank_gives_order_places_and_scores() -> None:
    model = HSClassifier(small("lightgbm", n_estimators=2), k=0.2).fit(X, Y)
    order, place, scores = model.rank(VALID)
    np.testing.assert_array_equal(scores, model.decision_function(VALID))
    np.testing.assert_array_equal(order, sorted(range(120), key=lambda i: (-scores[i], i)))
    np.testing.assert_array_equal(order[place], np.arange(120))
    for k in (0, 1, 20, 119, 120):
        np.testing.assert_array_equal(place < k, model.predict_top_k(VALID, k, return_mask=True))
    order, place, _ = model.rank(VALID, groups=GROUPS_VALID)
    assert GROUPS_VALID[order].tolist() == [0] * 60 + [1] * 60
    for g in (0, 1):
        rows = np.flatnonzero(g == GROUPS_VALID)
        by_hand = sorted(rows, key=lambda i: (-scores[i], i))
        assert order[60 * g : 60 * (g + 1)].tolist() == by_hand
        np.testing.assert_array_equal(place[by_hand], np.arange(60))
    np.testing.assert_array_equal(
        place < 7, model.predict_top_k(VALID, 7, groups=GROUPS_VALID, return_mask=True)
    )  # fmt: skip


def test_rank_of_several_classes_and_of_no_rows() -> None:
    rows, labels = multi(160)
    model = HSClassifier(small("xgboost")).fit(rows, labels)
    order, place, scores = model.rank(rows)
    assert order.shape == place.shape == scores.shape == (160, 3)
    top = model.predict_top_k(rows, 9)
    np.testing.assert_array_equal(place < 9, top)
    np.testing.assert_array_equal(model.predict_top_k(rows, 9, return_mask=True), top)
    assert not hasattr(model, "pos_label_")
    assert [part.shape for part in model.rank(rows[:0])] == [(0, 3)] * 3
    model = HSClassifier(small("xgboost")).fit(X, Y)
    assert [part.shape for part in model.rank(X[:0])] == [(0,)] * 3
    assert model.predict_top_k(X[:0], 3, return_mask=True).dtype == np.bool_


# What is asked of the label


@BOOSTERS
@pytest.mark.parametrize(
    ("labels", "pos_label", "message"),
    [
        (named(Y), "Fraud", r"pos_label='Fraud' is no class of y; name one of them: \['fraud', 'legit'\]"),
        (named(Y), 1, "pos_label=1 is no class of y"), (Y, "1", "pos_label='1' is no class of y"),
        (Y, 2, "pos_label=2 is no class of y"), (Y, [1], r"pos_label=\[1\] is no class of y"),
        (Y, np.nan, "pos_label=nan is no class of y"),
        (multi(160)[1], 1, "pos_label=1 chooses one class of two, and y holds 3; leave it out"),
    ],
    ids=range(7),
)  # fmt: skip
def test_a_label_that_cannot_be_looked_for(booster: str, labels: Any, pos_label: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster), pos_label=pos_label).fit(X, labels)


@pytest.mark.parametrize("pos_label", [1, 1.0, True, np.int64(1)])
def test_equal_labels_are_one(pos_label: Any) -> None:
    assert HSClassifier(small("xgboost"), pos_label=pos_label).fit(X, Y).pos_label_ == 1


@BOOSTERS
@pytest.mark.parametrize("column", [np.array, pd.Series, lambda y: np.array(y, dtype=object)])
def test_two_texts_without_a_choice_are_said_once(booster: str, column: Any) -> None:
    with pytest.warns(
        UserWarning, match="'legit' counts as positive, .*pos_label='fraud' or pos_label='legit'"
    ) as seen:
        HSClassifier(small(booster)).fit(X, column(named(Y).tolist()))
    assert len([one for one in seen if "positive" in str(one.message)]) == 1
    assert seen[0].filename == __file__


@pytest.mark.parametrize(
    ("labels", "pos_label"),
    [(named(Y), "legit"), (named(Y), "fraud"), (Y, None), (Y == 1, None),
     (np.array(["a", "b", "c"])[multi(160)[1]], None)],
    ids=range(5),
)  # fmt: skip
def test_nothing_is_said_where_the_choice_is_plain(labels: Any, pos_label: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        HSClassifier(small("xgboost"), pos_label=pos_label).fit(X, labels)


def test_going_on_for_another_class_is_refused() -> None:
    first = HSClassifier(small("xgboost"), pos_label="fraud").fit(X, named(Y))
    with pytest.raises(ValueError, match="init_model was trained for pos_label='fraud', this estimator is for 'legit'"):
        HSClassifier(small("xgboost"), pos_label="legit").fit(X, named(Y), init_model=first)


@BOOSTERS
def test_files_of_format_2_know_no_choice(booster: str, tmp_path: Any) -> None:
    model = HSClassifier(small(booster), k=0.2).fit(X, Y)
    model.save_model(tmp_path / "new.json")
    document = json.loads((tmp_path / "new.json").read_text(encoding="utf-8"))
    del document["content"]["fitted"]["positive"], document["content"]["parameters"]["pos_label"]
    document |= {"format_version": 2, "sha256": persistence._digest(document["content"])}
    (tmp_path / "old.json").write_text(json.dumps(document), encoding="utf-8")
    old = HSClassifier.load_model(tmp_path / "old.json")
    assert (old.pos_label, old.pos_label_) == (None, 1)
    np.testing.assert_array_equal(old.decision_function(VALID), model.decision_function(VALID))


def test_old_pickles_know_no_choice() -> None:
    state = HSClassifier(small("xgboost")).fit(X, Y).__getstate__()
    del state["pos_label"], state["pos_label_"]
    old = HSClassifier.__new__(HSClassifier)
    old.__setstate__(state)
    assert (old.pos_label, old.pos_label_) == (None, 1)
    assert clone(old).get_params()["pos_label"] is None
    assert old.predict_top_k(X, 5).sum() == 5


# On a cluster


@pytest.mark.parametrize("more", [{}, {"calibration": "sigmoid"}, {"class_weight": {"fraud": 2.0, "legit": 1.0}}])
@pytest.mark.parametrize("grouped", [False, True])
def test_on_a_cluster(more: dict[str, Any], grouped: bool, client: Any) -> None:
    da = pytest.importorskip("dask.array")
    from hsboost.dask import DaskHSClassifier

    def spread(rows: Any) -> Any:
        rows = np.asarray(rows)
        return da.from_array(rows, chunks=(40, *rows.shape[1:]))

    def fit(kind: type, put: Any, labels: Any, **settings: Any) -> Any:
        groups = {"groups": put(GROUPS)} if grouped else {}
        model = kind(small("xgboost", tree_method="approx"), k=0.2, **{**more, **settings})
        return model.fit(
            put(X.round(1)), put(labels), eval_set=(put(VALID.round(1)), put(labels_of(Y_VALID))), **groups
        )

    def labels_of(y: np.ndarray) -> np.ndarray:
        return named(y)

    found = fit(DaskHSClassifier, spread, named(Y), pos_label="fraud")
    right = fit(HSClassifier, lambda rows: rows, named(Y), pos_label="fraud", threshold="training")
    assert (found.pos_label_, found.classes_.tolist()) == ("fraud", ["fraud", "legit"])
    rows = spread(VALID.round(1))
    assert found.threshold_ == pytest.approx(right.threshold_, abs=1e-5)
    # A model of groups asks for them; one label for all rows ranks them together.
    alike = np.zeros(len(VALID))
    of_rows, of_local = ({"groups": da.from_array(alike, chunks=40)}, {"groups": alike}) if grouped else ({}, {})
    mask = found.predict_top_k(rows, 20, return_mask=True, **of_rows).compute()
    assert mask.sum() == 20
    assert (found.predict_top_k(rows, 20, **of_rows).compute() == np.where(mask, "fraud", "legit")).all()
    local = found.to_local()
    np.testing.assert_array_equal(mask, local.predict_top_k(VALID.round(1), 20, return_mask=True, **of_local))
    np.testing.assert_array_equal(found.predict(rows).compute(), local.predict(VALID.round(1)))
    np.testing.assert_array_equal(found.decision_function(rows).compute(), local.decision_function(VALID.round(1)))
    assert roc_auc_score(Y_VALID, local.rank(VALID.round(1), **of_local).scores) > 0.65
    if "calibration" in more:
        assert roc_auc_score(Y_VALID, found.predict_proba(rows).compute()[:, 0]) > 0.65
