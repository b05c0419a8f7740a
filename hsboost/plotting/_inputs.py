"""Labels, scores and weights of a display: from arrays, or from any fitted classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import FloatArray
from hsboost.estimators._responses import inner, response

__all__ = ["Rows", "check_history", "check_one_column", "check_rows", "inner", "is_positive", "response"]


class Rows(NamedTuple):
    """Rows that count: those of weight 0 are dropped."""

    positive: np.ndarray
    score: FloatArray
    weight: FloatArray | None
    kept: np.ndarray | None

    def also(self, score: ArrayLike, name: str) -> FloatArray:
        """Another score of the same rows, checked and without the rows that were dropped."""
        other = check_one_column(score, name)
        n = self.score.size if self.kept is None else self.kept.size
        check.check_same_length(other, name, n, "y_score")
        return other if self.kept is None else other[self.kept]


def check_rows(
    y_true: ArrayLike,
    y_score: ArrayLike,
    sample_weight: ArrayLike | None,
    pos_label: Any,
    name: str = "y_score",
) -> Rows:
    """Check the arrays, with one clear error for each kind of bad input."""
    score = check_one_column(y_score, name)
    labels = np.asarray(y_true)
    check.check_same_length(labels, "y_true", score.size, name)
    positive = is_positive(labels, pos_label)
    weight = check.check_weight(sample_weight, score.size, name)
    kept = None
    if weight is not None:
        weight = check.checked_weight(weight)
        if not weight.all():
            kept = weight > 0
            positive, score, weight = positive[kept], score[kept], weight[kept]
    if not positive.any():
        raise ValueError("y_true holds no positive row (of positive weight); there is nothing to find in the top k")
    return Rows(positive, score, weight, kept)


def check_one_column(y_score: ArrayLike, name: str) -> FloatArray:
    """Finite scores, one per row."""
    shape = np.shape(y_score)
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(
            f"{name} must hold one score per row, got shape {shape}; pass the column of the class to be found, "
            f"for example {name}[:, 1]"
        )
    score = check.check_scores(y_score, name)
    if not np.isfinite(score).all():
        raise check.not_finite(score, name)
    return score


def is_positive(labels: np.ndarray, pos_label: Any) -> np.ndarray:
    """Which rows are positive. Without ``pos_label``: 1 of {0, 1} or {-1, 1}, True of {False, True}."""
    if labels.dtype.kind in "fc" and np.isnan(labels).any():
        raise ValueError("y_true must hold a label in every row, got nan; drop the rows without one")
    found = np.unique(labels)
    if pos_label is None:
        if not (np.isin(found, [0, 1]).all() or np.isin(found, [-1, 1]).all()):
            shown = ", ".join(map(repr, found[:5].tolist())) + (", …" if found.size > 5 else "")
            raise ValueError(f"y_true must be 0/1 or -1/1 unless pos_label says what is positive; it holds {shown}")
        pos_label = 1
    return np.asarray(labels == pos_label, dtype=bool)


def check_history(history: Mapping[str, Any], column: int | None = None) -> dict[str, np.ndarray]:
    """Check that all arrays have one entry per round, a number or a row of numbers. ``column``: that class's only."""
    needed = ("iteration", "soft_threshold", "active_share")
    missing = [key for key in needed if key not in history]
    if missing:
        raise ValueError(f"history must have {', '.join(needed)}; it lacks {', '.join(missing)}")
    found: dict[str, np.ndarray] = {}
    rounds = len(history["iteration"])
    for key in (key for key in (*needed, "loss") if key in history):
        try:
            values = np.asarray(history[key], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"history[{key!r}] must hold numbers, the same number of them per round") from error
        if column is not None and values.ndim > 1:
            values = values[..., column]
        if rounds == 0 or values.shape[:1] != (rounds,) or values.ndim > (1 if key == "iteration" else 2):
            raise ValueError(
                f"history[{key!r}] must hold one entry per round, got shape {values.shape} for {rounds} rounds"
            )
        found[key] = values
    return found
