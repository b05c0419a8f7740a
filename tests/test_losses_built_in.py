"""Where our log loss and squared loss grow the trees of the boosters' own: the table in docs/losses.md, row by row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import LGB, XGB, leaves, splits, trees
from _versions import need
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import HSClassifier
from hsboost.losses import Loss, SoftmaxLoss, SquaredLoss
from hsboost.objectives import LossObjective

pytestmark = pytest.mark.truth

LOG, FRIEDMAN, SQUARED = SoftmaxLoss(), SoftmaxLoss("friedman"), SquaredLoss()
BITS, ROUNDING, OTHER = "to the last bit", "to float32 rounding", "other cuts"
ROUNDS = 10
WEIGHTED = pytest.mark.parametrize("weighted", [False, True], ids=["unweighted", "weighted"])


def rows(n_classes: int, weighted: bool, distinct: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """2,000 rows; ``distinct``: features have more values than XGBoost has bins, so that cuts are chosen."""
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(2000, 5)) if distinct else rng.integers(-9, 10, (2000, 5)) / 5.0
    score = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=2000)
    y = np.digitize(score, [0.7] if n_classes == 2 else [-0.8, 0.0, 0.9]).astype(float)
    return X, y, rng.uniform(0.5, 2.0, 2000) if weighted else None


def xgb_trees(data: tuple[Any, ...], loss: Loss | None, start: float = 0.0, **params: Any) -> xgb.Booster:
    X, y, weight = data
    matrix = xgb.DMatrix(X, label=y, weight=weight)
    objective = None if loss is None else LossObjective(loss)
    return xgb.train({**XGB, "max_depth": 4, **params, "base_score": start}, matrix, ROUNDS, obj=objective)


def lgb_trees(data: tuple[Any, ...], objective: Any, **params: Any) -> lgb.Booster:
    X, y, weight = data
    params = {**LGB, "boost_from_average": False, **params, "objective": objective}
    return lgb.train(params, lgb.Dataset(X, y, weight=weight), ROUNDS)


def how(ours: Any, theirs: Any) -> str:
    """How alike two models are, in the words of the table."""
    if trees(ours) == trees(theirs):
        return BITS
    if splits(ours) != splits(theirs):
        return OTHER
    np.testing.assert_allclose(leaves(ours), leaves(theirs), rtol=0, atol=1e-6)
    return ROUNDING


def pair(booster: str, built_in: str, loss: Loss, data: Any, tree_method: str, nominal: str | None) -> str:
    """How alike our loss and the built-in one are."""
    several = {"num_class": 4} if loss in (FRIEDMAN,) or built_in == "multi:softprob" else {}
    if booster == "lightgbm":
        return how(lgb_trees(data, LossObjective(loss), **several), lgb_trees(data, built_in, **several))
    common = {"tree_method": tree_method, **several}
    # 0.5 as a probability is a raw score of 0.
    theirs = xgb_trees(data, None, 0.5 if built_in == "binary:logistic" else 0.0, objective=built_in, **common)
    named = nominal or (built_in if several else "reg:squarederror")
    return how(xgb_trees(data, loss, 0.5 if nominal else 0.0, objective=named, **common), theirs)


#: (booster, tree methods, built-in, ours, nominal objective, unweighted, weighted): the rows of docs/losses.md.
TABLE = [
    ("lightgbm", ["hist"], "binary", LOG, None, BITS, BITS),
    ("lightgbm", ["hist"], "multiclass", FRIEDMAN, None, BITS, BITS),
    ("lightgbm", ["hist"], "regression", SQUARED, None, BITS, ROUNDING),
    ("xgboost", ["hist", "exact"], "binary:logistic", LOG, None, ROUNDING, ROUNDING),
    ("xgboost", ["approx"], "binary:logistic", LOG, None, OTHER, OTHER),
    ("xgboost", ["approx"], "binary:logistic", LOG, "binary:logistic", ROUNDING, ROUNDING),
    ("xgboost", ["hist", "approx", "exact"], "multi:softprob", LOG, None, ROUNDING, ROUNDING),
    ("xgboost", ["hist", "approx", "exact"], "reg:squarederror", SQUARED, None, BITS, ROUNDING),
]
CASES = [
    pytest.param(booster, method, built_in, loss, nominal, expected, weighted, id=f"{booster}-{method}-{built_in}-{i}")
    for booster, methods, built_in, loss, nominal, *both in TABLE
    for i, (expected, weighted) in enumerate(zip(both, (False, True), strict=True))
    for method in methods
]


@pytest.mark.parametrize(("booster", "method", "built_in", "loss", "nominal", "expected", "weighted"), CASES)
def test_trees_beside_the_built_in_loss(
    booster: str, method: str, built_in: str, loss: Loss, nominal: str | None, expected: str, weighted: bool
) -> None:
    n_classes = 4 if built_in in ("multiclass", "multi:softprob") else 2
    assert pair(booster, built_in, loss, rows(n_classes, weighted), method, nominal) == expected


def test_the_table_in_the_documentation_is_this_one() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "losses.md").read_text(encoding="utf-8")
    lines = [
        line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith(("| LightGBM", "| XGBoost"))
    ]
    assert [cells[-2:] for cells in lines] == [list(row[-2:]) for row in TABLE]
    for cells, (booster, methods, built_in, *_) in zip(lines, TABLE, strict=True):
        assert cells[1] == f"`{built_in}`"
        assert cells[0].lower().startswith(booster)
        assert cells[0].endswith("all three") or booster == "lightgbm" or all(f"`{m}`" in cells[0] for m in methods)


@WEIGHTED
def test_approx_grows_the_same_trees_where_every_value_has_a_bin(weighted: bool) -> None:
    data = rows(2, weighted, distinct=False)
    assert pair("xgboost", "binary:logistic", LOG, data, "approx", None) == ROUNDING


@WEIGHTED
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("tree_method", ["hist", "exact"])
def test_the_estimator_starts_and_ends_where_xgbclassifier_does(
    tree_method: str, n_classes: int, weighted: bool
) -> None:
    if n_classes > 2:
        need("xgboost", "3.2", "it starts several classes from their shares, not from 0.5")
    need("xgboost", "3.0", "it starts two classes from their log odds, not from one step towards them")
    X, y, weight = rows(n_classes, weighted)
    plain = XGBClassifier(n_estimators=ROUNDS, max_depth=4, tree_method=tree_method, n_jobs=1)
    ours = HSClassifier(plain, loss="log-loss").fit(X, y.astype(int), sample_weight=weight)
    assert json.loads(ours.booster_.save_config())["learner"]["objective"]["name"] == (
        "binary:logistic" if n_classes == 2 else "multi:softprob"
    )
    theirs = plain.fit(X, y.astype(int), sample_weight=weight)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-6)


@WEIGHTED
@pytest.mark.parametrize(("n_classes", "loss"), [(2, "log-loss"), (4, FRIEDMAN)])
def test_the_estimator_starts_and_ends_where_lgbmclassifier_does(n_classes: int, loss: Any, weighted: bool) -> None:
    X, y, weight = rows(n_classes, weighted)
    plain = LGBMClassifier(n_estimators=ROUNDS, num_leaves=8, n_jobs=1, verbose=-1)
    ours = HSClassifier(plain, loss=loss).fit(X, y.astype(int), sample_weight=weight)
    theirs = plain.fit(X, y.astype(int), sample_weight=weight)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-6)
    if n_classes > 2:  # XGBoost's factor 2 is the default, LightGBM's C / (C - 1) another model
        default = HSClassifier(plain, loss="log-loss").fit(X, y.astype(int), sample_weight=weight)
        assert np.abs(default.predict_proba(X) - theirs.predict_proba(X)).max() > 0.01
