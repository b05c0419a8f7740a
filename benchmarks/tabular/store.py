"""The tabular benchmark's finished runs on disk."""

from __future__ import annotations

from pathlib import Path

from benchmarks import store
from benchmarks.store import Record

Key = tuple[str, str, str, int]


def key_of(record: Record) -> Key:
    """Name a run: data set, booster, loss, seed."""
    return record["dataset"], record["booster"], record["loss"], record["seed"]


class RunStore(store.RunStore[Key]):
    """``runs.jsonl`` of one table: see :class:`benchmarks.store.RunStore`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, key_of)


__all__ = ["Key", "Record", "RunStore", "key_of"]
