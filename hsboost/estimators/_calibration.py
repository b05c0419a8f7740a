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
        # The penalty is negligible beside weights of mean 1, not beside small ones.
        weight = None if weight is None else weight / weight.mean()
        scale = float(scores.std()) or 1.0
        model = LogisticRegression(C=1e6).fit(scores[:, None] / scale, y, sample_weight=weight)
        self.slope, self.intercept = float(model.coef_[0, 0]) / scale, float(model.intercept_[0])

    @classmethod
    def of(cls, slope: float, intercept: float) -> Sigmoid:
        """The function with these numbers."""
        made = cls.__new__(cls)
        made.slope, made.intercept = slope, intercept
        return made

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of the positive class."""
        margin = self.slope * scores + self.intercept
        return np.exp(-np.logaddexp(0.0, -margin))


class Isotonic:
    """A non-decreasing piecewise linear function through given points, constant outside."""

    def __init__(self, scores: np.ndarray, probabilities: np.ndarray) -> None:
        self.X_thresholds_, self.y_thresholds_ = scores, probabilities

    def predict(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of the positive class."""
        return np.interp(scores, self.X_thresholds_, self.y_thresholds_)


def fit(kind: Literal["sigmoid", "isotonic"] | None, scores: np.ndarray, y: np.ndarray, weight: Any) -> Calibrator:
    """A calibrator fitted on scores of rows that the trees were not trained on."""
    if kind == "sigmoid":
        return Sigmoid(scores, y, weight)
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(scores, y, sample_weight=weight)
    return Isotonic(model.X_thresholds_, model.y_thresholds_)


def check_rows(y: np.ndarray, weight: np.ndarray | None, n_classes: int) -> None:
    """Every class is among the rows that count."""
    found = np.unique(y if weight is None else y[weight > 0.0])
    if found.size < 2 or found.size < n_classes:
        what = "one class only" if found.size < 2 else f"{found.size} of {n_classes} classes only"
        raise ValueError(
            f"the rows for calibration hold {what}; pass an eval_set with all classes"
            + ("" if weight is None else ", each with some weight")
        )


def fit_all(kind: Any, scores: np.ndarray, y: np.ndarray, weight: Any) -> list[Calibrator]:
    """One calibrator for two classes (scores (n,), y 0 or 1), else one per class against the rest (scores (n, C)).

    ``weight`` is how many cases a row stands for; rows of weight 0 are as good as absent.
    """
    check_rows(y, weight, 2 if scores.ndim == 1 else scores.shape[1])
    if weight is not None:
        scores, y, weight = scores[weight > 0.0], y[weight > 0.0], weight[weight > 0.0]
    if scores.ndim == 1:
        return [fit(kind, scores, y, weight)]
    return [fit(kind, column, (y == c).astype(np.int32), weight) for c, column in enumerate(scores.T)]


def predict(calibrators: list[Calibrator], scores: np.ndarray) -> np.ndarray:
    """Probabilities of all classes, (n, C)."""
    if scores.ndim == 1:
        positive = calibrators[0].predict(scores)
        return np.column_stack([1.0 - positive, positive])
    each = np.column_stack([c.predict(column) for c, column in zip(calibrators, scores.T, strict=True)])
    total = each.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, each / np.where(total > 0.0, total, 1.0), 1.0 / len(calibrators))


def to_plain(calibrator: Any) -> dict[str, Any]:
    """The numbers of a calibrator."""
    if isinstance(calibrator, Sigmoid):
        return {"kind": "sigmoid", "slope": calibrator.slope, "intercept": calibrator.intercept}
    return {
        "kind": "isotonic",
        "scores": calibrator.X_thresholds_.tolist(),
        "probabilities": calibrator.y_thresholds_.tolist(),
    }


def from_plain(content: dict[str, Any]) -> Calibrator:
    """The calibrator with these numbers."""
    if content["kind"] == "sigmoid":
        return Sigmoid.of(content["slope"], content["intercept"])
    scores, probabilities = np.array(content["scores"]), np.array(content["probabilities"])
    return Isotonic(scores, probabilities)
