"""KDD Cup 2012, track 2: libsvm's kdd12.tr and kdd12.val (validation from the end of kdd12.tr), or the click log."""

from __future__ import annotations

from pathlib import Path

from datasets._store import Store
from datasets.loaders import published
from datasets.registry import DatasetInfo

HOOKS = published.Hooks()


def read(info: DatasetInfo, folder: Path | None, layout: str | None = None) -> Store:
    """Open the set; errors as in `published.read`."""
    return published.read(info, folder, HOOKS, layout)
