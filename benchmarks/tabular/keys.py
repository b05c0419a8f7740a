"""What names a run of the tabular benchmark."""

from __future__ import annotations

from benchmarks.store import Record

Key = tuple[str, str, str, int]


def key_of(record: Record) -> Key:
    """Name a run: data set, booster, loss, seed."""
    return record["dataset"], record["booster"], record["loss"], record["seed"]
