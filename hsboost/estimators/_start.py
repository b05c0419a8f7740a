"""Where boosting starts: the constant, the unit in which trees are grown, the trees of another model."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost.estimators import _boosters
from hsboost.losses import Loss

#: Least and largest unit of decisions: float64 holds scores of any trees in them.
UNITS = (1e-200, 1e200)


def offset(loss: Loss, y: np.ndarray, w: np.ndarray | None, n_classes: int, init_model: Any) -> Any:
    """The constant: the loss's best one, or that of ``init_model``, a fitted HSClassifier or None."""
    if loss.n_outputs(n_classes) != (1 if n_classes == 2 else n_classes):
        raise ValueError(
            f"{loss!r} wants {loss.n_outputs(n_classes)} scores per row, but scikit-learn's classifiers grow one "
            "tree per class; train it with xgb.train or lgb.train"
        )
    if init_model is not None:
        return init_model.objective_.offset
    best = loss.intercept(y, w, n_classes)
    return None if best is None else float(best[0]) if n_classes == 2 else np.asarray(best, dtype=np.float64)


def unit(loss: Loss, estimator: Any, init_model: Any) -> float:
    """The unit in which trees are grown: the loss's own, or that of the trees to go on from."""
    if init_model is not None:
        return float(init_model.objective_.unit)
    if getattr(estimator, "base_score", None) is not None and not loss.has_budget:
        return 1.0  # the starting score is in units of the raw scores
    low, high = UNITS
    if not low <= loss.unit <= high:
        raise ValueError(
            f"{loss.unit_name} is the unit of decision_function and must lie between {low:g} and {high:g} to leave "
            f"room for scores, got {loss.unit:g}; leave it at 1: the trees and the decisions are the same"
        )
    return loss.unit


def trees(init_model: Any, classes: np.ndarray, estimator: Any) -> Any:
    """The native model whose trees come first; it knows the same classes and is of the same booster."""
    check_classes(init_model, classes)
    kinds = _boosters.kind(init_model.estimator_), _boosters.kind(estimator)
    if kinds[0] != kinds[1]:
        raise ValueError(f"init_model was trained with {kinds[0]}, this estimator is of {kinds[1]}; use the same")
    return _boosters.start(init_model.estimator_)


def check_classes(init_model: Any, classes: np.ndarray) -> None:
    """A model to go on from knows these classes and has the same positive one."""
    known = init_model.classes_
    if not np.array_equal(known, np.sort(classes)):
        raise ValueError(f"init_model knows the classes {known.tolist()}, y holds {np.sort(classes).tolist()}")
    if not np.array_equal(init_model._numbered(), classes):
        positive, other = (one[1:].tolist()[0] for one in (classes, init_model._numbered()))
        raise ValueError(
            f"init_model was trained for pos_label={other!r}, this estimator is for {positive!r}; use the same"
        )
