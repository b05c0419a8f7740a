"""EXACT: the probability that the true class of a Gaussian stochastic classifier scores highest, by quadrature.

With a_i = (μ_y - μ_i) / σ for the other classes, P = ∫ g(t) dt, g(t) = φ(t) Π Φ(t + a_i). log g is concave with
curvature K(t) = 1 + Σ κ(t + a_i), κ = -(log Φ)'', which falls in t from C to 1. The trapezoid rule with step h,
centred at the maximum of g, errs by the Fourier transform of g at 2π/h and its multiples. Shifting the contour by b
bounds that by e^(-2πb/h) ∫ |g(t + ib)| dt, and |g(t + ib)| is about g(t) e^(K(t) b²/2), at most g(t) e^(C b²/2).
With b = 2π/(h K) the part of g near t, which is e^-q of its maximum, adds e^(-2π²/(h² K) - q): below e^-DIGITS when
h <= π √(2 / (K (DIGITS - q))). The step is the smallest such h over the left flank (K falls to the right).
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from hsboost._kernels._compile import FAST, Kernel, inner, njit
from hsboost._kernels.normal import log_cdf

#: Error aimed at, as a power of 1/e. The bound is of first order in the curvature: e^-42 leaves a margin.
DIGITS = 42.0
#: Nodes are summed until g has fallen by e^-38 on either side.
TAIL = 38.0
#: Steps between looks at the left flank, in units of 1 / √K.
FLANK = 1.0
#: From here on rounding of log g (about t²) costs as much as Laplace's method, which is right up to 1 / t².
FAR = 1e4
#: The nodes' centre may be off the maximum of g by about the square of this, in units of 1 / √K.
NEAR_MODE = 0.3
MODE_STEPS = 200

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


@njit(fastmath={"contract"})
def integrand(t, a, rows, lam, kap):
    """(log √2π g(t), K(t), Σ λ(t + a)); writes λ and κ of each class."""
    log_g, lost, bend, total = -0.5 * t * t, 0.0, 1.0, 0.0
    for i in range(a.size):
        value, slope, rest = log_cdf(t + a[i], rows)
        new = log_g + value
        seen = new - log_g
        lost += (log_g - (new - seen)) + (value - seen)  # with equal scores all roundings would go the same way
        log_g = new
        lam[i] = slope
        kap[i] = slope * rest
        total += slope
        bend += kap[i]
    return log_g + lost, bend, total


@njit
def find_mode(a, rows, lam, kap):
    """t where g is largest. t - Σ λ is concave and rises: Newton from 0, which is left of it, never oversteps."""
    t = 0.0
    for _ in range(MODE_STEPS):
        _, bend, total = integrand(t, a, rows, lam, kap)
        step = (total - t) / bend
        t += step
        if (t < FAR) & (step * math.sqrt(bend) < NEAR_MODE) or step < 1e-12 * t:
            break
    return t


@njit
def step_size(mode, log_top, bend, a, rows, lam, kap):
    """h <= π √(2 / (K (DIGITS - q))) over the left flank."""
    best, t, q = np.inf, mode, 0.0
    while q < DIGITS - 1.0:
        best = min(best, math.pi * math.sqrt(2.0 / (bend * (DIGITS - q))))
        t -= FLANK / math.sqrt(bend)
        log_g, bend, _ = integrand(t, a, rows, lam, kap)
        q = log_top - log_g
    return best


@inner(fastmath=FAST)
def add_node(t, log_top, a, free, whole, rows, lam, kap, center, slope, bend, moments):
    """Add one node's g times d = λ - center and κ - d² of each class and of two sums of classes; log g - log_top.

    E κ - Var λ = E (κ - d²) + (E d)². ``moments``: Σ g, for Σ free λ the same two, and for Σ a λ. With ``whole`` every
    class is free and Σ a λ is not asked for.
    """
    log_g, curvature, total = integrand(t, a, rows, lam, kap)
    log_g -= log_top
    g = math.exp(log_g)
    for i in range(a.size):
        d = lam[i] - center[i]
        slope[i] += g * d
        bend[i] += g * (kap[i] - d * d)
    moments[0] += g
    if whole:
        of_free, bend_free = total - moments[5], curvature - 1.0
    else:
        of_free, of_all, bend_free, bend_all = 0.0, 0.0, 0.0, 0.0
        for i in range(a.size):
            d = lam[i] - center[i]
            of_free += free[i] * d
            of_all += a[i] * d
            bend_free += free[i] * kap[i]
            bend_all += a[i] * a[i] * kap[i]
        moments[3] += g * of_all
        moments[4] += g * (bend_all - of_all * of_all)
    moments[1] += g * of_free
    moments[2] += g * (bend_free - of_free * of_free)
    return log_g


@inner
def far_row(curvature, a, free, kap, bend, moments):
    """The same sums where g is Gaussian with that curvature and λ linear over its width: Var λ = κ² / K."""
    moments[0] = 1.0
    of_free, of_all = 0.0, 0.0
    for i in range(a.size):
        bend[i] = kap[i] - kap[i] * kap[i] / curvature
        of_free += free[i] * kap[i]
        of_all += a[i] * kap[i]
        moments[2] += free[i] * kap[i]
        moments[4] += a[i] * a[i] * kap[i]
    moments[2] -= of_free * of_free / curvature
    moments[4] -= of_all * of_all / curvature


@njit
def quadrature(mode, a, free, whole, rows, lam, kap, center, slope, bend, moments):
    """Fill the sums over all nodes; returns log P but for the sum of g, and the number of nodes."""
    log_top, curvature, total = integrand(mode, a, rows, lam, kap)
    center[:] = lam
    slope[:] = 0.0
    bend[:] = 0.0
    moments[:] = 0.0
    moments[5] = total
    if mode > FAR:
        far_row(curvature, a, free, kap, bend, moments)
        return log_top - 0.5 * math.log(curvature), 1
    h = step_size(mode, log_top, curvature, a, rows, lam, kap)
    nodes = 1
    add_node(mode, log_top, a, free, whole, rows, lam, kap, center, slope, bend, moments)
    for side in (-1.0, 1.0):
        t = mode + side * h
        while add_node(t, log_top, a, free, whole, rows, lam, kap, center, slope, bend, moments) > -TAIL:
            nodes += 1
            t += side * h
        nodes += 1
    return log_top + math.log(h) - _HALF_LOG_2PI, nodes


@inner
def row_integrals(a, free, whole, rows, lam, kap, center, moments, slope, bend):
    """One row with the offsets a of the other classes.

    Writes slope = ∂ log P / ∂a and bend = diag of H = -∂² log P / ∂a²; returns (log P, freeᵀ H free, aᵀ H a, nodes).
    ``free`` is 1 for classes whose offset follows the scores, 0 for those that are clipped. With ``whole`` all are
    free and aᵀ H a is not asked for (and not right).
    """
    if a.size == 1:  # P = Φ(a / √2)
        log_p, lam1, rest = log_cdf(a[0] * math.sqrt(0.5), rows)
        slope[0] = lam1 * math.sqrt(0.5)
        bend[0] = 0.5 * lam1 * rest
        return log_p, free[0] * bend[0], a[0] * a[0] * bend[0], 1
    mode = find_mode(a, rows, lam, kap)
    log_p, nodes = quadrature(mode, a, free, whole, rows, lam, kap, center, slope, bend, moments)
    mass = moments[0]
    for i in range(a.size):
        mean = slope[i] / mass
        slope[i] = center[i] + mean
        bend[i] = max(bend[i] / mass + mean * mean, 0.0)
    of_free = moments[2] / mass + (moments[1] / mass) ** 2
    of_all = moments[4] / mass + (moments[3] / mass) ** 2
    return min(log_p + math.log(mass), 0.0), max(of_free, 0.0), max(of_all, 0.0), nodes


@njit
def offsets(x, y, classes, sigma, margin, a, free):
    """Write (score of y - score of i, at most the margin) / σ for every other class, and whether it is below it."""
    if classes == 1:
        lead = np.float64(x[0]) if y == 1 else -np.float64(x[0])
        a[0], free[0] = min(lead, margin) / sigma, 1.0 if lead < margin else 0.0
        return
    k = 0
    for c in range(classes):
        if c != y:
            lead = np.float64(x[y]) - np.float64(x[c])
            a[k], free[k] = min(lead, margin) / sigma, 1.0 if lead < margin else 0.0
            k += 1


@inner
def write_scores(y, classes, sigma, scale, factor, floor, whole, free, slope, bend, grad, hess):
    """Derivatives in the class scores: ± slope / σ, curvature max(factor bend, floor) / σ², times ``scale``."""
    steep = scale / sigma
    least = floor / sigma / sigma
    bent = factor * steep / sigma
    if classes == 1:
        grad[0] = steep * free[0] * slope[0] * (-1.0 if y == 1 else 1.0)
        hess[0] = max(bent * whole, least)
        return
    k, total = 0, 0.0
    for c in range(classes):
        if c != y:
            grad[c] = steep * free[k] * slope[k]
            hess[c] = max(bent * free[k] * bend[k], least)
            total += grad[c]
            k += 1
    grad[y] = -total
    hess[y] = max(bent * whole, least)


@inner
def block_exact(x, y, w, start, stop, classes, sigma, bounds, margin, log_form, factor, floor, rows, grad, hess):
    """Σ w loss of rows start … stop-1. Columns beyond the classes hold log σ (then ``sigma`` is its unit)."""
    total = 0.0
    others = max(classes - 1, 1)
    work = np.empty((7, others))
    a, free, lam, kap, center, slope, bend = work[0], work[1], work[2], work[3], work[4], work[5], work[6]
    moments = np.empty(6)
    row_grad, row_hess = np.empty(x.shape[1]), np.empty(x.shape[1])
    learned = x.shape[1] > classes
    unclipped = margin == np.inf and not learned
    for i in range(start, stop):
        wi = w[i] if w.size > 1 else w[0]
        log_sigma = np.float64(x[i, classes]) if learned else 0.0
        inside = min(max(log_sigma, bounds[0]), bounds[1])
        spread = sigma * math.exp(inside)
        offsets(x[i], y[i], classes, spread, margin, a, free)
        log_p, whole, whole_a, _ = row_integrals(a, free, unclipped, rows, lam, kap, center, moments, slope, bend)
        total += wi * (-log_p if log_form else -math.expm1(log_p))
        if grad.shape[0] == 0:
            continue
        scale = 1.0 if log_form else math.exp(log_p)
        write_scores(y[i], classes, spread, scale, factor, floor, whole, free, slope, bend, row_grad, row_hess)
        if learned:
            down = 0.0
            for k in range(others):
                down += a[k] * slope[k]
            outward = (log_sigma > bounds[1]) & (down < 0.0) | (log_sigma < bounds[0]) & (down > 0.0)
            row_grad[classes] = 0.0 if outward else scale * down
            row_hess[classes] = max(scale * (factor * whole_a + max(-down, 0.0)), floor)
        for c in range(x.shape[1]):
            grad[i, c] = wi * row_grad[c]
            hess[i, c] = wi * row_hess[c]
    return total


def _exact(x, y, w, classes, sigma, bounds, margin, log_form, factor, floor, rows, per_block, values, grad, hess):
    """`block_exact` over all blocks."""
    n = x.shape[0]
    for b in prange(values.size):
        values[b] = block_exact(
            x, y, w, b * per_block, min(n, (b + 1) * per_block), classes, sigma, bounds, margin, log_form, factor,
            floor, rows, grad, hess,
        )  # fmt: skip


@inner
def row_probabilities(m, rows, a, lam, kap, out):
    """out[c] = ∫ φ(s - m_c) Π Φ(s - m_i) ds over i other than c, on one set of nodes for all classes.

    Φ of all classes times λ of one of them is that class's integrand. m is (scores - largest) / σ.
    """
    top = np.argmax(m)
    k = 0
    for c in range(m.size):
        if c != top:
            a[k] = -m[c]
            k += 1
    mode = find_mode(a, rows, lam[:k], kap[:k])
    log_top, bend, _ = integrand(mode, a, rows, lam[:k], kap[:k])
    h = step_size(mode, log_top, bend, a, rows, lam[:k], kap[:k])
    out[:] = 0.0
    total = 0.0
    for side in (1.0, -1.0):
        j = 0 if side > 0.0 else 1
        while True:
            s = mode + side * j * h
            log_all = 0.0
            density = 0.0
            for c in range(m.size):
                value, lam[c], _ = log_cdf(s - m[c], rows)
                log_all += value
                density += lam[c]
            weight = math.exp(log_all)
            for c in range(m.size):
                out[c] += weight * lam[c]
            total += weight * density
            j += 1
            if weight * density < 1e-18:
                break
    for c in range(m.size):
        out[c] /= total


def _probabilities(m, rows, per_block, blocks, out):
    """`row_probabilities` over all blocks."""
    n, classes = m.shape
    for b in prange(blocks):
        a, lam, kap = np.empty(classes - 1), np.empty(classes), np.empty(classes)
        for i in range(b * per_block, min(n, (b + 1) * per_block)):
            row_probabilities(m[i], rows, a, lam, kap, out[i])


#: With a type, not a literal: see `_compile.ONE`.
WHOLE = np.bool_(True)


@njit
def count_nodes(x, y, sigma, rows):
    """Mean number of nodes over the rows: Q in the cost O(Q C)."""
    others = x.shape[1] - 1
    work, moments = np.empty((7, others)), np.empty(6)
    total = 0
    for i in range(x.shape[0]):
        offsets(x[i], y[i], x.shape[1], sigma, np.inf, work[0], work[1])
        total += row_integrals(work[0], work[1], WHOLE, rows, work[2], work[3], work[4], moments, work[5], work[6])[3]
    return total / x.shape[0]


exact = Kernel(_exact)
probabilities = Kernel(_probabilities)
