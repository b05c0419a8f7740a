"""Fenchel-Young losses of the probability simplex with Tsallis entropies: softmax (1), entmax, sparsemax (2).

Over Δ = { p >= 0, Σ p = 1 } let Ω(p) = (Σ p^α - 1) / (α (α - 1)), and Σ p log p for α = 1. Then

    ŷ(θ) = argmax_p ⟨θ, p⟩ - Ω(p) = [(α - 1) θ - τ]_+^(1 / (α - 1)),    loss = ⟨θ, ŷ⟩ - Ω(ŷ) - θ_y,
    gradient = ŷ - e_y,    Hessian = diag(s) - s sᵀ / Σ s    with s = ŷ^(2 - α) on the support and 0 off it.
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from hsboost._kernels._compile import Kernel, inner

#: What the curvature of one score in the binary form is: second derivative, (ŷ - ½) / s, or a constant.
EXACT, BOUND, CONSTANT = 0, 1, 2

#: More steps than the search for τ ever takes.
SEARCH_STEPS = 100


@inner
def softmax_row(x, p):
    """Write softmax(x) into p; returns (largest score, Σ exp(x - largest) without the largest's own 1)."""
    top = 0
    for c in range(x.size):
        top = c if x[c] > x[top] else top
    largest = np.float64(x[top])
    rest = 0.0
    for c in range(x.size):
        p[c] = math.exp(np.float64(x[c]) - largest)
        rest += p[c] if c != top else 0.0
    scale = 1.0 / (1.0 + rest)
    for c in range(x.size):
        p[c] *= scale
    return largest, rest


@inner
def sparsemax_tau(z):
    """τ with Σ [z - τ]_+ = 1 for z <= 0 with a 0 among them: Newton from the left, exact after finitely many steps."""
    tau, before = -1.0, 0
    while True:
        total, count = 0.0, 0
        for c in range(z.size):
            if z[c] > tau:
                total += z[c]
                count += 1
        if count == before:
            return tau
        tau, before = (total - 1.0) / count, count


@inner
def entmax15_tau(z):
    """τ with Σ [z - τ]_+² = 1 for z <= 0 with a 0 among them: a quadratic for each size of the support, sorted."""
    near = np.sort(z[z > -1.0])[::-1]  # the largest term alone is 1 at τ = -1
    mean, spread = 0.0, 0.0  # of the k largest, and Σ (z - mean)²
    tau = -1.0
    for k in range(near.size):
        step = near[k] - mean
        mean += step / (k + 1)
        spread += step * (near[k] - mean)
        candidate = mean - math.sqrt(max((1.0 - spread) / (k + 1), 0.0))
        if spread > 1.0 or candidate > near[k]:
            break
        tau = candidate
    return tau


@inner
def entmax_tau(z, power):
    """τ with Σ [z - τ]_+^power = 1 for z <= 0 with a 0 among them: Newton from τ = -1, where the sum is at least 1.

    The sum is convex and falls in τ: every step stays left of the root, and a step with the sum far above 1 divides
    it by e or more, so a dozen steps do whatever the power. They end where rounding lets none go further right.
    """
    tau = -1.0
    for _ in range(SEARCH_STEPS):
        total, slope = 0.0, 0.0
        for c in range(z.size):
            if z[c] > tau:
                term = (z[c] - tau) ** (power - 1.0)
                slope += term
                total += term * (z[c] - tau)
        step = tau + (total - 1.0) / (power * slope)
        if not step > tau:
            break
        tau = step
    return tau


@inner
def sparse_row(x, alpha, z, p):
    """Write ŷ(x) into p for α > 1; z is scratch. Returns the largest score."""
    largest = np.float64(x[0])
    for c in range(1, x.size):
        largest = max(largest, np.float64(x[c]))
    for c in range(x.size):
        z[c] = (alpha - 1.0) * (np.float64(x[c]) - largest)
    if alpha == 2.0:
        tau = sparsemax_tau(z)
        for c in range(x.size):
            p[c] = max(z[c] - tau, 0.0)
    elif alpha == 1.5:
        tau = entmax15_tau(z)
        for c in range(x.size):
            p[c] = max(z[c] - tau, 0.0) ** 2
    else:
        power = 1.0 / (alpha - 1.0)
        tau = entmax_tau(z, power)
        total = 0.0
        for c in range(x.size):
            p[c] = (z[c] - tau) ** power if z[c] > tau else 0.0
            total += p[c]
        for c in range(x.size):
            p[c] /= total
    return largest


@inner
def row_loss(x, y, alpha, z, p):
    """Loss of one row with class y; leaves ŷ in p."""
    if alpha == 1.0:
        largest, rest = softmax_row(x, p)
        return math.log1p(rest) + (largest - np.float64(x[y]))
    largest = sparse_row(x, alpha, z, p)
    value, power_sum = 0.0, 0.0
    for c in range(x.size):
        if p[c] > 0.0:
            value += p[c] * (np.float64(x[c]) - np.float64(x[y]))
            power_sum += p[c] ** alpha
    return max(value + (1.0 - power_sum) / (alpha * (alpha - 1.0)), 0.0)


@inner
def block_simplex(x, y, w, start, stop, alpha, factor, constant, floor, grad, hess):
    """Σ w loss of rows start … stop-1; curvature: w max(factor s (1 - s / Σ s) + constant, floor)."""
    total = 0.0
    classes = x.shape[1]
    z, p = np.empty(classes), np.empty(classes)
    for i in range(start, stop):
        wi = w[i] if w.size > 1 else w[0]
        total += wi * row_loss(x[i], y[i], alpha, z, p)
        if grad.shape[0] == 0:
            continue
        mass = 0.0
        for c in range(classes):
            z[c] = p[c] ** (2.0 - alpha) if (p[c] > 0.0) & (alpha != 1.0) else p[c]
            mass += z[c]
        for c in range(classes):
            grad[i, c] = wi * p[c]
            hess[i, c] = wi * max(factor * z[c] * (1.0 - z[c] / mass) + constant, floor)
        rest = 0.0  # 1 - p of the true class, without the digits that the difference loses
        for c in range(classes):
            rest += p[c] if c != y[i] else 0.0
        grad[i, y[i]] = -wi * rest
    return total


def _simplex(x, y, w, alpha, factor, constant, floor, per_block, values, grad, hess):
    """`block_simplex` over all blocks."""
    n = x.shape[0]
    for b in prange(values.size):
        values[b] = block_simplex(
            x, y, w, b * per_block, min(n, (b + 1) * per_block), alpha, factor, constant, floor, grad, hess
        )


@inner
def row_map(x, alpha, z, p):
    """Write ŷ(x) into p."""
    if alpha == 1.0:
        softmax_row(x, p)
    else:
        sparse_row(x, alpha, z, p)


def _mapping(x, alpha, per_block, blocks, out):
    """out[i] = ŷ(x[i])."""
    n = x.shape[0]
    for b in prange(blocks):
        z = np.empty(x.shape[1])
        for i in range(b * per_block, min(n, (b + 1) * per_block)):
            row_map(x[i], alpha, z, out[i])


@inner
def two_classes(d, alpha):
    """(ŷ of the class that leads by d >= 0, ŷ of the other)."""
    if alpha == 1.0:
        e = math.exp(-d)
        return 1.0 / (1.0 + e), e / (1.0 + e)
    if (alpha - 1.0) * d >= 1.0:
        return 1.0, 0.0
    if alpha == 2.0:
        return 0.5 * (1.0 + d), 0.5 * (1.0 - d)
    if alpha == 1.5:
        h = 0.5 * d
        root = math.sqrt(2.0 - h * h)
        other = 0.5 * (root - h)
        return 0.25 * (root + h) ** 2, other * other
    power = 1.0 / (alpha - 1.0)
    low = entmax_tau(np.array([0.0, -(alpha - 1.0) * d]), power)
    lead, other = (-low) ** power, max(-(alpha - 1.0) * d - low, 0.0) ** power
    return lead / (lead + other), other / (lead + other)


@inner
def two_class_loss(d, behind, lead, other, alpha):
    """Loss of a row whose leading class is ahead by d; ``behind``: the true class is the other one."""
    if alpha == 1.0:
        value = math.log1p(math.exp(-d))
    else:
        powers = lead**alpha + (other**alpha if other > 0.0 else 0.0)
        value = (1.0 - powers) / (alpha * (alpha - 1.0)) - (other * d if other > 0.0 else 0.0)
    return max(value, 0.0) + (d if behind else 0.0)


@inner
def two_class_curvature(d, lead, other, alpha, rule, constant):
    """Curvature in the score: 1 / (ŷ₁^(α-2) + ŷ₂^(α-2)), the bound (ŷ - ½) / d, or a constant."""
    if rule == CONSTANT:
        return constant
    if (rule == BOUND) & (d > 1e-4):
        return (lead - 0.5) / d
    if other <= 0.0:
        return 0.0
    if alpha == 1.0:
        return lead * other
    return 1.0 / (lead ** (alpha - 2.0) + other ** (alpha - 2.0))


@inner
def block_binary(x, y, w, start, stop, alpha, rule, constant, floor, grad, hess):
    """Σ w loss of rows start … stop-1 with one score s each: class 1 has score s, class 0 has score 0."""
    total = 0.0
    for i in range(start, stop):
        wi = w[i] if w.size > 1 else w[0]
        s = np.float64(x[i, 0])
        d = abs(s)
        behind = (y[i] == 1) != (s >= 0.0)
        lead, other = two_classes(d, alpha)
        total += wi * two_class_loss(d, behind, lead, other, alpha)
        if grad.shape[0] > 0:
            missing = lead if behind else other  # 1 - ŷ of the true class
            grad[i, 0] = -wi * missing if y[i] == 1 else wi * missing
            hess[i, 0] = wi * max(two_class_curvature(d, lead, other, alpha, rule, constant), floor)
    return total


def _binary(x, y, w, alpha, rule, constant, floor, per_block, values, grad, hess):
    """`block_binary` over all blocks."""
    n = x.shape[0]
    for b in prange(values.size):
        values[b] = block_binary(
            x, y, w, b * per_block, min(n, (b + 1) * per_block), alpha, rule, constant, floor, grad, hess
        )


simplex = Kernel(_simplex)
mapping = Kernel(_mapping)
binary = Kernel(_binary)
