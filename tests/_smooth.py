"""The smooth hypersimplex losses written out in NumPy, from the formulas in their docstrings; nothing from hsboost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit


class Slow(NamedTuple):
    """Value, gradient, exact curvature and what boosters get; all of the scores' shape, but the value."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    boosting_gradient: np.ndarray
    boosting_hessian: np.ndarray


def mass_of(k, y, w):
    """What a budget means: labels, share or count."""
    if k is None:
        return float(w @ y)
    if isinstance(k, int):
        return float(min(k, w.sum()))
    return k * float(w.sum())


def budget_of(k, c, g, columns):
    """The budget of column c and group g of a mapping of either, or of both."""
    if not isinstance(k, dict):
        return k
    if columns and isinstance(next(iter(k.values())), dict):
        return k[c][g]
    return k[c] if columns and g is None else k[g]


def multiplier(z, w, mass):
    """The root of Σ w σ(z - ν) = mass."""
    if mass <= 0.0:
        return np.inf
    if mass >= w.sum():
        return -np.inf
    counted = z[w > 0]
    return brentq(
        lambda nu: w @ expit(z - nu) - mass, counted.min() - 800.0, counted.max() + 800.0, xtol=1e-15, rtol=1e-15
    )


def slow(y, x, w=None, groups=None, k=None, temperature=1.0, floor=0.02, convex=False):
    """Both losses of one or several columns, in groups."""
    w = np.ones(len(x)) if w is None else np.asarray(w, float)
    columns = x.ndim == 2
    scores = x if columns else x[:, None]
    labels = (y[:, None] == np.arange(x.shape[1])).astype(float) if columns else y[:, None].astype(float)
    d, part, own, centre = (np.zeros(scores.shape) for _ in range(4))
    value = 0.0
    members = {None: np.arange(len(x))} if groups is None else {g: np.flatnonzero(groups == g) for g in set(groups)}
    for c in range(scores.shape[1]):
        for g, rows in members.items():
            z, t, weight = scores[rows, c] / temperature, labels[rows, c], w[rows]
            if weight.sum() == 0.0:
                continue
            mass = mass_of(budget_of(k, c, g, columns), t, weight)
            v = z - multiplier(z, weight, mass)
            p, d[rows, c] = expit(v), expit(v) * expit(-v)
            slope = weight @ d[rows, c]
            part[rows, c] = p - t
            if convex:
                unbalanced = (mass - weight @ t) / weight.sum()
                if slope > 0.0:
                    value += float(weight @ (np.logaddexp(0.0, v) - t * v)) - unbalanced * float(weight @ v)
                centre[rows, c] = unbalanced
                own[rows, c] = weight * d[rows, c] / slope if slope > 0.0 else 0.0
                continue
            value += 0.5 * float(weight @ (p - t) ** 2)
            if slope > 0.0:
                centre[rows, c] = weight @ (d[rows, c] * (p - t)) / slope
                spread = weight @ d[rows, c] ** 2 / slope
                own[rows, c] = weight * (2.0 * d[rows, c] - spread) / slope
    each = w[:, None]
    bend = d if convex else d**2
    least = floor * (each * bend).sum() / (w.sum() * scores.shape[1])
    gradient = each / temperature * (part - centre) * (1.0 if convex else d)
    hessian = each / temperature**2 * np.maximum(bend * (1.0 - own), least)
    squares = (each * d**2).sum()
    level = (each * d).sum() / squares if squares > 0.0 else 1.0
    level = level if convex else level**2
    found = gradient, hessian, temperature**2 * level * gradient, level * each * np.maximum(bend, least)
    return Slow(value, *(a if columns else a[:, 0] for a in found))
