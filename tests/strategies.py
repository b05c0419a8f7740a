"""Hypothesis strategies: projection problems with ties, extreme scores and temperatures, awkward weights, k, groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

TEMPERATURES = [1.0, 0.1, 0.5, 3.0, 1e-3, 1e3, 1e-20, 1e-200, 1e-310, 5e-324, 1e30]


class Problem(NamedTuple):
    x: np.ndarray
    k: float
    temperature: float
    weight: np.ndarray | None

    @property
    def total(self) -> float:
        return float(self.x.size if self.weight is None else self.weight.sum())

    @property
    def w(self) -> np.ndarray:
        return np.ones(self.x.size) if self.weight is None else self.weight


def _floats(lo: float, hi: float) -> st.SearchStrategy[float]:
    return st.floats(lo, hi, allow_subnormal=False)


def elements() -> st.SearchStrategy[st.SearchStrategy[float]]:
    """Kinds of scores; one kind is drawn for a whole array, so that ties and clusters occur."""
    return st.sampled_from(
        [
            _floats(-3, 3),
            st.integers(-3, 3).map(float),
            st.integers(-8, 8).map(lambda i: i * 0.1),  # gaps that are one temperature wide up to rounding
            st.sampled_from([-1e30, 1e30]),
            st.sampled_from([-1e30, -1.0, 0.0, 0.25, 1e30]),
            st.integers(-3, 3).map(lambda i: 1.0 + i * 2.0**-52),  # neighbours in float64
            st.integers(-3, 3).map(lambda i: 1e30 * (1.0 + i * 2.0**-52)),
            _floats(-1e30, 1e30),
            st.integers(0, 4).map(lambda i: i * 5e-324),
            st.just(0.7),
        ]
    )


def scores(n: int) -> st.SearchStrategy[np.ndarray]:
    return elements().flatmap(lambda e: st.lists(e, min_size=n, max_size=n)).map(np.array)


def weights(n: int) -> st.SearchStrategy[np.ndarray]:
    """Floats with zeros among them, or small integers; at least one row counts."""
    kinds = st.sampled_from([st.one_of(st.just(0.0), _floats(0.01, 10)), st.integers(0, 4).map(float)])
    arrays = kinds.flatmap(lambda e: st.lists(e, min_size=n, max_size=n)).map(np.array)
    return arrays.map(lambda w: w if w.sum() > 0 else w + 1.0)


@st.composite
def masses(draw: st.DrawFn, total: float) -> float:
    """0, everything, whole, any fraction."""
    share = draw(st.sampled_from([0.0, 1.0, 0.5, None]))
    if share is None:
        share = draw(_floats(0, 1))
    k = share * total
    return float(np.floor(k)) if draw(st.booleans()) else k


@st.composite
def problems(draw: st.DrawFn, weighted: bool | None = None, moderate: bool = False, max_size: int = 24) -> Problem:
    """Projection problems. ``moderate``: scores in [-3, 3] and a temperature near 1, for tests of formulas."""
    n = draw(st.integers(1, max_size))
    if moderate:
        x = draw(st.sampled_from([_floats(-3, 3), st.integers(-3, 3).map(float)]).flatmap(
            lambda e: st.lists(e, min_size=n, max_size=n)))  # fmt: skip
        temperature = draw(_floats(0.2, 4))
    else:
        x, temperature = draw(scores(n)), draw(st.sampled_from(TEMPERATURES))
    weight = draw(weights(n)) if (draw(st.booleans()) if weighted is None else weighted) else None
    x = np.array(x)
    k = draw(masses(float(n) if weight is None else float(weight.sum())))
    return Problem(x, k, temperature, weight)


class GroupedProblem(NamedTuple):
    """Rows of several groups, mixed; one budget per column and group (``k`` is (C, G), scores are (n, C))."""

    x: np.ndarray
    k: np.ndarray
    temperature: float
    weight: np.ndarray | None
    groups: np.ndarray

    @property
    def w(self) -> np.ndarray:
        return np.ones(len(self.x)) if self.weight is None else self.weight

    def one(self, c: int, g: int) -> tuple[np.ndarray, Problem]:
        """The rows of a group, and their problem in one column."""
        rows = np.flatnonzero(self.groups == g)
        weight = None if self.weight is None else self.weight[rows]
        return rows, Problem(self.x[rows, c], float(self.k[c, g]), self.temperature, weight)


@st.composite
def group_codes(draw: st.DrawFn, most: int = 5, rows: int = 8) -> np.ndarray:
    """0 … G-1, each at least once, sorted or not; groups of one row are frequent."""
    sizes = draw(st.lists(st.one_of(st.just(1), st.integers(1, rows)), min_size=1, max_size=most))
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return codes if draw(st.booleans()) else np.array(draw(st.permutations(codes.tolist())))


@st.composite
def grouped_weights(draw: st.DrawFn, codes: np.ndarray) -> np.ndarray:
    """Weights with whole groups of no weight among them; at least one group counts."""
    weight = draw(weights(codes.size))
    gone = draw(st.lists(st.integers(0, int(codes.max())), max_size=2))
    kept = np.where(np.isin(codes, gone), 0.0, weight)
    return kept if kept.sum() > 0 else weight


@st.composite
def grouped_problems(draw: st.DrawFn, moderate: bool = False, columns: int = 2) -> GroupedProblem:
    """Several projections in one call; up to ``columns`` columns of scores."""
    codes = draw(group_codes())
    weight = draw(grouped_weights(codes)) if draw(st.booleans()) else None
    n_columns = draw(st.integers(1, columns))
    x = np.empty((codes.size, n_columns))
    k = np.empty((n_columns, int(codes.max()) + 1))
    for c in range(n_columns):
        for g in range(k.shape[1]):
            rows = np.flatnonzero(codes == g)
            kinds = _floats(-3, 3) if moderate else draw(elements())
            x[rows, c] = draw(st.lists(kinds, min_size=rows.size, max_size=rows.size))
            k[c, g] = draw(masses(float(rows.size if weight is None else weight[rows].sum())))
    temperature = draw(_floats(0.2, 4)) if moderate else draw(st.sampled_from(TEMPERATURES))
    return GroupedProblem(x, k, temperature, weight, codes)
