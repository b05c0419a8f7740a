"""One rule for a count that is larger than what it counts: all rows, of a group, of a class, of everything."""

from __future__ import annotations

import warnings
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import lgb_data, make_data, train_lgb, train_xgb, trees, xgb_data
from _collective import on_workers
from _models import BOOSTERS, small

from hsboost import (
    HSClassifier,
    HypersimplexLoss,
    HypersimplexObjective,
    PrecisionAtK,
    RecallAtK,
    precision_at_k,
    project_hypersimplex,
    recall_at_k,
)
from hsboost._solver.segments import Segments
from hsboost._workers import metrics
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss

pytestmark = pytest.mark.truth

SIZES = [3, 20, 27]
GROUPS = np.repeat([0, 1, 2], SIZES)
X, Y = make_data(50)
SCORE = X[:, 0] + 1e-3 * np.arange(50)
WEIGHT = np.random.default_rng(0).uniform(0.5, 1.0, 50).astype(np.float32)
HUGE = 10**400

#: A count for groups of 3, 20 and 27 rows, and the counts that it means.
COUNTS = [
    (10, [3, 10, 10]), (25, [3, 20, 25]), (100, SIZES), (HUGE, SIZES), ({0: 10, 1: 4, 2: 5}, [3, 4, 5]),
    ({0: 10, 1: 21, 2: HUGE}, SIZES), ({0: 0.5, 1: 21, 2: None}, [0.5, 20, None]),
]  # fmt: skip
each_count = pytest.mark.parametrize(("k", "meant"), COUNTS, ids=[str(k)[:20] for k, _ in COUNTS])
quiet = pytest.mark.filterwarnings("ignore:k takes all rows")


def mapped(meant: list[Any]) -> dict[int, Any]:
    return dict(enumerate(meant))


# --- losses and objectives ----------------------------------------------------------------------------------------


