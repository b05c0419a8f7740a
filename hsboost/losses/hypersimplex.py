"""The HyperSimplex loss: squared distance between the projected scores and the labels."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.problems import in_users_shape, users_numbers
from hsboost._solver.segments import Multipliers, Segments
from hsboost._solver.top_k import hard_cuts
from hsboost._validation import Budgets, FloatArray
from hsboost._workers.communicator import Workers
from hsboost.losses import _distributed, _euclidean, _rounds
from hsboost.losses._base import Loss
from hsboost.losses._passes import Passes, Slopes, Totals
from hsboost.losses._problems import Rows

HESSIANS = ("exact", "unit")
REDUCTIONS = ("sum", "mean")

#: Share of an active row's curvature that rows outside the active set keep.
DEFAULT_FLOOR = 1e-3


class Solved(NamedTuple):
    """Checked rows, their totals and projections."""

    rows: Rows
    where: Multipliers
    totals: Totals


class HypersimplexLoss(Loss):
    """A differentiable zero-one loss: zero exactly when the k highest scores are the positives, by a margin.

    With ŷ the projection of raw_prediction / temperature onto { y in [0,1]^n : Σ w y = k } the loss is ½ Σ w (ŷ - y)².
    At hard assignments it counts mistakes: ‖ŷ - y‖² = k + P - 2 TP@k with P positives, so it stands in for
    precision@k at every budget k: for the precision-recall break-even point when k is the number of positives
    (the default), and for accuracy only when k is where accuracy peaks. Rows that are confidently right or
    confidently wrong have no gradient: the loss is robust to label noise, and not convex.

    With ``groups`` (branch, day, region, query) there is one projection per group, each with its own budget: rows
    compete within their group only. With scores of shape (n, C) and classes 0 … C-1 as labels there is one projection
    per class column against the indicator of its class, and the loss is their sum.

    Parameters
    ----------
    k : None, int, float in (0, 1), or a mapping, default None
        How many positives the projection assigns. None: as many as there are (Σ w y), in each group and class. int: a
        count, in units of weight (all rows where there are fewer). float: a share of the total weight. A mapping gives
        each group, or each class 0 … C-1, a budget of its own (with both, classes map to groups).
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
        hessian_floor off A, so that no leaf divides by zero. Larger values reduce the steps of leaves with few active
        rows. Rows of weight 0 have curvature 0, as if they were absent.

    Raises
    ------
    ValueError
        From the constructor for parameters out of range; from the methods for scores that are not finite, labels other
        than 0 and 1 (or the classes 0 … C-1), lengths that differ, bad weights, or a mapping without a budget for some
        group or class.

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

    is_separable = False
    has_budget = True
    runs_on_cuda = True

    #: The passes of the Euclidean projection.
    passes: ClassVar[Passes] = _euclidean
    unit_name = "temperature"

    def __init__(
        self,
        k: Budgets = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        reduction: Literal["sum", "mean"] = "sum",
        hessian_floor: float = DEFAULT_FLOOR,
    ) -> None:
        self.k = check.check_budgets(k)
        self.temperature = check.check_normal_temperature(temperature)
        self.hessian = check.check_choice(hessian, "hessian", HESSIANS)
        self.reduction = check.check_choice(reduction, "reduction", REDUCTIONS)
        self.hessian_floor = check.check_positive(hessian_floor, "hessian_floor")
        if self.hessian_floor > 1.0:
            raise ValueError(f"hessian_floor is a share of an active row's curvature, at most 1; got {hessian_floor!r}")

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(k={self.k!r}, temperature={self.temperature!r}, hessian={self.hessian!r}, "
            f"reduction={self.reduction!r}, hessian_floor={self.hessian_floor!r})"
        )

    @property
    def unit(self) -> float:
        """The temperature, with ``hessian="exact"``; with ``"unit"`` it is a step size, and the unit 1."""
        return self.temperature if self.hessian == "exact" else 1.0

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """With ``hessian="exact"`` the loss at temperature / unit; with ``"unit"`` this loss and factor ``unit``."""
        if self.hessian == "unit":
            return self, unit
        other = copy(self)
        other.temperature = self.temperature / unit
        return other, 1.0

    def loss(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
    ) -> float:
        """Value of the loss.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Labels, 0 or 1 (bool, int or float); with scores of shape (n, C) the classes 0 … C-1.
        raw_prediction : array-like of shape (n,) or (n, C)
            Scores, finite; any shift of all of them (of a group's, of a column's) gives the same value.
        sample_weight : array-like of shape (n,), optional
            Finite and >= 0.
        groups : array-like of shape (n,), optional
            Label of each row's group, in any order.

        Returns
        -------
        float
        """
        solved = self._solve(y_true, raw_prediction, sample_weight, groups)
        value = self.passes.value(solved.rows, solved.where, self._slopes(1.0).convex, solved.totals)
        return 2.0 * value / float(solved.totals.total.sum()) if self.reduction == "mean" else value

    def gradient(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
    ) -> np.ndarray:
        """Derivative of the loss in each raw score; the first part of :meth:`gradient_hessian`."""
        return self.gradient_hessian(y_true, raw_prediction, sample_weight, groups)[0]

    def gradient_hessian(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivative in each raw score and the curvature that ``hessian`` names.

        With r = ŷ - y the gradient is (w / temperature) (r - Σ_A w r / Σ_A w) on A and 0 elsewhere; it sums to zero.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight, groups
            As for :meth:`loss`.

        Returns
        -------
        gradient, hessian : ndarrays of the shape of raw_prediction, float32 for float32 scores, else float64.
        """
        solved = self._solve(y_true, raw_prediction, sample_weight, groups)
        x = solved.rows.problems.x
        both = np.empty((2, *(x.shape if len(x) > 1 else x.shape[1:])), x.dtype)
        gradient, hessian = both[0].T, both[1].T
        slopes = self._slopes(float(solved.totals.total.sum()))
        _rounds.write_in_order(
            self.passes,
            solved.rows,
            solved.where,
            slopes,
            gradient,
            hessian,
            solved.totals,
        )
        return gradient, hessian

    def boosting_step(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        state: Any,
        groups: ArrayLike | Segments | None = None,
        gradient_out: np.ndarray | None = None,
        hessian_out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """float32 gradient and curvature as boosters take them, and the state for the next round of the same rows.

        With ``hessian="exact"`` both are multiplied by temperature² (and by Σ w / 2 when ``reduction="mean"``), and the
        curvature of an active row is its weight: diag(w), which bounds the Hessian diag(w) - w wᵀ / Σ_A w of the
        active block. A tree adds up curvature over a leaf's rows; with diag(w) a row of weight 2 adds as much as two
        rows, which the diagonal alone, w (1 - w / Σ_A w), does not.

        ``gradient_out`` and ``hessian_out`` are arrays to write into, such as those that this method returned for an
        earlier round of the same shape and that are not needed any more. New arrays cost more than the pass that
        fills them, because the operating system zeroes every page first.
        """
        x, w, segments = self._inputs(raw_prediction, sample_weight, groups)
        return _rounds.step(self, x, y_true, w, segments, state, gradient_out, hessian_out)

    def distributed_step(
        self,
        y_true: Callable[[], ArrayLike],
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        state: Any,
        groups: Callable[[], Segments | None] | None,
        workers: Workers,
        gradient_out: np.ndarray | None = None,
        hessian_out: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """:meth:`boosting_step` for distributed rows: every worker calls it, even one without rows.

        ``y_true`` returns this worker's labels, ``groups`` its groups where there are groups. An error in the rows of
        one worker is raised on all.
        """

        def inputs() -> tuple[FloatArray, FloatArray | None, Segments | None]:
            if np.shape(raw_prediction)[0] == 0:
                return np.empty(0, np.float32), None, None
            return self._inputs(raw_prediction, sample_weight, None if groups is None else groups())

        return _distributed.step(self, workers, inputs, y_true, state, groups is not None, gradient_out, hessian_out)

    def threshold(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
        step: float = 1.0,
    ) -> Any:
        """The raw score that the top k rows exceed (up to ties at the boundary): the hard assignment.

        Where all rows, or none, are to exceed it, it lies half a ``step`` beyond the last one.

        A float; one per group (sorted labels), shape (G,), with ``groups``; one per class, shape (C,), for scores of
        shape (n, C); shape (C, G) for both.
        """
        x, w, segments = self._inputs(raw_prediction, sample_weight, groups)
        if not np.isfinite(x).all():
            raise check.not_finite(x, "raw_prediction")
        rows, totals = self._count(x, w, segments, y_true)
        layout, columns, weight = rows.problems
        found = [
            hard_cuts(column, weight, layout.offsets, mass, step)
            for column, mass in zip(columns, totals.mass, strict=True)
        ]
        return in_users_shape(np.array(found), x.ndim == 2, segments is not None)

    def soft_threshold(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
    ) -> Any:
        """The raw score that gets ŷ = 1/2; shapes as for :meth:`threshold`."""
        solved = self._solve(y_true, raw_prediction, sample_weight, groups)
        return users_numbers(solved.where, len(solved.totals.mass) > 1, groups is not None)[1]

    def step_slope(self, total: float) -> float | None:
        """Gradient per unit of weight and of ŷ - y with ``hessian="unit"``, where the temperature is a step size."""
        return self._slope(total) if self.hessian == "unit" else None

    def _slope(self, total: float) -> float:
        return (2.0 / total if self.reduction == "mean" else 1.0) / self.temperature

    def _slopes(self, total: float) -> Slopes:
        """Scales of the true derivatives."""
        slope = self._slope(total)
        if self.hessian == "unit":
            return Slopes(slope, bend=1.0, floor=1.0)
        return Slopes(slope, bend=slope / self.temperature, floor=self.hessian_floor, own=1.0)

    def boosting_slopes(self, total: float) -> Slopes:
        """Scales of the derivatives that boosters get."""
        if self.hessian == "unit":
            return self._slopes(total)
        return Slopes(self.temperature, bend=1.0, floor=self.hessian_floor)

    def _solve(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        groups: ArrayLike | Segments | None,
    ) -> Solved:
        """Everything checked, laid out and projected."""
        rows, totals = self._count(*self._inputs(raw_prediction, sample_weight, groups), y_true)
        return Solved(rows, _rounds.find(self, rows, totals), totals)

    def _count(
        self, x: FloatArray, w: FloatArray | None, segments: Segments | None, y_true: ArrayLike
    ) -> tuple[Rows, Totals]:
        """Rows with checked labels and weights, and their totals."""
        rows, total, positive = Rows.of(x, y_true, w, segments).counted()
        check.check_total_weight(float(total.sum()))
        labels = None if segments is None else segments.labels
        mass = check.BudgetRule.of_problems(self.k, len(positive), labels).masses(total, positive)
        check.check_resolution(mass, total, rows.problems.w, labels)
        return rows, Totals(mass, total, positive)

    @staticmethod
    def _inputs(
        raw_prediction: ArrayLike, sample_weight: ArrayLike | None, groups: ArrayLike | Segments | None
    ) -> tuple[FloatArray, FloatArray | None, Segments | None]:
        """Scores, weights and groups of matching lengths."""
        x = check.check_score_columns(raw_prediction, "raw_prediction")
        w = check.check_weight(sample_weight, x.shape[0], "raw_prediction")
        if groups is None or isinstance(groups, Segments):
            if groups is not None and groups.n != x.shape[0]:
                raise check.wrong_groups(groups.n, x.shape[0])
            return x, w, groups
        return x, w, Segments.by_label(groups, x.shape[0], "raw_prediction")
