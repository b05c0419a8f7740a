"""Which booster an estimator is, and its native model."""

from __future__ import annotations

from typing import Any


def kind(estimator: Any) -> str | None:
    """ "xgboost" or "lightgbm", by the classes an object descends from; the other library is not imported."""
    names = {(c.__module__.partition(".")[0], c.__name__) for c in type(estimator).__mro__}
    if ("xgboost", "XGBClassifier") in names:
        return "xgboost"
    if ("lightgbm", "LGBMClassifier") in names:
        return "lightgbm"
    return None


def kind_meant(estimator: Any) -> str | None:
    """The booster of what a user passes as estimator."""
    if estimator is None or isinstance(estimator, str):
        return "xgboost" if estimator is None else estimator
    return kind(estimator)


def native(estimator: Any) -> Any:
    """The ``xgboost.Booster`` or ``lightgbm.Booster`` of a fitted estimator."""
    return estimator.get_booster() if kind(estimator) == "xgboost" else estimator.booster_
