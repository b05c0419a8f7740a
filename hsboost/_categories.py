"""Categories of pandas frames: the columns that had them in ``fit`` have them, of the same type, in ``predict``.

Both boosters tell categories by their values, whatever their order (XGBoost from 3.1 on). XGBoost reads the codes of
categories where it was trained on numbers, silently; LightGBM takes categories that it has not seen for missing ones,
a whole column too when the texts of ``fit`` are numbers in ``predict``.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from hsboost._features import stored_name


def of_frame(X: Any, booster: str | None) -> dict[str, Any] | None:
    """The categorical columns of a pandas frame, by the booster's names, and their categories; else None."""
    if not isinstance(X, pd.DataFrame):
        return None
    return {
        stored_name(column, booster): dtype.categories
        for column, dtype in X.dtypes.items()
        if isinstance(dtype, pd.CategoricalDtype)
    }  # fmt: skip


def of_booster(kind: str | None, booster: Any) -> dict[str, Any] | None:
    """Those that a trained booster knows: by name, categories None where it does not say; None if it says nothing."""
    if kind == "xgboost":
        if booster.feature_types is None or booster.feature_names is None:
            return None
        pairs = zip(booster.feature_names, booster.feature_types, strict=True)
        return {name: None for name, one in pairs if one == "c"}
    known = booster.pandas_categorical
    if not known:
        return {}
    # LightGBM keeps the categories in the order of their columns, and the columns' names elsewhere.
    kinds = _feature_kinds(booster)
    names = [name for name, info in kinds if info != "none" and not info.startswith("[")]
    return dict(zip(names, known, strict=True)) if len(names) == len(known) else None


def _feature_kinds(booster: Any) -> list[tuple[str, str]]:
    """Names of the columns and how LightGBM describes their values: ``[low:high]``, ``1:2:3`` or ``none``."""
    header = booster.model_to_string(num_iteration=1).partition("\nTree=")[0].splitlines()
    lines = {name: value.split(" ") for name, _, value in (line.partition("=") for line in header)}
    return list(zip(lines["feature_names"], lines["feature_infos"], strict=True))


def check(known: dict[str, Any] | None, X: Any, name: str, booster: str | None) -> None:
    """The frame's categorical columns are the known ones, and texts are texts, numbers numbers.

    A category that ``fit`` did not see is the booster's business: missing to LightGBM, an error to XGBoost.

    Raises
    ------
    ValueError
        Naming the column.
    """
    found = of_frame(X, booster)
    if known is None or found is None:
        return
    for column in [*found, *known]:
        if (column in found) != (column in known):
            here, there = ("categories", "numbers") if column in found else ("numbers", "categories")
            raise ValueError(
                f"{name}: column {column!r} holds {here}, and held {there} in fit; convert it to what it was there"
            )
    for column, categories in found.items():
        now, before = (_type_of(one) for one in (categories, known.get(column)))
        if now is not None and before is not None and now != before:
            raise ValueError(
                f"{name}: the categories of column {column!r} are {now} ({categories.tolist()[0]!r} …), in fit they "
                f"were {before} ({next(iter(known[column]))!r} …); convert them to what they were there"
            )


def _type_of(categories: Any) -> str | None:
    """What the categories are, if they are all of one type."""
    if categories is None or len(categories) == 0:
        return None
    if all(isinstance(one, str) for one in categories):
        return "texts"
    if all(isinstance(one, Real) and not isinstance(one, bool | np.bool_) for one in categories):
        return "numbers"
    return None
