"""Which booster is calling, from the call stack: boosters pass a custom objective neither device nor workers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

#: Python frames between this package and the booster that calls, at most: adapters, stopwatches, wrappers.
MOST_FRAMES = 64


def frames(most: int = MOST_FRAMES) -> Iterator[FrameType]:
    """The calls that led to the function that iterates over them, from its caller outwards."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(most):
        frame = frame.f_back if frame is not None else None
        if frame is None:
            return
        yield frame


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
    for frame in frames():
        module = str(frame.f_globals.get("__name__"))
        if module == "xgboost.core" and frame.f_code.co_name in ("boost", "update"):
            return Caller("xgboost", frame.f_locals.get("self"), frame.f_locals.get("dtrain"))
        if module == "lightgbm.basic":
            return Caller("lightgbm")
    return None


def in_xgboost_cv() -> bool:
    """Whether ``xgb.cv`` is calling."""
    return any(
        frame.f_globals.get("__name__") == "xgboost.training" and frame.f_code.co_name == "cv" for frame in frames()
    )
