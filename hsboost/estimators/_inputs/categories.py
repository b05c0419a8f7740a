"""Categories of frames: the columns that had them in ``fit`` have them, of the same type and values, in ``predict``.

Both boosters distinguish categories by their values, whatever their order (XGBoost from 3.1 on). XGBoost reads the
codes of categories where it was trained on numbers, and takes a category that it has not seen for the next one in its
order, both silently; LightGBM takes categories that it has not seen for missing ones, a whole column too when the texts
of ``fit`` are numbers in ``predict``.
"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from hsboost.estimators._inputs.features import stored_name

#: How XGBoost's models number the types of whole numbers.
_WHOLE = {9: "i1", 10: "u1", 11: "i2", 12: "u2", 13: "i4", 14: "u4", 15: "i8", 16: "u8"}
#: Categories of trained XGBoost boosters, kept because finding them takes writing the whole model.
_read: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


class _Stored:
    """Categories as XGBoost keeps texts: in bytes, of which versions before 3.4 cut those beyond ASCII."""

    def __init__(self, names: list[bytes]) -> None:
        self.names = frozenset(names)
        self.texts = [name.decode() for name in names if name.isascii()]

    def __iter__(self) -> Any:
        return iter(self.texts or [""])

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, value: Any) -> bool:
        code = value.encode() if isinstance(value, str) else None
        return code is not None and (code in self.names or code[: len(value)] in self.names)


def of_frame(X: Any, booster: str | None) -> dict[str, Any] | None:
    """The categorical columns of a frame, by the booster's names, and their categories; None for other matrices."""
    if isinstance(X, pd.DataFrame):
        return {
            stored_name(column, booster): dtype.categories
            for column, dtype in X.dtypes.items()
            if isinstance(dtype, pd.CategoricalDtype)
        }
    library = type(X).__module__.partition(".")[0]
    if library == "polars" and hasattr(X, "schema"):
        return {
            name: list(dtype.categories) if str(dtype).startswith("Enum") else _values(X[name])
            for name, dtype in X.schema.items()
            if str(dtype).startswith(("Enum", "Categorical"))
        }
    if library == "pyarrow" and hasattr(X, "schema"):
        return {
            name: list(dict.fromkeys(one for chunk in _chunks(X, name) for one in chunk.dictionary.to_pylist()))
            for name, dtype in zip(X.schema.names, X.schema.types, strict=True)
            if str(dtype).startswith("dictionary")
        }
    return None


def _chunks(X: Any, name: str) -> Any:
    column = X.column(name)
    return getattr(column, "chunks", [column])


def _values(column: Any) -> list[Any]:
    """The different values of an Arrow or polars column that are not missing."""
    return [
        one
        for one in (column.unique().to_pylist if hasattr(column, "type") else column.unique().to_list)()
        if one is not None
    ]


def _used(X: Any, column: str) -> list[Any]:
    """The categories that rows of a frame have, in the frame's order; ``column`` is a name as XGBoost stores it."""
    if not isinstance(X, pd.DataFrame):
        return _values(X.column(column) if hasattr(X, "column") else X[column])
    place = next(i for i, label in enumerate(X.columns) if stored_name(label, "xgboost") == column)
    one = X.iloc[:, place].cat
    codes = np.unique(one.codes)
    return one.categories[codes[codes >= 0]].tolist()


def of_booster(kind: str | None, booster: Any) -> dict[str, Any] | None:
    """Those of a trained booster, by column name: None for a column without values, None alone without column types."""
    if kind == "xgboost":
        if booster.feature_types is None or booster.feature_names is None:
            return None
        if "c" not in booster.feature_types:
            return {}
        if booster not in _read:
            _read[booster] = _of_xgboost(booster)
        return _read[booster]
    known = booster.pandas_categorical
    if not known:
        return {}
    # LightGBM keeps the categories in the order of their columns, and the columns' names elsewhere.
    kinds = _feature_kinds(booster)
    names = [name for name, info in kinds if info != "none" and not info.startswith("[")]
    return dict(zip(names, known, strict=True)) if len(names) == len(known) else None


def _of_xgboost(booster: Any) -> dict[str, Any]:
    """Categories without values are those of numbers (by ``feature_types``), or were all missing."""
    names = [name for name, one in zip(booster.feature_names, booster.feature_types, strict=True) if one == "c"]
    model = bytes(booster.save_raw("json"))
    place = model.find(b'"cats":')
    if place < 0:  # before 3.1
        return dict.fromkeys(names)
    text = model[place + len(b'"cats":') :].decode()
    found = json.JSONDecoder().raw_decode(text)[0]["enc"] or [{"values": []}] * len(booster.feature_names)
    by_name = dict(zip(booster.feature_names, found, strict=True))
    return {name: _index(by_name[name]) for name in names}


def _index(stored: dict[str, Any]) -> Any:
    values = stored["values"]
    if stored.get("offsets"):
        code = np.array(values, dtype=np.int64).astype(np.uint8).tobytes()
        return _Stored([code[a:b] for a, b in pairwise(stored["offsets"])])
    return pd.Index(np.array(values, dtype=_WHOLE.get(stored.get("type", 15), "i8")))


