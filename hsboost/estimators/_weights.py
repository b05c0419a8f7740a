"""Weights of training rows: sample weights times class weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost.estimators import _boosters
from hsboost.estimators._inputs.class_weight import weight_by_class


def class_weight_of(model: Any) -> Any:
    """Class weights of an HSClassifier, or of its booster: they are given in one place only."""
    inner = _boosters.class_weight(model.estimator)
    if inner is not None and model.class_weight is not None:
        raise ValueError(f"class_weight is given twice, for {type(model).__name__} and for its estimator; give it once")
    return inner if model.class_weight is None else model.class_weight


def name_of(model: Any) -> str:
    """What the weights are called in errors."""
    return "sample_weight" if class_weight_of(model) is None else "sample_weight times class_weight"


def by_row(model: Any, sample_weight: ArrayLike | None, labels: np.ndarray) -> np.ndarray | None:
    """The weight of each row of these labels; None where all weigh the same."""
    weight = check.check_weight(sample_weight, labels.shape[0], "X")
    class_weight = class_weight_of(model)
    if class_weight is not None:
        classes, encoded, counts = np.unique(labels, return_inverse=True, return_counts=True)
        of_class = weight_by_class(class_weight, classes, counts, "class_weight", strict=False)[encoded.ravel()]
        weight = check.checked_weight(of_class if weight is None else weight * of_class, name_of(model))
    if weight is not None:
        check.check_some_weight(float(weight.max()), name_of(model))
    return weight
