"""Passes of the entropic projection: sums for the search of its multiplier, values, losses, gradients, curvatures.

Rows enter as ``v = (x - anchor) * scale - nu`` and get ŷ = σ(v); d = ŷ (1 - ŷ) takes the place of "active". Everything
else is as in `multiplier` and `gradient`: float64 sums, ``w`` an array or None (all ones).
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, Kernel, SumKernel, njit
from hsboost._kernels.logistic import halves, minus_log

#: What the search needs to know at a nu: Σ w of the rows with v > 0; Σ w (1 - ŷ) over them; Σ w ŷ over the others;
#: Σ w d of the former and of the latter; Σ w d (1 - 2 ŷ); Σ w d². Kept apart by the sign of v, sums have no large terms
#: that cancel, so that a gap between rows is as easy as a crowd of them.
KINDS = 7
ABOVE, SHORT, OVER, SLOPE_ABOVE, SLOPE_BELOW, BEND, SQUARE = range(KINDS)


@njit(fastmath=FAST, error_model="numpy")
def block_sums(x, w, anchor, scale, nu):
    """The sums of one block in the order of `KINDS`, and 0 or NaN when a score is not finite."""
    short = 0.0
    over = 0.0
    slope_above = 0.0
    slope_below = 0.0
    bend = 0.0
    square = 0.0
    check = 0.0
    if w is None:
        count = 0  # exact
        for i in range(x.size):
            xi = np.float64(x[i])
            v = (xi - anchor) * scale - nu
            p, q = halves(v)
            d = p * q
            bent = d * (q - p)
            up = v > 0.0
            count += 1 if up else 0
            short += p if up else 0.0
            over += 0.0 if up else p
            slope_above += d if up else 0.0
            slope_below += 0.0 if up else d
            bend += -bent if up else bent
            square += d * d
            check += xi * 0.0
        return np.float64(count), short, over, slope_above, slope_below, bend, square, check
    above = 0.0
    for i in range(x.size):
        xi = np.float64(x[i])
        wi = np.float64(w[i])
        v = (xi - anchor) * scale - nu
        p, q = halves(v)
        wp = wi * p
        wd = wp * q
        bent = wd * (q - p)
        up = v > 0.0
        above += wi if up else 0.0
        short += wp if up else 0.0
        over += 0.0 if up else wp
        slope_above += wd if up else 0.0
        slope_below += 0.0 if up else wd
        bend += -bent if up else bent
        square += wd * (p * q)
        check += xi * 0.0
    return above, short, over, slope_above, slope_below, bend, square, check


def _sums(x, w, anchor, scale, nus, out):
    """out[c, :, b] = `block_sums` of block b at candidate c; shape (candidates, KINDS + 1, blocks)."""
    n = x.size
    for b in prange(out.shape[2]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        for c in range(nus.size):
            if w is None:
                s = block_sums(x[i:j], None, anchor, scale, nus[c])
            else:
                s = block_sums(x[i:j], w[i:j], anchor, scale, nus[c])
            out[c, 0, b], out[c, 1, b], out[c, 2, b], out[c, 3, b] = s[0], s[1], s[2], s[3]
            out[c, 4, b], out[c, 5, b], out[c, 6, b], out[c, 7, b] = s[4], s[5], s[6], s[7]


def _candidates(x, w, problem, start, stop, anchor, scale, nus, counts, out):
    """out[t, c] = `block_sums` of task t at candidate c of its problem, for the first ``counts`` of them.

    For rows that lie problem after problem, cut into tasks of one problem's rows, as in `distributed`.
    """
    for t in prange(problem.size):
        p, i, j = problem[t], start[t], stop[t]
        for c in range(counts[p]):
            if w is None:
                s = block_sums(x[i:j], None, anchor[p], scale, nus[p, c])
            else:
                s = block_sums(x[i:j], w[i:j], anchor[p], scale, nus[p, c])
            out[t, c, 0], out[t, c, 1], out[t, c, 2], out[t, c, 3] = s[0], s[1], s[2], s[3]
            out[t, c, 4], out[t, c, 5], out[t, c, 6], out[t, c, 7] = s[4], s[5], s[6], s[7]


@njit(fastmath=FAST, error_model="numpy")
def block_values(x, anchor, scale, nu, out):
    """out = ŷ."""
    for i in range(x.size):
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        out[i] = q if v > 0.0 else p


def _values(x, anchor, scale, nu, out):
    """The projection itself."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        block_values(x[i:j], anchor, scale, nu, out[i:j])


