"""Weights of classes, named by the user's labels."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np


def weight_by_class(class_weight: Any, classes: np.ndarray, counts: np.ndarray, name: str, strict: bool) -> np.ndarray:
    """The weight of each class, shape (C,) float64.

    ``class_weight`` is "balanced" (n / (C count), of the classes with rows) or a mapping from labels; classes that it
    leaves out weigh 1. ``counts`` are rows of each class. Labels besides ``classes`` are an error; unless ``strict``
    they are let pass where all classes have a weight, as in scikit-learn: a fold may lack a rare class.
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        present = counts > 0
        return np.where(present, counts.sum() / (present.sum() * np.where(present, counts, 1)), 1.0)
    if not isinstance(class_weight, Mapping):
        raise ValueError(f"{name} must be None, 'balanced' or a dict of class labels to weights, got {class_weight!r}")
    place = {label: c for c, label in enumerate(list(classes))}
    unknown = [label for label in class_weight if label not in place]
    if unknown and (strict or len(class_weight) - len(unknown) < classes.size):
        raise ValueError(
            f"{name} has a weight for {unknown[0]!r}, which is no class of y; name the labels as they are in y: "
            f"{classes.tolist()}"
        )
    weights = np.ones(classes.size)
    for label, weight in class_weight.items():
        if label in place:
            weights[place[label]] = _checked(weight, f"{name}[{label!r}]")
    return weights


def _checked(weight: Any, name: str) -> float:
    if not isinstance(weight, Real) or not 0.0 <= float(weight) < np.inf:
        raise ValueError(f"{name} must be a finite number >= 0, got {weight!r}")
    return float(weight)
