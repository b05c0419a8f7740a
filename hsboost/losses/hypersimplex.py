"""The HyperSimplex loss: squared distance between the projected scores and the labels."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._solver.top_k import hard_cut
from hsboost._validation import Budgets, FloatArray
from hsboost._workers.communicator import Workers
from hsboost.losses import _distributed, _grouped, _single
from hsboost.losses._base import Loss
from hsboost.losses._single import Slopes

HESSIANS = ("exact", "unit")
REDUCTIONS = ("sum", "mean")

#: Share of an active row's curvature that rows outside the active set keep.
DEFAULT_FLOOR = 1e-3


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
        How many positives the projection hands out. None: as many as there are (Σ w y), in each group and class. int: a
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
        hessian_floor off A, so that no leaf divides by nothing. Larger values make leaves with few active rows move
        less. Rows of zero weight keep zero curvature: they are not there.

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
        """With ``hessian="exact"`` the same loss at temperature / unit."""
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
        x, w, segments = self._inputs(raw_prediction, sample_weight, groups)
        return sum(
            self._value(column, labels, w, segments, k)
            for column, labels, k in self._problems(x, y_true)
        )  # fmt: skip

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
        x, w, segments = self._inputs(raw_prediction, sample_weight, groups)
        found = []
        for column, labels, k in self._problems(x, y_true):
            if segments is None:
                rows = _single.check_rows(check.single_budget(k), column, labels, w)
                where = _single.find(rows, self.temperature)
                found.append(_single.derivatives(rows, where, self._slopes(rows.total), x.dtype))
            else:
                many = self._grouped_rows(column, labels, w, segments, k)
                cuts = _grouped.find(many, self.temperature)
                slopes = self._slopes(float(many.total.sum()))
                found.append(_grouped.derivatives(many, cuts, slopes, x.dtype)[:2])
        return _joined(x, found)

    def boosting_step(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        state: Any,
        groups: ArrayLike | Segments | None = None,
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """float32 gradient and curvature as boosters take them, and the state for the next round of the same rows.

        With ``hessian="exact"`` both are multiplied by temperature² (and by Σ w / 2 when ``reduction="mean"``), and the
        curvature of an active row is its weight: diag(w), which bounds the Hessian diag(w) - w wᵀ / Σ_A w of the
        active block. A tree adds curvature up over a leaf's rows; with diag(w) a row of weight 2 adds what two rows
        add, which the diagonal alone, w (1 - w / Σ_A w), does not.
        """
        x, w, segments = self._inputs(raw_prediction, sample_weight, groups)
        if x.ndim == 1:
            return self._step(x, y_true, w, segments, self.k, state)
        states = state if isinstance(state, tuple) and len(state) == x.shape[1] else (None,) * x.shape[1]
        problems = self._problems(x, y_true)
        if self.k is None:
            weighs = [bool((labels if w is None else labels * w).any()) for _, labels, _ in problems]
            if sum(weighs) < 2:
                raise _single.few_classes([c for c, some in enumerate(weighs) if some])
        steps = [
            self._step(column, labels, w, segments, k, last, several=True)
            for (column, labels, k), last in zip(problems, states, strict=True)
        ]
        gradient, hessian = _joined(x, [found[:2] for found in steps])
        return gradient, hessian, tuple(found[2] for found in steps)

    def distributed_step(
        self,
        y_true: Callable[[], ArrayLike],
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        state: Any,
        groups: Callable[[], Segments | None] | None,
        workers: Workers,
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """:meth:`boosting_step` for rows that are spread over workers: called by all of them, rows or not.

        ``y_true`` gives this worker's labels, ``groups`` its groups where there are groups. What is wrong with the
        rows of one worker is raised on all.
        """

        def inputs() -> tuple[FloatArray, FloatArray | None, Segments | None]:
            if np.shape(raw_prediction)[0] == 0:
                return np.empty(0, np.float32), None, None
            return self._inputs(raw_prediction, sample_weight, None if groups is None else groups())

        return _distributed.step(
            workers, inputs, y_true, self.k, self.temperature, self._boosting_slopes, state, groups is not None
        )

    def without_arrays(self, state: Any) -> Any:
        """The thresholds alone, without what has the size of the data."""
        if type(state) is tuple:
            return tuple(one.without_arrays() for one in state)
        return None if state is None else state.without_arrays()

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
        return self._cuts(
            (x, w, segments, y_true),
            lambda rows: hard_cut(rows.x, rows.w, rows.mass, step),
            lambda many: [hard_cut(rows.x, rows.w, rows.mass, step) for rows in map(many.of, range(many.total.size))],
        )

    def soft_threshold(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
    ) -> Any:
        """The raw score that gets ŷ = 1/2; shapes as for :meth:`threshold`."""
        return self._cuts(
            (*self._inputs(raw_prediction, sample_weight, groups), y_true),
            lambda rows: _single.find(rows, self.temperature).soft_threshold,
            lambda many: _grouped.find(many, self.temperature).soft_threshold,
        )

    def _cuts(
        self, inputs: tuple[Any, ...], of_one: Callable[[_single.Rows], Any], of_groups: Callable[[Any], Any]
    ) -> Any:
        x, w, segments, y_true = inputs
        cuts = [
            of_one(_single.check_rows(check.single_budget(k), column, labels, w))
            if segments is None
            else of_groups(self._grouped_rows(column, labels, w, segments, k))
            for column, labels, k in self._problems(x, y_true)
        ]
        return np.array(cuts) if x.ndim == 2 else cuts[0] if segments is None else np.array(cuts[0])

    def slope(self, total: float) -> float:
        """What a unit of weight adds to the gradient for each unit of ŷ - y, when the weights add up to ``total``."""
        return (2.0 / total if self.reduction == "mean" else 1.0) / self.temperature

    def _slopes(self, total: float) -> Slopes:
        """Scales of the true derivatives."""
        slope = self.slope(total)
        if self.hessian == "unit":
            return Slopes(slope, bend=1.0, floor=1.0)
        return Slopes(slope, bend=slope / self.temperature, floor=self.hessian_floor, own=1.0)

    def _boosting_slopes(self, total: float) -> Slopes:
        """Scales of what boosters get."""
        if self.hessian == "unit":
            return self._slopes(total)
        return Slopes(self.temperature, bend=1.0, floor=self.hessian_floor)

    def _value(
        self, x: FloatArray, y_true: ArrayLike, w: FloatArray | None, segments: Segments | None, k: Budgets
    ) -> float:
        if segments is None:
            rows = _single.check_rows(check.single_budget(k), x, y_true, w)
            value, total = self._single_value(rows, _single.find(rows, self.temperature)), rows.total
        else:
            many = self._grouped_rows(x, y_true, w, segments, k)
            value, total = self._grouped_value(many, _grouped.find(many, self.temperature)), float(many.total.sum())
        return 2.0 * value / total if self.reduction == "mean" else value

    @staticmethod
    def _single_value(rows: _single.Rows, where: Any) -> float:
        return 0.5 * _single.squared_distance(rows, where)

    @staticmethod
    def _grouped_value(rows: _grouped.GroupedRows, where: Any) -> float:
        return 0.5 * _grouped.squared_distance(rows, where)

    def _step(
        self,
        x: FloatArray,
        y_true: ArrayLike,
        w: FloatArray | None,
        segments: Segments | None,
        k: Budgets,
        state: Any,
        several: bool = False,
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """One output's boosting round; ``several``: a class may be missing, as others carry the training."""
        if segments is not None:
            last = state if isinstance(state, _grouped.GroupedRound) else None
            return _grouped.step(k, self.temperature, self._boosting_slopes, x, y_true, w, segments, last, several)
        budget = check.single_budget(k)
        one = state if isinstance(state, _single.Round) else None
        return _single.step(budget, self.temperature, self._boosting_slopes, x, y_true, w, one, several)

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

    def _problems(self, x: FloatArray, y_true: ArrayLike) -> list[tuple[FloatArray, Any, Budgets]]:
        """(scores, labels, budget) of the one output, or of each class column."""
        if x.ndim == 1:
            return [(x, y_true, self.k)]
        n_classes = x.shape[1]
        classes = check.check_classes(y_true, x.shape[0], n_classes)
        budgets = check.class_budgets(self.k, n_classes)
        return [(x[:, c], (classes == c).astype(np.float32), budgets[c]) for c in range(n_classes)]

    @staticmethod
    def _grouped_rows(
        x: FloatArray, y_true: ArrayLike, w: FloatArray | None, segments: Segments, k: Budgets
    ) -> _grouped.GroupedRows:
        return _grouped.check_rows(check.BudgetRule.of(k, segments.labels), segments, x, y_true, w)


def _joined(x: FloatArray, found: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Columns back together, in the shape of the scores (column by column in memory)."""
    if x.ndim == 1:
        return found[0]
    return np.stack([one[0] for one in found]).T, np.stack([one[1] for one in found]).T
