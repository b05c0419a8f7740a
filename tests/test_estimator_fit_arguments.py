"""What fit is given besides X: metrics, labels, models to go on from; one clear error for what cannot be used."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _models import BOOSTERS, binary, multi, raw, small, stopping, trained_rounds
from _versions import need
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import (
    DistributedAUC,
    HSClassifier,
    HypersimplexObjective,
    PrecisionAtK,
    RecallAtK,
    precision_at_k,
    recall_at_k,
)
from hsboost.losses import BudgetLogLoss, get_loss
from hsboost.objectives import LossObjective

pytestmark = pytest.mark.truth

X, Y = binary(160)
X3, Y3 = multi(160)
VALID, Y_VALID = binary(120, seed=4)


# Metrics


def values(model: HSClassifier) -> dict[str, float]:
    """The last value of every metric of the first evaluation set."""
    fitted = model.estimator_
    results = fitted.evals_result_ if hasattr(fitted, "evals_result_") else fitted.evals_result()
    return {name: history[-1] for name, history in next(iter(results.values())).items()}


@pytest.mark.parametrize(
    "metric",
    [
        PrecisionAtK(0.2), RecallAtK(0.2), DistributedAUC(), [PrecisionAtK(0.2), RecallAtK(0.2)],
        ["auc", RecallAtK(0.2)],
        (PrecisionAtK(0.2), "auc"), PrecisionAtK(0.2).lightgbm, [PrecisionAtK(0.2).lightgbm, DistributedAUC()],
        lambda y, s: ("own", 1.0, True),
    ],
    ids=lambda metric: type(metric).__name__,
)  # fmt: skip
def test_metrics_of_lightgbm(metric: Any) -> None:
    model = HSClassifier(small("lightgbm")).fit(X, Y, eval_set=(VALID, Y_VALID), eval_metric=metric)
    scores = model.decision_function(VALID)
    right = {
        "precision@0.2": precision_at_k(Y_VALID, scores, 0.2),
        "recall@0.2": recall_at_k(Y_VALID, scores, 0.2),
        "auc_distributed": DistributedAUC()(Y_VALID, scores),
        "auc": DistributedAUC()(Y_VALID, scores),
        "own": 1.0,
    }
    found = values(model)
    assert len(found) == (len(metric) if isinstance(metric, list | tuple) else 1)
    for name, value in found.items():
        assert value == pytest.approx(right[name], abs=1e-12)


def test_lightgbm_stops_on_a_metric_object() -> None:
    estimator, extra = stopping("lightgbm")
    model = HSClassifier(estimator).fit(X, Y, eval_set=(VALID, Y_VALID), eval_metric=RecallAtK(0.1), **extra)
    history = model.estimator_.evals_result_["valid_0"]["recall@0.1"]
    assert model.estimator_.best_iteration_ == int(np.argmax(history)) + 1 < 60


@pytest.mark.parametrize(
    "metric",
    [PrecisionAtK(0.2), PrecisionAtK(0.2).lightgbm, ["auc", PrecisionAtK(0.2).lightgbm], RecallAtK(0.2).lightgbm],
)
def test_metrics_of_xgboost(metric: Any) -> None:
    if isinstance(metric, list):
        need("xgboost", "3.1.1", "eval_metric takes names and functions together")
    model = HSClassifier(small("xgboost", eval_metric=metric)).fit(X, Y, eval_set=(VALID, Y_VALID))
    scores = model.decision_function(VALID)
    found = values(model)
    name, value = list(found.items())[-1]
    right = recall_at_k if name.startswith("recall") else precision_at_k
    assert name in ("precision@0.2", "recall@0.2")
    assert value == pytest.approx(right(Y_VALID, scores, 0.2), abs=1e-6)


@pytest.mark.parametrize(
    ("booster", "argument", "kind", "message"),
    [
        ("xgboost", {"eval_metric": PrecisionAtK()}, TypeError, r"'eval_metric', .* set it on the estimator, XGB"),
        ("xgboost", {"early_stopping_rounds": 3}, TypeError, r"'early_stopping_rounds', .* set it on the estimator"),
        ("xgboost", {"callbacks": []}, TypeError, "'callbacks', an argument that XGBClassifier.fit does"),
        ("lightgbm", {"early_stopping_rounds": 3}, TypeError, "'early_stopping_rounds', an argument that"),
        ("xgboost", {"eval_sets": []}, TypeError, r"'eval_sets', an argument .* does not take; leave it out"),
        ("lightgbm", {"eval_sets": []}, TypeError, r"'eval_sets', an argument .* does not take; leave it out"),
        ("lightgbm", {"group": [80, 80]}, ValueError, "group would have no effect here.*groups=, one label per row"),
        ("lightgbm", {"eval_group": [[60, 60]]}, ValueError, "eval_group would have no effect here.*eval_groups="),
    ],
)  # fmt: skip
def test_arguments_without_a_use(booster: str, argument: dict[str, Any], kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        HSClassifier(small(booster)).fit(X, Y, **argument)


# Weights

#: The sum of weights beyond which a booster's own sums overflow.
MOST = {"xgboost": 1e19, "lightgbm": 1e38}


@BOOSTERS
@pytest.mark.parametrize(
    "settings",
    [{}, {"loss": "log-loss"}, {"temperature": 1e-6}, {"hessian": "unit"}, {"loss": BudgetLogLoss(guard=0), "k": 0.1}],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_heavy_weights_grow_the_trees_of_usual_ones_or_are_refused(booster: str, settings: Any, n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    free = {"reg_lambda": 0.0, "min_child_weight": 0.0}

    def fit(weight: float, **more: Any) -> HSClassifier:
        return HSClassifier(small(booster, **free), **settings).fit(rows, labels, np.full(160, weight), **more)

    # Powers of 2: no rounding of sums breaks the ties of gains in another way.
    usual, heavy = fit(1024.0), fit(2.0 ** np.floor(np.log2(MOST[booster] / 160)))
    unit = settings.get("temperature", 1.0)
    right = usual.decision_function(rows) / unit
    np.testing.assert_allclose(heavy.decision_function(rows) / unit, right, atol=1e-5 * np.abs(right).max())
    for weight in (1.01 * MOST[booster] / 160, 1e300):
        with pytest.raises(
            ValueError, match=r"^sample_weight must have a sum of at most .*; divide the weights by a c"
        ):
            fit(weight)


@BOOSTERS
def test_heavy_weights_of_classes_are_named(booster: str) -> None:
    message = r"^sample_weight times class_weight must have a sum of at most .*got .*e\+3\d; divide the weights"
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster), class_weight={1: 1e37}).fit(X, Y)


@BOOSTERS
@pytest.mark.parametrize("loss", ["hypersimplex", "hypersimplex-fy", "log-loss", "focal"])
@pytest.mark.parametrize(("weight", "is_fine"), [(1e16, True), (1e18, False), (1e37, False)])
def test_objectives_refuse_heavy_weights(booster: str, loss: str, weight: float, is_fine: bool) -> None:
    chosen = get_loss(loss)
    objective = HypersimplexObjective.of(chosen) if "hypersimplex" in loss else LossObjective(chosen)

    def train() -> None:
        if booster == "xgboost":
            xgb.train({"max_depth": 2}, xgb.DMatrix(X, Y, weight=np.full(160, weight)), 1, obj=objective)
        else:
            data = lgb.Dataset(X, Y, weight=np.full(160, weight))
            lgb.train({"objective": objective, "verbose": -1}, data, 1)

    if is_fine or (booster == "lightgbm" and weight < MOST[booster] / 160):
        train()
    else:
        with pytest.raises(ValueError, match=r"sample_weight must have a sum of at most 1e\+.*divide the weights by a"):
            train()


# Labels


@BOOSTERS
@pytest.mark.parametrize("hole", [None, np.nan, "text"])
def test_several_label_columns(booster: str, hole: Any) -> None:
    labels = np.column_stack([Y, Y]).astype(object if hole == "text" else float)
    if hole is not None:
        labels[3, 1] = hole
    with pytest.raises(
        ValueError, match=r"y should be a 1d array, got an array of shape \(160, 2\).* one label per row"
    ):
        HSClassifier(small(booster)).fit(X, labels)
    with pytest.raises(ValueError, match=r"y should be a 1d array, got an array of shape \(120, 2\)"):
        HSClassifier(small(booster)).fit(X, Y, eval_set=(VALID, np.column_stack([Y_VALID, Y_VALID])))
    with pytest.raises(ValueError, match=r"y must not contain NaN .*first: row 3"):
        HSClassifier(small(booster)).fit(X, np.where(np.arange(160) == 3, np.nan, Y)[:, None])


@BOOSTERS
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_calibration_set_without_one_of_the_classes(booster: str, method: Any, n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    few = labels != n_classes - 1
    with pytest.raises(ValueError, match=r"eval_set"):
        HSClassifier(small(booster), calibration=method).fit(rows, labels, eval_set=(rows[few], labels[few]))
    # To watch, one class will do.
    HSClassifier(small(booster)).fit(rows, labels, eval_set=(rows[few], labels[few]))


# Models


@pytest.mark.parametrize("name", ["linear_tree", "linear_trees"])
@pytest.mark.parametrize("saved", [False, True])
def test_linear_trees_have_no_contributions(name: str, saved: bool, tmp_path: Any) -> None:
    model = HSClassifier(small("lightgbm", **{name: True})).fit(X, Y)
    if saved:
        model.save_model(tmp_path / "model.json")
        model = HSClassifier.load_model(tmp_path / "model.json")
    assert model.score(X, Y) > 0.7
    with pytest.raises(
        ValueError, match="LightGBM computes no contributions for linear_tree=True; train with linear_tree=F"
    ):
        model.contributions(X)


@pytest.mark.parametrize("form", ["gbtree", "dart", "gblinear", "forest", "outputs"])
@pytest.mark.parametrize("stopped", [False, True])
@pytest.mark.parametrize("saved", [False, True])
def test_going_on_from_models_of_every_kind(form: str, stopped: bool, saved: bool, tmp_path: Any) -> None:
    """From the rounds that the first predicts with: all of a linear model."""
    settings: dict[str, Any] = {
        "gbtree": {}, "dart": {"booster": "dart", "rate_drop": 0.0}, "gblinear": {"booster": "gblinear", "updater":
        "coord_descent", "feature_selector": "cyclic"}, "forest": {"num_parallel_tree": 2, "subsample": 0.8},
        "outputs": {"multi_strategy": "multi_output_tree", "tree_method": "hist"},
    }[form]  # fmt: skip

    def trees(n: int, **more: Any) -> XGBClassifier:
        return XGBClassifier(n_estimators=n, max_depth=3, n_jobs=1, **settings, **more)

    rows, labels, held = (X3, Y3, multi(90, seed=9)) if form == "outputs" else (X, Y, (VALID, Y_VALID))
    if stopped:
        first = HSClassifier(trees(40, early_stopping_rounds=2), k=0.2).fit(rows, labels, eval_set=held)
        last = first.estimator_.best_iteration + 1
        assert last < trained_rounds(first) < 40
    else:
        first = HSClassifier(trees(6), k=0.2).fit(rows, labels)
        last = 6
    rounds = trained_rounds(first) if form == "gblinear" else last
    before = first.decision_function(rows)
    given = first
    if saved:
        first.save_model(tmp_path / "model.json")
        given = HSClassifier.load_model(tmp_path / "model.json")
    second = HSClassifier(trees(5), k=0.2).fit(rows, labels, init_model=given)
    assert trained_rounds(second) == rounds + 5
    np.testing.assert_array_equal(first.decision_function(rows), before)
    if form != "forest":  # which draws its samples anew
        whole = HSClassifier(trees(rounds + 5), k=0.2).fit(rows, labels)
        np.testing.assert_allclose(raw(second, rows), raw(whole, rows), atol=1e-4)


def test_one_model_to_go_on_from() -> None:
    first = HSClassifier(small("xgboost")).fit(X, Y)
    with pytest.raises(ValueError, match="init_model and xgb_model both say where to go on from"):
        HSClassifier(small("xgboost")).fit(X, Y, init_model=first, xgb_model=first.booster_)


def test_an_estimator_of_lightgbm_is_left_as_it_was() -> None:
    estimator = LGBMClassifier(n_estimators=2, verbose=-1, metric_types="auc", eta=0.3)
    before = estimator.get_params()
    HSClassifier(estimator).fit(X, Y, eval_set=(VALID, Y_VALID))
    assert estimator.get_params() == before
