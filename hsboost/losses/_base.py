"""What every loss offers, and what the objective adapter may ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike


class Loss(ABC):
    """A loss over all rows at once, in terms of raw scores.

    Subclasses are immutable: no call leaves a trace in them, so one instance may serve many threads and data sets.
    """

    @abstractmethod
    def loss(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Value of the loss over all rows."""

    @abstractmethod
    def gradient_hessian(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivative of the loss in each raw score, and a positive diagonal curvature."""

    def gradient(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> np.ndarray:
        """Derivative of the loss in each raw score."""
        return self.gradient_hessian(y_true, raw_prediction, sample_weight)[0]

    def boosting_step(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, state: Any
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """float32 gradient and curvature as boosters take them, and the state for the next round of the same data.

        Both may carry one common factor that brings the curvature of a row near its weight: a Newton step does not
        see it, while ``reg_lambda``, ``min_child_weight`` and ``min_sum_hessian_in_leaf`` keep their usual meaning.
        """
        gradient, hessian = self.gradient_hessian(y_true, raw_prediction, sample_weight)
        return gradient.astype(np.float32, copy=False), hessian.astype(np.float32, copy=False), None

    def without_arrays(self, state: Any) -> Any:
        """The part of a state that takes no memory to keep."""
        return state
