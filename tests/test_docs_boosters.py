"""What the documentation says about the boosters' own behaviour, tried on the boosters that are installed."""

from __future__ import annotations

import json
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import LGB, XGB, lgb_data, make_data, splits, trees, xgb_data
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import HypersimplexObjective, PrecisionAtK
from hsboost.losses import SoftmaxLoss
from hsboost.objectives import LossObjective

pytestmark = pytest.mark.truth

LOG = LossObjective(SoftmaxLoss())


def three_classes() -> tuple[np.ndarray, np.ndarray]:
    X, _ = make_data()
    return X, np.digitize(X[:, 0], [-0.5, 0.5]).astype(float)


# docs/guide.md, XGBoost: xgb.train


def nominal(booster: xgb.Booster) -> str:
    return json.loads(booster.save_config())["learner"]["objective"]["name"]


def sigmoid(raw: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-raw))


@pytest.mark.parametrize(
    ("named", "base", "start", "link"),
    [
        (None, None, 0.5, lambda raw: raw),
        ("reg:squarederror", None, 0.5, lambda raw: raw),
        ("binary:logistic", None, 0.0, sigmoid),
        ("binary:logistic", 0.5, 0.0, sigmoid),
    ],
)
def test_the_nominal_objective_decides_the_start_and_what_predict_gives(
    named: str | None, base: float | None, start: float, link: Any
) -> None:
    X, y = make_data()
    data, seen = xgb_data(X, y), []

    def objective(preds: np.ndarray, dtrain: xgb.DMatrix) -> Any:
        seen.append(preds.copy())
        return LOG(preds, dtrain)

    params = {"objective": named} if named else {}
    booster = xgb.train(params | ({} if base is None else {"base_score": base}), data, 3, obj=objective)
    np.testing.assert_array_equal(seen[0], np.full(y.size, start))
    raw = booster.predict(data, output_margin=True)
    np.testing.assert_allclose(booster.predict(data), link(raw), rtol=1e-6)


def test_num_class_alone_makes_predict_give_class_numbers_on_xgboost() -> None:
    X, y = three_classes()
    data = xgb_data(X, y)
    booster = xgb.train({"num_class": 3}, data, 5, obj=HypersimplexObjective())
    assert nominal(booster) == "multi:softmax"
    raw = booster.predict(data, output_margin=True)
    assert raw.shape == (y.size, 3)
    np.testing.assert_array_equal(booster.predict(data), raw.argmax(axis=1))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_lightgbm_gives_raw_scores_either_way(n_classes: int) -> None:
    X, y = make_data() if n_classes == 2 else three_classes()
    several = {} if n_classes == 2 else {"num_class": 3}
    model = lgb.train({**LGB, **several, "objective": HypersimplexObjective()}, lgb_data(X, y), 5)
    assert np.shape(model.predict(X)) == ((y.size,) if n_classes == 2 else (y.size, 3))
    np.testing.assert_array_equal(model.predict(X), model.predict(X, raw_score=True))


@pytest.mark.parametrize(
    ("named", "renewed"), [("reg:squarederror", False), ("binary:logistic", True), ("multi:softprob", True)]
)
def test_approx_renews_its_cuts_where_the_nominal_objective_has_a_varying_curvature(named: str, renewed: bool) -> None:
    rng = np.random.default_rng(0)
    X, gradient = rng.normal(size=(1500, 1)), rng.normal(size=1500).astype(np.float32)
    several = {"num_class": 2} if named == "multi:softprob" else {}
    params = {**XGB, "objective": named, "tree_method": "approx", "max_depth": 9, "max_bin": 16, "base_score": 0.5}
    params |= {"min_child_weight": 0.0, **several}

    def cuts(first: float, second: float) -> list[set[float]]:
        """Where two deep trees split: at nearly all of 16 candidates each. Curvature of the rows below 0, by round."""
        rounds = iter([first, second])

        def objective(preds: np.ndarray, dtrain: xgb.DMatrix) -> Any:
            curvature = np.where(X[:, 0] < 0, next(rounds), 1.0).astype(np.float32)
            return [np.stack([a, a], axis=1) if several else a for a in (gradient, curvature)]

        found = splits(xgb.train(params, xgb_data(X, np.zeros(1500)), 2, obj=objective))
        first_of_round_two = 2 if several else 1
        return [{cut for tree, *_, cut in found if cut is not None and tree == at} for at in (0, first_of_round_two)]

    (even, later), (lopsided, _) = cuts(1.0, 200.0), cuts(200.0, 1.0)
    assert min(map(len, (even, later, lopsided))) > 8
    assert len(even | lopsided) > 16  # the first round's curvature always counts
    assert (len(even | later) > 16) == renewed


