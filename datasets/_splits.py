"""Which row is in which split: train, valid or test."""

from __future__ import annotations

import zlib

import numpy as np

from datasets._table import Table
from datasets.registry import DatasetError

PARTS = ("train", "valid", "test")
SHARES = (0.6, 0.2, 0.2)


def generator(name: str, seed: int, *more: int) -> np.random.Generator:
    """Return a random generator of its own for each data set, seed and purpose, the same on every machine."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed, *more])


def assign(table: Table, seed: int) -> np.ndarray:
    """Decide the split of every row: (n,) int8 of 0 train, 1 valid, 2 test, by the data set's policy.

    "given" is the source's own split; "groups" deals whole groups out 60/20/20 by number of groups, so that
    no group is in two splits; "stratified" deals rows out 60/20/20 within each class. Raises `DatasetError`
    where a split is empty.
    """
    if table.part is not None:
        return table.part
    rng = generator(table.info.name, seed)
    part = np.empty(len(table.y), dtype=np.int8)
    if table.info.split == "groups" and table.groups is not None:
        of_group = _deal(int(table.groups.max()) + 1, rng)
        part = of_group[table.groups]
    else:
        for value in (0, 1):
            rows = np.flatnonzero(table.y == value)
            part[rows] = _deal(len(rows), rng)
    for code, name in enumerate(PARTS):
        if not (part == code).any():
            what = "groups" if table.info.split == "groups" else "rows"
            raise DatasetError(
                f"{table.info.name}: too few {what} for three splits, the {name} split is empty; add data"
            )
    return part


def _deal(count: int, rng: np.random.Generator) -> np.ndarray:
    """Give 60% of ``count`` items to train, 20% to valid and the rest to test, at random: (count,) int8."""
    ends = np.rint(np.cumsum(SHARES) * count).astype(int)
    codes = np.searchsorted(ends, np.arange(count), side="right").astype(np.int8)
    return rng.permutation(codes)
