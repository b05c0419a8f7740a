"""The rounds that a model predicts with, as a model: XGBoost's own slices forget the names of categories."""

from __future__ import annotations

import json
from typing import Any

from hsboost.estimators._boosters.kinds import kind, native


def first_rounds(booster: Any, rounds: int | None) -> dict[str, Any]:
    """The model of a native booster in terms of JSON, of its first ``rounds`` rounds (None: of all).

    Linear models have no rounds to cut off, and predict with all of them.
    """
    model: dict[str, Any] = json.loads(bytes(booster.save_raw("json")))
    found = model["learner"]["gradient_booster"]
    if rounds is None or found["name"] == "gblinear":
        return model
    inner = found.get("gbtree", found)["model"]
    inner["iteration_indptr"] = inner["iteration_indptr"][: rounds + 1]
    n_trees = inner["iteration_indptr"][-1]
    inner["trees"], inner["tree_info"] = inner["trees"][:n_trees], inner["tree_info"][:n_trees]
    inner["gbtree_model_param"]["num_trees"] = str(n_trees)
    for holder in (found, inner):  # DART's weights lie in either, by version
        if holder.get("weight_drop"):
            holder["weight_drop"] = holder["weight_drop"][:n_trees]
    for name in ("best_iteration", "best_score"):
        model["learner"].get("attributes", {}).pop(name, None)
    return model


def rounds(estimator: Any) -> int | None:
    """How many of its rounds an XGBoost estimator predicts with; None for all."""
    best = native(estimator).attr("best_iteration")
    return None if best is None else int(best) + 1


def start(estimator: Any) -> Any:
    """The native model to go on from, of the rounds that ``estimator`` predicts with; its own if these are all."""
    booster = native(estimator)
    if kind(estimator) != "xgboost" or rounds(estimator) is None:
        return booster
    import xgboost as xgb

    made = xgb.Booster()
    made.load_model(bytearray(json.dumps(first_rounds(booster, rounds(estimator))).encode()))
    return made
