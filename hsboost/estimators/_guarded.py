"""Fitted boosters that warn of what they lack: ``estimator_`` without its offset, threshold and true link.

``estimator_`` stays the booster that was trained, for its settings, rounds and records. Its class is a subclass of the
booster's own, of the same name, whose predictions are the trees' raw scores or an error, and whose native model comes
with one warning.
"""

from __future__ import annotations

import functools
import sys
from importlib import import_module
from typing import Any
from weakref import WeakSet

from sklearn.base import clone

from hsboost import _stack

#: What a caller may ask of ``predict`` that a threshold has no part in.
_RAW = ("output_margin", "raw_score", "pred_leaf", "pred_contrib")
_HOMES = {"XGBClassifier": "xgboost", "LGBMClassifier": "lightgbm"}

_warned: WeakSet[Any] = WeakSet()


def guard(estimator: Any) -> None:
    """Have a fitted XGBClassifier or LGBMClassifier, whose ``objective`` is a LossObjective, warn of what it lacks."""
    if not hasattr(type(estimator), "_hsboost_base"):
        base: Any = type(estimator)
        estimator.__class__ = guarded(base)


def warn_of_native(estimator: Any) -> None:
    """Warn once of what the native model of a fitted estimator lacks, if it lacks something."""
    if estimator in _warned:
        return
    lacking = _lacking(estimator)
    if lacking:
        _warned.add(estimator)
        _stack.warn(
            f"the booster inside holds the trees that were trained: {'; '.join(lacking)}. Use the methods of "
            "HSClassifier, or export() for a model that decides alike",
        )


def _lacking(estimator: Any) -> list[str]:
    found = []
    objective = estimator.objective
    if getattr(objective, "offset", None) is not None:
        found.append("its scores lack the constant that training started from (objective_.offset)")
    if not hasattr(estimator, "get_booster"):
        return found
    booster = _base(estimator).get_booster(estimator)
    found.append("its nominal objective has a sigmoid or softmax that is not this model's")
    best = booster.attr("best_iteration")
    if best is not None and booster.num_boosted_rounds() > int(best) + 1:
        found.append(f"it holds {booster.num_boosted_rounds() - int(best) - 1} rounds after the best")
    return found


def _base(estimator: Any) -> Any:
    return getattr(type(estimator), "_hsboost_base", type(estimator))


def _outside() -> bool:
    """Whether the caller's caller belongs to neither this package nor a booster."""
    name = str(sys._getframe(2).f_globals.get("__name__", ""))
    return name.partition(".")[0] not in ("hsboost", "xgboost", "lightgbm")


def _refuse(name: str) -> ValueError:
    return ValueError(
        f"estimator_.{name} knows neither the threshold nor the calibration of this model, and its link is not the "
        "loss's; use predict, predict_proba or decision_function of HSClassifier, ask for the trees' scores "
        "(output_margin=True, raw_score=True), or export() a model that decides alike"
    )


@functools.cache
def guarded(base: Any) -> Any:
    """The guarded class of a booster's class."""

    def guarded_method(name: str) -> Any:
        method = getattr(base, name)

        @functools.wraps(method)
        def call(self: Any, X: Any, *arguments: Any, **settings: Any) -> Any:
            # LightGBM takes raw_score by its place, too.
            if not (any(settings.get(one) for one in _RAW) or (arguments and arguments[0] is True)):
                raise _refuse(name)
            if _outside() and getattr(self.objective, "offset", None) is not None:
                warn_of_native(self)
            return method(self, X, *arguments, **settings)

        return call

    def fit(self: Any, *arguments: Any, **settings: Any) -> Any:
        self.__class__ = base  # what is trained now is the caller's
        return self.fit(*arguments, **settings)

    def reduced(self: Any, protocol: Any) -> Any:
        return _restored, (base,), self.__getstate__()

    def cloned(self: Any) -> Any:
        plain = base.__new__(base)
        plain.__dict__.update(self.__dict__)
        return clone(plain)

    methods: dict[str, Any] = {
        "__module__": __name__,
        "__doc__": base.__doc__,
        "_hsboost_base": base,
        "predict": guarded_method("predict"),
        "predict_proba": guarded_method("predict_proba"),
        "fit": functools.update_wrapper(fit, base.fit),
        "__reduce_ex__": reduced,
        "__sklearn_clone__": cloned,
    }
    if hasattr(base, "get_booster"):

        def get_booster(self: Any) -> Any:
            if _outside():
                warn_of_native(self)
            return base.get_booster(self)

        def save_model(self: Any, fname: Any) -> None:
            if _outside():
                warn_of_native(self)
            base.save_model(self, fname)

        methods |= {"get_booster": get_booster, "save_model": save_model}
    else:

        def booster_(self: Any) -> Any:
            if _outside():
                warn_of_native(self)
            return base.booster_.fget(self)

        methods["booster_"] = property(booster_, doc=base.booster_.__doc__)
    return type(base.__name__, (base,), methods)


def _restored(base: Any) -> Any:
    made = guarded(base)
    return made.__new__(made)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return guarded(getattr(import_module(_HOMES[name]), name))
