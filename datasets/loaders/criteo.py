"""Criteo: the x1 files with integer ids and their split, or Kaggle's train.txt with hexadecimal categories."""

from __future__ import annotations

from pathlib import Path

from datasets._store import Store
from datasets.loaders import published
from datasets.registry import DatasetInfo

HOOKS = published.Hooks()


def read(info: DatasetInfo, folder: Path | None, layout: str | None = None) -> Store:
    """Open the set; errors as in `published.read`."""
    return published.read(info, folder, HOOKS, layout)
