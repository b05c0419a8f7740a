"""Rows for the workers: three million flights, or synthetic rows of the same shape; repeated if more are requested.

The table is in two memory-mapped files, from which every worker reads its own rows, so that no process holds all.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.suite.options import OptionError

FLIGHTS, MADE_UP = "flights3m", "made-up"
MOST = 3_000_000
COLUMNS = 8
#: Distinct values of the flights' columns: distance, origin, destination, month, day, weekday, hour, minute.
DISTINCT = (1074, 223, 223, 6, 31, 7, 24, 60)
CHUNK = 1 << 18


@dataclass(frozen=True)
class Table:
    """Files with ``n`` different rows: (n, 8) float32 features and (n,) float32 labels 0 and 1."""

    features: Path
    labels: Path
    n: int
    source: str

    def part(self, rows: int, workers: int, rank: int) -> tuple[np.ndarray, np.ndarray]:
        """Read the part of worker ``rank`` of ``rows`` rows: consecutive rows, split as evenly as possible.

        Fewer than n rows are spread over the full table; more rows repeat it.
        """
        number = np.arange(rank * rows // workers, (rank + 1) * rows // workers)
        place = number * self.n // rows if rows <= self.n else number % self.n
        return np.load(self.features, mmap_mode="r")[place], np.load(self.labels, mmap_mode="r")[place]


def available_source(data_dir: Path | None) -> str:
    """Return the source of the rows; raises OptionError for a folder without the flights."""
    from datasets import DatasetError, stream

    try:
        stream("flights3m", data_dir=data_dir)
    except DatasetError as error:
        if data_dir is not None:
            raise OptionError(f"--data-dir: {error}") from None
        return MADE_UP
    return FLIGHTS


def write_table(source: str, rows: int, data_dir: Path | None, folder: Path) -> Table:
    """Write the table's files into ``folder``: all flights, or as many synthetic rows as ``rows`` needs."""
    n = min(rows, MOST)
    if source == FLIGHTS:
        from datasets import stream

        flights = stream("flights3m", encoding="as_numbers", data_dir=data_dir)
        n = len(flights)
    table = Table(folder / "features.npy", folder / "labels.npy", n, source)
    X = np.lib.format.open_memmap(table.features, "w+", np.float32, (n, COLUMNS))
    if source == FLIGHTS:
        starts = flights.starts
        for number in range(len(starts) - 1):
            X[starts[number] : starts[number + 1]] = flights.matrix(number)
        y = flights.y.astype(np.float32)
    else:
        y = np.empty(n, np.float32)
        for start in range(0, n, CHUNK):
            stop = min(n, start + CHUNK)
            X[start:stop], y[start:stop] = made_up(stop - start, seed=start)
    X.flush()
    np.save(table.labels, y)
    return table


def made_up(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows shaped like the flights: integers with few distinct values, about a fifth positive."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.integers(0, count, rows) for count in DISTINCT]).astype(np.float32)
    signal = 0.08 * (X[:, 6] - 12) + 0.5 * np.sin(X[:, 1] / 20) * (X[:, 3] > 2) + 0.3 * (X[:, 5] > 4)
    y = (signal + rng.logistic(size=rows) > 1.6).astype(np.float32)
    y[:2] = 0.0, 1.0
    return X, y
