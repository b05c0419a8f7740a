"""HSClassifier(loss=...): every loss by name, the starting point, the built-in log loss, early stopping, weights."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from _models import BOOSTERS, N, binary, multi, raw, small, stopping
from _versions import need
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score
from sklearn.utils.class_weight import compute_sample_weight
from xgboost import XGBClassifier

from hsboost import HSClassifier, HypersimplexLoss, PrecisionAtK, precision_at_k
from hsboost.losses import LOSSES, ExactLoss, FocalLoss, HypersimplexFYLoss, SoftmaxLoss

DATA = {2: binary(), 3: multi()}
VALIDATION = {2: binary(300, seed=11), 3: multi(300, seed=11)}
CLASSES = pytest.mark.parametrize("n_classes", [2, 3])
HYPERSIMPLEX = [name for name in LOSSES if name.startswith("hypersimplex")]
WITHOUT_PROBABILITIES = {*HYPERSIMPLEX, "squared", "hinge", "squared-hinge"}


# By name


@BOOSTERS
@CLASSES
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_trains_by_name(booster: str, n_classes: int, name: str) -> None:
    X, y = DATA[n_classes]
    model = HSClassifier(small(booster, n_estimators=12, learning_rate=0.5), loss=name).fit(X, y)
    assert type(model.objective_.loss) is type(LOSSES[name]())
    assert model.score(X, y) > 0.75
    scores = raw(model, X) + (0.0 if model.objective_.offset is None else model.objective_.offset)
    np.testing.assert_array_equal(model.decision_function(X), scores - model.threshold_)
    if n_classes == 2:
        assert abs((model.decision_function(X) > 0).sum() - y.sum()) <= 25  # ties at the boundary of small trees
    else:
        np.testing.assert_array_equal(model.predict(X), (scores - model.threshold_).argmax(axis=1))
    assert hasattr(model, "predict_proba") == (name not in WITHOUT_PROBABILITIES)
    if name not in WITHOUT_PROBABILITIES:
        probability = model.predict_proba(X)
        assert probability.shape == (N, n_classes)
        np.testing.assert_allclose(probability.sum(axis=1), 1.0, atol=1e-9)
        assert (probability.argmax(axis=1) == y).mean() > 0.75
    np.testing.assert_allclose(model.contributions(X).sum(axis=-1), model.decision_function(X), atol=1e-5)


@BOOSTERS
@pytest.mark.parametrize(
    "loss",
    [FocalLoss(gamma=1.0), HypersimplexLoss(temperature=0.5, hessian="unit"), HypersimplexFYLoss(), SoftmaxLoss()],
)
def test_a_loss_of_ones_own_settings(booster: str, loss: Any) -> None:
    X, y = DATA[2]
    model = HSClassifier(small(booster), loss=loss, k=0.25).fit(X, y)
    assert type(model.objective_.loss) is type(loss)
    if isinstance(loss, HypersimplexLoss):
        assert (model.objective_.loss.k, model.objective_.loss.temperature) == (0.25, loss.temperature)
        assert loss.k is None
    assert (model.decision_function(X) > 0).sum() == pytest.approx(N / 4, abs=20)
    assert model.loss is loss


def test_settings_reach_the_hypersimplex_losses_by_name() -> None:
    X, y = DATA[2]
    for name in HYPERSIMPLEX:
        model = HSClassifier(small("xgboost"), loss=name, k=9, temperature=2.0, hessian="unit", hessian_floor=0.25)
        loss = model.fit(X, y).objective_.loss
        assert (loss.k, loss.temperature, loss.hessian, loss.hessian_floor) == (9, 2.0, "unit", 0.25)


@BOOSTERS
@pytest.mark.parametrize(
    ("n_classes", "settings", "message"),
    [
        (2, {"loss": "logloss"}, r"loss must be the name of a loss; got 'logloss'; did you mean 'log-loss'\?"),
        (2, {"loss": 3}, r"loss must be the name of a loss; got 3"),
        (2, {"loss": None}, r"loss must be the name of a loss; got None"),
        (2, {"loss": SoftmaxLoss}, r"loss must be the name of a loss"),
        (2, {"loss": ExactLoss(sigma="learned")}, r"wants 2 scores per row.*train it with xgb.train or lgb.train"),
        (3, {"loss": ExactLoss(sigma="learned")}, r"wants 4 scores per row.*train it with xgb.train or lgb.train"),
        (2, {"loss": HypersimplexLoss(k=3)}, r"pass HSClassifier\(k=3\) and a loss without k"),
        (
            3,
            {"loss": "softmax", "k": 0.1},
            r"k=0\.1 with several classes needs a loss that has a budget, .*, got loss='softmax'; name one of them, or",
        ),
        (3, {"loss": "hinge", "k": {0: 1, 1: 2, 2: 3}}, r"with several classes needs a loss that has a budget"),
    ],
)
def test_losses_that_are_refused(booster: str, n_classes: int, settings: Any, message: str) -> None:
    X, y = DATA[n_classes]
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster), **settings).fit(X, y)


# Log loss against the boosters' own


@BOOSTERS
@CLASSES
@pytest.mark.parametrize("weighted", [False, True])
def test_log_loss_is_the_boosters_own(booster: str, n_classes: int, weighted: bool) -> None:
    # Both start from the prevalence and take the same Newton steps. XGBoost's softmax doubles the curvature as ours
    # does; LightGBM's factor is C / (C - 1), which for C = 3 is a learning rate of 3/4 and 4/3 of the leaf limits.
    if booster == "xgboost" and n_classes > 2:
        need("xgboost", "3.2", "it starts several classes from their shares, not from 0.5")
    if booster == "xgboost":
        need("xgboost", "3.0", "it starts two classes from their log odds, not from one step towards them")
    X, y = DATA[n_classes]
    weight = np.random.default_rng(0).uniform(0.5, 2.0, N) if weighted else None
    limits: dict[str, Any] = {"min_child_weight": 0.0, "reg_lambda": 0.0}
    if booster == "xgboost":
        # Deeper nodes hold few rows, and splits that gain alike, between which the starting points' rounding decides.
        limits["max_depth"] = 2
        ours, theirs = small(booster, **limits), small(booster, **limits)
        tolerance = 2e-5  # float32 scores
    else:
        step = 2.0 * (n_classes - 1) / n_classes if n_classes > 2 else 1.0
        ours = small(booster, learning_rate=0.1 * step, **limits)
        theirs = small(booster, learning_rate=0.1, **limits)
        tolerance = 2e-5  # float32 gradients
    model = HSClassifier(ours, loss="log-loss").fit(X, y, sample_weight=weight)
    built_in = theirs.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(model.predict_proba(X), built_in.predict_proba(X), atol=tolerance)
    if n_classes == 3:
        assert (model.predict(X) == built_in.predict(X)).mean() > 0.99


@BOOSTERS
@CLASSES
def test_log_loss_starts_from_the_prevalence(booster: str, n_classes: int) -> None:
    X, y = DATA[n_classes]
    weight = np.where(y == 0, 2.0, 1.0)
    stump = small(booster, n_estimators=1, learning_rate=1e-9)
    model = HSClassifier(stump, loss="log-loss").fit(X, y, sample_weight=weight)
    prevalence = np.bincount(y, weight) / weight.sum()
    np.testing.assert_allclose(model.predict_proba(X), np.tile(prevalence, (N, 1)), atol=1e-6)


@BOOSTERS
def test_calibration_overrides_the_losss_own_probabilities(booster: str) -> None:
    X, y = DATA[2]
    own = HSClassifier(small(booster), loss="log-loss").fit(X, y).predict_proba(X)
    model = HSClassifier(small(booster), loss="log-loss", calibration="sigmoid").fit(X, y, eval_set=VALIDATION[2])
    calibrated = model.predict_proba(X)
    assert np.abs(own - calibrated).max() > 1e-3
    np.testing.assert_allclose(calibrated.sum(axis=1), 1.0)


# XGBoost's base score


@pytest.mark.parametrize("name", LOSSES)
@CLASSES
def test_a_base_score_beside_the_losss_own_start_is_refused(name: str, n_classes: int) -> None:
    X, y = DATA[n_classes]
    neutral = 0.5 if n_classes == 2 else 0.0  # a raw score of 0
    plain = HSClassifier(small("xgboost"), loss=name).fit(X, y)
    same = HSClassifier(small("xgboost", base_score=neutral), loss=name).fit(X, y)
    np.testing.assert_array_equal(same.decision_function(X), plain.decision_function(X))
    model = HSClassifier(small("xgboost", base_score=0.3), loss=name)
    if plain.objective_.offset is None:
        assert model.fit(X, y).estimator_.base_score == 0.3
        return
    with pytest.raises(ValueError, match=r"base_score=0\.3 would be added to the constant that .*Loss\(.*at None"):
        model.fit(X, y)
    with pytest.raises(ValueError, match=r"base_score=0\.3 would be added"):
        model.fit(X, y, init_model=plain)


@pytest.mark.parametrize("name", HYPERSIMPLEX)
@CLASSES
def test_hypersimplex_losses_do_not_see_a_base_score(name: str, n_classes: int) -> None:
    X, y = DATA[n_classes]
    plain, moved = (HSClassifier(small("xgboost", base_score=base), loss=name, k=0.3).fit(X, y) for base in (None, 0.3))
    np.testing.assert_allclose(moved.decision_function(X), plain.decision_function(X), rtol=0, atol=1e-5)
    assert np.abs(raw(moved, X) - raw(plain, X)).min() > 0.2


@pytest.mark.parametrize("name", ["focal", "exact"])
def test_losses_without_a_start_of_their_own_start_from_the_base_score(name: str) -> None:
    X, y = DATA[2]
    stump = small("xgboost", n_estimators=1, learning_rate=1e-9, base_score=0.3)
    model = HSClassifier(stump, loss=name).fit(X, y)
    np.testing.assert_allclose(raw(model, X), np.log(0.3 / 0.7), rtol=0, atol=1e-5)


# Early stopping


@BOOSTERS
@CLASSES
@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
def test_early_stopping_on_precision_at_k_by_default(booster: str, n_classes: int, loss: str) -> None:
    X, y = DATA[n_classes]
    rows, labels = VALIDATION[n_classes]
    k = 0.2 if (loss, n_classes) != ("log-loss", 3) else None
    estimator, extra = stopping(booster)
    model = HSClassifier(estimator, loss=loss, k=k, threshold="training").fit(X, y, eval_set=(rows, labels), **extra)
    fitted = model.estimator_
    results = fitted.evals_result() if booster == "xgboost" else fitted.evals_result_
    ((name, history),) = next(iter(results.values())).items()
    assert name == ("precision@positives" if k is None else f"precision@{k}")
    best = (fitted.best_iteration + 1) if booster == "xgboost" else fitted.best_iteration_
    assert best == int(np.argmax(history)) + 1 < len(history) < 60
    same = HSClassifier(small(booster, n_estimators=best), loss=loss, k=k, threshold="training").fit(X, y)
    np.testing.assert_array_equal(model.decision_function(rows), same.decision_function(rows))
    np.testing.assert_array_equal(model.threshold_, same.threshold_)
    np.testing.assert_array_equal(model.predict(rows), same.predict(rows))
    assert history[best - 1] == pytest.approx(precision_at_k(labels, same.decision_function(rows) + same.threshold_, k))


def accuracy_of_the_top(y_true: Any, y_score: Any) -> float:
    """A metric of one's own: to be maximised."""
    return float(np.mean(np.asarray(y_true)[np.argsort(-np.asarray(y_score))[:30]]))


