"""Metrics of rows that are distributed over XGBoost's workers: one value over all rows, the same on every worker.

XGBoost averages the workers' values of a custom metric, but the mean of many precisions (or areas) is neither the
precision over all rows nor a bound on it. Every worker must call these functions, even one without rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import Budgets, FloatArray
from hsboost._workers import radix
from hsboost._workers.communicator import Workers

#: Most distinct scores that all workers together send in one exchange; each takes at most 16 bytes.
EXCHANGED = 1 << 20


class Labelled(NamedTuple):
    """Rows of several rankings, with a flag for positive rows."""

    score: FloatArray
    weight: np.ndarray | None
    ranking: np.ndarray | None
    positive: np.ndarray


def hits_at_k(
    workers: Workers,
    y_true: Any,
    y_score: Any,
    k: Budgets,
    sample_weight: ArrayLike | None,
    groups_here: Callable[[], np.ndarray] | None,
) -> tuple[float, float, float]:
    """(weight of positives among the top k, k as a mass, weight of all positives), over groups, classes and workers.

    ``groups_here`` returns this worker's groups: numbers, one per row. Either all workers have groups or none has.
    """
    columns = _columns(workers, y_score)
    groups, labels = (None, None) if groups_here is None else _labels(workers, groups_here)
    n_groups = 1 if labels is None else len(labels)
    known: list[Labelled] = []

    def totals() -> np.ndarray:
        known.append(_labelled(y_true, y_score, sample_weight, columns, groups, labels))
        return _weights(known[0], columns * n_groups)

    total, positive = workers.sum((2, columns * n_groups), totals)
    if not total.any():
        check.check_total_weight(float(total.sum()))
    budgets = [k] if columns == 1 else check.class_budgets(k, columns)
    if labels is None:
        pairs = zip(budgets, total.tolist(), positive.tolist(), strict=True)
        mass = np.array([check.budget_mass(check.single_budget(b), t, p) for b, t, p in pairs])
    else:
        shape = (columns, n_groups)
        rules = zip(budgets, total.reshape(shape), positive.reshape(shape), strict=True)
        mass = np.concatenate([check.BudgetRule.of(b, labels).masses(t, p) for b, t, p in rules])
    rows = radix.AtWorkers(workers, known[0])
    found = radix.boundaries(rows, mass, np.float64 if _wide(workers, y_score) else np.float32)
    above, tied = rows.sum((2, mass.size), _hits, found.last)
    left = np.clip(mass - found.above, 0.0, None)
    share = np.divide(left, found.tied, out=np.zeros_like(left), where=found.tied > 0.0)
    hits = np.where(mass > 0.0, above + np.minimum(share, 1.0) * tied, 0.0)
    return float(hits.sum()), float(mass.sum()), float(positive.sum())


def roc_auc(workers: Workers | None, y_true: Any, y_score: Any, sample_weight: ArrayLike | None) -> float:
    """The probability that a positive scores higher than a negative, ties counted half; NaN without one of the two.

    Workers exchange the distinct scores of the rarer label, in batches of ``EXCHANGED``; each counts them against its
    own rows with the other label. ``workers`` None: this process holds all rows.
    """
    known: list[Labelled] = []

    def totals() -> np.ndarray:
        known.append(_labelled(y_true, y_score, sample_weight, 1, None, None))
        positive = known[0].positive
        return np.array([*_weights(known[0], 1)[:, 0], positive.sum(), positive.size])

    total, positive, n_positive, n = totals() if workers is None else workers.sum((4,), totals)
    if not (positive > 0.0 and total > positive):
        return float("nan")
    few = known[0].positive if 2 * n_positive <= n else ~known[0].positive
    scores, weights = _distinct(known[0], few)
    others, running = _distinct(known[0], ~few)
    running = np.concatenate([[0.0], np.cumsum(running)])

    def wins(turn: list[tuple[np.ndarray, np.ndarray]]) -> float:
        """Weight of the pairs in which the exchanged row scores higher, ties as halves."""
        below = [running[np.searchsorted(others, sent)] for sent, _ in turn]
        through = [running[np.searchsorted(others, sent, side="right")] for sent, _ in turn]
        return sum(float(w @ (b + t)) / 2.0 for (_, w), b, t in zip(turn, below, through, strict=True))

    if workers is None:
        won = wins([(scores, weights)])
    else:
        here = sum(wins(turn) for turn in _turns(workers, scores, weights))
        won = float(workers.sum((1,), lambda: [here])[0])
    area = won / (positive * (total - positive))
    return float(np.clip(area if 2 * n_positive <= n else 1.0 - area, 0.0, 1.0))


def _turns(workers: Workers, scores: np.ndarray, weights: np.ndarray) -> Iterator[list[tuple[np.ndarray, np.ndarray]]]:
    """The scores and weights of all workers, batch by batch."""
    step = max(EXCHANGED // workers.size, 1)
    turns = int(workers.max((1,), lambda: [-(-scores.size // step)])[0])
    for turn in range(turns):
        part = slice(turn * step, (turn + 1) * step)
        yield workers.share(_constant((scores[part], weights[part])))


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _distinct(rows: Labelled, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted distinct scores of some rows, and the weight at each."""
    scores, at = np.unique(rows.score[which], return_inverse=True)
    return scores, np.bincount(at, None if rows.weight is None else rows.weight[which], scores.size).astype(np.float64)