def test_the_wrappers_nominal_objectives() -> None:
    X, y = make_data()
    model = XGBClassifier(n_estimators=2, objective=LOG).fit(X, y.astype(int))
    assert nominal(model.get_booster()) == "binary:logistic"
    assert nominal(xgb.train({}, xgb_data(X, y), 2, obj=LOG)) == "reg:squarederror"


def test_xgboosts_own_metric_is_there_unless_it_is_switched_off() -> None:
    X, y = make_data()
    found = []
    for params in ({}, {"disable_default_eval_metric": True}):
        result: dict[str, Any] = {}
        data = xgb_data(X, y)
        xgb.train(
            params, data, 2, obj=LOG, evals=[(data, "x")], custom_metric=PrecisionAtK(0.2), evals_result=result,
            verbose_eval=False,
        )  # fmt: skip
        found.append(list(result["x"]))
    assert found == [["rmse", "precision@0.2"], ["precision@0.2"]]


def test_xgboost_maximises_names_that_begin_with_pre_and_minimises_unknown_ones() -> None:
    X, y = make_data()

    def best(name: str) -> int:
        values = iter([0.1, 0.5, 0.3, 0.3, 0.3, 0.3])
        data = xgb_data(X, y)
        booster = xgb.train(
            {"disable_default_eval_metric": True}, data, 5, obj=LOG, evals=[(data, "x")], verbose_eval=False,
            custom_metric=lambda *_: (name, next(values)), early_stopping_rounds=4,
        )  # fmt: skip
        return int(booster.best_iteration)

    assert (best("precision@0.2"), best("auc_distributed"), best("recall@0.2")) == (1, 1, 0)


def test_after_early_stopping_xgboost_predicts_with_all_rounds_and_lightgbm_with_the_best() -> None:
    X, y = make_data()
    values = {"xgboost": iter([0.1, 0.5, *[0.3] * 5]), "lightgbm": iter([0.1, 0.5, *[0.3] * 5])}
    data = xgb_data(X, y)
    booster = xgb.train(
        {**XGB, "disable_default_eval_metric": True}, data, 7, obj=LOG, evals=[(data, "x")], verbose_eval=False,
        custom_metric=lambda *_: ("precision", next(values["xgboost"])), early_stopping_rounds=4,
    )  # fmt: skip
    assert (booster.best_iteration, booster.num_boosted_rounds()) == (1, 6)
    best = booster.predict(data, output_margin=True, iteration_range=(0, 2))
    assert np.abs(booster.predict(data, output_margin=True) - best).max() > 0.1

    rows = lgb_data(X, y)
    model = lgb.train(
        {**LGB, "objective": LOG}, rows, 7, valid_sets=[lgb_data(X, y, reference=rows)],
        feval=lambda *_: ("precision", next(values["lightgbm"]), True),
        callbacks=[lgb.early_stopping(4, verbose=False)],
    )  # fmt: skip
    assert model.best_iteration == 2
    np.testing.assert_array_equal(model.predict(X), model.predict(X, num_iteration=2))


def test_scale_pos_weight_does_nothing_on_xgboost() -> None:
    X, y = make_data()
    plain, weighted = ({**XGB, **params} for params in ({}, {"scale_pos_weight": 9.0}))
    assert trees(xgb.train(weighted, xgb_data(X, y), 3, obj=LOG)) == trees(xgb.train(plain, xgb_data(X, y), 3, obj=LOG))


