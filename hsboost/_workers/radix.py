"""The k-th highest score of distributed rows, and the scores next to it, without moving rows between places.

Radix selection: unsigned integers derived from the floats have the same order. Each exchange adds up over all places
the weight at each value of the next few bits, and so fixes those bits of the answer: three exchanges for float32
scores, six for float64, 16 KB each for one ranking. Many rankings (groups, columns) share the exchanges. The answer is
exactly one of the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from hsboost import _validation as check
from hsboost._solver.top_k import cut_beside
from hsboost._validation import FloatArray
from hsboost._workers.communicator import Workers

#: Bits that one exchange fixes: 2**11 sums for each ranking.
DIGIT = 11
#: Approximate number of sums in one exchange: with many rankings each exchange fixes fewer bits.
MOST_SUMS = 1 << 17


class Rows(NamedTuple):
    """The rows in one place.

    score : (n,), of the dtype passed to the search, or of one that converts to it exactly.
    weight : (n,) or None for ones; the search ignores rows of weight 0.
    ranking : (n,) integers, the ranking that a row belongs to; None when there is only one.
    """

    score: np.ndarray
    weight: np.ndarray | None = None
    ranking: np.ndarray | None = None


class Places(Protocol):
    """The places that hold rows: sums and maxima, over all places, of a function of each place's rows."""

    def sum(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Σ over places of ``function(rows, *arguments)``, float64."""
        ...

    def max(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Elementwise maximum over places."""
        ...


class AtWorkers:
    """XGBoost workers as places; all of them must run the same search."""

    def __init__(self, workers: Workers, rows: Any) -> None:
        self.workers, self.rows = workers, rows

    def sum(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Σ over workers."""
        return self.workers.sum(shape, lambda: function(self.rows, *arguments))

    def max(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Maximum over workers."""
        return self.workers.max(shape, lambda: function(self.rows, *arguments))


class Boundaries(NamedTuple):
    """For each ranking: the score of the last row (at least in part) among the top ``mass``, and the weights around it.

    The score is NaN for rankings without rows.
    """

    last: np.ndarray
    above: np.ndarray  # weight of the rows with higher scores
    tied: np.ndarray  # weight of the rows with this score


def boundaries(places: Places, mass: np.ndarray, dtype: Any, name: str = "y_score") -> Boundaries:
    """For each ranking the highest score that, with all above it, reaches the weight ``mass``.

    A mass of 0 gives the highest score, a mass of more than all rows the lowest one. Sums of non-integer weights
    depend on their order: where a running sum equals ``mass`` up to rounding, the result may be the next row's score.

    Parameters
    ----------
    places : Places
        The places, which hold :class:`Rows`.
    mass : ndarray of shape (P,)
        The weight sought in each ranking.
    dtype : float32 or float64
        Type of the scores.
    name : str
        Name of the scores in errors.

    Raises
    ------
    ValueError
        For scores that are not finite, or bad weights, in any place.
    """
    kind = np.dtype(dtype)
    bits = 8 * kind.itemsize
    n = mass.size
    step = int(np.clip(np.log2(MOST_SUMS / n), 1, DIGIT))
    prefix = np.zeros(n, np.uint64)
    above, tied = np.zeros(n), np.zeros(n)
    known = 0
    while known < bits:
        width = min(step, bits - known)
        sums = places.sum((n, 1 << width), _histogram, kind, prefix, known, width, name)
        running = above[:, None] + np.cumsum(sums[:, ::-1], axis=1)  # best first
        there = sums[:, ::-1] > 0.0
        reached = there & (running >= mass[:, None])
        final = (1 << width) - 1 - np.argmax(there[:, ::-1], axis=1)
        digit = np.where(reached.any(axis=1), np.argmax(reached, axis=1), final)
        each = np.arange(n)
        tied = sums[:, ::-1][each, digit]
        above = np.where(digit > 0, running[each, np.maximum(digit, 1) - 1], above)
        prefix = (prefix << np.uint64(width)) | ((1 << width) - 1 - digit).astype(np.uint64)
        known += width
    last = np.where(tied > 0.0, _score(prefix, kind), np.nan)
    return Boundaries(last, np.where(tied > 0.0, above, 0.0), tied)


def cuts(places: Places, found: Boundaries, mass: np.ndarray, offset: Any = 0.0, unit: float = 1.0) -> np.ndarray:
    """:func:`hsboost._solver.top_k.hard_cut` of each ranking, for float64 scores (those searched · unit + offset)."""
    n = mass.size
    around = places.max((2, n), _neighbours, found.last)
    shift = np.broadcast_to(np.asarray(offset, dtype=np.float64), (n,))
    lower, upper = unit * around[0] + shift, shift - unit * around[1]
    last = unit * found.last + shift
    each = zip(last, found.above, found.tied, lower, upper, mass, np.full(n, unit), strict=True)
    return np.array([np.nan if np.isnan(one[0]) else cut_beside(*one) for one in each])


def _histogram(rows: Any, kind: np.dtype[Any], prefix: np.ndarray, known: int, width: int, name: str) -> np.ndarray:
    """Weight by ranking and by the next ``width`` bits, of rows whose ``known`` first bits are those of ``prefix``."""
    score, weight, ranking = _counted(rows, kind, name, first=known == 0)
    image = _image(score)
    bits = 8 * kind.itemsize
    if known:
        own = prefix.astype(image.dtype)
        inside = image >> image.dtype.type(bits - known) == (own[0] if ranking is None else own[ranking])
        image = image[inside]
        weight = None if weight is None else weight[inside]
        ranking = None if ranking is None else ranking[inside]
    digit = (image >> image.dtype.type(bits - known - width)) & image.dtype.type((1 << width) - 1)
    at = digit.astype(np.intp)
    if ranking is not None:
        at += ranking.astype(np.intp) << width
    return np.bincount(at, weight, minlength=prefix.size << width)


def _neighbours(rows: Any, last: np.ndarray) -> np.ndarray:
    """For each ranking the highest score below ``last``, and the negative of the lowest above it (-inf for none)."""
    score, _, ranking = _counted(rows, np.dtype(np.float64), "y_score", first=False)
    ranking = np.zeros(score.size, np.intp) if ranking is None else ranking
    own = last[ranking]
    out = np.full((2, last.size), -np.inf)
    for side, here, values in ((0, score < own, score), (1, score > own, -score)):
        np.maximum.at(out[side], ranking[here], values[here])
    return out


def _counted(rows: Any, kind: np.dtype[Any], name: str, first: bool) -> tuple[FloatArray, Any, Any]:
    """The rows with positive weight; ``first``: check their values too."""
    score, weight, ranking = rows.score, rows.weight, rows.ranking
    if not np.can_cast(score.dtype, kind):
        raise TypeError(f"{name} was to be {kind}, got {score.dtype}")
    score = score.astype(kind, copy=False)
    if first and not np.isfinite(score).all():
        raise check.not_finite(score, name)
    if weight is None:
        return score, weight, ranking
    if first and not (np.isfinite(weight) & (weight >= 0)).all():
        raise check.bad_weights(weight)
    here = weight > 0
    if here.all():
        return score, weight, ranking
    return score[here], weight[here], None if ranking is None else ranking[here]


def _image(score: FloatArray) -> np.ndarray:
    """Unsigned integers in the order of the scores; -0.0 and 0.0 are equal."""
    unsigned = np.dtype(f"u{score.dtype.itemsize}").type
    sign = unsigned(1 << (8 * score.dtype.itemsize - 1))
    image = (score + score.dtype.type(0)).view(unsigned)
    return np.where(image & sign, ~image, image | sign)


def _score(image: np.ndarray, kind: np.dtype[Any]) -> np.ndarray:
    """Undo :func:`_image`, as float64."""
    unsigned = np.dtype(f"u{kind.itemsize}").type
    sign = unsigned(1 << (8 * kind.itemsize - 1))
    image = image.astype(unsigned)
    with np.errstate(invalid="ignore"):  # rankings without rows
        return np.where(image & sign, image ^ sign, ~image).view(kind).astype(np.float64)
