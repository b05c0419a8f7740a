"""Any loss as a custom objective of XGBoost and LightGBM: one callable for four interfaces."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost._boosting import dmatrix, step_size
from hsboost._boosting.dataset_groups import row_weights
from hsboost._boosting.lightgbm_workers import refuse_lightgbm_workers
from hsboost._workers.communicator import Workers, workers
from hsboost.losses import Loss


class LossObjective:
    """Train gradient-boosted trees with a loss of this package, from any of the boosters' interfaces.

    The same object works as ``xgb.train(params, dtrain, obj=objective)``, ``lgb.train({"objective": objective, …},
    dataset)``, ``XGBClassifier(objective=objective)`` and ``LGBMClassifier(objective=objective)``, with sample
    weights in all four. It may be shared, pickled and deep-copied (a deep copy is the object itself, because
    LightGBM copies its parameters).

    Each round keeps the starting point of the next search, which affects speed but never the result. It is kept per
    data set, so that the interleaved folds of ``xgb.cv`` and ``lgb.cv`` do not affect each other, and is released with
    the data set. So is the memory of a large round's results (8 bytes a row and class), which the next round writes
    into unless somebody holds them. The scikit-learn wrappers pass no data set: there both stay until the objective is
    called for another number of rows, or goes; a fitted `HSClassifier` keeps neither.

    Parameters
    ----------
    loss : Loss
        For example ``HypersimplexLoss(k=0.05)``.

    Notes
    -----
    * Early stopping, ``eval_metric`` and the rest of the booster work as with any custom objective.
    * XGBoost starts from ``base_score=0.5`` with a custom objective unless you set another value. Losses that are
      invariant to a shift of all scores (the HyperSimplex loss) are not affected.
    * ``XGBClassifier.predict`` and ``LGBMClassifier.predict`` do not use this loss's threshold. Compare raw scores
      with :meth:`HypersimplexObjective.fit_threshold`, or use ``HSClassifier``, which does so.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        #: Added to the raw scores before the loss: the intercept, which boosters do not fit for custom objectives.
        self.offset: Any = None
        #: Raw scores of the loss are this times the booster's scores, plus the offset (`HSClassifier` grows trees in
        #: units of the temperature).
        self.unit: float = 1.0
        #: Called with the state after each round; not copied, not pickled.
        self.on_round: Callable[[Any], object] | None = None
        self._lock = threading.Lock()
        self._states: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._state_of_size: dict[int, Any] = {}
        self._last: Any = None

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
            In distributed LightGBM training, where this callable sees the rows of one machine only and cannot add up
            over all, if the loss needs all rows (as the hypersimplex losses do; sums over rows do not).

        Notes
        -----
        In distributed XGBoost training (``xgboost.dask``, Ray Train, a ``RabitTracker``) thresholds and budgets are
        those of all workers' rows. Every worker calls this in the same round; an error on one is raised on all.
        """
        dataset: Any = None
        if hasattr(y_pred, "get_label"):
            # A user's loss may keep what it gets, ours keep nothing of a data set's own memory.
            copy = not (dmatrix.is_ours(self) and dmatrix.is_ours(self.loss))
            dataset, raw, y_true = y_pred, y_true, dmatrix.read(y_pred, "label", copy)
            sample_weight = row_weights(dataset, len(raw), copy)
        else:
            raw = y_pred
        if len(raw) and (y_true is None or len(y_true) == 0):
            y_true = None  # the error is raised later, where it reaches every worker
        together = workers()
        booster = "XGBoost" if together is not None or _is_xgboost(dataset, raw) else "LightGBM"
        loss, factor = self._in_units()
        step_size.check_unit(loss, factor, self.unit, booster)
        if factor != 1.0:
            raw = np.asarray(raw, dtype=np.float64) * factor
        if self.offset is not None and len(raw):
            raw = np.asarray(raw) + self.offset / self.cut_unit
        # Removed while in use: a second thread on the same data set starts without them instead of sharing them.
        state = self._take(dataset, len(raw), together)
        if together is not None:
            labels = _labels_of(y_true)
            gradient, hessian, state = self._distributed_step(
                loss, labels, raw, sample_weight, state, dataset, together
            )
        else:
            y_true = _labels_of(y_true)()
            if not loss.is_separable and booster == "LightGBM":
                refuse_lightgbm_workers(dataset)
            gradient, hessian, state = self._step(loss, y_true, raw, sample_weight, state, dataset)
        self._keep(dataset, len(raw), state)
        total = getattr(state, "weight", None)  # users' subclasses may return a state of their own
        if total is None and sample_weight is not None:
            total = float(np.sum(sample_weight, dtype=np.float64))
        if total is not None:
            step_size.check_weights(loss, factor, total, booster)
            step_size.check_steps(loss, factor, total, booster)
        return gradient if factor == 1.0 else gradient / np.float32(factor), hessian

    def check_weights(self, total: float, booster: str, name: str) -> None:
        """Refuse weights with the sum ``total`` before training, if they overflow in the booster of that name."""
        loss, factor = self._in_units()
        step_size.check_weights(loss, factor, total, booster, name)

    def _in_units(self) -> tuple[Loss, float]:
        """The loss for the booster's scores, and the factor to multiply these with."""
        return (self.loss, 1.0) if self.unit == 1.0 else self.loss.in_units(self.unit)

    @property
    def cut_unit(self) -> float:
        """The factor that turns the soft threshold of a round's state into a raw score."""
        return self.unit / self._in_units()[1]

    def _step(
        self,
        loss: Any,
        y_true: Any,
        raw: Any,
        sample_weight: Any,
        state: Any,
        dataset: Any,
    ) -> tuple[Any, Any, Any]:
        """One round on all rows; ``dataset`` is the DMatrix or Dataset where there is one."""
        return loss.boosting_step(y_true, raw, sample_weight, state)

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
        """One round on this worker's rows; every worker must call it, even one without rows."""
        return loss.distributed_step(labels, raw, sample_weight, state, None, together)

    def _take(self, dataset: Any, n: int, together: Workers | None) -> Any:
        """The state that the last round of these rows left; no other thread sees it until `_keep`."""
        with self._lock:
            if dataset is not None:
                return self._states.pop(dataset, None)
            return None if together else self._state_of_size.pop(n, None)

    def _keep(self, dataset: Any, n: int, state: Any) -> None:
        """Remember the state of a round, and report it."""
        with self._lock:
            if dataset is not None:
                self._states[dataset] = state
            else:
                self._state_of_size = {n: state}  # nothing says when these rows are done with
            if hasattr(state, "without_memory"):  # which goes with the data set
                state = state.without_memory()
            self._last = state
        if self.on_round is not None:
            self.on_round(state)

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


def _is_xgboost(dataset: Any, raw: Any) -> bool:
    """Which booster calls: XGBoost's scores are float32, LightGBM's float64."""
    return hasattr(dataset, "get_uint_info") or getattr(raw, "dtype", None) == np.float32


def _labels_of(y_true: Any) -> Callable[[], Any]:
    """A callable that returns the labels or raises the error for missing ones, so that workers can raise it on all."""

    def labels() -> Any:
        if y_true is None:
            raise ValueError("the data set has no label; pass label= when you build it")
        return y_true

    return labels
