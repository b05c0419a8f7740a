"""Scores over many orders of magnitude: the same answer in a bounded number of passes, whichever search is used."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from hsboost import HypersimplexLoss, project_hypersimplex, recall_at_k
from hsboost._kernels.guess import last_in
from hsboost._kernels.search import ENCLOSED_PATIENCE, PATIENCE
from hsboost._kernels.settle import SELECTED_UP_TO
from hsboost._solver import search
from hsboost._solver.top_k import FEW_ROWS, by_order, hard_cut, last_score

#: Steps of the first search, then those within a bracket of one and a half temperatures, each a pass or two.
MOST_PASSES = 3 * PATIENCE + 60


def powers(rng, n, least, most):
    return np.sign(rng.normal(size=n)) * 10.0 ** rng.uniform(least, most, n)


DATA = {
    "power law": lambda r, n: powers(r, n, 0, 240),
    "power law of little numbers": lambda r, n: powers(r, n, -300, 0),
    "power law of both": lambda r, n: powers(r, n, -300, 300),
    "one sign": lambda r, n: np.abs(powers(r, n, -5, 20)),
    "denormal": lambda r, n: r.integers(-9, 9, n) * 5e-324,
    "denormal and huge": lambda r, n: np.where(r.random(n) < 0.5, r.integers(-9, 9, n) * 5e-324, powers(r, n, 0, 300)),
    "two ends": lambda r, n: np.where(r.random(n) < 0.5, -1e300, 1e300) * r.uniform(0.5, 1.0, n),
    "wide": lambda r, n: r.normal(size=n) * 1e6,
    "uniform": lambda r, n: r.uniform(0, 1e9, n),
    "log-normal": lambda r, n: np.exp(50 * r.normal(size=n)),
    "Pareto": lambda r, n: r.pareto(0.05, n),
}


@st.composite
def far(draw):
    exponents = st.integers(-323, 300).map(lambda e: 10.0**e)
    numbers = st.builds(
        lambda sign, size, digits: sign * size * digits, st.sampled_from([-1, 1]), exponents, st.floats(1, 9)
    )
    x = np.array(draw(st.lists(st.one_of(numbers, st.just(0.0), st.floats(-3, 3)), min_size=1, max_size=60)))
    weighted = draw(st.booleans())
    w = np.array(draw(st.lists(st.integers(1, 4), min_size=x.size, max_size=x.size)), float) if weighted else None
    total = x.size if w is None else w.sum()
    return x, draw(st.floats(0, 1)) * total, w


def check(values, x, k, weight):
    truth = reference.project_by_sorting(x, k, 1.0, weight)
    np.testing.assert_allclose(values, truth.values, rtol=0, atol=1e-9)
    total = x.size if weight is None else weight.sum()
    assert np.dot(np.ones(x.size) if weight is None else weight, values) == pytest.approx(k, abs=1e-12 * total)


@given(far())
def test_small_each_way_through_the_search(problem):
    x, k, weight = problem
    check(project_hypersimplex(x, k, sample_weight=weight).values, x, k, weight)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hsboost._solver.search.SMALL", 0)
        check(project_hypersimplex(x, k, sample_weight=weight).values, x, k, weight)
    groups = np.arange(2 * x.size) % 2
    twice = np.repeat(x, 2), np.repeat(weight, 2) if weight is not None else None
    values = project_hypersimplex(twice[0], k, sample_weight=twice[1], groups=groups).values
    check(values[::2], x, k, weight)
    np.testing.assert_array_equal(values[::2], values[1::2])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1000, SELECTED_UP_TO + 1, 70_000])
@pytest.mark.parametrize("data", DATA)
def test_many_rows(data, n, weighted, rng):
    x, weight = DATA[data](rng, n), rng.integers(1, 4, n).astype(float) if weighted else None
    for share in (0.001, 0.3, 0.5, 0.9):
        k = share * (n if weight is None else float(weight.sum()))
        check(project_hypersimplex(x, k, sample_weight=weight).values, x, k, weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("data", DATA)
def test_passes_are_bounded(data, weighted, rng, monkeypatch):
    n = 70_000
    x, weight = DATA[data](rng, n), rng.random(n) if weighted else None
    passes = []
    sums = search.ArrayReducer.sums

    def counted(self, nu):
        passes.append(nu)
        return sums(self, nu)

    monkeypatch.setattr(search.ArrayReducer, "sums", counted)
    total = n if weight is None else float(weight.sum())
    for share in (0.01, 0.3, 0.5, 0.9):
        passes.clear()
        search.multiplier_of(x, weight, share * total, float(total), 1.0)
        assert 0 < len(passes) <= MOST_PASSES < ENCLOSED_PATIENCE


@pytest.mark.parametrize("n", [1, 2, 17, FEW_ROWS, FEW_ROWS + 1, 50_000])
@pytest.mark.parametrize("kind", ["normal", "ties", "ascending", "descending", "one", "far"])
def test_selection_equals_sorting(kind, n, rng):
    x = rng.normal(size=n)
    x = {
        "normal": x, "ties": np.round(x, 1), "ascending": np.sort(x), "descending": np.sort(x)[::-1].copy(),
        "one": np.zeros(n), "far": np.exp(15 * x),
    }[kind]  # fmt: skip
    for weight in (None, rng.integers(0, 3, n) + np.r_[1.0, np.zeros(n - 1)], np.zeros(n)):
        total = n if weight is None else int(weight.sum())
        for mass in {0, 0.25, 1, total // 100 + 1, total // 2 + 0.75, total}:
            expected = by_order(x, weight, mass)
            assert last_score(x, weight, mass) == expected
            assert last_score(x.astype(np.float32), weight, mass) == by_order(x.astype(np.float32), weight, mass)
            if 0 < mass <= total:
                assert last_in(x, weight, mass) == expected


@pytest.mark.parametrize("n", [9_000, 60_000])
@pytest.mark.parametrize("kind", ["normal", "ties"])
def test_weights_that_round_move_no_cut_and_no_metric(kind, n, rng):
    """Sums in another order may end on the next row, whose part of the mass is then as small as the rounding."""
    x = rng.normal(size=n) if kind == "normal" else np.round(rng.normal(size=n), 1)
    y, weight = rng.random(n) < 0.2, rng.random(n) ** 3
    descending = np.argsort(-x, kind="stable")
    whole = np.cumsum(weight[descending])
    for row in rng.integers(0, n - 1, 20):  # masses that end where a row ends, as far as sums can tell
        cut = hard_cut(x, weight, whole[row])
        taken = float(weight[x > cut].sum())
        sizes = np.bincount(np.unique(x, return_inverse=True)[1], weight)
        assert abs(taken - whole[row]) <= 0.5 * sizes.max() + 1e-9
        if kind == "normal":
            assert x[descending[row + 1]] < cut < x[descending[row]]
            hits = float((weight * y)[x > cut].sum())
            found = recall_at_k(y, x, whole[row] / whole[-1], sample_weight=weight)
            assert found == pytest.approx(hits / (weight * y).sum(), abs=1e-9)


def test_derivatives_of_far_scores(rng):
    # A round that starts from the last one's threshold, whose scores were another order of magnitude.
    y = (rng.random(70_000) < 0.1).astype(np.float32)
    loss = HypersimplexLoss()
    x = rng.normal(size=y.size).astype(np.float32)
    state = loss.boosting_step(y, x, None, None)[2]
    far = (x * 1e6).astype(np.float32)
    warm, cold = (loss.boosting_step(y, far, None, start)[0] for start in (state, None))
    np.testing.assert_allclose(warm, cold, rtol=0, atol=1e-6)
