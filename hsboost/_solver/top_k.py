"""The hard top k of scores in memory: the score of its last row, and the score between it and the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost._validation import FloatArray

#: Groups of so many rows on average, or fewer, are cut by one sort of all rows: a call for each takes longer.
FEW_EACH = 128

#: `last_score` sorts so many rows. Of more it looks at so many, to leave out those that lie aside by more
#: than such a share of the weight.
FEW_ROWS, SAMPLE, ASIDE = 8192, 1024, 0.05


def last_score(scores: FloatArray, weight: FloatArray | None, mass: float) -> Any:
    """The score of the last row, at least in part, among the top ``mass``; for a mass of 0 the highest score.

    Where sums of weights round, it may be the score next to it. A few passes over all rows leave few to sort.
    """
    weight = None if weight is None else weight.astype(np.float64, copy=False)
    while scores.size > FEW_ROWS:
        total = _sum(weight, np.ones(scores.size, np.bool_))
        if not total > 0.0:
            break
        # A sample shows between which scores the weight passes the mass: the rest is above, or does not matter.
        few = slice(None, None, scores.size // SAMPLE)
        order = np.argsort(-scores[few])
        some = scores[few][order]
        shares = np.cumsum(np.ones(some.size) if weight is None else weight[few][order])
        first, last = np.searchsorted(shares, (mass / total + np.array([-ASIDE, ASIDE])) * shares[-1])
        upper = some[first] if first > 0 else np.inf
        lower = some[last] if last < some.size else -np.inf
        above, kept = scores > upper, (scores <= upper) & (scores >= lower)
        missing = mass - _sum(weight, above)
        if not 0.0 < missing <= _sum(weight, kept) or 2 * np.count_nonzero(kept) > scores.size:
            break
        # NumPy's compress takes a quarter of the time of its index.
        scores, mass = scores.compress(kept), missing
        weight = None if weight is None else weight.compress(kept)
    return by_order(scores, weight, mass)


def by_order(scores: FloatArray, weight: FloatArray | None, mass: float) -> Any:
    """`last_score` of few rows: by selection, or by a sort where they have weights."""
    n = scores.size
    if weight is None:
        place = min(int(np.ceil(mass)), n)
        return scores.max() if place == 0 else np.partition(scores, n - place)[n - place]
    order = np.argsort(-scores, kind="stable")
    return scores[order[min(int(np.searchsorted(np.cumsum(weight[order], dtype=np.float64), mass)), n - 1)]]


def _sum(weight: FloatArray | None, rows: np.ndarray) -> float:
    """Σ w of some rows."""
    return float(np.count_nonzero(rows) if weight is None else (weight * rows).sum())


def hard_cut(scores: FloatArray, weight: FloatArray | None, mass: float, step: float = 1.0) -> float:
    """The raw score exceeded by the highest-scored rows of total weight ``mass``: the limit of small temperatures.

    It lies in the middle between the last row in and the first row out, representable in the dtype of the scores so
    that comparing with them is exact. Rows tied at the boundary are taken or left together, whichever misses ``mass``
    by less. Where one side has no rows it lies half a ``step`` beyond the last row of the other.
    """
    if weight is not None and (weight > 0.0).any():
        scores, weight = scores[weight > 0.0], weight[weight > 0.0]
    last = last_score(scores, weight, mass)
    above, tied = scores > last, scores == last
    weight_above, weight_tied = (
        (float(rows.sum()) if weight is None else float(weight[rows].sum(dtype=np.float64))) for rows in (above, tied)
    )
    lower, upper = scores[scores < last].max(initial=-np.inf), scores[above].min(initial=np.inf)
    return cut_beside(last, weight_above, weight_tied, lower, upper, mass, step, scores.dtype)


def hard_cuts(
    scores: FloatArray, weight: FloatArray | None, offsets: np.ndarray, mass: np.ndarray, step: float = 1.0
) -> np.ndarray:
    """:func:`hard_cut` of every group, (G,), of rows that are sorted by group.

    Group g holds the rows ``offsets[g]`` to ``offsets[g + 1]``, at least one, and takes ``mass[g]`` of their weight.
    """
    begin, end = offsets[:-1], offsets[1:]
    sizes = end - begin
    if weight is not None or scores.size > FEW_EACH * sizes.size:
        return np.array(
            [
                hard_cut(scores[i:j], None if weight is None else weight[i:j], k, step)
                for i, j, k in zip(begin.tolist(), end.tolist(), mass.tolist(), strict=True)
            ]
        )
    codes = np.repeat(np.arange(sizes.size), sizes)
    ascending = scores[np.lexsort((scores, codes))]
    # Runs of rows of one group that score alike: where each begins, and which run a row is in.
    first = np.ones(scores.size, np.bool_)
    first[1:] = (ascending[1:] != ascending[:-1]) | (codes[1:] != codes[:-1])
    starts = np.append(np.flatnonzero(first), scores.size)
    taken = np.minimum(np.ceil(mass).astype(np.intp), sizes)
    at = end - np.maximum(taken, 1)
    last = ascending[at]
    run = np.cumsum(first)[at] - 1
    low, high = starts[run], starts[run + 1]
    lower = np.where(low > begin, ascending[np.maximum(low - 1, 0)], -np.inf).astype(scores.dtype)
    upper = np.where(high < end, ascending[np.minimum(high, scores.size - 1)], np.inf).astype(scores.dtype)
    # As `cut_beside`, for all groups.
    is_in = (mass - (end - high) >= 0.5 * (high - low)) & (mass > 0.0)
    lower, upper = np.where(is_in, lower, last), np.where(is_in, last, upper)
    with np.errstate(over="ignore"):
        below = np.minimum(upper - step, np.nextafter(upper, upper.dtype.type(-np.inf)))
        lower = np.where(np.isfinite(lower), lower, below.astype(scores.dtype))
        above = np.maximum(lower + step, np.nextafter(lower, lower.dtype.type(np.inf)))
        upper = np.where(np.isfinite(upper), upper, above.astype(scores.dtype))
    middle = (0.5 * lower.astype(np.float64) + 0.5 * upper.astype(np.float64)).astype(scores.dtype)
    return np.where(middle < upper, middle, lower).astype(np.float64)


def cut_beside(
    last: Any, above: float, tied: float, lower: Any, upper: Any, mass: float, step: float, dtype: Any = np.float64
) -> float:
    """The cut of :func:`hard_cut` above or below the rows that score ``last``.

    ``above`` and ``tied`` are the weights of the rows with higher and with equal scores; ``lower`` and ``upper`` are
    the next scores below and above, infinite where there are none.
    """
    kind = np.dtype(dtype).type
    if mass - above >= 0.5 * tied and mass > 0.0:
        upper = last
    else:
        lower = last
    # No row below or above: step away from the row, by at least the spacing of the dtype.
    with np.errstate(over="ignore"):
        if not np.isfinite(lower):
            lower = min(upper - step, np.nextafter(upper, -np.inf, dtype=kind))
        if not np.isfinite(upper):
            upper = max(lower + step, np.nextafter(lower, np.inf, dtype=kind))
    middle = kind(0.5 * float(lower) + 0.5 * float(upper))
    return float(middle if middle < upper else lower)