def _columns(workers: Workers, y_score: Any) -> int:
    """Number of score columns, agreed on by all workers; one without rows may have none."""

    def own() -> list[float]:
        score = np.asarray(y_score)
        if score.size == 0:
            return [1.0, -np.inf]
        if score.ndim > 2:
            raise ValueError(f"y_score must be one-dimensional, got shape {score.shape}; pass one score per row")
        columns = 1.0 if score.ndim == 1 else float(score.shape[1])
        return [columns, -columns]

    most, least = workers.max((2,), own)
    if np.isfinite(least) and most != -least:
        raise ValueError(f"y_score must have as many columns on every worker, got {-least:g} and {most:g}")
    return int(most)


def _wide(workers: Workers, y_score: Any) -> bool:
    """Whether any worker's scores need float64; XGBoost's never do."""
    return bool(workers.max((1,), lambda: [float(np.asarray(y_score).dtype not in (np.float16, np.float32))])[0])


def _labels(workers: Workers, groups_here: Callable[[], np.ndarray]) -> tuple[np.ndarray, list[float]]:
    """This worker's groups, and the sorted labels of all workers."""
    known: list[np.ndarray] = []

    def own() -> np.ndarray:
        known.append(np.asarray(groups_here()))
        if not np.isfinite(known[0]).all():
            raise ValueError("groups must not hold missing labels; give those rows a label")
        return np.unique(known[0])

    labels = np.unique(np.concatenate(workers.share(own))).tolist()
    return known[0], labels


def _labelled(
    y_true: Any, y_score: Any, sample_weight: Any, columns: int, groups: Any, labels: list[float] | None
) -> Labelled:
    """Check this worker's rows and number their rankings: column c of group g is ranking c * G + g."""
    score = np.asarray(y_score)
    if score.size == 0:
        empty = np.empty(0, np.float32)
        return Labelled(empty, None, np.empty(0, np.intp), np.empty(0, np.bool_))
    score = check.check_score_columns(score, "y_score")
    if score.ndim == 2 and columns == 1:
        raise ValueError(f"y_score must hold one score per row, got shape {score.shape}; pass one class's column")
    n = score.shape[0]
    y = np.asarray(y_true)
    check.check_same_length(y, "y_true", n, "y_score")
    weight = check.check_weight(sample_weight, n, "y_score")
    if weight is not None and not (np.isfinite(weight) & (weight >= 0)).all():
        raise check.bad_weights(weight)
    if columns == 1:
        if not ((y == 0) | (y == 1)).all():
            raise check.bad_labels(y)
        positive = y == 1
    else:
        positive = (check.check_classes(y, n, columns) == np.arange(columns)[:, None]).ravel()
    if not np.isfinite(score).all():
        raise check.not_finite(score, "y_score")
    ranking = np.repeat(np.arange(columns), n)
    if labels is not None:
        check.check_same_length(np.asarray(groups), "groups", n, "y_score")
        ranking = ranking * len(labels) + np.tile(np.searchsorted(labels, groups), columns)
    by_column = None if weight is None else np.tile(weight.astype(np.float64), columns)
    return Labelled(np.ravel(score.T), by_column, ranking if columns > 1 or labels is not None else None, positive)


def _weights(rows: Labelled, n: int) -> np.ndarray:
    """Weight and positives' weight of each ranking, shape (2, n)."""
    weight = np.ones(rows.score.size) if rows.weight is None else rows.weight
    ranking = np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking
    return np.stack([np.bincount(ranking, weight * part, minlength=n) for part in (1.0, rows.positive)])


def _hits(rows: Labelled, last: np.ndarray) -> np.ndarray:
    """Weight of each ranking's positives above and at the boundary."""
    weight = rows.positive * (np.ones(rows.score.size) if rows.weight is None else rows.weight)
    ranking = np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking
    own = last[ranking]
    return np.stack([np.bincount(ranking, weight * part, last.size) for part in (rows.score > own, rows.score == own)])
