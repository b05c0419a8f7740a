"""The inner booster's settings under every name that it knows them by."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from _models import binary, multi, small
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import HSClassifier
from hsboost.estimators._boosters.aliases import (
    _WITHOUT_EFFECT_ON_LIGHTGBM,
    _WITHOUT_EFFECT_ON_XGBOOST,
    lightgbm_names,
    settled,
)

pytestmark = pytest.mark.truth

X, Y = binary(120)
X3, Y3 = multi(120)
VALID = binary(60, seed=5)
NAMES = lightgbm_names()
OWN = set(LGBMClassifier().get_params()) - {"importance_type", "class_weight"}
XGBOOST = {
    "eta": "learning_rate", "min_split_loss": "gamma", "lambda": "reg_lambda", "alpha": "reg_alpha",
    "nthread": "n_jobs", "seed": "random_state",
}  # fmt: skip


OTHER: dict[str, Any] = {
    "pos_bagging_fraction": 0.5, "neg_bagging_fraction": 0.5, "tweedie_variance_power": 1.2, "label_gain": [0, 1],
    "lambdarank_position_bias_regularization": 1.0,
}  # fmt: skip


def other(main: str) -> Any:
    """A value that is not the neutral one."""
    neutral = _WITHOUT_EFFECT_ON_LIGHTGBM[main][0]
    return OTHER[main] if main in OTHER else not neutral if isinstance(neutral, bool) else neutral * 2


def same(main: str) -> list[str]:
    """All names of one of LightGBM's settings."""
    return [name for name, of in NAMES.items() if of == main]


def scores(estimator: Any, rows: Any = X, labels: Any = Y, **more: Any) -> np.ndarray:
    return HSClassifier(estimator, k=0.2).fit(rows, labels, **more).decision_function(rows)


def light(**params: Any) -> LGBMClassifier:
    return LGBMClassifier(**{"num_threads": 1, "verbosity": -1, "num_iterations": 4, "num_leaves": 8, **params})


PLAIN = {2: scores(light()), 3: scores(light(), X3, Y3)}


def test_lightgbms_own_table_is_read() -> None:
    assert NAMES["loss"] == NAMES["app"] == NAMES["application"] == NAMES["objective_type"] == "objective"
    assert NAMES["objective"] == "objective"
    assert len(NAMES) > 250
    for name in OWN:
        assert name in NAMES


@pytest.mark.parametrize("name", same("objective"))
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("objective", ["builtin", "function"])
def test_no_objective_of_the_estimator_replaces_the_loss(name: str, n_classes: int, objective: str) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    given: Any = "binary" if n_classes == 2 else "multiclass"
    if objective == "function":

        def given(y_true: Any, y_pred: Any) -> Any:
            raise AssertionError("the estimator's own objective was called")

    model = HSClassifier(light(**{name: given}), k=0.2).fit(rows, labels)
    np.testing.assert_array_equal(model.decision_function(rows), PLAIN[n_classes])
    assert model.estimator_.get_params()["objective"] is model.objective_
    assert not set(model.estimator_.get_params()) & (set(same("objective")) - {"objective"})


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_of_every_setting_is_that_setting(name: str) -> None:
    """Under LightGBM's own rules the constructor's defaults win over some of these names, silently."""
    main = NAMES[name]
    if main in _WITHOUT_EFFECT_ON_LIGHTGBM or main in ("objective", "num_class", "bagging_by_query"):
        return  # below
    value = object()
    found = settled(LGBMClassifier(**{name: value}), "lightgbm", 2).get_params()
    canonical = next((one for one in same(main) if one in OWN), main)
    assert found[canonical] is value
    assert set(found) & set(same(main)) == {canonical}


@pytest.mark.parametrize("main", sorted(set(NAMES.values())))
def test_two_values_under_two_names_are_refused(main: str) -> None:
    names = same(main)
    if len(names) < 2 or main == "objective":
        return
    for first, second in pairwise(names):
        with pytest.raises(
            ValueError, match=rf"estimator: .*(={7!r}|={9!r}) and .* are one setting of LightGBM under 2"
        ):
            settled(LGBMClassifier(**{first: 7, second: 9}), "lightgbm", 2)
    if main in _WITHOUT_EFFECT_ON_LIGHTGBM or main == "num_class":
        return
    assert settled(LGBMClassifier(**dict.fromkeys(names, 7)), "lightgbm", 2).get_params()[
        next((one for one in names if one in OWN), main)
    ] == 7  # fmt: skip


