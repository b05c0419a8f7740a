"""LightGBM's model as text: checked before LightGBM reads it, which does not check most of it.

A head of ``name=value`` lines, a block of such lines per tree, then importances, parameters and the names of pandas'
categories. See the docstring of :mod:`hsboost.estimators._model_file.splits` for what is taken from it.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import numpy as np

from hsboost.estimators._model_file import plain
from hsboost.estimators._model_file.splits import Splits, check_tree

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_THRESHOLD = re.compile(rf"{_NUMBER.pattern}|[+-]?inf", re.ASCII)
_STATISTIC = re.compile(rf"{_NUMBER.pattern}|[+-]?(nan|inf)", re.ASCII)
_WHOLE = re.compile(r"-?\d{1,10}", re.ASCII)
_RANGE = re.compile(rf"none|\[({_STATISTIC.pattern}):({_STATISTIC.pattern})\]|-?\d+(:-?\d+)*", re.ASCII)
_INT32 = 2**31 - 1


def check(text: Any, n_features: int, n_classes: int) -> Splits:
    """Find what the model looks at; ValueError for what LightGBM could not have written."""
    if not isinstance(text, str):
        raise ValueError("LightGBM's model is no text")
    if any(c < " " and c != "\n" for c in text):
        raise ValueError("LightGBM's model holds control characters")
    head, cut, rest = text.partition("\n\n")
    blocks, end, tail = rest.partition("end of trees\n")
    if not cut or not end or not head.startswith("tree\n"):
        raise ValueError("LightGBM's model does not begin with 'tree', or has no 'end of trees'")
    splits = Splits(n_features, 1 if n_classes == 2 else n_classes)
    found = _lines(head.splitlines()[1:], "the head")
    sizes = _check_head(found, splits)
    _check_trees(blocks.encode(), sizes, splits)
    _check_tail(tail)
    return splits


def _lines(lines: list[str], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if name in found or not name or (not equals and name != "average_output"):
            raise ValueError(f"{where} has the line {line[:40]!r}")
        found[name] = value
    return found


def _check_head(head: dict[str, str], splits: Splits) -> list[int]:
    """Check the head and return the sizes of the trees' texts."""
    outputs, where = splits.n_outputs, "the head"
    plain.entry(plain.part(head, "version", where), ("v4",), "the layout's version")
    for name in ("num_class", "num_tree_per_iteration"):
        plain.whole(plain.part(head, name, where), name, outputs, outputs)
    plain.whole(plain.part(head, "label_index", where), "label_index", 0, _INT32)
    last = splits.n_features - 1
    plain.whole(plain.part(head, "max_feature_idx", where), "max_feature_idx", last, last)
    plain.entry(head.get("objective", "custom"), ("custom",), "the objective")
    names = plain.part(head, "feature_names", where).split(" ")
    if len(names) != splits.n_features or not all(names) or len(set(names)) < len(names):
        raise ValueError("feature_names does not name each feature once")
    ranges = plain.part(head, "feature_infos", where).split(" ")
    if len(ranges) != splits.n_features or not all(map(_RANGE.fullmatch, ranges)):
        raise ValueError("feature_infos does not describe each feature")
    if "monotone_constraints" in head:
        _wholes(head, "monotone_constraints", splits.n_features, -1, 1, where)
    sizes = _wholes(head, "tree_sizes", None, 1, _INT32, where)
    if sizes.size % outputs:
        raise ValueError(f"{sizes.size} trees are no whole number of rounds of {outputs}")
    splits.n_rounds = sizes.size // outputs
    return sizes.tolist()


def _check_trees(blocks: bytes, sizes: list[int], splits: Splits) -> None:
    if sum(sizes) + blocks.startswith(b"\n") != len(blocks):
        raise ValueError("tree_sizes are not the sizes of the trees")
    begin = int(blocks.startswith(b"\n"))
    for index, size in enumerate(sizes):
        block = blocks[begin : begin + size]
        begin += size
        opening = f"Tree={index}\n".encode()
        if not block.startswith(opening) or not block.endswith(b"\n\n\n") or b"\n\n" in block[:-3]:
            raise ValueError(f"tree {index} does not lie where tree_sizes say")
        lines = block[len(opening) : -3].decode("utf-8", "replace").split("\n")
        _check_tree(_lines(lines, f"tree {index}"), f"tree {index}", splits)