def _feature_kinds(booster: Any) -> list[tuple[str, str]]:
    """Names of the columns and how LightGBM describes their values: ``[low:high]``, ``1:2:3`` or ``none``."""
    header = booster.model_to_string(num_iteration=1).partition("\nTree=")[0].splitlines()
    lines = {name: value.split(" ") for name, _, value in (line.partition("=") for line in header)}
    return list(zip(lines["feature_names"], lines["feature_infos"], strict=True))


def check(known: dict[str, Any] | None, X: Any, name: str, booster: str | None) -> None:
    """The frame's categorical columns are the known ones, texts are texts, numbers numbers, and XGBoost has seen all.

    A category that ``fit`` did not see is missing to LightGBM.

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
            if column in known and known[column] is not None and len(known[column]) == 0:
                continue  # numbers that feature_types calls categories
            here, there = ("categories", "numbers") if column in found else ("numbers", "categories")
            raise ValueError(
                f"{name}: column {column!r} holds {here}, and held {there} in fit; convert it to what it was there"
            )
    for column, categories in found.items():
        now, before = (type_of(one) for one in (categories, known.get(column)))
        if now is not None and before is not None and now != before:
            raise ValueError(
                f"{name}: the categories of column {column!r} are {now} ({next(iter(categories))!r} …), in fit they "
                f"were {before} ({next(iter(known[column]))!r} …); convert them to what they were there"
            )
        if booster == "xgboost" and known[column] is not None:
            _check_values(known[column], categories, X, column, name)


def _check_values(known: Any, categories: Any, X: Any, column: str, name: str) -> None:
    if all(one in known for one in categories):
        return
    unseen = [one for one in _used(X, column) if one not in known]
    if unseen:
        which = f"the category {unseen[0]!r}" if len(unseen) == 1 else f"{len(unseen)} categories ({unseen[0]!r} …)"
        had = f"where fit had {len(known)} others" if len(known) else "where fit had numbers or missing values"
        raise ValueError(
            f"{name}: column {column!r} holds {which} that fit did not have, {had}; XGBoost would take them for known "
            "ones. Set such values to missing, with the categories of fit: "
            f"X[{column!r}].astype(pd.CategoricalDtype(fit_X[{column!r}].cat.categories))"
        )


def aligned(known: dict[str, Any] | None, X: Any) -> Any:
    """A checked pandas frame as XGBoost reads it rightly: no level that ``fit`` did not have, whole numbers of the
    types of ``fit``, and a level where all is missing; X itself where it is so already.
    """
    if not known or not isinstance(X, pd.DataFrame):
        return X
    changed: dict[int, Any] = {}
    for place, (label, dtype) in enumerate(X.dtypes.items()):
        seen = known.get(stored_name(label, "xgboost"))
        if not isinstance(dtype, pd.CategoricalDtype) or seen is None or len(seen) == 0:
            continue
        levels = dtype.categories
        kept = [one for one in levels if one in seen] or list(seen)[:1]
        whole = getattr(seen, "dtype", None) if type_of(seen) == "numbers" else None
        if len(kept) != len(levels) or kept[0] != levels[0] or (whole is not None and levels.dtype != whole):
            kept = pd.Index(kept, dtype=object if whole is None else whole)
            changed[place] = X.iloc[:, place].cat.set_categories(kept)
    if not changed:
        return X
    columns = {i: changed.get(i, X.iloc[:, i]) for i in range(X.shape[1])}
    return pd.DataFrame(columns, index=X.index).set_axis(X.columns, axis=1)


def continued(known: dict[str, Any] | None, X: Any) -> Any:
    """A pandas frame whose categories have the codes that a first LightGBM model gave them, new ones after those.

    LightGBM numbers the categories of a model that goes on by its new rows alone, and reads the first trees by these
    numbers, in training, too.
    """
    if not known or not isinstance(X, pd.DataFrame):
        return X
    changed: dict[int, Any] = {}
    for place, (label, dtype) in enumerate(X.dtypes.items()):
        seen = known.get(stored_name(label, "lightgbm"))
        if not isinstance(dtype, pd.CategoricalDtype) or seen is None:
            continue
        before = list(seen)
        levels = [*before, *(one for one in dtype.categories.tolist() if one not in before)]
        if levels != dtype.categories.tolist():
            changed[place] = X.iloc[:, place].cat.set_categories(levels)
    if not changed:
        return X
    columns = {i: changed.get(i, X.iloc[:, i]) for i in range(X.shape[1])}
    return pd.DataFrame(columns, index=X.index).set_axis(X.columns, axis=1)


def type_of(categories: Any) -> str | None:
    """What the categories are, if they are all of one type."""
    if categories is None or len(categories) == 0:
        return None
    if isinstance(categories, _Stored):
        return "texts"
    return {
        "string": "texts", "boolean": "booleans", "integer": "numbers", "floating": "numbers",
        "mixed-integer-float": "numbers",
    }.get(pd.api.types.infer_dtype(categories, skipna=True))  # fmt: skip
