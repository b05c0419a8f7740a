"""KDD Cup 2010: libsvm's kddb (validation from the end of train), or a student log (each student's rows by time)."""

from __future__ import annotations

from pathlib import Path

from datasets._store import Store
from datasets.loaders import published
from datasets.registry import DatasetInfo

HOOKS = published.Hooks()


def read(info: DatasetInfo, folder: Path | None, layout: str | None = None) -> Store:
    """Open the set; errors as in `published.read`."""
    return published.read(info, folder, HOOKS, layout)
