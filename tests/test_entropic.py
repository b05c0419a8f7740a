"""The smooth projection, σ(x / temperature - nu) of a given sum, equals the slow truth; so do its derivatives."""

from __future__ import annotations

import platform
import re

import numba
import numpy as np
import pytest
import reference_entropic as reference
from hypothesis import example, given
from hypothesis import strategies as st
from reference import Wide
from strategies import GroupedProblem, Problem, grouped_problems, problems

from hsboost._kernels import distributed, entropic_segments
from hsboost._kernels import entropic as kernels
from hsboost._kernels import entropic_search as search
from hsboost._kernels._compile import BLOCK
from hsboost._kernels.logistic import halves, minus_log
from hsboost._solver import entropic
from hsboost._solver.entropic import find_multipliers, multiplier_of, values_at
from hsboost._solver.problems import Problems
from hsboost._solver.segments import Multipliers, Segments

E = 2.0**-52
compiled = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="needs compiled kernels")


@pytest.fixture(params=["one compiled call", "passes"])
def way(request, monkeypatch):
    """Small problems stay on one thread; passes over blocks serve large ones."""
    if request.param == "passes":
        monkeypatch.setattr("hsboost._solver.entropic.SMALL", 0)
    return request.param


def grouped_values_at(segments: Segments, x: np.ndarray, where: Multipliers) -> np.ndarray:
    """Every group's values; ``x`` is sorted by group."""
    in_order = Segments(segments.labels, segments.offsets, None)
    return Problems(in_order, x[None], None).values(where.reshape((1, -1)), np.empty_like(x)[None])[0]


def solve(p: Problem, start=None):
    """(values of all rows, where they come from), by the shift that project_hypersimplex uses below 2e-308."""
    x, temperature = p.x, p.temperature
    if temperature < np.finfo(float).tiny and np.abs(x).max() < 1e250:
        x, temperature = np.ldexp(x, 128), float(np.ldexp(temperature, 128))
    where = multiplier_of(x, p.weight, p.k, p.total, temperature, start)
    return values_at(x, where), where


def check_against_truth(p: Problem, values, where, tolerance=1e-12):
    truth = reference.project(p.x, p.k, p.temperature, p.weight)
    counted = p.w > 0
    np.testing.assert_allclose(values[counted], truth.values[counted].astype(float), rtol=0, atol=tolerance)
    inside = truth.values[counted & (truth.values > 1e-3) & (truth.values < 1 - 1e-3)]
    if inside.size:  # the multiplier is well determined
        assert not where.flat
        scale = max(abs(truth.cut), np.abs(p.x[counted]).min(), p.temperature)
        assert where.soft_threshold == pytest.approx(truth.cut, rel=0, abs=1e-11 * scale) or p.temperature < 1e-300
        np.testing.assert_allclose(values, truth.values.astype(float), rtol=0, atol=tolerance)
    assert float((p.w.astype(Wide) * values.astype(Wide)).sum()) == pytest.approx(p.k, rel=1e-12, abs=1e-13 * p.total)


# --- the logistic function ----------------------------------------------------------------------------------------


def test_both_halves_of_the_logistic_function_are_right_to_two_last_places(rng):
    v = np.concatenate([rng.normal(size=3000) * 5, rng.uniform(-707, 707, 3000), rng.uniform(-1e-8, 1e-8, 100)])
    small, large = np.array([halves(one) for one in v]).T
    e = np.exp(-np.abs(v.astype(Wide)))
    np.testing.assert_allclose(small, (e / (1 + e)).astype(float), rtol=2 * E, atol=0)
    np.testing.assert_allclose(large, (1 / (1 + e)).astype(float), rtol=2 * E, atol=0)
    logs = np.array([minus_log(p, q) for p, q in zip(small, large, strict=True)])
    np.testing.assert_allclose(logs, np.log1p(e).astype(float), rtol=6 * E, atol=0)


