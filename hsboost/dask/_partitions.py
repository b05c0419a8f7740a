"""Dask collections by partition: functions of each, sums over all, and collections made of the results."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.highlevelgraph import HighLevelGraph
from distributed import Client, futures_of, wait

from hsboost.estimators._inputs.features import readable

#: How many partial results one task adds up.
FAN_IN = 16


def is_collection(value: Any) -> bool:
    """A Dask array or data frame (or a column of one)."""
    return isinstance(value, da.Array | dd.DataFrame | dd.Series)


def pieces(collection: Any, name: str) -> list[Any]:
    """A delayed value for each partition."""
    if not is_collection(collection):
        raise TypeError(
            f"{name} must be a Dask array or data frame, got {type(collection).__name__}; "
            "for rows in memory use HSClassifier, or to_local() of a fitted model"
        )
    if isinstance(collection, da.Array) and collection.ndim > 1 and collection.numblocks[1] > 1:
        raise ValueError(
            f"{name} must be cut by rows only, got {collection.numblocks[1]} blocks of columns; "
            f'call {name}.rechunk({{0: "auto", 1: -1}}) first'
        )
    return list(np.ravel(np.asarray(collection.to_delayed(), dtype=object)))


def is_same(one: Any, other: Any) -> bool:
    """Whether two collections are one, by Dask's names: what is selected twice in one way has one name."""
    return one is other or (is_collection(one) and is_collection(other) and one._name == other._name)


def aligned(X: Any, other: Any, name: str, of: str = "X") -> list[Any]:
    """The delayed partitions of ``other``, one for each of X; arrays of other chunks are cut anew."""
    if isinstance(X, da.Array) and isinstance(other, da.Array) and X.chunks[0] != other.chunks[0]:
        known = not np.isnan([*X.chunks[0], *other.chunks[0]]).any()
        if known and other.shape[0] != X.shape[0]:
            raise ValueError(f"{name} must have one entry per row of {of}: expected {X.shape[0]}, got {other.shape[0]}")
        if known:
            other = other.rechunk({0: X.chunks[0]})
    found = pieces(other, name)
    if len(found) != len(pieces(X, of)):
        raise ValueError(
            f"{name} must be cut as {of} is, which has {len(pieces(X, of))} partitions; got {len(found)} partitions"
        )
    return found


def each(function: Callable[..., Any], *columns: Sequence[Any], shared: tuple[Any, ...] = ()) -> list[Any]:
    """``function(*one of each column, *shared)`` for every partition, delayed; errors say which one it was."""
    call = dask.delayed(_at, pure=False)
    return [call(i, function, *one, *shared) for i, one in enumerate(zip(*columns, strict=True))]


