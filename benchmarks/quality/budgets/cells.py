"""From trainings to cells: each method's choice on validation in every split, and paired differences with intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.quality.budgets.methods import BASELINE, Method, methods
from benchmarks.quality.budgets.settings import ALL, BUDGETS, GROUP, SPLITS, TREES, key_of
from benchmarks.suite.store import Record
from hsboost.comparison._statistics import Difference, difference, holm

CONFIDENCE = 0.95
#: Cells that the targets count have so many rows for training and validation.
MANY_ROWS = 100_000
METRICS = ("precision", "recall", "auc")
#: A method by its first trial, its defaults; or by the trial that is best on validation rows.
DEFAULTS, TUNED = "defaults", "tuned"


class Cell(NamedTuple):
    """What differs from cell to cell; see `settings.Key`."""

    dataset: str
    rows: int
    noise: float
    split: str
    booster: str
    trees: str
    judged: str
    budget: str


@dataclass(frozen=True)
class Compared:
    """A method's difference to another in a cell: figures of both, of equal splits, and what the interval says."""

    difference: Difference
    ours: float
    base: float
    splits: int
    p_holm: float = math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of 95 %."""
        return self.difference.interval(CONFIDENCE)

    @property
    def verdict(self) -> int:
        """1: significantly above; -1: below; 0: neither."""
        if not self.difference.p < 1.0 - CONFIDENCE:
            return 0
        return 1 if self.difference.mean > 0 else -1


class Cells:
    """Finished trainings, as cells with the figures of each method.

    A method counts in a split once all of its trials are there, so that each had equally many to choose from.
    ``trials`` is their number where the trees are tuned, ``folds`` the number of splits of a finished cell.
    """

    def __init__(self, records: Iterable[Record], trials: int, folds: int) -> None:
        self._trials, self._folds = trials, folds
        self._of: dict[tuple[Any, ...], dict[int, dict[str, Record]]] = {}
        self.refused: dict[Cell, dict[str, str]] = {}
        for record in records:  # a training whose loss was changed later is followed by its successor
            key = key_of(record)
            self._of.setdefault(key.place, {}).setdefault(key.fold, {})[key.training] = record
        self._chosen: dict[tuple[Cell, str, str], dict[int, Record]] = {}
        self.cells = sorted(self._find(), key=_order)

    def _find(self) -> Iterable[Cell]:
        for place, folds in self._of.items():
            dataset, rows, noise, split, booster, trees = place
            for judged in (ALL, GROUP):
                for budget in BUDGETS:
                    cell = Cell(dataset, rows, noise, split, booster, trees, judged, budget)
                    found = [one for one in self._methods(judged, booster) if self._choose(cell, one, folds)]
                    trained_for_it = any(one.ours and one.has_budget for one in found)
                    if trained_for_it and any(one.name == BASELINE for one in found):
                        yield cell

    @staticmethod
    def _methods(judged: str, booster: str) -> list[Method]:
        return [one for one in methods().values() if judged in one.judged and booster in one.boosters]

    def _choose(self, cell: Cell, method: Method, folds: dict[int, dict[str, Record]]) -> bool:
        place = BUDGETS.index(cell.budget)
        names = [one.name for one in method.trainings(cell.budget, cell.trees, self._trials)]
        for fold, records in sorted(folds.items()):
            if any(name not in records for name in (*names, *([method.beside] if method.beside else []))):
                continue
            runs = [records[name] for name in names]
            reasons = [run["refused"] for run in runs if run["refused"]]
            if reasons:
                self.refused.setdefault(cell, {})[method.name] = reasons[0]
                continue
            if any(cell.judged not in run["figures"] for run in runs):
                continue
            figures = [
                run["figures"][cell.judged][place] | {"run": run, "trial": trial} for trial, run in enumerate(runs)
            ]
            # Of equally good trials the first is taken.
            best = max(figures, key=lambda one: (one["valid"], -one["trial"]))
            for variant, one in ((DEFAULTS, figures[0]), (TUNED, best)):
                self._chosen.setdefault((cell, method.name, variant), {})[fold] = one
        return (cell, method.name, TUNED) in self._chosen

    def figures(self, cell: Cell, method: str, variant: str = TUNED) -> dict[int, Record]:
        """A method's test figures by split; empty if it was not trained there."""
        return self._chosen.get((cell, method, variant), {})

    def methods(self, cell: Cell) -> list[Method]:
        """The methods with figures in a cell."""
        return [one for one in self._methods(cell.judged, cell.booster) if self.figures(cell, one.name)]

    def rows(self, cell: Cell) -> int:
        """Rows that training and validation see, in an average split."""
        sizes = [one["run"]["data"]["rows"] for one in self.figures(cell, BASELINE).values()]
        return round(sum(size["train"] + size["valid"] for size in sizes) / len(sizes))

    def large(self, cell: Cell) -> bool:
        """Whether the targets count the cell: by the smallest of its splits."""
        sizes = [one["run"]["data"]["rows"] for one in self.figures(cell, BASELINE).values()]
        return min(size["train"] + size["valid"] for size in sizes) >= MANY_ROWS

    def mean(self, cell: Cell, method: str, metric: str = "precision", variant: str = TUNED) -> float | None:
        """A method's mean figure over the splits."""
        found = [one[metric] for one in self.figures(cell, method, variant).values()]
        return sum(found) / len(found) if found else None

    def compare(
        self, cell: Cell, ours: tuple[str, str], base: tuple[str, str] = (BASELINE, TUNED), metric: str = "precision"
    ) -> Compared | None:
        """Two methods (name, variant) on their common splits; None without one."""
        own, other = self.figures(cell, *ours), self.figures(cell, *base)
        both = sorted(own.keys() & other.keys())
        if not both:
            return None
        values = [own[fold][metric] for fold in both]
        against = [other[fold][metric] for fold in both]
        ratio = sum(own[fold]["run"]["data"]["ratio"] for fold in both) / len(both)
        found = difference(values, against, ratio)
        return Compared(found, sum(values) / len(both), sum(against) / len(both), len(both))

    def compare_all(
        self, cells: Sequence[Cell], ours: tuple[str, str], base: tuple[str, str] = (BASELINE, TUNED)
    ) -> dict[Cell, Compared]:
        """Precision in the cells that have all of their splits, with Holm's correction for their number."""
        found = {cell: one for cell in cells if (one := self.compare(cell, ours, base)) is not None}
        found = {cell: one for cell, one in found.items() if one.splits >= self._folds}
        adjusted = holm([one.difference.p for one in found.values()]) if found else []
        for cell, p in zip(list(found), adjusted, strict=True):
            one = found[cell]
            found[cell] = Compared(one.difference, one.ours, one.base, one.splits, p)
        return found

    def time(self, cell: Cell, method: str, base: str = BASELINE) -> tuple[float, float, float] | None:
        """Processor time of training at the defaults over another method's: geometric mean and interval of 95 %."""
        own, other = self.figures(cell, method, DEFAULTS), self.figures(cell, base, DEFAULTS)
        both = sorted(own.keys() & other.keys())
        if not both:
            return None
        ours, against = (
            [math.log(max(one[fold]["run"]["processor_seconds"], 1e-3)) for fold in both] for one in (own, other)
        )
        found = difference(ours, against, sum(own[fold]["run"]["data"]["ratio"] for fold in both) / len(both))
        low, high = found.interval(CONFIDENCE)
        return math.exp(found.mean), math.exp(low), math.exp(high)

    def time_ratio(self, cell: Cell, method: str, base: str = BASELINE) -> float | None:
        """The mean of `time`."""
        found = self.time(cell, method, base)
        return None if found is None else found[0]


def _order(cell: Cell) -> tuple[Any, ...]:
    return (
        cell.judged != ALL,
        cell.noise,
        cell.dataset,
        -SPLITS.index(cell.split),
        cell.booster,
        list(TREES).index(cell.trees),
        cell.rows or math.inf,
        BUDGETS.index(cell.budget),
    )
