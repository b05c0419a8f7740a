"""The hard top k of given scores: exactly so many rows, of all or of each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.estimators._budgets import by_column


def budgets(k: Budgets, classes: np.ndarray, grouped: bool) -> list[Budgets]:
    """The budget of each score column; k must say how many, as these rows have no labels."""
    columns = by_column(check.check_budgets(k), classes, grouped)
    for budget in columns:
        leaves: list[Any] = list(budget.values()) if isinstance(budget, Mapping) else [budget]
        if any(leaf is None for leaf in leaves):
            raise ValueError("k must be an int (a count) or a float in (0, 1) (a share); the rows have no labels")
    return columns


def counts(k: Budgets, sizes: np.ndarray, labels: list[Any] | None) -> np.ndarray:
    """How many rows to choose of each group, or of all (``labels`` None); of fewer rows a count takes all."""
    if labels is None:
        return np.array([float(round(check.budget_mass(check.single_budget(k), float(sizes[0]), 0.0)))])
    return np.asarray(np.rint(check.BudgetRule.of(k, labels).masses(sizes, np.zeros_like(sizes))))


def top(scores: np.ndarray, k: Budgets, segments: Segments | None) -> np.ndarray:
    """Boolean mask of the highest scores; ties go to the rows that come first."""
    chosen = np.zeros(scores.size, dtype=np.bool_)
    if segments is None:
        many = counts(k, np.array([float(scores.size)]), None)
        chosen[np.argsort(-scores, kind="stable")[: int(many[0])]] = True
        return chosen
    many = counts(k, np.diff(segments.offsets).astype(np.float64), segments.labels)
    # Best first within each group; lexsort is stable, so equal scores keep the order of the rows.
    order = np.lexsort((-scores, segments.codes))
    place = np.arange(scores.size) - np.repeat(segments.offsets[:-1], np.diff(segments.offsets))
    chosen[order] = place < np.repeat(many, np.diff(segments.offsets))
    return chosen
