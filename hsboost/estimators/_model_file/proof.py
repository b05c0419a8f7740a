"""A model's scores of a few made-up rows: they show whether it was read as it was written.

Another version of a booster may read a file without an error and give other scores. So a file carries rows at, just
below and just above the model's own split values, with missing values and categories, and the scores that they had.
They come from the trees alone: no training row is among them, other than through the split values that the trees hold.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hsboost.estimators._boosters import scores
from hsboost.estimators._model_file import plain
from hsboost.estimators._model_file.splits import Splits

N_ROWS = 24
#: Features with a value in one row: keeps the check rows of a model of thousands of features small.
_VALUES_PER_ROW = 48
#: Of float32 rounding errors, in units of the greatest score that the leaves allow.
_TOLERANCE = 64 * float(np.finfo(np.float32).eps)


def make_rows(splits: Splits, single: bool) -> list[list[list[Any]]]:
    """Rows as pairs of features and values (None where missing), in float32 if ``single``; the first row is empty."""
    rng = np.random.default_rng(0)
    numeric = {f: np.unique(np.concatenate(parts)) for f, parts in splits.numeric.items()}
    for feature in splits.linear:
        numeric[feature] = np.unique(np.r_[numeric.get(feature, []), -1.5, 0.5, 2.0])
    codes = {f: np.unique(np.concatenate(parts)) for f, parts in splits.categorical.items()}
    used = sorted(numeric.keys() | codes.keys())
    rows: list[list[list[Any]]] = [[[], []]]
    while used and len(rows) < N_ROWS:
        chosen = used
        if len(used) > _VALUES_PER_ROW:
            chosen = sorted(rng.choice(used, _VALUES_PER_ROW, replace=False).tolist())
        values = [_code(codes[f], rng) if f in codes else _value(numeric[f], rng, single) for f in chosen]
        rows.append([chosen, values])
    return rows


def _value(splits: np.ndarray, rng: np.random.Generator, single: bool) -> float | None:
    """A split value, its neighbour to the left or right, 0, or nothing."""
    side = int(rng.integers(0, 16))
    if side < 2:
        return None
    if side == 2:
        return 0.0
    at = splits[int(rng.integers(0, splits.size))]
    at = np.float32(at) if single else np.float64(at)
    return float((at, np.nextafter(at, type(at)(-np.inf)), np.nextafter(at, type(at)(np.inf)))[side % 3])


def _code(codes: np.ndarray, rng: np.random.Generator) -> float | None:
    """A category that the trees ask for, its neighbour, or nothing."""
    if not codes.size or rng.integers(0, 8) == 0:
        return None
    return float(codes[int(rng.integers(0, codes.size))] + rng.integers(0, 2))


def scores_of(estimator: Any, rows: list[list[list[Any]]], n_features: int) -> np.ndarray:
    """Raw scores, float64, of the rounds that the booster predicts with."""
    missing = [np.nan if v is None else v for _, values in rows for v in values]
    ends = np.cumsum([0] + [len(features) for features, _ in rows])
    columns = np.array([f for features, _ in rows for f in features], dtype=np.int32)
    matrix = csr_array((np.array(missing, dtype=np.float64), columns, ends.astype(np.int32)), (len(rows), n_features))
    with warnings.catch_warnings():  # names of features: these rows have none
        warnings.simplefilter("ignore")
        return scores.raw_scores_by_code(estimator, matrix)


def check_rows(rows: Any, n_features: int) -> list[list[list[Any]]]:
    """Rows as :func:`make_rows` writes them."""
    if not isinstance(rows, list) or not 0 < len(rows) <= 1000:
        raise ValueError("the proof has no rows")
    for row in rows:
        if not isinstance(row, list) or len(row) != 2 or not isinstance(row[1], list):
            raise ValueError("a row of the proof is no pair of features and values")
        columns = plain.wholes(row[0], "the proof's features", len(row[1]), 0, n_features - 1)
        if (np.diff(columns) <= 0).any():
            raise ValueError("the proof's features are not in order")
        plain.reals([v for v in row[1] if v is not None], "the proof's values", None, 1e308)
    return rows


def difference(found: np.ndarray, expected: np.ndarray, scale: float, exact: bool) -> float | None:
    """How far the scores are off, or None where they came out: to the bit, or to the rounding of float32."""
    if found.shape != expected.shape:
        return np.inf
    off = float(np.abs(found - expected).max())
    return None if off <= (0.0 if exact else _TOLERANCE * scale) else off
