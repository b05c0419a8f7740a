"""Arrow's columns as the rows that HSClassifier and XGBoost read: plain functions, wherever the rows are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix, vstack

#: Names that the selected columns travel by; those of features are numbered.
LABEL, WEIGHT, GROUP, VALID, FEATURES = "label", "weight", "group", "valid", "features"

#: What a vector consists of: 0 for a sparse one or 1; its size if it is sparse; places; values.
VECTOR = {"type": pa.int8(), "size": pa.int32(), "indices": pa.list_(pa.int32()), "values": pa.list_(pa.float64())}


class Layout(NamedTuple):
    """How a data frame holds its features.

    kind : "vector", "array" or "columns"
    name : what errors call them
    names : with "columns": the columns, in order
    texts : with "columns": those that hold texts, which are categories
    sparse : with "vector": rows stay sparse, as what they do not store is missing to XGBoost
    """

    kind: str
    name: str
    names: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    sparse: bool = False

    @property
    def fields(self) -> list[str]:
        """The names that the features' columns travel by."""
        return [f"{FEATURES}{i}" for i in range(len(self.names))] if self.kind == "columns" else [FEATURES]


def features(columns: dict[str, pa.Array], layout: Layout) -> Any:
    """Rows of features: float32, (n, p); a sparse matrix; or a data frame, in which texts are categories.

    Raises
    ------
    ValueError
        For rows without features, and for vectors or arrays of different lengths.
    """
    if layout.kind == "columns":
        pairs = zip(layout.names, layout.fields, strict=True)
        return pd.DataFrame({name: _column(columns[field], name in layout.texts) for name, field in pairs})
    column = columns[FEATURES]
    if column.null_count:
        row = int(np.argmax(np.asarray(column.is_null())))
        raise ValueError(
            f"{layout.name} is null in {column.null_count} rows (first: row {row} of a batch); drop these rows, or "
            "fill them (a missing value within a vector is NaN)"
        )
    if layout.kind == "array":
        return _dense(*_lists(column), layout)
    kind, size, indices, values = column.flatten()
    is_sparse = kind.to_numpy(zero_copy_only=False) == 0
    stored, ends = _lists(values)
    counts = np.diff(ends)
    sizes = counts.copy()
    sizes[is_sparse] = size.to_numpy(zero_copy_only=False)[is_sparse]
    width = _width(sizes, layout)
    places = np.empty(stored.size, np.int32)
    where = np.repeat(is_sparse, counts)
    places[where] = _lists(indices)[0].astype(np.int32)
    places[~where] = np.tile(np.arange(width, dtype=np.int32), int((~is_sparse).sum()))
    if layout.sparse:
        return csr_matrix((stored, places, ends), shape=(sizes.size, width))
    rows = np.zeros((sizes.size, width), np.float32)
    rows[np.repeat(np.arange(sizes.size), counts), places] = stored
    return rows


def types(layout: Layout) -> dict[str, Any]:
    """Arrow's types of the columns of features, with the parts of vectors as columns; pandas does not keep them."""
    if layout.kind == "vector":
        return VECTOR
    if layout.kind == "array":
        return {FEATURES: pa.list_(pa.float64())}
    pairs = zip(layout.names, layout.fields, strict=True)
    return {field: pa.string() if name in layout.texts else None for name, field in pairs}


def vectors(parts: dict[str, pa.Array]) -> pa.Array:
    """The parts of vectors as one column."""
    columns = [parts[name] for name in VECTOR]
    return pa.StructArray.from_arrays(columns, names=list(VECTOR), mask=columns[0].is_null())


def values(column: pa.Array) -> np.ndarray:
    """Labels, weights or groups as they come: numbers, texts or dates as objects; what is null is missing."""
    return np.asarray(column.to_pandas())


