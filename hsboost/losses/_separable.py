"""The base of losses that are sums over rows: checks of the input, one output array, blocks of rows, boosting."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hsboost import _validation as check
from hsboost._kernels._compile import BLOCK, as_input
from hsboost._validation import FloatArray
from hsboost.losses._base import Loss

#: Largest number of columns; an array with more does not hold class scores.
MOST_CLASSES = 1_000_000


class Rows(NamedTuple):
    """Checked rows: scores (n, outputs) in C order, classes (n,), weights (n,) or (1,) of ones, the caller's shape."""

    x: FloatArray
    y: np.ndarray
    w: np.ndarray
    shape: tuple[int, ...]


class RowLoss(Loss):
    """A loss that is Σ w times a loss of the row alone; subclasses compute it for a block of rows.

    Attributes
    ----------
    hessian_floor : float
        Least curvature of a row of weight 1.
    """

    hessian_floor: float

    @abstractmethod
    def _run(self, rows: Rows, values: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, per_block: int) -> None:
        """Write the loss of each block of ``per_block`` rows and, where they have rows, gradient and curvature."""

    def _at_once(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, dtype: DTypeLike | None
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Gradient and curvature (``dtype``, or the scores') by a faster way, or None: for what it does not take.

        That includes everything that is refused: `_rows` has the errors.
        """
        return None

    def _n_scores(self, outputs: int) -> int:
        """How many of the outputs are class scores."""
        return outputs

    def _block_cost(self, outputs: int) -> int:
        """Cost of a row in units of one cheap score; it sets the size of blocks and whether threads are used."""
        return outputs

    def loss(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Value of the loss: Σ w times the row's loss.

        Parameters
        ----------
        y_true : array-like of shape (n,)
            Classes: 0 and 1 for one score per row, 0 … C-1 for C of them. Any number type, whole numbers.
        raw_prediction : array-like of shape (n,) or (n, outputs)
            Finite raw scores, in any memory order.
        sample_weight : array-like of shape (n,), optional
            Finite and >= 0.

        Returns
        -------
        float
        """
        rows = self._rows(y_true, raw_prediction, sample_weight)
        nothing = np.empty((0, rows.x.shape[1]))
        return self._pass(rows, nothing, nothing)

    def gradient_hessian(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivative in each raw score, and the curvature that the loss's parameters name.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight
            As for :meth:`loss`.

        Returns
        -------
        gradient, hessian : ndarrays of the shape of raw_prediction, float32 for float32 scores, else float64.
        """
        found = self._at_once(y_true, raw_prediction, sample_weight, None)
        if found is not None:
            return found
        rows = self._rows(y_true, raw_prediction, sample_weight)
        return self._derivatives(rows, rows.x.dtype)

    def boosting_step(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, state: Any
    ) -> tuple[np.ndarray, np.ndarray, Any]:
        """float32 gradient and curvature as boosters take them; no state is needed."""
        found = self._at_once(y_true, raw_prediction, sample_weight, np.float32)
        if found is not None:
            return *found, None
        rows = self._rows(y_true, raw_prediction, sample_weight)
        return *self._derivatives(rows, np.float32), None

    def _rows(self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None) -> Rows:
        """Check everything once; raises ValueError naming the argument, the value and the remedy."""
        raw = check_outputs(raw_prediction)
        x = as_input(raw.reshape(raw.shape[0], -1))
        scores = self._n_scores(x.shape[1])
        y = as_input(check_classes(y_true, x.shape[0], 2 if scores == 1 else scores))
        w = check.check_weight(sample_weight, x.shape[0], "raw_prediction")
        if not np.isfinite(x).all():
            raise check.not_finite(x, "raw_prediction")
        return Rows(x, y, np.ones(1) if w is None else check.checked_weight(w), raw.shape)

    def _derivatives(self, rows: Rows, dtype: DTypeLike) -> tuple[np.ndarray, np.ndarray]:
        gradient, hessian = np.empty(rows.x.shape, dtype), np.empty(rows.x.shape, dtype)
        self._pass(rows, gradient, hessian)
        return gradient.reshape(rows.shape), hessian.reshape(rows.shape)

    def _pass(self, rows: Rows, gradient: np.ndarray, hessian: np.ndarray) -> float:
        """One pass over the rows; returns the value, added up in block order whatever the threads."""
        n, outputs = rows.x.shape
        per_block = max(1, BLOCK // self._block_cost(outputs))
        values = np.empty((n + per_block - 1) // per_block)
        self._run(rows, values, gradient, hessian, per_block)
        return float(values.sum())


def check_outputs(raw_prediction: ArrayLike) -> FloatArray:
    """Raw scores (n,) or (n, outputs) as float32 or float64, in the memory order they came in."""
    array = np.asarray(raw_prediction)
    if array.ndim not in (1, 2):
        raise ValueError(
            f"raw_prediction must have shape (n,) or (n, outputs), got {array.shape}; pass one row of scores per row"
        )
    if array.size == 0:
        raise ValueError("raw_prediction is empty; pass at least one row")
    if array.ndim == 2 and array.shape[1] > MOST_CLASSES:
        raise ValueError(
            f"raw_prediction has {array.shape[1]} columns, more than {MOST_CLASSES} classes; "
            "pass (n,) for one score per row, rows first"
        )
    if array.dtype in (np.float32, np.float64):
        return array
    if array.dtype.kind not in "biuf":
        raise ValueError(f"raw_prediction must hold numbers, got dtype {array.dtype}; convert it first")
    return check.as_floats(array)


def check_classes(y_true: ArrayLike, n: int, classes: int) -> np.ndarray:
    """Class indices 0 … classes-1 as int64."""
    y = np.asarray(y_true)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    check.check_same_length(y, "y_true", n, "raw_prediction")
    if classes != 2:
        return check.check_classes(y, n, classes)
    if y.dtype.kind not in "biuf":
        raise ValueError(f"y_true must hold 0 and 1, got dtype {y.dtype}; encode the labels first")
    if not ((y == 0) | (y == 1)).all():
        raise check.bad_labels(y)
    return y.astype(np.int64, copy=False)


def class_shares(y_true: ArrayLike, sample_weight: ArrayLike | None, n_classes: int | None) -> np.ndarray:
    """Share of the weight in each class, (C,); C is 2 or more, ``n_classes`` where given."""
    y = np.asarray(y_true)
    if y.size == 0:
        raise ValueError("y_true is empty; pass at least one row")
    top = int(y.max()) + 1 if y.dtype.kind in "biuf" and np.isfinite(y).all() else 2
    classes = max(2, top if n_classes is None else n_classes)
    codes = check_classes(y, y.shape[0], classes)
    w = check.check_weight(sample_weight, codes.size, "y_true")
    counts = np.bincount(codes, None if w is None else check.checked_weight(w), minlength=classes)
    return np.asarray(counts / counts.sum(), dtype=np.float64)
