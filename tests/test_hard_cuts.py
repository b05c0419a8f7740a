"""The cuts of many small groups by one sort are those of each group by itself, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from hsboost._solver import top_k
from hsboost._solver.top_k import hard_cut, hard_cuts
from hsboost.losses import HypersimplexLoss

SCORES = st.sampled_from([-3.5, -1.0, -0.0, 0.0, 1e-30, 1.0, 2.0, 2.0000002, 1e30, -1e30, 3e38, -3e38])


@given(
    groups=st.lists(st.tuples(st.lists(SCORES, min_size=1, max_size=9), st.floats(0.0, 1.0)), min_size=1, max_size=6),
    whole=st.booleans(),
    step=st.sampled_from([1.0, 0.25, 1e-12, 1e30]),
    dtype=st.sampled_from(["float32", "float64"]),
)
def test_they_are_the_cuts_of_each(groups: Any, whole: bool, step: float, dtype: str) -> None:
    parts = [np.array(scores, dtype) for scores, _ in groups]
    mass = np.array([share * len(scores) for scores, share in groups])
    mass = np.round(mass) if whole else mass
    offsets = np.concatenate([[0], np.cumsum([part.size for part in parts])]).astype(np.intp)
    expected = [hard_cut(part, None, k, step) for part, k in zip(parts, mass.tolist(), strict=True)]
    assert_array_equal(hard_cuts(np.concatenate(parts), None, offsets, mass, step), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("each", [3, 40, 200])
def test_both_ways_give_the_same(each: int, dtype: str, rng: np.random.Generator, monkeypatch: Any) -> None:
    sizes = rng.integers(1, 2 * each, 50)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
    scores = rng.normal(size=offsets[-1]).round(1).astype(dtype)
    mass = rng.random(50) * (sizes + 1)
    mass[:3] = 0.0, sizes[1], 1.0
    mass = np.minimum(mass, sizes)
    found = []
    for few in (0, 1 << 40):
        monkeypatch.setattr(top_k, "FEW_EACH", few)
        found.append(hard_cuts(scores, None, offsets, mass))
    assert_array_equal(*found)


@pytest.mark.parametrize("k", [1, 0.3, None])
@pytest.mark.parametrize("classes", [1, 3])
def test_equal_weights_take_the_other_way_to_the_same_thresholds(
    k: Any, classes: int, rng: np.random.Generator
) -> None:
    n = 900
    x = rng.normal(size=n if classes == 1 else (n, classes)).round(2)
    y, groups = rng.integers(0, max(2, classes), n), rng.integers(0, 200, n)
    loss = HypersimplexLoss(k)
    assert_array_equal(loss.threshold(y, x, None, groups), loss.threshold(y, x, np.ones(n), groups))