@pytest.mark.parametrize(("v", "expected"), [(0.0, (0.5, 0.5)), (800.0, (0.0, 1.0)), (-np.inf, (0.0, 1.0))])
def test_small_the_logistic_function_far_out(v, expected):
    assert halves(np.float64(v)) == expected
    assert halves(np.float64(-v)) == expected


def test_the_logistic_function_rises_to_its_last_place():
    v = np.linspace(-40, 0, 40_001)
    values = np.array([halves(one)[0] for one in v])
    assert np.all(np.diff(values) > 0)


@compiled
@pytest.mark.skipif(platform.machine() != "x86_64", reason="looks at x86 code")
@pytest.mark.parametrize(("dtype", "weighted"), [(np.float32, True), (np.float64, False)])
def test_the_passes_are_vector_code(dtype, weighted):
    """Packed divisions, and no call of an exponential."""
    x, out = np.zeros(10, dtype), np.zeros(10, dtype)
    w = np.ones(10, dtype) if weighted else None
    at = (x, x, w, 0.0, 1.0, 0.0)
    calls = [
        (kernels.sums, (x, w, 0.0, 1.0, np.zeros(1), np.empty((1, kernels.KINDS + 1, 1)))),
        (kernels.gradient, (*at, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, out, out)),
    ]
    if weighted:
        calls += [
            (kernels.values, (x, 0.0, 1.0, 0.0, out)),
            (kernels.residuals, (*at, np.empty((4, 1)))),
            (kernels.residuals_and_labels, (*at, 1.0, np.empty((7, 1)))),
            (kernels.convex_gradient, (*at, 0.0, 0.0, 1.0, 1.0, 0.0, out, out)),
            (kernels.log_loss, (*at, np.empty((2, 1)))),
        ]
    for kernel, arguments in calls:
        fresh = numba.njit(kernel.serial.py_func)  # what comes from the disk cache cannot be looked at
        fresh(*arguments)
        (code,) = fresh.inspect_asm().values()
        assert re.search(r"\bv?divpd\b", code), kernel.__name__
        assert not re.search(r"\bcall\w*\s+\S*\bexp\b", code), kernel.__name__


# --- the projection -----------------------------------------------------------------------------------------------


@given(problems())
@example(Problem(np.array([1 + E, 1 + 2 * E]), 1.0, 1e-20, None))
@example(Problem(np.array([5.0, 0.0, 3.0]), 1.0, 1.0, np.array([1.0, 1.0, 0.0])))
@example(Problem(np.array([0.7]), np.nextafter(1.0, 0), 1.0, None))
@example(Problem(np.array([1e30, -1e30, 1e30, 1e30]), 1.5, 5e-324, None))
def test_small_equals_the_truth(p):
    check_against_truth(p, *solve(p))


@given(problems())
def test_small_equals_the_truth_by_passes(p):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hsboost._solver.entropic.SMALL", 0)
        check_against_truth(p, *solve(p))


@given(problems(moderate=True), problems(moderate=True))
def test_small_equals_the_truth_from_any_start(p, other):
    _, start = solve(other)
    check_against_truth(p, *solve(p, (start.anchor, start.nu * start.scale / solve(p)[1].scale)))


@pytest.mark.truth
@pytest.mark.parametrize("temperature", [1e-3, 0.01, 1.0, 7.0])
def test_small_a_whole_budget_among_scores_of_all_sizes_is_handed_out_whole(temperature, way):
    """Where the search stood 1e30 temperatures from its anchor, rows beside it were taken for others."""
    x = np.array([1e30, -1e30, -0.82, 1e30, 1e30, 0.25, -1e12, 1e30])
    for k in range(1, x.size):
        for first in range(4):
            p = Problem(np.roll(x, first), float(k), temperature, None)
            values, where = solve(p)
            check_against_truth(p, values, where)
            assert values.sum() == pytest.approx(k, abs=1e-12)


