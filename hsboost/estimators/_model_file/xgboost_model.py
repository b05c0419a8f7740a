"""XGBoost's model as JSON: checked before XGBoost reads it, and written so that every supported version reads it.

XGBoost does not check the model that it reads: some damaged ones end the process, others give arbitrary numbers. So
everything that it uses as an index, a size or a value is checked here.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from hsboost.estimators._model_file import plain
from hsboost.estimators._model_file.splits import Splits, check_tree

#: What a deleted node has for its feature.
_DELETED = 2**31 - 1
_MOST_CATEGORIES = 2**24


def portable(model: dict[str, Any]) -> dict[str, Any]:
    """A model just saved by XGBoost in the form that all supported versions read; changed in place.

    From 3.1 on the base score is a list, which older versions read as none. From 3.3 on the weights of DART's trees lie
    elsewhere, where older versions do not look. Before 3.0 nodes that compare with nothing do so with NaN.
    """
    parameters = model["learner"]["learner_model_param"]
    scores = _base_scores(parameters["base_score"])
    if len(set(scores)) == 1:
        parameters["base_score"] = scores[0]
    booster = model["learner"]["gradient_booster"]
    if booster["name"] == "gbtree":
        weights = booster.pop("weight_drop", None) or booster["model"].pop("weight_drop", None)
        if weights:
            booster = {"name": "dart", "gbtree": booster, "weight_drop": weights}
            model["learner"]["gradient_booster"] = booster
    trees = booster.get("gbtree", booster)["model"].get("trees", [])
    for tree in trees:
        vector = tree["tree_param"]["size_leaf_vector"] not in ("0", "1")
        for node, (value, kind) in enumerate(zip(tree["split_conditions"], tree["split_type"], strict=True)):
            if math.isnan(value) and (kind == 1 or vector):
                tree["split_conditions"][node] = 0.0
    return model


def knows_categories(model: dict[str, Any]) -> bool:
    """Whether the model holds its categories' names, by which XGBoost from 3.1.1 on distinguishes them."""
    return any(one.get("values") for one in _trees(model).get("cats", {}).get("enc", []))


def vector_leaves_without_weights(model: dict[str, Any]) -> bool:
    """Whether trees with several values per leaf are laid out as before 3.2."""
    trees = _trees(model).get("trees", [])
    return any("leaf_weights" not in t and t["tree_param"]["size_leaf_vector"] not in ("0", "1") for t in trees)


def check(model: Any, n_features: int, n_classes: int, names: list[str] | None) -> Splits:
    """Find what the model looks at; ValueError for what XGBoost could not have written.

    ``names`` are the classifier's, in order: the booster's own, if it kept any of them.
    """
    plain.wholes(plain.part(model, "version", "the model"), "the model's version", 3, 0, 9999)
    learner = plain.part(model, "learner", "the model")
    parameters = plain.part(learner, "learner_model_param", "the model")
    splits = Splits(n_features, 1 if n_classes == 2 else n_classes)
    plain.whole(plain.part(parameters, "num_feature", "the model"), "num_feature", n_features, n_features)
    least = 0 if splits.n_outputs == 1 else n_classes
    n_class = plain.whole(plain.part(parameters, "num_class", "the model"), "num_class", least, splits.n_outputs)
    plain.whole(plain.part(parameters, "num_target", "the model"), "num_target", 1, 1)
    plain.whole(parameters.get("boost_from_average", 0), "boost_from_average", 0, 1)
    scores = _base_scores(plain.part(parameters, "base_score", "the model"))
    if len(scores) not in (1, splits.n_outputs):
        raise ValueError(f"base_score has {len(scores)} values")
    splits.scale = max(abs(float(score)) for score in scores)
    _check_objective(plain.part(learner, "objective", "the model"), scores, n_class)
    known = plain.texts(learner.get("feature_names", []), "feature_names", (0, n_features))
    if len(set(known)) < len(known):
        raise ValueError("feature_names holds a name twice")
    if names is not None and known != names and not set(known).isdisjoint(names):
        raise ValueError("the booster's feature_names are not those of the classifier")
    for kind in plain.texts(learner.get("feature_types", []), "feature_types", (0, n_features)):
        plain.entry(kind, ("float", "int", "i", "q", "c"), "a feature's type")
    _check_booster(plain.part(learner, "gradient_booster", "the model"), splits)
    attributes = learner.get("attributes", {})
    if not isinstance(attributes, dict) or not all(isinstance(one, str) for one in attributes.values()):
        raise ValueError("the model's attributes are no texts")
    if "best_iteration" in attributes:
        plain.whole(attributes["best_iteration"], "best_iteration", 0, splits.n_rounds - 1)
    if "best_score" in attributes and not _is_number(attributes["best_score"]):
        raise ValueError(f"best_score is {attributes['best_score']!r}")
    return splits


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _base_scores(value: Any) -> list[str]:
    """The texts of the numbers: of one, or of a list."""
    scores = value.removeprefix("[").removesuffix("]").split(",") if isinstance(value, str) else [""]
    if not all(_is_number(s) and abs(float(s)) <= plain.FLOAT32 for s in scores):
        raise ValueError(f"base_score is {value!r}")
    return scores


