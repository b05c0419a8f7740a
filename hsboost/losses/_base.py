"""The interface of a loss: what the objective adapter, the estimators and the benchmarks may rely on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels._compile import at_most
from hsboost._workers.communicator import Workers

#: Least curvature that boosters get for a row of weight 1, so that a leaf never divides by zero.
LEAST_CURVATURE = 1e-16


class Loss(ABC):
    """A loss over all rows at once, in terms of raw scores.

    Raw scores are one number per row, (n,), or one per row and class, (n, n_outputs). Gradients and curvatures have
    their shape. Subclasses are immutable: no call changes them, so many threads and data sets may share one instance.
    """

    #: Whether the loss is a sum over rows, so that no row's gradient depends on other rows. Where it is not, training
    #: on several workers needs a :meth:`distributed_step`.
    is_separable: ClassVar[bool] = True

    #: Whether the loss has a budget ``k`` in each group and class: estimators then take k, groups and thresholds from
    #: it.
    has_budget: ClassVar[bool] = False

    #: Whether `hsboost.cuda` knows the loss.
    runs_on_cuda: ClassVar[bool] = False

    #: The budget or budgets of a loss that has them.
    k: Any = None

    #: The parameter that only sets the unit of trained scores, for errors.
    unit_name: ClassVar[str] = ""

    @property
    def unit(self) -> float:
        """The unit of trained scores: what the parameter ``unit_name`` says, 1 for a loss without one.

        A loss with ten times the unit has the same trees with ten times the leaf values.
        """
        return 1.0

    def step_slope(self, total: float) -> float | None:
        """Gradient per unit of weight, for weights with the sum ``total``, if it acts as a step size.

        None if the scale of the gradient does not affect the trees.
        """
        return None

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """The same loss for scores in units of ``unit``, and the factor to multiply these scores with before use.

        The factor is 1 for a loss that has a unit; any other loss is returned unchanged, with the factor ``unit``.
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

        Both may carry a common factor that brings the curvature of a row near its weight: it cancels in a Newton
        step, and ``reg_lambda``, ``min_child_weight`` and ``min_sum_hessian_in_leaf`` keep their usual meaning.
        The curvature is positive for every row with positive weight, and 0 for a row of weight 0.
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
        """:meth:`boosting_step` for distributed rows: every worker calls it, even one without rows.

        ``y_true`` and ``groups`` return this worker's labels and groups; as callables, so that an error they raise can
        be raised on all workers. A separable loss needs no other worker's rows. Any other loss must override this
        method: the default refuses it, because the rows of one worker alone would give a wrong result.
        """
        if self.is_separable:
            return separable_step(self, y_true, raw_prediction, sample_weight, state, workers)
        raise RuntimeError(
            f"this is one worker of {workers.size}, and {self!r} needs all rows but does not say how to bring them "
            "together; train on one machine, or with a loss that has a distributed_step"
        )

    def n_outputs(self, n_classes: int) -> int:
        """How many raw scores a row needs: one for two classes, else one per class."""
        return 1 if n_classes <= 2 else n_classes

    def class_scores(self, raw_prediction: ArrayLike) -> np.ndarray:
        """The raw scores that decide the class: (n,), class 1 where above 0, or (n, C), the class of the highest."""
        return np.asarray(raw_prediction)

    def probabilities(self, raw_prediction: ArrayLike) -> np.ndarray | None:
        """Class probabilities (n, C) according to the loss's model, or None where it has none."""
        return None

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray | None:
        """The constant raw scores (n_outputs,) with the least loss, or None where there is no closed form.

        Boosters give a custom objective no fitted intercept; start them here (``base_margin``, ``init_score``) and
        add the same numbers when predicting.
        """
        return None


class SeparableRound(NamedTuple):
    """What a worker keeps from a round of a separable loss.

    Attributes
    ----------
    columns : int
        Columns of the scores, 1 for shape (n,): the shape that a worker without rows must return.
    threads : int
        Share of the machine's threads.
    weight : float
        Σ w of all workers' rows.
    """

    columns: int
    threads: int
    weight: float


def separable_step(
    loss: Loss,
    y_true: Callable[[], ArrayLike],
    raw_prediction: ArrayLike,
    sample_weight: ArrayLike | None,
    state: Any,
    workers: Workers,
) -> tuple[np.ndarray, np.ndarray, SeparableRound]:
    """A round of a separable loss on one worker; in the first round all workers share the shape and any error."""
    shape = np.shape(raw_prediction)
    n = shape[0]

    def weight_here() -> float:
        if sample_weight is None:
            return float(n)
        weight = check.check_weight(sample_weight, n, "raw_prediction")
        assert weight is not None
        if not (np.isfinite(weight) & (weight >= 0)).all():
            raise check.bad_weights(weight)
        return float(np.sum(weight, dtype=np.float64))

    def step(known: SeparableRound) -> tuple[np.ndarray, np.ndarray]:
        if n == 0:
            nothing = np.empty((0,) if known.columns == 1 else (0, known.columns), np.float32)
            return nothing, nothing.copy()
        with at_most(known.threads):
            if sample_weight is not None and not np.any(sample_weight):  # other workers' rows have some weight
                gradient, hessian = loss.boosting_step(y_true(), raw_prediction, None, None)[:2]
                return 0 * gradient, 0 * hessian
            return loss.boosting_step(y_true(), raw_prediction, sample_weight, None)[:2]

    if isinstance(state, SeparableRound):
        return *step(state), state
    columns = int(workers.max((1,), lambda: [shape[1] if n and len(shape) == 2 else 1])[0])
    total = float(workers.sum((1,), lambda: [weight_here()])[0])
    check.check_total_weight(total)
    first = SeparableRound(columns, workers.threads_each(), total)
    found: list[Any] = []

    def compute() -> list[float]:
        found.extend(step(first))
        return [0.0]

    workers.sum((1,), compute)  # an error on one worker is raised on all
    return found[0], found[1], first
