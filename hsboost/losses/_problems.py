"""Rows and their labels, laid out as P problems (classes x groups), and the sums and checks of each problem."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _stack
from hsboost import _validation as check
from hsboost._kernels import gradient as kernels
from hsboost._kernels._compile import as_input
from hsboost._kernels.columns import one_hot
from hsboost._kernels.segments import segment_totals
from hsboost._solver.problems import Problems
from hsboost._solver.segments import Segments
from hsboost._validation import FloatArray
from hsboost._workers.rows import WorkerRows


class Rows(NamedTuple):
    """Scores, weights and labels of the same rows.

    Attributes
    ----------
    problems : Problems
        C columns of scores, one per class (one in all for two classes), each in G groups.
    y : ndarray of shape (C, n)
        0 and 1 in the order of the scores: the labels, or for each class whether a row belongs to it.
    labels : ndarray of shape (n,)
        As the caller passed them, for errors.
    weight : ndarray of shape (n,), or None
        In the caller's order.
    """

    problems: Problems
    y: FloatArray
    labels: np.ndarray
    weight: FloatArray | None

    @classmethod
    def of(cls, x: FloatArray, y_true: ArrayLike, w: FloatArray | None, segments: Segments | None) -> Rows:
        """Lay out checked scores (n,) or (n, C), labels, weights, groups; `counted` checks label and weight values."""
        problems = Problems.of(x, w, segments)
        n = x.shape[0]
        if x.ndim == 1:
            labels = check_label_array(y_true, n)
            # Checked before rounding to float32, which would turn 1e-60 into a valid label.
            y = as_input(check.as_floats(labels, np.float32))[None]
        else:
            labels = check.check_classes(y_true, n, x.shape[1])
            y = np.empty((x.shape[1], n), np.float32)
            one_hot(y.size, as_input(labels), y)
        return cls(problems, y if segments is None else segments.sort(y), labels, w)

    def counted(self) -> tuple[Rows, np.ndarray, np.ndarray]:
        """Check labels and weights: the rows with float32 labels, Σ w of each group (G,), Σ w y of each problem (C, G).

        Raises
        ------
        ValueError
            For labels other than 0 and 1, weights that are negative or not finite.
        """
        if self.problems.is_one:
            total_of_all, positive_of_all, wrong_labels, wrong_weights = label_totals(self.y[0], self.problems.w)
            total, positive = np.array([total_of_all]), np.array([[positive_of_all]])
        else:
            sums = self._sums()
            total, positive, wrong_labels, wrong_weights = sums[0, 0], sums[1], sums[2].any(), sums[3].any()
        if wrong_labels:
            raise check.bad_labels(self.labels)
        if wrong_weights and self.weight is not None:
            raise check.bad_weights(self.weight)
        rows = self if self.y.dtype == np.float32 else self._replace(y=self.y.astype(np.float32))
        return rows, total, positive

    def _sums(self) -> np.ndarray:
        """(Σ w, Σ w y, rows with a wrong label, rows with a wrong weight) of each problem: shape (4, C, G)."""
        s, w = self.problems.segments, self.problems.w
        out = np.zeros((len(self.y), 4, s.offsets.size - 1))  # a worker may lack rows of every small group
        for y, sums in zip(self.y, out, strict=True):
            if s.small_rows:
                segment_totals(s.small_rows, y, w, s.offsets, s.tasks, sums)
            for g in s.large:
                at = s.slice(g)
                sums[:, g] = label_totals(y[at], None if w is None else w[at])
        return out.transpose(1, 0, 2)


def worker_rows(rows: Rows) -> WorkerRows:
    """The same rows, problem after problem, as searches over workers see them."""
    segments, x, w = rows.problems
    classes, n = x.shape
    ends = [c * n + segments.offsets[1:] for c in range(classes)]
    return WorkerRows(
        x.reshape(-1),
        rows.y.reshape(-1),
        w if w is None or classes == 1 else np.tile(w, classes),
        np.concatenate([[0], *ends]).astype(np.intp),
    )


def label_totals(y: FloatArray, w: FloatArray | None) -> tuple[float, ...]:
    """(Σ w, Σ w y, rows with a wrong label, rows with a wrong weight)."""
    return kernels.labels.totals(y.size, y, w)


def check_label_array(y_true: ArrayLike, n: int) -> np.ndarray:
    """Labels as an array of n numbers."""
    y = np.asarray(y_true)
    check.check_same_length(y, "y_true", n, "raw_prediction")
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y_true must hold 0 and 1, got dtype {y.dtype}; encode the labels first")
    return y


def check_learnable(k: Any, total: np.ndarray, positive: np.ndarray, mass: np.ndarray) -> None:
    """With k from the labels, check that both classes occur; totals of shape (G,), the others (C, G)."""
    if k is not None:
        return
    if len(positive) == 1:
        if not 0.0 < mass.sum() < total.sum():
            raise one_class(0 if mass.sum() <= 0.0 else 1)
        return
    found = np.flatnonzero(positive.sum(axis=1) > 0.0).tolist()
    if len(found) < 2:
        raise few_classes(found)


def one_class(label: int) -> ValueError:
    """The error for training labels of a single class."""
    return ValueError(
        f"y_true must hold both classes, 0 and 1, when k is None; got only {label} (LightGBM fills in 0 when "
        "a data set has no label); pass the labels, or give k"
    )


def few_classes(found: list[int]) -> ValueError:
    """The error for training labels of several classes of which fewer than two have rows with weight."""
    return ValueError(
        "y_true must hold at least two classes (of rows with weight) when k is None; "
        f"got only {found}; pass the labels, or give k"
    )


def warn_if_all(mass: np.ndarray, total: np.ndarray) -> None:
    """Warn once per training that a count takes every row, so that no row has a gradient."""
    whole = float(total.sum())
    least = whole * (1.0 - check.ROUNDING)
    if mass.item() >= least if mass.size == 1 else (mass.sum(axis=1) >= least).any():
        _stack.warn(
            f"k takes all rows (total weight {whole:g}), so that there is nothing to rank and no gradient to learn "
            "from; give a smaller count, or a float in (0, 1) for a share",
        )
