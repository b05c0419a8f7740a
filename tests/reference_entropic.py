"""The slow truth of the entropic projection: NumPy, bisection, the widest floats there are; nothing from hsboost."""

from __future__ import annotations

import numpy as np
from reference import Truth, Wide, mass_of, pivot, weights_or_ones


def sigma(v):
    """1 / (1 + exp(-v)) without overflow, to its last digit on either side."""
    e = np.exp(-np.abs(v))
    return np.where(v > 0, 1 / (1 + e), e / (1 + e))


def excess(z, w, k, nu):
    """Σ w σ(z - nu) - k, with what the rows above nu lack to 1 in place of 1: no digits are lost in a gap."""
    up = z > nu
    missing = Wide(k) - w[up].sum()
    return (w * sigma(z - nu))[~up].sum() - (w * sigma(nu - z))[up].sum() - missing


def solve(z, w, k):
    """Bisection: the nu where the excess changes its sign, from the score of rank k outwards; any nu where it is 0."""
    lo, hi = Wide(-1), Wide(1)
    while excess(z, w, k, lo) < 0:
        lo *= 2
    while excess(z, w, k, hi) > 0:
        hi *= 2
    for _ in range(300):
        nu = (lo + hi) / 2
        if excess(z, w, k, nu) == 0:
            return nu
        lo, hi = (nu, hi) if excess(z, w, k, nu) > 0 else (lo, nu)
    return (lo + hi) / 2


def project(x, k, temperature=1.0, weight=None) -> Truth:
    """σ(x / temperature - nu) with Σ w σ = k; all 0 for k = 0, all 1 for k = Σ w."""
    x = np.asarray(x)
    w = weights_or_ones(weight, x.size)
    if k <= 0 or k >= w.sum():
        return Truth(np.full(x.size, float(k > 0)), np.nan, True)
    anchor = Wide(pivot(x, w, k))
    z = (x.astype(Wide) - anchor) / Wide(temperature)
    nu = solve(z, w, k)
    values = sigma(z - nu)
    counted = values[w > 0]
    flat = bool(np.all((counted < 1e-13) | (counted > 1 - 1e-13)))
    return Truth(values, float(anchor + nu * Wide(temperature)), flat)


def _parts(y_true, x, k, temperature, weight):
    w = weights_or_ones(weight, len(x))
    y = np.asarray(y_true).astype(Wide)
    values = project(x, mass_of(k, y_true, weight), temperature, weight).values.astype(Wide)
    return w, y, values, values * (1 - values)


def jacobian(x, k, temperature=1.0, weight=None):
    """∂ŷ/∂z: diag(d) - d (w d)ᵀ / Σ w d, per unit of z = x / temperature."""
    w = weights_or_ones(weight, len(x))
    values = project(x, k, temperature, weight).values.astype(Wide)
    d = values * (1 - values)
    total = (w * d).sum()
    return np.diag(d) - (np.outer(d, w * d) / total if total > 0 else 0)


def loss(y_true, x, k=None, temperature=1.0, weight=None):
    """½ Σ w (ŷ - y)²."""
    w, y, values, _ = _parts(y_true, x, k, temperature, weight)
    return (w * (values - y) ** 2).sum() / 2


def gradient(y_true, x, k=None, temperature=1.0, weight=None):
    """Jᵀ w (ŷ - y) / temperature."""
    w, y, values, _ = _parts(y_true, x, k, temperature, weight)
    return jacobian(x, mass_of(k, y_true, weight), temperature, weight).T @ (w * (values - y)) / Wide(temperature)


def gauss_newton_diagonal(x, k, temperature=1.0, weight=None):
    """The diagonal of Jᵀ diag(w) J / temperature²."""
    j = jacobian(x, k, temperature, weight)
    w = weights_or_ones(weight, len(x))
    return np.diag(j.T @ (w[:, None] * j)) / Wide(temperature) ** 2


def fenchel_young(y_true, x, k=None, temperature=1.0, weight=None):
    """max over the polytope of <z, p> - Ω(p), minus <z, y> - Ω(y): products weighted, z centred scores.

    Ω = Σ w [p log p + (1 - p) log(1 - p)].
    """
    w, y, values, _ = _parts(y_true, x, k, temperature, weight)
    z = np.asarray(x).astype(Wide) / Wide(temperature)
    z = z - (w * z).sum() / w.sum()
    inside = (values > 0) & (values < 1)
    p = np.where(inside, values, Wide(0.5))
    omega = np.where(inside, p * np.log(p) + (1 - p) * np.log1p(-p), 0)
    return (w * (z * values - omega)).sum() - (w * z * y).sum()


def fenchel_young_gradient(y_true, x, k=None, temperature=1.0, weight=None):
    """(w / temperature) (ŷ - y - (k - Σ w y) / Σ w)."""
    w, y, values, _ = _parts(y_true, x, k, temperature, weight)
    return w * (values - y - (mass_of(k, y_true, weight) - (w * y).sum()) / w.sum()) / Wide(temperature)


def fenchel_young_hessian(x, k, temperature=1.0, weight=None):
    """diag(w) J / temperature², whole."""
    w = weights_or_ones(weight, len(x))
    return w[:, None] * jacobian(x, k, temperature, weight) / Wide(temperature) ** 2
