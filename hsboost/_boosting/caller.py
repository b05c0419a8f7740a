"""Which booster is calling, from the call stack: boosters pass a custom objective neither device nor workers."""

from __future__ import annotations

from typing import Any, NamedTuple

from hsboost._stack import frames

#: Python frames between this package and the booster that calls, at most: adapters, stopwatches, wrappers.
MOST_FRAMES = 64


class Caller(NamedTuple):
    """The booster that called the objective: ``xgboost`` or ``lightgbm``, and XGBoost's own objects."""

    library: str
    booster: Any = None
    dataset: Any = None


def caller() -> Caller | None:
    """Find the calling booster in the call stack; None if there is none.

    XGBoost calls an objective from ``Booster.update`` (until 3.1) or ``Booster.boost`` (from 3.2), both methods of
    ``xgboost.core.Booster`` with the arguments ``self`` and ``dtrain``. Variables of other frames are not read.
    """
    for frame in frames(MOST_FRAMES):
        module = str(frame.f_globals.get("__name__"))
        if module == "xgboost.core" and frame.f_code.co_name in ("boost", "update"):
            return Caller("xgboost", frame.f_locals.get("self"), frame.f_locals.get("dtrain"))
        if module == "lightgbm.basic":
            return Caller("lightgbm")
    return None


def in_xgboost_cv() -> bool:
    """Whether ``xgb.cv`` is calling."""
    calls = ((frame.f_globals.get("__name__"), frame.f_code.co_name) for frame in frames(MOST_FRAMES))
    return ("xgboost.training", "cv") in calls