@njit(fastmath=FAST, error_model="numpy")
def block_residuals(x, y, w, anchor, scale, nu):
    """(Σ w d, Σ w d r, Σ w d², Σ w r²) of one block, r = ŷ - y."""
    slope = 0.0
    residual = 0.0
    square = 0.0
    squared = 0.0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        r = (q if v > 0.0 else p) - np.float64(y[i])
        d = p * q
        wd = wi * d
        slope += wd
        residual += wd * r
        square += wd * d
        squared += wi * (r * r)
    return slope, residual, square, squared


def _residuals(x, y, w, anchor, scale, nu, out):
    """out[:, b] = `block_residuals` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_residuals(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_residuals(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0, b], out[1, b], out[2, b], out[3, b] = s


@njit(fastmath=FAST, error_model="numpy")
def block_residuals_and_labels(x, y, w, anchor, scale, nu, soft):
    """(Σ w d, Σ w d (soft ŷ - y), Σ w d²) and, of the same rows, what `gradient.block_labels` returns.

    ``soft`` is 1, for residuals, or 0, for positives alone. One load of the rows serves all sums.
    """
    slope = 0.0
    residual = 0.0
    square = 0.0
    positive = 0.0
    total = 0.0
    good_labels = 0
    good_weights = 0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        yi = np.float64(y[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        d = p * q
        wd = wi * d
        slope += wd
        residual += wd * (soft * (q if v > 0.0 else p) - yi)
        square += wd * d
        positive += wi * yi
        good_labels += 1 if (yi == 0.0) | (yi == 1.0) else 0
        if w is not None:
            total += wi
            good_weights += 1 if (wi >= 0.0) & (wi < np.inf) else 0
    n = np.float64(x.size)
    if w is None:
        return slope, residual, square, n, positive, n - good_labels, 0.0
    return slope, residual, square, total, positive, n - good_labels, n - good_weights


def _residuals_and_labels(x, y, w, anchor, scale, nu, soft, out):
    """out[:, b] = `block_residuals_and_labels` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_residuals_and_labels(x[i:j], y[i:j], None, anchor, scale, nu, soft)
        else:
            s = block_residuals_and_labels(x[i:j], y[i:j], w[i:j], anchor, scale, nu, soft)
        out[0, b], out[1, b], out[2, b], out[3, b] = s[0], s[1], s[2], s[3]
        out[4, b], out[5, b], out[6, b] = s[4], s[5], s[6]


@njit(fastmath=FAST, error_model="numpy")
def block_gradient(x, y, w, anchor, scale, nu, mean, own, spread, slope, bend, least, grad, hess):
    """grad = slope w d (r - mean), hess = bend w max(d² (1 - own w (2 d - spread)), least).

    The squared composition: mean = Σ w d r / S, S = Σ w d. The exact diagonal is had with own = 1 / S and spread =
    Σ w d² / S; own = 0 leaves w d². ``least`` is in units of d².
    """
    for i in range(x.size):
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        d = p * q
        r = (q if v > 0.0 else p) - np.float64(y[i]) - mean
        if w is None:
            grad[i] = slope * d * r
            hess[i] = bend * max(d * d * (1.0 - own * (2.0 * d - spread)), least)
        else:
            wi = np.float64(w[i])
            grad[i] = slope * wi * d * r
            hess[i] = bend * wi * max(d * d * (1.0 - own * wi * (2.0 * d - spread)), least)


