"""Columns of a Spark data frame as the features, labels, weights and groups that travel to Python."""

from __future__ import annotations

from typing import Any

from pyspark.sql import functions as F
from pyspark.sql import types as T

from hsboost.spark._arrow import FEATURES, GROUP, LABEL, VALID, WEIGHT, Layout

_WHOLE = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)
_NUMBERS = (*_WHOLE, T.FloatType, T.DoubleType, T.DecimalType)


def column_of(df: Any, name: Any, what: str) -> tuple[Any, Any]:
    """A column and its type; ``what`` is the parameter that names it."""
    if not isinstance(name, str):
        raise TypeError(f"{what} must be the name of a column, got {name!r}")
    if name not in df.columns:
        raise ValueError(f"{what}={name!r} is no column of the data frame, which has {df.columns}")
    if df.columns.count(name) > 1:
        raise ValueError(f"{what}={name!r} names {df.columns.count(name)} columns of the data frame; rename them first")
    return df[f"`{name.replace('`', '``')}`"], df.schema[name].dataType


def layout_of(df: Any, columns: str | list[str], missing: float, enable_categorical: bool) -> Layout:
    """How the features lie in this data frame.

    Raises
    ------
    ValueError, TypeError
        For columns that are not there, or that hold no features.
    """
    if isinstance(columns, str):
        _, dtype = column_of(df, columns, "features_col")
        name = f"features_col {columns!r}"
        if _is_vector(dtype):
            return Layout("vector", name, sparse=missing == 0.0)
        if isinstance(dtype, T.ArrayType) and isinstance(dtype.elementType, _NUMBERS):
            return Layout("array", name)
        if not isinstance(dtype, (*_NUMBERS, T.BooleanType)):
            raise TypeError(
                f"{name} is of type {dtype.simpleString()}; features_col names a column of vectors or of arrays of "
                "numbers, or is a list of columns of numbers"
            )
        columns = [columns]
    repeated = sorted({one for one in columns if columns.count(one) > 1})
    if repeated or not columns:
        what = f"names {repeated[0]!r} twice" if repeated else "is an empty list"
        raise ValueError(f"features_col {what}; name each column of features once")
    texts = []
    for one in columns:
        _, dtype = column_of(df, one, "features_col")
        if isinstance(dtype, T.StringType):
            texts.append(one)
        elif not isinstance(dtype, (*_NUMBERS, T.BooleanType)):
            raise TypeError(
                f"column {one!r} is of type {dtype.simpleString()}; with several columns each must hold numbers, truth "
                "values, or texts (with enable_categorical=True): cast it, or name a single column of vectors"
            )
    if texts and not enable_categorical:
        raise TypeError(
            f"column {texts[0]!r} holds texts; pass enable_categorical=True to take them for categories, or leave the "
            "column out"
        )
    return Layout("columns", "features_col", tuple(columns), frozenset(texts))


def features_of(df: Any, columns: str | list[str], layout: Layout) -> list[Any]:
    """The features under the names that they travel by."""
    if layout.kind == "vector":
        return [F.unwrap_udt(column_of(df, columns, "features_col")[0]).alias(FEATURES)]
    if layout.kind == "array":
        column, dtype = column_of(df, columns, "features_col")
        element = "float" if isinstance(dtype.elementType, T.FloatType) else "double"
        return [column.cast(f"array<{element}>").alias(FEATURES)]
    selected = []
    for field, name in zip(layout.fields, layout.names, strict=True):
        column, dtype = column_of(df, name, "features_col")
        kept = name in layout.texts or isinstance(dtype, T.FloatType)
        small = isinstance(dtype, T.BooleanType | T.ByteType | T.ShortType)
        selected.append((column if kept else column.cast("float" if small else "double")).alias(field))
    return selected


def label_of(df: Any, name: str) -> Any:
    """The label: whole numbers, numbers, texts or truth values."""
    column, dtype = column_of(df, name, "label_col")
    if isinstance(dtype, T.StringType | T.BooleanType | T.FloatType | T.DoubleType):
        return (column.cast("double") if isinstance(dtype, T.FloatType) else column).alias(LABEL)
    if isinstance(dtype, _WHOLE):
        return column.cast("long").alias(LABEL)
    if isinstance(dtype, T.DecimalType):
        return column.cast("long" if dtype.scale == 0 else "double").alias(LABEL)
    raise TypeError(
        f"label_col {name!r} is of type {dtype.simpleString()}; labels are numbers, texts or truth values: cast it"
    )


def prediction_type(dtype: Any) -> str:
    """The type of predictions, by that of the labels: as everywhere in pyspark.ml double for numbers."""
    return {"string": "string", "boolean": "boolean"}.get(dtype.simpleString(), "double")


def weight_of(df: Any, name: str) -> Any:
    """The weights."""
    column, dtype = column_of(df, name, "weight_col")
    if not isinstance(dtype, _NUMBERS):
        raise TypeError(f"weight_col {name!r} is of type {dtype.simpleString()}; weights are numbers: cast it")
    return column.cast("double").alias(WEIGHT)


def group_of(df: Any, name: str, what: str = "group_col") -> Any:
    """Labels of groups: texts, numbers, truth values, dates or times (those of the session's time zone)."""
    column, dtype = column_of(df, name, what)
    if isinstance(dtype, T.TimestampType):
        return column.cast("timestamp_ntz").alias(GROUP)
    if isinstance(dtype, T.DecimalType):
        return column.cast("long" if dtype.scale == 0 else "double").alias(GROUP)
    if isinstance(dtype, (*_NUMBERS, T.StringType, T.BooleanType, T.DateType, T.TimestampNTZType)):
        return column.alias(GROUP)
    raise TypeError(
        f"{what} {name!r} is of type {dtype.simpleString()}; labels of groups are texts, numbers, truth values, dates "
        "or times: cast it"
    )


def valid_of(df: Any, name: str) -> Any:
    """Which rows are for validation."""
    column, dtype = column_of(df, name, "validation_indicator_col")
    if not isinstance(dtype, T.BooleanType):
        raise TypeError(
            f"validation_indicator_col {name!r} is of type {dtype.simpleString()}; it must be boolean: true for rows "
            "that the trees are not trained on"
        )
    return column.alias(VALID)


def _is_vector(dtype: Any) -> bool:
    return type(dtype).__name__ == "VectorUDT"
