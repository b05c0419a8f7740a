"""Rows to compare on: drawn between a model's own split values, or a user's, with categories as codes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

from hsboost.estimators import _boosters
from hsboost.estimators._inputs import categories as _categories
from hsboost.estimators._inputs.features import stored_name
from hsboost.estimators._model_file.splits import Splits

#: How many rows are drawn, and values where the model has many columns.
N_DRAWN, MOST_VALUES = 2000, 4_000_000

#: What LightGBM takes for 0 as it reads rows.
_ZERO = float(np.float32(1e-35))


def drawn(splits: Splits, single: bool) -> np.ndarray:
    """Rows (n, p), float64, whose values lie at, beside, between and beyond the splits; some are missing.

    Values are float32 numbers if ``single``. Categories are codes, also some that no split uses.
    """
    rng = np.random.default_rng(0)
    n = max(50, min(N_DRAWN, MOST_VALUES // splits.n_features))
    rows = np.zeros((n, splits.n_features))
    kind = np.float32 if single else np.float64
    for feature in range(splits.n_features):
        if feature in splits.categorical:
            codes = np.concatenate(splits.categorical[feature])
            most = int(codes.max(initial=0)) + 2
            column = rng.integers(0, most, n).astype(np.float64)
        else:
            values = [*splits.numeric.get(feature, [])]
            if feature in splits.linear:
                values.append(np.array([-1.5, 0.5, 2.0]))
            at: Any = np.unique(np.concatenate(values).astype(kind)) if values else np.zeros(1, dtype=kind)
            middle = at[:-1] + (at[1:] - at[:-1]) / 2
            beyond = np.array([at[0] - 1.0 - abs(at[0]), at[-1] + 1.0 + abs(at[-1]), 0.0], dtype=kind)
            sides = np.nextafter(at, kind(-np.inf)), np.nextafter(at, kind(np.inf))
            # Most values lie between splits, as a user's do; those at the splits distinguish "below" from "at most".
            choice = rng.integers(0, 10, n)
            column = rng.choice(middle if middle.size else at, n).astype(np.float64)
            for place, these in enumerate((at, *sides, beyond)):
                column[choice == place] = rng.choice(these, n)[choice == place]
        column[np.abs(column) <= _ZERO] = 0.0
        column[rng.integers(0, 10, n) == 0] = np.nan
        rows[:, feature] = column
    rows[0] = np.nan
    return rows


def categories_of(model: Any) -> dict[Any, list[Any] | None]:
    """Each categorical column's categories in the order of their codes; None where the booster does not name them."""
    estimator = model.estimator_
    kind, booster = str(_boosters.kind(estimator)), _boosters.native(estimator)
    if kind == "lightgbm":
        # It keeps the categories in the order of their columns.
        known = _categories.of_booster(kind, booster) or {}
        return {_label(model, name, kind): list(values) for name, values in known.items()}
    types, names = booster.feature_types, booster.feature_names
    if types is None or "c" not in types:
        return {}
    text = bytes(booster.save_raw("json"))
    place = text.find(b'"cats":')
    stored = [] if place < 0 else json.JSONDecoder().raw_decode(text[place + 7 :].decode())[0]["enc"]
    columns = range(len(types)) if names is None else names
    found: dict[Any, list[Any] | None] = {}
    for at, (name, one) in enumerate(zip(columns, types, strict=True)):
        if one == "c":
            found[_label(model, name, kind)] = _values(stored[at]) if stored else None
    return found


def _label(model: Any, name: Any, kind: str) -> Any:
    """A column's label in the user's frame, of its name in the booster."""
    known = getattr(model, "feature_names_in_", None)
    by_name = {} if known is None else {stored_name(one, kind): one for one in known.tolist()}
    return by_name.get(name, name)


def _values(stored: dict[str, Any]) -> list[Any] | None:
    """XGBoost's record of a column's categories; None where it has cut names beyond ASCII, or holds none."""
    values = stored["values"]
    if not stored.get("offsets"):
        return list(values) or None
    code = np.array(values, dtype=np.int64).astype(np.uint8).tobytes()
    names = [code[a:b] for a, b in zip(stored["offsets"], stored["offsets"][1:], strict=False)]
    return [name.decode() for name in names] if all(name.isascii() for name in names) else None


def as_codes(model: Any, X: Any, categories: dict[Any, list[Any] | None]) -> np.ndarray:
    """Rows that the model reads, as numbers: categories are codes, and what is missing is NaN.

    Categories that are not known, and where the model names none those of a frame in its own order, are read as
    LightGBM and XGBoost do.
    """
    if issparse(X):
        given: Any = X
        dense = np.asarray(given.toarray(), dtype=np.float64)
        if _boosters.kind(model.estimator_) == "xgboost":  # to which entries that are not there are missing
            there: Any = csr_array(given, copy=True)
            there.data = np.ones_like(there.data, dtype=np.float64)
            dense[there.toarray() == 0.0] = np.nan
        return dense
    if not isinstance(X, pd.DataFrame):
        X = X.to_pandas() if hasattr(X, "to_pandas") else X
    if not isinstance(X, pd.DataFrame):
        return np.asarray(X, dtype=np.float64)
    columns = []
    for place, (label, dtype) in enumerate(X.dtypes.items()):
        column = X.iloc[:, place]
        if isinstance(dtype, pd.CategoricalDtype):
            order = categories.get(label)
            codes = column.cat.codes if order is None else column.cat.set_categories(order).cat.codes
            columns.append(np.where(codes < 0, np.nan, codes))
        else:
            columns.append(pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan))
    return np.column_stack(columns)