EFFECTS: dict[str, Any] = {
    "num_iterations": 2, "learning_rate": 0.6, "num_leaves": 3, "lambda_l1": 5.0, "lambda_l2": 9.0,
    "min_data_in_leaf": 40, "min_sum_hessian_in_leaf": 25.0, "max_delta_step": 0.01, "min_gain_to_split": 3.0,
    "monotone_constraints": [-1, 0, 0, 0, 0], "linear_tree": True,
}  # fmt: skip


@pytest.mark.parametrize("main", EFFECTS)
def test_a_setting_does_under_each_name_what_it_does_under_its_first(main: str) -> None:
    quick = {"num_threads": 1, "verbosity": -1} | ({} if main == "num_iterations" else {"num_iterations": 4})
    reference = None
    for name in same(main):
        found = scores(LGBMClassifier(**quick, **{name: EFFECTS[main]}))
        reference = found if reference is None else reference
        np.testing.assert_array_equal(found, reference)
    assert np.abs(found - scores(LGBMClassifier(**quick))).max() > 1e-6


@pytest.mark.parametrize("name", [one for main in ("seed", "bagging_seed") for one in same(main)])
def test_seeds(name: str) -> None:
    bagging = {"bagging_fraction": 0.5, "bagging_freq": 1}
    np.testing.assert_array_equal(
        scores(light(**bagging, **{name: 11})), scores(light(**bagging, **{NAMES[name]: 11})))  # fmt: skip
    assert np.abs(scores(light(**bagging, **{name: 11})) - scores(light(**bagging, **{name: 12}))).max() > 1e-6


@pytest.mark.parametrize("name", same("num_threads"))
def test_threads(name: str) -> None:
    model = HSClassifier(LGBMClassifier(n_estimators=2, verbose=-1, **{name: 1})).fit(X, Y)
    assert model.estimator_.get_params()["n_jobs"] == 1
    assert "[num_threads: 1]" in model.booster_.model_to_string()


@pytest.mark.parametrize("name", same("metric"))
@pytest.mark.parametrize("value", ["auc", ["auc", "average_precision"]])
def test_the_metric_is_watched_under_each_name(name: str, value: Any) -> None:
    model = HSClassifier(light(**{name: value})).fit(X, Y, eval_set=VALID)
    assert list(model.estimator_.evals_result_["valid_0"]) == (["auc"] if value == "auc" else value)
    ours = HSClassifier(light(**{name: None}), k=0.2).fit(X, Y, eval_set=VALID)
    assert list(ours.estimator_.evals_result_["valid_0"]) == ["precision@0.2"]


@pytest.mark.parametrize("name", same("early_stopping_round"))
def test_early_stopping_under_each_name(name: str) -> None:
    model = HSClassifier(light(num_iterations=60, **{name: 3}), k=0.2).fit(X, Y, eval_set=VALID)
    history = model.estimator_.evals_result_["valid_0"]["precision@0.2"]
    assert model.estimator_.best_iteration_ == int(np.argmax(history)) + 1
    assert len(history) == int(np.argmax(history)) + 4 < 60


@pytest.mark.parametrize("name", [one for main in _WITHOUT_EFFECT_ON_LIGHTGBM for one in same(main)])
def test_settings_without_effect_are_refused_under_each_name(name: str) -> None:
    neutral = _WITHOUT_EFFECT_ON_LIGHTGBM[NAMES[name]][0]
    with pytest.raises(ValueError, match=rf"^{name}=.* belongs to the booster's own losses and would have no effect"):
        HSClassifier(light(**{name: other(NAMES[name])})).fit(X, Y)
    if neutral != "":
        for value in (neutral, str(neutral), None):
            settled(light(**{name: value}), "lightgbm", 2)


@pytest.mark.parametrize("main", _WITHOUT_EFFECT_ON_LIGHTGBM)
def test_what_is_refused_has_no_effect_indeed(main: str) -> None:
    """With a callable objective, and nothing between it and LightGBM."""

    def objective(y_true: Any, y_pred: Any) -> Any:
        return y_pred - y_true, np.ones_like(y_pred)

    bagging = {"bagging_fraction": 0.5, "bagging_freq": 1}
    with_it, without = (
        light(objective=objective, **bagging, **more).fit(X, Y).predict(X, raw_score=True)
        for more in ({main: other(main)}, {})
    )
    np.testing.assert_array_equal(with_it, without)


