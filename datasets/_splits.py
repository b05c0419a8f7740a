"""The split of each row: train, valid or test."""

from __future__ import annotations

import zlib

import numpy as np

from datasets._store import Store
from datasets._table import Table
from datasets.registry import DatasetError

PARTS = ("train", "valid", "test")
SHARES = (0.6, 0.2, 0.2)
CARVED_FROM_END, CARVED_AT_RANDOM = 0.05, 0.1


def generator(name: str, seed: int, *more: int) -> np.random.Generator:
    """Return a separate random generator for each data set, seed and purpose, the same on every machine."""
    return np.random.default_rng([zlib.crc32(name.encode()), seed, *more])


def assign(table: Table | Store, seed: int) -> np.ndarray:
    """Decide the split of every row: (n,) int8 of 0 train, 1 valid, 2 test, by the data set's policy.

    "given" is the source's own split (with a validation split cut from train if it has none); "groups"
    divides the groups 60/20/20 by number, so that no group is in two splits; "stratified" divides rows
    60/20/20 within each class; "order" cuts the table at 60% and 80%, and "within_groups" does so within each
    group, by time. Raises `DatasetError` if a split is empty.
    """
    rng = generator(table.info.name, seed)
    policy = table.info.split
    if table.part is not None:
        part = table.part if (table.part == 1).any() else _carve(table, rng)
    elif policy == "groups" and table.groups is not None:
        of_group = _deal(int(table.groups.max()) + 1, rng)
        part = of_group[table.groups]
    elif policy == "order":
        part = _cut(np.arange(len(table.y)), np.full(len(table.y), len(table.y)))
    elif policy == "within_groups" and table.groups is not None:
        part = _within(table.groups, getattr(table, "order", None))
    else:
        part = np.empty(len(table.y), dtype=np.int8)
        for value in (0, 1):
            rows = np.flatnonzero(table.y == value)
            part[rows] = _deal(len(rows), rng)
    for code, name in enumerate(PARTS):
        if not (part == code).any():
            what = "groups" if policy == "groups" else "rows"
            raise DatasetError(
                f"{table.info.name}: too few {what} for three splits, the {name} split is empty; add data"
            )
    return part


def _carve(table: Table | Store, rng: np.random.Generator) -> np.ndarray:
    """Cut a validation split from train: its last 5%, or 10% at random."""
    part = np.array(table.part)
    train = np.flatnonzero(part == 0)
    if getattr(table, "carve", "end") == "seed":
        part[np.sort(rng.permutation(train)[: max(1, round(CARVED_AT_RANDOM * len(train)))])] = 1
    else:
        part[train[len(train) - max(1, round(CARVED_FROM_END * len(train))) :]] = 1
    return part


def _within(groups: np.ndarray, order: np.ndarray | None) -> np.ndarray:
    """Cut each group's rows, sorted by ``order`` (ties and None: in the table's order), at 60% and 80%."""
    rows = np.arange(len(groups))
    by_group = np.lexsort((rows, groups) if order is None else (rows, order, groups))
    sizes = np.bincount(groups)
    firsts = np.cumsum(sizes) - sizes
    place = np.empty(len(groups), dtype=np.int64)
    place[by_group] = rows - firsts[groups[by_group]]
    return _cut(place, sizes[groups])


def _cut(place: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Assign train, valid and test by position in a sequence of ``size``: (n,) int8."""
    ends = np.cumsum(SHARES)[:2]
    return ((place >= np.rint(ends[0] * size)).astype(np.int8) + (place >= np.rint(ends[1] * size))).astype(np.int8)


def _deal(count: int, rng: np.random.Generator) -> np.ndarray:
    """Assign 60% of ``count`` items to train, 20% to valid and the rest to test, at random: (count,) int8."""
    ends = np.rint(np.cumsum(SHARES) * count).astype(int)
    codes = np.searchsorted(ends, np.arange(count), side="right").astype(np.int8)
    return rng.permutation(codes)
