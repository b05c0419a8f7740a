"""Warnings that name the user's line, however many functions lie between."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

#: What lies between a user's line and what warns: this package and those that call it back, those that run it, and
#: the standard library's modules in between.
_BOOSTERS = {"hsboost", "xgboost", "lightgbm", "numba"}
_RUNNERS = {"sklearn", "joblib", "dask", "distributed", "tornado", "mlflow", "skops", "cloudpickle"}
_STANDARD = {"asyncio", "concurrent", "contextlib", "copy", "functools", "importlib", "pickle", "runpy", "threading"}
_BETWEEN = _BOOSTERS | _RUNNERS | _STANDARD


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the innermost line outside this package and those that call it back.

    In a thread or process of a pool, where the user's line is not among the calls, at the innermost line outside this
    package.
    """
    frame: FrameType | None = sys._getframe(1)
    outermost = outside = None
    while frame is not None:
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _BETWEEN:
            break
        if outside is None and package != "hsboost":
            outside = frame
        outermost, frame = frame, frame.f_back
    place = frame or outside or outermost
    assert place is not None
    warnings.warn_explicit(
        message,
        category,
        filename=place.f_code.co_filename,
        lineno=place.f_lineno,
        module=str(place.f_globals.get("__name__", "")),
        registry=place.f_globals.setdefault("__warningregistry__", {}),
    )
