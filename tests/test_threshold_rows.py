"""Where predict cuts: on training rows, on held-out rows, or cross-fitted, so that new rows meet the budget."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from xgboost import XGBClassifier

from hsboost import HSClassifier
from hsboost.estimators import _thresholds
from hsboost.estimators._model_file import persistence

N, N_NEW = 1200, 4000
BOOSTERS = {
    "xgboost": lambda **more: XGBClassifier(n_estimators=40, max_depth=6, n_jobs=1, **more),
    "lightgbm": lambda **more: LGBMClassifier(n_estimators=40, num_leaves=31, n_jobs=1, verbose=-1, **more),
}
both = pytest.mark.parametrize("booster", BOOSTERS)


def rows(n: int, seed: int, n_classes: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, noisy labels, groups ("n" has seven rows of ten)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 5))
    score = X[:, 0] + 1.5 * rng.normal(size=n)
    y = np.digitize(score, [0.8] if n_classes == 2 else [-0.7, 0.7])
    return X, y, np.where(rng.random(n) < 0.7, "n", "s")


X, Y, G = rows(N, 0)
XV, YV, GV = rows(800, 5)
XN, YN, GN = rows(N_NEW, 2)


def made(booster: str, **settings: Any) -> HSClassifier:
    return HSClassifier(BOOSTERS[booster](), random_state=0, **settings)


def share(model: HSClassifier, X: np.ndarray = XN, groups: Any = None, label: Any = 1) -> float:
    return float(np.mean(model.predict(X, groups) == label))


@both
@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"k": 0.05, "loss": "hypersimplex"}, 0.05),
        ({"k": 0.1}, 0.1),
        ({"k": 0.2}, 0.2),
        ({"k": 120}, 120 / N),
        ({"k": None}, float(Y.mean())),
        ({"k": 0.1, "loss": "log-loss"}, 0.1),
        ({"k": 0.1, "loss": "hypersimplex-fy"}, 0.1),
        ({"k": 0.1, "loss": "hypersimplex-smooth"}, 0.1),
        ({"k": 0.1, "loss": "hypersimplex", "temperature": 7.0}, 0.1),
    ],
    ids=str,
)
def test_predict_calls_the_budgets_share_of_new_rows(booster: str, settings: Any, wanted: float) -> None:
    model = made(booster, **settings).fit(X, Y)
    assert model.threshold_source_ == "cross-fit"
    assert share(model) == pytest.approx(wanted, rel=0.3)


@both
def test_the_training_rows_cut_misses_where_trees_fit_closely(booster: str) -> None:
    model = made(booster, k=0.1, loss="hypersimplex", threshold="training").fit(X, Y)
    assert model.threshold_source_ == "training"
    assert share(model, X) == pytest.approx(0.1, abs=0.5 / N)  # of those rows exactly as many
    assert abs(share(model) - 0.1) > 0.03
    default = made(booster, k=0.1, loss="hypersimplex").fit(X, Y)
    np.testing.assert_array_equal(default.predict_top_k(XN, 50), model.predict_top_k(XN, 50))  # the trees are the same


@both
def test_cross_fitting_is_the_same_twice(booster: str) -> None:
    first, second = (made(booster, k=0.1).fit(X, Y).threshold_ for _ in range(2))
    assert first == second


@both
@pytest.mark.parametrize(
    ("k", "wanted"), [(0.05, 40), (0.25, 200), (120, 80), (None, int(YV.sum()))], ids=["5%", "25%", "count", "none"]
)
@pytest.mark.parametrize("form", ["eval_set", "eval_X"])
@pytest.mark.parametrize("threshold", ["holdout", "auto"])
def test_held_out_rows_are_called_exactly(booster: str, k: Any, wanted: int, form: str, threshold: str) -> None:
    given = {"eval_set": (XV, YV)} if form == "eval_set" else {"eval_X": XV, "eval_y": YV}
    model = made(booster, k=k, threshold=threshold).fit(X, Y, **given)
    assert model.threshold_source_ == "holdout"
    assert model.predict(XV).sum() == wanted


@both
def test_the_last_set_that_is_not_the_training_rows_decides(booster: str) -> None:
    model = made(booster, k=0.1).fit(X, Y, eval_set=[(XN, YN), (XV, YV), (X, Y)])
    assert model.predict(XV).sum() == 80


@both
@pytest.mark.parametrize("settings", [{"threshold": "holdout"}, {"calibration": "sigmoid"}], ids=str)
def test_rows_set_aside_say_where_to_cut(booster: str, settings: Any) -> None:
    model = made(booster, k=0.25, calibration_fraction=0.4, **settings).fit(X, Y)
    assert model.threshold_source_ == "holdout"
    assert share(model) == pytest.approx(0.25, abs=0.05)


def test_auto_is_cross_fitted_where_few_rows_are_held_out() -> None:
    sets = {"few": (XV[:300], YV[:300]), "enough": (XV[:500], YV[:500])}
    found = {name: made("lightgbm", k=0.05).fit(X, Y, eval_set=one).threshold_source_ for name, one in sets.items()}
    assert found == {"few": "cross-fit", "enough": "holdout"}  # 15 rows above the cut, and 25


def test_auto_keeps_the_training_rows_cut_where_fewer_than_ten_lie_above() -> None:
    assert made("lightgbm", k=9).fit(X, Y).threshold_source_ == "training"
    assert made("lightgbm", k=10).fit(X, Y).threshold_source_ == "cross-fit"


def test_auto_trains_no_folds_where_rows_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_thresholds, "MANY", len(Y))
    assert made("lightgbm", k=0.1).fit(X, Y).threshold_source_ == "training"
    assert made("lightgbm", k=0.1).fit(X, Y, eval_set=(XV, YV)).threshold_source_ == "holdout"
    assert made("lightgbm", k=0.1, threshold="cross-fit").fit(X, Y).threshold_source_ == "cross-fit"
    monkeypatch.setattr(_thresholds, "MANY", len(Y) + 1)
    assert made("lightgbm", k=0.1).fit(X, Y).threshold_source_ == "cross-fit"


@both
def test_weights_of_held_out_rows_mean_repeated_rows(booster: str) -> None:
    weight = np.random.default_rng(3).integers(0, 4, len(YV))
    weighted = made(booster, k=0.1, threshold="holdout").fit(X, Y, eval_set=(XV, YV), eval_sample_weight=[weight])
    again = np.repeat(np.arange(len(YV)), weight)
    repeated = made(booster, k=0.1, threshold="holdout").fit(X, Y, eval_set=(XV[again], YV[again]))
    assert weighted.threshold_ == pytest.approx(repeated.threshold_, abs=1e-12)


@both
@pytest.mark.parametrize("with_weights", [False, True])
def test_class_weights_count_in_the_budget_of_held_out_rows(booster: str, with_weights: bool) -> None:
    own = np.random.default_rng(4).integers(1, 3, N) if with_weights else None
    model = made(booster, k=0.3, class_weight={1: 3.0}, threshold="holdout").fit(X, Y, own, eval_set=(XV, YV))
    cost = np.where(YV == 1, 3.0, 1.0)
    assert cost[model.predict(XV) == 1].sum() / cost.sum() == pytest.approx(0.3, abs=3 / cost.sum())


@both
@pytest.mark.parametrize("k", [0.1, {"n": 0.1, "s": 0.3}, {"n": 84, None: 0.3}], ids=str)
@pytest.mark.parametrize("threshold", ["holdout", "cross-fit"])
def test_every_group_meets_its_budget(booster: str, k: Any, threshold: str) -> None:
    given = {"eval_set": (XV, YV), "eval_groups": GV} if threshold == "holdout" else {}
    model = made(booster, k=k, threshold=threshold).fit(X, Y, groups=G, **given)
    assert model.threshold_source_ == threshold
    for label, other in (("n", 0.1), ("s", 0.1 if k == 0.1 else 0.3)):
        here = label == GN
        assert np.mean(model.predict(XN, GN)[here]) == pytest.approx(other, rel=0.45), label
    together = 0.1 if k == 0.1 else 0.1 * np.mean(G == "n") + 0.3 * np.mean(G == "s")
    assert share(model) == pytest.approx(together, rel=0.35)


@both
def test_groups_with_few_held_out_rows_move_with_the_others(booster: str) -> None:
    groups, held = G.astype("U7"), GV.astype("U7")
    groups[:60], held[:5], held[-5:] = "few", "few", "unknown"
    model = made(booster, k=0.2, threshold="holdout").fit(X, Y, groups=groups, eval_set=(XV, YV), eval_groups=held)
    plain = made(booster, k=0.2, threshold="training").fit(X, Y, groups=groups)
    moves = {label: model.group_thresholds_[label] - cut for label, cut in plain.group_thresholds_.items()}
    assert moves.keys() == {"few", "n", "s"}
    assert min(moves["n"], moves["s"]) <= moves["few"] <= max(moves["n"], moves["s"])


@both
@pytest.mark.parametrize("threshold", ["holdout", "cross-fit"])
@pytest.mark.parametrize("k", [None, 0.2, {0: 0.1, 1: 0.5, 2: 0.3}], ids=str)
def test_each_class_meets_its_budget(booster: str, threshold: str, k: Any) -> None:
    (A, a, _), (B, b, _), (C, *_) = rows(N, 0, 3), rows(800, 1, 3), rows(N_NEW, 2, 3)
    model = made(booster, k=k, threshold=threshold).fit(A, a, eval_set=(B, b))
    assert model.threshold_source_ == threshold
    above = (model.decision_function(C) > 0).mean(axis=0)
    wanted = [
        np.mean((b if threshold == "holdout" else a) == c) if k is None else k if k == 0.2 else k[c] for c in range(3)
    ]
    np.testing.assert_allclose(above, wanted, rtol=0.5)


@both
@pytest.mark.parametrize("threshold", ["holdout", "cross-fit"])
def test_classes_meet_their_budgets_within_groups(booster: str, threshold: str) -> None:
    (A, a, _), (B, b, _), (C, *_) = rows(N, 0, 3), rows(800, 5, 3), rows(N_NEW, 2, 3)
    k = {0: 0.2, 1: {"n": 0.1, "s": 0.4}, 2: None}
    given = {"eval_set": (B, b), "eval_groups": GV} if threshold == "holdout" else {}
    model = made(booster, k=k, threshold=threshold).fit(A, a, groups=G, **given)
    above = model.decision_function(C, GN) > 0
    positive = np.mean(a == 2)
    for label, wanted in (("n", [0.2, 0.1, positive]), ("s", [0.2, 0.4, positive])):
        np.testing.assert_allclose(above[label == GN].mean(axis=0), wanted, rtol=0.5)


@both
def test_scores_that_compare_between_classes_have_no_cuts(booster: str) -> None:
    A, a, _ = rows(N, 0, 3)
    model = made(booster, loss="log-loss", threshold="cross-fit").fit(A, a)
    assert model.threshold_source_ == "training"
    np.testing.assert_array_equal(model.threshold_, np.zeros(3))


@both
def test_either_class_may_be_the_positive_one(booster: str) -> None:
    names = np.array(["yes", "no"])  # sorted, "no" comes first
    model = made(booster, k=0.1, pos_label="no").fit(X, names[Y])
    assert share(model, label="no") == pytest.approx(0.1, rel=0.3)
    held = made(booster, k=0.1, pos_label="no", threshold="holdout").fit(X, names[Y], eval_set=(XV, names[YV]))
    assert (held.predict(XV) == "no").sum() == 80


def test_threshold_is_a_parameter_like_others() -> None:
    model = made("lightgbm", k=0.1, threshold="holdout")
    assert clone(model).threshold == "holdout"
    assert model.set_params(threshold="training").fit(X, Y).threshold_source_ == "training"
    assert model.set_params(threshold="cross-fit").fit(X, Y).threshold_source_ == "cross-fit"
    assert clone(model).get_params()["threshold"] == "cross-fit"
    search = GridSearchCV(made("lightgbm", k=0.1), {"threshold": ["training", "cross-fit"]}, cv=2).fit(X, Y)
    assert search.best_estimator_.threshold_source_ == search.best_params_["threshold"]


@both
@pytest.mark.parametrize("groups", [False, True])
def test_files_and_pickles_keep_the_threshold(booster: str, groups: bool, tmp_path: Path) -> None:
    model = made(booster, k=0.1).fit(X, Y, groups=G if groups else None)
    model.save_model(tmp_path / "model.json")
    for again in (HSClassifier.load_model(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
        assert (again.threshold, again.threshold_source_, again.threshold_) == ("auto", "cross-fit", model.threshold_)
        np.testing.assert_array_equal(
            again.predict(XN, GN if groups else None), model.predict(XN, GN if groups else None)
        )


@both
def test_models_from_before_there_was_a_choice_load(booster: str, tmp_path: Path) -> None:
    model = made(booster, k=0.1, threshold="training").fit(X, Y)
    model.save_model(tmp_path / "model.json")
    document = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    del document["content"]["parameters"]["threshold"], document["content"]["fitted"]["threshold_source"]
    document["sha256"] = persistence._digest(document["content"])
    (tmp_path / "old.json").write_text(json.dumps(document), encoding="utf-8")
    state = model.__getstate__()
    del state["threshold"], state["threshold_source_"]
    unpickled = HSClassifier.__new__(HSClassifier)
    unpickled.__setstate__(state)
    for again in (HSClassifier.load_model(tmp_path / "old.json"), unpickled):
        assert (again.threshold, again.threshold_source_) == ("training", "training")
        np.testing.assert_array_equal(again.predict(XN), model.predict(XN))


@both
def test_exports_cut_where_predict_does(booster: str, tmp_path: Path) -> None:
    model = made(booster, k=0.1).fit(X, Y)
    path = tmp_path / ("trees.ubj" if booster == "xgboost" else "trees.txt")
    written = model.export(path, output="decision")
    if booster == "xgboost":
        import xgboost as xgb

        found = xgb.Booster(model_file=path).predict(xgb.DMatrix(XN), output_margin=True)
    else:
        import lightgbm as lgb

        found = lgb.Booster(model_file=path).predict(XN, raw_score=True)
    np.testing.assert_array_equal(found > 0, model.predict(XN) == 1)
    assert written.checked


@both
def test_folds_train_as_many_rounds_as_early_stopping_chose(booster: str) -> None:
    stop = {"xgboost": {"early_stopping_rounds": 3}, "lightgbm": {"early_stopping_round": 3}}[booster]
    given = BOOSTERS[booster](**stop)
    model = HSClassifier(given, k=0.1, threshold="cross-fit").fit(X, Y, eval_set=(XV, YV))
    trained = model.estimator_
    best = trained.best_iteration + 1 if booster == "xgboost" else trained.best_iteration_
    assert 0 < best < 40
    inside = _thresholds._booster_for_folds(given, trained, 2)
    assert inside.get_params()["n_estimators"] == best
    assert all(inside.get_params().get(name) is None for name in stop)
    assert share(model) == pytest.approx(0.1, rel=0.4)


@pytest.mark.parametrize(
    ("settings", "fit", "words"),
    [
        ({"threshold": "validation"}, {}, "threshold must be one of .*'cross-fit'.*got 'validation'"),
        ({"threshold": None}, {}, "threshold must be one of .*got None"),
        ({"threshold": "holdout"}, {"eval_set": (X, Y)}, "threshold='holdout' is found on rows that the trees are not"),
        (
            {"threshold": "holdout", "k": 0.1},
            {"groups": G, "eval_set": (XV, YV)},
            "threshold='holdout' needs the group of each evaluation row; pass eval_groups=",
        ),
        (
            {"threshold": "holdout"},
            {"eval_set": (XV[YV == 0], YV[YV == 0])},
            "threshold='holdout': the held-out rows lack a class .*; pass an eval_set with all classes, or a number",
        ),
    ],
)
@both
def test_what_cannot_say_where_to_cut_is_refused(booster: str, settings: Any, fit: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(booster, **settings).fit(X, Y, **fit)


@both
def test_models_that_have_seen_the_rows_are_not_cross_fitted(booster: str) -> None:
    first = made(booster, k=0.1).fit(X, Y)
    with pytest.raises(ValueError, match="threshold='cross-fit' needs models that have not seen some rows"):
        made(booster, k=0.1, threshold="cross-fit").fit(X, Y, init_model=first)
    assert made(booster, k=0.1).fit(X, Y, init_model=first).threshold_source_ == "training"


@both
def test_a_class_of_one_row_is_not_cross_fitted(booster: str) -> None:
    lonely = np.zeros(N, dtype=int)
    lonely[0] = 1
    with pytest.raises(ValueError, match="needs two rows of each class at least, and one has 1"):
        made(booster, k=0.1, threshold="cross-fit").fit(X, lonely)
    assert made(booster, k=0.1).fit(X, lonely).threshold_source_ == "training"
