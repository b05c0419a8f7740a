"""Train on a data set that does not fit in memory: batches of rows for XGBoost, rows on demand for LightGBM.

``datasets.stream("higgs", split="train")`` returns a `Stream`. Its features are those of `datasets.load`, read a
row group of the Parquet cache at a time.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import xgboost as xgb
from scipy import sparse

from datasets import _libsvm
from datasets._encode import Encoder
from datasets._store import Piece, Store
from datasets.registry import DatasetError, DatasetInfo


class Stream:
    """Some rows of a data set, read in pieces, with one encoding.

    ``y`` (n,) int8, ``groups`` (n,) int32 or None, ``columns`` names, ``categorical`` names of those that are
    categories, ``info``; only these are in memory. Iterating gives (features, y) of one row group after
    another: a DataFrame, or a scipy CSR matrix for sparse sets. Rows are in the order of the table.
    """

    def __init__(self, store: Store, rows: np.ndarray, encoder: Encoder) -> None:
        self._store, self._rows, self._encoder = store, rows, encoder
        self.info: DatasetInfo = store.info
        self.columns = list(store.features) if not store.layout.sparse else []
        as_levels = not (encoder.as_numbers or store.layout.sparse)
        self.categorical = list(encoder.categorical) if as_levels else []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def is_sparse(self) -> bool:
        """Whether the batches are scipy CSR matrices."""
        return self._store.layout.sparse

    @cached_property
    def y(self) -> np.ndarray:
        return self._store.y[self._rows]

    @cached_property
    def groups(self) -> np.ndarray | None:
        return None if self._store.groups is None else self._store.groups[self._rows]

    @cached_property
    def _pieces(self) -> list[tuple[Piece, np.ndarray]]:
        return list(self._store.over(self._rows))

    @property
    def starts(self) -> np.ndarray:
        """First row of each batch, and the number of rows at the end."""
        return np.cumsum([0, *(len(places) for _, places in self._pieces)])

    def __iter__(self) -> Iterator[tuple[pd.DataFrame | sparse.csr_matrix, np.ndarray]]:
        starts = self.starts
        for number in range(len(self._pieces)):
            yield self.batch(number), self.y[starts[number] : starts[number + 1]]

    def batch(self, number: int) -> pd.DataFrame | sparse.csr_matrix:
        """Read one batch as a DataFrame with the dtypes of `datasets.load`, or as a CSR matrix."""
        if self.is_sparse:
            return self._sparse(number)
        found = self._columns(number)
        for name in self.categorical:
            levels = pd.Index(self._encoder.levels[name], dtype=object)
            found[name] = pd.Categorical.from_codes(found[name], levels)  # type: ignore[assignment]
        return pd.DataFrame(found, columns=self.columns)

    def matrix(self, number: int, dtype: type = np.float32) -> np.ndarray | sparse.csr_matrix:
        """Read one batch as numbers: (rows, columns), categories as their codes, NaN where missing."""
        if self.is_sparse:
            return self._sparse(number)
        found = self._columns(number)
        for name in self.categorical:
            found[name] = np.where(found[name] < 0, np.nan, found[name])
        return np.column_stack([found[name].astype(dtype, copy=False) for name in self.columns])

    def xgboost(self, *, cache_prefix: str | os.PathLike[str] | None = None) -> XGBoostBatches:
        """Return an iterator for `xgb.QuantileDMatrix`, or with ``cache_prefix`` for `xgb.ExtMemQuantileDMatrix`.

        Columns keep their names, or are called f0, f1, ... if XGBoost would refuse one of them.
        """
        return XGBoostBatches(self, None if cache_prefix is None else os.fspath(cache_prefix))

    def lightgbm(self, params: dict[str, Any] | None = None, reference: lgb.Dataset | None = None) -> lgb.Dataset:
        """Return a `lgb.Dataset` that reads the rows while it is constructed; LightGBM keeps only the binned values.

        Columns keep their names, or are called f0, f1, ... if LightGBM would refuse one or confuse two of them.
        Raises `DatasetError` for sparse sets: LightGBM's sequences are dense. Use `datasets.load` for those.
        """
        if self.is_sparse:
            raise DatasetError(
                f"{self.info.name}: LightGBM reads dense rows only when streaming; give it the CSR matrix of "
                "datasets.load, or use xgboost()"
            )
        return lgb.Dataset(
            LightGBMRows(self),
            label=self.y,
            feature_name=_accepted(self.columns, ',:[]{}"', blanks=False),
            # By position: names may have changed.
            categorical_feature=[self.columns.index(name) for name in self.categorical],
            params=params,
            reference=reference,
        )

    def _columns(self, number: int) -> dict[str, np.ndarray]:
        piece, places = self._pieces[number]
        table = self._store.read(piece, self.columns)
        rows = places + piece.start
        return {name: self._encoder.column(name, table[name], places, rows) for name in self.columns}

    def _sparse(self, number: int) -> sparse.csr_matrix:
        piece, places = self._pieces[number]
        table = self._store.read(piece, [_libsvm.INDICES, _libsvm.VALUES])
        if len(places) < piece.rows:
            table = table.take(pa.array(places))
        indices, values = (_list(table[name]) for name in (_libsvm.INDICES, _libsvm.VALUES))
        shape = (len(places), self._store.layout.features)
        offsets = indices.offsets.to_numpy()
        flat = indices.flatten().to_numpy(), values.flatten().to_numpy()
        return sparse.csr_matrix((flat[1], flat[0], offsets - offsets[0]), shape=shape)


def _list(column: pa.ChunkedArray) -> pa.ListArray:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _accepted(names: list[str], refused: str, blanks: bool = True) -> list[str]:
    """The names, or f0, f1, ... if a booster would refuse one or, replacing blanks by underscores, confuse two."""
    seen = names if blanks else [re.sub(r"\s", "_", name) for name in names]
    fine = all(names) and len(set(seen)) == len(seen) and not any(set(name) & set(refused) for name in names)
    return names if fine else [f"f{place}" for place in range(len(names))]


class XGBoostBatches(xgb.DataIter):
    """Passes the batches of a `Stream` to XGBoost, which keeps only the binned values.

    XGBoost reads the data a few times (once to count, once to find the bins, once to bin).
    """

    def __init__(self, stream: Stream, cache_prefix: str | None = None) -> None:
        self._stream, self._number = stream, 0
        super().__init__(cache_prefix=cache_prefix, release_data=True)

    def next(self, input_data: Callable[..., None]) -> bool:
        """Pass on the next batch; False after the last."""
        stream, starts = self._stream, self._stream.starts
        if self._number >= len(starts) - 1:
            return False
        low, high = starts[self._number : self._number + 2]
        named: dict[str, Any] = {}
        if not stream.is_sparse:
            kinds = ["c" if name in stream.categorical else "float" for name in stream.columns]
            named = {"feature_names": _accepted(stream.columns, "[]<"), "feature_types": kinds}
        input_data(data=stream.matrix(self._number), label=stream.y[low:high], **named)
        self._number += 1
        return True

    def reset(self) -> None:
        """Start over."""
        self._number = 0


class LightGBMRows(lgb.Sequence):
    """Rows of a `Stream` on demand, as float64; the row group read last is cached."""

    batch_size = 65_536

    def __init__(self, stream: Stream) -> None:
        self._stream, self._starts = stream, stream.starts
        self._last: tuple[int, Any] = -1, None

    def __len__(self) -> int:
        return len(self._stream)

    def __getitem__(self, index: int | slice | list[int]) -> np.ndarray:
        if isinstance(index, slice):
            first, last, step = index.indices(len(self))
            numbers = np.arange(first, last, step)
        elif isinstance(index, (int, np.integer)):
            return self._row(int(index))
        else:
            numbers = np.asarray(index, dtype=np.int64)
        batches = np.searchsorted(self._starts, numbers, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(batches)) + 1), len(numbers)]
        found = [
            self._batch(int(batches[low]))[numbers[low:high] - self._starts[batches[low]]]
            for low, high in itertools.pairwise(cuts)
            if high > low
        ]
        return np.concatenate(found) if found else np.empty((0, len(self._stream.columns)))

    def _row(self, index: int) -> Any:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        return self._batch(number)[index - self._starts[number]]

    def _batch(self, number: int) -> Any:
        last = self._last
        if number != last[0]:
            self._last = last = number, self._stream.matrix(number, np.float64)
        return last[1]
