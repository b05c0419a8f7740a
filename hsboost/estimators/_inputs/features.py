"""X as both boosters read it rightly: native numbers in two dimensions, columns that can be told apart.

XGBoost reads byte-swapped arrays as if they were native, both boosters read what lies under the mask of a masked array
and dates as numbers, LightGBM halves entries that a sparse matrix stores in two parts, and ends the process on some
column types of frames. What can be converted is; the rest is an error that names the column.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import _get_feature_names

from hsboost._validation import native

#: Types of Arrow and polars that both boosters read, in lower case.
_NUMBERS = frozenset(
    [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
    + ["float", "double", "float32", "float64", "bool", "boolean"]
)
#: Those that XGBoost reads besides, or how they begin.
_OF_XGBOOST = ("halffloat", "float16", "dictionary", "categorical", "enum")
_CALLED = {"xgboost": "XGBoost", "lightgbm": "LightGBM"}
#: What names of columns must not hold, as they go into model files.
_RESERVED = {"xgboost": "[]<", "lightgbm": '",:[]{}'}


def readable(X: Any, name: str, booster: str | None) -> Any:
    """X itself where the booster reads it rightly, else a copy that it does.

    Parameters
    ----------
    X : array-like, DataFrame, sparse matrix
        Objects of other libraries (CuPy, cuDF) are left alone.
    name : str
        What X is called in errors.
    booster : {"xgboost", "lightgbm"}

    Raises
    ------
    ValueError, TypeError
        For what holds no numbers: dates, texts, complex numbers; for a structured array.
    """
    if issparse(X):
        return _sparse(X, name, booster)
    if isinstance(X, np.ndarray):
        return _array(X, name)
    if isinstance(X, pd.DataFrame):
        return _frame(X, name, booster)
    library = type(X).__module__.partition(".")[0]
    if library == "polars" and type(X).__name__ == "LazyFrame":
        raise TypeError(f"{name} is a polars LazyFrame, whose rows are not there yet; pass {name}.collect()")
    if library in ("polars", "pyarrow") and hasattr(X, "schema"):
        _check_types(_types(X), name, booster)
        return X
    if isinstance(X, list | tuple):
        return _array(np.asarray(X), name) if len(X) else X
    if hasattr(X, "__array__") and not any(hasattr(X, other) for other in _ELSEWHERE):
        return _array(np.asarray(X), name)
    return X


#: Attributes of frames, and of arrays on other devices.
_ELSEWHERE = ("iloc", "columns", "__dataframe__", "__cuda_array_interface__", "__arrow_c_stream__")


def _array(X: np.ndarray, name: str) -> np.ndarray:
    if X.dtype.kind == "V":
        fields = ", ".join(map(repr, X.dtype.names or ()))
        raise ValueError(f"{name} is a structured array (of {fields}); pass pandas.DataFrame({name})")
    if isinstance(X, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(X)
        X = np.asarray(X.data)
        if mask.any() and X.dtype.kind in "biufO":  # what is masked is missing
            X = np.where(mask, np.nan, X if X.dtype.kind in "fO" else X.astype(np.float64))
    elif isinstance(X, np.matrix):
        X = np.asarray(X)
    if X.dtype.kind == "O":
        return _objects(X, name)
    _check_kind(X.dtype, name)
    return native(X)


def _check_kind(dtype: np.dtype[Any], what: str) -> None:
    if dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {what} holds {dtype}; pass real and imaginary parts as columns")
    if dtype.kind not in "biuf":
        raise ValueError(f"{what} must hold numbers, got dtype {dtype}; {_remedy(dtype)}")


def _remedy(dtype: Any) -> str:
    text = str(dtype).lower()
    if any(part in text for part in ("date", "time", "period", "duration")):
        return "turn dates and times into numbers (of days, say) first"
    return "turn texts and objects into numbers first, or in a pandas frame into the category dtype"


def _objects(X: np.ndarray, name: str) -> np.ndarray:
    missing = pd.isna(X) if X.ndim == 2 else None
    try:
        if missing is not None and missing.any():
            X = np.where(missing, np.nan, X)
        return X.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name} must hold numbers: {error}") from error


def _sparse(X: Any, name: str, booster: str | None) -> Any:
    _check_kind(X.dtype, name)
    if not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    rows = X if X.format in ("csr", "csc") else X.tocsr()
    if X.format == "bsr":  # whose blocks hold zeros, which XGBoost would not read as missing
        rows.eliminate_zeros()
    if rows.dtype.kind != "f" and booster == "lightgbm":
        rows = rows.astype(np.float64)
    indices, pointers = native(rows.indices), native(rows.indptr)
    if indices is not rows.indices or pointers is not rows.indptr:
        rows = type(rows)((rows.data, indices, pointers), shape=rows.shape)
    if not rows.has_canonical_format:  # LightGBM reads one of several parts of an entry
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def _frame(X: pd.DataFrame, name: str, booster: str | None) -> pd.DataFrame:
    bad = {dtype for dtype in set(X.dtypes) if not _is_number(dtype)}
    if bad:
        place, dtype = next((i, one) for i, one in enumerate(X.dtypes) if one in bad)
        if dtype.kind == "c":
            _check_kind(dtype, f"{name}'s column {X.columns[place]!r}")
        raise ValueError(f"{name}: column {X.columns[place]!r} holds {dtype}; {_remedy(dtype)}")
    changed: dict[int, Any] = {}
    for i, dtype in enumerate(X.dtypes):
        column = X.iloc[:, i]
        if not _is_native(dtype):
            column = changed[i] = pd.Series(_native_column(column), index=X.index)
        if isinstance(dtype, pd.CategoricalDtype):
            levels = _levels(column.cat.categories, booster)
            if levels is not None:
                codes = np.asarray(column.cat.codes)
                changed[i] = pd.Series(pd.Categorical.from_codes(codes, levels, ordered=dtype.ordered), index=X.index)
        elif booster == "lightgbm" and isinstance(dtype, pd.ArrowDtype) and dtype.kind in "biuf":
            missing = dtype.kind == "f" or column.hasnans  # of pandas, LightGBM reads NumPy's types only
            values = column.to_numpy(np.float64, na_value=np.nan) if missing else column.to_numpy(dtype.type)
            changed[i] = pd.Series(values, index=X.index)
    if not changed:
        return X
    columns = {i: changed.get(i, X.iloc[:, i]) for i in range(X.shape[1])}
    converted = pd.DataFrame(columns, index=X.index)
    converted.columns = X.columns
    return converted


def _levels(levels: pd.Index, booster: str | None) -> pd.Index | None:
    """Other categories, equal in value, that XGBoost can read where it cannot read these; else None."""
    if booster != "xgboost" or (levels.dtype.kind == "i" and isinstance(levels.dtype, np.dtype)):
        return None
    if len(levels) == 0:  # XGBoost asks for their type all the same
        return pd.Index([], dtype=np.int64)
    if pd.api.types.infer_dtype(levels, skipna=True) not in ("integer", "floating", "mixed-integer-float"):
        return None
    whole = [int(one) for one in levels if np.isfinite(one) and one == int(one) and abs(one) < 2**63]
    return pd.Index(whole, dtype=np.int64) if len(whole) == len(levels) else None


def _check_levels(levels: pd.Index, what: str, booster: str | None) -> None:
    """The booster can be trained with these categories, and its model files can hold them."""
    kind = pd.api.types.infer_dtype(levels, skipna=True) if len(levels) else "string"
    if kind == "string" or booster not in _CALLED or (kind == "integer" and booster == "xgboost"):
        return
    if booster == "lightgbm" and all(isinstance(one, str | Real | np.bool_) for one in levels):
        return
    types = sorted({type(one).__name__ for one in levels})
    held = " and ".join(types) if len(types) < 4 else "several types"
    kinds = "texts or whole numbers" if booster == "xgboost" else "texts or numbers"
    raise ValueError(
        f"{what} has categories of {held} ({levels.dtype}), and {_CALLED[str(booster)]} reads {kinds}; rename them: "
        "column.cat.rename_categories(lambda one: str(one))"
    )


def _is_number(dtype: Any) -> bool:
    """Whether the boosters may read a pandas column of this type; they raise errors of their own for a few."""
    if isinstance(dtype, pd.CategoricalDtype):
        return True
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    return dtype.kind in "biuf" or "dictionary" in str(dtype)


def _is_native(dtype: Any) -> bool:
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    elif isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    return not isinstance(dtype, np.dtype) or dtype.isnative


def _native_column(column: pd.Series) -> Any:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(
            np.asarray(column.cat.codes), pd.Index(native(dtype.categories.to_numpy())), ordered=dtype.ordered
        )
    if isinstance(dtype, pd.SparseDtype):
        return pd.arrays.SparseArray(native(np.asarray(column)), fill_value=dtype.fill_value)
    return native(column.to_numpy())


def _types(X: Any) -> Iterable[tuple[str, str]]:
    """Names and types of the columns of an Arrow table or a polars frame."""
    if hasattr(X.schema, "types"):  # Arrow
        return zip(X.schema.names, map(str, X.schema.types), strict=True)
    return ((column, str(dtype)) for column, dtype in X.schema.items())


def _check_types(types: Iterable[tuple[str, str]], name: str, booster: str | None) -> None:
    for column, dtype in types:
        text = dtype.lower()
        if text not in _NUMBERS and not (booster == "xgboost" and text.startswith(_OF_XGBOOST)):
            if text.startswith(_OF_XGBOOST[2:]):
                remedy = "LightGBM reads categories from pandas frames only; pass to_pandas() of it"
            elif text.startswith(_OF_XGBOOST):
                remedy = "LightGBM reads no half precision here; cast it to 32 bits"
            else:
                remedy = _remedy(dtype)
            short = dtype.partition("(")[0].partition("<")[0]
            raise ValueError(f"{name}: column {column!r} holds {short}; {remedy}")


def column_names(X: Any) -> np.ndarray | None:
    """Names of the columns of a data frame, whatever they are (numbers, tuples …), or None."""
    if not isinstance(X, pd.DataFrame):
        return _get_feature_names(X)
    labels = X.columns.tolist()
    if any(isinstance(one, str) for one in labels):
        return _get_feature_names(X)  # an error where texts and others are mixed
    names = np.empty(len(labels), dtype=object)
    names[:] = labels
    return names if len(labels) else None


def check_names(X: Any, name: str, booster: str | None) -> None:
    """The columns can be told apart by their names, in the booster's files too.

    Raises
    ------
    ValueError
        For a name that two columns have, or that holds what the booster's files cannot; for categories of a type that
        it cannot read.
    """
    if isinstance(X, pd.DataFrame):
        labels = X.columns.tolist()
        for label, dtype in X.dtypes.items():
            if isinstance(dtype, pd.CategoricalDtype):
                _check_levels(dtype.categories, f"{name}: column {label!r}", booster)
    elif hasattr(getattr(X, "schema", None), "names"):
        labels = list(X.schema.names() if callable(X.schema.names) else X.schema.names)
    else:
        return
    seen: dict[str, int] = {}
    reserved = set(_RESERVED.get(str(booster), ""))
    for place, label in enumerate(labels):
        stored = stored_name(label, booster)
        if not reserved.isdisjoint(stored):
            raise ValueError(
                f"{name}: the column name {label!r} holds one of {' '.join(sorted(reserved))}, which "
                f"{_CALLED[str(booster)]}'s model files keep for themselves; rename the column"
            )
        first = seen.setdefault(stored, place)
        if first != place:
            which = f"the column name {label!r} twice"
            if labels[first] != label:
                which = f"column names that are one to {_CALLED[str(booster)]}, {labels[first]!r} and {label!r}"
            raise ValueError(f"{name} has {which} (columns {first} and {place}); rename one of them")


def stored_name(label: Any, booster: str | None) -> str:
    """The name of a column as the booster writes it."""
    if booster == "lightgbm":
        return str(label).replace(" ", "_")
    return " ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def compare_names(fitted: Any, found: Any, who: str, what: str = "X") -> str | None:
    """Whether the columns are those of ``fit``, in its order; the text of a warning where this cannot be known.

    A frame whose columns are named 0, 1, 2 … in this order counts as one without names: it is the array it was.

    Raises
    ------
    ValueError
        With scikit-learn's text, for other names or another order.
    """
    known, given = _unless_positions(fitted), _unless_positions(found)
    if known is None and given is None:
        return None
    if given is None and (found is None or _all_texts(known)):
        return f"{what} does not have valid feature names, but {who} was fitted with feature names"
    if known is None and (_all_texts(given) or fitted is None) and not _is_permutation(given):
        return f"{what} has feature names, but {who} was fitted without feature names"
    expected: Any = range(len(found)) if fitted is None else fitted
    if not _same_names(expected, found):
        raise ValueError(_differences(expected, found, what))
    return None


def named_alike(X: Any, other: Any, names: Any, name: str, certain: bool) -> Any:
    """Rows with names beside X without them, or the other way round, as XGBoost takes them for X's columns.

    ``certain`` says that the names are 0, 1, 2 …, and mean the columns of an array.

    Raises
    ------
    ValueError
        For other names; for what is no array.
    """
    if names is None:
        plain = isinstance(other, pd.DataFrame) and not any(
            isinstance(one, pd.CategoricalDtype | pd.SparseDtype) for one in other.dtypes
        )
        if certain and plain and isinstance(X, np.ndarray):
            return other.to_numpy(np.float64, na_value=np.nan)
        raise ValueError(f"{name} has column names, but X has none; pass both as arrays, or both as frames")
    if certain and isinstance(other, np.ndarray) and other.ndim == 2 and other.shape[1] == len(names):
        return pd.DataFrame(other, columns=X.columns)
    if certain and isinstance(other, np.ndarray):
        return other  # whose number of columns is checked next
    raise ValueError(f"{name} has no column names, but X has; pass a frame with the columns {names.tolist()}")


def _all_texts(names: Any) -> bool:
    return all(isinstance(one, str) for one in names)


def _same_names(one: Any, other: Any) -> bool:
    """Equal as the boosters store them, too: 1 and 1.0 are two names."""
    return len(one) == len(other) and all(
        a == b and stored_name(a, None) == stored_name(b, None) for a, b in zip(one, other, strict=True)
    )


def _unless_positions(names: Any) -> Any:
    return None if names is None or _same_names(names, range(len(names))) else names


def _is_permutation(names: Any) -> bool:
    """Whether these are the numbers 0, 1, 2 … in another order: not without names once."""
    return all(isinstance(one, int | np.integer) for one in names) and sorted(names) == list(range(len(names)))


def _differences(fitted: Any, found: Any, what: str) -> str:
    of = "" if what == "X" else f"{what}: "
    lines = [f"{of}The feature names should match those that were passed during fit."]
    stored = {stored_name(one, None) for one in fitted}, {stored_name(one, None) for one in found}
    unseen, missing = (
        [one for one in a if stored_name(one, None) not in b] for a, b in ((found, stored[0]), (fitted, stored[1]))
    )
    for title, these in (("unseen at fit time", unseen), ("seen at fit time, yet now missing", missing)):
        if these:
            lines += [f"Feature names {title}:", *[f"- {one}" for one in sorted(these, key=str)[:5]]]
            lines += ["- ..."] if len(these) > 5 else []
    if not unseen and not missing:
        lines.append("Feature names must be in the same order as they were in fit.")
    return "\n".join([*lines, ""])
