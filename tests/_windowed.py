"""Log loss tailored to a budget written out in NumPy, from the formulas in its docstring; nothing from hsboost."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from _smooth import budget_of, mass_of, multiplier
from scipy.special import expit


class Window(NamedTuple):
    """Weight a of every row and score (n, C); the factor of what boosters get; the intercepts by column and group."""

    a: np.ndarray
    level: float
    intercepts: dict[Any, float]


class Slow(NamedTuple):
    """Value, gradient, curvature and what boosters get, all of the scores' shape but the value; and the window."""

    value: float
    gradient: np.ndarray
    hessian: np.ndarray
    boosting_gradient: np.ndarray
    boosting_hessian: np.ndarray
    window: Window


def laid_out(y, x, w, groups):
    """Scores and labels by column, weights, the rows of each group."""
    columns = x.ndim == 2
    scores = x if columns else x[:, None]
    labels = (y[:, None] == np.arange(x.shape[1])).astype(float) if columns else y[:, None].astype(float)
    weight = np.ones(len(x)) if w is None else np.asarray(w, float)
    members = {None: np.arange(len(x))} if groups is None else {g: np.flatnonzero(groups == g) for g in set(groups)}
    return scores, labels, weight, members


def window_of(y, x, w=None, groups=None, k=None, width=0.5, floor=0.05, guard=0.0):
    """The window of these scores, and the intercepts under it."""
    scores, labels, weight, members = laid_out(y, x, w, groups)
    bell = np.zeros(scores.shape)
    for c in range(scores.shape[1]):
        for g, rows in members.items():
            z, t = scores[rows, c] / width, labels[rows, c]
            if weight[rows].sum() > 0.0:
                mass = mass_of(budget_of(k, c, g, x.ndim == 2), t, weight[rows])
                v = z - multiplier(z, weight[rows], mass)
                bell[rows, c] = 4.0 * expit(v) * expit(-v)
    under = [[(weight * t * b).sum() for t in (one, 1.0 - one)] for one, b in zip(labels.T, bell.T, strict=True)]
    share = np.array([1.0 / (1.0 + (min(both) / guard) ** 2) if guard else 0.0 for both in under])
    a = floor + share + (1.0 - share) * bell
    each = weight[:, None]
    level = (each * a).sum() / (each * a**2).sum()
    intercepts = {(c, None): 0.0 for c in range(scores.shape[1])}
    if groups is not None:
        for c in range(scores.shape[1]):
            for g, rows in members.items():
                inside = weight[rows] * a[rows, c]
                intercepts[c, g] = (
                    multiplier(scores[rows, c], inside, inside @ labels[rows, c]) if inside.any() else 0.0
                )
    return Window(a if x.ndim == 2 else a[:, 0], level, intercepts)


def slow(y, x, w=None, groups=None, window=None, **settings):
    """The loss of one or several columns, in groups; ``window`` is that of other scores."""
    window = window or window_of(y, x, w, groups, **settings)
    scores, labels, weight, members = laid_out(y, x, w, groups)
    a, each = window.a.reshape(scores.shape), weight[:, None]
    v = np.empty(scores.shape)
    for c in range(scores.shape[1]):
        for g, rows in members.items():
            v[rows, c] = scores[rows, c] - window.intercepts[c, g]
    finite = np.where(np.isfinite(v), v, 0.0)
    losses = np.where(np.isfinite(v), np.logaddexp(0.0, finite) - labels * finite, 0.0)  # groups of one class: 0
    p = expit(v)
    gradient, hessian = each * a * (p - labels), each * np.maximum(a * p * expit(-v), 1e-16)
    level = window.level
    found = gradient, hessian, level * gradient, each * np.maximum(level * a * p * expit(-v), 1e-16)
    return Slow(float((each * a * losses).sum()), *(one.reshape(x.shape) for one in found), window)
