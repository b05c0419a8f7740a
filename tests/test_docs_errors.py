"""The messages that the guide lists are those that users get."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import LGB, lgb_data, make_data, xgb_data
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import HSClassifier, HypersimplexLoss, HypersimplexObjective, hypersimplex_obj, project_hypersimplex

pytestmark = pytest.mark.truth

GUIDE = Path(__file__).resolve().parents[1] / "docs" / "guide.md"
X, Y = make_data(120)
Y = Y.astype(int)
HALVES = np.arange(120) % 2


def quick(**settings: Any) -> HSClassifier:
    return HSClassifier(**{"estimator": XGBClassifier(n_estimators=2), **settings})


def with_score(value: float) -> Any:
    return HypersimplexLoss().loss(Y, np.where(np.arange(120) == 3, value, 0.5))


def damaged(folder: Path) -> Any:
    file = folder / "model.json"
    quick().fit(X, Y).save_model(file)
    text = file.read_text(encoding="utf-8")
    content = json.loads(text)
    key = next(key for key in content if "check" in key.lower() or "sha" in key.lower())
    file.write_text(text.replace(content[key], "0" * len(content[key])), encoding="utf-8")
    return HSClassifier.load_model(file)


#: Message of the table to a call that raises it. Rows about several workers have tests of their own.
CALLS: dict[str, Callable[[Path], Any]] = {
    "raw_prediction must be finite, got nan at row …": lambda _: with_score(np.nan),
    "y_true must be 0 or 1, got …": lambda _: HypersimplexLoss().loss(Y + 1, np.zeros(120)),
    "y_true must hold both classes, 0 and 1, when k is None; got only …": lambda _: lgb.train(
        {**LGB, "objective": hypersimplex_obj}, lgb_data(X), 2
    ),
    "k as a float is a share of the total weight and must lie in (0, 1)": lambda _: HypersimplexObjective(k=200.0),
    "k must lie between 0 and the total weight": lambda _: project_hypersimplex(X[:, 0], 500),
    "sample_weight must be finite and >= 0": lambda _: HypersimplexLoss().loss(Y, np.zeros(120), -np.ones(120)),
    "the data set has no label": lambda _: xgb.train({}, xgb_data(X), 2, obj=hypersimplex_obj),
    "temperature=… is a setting of the hypersimplex losses": lambda _: quick(k=0.1, temperature=2.0).fit(X, Y),
    "base_score=… would be added to the constant …": lambda _: quick(
        estimator=XGBClassifier(n_estimators=2, base_score=0.3), loss="log-loss"
    ).fit(X, Y),
    "soft_threshold_ exists after training": lambda _: HypersimplexObjective().soft_threshold_,
    "raw scores of the HyperSimplex loss are not probabilities": lambda _: quick().fit(X, Y).predict_proba(X),
    "raw scores of groups (log-odds up to a constant of each) are not probabilities": lambda _: (
        quick(loss="budget-log-loss").fit(X, Y, groups=HALVES).predict_proba(X)
    ),
    "calibration_fraction=… leaves a class without rows": lambda _: quick(calibration="sigmoid").fit(
        X, (np.arange(120) == 0).astype(int)
    ),
    "threshold='holdout' needs the group of each evaluation row": lambda _: quick(k=0.2, threshold="holdout").fit(
        X, Y, groups=HALVES, eval_set=(X[:90], Y[:90])
    ),
    "threshold='holdout': the held-out rows lack a class": lambda _: quick(threshold="holdout").fit(
        X, Y, eval_set=(X[Y == 0], Y[Y == 0])
    ),
    "threshold='cross-fit' needs …": lambda _: quick(threshold="cross-fit").fit(
        X, Y, init_model=quick(k=0.2).fit(X, Y)
    ),
    "k has no budget for group …": lambda _: quick(k={0: 5}).fit(X, Y, groups=HALVES),
    "groups describes … rows, but the scores have …": lambda _: xgb.train(
        {}, xgb_data(X[:60], Y[:60]), 2, obj=HypersimplexObjective(groups=HALVES)
    ),
    "this model was trained with groups": lambda _: quick(k=5).fit(X, Y, groups=HALVES).predict_top_k(X),
    "scale_pos_weight=… belongs to the booster's own losses": lambda _: quick(
        estimator=LGBMClassifier(scale_pos_weight=3.0)
    ).fit(X, Y),
    "… is damaged: its checksum does not fit its content": damaged,
}


def listed() -> list[str]:
    table = GUIDE.read_text(encoding="utf-8").split("## Errors you may meet")[1]
    return [row.split("`")[1] for row in table.splitlines() if row.startswith("| `")]


@pytest.mark.parametrize("message", CALLS)
def test_the_message_is_the_one_in_the_guide(message: str, tmp_path: Path) -> None:
    assert message in listed()
    with pytest.raises((ValueError, AttributeError)) as caught:
        CALLS[message](tmp_path)
    # scikit-learn says of a method that is not there only that, and gives the reason as the cause.
    said = f"{caught.value} {caught.value.__cause__}"
    assert re.search(".*".join(map(re.escape, message.split("…"))), said, re.DOTALL), said
