"""Metrics that a user chose, in the form that each booster takes; one clear error for what a booster would drop.

LightGBM silently ignores what it does not know: sets, tuples and arrays of names, functions among the names of
its ``metric``, misspelt names. XGBoost ends in errors of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

#: Names that ``fit`` of LGBMClassifier, unlike its parameter ``metric``, replaces by those for the number of classes.
_TRANSLATED = {name: f"_{name}" for name in ("logloss", "error")} | {
    f"{kind}_{name}": f"_{name}" for kind in ("binary", "multi") for name in ("logloss", "error")
}

#: LightGBM's names for watching nothing.
_NO_METRIC = ("", "none", "null", "na", "custom")


def listed(metric: Any, name: str = "eval_metric") -> list[Any]:
    """Metrics one by one: texts as they are, and functions; ``name`` is the argument's.

    Raises
    ------
    TypeError
        For other containers than lists, tuples, arrays and pandas columns (a set has no order, and the last metric, or
        the first, decides when to stop), and for entries that are no names or functions.
    """
    if metric is None:
        return []
    if isinstance(metric, str) or callable(metric):
        entries, single = [metric], True
    elif isinstance(metric, list | tuple):
        entries, single = list(metric), False
    elif isinstance(metric, np.ndarray | pd.Index | pd.Series) and metric.ndim < 2:
        entries, single = np.ravel(np.asarray(metric, dtype=object)).tolist(), False
    else:
        raise TypeError(
            f"{name} must be a metric's name, a function, or a list of them in order, got {metric!r}; pass a list"
        )
    for i, one in enumerate(entries):
        place = name if single else f"{name}[{i}]"
        if isinstance(one, type):
            raise TypeError(f"{place} is the class {one.__name__}, not a metric; pass an object, {one.__name__}()")
        if not (isinstance(one, str) or callable(one)):
            raise TypeError(f"{place} must be a metric's name or a function, got {one!r}; pass a flat list of metrics")
    return entries


def of_xgboost(metric: Any) -> tuple[list[str], Any]:
    """Names of XGBoost's metrics, and the function, or None. Metrics of this package may come in LightGBM's form."""
    chosen = [_ours(one) for one in listed(metric)]
    functions = [one for one in chosen if not isinstance(one, str)]
    if len(functions) > 1:
        named = ", ".join(str(getattr(one, "__name__", one)) for one in functions)
        raise ValueError(
            f"eval_metric holds {len(functions)} functions ({named}); XGBoost takes one, and names besides: keep one, "
            "and compute the others from decision_function"
        )
    return [one for one in chosen if isinstance(one, str)], functions[0] if functions else None


def for_xgboost(metric: Any) -> Any:
    """The metrics as XGBClassifier takes them: a function, a list, or None. See :func:`of_xgboost`."""
    names, function = of_xgboost(metric)
    if function is None:
        return names or None
    if names and not _takes_both():
        from xgboost import __version__

        raise ValueError(
            f"eval_metric holds a function beside the names {names}, which XGBClassifier takes from XGBoost 3.1 on; "
            f"this is {__version__}: pass the function alone, or names alone"
        )
    return [*names, function] if names else function


def for_lightgbm(metric: Any) -> list[Any]:
    """The metrics as LGBMClassifier's ``fit`` takes them; those of this package in their form for it."""
    return [one.lightgbm if callable(getattr(one, "lightgbm", None)) else one for one in listed(metric)]


def names_for_lightgbm(metric: Any) -> list[str]:
    """LGBMClassifier's parameter ``metric``, which takes names only."""
    names = listed(metric, "metric")
    for one in names:
        if not isinstance(one, str):
            raise TypeError(
                f"metric holds the function {one!r}, and LightGBM's parameter takes names only; pass it to fit, "
                "fit(..., eval_metric=...)"
            )
    return names


def is_nothing(metrics: list[Any]) -> bool:
    """Whether all that LightGBM is given are its names for no metric."""
    texts = [one for one in metrics if isinstance(one, str)]
    return len(texts) == len(metrics) and all(
        one.strip().lower() in _NO_METRIC for text in texts for one in text.split(",")
    )


def check_of_estimator(estimator: Any) -> None:
    """The metrics among a booster's settings can be read: XGBoost's ``eval_metric``, LightGBM's ``metric``."""
    for name in ("eval_metric", "metric", "metrics", "metric_types"):
        listed(getattr(estimator, name, None), name)


def check_known_to_lightgbm(metrics: list[Any], name: str, n_classes: int) -> None:
    """LightGBM computes every metric that is named, on labels of ``n_classes``: it passes over other names."""
    import lightgbm as lgb

    names = [one for one in metrics if isinstance(one, str)]
    if name == "eval_metric":
        kind = "multi" if n_classes > 2 else "binary"
        names = [kind + _TRANSLATED[one] if one in _TRANSLATED else one for one in names]
    texts = [one for text in names for one in text.split(",")]
    asked = [one for one in texts if one.strip().lower() not in _NO_METRIC]
    if not asked:
        return
    labels = np.arange(4 * n_classes) % n_classes
    settings = {"objective": "none", "num_class": n_classes if n_classes > 2 else 1, "verbose": -1, "num_threads": 1}
    for one in asked:
        rows = lgb.Dataset(labels[:, None].astype(float), labels, params={"verbose": -1, "min_data_in_bin": 1})
        reason = ""
        try:
            if lgb.Booster(settings | {"metric": one}, rows).eval_train():
                continue
        except lgb.basic.LightGBMError as error:
            reason = f" ({' '.join(str(error).split())})"
        raise ValueError(
            f"{name}={one!r} is no metric that LightGBM computes here, for {n_classes} classes{reason}; correct the "
            "name, or pass a function or a metric of this package to fit(eval_metric=...)"
        )


def _ours(metric: Any) -> Any:
    """PrecisionAtK().lightgbm gives what only LightGBM reads."""
    owner = getattr(metric, "__self__", None)
    return owner if owner is not None and getattr(owner, "lightgbm", None) == metric else metric


def _takes_both() -> bool:
    """Whether XGBClassifier takes names and a function in one list."""
    from xgboost import __version__

    return tuple(int(part) for part in __version__.split(".")[:2]) >= (3, 1)