@pytest.mark.parametrize("name", same("bagging_by_query"))
def test_bagging_by_query_would_train_a_constant_model(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=True needs LightGBM's query groups"):
        HSClassifier(light(**{name: True})).fit(X, Y)
    np.testing.assert_array_equal(scores(light(**{name: False})), PLAIN[2])


@pytest.mark.parametrize("name", [*same("boosting"), "boosting_type"])
@pytest.mark.parametrize("value", ["rf", "random_forest", "RF"])
@pytest.mark.parametrize("sampled", [{}, {"bagging_freq": 1, "bagging_fraction": 0.6}, {"feature_fraction": 0.5}])
def test_lightgbms_forests_are_refused_under_each_name(name: str, value: str, sampled: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=rf"^{name}='{value}' is LightGBM's random forest.*leave it at 'gbdt'.*XGBCl"):
        HSClassifier(light(**{name: value}, **sampled)).fit(X, Y)


@pytest.mark.parametrize("name", [*same("boosting"), "boosting_type"])
@pytest.mark.parametrize("value", ["gbdt", "gbrt", "dart", "goss"])
def test_boosting_of_other_kinds_learns(name: str, value: str) -> None:
    found = scores(light(**{name: value}))
    assert found[Y == 1].mean() > found[Y == 0].mean()


def test_forests_of_xgboost_learn() -> None:
    found = scores(XGBClassifier(n_estimators=1, num_parallel_tree=5, subsample=0.6, learning_rate=1.0, n_jobs=1))
    assert found[Y == 1].mean() > found[Y == 0].mean()


@pytest.mark.parametrize(
    ("make", "main"),
    [(light, "learning_rate"), (light, "bagging_fraction"), (light, "feature_fraction"),
     (XGBClassifier, "learning_rate"), (XGBClassifier, "subsample")],
)  # fmt: skip
@pytest.mark.parametrize("value", [0, 0.0, -0.5])
def test_settings_that_silence_every_tree_are_refused(make: Any, main: str, value: float) -> None:
    for name in same(main) if make is light else [one for one, of in XGBOOST.items() if of == main] + [main]:
        with pytest.raises(ValueError, match=rf"^{name}={value} makes every tree say nothing; pass a positive number"):
            HSClassifier(make(**{name: value})).fit(X, Y)


def test_a_negative_number_of_trees() -> None:
    with pytest.raises(ValueError, match=r"^n_estimators=-1 is no number of trees, .*; pass 1 or more"):
        HSClassifier(XGBClassifier(n_estimators=-1)).fit(X, Y)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("name", same("num_class"))
def test_the_number_of_classes_is_that_of_y(booster: str, name: str) -> None:
    if booster == "xgboost" and name != "num_class":
        return
    np.testing.assert_array_equal(scores(small(booster, **{name: 2})), scores(small(booster)))
    np.testing.assert_array_equal(scores(small(booster, **{name: 3}), X3, Y3), scores(small(booster), X3, Y3))
    with pytest.raises(ValueError, match=f"{name}=3, but y holds 2 classes; leave it out"):
        HSClassifier(small(booster, **{name: 3})).fit(X, Y)
    with pytest.raises(ValueError, match=f"{name}=2, but y holds 3 classes; leave it out"):
        HSClassifier(small(booster, **{name: 2})).fit(X3, Y3)


@pytest.mark.parametrize("name", XGBOOST)
def test_xgboosts_names(name: str) -> None:
    value = 3 if name in ("nthread", "seed") else 0.05 if name == "eta" else 5.0
    quick = {"n_estimators": 4, "max_depth": 3, "subsample": 0.5}
    first, second = (HSClassifier(XGBClassifier(**quick, **{one: value})).fit(X, Y) for one in (name, XGBOOST[name]))
    np.testing.assert_array_equal(first.decision_function(X), second.decision_function(X))
    assert first.estimator_.get_params()[XGBOOST[name]] == value
    with pytest.raises(ValueError, match=f"{name}={value} .* are one setting of XGBoost|=7 and {name}={value} are one"):
        HSClassifier(XGBClassifier(**quick, **{name: value, XGBOOST[name]: 7})).fit(X, Y)


@pytest.mark.parametrize("name", _WITHOUT_EFFECT_ON_XGBOOST)
def test_settings_without_effect_on_xgboost_are_refused(name: str) -> None:
    neutral = _WITHOUT_EFFECT_ON_XGBOOST[name][0]
    with pytest.raises(ValueError, match=rf"^{name}=.* belongs to the booster's own losses and would have no effect"):
        HSClassifier(XGBClassifier(**{name: (not neutral) if isinstance(neutral, bool) else 3.5})).fit(X, Y)
    settled(XGBClassifier(**{name: neutral}), "xgboost", 2)


def test_what_users_set_on_a_built_estimator_counts_too() -> None:
    estimator = light().set_params(loss="binary", eta=0.6)
    np.testing.assert_array_equal(scores(estimator), scores(light(learning_rate=0.6)))
    assert estimator.get_params()["loss"] == "binary"  # the user's estimator is theirs
    with pytest.raises(ValueError, match=r"learning_rate=0.3 and eta=0.6 are one setting"):
        scores(estimator.set_params(learning_rate=0.3))
