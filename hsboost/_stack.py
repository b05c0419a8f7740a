"""The call stack: the calls that led here, and warnings that name the user's line, however many calls lie between."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from types import FrameType

#: What lies between a user's line and what warns: this package and those that call it back, those that run it, and
#: the standard library's modules in between.
_BOOSTERS = {"hsboost", "xgboost", "lightgbm", "numba"}
_RUNNERS = {"sklearn", "joblib", "dask", "distributed", "tornado", "mlflow", "skops", "cloudpickle"}
_STANDARD = {"asyncio", "concurrent", "contextlib", "copy", "functools", "importlib", "pickle", "runpy", "threading"}
_BETWEEN = _BOOSTERS | _RUNNERS | _STANDARD


def frames(most: int = sys.maxsize) -> Iterator[FrameType]:
    """The calls that led to the function that iterates over them, from its caller outwards, at most so many."""
    frame: FrameType | None = sys._getframe(1)
    while most > 0 and (frame := frame.f_back if frame is not None else None) is not None:
        yield frame
        most -= 1


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside this package and those that call it back.

    In a thread or process of a pool, where the user's line is not among the calls, at the innermost line outside this
    package.
    """
    outermost = outside = place = None
    for frame in frames():
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _BETWEEN:
            place = frame
            break
        if outside is None and package != "hsboost":
            outside = frame
        outermost = frame
    place = place or outside or outermost
    assert place is not None
    warnings.warn_explicit(
        message,
        category,
        filename=place.f_code.co_filename,
        lineno=place.f_lineno,
        module=str(place.f_globals.get("__name__", "")),
        registry=place.f_globals.setdefault("__warningregistry__", {}),
    )
