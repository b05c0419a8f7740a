"""Precision and recall among the top k for several budgets at once, from one sort of the scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.budgets.settings import ALL, BUDGETS, GROUP, RANDOM, share


@dataclass(frozen=True)
class Judge:
    """Judges scores of some rows for several budgets, all rows together or group by group.

    Rows that tie at the edge share the remaining places, as in `hsboost.precision_at_k`, which sorts once per budget.
    ``groups`` are numbers 0, 1, 2 ... or None.
    """

    positive: np.ndarray
    groups: np.ndarray | None
    budgets: tuple[str, ...]

    def hits(self, score: np.ndarray, order: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """(hits, rows) among the top of each budget, added up over the groups; ``order``: of falling scores."""
        n = self.positive.size
        order = np.argsort(-score) if order is None else order
        codes = np.zeros(n, np.int16) if self.groups is None else self.groups[order]
        if self.groups is not None:
            # Small integers are sorted by their digits, in a fraction of the time of a sort by two keys.
            small = codes.astype(np.uint16) if int(codes.max()) < 2**16 else codes
            by_group = np.argsort(small, kind="stable")
            order, codes = order[by_group], codes[by_group]
        ordered = score[order]
        counts = np.concatenate([[0], np.cumsum(self.positive[order])])
        first = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
        last = np.append(first[1:], n)
        change = np.concatenate([[True], (ordered[1:] != ordered[:-1]) | (codes[1:] != codes[:-1]), [True]])
        ties = np.flatnonzero(change)  # where runs of equal scores begin, and the end
        hits, rows = [], []
        for budget in self.budgets:
            part = share(budget)
            k = (counts[last] - counts[first]).astype(float) if part is None else part * (last - first)
            edge = first + k
            run = np.searchsorted(ties, np.maximum(np.ceil(edge).astype(np.intp) - 1, first), side="right") - 1
            low, high = ties[run], ties[run + 1]
            inside = (counts[high] - counts[low]) * (edge - low) / (high - low)
            found = np.where(k > 0.0, counts[low] - counts[first] + inside, 0.0)
            hits.append(found.sum())
            rows.append(k.sum())
        return np.asarray(hits), np.asarray(rows)

    def precision(self, score: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
        """Precision at each budget."""
        hits, rows = self.hits(score, order)
        return hits / rows

    def recall(self, score: np.ndarray) -> np.ndarray:
        """Recall at each budget."""
        return self.hits(score)[0] / self.positive.sum()

    def auc(self, score: np.ndarray) -> float:
        """Area under the ROC curve; group by group it counts pairs of one group only."""
        from hsboost.comparison._statistics import auc

        return auc(self.positive, score, None, self.groups)


def judges(positive: np.ndarray, groups: np.ndarray | None, split: str) -> dict[str, Judge]:
    """The judges of some rows for every budget, by how they were split: all rows, and each group unless at random."""
    found = {ALL: Judge(positive, None, BUDGETS)}
    return found if groups is None or split == RANDOM else found | {GROUP: Judge(positive, groups, BUDGETS)}
