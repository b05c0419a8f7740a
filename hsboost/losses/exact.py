"""EXACT: expected accuracy of a classifier whose scores are Gaussian, as a loss."""

from __future__ import annotations

import math
from copy import copy
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels import exact as kernels
from hsboost._kernels._compile import BLOCK
from hsboost._kernels.normal import table
from hsboost.losses._base import Loss
from hsboost.losses._separable import RowLoss, Rows, check_outputs, class_shares

LEARNED = "learned"

#: Cost of one class of a row, in units of one cheap score (quadrature nodes).
_NODES = 32


class SigmaSchedule(NamedTuple):
    """σ from start to end in geometric steps over the first rounds, then end."""

    start: float
    end: float
    rounds: int

    def at(self, round_: int) -> float:
        """σ of a boosting round, counted from 0."""
        share = min(round_ / max(self.rounds - 1, 1), 1.0)
        return float(self.start * (self.end / self.start) ** share)


class ExactLoss(RowLoss):
    """Expected mistakes of a classifier that adds Gaussian noise to its scores: a smooth stand-in for accuracy.

    Scores s ~ N(μ, σ² I) have their largest entry at the true class with probability P; the loss of a row is 1 - P,
    or -log P. The noise makes accuracy differentiable without bounding it from above: as σ shrinks 1 - P becomes the
    zero-one loss. Because the differences of the scores share one Gaussian, P is a one-dimensional integral,

        P = ∫ φ(t) Π_{i≠y} Φ(t + (μ_y - μ_i) / σ) dt,    and for two classes P = Φ((μ_y - μ_o) / (σ √2)),

    which a trapezoid rule fitted to each row gives to about 1e-14 with some 30 nodes (75 for a thousand classes),
    so that value, gradient and curvature cost O(nodes · C) a row. One raw score per row is μ₁ - μ₀.

    Parameters
    ----------
    sigma : float, (start, end, rounds) or "learned", default 1.0
        Standard deviation of the scores, in units of the raw scores. A triple: a schedule, from start to end in
        geometric steps over the first rounds of boosting, and end from then on and outside of boosting. A round with
        the same scores for every row restarts it (with per-row starting scores, use a new objective for each
        training). ``"learned"``: one more raw score per row, the last, is log σ(x): two raw scores for two classes.
    log : bool, default False
        The loss of a row: -log P instead of 1 - P. -log P is convex in the scores (P is log-concave), and its gradient
        never vanishes at a wrong row; that of 1 - P does at rows that are far wrong.
    margin : float, optional
        Upper limit of the leads μ_y - μ_i: a class that is behind by more has no gradient.
    curvature : {"bound", "exact"}, default "bound"
        For C scores. ``"exact"``: the diagonal of the Hessian of -log P; ``"bound"``: twice that, which bounds the
        Hessian. Both times P when ``log=False``. See the notes. One score: always the exact diagonal.
    sigma_bounds : (float, float), default (0.05, 20.0)
        Least and greatest learned σ. Beyond them σ stays at the bound, and only a gradient that leads back is kept.
    hessian_floor : float, default 1e-3
        Least curvature of a row of weight 1, in units of 1 / σ² (of 1 for log σ).

    Notes
    -----
    With ℓ = -log P, a_i = (μ_y - μ_i)/σ, λ = φ/Φ, κ = λ (t + a + λ) and E, Var under the density of t that the
    integrand is: ∂ℓ/∂μ_i = E λ_i / σ, ∂ℓ/∂μ_y = -Σ of these, ∂ℓ/∂log σ = Σ a_i E λ_i, and ∂²ℓ/∂a² = H =
    diag(E κ) - Cov(λ). H is positive semidefinite (Prékopa), so the diagonal in μ, (E κ_i - Var λ_i) / σ² and for y
    1ᵀ H 1 / σ², is never negative. Off the diagonal the Hessian in μ is -Cov(λ_i, λ_j) and Cov(λ_i, t) (both of the
    sign of minus a covariance of functions that fall together), so not positive, and its rows sum to 0: such a matrix
    is at most twice its diagonal. 1 - P = 1 - e^-ℓ is concave in ℓ, so its tangent in ℓ lies above it: boosting
    1 - P with gradient P ∂ℓ and curvature P times ℓ's is to descend on a convex function that lies above it
    (Gauss-Newton for a concave outer function). log σ gets the Gauss-Newton part aᵀ H a plus max(-∂ℓ/∂log σ, 0), the
    part of its second derivative that may exceed it; with two blocks of unknowns that meet in one product, the
    Gauss-Newton parts of both are doubled.

    References
    ----------
    Karpukhin, Dereka, Kolesnikov, "EXACT: How to Train Your Accuracy", Pattern Recognition Letters, 2024
    (arXiv 2205.09615); Dunnett, Sobel, "Approximations to the probability integral of a multivariate analogue of
    Student's t-distribution", Biometrika 42, 1955 (one dimension); Trefethen, Weideman, "The exponentially
    convergent trapezoidal rule", SIAM Review 56, 2014; Prékopa, "On logarithmic concave measures", 1973.

    Examples
    --------
    >>> from hsboost.losses import ExactLoss
    >>> round(ExactLoss().loss([2], [[0.0, 0.0, 0.0]]), 12)
    0.666666666667
    >>> ExactLoss().probabilities([[1.0, 0.0, 0.0]]).round(4)
    array([[0.6337, 0.1831, 0.1831]])
    """

    unit_name = "sigma"

    def __init__(
        self,
        sigma: float | tuple[float, float, int] | Literal["learned"] = 1.0,
        log: bool = False,
        margin: float | None = None,
        curvature: Literal["bound", "exact"] = "bound",
        sigma_bounds: tuple[float, float] = (0.05, 20.0),
        hessian_floor: float = 1e-3,
    ) -> None:
        self.sigma = _check_sigma(sigma)
        if not isinstance(log, bool | np.bool_):
            raise ValueError(f"log must be True (-log P) or False (1 - P), got {log!r}")
        self.log = bool(log)
        self.margin = None if margin is None else check.check_positive(margin, "margin")
        self.curvature = check.check_choice(curvature, "curvature", ("bound", "exact"))
        self.sigma_bounds = _check_bounds(sigma_bounds)
        self.hessian_floor = check.check_positive(hessian_floor, "hessian_floor")

    def __repr__(self) -> str:
        sigma = tuple(self.sigma) if isinstance(self.sigma, SigmaSchedule) else self.sigma
        return (
            f"ExactLoss(sigma={sigma!r}, log={self.log!r}, margin={self.margin!r}, curvature={self.curvature!r}, "
            f"sigma_bounds={self.sigma_bounds!r}, hessian_floor={self.hessian_floor!r})"
        )

    @property
    def learns_sigma(self) -> bool:
        """Whether the last raw score of a row is log σ."""
        return self.sigma == LEARNED

    @property
    def unit(self) -> float:
        """σ, of the first round if it changes; 1 if it is learned."""
        return self.sigma_at(0)

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """The same loss with σ and margin over ``unit``; with a learned σ, which has no unit, as it is."""
        if self.learns_sigma:
            return self, unit
        other = copy(self)
        if isinstance(self.sigma, SigmaSchedule):
            other.sigma = SigmaSchedule(self.sigma.start / unit, self.sigma.end / unit, self.sigma.rounds)
        else:
            other.sigma = self.sigma_at() / unit
        other.margin = None if self.margin is None else self.margin / unit
        return other, 1.0

    def sigma_at(self, round_: int | None = None) -> float:
        """σ of a boosting round (None: after the last one); the unit of a learned σ."""
        if isinstance(self.sigma, SigmaSchedule):
            return self.sigma.end if round_ is None else self.sigma.at(round_)
        return 1.0 if isinstance(self.sigma, str) else self.sigma

    def n_outputs(self, n_classes: int) -> int:
        """One raw score for two classes, else one per class; one more when σ is learned."""
        return super().n_outputs(n_classes) + self.learns_sigma

    def class_scores(self, raw_prediction: ArrayLike) -> np.ndarray:
        """The means: without log σ when σ is learned."""
        raw = np.asarray(raw_prediction)
        if not self.learns_sigma:
            return raw
        self._n_scores(raw.shape[1] if raw.ndim == 2 else 1)
        return raw[:, 0] if raw.shape[1] == 2 else raw[:, :-1]

    def probabilities(self, raw_prediction: ArrayLike) -> np.ndarray:
        """Probability of each class to score highest under the Gaussian model; with ``log=True`` fitted as such.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, outputs)

        Returns
        -------
        ndarray of shape (n, 2) or (n, C), float64
        """
        raw = check_outputs(raw_prediction)
        x = np.asarray(raw.reshape(raw.shape[0], -1), dtype=np.float64)
        if not np.isfinite(x).all():
            raise check.not_finite(x, "raw_prediction")
        classes = self._n_scores(x.shape[1])
        sigma = self.sigma_at() * np.ones((len(x), 1))
        if self.learns_sigma:
            sigma = np.clip(np.exp(np.clip(x[:, -1:], -50.0, 50.0)), *self.sigma_bounds)
        if classes == 1:
            from scipy.special import ndtr

            z = x[:, :1] / (sigma * math.sqrt(2.0))
            return np.hstack([ndtr(-z), ndtr(z)])
        means = x[:, :classes]
        scores = np.ascontiguousarray((means - means.max(axis=1, keepdims=True)) / sigma)
        per_block = max(1, BLOCK // self._block_cost(classes))
        out = np.empty(scores.shape)
        blocks = -(-len(scores) // per_block)
        kernels.probabilities(scores.size * _NODES, scores, table(), per_block, blocks, out)
        return out

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray | None:
        """Two classes and ``log=True``: σ √2 Φ⁻¹(share of class 1), with log σ = 0 when learned; else no closed form.

        (For 1 - P the best constant is infinitely far on the larger class's side.)
        """
        from scipy.special import ndtri

        shares = class_shares(y_true, sample_weight, n_classes)
        if shares.size > 2 or not self.log:
            return None
        sigma = self.sigma_at(0)
        start = sigma * math.sqrt(2.0) * float(ndtri(np.clip(shares[1], 1e-15, 1.0 - 1e-15)))
        if self.margin is not None:
            start = min(max(start, -self.margin), self.margin)
        return np.array([start, 0.0] if self.learns_sigma else [start])

    def boosting_step(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, state: Any
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """float32 gradient and curvature as boosters take them, and the number of the next round.

        Both are multiplied by σ² unless σ is learned, so that they do not depend on the unit of the scores.
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        round_ = 0 if state is None else int(state)
        if isinstance(self.sigma, SigmaSchedule) and (rows.x == rows.x[0]).all():
            round_ = 0
        sigma = self.sigma_at(round_)
        unit = self if self.learns_sigma else self._with_sigma_1(sigma)
        scaled = rows if self.learns_sigma or sigma == 1.0 else rows._replace(x=rows.x / np.float64(sigma))
        gradient, hessian = unit._derivatives(scaled, np.float32)
        if not self.learns_sigma and sigma != 1.0:
            gradient *= np.float32(sigma)
        return gradient, hessian, round_ + 1

    def _with_sigma_1(self, sigma: float) -> ExactLoss:
        """The same loss for scores in units of sigma."""
        unit = copy(self)
        unit.sigma = 1.0
        unit.margin = None if self.margin is None else self.margin / sigma
        return unit

    def _n_scores(self, outputs: int) -> int:
        if not self.learns_sigma:
            return outputs
        if outputs < 2:
            raise ValueError(
                "raw_prediction must have one more column than there are scores when sigma='learned' (the last is "
                f"log sigma), got {outputs}; train with n_outputs(n_classes) outputs, or give sigma as a number"
            )
        return outputs - 1

    def _block_cost(self, outputs: int) -> int:
        return outputs if outputs == 1 else outputs * _NODES

    def _run(self, rows: Rows, values: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, per_block: int) -> None:
        x, y, w, _ = rows
        classes = self._n_scores(x.shape[1])
        factor = 2.0 if self.curvature == "bound" and classes > 1 else 1.0
        bounds = np.log(self.sigma_bounds) if self.learns_sigma else np.zeros(2)
        factor *= 2.0 if self.learns_sigma else 1.0
        kernels.exact(
            x.shape[0] * self._block_cost(x.shape[1]), x, y, w, classes, self.sigma_at(), bounds,
            math.inf if self.margin is None else self.margin, self.log, factor, self.hessian_floor, table(),
            per_block, values, gradient, hessian,
        )  # fmt: skip


def _check_sigma(sigma: Any) -> float | SigmaSchedule | str:
    if isinstance(sigma, str):
        if sigma != LEARNED:
            raise ValueError(f"sigma must be a positive number, (start, end, rounds) or 'learned', got {sigma!r}")
        return LEARNED
    if not isinstance(sigma, tuple | list):
        return check.check_positive(sigma, "sigma")
    if len(sigma) != 3 or isinstance(sigma[2], bool) or not isinstance(sigma[2], int | np.integer) or sigma[2] < 1:
        raise ValueError(
            f"sigma as a schedule is (start, end, rounds), rounds a whole number of at least 1; got {sigma!r}"
        )
    start, end = (check.check_positive(value, "sigma") for value in sigma[:2])
    return SigmaSchedule(start, end, int(sigma[2]))


def _check_bounds(bounds: Any) -> tuple[float, float]:
    if not isinstance(bounds, tuple | list) or len(bounds) != 2:
        raise ValueError(f"sigma_bounds must be a pair (least, greatest), got {bounds!r}")
    low, high = (check.check_positive(value, "sigma_bounds") for value in bounds)
    if low >= high:
        raise ValueError(f"sigma_bounds must be a pair (least, greatest) with least < greatest, got {bounds!r}")
    return low, high
