"""Losses as custom objectives of XGBoost and LightGBM: one callable for four ways in."""

from __future__ import annotations

import sys
import threading
import weakref
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost._validation import Budget
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

    def __call__(
        self, y_true: Any, y_pred: Any, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Gradient and curvature, float32, one entry per row.

        Parameters
        ----------
        y_true, y_pred
            Either labels and raw scores (the scikit-learn wrappers' order), or raw scores and an ``xgboost.DMatrix``
            or ``lightgbm.Dataset`` (the order of ``xgb.train`` and ``lgb.train``).
        sample_weight : array-like of shape (n,), optional
            Given by the scikit-learn wrappers; taken from the data set otherwise.

        Raises
        ------
        ValueError
            For scores, labels or weights the loss refuses.
        RuntimeError
            In distributed XGBoost training, where this callable sees only the rows of one worker.
        """
        key: Any = None
        if hasattr(y_pred, "get_label"):
            key, raw, y_true = y_pred, y_true, y_pred.get_label()
            if y_true is None or len(y_true) == 0:
                raise ValueError("the data set has no label; pass label= when you build it")
            weight = key.get_weight()
            # XGBoost says "no weights" with an empty array, LightGBM with None.
            sample_weight = weight if weight is not None and len(weight) else None
        else:
            raw = y_pred
        _refuse_distributed()
        # Taken out while in use: a second thread on the same data set starts afresh instead of sharing arrays.
        with self._lock:
            state = self._states.pop(key, None) if key is not None else self._last_of_size.pop(len(raw), None)
        gradient, hessian, state = self.loss.boosting_step(y_true, raw, sample_weight, state)
        lean = self.loss.without_arrays(state)
        with self._lock:
            if key is not None:
                self._states[key] = state
            else:
                self._last_of_size = {len(raw): lean}  # nothing says when these rows are done with
            self._last = lean
        return gradient, hessian

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.loss!r})"

    def __deepcopy__(self, memo: dict[int, Any]) -> LossObjective:
        return self

    def __copy__(self) -> LossObjective:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {"loss": self.loss}

    def __setstate__(self, state: dict[str, Any]) -> None:
        LossObjective.__init__(self, state["loss"])


class HypersimplexObjective(LossObjective):
    """The HyperSimplex loss as a custom objective: train trees for precision at a budget k.

    Parameters
    ----------
    k, temperature, hessian, reduction, hessian_floor
        As for :class:`hsboost.HypersimplexLoss`. k = None (the default) is the number of positives of each training
        set, a float in (0, 1) a share of its weight: both are right in cross-validation. An int is a count in every
        set it meets, folds included.

    Attributes
    ----------
    threshold_ : float
        The raw score that got ŷ = 1/2 in the last round.

    Notes
    -----
    While scores are soft (ŷ strictly between 0 and 1, as on noisy data they stay) ŷ > 1/2 for fewer or more than k
    rows. :meth:`fit_threshold` gives the cut that k training rows exceed: the one to predict with.

    With ``hessian="exact"`` gradient and curvature are both multiplied by temperature², so that an active row's
    curvature is its weight. The temperature then only sets the unit of the raw scores: it changes no split, as long
    as XGBoost does not take gains for zero (it drops splits that gain less than 1e-6, whatever their unit; below a
    temperature of about 0.01 it begins to lose some). With ``hessian="unit"`` it acts as a step size.

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
        k: Budget = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        reduction: Literal["sum", "mean"] = "sum",
        hessian_floor: float = DEFAULT_FLOOR,
    ) -> None:
        super().__init__(HypersimplexLoss(k, temperature, hessian, reduction, hessian_floor))

    @property
    def threshold_(self) -> float:
        """The raw score that got ŷ = 1/2 in the last round, before that round's tree was added."""
        if self._last is None:
            raise AttributeError("threshold_ exists after training; for given scores use fit_threshold(scores, y)")
        return float(self._last.where.cut)

    def threshold_for(self, dataset: Any) -> float:
        """:attr:`threshold_` of one ``DMatrix`` or ``Dataset`` (say, one fold), if this objective has seen it."""
        if dataset not in self._states:
            raise ValueError("this objective was never called with that data set; train on it first")
        return float(self._states[dataset].where.cut)

    def fit_threshold(
        self, raw_prediction: ArrayLike, y_true: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """The raw score that the k highest of the given scores exceed: call rows above it positive.

        Parameters
        ----------
        raw_prediction : array-like of shape (n,)
            Raw scores: ``booster.predict(dtrain, output_margin=True)``, ``booster.predict(X, raw_score=True)``. Use
            the rounds that you will predict with (early stopping).
        y_true : array-like of shape (n,)
            Labels, 0 or 1; with k = None their (weighted) number of positives is the budget.
        sample_weight : array-like of shape (n,), optional

        Returns
        -------
        float
            In the middle between the last row in and the first row out; tied rows are taken or left together.
        """
        return self.loss.budget_cut(y_true, raw_prediction, sample_weight)


def _refuse_distributed() -> None:
    """All rows meet in one threshold: on the rows of one worker it would be a wrong one."""
    xgboost = sys.modules.get("xgboost")
    if xgboost is not None and xgboost.collective.get_world_size() > 1:
        raise RuntimeError(
            "this objective sees only one worker's rows, and its threshold needs all of them; "
            "train on one machine, or with a loss that is additive over rows"
        )


#: HypersimplexObjective() with its defaults: k = number of positives, temperature 1, exact Hessian.
hypersimplex_obj = HypersimplexObjective()
