"""Losses that are sums over rows, with what is known of each, and rows to try them on."""

from __future__ import annotations

import numpy as np
import pytest

from hsboost.losses import (
    EntmaxLoss,
    ExactLoss,
    FocalLoss,
    HingeLoss,
    SampledSoftmaxLoss,
    SoftmaxLoss,
    SparsemaxLoss,
    SquaredHingeLoss,
    SquaredLoss,
    get_loss,
)

#: How each name is tested. exact: the curvature is the diagonal of the Hessian; bound: at least that.
EXACT, BOUND, OTHER = "exact", "bound", "other"
CASES = {
    "exact": (ExactLoss(0.7, hessian_floor=1e-9), EXACT, BOUND),
    "exact, log": (ExactLoss(0.7, log=True, curvature="exact", hessian_floor=1e-9), EXACT, EXACT),
    "log-loss": (SoftmaxLoss(), EXACT, BOUND),
    "softmax": (SoftmaxLoss("exact"), EXACT, EXACT),
    "softmax, constant": (SoftmaxLoss("constant"), BOUND, BOUND),
    "sparsemax": (SparsemaxLoss(), BOUND, BOUND),
    "sparsemax, exact": (SparsemaxLoss("exact"), EXACT, EXACT),
    "sparsemax, bound": (SparsemaxLoss("bound"), BOUND, BOUND),
    "entmax15": (get_loss("entmax15"), BOUND, BOUND),
    "entmax15, exact": (get_loss("entmax15", curvature="exact"), EXACT, EXACT),
    "entmax": (EntmaxLoss(1.25), BOUND, BOUND),
    "entmax, exact": (EntmaxLoss(1.7, "exact"), EXACT, EXACT),
    "entmax, bound": (EntmaxLoss(1.1, "bound"), BOUND, BOUND),
    "squared": (SquaredLoss(), EXACT, EXACT),
    "hinge": (HingeLoss(), OTHER, OTHER),
    "squared-hinge": (SquaredHingeLoss(hessian_floor=1e-12), EXACT, EXACT),
    "squared-hinge, bound": (SquaredHingeLoss("bound"), BOUND, BOUND),
    "focal": (FocalLoss(), BOUND, BOUND),
    "focal, weighted": (FocalLoss(0.5, (0.3, 1.0)), BOUND, None),
    "focal, none": (FocalLoss(0, 0.25), EXACT, None),
    "sampled-softmax": (SampledSoftmaxLoss(exact_share=1.0), EXACT, BOUND),
}
#: Losses that do not see a shift of a row's scores.
SHIFT = [name for name in CASES if not name.startswith(("squared", "hinge"))]
CONVEX = [name for name in CASES if not name.startswith("focal") and name != "exact"]  # 1 - P is not
#: The two classes play the same part.
SYMMETRIC = [name for name in CASES if name not in ("focal, weighted", "focal, none", "squared")]
WIDTHS = (1, 2, 5)


def cases(names=None, widths=WIDTHS, kind=None):
    """Loss and number of scores; ``kind``: only where the curvature is of that kind."""
    return [
        pytest.param(name, width, id=f"{name}-{width}")
        for name, (_, _, multiclass) in CASES.items()
        for width in widths
        if (names is None or name in names) and not (multiclass is None and width > 2)
        if kind is None or CASES[name][2 if width > 1 else 1] == kind
    ]


def problem(width, rng, n=40, size=1.0):
    """Scores (n,) or (n, width), labels, weights; no score near a corner of the piecewise losses."""
    x = size * (rng.integers(-30, 30, (n, width)) / 10 + 0.037 + 0.002 * rng.random((n, width)))
    y = rng.integers(0, max(2, width), n)
    return (x[:, 0] if width == 1 else x), y, rng.uniform(0.2, 2, n)


def steps(x, h):
    for index in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[index] = h
        yield index, d
