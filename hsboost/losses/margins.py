"""Losses of the margin, one score against one label: squared, hinge, squared hinge. Several classes: one-vs-rest."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import margins as kernels
from hsboost.losses._base import LEAST_CURVATURE
from hsboost.losses._separable import RowLoss, Rows, class_shares


class _MarginLoss(RowLoss):
    """A loss of one score and one label; C scores are C such problems, class c against the rest, added up."""

    _kind: int
    _shape = 1.0

    def _run(self, rows: Rows, values: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, per_block: int) -> None:
        x, y, w, _ = rows
        kernels.margins(
            x.size, x, y, w, self._kind, self._shape, self.hessian_floor, per_block, values, gradient, hessian
        )


class SquaredLoss(_MarginLoss):
    """Least squares on the labels 0 and 1: ½ (s - y)², Σ_c ½ (θ_c - [y = c])² for C classes.

    Its minimisers are the classes' probabilities, but scores are unbounded: a row far on the right side has a loss.
    Gradient s - y, curvature 1, both exact.

    References
    ----------
    Brier, "Verification of forecasts expressed in terms of probability", 1950.

    Examples
    --------
    >>> from hsboost.losses import SquaredLoss
    >>> SquaredLoss().gradient([1, 0], [0.25, 0.25])
    array([-0.75,  0.25])
    """

    _kind = kernels.SQUARED
    hessian_floor = LEAST_CURVATURE

    def __repr__(self) -> str:
        return "SquaredLoss()"

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray:
        """The mean label, or the shares of the classes."""
        shares = class_shares(y_true, sample_weight, n_classes)
        return shares if shares.size > 2 else shares[1:]


class HingeLoss(_MarginLoss):
    """The support vector machine's loss: [1 - m]_+ with the margin m = s for class 1 and -s for class 0.

    Convex, zero from m = 1 on, and linear below. Its minimiser is ±1, the more probable class: it learns the decision,
    not the probability.

    Parameters
    ----------
    smoothing : float, default 0.5
        The hinge has no curvature of its own. Boosters get 1 / (2 max(|1 - m|, smoothing)). With u = 1 - m the hinge
        is (|u| + u) / 2, and the parabola u²/(2|u₀|) + |u₀|/2 lies above |u| and touches it at u₀, so a Newton step
        with that curvature never overshoots; within ``smoothing`` of the corner it is the curvature of |u| with its
        corner rounded off. Loss and gradient are those of the plain hinge.

    References
    ----------
    Groenen, Nalbantov, Bioch, "SVM-Maj: a majorization approach to linear support vector machines with different
    hinge errors", Advances in Data Analysis and Classification 2, 2008 (the parabola).

    Examples
    --------
    >>> from hsboost.losses import HingeLoss
    >>> gradient, curvature = HingeLoss().gradient_hessian([1, 1, 0], [2.0, 0.0, 1.0])
    >>> gradient
    array([ 0., -1.,  1.])
    >>> curvature
    array([0.5 , 0.5 , 0.25])
    """

    _kind = kernels.HINGE
    hessian_floor = 1e-37  # the curvature is positive; only float32 could lose it

    def __init__(self, smoothing: float = 0.5) -> None:
        self.smoothing = self._shape = check.check_positive(smoothing, "smoothing")

    def __repr__(self) -> str:
        return f"HingeLoss(smoothing={self.smoothing!r})"

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray:
        """1 for a class with more than half of the weight, -1 for one with less, 0 at exactly half."""
        shares = class_shares(y_true, sample_weight, n_classes)
        return np.sign((shares if shares.size > 2 else shares[1:]) - 0.5)


class SquaredHingeLoss(_MarginLoss):
    """The smooth hinge: [1 - m]_+² with the margin m = s for class 1 and -s for class 0.

    Convex, zero from m = 1 on, and quadratic below, so sensitive to outliers. Its minimiser is 2 P(class 1) - 1.

    Parameters
    ----------
    curvature : {"exact", "bound"}, default "exact"
        ``"exact"``: 2 where m < 1 and 0 (then the floor) beyond. ``"bound"``: 2 everywhere, the curvature of a
        parabola that lies above the loss whichever side of the corner a step ends on.
    hessian_floor : float, default 1e-3
        Least curvature of a row of weight 1: rows beyond the margin keep it.

    References
    ----------
    Lin, "A note on margin-based loss functions in classification", Statistics & Probability Letters 68, 2004.

    Examples
    --------
    >>> from hsboost.losses import SquaredHingeLoss
    >>> SquaredHingeLoss().gradient([1, 1, 0], [2.0, 0.0, 1.0])
    array([ 0., -2.,  4.])
    """

    _kind = kernels.SQUARED_HINGE

    def __init__(self, curvature: Literal["exact", "bound"] = "exact", hessian_floor: float = 1e-3) -> None:
        self.curvature = check.check_choice(curvature, "curvature", ("exact", "bound"))
        self.hessian_floor = check.check_positive(hessian_floor, "hessian_floor")
        self._shape = 2.0 if curvature == "bound" else 0.0

    def __repr__(self) -> str:
        return f"SquaredHingeLoss(curvature={self.curvature!r}, hessian_floor={self.hessian_floor!r})"

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray:
        """2 share - 1 of class 1, or of each class."""
        shares = class_shares(y_true, sample_weight, n_classes)
        return 2.0 * (shares if shares.size > 2 else shares[1:]) - 1.0
