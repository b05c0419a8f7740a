"""The HyperSimplex loss: squared distance between the projected scores and the labels."""

from __future__ import annotations

from sys import getrefcount
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import gradient as kernels
from hsboost._kernels._compile import BLOCK
from hsboost._threshold import Threshold
from hsboost._validation import Budget, FloatArray
from hsboost.losses._base import Loss
from hsboost.projection import hard_cut, solve_threshold

HESSIANS = ("exact", "unit")
REDUCTIONS = ("sum", "mean")

#: References to an array that only its `Round` holds: the tuple's, and the argument of getrefcount.
_UNSHARED = 2

#: Share of an active row's curvature that rows outside the active set keep.
DEFAULT_FLOOR = 1e-3


class Rows(NamedTuple):
    """Rows of the right shape: scores, labels, weights, Σ w, Σ w y and the total mass that k means here."""

    x: FloatArray
    y: FloatArray
    w: FloatArray | None
    total: float
    positive: float
    mass: float
    checked: bool = True


class Round(NamedTuple):
    """What one boosting round leaves for the next: where it cut, Σ w and Σ w y, and arrays to write into."""

    where: Threshold
    total: float
    positive: float
    gradient: np.ndarray | None
    hessian: np.ndarray | None

    def spare(self, n: int) -> tuple[np.ndarray, np.ndarray] | None:
        """The last round's arrays, if nobody else holds them any more (views count as holding).

        Fresh memory costs more than the pass that fills it: the operating system clears every page first.
        """
        if self.gradient is None or self.hessian is None or self.gradient.size != n:
            return None
        unused = getrefcount(self.gradient) == _UNSHARED and getrefcount(self.hessian) == _UNSHARED
        return (self.gradient, self.hessian) if unused else None