def check_present(column: pa.Array, name: str, remedy: str) -> None:
    """No value is null or NaN."""
    missing = pd.isna(values(column))
    if missing.any():
        raise ValueError(
            f"{name} is null or NaN in {int(missing.sum())} rows (first: row {int(np.argmax(missing))} of a batch); "
            f"{remedy}"
        )


def check_finite(rows: Any, layout: Layout, missing: float) -> None:
    """XGBoost refuses infinity, unless that stands for what is missing: here before any worker waits for another."""
    if np.isinf(missing):
        return
    if isinstance(rows, pd.DataFrame):
        for name in rows.columns:
            if name not in layout.texts and np.isinf(rows[name].to_numpy()).any():
                raise ValueError(
                    f"column {name!r} holds infinity, or a number above float32's; clip it, or make it NaN (missing)"
                )
    elif np.isinf(rows.data if layout.sparse else rows).any():
        raise ValueError(
            f"{layout.name} holds infinity, or a number above float32's; clip it, or make it NaN (missing)"
        )


def joined(rows: list[Any]) -> Any:
    """Batches as one; categories are those of all of them, sorted."""
    if isinstance(rows[0], pd.DataFrame):
        levels = levels_of(rows)
        return pd.concat([with_levels(one, levels) for one in rows], ignore_index=True)
    if isinstance(rows[0], csr_matrix):
        return vstack(rows, format="csr")
    return np.concatenate(rows)


def levels_of(rows: list[Any]) -> dict[str, list[str]]:
    """The texts of each column with categories, sorted."""
    found: dict[str, set[str]] = {}
    for one in rows:
        if isinstance(one, pd.DataFrame):
            for name in one.columns:
                if isinstance(one[name].dtype, pd.CategoricalDtype):
                    found.setdefault(name, set()).update(one[name].cat.categories)
    return {name: sorted(texts) for name, texts in found.items()}


def with_levels(rows: Any, levels: dict[str, list[str]]) -> Any:
    """The same rows with these categories; texts that are none of them become missing."""
    if not levels or not isinstance(rows, pd.DataFrame):
        return rows
    return rows.assign(
        **{name: rows[name].cat.set_categories(pd.Index(texts, dtype=object)) for name, texts in levels.items()}
    )


def empty(layout: Layout, width: int) -> Any:
    """No rows, of the same columns."""
    if layout.kind == "columns":
        texts = pd.Categorical([], categories=pd.Index([], dtype=object))
        return pd.DataFrame({name: texts if name in layout.texts else np.empty(0, np.float32) for name in layout.names})
    rows = np.empty((0, width), np.float32)
    return csr_matrix(rows) if layout.sparse else rows


def take(rows: Any, mask: np.ndarray) -> Any:
    """The rows where ``mask`` is true."""
    return rows[mask] if not isinstance(rows, pd.DataFrame) else rows.loc[mask].reset_index(drop=True)


def _column(column: pa.Array, is_text: bool) -> Any:
    if not is_text:
        with np.errstate(over="ignore"):  # infinity is reported
            return column.to_numpy(zero_copy_only=False).astype(np.float32)
    found = column.dictionary_encode()
    codes = pc.fill_null(found.indices, -1).to_numpy(zero_copy_only=False)
    return pd.Categorical.from_codes(codes, categories=pd.Index(found.dictionary.to_pylist(), dtype=object))


def _lists(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The entries of all rows' lists, float32, and where each list ends; null lists are empty, null entries NaN."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore"):
        entries = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return entries, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _dense(entries: np.ndarray, ends: np.ndarray, layout: Layout) -> np.ndarray:
    return entries.reshape(ends.size - 1, _width(np.diff(ends), layout))


def _width(sizes: np.ndarray, layout: Layout) -> int:
    """The number of features, the same in all rows."""
    if not sizes.size:
        return 0
    if sizes.min() != sizes.max():
        raise ValueError(
            f"{layout.name} has {int(sizes.min())} features in some rows and {int(sizes.max())} in others; all rows "
            "need the same ones"
        )
    return int(sizes[0])
