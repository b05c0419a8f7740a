"""The softmax family: softmax (log loss), sparsemax and α-entmax, as Fenchel-Young losses of the simplex."""

from __future__ import annotations

from typing import Any, Literal, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hsboost import _validation as check
from hsboost._kernels import simplex as kernels
from hsboost._kernels._compile import BLOCK, as_input
from hsboost._kernels.log_loss import derivatives
from hsboost._validation import FloatArray
from hsboost.losses._base import LEAST_CURVATURE
from hsboost.losses._separable import RowLoss, Rows, check_outputs, class_shares

CURVATURES = ("exact", "bound", "constant", "friedman")
Curvature = Literal["exact", "bound", "constant", "friedman"]

#: Between 1 and this, 1 / (α - 1) is too large a power for float64 to keep its digits.
LEAST_ALPHA = 1.001

#: Least share of a class in `intercept`, as in LightGBM: log 0 is not a score.
LEAST_SHARE = 1e-15

_BINARY_RULES = {"exact": kernels.EXACT, "friedman": kernels.EXACT, "bound": kernels.BOUND}


#: Kinds of numbers that `EntmaxLoss._at_once` takes; labels of others might round to 0 or 1.
_FLOATS = tuple(map(np.dtype, ("f4", "f8")))
_LABELS = (*_FLOATS, *map(np.dtype, ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8")))


def _is_column(array: Any, kinds: tuple[np.dtype[Any], ...]) -> TypeGuard[np.ndarray]:
    """Whether this is a plain array (n,) of one of these dtypes."""
    return type(array) is np.ndarray and array.ndim == 1 and array.dtype in kinds


class EntmaxLoss(RowLoss):
    """Learn class probabilities that may be exactly 0: log loss at α = 1, sparsemax at α = 2, entmax between them.

    With ŷ(θ) = argmax { ⟨θ, p⟩ - Ω(p) : p a probability vector } and Ω(p) = (Σ p^α - 1) / (α (α - 1)) (Shannon's
    negative entropy at α = 1) the loss of a row is ⟨θ, ŷ⟩ - Ω(ŷ) - θ_y: convex, at least 0, and for α > 1 exactly 0
    once the true class leads all others by 1 / (α - 1). Its gradient is ŷ - e_y. Two classes take one score s,
    the lead of class 1 over class 0: scores (0, s), so that ŷ₁ is the sigmoid at α = 1.

    Parameters
    ----------
    alpha : float, default 1.5
        1, or between 1.001 and 2 (beyond 2, ŷ is not a Lipschitz function of the scores, and no curvature bounds it).
    curvature : {"exact", "bound", "constant", "friedman"}, optional
        The curvature that :meth:`gradient_hessian` and boosters get. With s = ŷ^(2-α) on the support of ŷ:

        ``"exact"``: the diagonal of the Hessian, s (1 - s / Σ s); one score: 1 / (ŷ₁^(α-2) + ŷ₀^(α-2)).
        ``"bound"``: an upper bound of the Hessian. Classes: twice the diagonal, a bound because the Hessian
        diag(s) - s sᵀ/Σ s has rows that sum to 0 and no positive entry off the diagonal; it is local, so 0 where ŷ
        is a vertex. One score: (ŷ₁ - ½) / s, whose parabola lies above the loss everywhere.
        ``"constant"``: 1 for classes (½ at α = 1) and 2^(α-3) for one score: parabolas above the loss everywhere.
        ``"friedman"``: C / (C - 1) times the diagonal (LightGBM's choice); one score: as ``"exact"``.

        Default: at α = 1 ``"bound"`` for classes and ``"exact"`` for one score, which is what XGBoost does; for
        α > 1 ``"constant"`` for classes and ``"bound"`` for one score, because the exact curvature is 0 at confident
        mistakes, whose gradient is not.
    hessian_floor : float, default 1e-16
        Least curvature of a row of weight 1.

    Raises
    ------
    ValueError
        From the constructor for parameters out of range; from the methods for scores that are not finite, labels that
        are not classes, lengths that differ, or bad weights.

    References
    ----------
    Blondel, Martins, Niculae, "Learning with Fenchel-Young losses", JMLR 21, 2020; Martins, Astudillo, "From Softmax
    to Sparsemax", ICML 2016; Peters, Niculae, Martins, "Sparse Sequence-to-Sequence Models", ACL 2019 (entmax);
    Friedman, "Greedy Function Approximation", 2001, section 4.6 (the factor (C - 1) / C).

    Examples
    --------
    >>> from hsboost.losses import EntmaxLoss
    >>> loss = EntmaxLoss(alpha=1.5)
    >>> loss.probabilities([[2.0, 1.0, -1.0]]).round(3)
    array([[0.831, 0.169, 0.   ]])
    >>> loss.gradient([1], [[2.0, 1.0, -1.0]]).round(3)
    array([[ 0.831, -0.831,  0.   ]])
    """

    def __init__(
        self, alpha: float = 1.5, curvature: Curvature | None = None, hessian_floor: float = LEAST_CURVATURE
    ) -> None:
        self.alpha = check.check_positive(alpha, "alpha")
        if self.alpha != 1.0 and not LEAST_ALPHA <= self.alpha <= 2.0:
            raise ValueError(f"alpha must be 1 (softmax) or between {LEAST_ALPHA} and 2 (sparsemax), got {alpha!r}")
        self.curvature = None if curvature is None else check.check_choice(curvature, "curvature", CURVATURES)
        self.hessian_floor = check.check_positive(hessian_floor, "hessian_floor")

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha!r}, curvature={self.curvature!r}, "
            f"hessian_floor={self.hessian_floor!r})"
        )

    def probabilities(self, raw_prediction: ArrayLike) -> np.ndarray:
        """ŷ of each row: at α = 1 calibrated as far as the model fits; for α > 1 sparse and overconfident.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, C)

        Returns
        -------
        ndarray of shape (n, 2) or (n, C), float64
        """
        raw = check_outputs(raw_prediction)
        x = raw.reshape(raw.shape[0], -1)
        if not np.isfinite(x).all():
            raise check.not_finite(x, "raw_prediction")
        if x.shape[1] == 1:
            x = np.hstack([np.zeros_like(x), x])
        x = as_input(x)
        per_block = max(1, BLOCK // x.shape[1])
        out = np.empty(x.shape)
        kernels.mapping(x.size, x, self.alpha, per_block, -(-x.shape[0] // per_block), out)
        return out

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray:
        """The constant scores whose ŷ are the shares of the classes: (share^(α-1) - 1) / (α - 1), log share at α = 1.

        Two classes: class 1's score minus class 0's. At α = 1 absent classes count as 1e-15 of the weight.
        """
        shares = class_shares(y_true, sample_weight, n_classes)
        if self.alpha == 1.0:
            scores = np.log(np.maximum(shares, LEAST_SHARE))
        else:
            scores = (shares ** (self.alpha - 1.0) - 1.0) / (self.alpha - 1.0)
        return scores if scores.size > 2 else scores[1:] - scores[:1]

    def _at_once(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, dtype: DTypeLike | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Log loss of two classes in arrays as boosters hold them: checked in the pass that has the derivatives."""
        x, y, w = raw_prediction, y_true, sample_weight
        if not (_is_column(x, _FLOATS) and _is_column(y, _LABELS) and (w is None or _is_column(w, _FLOATS))):
            return None
        n = x.size
        if not self._is_plain or n == 0 or y.size != n or (w is not None and w.size != n):
            return None
        gradient, hessian = np.empty((2, n), x.dtype if dtype is None else dtype)
        scores, labels, weights, total = self._log_loss(as_input(x), y, w, gradient, hessian)
        if scores != 0.0 or labels or weights or not 0.0 < total < np.inf:
            return None
        return gradient, hessian

    @property
    def _is_plain(self) -> bool:
        """Whether one score per row has log loss with the curvature of both boosters."""
        return self.alpha == 1.0 and _BINARY_RULES.get(self.curvature or "exact") == kernels.EXACT

    def _log_loss(
        self, x: FloatArray, y: np.ndarray, w: FloatArray | None, gradient: np.ndarray, hessian: np.ndarray
    ) -> tuple[float, ...]:
        y = as_input(y if y.dtype in _FLOATS else y.astype(np.float32))
        return derivatives.totals(
            x.size, x, y, None if w is None else as_input(w), self.hessian_floor, gradient, hessian
        )

    def _run(self, rows: Rows, values: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, per_block: int) -> None:
        x, y, w, _ = rows
        classes = x.shape[1]
        floor = self.hessian_floor
        if classes == 1 and self._is_plain and gradient.size:
            self._log_loss(x[:, 0], y, None if w.size < y.size else w, gradient[:, 0], hessian[:, 0])
            values[:] = np.nan  # nobody asks for the loss along with its derivatives
            return
        if classes == 1:
            rule = self.curvature or ("exact" if self.alpha == 1.0 else "bound")
            code = _BINARY_RULES.get(rule, kernels.CONSTANT)
            kernels.binary(
                x.size, x, y, w, self.alpha, code, 2.0 ** (self.alpha - 3.0), floor, per_block, values,
                gradient, hessian,
            )  # fmt: skip
            return
        rule = self.curvature or ("bound" if self.alpha == 1.0 else "constant")
        factor = {"exact": 1.0, "bound": 2.0, "friedman": classes / (classes - 1.0)}.get(rule, 0.0)
        constant = (0.5 if self.alpha == 1.0 else 1.0) if rule == "constant" else 0.0
        kernels.simplex(x.size, x, y, w, self.alpha, factor, constant, floor, per_block, values, gradient, hessian)


class SoftmaxLoss(EntmaxLoss):
    """Log loss (cross entropy): probabilities that are calibrated as far as the model fits.

    Two classes take one score s with P(class 1) = 1 / (1 + e^-s); C classes take C scores, P(c) = e^θ_c / Σ e^θ.

    Parameters
    ----------
    curvature : {"exact", "bound", "constant", "friedman"}, optional
        As for :class:`EntmaxLoss`. Default: for one score p (1 - p), as both boosters; for classes 2 p (1 - p), as
        XGBoost (``"friedman"`` is LightGBM's).
    hessian_floor : float, default 1e-16
        Least curvature of a row of weight 1; XGBoost's number.

    Examples
    --------
    >>> from hsboost.losses import SoftmaxLoss
    >>> SoftmaxLoss().loss([1, 0], [0.0, 0.0])
    1.3862943611198906
    """

    def __init__(self, curvature: Curvature | None = None, hessian_floor: float = LEAST_CURVATURE) -> None:
        super().__init__(1.0, curvature, hessian_floor)

    def __repr__(self) -> str:
        return f"SoftmaxLoss(curvature={self.curvature!r}, hessian_floor={self.hessian_floor!r})"


class SparsemaxLoss(EntmaxLoss):
    """Probabilities by Euclidean projection onto the simplex: many are exactly 0, and the loss is a Huber loss.

    α-entmax with α = 2. ŷ is :func:`hsboost.project_hypersimplex` of the row with k = 1. For one score s, with
    margin m = ±s, the loss is 0 from m = 1 on, -m up to m = -1, and (1 - m)² / 4 between.

    Parameters
    ----------
    curvature, hessian_floor
        As for :class:`EntmaxLoss`.

    Examples
    --------
    >>> from hsboost.losses import SparsemaxLoss
    >>> SparsemaxLoss().probabilities([[0.9, 0.5, -1.0]]).round(3)
    array([[0.7, 0.3, 0. ]])
    """

    def __init__(self, curvature: Curvature | None = None, hessian_floor: float = LEAST_CURVATURE) -> None:
        super().__init__(2.0, curvature, hessian_floor)

    def __repr__(self) -> str:
        return f"SparsemaxLoss(curvature={self.curvature!r}, hessian_floor={self.hessian_floor!r})"


def entmax15(curvature: Curvature | None = None, hessian_floor: float = LEAST_CURVATURE) -> EntmaxLoss:
    """The loss :class:`EntmaxLoss` at α = 1.5, whose ŷ has a closed form once the scores are sorted."""
    return EntmaxLoss(1.5, curvature, hessian_floor)
