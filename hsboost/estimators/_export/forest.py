"""Trees of both boosters in one form: nodes that compare with a value or with categories, leaves with one number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hsboost.estimators._export import lightgbm_file, xgboost_file

#: Bits of LightGBM's decision_type.
_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12
_ZERO_IS_MISSING, _NAN_IS_MISSING = 4, 8


@dataclass
class Tree:
    """One tree of one output, its root at node 0; without nodes it is its only leaf.

    A row goes to ``yes`` of a node where its value is below ``value`` (at most, with ``or_equal``) or, where
    ``members`` is not None, among these codes, and where it is missing and ``missing_yes``. ``yes`` and ``no`` are
    numbers of nodes, or ``~leaf``.
    """

    output: int
    feature: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    members: list[list[int] | None] = field(default_factory=list)
    yes: list[int] = field(default_factory=list)
    no: list[int] = field(default_factory=list)
    missing_yes: list[bool] = field(default_factory=list)
    leaves: list[float] = field(default_factory=list)


@dataclass
class Forest:
    """All trees, whether their splits are "at most", and the margins to start from."""

    trees: list[Tree]
    or_equal: bool
    start: np.ndarray


def of_xgboost(model: dict[str, Any], n_outputs: int) -> Forest:
    """The trees of XGBoost's model (see :func:`xgboost_file.parsed`), with DART's weights in their leaves."""
    booster = model["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        raise ValueError("booster='gblinear' has no trees, and this format holds trees; export to format='xgboost'")
    weights = booster.get("weight_drop")
    inner = booster.get("gbtree", booster)["model"]
    trees: list[Tree] = []
    for index, (tree, output) in enumerate(zip(inner["trees"], inner["tree_info"], strict=True)):
        weight = 1.0 if weights is None else weights[index]
        if tree["tree_param"]["size_leaf_vector"] not in ("0", "1"):
            values = _vector_leaves(tree, n_outputs) * weight
            trees += [_of_xgboost(tree, one, values[:, one]) for one in range(n_outputs)]
        else:
            trees.append(_of_xgboost(tree, output, _floats(tree["split_conditions"]) * weight))
    return Forest(trees, False, np.array(xgboost_file.base_margins(model, n_outputs)))


def _vector_leaves(tree: dict[str, Any], n_outputs: int) -> np.ndarray:
    """Values of the leaves (nodes, outputs) of a tree with several per leaf."""
    if "leaf_weights" not in tree:
        return _floats(tree["base_weights"]).reshape(-1, n_outputs)
    # A leaf's place among the weights is where others keep their right child.
    place = np.array(tree["right_children"])
    place[np.array(tree["left_children"]) >= 0] = 0
    found: np.ndarray = _floats(tree["leaf_weights"]).reshape(-1, n_outputs)[place]
    return found


def _floats(texts: list[float]) -> np.ndarray:
    """Numbers of XGBoost's JSON: the text is the shortest that reads back as the float32, and as float64 is another."""
    return np.array(texts, dtype=np.float32).astype(np.float64)


def _of_xgboost(tree: dict[str, Any], output: int, values: np.ndarray) -> Tree:
    left, right = tree["left_children"], tree["right_children"]
    # No path leads to deleted nodes: only nodes below the root count.
    found, node_of, order = Tree(output), {0: 0}, [0]
    asked = dict(zip(tree["categories_nodes"], range(len(tree["categories_nodes"])), strict=True))
    if left[0] < 0:
        found.leaves.append(float(values[0]))
        return found
    for node in order:
        children = []
        for child in (left[node], right[node]):
            if left[child] < 0:
                children.append(~len(found.leaves))
                found.leaves.append(float(values[child]))
            else:
                node_of[child] = len(order)
                children.append(node_of[child])
                order.append(child)
        found.feature.append(tree["split_indices"][node])
        default_left = bool(tree["default_left"][node])
        if node in asked:  # codes that go right
            begin = tree["categories_segments"][asked[node]]
            found.members.append(tree["categories"][begin : begin + tree["categories_sizes"][asked[node]]])
            found.value.append(0.0)
            children.reverse()
            found.missing_yes.append(not default_left)
        else:
            found.members.append(None)
            found.value.append(float(np.float32(tree["split_conditions"][node])))
            found.missing_yes.append(default_left)
        found.yes.append(children[0])
        found.no.append(children[1])
    return found


def of_lightgbm(text: str, n_outputs: int) -> Forest:
    """The trees of LightGBM's text (see :func:`lightgbm_file.text_of`)."""
    trees = [_of_lightgbm(tree, i % n_outputs) for i, tree in enumerate(lightgbm_file.trees(text))]
    return Forest(trees, True, np.zeros(n_outputs))


def _of_lightgbm(tree: dict[str, str], output: int) -> Tree:
    found = Tree(output, leaves=[float(one) for one in tree["leaf_value"].split()])
    if len(found.leaves) == 1:
        return found
    values = [float(one) for one in tree["threshold"].split()]
    kinds = [int(one) for one in tree["decision_type"].split()]
    found.feature = [int(one) for one in tree["split_feature"].split()]
    found.yes = [int(one) for one in tree["left_child"].split()]  # leaves are ~leaf here, too
    found.no = [int(one) for one in tree["right_child"].split()]
    ends = [int(one) for one in tree.get("cat_boundaries", "0").split()]
    words = np.array([int(one) for one in tree.get("cat_threshold", "").split()], dtype="<u4")
    for value, kind in zip(values, kinds, strict=True):
        if kind & _CATEGORICAL:  # codes that go left; what is missing goes right
            part = words[ends[int(value)] : ends[int(value) + 1]]
            found.members.append(np.flatnonzero(np.unpackbits(part.view(np.uint8), bitorder="little")).tolist())
            found.value.append(0.0)
            found.missing_yes.append(False)
        else:
            found.members.append(None)
            found.value.append(value)
            # Where training saw nothing missing, NaN is read as 0.
            known = (kind & _MISSING) == _NAN_IS_MISSING
            found.missing_yes.append(bool(kind & _DEFAULT_LEFT) if known else value >= 0.0)
    return found


def refuse_lightgbm(text: str, format: str) -> None:
    """ValueError for what only LightGBM's own runtime supports."""
    for tree in lightgbm_file.trees(text):
        if int(tree.get("is_linear", "0")):
            raise ValueError(
                f"linear_tree=True: format={format!r} would lose the linear terms of the leaves; export to "
                "format='lightgbm', or train with linear_tree=False"
            )
        kinds = [int(one) for one in tree.get("decision_type", "").split()]
        if any((kind & _MISSING) == _ZERO_IS_MISSING for kind in kinds):
            raise ValueError(
                f"zero_as_missing=True: format={format!r} would read zeros as zeros; export to format='lightgbm', or "
                "train with zero_as_missing=False"
            )
