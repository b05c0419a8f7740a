"""A model as ONNX: all trees in one operator, in float64, then the link and the labels in plain operators.

Converters assume a meaning for a booster with a custom objective; here every step is written explicitly. Outputs are
``label``, ``decision_function`` and, for ``output="probability"``, ``probabilities`` of all classes.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from hsboost._version import __version__
from hsboost.estimators._export import plan as plans
from hsboost.estimators._export.forest import Forest
from hsboost.estimators._export.plan import Plan

#: Modes of the operator's nodes.
_AT_MOST, _BELOW, _AMONG = 0, 1, 6
#: The first opset with TreeEnsemble, which has float64 and sets of categories.
_ML_OPSET, _OPSET, _IR_VERSION = 5, 18, 10


def to_bytes(model: Any, forest: Forest, plan: Plan, single: bool, categories: dict[Any, Any]) -> bytes:
    """The file; X is float32 if ``single``, as XGBoost reads it, else float64."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, value: Any) -> str:
        constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def then(operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    classes = model.classes_
    n_outputs, several = plan.shift.size, classes.size > 2
    read = then("Cast", ["X"], "x", to=TensorProto.DOUBLE) if single else "X"
    then("TreeEnsemble", [read], "trees", domain="ai.onnx.ml", **_ensemble(forest, n_outputs, numpy_helper.from_array))
    if forest.start.any():
        then("Add", ["trees", constant("start", forest.start)], "scores")
    else:
        then("Identity", ["trees"], "scores")

    def line(name: str, one: Plan) -> str:
        then("Mul", ["scores", constant(f"{name}_factor", one.factor)], f"{name}_scaled")
        return then("Add", [f"{name}_scaled", constant(f"{name}_shift", one.shift)], name)

    decision = line("decisions", plans.decisions(model))
    if several:
        then("Identity", [decision], "decision_function")
        then("ArgMax", [decision], "index", axis=1, keepdims=0)
    else:
        then("Squeeze", [decision, constant("column", np.array([1]))], "decision_function")
        then("Greater", ["decision_function", constant("zero", np.float64(0.0))], "positive")
        then("Cast", ["positive"], "index", to=TensorProto.INT64)
    labels = _labels(classes)
    then("Gather", [constant("classes", labels), "index"], "label")
    outputs = [
        helper.make_tensor_value_info("label", helper.np_dtype_to_tensor_dtype(labels.dtype), ["N"]),
        helper.make_tensor_value_info("decision_function", TensorProto.DOUBLE, ["N", n_outputs] if several else ["N"]),
    ]
    if plan.output == "probability":
        margin = line("margins", plan)
        if plan.link == "softmax":
            then("Softmax", [margin], "probabilities", axis=1)
        elif plan.link == "sigmoid":
            then("Sigmoid", [margin], "positives")
            then("Sub", [constant("one", np.float64(1.0)), "positives"], "negatives")
            then("Concat", ["negatives", "positives"], "probabilities", axis=1)
        else:
            then("Sigmoid", [margin], "each")
            then("ReduceSum", ["each", constant("columns", np.array([1]))], "total", keepdims=1)
            then("Div", ["each", "total"], "probabilities")
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.DOUBLE, ["N", classes.size]))
    kind = TensorProto.FLOAT if single else TensorProto.DOUBLE
    graph = helper.make_graph(
        nodes,
        "hsboost",
        [helper.make_tensor_value_info("X", kind, ["N", int(model.n_features_in_)])],
        outputs,
        constants,
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    made = helper.make_model(
        graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="hsboost", producer_version=__version__
    )
    names = getattr(model, "feature_names_in_", None)
    about = {
        "classes": classes.tolist(),
        "feature_names": None if names is None else names.tolist(),
        "categories": [[name, values] for name, values in categories.items()],
    }
    helper.set_model_props(made, {f"hsboost_{key}": json.dumps(value, default=str) for key, value in about.items()})
    return bytes(made.SerializeToString())


def _labels(classes: np.ndarray) -> np.ndarray:
    """Labels as ONNX holds them: whole numbers and texts as they are, others as 0 … C-1."""
    if classes.dtype.kind in "iu" and classes.max() < 2**63:
        return classes.astype(np.int64)
    if classes.dtype.kind in "UO" and all(isinstance(one, str) for one in classes.tolist()):
        return classes.astype(object)
    return np.arange(classes.size)


def _ensemble(forest: Forest, n_outputs: int, tensor: Any) -> dict[str, Any]:
    """The operator's attributes: nodes of all trees in one list, leaves of all in another."""
    feature: list[int] = []
    split: list[float] = []
    mode: list[int] = []
    members: list[float] = []
    yes: list[int] = []
    yes_leaf: list[int] = []
    no: list[int] = []
    no_leaf: list[int] = []
    missing: list[int] = []
    roots: list[int] = []
    target: list[int] = []
    weight: list[float] = []
    for tree in forest.trees:
        first_node, first_leaf = len(feature), len(weight)
        roots.append(first_node)
        target += [tree.output] * len(tree.leaves)
        weight += tree.leaves
        # The operator has no tree of a single leaf: a split with equal leaves takes its place.
        for node in range(max(len(tree.feature), 1)):
            alone = not tree.feature
            feature.append(0 if alone else tree.feature[node])
            split.append(0.0 if alone else tree.value[node])
            asked = None if alone else tree.members[node]
            mode.append((_AT_MOST if forest.or_equal else _BELOW) if asked is None else _AMONG)
            if asked is not None:
                members += [float(one) for one in asked] + [np.nan]
            missing.append(0 if alone else int(tree.missing_yes[node]))
            for child, place, is_leaf in (
                (~0 if alone else tree.yes[node], yes, yes_leaf),
                (~0 if alone else tree.no[node], no, no_leaf),
            ):
                place.append(first_leaf + ~child if child < 0 else first_node + child)
                is_leaf.append(int(child < 0))
    attributes = {
        "aggregate_function": 1,  # the sum
        "post_transform": 0,
        "n_targets": n_outputs,
        "tree_roots": roots,
        "nodes_featureids": feature,
        "nodes_modes": tensor(np.array(mode, dtype=np.uint8), "nodes_modes"),
        "nodes_splits": tensor(np.array(split, dtype=np.float64), "nodes_splits"),
        "nodes_truenodeids": yes,
        "nodes_trueleafs": yes_leaf,
        "nodes_falsenodeids": no,
        "nodes_falseleafs": no_leaf,
        "nodes_missing_value_tracks_true": missing,
        "leaf_targetids": target,
        "leaf_weights": tensor(np.array(weight, dtype=np.float64), "leaf_weights"),
    }
    if members:
        attributes["membership_values"] = tensor(np.array(members, dtype=np.float64), "membership_values")
    return attributes