@given(problems())
def test_small_values_keep_the_order_of_the_scores(p):
    values, _ = solve(p)
    assert values.min() >= 0
    assert values.max() <= 1
    assert np.all(np.diff(values[np.argsort(p.x, kind="stable")]) >= 0)
    for tied in np.unique(p.x):
        assert np.unique(values[p.x == tied]).size == 1


@given(problems(moderate=True), st.integers(-64, 64))
def test_small_a_shift_of_all_scores_moves_only_the_multiplier(p, eighths):
    p = p._replace(x=np.round(p.x * 8) / 8)  # so that the shift is exact
    moved, at = solve(p._replace(x=p.x + eighths / 8))
    still, before = solve(p)
    np.testing.assert_allclose(moved, still, rtol=0, atol=1e-12)
    if 0 < p.k < p.total:
        assert at.value == pytest.approx(before.value + eighths / 8 / p.temperature, abs=1e-9)


@given(problems(moderate=True))
def test_small_the_other_side(p):
    """What is missing to 1 is the projection of -x for Σ w - k."""
    values, _ = solve(p)
    others, _ = solve(p._replace(x=-p.x, k=p.total - p.k))
    np.testing.assert_allclose(values, 1 - others, rtol=0, atol=1e-12)


@given(problems(moderate=True), st.data())
def test_small_integer_weights_are_repeated_rows(p, data):
    times = np.array(data.draw(st.lists(st.integers(0, 4), min_size=p.x.size, max_size=p.x.size)))
    times[0] += 1
    k = data.draw(st.floats(0, 1)) * times.sum()
    weighted, _ = solve(Problem(p.x, k, p.temperature, times.astype(float)))
    repeated, _ = solve(Problem(np.repeat(p.x, times), k, p.temperature, None))
    np.testing.assert_allclose(np.repeat(weighted, times), repeated, rtol=0, atol=1e-12)


X = np.array([0.3, -1.2, 2.5, 0.3, 4.0])
ORDERS = 10.0 ** np.arange(-30, 31)


@pytest.mark.parametrize(
    ("x", "k", "temperature"),
    [
        (np.array([3.0]), 0.25, 2.0),
        (np.array([3.0]), 1e-300, 2.0),
        (np.array([1e30]), 1 - E, 1.0),
        (np.full(7, -1e30), 3.5, 1e-3),
        (X, 1e-290, 1.0),
        (X, 1e-12, 0.1),
        (X, 5 - 4 * E, 1.0),
        (X, 5 - 1e-9, 0.1),
        (X, 1.0, 0.01),  # a gap of 150
        (X, 1.0, 0.03),  # a gap of 50
        (X, 1.0, 0.05),  # a gap of 30
        (X, 2.0, 1e-300),
        (X, 1.5, 1e-300),
        (X, 2.5, 1e300),
        (X * 1e30, 2.0, 1.0),
        (X * 1e30, 3.5, 1.0),
        (X * 1e30, 3.5, 1e30),
        (X * 1e30, 3.5, 1e14),
        (np.array([-1e30, 0.0, 1.0, 1e30]), 1.7, 1.0),
        (np.array([-1e30, 0.0, 1.0, 1e30]), 1.7, 1e30),
        (ORDERS, 30.0, 1.0),
        (ORDERS, 30.25, 1.0),
        (ORDERS, 0.5, 1.0),
        (ORDERS, 60.9, 1e-20),
        (ORDERS, 17.3, 1e-31),
        (np.r_[-ORDERS, ORDERS], 61.0, 1.0),
        (np.r_[-ORDERS, ORDERS], 100.01, 1e10),
        (np.r_[np.zeros(1000), 1e6], 1.0, 1.0),
        (np.r_[np.zeros(1000), 40.0], 1.0, 1.0),
        (np.r_[np.zeros(1000), 1e6], 1.0 + 1e-9, 1.0),
        (np.r_[np.zeros(1000), 1e6], 1.0 - 1e-9, 1.0),
        (np.array([0.0, 5e-324, 1e-323]), 1.5, 1e-300),
        (1.0 + E * np.arange(6), 2.5, E),
        (1.0 + E * np.arange(6), 2.5, 1e-30),
    ],
)  # fmt: skip
def test_small_extremes(x, k, temperature, way):
    p = Problem(x, k, temperature, None)
    values, where = solve(p)
    check_against_truth(p, values, where)
    assert values.sum() == pytest.approx(k, rel=1e-12)
    weights = np.linspace(1, 3, x.size)
    scaled = p._replace(weight=weights, k=k / x.size * float(weights.sum()))
    check_against_truth(scaled, *solve(scaled))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [0.0, 1e-320])