def _check_objective(objective: Any, scores: list[str], n_class: int) -> None:
    name = plain.part(objective, "name", "the objective")
    plain.entry(name, ("multi:softprob", "multi:softmax") if n_class > 1 else ("binary:logistic",), "the objective")
    for parameter, values in objective.items():
        if parameter == "name":
            continue
        if not isinstance(values, dict) or not all(type(v) is str and _is_number(v) for v in values.values()):
            raise ValueError(f"the objective's {parameter} holds something that is no number")
    if n_class > 1:
        given = plain.part(plain.part(objective, "softmax_multiclass_param", name), "num_class", name)
        plain.whole(given, "the objective's num_class", n_class, n_class)
    elif not all(0.0 < float(score) < 1.0 for score in scores):
        raise ValueError(f"base_score must lie between 0 and 1, is {scores}")


def _trees(model: dict[str, Any]) -> dict[str, Any]:
    booster = model["learner"]["gradient_booster"]
    found: dict[str, Any] = booster.get("gbtree", booster)["model"]
    return found


def _check_booster(booster: Any, splits: Splits) -> None:
    name = plain.entry(plain.part(booster, "name", "the booster"), ("gbtree", "dart", "gblinear"), "the booster")
    if name == "gblinear":
        model = plain.part(booster, "model", "the booster")
        splits.n_rounds = plain.whole(plain.part(model, "boosted_rounds", "gblinear"), "boosted_rounds", 0, 2**31 - 1)
        size = (splits.n_features + 1) * splits.n_outputs
        weights = plain.reals(plain.part(model, "weights", "gblinear"), "weights", size)
        splits.scale += float(np.abs(weights).sum())
        used = np.abs(weights).reshape(splits.n_features + 1, -1)[:-1].any(axis=1)
        splits.linear = set(np.flatnonzero(used).tolist())
        return
    drop = None
    if name == "dart":
        drop = plain.part(booster, "weight_drop", "DART")
        booster = plain.part(booster, "gbtree", "DART")
        plain.entry(plain.part(booster, "name", "DART's booster"), ("gbtree",), "DART's booster")
    model = plain.part(booster, "model", "the booster")
    trees = plain.part(model, "trees", "the booster")
    if not isinstance(trees, list):
        raise ValueError("the booster's trees are no list")
    parameters = plain.part(model, "gbtree_model_param", "the booster")
    plain.whole(plain.part(parameters, "num_trees", "the booster"), "num_trees", len(trees), len(trees))
    plain.whole(plain.part(parameters, "num_parallel_tree", "the booster"), "num_parallel_tree", 1, 2**20)
    ends = plain.wholes(plain.part(model, "iteration_indptr", "the booster"), "iteration_indptr", None, 0, len(trees))
    if ends.size == 0 or ends[0] != 0 or ends[-1] != len(trees) or (np.diff(ends) < 0).any():
        raise ValueError("iteration_indptr does not cut the trees into rounds")
    splits.n_rounds = ends.size - 1
    weights = np.ones(len(trees)) if drop is None else np.abs(plain.reals(drop, "weight_drop", len(trees)))
    where = "tree_info"
    plain.wholes(plain.part(model, where, "the booster"), where, len(trees), 0, splits.n_outputs - 1)
    sizes = set()
    for index, tree in enumerate(trees):
        sizes.add(_check_tree(tree, index, splits, float(weights[index])))
    if len(sizes) > 1:
        raise ValueError("some trees have several values per leaf, others have one")
    _check_categories(model.get("cats", {}), splits.n_features)