def _at(place: int, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except ValueError as error:
        raise ValueError(f"partition {place}: {error}") from error


def collect(client: Client, delayed: list[Any]) -> list[Any]:
    """The values, here."""
    return list(client.gather(client.compute(delayed)))


def kept(client: Client, X: Any) -> Any:
    """The collection persisted, its partitions such that XGBoost reads them rightly; anything else as it is."""
    if isinstance(X, da.Array | dd.DataFrame):
        meta = readable(X._meta, "X", "xgboost")  # an error before any work is done
        if isinstance(X, da.Array):
            X = X.map_blocks(_acceptable, dtype=meta.dtype, meta=meta)
        elif meta is not X._meta:
            X = X.map_partitions(readable, "X", "xgboost", meta=meta)
    return client.persist(X) if is_collection(X) else X


def _acceptable(block: Any) -> Any:
    # Memory received from another process may begin at any byte. XGBoost copies such a block if NumPy calls it
    # unaligned, else refuses it; and NumPy calls all blocks without rows aligned. Bytes, however, may lie anywhere.
    if isinstance(block, np.ndarray) and not len(block):
        return np.empty(block.shape, np.uint8)
    return readable(block, "X", "xgboost")


def holders(client: Client, persisted: Any) -> list[list[str]]:
    """The workers that hold each partition of a persisted collection."""
    futures = futures_of(persisted)
    wait(futures)
    where = client.who_has(futures)
    return [list(where.get(future.key, ())) for future in futures]


def beside(
    client: Client,
    places: list[list[str]],
    function: Callable[..., Any],
    *columns: Sequence[Any],
    shared: tuple[Any, ...] = (),
) -> list[Any]:
    """As :func:`each`, computed at once and kept at the given workers; an error is raised here and not passed on.

    XGBoost trains on a partition where it finds the rows' labels; with the labels where the rows are, no rows move.
    """
    futures = [
        client.submit(
            _at, i, function, *one, *shared, pure=False, workers=place or None, allow_other_workers=bool(place)
        )
        for i, (place, *one) in enumerate(zip(places, *columns, strict=True))
    ]
    wait(futures)
    for future in futures:
        if future.status == "error":
            future.result()
    return futures


class Partitions:
    """The rows of a Dask collection as :class:`hsboost._workers.radix.Places`."""

    def __init__(self, client: Client, rows: list[Any]) -> None:
        self.client, self.rows = client, rows

    def sum(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Σ over partitions."""
        return self._reduce(_sum, shape, function, arguments)

    def max(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Maximum over partitions."""
        return self._reduce(_max, shape, function, arguments)

    def _reduce(
        self, add: Callable[..., Any], shape: tuple[int, ...], function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> np.ndarray:
        parts = each(function, self.rows, shared=arguments)
        join = dask.delayed(add, pure=False)
        while True:
            parts = [join(parts[i : i + FAN_IN]) for i in range(0, len(parts), FAN_IN)]
            if len(parts) == 1:
                return np.asarray(self.client.compute(parts[0]).result(), dtype=np.float64).reshape(shape)


def _sum(parts: list[Any]) -> np.ndarray:
    return reduce(np.add, [np.asarray(part, dtype=np.float64) for part in parts])


def _max(parts: list[Any]) -> np.ndarray:
    return reduce(np.maximum, [np.asarray(part, dtype=np.float64) for part in parts])


def like(X: Any, values: list[Any], dtype: Any, columns: int | None = None) -> Any:
    """A collection of delayed arrays, one for each partition of X: a Dask array, or a series with X's index.

    With ``columns`` two-dimensional, or a data frame.
    """
    dtype = np.dtype(dtype)
    if isinstance(X, da.Array):
        # Joined by hand: da.concatenate would drop empty partitions.
        name = f"hsboost-{uuid.uuid4().hex}"
        tail = () if columns is None else (0,)
        layer = {(name, i, *tail): (_same, value.key) for i, value in enumerate(values)}
        graph = HighLevelGraph.from_collections(name, layer, dependencies=values)
        chunks = (X.chunks[0],) if columns is None else (X.chunks[0], (columns,))
        return da.Array(graph, name, chunks, dtype=dtype)
    frame = _frame(np.empty(0 if columns is None else (0, columns), dtype), None)
    framed = dask.delayed(_framed, pure=False)
    frames = [framed(value, part) for value, part in zip(values, pieces(X, "X"), strict=True)]
    return dd.from_delayed(frames, meta=frame, divisions=X.divisions, verify_meta=False)


def details(client: Client, places: list[list[str]], function: Callable[..., Any], rows: list[Any]) -> Any:
    """A series of numbers for XGBoost's data, ``function`` of each partition's rows, in as many partitions.

    In float64: XGBoost copies it then, and never reads the unaligned memory of arrays that came from another worker.
    """
    series = beside(client, places, _series, rows, shared=(function,))
    return dd.from_delayed(series, meta=_frame(np.empty(0), None), verify_meta=False)


def _series(rows: Any, function: Callable[..., Any]) -> Any:
    return _frame(np.asarray(function(rows), dtype=np.float64), None)


def _same(value: Any) -> Any:
    return value


def _framed(values: np.ndarray, part: Any) -> Any:
    return _frame(values, part.index)


def _frame(values: np.ndarray, index: Any) -> Any:
    if values.ndim == 2:
        return pd.DataFrame(values, index=index)
    # Without a dtype pandas would guess one for texts, another one for an empty partition.
    return pd.Series(values, index=index, dtype=values.dtype)