@pytest.mark.parametrize(
    ("booster", "metric"),
    [
        ("xgboost", "auc"),
        ("xgboost", "own"),
        pytest.param("lightgbm", "auc"),
        ("lightgbm", "own"),
    ],
)
@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
def test_early_stopping_on_other_metrics(booster: str, metric: str, loss: str) -> None:
    X, y = DATA[2]
    rows, labels = VALIDATION[2]
    if booster == "xgboost":
        from xgboost.callback import EarlyStopping

        own: dict[str, Any] = {
            "eval_metric": accuracy_of_the_top,
            "callbacks": [EarlyStopping(rounds=4, metric_name="accuracy_of_the_top", maximize=True, save_best=False)],
        }
        given = {"eval_metric": "auc", "early_stopping_rounds": 4} if metric == "auc" else own
        estimator, extra = small(booster, n_estimators=60, **given), {}
    else:
        estimator = small(booster, n_estimators=60)
        asked: Any = (
            metric if metric == "auc" else lambda t, p: ("accuracy_of_the_top", accuracy_of_the_top(t, p), True)
        )
        extra = {"eval_metric": asked, "callbacks": [lgb.early_stopping(4, verbose=False)]}
        estimator.set_params(**({} if metric == "auc" else {"metric": "None"}))
    model = HSClassifier(estimator, loss=loss, threshold="training").fit(X, y, eval_set=(rows, labels), **extra)
    fitted = model.estimator_
    results = fitted.evals_result() if booster == "xgboost" else fitted.evals_result_
    found = next(iter(results.values()))
    assert list(found)[-1:] == ["auc" if metric == "auc" else "accuracy_of_the_top"]
    assert "binary_logloss" not in found
    history = found["auc" if metric == "auc" else "accuracy_of_the_top"]
    best = (fitted.best_iteration + 1) if booster == "xgboost" else fitted.best_iteration_
    assert best == int(np.argmax(history)) + 1 < 60
    same = HSClassifier(small(booster, n_estimators=best), loss=loss, threshold="training").fit(X, y)
    np.testing.assert_array_equal(model.decision_function(rows), same.decision_function(rows))
    judge = roc_auc_score if metric == "auc" else accuracy_of_the_top
    assert history[best - 1] == pytest.approx(judge(labels, same.decision_function(rows)), abs=1e-6)


