"""Losses as custom objectives of XGBoost and LightGBM: one callable for four ways in."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._boosting import step_size
from hsboost._boosting.accelerator import Accelerator
from hsboost._boosting.dataset_groups import (
    ROW_FIELD,
    check_name,
    labels_of_rows,
    query_groups,
    row_codes,
    row_weights,
    several_workers,
)
from hsboost._boosting.lightgbm_workers import refuse_lightgbm_workers
from hsboost._kernels._compile import at_most
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers.communicator import Workers, workers
from hsboost.losses import HypersimplexLoss, Loss
from hsboost.losses.hypersimplex import DEFAULT_FLOOR


class LossObjective:
    """Train gradient-boosted trees with a loss of this package, from any of the boosters' interfaces.

    The same object works as ``xgb.train(params, dtrain, obj=objective)``, ``lgb.train({"objective": objective, …},
    dataset)``, ``XGBClassifier(objective=objective)`` and ``LGBMClassifier(objective=objective)``, with sample
    weights in all four. It may be shared, pickled and deep-copied (a deep copy is the object itself, because
    LightGBM copies its parameters).

    What one round learns for the next (a starting point of the search: speed, never the result) is kept per data
    set, so that the interleaved folds of ``xgb.cv`` and ``lgb.cv`` do not disturb each other, and is dropped with
    the data set.

    Parameters
    ----------
    loss : Loss
        For example ``HypersimplexLoss(k=0.05)``.

    Notes
    -----
    * Early stopping, ``eval_metric`` and the rest of the booster work as with any custom objective.
    * XGBoost starts from ``base_score=0.5`` in a custom objective unless told otherwise; losses that do not see a
      shift of all scores (the HyperSimplex loss) do not care.
    * ``XGBClassifier.predict`` and ``LGBMClassifier.predict`` do not know where this loss cuts. Compare raw scores
      with :meth:`HypersimplexObjective.fit_threshold`, or use ``HSClassifier``, which does.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self._lock = threading.Lock()
        self._states: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._last_of_size: dict[int, Any] = {}
        self._last: Any = None
        #: Called with the state after each round; not copied, not pickled.
        self.on_round: Callable[[Any], object] | None = None
        #: Added to the raw scores before the loss sees them: a starting point that boosters do not give.
        self.offset: Any = None
        #: Raw scores of the loss are this times the booster's scores, plus the offset (`HSClassifier` grows trees in
        #: units of the temperature).
        self.unit: float = 1.0

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature, float32, in the shape of the raw scores.

        Parameters
        ----------
        y_true, y_pred
            Either labels and raw scores (the scikit-learn wrappers' order), or raw scores and an ``xgboost.DMatrix``
            or ``lightgbm.Dataset`` (the order of ``xgb.train`` and ``lgb.train``). Raw scores have the shape (n,), or
            (n, C) for C classes, in any memory order.
        sample_weight : array-like of shape (n,), optional
            Given by the scikit-learn wrappers; taken from the data set otherwise.

        Raises
        ------
        ValueError
            For scores, labels or weights the loss refuses, and for a temperature (a ``sigma``) with which the booster
            would grow other trees than with 1, or none; for weights whose sum is beyond what the booster can square.
        RuntimeError
            In distributed LightGBM training, where this callable sees only the rows of one machine and nothing adds
            up over all, if the loss needs all of them (as the hypersimplex losses do; sums over rows do not).

        Notes
        -----
        In distributed XGBoost training (``xgboost.dask``, Ray Train, a ``RabitTracker``) thresholds and budgets are
        those of all workers' rows. Every worker calls this at the same time; what one of them raises, all raise.
        """
        key: Any = None
        if hasattr(y_pred, "get_label"):
            key, raw, y_true = y_pred, y_true, y_pred.get_label()
            sample_weight = row_weights(key, len(raw))
        else:
            raw = y_pred
        if len(raw) and (y_true is None or len(y_true) == 0):
            y_true = None  # said where an error reaches every worker
        together = workers()
        booster = "XGBoost" if together is not None or _is_xgboost(key, raw) else "LightGBM"
        loss, factor = self._in_units()
        step_size.check_unit(loss, factor, self.unit, booster)
        if factor != 1.0:
            raw = np.asarray(raw, dtype=np.float64) * factor
        if self.offset is not None and len(raw):
            raw = np.asarray(raw) + self.offset / self.cut_unit
        if together is not None:
            gradient, hessian = self._distributed(loss, y_true, raw, sample_weight, key, together)
        else:
            gradient, hessian = self._alone(loss, y_true, raw, sample_weight, key)
            if loss.is_separable and sample_weight is not None:
                step_size.check_weights(loss, factor, float(np.sum(sample_weight, dtype=np.float64)), booster)
        if isinstance(loss, HypersimplexLoss) and self._last is not None:
            step_size.check_weights(loss, factor, step_size.total_of(self._last), booster)
        step_size.check_steps(loss, factor, self._last, booster)
        return gradient if factor == 1.0 else gradient / np.float32(factor), hessian

    def check_weights(self, total: float, booster: str, name: str) -> None:
        """Refuse weights of that sum before training, if they are beyond what the booster (its name) can add up."""
        loss, factor = self._in_units()
        step_size.check_weights(loss, factor, total, booster, name)

    def _in_units(self) -> tuple[Loss, float]:
        """The loss for the booster's scores, and what these have yet to be multiplied with."""
        return (self.loss, 1.0) if self.unit == 1.0 else self.loss.in_units(self.unit)

    @property
    def cut_unit(self) -> float:
        """What the cut of a round's state is multiplied with to be a raw score."""
        return self.unit / self._in_units()[1]

    def _alone(self, loss: Loss, y_true: Any, raw: Any, sample_weight: Any, key: Any) -> tuple[np.ndarray, np.ndarray]:
        """A round on all rows."""
        if y_true is None:
            raise _no_label()
        if not loss.is_separable:
            refuse_lightgbm_workers(key)
        # Taken out while in use: a second thread on the same data set starts afresh instead of sharing arrays.
        with self._lock:
            state = self._states.pop(key, None) if key is not None else self._last_of_size.pop(len(raw), None)
        gradient, hessian, state = self._step(loss, y_true, raw, sample_weight, state, key)
        lean = loss.without_arrays(state)
        with self._lock:
            if key is not None:
                self._states[key] = state
            else:
                self._last_of_size = {len(raw): lean}  # nothing says when these rows are done with
        self._tell(lean)
        return gradient, hessian

    def _tell(self, lean: Any) -> None:
        """Let others see how the round ended."""
        with self._lock:
            self._last = lean
        if self.on_round is not None:
            self.on_round(lean)

    def _distributed(
        self, loss: Loss, y_true: Any, raw: Any, sample_weight: Any, key: Any, together: Workers
    ) -> tuple[np.ndarray, np.ndarray]:
        """A round on the rows of one worker of several; all of them are here, those without rows too."""
        state = None if key is None else self._states.get(key)

        def labels() -> Any:
            if y_true is None:
                raise _no_label()
            return y_true

        if not loss.is_separable:
            gradient, hessian, state = self._distributed_step(loss, labels, raw, sample_weight, state, key, together)
        else:
            gradient, hessian, state = _separable_step(
                loss, labels, raw, sample_weight, state, together, self._in_units()[1]
            )
        if key is not None:
            self._states[key] = state
        self._tell(loss.without_arrays(state) if not loss.is_separable else None)
        return gradient, hessian

    def _distributed_step(
        self,
        loss: Any,
        labels: Callable[[], Any],
        raw: Any,
        sample_weight: Any,
        state: Any,
        key: Any,
        together: Workers,
    ) -> tuple[Any, Any, Any]:
        """A round of a loss that couples rows, with all workers."""
        return loss.distributed_step(labels, raw, sample_weight, state, None, together)

    def _step(
        self, loss: Any, y_true: Any, raw: Any, sample_weight: Any, state: Any, dataset: Any
    ) -> tuple[Any, Any, Any]:
        """One round of the loss; ``dataset`` is the DMatrix or Dataset where there is one."""
        return loss.boosting_step(y_true, raw, sample_weight, state)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> LossObjective:
        return self

    def __copy__(self) -> LossObjective:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"loss": self.loss, "offset": self.offset, "unit": self.unit}

    def __setstate__(self, state: dict[str, Any]) -> None:
        LossObjective.__init__(self, state["loss"])
        self.offset, self.unit = state["offset"], state.get("unit", 1.0)


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
    arithmetic allows: LightGBM grows the trees of temperature 1 from 1e-20 to 1e20, XGBoost from 1 to 1e9. Below 1
    XGBoost, which drops splits that gain less than 1e-6 in whatever unit, drops those that would gain less than
    1e-6 / temperature² at 1; below 0.01 these matter. Beyond 1e-20 to 1e20, for XGBoost 0.01 to 1e9, training is
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
    def of(cls, loss: HypersimplexLoss, groups: Any = None, device: str = "auto") -> HypersimplexObjective:
        """The objective of a loss that is there already, its convex sibling for example; the rest as above."""
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
        self, loss: Any, y_true: Any, raw: Any, sample_weight: Any, state: Any, dataset: Any
    ) -> tuple[Any, Any, Any]:
        if self.groups_in_rows:
            segments = self._groups_of(dataset)
        elif isinstance(self.groups, str):
            segments = query_groups(dataset, self.loss.k, 1 if np.ndim(raw) == 1 else np.shape(raw)[1])
        else:
            segments = self._labels_of(dataset)
        done = self._accelerator.step(loss, y_true, raw, sample_weight, state, segments is not None, dataset)
        return done or loss.boosting_step(y_true, raw, sample_weight, state, segments)

    @property
    def device(self) -> str:
        """Where gradient and curvature are computed, as it was asked for."""
        return self._accelerator.device

    def _distributed_step(
        self,
        loss: Any,
        labels: Callable[[], Any],
        raw: Any,
        sample_weight: Any,
        state: Any,
        key: Any,
        together: Workers,
    ) -> tuple[Any, Any, Any]:
        self._accelerator.refuse_workers()
        if isinstance(self.groups, str) and self.groups == "dataset":
            raise several_workers()
        if self.groups is None:
            groups = None
        elif self.groups_in_rows:

            def groups() -> Segments | None:
                return self._groups_of(key)

        else:

            def groups() -> Segments | None:
                return self._segments

        return loss.distributed_step(labels, raw, sample_weight, state, groups, together)

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
        return _cut(self._last, self.cut_unit)

    def soft_threshold_for(self, dataset: Any) -> Any:
        """:attr:`soft_threshold_` of one ``DMatrix`` or ``Dataset`` (say, one fold), if this objective has seen it."""
        if dataset not in self._states:
            raise ValueError("this objective was never called with that data set; train on it first")
        return _cut(self._states[dataset], self.cut_unit)

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
    """The objective of any loss; groups are those of a hypersimplex loss."""
    objective = HypersimplexObjective.of(loss, groups) if isinstance(loss, HypersimplexLoss) else LossObjective(loss)
    objective.offset, objective.unit = offset, unit
    return objective