def _gradient(x, y, w, anchor, scale, nu, mean, own, spread, slope, bend, least, grad, hess):
    """`block_gradient` over all blocks, straight into the output arrays."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            block_gradient(
                x[i:j], y[i:j], None, anchor, scale, nu,
                mean, own, spread, slope, bend, least, grad[i:j], hess[i:j],
            )  # fmt: skip
        else:
            block_gradient(
                x[i:j], y[i:j], w[i:j], anchor, scale, nu,
                mean, own, spread, slope, bend, least, grad[i:j], hess[i:j],
            )  # fmt: skip


@njit(fastmath=FAST, error_model="numpy")
def block_convex_gradient(x, y, w, anchor, scale, nu, shift, own, slope, bend, least, grad, hess):
    """grad = slope w (r - shift), hess = bend w max(d (1 - own w d), least).

    The Fenchel-Young loss: shift = (k - Σ w y) / Σ w; own = 1 / Σ w d for the exact diagonal, 0 for w d. ``least`` is
    in units of d.
    """
    for i in range(x.size):
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        d = p * q
        r = (q if v > 0.0 else p) - np.float64(y[i]) - shift
        if w is None:
            grad[i] = slope * r
            hess[i] = bend * max(d * (1.0 - own * d), least)
        else:
            wi = np.float64(w[i])
            grad[i] = slope * wi * r
            hess[i] = bend * wi * max(d * (1.0 - own * wi * d), least)


def _convex_gradient(x, y, w, anchor, scale, nu, shift, own, slope, bend, least, grad, hess):
    """`block_convex_gradient` over all blocks, straight into the output arrays."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            block_convex_gradient(
                x[i:j], y[i:j], None, anchor, scale, nu, shift, own, slope, bend, least, grad[i:j], hess[i:j]
            )
        else:
            block_convex_gradient(
                x[i:j], y[i:j], w[i:j], anchor, scale, nu, shift, own, slope, bend, least, grad[i:j], hess[i:j]
            )


@njit(fastmath=FAST, error_model="numpy")
def block_log_loss(x, y, w, anchor, scale, nu):
    """(Σ w log-loss(ŷ, y), Σ w v) of one block: the Fenchel-Young loss's sums.

    log-loss = log(1 + exp(-|v|)) + |v| where v is on the wrong side, by the part of the label that is.
    """
    loss = 0.0
    position = 0.0
    for i in range(x.size):
        wi = 1.0 if w is None else np.float64(w[i])
        yi = np.float64(y[i])
        v = (np.float64(x[i]) - anchor) * scale - nu
        p, q = halves(v)
        wrong = wi * (1.0 - yi if v > 0.0 else yi)
        # v may be infinite: no product with 0 then.
        far = abs(v) if wrong > 0.0 else 0.0
        place = v if wi > 0.0 else 0.0
        loss += wi * minus_log(p, q) + wrong * far
        position += wi * place
    return loss, position


def _log_loss(x, y, w, anchor, scale, nu, out):
    """out[:, b] = `block_log_loss` of block b."""
    n = x.size
    for b in prange(out.shape[1]):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        if w is None:
            s = block_log_loss(x[i:j], y[i:j], None, anchor, scale, nu)
        else:
            s = block_log_loss(x[i:j], y[i:j], w[i:j], anchor, scale, nu)
        out[0, b], out[1, b] = s


sums = Kernel(_sums)
candidates = Kernel(_candidates)
values = Kernel(_values, block_values)
residuals = SumKernel(_residuals, block_residuals, 4)
residuals_and_labels = SumKernel(_residuals_and_labels, block_residuals_and_labels, 7)
gradient = Kernel(_gradient, block_gradient)
convex_gradient = Kernel(_convex_gradient, block_convex_gradient)
log_loss = SumKernel(_log_loss, block_log_loss, 2)
