"""One model for several budgets: the mean of their losses. A trial that the package did not take over."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from hsboost.losses import Loss, get_loss

#: The budgets that one model is trained for.
TOGETHER = (0.01, 0.02, 0.05, 0.1)


class MeanOfBudgets(Loss):
    """The mean of a loss at several budgets: gradients and curvatures are means, too."""

    is_separable = False

    def __init__(self, loss: str, budgets: tuple[float, ...] = TOGETHER) -> None:
        self.parts = [get_loss(loss, k=k) for k in budgets]

    def loss(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        return float(np.mean([part.loss(y_true, raw_prediction, sample_weight) for part in self.parts]))

    def gradient_hessian(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        pairs = [part.gradient_hessian(y_true, raw_prediction, sample_weight) for part in self.parts]
        return np.mean([pair[0] for pair in pairs], axis=0), np.mean([pair[1] for pair in pairs], axis=0)

    def boosting_step(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, state: Any
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        states = [None] * len(self.parts) if state is None else state
        gradient: Any = 0.0
        hessian: Any = 0.0
        after = []
        for part, before in zip(self.parts, states, strict=True):
            # The next part may write where this one did.
            slope, curvature, found = part.boosting_step(y_true, raw_prediction, sample_weight, before)
            gradient = gradient + np.asarray(slope, np.float64) / len(self.parts)
            hessian = hessian + np.asarray(curvature, np.float64) / len(self.parts)
            after.append(found)
        return gradient.astype(np.float32), hessian.astype(np.float32), after

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray | None:
        return self.parts[0].intercept(y_true, sample_weight, n_classes)
