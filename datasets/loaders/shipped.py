"""Read a data set in the repository, from datasets/shipped/."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from datasets._table import Table, group_ids, read_parquet, verify_sha256
from datasets.registry import HERE, DatasetInfo

FOLDER = HERE / "shipped"


def locate(info: DatasetInfo) -> Path:
    """Return the path of a shipped data set's Parquet file."""
    return FOLDER / info.file


def verify(info: DatasetInfo) -> Path:
    """Check a file's SHA-256 and return its path; raises `DatasetError` on a mismatch."""
    path = locate(info)
    verify_sha256(path, info.sha256)
    return path


def read(info: DatasetInfo, data_dir: Path | None = None) -> Table:
    """Read a shipped data set after verifying its checksum; ``data_dir`` is not needed.

    Raises `DatasetError` if the file is missing or differs from the registry's SHA-256.
    """
    frame = read_parquet(verify(info))
    groups = None if info.group is None else group_ids(frame.pop(info.group))
    y = frame.pop(info.label).to_numpy(np.int8)
    return Table(replace(info, columns=tuple(frame.columns)), frame, y, groups)
