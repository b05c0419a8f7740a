"""The temperature is a unit: HSClassifier grows the same trees at any, raw objectives say where they cannot."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _models import BOOSTERS, binary, multi, raw, small
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import HSClassifier, HypersimplexLoss, HypersimplexObjective
from hsboost.losses import ExactLoss, HypersimplexFYLoss, get_loss
from hsboost.objectives import LossObjective

pytestmark = pytest.mark.truth

X, Y = binary()
_, Y3 = multi()
G = np.arange(len(Y)) % 5
W = np.random.default_rng(5).uniform(0.2, 3.0, len(Y))

#: What is fitted: labels, and what else goes to ``fit``.
CASES: dict[str, tuple[np.ndarray, dict[str, Any]]] = {
    "binary": (Y, {}),
    "weights": (Y, {"sample_weight": W}),
    "groups": (Y, {"groups": G}),
    "classes": (Y3, {}),
    "classes, groups, weights": (Y3, {"groups": G, "sample_weight": W}),
}
#: From the issue's 0.001 and 1e18 to where float32 ends and beyond.
TEMPERATURES = (1e-3, 1e18, 1e-30, 1e150)


def trees(model: HSClassifier) -> Any:
    """The native model as text."""
    if isinstance(model.estimator_, XGBClassifier):
        return bytes(model.booster_.save_raw("json"))
    return model.booster_.model_to_string()


def fitted(booster: str, case: str, **settings: Any) -> HSClassifier:
    y, extra = CASES[case]
    return HSClassifier(small(booster), **{"k": 0.2, "loss": "hypersimplex", **settings}).fit(X, y, **extra)


@BOOSTERS
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("loss", ["hypersimplex", "hypersimplex-fy"])
def test_no_temperature_changes_a_tree_a_ranking_or_a_decision(booster: str, case: str, loss: str) -> None:
    one = fitted(booster, case, loss=loss)
    grouped = {"groups": G} if "groups" in case else {}
    together = {"groups": np.zeros(len(X))} if grouped else {}  # a model of groups asks for them: here all rows compete
    decided, history = one.decision_function(X, **grouped), np.array(one.training_history_["soft_threshold"])
    assert np.ptp(decided) > 0.1  # there are trees
    for t in TEMPERATURES:
        model = fitted(booster, case, loss=loss, temperature=t)
        assert trees(model) == trees(one)
        np.testing.assert_array_equal(model.predict(X, **grouped), one.predict(X, **grouped))
        np.testing.assert_array_equal(model.predict_top_k(X, 20, **together), one.predict_top_k(X, 20, **together))
        # In the documented unit: temperature times those at 1.
        np.testing.assert_allclose(model.decision_function(X, **grouped) / t, decided, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(model.threshold_ / t, one.threshold_, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(
            np.array(model.training_history_["soft_threshold"]) / t, history, rtol=1e-9, atol=1e-12
        )
        assert model.training_history_["active_share"][-1] == pytest.approx(one.training_history_["active_share"][-1])
        np.testing.assert_array_equal(raw(model, X), raw(one, X))  # the booster's own scores: units of the band
        assert (model.objective_.unit, model.objective_.loss.temperature) == (t, t)


@BOOSTERS
@pytest.mark.parametrize("case", ["binary", "classes"])
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_probabilities_shares_and_files_know_the_unit(
    booster: str, case: str, calibration: Any, tmp_path: Path
) -> None:
    settings = {"calibration": calibration, "calibration_fraction": 0.4, "random_state": 0}
    one = fitted(booster, case, **settings)
    for t in (1e-30, 1e-3, 1e18):
        model = fitted(booster, case, temperature=t, **settings)
        np.testing.assert_allclose(model.predict_proba(X), one.predict_proba(X), rtol=1e-9, atol=1e-12)
        assert np.ptp(model.predict_proba(X)) > 0.1
        decided = model.decision_function(X)
        np.testing.assert_allclose(model.contributions(X).sum(axis=-1) / t, decided / t, atol=1e-5)
        model.save_model(tmp_path / "model.json")
        for again in (HSClassifier.load_model(tmp_path / "model.json"), pickle.loads(pickle.dumps(model))):
            np.testing.assert_array_equal(again.decision_function(X), decided)
            np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@BOOSTERS
def test_scores_tied_at_the_top_leave_the_cut_in_the_unit_of_the_scores(booster: str) -> None:
    # A single split: more rows than k share the best score, no row lies above the cut, which steps half a unit aside.
    one_split = {"n_estimators": 1, "max_depth": 1}
    cuts = [
        HSClassifier(small(booster, **one_split), k=0.01, loss="hypersimplex", temperature=t)
        .fit(X, Y)
        .decision_function(X)
        .max()
        / t
        for t in (1.0, 1e-3, 1e18)
    ]
    assert cuts == pytest.approx([-0.5] * 3)


@BOOSTERS
@pytest.mark.parametrize("loss", [HypersimplexLoss(temperature=1e-3), HypersimplexFYLoss(temperature=1e18)])
def test_a_loss_of_ones_own_is_trained_in_its_unit(booster: str, loss: HypersimplexLoss) -> None:
    model = HSClassifier(small(booster), loss=loss, k=0.2).fit(X, Y)
    plain = HSClassifier(small(booster), loss=type(loss)(), k=0.2).fit(X, Y)
    assert trees(model) == trees(plain)
    np.testing.assert_allclose(model.decision_function(X) / loss.temperature, plain.decision_function(X), atol=1e-12)


@BOOSTERS
@pytest.mark.parametrize("sigma", [1e-6, 1e6, (1e-3, 1e-4, 3)])
def test_sigma_is_a_unit_too(booster: str, sigma: Any) -> None:
    unit = sigma[0] if isinstance(sigma, tuple) else sigma
    alike = (1.0, sigma[1] / unit, sigma[2]) if isinstance(sigma, tuple) else 1.0
    model = HSClassifier(small(booster), loss=ExactLoss(sigma, log=True, margin=2 * unit)).fit(X, Y)
    plain = HSClassifier(small(booster), loss=ExactLoss(alike, log=True, margin=2.0)).fit(X, Y)
    np.testing.assert_allclose(model.decision_function(X) / unit, plain.decision_function(X), atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-6)
    assert np.ptp(plain.decision_function(X)) > 0.1


@BOOSTERS
def test_going_on_keeps_the_unit_of_the_trees_that_are_there(booster: str) -> None:
    def chain(*temperatures: float, loss: str = "hypersimplex") -> HSClassifier:
        model = None
        for t in temperatures:
            model = HSClassifier(small(booster), k=0.2, loss=loss, temperature=t).fit(X, Y, init_model=model)
        assert model is not None
        return model

    plain = chain(1.0, 1.0)
    for t in (1e-30, 1e18):
        assert trees(chain(t, t)) == trees(plain)
    # Temperatures that differ: their ratio counts, as for any unit.
    wide, plain = chain(2.0**-40, 2.0**-37), chain(1.0, 8.0)
    assert trees(wide) == trees(plain)
    np.testing.assert_allclose(wide.decision_function(X) * 2.0**40, plain.decision_function(X), rtol=1e-12)
    assert wide.objective_.unit == 2.0**-40
    with pytest.raises(ValueError, match=r"temperature=1e\+30.*in units of 1e-30.*train init_model again"):
        chain(1e-30, 1e30)


@BOOSTERS
@pytest.mark.parametrize("loss", ["log-loss", "squared", "hypersimplex unit"])
def test_another_loss_goes_on_from_trees_in_a_unit(booster: str, loss: str) -> None:
    # With leaves in units of 1/4 the same raw scores, gradients and steps as if they were not: powers of two are exact.
    def chain(t: float) -> HSClassifier:
        first = HSClassifier(small(booster), k=0.2, loss="hypersimplex", temperature=t).fit(X, Y)
        own = HypersimplexLoss(hessian="unit", temperature=2.0) if loss == "hypersimplex unit" else get_loss(loss)
        return HSClassifier(small(booster), k=0.2, loss=own).fit(X, Y, init_model=first)

    model = chain(0.25)
    assert model.objective_.unit == 0.25
    first = HSClassifier(small(booster), k=0.2, loss="hypersimplex", temperature=0.25).fit(X, Y)
    # By hand: the raw scores of the first, and the loss's Newton steps on them.
    objective = LossObjective(model.objective_.loss)
    handed = objective(Y, first._raw(X))
    again = model.objective_
    gradient, hessian = again(Y, raw(first, X))
    np.testing.assert_allclose(gradient * 0.25, handed[0], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(hessian, handed[1], rtol=1e-6)
    assert np.abs(model.decision_function(X) - first.decision_function(X)).max() > 0.01


@pytest.mark.parametrize("t", [5e-324, 1e-250, 1e250, 1e308])
def test_a_unit_without_room_for_scores_is_refused(t: float) -> None:
    with pytest.raises(
        ValueError, match=r"temperature (is the unit of decision_function|must be at least).*leave it at 1"
    ):
        HSClassifier(k=0.2, loss="hypersimplex", temperature=t).fit(X, Y)


def train(booster: str, route: str, objective: LossObjective, classes: bool = False, n: int = 4) -> np.ndarray:
    """Raw scores by one of the routes to a raw objective."""
    y, many = (Y3, {"num_class": 3}) if classes else (Y, {})
    if booster == "xgboost" and route == "native":
        params = {"max_depth": 3, "base_score": 0.0, "nthread": 1, "disable_default_eval_metric": True, **many}
        data = xgb.DMatrix(X, y)
        return xgb.train(params, data, n, obj=objective).predict(data, output_margin=True).astype(np.float64)
    if booster == "xgboost":
        zero = 0.0 if classes else 0.5  # a raw score of 0
        model = XGBClassifier(n_estimators=n, max_depth=3, base_score=zero, n_jobs=1, objective=objective)
        return model.fit(X, y).predict(X, output_margin=True).astype(np.float64)
    params = {"num_leaves": 8, "verbose": -1, "num_threads": 1}
    if route == "native":
        return lgb.train({"objective": objective, **params, **many}, lgb.Dataset(X, y), n).predict(X, raw_score=True)
    model = LGBMClassifier(n_estimators=n, num_leaves=8, verbose=-1, n_jobs=1, objective=objective)
    return model.fit(X, y).predict(X, raw_score=True)


ROUTES = pytest.mark.parametrize(
    ("booster", "route"), [(b, r) for b in ("xgboost", "lightgbm") for r in ("native", "wrapper")]
)


@ROUTES
@pytest.mark.parametrize("classes", [False, True])
def test_raw_objectives_grow_the_trees_of_one_over_the_range_they_accept(
    booster: str, route: str, classes: bool
) -> None:
    # Powers of two: not a bit of a gradient's digits changes.
    powers = (0, 29) if booster == "xgboost" else (-66, -20, 20, 66)
    one = train(booster, route, HypersimplexObjective(0.2), classes)
    assert np.ptp(one) > 0.1
    for power in powers:
        scores = train(booster, route, HypersimplexObjective(0.2, 2.0**power), classes)
        np.testing.assert_allclose(scores * 2.0**-power, one, rtol=1e-6, atol=1e-9)


@ROUTES
@pytest.mark.parametrize("t", [1e-30, 1e-21, 1e-3, 9.9e-3, 1e18, 1e21, 1e30, 1e37])
def test_raw_objectives_refuse_a_unit_the_booster_cannot_work_in(booster: str, route: str, t: float) -> None:
    low, high = (0.01, 1e9) if booster == "xgboost" else (1e-20, 1e20)
    for loss in (HypersimplexLoss(0.2, t), HypersimplexFYLoss(0.2, t)):
        objective = HypersimplexObjective.of(loss)
        if low <= t <= high:
            assert np.ptp(train(booster, route, objective, n=1)) / t > 0.05
            continue
        with pytest.raises(ValueError, match=r"^temperature=.*leave temperature at 1.*or use HSClassifier"):
            train(booster, route, objective, n=1)


@ROUTES
def test_sigma_of_a_raw_objective_is_refused_alike(booster: str, route: str) -> None:
    with pytest.raises(ValueError, match=r"^sigma=1e-25 .*leave sigma at 1"):
        train(booster, route, LossObjective(ExactLoss(1e-25)), n=1)


@ROUTES
@pytest.mark.parametrize(("t", "reduction"), [(1e30, "sum"), (1e-30, "sum"), (1e30, "mean"), (1e-30, "mean")])
def test_a_unit_hessian_refuses_steps_that_no_tree_can_take(booster: str, route: str, t: float, reduction: Any) -> None:
    objective = HypersimplexObjective(0.2, t, hessian="unit", reduction=reduction)
    with pytest.raises(ValueError, match=re.escape(f"temperature={t:g} ")):
        train(booster, route, objective, n=1)
    with pytest.raises(ValueError, match=r"hessian='unit'.*is a step size"):
        HSClassifier(small(booster), k=0.2, loss="hypersimplex", temperature=t, hessian="unit").fit(X, Y)


@ROUTES
def test_a_unit_hessian_takes_the_steps_it_says(booster: str, route: str) -> None:
    # XGBoost's least gain, 1e-6 of at most Σ w / temperature²: 240 rows can still split at 1e4, and cannot at 2e4.
    scores = train(booster, route, HypersimplexObjective(0.2, 1e3, hessian="unit"), n=1)
    assert np.ptp(scores) > 1e-5
    objective = HypersimplexObjective(0.2, 2e4, hessian="unit")
    if booster == "lightgbm":
        assert np.ptp(train(booster, route, objective, n=1)) > 1e-7
    else:
        with pytest.raises(ValueError, match="no split gains 1e-06"):
            train(booster, route, objective, n=1)


def test_the_published_recipe_is_not_refused() -> None:
    for booster in ("xgboost", "lightgbm"):
        objective = HypersimplexObjective(hessian="unit", reduction="mean", temperature=0.001)
        assert np.ptp(train(booster, "native", objective, n=1)) > 0.0


def test_objectives_of_old_pickles_have_the_unit_one() -> None:
    state = HypersimplexObjective(0.2).__getstate__()
    del state["unit"]
    old = HypersimplexObjective.__new__(HypersimplexObjective)
    old.__setstate__(state)
    assert old.unit == 1.0


def test_a_loss_whose_temperature_has_no_reciprocal_is_refused() -> None:
    for kind in (HypersimplexLoss, HypersimplexFYLoss, HypersimplexObjective):
        with pytest.raises(ValueError, match=r"temperature must be at least 2\.23e-308"):
            kind(temperature=1e-310)
