"""Nodes that are one tree, against a slow walk; numbers in range: the checks of model files on plain arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsboost.estimators._model_file import plain
from hsboost.estimators._model_file.splits import check_tree

pytestmark = pytest.mark.truth


def is_tree(children: list[list[int]]) -> bool:
    """Walk from the root: every node is met, and none is met twice."""
    seen: set[int] = set()
    waiting = [0]
    while waiting:
        node = waiting.pop()
        if node in seen or not 0 <= node < len(children):
            return False
        seen.add(node)
        waiting += [child for child in children[node] if child >= 0]
    return len(seen) == len(children)


@st.composite
def trees(draw: st.DrawFn) -> list[list[int]]:
    """A binary tree, its nodes in any order behind the root; children of each, or -1 twice."""
    children = [[-1, -1]]
    for _ in range(draw(st.integers(0, 8))):
        leaf = draw(st.sampled_from([i for i, pair in enumerate(children) if pair[0] < 0]))
        children[leaf] = [len(children), len(children) + 1]
        children += [[-1, -1], [-1, -1]]
    order = [0, *draw(st.permutations(range(1, len(children))))]
    place = {old: new for new, old in enumerate(order)} | {-1: -1}
    return [[place[child] for child in children[old]] for old in order]


@given(trees())
def test_every_tree_passes(children: list[list[int]]) -> None:
    assert is_tree(children)
    check_tree(np.array(children), len(children), "tree 0")


@given(trees(), st.data())
def test_a_changed_node_passes_only_if_all_is_still_one_tree(children: list[list[int]], data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        node = data.draw(st.integers(0, len(children) - 1))
        pair = st.lists(st.integers(0, len(children) + 1), min_size=2, max_size=2)
        children[node] = data.draw(st.one_of(st.just([-1, -1]), pair))
    if is_tree(children):
        check_tree(np.array(children), len(children), "tree 0")
    else:
        with pytest.raises(ValueError, match="tree 0"):
            check_tree(np.array(children), len(children), "tree 0")


@pytest.mark.parametrize("value", [[0, 3], [-1, 1], [0], [0, 1, 1], [0, 1.0], [0, True], [0, "1"], [0, None], 1, {}])
def test_whole_numbers_are_as_many_as_said_and_in_range(value: Any) -> None:
    assert plain.wholes([0, 2], "sizes", 2, 0, 2).tolist() == [0, 2]
    with pytest.raises(ValueError, match="sizes"):
        plain.wholes(value, "sizes", 2, 0, 2)


@pytest.mark.parametrize("value", [[0.5, 3e38 * 10], [0.5, float("nan")], [0.5, float("-inf")], [0.5], [0.5, "1"], 0.5])
def test_numbers_are_as_many_as_said_and_finite(value: Any) -> None:
    assert plain.reals([0.5, 3e38], "leaves", 2).tolist() == [0.5, 3e38]
    with pytest.raises(ValueError, match="leaves"):
        plain.reals(value, "leaves", 2)