def _cut(state: Any, unit: float) -> Any:
    """Where a round cut: a float, or an array of groups, of classes, of both."""
    return (
        unit * np.array([one.soft_threshold for one in state]) if type(state) is tuple else unit * state.soft_threshold
    )


def _is_xgboost(key: Any, raw: Any) -> bool:
    """Which booster calls: XGBoost's scores are float32, LightGBM's float64."""
    return hasattr(key, "get_uint_info") or getattr(raw, "dtype", None) == np.float32


def _no_label() -> ValueError:
    return ValueError("the data set has no label; pass label= when you build it")


def _separable_step(
    loss: Loss, labels: Callable[[], Any], raw: Any, sample_weight: Any, state: Any, together: Workers, factor: float
) -> tuple[np.ndarray, np.ndarray, Any]:
    """A separable loss needs no other worker, but to begin with: how many columns does a worker without rows owe?"""
    n = len(raw)

    def weight_here() -> float:
        if sample_weight is None:
            return float(n)
        weight = check.check_weight(sample_weight, n, "raw_prediction")
        assert weight is not None
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise check.bad_weights(weight)
        return float(np.sum(weight, dtype=np.float64))

    def step(columns: int, threads: int) -> tuple[np.ndarray, np.ndarray]:
        if n == 0:
            nothing = np.empty((0,) if columns == 1 else (0, columns), np.float32)
            return nothing, nothing.copy()
        with at_most(threads):
            if sample_weight is not None and not np.any(sample_weight):  # other workers' rows have some weight
                gradient, hessian = loss.boosting_step(labels(), raw, None, None)[:2]
                return 0 * gradient, 0 * hessian
            gradient, hessian = loss.boosting_step(labels(), raw, sample_weight, None)[:2]
            return gradient, hessian

    if state is not None:
        return *step(*state), state
    shape = np.shape(raw)
    columns = int(together.max((1,), lambda: [shape[1] if n and len(shape) == 2 else 1])[0])
    total = float(together.sum((1,), lambda: [weight_here()])[0])
    check.check_total_weight(total)
    step_size.check_weights(loss, factor, total, "XGBoost")
    state = columns, together.threads_each()
    found: list[Any] = []

    def first() -> list[float]:
        found.extend(step(*state))
        return [0.0]

    together.sum((1,), first)  # what is wrong with one worker's rows is said on all
    return found[0], found[1], state


#: HypersimplexObjective() with its defaults: k = number of positives, temperature 1, exact Hessian.
hypersimplex_obj = HypersimplexObjective()
