"""The search needs nothing of the rows but a reducer's sums, and few of them."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from strategies import problems

from hsboost._kernels import guess, multiplier
from hsboost._kernels.search import MARGIN
from hsboost._kernels.settle import SAMPLED_FROM
from hsboost._solver.search import SMALL, ArrayReducer, Sums, find_multiplier, guess_from, multiplier_of


class PlainReducer:
    """Rows in NumPy arrays, each answer one expression; it meets the contract of `Reducer`.

    ``guesses``: what to answer to `guess`. ``narrows``: "never", or "always" (however many rows stay undecided: a
    narrowed reducer then refuses to answer outside its bracket).
    """

    def __init__(self, x, w, scale, guesses=None, narrows="never"):
        self.x, self.w, self.scale, self.anchor = x, w, scale, 0.0
        self.guesses = (float(x[0]), -0.5) if guesses is None else guesses
        self.narrows, self.bracket, self.narrowed = narrows, None, 0

    def _v(self, nu):
        return (self.x - self.anchor) * self.scale - nu

    def guess(self, k):
        return (*self.guesses, None)[:3]

    def sums(self, nu):
        if self.bracket is not None:
            assert self.bracket[0] <= nu <= self.bracket[1], "asked outside the bracket of narrow()"
        if not np.isfinite(self.x).all():
            raise FloatingPointError
        v = self._v(nu)
        active = (v >= 0) & (v <= 1)
        w = self.w
        return Sums(float(w[v > 1].sum()), float(w[active].sum()), float((w * v)[active].sum()))

    def narrow(self, lo, hi):
        if self.narrows == "never":
            return False
        self.bracket = (lo, hi)
        self.narrowed += 1
        return True

    def widen(self):
        self.bracket = None

    def bounds(self):
        return float(self.x[self.w > 0].min()), float(self.x[self.w > 0].max())

    def nearest(self, nu):
        return float(self.x[np.argmin(np.abs(self._v(nu) - 0.5))])

    def interior(self, nu):
        v = self._v(nu)
        return float(self.w[(v > MARGIN) & (v < 1 - MARGIN)].sum())

    def gap(self, nu):
        counted = self.w > 0
        upper = self._v(nu) > 0.5
        below, above = self.x[counted & ~upper], self.x[counted & upper]
        return float(below.max(initial=-np.inf)), float(above.min(initial=np.inf))


def values(rows, where):
    v = np.clip((rows.x - where.anchor) * where.scale - where.nu, 0, 1)
    return np.round(v) if where.flat else v


GUESSES = {
    "none": None,
    "far": (1e6, 0.0),
    "far nu": (0.0, -1e5),
    "opposite": (-3.0, 7.0),
    "huge": (1e25, 0.0),
}


@pytest.mark.parametrize("narrows", ["never", "always"])
@pytest.mark.parametrize("guess", GUESSES)
@given(p=problems(moderate=True))
def test_small_any_reducer_and_any_guess_find_the_root(guess, narrows, p):
    rows = PlainReducer(p.x, p.w, 1 / p.temperature, GUESSES[guess], narrows)
    where = find_multiplier(rows, p.k, p.total)
    truth = reference.project(p.x, p.k, p.temperature, p.weight)
    counted = p.w > 0
    np.testing.assert_allclose(values(rows, where)[counted], truth.values[counted], rtol=0, atol=1e-10)


@pytest.mark.parametrize("narrows", ["never", "always"])
def test_small_start_beats_guess_and_does_not_change_the_root(narrows, rng):
    x, w = rng.normal(size=300), rng.uniform(0, 2, 300)
    roots = []
    for start in (None, (0.3, 0.0), (x[0], -0.5), (-50.0, 3.0), (1e20, 0.0)):
        rows = PlainReducer(x, w, 2.0, narrows=narrows)
        where = find_multiplier(rows, 0.3 * w.sum(), float(w.sum()), start)
        assert not where.flat
        roots.append(where.value)
        assert where.soft_threshold == pytest.approx((where.value + 0.5) / 2.0, abs=1e-12)
        if narrows == "always":
            assert rows.narrowed > 0
    np.testing.assert_allclose(roots, roots[0], rtol=0, atol=1e-13)


class Watched(PlainReducer):
    """Narrows to every bracket, and counts those given up because the sums at their ends put the root elsewhere."""

    given_up = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, narrows="always", **kwargs)

    def widen(self):
        self.given_up += self.bracket is not None
        super().widen()


def test_small_a_bracket_that_misses_the_root_is_given_up(rng):
    given_up = 0
    for _ in range(200):
        # Few rows with kinks everywhere: Newton's error does not shrink eightfold, so some brackets miss.
        x, k = rng.normal(size=12) * 2, float(rng.uniform(1, 11))
        rows = Watched(x, np.ones(12), 1.0, guesses=(float(x[0]), float(rng.normal())))
        where = find_multiplier(rows, k, 12.0)
        np.testing.assert_allclose(values(rows, where), reference.project(x, k).values, rtol=0, atol=1e-12)
        given_up += rows.given_up
    assert given_up > 0  # else this test has lost its point


@given(problems(moderate=True, max_size=60), st.booleans())
def test_small_array_reducer_agrees_with_plain_numpy(p, single):
    """The compiled passes against one NumPy expression each, at thresholds on and off the rows."""
    x = p.x.astype(np.float32).astype(np.float64)  # the same numbers in both widths
    plain = PlainReducer(x, p.w, 1 / p.temperature, p.total)
    fast = ArrayReducer(x.astype(np.float32) if single else x, p.weight, 1 / p.temperature, p.total)
    assert fast.bounds() == plain.bounds()
    for anchor, nu in ((0.0, 0.1), (float(x[0]), 0.0), (float(x[0]), -1.0), (1.0, -0.3)):
        fast.anchor = plain.anchor = anchor
        found, expected = fast.sums(nu), plain.sums(nu)
        tolerance = 1e-12 * (1 + p.total)
        assert found.ones + found.mass == pytest.approx(expected.ones + expected.mass, abs=tolerance)
        from_edges = np.abs(plain._v(nu)[:, None] - [0.0, 1.0])
        u = (x - anchor) / p.temperature
        if ((from_edges > 1e-9).all(axis=1) | (u == nu) | (u == nu + 1.0)).all():  # on the edge, or off it for certain
            np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        assert fast.interior(nu) == pytest.approx(plain.interior(nu), abs=1e-12 * (1 + p.total))
        assert abs(plain._v(nu)[x == fast.nearest(nu)][0] - 0.5) == np.abs(plain._v(nu) - 0.5).min()


@pytest.mark.parametrize("weighted", [False, True])
def test_narrowed_sums_equal_full_sums(weighted, rng):
    x = rng.normal(size=20_000)
    w = rng.uniform(0, 2, x.size) if weighted else None
    rows = ArrayReducer(x, w, 1.0, x.size if w is None else w.sum())
    rows.anchor = 0.25
    inside = np.linspace(-0.51, -0.49, 9)
    full = [rows.sums(nu) for nu in inside]
    assert rows.narrow(-0.51, -0.49)
    np.testing.assert_allclose([rows.sums(nu) for nu in inside], full, rtol=1e-12)
    rows.widen()
    assert rows.sums(3.0).mass < full[0].mass
    assert not rows.narrow(-0.5, 0.5)  # too many undecided rows


@pytest.mark.parametrize("n", [1, 63, 64, 500, 9_000])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_edges_of_a_gap_are_those_of_the_rows_with_weight(kind, n, rng):
    for spread in (1.0, 1e30):
        # Sorted either way, shuffled, tied: where the rows that matter lie must not.
        x = (rng.normal(size=n) * spread).astype(kind)
        for scores in (x, np.sort(x), np.sort(x)[::-1].copy(), np.round(x / spread).astype(kind)):
            for w in (None, (rng.random(n) < 0.5).astype(kind), np.zeros(n, kind)):
                rows = ArrayReducer(scores, w, 1 / spread, 1.0)
                plain = PlainReducer(scores.astype(float), np.ones(n) if w is None else w, 1 / spread)
                for nu in (-9.0, -0.5, -0.1, 0.3, 9.0):
                    assert rows.gap(nu) == plain.gap(nu)


class Counting(ArrayReducer):
    """Counts the passes over all rows."""

    passes = 0

    def sums(self, nu):
        self.passes += self._rest is None
        return super().sums(nu)

    def narrow(self, lo, hi):
        self.passes += 1
        return super().narrow(lo, hi)

    def interior(self, nu):
        self.passes += self._rest is None
        return super().interior(nu)


def test_a_warm_start_needs_few_passes(rng):
    x = rng.normal(size=1_000_000)
    k = 0.3 * x.size
    cold = Counting(x, None, 1.0, float(x.size))
    before = find_multiplier(cold, k, float(x.size))
    assert cold.passes <= 6
    x = x + 0.02 * rng.normal(size=x.size) + 0.01  # what one boosting round does
    warm = Counting(x, None, 1.0, float(x.size))
    where = find_multiplier(warm, k, float(x.size), (before.anchor, before.nu))
    assert warm.passes <= 4
    assert np.clip(x - where.value, 0, 1).sum() == pytest.approx(k, rel=1e-12)


@pytest.mark.parametrize("n", [5000, 20_000, 70_000])
def test_any_start_finds_the_gap_between_two_confident_clusters(n, rng):
    upper = rng.random(n) < 0.3
    x = rng.normal(size=n) * 0.01 + np.where(upper, 50.0, -50.0)
    for start in (None, (0.0, -0.5), (-60.0, 0.0), (55.0, 0.0), (-50.0, -0.5), (50.0, -0.5), (1e9, 0.0)):
        where = multiplier_of(x, None, float(upper.sum()), float(n), 1.0, start)
        assert where.flat
        assert where.soft_threshold == (x[upper].min() + x[~upper].max()) / 2


@pytest.mark.parametrize("n", [10, 20_000])
def test_small_scores_that_are_not_finite_are_noticed(n):
    for bad in (np.nan, np.inf, -np.inf):
        for row in (0, n // 2, n - 1):
            x = np.zeros(n)
            x[row] = bad
            with pytest.raises(FloatingPointError):
                multiplier_of(x, None, n / 3, float(n), 1.0)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("nu", [-0.62020201684148, -0.3, 1.7])
def test_float32_scores_add_up_without_rounding_to_one_side(weighted, nu, rng):
    """The digits that all v of a block have in common would be rounded alike, row after row."""
    x = rng.normal(size=10_000).astype(np.float32)
    w = np.ones(x.size, np.float32) if weighted else None
    anchor = float(x[0])
    v = x.astype(np.longdouble) - anchor - nu
    exact = v[(v >= 0) & (v <= 1)].sum()
    mass = multiplier.block_sums(x, w, anchor, 1.0, nu)[2]
    assert abs(float(mass - exact)) <= 2 * np.spacing(float(exact))


def test_sums_far_from_the_anchor_keep_their_digits_and_do_not_overflow():
    x = np.array([1e300, 1e300, -1e300, 0.0])
    assert multiplier.block_sums(x, None, 0.0, 1.0, 1e300)[:3] == (0.0, 2.0, 0.0)
    x = 1e9 + np.arange(8) / 8
    assert multiplier.block_sums(x, None, 0.0, 1.0, 1e9 - 0.25)[:3] == (1.0, 7.0, 0.25 * 7 + sum(range(7)) / 8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("length", [1, 8])
def test_a_sample_of_two_clusters_shows_the_gap(weighted, length, rng):
    x = rng.normal(size=40_000)
    top = rng.random(x.size) < 0.3
    x[top] += 50.0
    w = np.where(top, 2.0, 1.0) if weighted else None
    share = top.mean() if w is None else w[top].sum() / w.sum()
    few, some_w = (
        guess.sample(x, 1024 // length, length),
        None if w is None else guess.sample(w, 1024 // length, length),
    )
    assert guess.guess(few, some_w, 1.0, share)[2]
    order = np.argsort(few)
    middle = guess.middle_of_gap(few[order], None if some_w is None else some_w[order], 1.0, share, length)
    assert x[~top].max() < middle - 0.5 < middle + 0.5 < x[top].min()
    # One cluster, however few of its rows are active, has none.
    assert np.isnan(guess.middle_of_gap(np.sort(few[few < 25.0]) * 1e3, None, 1.0, share, length))


@pytest.mark.parametrize(
    "x", [np.zeros(16), np.full(16, 1e308), np.repeat([-1e308, 1e308], 8), np.repeat([0.0, 1.0], 8)]
)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_guess_is_a_number_whatever_the_finite_sample(x, share):
    for w in (None, np.ones(x.size), np.zeros(x.size)):
        anchor, nu, gap = guess_from(x, w, 1.0, share)
        assert np.isfinite(anchor)
        assert np.isfinite(nu)
        assert gap is None or np.isfinite(gap)


def test_scores_that_are_not_finite_are_found_behind_a_sample(rng):
    for bad in (np.nan, np.inf, -np.inf):
        x = rng.normal(size=SAMPLED_FROM)
        for rows in (slice(5, 6), slice(None)):
            x[rows] = bad
            with pytest.raises(FloatingPointError):
                multiplier_of(x, None, 100.0, float(x.size), 1.0)


@pytest.mark.parametrize("n", [SAMPLED_FROM - 1, SAMPLED_FROM, 50_000, SMALL])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", ["normal", "clusters", "ties", "outlier first"])
def test_problems_of_one_thread_begin_with_a_sample(n, weighted, shape, rng):
    x = rng.normal(size=n)
    if shape == "clusters":
        x[: n // 3] += 100.0
    elif shape == "ties":
        x = x.round(1)
    elif shape == "outlier first":
        x[0] = 1e30
    w = rng.integers(1, 4, n).astype(np.float64) if weighted else None
    for k in (n / 3 if w is None else w[: n // 3].sum(), 0.01 * n, n - 1.0):
        where = multiplier_of(x, w, k, float(n) if w is None else w.sum(), 1.0)
        y = np.clip(x - where.anchor - where.nu, 0, 1)
        assert float((y if w is None else w * y).sum()) == pytest.approx(k, rel=1e-12)


@given(problems(moderate=True, max_size=60), st.floats(1e-15, 0.3), st.integers(0, 59), st.booleans())
def test_small_rows_are_kept_if_and_only_if_they_are_undecided(p, width, at, up):
    """Brackets that begin or end on a row, or one temperature below it."""
    x, scale = p.x, 1 / p.temperature
    anchor = float(x[0])
    edge = (float(x[at % x.size]) - anchor) * scale - (1.0 if at % 2 else 0.0)
    lo, hi = (edge, edge + width) if up else (edge - width, edge)
    if not lo < hi < lo + 1.0:
        return
    keep_x, keep_w, out = np.empty((1, x.size)), np.empty((1, x.size)), np.empty((4, 1))
    multiplier.narrow(x.size, x, p.w, anchor, scale, lo, hi, keep_x, keep_w, out)
    ones, active, _, kept = out[:, 0]
    u = (x - anchor) * scale
    decided = (u <= lo) | ((u >= hi) & (u <= lo + 1.0)) | (u >= hi + 1.0)
    assert kept == x.size - decided.sum()
    np.testing.assert_array_equal(keep_x[0, : int(kept)], x[~decided])
    assert ones + active + keep_w[0, : int(kept)].sum() == pytest.approx(p.w[u > lo].sum(), abs=1e-12 * (1 + p.total))
