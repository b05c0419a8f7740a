"""The k-th highest score of scattered rows: equal to the hard cut of gathered rows, whatever lies where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from _collective import on_workers
from hypothesis import given
from hypothesis import strategies as st

from hsboost._solver.top_k import hard_cut, last_score
from hsboost._workers import radix
from hsboost._workers.radix import Rows, boundaries, cuts

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


class Here:
    """All rows in one place."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def sum(self, shape: tuple[int, ...], function: Any, *arguments: Any) -> np.ndarray:
        return np.asarray(function(self.rows, *arguments), dtype=np.float64).reshape(shape)

    max = sum


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray | None, float]:
    """Scores (tied, or of any size), whole weights or none, a mass from 0 to all."""
    n = draw(st.integers(1, 30))
    width = draw(st.sampled_from([32, 64]))
    values = st.one_of(st.integers(-2, 2).map(float), st.floats(allow_nan=False, allow_infinity=False, width=width))
    score = np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=f"f{width // 8}")
    weight = None
    if draw(st.booleans()):
        weight = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)
        weight[draw(st.integers(0, n - 1))] += 1.0
    total = float(n if weight is None else weight.sum())
    mass = draw(st.one_of(st.integers(0, int(total)).map(float), st.floats(0.0, total)))
    return score, weight, mass


@given(problems())
def test_boundary_and_cut_are_those_of_gathered_rows(problem: Any) -> None:
    score, weight, mass = problem
    rows = Here(Rows(score, weight))
    found = boundaries(rows, np.array([mass]), score.dtype)
    if mass > 0.0:
        assert found.last[0] == last_score(score, weight, mass)
    w = np.ones(score.size) if weight is None else weight
    assert found.above[0] == w[score > found.last[0]].sum()
    assert found.tied[0] == w[score == found.last[0]].sum()
    assert cuts(rows, found, np.array([mass]))[0] == hard_cut(score.astype(np.float64), weight, mass)


@given(problems(), st.integers(2, 4), st.randoms(use_true_random=False))
def test_it_does_not_matter_where_the_rows_are(problem: Any, size: int, random: Any) -> None:
    score, weight, mass = problem
    place = np.array([random.randrange(size) for _ in range(score.size)])

    def work(workers: Any) -> Any:
        mine = place == workers.rank
        rows = radix.AtWorkers(workers, Rows(score[mine], None if weight is None else weight[mine]))
        found = boundaries(rows, np.array([mass]), score.dtype)
        return found, cuts(rows, found, np.array([mass])), workers.traffic

    alone = Here(Rows(score, weight))
    expected = boundaries(alone, np.array([mass]), score.dtype)
    for found, cut, traffic in on_workers(size, work):
        assert found == expected
        assert cut == cuts(alone, expected, np.array([mass]))
        assert traffic.calls == (3 if score.dtype == np.float32 else 6) + 1
        assert traffic.largest <= 16 * 1024 + 8


@DTYPES
@pytest.mark.parametrize("n_rankings", [1, 3, 700])
def test_many_rankings_at_once(dtype: Any, n_rankings: int, rng: np.random.Generator) -> None:
    n = 4000
    score, ranking = rng.normal(size=n).round(2).astype(dtype), rng.integers(0, n_rankings, n)
    ranking[ranking == 2] = 0  # the third has no rows
    weight = rng.integers(0, 3, n).astype(float)
    total = np.bincount(ranking, weight, n_rankings)
    mass = np.floor(0.3 * total)
    rows = Here(Rows(score, weight, ranking))
    found = boundaries(rows, mass, dtype)
    cut = cuts(rows, found, mass)
    for g in range(n_rankings):
        here = (ranking == g) & (weight > 0)
        if not here.any():
            assert np.isnan(found.last[g])
            assert np.isnan(cut[g])
            assert (found.above[g], found.tied[g]) == (0.0, 0.0)
        else:
            assert cut[g] == hard_cut(score[here].astype(np.float64), weight[here], mass[g])


def test_an_offset_is_added_before_the_middle_is_taken(rng: np.random.Generator) -> None:
    score = rng.normal(size=101).astype(np.float32)
    rows, mass = Here(Rows(score)), np.array([40.0])
    cut = cuts(rows, boundaries(rows, mass, np.float32), mass, offset=0.1)
    assert cut[0] == hard_cut(score.astype(np.float64) + 0.1, None, 40.0)


def test_both_zeros_are_one_score() -> None:
    rows = Here(Rows(np.array([-0.0, 0.0, 1.0], np.float32)))
    found = boundaries(rows, np.array([2.0]), np.float32)
    assert (found.last[0], found.above[0], found.tied[0]) == (0.0, 1.0, 2.0)


@DTYPES
@pytest.mark.parametrize("n_rankings", [1, 200])
def test_extreme_scores_are_told_apart(dtype: Any, n_rankings: int) -> None:
    info = np.finfo(dtype)
    low = np.array([-info.max, -1, -info.smallest_subnormal, 0, info.smallest_subnormal, 1, info.max], dtype)
    score = np.concatenate([low, np.nextafter(low[1:-1], dtype(2)), np.nextafter(low[1:-1], dtype(-2))])
    score = np.unique(score)
    rows = Here(Rows(np.tile(score, n_rankings), None, np.repeat(np.arange(n_rankings), score.size)))
    for place in range(1, score.size + 1):
        found = boundaries(rows, np.full(n_rankings, float(place)), dtype)
        assert (found.last == float(score[-place])).all()
        assert (found.above == place - 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_everywhere(bad: float) -> None:
    def work(workers: Any) -> Any:
        score = np.array([1.0, bad if workers.rank == 1 else 2.0], np.float32)
        return boundaries(radix.AtWorkers(workers, Rows(score)), np.array([1.0]), np.float32)

    for found in on_workers(3, work):
        assert isinstance(found, ValueError)
        assert str(found).startswith(f"worker 1 of 3: y_score must be finite, got {bad} at row 1")


def test_bad_weights_and_scores_too_wide_are_refused() -> None:
    rows = Rows(np.zeros(2, np.float32), np.array([1.0, -1.0]))
    with pytest.raises(ValueError, match=r"^sample_weight must be finite and >= 0, got -1\.0 at row 1"):
        boundaries(Here(rows), np.array([1.0]), np.float32)
    with pytest.raises(TypeError, match="float32, got float64"):
        boundaries(Here(Rows(np.zeros(2))), np.array([1.0]), np.float32)
