"""A case's rows, the truth about them, and how far a result is from it: one problem, or one for each part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.calls import reference
from benchmarks.calls.cases import Case, Rows, make_rows
from benchmarks.calls.methods import OURS, STEPS, Method, own_methods, own_part_methods
from benchmarks.calls.parts import PartCase, make_parts
from benchmarks.suite.store import Record
from hsboost.losses.hypersimplex import DEFAULT_FLOOR

#: Of more groups than this a sample is compared with the reference, evenly spread over the sorted labels.
MOST_CHECKED = 50


class Single:
    """The rows of one problem and the truth about them."""

    def __init__(self, case: Case) -> None:
        self.rows = make_rows(case)
        self.nu = reference.threshold(self.rows.x, self.rows.w, self.rows.k)
        self.facts = {"k": self.rows.k, "threshold": float(self.nu)}

    def own_methods(self) -> list[Method]:
        """What hsboost does with it, and the floors."""
        return own_methods(self.rows)

    def accuracy(self, method: Method, result: Any) -> Record:
        """How far a method's result is from the truth; nothing for floors."""
        x, w = self.rows.x, self.rows.w
        if method.name in STEPS:
            return reference.check_step(result, self.rows.y, x, w, self.nu, DEFAULT_FLOOR)._asdict()
        if method.name in OURS or method.is_rival:
            return reference.check_projection(result, x, w, self.rows.k, self.nu)._asdict()
        return {}


class Parts:
    """The rows of many problems, and the truth about all of them or a sample."""

    def __init__(self, case: PartCase) -> None:
        self.rows = make_parts(case)
        parts = len(self.rows.index)
        self.checked = sorted(set(np.linspace(0, parts - 1, MOST_CHECKED).astype(int).tolist()))
        self.nu = [reference.threshold(rows.x, rows.w, rows.k) for rows in map(self.rows.of, self.checked)]
        self.facts = {"k": float(self.rows.k.sum()), "parts": parts, "checked_parts": len(self.checked)}

    def own_methods(self) -> list[Method]:
        """What hsboost does with it, and the floors."""
        return own_part_methods(self.rows)

    def accuracy(self, method: Method, result: Any) -> Record:
        """The worst row of the checked parts, and the worst sum of all parts."""
        if method.name in STEPS:
            gradient, hessian = result
            steps = [
                reference.check_step((gradient[at], hessian[at]), part.y, part.x, part.w, nu, DEFAULT_FLOOR)
                for at, part, nu in self._checked_parts()
            ]
            return {"error": max(step.error for step in steps), "mass_error": None}
        if method.name != "projection" and not method.is_rival:
            return {}
        errors = [
            reference.check_projection(result[at], part.x, part.w, part.k, nu).error
            for at, part, nu in self._checked_parts()
        ]
        masses = [
            reference.mass_error(result[at], part.w, part.k)
            for at, part in zip(self.rows.index, map(self.rows.of, range(len(self.rows.index))), strict=True)
        ]
        return {"error": max(errors), "mass_error": max(masses)}

    def _checked_parts(self) -> Iterator[tuple[Any, Rows, Any]]:
        """Where each checked part is, its rows and its threshold."""
        for p, nu in zip(self.checked, self.nu, strict=True):
            yield self.rows.index[p], self.rows.of(p), nu