def test_small_nothing_and_everything_are_limits(dtype, k, way):
    x = np.array([1.0, -2.0, 30.0], dtype)
    w = np.array([1.0, 2.0, 0.0], dtype)
    for mass, expected in ((k, 0.0), (3.0, 1.0)):
        where = multiplier_of(x, w, mass, 3.0, 0.5)
        assert where.flat
        np.testing.assert_array_equal(values_at(x, where), np.full(3, expected, dtype))
        assert (where.soft_threshold > 30) if expected == 0 else (where.soft_threshold < -2)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("k", [0.0, 2.0, 10.0, 5_000.0])
@pytest.mark.parametrize("at", [0, 4100, -1])
def test_scores_that_are_not_finite_are_found(bad, k, at, way):
    x = np.linspace(-1, 1, 5_000)
    x[at] = bad
    for start in (None, (0.0, 0.5)):
        with pytest.raises(FloatingPointError):
            multiplier_of(x, None, k, 5_000.0, 1.0, start)
    with pytest.raises(FloatingPointError):
        find_multipliers(Segments.equal(2, 2_500), x, None, np.full(2, k / 2), np.full(2, 2500.0), 1.0)


def test_small_the_middle_of_a_gap(way):
    x = np.array([0.0, 1.0, 4.0, 9.0])
    where = multiplier_of(x, None, 2.0, 4.0, 1e-3)
    assert where.flat
    assert where.soft_threshold == 2.5
    # Here the rows at the gap's edges still count, and the heavier side pushes.
    where = multiplier_of(np.array([0.0, 0.0, 20.0]), None, 1.0, 3.0, 1.0)
    assert not where.flat
    assert where.soft_threshold == pytest.approx(10 + np.log(2) / 2, abs=1e-4)


def test_the_layer_that_published_it(rng):
    """Amos, Koltun, Kolter 2019: argmin of -xᵀ y - H(y), H the binary entropies, Σ y = k, 0 < y < 1: σ(x + ν)."""
    for _ in range(20):
        n = int(rng.integers(2, 50))
        x, k = rng.normal(size=n) * 3, int(rng.integers(1, n))
        values, where = solve(Problem(x, float(k), 1.0, None))
        lo, hi = -x.max() - 50, -x.min() + 50
        for _ in range(200):
            nu = (lo + hi) / 2
            lo, hi = (lo, nu) if (1 / (1 + np.exp(-(x + nu)))).sum() > k else (nu, hi)
        np.testing.assert_allclose(values, 1 / (1 + np.exp(-(x + nu))), rtol=0, atol=1e-12)
        assert where.value == pytest.approx(-nu, abs=1e-12)

        def objective(y, x=x):
            return -(x * y).sum() + (y * np.log(y) + (1 - y) * np.log1p(-y)).sum()

        for _ in range(5):
            other, _ = solve(Problem(x + rng.normal(size=n) * 0.1, float(k), 1.0, None))
            assert objective(other) > objective(values) - 1e-12


# --- passes -------------------------------------------------------------------------------------------------------


@pytest.fixture
def passes(monkeypatch):
    """Passes over all rows made so far."""
    made = []
    plain = entropic.ArrayReducer.sums
    monkeypatch.setattr(
        entropic.ArrayReducer, "sums", lambda self, *args: (made.append(1), plain(self, *args))[1]
    )  # fmt: skip
    monkeypatch.setattr("hsboost._solver.entropic.SMALL", 0)
    return made


