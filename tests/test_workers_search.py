"""One threshold over many workers: that of all rows together, the same bits on each of them, in few calls."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from _collective import on_workers
from _workers import DEALS, deals, parts, search
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import Problem, problems

from hsboost import project_hypersimplex
from hsboost._solver.problems import values_at
from hsboost._solver.search import scale_of
from hsboost._workers.rows import WorkerRows
from hsboost._workers.search import Guess, find_distributed

TINY = float(np.finfo(np.float64).tiny)


def solve(p, deal, guess=None, y=None):
    """What all workers found, after seeing that they agree."""
    y = np.zeros(p.x.size) if y is None else y
    ends = on_workers(len(deal), lambda w: search(w, p.x, y, p.weight, p.k, p.temperature, deal, guess))
    for end in ends:
        if isinstance(end, Exception):
            raise end
        for mine, first in zip(end[0].where, ends[0][0].where, strict=True):
            assert np.asarray(mine).tobytes() == np.asarray(first).tobytes()
    return ends[0]


@given(problems(), deals)
@example(Problem(np.array([1e30, -1e30, 1e30, 1e30]), 1.5, 5e-324, None), (0.5, 0.5))
@example(Problem(np.array([0.0, 1.0, 2.0, 3.0]), 2.0, 1.0, None), (0.3, 0.0, 0.7))
@example(Problem(np.array([5.0, 0.0, 3.0]), 1.0, 1.0, np.array([1.0, 1.0, 0.0])), (0.1, 0.9))
@example(Problem(np.array([0.7]), 0.25, 1.0, None), (0.0, 1.0))
@example(Problem(np.array([0.0] * 9 + [5e-324]), 5.0, TINY, None), (1.0,))
def test_the_values_are_those_of_the_truth(p, deal):
    # Subnormal temperatures have no finite reciprocal (losses refuse them): wrong where scores are as small.
    assume(p.temperature >= TINY or np.abs(p.x).max() >= 1e-290)
    found, _ = solve(p, deal)
    truth = reference.project(p.x, p.k, p.temperature, p.weight)
    values = values_at(p.x.astype(np.float64), found.where.at(0))
    counted = p.w > 0
    np.testing.assert_allclose(values[counted], truth.values[counted].astype(float), rtol=0, atol=1e-11)
    assert bool(found.where.flat[0]) == truth.flat


@given(problems(), deals)
def test_the_cut_is_that_of_one_machine(p, deal):
    found, _ = solve(p, deal)
    alone = project_hypersimplex(p.x, p.k, temperature=p.temperature, sample_weight=p.weight)
    unit = max(abs(alone.soft_threshold), p.temperature)
    assert found.where.soft_threshold[0] == pytest.approx(alone.soft_threshold, rel=1e-12, abs=1e-12 * unit + 1e-300)


@given(problems(moderate=True), deals, st.integers(0, 2**32 - 1))
def test_the_sums_are_those_of_the_active_rows(p, deal, seed):
    y = np.random.default_rng(seed).integers(0, 2, p.x.size)
    found, _ = solve(p, deal, y=y)
    where = found.where.at(0)
    v = (p.x - where.anchor) * where.scale - where.nu
    if where.flat:
        expected = [0.0, 0.0, 0.0]
    else:
        clear = (np.abs(v) > 1e-9) & (np.abs(v - 1.0) > 1e-9)
        if not clear.all():
            return  # on the verge of 0 or 1 a row may count either way
        active = (v > 0) & (v < 1)
        expected = [float((p.w * part)[active].sum()) for part in (np.ones_like(v), v, y)]
    got = found.active[0], found.mass[0], found.positive[0]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("deal", [d for d in DEALS if len(d) > 1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_many_rows_to_the_last_digits(rng, deal, dtype, weighted):
    x = rng.normal(size=50_000).astype(dtype)
    w = rng.exponential(size=x.size).astype(np.float32) if weighted else None
    total = x.size if w is None else float(w.sum(dtype=np.float64))
    for share in (1e-3, 0.2, 0.5, 0.999):
        p = Problem(x, share * total, 0.7, w)
        found, _ = solve(p, deal)
        alone = project_hypersimplex(x, p.k, temperature=0.7, sample_weight=w)
        assert found.where.soft_threshold[0] == pytest.approx(alone.soft_threshold, rel=1e-13, abs=1e-13)


def test_a_first_search_looks_at_a_sample_of_many_rows(rng, monkeypatch):
    monkeypatch.setattr("hsboost._workers.search.SAMPLE", 512)
    x = rng.normal(size=20_000)
    found, traffic = solve(Problem(x, 3000.0, 1.0, None), (0.5, 0.5))
    alone = project_hypersimplex(x, 3000.0)
    assert found.where.soft_threshold[0] == pytest.approx(alone.soft_threshold, rel=1e-13)
    assert traffic.calls <= 14


@pytest.mark.parametrize("n", [300, 40_000])
@pytest.mark.parametrize("step", [0.3, 0.05, 0.01, 1e-4, 0.0])
def test_later_searches_take_few_small_calls(rng, n, step):
    x = rng.normal(size=n)
    found, _ = solve(Problem(x, 0.1 * n, 1.0, None), (0.5, 0.5))
    calls = []
    for _ in range(6):
        x = x + step * rng.normal(size=n) + 0.3 * step
        found, traffic = solve(Problem(x, 0.1 * n, 1.0, None), (0.5, 0.5), found.guess())
        calls.append(traffic.calls)
        assert traffic.largest <= 4096
        alone = project_hypersimplex(x, 0.1 * n)
        assert found.where.soft_threshold[0] == pytest.approx(alone.soft_threshold, rel=1e-13, abs=1e-13)
    assert max(calls) <= 4
    assert np.median(calls) <= 3


@given(problems(moderate=True), deals, st.floats(-50, 50), st.sampled_from([np.inf, 0.2, 1e-6]))
def test_a_wrong_guess_costs_calls_and_no_digit(p, deal, off, reach):
    guess = Guess(np.array([p.x[0] + off]), np.array([-0.5]), np.array([reach]))
    found, _ = solve(p, deal, guess)
    truth = reference.project(p.x, p.k, p.temperature, p.weight)
    counted = p.w > 0
    values = values_at(p.x.astype(np.float64), found.where.at(0))
    np.testing.assert_allclose(values[counted], truth.values[counted].astype(float), rtol=0, atol=1e-11)


@pytest.mark.parametrize("count", [2, 7, 60])
def test_many_problems_share_the_calls(rng, count):
    """Groups of all sizes, empty ones too; each is solved as if it were alone."""
    sizes = rng.integers(0, 40, size=count)
    sizes[0], sizes[-1] = 0, 6000
    xs = [rng.normal(size=n) * 10.0 ** rng.integers(-2, 2) + 5 * rng.normal() for n in sizes]
    k = np.array([rng.uniform(0, n) if rng.random() < 0.7 else float(rng.integers(0, n + 1)) for n in sizes])

    def work(workers):
        mine = [x[parts(x.size, (0.4, 0.6))[workers.rank]] for x in xs]
        offsets = np.concatenate([[0], np.cumsum([x.size for x in mine])]).astype(np.intp)
        flat = np.concatenate(mine)
        rows = WorkerRows(flat, np.zeros(flat.size, np.float32), None, offsets)
        return find_distributed(workers, rows, k, sizes.astype(float), scale_of(0.5), None), workers.traffic

    (found, traffic), other = on_workers(2, work)
    assert found.where.nu.tobytes() == other[0].where.nu.tobytes()
    assert traffic.calls <= 40
    for p, x in enumerate(xs):
        if x.size:
            alone = project_hypersimplex(x, k[p], temperature=0.5)
            assert found.where.soft_threshold[p] == pytest.approx(alone.soft_threshold, rel=1e-12, abs=1e-12), p
            assert bool(found.where.flat[p]) == (alone.active.sum() == 0)


def test_narrowed_rows_know_what_was_set_aside(rng):
    x, y, w = rng.normal(size=3000), rng.integers(0, 2, 3000).astype(np.float32), rng.exponential(size=3000)
    rows = WorkerRows(x, y, w, np.array([0, 1000, 1000, 3000], np.intp))
    anchor, lo, hi = np.array([0.1, 0.0, -0.2]), np.array([-0.3, 0.0, 0.1]), np.array([-0.1, 0.2, 0.4])
    few = rows.narrowed(anchor, 1.5, lo, hi)
    fewer = few.narrowed(anchor, 1.5, lo + 0.05, hi - 0.05)
    assert fewer.x.size < few.x.size < x.size / 2
    nus = np.linspace(lo + 0.05, hi - 0.05, 9, axis=1)
    counts = np.full(3, 9, np.intp)
    expected = rows.sums(anchor, 1.5, nus, counts)
    for narrowed in (few, fewer):
        np.testing.assert_allclose(narrowed.sums(anchor, 1.5, nus, counts), expected, rtol=1e-12, atol=1e-12)
    v = (x[:1000] - 0.1) * 1.5 - nus[0, 3]
    active = (v > 0) & (v < 1)
    by_hand = [w[:1000][v >= 1].sum(), *((w[:1000] * part)[active].sum() for part in (1, v, y[:1000]))]
    np.testing.assert_allclose(expected[0, 3, :4], by_hand, rtol=1e-12)