class HypersimplexLoss(Loss):
    """A differentiable zero-one loss: zero exactly when the k highest scores are the positives, by a margin.

    With ŷ the projection of raw_prediction / temperature onto { y in [0,1]^n : Σ w y = k } the loss is ½ Σ w (ŷ - y)².
    At hard assignments it counts mistakes: ‖ŷ - y‖² = k + P - 2 TP@k with P positives, so it stands in for
    precision@k at every budget k: for the precision-recall break-even point when k is the number of positives
    (the default), and for accuracy only when k is where accuracy peaks. Rows that are confidently right or
    confidently wrong have no gradient: the loss is robust to label noise, and not convex.

    Parameters
    ----------
    k : None, int or float in (0, 1), default None
        How many positives the projection hands out. None: as many as there are (Σ w y). int: a count, in units of
        weight. float: a share of the total weight.
    temperature : float, default 1.0
        Softness, in units of the raw scores.
    hessian : {"exact", "unit"}, default "exact"
        Curvature of :meth:`gradient_hessian` (boosters get it without the last factor, see
        :meth:`boosting_step`). ``"exact"``: the diagonal of the Hessian, (w / temperature²)
        (1 - w / Σ_A w) on the active set A, floored elsewhere. ``"unit"``: w for every row, as in the paper's code;
        temperature then acts as a step size.
    reduction : {"sum", "mean"}, default "sum"
        ``"sum"``: ½ Σ w (ŷ - y)². ``"mean"``: Σ w (ŷ - y)² / Σ w, as in the paper's code (no ½).
    hessian_floor : float, default 1e-3
        Least curvature of a row, as a share of what an active row has: max(1 - w / Σ_A w, hessian_floor) on A and
        hessian_floor off A, so that no leaf divides by nothing. Larger values make leaves with few active rows move
        less. Rows of zero weight keep zero curvature: they are not there.

    Raises
    ------
    ValueError
        From the constructor for parameters out of range; from the methods for scores that are not finite, labels other
        than 0 and 1, lengths that differ, bad weights, or a count k above the total weight.

    References
    ----------
    Gomez, Wang, Tang, "Differentiable Zero-One Loss via Hypersimplex Projections", arXiv 2602.23336, section 4.

    Examples
    --------
    >>> from hsboost import HypersimplexLoss
    >>> loss = HypersimplexLoss()
    >>> round(loss.loss([1, 1, 0, 0], [0.9, 0.2, 0.1, -2.0]), 4)
    0.2025
    >>> loss.gradient([1, 1, 0, 0], [0.9, 0.2, 0.1, -2.0]).round(3)
    array([ 0.  , -0.45,  0.45,  0.  ])
    """

    def __init__(
        self,
        k: Budget = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        reduction: Literal["sum", "mean"] = "sum",
        hessian_floor: float = DEFAULT_FLOOR,
    ) -> None:
        self.k = check.check_budget(k)
        self.temperature = check.check_temperature(temperature)
        self.hessian = check.check_choice(hessian, "hessian", HESSIANS)
        self.reduction = check.check_choice(reduction, "reduction", REDUCTIONS)
        self.hessian_floor = check.check_positive(hessian_floor, "hessian_floor")
        if self.hessian_floor > 1.0:
            raise ValueError(f"hessian_floor is a share of an active row's curvature, at most 1; got {hessian_floor!r}")

    def __repr__(self) -> str:
        return (
            f"HypersimplexLoss(k={self.k!r}, temperature={self.temperature!r}, hessian={self.hessian!r}, "
            f"reduction={self.reduction!r}, hessian_floor={self.hessian_floor!r})"
        )

    def loss(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Value of the loss.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels, 0 or 1 (bool, int or float).
        raw_prediction : array-like of shape (n,)
            Scores, finite; any shift of all of them gives the same value.
        sample_weight : array-like of shape (n,), optional
            Finite and >= 0.

        Returns
        -------
        float
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        _, _, squared = _residual_sums(rows, self._threshold(rows))
        return float(squared / rows.total if self.reduction == "mean" else 0.5 * squared)

    def gradient_hessian(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivative in each raw score and the curvature that ``hessian`` names.

        With r = ŷ - y the gradient is (w / temperature) (r - Σ_A w r / Σ_A w) on A and 0 elsewhere; it sums to zero.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight
            As for :meth:`loss`.

        Returns
        -------
        gradient, hessian : ndarrays of shape (n,), float32 for float32 scores, else float64.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        where = self._threshold(rows)
        slope = self._per_row(rows) / self.temperature
        if self.hessian == "unit":
            return self._derivatives(rows, where, rows.x.dtype, slope, 0.0, 1.0, 1.0)
        return self._derivatives(rows, where, rows.x.dtype, slope, 1.0, slope / self.temperature, self.hessian_floor)

    def boosting_step(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, state: Any
    ) -> tuple[np.ndarray, np.ndarray, Round]:
        """float32 gradient and curvature as boosters take them, and the state for the next round of the same rows.

        With ``hessian="exact"`` both are multiplied by temperature² (and by Σ w / 2 when ``reduction="mean"``), and the
        curvature of an active row is its weight: diag(w), which bounds the Hessian diag(w) - w wᵀ / Σ_A w of the
        active block. A tree adds curvature up over a leaf's rows; with diag(w) a row of weight 2 adds what two rows
        add, which the diagonal alone, w (1 - w / Σ_A w), does not.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight, state)
        start = None if state is None else (state.where.anchor, state.where.nu)
        where = self._threshold(rows, start)
        active, residual, *seen = _residuals_and_labels(rows, where)
        if not rows.checked and seen != [rows.total, rows.positive, 0.0, 0.0]:
            # Labels or weights are not those of the last round: look again, trusting nothing.
            rows = self._rows(y_true, raw_prediction, sample_weight)
            where = self._threshold(rows, start)
            active, residual, *seen = _residuals_and_labels(rows, where)
        if self.k is None and not 0.0 < rows.mass < rows.total:
            label = 0 if rows.mass <= 0.0 else 1
            raise ValueError(
                f"y_true must hold both classes, 0 and 1, when k is None; got only {label} (LightGBM fills in 0 when "
                "a data set has no label); pass the labels, or give k"
            )
        if self.hessian == "unit":
            slope, floor = self._per_row(rows) / self.temperature, 1.0
        else:
            slope, floor = self.temperature, self.hessian_floor
        out = None if state is None else state.spare(rows.x.size)
        gradient, hessian = out or (np.empty(rows.x.size, np.float32), np.empty(rows.x.size, np.float32))
        mean = residual / active if active > 0.0 else 0.0
        _write_derivatives(rows, where, mean, 0.0, slope, 1.0, floor, gradient, hessian)
        return gradient, hessian, Round(where, seen[0], seen[1], gradient, hessian)

    def without_arrays(self, state: Round) -> Round:
        """The threshold alone, without the last round's arrays."""
        return state._replace(gradient=None, hessian=None)

    def threshold(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Threshold:
        """Where the projection cuts the given scores; ``.cut`` is the raw score that gets ŷ = 1/2."""
        return self._threshold(self._rows(y_true, raw_prediction, sample_weight))

    def budget_cut(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The raw score that the top k rows exceed (up to ties at the boundary): the hard assignment."""
        rows = self._rows(y_true, raw_prediction, sample_weight)
        if not np.isfinite(rows.x).all():
            raise check.not_finite(rows.x, "raw_prediction")
        return hard_cut(rows.x, rows.w, rows.mass)

    def _per_row(self, rows: Rows) -> float:
        """The factor before w in the loss's derivatives."""
        return 2.0 / rows.total if self.reduction == "mean" else 1.0

    def _rows(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        last: Round | None = None,
    ) -> Rows:
        """Check the rows. With ``last``, float32 labels and weights are taken to be the last round's: check later."""
        x = check.check_scores(raw_prediction, "raw_prediction")
        y = np.asarray(y_true)
        check.check_same_length(y, "y_true", x.size, "raw_prediction")
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y_true must hold 0 and 1, got dtype {y.dtype}; encode the labels first")
        w = check.check_weight(sample_weight, x.size, "raw_prediction")
        if last is not None and y.dtype == np.float32:
            y = np.ascontiguousarray(y)
            mass = check.budget_mass(self.k, last.total, last.positive)
            return Rows(x, y, w, last.total, last.positive, mass, checked=False)
        # Looked at as they came: rounding to float32 would make 1e-60 a label.
        own = np.ascontiguousarray(y if y.dtype in (np.float32, np.float64) else y.astype(np.float32))
        total, positive, wrong_labels, wrong_weights = _block_totals(kernels.labels, 4, x.size, own, w)
        if wrong_labels:
            raise check.bad_labels(y)
        if wrong_weights and w is not None:
            raise check.bad_weights(w)
        check.check_total_weight(total)
        mass = check.budget_mass(self.k, total, positive)
        return Rows(x, own.astype(np.float32, copy=False), w, total, positive, mass)

    def _threshold(self, rows: Rows, start: tuple[float, float] | None = None) -> Threshold:
        return solve_threshold(rows.x, rows.w, rows.mass, rows.total, self.temperature, "raw_prediction", start)

    def _derivatives(
        self, rows: Rows, where: Threshold, dtype: np.dtype[Any], slope: float, own: float, bend: float, floor: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """gradient = slope w (r - mean) on A; hessian = bend w max(1 - own w / Σ_A w, floor), bend w floor off A."""
        active, residual, _ = _residual_sums(rows, where)
        mean = residual / active if active > 0.0 else 0.0
        share = own / active if active > 0.0 else 0.0
        gradient, hessian = np.empty(rows.x.size, dtype), np.empty(rows.x.size, dtype)
        _write_derivatives(rows, where, mean, share, slope, bend, floor, gradient, hessian)
        return gradient, hessian


def _write_derivatives(
    rows: Rows,
    where: Threshold,
    mean: float,
    share: float,
    slope: float,
    bend: float,
    floor: float,
    gradient: np.ndarray,
    hessian: np.ndarray,
) -> None:
    kernels.gradient(
        rows.x.size, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu,
        mean, share, slope, bend, floor, gradient, hessian,
    )  # fmt: skip


def _residuals_and_labels(rows: Rows, where: Threshold) -> tuple[float, ...]:
    """(Σ_A w, Σ_A w r, Σ w, Σ w y, rows with a wrong label, rows with a wrong weight)."""
    return _block_totals(
        kernels.residuals_and_labels, 6, rows.x.size, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu
    )


def _residual_sums(rows: Rows, where: Threshold) -> tuple[float, float, float]:
    """(Σ_A w, Σ_A w r, Σ w r²)."""
    n = rows.x.size
    return _block_totals(  # type: ignore[return-value]
        kernels.residuals, 3, n, rows.x, rows.y, rows.w, where.anchor, where.scale, where.nu
    )


def _block_totals(kernel: Any, kinds: int, n: int, *arguments: Any) -> tuple[float, ...]:
    """Run a block kernel and add its partial sums up in block order."""
    out = np.empty((kinds, (n + BLOCK - 1) // BLOCK))
    kernel(n, *arguments, out)
    return tuple(out.sum(axis=1).tolist())
