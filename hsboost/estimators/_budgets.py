"""What a user's k means for the training rows, and for rows on which the model is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budget, Budgets
from hsboost.losses import Loss

#: The largest share a budget can be given as; for rows, all of them.
NEARLY_ALL = float(np.nextafter(1.0, 0.0))


class TrainingBudget:
    """k of an estimator, on the rows passed to ``fit``.

    Counts are counts of those rows: where some of them are set aside, the rest gets the same share. With groups a
    single count goes for each group. A count above the rows, or the rows of a group, means all of them.
    """

    def __init__(
        self,
        k: Budgets,
        classes: np.ndarray,
        encoded: np.ndarray,
        weight: np.ndarray | None,
        segments: Segments | None,
    ) -> None:
        self.segments = segments
        self.n = encoded.size
        self.n_columns = 1 if classes.size == 2 else classes.size
        w = np.ones(encoded.size) if weight is None else weight.astype(np.float64)
        self.total = float(w.sum())
        self.labels: list[Any] = [None] if segments is None else segments.labels
        codes = np.zeros(encoded.size, np.intp) if segments is None else segments.codes
        self.totals = np.bincount(codes, w)
        # Weight of each column's positives in each group: what k = None stands for.
        wanted = [1] if self.n_columns == 1 else range(self.n_columns)
        self.own = [np.bincount(codes, w * (encoded == c), minlength=self.totals.size) for c in wanted]
        self.given = by_column(k, classes, segments is not None)
        self.columns = [self._by_group(budget) for budget in self.given]

    def for_training(self, all_rows: bool) -> Budgets:
        """k for the loss; ``all_rows``: no row was set aside, counts may stay counts."""
        columns = [self._column(c, all_rows) for c in range(self.n_columns)]
        return columns[0] if self.n_columns == 1 else dict(enumerate(columns))

    def for_evaluation(self, same_groups: bool) -> Budgets:
        """k for watching other rows: by group if they have groups too, else one share for each column."""
        if same_groups:
            columns = list(self.given)
        elif self.segments is None:
            columns = [self._column(c, all_rows=False) for c in range(self.n_columns)]
        else:
            columns = [self._overall(c) for c in range(self.n_columns)]
        # One budget for all classes goes without their names, for the sake of the metric's own name.
        same = not isinstance(columns[0], Mapping) and all(one == columns[0] for one in columns)
        return columns[0] if same or self.n_columns == 1 else dict(enumerate(columns))

    def overall(self) -> Budgets:
        """k when groups are left aside: the sum of their budgets, as a share."""
        columns = [self._overall(c) for c in range(self.n_columns)]
        return columns[0] if self.n_columns == 1 else dict(enumerate(columns))

    def _by_group(self, k: Budgets) -> list[Budget]:
        """One budget per group of a column."""
        if self.segments is None:
            return [check.single_budget(k)]
        if isinstance(k, Mapping):
            return [check.single_budget(budget) for budget in check.budgets_of(k, self.labels, "group")]
        return [k] * self.totals.size

    def _column(self, c: int, all_rows: bool) -> Budgets:
        budgets = self.columns[c]
        if not all_rows:
            budgets = [_as_share(k, total) for k, total in zip(budgets, self.totals.tolist(), strict=True)]
        if self.segments is None or (len(set(map(str, budgets))) == 1 and not isinstance(budgets[0], int)):
            return budgets[0]
        return dict(zip(self.labels, budgets, strict=True))

    def _overall(self, c: int) -> Budget:
        budgets = self.columns[c]
        if all(k is None for k in budgets):
            return None
        pairs = zip(budgets, self.totals.tolist(), self.own[c].tolist(), strict=True)
        mass = sum(check.budget_mass(k, total, own) for k, total, own in pairs)
        return _share(mass, self.total)


def _as_share(k: Budget, total: float) -> Budget:
    """A count as the share it is of ``total``."""
    return _share(check.budget_mass(k, total, 0.0), total) if isinstance(k, int) else k


def _share(mass: float, total: float) -> Budget:
    if mass <= 0.0 or total <= 0.0:
        return 0
    return min(mass / total, NEARLY_ALL)


def check_spent(k: Budgets, n_columns: int, loss: Loss, name: Any) -> None:
    """Refuse budgets of several classes for a loss that has none: its scores compare between classes."""
    if k is not None and n_columns > 1 and not loss.has_budget:
        raise ValueError(
            f"k={k!r} with several classes needs a loss that has a budget, such as 'budget-log-loss' or "
            f"'hypersimplex', got loss={name!r}; name one of them, or leave k out"
        )


def by_column(k: Budgets, classes: np.ndarray, grouped: bool) -> list[Budgets]:
    """The budget of each score column: of the positive class, or of every class."""
    names = classes.tolist()
    if not isinstance(k, Mapping):
        return [k] * (1 if len(names) == 2 else len(names))
    if len(names) == 2:
        if not grouped and set(k) <= {names[1], None}:
            return check.budgets_of(k, names[1:], "class")
        if not grouped:
            raise ValueError(
                f"k is a mapping of {list(k)!r}; with two classes and no groups it may name the positive class only, "
                f"{{{names[1]!r}: budget}}; or pass groups="
            )
        return [k]
    unknown = [label for label in k if label not in names and label is not None]
    missing = [] if None in k else [name for name in names if name not in k]
    if unknown or missing:
        what = f"has the unknown class {unknown[0]!r}" if unknown else f"has no budget for class {missing[0]!r}"
        raise ValueError(f"k {what}; give every class a budget: {names!r} (None: one for all that are not named)")
    return check.budgets_of(k, names, "class")
