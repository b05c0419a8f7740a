"""What the project promises about speed, measured: each promise beside its bound, met or not met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.output import Cell, Table


@dataclass(frozen=True)
class Target:
    """One promise. ``measured`` is None where the run cannot tell, and ``note`` then says what would.

    ``unit`` follows the figures ("×", " µs"); ``at_least`` turns the bound round. A bound of None is a yes-or-no
    promise: ``measured`` is then 1 or 0.
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


def _number(value: float) -> str:
    """Three digits that count, or all of a large number's."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"


def table(targets: list[Target]) -> Table:
    """Lay the promises out with their figures and verdicts."""
    rows = []
    for target in targets:
        if target.measured is None:
            measured = "–"
        elif target.bound is None:
            measured = "yes" if target.measured else "no"
        else:
            measured = f"{_number(target.measured)}{target.unit}"
        sign = "≥" if target.at_least else "≤"
        bound = "yes" if target.bound is None else f"{sign} {target.bound:g}{target.unit}"
        verdict = target.verdict
        rows.append(
            [Cell(target.claim), Cell(measured), Cell(bound), Cell(verdict, verdict == "met"), Cell(target.note)]
        )
    header = [Cell("promise"), Cell("measured"), Cell("bound"), Cell("verdict"), Cell("from")]
    return Table("Targets", header, rows, labels=1)
