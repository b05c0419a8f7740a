"""The rival losses, each told once how LightGBM and XGBoost train it and how to read its raw scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]


def identity(values: FloatArray) -> FloatArray:
    """Return the raw scores that a booster hands to its metric unchanged."""
    return np.asarray(values, dtype=np.float64)


def from_probability(values: FloatArray) -> FloatArray:
    """Undo the sigmoid that a booster applies before it calls a metric.

    A saturated probability becomes the largest finite score of its side, so that every score stays finite.
    """
    return np.nan_to_num(logit(np.asarray(values, dtype=np.float64)))


@dataclass(frozen=True)
class Objective:
    """What one booster needs to train one loss.

    ``params`` are added to the trees' settings; ``function`` is the custom objective, or None for a built-in
    one; ``to_raw`` turns what the booster passes to a metric during training into raw scores.
    """

    params: dict[str, Any]
    function: Callable[..., Any] | None = None
    to_raw: Callable[[FloatArray], FloatArray] = field(default=identity)


class Loss(ABC):
    """One rival: a name for the command line, a label for the report and an objective for each booster."""

    name: str
    label: str

    @abstractmethod
    def lightgbm(self) -> Objective:
        """Return a fresh LightGBM objective (fresh, because a custom one may keep state)."""

    @abstractmethod
    def xgboost(self) -> Objective:
        """Return a fresh XGBoost objective."""

    def probabilities(self, raw: FloatArray) -> FloatArray | None:
        """Return the loss's own probabilities for raw scores (n,), or None where it does not define any."""
        return None

    def describe(self) -> dict[str, Any]:
        """List what of this loss decides its figures, for the settings' fingerprint and the report."""
        return {"lightgbm": self.lightgbm().params, "xgboost": self.xgboost().params}


class SquaredError(Loss):
    """Regression on the 0/1 label: what the paper's published "cross entropy" scripts really train."""

    name = "l2"
    label = "L2 (the paper's script)"

    def lightgbm(self) -> Objective:
        return Objective({"objective": "regression"})

    def xgboost(self) -> Objective:
        return Objective({"objective": "reg:squarederror"})


class LogLoss(Loss):
    """The boosters' own binary cross entropy, the baseline of every comparison."""

    name = "log-loss"
    label = "log loss"

    def lightgbm(self) -> Objective:
        return Objective({"objective": "binary"}, to_raw=from_probability)

    def xgboost(self) -> Objective:
        return Objective({"objective": "binary:logistic"}, to_raw=from_probability)

    def probabilities(self, raw: FloatArray) -> FloatArray:
        return np.asarray(expit(raw), dtype=np.float64)


class Hypersimplex(Loss):
    """hsboost's loss with the library's defaults: k is the training prevalence."""

    name = "hypersimplex"
    label = "HyperSimplex"

    def lightgbm(self) -> Objective:
        return Objective({}, self._objective())

    def xgboost(self) -> Objective:
        # The nominal objective decides what predict returns: squared error has the identity link, so raw
        # scores. A custom objective gets no fitted intercept, and the loss needs none: its gradients sum to
        # zero.
        return Objective({"objective": "reg:squarederror", "base_score": 0.0}, self._objective())

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"function": repr(self._objective())}

    @staticmethod
    def _objective() -> Callable[..., Any]:
        from hsboost import HypersimplexObjective

        return HypersimplexObjective()


class Registered(Loss):
    """A loss of hsboost's registry, through the one objective adapter, with the library's defaults unless told."""

    def __init__(self, name: str, label: str, registered: str | None = None, **parameters: Any) -> None:
        self.name, self.label = name, label
        self._registered, self._parameters = registered or name, parameters

    def lightgbm(self) -> Objective:
        return Objective({}, self._objective())

    def xgboost(self) -> Objective:
        return Objective({"objective": "reg:squarederror", "base_score": 0.0}, self._objective())

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"function": repr(self._objective())}

    def _objective(self) -> FromIntercept:
        from hsboost.losses import get_loss

        return FromIntercept(get_loss(self._registered, **self._parameters))


class FromIntercept:
    """A loss's objective whose scores start from the loss's best constant, as the built-in objectives do.

    The constant is found at the first call and added to the booster's scores before the loss sees them; it moves
    neither ranks nor cuts, so the booster's own scores are evaluated.
    """

    def __init__(self, loss: Any) -> None:
        from hsboost.objectives import LossObjective

        self._objective = LossObjective(loss)
        self._start: float | None = None

    def __call__(self, predictions: Any, dataset: Any) -> Any:
        if self._start is None:
            found = self._objective.loss.intercept(dataset.get_label())
            self._start = 0.0 if found is None else float(found[0])
        return self._objective(np.asarray(predictions) + self._start, dataset)

    def __deepcopy__(self, memo: dict[int, Any]) -> FromIntercept:
        return self  # LightGBM copies its parameters

    def __repr__(self) -> str:
        return repr(self._objective)


#: Losses that ``--losses`` may name. Not among them, because with two classes they are others: softmax and sampled
#: softmax (log loss), squared (L2).
LOSSES: dict[str, Loss] = {
    loss.name: loss
    for loss in (
        SquaredError(),
        LogLoss(),
        Hypersimplex(),
        Registered("hypersimplex-fy", "HyperSimplex, Fenchel-Young"),
        Registered("exact", "EXACT"),
        Registered("exact-log", "EXACT, -log P", "exact", log=True),
        Registered("sparsemax", "sparsemax"),
        Registered("entmax15", "entmax 1.5"),
        Registered("hinge", "hinge"),
        Registered("squared-hinge", "squared hinge"),
        Registered("focal", "focal"),
    )
}
DEFAULT_LOSSES = (SquaredError.name, LogLoss.name, Hypersimplex.name)
BASELINE = LogLoss.name
