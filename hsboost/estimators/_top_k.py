"""The hard top k of given scores: exactly so many rows, of all or of each group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.estimators._budgets import by_column


def needs_groups() -> ValueError:
    """The error for a top k of all rows together, by a model that compares rows of one group only."""
    return ValueError(
        "this model was trained with groups, and scores of different groups need not compare; pass groups=, one label "
        "per row (one and the same label for all rows ranks them together)"
    )


def without_groups() -> ValueError:
    """The error for the thresholds of groups, of a model that has one threshold for all rows."""
    return ValueError("this model was trained without groups and has no group thresholds; leave groups out")


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


def ranked(scores: np.ndarray, segments: Segments | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows from best to worst, group by group, and the place of each row in its group; ties by the rows' order."""
    order = np.argsort(-scores, kind="stable") if segments is None else np.lexsort((-scores, segments.codes))
    place = np.empty(scores.size, np.intp)
    place[order] = np.arange(scores.size)
    if segments is not None:
        place -= segments.offsets[segments.codes]
    return order, place


def top(scores: np.ndarray, k: Budgets, segments: Segments | None) -> np.ndarray:
    """Boolean mask of the highest scores; ties go to the rows that come first."""
    if segments is None:
        return _top_of_all(scores, int(counts(k, np.array([float(scores.size)]), None)[0]))
    _, place = ranked(scores, segments)
    many = counts(k, np.diff(segments.offsets).astype(np.float64), segments.labels)
    return place < many[segments.codes]


def _top_of_all(scores: np.ndarray, many: int) -> np.ndarray:
    """`top` for one group, by selection: a sort takes as long as the trees."""
    n = scores.size
    if many <= 0 or many >= n:
        return np.full(n, many > 0)
    last = np.partition(scores, n - many)[n - many]
    if np.isnan(last) or np.isnan(scores).any():  # partition puts NaN first, ranks put it last
        return ranked(scores, None)[1] < many
    chosen: np.ndarray = scores > last
    left = many - np.count_nonzero(chosen)
    chosen[np.flatnonzero(scores == last)[:left]] = True
    return chosen
