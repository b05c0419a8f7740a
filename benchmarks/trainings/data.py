"""Rows like the Higgs data: 28 numeric columns, about half positive, a signal that trees need depth to find."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COLUMNS = 28
CHUNK = 1 << 18


def make_data(rows: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw X (rows, 28) float32 and labels (rows,) float32 in {0, 1}; the same rows for the same seed.

    21 "measured" columns (a third skewed like energies, a few with many ties like counts) and 7 made from products
    and distances of them, as in the Higgs data. Labels follow a smooth interaction plus logistic noise, so that no
    model predicts all of them correctly.
    """
    rng = np.random.default_rng(seed)
    X = np.empty((rows, COLUMNS), np.float32)
    y = np.empty(rows, np.float32)
    for start in range(0, rows, CHUNK):
        stop = min(rows, start + CHUNK)
        a = rng.standard_normal((stop - start, 21), dtype=np.float32)
        np.exp(0.6 * a[:, :7], out=a[:, :7])
        a[:, 18:] = a[:, 18:].round()
        made = (
            a[:, 0] * a[:, 1],
            np.hypot(a[:, 7], a[:, 8]),
            a[:, 2] - a[:, 3],
            a[:, 9] * a[:, 10],
            np.sqrt(a[:, 4] * a[:, 5]),
            a[:, 11] * a[:, 12] * a[:, 13],
            np.abs(a[:, 14]) + a[:, 6],
        )
        X[start:stop, :21], X[start:stop, 21:] = a, np.stack(made, axis=1)
        signal = 0.9 * np.tanh(a[:, 9] * a[:, 10]) + 0.7 * np.log(a[:, 0] * a[:, 1]) - 0.6 * (a[:, 7] > 0.5) * a[:, 15]
        y[start:stop] = signal + rng.logistic(size=stop - start) > -0.1
    return X, y