@pytest.mark.parametrize(
    "booster",
    [
        "xgboost",
        "lightgbm",
    ],
)
def test_log_loss_of_raw_scores_is_never_watched(booster: str) -> None:
    X, y = DATA[2]
    if booster == "xgboost":
        model = HSClassifier(small(booster, eval_metric=accuracy_of_the_top)).fit(X, y, eval_set=VALIDATION[2])
        assert list(model.estimator_.evals_result()["validation_0"]) == ["accuracy_of_the_top"]
    else:
        own = PrecisionAtK(0.05).lightgbm
        model = HSClassifier(small(booster)).fit(X, y, eval_set=VALIDATION[2], eval_metric=own)
        assert list(model.estimator_.evals_result_["valid_0"]) == ["precision@0.05"]


@BOOSTERS
def test_a_metric_given_to_the_estimator_is_kept(booster: str) -> None:
    X, y = DATA[2]
    metric = {"eval_metric": PrecisionAtK(0.05)} if booster == "xgboost" else {"metric": "auc"}
    model = HSClassifier(small(booster, **metric), k=0.3).fit(X, y, eval_set=VALIDATION[2])
    results = model.estimator_.evals_result() if booster == "xgboost" else model.estimator_.evals_result_
    assert list(next(iter(results.values())))[-1] == ("precision@0.05" if booster == "xgboost" else "auc")


