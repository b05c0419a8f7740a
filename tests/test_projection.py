"""The projection equals the slow truth, SciPy's isotonic regression and other libraries, whatever the scores."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression
from strategies import Problem, problems

from hsboost import project_hypersimplex
from hsboost._solver.search import SMALL

METHODS = ["threshold", "pav"]
both = pytest.mark.parametrize("method", METHODS)
E = 2.0**-52


def solve(p: Problem, method="threshold"):
    return project_hypersimplex(p.x, p.k, temperature=p.temperature, sample_weight=p.weight, method=method)


def check_against_truth(p: Problem, got, tolerance=1e-11):
    """Values; where it is unique (or flat) also the cut."""
    truth = reference.project(p.x, p.k, p.temperature, p.weight)
    counted = p.w > 0
    np.testing.assert_allclose(got.values[counted], truth.values[counted], rtol=0, atol=tolerance)
    inside = truth.values[counted & (truth.values > 0) & (truth.values < 1)]
    if 0 < p.k < p.total and np.all((inside > 1e-6) & (inside < 1 - 1e-6)):
        scale = max(abs(truth.cut), np.abs(p.x[counted]).min(), p.temperature)
        assert got.soft_threshold == pytest.approx(truth.cut, rel=0, abs=1e-10 * scale)
        if not truth.flat:  # then the threshold is unique, and rows without weight follow it
            np.testing.assert_allclose(got.values, truth.values, rtol=0, atol=tolerance)


# --- the answer ---------------------------------------------------------------------------------------------------


@given(problems())
def test_small_two_roads_to_the_truth_meet(p):
    a, b = (f(p.x, p.k, p.temperature, p.weight) for f in (reference.project, reference.project_by_sorting))
    np.testing.assert_allclose(a.values[p.w > 0], b.values[p.w > 0], rtol=0, atol=1e-14)


@both
@given(problems())
@example(Problem(np.array([1 + E, 1 + 2 * E]), 1.0, 1e-20, None))  # the middle of the gap rounds to one of its ends
@example(Problem(np.array([5.0, 0.0, 3.0]), 1.0, 1.0, np.array([1.0, 1.0, 0.0])))
@example(Problem(np.array([0.7]), np.nextafter(1.0, 0), 1.0, None))
@example(Problem(np.array([1e30, -1e30, 1e30, 1e30]), 1.5, 5e-324, None))
def test_small_equals_the_truth(method, p):
    check_against_truth(p, solve(p, method))


@given(problems())
def test_small_equals_the_truth_on_the_way_for_large_arrays(p):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hsboost._solver.search.SMALL", 0)
        patch.setattr("hsboost._solver.problems.BLOCK", 0)
        check_against_truth(p, solve(p))


@both
@given(problems())
def test_small_is_a_point_of_the_polytope_in_the_order_of_the_scores(method, p):
    got = solve(p, method)
    values = got.values
    assert values.dtype == np.float64
    assert values.min() >= 0
    assert values.max() <= 1
    assert float((p.w * values).sum()) == pytest.approx(p.k, rel=1e-11, abs=1e-12 * p.total)
    if p.weight is None or p.weight.min() > 0:
        assert np.all(np.diff(values[np.argsort(p.x, kind="stable")]) >= 0)
    for tied in np.unique(p.x):
        assert np.unique(values[(p.x == tied) & (p.w > 0)]).size <= 1


@both
@given(problems(), st.randoms(use_true_random=False))
def test_small_rows_may_come_in_any_order(method, p, random):
    order = np.array(random.sample(range(p.x.size), p.x.size))
    shuffled = p._replace(x=p.x[order], weight=None if p.weight is None else p.weight[order])
    # Sums in another order round differently, which a row on the verge of 0 or 1 may feel.
    a, b, counted = solve(shuffled, method).values, solve(p, method).values[order], p.w[order] > 0
    np.testing.assert_allclose(a[counted], b[counted], rtol=0, atol=1e-11)


@both
@given(problems(moderate=True), st.integers(-64, 64))
def test_small_a_shift_of_all_scores_moves_only_the_threshold(method, p, eighths):
    p = p._replace(x=np.round(p.x * 8) / 8)  # so that the shift is exact
    moved = solve(p._replace(x=p.x + eighths / 8), method)
    still = solve(p, method)
    np.testing.assert_allclose(moved.values, still.values, rtol=0, atol=1e-11)
    assert moved.soft_threshold == pytest.approx(still.soft_threshold + eighths / 8, abs=1e-10)
    assert moved.multiplier == pytest.approx(still.multiplier + eighths / 8 / p.temperature, abs=1e-9)


@both
@given(problems(moderate=True))
def test_small_values_threshold_and_cut_say_the_same(method, p):
    got = solve(p, method)
    assert got.temperature == p.temperature
    np.testing.assert_allclose(got.values, np.clip(p.x / p.temperature - got.multiplier, 0, 1), rtol=0, atol=1e-11)
    assert got.soft_threshold == pytest.approx(p.temperature * (got.multiplier + 0.5), abs=1e-11)
    far = np.abs(p.x - got.soft_threshold) > 1e-9
    np.testing.assert_array_equal((p.x > got.soft_threshold)[far], (got.values > 0.5)[far])
    np.testing.assert_array_equal(got.active, (got.values > 0) & (got.values < 1))


@both
@given(problems(moderate=True))
def test_small_projecting_twice_changes_nothing(method, p):
    p = p._replace(temperature=1.0)
    once = solve(p, method).values
    # Where a row without weight lands is the threshold's business, and a vertex does not pin that down.
    counted = p.w > 0
    twice = solve(p._replace(x=once), method).values
    np.testing.assert_allclose(twice[counted], once[counted], rtol=0, atol=1e-11)


@both
def test_small_vertices_are_fixed_points(method, rng):
    for k in range(1, 9):
        y = rng.permutation(np.arange(9) < k).astype(float)
        got = project_hypersimplex(y, k, temperature=0.5, method=method)
        np.testing.assert_array_equal(got.values, y)
        assert not got.active.any()


@both
@given(problems(weighted=True))
def test_small_integer_weights_are_repeated_rows(method, p):
    times = np.round(p.weight).astype(int)
    assume(times.sum() > 0)
    p = p._replace(weight=times.astype(float), k=p.k / p.total * times.sum())
    repeated = solve(Problem(np.repeat(p.x, times), p.k, p.temperature, None), method)
    np.testing.assert_allclose(np.repeat(solve(p, method).values, times), repeated.values, rtol=0, atol=1e-11)


@both
@pytest.mark.parametrize("extra", [-9.0, 0.0, 0.3, 1.0, 1.2, 2.5, 2.9, 3.0, 9.0])
@pytest.mark.parametrize(("temperature", "k"), [(1.0, 2.0), (1.0, 2.5), (0.1, 2.0), (8.0, 1.2), (1e-3, 1.0)])
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_small_rows_without_weight_are_not_there(method, extra, temperature, k, passes, request):
    if passes:
        request.getfixturevalue("passes_only")
    x = np.array([3.0, -1.0, 1.2, 0.0])
    alone = project_hypersimplex(x, k, temperature=temperature, method=method)
    w = np.array([1.0, 1, 1, 1, 0])
    joined = project_hypersimplex(np.append(x, extra), k, temperature=temperature, sample_weight=w, method=method)
    np.testing.assert_allclose(joined.values[:4], alone.values, rtol=0, atol=1e-14)
    assert joined.soft_threshold == pytest.approx(alone.soft_threshold, abs=1e-12)
    soft = float(np.clip(extra / temperature - joined.multiplier, 0, 1))
    hard = float(extra > joined.soft_threshold)  # as good where all other rows are 0 or 1
    assert min(abs(joined.values[4] - v) for v in ([soft] if alone.active.any() else [soft, hard])) < 1e-12


# --- corners ------------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("x", [[0.3], [0.3, 0.3, 0.3], [1e30, -1e30], [3.0, -1.0, 0.0, 0.0]])
def test_small_nothing_and_everything(method, x):
    x = np.array(x)
    none, every = (project_hypersimplex(x, k, method=method) for k in (0, x.size))
    np.testing.assert_array_equal(none.values, 0.0)
    np.testing.assert_array_equal(every.values, 1.0)
    assert not (x > none.soft_threshold).any()
    assert (x > every.soft_threshold).all() or np.abs(x).max() > 1e15  # 1e30 has no neighbour half a temperature below
    np.testing.assert_array_equal(none.jvp(np.ones(x.size)), 0.0)


@both
def test_small_one_row_and_equal_rows(method):
    assert project_hypersimplex([-4.2], 0.3, method=method).values == pytest.approx([0.3], abs=1e-15)
    got = project_hypersimplex([1e30] * 5, 2, method=method)
    np.testing.assert_allclose(got.values, 0.4, rtol=0, atol=1e-15)
    assert got.soft_threshold == 1e30


@both
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_small_the_cut_is_in_the_middle_of_a_gap(method, passes, request):
    if passes:
        request.getfixturevalue("passes_only")
    got = project_hypersimplex([3.0, -1.0, 2.5, 0.0], 2, temperature=0.5, method=method)
    assert got.values.tolist() == [1, 0, 1, 0]
    assert got.soft_threshold == 1.25
    assert got.multiplier == pytest.approx(2.0)


@both
@pytest.mark.parametrize("distance", [2.0, 7.0, 9.0, 100.0, 1e6, 1e12, 1e25])
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_clusters_far_apart(method, distance, passes, rng, request):
    """A confident model: three tight clusters, k at or near their borders, so that every row is far from the cut."""
    if passes:
        request.getfixturevalue("passes_only")
    for size in (6, 60, 600) * 3:
        sizes = rng.integers(1, size, 3)
        # Thin tails make Newton's step creep towards the border of a cluster.
        x = rng.normal(size=sizes.sum()) * 0.01 + np.repeat([distance, 0.0, -distance], sizes)
        x = rng.permutation(x)
        for k in (sizes[0], sizes[0] + sizes[1], sizes[0] + 0.5, sizes[0] - 0.25):
            check_against_truth(Problem(x, float(k), 1.0, None), project_hypersimplex(x, k, method=method))


@both
@pytest.mark.parametrize("k", [5e-324, 1e-38, 1e-17, 2 - 4e-16])
@pytest.mark.parametrize("x", [[0.7, 0.7], [3.0, 0.0], [0.25, 0.0], [1e30, -1e30]])
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_small_k_within_rounding_of_nothing_or_everything(method, k, x, passes, request):
    if passes:
        request.getfixturevalue("passes_only")
    got = project_hypersimplex(x, k, method=method)
    np.testing.assert_allclose(got.values, np.full(2, round(k) / 2), rtol=0, atol=1e-15)
    assert np.isfinite(got.soft_threshold)
    assert np.isfinite(got.multiplier)


@both
@pytest.mark.parametrize("unit", [1.0, 3.0, 1e30, 1e-280])
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_small_neighbouring_floats_are_told_apart(method, unit, passes, request):
    """Between two neighbours there is no middle: the cut must still separate them."""
    if passes:
        request.getfixturevalue("passes_only")
    for step in range(4):
        low = np.nextafter(unit, np.inf) if step % 2 else unit
        low = low if step < 2 else -np.nextafter(low, np.inf)
        x = np.array([low, np.nextafter(low, np.inf)])
        got = project_hypersimplex(x, 1, temperature=unit * 1e-25, method=method)
        assert got.values.tolist() == [0.0, 1.0]
        assert (x > got.soft_threshold).tolist() == [False, True]


@both
@pytest.mark.parametrize("temperature", [5e-324, 1e-310, 2.0**-1022, 1e-300])
def test_small_temperatures_without_a_reciprocal(method, temperature):
    x = np.array([0.5, -1.0, 0.5, 2.0, 0.5])
    got = project_hypersimplex(x, 2, temperature=temperature, method=method)
    np.testing.assert_allclose(got.values, [1 / 3, 0, 1 / 3, 1, 1 / 3], rtol=0, atol=1e-15)
    assert got.soft_threshold == 0.5
    # Scores as small as the temperature: 3, 2, 1, 0 units of it.
    x = np.arange(4) * temperature
    np.testing.assert_allclose(project_hypersimplex(x, 1.5, temperature=temperature, method=method).values,
                               [0, 0, 0.5, 1], rtol=0, atol=1e-15)  # fmt: skip


@both
@pytest.mark.parametrize("n", [7, 3000, SMALL + 1])
def test_float32_scores_give_float32_values_and_an_accurate_threshold(method, n, rng):
    x = (rng.normal(size=n) * 2 + 100).astype(np.float32)
    for w in (None, rng.uniform(0, 2, n), rng.uniform(0, 2, n).astype(np.float32)):
        single = project_hypersimplex(x, 0.3 * n, sample_weight=w, method=method)
        double = project_hypersimplex(x.astype(np.float64), 0.3 * n, sample_weight=w, method=method)
        assert single.values.dtype == np.float32
        assert double.values.dtype == np.float64
        np.testing.assert_allclose(single.values, double.values, rtol=0, atol=6e-8)
        assert single.multiplier == pytest.approx(double.multiplier, rel=1e-14)
        assert single.soft_threshold == pytest.approx(double.soft_threshold, rel=1e-14)


def test_small_inputs_of_all_kinds(rng):
    x = rng.integers(-3, 4, 12)
    truth = project_hypersimplex(x.astype(np.float64), 5).values
    frozen = x.astype(np.float64)
    frozen.flags.writeable = False
    column, strided = x.astype(np.float64)[:, None], np.repeat(x.astype(np.float64), 2)[::2]
    for same in (x, x.tolist(), x.astype(np.int8), x.astype(np.float16), x.astype(">f8"), frozen, column, strided):
        np.testing.assert_allclose(project_hypersimplex(same, 5).values, truth, rtol=0, atol=1e-14)


# --- the derivative -----------------------------------------------------------------------------------------------


def generic(rng, n=40, weighted=False, temperature=0.8):
    """A problem whose rows all stay clear of the kinks, with rows on both sides and inside."""
    while True:
        x = rng.normal(size=n)
        w = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0.5, 2, n)) if weighted else None
        k = 0.4 * (n if w is None else w.sum())
        p = project_hypersimplex(x, k, temperature=temperature, sample_weight=w)
        z = x / temperature - p.multiplier
        if min(np.abs(z).min(), np.abs(z - 1).min()) > 1e-3 and 3 < p.active.sum() < n:
            return x, k, w, p


@pytest.mark.parametrize("weighted", [False, True])
def test_small_jvp_is_the_derivative(weighted, rng):
    for _ in range(5):
        x, k, w, p = generic(rng, weighted=weighted)
        v, h = rng.normal(size=x.size), 1e-5
        ahead, behind = (
            project_hypersimplex(x + s * h * v, k, temperature=p.temperature, sample_weight=w).values for s in (1, -1)
        )
        np.testing.assert_allclose(p.jvp(v), (ahead - behind) / (2 * h), rtol=0, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_small_jacobian_is_a_projection_and_vjp_its_transpose(weighted, rng):
    x, _, w, p = generic(rng, weighted=weighted)
    eye = np.eye(x.size)
    jacobian = np.column_stack([p.jvp(e) for e in eye])
    np.testing.assert_allclose(jacobian @ jacobian * p.temperature, jacobian, rtol=0, atol=1e-14)
    np.testing.assert_allclose(np.column_stack([p.vjp(e) for e in eye]), jacobian.T, rtol=0, atol=1e-14)
    np.testing.assert_allclose(jacobian @ np.ones(x.size), 0, rtol=0, atol=1e-14)  # a common shift moves nothing
    u, v = rng.normal(size=(2, x.size))
    assert u @ p.jvp(v) == pytest.approx(p.vjp(u) @ v, abs=1e-12)
    np.testing.assert_array_equal(p.jvp(v)[~p.active], 0.0)
    weights = np.ones(x.size) if w is None else w
    assert weights @ p.jvp(v) == pytest.approx(0, abs=1e-12)  # the total mass stays


# --- other libraries ----------------------------------------------------------------------------------------------


def random_problems(rng, count=1000, n=None, positive=False):
    """Ties, clusters, sharp and soft temperatures; every other one weighted, some rows by 0 unless ``positive``."""
    for i in range(count):
        size = n or int(rng.integers(1, 40))
        x = rng.normal(size=size) * 3 if i % 3 else rng.integers(-3, 4, size).astype(float)
        w = rng.uniform(0.1, 2, size) if i % 2 else np.ones(size)
        if not positive and i % 4 == 1 and size > 1:
            w[rng.integers(size)] = 0.0
        k = float(rng.uniform(0, w.sum())) if i % 5 else float(np.floor(rng.uniform(0, w.sum())))
        yield Problem(x, k, float(rng.choice([0.2, 1.0, 3.0])), w)


@both
def test_equals_scipy_isotonic_regression(method, rng):
    """The paper's reduction, with SciPy's solver: y = z - isotonic(z - the vertex that fills k from the front)."""
    for p in random_problems(rng):
        order = np.argsort(-p.x, kind="stable")
        order = order[p.weight[order] > 0]
        z, w = p.x[order] / p.temperature, p.weight[order]
        vertex = np.clip((p.k - (np.cumsum(w) - w)) / w, 0, 1)
        expected = z - isotonic_regression(z - vertex, weights=w, increasing=False).x
        np.testing.assert_allclose(solve(p, method).values[order], expected, rtol=0, atol=1e-9)


@both
def test_equals_entmax_budget(method, rng):
    torch = pytest.importorskip("torch", reason="entmax needs torch")
    entmax = pytest.importorskip("entmax", reason="an independent implementation in torch")
    for p in random_problems(rng):
        p = p._replace(weight=None, k=min(p.k, p.x.size))
        z = torch.tensor(p.x / p.temperature, dtype=torch.float64)
        expected = entmax.budget_bisect(z, budget=p.k, dim=0, n_iter=70).numpy()
        np.testing.assert_allclose(solve(p, method).values, expected, rtol=0, atol=1e-9)


@both
def test_equals_jaxopt_box_section(method, rng):
    """In p = √w y our weighted problem is jaxopt's: min ‖p - √w z‖² over 0 <= p <= √w, √w·p = k."""
    jax = pytest.importorskip("jax", reason="jaxopt needs jax")
    jaxopt = pytest.importorskip("jaxopt", reason="an independent implementation in jax")
    jax.config.update("jax_enable_x64", True)
    # jaxopt's bracket has no sign change at k = 0.
    solved = [p._replace(k=max(p.k, 0.5)) for p in random_problems(rng, n=24, positive=True)]
    z, w, k = (np.array(a) for a in zip(*((p.x / p.temperature, p.weight, p.k) for p in solved), strict=True))
    root = np.sqrt(w)
    ours = np.array([solve(p, method).values for p in solved])

    def section(x, r, c):
        return jaxopt.projection.projection_box_section(x, (0 * r, r, r, c))

    # It stops at a constraint violation of 1e-5 ...
    np.testing.assert_allclose(jax.vmap(section)(root * z, root, k) / root, ours, rtol=0, atol=1e-4)

    def mass(nu, z, w, c):
        return jax.numpy.dot(w, jax.numpy.clip(z - nu, 0, 1)) - c

    def bisect(z, w, c):
        ends = {"lower": z.min() - 1.5, "upper": z.max() + 0.5}
        search = jaxopt.Bisection(mass, **ends, maxiter=70, tol=1e-14, check_bracket=False)
        return jax.numpy.clip(z - search.run(z=z, w=w, c=c).params, 0, 1)

    # ... and its bisection goes on to the last digits when asked.
    np.testing.assert_allclose(jax.vmap(bisect)(z, w, k), ours, rtol=0, atol=1e-9)
