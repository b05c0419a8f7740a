"""The names of cells and runs, and the settings that all runs share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.suite.store import Record

#: Budgets as shares of the rows; ``PREVALENCE`` is as many rows as there are positives.
PREVALENCE = "prevalence"
BUDGETS: tuple[str, ...] = ("0.01", "0.02", "0.05", "0.1", PREVALENCE)
#: Who is judged together: all test rows, or each group's own top k.
ALL, GROUP = "all", "group"
#: Test rows at random, whole groups at random, or the future.
RANDOM, GROUPS, TIME = "random", "groups", "time"
SPLITS = (RANDOM, GROUPS, TIME)
BOOSTERS = ("lightgbm", "xgboost")
TUNED = "tuned"


@dataclass(frozen=True)
class Trees:
    """The size of a model: rounds, leaves of each tree (for both boosters), learning rate."""

    rounds: int
    leaves: int
    learning_rate: float


TREES: dict[str, Trees] = {
    "30x6": Trees(30, 6, 0.3),
    "100x8": Trees(100, 8, 0.15),
    "100x31": Trees(100, 31, 0.1),
    "500x31": Trees(500, 31, 0.1),
    # Settings of the trees are searched, with the same trials for every loss.
    TUNED: Trees(300, 31, 0.1),
}


class Key(NamedTuple):
    """One training: a split of a data set, the trees, and the setting of a loss.

    ``rows`` limits training and validation rows together (0: all); ``noise`` is the share of their labels that are
    flipped; ``fingerprint`` says what the loss computes ("" for a booster's own): a changed loss is trained again.
    """

    dataset: str
    rows: int
    noise: float
    split: str
    fold: int
    booster: str
    trees: str
    training: str
    fingerprint: str

    @property
    def place(self) -> tuple[Any, ...]:
        """What all trainings on the same rows and trees have in common, without the fold."""
        return (self.dataset, self.rows, self.noise, self.split, self.booster, self.trees)


def key_of(record: Record) -> Key:
    """Name a run."""
    return Key(*(record[name] for name in Key._fields))


def share(budget: str) -> float | None:
    """A budget as ``k``: a share, or None for the prevalence."""
    return None if budget == PREVALENCE else float(budget)


def shown(budget: str) -> str:
    """A budget in words: ``5%``."""
    return budget if budget == PREVALENCE else f"{float(budget):.0%}"


@dataclass(frozen=True)
class Settings:
    """The settings shared by every run: what changes them changes figures.

    ``folds`` test parts, ``test_rows`` of each at most (0: all), ``trials`` of each method where the trees are tuned.
    """

    folds: int
    test_rows: int
    trials: int
    threads: int
    data_dir: str | None
    packages: str | None = None
    seed: int = 0