def _check_tree(tree: Any, index: int, splits: Splits, weight: float) -> int:
    """Check one tree, add its splits and return the number of values of a leaf."""
    where = f"tree {index}"
    plain.whole(plain.part(tree, "id", where), f"{where}: id", index, index)
    parameters = plain.part(tree, "tree_param", where)
    size = plain.whole(plain.part(parameters, "num_nodes", where), f"{where}: num_nodes", 1, 2**31 - 2)
    n_features = splits.n_features
    plain.whole(plain.part(parameters, "num_feature", where), f"{where}: num_feature", n_features, n_features)
    per_leaf = plain.whole(plain.part(parameters, "size_leaf_vector", where), f"{where}: size_leaf_vector", 0, 2**20)
    if per_leaf not in (0, 1, splits.n_outputs):
        raise ValueError(f"{where} has {per_leaf} values per leaf for {splits.n_outputs} scores")
    vector = per_leaf > 1

    def wholes(name: str, least: int, most: int) -> np.ndarray:
        return plain.wholes(plain.part(tree, name, where), f"{where}: {name}", size, least, most)

    def reals(name: str, length: int) -> np.ndarray:
        return plain.reals(plain.part(tree, name, where), f"{where}: {name}", length)

    left, right = wholes("left_children", -1, size - 1), wholes("right_children", -1, size - 1)
    parents, feature = wholes("parents", -1, 2**31 - 1), wholes("split_indices", 0, 2**31 - 1)
    kind, default = wholes("split_type", 0, 1), wholes("default_left", 0, 1)
    condition = reals("split_conditions", size)
    weights = reals("base_weights", size * max(per_leaf, 1))
    for name in ("loss_changes", "sum_hessian"):
        if not vector or name in tree:
            reals(name, size)

    deleted = (feature == _DELETED) & (default == 1)
    n_deleted = int(deleted.sum())
    plain.whole(plain.part(parameters, "num_deleted", where), f"{where}: num_deleted", n_deleted, n_deleted)
    if deleted[0] or (left[deleted] != -1).any():
        raise ValueError(f"{where} goes on from a deleted node")
    inner = left >= 0
    if (right[inner] < 0).any():
        raise ValueError(f"{where} has a node with one child")
    _check_right_of_leaves(tree, where, right[~inner], vector)
    number = np.cumsum(~deleted) - 1  # deleted nodes are left out of the tree
    children = np.column_stack([left, right])
    children[~inner] = -1
    if deleted[children[inner]].any():
        raise ValueError(f"{where} has a deleted node for a child")
    alive = children[~deleted]
    check_tree(np.where(alive >= 0, number[alive], -1), size - n_deleted, where)
    if parents[0] not in (-1, 2**31 - 1):
        raise ValueError(f"{where} has a root with a parent")
    if (parents[left[inner]] != np.flatnonzero(inner)).any() or (parents[right[inner]] != np.flatnonzero(inner)).any():
        raise ValueError(f"{where} has a node whose parent is another's")
    if (feature[inner] >= n_features).any():
        raise ValueError(f"{where} splits on a feature that the model does not have")
    codes = _check_categorical(tree, where, kind)
    for node in np.flatnonzero(inner & (kind == 1)).tolist():
        splits.categorical.setdefault(int(feature[node]), []).append(codes[node])
    numeric = inner & (kind == 0)
    splits.add(feature[numeric], condition[numeric])

    leaves = ~inner & ~deleted
    if not vector:
        values = condition[leaves]
    elif "leaf_weights" in tree:
        values = reals("leaf_weights", int(leaves.sum()) * per_leaf)
    else:
        values = weights.reshape(size, per_leaf)[leaves]
    splits.scale += weight * float(np.abs(values).max())
    return max(per_leaf, 1)


