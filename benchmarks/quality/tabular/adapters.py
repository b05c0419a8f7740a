"""The interface of a loss in this benchmark, and adapters for the boosters' own losses and hsboost's."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def identity(values: FloatArray) -> FloatArray:
    """Return the values unchanged, for a booster that passes raw scores to its metric."""
    return np.asarray(values, dtype=np.float64)


def from_probability(values: FloatArray) -> FloatArray:
    """Undo the sigmoid that a booster applies before it calls a metric.

    A saturated probability becomes the largest finite score of its side, so that every score stays finite.
    """
    return np.nan_to_num(logit(np.asarray(values, dtype=np.float64)))


@dataclass(frozen=True)
class Objective:
    """The inputs of one booster to train one loss.

    ``params`` are added to the trees' settings; ``function`` is the custom objective, or None for a built-in one;
    ``to_raw`` converts the values that the booster passes to a metric during training into raw scores; ``query_rows``
    is the size of random queries into which training rows are split (None: no queries).
    """

    params: dict[str, Any]
    function: Callable[..., Any] | None = None
    to_raw: Callable[[FloatArray], FloatArray] = field(default=identity)
    query_rows: int | None = None


@dataclass(frozen=True)
class Range:
    """A parameter's search range and default; ``log``: on a logarithmic scale, ``whole``: in integers."""

    low: float
    high: float
    default: float
    log: bool = False
    whole: bool = False


class Loss(ABC):
    """One rival: a name for the command line, a label for the report and an objective for each booster.

    ``space`` are the loss's own parameters that the tuned protocol searches in addition to the trees'.
    """

    name: str
    label: str
    #: Short form of the label for narrow terminals; the label up to its first parenthesis where empty.
    brief: str = ""
    space: Mapping[str, Range] = MappingProxyType({})

    @abstractmethod
    def lightgbm(self) -> Objective:
        """Return a fresh LightGBM objective (fresh, because a custom one may keep state)."""

    @abstractmethod
    def xgboost(self) -> Objective:
        """Return a fresh XGBoost objective."""

    def on(self, y_train: IntArray) -> Loss:
        """Return the loss fitted to a training split's labels; most losses do not depend on them."""
        return self

    def tuned(self, **own: float) -> Loss:
        """Return the loss with parameters of its ``space``; raises TypeError for others."""
        if own:
            raise TypeError(f"{self.name} has no parameters {', '.join(own)}")
        return self

    def probabilities(self, raw: FloatArray) -> FloatArray | None:
        """Return the loss's own probabilities for raw scores (n,), or None where it does not define any."""
        return None

    def describe(self) -> dict[str, Any]:
        """List the loss's settings that affect its figures, for the settings' fingerprint and the report."""
        return {"lightgbm": self.lightgbm().params, "xgboost": self.xgboost().params}


class SquaredError(Loss):
    """Regression on the 0/1 label, which the paper's published "cross entropy" scripts train."""

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


class Custom(Loss):
    """A loss that is trained through an objective of hsboost."""

    @abstractmethod
    def objective(self) -> Callable[..., Any]:
        """Return a fresh objective."""

    def lightgbm(self) -> Objective:
        return Objective({}, self.objective())

    def xgboost(self) -> Objective:
        # The nominal objective sets what predict returns: squared error has the identity link, so raw scores. A
        # custom objective gets no fitted intercept, and the loss does not need one: its gradients sum to zero, or it
        # starts from its best constant.
        return Objective({"objective": "reg:squarederror", "base_score": 0.0}, self.objective())

    def describe(self) -> dict[str, Any]:
        return super().describe() | {"function": repr(self.objective())}


#: Label, short label and range of the floor. The gradient of the first is alive outside the band, where the usual floor
#: would make steps far too long; the smooth ones know no outside.
SIBLINGS = {
    "fy": ("HyperSimplex, Fenchel-Young", "HyperS. FY", Range(1e-3, 1.0, 1.0, log=True)),
    "smooth": ("HyperSimplex, smooth", "HyperS. smooth", Range(1e-3, 1.0, 0.02, log=True)),
    "smooth-fy": ("HyperSimplex, smooth FY", "HyperS. smooth FY", Range(1e-3, 1.0, 0.02, log=True)),
}


class Hypersimplex(Custom):
    """hsboost's loss, or a sibling, with the library's defaults unless told: k is the training prevalence.

    ``budget`` multiplies the odds of that prevalence; ``k`` is then the resulting share of rows.
    """

    name = "hypersimplex"
    label = "HyperSimplex"
    space: Mapping[str, Range] = MappingProxyType(
        {"budget": Range(0.5, 2.0, 1.0, log=True), "hessian_floor": Range(1e-4, 0.3, 1e-3, log=True)}
    )

    def __init__(self, sibling: str = "", k: float | None = None, budget: float = 1.0, **parameters: Any) -> None:
        self._sibling, self._k, self._budget, self._parameters = sibling, k, budget, parameters
        if sibling:
            self.name = f"hypersimplex-{sibling}"
            self.label, self.brief, floor = SIBLINGS[sibling]
            self.space = MappingProxyType({**self.space, "hessian_floor": floor})

    def on(self, y_train: IntArray) -> Loss:
        if self._budget == 1.0:
            return self
        share = float(expit(logit(np.mean(y_train)) + np.log(self._budget)))
        return Hypersimplex(self._sibling, share, **self._parameters)

    def tuned(self, **own: float) -> Loss:
        return super().tuned(**own) if set(own) - set(self.space) else Hypersimplex(self._sibling, **own)

    def objective(self) -> Callable[..., Any]:
        from hsboost import HypersimplexObjective
        from hsboost.losses import get_loss

        if self._sibling:
            return FromIntercept(get_loss(self.name, k=self._k, **self._parameters))
        return HypersimplexObjective(k=self._k, **self._parameters)


class Registered(Custom):
    """A loss of hsboost's registry, through the objective adapter, by default with the library's defaults."""

    def __init__(
        self,
        name: str,
        label: str,
        registered: str | None = None,
        space: Mapping[str, Range] | None = None,
        **parameters: Any,
    ) -> None:
        self.name, self.label, self.space = name, label, space or {}
        self._registered, self._parameters = registered or name, parameters

    def tuned(self, **own: float) -> Loss:
        if set(own) - set(self.space):
            return super().tuned(**own)
        return Registered(self.name, self.label, self._registered, self.space, **(self._parameters | own))

    def objective(self) -> Callable[..., Any]:
        from hsboost.losses import get_loss

        return FromIntercept(get_loss(self._registered, **self._parameters))


class FromIntercept:
    """A loss's objective whose scores start from the loss's best constant, as the built-in objectives do.

    The constant is computed in the first call and added to the booster's scores before the loss. It changes neither
    ranks nor cuts, so the booster's own scores are evaluated.
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

    @property
    def on_round(self) -> Callable[[Any], object] | None:
        """Called with the loss's state after each round."""
        return self._objective.on_round

    @on_round.setter
    def on_round(self, observer: Callable[[Any], object] | None) -> None:
        self._objective.on_round = observer

    def __deepcopy__(self, memo: dict[int, Any]) -> FromIntercept:
        return self  # LightGBM copies its parameters

    def __repr__(self) -> str:
        return repr(self._objective)