@BOOSTERS
def test_a_count_is_watched_as_the_share_it_is(booster: str) -> None:
    X, y = DATA[2]
    rows, labels = VALIDATION[2]
    model = HSClassifier(small(booster), k=24).fit(X, y, eval_set=(rows, labels))
    results = model.estimator_.evals_result() if booster == "xgboost" else model.estimator_.evals_result_
    ((name, history),) = next(iter(results.values())).items()
    assert name == "precision@0.1"
    assert history[-1] == pytest.approx(precision_at_k(labels, model.decision_function(rows), 0.1))


# Class weights


@BOOSTERS
@CLASSES
@pytest.mark.parametrize("kind", ["balanced", "dict"])
@pytest.mark.parametrize("where", ["outer", "inner"])
def test_class_weights_are_sample_weights(booster: str, n_classes: int, kind: str, where: str) -> None:
    if (booster, where) == ("xgboost", "inner"):
        pytest.skip("XGBClassifier has no class_weight")
    X, y = DATA[n_classes]
    names = np.array(["a", "b", "c"])[y]
    class_weight: Any = "balanced" if kind == "balanced" else {"a": 1.0, "b": 3.0, "c": 0.5}
    if kind == "dict" and n_classes == 2:
        class_weight = {"a": 1.0, "b": 3.0}
    weight = np.random.default_rng(0).uniform(0.5, 2.0, N)
    by_hand = weight * compute_sample_weight(class_weight, names)
    expected = HSClassifier(small(booster), k=None).fit(X, names, sample_weight=by_hand)
    if where == "outer":
        model = HSClassifier(small(booster), class_weight=class_weight)
    else:
        model = HSClassifier(small(booster, class_weight=class_weight))
    model.fit(X, names, sample_weight=weight)
    np.testing.assert_array_equal(model.decision_function(X), expected.decision_function(X))
    np.testing.assert_array_equal(model.threshold_, expected.threshold_)
    plain = HSClassifier(small(booster)).fit(X, names, sample_weight=weight)
    assert np.abs(model.decision_function(X) - plain.decision_function(X)).max() > 1e-4