@pytest.mark.parametrize("params", [{"scale_pos_weight": 9.0}, {"is_unbalance": True}, {"boost_from_average": False}])
def test_settings_of_lightgbms_own_losses_do_nothing(params: dict[str, Any]) -> None:
    X, y = make_data()
    plain = lgb.train({**LGB, "objective": LOG}, lgb_data(X, y), 3)
    assert trees(lgb.train({**LGB, "objective": LOG, **params}, lgb_data(X, y), 3)) == trees(plain)


def test_an_init_score_is_not_added_back_by_lightgbm() -> None:
    X, y = make_data()
    seen = []

    def objective(preds: np.ndarray, data: lgb.Dataset) -> Any:
        seen.append(preds.copy())
        return LOG(preds, data)

    model = lgb.train({**LGB, "objective": objective}, lgb_data(X, y, init_score=np.full(y.size, 7.0)), 2)
    np.testing.assert_array_equal(seen[0], 7.0)
    one = np.asarray(model.predict(X, raw_score=True, num_iteration=1))
    np.testing.assert_allclose(one + 7.0, seen[1], atol=1e-12)


# docs/guide.md, XGBClassifier and LGBMClassifier


def test_xgbclassifier_puts_raw_scores_through_a_sigmoid_and_cuts_at_one_half() -> None:
    X, y = make_data()
    model = XGBClassifier(n_estimators=3, objective=HypersimplexObjective()).fit(X, y.astype(int))
    raw = model.predict(X, output_margin=True)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], sigmoid(raw), rtol=1e-5)
    np.testing.assert_array_equal(model.predict(X), raw > 0)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_lgbmclassifier_returns_raw_scores_with_a_warning(method: str) -> None:
    X, y = make_data()
    model = LGBMClassifier(n_estimators=3, objective=HypersimplexObjective(), verbose=-1).fit(X, y.astype(int))
    with pytest.warns(UserWarning, match="customized objective"):
        found = getattr(model, method)(X)
    np.testing.assert_array_equal(found, model.predict(X, raw_score=True))


@pytest.mark.parametrize(("params", "names"), [({}, ["binary_logloss", "precision@0.2"]), ({"metric": "None"}, None)])
def test_lgbmclassifier_adds_the_log_loss_to_the_metrics(params: dict[str, str], names: list[str] | None) -> None:
    X, y = make_data()
    model = LGBMClassifier(n_estimators=2, objective=HypersimplexObjective(), verbose=-1, **params)
    model.fit(X, y.astype(int), eval_set=[(X, y.astype(int))], eval_metric=PrecisionAtK(0.2).lightgbm)
    assert list(next(iter(model.evals_result_.values()))) == (names or ["precision@0.2"])


# docs/guide.md, LightGBM: min_child_samples


