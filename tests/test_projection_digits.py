"""Projections where floats run out: temperatures of a few units in the last place, huge offsets, weights of all sizes.

The truth is exact: the multiplier as a fraction.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsboost import HypersimplexLoss, HypersimplexObjective, project_hypersimplex
from hsboost._kernels.search import flat_cut
from hsboost._solver.problems import values_at
from hsboost._solver.search import SMALL, multiplier_of
from hsboost._solver.segments import Segments, find_multipliers
from hsboost._workers.communicator import Workers
from hsboost.losses import HypersimplexFYLoss

pytestmark = pytest.mark.truth

METHODS = pytest.mark.parametrize("method", ["threshold", "pav"])


def exact(x: Any, k: float, temperature: float, weight: Any = None) -> list[Fraction]:
    """The projection without a rounding: F at every kink, and a straight line between two of them."""
    z = [Fraction(float(value)) / Fraction(temperature) for value in x]
    w = [Fraction(1)] * len(z) if weight is None else [Fraction(float(value)) for value in weight]
    mass = Fraction(k)

    def excess(nu: Fraction) -> Fraction:
        return sum(weight * min(max(value - nu, Fraction(0)), Fraction(1)) for value, weight in zip(z, w)) - mass  # noqa: B905

    kinks = sorted({value - step for value in z for step in (0, 1)})
    nu = kinks[0]
    for left, right in pairwise(kinks):
        at_left, at_right = excess(left), excess(right)
        if at_left >= 0 > at_right:
            nu = left + (right - left) * at_left / (at_left - at_right)
            break
        if at_left >= 0:
            nu = right
    return [min(max(value - nu, Fraction(0)), Fraction(1)) for value in z]


@st.composite
def near_floats(draw: st.DrawFn) -> tuple[np.ndarray, float, float, np.ndarray | None]:
    """Scores some units in the last place apart, perhaps one far away; a temperature of a few; k; weights or None."""
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    base = dtype(draw(st.sampled_from([1.0, -3.7e5, 1e6, -1e6, 1e12, 1e30, -1e30])))
    unit = float(abs(np.spacing(base)))
    steps = draw(st.lists(st.integers(-6, 6), min_size=1, max_size=8))
    x = (base + np.array(steps, dtype) * dtype(unit)).astype(dtype)
    far = draw(st.sampled_from([None, None, None, 0.0, 1e30, -1e30, 1e12]))
    if far is not None:
        x[draw(st.integers(0, x.size - 1))] = dtype(far)
    temperature = unit * draw(st.sampled_from([0.3, 0.5, 0.7, 1.0, 1.3, 1.5, 2.0, 2.5, 3.0, 4.0, 8.0, 33.3]))
    weight = None
    if draw(st.booleans()):
        weight = np.array(draw(st.lists(st.sampled_from([0.0, 0.3, 1.0, 2.0, 2.7]), min_size=x.size, max_size=x.size)))
        weight[0] = weight[0] or 1.0
    total = float(x.size if weight is None else weight.sum())
    whole = st.integers(0, x.size).map(float)
    k = draw(st.one_of(whole, st.just(total), st.floats(0, 1).map(lambda share: share * total)))
    return x, min(k, total), temperature, weight


def check(values: np.ndarray, truth: list[Fraction], k: float, weight: np.ndarray | None) -> None:
    """Values of the rows that count, and the mass."""
    w = np.ones(values.size) if weight is None else weight
    expected = np.array([float(value) for value in truth])
    digits = 4e-7 if values.dtype == np.float32 else 1e-11
    np.testing.assert_allclose(values[w > 0], expected[w > 0], rtol=0, atol=digits)
    assert abs(float(w @ values.astype(np.float64)) - k) <= digits * max(w.sum(), 1.0)


@METHODS
@settings(max_examples=150, deadline=None)
@given(problem=near_floats())
def test_temperatures_of_a_few_units_in_the_last_place(method: Any, problem: Any) -> None:
    x, k, temperature, weight = problem
    truth = exact(x, k, temperature, weight)
    found = project_hypersimplex(x, k, temperature=temperature, sample_weight=weight, method=method)
    check(found.values, truth, k, weight)
    # The cut is a float of its own here, and comparing scores with it is the hard assignment.
    counts = np.ones(x.size, bool) if weight is None else weight > 0
    decided = [value != Fraction(1, 2) for value in truth] & counts
    high = np.array([value > Fraction(1, 2) for value in truth])
    np.testing.assert_array_equal((x.astype(np.float64) > found.soft_threshold)[decided], high[decided])
    # In place, in groups beside others, in columns: the same.
    if method == "threshold":
        assert (
            project_hypersimplex(x, k, temperature=temperature, sample_weight=weight, out=x.copy()).soft_threshold
            == found.soft_threshold
        )
    twice, codes = np.repeat(x, 2), np.tile([0, 1], x.size)
    both = None if weight is None else np.repeat(weight, 2)
    grouped = project_hypersimplex(twice, k, temperature=temperature, sample_weight=both, groups=codes, method=method)
    columns = project_hypersimplex(
        np.stack([x, x[::-1]], 1) if weight is None else np.stack([x, x], 1), k, temperature=temperature,
        sample_weight=weight, method=method,
    )  # fmt: skip
    for values in (grouped.values[codes == 0], grouped.values[codes == 1], columns.values[:, 0]):
        check(np.ascontiguousarray(values), truth, k, weight)
    np.testing.assert_array_equal([*grouped.soft_threshold, columns.soft_threshold[0]], [found.soft_threshold] * 3)
    # Derivatives go through the rows strictly inside, and no others. A row that lies on the border itself is on a kink,
    # where rounding decides, and either side's derivative is one.
    direction = np.arange(1.0, x.size + 1)
    strictly = [0 < value < 1 for value in truth]
    inside = np.array(strictly) & found.active
    kink = np.zeros(x.size, bool)
    if any(strictly):
        j = strictly.index(True)
        exact_x, exact_t = [Fraction(float(one)) for one in x], Fraction(temperature)
        kink = np.array([truth[j] + (one - exact_x[j]) / exact_t in (0, 1) for one in exact_x])
    np.testing.assert_array_equal(found.jvp(direction)[~inside & counts & ~kink], 0.0)


@METHODS
@pytest.mark.parametrize(
    ("ulps", "width", "k", "expected"),
    [
        ([-8, 9, 4, -8], 3.0, 1.0, [0, 1, 0, 0]),  # a gap of 5, wider than the band: its middle is no float
        ([3, -5, 3, 7], 3.3, 1.0, [0, 0, 0, 1]),
        ([0, 1], 1.0, 1.0, [0, 1]),
        ([0, 3], 2.9, 1.0, [0, 1]),
        ([0, 3], 6.0, 1.0, [0.25, 0.75]),
    ],
)
@pytest.mark.parametrize("base", [1e6, -1e6, 1e30, 1e300, 1.0])
def test_the_middle_of_a_gap_that_is_no_float(
    base: float, ulps: list[int], width: float, k: float, expected: list[float], method: Any
) -> None:
    unit = float(abs(np.spacing(base)))
    x = base + np.array(ulps) * unit
    found = project_hypersimplex(x, k, temperature=width * unit, method=method)
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(x > found.soft_threshold, np.array(expected) > 0.5)


def test_flat_cut_puts_both_ends_of_a_gap_outside_the_band() -> None:
    for base in (1.0, 1e6, -1e30):
        unit = float(abs(np.spacing(base)))
        for gap in range(1, 12):
            for temperature in np.array([0.1, 0.5, 0.9, 0.999, 1.0]) * gap * unit:
                below, above = base, base + gap * unit
                anchor, nu = flat_cut(below, above, 1.0 / temperature)
                values = (np.array([below, above]) - anchor) / temperature - nu
                assert values[0] <= 1e-14
                assert values[1] >= 1.0 - 1e-14


@pytest.mark.parametrize("n", [9_000, SMALL + 1])
def test_many_rows_a_few_units_apart(n: int) -> None:
    # By the sampled search and by threaded passes, cold and warm; the truth from counts, which are few.
    rng = np.random.default_rng(3)
    for base, width, far in ((1e6, 1.5, 0.0), (-1e12, 3.0, 1e30), (1e6, 0.7, -1e30)):
        unit = float(abs(np.spacing(base)))
        x = base + rng.integers(-40, 41, n) * unit
        x[0] = far
        levels, counts = np.unique(x, return_counts=True)
        for k in (1.0, 0.05 * n, float(counts[-30:].sum()), n - 1.0):
            truth = dict(zip(levels, exact(levels, k, width * unit, counts), strict=True))
            expected = np.array([float(truth[value]) for value in x])
            cold = multiplier_of(x, None, k, float(n), width * unit)
            warm = multiplier_of(x, None, k, float(n), width * unit, (cold.anchor + 9 * unit, -0.5))
            for where in (cold, warm):
                np.testing.assert_allclose(values_at(x, where), expected, rtol=0, atol=1e-11)
        segments = Segments.equal(3, n)
        found = find_multipliers(segments, np.tile(x, 3), None, np.full(3, k), np.full(3, float(n)), width * unit)
        np.testing.assert_array_equal(found.soft_threshold, [cold.soft_threshold] * 3)


@settings(max_examples=60, deadline=None)
@given(problem=near_floats())
@pytest.mark.parametrize("kind", [HypersimplexLoss, HypersimplexFYLoss])
def test_losses_see_the_same_projection(kind: Any, problem: Any) -> None:
    x, _, temperature, weight = problem
    y = np.arange(x.size) % 2
    w = np.ones(x.size) if weight is None else weight
    if not 0 < w @ y < w.sum():
        return
    r = np.array([float(value) for value in exact(x, float(w @ y), temperature, weight)]) - y
    loss = kind(temperature=temperature)
    groups = np.repeat([0, 1], x.size)
    twice = [None if a is None else np.tile(a, 2) for a in (y, x, weight)]
    if kind is HypersimplexLoss:
        assert loss.loss(y, x, weight) == pytest.approx(0.5 * w @ r**2, abs=1e-10 * w.sum())
        assert loss.loss(*twice, groups) == pytest.approx(w @ r**2, abs=1e-10 * w.sum())
    else:
        rows = w > 0
        gradient = loss.gradient(y, x, weight) * temperature
        np.testing.assert_allclose(gradient[rows], (w * r)[rows], rtol=0, atol=1e-6 if x.dtype == np.float32 else 1e-10)
        np.testing.assert_allclose(
            loss.boosting_step(y, x, weight, None)[0][rows] / temperature, (w * r)[rows], rtol=0, atol=1e-6
        )


def test_workers_find_the_same_threshold() -> None:
    from hsboost._workers.rows import WorkerRows
    from hsboost._workers.search import find_distributed

    class Alone(Workers):
        """One worker, which is all of them."""

        def __init__(self) -> None:
            pass

        def sum(self, shape: tuple[int, ...], values: Any) -> np.ndarray:
            return np.asarray(values(), np.float64).reshape(shape)

        max = sum

    rng = np.random.default_rng(0)
    for case in range(300):
        base = [1e6, -1e12, 1e30][case % 3]
        unit, n = float(abs(np.spacing(base))), int(rng.integers(2, 9))
        x, width = base + rng.integers(-6, 7, n) * unit, float(rng.choice([0.7, 1.5, 3.0, 8.0]))
        k = float(rng.integers(0, n + 1)) if case % 2 else float(rng.uniform(0, n))
        rows = WorkerRows(x, np.zeros(n), None, np.array([0, n], np.intp))
        scale = 1.0 / (width * unit)
        where = find_distributed(Alone(), rows, np.array([k]), np.array([float(n)]), scale, None).where.at(0)
        check(values_at(x, where), exact(x, k, width * unit), k, None)


def spread_weights(rng: np.random.Generator, n: int) -> np.ndarray:
    """Weights of all sizes, some zero."""
    weight = 10.0 ** rng.uniform(*[(-280, -200), (-20, 20), (-280, 300), (250, 300)][rng.integers(4)], n)
    weight[rng.random(n) < 0.15] = 0.0
    weight[0] = weight[0] or 1.0
    return weight  # their sum is never below the limit


@METHODS
def test_weights_of_all_sizes_are_right_or_refused(method: Any) -> None:
    rng, refused, total = np.random.default_rng(1), 0, 1000
    for _ in range(total):
        n = int(rng.integers(1, 8))
        x, weight = rng.normal(size=n) * rng.choice([0.3, 1.0, 5.0]), spread_weights(rng, n)
        whole = float(weight.sum())
        k = min(whole, [whole * rng.random(), float(weight[rng.random(n) < 0.5].sum())][rng.integers(2)])
        if 0.0 < k < 1e-10 * whole and weight[weight > 0].min() < 1e-10 * weight.max():
            with pytest.raises(ValueError, match=r"k=.* of the total weight .*leave out the heavy rows"):
                project_hypersimplex(x, k, sample_weight=weight, method=method)
            refused += 1
            continue
        truth = exact(x, k, 1.0, weight)
        found = project_hypersimplex(x, k, sample_weight=weight, method=method)
        # Right is each value, or the mass: where heavy rows decide what light ones get, values have no digits left.
        mass = sum(Fraction(float(value)) * Fraction(w) for value, w in zip(found.values, weight.tolist(), strict=True))
        off = max(
            abs(Fraction(float(value)) - t) for value, t, w in zip(found.values, truth, weight, strict=True) if w > 0
        )
        assert off <= 1e-9 or abs(mass - Fraction(k)) <= Fraction(k) / 10**9
    assert 0 < refused < total / 4


@METHODS
@pytest.mark.parametrize("share", [1e-9, 1e-10, 3e-10])
def test_a_heavy_row_at_the_edge_of_the_band_does_not_hide_the_light_ones(share: float, method: Any) -> None:
    # The heavy row's score is where a light row's value would begin to fall: up to there it has the slope of F.
    x, weight = np.array([0.25, 0.5, -0.5]), np.array([1.0, 4 * share, 2 * share])
    found = project_hypersimplex(x, share, sample_weight=weight, method=method)
    np.testing.assert_allclose(found.values, [0.0, 0.25, 0.0], rtol=0, atol=1e-6)


#: Every way for weights to reach a projection.
ROUTES: dict[str, Any] = {
    "project": lambda w, g: project_hypersimplex(X, 2.0 * w[0], sample_weight=w),
    "project pav": lambda w, g: project_hypersimplex(X, 2.0 * w[0], sample_weight=w, method="pav"),
    "project groups": lambda w, g: project_hypersimplex(X, np.bincount(g, w) / 2, sample_weight=w, groups=g),
    "project columns": lambda w, g: project_hypersimplex(np.stack([X, X], 1), w[0], sample_weight=w),
    "loss": lambda w, g: HypersimplexLoss().loss(Y, X, w),
    "loss groups": lambda w, g: HypersimplexLoss().loss(Y, X, w, g),
    "loss classes": lambda w, g: HypersimplexLoss().loss(Y, np.stack([X, -X], 1), w),
    "gradient": lambda w, g: HypersimplexFYLoss().gradient(Y, X, w),
    "step": lambda w, g: HypersimplexLoss().boosting_step(Y, X, w, None),
    "cut": lambda w, g: HypersimplexLoss().threshold(Y, X, w),
    "objective": lambda w, g: HypersimplexObjective()(Y, X, w),
    "objective groups": lambda w, g: HypersimplexObjective(groups=g)(Y, X, w),
}
X, Y, GROUPS = np.array([0.3, 0.1, -0.4, 0.2]), np.array([1, 0, 1, 0]), np.array([0, 1, 0, 1])


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("size", [1e-291, 1e-305, 1e-310, 5e-324])
def test_sums_of_weights_without_digits_are_refused(route: str, size: float) -> None:
    with pytest.raises(ValueError, match=r"sample_weight must have a sum of at least 1e-290.*multiply the weights"):
        ROUTES[route](np.full(4, size), GROUPS)


@pytest.mark.parametrize("route", [route for route in ROUTES if "groups" in route])
def test_a_group_that_weighs_almost_nothing_is_named(route: str) -> None:
    with pytest.raises(ValueError, match=r"sample_weight.*in group 1"):
        ROUTES[route](np.where(GROUPS == 1, 1e-305, 1e-305 + (GROUPS == 0)), GROUPS)


@pytest.mark.parametrize("route", ROUTES)
def test_weights_near_the_limits_are_those_near_one(route: str) -> None:
    weight = np.array([1.0, 1.0, 2.0, 1.0])
    for power in (-940, 940):
        if route.startswith("objective") and power > 0:  # boosters get float32, which holds no such gradients
            with pytest.raises(
                ValueError, match=r"sample_weight must have a sum of at most 1e\+38.*divide the weights"
            ):
                ROUTES[route](weight * 2.0**power, GROUPS)
            continue
        found, plain = (ROUTES[route](weight * 2.0**p, GROUPS) for p in (power, 0))
        if route.startswith("project"):
            np.testing.assert_allclose(found.values, plain.values, rtol=0, atol=1e-12)
        elif route.startswith("loss"):
            assert found == pytest.approx(plain * 2.0**power, rel=1e-12)
        elif route == "gradient":
            np.testing.assert_allclose(found, plain * 2.0**power, rtol=1e-12)
        elif route == "cut":
            assert found == plain
