"""Requirements for speed, accuracy and memory: each measured figure with its bound, met or not met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.suite.tables import Cell, Table


@dataclass(frozen=True)
class Requirement:
    """One figure and its bound. ``measured`` is None if the run does not measure it; ``note`` then says which run does.

    ``unit`` follows the figures ("×", " µs"); ``at_least`` makes the bound a lower one. A bound of None is a yes-no
    requirement: ``measured`` is then 1 or 0.
    """

    claim: str
    measured: float | None
    bound: float | None
    unit: str = "×"
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``not met`` or ``not measured``."""
        if self.measured is None:
            return "not measured"
        if self.bound is None:
            return "met" if self.measured else "not met"
        good = self.measured >= self.bound if self.at_least else self.measured <= self.bound
        return "met" if good else "not met"

    def to_json(self) -> dict[str, Any]:
        """Give the content of a results.json entry."""
        return {
            "claim": self.claim,
            "measured": self.measured,
            "bound": self.bound,
            "unit": self.unit.strip(),
            "direction": "at least" if self.at_least else "at most",
            "verdict": self.verdict,
            "note": self.note,
        }


def ratio_within(claim: str, ratios: list[float], bound: float, missing: str) -> Requirement:
    """The median of ratios within repeats, and its bound."""
    if not ratios:
        return Requirement(claim, None, bound, note=missing)
    note = f"repeats: {len(ratios)}; {min(ratios):.3f}–{max(ratios):.3f}"
    return Requirement(claim, float(np.median(ratios)), bound, note=note)


def _number(value: float) -> str:
    """Three significant digits, or all digits of a large number."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def table(requirements: list[Requirement]) -> Table:
    """Lay the requirements out with their figures and verdicts."""
    rows = []
    for one in requirements:
        if one.measured is None:
            measured = "–"
        elif one.bound is None:
            measured = "yes" if one.measured else "no"
        else:
            measured = f"{_number(one.measured)}{one.unit}"
        sign = "≥" if one.at_least else "≤"
        bound = "yes" if one.bound is None else f"{sign} {one.bound:g}{one.unit}"
        verdict = one.verdict
        rows.append([Cell(one.claim), Cell(measured), Cell(bound), Cell(verdict, verdict == "met"), Cell(one.note)])
    header = [Cell("requirement"), Cell("measured"), Cell("bound"), Cell("verdict"), Cell("from")]
    return Table("Targets", header, rows, labels=1)
