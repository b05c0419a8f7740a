"""Probabilities from scores, fitted on held-out rows with scikit-learn."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression


class Calibrator(Protocol):
    """Turns scores into probabilities of the positive class."""

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n,)."""
        ...


class Sigmoid:
    """1 / (1 + exp(-(a s + b))), fitted by logistic regression (Platt's method) on standardised scores."""

    def __init__(self, scores: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> None:
        self.scale = float(scores.std()) or 1.0
        model = LogisticRegression(C=1e6).fit(scores[:, None] / self.scale, y, sample_weight=weight)
        self.slope, self.intercept = float(model.coef_[0, 0]) / self.scale, float(model.intercept_[0])

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of the positive class."""
        margin = self.slope * scores + self.intercept
        return np.exp(-np.logaddexp(0.0, -margin))


def fit(kind: Literal["sigmoid", "isotonic"] | None, scores: np.ndarray, y: np.ndarray, weight: Any) -> Calibrator:
    """A calibrator fitted on scores of rows that the trees were not trained on."""
    if np.unique(y).size < 2:
        raise ValueError("the rows for calibration hold one class only; pass an eval_set with both classes")
    if kind == "sigmoid":
        return Sigmoid(scores, y, weight)
    return IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, y, sample_weight=weight)
