"""From finished turns to figures: a table of all trainings, medians, and ratios paired within a turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.suite.measure import Spread, spread
from benchmarks.suite.store import Record

#: Booster and rows.
Case = tuple[str, int]


class Trainings:
    """Figures of a set of turns, in each of which every objective was trained once."""

    def __init__(self, records: Iterable[Record], boosters: Iterable[str]) -> None:
        order = list(boosters)
        self.records = sorted(records, key=lambda r: (r["rows"], order.index(_booster(r)), r["repeat"]))
        self.cases: list[Case] = list(dict.fromkeys((_booster(r), r["rows"]) for r in self.records))
        rows = [
            {"booster": _booster(record), "rows": record["rows"], "repeat": record["repeat"], "objective": name}
            | training
            for record in self.records
            for name, training in record["objectives"].items()
        ]
        by = ["booster", "rows", "objective"]
        self._trainings = dict(list(pd.DataFrame(rows).groupby(by, sort=False))) if rows else {}

    def of(self, case: Case, objective: str, figure: str) -> list[Any]:
        """Return a figure of an objective's trainings in a case, in the order of the repeats."""
        found = self._trainings.get((*case, objective))
        return [] if found is None else found[figure].tolist()

    def seconds(self, case: Case, objective: str) -> Spread:
        """Wall time of training."""
        return spread(self.of(case, objective, "seconds"))

    def ratios(self, case: Case, objective: str, base: str) -> list[float]:
        """Time against another objective's, each within one turn, so that slow phases of the machine cancel."""
        pairs = zip(self.of(case, objective, "seconds"), self.of(case, base, "seconds"), strict=True)
        return [ours / theirs for ours, theirs in pairs]

    def share(self, case: Case, objective: str) -> float | None:
        """Median share of the time spent inside a custom objective; None for built-in ones."""
        if not self.calls(case, objective):
            return None
        inside, whole = (np.array(self.of(case, objective, name)) for name in ("objective_seconds", "seconds"))
        return float(np.median(inside / whole))

    def calls(self, case: Case, objective: str) -> list[list[float]]:
        """Seconds of each call of a custom objective, training by training; empty for built-in ones."""
        return [calls for calls in self.of(case, objective, "calls") if calls]

    def call_seconds(self, case: Case, objective: str) -> float | None:
        """Median time of a call of a custom objective."""
        calls = self.calls(case, objective)
        return float(np.median(np.concatenate(calls))) if calls else None

    def leaves(self, case: Case, objective: str) -> float:
        """Mean leaves of a tree."""
        return float(np.mean(self.of(case, objective, "leaves")))


def _booster(record: Mapping[str, Any]) -> str:
    return str(record.get("booster", "xgboost"))