def leaf_sizes(
    curvature: np.ndarray, least: int = 20, bin_rows: int = 1, **more: Any
) -> tuple[np.ndarray, list[float]]:
    """True rows and curvature of the leaves of one tree on one feature, left to right."""
    n = curvature.size
    x = np.arange(n, dtype=float)[:, None]
    gradient = np.random.default_rng(0).normal(size=n)

    def objective(preds: np.ndarray, data: lgb.Dataset) -> Any:
        return gradient.astype(np.float32), curvature.astype(np.float32)

    params = {**LGB, "objective": objective, "min_data_in_leaf": least, "num_leaves": 31, **more}
    data = lgb.Dataset(x, np.zeros(n), params={"min_data_in_bin": 1, "max_bin": n // bin_rows, "verbose": -1})
    leaf = np.asarray(lgb.train(params, data, 1).predict(x, pred_leaf=True)).ravel()
    found = [leaf == each for each in dict.fromkeys(leaf.tolist())]
    return np.array([rows.sum() for rows in found]), [float(curvature[rows].sum()) for rows in found]


@pytest.mark.parametrize("curvature", [1.0, 7.0])
@pytest.mark.parametrize("bin_rows", [1, 4])
def test_lightgbm_counts_rows_where_all_have_one_curvature(curvature: float, bin_rows: int) -> None:
    sizes, _ = leaf_sizes(np.full(1000, curvature), bin_rows=bin_rows)
    assert sizes.size > 20
    assert sizes.min() >= 20


def test_lightgbm_hardly_counts_settled_rows() -> None:
    curvature = np.where(np.arange(1000) < 500, 1.0, 1e-3)  # 1e-3 is `hessian_floor`
    sizes, sums = leaf_sizes(curvature, least=100, bin_rows=4)
    # All settled rows end in one leaf: a leaf of theirs alone would count as 500 * 1e-3 / 500.5 * 1000, about 1.
    assert sizes[-1] > 500
    assert sums[-1] > 1.0


def test_lightgbm_may_leave_fewer_rows_than_asked_for() -> None:
    curvature = np.random.default_rng(0).exponential(size=1000)
    sizes, _ = leaf_sizes(curvature, least=20)
    assert sizes.min() < 10
    # The least sum is kept exactly.
    _, sums = leaf_sizes(curvature, least=1, min_sum_hessian_in_leaf=20.0)
    assert len(sums) > 10
    assert min(sums) >= 20.0


def test_lightgbms_estimate_of_rows_is_rounded_bin_by_bin() -> None:
    """The counts by hand, for all splits of one leaf: bins of 4 rows, curvatures 1 and 0.3."""
    curvature = np.where(np.random.default_rng(1).random(400) < 0.5, 1.0, 0.3)
    x, least = np.arange(400, dtype=float)[:, None], 60
    by_bin = curvature.reshape(100, 4).sum(axis=1)
    right = np.cumsum(np.rint(by_bin * 400 / curvature.sum())[::-1])
    allowed = [400 - 4 * (i + 1) for i, rows in enumerate(right) if rows >= least and 400 - rows >= least]

    def first_leaf(wanted: slice) -> int:
        """Rows of the left leaf when the gradient asks to split some rows off."""
        gradient = np.zeros(400, np.float32)
        gradient[wanted] = 1.0
        objective = lambda *_: (gradient, curvature.astype(np.float32))  # noqa: E731
        params = {**LGB, "objective": objective, "min_data_in_leaf": least, "num_leaves": 2, "max_bin": 100}
        data = lgb.Dataset(x, np.zeros(400), params={"min_data_in_bin": 1, "max_bin": 100, "verbose": -1})
        leaf = np.asarray(lgb.train(params, data, 1).predict(x, pred_leaf=True)).ravel()
        return int((leaf == leaf[0]).sum())

    assert (first_leaf(slice(4)), first_leaf(slice(396, None))) == (min(allowed), max(allowed))
    assert min(allowed) != least or max(allowed) != 400 - least  # not what counting rows gives


# docs/guide.md and docs/method.md: XGBoost's least gain; docs/protocols.md: LightGBM's longest query


def test_xgboost_drops_splits_that_gain_less_than_a_millionth() -> None:
    X, y = make_data()

    def least_gain(unit: float) -> float | None:
        """Squared error in another unit of the labels: gains are proportional to its square."""
        frame = xgb.train({**XGB, "max_depth": 6}, xgb_data(X, unit * y), 20).trees_to_dataframe()
        gains = frame.loc[frame["Feature"] != "Leaf", "Gain"]
        return float(gains.min()) if len(gains) else None

    usual = least_gain(1.0)
    assert usual is not None
    small = least_gain(1e-3)
    assert small is not None
    assert small > 0.99e-6
    assert usual * 1e-6 < 0.5e-6  # in the small unit there were such splits to take
    assert least_gain(1e-5) is None


def test_lightgbm_takes_ten_thousand_rows_a_query() -> None:
    X = np.arange(10_001, dtype=float)[:, None]
    params = {**LGB, "objective": "lambdarank"}
    lgb.train(params, lgb.Dataset(X[:-1], X[:-1, 0] > 9000, group=[10_000]), 1)
    with pytest.raises(lgb.basic.LightGBMError, match="10001 exceeds upper limit of 10000 for a query"):
        lgb.train(params, lgb.Dataset(X, X[:, 0] > 9000, group=[10_001]), 1)
