"""The slow truth: projection, loss, gradient and curvature in plain NumPy, with the widest floats there are.

Nothing here comes from hsboost. Two roads lead to the projection, bisection and sorting; tests compare them too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Wide = np.longdouble


class Truth(NamedTuple):
    """A projection: values (of every row), the raw score that gets 1/2, and whether all weighted rows got 0 or 1."""

    values: np.ndarray
    cut: float
    flat: bool


def weights_or_ones(weight, n):
    return np.ones(n, Wide) if weight is None else np.asarray(weight).astype(Wide)


def pivot(x, w, k):
    """The score at which the running weight, best first, reaches k: relative to it nu lies in [-1, 0].

    With nu = 0 only better rows have a positive value, weighing less than k; with nu = -1 it and all better rows have
    the value 1, weighing at least k.
    """
    order = np.argsort(-x, kind="stable")
    running = np.cumsum(w[order])
    return x[order][min(int(np.searchsorted(running, Wide(k))), x.size - 1)]


def relative(x, k, temperature, w):
    """Scores relative to the pivot, in units of the temperature: the digits survive at 1e30 and at 5e-324."""
    anchor = Wide(pivot(x, w, k))
    return anchor, (x.astype(Wide) - anchor) / Wide(temperature)


def project(x, k, temperature=1.0, weight=None) -> Truth:
    """Bisection on Σ w clip(x / temperature - nu, 0, 1) = k."""
    x = np.asarray(x)
    w = weights_or_ones(weight, x.size)
    anchor, z = relative(x, k, temperature, w)
    lo, hi = Wide(-1), Wide(0)
    for _ in range(80):
        nu = (lo + hi) / 2
        if (w * np.clip(z - nu, 0, 1)).sum() > k:
            lo = nu
        else:
            hi = nu
    return _truth(x, w, anchor, z, (lo + hi) / 2, temperature)


def project_by_sorting(x, k, temperature=1.0, weight=None) -> Truth:
    """Evaluate the piecewise linear equation at all its kinks with prefix sums, then interpolate between two."""
    x = np.asarray(x)
    w = weights_or_ones(weight, x.size)
    anchor, z = relative(x, k, temperature, w)
    above = w[z > 1].sum()  # worth 1 for every nu in [-1, 0]; rows with z < -1 are worth 0
    near = (z >= -1) & (z <= 1)
    order = np.argsort(z[near])
    u, m = z[near][order], w[near][order]
    weight_to = np.concatenate([[Wide(0)], np.cumsum(m)])
    moment_to = np.concatenate([[Wide(0)], np.cumsum(m * u)])
    kinks = np.unique(np.clip(np.concatenate([u, u - 1, [Wide(-1), Wide(0)]]), -1, 0))
    first_inside, first_one = np.searchsorted(u, kinks), np.searchsorted(u, kinks + 1)
    inside = weight_to[first_one] - weight_to[first_inside]
    moment = moment_to[first_one] - moment_to[first_inside]
    mass = above + (weight_to[-1] - weight_to[first_one]) + moment - kinks * inside
    # mass falls along the kinks: the last one with at least k, and the line to its right.
    at = max(int(np.searchsorted(-mass, -Wide(k), side="right")) - 1, 0)
    nu = kinks[at]
    if at + 1 < kinks.size and mass[at] > mass[at + 1]:
        nu += (mass[at] - k) / (mass[at] - mass[at + 1]) * (kinks[at + 1] - kinks[at])
    return _truth(x, w, anchor, z, min(max(nu, Wide(-1)), Wide(0)), temperature)


def _truth(x, w, anchor, z, nu, temperature) -> Truth:
    values = np.clip(z - nu, 0, 1)
    counted = values[w > 0]
    flat = bool(np.all((counted < 1e-13) | (counted > 1 - 1e-13)))
    ones, zeros = x[(w > 0) & (values > 0.5)], x[(w > 0) & (values <= 0.5)]
    if flat and ones.size and zeros.size:
        cut = (Wide(ones.min()) + Wide(zeros.max())) / 2
        values = np.where(x.astype(Wide) > cut, Wide(1), Wide(0))  # NumPy 1 would round the cut to the scores' type
    else:
        cut = anchor + (nu + Wide(0.5)) * Wide(temperature)
    return Truth(values.astype(np.float64), float(cut), flat)


def mass_of(k, y_true, weight=None):
    """None: the weight of the positives; an int: itself; a float: a share of the total weight."""
    w = weights_or_ones(weight, len(y_true)).astype(np.float64)
    if k is None:
        return float((w * np.asarray(y_true, dtype=np.float64)).sum())
    return float(k) if isinstance(k, int) else k * float(w.sum())


def loss(y_true, x, k=None, temperature=1.0, weight=None, reduction="sum"):
    """½ Σ w (ŷ - y)², or Σ w (ŷ - y)² / Σ w."""
    w = weights_or_ones(weight, len(x)).astype(np.float64)
    y = np.asarray(y_true, dtype=np.float64)
    squared = float((w * (project(x, mass_of(k, y, weight), temperature, weight).values - y) ** 2).sum())
    return squared / 2 if reduction == "sum" else squared / float(w.sum())


def gradient(y_true, x, k=None, temperature=1.0, weight=None):
    """(w / temperature) (r - Σ_A w r / Σ_A w) on the active set A, 0 elsewhere, with r = ŷ - y."""
    w = weights_or_ones(weight, len(x)).astype(np.float64)
    y = np.asarray(y_true, dtype=np.float64)
    values = project(x, mass_of(k, y, weight), temperature, weight).values
    active = (values > 0) & (values < 1)
    r = values - y
    total = (w * active).sum()
    mean = (w * r)[active].sum() / total if total > 0 else 0.0
    return np.where(active, w * (r - mean), 0.0) / temperature


def hessian_diagonal(y_true, x, k=None, temperature=1.0, weight=None, floor=0.0):
    """(w / temperature²) max(1 - w / Σ_A w, floor) on the active set, floor elsewhere."""
    w = weights_or_ones(weight, len(x)).astype(np.float64)
    values = project(x, mass_of(k, y_true, weight), temperature, weight).values
    active = (values > 0) & (values < 1)
    total = (w * active).sum()
    share = np.where(active, np.maximum(1 - w / (total if total > 0 else 1.0), floor), floor)
    return w * share / temperature**2


# --- groups, class columns, and the convex sibling ----------------------------------------------------------------


def rows_of(groups):
    """(label, its rows) for each group, labels sorted."""
    labels = np.asarray(groups)
    return [(label, np.flatnonzero(labels == label)) for label in np.unique(labels)]


def fenchel_young(y_true, x, k=None, temperature=1.0, weight=None):
    """max over the polytope of <z, p> - ½‖p‖², minus <z, y> - ½‖y‖²: products weighted, z centred scores."""
    w = weights_or_ones(weight, len(x))
    y = np.asarray(y_true).astype(Wide)
    anchor = Wide(np.asarray(x)[np.asarray(w) > 0][0])
    z = (np.asarray(x).astype(Wide) - anchor) / Wide(temperature)
    z = z - (w * z).sum() / w.sum()
    best = project(x, mass_of(k, y_true, weight), temperature, weight).values.astype(Wide)
    return float((w * (z * best - best**2 / 2)).sum() - (w * (z * y - y**2 / 2)).sum())


def fenchel_young_gradient(y_true, x, k=None, temperature=1.0, weight=None):
    """(w / temperature) (ŷ - y - (k - Σ w y) / Σ w)."""
    w = weights_or_ones(weight, len(x)).astype(np.float64)
    y = np.asarray(y_true, dtype=np.float64)
    mass = mass_of(k, y, weight)
    values = project(x, mass, temperature, weight).values
    return w / temperature * (values - y - (mass - (w * y).sum()) / w.sum())
