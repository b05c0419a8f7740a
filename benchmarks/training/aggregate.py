"""From finished turns to figures: medians, and ratios paired within a turn."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Spread, spread
from benchmarks.store import Record
from benchmarks.training.boosters import BOOSTERS
from benchmarks.training.objectives import LOG_LOSS, OBJECTIVES, TRIVIAL

Case = tuple[str, int]


class Trainings:
    """Answers about a set of turns; a case is a booster with a number of rows."""

    def __init__(self, records: list[Record]) -> None:
        order = list(BOOSTERS)
        self.records = sorted(records, key=lambda r: (r["rows"], order.index(r["booster"]), r["repeat"]))
        self.cases: list[Case] = list(dict.fromkeys((r["booster"], r["rows"]) for r in self.records))

    def of(self, case: Case, objective: str) -> list[Record]:
        """Return an objective's trainings in a case, in the order of the repeats."""
        return [r["objectives"][objective] for r in self.records if (r["booster"], r["rows"]) == case]

    def seconds(self, case: Case, objective: str) -> Spread | None:
        """Wall time of training."""
        found = [training["seconds"] for training in self.of(case, objective)]
        return spread(found) if found else None

    def ratios(self, case: Case, objective: str, base: str) -> list[float]:
        """Time against another objective's, each within one turn: the machine's moods cancel."""
        pairs = zip(self.of(case, objective), self.of(case, base), strict=True)
        return [ours["seconds"] / theirs["seconds"] for ours, theirs in pairs]

    def share(self, case: Case, objective: str) -> float | None:
        """Median share of the time spent inside a custom objective; None for built-in ones."""
        found = [t["objective_seconds"] / t["seconds"] for t in self.of(case, objective) if t["calls"]]
        return float(np.median(found)) if found else None

    def call_seconds(self, case: Case, objective: str) -> tuple[float, float] | None:
        """Median time of a call of a custom objective, and of the first call of a training."""
        found = [t["calls"] for t in self.of(case, objective) if t["calls"]]
        if not found:
            return None
        return float(np.median(np.concatenate(found))), float(np.median([calls[0] for calls in found]))

    def peak_bytes(self, case: Case, objective: str) -> int | None:
        """Largest growth of resident memory during training, over the repeats."""
        found = [t["peak_bytes"] for t in self.of(case, objective) if t["peak_bytes"] is not None]
        return max(found) if found else None

    def leaves(self, case: Case, objective: str) -> float:
        """Mean leaves of a tree."""
        return float(np.mean([t["leaves"] for t in self.of(case, objective)]))

    def to_json(self) -> list[Record]:
        """Summarise every case and objective for results.json."""
        rows = []
        for case in self.cases:
            for name in OBJECTIVES:
                seconds, call = self.seconds(case, name), self.call_seconds(case, name)
                assert seconds is not None
                rows.append(
                    {
                        "booster": case[0],
                        "rows": case[1],
                        "objective": name,
                        "seconds": seconds.to_json(),
                        "ratio_to_trivial": spread(self.ratios(case, name, TRIVIAL)).to_json(),
                        "ratio_to_log_loss": spread(self.ratios(case, name, LOG_LOSS)).to_json(),
                        "share_inside_objective": self.share(case, name),
                        "seconds_per_call": None if call is None else call[0],
                        "seconds_first_call": None if call is None else call[1],
                        "peak_bytes": self.peak_bytes(case, name),
                        "leaves": self.leaves(case, name),
                    }
                )
        return rows
