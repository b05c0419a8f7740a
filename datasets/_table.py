"""A data set in memory, before it is split, and the reading functions that all loaders share."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from datasets._refusals import raise_refusal
from datasets.registry import DatasetError, DatasetInfo


@dataclass(frozen=True)
class Table:
    """All rows of a data set. A loader's ``read(info, data_dir)`` returns one.

    ``X`` (n rows; categorical dtype for the columns in ``info.categorical``, numbers elsewhere), ``y`` (n,)
    int8 of 0/1, ``groups`` (n,) int32 ids or None, ``part`` (n,) int8 (0 train, 1 valid, 2 test) if
    ``info.split`` is "given".
    """

    info: DatasetInfo
    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray | None = None
    part: np.ndarray | None = None


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a Parquet file; raises `DatasetError` naming the file if it is missing or damaged."""
    with _reading(path):
        return pq.ParquetFile(path).read().to_pandas()


def read_schema(path: Path) -> pa.Schema:
    """Read a Parquet file's names and types; errors as in `read_parquet`."""
    with _reading(path):
        return pq.read_schema(path)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DatasetError(f"file not found: {path}") from None
    except (pa.ArrowException, OSError) as error:
        raise_refusal(path, error)
        reason = str(error).splitlines()[0]
        raise DatasetError(f"cannot read {path} as Parquet ({reason}); restore or re-make the file") from error


def verify_sha256(path: Path, expected: str) -> None:
    """Compare a file's SHA-256 with the expected one; raises `DatasetError` with both if they differ."""
    if not path.is_file():
        raise DatasetError(f"file not found: {path}; restore it from the repository")
    actual = hashlib.sha256(path.read_bytes()).hexdigest()
    if actual != expected:
        raise DatasetError(f"{path}: SHA-256 is {actual}, expected {expected}; the file is damaged, restore it")


def group_ids(values: pd.Series) -> np.ndarray:
    """Number the groups 0, 1, ... in sorted order of their values: int32, the same ids in every split."""
    return pd.factorize(values, sort=True)[0].astype(np.int32)
