"""What every loss offers, and what the objective adapter, the estimators and the benchmarks may ask of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from hsboost._workers.communicator import Workers

#: Least curvature that boosters get for a row of weight 1: a leaf never divides by nothing.
LEAST_CURVATURE = 1e-16


class Loss(ABC):
    """A loss over all rows at once, in terms of raw scores.

    Raw scores are one number per row, (n,), or one per row and class, (n, n_outputs). Gradients and curvatures have
    their shape. Subclasses are immutable: no call leaves a trace in them, so one instance may serve many threads and
    data sets.
    """

    #: Whether the loss is a sum over rows, so that no row's gradient depends on other rows. Where it is not, training
    #: on several workers needs a :meth:`distributed_step`.
    is_separable: ClassVar[bool] = True

    #: The parameter that only sets the unit of trained scores, for errors.
    unit_name: ClassVar[str] = ""

    @property
    def unit(self) -> float:
        """The unit of trained scores: what the parameter ``unit_name`` says, 1 for a loss without one.

        A loss with ten times the unit has the same trees with ten times the leaf values.
        """
        return 1.0

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """The same loss for scores in units of ``unit``, and a factor that these have yet to be multiplied with.

        The factor is 1 for a loss that has a unit; any other stays as it is and gets scores times ``unit``.
        """
        return self, unit

    @abstractmethod
    def loss(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Value of the loss over all rows: a sum of w times the row's loss where the loss is separable."""

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
        The curvature is positive for every row that has a weight, and 0 for a row that has none.
        """
        gradient, hessian = self.gradient_hessian(y_true, raw_prediction, sample_weight)
        gradient = gradient.astype(np.float32, copy=False)
        hessian = np.maximum(hessian, LEAST_CURVATURE, dtype=np.float32)
        if sample_weight is not None:
            hessian[np.asarray(sample_weight) == 0] = 0.0
        return gradient, hessian, None

    def distributed_step(
        self,
        y_true: Callable[[], ArrayLike],
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None,
        state: Any,
        groups: Callable[[], Any] | None,
        workers: Workers,
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """:meth:`boosting_step` of a loss that couples rows, when these are spread over workers that all call this.

        ``y_true`` and ``groups`` give this worker's, so that what they raise can be raised on all workers. A loss that
        couples rows without saying how over several workers is refused there: on the rows of one it would be wrong.
        """
        raise RuntimeError(
            f"this is one worker of {workers.size}, and {self!r} needs all rows but does not say how to bring them "
            "together; train on one machine, or with a loss that has a distributed_step"
        )

    def without_arrays(self, state: Any) -> Any:
        """The part of a state that takes no memory to keep."""
        return state

    def n_outputs(self, n_classes: int) -> int:
        """How many raw scores a row needs: one for two classes, else one per class."""
        return 1 if n_classes <= 2 else n_classes

    def class_scores(self, raw_prediction: ArrayLike) -> np.ndarray:
        """The part of the raw scores that decides the class: (n,), above 0 for class 1, or (n, C), the highest wins."""
        return np.asarray(raw_prediction)

    def probabilities(self, raw_prediction: ArrayLike) -> np.ndarray | None:
        """Class probabilities (n, C) by the loss's own model, or None where it has none."""
        return None

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray | None:
        """The constant raw scores (n_outputs,) with the least loss, or None where there is no closed form.

        Boosters give a custom objective no fitted intercept; start them here (``base_margin``, ``init_score``) and
        add the same numbers when predicting.
        """
        return None
