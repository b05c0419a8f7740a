"""Errors of the boosters that name no remedy, raised again in terms of our arguments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: The start of XGBoost's error for an unknown metric.
_UNKNOWN_METRIC = "Unknown metric function"
_INFINITE = "Input data contains `inf`"


@contextmanager
def explained() -> Iterator[None]:
    """XGBoost's errors about categories, infinite values and names of metrics, in one line."""
    try:
        yield
    except Exception as error:
        text = str(error)
        if type(error).__name__ == "XGBoostError" and _UNKNOWN_METRIC in text:
            name = text.partition(_UNKNOWN_METRIC)[2].splitlines()[0].strip()
            raise ValueError(
                f"eval_metric={name!r} is no metric of XGBoost; correct the name, or pass a function or a metric of "
                "this package"
            ) from error
        if type(error).__name__ == "XGBoostError" and _INFINITE in text:
            raise ValueError(
                "X holds infinite values, which XGBoost's DMatrix refuses; put large numbers in their place, or NaN "
                "where they are missing"
            ) from error
        if type(error).__name__ != "XGBoostError" or "cat_container" not in text:
            raise
        line = text.splitlines()[0].partition("cat_container")[2].partition(": ")[2].strip()
        raise ValueError(
            "X: the categories do not fit those of fit, used or not: set values that fit did not see to missing and "
            f"call cat.remove_unused_categories(), or train with them (XGBoost: {line})"
        ) from error


def reason_of(error: Exception, X: Any) -> str | None:
    """Why a booster could not train, where its own error does not say it."""
    text = str(error)
    if "num_features()) > (0)" in text:
        return (
            "X: LightGBM finds no column to split on, as they are constant, or there are too few rows for "
            "min_child_samples; set it lower"
        )
    if "feature_names_in_" in text and "no setter" in text:
        package = type(X).__module__.partition(".")[0]
        return f"X: LightGBM before 4.7 takes no {package} {type(X).__name__}; upgrade it, or pass a pandas DataFrame"
    return None
