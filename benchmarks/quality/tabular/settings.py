"""The key of a run, and the settings that all runs share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.suite.store import Record

#: Data set, booster, loss, seed.
Key = tuple[str, str, str, int]


def key_of(record: Record) -> Key:
    """Name a run."""
    return record["dataset"], record["booster"], record["loss"], record["seed"]


@dataclass(frozen=True)
class Settings:
    """The settings shared by every run of one table.

    ``rows`` limits each split (None: all rows); ``rounds`` limits boosting (None: as in the data set's published
    script); training ends after ``patience`` rounds without a better ``selection`` metric on validation; ``data_dir``
    is the folder with local data (None: shipped data); ``encoding`` is the loaders' treatment of categories;
    ``threads`` is passed to the boosters; ``trials`` and ``tune_seconds`` are each loss's budget for tuning (0: none).
    """

    rows: int | None
    rounds: int | None
    selection: str
    data_dir: str | None
    threads: int
    learning_rate: float = 0.1
    patience: int = 30
    encoding: Literal["categorical", "as_numbers"] = "categorical"
    protocol: str = "quick"
    trials: int = 0
    tune_seconds: float = 0.0