def _check_right_of_leaves(tree: dict[str, Any], where: str, right: np.ndarray, vector: bool) -> None:
    """A leaf has no right child; with several values per leaf, XGBoost from 3.2 on keeps their place there."""
    expected = np.arange(right.size) if vector and "leaf_weights" in tree else np.full(right.size, -1)
    if not np.array_equal(np.sort(right), expected):
        raise ValueError(f"{where} has a leaf with a right child")


def _check_categorical(tree: dict[str, Any], where: str, kind: np.ndarray) -> dict[int, np.ndarray]:
    """Codes of the categories that go right, of each node that asks for categories."""
    names = ("categories_nodes", "categories_segments", "categories_sizes", "categories")
    nodes, starts, sizes, categories = (
        plain.wholes(plain.part(tree, name, where), f"{where}: {name}", None, 0, _MOST_CATEGORIES - 1) for name in names
    )
    if not np.array_equal(nodes, np.flatnonzero(kind == 1)):
        raise ValueError(f"{where}: categories_nodes are not the nodes that split by categories")
    ends = np.cumsum(sizes)
    if not (
        starts.size == sizes.size == nodes.size
        and (sizes > 0).all()
        and np.array_equal(starts, ends - sizes)
        and (ends[-1] if ends.size else 0) == categories.size
    ):
        raise ValueError(f"{where}: categories do not fit their nodes")
    return {node: categories[a:b] for node, a, b in zip(nodes.tolist(), starts, ends, strict=True)}


def _check_categories(cats: Any, n_features: int) -> None:
    """Names of the categories, feature by feature: as the bytes of texts, or as whole numbers."""
    if not cats:
        return
    enc = plain.part(cats, "enc", "cats")
    if not isinstance(enc, list) or len(enc) not in (0, n_features):
        raise ValueError("cats: enc does not describe each feature")
    counts, keys = [], []
    for one in enc:
        values = plain.part(one, "values", "cats: enc")
        if "offsets" in one:
            ends = plain.wholes(one["offsets"], "cats: offsets", None, 0, len(values))
            plain.wholes(values, "cats: values", None, -128, 127)
            if (np.diff(ends) < 0).any() or (ends.size > 0 and (ends[0] != 0 or ends[-1] != len(values))):
                raise ValueError("cats: offsets do not cut the names")
            if ends.size == 0 and values:
                raise ValueError("cats: offsets do not cut the names")
            counts.append(max(ends.size - 1, 0))
            keys += [tuple(values[a:b]) for a, b in pairwise(ends.tolist())]
        else:
            plain.whole(plain.part(one, "type", "cats: enc"), "cats: type", 0, 31)
            plain.wholes(values, "cats: values", None, -(2**63), 2**63 - 1)
            counts.append(len(values))
            keys += values
    size = len(enc) + 1 if enc else 0
    segments = plain.wholes(plain.part(cats, "feature_segments", "cats"), "cats: feature_segments", size)
    if enc and not np.array_equal(segments, np.cumsum([0, *counts])):
        raise ValueError("cats: feature_segments do not fit the names")
    total = sum(counts)
    order = plain.wholes(plain.part(cats, "sorted_idx", "cats"), "cats: sorted_idx", total, 0, max(total - 1, 0))
    for begin, count in zip(segments[:-1].tolist(), counts, strict=True):
        places = order[begin : begin + count].tolist()
        if sorted(places) != list(range(count)):
            raise ValueError("cats: sorted_idx is no order of the names")
        names = [keys[begin + place] for place in places]
        unsigned = [tuple(byte % 256 for byte in name) if isinstance(name, tuple) else name for name in names]
        if sorted(names) != names and sorted(unsigned) != unsigned:  # bytes have a sign in some versions
            raise ValueError("cats: sorted_idx does not sort the names")
