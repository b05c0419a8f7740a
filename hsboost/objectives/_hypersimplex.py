"""The hypersimplex losses as custom objectives: budgets for all rows, or for each group of a data set."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost._boosting.accelerator import Accelerator
from hsboost._boosting.dataset_groups import (
    ROW_FIELD,
    check_name,
    labels_of_rows,
    query_groups,
    row_codes,
    several_workers,
)
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers.communicator import Workers
from hsboost.losses import HypersimplexLoss, Loss
from hsboost.losses.hypersimplex import DEFAULT_FLOOR
from hsboost.objectives._loss import LossObjective


class HypersimplexObjective(LossObjective):
    """The HyperSimplex loss as a custom objective: train trees for precision at a budget k.

    Parameters
    ----------
    k, temperature, hessian, reduction, hessian_floor
        As for :class:`hsboost.HypersimplexLoss`. k = None (the default) is the number of positives of each training
        set, a float in (0, 1) a share of its weight: both are right in cross-validation. An int is a count in every
        set it meets, folds included. With groups, or several classes, each has that budget, or its own from a mapping.
    groups : None, "dataset", "label_lower_bound" or array-like of shape (n,), default None
        One budget and one threshold per group (branch, day, region, query). ``"dataset"``: the query groups that the
        ``DMatrix`` (``qid``, ``group``) or ``Dataset`` (``group``) carries, labelled 0, 1, 2 … in a mapping. Refused
        for XGBoost's data from iterators (``QuantileDMatrix`` among them), whose batches cut queries.
        ``"label_lower_bound"``: codes 0, 1, 2 … (whole numbers below 2**24) that a ``DMatrix`` or ``DaskDMatrix``
        carries row by row in the field of that name, which only survival objectives read: the way for groups that
        span batches and workers. An array: a label per training row (of this worker), in any order; in ``lgb.cv``, and
        for a ``Dataset.subset``, of all rows of the whole ``Dataset``.
    device : {"auto", "cpu", "cuda", "cuda:N"}, default "auto"
        Where gradient and curvature are computed. ``"auto"``: on the GPU that XGBoost trains on, if ``hsboost[gpu]``
        is installed, the rows are many, without groups and all on this machine; otherwise on the processor.
        ``"cuda"``: on a GPU, or a ValueError that says why not. Results agree to float32 rounding.

    Attributes
    ----------
    soft_threshold_ : float or ndarray
        The raw score that got ŷ = 1/2 in the last round; one per group (sorted labels), per class (C,), or (C, G).

    Notes
    -----
    While scores are soft (ŷ strictly between 0 and 1, as on noisy data they stay) ŷ > 1/2 for fewer or more than k
    rows. :meth:`fit_threshold` gives the cut that k training rows exceed: the one to predict with.

    With ``hessian="exact"`` gradient and curvature are both multiplied by temperature², so that an active row's
    curvature is its weight. The temperature then only sets the unit of the raw scores, as far as the booster's
    arithmetic allows: LightGBM grows the trees of temperature 1 from 1e-20 to 1e20, XGBoost from 1 to 1e9. XGBoost
    drops splits that gain less than 1e-6 in any unit, so below 1 it drops those that would gain less than
    1e-6 / temperature² at 1; below 0.01 these matter. Outside 1e-20 to 1e20, for XGBoost 0.01 to 1e9, training is
    refused. ``HSClassifier`` has no such limits: it grows trees in units of the temperature.
    With ``hessian="unit"`` the temperature acts as a step size.

    Examples
    --------
    >>> import xgboost as xgb
    >>> from sklearn.datasets import load_breast_cancer
    >>> from hsboost import HypersimplexObjective
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> dtrain = xgb.DMatrix(X, label=y)
    >>> objective = HypersimplexObjective(k=0.5)
    >>> booster = xgb.train({"max_depth": 3, "base_score": 0.0}, dtrain, 20, obj=objective)
    >>> scores = booster.predict(dtrain, output_margin=True)
    >>> int((scores > objective.fit_threshold(scores, y)).sum())
    285
    """

    loss: HypersimplexLoss

    def __init__(
        self,
        k: Budgets = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        reduction: Literal["sum", "mean"] = "sum",
        hessian_floor: float = DEFAULT_FLOOR,
        groups: ArrayLike | Literal["dataset"] | None = None,
        device: str = "auto",
    ) -> None:
        super().__init__(HypersimplexLoss(k, temperature, hessian, reduction, hessian_floor))
        self._set_groups(groups)
        self._accelerator = Accelerator(device)

    @classmethod
    def of(cls, loss: Any, groups: Any = None, device: str = "auto") -> HypersimplexObjective:
        """The objective of an existing loss, for example of its convex sibling; other parameters as for the class."""
        objective = cls(device=device)
        objective.loss = loss
        objective._set_groups(groups)
        return objective

    def _set_groups(self, groups: Any) -> None:
        check_name(groups)
        self.groups = groups
        self._found: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        by_label = groups is not None and not isinstance(groups, str)
        self._segments = groups if isinstance(groups, Segments) else Segments.by_label(groups) if by_label else None

    def _groups_of(self, dataset: Any) -> Segments | None:
        """Groups by the field of a DMatrix, sorted once per data set and content of the field."""
        codes, segments = self._found.get(dataset, (None, None)) if dataset is not None else (None, None)
        now = row_codes(dataset)
        if codes is None or not np.array_equal(codes, now):
            segments = Segments.by_label(now.astype(np.int64)) if now.size else None
            self._found[dataset] = now.copy(), segments
        return segments

    def _labels_of(self, dataset: Any) -> Segments | None:
        """Groups by an array of labels, for the rows of this data set."""
        if self._segments is None or getattr(dataset, "used_indices", None) is None:
            return self._segments
        if dataset not in self._found:
            self._found[dataset] = labels_of_rows(self._segments, dataset)
        return self._found[dataset]

    def _step(
        self,
        loss: Any,
        y_true: Any,
        raw: Any,
        sample_weight: Any,
        state: Any,
        dataset: Any,
    ) -> tuple[Any, Any, Any]:
        segments = None if self.groups is None else self._segments_of(dataset, raw)
        done = self._accelerator.step(loss, y_true, raw, sample_weight, state, segments is not None, dataset)
        return done or loss.boosting_step(y_true, raw, sample_weight, state, segments)

    def _segments_of(self, dataset: Any, raw: Any) -> Segments | None:
        """The groups of these rows, from whichever source ``groups`` names."""
        if self.groups_in_rows:
            return self._groups_of(dataset)
        if isinstance(self.groups, str):
            return query_groups(dataset, self.loss.k, 1 if np.ndim(raw) == 1 else np.shape(raw)[1])
        return self._labels_of(dataset)

    @property
    def device(self) -> str:
        """The requested device for gradient and curvature."""
        return self._accelerator.device

    def _distributed_step(
        self,
        loss: Any,
        labels: Callable[[], Any],
        raw: Any,
        sample_weight: Any,
        state: Any,
        dataset: Any,
        together: Workers,
    ) -> tuple[Any, Any, Any]:
        self._accelerator.refuse_workers()
        if isinstance(self.groups, str) and self.groups == "dataset":
            raise several_workers()

        def groups() -> Segments | None:
            return self._groups_of(dataset) if self.groups_in_rows else self._segments

        of_rows = None if self.groups is None else groups
        return loss.distributed_step(labels, raw, sample_weight, state, of_rows, together)

    @property
    def groups_in_rows(self) -> bool:
        """Whether the groups come row by row with the DMatrix."""
        return isinstance(self.groups, str) and self.groups == ROW_FIELD

    def __repr__(self) -> str:
        if self.groups is None:
            return super().__repr__()
        if isinstance(self.groups, str):
            return f"{type(self).__name__}({self.loss!r}, groups={self.groups!r})"
        groups = "?" if self._segments is None else f"<{len(self._segments.labels)} groups>"
        return f"{type(self).__name__}({self.loss!r}, groups={groups})"

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"groups": self.groups, "device": self.device}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._set_groups(state["groups"])
        self._accelerator = Accelerator(state.get("device", "auto"))

    @property
    def soft_threshold_(self) -> Any:
        """The raw score that got ŷ = 1/2 in the last round, before that round's tree was added."""
        if self._last is None:
            raise AttributeError("soft_threshold_ exists after training; for given scores use fit_threshold(scores, y)")
        return self.cut_unit * self._last.soft_threshold

    def soft_threshold_for(self, dataset: Any) -> Any:
        """:attr:`soft_threshold_` of one ``DMatrix`` or ``Dataset`` (say, one fold), if this objective has seen it."""
        if dataset not in self._states:
            raise ValueError("this objective was never called with that data set; train on it first")
        return self.cut_unit * self._states[dataset].soft_threshold

    def fit_threshold(
        self,
        raw_prediction: ArrayLike,
        y_true: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Any:
        """The raw score that the k highest of the given scores exceed: call rows above it positive.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,) or (n, C)
            Raw scores: ``booster.predict(dtrain, output_margin=True)``, ``booster.predict(X, raw_score=True)``. Use
            the rounds that you will predict with (early stopping).
        y_true : array-like of shape (n,)
            Labels, 0 or 1 (classes 0 … C-1 for scores of shape (n, C)); with k = None their (weighted) number of
            positives is the budget.
        sample_weight : array-like of shape (n,), optional
        groups : array-like of shape (n,), optional
            Groups of these rows: needed if the objective has groups, as the rows here may be others.

        Returns
        -------
        float, or ndarray with one entry per group (sorted labels), per class (C,), or (C, G)
            In the middle between the last row in and the first row out; tied rows are taken or left together.
        """
        if self.groups is not None and groups is None:
            raise ValueError("this objective has a budget per group; pass groups=, one label for each of these rows")
        return self.loss.threshold(y_true, raw_prediction, sample_weight, groups)


def objective_of(loss: Loss, groups: Any = None, offset: Any = None, unit: float = 1.0) -> LossObjective:
    """The objective of any loss; groups are those of a loss with budgets."""
    objective = HypersimplexObjective.of(loss, groups) if loss.has_budget else LossObjective(loss)
    objective.offset, objective.unit = offset, unit
    return objective
