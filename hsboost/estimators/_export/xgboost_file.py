"""XGBoost's model with a factor, a shift and another nominal objective written into it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from hsboost.estimators._boosters import first_rounds
from hsboost.estimators._export.plan import Plan
from hsboost.estimators._model_file import native
from hsboost.estimators._model_file.plain import FLOAT32
from hsboost.estimators._model_file.xgboost_model import portable

#: Rounding of a base score that goes through the logistic link and back, in units of the margin.
_BASE_ROUNDING = 2.0**-22
#: XGBoost keeps the base score of a logistic objective this far from 0 and 1.
_LEAST_BASE = 1e-6


def parsed(booster: Any, rounds: int | None) -> dict[str, Any]:
    """The model of a native booster, of its first ``rounds`` rounds (None: of all)."""
    return portable(first_rounds(booster, rounds))


def drop_names_of_categories(model: dict[str, Any]) -> None:
    """Leave categories as codes, for readers without names."""
    booster = model["learner"]["gradient_booster"]
    inner = booster.get("gbtree", booster)["model"]
    if inner.get("cats"):
        inner["cats"] = {"enc": [], "feature_segments": [], "sorted_idx": []}


def base_margins(model: dict[str, Any], n_outputs: int) -> np.ndarray:
    """The margins that a trained model starts from."""
    learner = model["learner"]
    text = learner["learner_model_param"]["base_score"].removeprefix("[").removesuffix("]")
    base = np.array([np.float32(one) for one in text.split(",")], dtype=np.float64)
    if learner["objective"]["name"] == "binary:logistic":
        base = np.log(base / (1.0 - base))
    return np.broadcast_to(base, (n_outputs,))


def rewritten(model: dict[str, Any], plan: Plan) -> dict[str, Any]:
    """``model``, changed in place, so that its margins are the plan's and its nominal objective has the plan's link."""
    n_outputs = plan.shift.size
    start = plan.factor * base_margins(model, n_outputs) + plan.shift
    _scale(model, plan.factor)
    learner = model["learner"]
    parameters = learner["learner_model_param"]
    attributes = {}
    if plan.link == "softmax":
        name = "multi:softprob"
        learner["objective"] = {"name": name, "softmax_multiclass_param": {"num_class": str(n_outputs)}}
    else:
        name = "binary:logistic" if plan.link == "sigmoid" else "reg:squarederror"
        learner["objective"] = {"name": name, "reg_loss_param": {"scale_pos_weight": "1"}}
        if n_outputs > 1:
            parameters["num_class"], parameters["num_target"] = "0", str(n_outputs)
    # XGBClassifier would cut decisions at one half: it refuses a file with this objective.
    kind = "regressor" if plan.link == "identity" else "classifier"
    attributes["scikit_learn"] = json.dumps({"_estimator_type": kind})
    attributes["hsboost_output"] = plan.output
    if plan.cut is not None:
        attributes["hsboost_cut"] = repr(plan.output_cut())
    learner["attributes"] = attributes
    _start_from(model, start, plan.link)
    return model


def _scale(model: dict[str, Any], factor: np.ndarray) -> None:
    """Multiply every leaf (or linear weight) with its output's factor, in float32."""
    if (factor == 1.0).all():
        return
    booster = model["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        weights = np.array(booster["model"]["weights"], dtype=np.float64).reshape(-1, factor.size) * factor
        booster["model"]["weights"] = _numbers(weights.ravel())
        return
    for tree, output in _trees(model):
        for name in ("base_weights", "leaf_weights"):
            if name in tree:
                values = np.array(tree[name], dtype=np.float64)
                width = factor if _is_vector(tree) else factor[output]
                tree[name] = _numbers((values.reshape(-1, np.size(width)) * width).ravel())
        if not _is_vector(tree):
            values = np.array(tree["split_conditions"], dtype=np.float64)
            leaves = np.array(tree["left_children"]) < 0
            tree["split_conditions"] = _numbers(np.where(leaves, values * factor[output], values))


def _start_from(model: dict[str, Any], start: np.ndarray, link: str) -> None:
    """Write the margins to start from: into base_score, or into leaves where base_score cannot hold them."""
    parameters = model["learner"]["learner_model_param"]
    base: np.ndarray = start.astype(np.float32).astype(np.float64)
    if model["learner"]["gradient_booster"]["name"] == "gblinear":  # which has a bias per output, and one base score
        _add_to_leaves(model, start)
        base = np.full(1, 0.5 if link == "sigmoid" else 0.0)
    elif link == "sigmoid":
        base = np.exp(-np.logaddexp(0.0, -start)).astype(np.float32).astype(np.float64)
        inside = np.clip(base, _LEAST_BASE, 1.0 - _LEAST_BASE)
        lost = np.abs(np.log(inside) - np.log1p(-inside) - start)
        if not (lost <= _BASE_ROUNDING * np.maximum(1.0, np.abs(start))).all():
            _add_to_leaves(model, start)
            base = np.array([0.5])
    elif start.size > 1 and native.numbers(native.version("xgboost")) < [3, 1]:  # which has one base score only
        _add_to_leaves(model, start)
        base = np.zeros(1)
    numbers = [f"{one:.9g}" for one in base.tolist()]
    # Readers older than XGBoost 3.1 read no list.
    parameters["base_score"] = numbers[0] if len(set(numbers)) == 1 else f"[{','.join(numbers)}]"


def _add_to_leaves(model: dict[str, Any], shift: np.ndarray) -> None:
    """Add a constant to every leaf of one tree of each output."""
    booster = model["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        weights = np.array(booster["model"]["weights"], dtype=np.float64).reshape(-1, shift.size)
        weights[-1] += shift  # the last row is the bias
        booster["model"]["weights"] = _numbers(weights.ravel())
        return
    weight = np.array(booster.get("weight_drop") or np.ones(len(_trees(model))))
    left = set(range(shift.size))
    for index, (tree, output) in enumerate(_trees(model)):
        if _is_vector(tree) and left and weight[index] > 0.0:
            name = "leaf_weights" if "leaf_weights" in tree else "base_weights"
            values = np.array(tree[name], dtype=np.float64).reshape(-1, shift.size) + shift / weight[index]
            tree[name], left = _numbers(values.ravel()), set()
        elif output in left and weight[index] > 0.0:
            values = np.array(tree["split_conditions"], dtype=np.float64)
            leaves = np.array(tree["left_children"]) < 0
            tree["split_conditions"] = _numbers(np.where(leaves, values + shift[output] / weight[index], values))
            left.remove(output)


def _trees(model: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """Each tree and its output."""
    booster = model["learner"]["gradient_booster"]
    inner = booster.get("gbtree", booster)["model"]
    return list(zip(inner["trees"], inner["tree_info"], strict=True))


def _is_vector(tree: dict[str, Any]) -> bool:
    return tree["tree_param"]["size_leaf_vector"] not in ("0", "1")


def _numbers(values: np.ndarray) -> list[float]:
    if not (np.abs(values) <= FLOAT32).all():
        raise ValueError(
            "the scores are beyond float32, which XGBoost's files hold; train with temperature=1 (sigma=1), which "
            "grows the same trees"
        )
    found: list[float] = values.astype(np.float32).astype(np.float64).tolist()
    return found


def to_bytes(model: dict[str, Any], kind: str) -> bytes:
    """The file: ``kind`` is "json" or "ubj"."""
    text = json.dumps(model).encode()
    if kind == "json":
        return text
    import xgboost as xgb

    booster = xgb.Booster()
    booster.load_model(bytearray(text))
    return bytes(booster.save_raw("ubj"))
