"""The hard top k of scores in memory: the score of its last row, and the score between it and the rest."""

from __future__ import annotations

import numpy as np

from hsboost._validation import FloatArray


def hard_cut(scores: FloatArray, weight: FloatArray | None, mass: float, step: float = 1.0) -> float:
    """The raw score exceeded by the highest-scored rows of total weight ``mass``: the limit of small temperatures.

    It lies in the middle between the last row in and the first row out, representable in the dtype of the scores so
    that comparing with them is exact. Rows tied there are taken or left together, whichever misses ``mass`` by less.
    Where there is no row on one side it lies half a ``step`` beyond the last one.
    """
    if weight is not None and (weight > 0.0).any():
        scores, weight = scores[weight > 0.0], weight[weight > 0.0]
    n = scores.size
    if weight is None:
        place = min(int(np.ceil(mass)), n)
        last = scores.max() if place == 0 else np.partition(scores, n - place)[n - place]
    else:
        order = np.argsort(-scores, kind="stable")
        last = scores[order[min(int(np.searchsorted(np.cumsum(weight[order], dtype=np.float64), mass)), n - 1)]]
    above, tied = scores > last, scores == last
    weight_above, weight_tied = (
        (float(rows.sum()) if weight is None else float(weight[rows].sum(dtype=np.float64))) for rows in (above, tied)
    )
    if mass - weight_above >= 0.5 * weight_tied and mass > 0.0:
        lower, upper = scores[scores < last].max(initial=-np.inf), last
    else:
        lower, upper = last, scores[above].min(initial=np.inf)
    # No row below or above: step aside, by no less than the dtype can tell apart.
    if not np.isfinite(lower):
        lower = min(upper - step, np.nextafter(upper, -np.inf, dtype=scores.dtype))
    if not np.isfinite(upper):
        upper = max(lower + step, np.nextafter(lower, np.inf, dtype=scores.dtype))
    middle = scores.dtype.type(0.5 * float(lower) + 0.5 * float(upper))
    return float(middle if middle < upper else lower)
