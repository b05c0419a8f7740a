"""The focal loss: log loss that gives less weight to rows that are classified well already."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import focal as kernels
from hsboost.losses._base import LEAST_CURVATURE
from hsboost.losses._separable import RowLoss, Rows
from hsboost.losses.simplex import SoftmaxLoss


class FocalLoss(RowLoss):
    """Log loss that down-weights easy rows, for rare positives among many easy negatives.

    A row whose true class has probability p costs -a (1 - p)^γ log p, with p the sigmoid (one score) or softmax (C
    scores) of the raw scores and a the weight of the true class. γ = 0 is log loss. Not convex for γ > 0.

    Parameters
    ----------
    gamma : float, default 2.0
        How fast the weight of easy rows falls, >= 0.
    alpha : None, float in (0, 1) or sequence of C floats, default None
        Weights of the classes. float, two classes: alpha for class 1 and 1 - alpha for class 0. None: 1 for all.
    hessian_floor : float, default 1e-16
        Least curvature of a row of weight 1.

    Notes
    -----
    With q = log p and f(q) = -(1 - e^q)^γ q the Hessian is -f'(q) (diag(p) - p pᵀ) + f''(q) (e_y - p)(e_y - p)ᵀ. The
    curvature keeps max(f'', 0): for one score it is -f' p (1 - p) + max(f'', 0) (1 - p)², the second derivative
    where that is the larger part's sign and above it elsewhere; for C scores twice
    -f' p_c (1 - p_c) + max(f'', 0) (1 - p) |e_y - p|_c, which bounds the Hessian (first term as for softmax; the
    second by v vᵀ ≼ ‖v‖₁ diag |v|). :meth:`probabilities` are the sigmoid or softmax: not calibrated, the loss is
    not proper; they lean towards ½.

    References
    ----------
    Lin, Goyal, Girshick, He, Dollár, "Focal Loss for Dense Object Detection", ICCV 2017.

    Examples
    --------
    >>> from hsboost.losses import FocalLoss
    >>> FocalLoss(gamma=2.0).gradient([1, 1], [1.0, -3.0]).round(4)
    array([-0.0526, -1.1267])
    """

    def __init__(
        self,
        gamma: float = 2.0,
        alpha: float | Sequence[float] | None = None,
        hessian_floor: float = LEAST_CURVATURE,
    ) -> None:
        self.gamma = 0.0 if gamma == 0 and not isinstance(gamma, bool) else check.check_positive(gamma, "gamma")
        self.alpha = _check_alpha(alpha)
        self.hessian_floor = check.check_positive(hessian_floor, "hessian_floor")

    def __repr__(self) -> str:
        return f"FocalLoss(gamma={self.gamma!r}, alpha={self.alpha!r}, hessian_floor={self.hessian_floor!r})"

    def probabilities(self, raw_prediction: ArrayLike) -> np.ndarray:
        """Sigmoid or softmax of the raw scores, (n, 2) or (n, C): not calibrated."""
        return SoftmaxLoss().probabilities(raw_prediction)

    def _scale(self, classes: int) -> np.ndarray:
        if self.alpha is None:
            return np.ones(classes)
        if isinstance(self.alpha, tuple):
            if len(self.alpha) != classes:
                raise ValueError(f"alpha has {len(self.alpha)} weights for {classes} classes; give one for each")
            return np.array(self.alpha)
        if classes != 2:
            raise ValueError(
                f"alpha={self.alpha!r} weighs class 1 against class 0, but there are {classes} classes; "
                "pass a sequence with one weight for each class, or None"
            )
        return np.array([1.0 - self.alpha, self.alpha])

    def _run(self, rows: Rows, values: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, per_block: int) -> None:
        x, y, w, _ = rows
        scale = self._scale(max(2, x.shape[1]))
        kernels.focal(x.size, x, y, w, self.gamma, scale, self.hessian_floor, per_block, values, gradient, hessian)


def _check_alpha(alpha: Any) -> float | tuple[float, ...] | None:
    if alpha is None:
        return None
    if isinstance(alpha, numbers.Real) and not isinstance(alpha, bool):
        if 0.0 < float(alpha) < 1.0:
            return float(alpha)
    elif isinstance(alpha, Sequence | np.ndarray) and not isinstance(alpha, str) and len(alpha) > 1:
        return tuple(check.check_positive(value, "alpha") for value in alpha)
    raise ValueError(
        f"alpha must be None, a float in (0, 1) (weight of class 1) or a sequence of positive weights, one for each "
        f"class; got {alpha!r}"
    )