def test_class_weight_given_twice() -> None:
    X, y = DATA[2]
    with pytest.raises(ValueError, match="class_weight is given twice"):
        HSClassifier(small("lightgbm", class_weight="balanced"), class_weight="balanced").fit(X, y)


@pytest.mark.parametrize("class_weight", ["balance", {0: 1.0, 1: -1.0}, 3])
def test_class_weights_that_are_none(class_weight: Any) -> None:
    X, y = DATA[2]
    with pytest.raises(ValueError, match=r"class_weight|sample_weight must be finite and >= 0"):
        HSClassifier(small("xgboost"), class_weight=class_weight).fit(X, y)


BUILT_IN_ONLY = "belongs to the booster's own losses and would have no effect here; use HSClassifier\\(class_weight"


@pytest.mark.parametrize(
    "estimator",
    [XGBClassifier(scale_pos_weight=3.0), LGBMClassifier(scale_pos_weight=3.0)],
    ids=["xgboost", "lightgbm"],
)
def test_scale_pos_weight_is_refused(estimator: Any) -> None:
    with pytest.raises(ValueError, match=f"scale_pos_weight=3.0 {BUILT_IN_ONLY}"):
        HSClassifier(estimator).fit(*DATA[2])


@pytest.mark.parametrize("name", ["is_unbalance", "unbalance"])
def test_is_unbalance_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=True {BUILT_IN_ONLY}"):
        HSClassifier(LGBMClassifier(n_estimators=2, verbose=-1, **{name: True})).fit(*DATA[2])


@pytest.mark.parametrize(
    "estimator",
    [XGBClassifier(n_estimators=2, scale_pos_weight=1), LGBMClassifier(n_estimators=2, verbose=-1, is_unbalance=False)],
    ids=["xgboost", "lightgbm"],
)
def test_settings_without_effect_are_let_through(estimator: Any) -> None:
    assert HSClassifier(estimator).fit(*DATA[2]).n_features_in_ == 5