@pytest.mark.parametrize("share", [0.5, 0.05, 0.001])
@pytest.mark.parametrize("temperature", [10.0, 1.0, 0.1])
@pytest.mark.parametrize("shape", ["normal", "uniform", "ties", "two hills"])
def test_a_search_takes_two_or_three_passes(share, temperature, shape, passes, rng):
    n = 20_000
    x = rng.normal(size=n)
    x = {
        "normal": x,
        "uniform": rng.uniform(size=n),
        "ties": np.round(x),
        "two hills": np.where(rng.uniform(size=n) < 0.2, x + 6, x),
    }[shape]
    where = multiplier_of(x, None, share * n, float(n), temperature)
    assert len(passes) <= 4
    passes.clear()
    moved = x + temperature * rng.normal(0.05, 0.1, size=n)
    multiplier_of(moved, None, share * n, float(n), temperature, (where.anchor, where.nu))
    assert len(passes) <= 2


@pytest.mark.parametrize("n", [61, 1001])
@pytest.mark.parametrize("share", [1e-9, 0.01, 0.37, 0.5, 0.999])
@pytest.mark.parametrize("temperature", [1e25, 1.0, 1e-25])
def test_passes_are_bounded_for_scores_of_all_magnitudes(n, share, temperature, passes):
    x = np.r_[-(10.0 ** np.linspace(-30, 30, n // 2)), 10.0 ** np.linspace(-30, 30, n - n // 2)]
    p = Problem(x, share * n, temperature, None)
    check_against_truth(p, *solve(p))
    assert len(passes) <= 3 * (search.PATIENCE + 1)


@pytest.mark.parametrize("k", [1.0, 30.0, 59.0])
def test_the_search_from_the_rank_ends_in_any_case(k):
    """The last resort alone."""
    for x in (ORDERS, -ORDERS, np.zeros(61), np.linspace(0, 1, 61), np.r_[np.zeros(60), 300.0]):
        for mass in (k, k + 1e-13, k - 1e-13, k + 0.5):
            for temperature in (1e-20, 1e-2, 1.0, 1e3):
                where = entropic._from_rank(x, None, mass, 61.0, 1 / temperature)
                p = Problem(x, mass, temperature, None)
                check_against_truth(p, values_at(x, where), where)


# --- groups, threads, dtypes --------------------------------------------------------------------------------------


@given(grouped_problems())
def test_small_groups_are_problems_of_their_own(p: GroupedProblem):
    segments = Segments.by_label(p.groups)
    x, unit = p.x[:, 0], p.temperature
    if unit < np.finfo(float).tiny:
        x, unit = x * 2.0**128, unit * 2.0**128
    x = segments.sort(np.ascontiguousarray(x))
    w = None if p.weight is None else segments.sort(p.weight)
    total = np.array([p.one(0, g)[1].total for g in range(p.k.shape[1])])
    where = find_multipliers(segments, x, w, p.k[0], total, unit)
    values = grouped_values_at(segments, x, where)
    for g in range(p.k.shape[1]):
        rows = segments.slice(g)
        weight = None if w is None else w[rows]
        alone = multiplier_of(x[rows], weight, float(p.k[0, g]), float(total[g]), unit)
        assert where.at(g) == alone
        np.testing.assert_array_equal(values[rows], values_at(x[rows], alone))


def test_large_groups_beside_others(monkeypatch, rng):
    monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", 5_000)
    sizes = np.array([3, 20_000, 1, 900, 7_000, 40])
    segments = Segments.by_label(np.repeat(np.arange(6), sizes))
    assert segments.large == [1, 4]
    for dtype in (np.float32, np.float64):
        x, w = rng.normal(size=sizes.sum()).astype(dtype), rng.uniform(0, 2, sizes.sum()).astype(dtype)
        total = np.add.reduceat(w, segments.offsets[:-1], dtype=np.float64)
        where = find_multipliers(segments, x, w, 0.1 * total, total, 0.3)
        again = find_multipliers(segments, x, w, 0.1 * total, total, 0.3, where)
        np.testing.assert_allclose(again.value, where.value, rtol=0, atol=1e-12)
        values = grouped_values_at(segments, x, where)
        assert values.dtype == dtype
        for g in range(6):
            rows = segments.slice(g)
            truth = reference.project(x[rows], 0.1 * total[g], 0.3, w[rows])
            tolerance = 1e-12 if dtype is np.float64 else 1e-7
            np.testing.assert_allclose(values[rows], truth.values.astype(float), rtol=0, atol=tolerance)
            assert where.at(g).soft_threshold == pytest.approx(truth.cut, abs=1e-12)
            assert where.soft_threshold[g] == where.at(g).soft_threshold


@pytest.mark.parametrize("n", [1000, 3 * BLOCK + 17, 70_000])
def test_one_compiled_call_and_passes_agree_to_the_last_bit(n, rng, monkeypatch):
    x, w = rng.normal(size=n), rng.uniform(0, 2, n)
    for weight, total in ((None, float(n)), (w, float(w.sum()))):
        monkeypatch.setattr("hsboost._solver.entropic.SMALL", 1 << 30)
        one = multiplier_of(x, weight, 0.1 * total, total, 0.3, (0.0, 1.0))
        monkeypatch.setattr("hsboost._solver.entropic.SMALL", 0)
        assert multiplier_of(x, weight, 0.1 * total, total, 0.3, (0.0, 1.0)) == one


@compiled
@pytest.mark.slow  # compiles both forms of all kernels
@pytest.mark.parametrize(("dtype", "weighted"), [(np.float32, True), (np.float32, False), (np.float64, True)])
def test_threads_change_no_bit(dtype, weighted, rng):
    n = 5 * BLOCK + 321
    blocks = 6
    x, y = rng.normal(size=n).astype(dtype), (rng.uniform(size=n) < 0.3).astype(np.float32)
    w = rng.uniform(0, 2, n).astype(dtype) if weighted else None
    segments = Segments.by_label(np.repeat(np.arange(700), rng.multinomial(n - 700, np.full(700, 1 / 700)) + 1))
    many = (segments.offsets, segments.tasks, 2.0)
    g = len(segments.labels)
    total = (
        np.diff(segments.offsets).astype(float) if w is None else np.add.reduceat(w, segments.offsets[:-1], dtype=float)
    )
    nu, zero, ones = rng.normal(size=g), np.zeros(g), np.ones(g)
    task = np.arange(blocks)
    ends = np.minimum((task + 1) * BLOCK, n)

    def new(*shape, kind=np.float64):
        return np.full(shape, np.nan, kind)

    def both():
        return new(n, kind=np.float32), new(n, kind=np.float32)

    one = (x, y, w, 0.1, 2.0, -0.3)
    calls = [
        (kernels.sums, (x, w, 0.1, 2.0, np.array([0.3, -2.0])), lambda: (new(2, kernels.KINDS + 1, blocks),)),
        (kernels.candidates, (x, w, 0 * task, task * BLOCK, ends, np.zeros(1), 2.0, np.zeros((1, 1)), np.ones(1, int)),
         lambda: (new(blocks, 1, kernels.KINDS + 1),)),
        (kernels.values, (x, 0.1, 2.0, -0.3), lambda: (new(n, kind=dtype),)),
        (kernels.residuals, one, lambda: (new(4, blocks),)),
        (kernels.residuals_and_labels, (*one, 1.0), lambda: (new(7, blocks),)),
        (kernels.log_loss, one, lambda: (new(2, blocks),)),
        (kernels.gradient, (*one, 0.1, 0.01, 0.2, 1.5, 2.5, 0.01), both),
        (kernels.convex_gradient, (*one, 0.1, 0.01, 1.5, 2.5, 0.01), both),
        (entropic_segments.segment_multipliers, (x, w, *many, 0.2 * total, total, True),
         lambda: (zero.copy(), zero.copy(), np.zeros(g, np.bool_), np.zeros(g, np.int64))),
        (entropic_segments.segment_values, (x, *many, zero, nu), lambda: (new(n, kind=dtype),)),
        (entropic_segments.segment_residuals, (x, y, w, *many, zero, nu), lambda: (new(g, 4),)),
        (entropic_segments.segment_residuals_and_labels, (x, y, w, *many, zero, nu, 1.0), lambda: (new(g, 7),)),
        (entropic_segments.segment_log_loss, (x, y, w, *many, zero, nu), lambda: (new(g, 2),)),
        (entropic_segments.segment_gradient, (x, y, w, *many, zero, nu, nu, nu, nu, ones, ones, zero), both),
        (entropic_segments.segment_convex_gradient, (x, y, w, *many, zero, nu, nu, nu, ones, ones, zero), both),
    ]  # fmt: skip
    for kernel, arguments, outputs in calls:
        found = []
        for form in (kernel.serial, kernel.parallel):
            out = outputs()
            form(*arguments, *out)
            found.append(out)
        for serial, parallel in zip(*found, strict=True):
            assert not np.isnan(serial).any(), kernel.__name__
            assert serial.tobytes() == parallel.tobytes(), kernel.__name__


class Spread:
    """A reducer over rows of several problems in several places: each place adds up its own, then all are added."""

    def __init__(self, x, w, codes, places, problems):
        self.calls = 0
        self.parts = []
        for place in range(places):
            rows = np.flatnonzero(np.arange(x.size) % places == place)
            rows = rows[np.argsort(codes[rows], kind="stable")]
            ends = np.concatenate([[0], np.cumsum(np.bincount(codes[rows], minlength=problems))])
            self.parts.append((x[rows], w[rows], np.arange(problems), ends[:-1], ends[1:]))

    def sums(self, anchor, scale, nu, asked):
        self.calls += 1
        total = np.zeros((nu.size, kernels.KINDS))
        for x, w, *tasks in self.parts:
            out = np.zeros((nu.size, 1, kernels.KINDS + 1))
            kernels.candidates(x.size, x, w, *tasks, anchor, scale, nu[:, None], asked.astype(np.intp), out)
            total += out[:, 0, :-1]
        return total

    def edges(self, anchor, scale, nu):
        self.calls += 1
        found = []
        for x, w, *tasks in self.parts:
            out = np.empty((nu.size, 4))
            distributed.edges(x.size, x, w, *tasks, anchor, scale, nu, out)
            found.append(out)
        return np.max(found, axis=0)


@pytest.mark.parametrize("temperature", [3.0, 0.3, 1e-3])
def test_problems_whose_rows_are_spread_over_places(temperature, rng):
    n, problems = 6000, 5
    x, w, codes = rng.normal(size=n), rng.uniform(0, 2, n), rng.integers(0, problems - 1, n)
    codes[0], w[0] = problems - 1, 0.0  # a problem without weight
    total = np.bincount(codes, w, minlength=problems)
    k = np.array([0.3, 0.01, 0.0, 1.0, 0.0]) * total
    start = np.zeros(problems), np.zeros(problems)
    rows = Spread(x, w, codes, 3, problems)
    where = entropic.find(rows, k, total, 1 / temperature, start)
    for p in range(problems):
        at = codes == p
        truth = reference.project(x[at], k[p], temperature, w[at])
        values = values_at(x[at], where.at(p))
        np.testing.assert_allclose(values[w[at] > 0], truth.values[w[at] > 0].astype(float), rtol=0, atol=1e-12)
    rows.calls = 0
    again = entropic.find(rows, k, total, 1 / temperature, (where.anchor, where.nu + 0.1 * (k > 0) * (k < total)))
    np.testing.assert_allclose(again.value[:2], where.value[:2], rtol=1e-13, atol=1e-12)
    assert rows.calls <= 3  # two for the sums, one for the ends of the problems that are all 0 or all 1