def _check_tree(tree: dict[str, str], where: str, splits: Splits) -> None:
    leaves = plain.whole(plain.part(tree, "num_leaves", where), f"{where}: num_leaves", 1, 2**17)
    nodes, last = leaves - 1, splits.n_features - 1
    n_categorical = plain.whole(plain.part(tree, "num_cat", where), f"{where}: num_cat", 0, nodes)
    value = _reals(tree, "leaf_value", leaves, where)
    _reals(tree, "shrinkage", 1, where)
    feature = _wholes(tree, "split_feature", nodes, 0, last, where)
    threshold = _thresholds(tree, nodes, where)
    decision = _wholes(tree, "decision_type", nodes, 0, 11, where)
    left = _wholes(tree, "left_child", nodes, -leaves, nodes - 1, where)
    right = _wholes(tree, "right_child", nodes, -leaves, nodes - 1, where)
    for name in ("split_gain", "internal_value", "internal_weight"):
        _reals(tree, name, nodes, where, _STATISTIC)
    _wholes(tree, "internal_count", nodes, 0, _INT32, where)
    few = leaves if leaves > 1 or tree.get("leaf_weight") else 0  # a tree of one leaf may leave it out
    _reals(tree, "leaf_weight", few, where, _STATISTIC)
    _wholes(tree, "leaf_count", leaves if leaves > 1 or tree.get("leaf_count") else 0, 0, _INT32, where)

    # Inner nodes first, then leaves: one tree of both.
    children = np.full((nodes + leaves, 2), -1)
    children[:nodes, 0] = np.where(left < 0, nodes + ~left, left)
    children[:nodes, 1] = np.where(right < 0, nodes + ~right, right)
    check_tree(children, nodes + leaves, where)

    categorical = (decision & 1) == 1
    codes = _check_categories(tree, n_categorical, where)
    if n_categorical != categorical.sum() or not np.array_equal(np.sort(threshold[categorical]), range(n_categorical)):
        raise ValueError(f"{where}: num_cat is not the number of splits by categories")
    for node in np.flatnonzero(categorical).tolist():
        splits.categorical.setdefault(int(feature[node]), []).append(codes[int(threshold[node])])
    splits.add(feature[~categorical], threshold[~categorical])
    greatest = float(np.abs(value).max())
    if plain.whole(tree.get("is_linear", 0), f"{where}: is_linear", 0, 1):
        constant = _reals(tree, "leaf_const", leaves, where)
        counts = _wholes(tree, "num_features", leaves, 0, splits.n_features, where)
        size = int(counts.sum())
        splits.linear |= set(_wholes(tree, "leaf_features", size, 0, last, where).tolist())
        coefficients = _reals(tree, "leaf_coeff", size, where)
        greatest = max(greatest, float(np.abs(constant).max() + np.abs(coefficients).sum()))
    splits.scale += greatest


def _thresholds(tree: dict[str, str], nodes: int, where: str) -> np.ndarray:
    """Of a split between what is missing and all numbers a threshold is infinite."""
    tokens, _ = _tokens(tree, "threshold", nodes, where, _THRESHOLD)
    return np.array([float(one) for one in tokens])


def _check_categories(tree: dict[str, str], count: int, where: str) -> list[np.ndarray]:
    """Codes that go left, of each split by categories: bits of words of 32."""
    if not count:
        return []
    ends = _wholes(tree, "cat_boundaries", count + 1, 0, 2**20, where)
    if ends[0] != 0 or (np.diff(ends) < 1).any():
        raise ValueError(f"{where}: cat_boundaries do not cut cat_threshold")
    words = _wholes(tree, "cat_threshold", int(ends[-1]), 0, 2**32 - 1, where)
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")
    return [np.flatnonzero(bits[32 * a : 32 * b]) for a, b in pairwise(ends.tolist())]


def _check_tail(tail: str) -> None:
    """Importances, parameters, names of pandas' categories."""
    importances, cut, rest = tail.partition("\nparameters:\n")
    parameters, end, names = rest.partition("\nend of parameters\n")
    if not cut or not end:
        raise ValueError("LightGBM's model has no parameters")
    lines = importances.split("\n")
    if lines[:2] != ["", "feature_importances:"] or not all(re.fullmatch(r".*=\d+", line) for line in lines[2:-1]):
        raise ValueError("feature_importances has a line that is none")
    found = [re.fullmatch(r"\[(\w+): (.*)\]", line, re.ASCII) for line in parameters.split("\n") if line]
    if not all(found) or len({match[1] for match in found if match}) < len(found):
        raise ValueError("the parameters have a line that is none, or one twice")
    _, cut, text = names.partition("pandas_categorical:")
    if names.strip("\n") != cut + text.strip("\n"):
        raise ValueError("the model ends with something else than pandas_categorical")
    categories = json.loads(text) if cut else None
    if categories is not None and not (
        isinstance(categories, list)
        and all(isinstance(one, list) and all(type(c) in (str, int, float, bool) for c in one) for one in categories)
    ):
        raise ValueError("pandas_categorical holds no lists of categories")


def _tokens(
    block: dict[str, str], name: str, size: int | None, where: str, pattern: re.Pattern[str]
) -> tuple[list[str], str]:
    place = f"{where}: {name}"
    tokens = plain.part(block, name, where).split()
    if size is not None and len(tokens) != size:
        raise ValueError(f"{place} has {len(tokens)} entries, not {size}")
    if not all(map(pattern.fullmatch, tokens)):
        raise ValueError(f"{place} holds something that is no number")
    return tokens, place


def _wholes(block: dict[str, str], name: str, size: int | None, least: int, most: int, where: str) -> np.ndarray:
    tokens, place = _tokens(block, name, size, where, _WHOLE)
    return plain.wholes([int(one) for one in tokens], place, size, least, most)


def _reals(block: dict[str, str], name: str, size: int, where: str, pattern: re.Pattern[str] = _NUMBER) -> np.ndarray:
    tokens, place = _tokens(block, name, size, where, pattern)
    numbers = [float(one) for one in tokens]
    return np.array(numbers) if pattern is _STATISTIC else plain.reals(numbers, place, size, 1e300)