@quiet
@each_count
@pytest.mark.parametrize("kind", [HypersimplexLoss, HypersimplexFYLoss])
def test_losses_with_groups(kind: Any, k: Any, meant: list[Any]) -> None:
    got, expected = kind(k), kind(mapped(meant))
    assert got.loss(Y, SCORE, None, GROUPS) == expected.loss(Y, SCORE, None, GROUPS)
    for name in ("gradient_hessian", "threshold", "soft_threshold"):
        np.testing.assert_array_equal(
            getattr(got, name)(Y, SCORE, None, GROUPS), getattr(expected, name)(Y, SCORE, None, GROUPS)
        )
    for ours, theirs in zip(
        got.boosting_step(Y, SCORE, None, None, GROUPS)[:2],
        expected.boosting_step(Y, SCORE, None, None, GROUPS)[:2],
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


@quiet
@pytest.mark.parametrize("kind", [HypersimplexLoss, HypersimplexFYLoss])
@pytest.mark.parametrize("k", [50, 51, HUGE])
def test_losses_without_groups(kind: Any, k: int) -> None:
    """All 50 rows are called positive: half the squared distance to the labels is half the number of negatives."""
    if kind is HypersimplexLoss:
        assert kind(k).loss(Y, SCORE) == 0.5 * (50 - Y.sum())
        assert not kind(k).boosting_step(Y, SCORE, None, None)[0].any()
        assert kind(k).loss(Y, SCORE, WEIGHT) == pytest.approx(0.5 * WEIGHT[Y == 0].sum(), rel=1e-6)
    assert kind(k).threshold(Y, SCORE) < SCORE.min()
    two = np.column_stack([SCORE, -SCORE])
    assert (kind({0: k, 1: 5}).threshold(Y, two)[0]) < SCORE.min()
    np.testing.assert_array_equal(kind({0: k, 1: 5}).gradient(Y, two), kind({0: 50, 1: 5}).gradient(Y, two))


@quiet
@BOOSTERS
@each_count
@pytest.mark.parametrize("way", ["array", "dataset", "label_lower_bound"])
def test_objectives(booster: str, k: Any, meant: list[Any], way: str) -> None:
    if way == "label_lower_bound" and booster == "lightgbm":
        return  # has no such field
    groups: Any = GROUPS if way == "array" else way

    def grown(budget: Any) -> Any:
        if booster == "xgboost":
            extra = {"qid": GROUPS} if way == "dataset" else {} if way == "array" else {way: GROUPS}
            return trees(train_xgb(HypersimplexObjective(budget, groups=groups), xgb_data(X, Y, **extra), 2))
        sizes = SIZES if way == "dataset" else None
        few = {"min_data_in_leaf": 2}
        return trees(train_lgb(HypersimplexObjective(budget, groups=groups), lgb_data(X, Y, group=sizes), 2, **few))

    for ours, theirs in zip(grown(k), grown(mapped(meant)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@quiet
def test_workers() -> None:
    def work(workers: Any, k: Any) -> Any:
        mine = slice(0, 10) if workers.rank == 0 else slice(10, 50)
        found = HypersimplexLoss(k).distributed_step(
            lambda: Y[mine], SCORE[mine], None, None, lambda: Segments.by_label(GROUPS[mine]), workers
        )
        hits = metrics.hits_at_k(workers, Y[mine], SCORE[mine], k, None, lambda: GROUPS[mine])
        return found[0], found[1], hits

    for k, meant in COUNTS:
        same = mapped(meant)
        for got, expected in zip(
            on_workers(2, lambda w, k=k: work(w, k)), on_workers(2, lambda w, k=same: work(w, k)), strict=True
        ):
            for ours, theirs in zip(got, expected, strict=True):
                np.testing.assert_array_equal(ours, theirs)
    gradient, *_ = on_workers(
        2, lambda w: HypersimplexLoss(99).distributed_step(lambda: Y[:25], SCORE[:25], None, None, None, w)[0]
    )
    assert not gradient.any()
    hits = on_workers(2, lambda w: metrics.hits_at_k(w, Y[:25], SCORE[:25], 99, None, None))
    assert hits == [(2 * Y[:25].sum(), 50.0, 2 * Y[:25].sum())] * 2


def test_a_training_that_can_learn_nothing_warns_once() -> None:
    with pytest.warns(UserWarning, match=r"k takes all rows \(total weight 50\)") as caught:
        train_xgb(HypersimplexObjective(50), xgb_data(X, Y), 4)
    assert len(caught) == 1
    with pytest.warns(UserWarning, match=r"k takes all rows \(total weight 50\).*give a smaller count"):
        HSClassifier(small("xgboost"), k=60, loss="hypersimplex").fit(X, Y, groups=GROUPS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train_xgb(HypersimplexObjective(26, groups=GROUPS), xgb_data(X, Y), 2)  # one group is left to rank
        HypersimplexFYLoss(50).boosting_step(Y, SCORE, None, None)  # its gradient does not vanish
        HypersimplexLoss(60).loss(Y, SCORE)


def test_a_projection_has_no_mass_above_the_rows() -> None:
    with pytest.raises(ValueError, match="k must lie between 0 and the total weight 50"):
        project_hypersimplex(SCORE, 51)
    with pytest.raises(ValueError, match="k must lie between 0 and the total weight 3"):
        project_hypersimplex(SCORE, 10, groups=GROUPS)


# --- the classifier -----------------------------------------------------------------------------------------------


@quiet
@BOOSTERS
@each_count
def test_classifier_with_groups(booster: str, k: Any, meant: list[Any]) -> None:
    model, same = (
        HSClassifier(small(booster, **({"min_child_samples": 2} if booster == "lightgbm" else {})), k=budget).fit(
            X, Y, groups=GROUPS
        )
        for budget in (k, mapped(meant))
    )
    np.testing.assert_array_equal(model.decision_function(X, GROUPS), same.decision_function(X, GROUPS))
    assert model.group_thresholds_ == same.group_thresholds_
    assert model.threshold_ == same.threshold_
    counts, wanted = k, meant
    if isinstance(k, dict) and k[2] is None:  # a share of three rows is rounded
        counts, wanted = {**k, 2: 1}, [2, 20, 1]
    chosen = model.predict_top_k(X, counts, GROUPS)
    assert np.bincount(GROUPS, chosen).tolist() == wanted


@quiet
@BOOSTERS
def test_classifier_without_groups(booster: str) -> None:
    """k = 100 and 50 rows: all 50."""
    model = HSClassifier(small(booster), k=100).fit(X, Y)
    assert model.predict(X).all()
    assert model.predict_top_k(X).all()
    assert model.predict_top_k(X, HUGE).all()
    trained = HSClassifier(small(booster), k=20).fit(X, Y)
    assert trained.predict_top_k(X, 100).all()
    assert trained.predict_top_k(X[:7], 20).all()


@quiet
@pytest.mark.parametrize("k", [200, {0: 200, 1: 10, 2: 0.1}])
@pytest.mark.parametrize("grouped", [False, True])
def test_classifier_of_several_classes(k: Any, grouped: bool) -> None:
    labels = np.arange(50) % 3
    groups = GROUPS if grouped else None
    model = HSClassifier(small("xgboost"), k=k).fit(X, labels, groups=groups)
    assert model.threshold_[0] < model.booster_.predict(xgb.DMatrix(X), output_margin=True)[:, 0].min()
    assert model.predict_top_k(X, k, groups)[:, 0].all()


@quiet
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_classifier_with_rows_set_aside(calibration: Any) -> None:
    """A count above the rows passed to fit is a share of (nearly) one for those that are left."""
    model = HSClassifier(
        small("xgboost"), k=100, loss="hypersimplex", calibration=calibration, random_state=0, calibration_fraction=0.2
    )
    model.fit(X, Y, groups=GROUPS)
    assert model.predict(X, GROUPS).all()


@quiet
def test_evaluation_sets_get_the_same_share() -> None:
    model = HSClassifier(small("xgboost", early_stopping_rounds=2), k=1000).fit(X, Y, eval_set=(X[:20], Y[:20]))
    (history,) = model.estimator_.evals_result()["validation_0"].values()
    assert history[-1] == pytest.approx(Y[:20].mean())


# --- metrics and displays -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [50, 51, HUGE])
def test_metrics_without_groups(k: int) -> None:
    assert precision_at_k(Y, SCORE, k) == Y.mean()
    assert recall_at_k(Y, SCORE, k) == 1.0
    expected = np.average(Y, weights=WEIGHT)
    assert precision_at_k(Y, SCORE, k, sample_weight=WEIGHT) == pytest.approx(expected)
    two = np.column_stack([-SCORE, SCORE])
    assert precision_at_k(Y.astype(int), two, {0: k, 1: k}) == 0.5
    assert PrecisionAtK(k)(SCORE, xgb_data(X, Y))[1] == pytest.approx(Y.mean())
    data = lgb_data(X, Y).construct()
    assert RecallAtK(k)(SCORE, data)[1] == 1.0
    assert PrecisionAtK(k).lightgbm(Y, SCORE)[1] == pytest.approx(Y.mean())


@each_count
def test_metrics_with_groups(k: Any, meant: list[Any]) -> None:
    expected = precision_at_k(Y, SCORE, mapped(meant), groups=GROUPS)
    assert precision_at_k(Y, SCORE, k, groups=GROUPS) == expected
    assert PrecisionAtK(k, groups=GROUPS)(SCORE, xgb_data(X, Y))[1] == expected
    assert PrecisionAtK(k, groups="dataset")(SCORE, xgb_data(X, Y, qid=GROUPS))[1] == expected
    assert PrecisionAtK(k, groups="dataset")(SCORE, lgb_data(X, Y, group=SIZES).construct())[1] == expected
    if k == 100:
        assert expected == Y.mean()


def test_metric_in_training() -> None:
    found: dict[str, Any] = {}
    lgb.train(
        {"objective": HypersimplexObjective(0.3), "metric": "None", "verbose": -1, "num_threads": 1},
        (train := lgb_data(X, Y)), 2, feval=[PrecisionAtK(200), PrecisionAtK(5)], valid_sets=[train],
        callbacks=[lgb.record_evaluation(found)],
    )  # fmt: skip
    assert found["training"]["precision@200"] == [pytest.approx(Y.mean())] * 2


def test_displays() -> None:
    pytest.importorskip("matplotlib")
    from hsboost.plotting import BudgetGainDisplay, HypersimplexDisplay

    assert (
        BudgetGainDisplay.from_predictions(Y, SCORE, k=70).at_budget
        == BudgetGainDisplay.from_predictions(Y, SCORE, k=50).at_budget
    )
    display = HypersimplexDisplay.from_predictions(Y, SCORE, k=70)
    assert display.k == 50.0
    assert display.hard_threshold < SCORE.min()


def test_torch_layer() -> None:
    torch = pytest.importorskip("torch")
    from hsboost.torch import HypersimplexLoss as Layer

    scores = torch.tensor(np.column_stack([SCORE, -SCORE, 0 * SCORE]))
    target = torch.tensor(np.arange(50) % 3)
    for k, same in ((51, 50), (HUGE, 50), ([60, 5, 0.1], [50, 5, 0.1])):
        for reduction in ("sum", "mean"):
            assert Layer(k, reduction=reduction)(scores, target) == Layer(same, reduction=reduction)(scores, target)
    assert Layer(99, reduction="sum")(scores[:, 0], torch.tensor(Y)).item() == 0.5 * (50 - Y.sum())
    assert (Layer(99).soft_threshold(scores[:, 0], torch.tensor(Y)) < scores[:, 0].min()).all()
