"""Hypothesis strategies: projection problems with ties, extreme scores and temperatures, awkward weights and k."""

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
