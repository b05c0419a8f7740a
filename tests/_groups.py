"""Rows in groups: losses and budgets that several test files try on them, scores of two groups in two columns."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import strategies as st
from strategies import _floats, group_codes, grouped_weights

from hsboost import HypersimplexLoss, project_hypersimplex
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss

METHODS = ["threshold", "pav"]
both = pytest.mark.parametrize("method", METHODS)

#: Scores of two groups (0: rows 0 and 2, 1: rows 1 and 3) in two columns.
X = np.array([[2.0, -1.0], [1.0, 0.5], [0.0, 0.25], [-1.0, 3.0]])
GROUPS = ["b", "a", "b", "a"]

LOSSES = [HypersimplexLoss, HypersimplexFYLoss]
each_loss = pytest.mark.parametrize("kind", LOSSES)
BUDGETS = [None, 1, 0.3, {0: None, 1: 0.5, 2: 1, 3: 0}]


def budget_of(k, g):
    return k[g] if isinstance(k, dict) else k


def rows_of(groups):
    return [np.flatnonzero(groups == g) for g in range(int(groups.max()) + 1)]


def part(a, rows):
    return None if a is None else a[rows]


def projected(loss, y, x, w, groups):
    """Values of the projection, group by group."""
    values = np.empty(len(x))
    for g, rows in enumerate(rows_of(groups)):
        weight = part(w, rows)
        mass = reference.mass_of(budget_of(loss.k, g), y[rows], weight)
        total = len(rows) if w is None else weight.sum()
        if total > 0:
            found = project_hypersimplex(x[rows], min(mass, total), temperature=loss.temperature, sample_weight=weight)
            values[rows] = found.values
        else:
            values[rows] = 0.5
    return values


def generic(rng, k=None, weighted=False, temperature=0.9, sizes=(14, 1, 9, 6)):
    """Four mixed groups with rows on both sides and inside, none near a kink, labels that often disagree."""
    for _ in range(10_000):
        groups = rng.permutation(np.repeat(np.arange(4), sizes))
        x, y = rng.normal(size=groups.size), (rng.random(groups.size) < 0.4).astype(float)
        w = rng.uniform(1.0, 2, groups.size) if weighted else None
        loss = HypersimplexLoss(k, temperature)
        values = projected(loss, y, x, w, groups)
        z = x / temperature - loss.soft_threshold(y, x, w, groups)[groups] / temperature + 0.5
        inside = (values > 0) & (values < 1)
        soft = np.isin(groups, groups[inside])  # groups that get nothing or everything have no kink nearby
        if min(np.abs(z[soft]).min(), np.abs(z[soft] - 1).min()) > 1e-3 and 6 < inside.sum() < groups.size - 4:
            return x, y, w, groups, inside
    raise AssertionError("no such rows")


@st.composite
def cases(draw: st.DrawFn):
    groups = draw(group_codes(rows=6))
    n, most = groups.size, int(groups.max()) + 1
    x = np.array(draw(st.sampled_from([_floats(-3, 3), st.integers(-3, 3).map(float)]).flatmap(
        lambda e: st.lists(e, min_size=n, max_size=n))))  # fmt: skip
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    w = draw(grouped_weights(groups)) if draw(st.booleans()) else None
    total = np.bincount(groups, w)
    one = st.one_of(st.none(), st.floats(0.01, 0.99))
    k = draw(
        st.one_of(
            one,
            st.integers(0, int(total.min())),
            st.tuples(*(st.one_of(one, st.integers(0, int(t))) for t in total)).map(lambda b: dict(enumerate(b))),
        )
    )
    assert most == total.size
    return x, y, w, groups, k, draw(_floats(0.2, 4))
