"""Flights in slices, with crossed columns: rows so wide that the features need more memory than labels and scores."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from datasets.streaming import Stream, XGBoostBatches

OWN = 8
PAIRS = list(itertools.combinations(range(OWN), 2))
#: The flights' own columns; and with a product and a difference of every two of them.
NARROW, WIDE = OWN, OWN + 2 * len(PAIRS)
SLICE = 1 << 16


def crossed(rows: np.ndarray, columns: int) -> np.ndarray:
    """Append products and differences of every two columns: (n, 8) to (n, ``columns``) float32, columns 8 or 64."""
    if columns == NARROW:
        return rows
    made = np.empty((len(rows), WIDE), np.float32)
    made[:, :OWN] = rows
    for place, (i, j) in enumerate(PAIRS, start=OWN):
        np.multiply(rows[:, i], rows[:, j], out=made[:, place])
        np.subtract(rows[:, i], rows[:, j], out=made[:, place + len(PAIRS)])
    return made


class CrossedBatches(XGBoostBatches):
    """The loaders' iterator for XGBoost, in slices of a row group, crossed just before XGBoost gets them."""

    def __init__(self, stream: Stream, columns: int, cache_prefix: str | os.PathLike[str] | None) -> None:
        self._columns = columns
        self._group, self._place = np.empty((0, OWN), np.float32), 0
        super().__init__(stream, None if cache_prefix is None else os.fspath(cache_prefix))

    def next(self, input_data: Callable[..., None]) -> bool:
        """Pass on the next slice; False after the last."""
        stream, starts = self._stream, self._stream.starts
        if self._place >= len(self._group):
            # Freed before the next is read: two row groups need not fit in memory.
            self._group, self._place = self._group[:0], 0
            if self._number >= len(starts) - 1:
                return False
            found: Any = stream.matrix(self._number)
            self._group, self._number = found, self._number + 1
        first = starts[self._number - 1] + self._place
        part = self._group[self._place : self._place + SLICE]
        input_data(data=crossed(part, self._columns), label=stream.y[first : first + len(part)])
        self._place += len(part)
        return True

    def reset(self) -> None:
        """Start over."""
        self._group, self._place = self._group[:0], 0
        super().reset()
