"""From stored columns to features: categories, numbers, and target encodings fitted on training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from datasets._store import Coded, Store
from datasets.registry import DatasetError

FOLDS = 5


class Encoder:
    """Turns each column of a store into a feature, for one seed and one set of training rows.

    ``fit_rows`` are the sorted numbers of the training rows on which target encodings are fitted. A column
    with at most 512 levels in the full table stays a category. One with more gets scikit-learn's
    `TargetEncoder` (smoothing "auto"): rows outside ``fit_rows`` get the encoding fitted on all of those;
    a row among them gets the one fitted on the four fifths (by fold) that do not contain it, as in
    `TargetEncoder.fit_transform`. Unknown texts get the mean label; missing is a separate level.

    With ``as_numbers`` nothing is fitted: integer ids become that number, other texts their position in the
    sorted list of all levels of the table.
    """

    def __init__(self, store: Store, fit_rows: np.ndarray, seed: int, as_numbers: bool) -> None:
        self.store, self.fit_rows, self.seed, self.as_numbers = store, fit_rows, seed, as_numbers
        texts = [name for name in store.features if name in store.categories]
        levels = {name: store.levels(name) for name in texts}
        self.levels = {name: known for name, known in levels.items() if known is not None}
        self.large = [name for name in texts if levels[name] is None]
        self._fitted: dict[str, _Target] = {}
        self._positions: dict[str, pd.Index] = {}

    @property
    def categorical(self) -> list[str]:
        """Columns that have levels: those that `load` gives as pandas categoricals."""
        return list(self.levels)

    @cached_property
    def folds(self) -> np.ndarray:
        """(len(fit_rows),) int8: the fold of each training row."""
        y = self.store.y[self.fit_rows]
        count = min(FOLDS, int(np.bincount(y, minlength=2).min()))
        if count < 2:
            raise DatasetError(
                f"{self.store.info.name}: target encoding needs two training rows of each class, there are "
                f"{int((y == 0).sum())} and {int((y == 1).sum())}; load more rows"
            )
        folds = np.empty(len(y), dtype=np.int8)
        splitter = StratifiedKFold(count, shuffle=True, random_state=self.seed)
        for fold, (_, inside) in enumerate(splitter.split(np.zeros(len(y)), y)):
            folds[inside] = fold
        return folds

    def column(self, name: str, values: pa.ChunkedArray, places: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Turn some rows of a stored column into numbers: codes of levels (-1 missing) for categories.

        ``places`` are the rows' positions in ``values``, ``rows`` their numbers in the full table.
        """
        if name not in self.store.categories:
            found = values.combine_chunks().to_numpy(zero_copy_only=False)
            missing = self.store.missing(name)
            if missing and found.dtype.kind in "iu":
                found = found.astype(np.float64)
            if missing and found.dtype.kind == "O":
                found = found.astype(np.float64)
            return found[places] if len(places) < len(found) else found
        coded = Coded.of(values).take(places)
        if self.as_numbers:
            return self._number(name, coded)
        if name in self.levels:
            return coded.mapped(pd.Index(self.levels[name], dtype=object).get_indexer(coded.texts).astype(np.int32), -1)
        return self._target(name).transform(coded, self._folds_of(rows))

    def _number(self, name: str, coded: Coded) -> np.ndarray:
        if self.store.integers(name):
            values = coded.texts.astype(np.int64).to_numpy()
        else:
            if name not in self._positions:
                known = self.levels.get(name) or self._all_levels(name)
                self._positions[name] = pd.Index(known, dtype=object)
            values = self._positions[name].get_indexer(coded.texts)
        if self.store.missing(name):
            return coded.mapped(values.astype(np.float64), np.nan)
        return coded.mapped(values.astype(np.int64), -1)

    def _all_levels(self, name: str) -> list[str]:
        found: set[str] = set()
        for piece in self.store.pieces:
            found.update(Coded.of(self.store.read(piece, [name])[name]).texts)
        return self.store.sort(name, found)

    def _folds_of(self, rows: np.ndarray) -> np.ndarray:
        """The fold of each row that was fitted on, -1 for the others."""
        at = np.searchsorted(self.fit_rows, rows)
        at[at == len(self.fit_rows)] = 0
        return np.where(self.fit_rows[at] == rows, self.folds[at], -1).astype(np.int8)

    def _target(self, name: str) -> _Target:
        if name not in self._fitted:
            self._fitted[name] = _Target.fit(self._fit_column(name), self.store.y[self.fit_rows], self.folds, self.seed)
        return self._fitted[name]

    def _fit_column(self, name: str) -> Coded:
        chunks = []
        for piece, places in self.store.over(self.fit_rows):
            column = self.store.read(piece, [name])[name].combine_chunks()
            if len(places) < piece.rows:
                column = column.take(pa.array(places))
            chunks.append(column if pa.types.is_dictionary(column.type) else column.dictionary_encode())
        return Coded.of(pa.chunked_array(chunks).unify_dictionaries())


@dataclass(frozen=True, eq=False)
class _Target:
    """A fitted target encoding: values of each text, by fold (rows 0, 1, ...) and over all rows (last row)."""

    texts: pd.Index
    values: np.ndarray
    unknown: np.ndarray

    @classmethod
    def fit(cls, coded: Coded, y: np.ndarray, folds: np.ndarray, seed: int) -> _Target:
        count = int(folds.max()) + 1
        size = len(coded.texts) + 1
        # The last value stands for missing, which is a separate level.
        codes = np.where(coded.codes < 0, size - 1, coded.codes).astype(np.int64)
        values = np.empty((count + 1, size), dtype=np.float32)
        unknown = np.empty(count + 1, dtype=np.float32)
        for fold in range(count + 1):
            rows = folds != fold
            encoder = TargetEncoder(target_type="binary", smooth="auto", random_state=seed)
            encoder.fit(codes[rows, None], y[rows])
            unknown[fold] = encoder.target_mean_
            values[fold] = encoder.target_mean_
            values[fold, encoder.categories_[0]] = encoder.encodings_[0]
        return cls(coded.texts, values, unknown)

    def transform(self, coded: Coded, folds: np.ndarray) -> np.ndarray:
        at = self.texts.get_indexer(coded.texts)
        at = np.append(np.where(at < 0, self.values.shape[1], at), self.values.shape[1] - 1)
        return np.hstack([self.values, self.unknown[:, None]])[folds, at[coded.codes]]
