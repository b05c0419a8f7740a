"""Rows in groups, each with its own hypersimplex: their layout in memory, and the multipliers of all groups at once.

Groups of up to `SMALL_GROUP` rows are solved in runs, one thread per run, in the cache (`_kernels.segments`). A larger
group goes through the same threaded passes as a data set without groups. Rows that are sorted by group are used in
place; others are brought into that order first, and the results back (`_kernels.grouping`).
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost._kernels import grouping
from hsboost._kernels import segments as kernels
from hsboost._kernels._compile import BLOCK, PARALLEL_FROM, as_input
from hsboost._kernels.search import NOT_FINITE, SOLVED
from hsboost._solver.search import Multiplier, multiplier_of, scale_of, soft_threshold_of
from hsboost._validation import FloatArray, check_same_length, native

#: Above this size the passes are threaded, and a group uses all cores.
SMALL_GROUP = PARALLEL_FROM

#: Rows that are sorted at a time by one thread, at least, and how many such chunks there are at most.
CHUNK, MOST_CHUNKS = 16_384, 64


class Placed(NamedTuple):
    """Where rows that are not sorted by group go when they are.

    Attributes
    ----------
    codes : ndarray of shape (n,), int32 (int64 for more groups than that holds)
        The group's number for each of the caller's rows.
    place : ndarray of shape (chunks, G), intp
        Where the first row of group g in each chunk of the caller's rows goes.
    """

    codes: np.ndarray
    place: np.ndarray


class Segments:
    """Which rows belong together.

    Attributes
    ----------
    labels : list
        The groups' labels, sorted; everything per group is in this order.
    offsets : ndarray of shape (G + 1,), intp
        Group g holds the rows offsets[g] to offsets[g + 1] of the sorted arrays.
    placed : Placed, or None
        Where the caller's rows go in the sorted arrays; None when they are the same.
    """

    def __init__(self, labels: list[Any], offsets: np.ndarray, placed: Placed | None = None) -> None:
        self.labels, self.offsets, self.placed = labels, offsets, placed
        self.n = int(offsets[-1])
        self._slices: dict[int, slice] = {}
        if offsets.size == 2:  # one problem: the ungrouped passes serve every size
            self.large, self.small_rows, self.tasks = [0], 0, np.empty((2, 0), np.intp)
            return
        sizes = np.diff(offsets)
        small = sizes <= SMALL_GROUP
        self.large = np.flatnonzero(~small).tolist()
        self.small_rows = int(sizes[small].sum())
        # Neighbouring small groups share a task until it has a block of rows.
        run = offsets[:-1] // BLOCK
        begins = np.flatnonzero(np.r_[True, (run[1:] != run[:-1]) | (small[1:] != small[:-1])])
        ends = np.r_[begins[1:], sizes.size]
        self.tasks = np.ascontiguousarray(np.stack([begins, ends])[:, small[begins]], dtype=np.intp)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays that come out of a shared or mapped pickle are read-only.
        for name, value in state.items():
            setattr(self, name, as_input(value) if isinstance(value, np.ndarray) else value)
        if self.placed is not None:
            self.placed = Placed(*map(as_input, self.placed))

    @classmethod
    def one(cls, n: int) -> Segments:
        """All rows together."""
        return _one(n)

    @classmethod
    def by_label(cls, groups: ArrayLike, n: int | None = None, other: str = "") -> Segments:
        """Rows with equal labels together: numbers, texts, dates, categories; none missing."""
        values = _label_array(groups)
        if values.ndim != 1:
            raise ValueError(f"groups must be one-dimensional, got shape {values.shape}; pass one label per row")
        if n is not None:
            check_same_length(values, "groups", n, other)
        if values.size == 0:
            raise ValueError("groups is empty; pass one label per row")
        if values.dtype.kind in "iu":
            starts = kernels.sorted_starts(as_input(values))
            if starts.size:
                return cls(values[starts].tolist(), np.append(starts, values.size), None)
        labels, sizes, placed = _placed(values)
        return cls(labels, np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp), placed)

    @classmethod
    def by_size(cls, pointer: ArrayLike) -> Segments:
        """Groups of neighbouring rows, as boosters keep them: group g is rows pointer[g] to pointer[g + 1]."""
        offsets = np.asarray(pointer).astype(np.intp)
        kept = np.flatnonzero(np.diff(offsets) > 0)  # empty queries have nothing to project
        return cls(kept.tolist(), np.r_[offsets[:1], offsets[1:][kept]], None)

    @classmethod
    def equal(cls, groups: int, rows: int) -> Segments:
        """``groups`` groups of ``rows`` neighbouring rows each, such as the columns of a matrix."""
        return _equal(groups, rows, SMALL_GROUP)

    def take(self, rows: np.ndarray) -> Segments:
        """The groups of some of the caller's rows, in the order given."""
        part = Segments.by_label(self.codes[rows])
        return Segments([self.labels[g] for g in part.labels], part.offsets, part.placed)

    def among(self, labels: list[Any], numbers: np.ndarray) -> Segments:
        """The same rows among the groups of ``labels``, of which group g here is the one with ``numbers[g]``.

        The others have no rows. ``numbers`` ascend.
        """
        sizes = np.zeros(len(labels), np.intp)
        sizes[numbers] = np.diff(self.offsets)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp)
        if self.placed is None:
            return Segments(labels, offsets)
        place = np.zeros((len(self.placed.place), len(labels)), np.intp)
        place[:, numbers] = self.placed.place
        codes = numbers.astype(self.placed.codes.dtype)[self.placed.codes]
        return Segments(labels, offsets, Placed(codes, place))

    @cached_property
    def codes(self) -> np.ndarray:
        """The group's number for each of the caller's rows."""
        if self.placed is not None:
            return self.placed.codes.astype(np.intp)
        return np.repeat(np.arange(len(self.labels)), np.diff(self.offsets))

    @property
    def order(self) -> np.ndarray | None:
        """Row of the caller's arrays behind each sorted row; None when they are the same."""
        return None if self.placed is None else np.argsort(self.placed.codes, kind="stable")

    def sort(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The rows of ``a``, (n,) or (C, n), sorted by group: ``a`` itself if they are sorted already."""
        return a if self.placed is None else _through(grouping.sort, a, self.placed, out)

    def unsort(self, a: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Undo `sort`."""
        return a if self.placed is None else _through(grouping.unsort, a, self.placed, out)

    def slice(self, g: int) -> slice:
        """Where group g lies in the sorted arrays."""
        if g not in self._slices:
            self._slices[g] = slice(int(self.offsets[g]), int(self.offsets[g + 1]))
        return self._slices[g]


@lru_cache(maxsize=32)  # callers ask for the same shapes repeatedly
def _equal(groups: int, rows: int, small: int) -> Segments:
    return Segments(list(range(groups)), np.arange(groups + 1, dtype=np.intp) * rows, None)


@lru_cache(maxsize=32)
def _one(n: int) -> Segments:
    return Segments([None], np.array([0, n], np.intp), None)


def _through(kernel: Any, a: np.ndarray, placed: Placed, out: np.ndarray | None) -> np.ndarray:
    """Sort the rows of ``a``, or of each of its columns (C, n), or undo that."""
    out = np.empty(a.shape, a.dtype) if out is None else out
    for source, target in zip(np.atleast_2d(a), np.atleast_2d(out), strict=True):
        kernel(source.size, as_input(source), *placed, target)
    return out


def _label_array(groups: ArrayLike) -> np.ndarray:
    """Labels unconverted: NumPy would turn a list that mixes texts with numbers or NaN into texts."""
    if isinstance(groups, np.ma.MaskedArray) and np.ma.is_masked(groups):
        raise _missing(int(np.argmax(np.ma.getmaskarray(groups))))
    is_plain = isinstance(groups, list | tuple | range) and np.ndim(np.asarray(groups, dtype=object)) == 1
    are_tuples = isinstance(groups, list) and len(groups) > 0 and all(isinstance(one, tuple) for one in groups)
    values = np.asarray(_objects(groups) if is_plain or are_tuples else groups)
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            short = values.astype(np.float64)
        if values.dtype.itemsize > short.dtype.itemsize and (short != values)[~np.isnan(values)].any():
            raise ValueError(f"groups holds {values.dtype} labels that float64 cannot tell apart; number the groups")
        return short
    return native(values)


def _placed(values: np.ndarray) -> tuple[list[Any], np.ndarray, Placed | None]:
    """The sorted labels, how many rows each has, and where these go; no place where they lie that way."""
    if values.dtype.kind in "iu":
        least, most = _ends(values)
        width = most - least + 1
        if width <= 2 * values.size:  # a table of all numbers in between beats hashing
            if values.dtype != np.int64:
                wide = values if values.dtype.kind == "u" else values.astype(np.int64)
                values, first = (wide - wide.dtype.type(least)).astype(np.int64), 0
            else:
                first = least
            sizes, placed = _numbered(as_input(values), first, width)
            # The sum may overflow uint64.
            labels = (
                [least + code for code in np.flatnonzero(sizes).tolist()] if least else np.flatnonzero(sizes).tolist()
            )
            return labels, *_without_gaps(sizes, placed)
    import pandas as pd  # costs more to load than the rest of this package together

    try:
        found, uniques = pd.factorize(values)
    except TypeError as error:
        raise ValueError(f"groups must hold labels that can be looked up, such as numbers or texts: {error}") from None
    if found.min() < 0:
        raise _missing(int(np.argmin(found)))
    labels = pd.Index(uniques).tolist()
    try:
        rank = sorted(range(len(labels)), key=labels.__getitem__)
    except TypeError:
        raise ValueError("groups must hold labels of one kind that can be sorted (all numbers, all texts, …)") from None
    sizes, placed = _numbered(np.argsort(rank)[found], 0, len(labels))
    return [labels[g] for g in rank], sizes, placed


def _ends(values: np.ndarray) -> tuple[int, int]:
    """The smallest and the largest number."""
    if values.size < PARALLEL_FROM or values.dtype != np.int64:
        return int(values.min()), int(values.max())
    found = np.empty((2, (values.size + BLOCK - 1) // BLOCK), np.int64)
    grouping.ends(values.size, as_input(values), found)
    return int(found[0].min()), int(found[1].max())


def _numbered(labels: np.ndarray, least: int, width: int) -> tuple[np.ndarray, Placed | None]:
    """How many of the int64 ``labels`` are ``least``, ``least`` + 1, …, and where the rows go by them."""
    n = labels.size
    # A chunk needs a place for every number: with few rows of each, fewer chunks.
    chunks = max(1, min(MOST_CHUNKS, n // max(CHUNK, 8 * width)))
    codes = np.empty(n, np.int32 if width <= np.iinfo(np.int32).max else np.int64)
    counts, descends = np.zeros((chunks, width), np.intp), np.empty(chunks, np.bool_)
    grouping.number(n, labels, least, codes, counts, descends)
    sizes = counts.sum(axis=0)
    if not descends.any():
        return sizes, None
    following = np.cumsum(sizes) - sizes
    for place in counts:
        place += following
        following, place[:] = place.copy(), following
    return sizes, Placed(codes, counts)


def _without_gaps(sizes: np.ndarray, placed: Placed | None) -> tuple[np.ndarray, Placed | None]:
    """Numbers without those that no row has."""
    present = sizes > 0
    if present.all():
        return sizes, placed
    if placed is not None:
        ranks = (np.cumsum(present) - 1).astype(placed.codes.dtype)
        placed = Placed(ranks[placed.codes], np.ascontiguousarray(placed.place[:, present]))
    return sizes[present], placed


def _missing(row: int) -> ValueError:
    return ValueError(f"groups must not hold missing labels, got one at row {row}; give those rows a label")


def _objects(groups: ArrayLike) -> np.ndarray:
    labels = list(groups)  # type: ignore[arg-type]
    out = np.empty(len(labels), dtype=object)
    out[:] = labels
    return out


class Multipliers(NamedTuple):
    """One :class:`hsboost._solver.search.Multiplier` per problem, as arrays of one shape: (G,), or (C, G)."""

    anchor: np.ndarray
    nu: np.ndarray
    flat: np.ndarray
    scale: float
    half: float = 0.5

    @classmethod
    def of(cls, one: Multiplier) -> Multipliers:
        """A single one as arrays of shape (1,)."""
        return cls(np.array([one.anchor]), np.array([one.nu]), np.array([one.flat]), one.scale, one.half)

    @classmethod
    def stack(cls, parts: list[Multipliers]) -> Multipliers:
        """Stack the parts, one row each."""
        anchor, nu, flat, *_ = zip(*parts, strict=True)
        return cls(np.stack(anchor), np.stack(nu), np.stack(flat), parts[0].scale, parts[0].half)

    @property
    def soft_threshold(self) -> np.ndarray:
        """The raw score that gets the value 1/2, per problem."""
        return soft_threshold_of(self.anchor, self.nu, self.scale, self.half)

    @property
    def value(self) -> np.ndarray:
        """The multiplier in units of x / temperature, per problem."""
        with np.errstate(over="ignore"):
            return self.anchor * self.scale + self.nu

    def reshape(self, shape: int | tuple[int, ...]) -> Multipliers:
        """The same multipliers in another shape."""
        parts = self.anchor.reshape(shape), self.nu.reshape(shape), self.flat.reshape(shape)
        return Multipliers(*parts, self.scale, self.half)

    def row(self, c: int) -> Multipliers:
        """One row of arrays of shape (C, G)."""
        return Multipliers(self.anchor[c], self.nu[c], self.flat[c], self.scale, self.half)

    def at(self, g: int) -> Multiplier:
        """One entry of arrays of shape (G,)."""
        return Multiplier(float(self.anchor[g]), float(self.nu[g]), self.scale, bool(self.flat[g]), self.half)


class Search(NamedTuple):
    """The search of one projection: a kernel for many small groups, a function for one problem, where nu begins.

    ``half`` is as in :class:`Multipliers`.
    """

    many: Any
    one: Any
    first_nu: float
    half: float


EUCLIDEAN = Search(kernels.segment_thresholds, multiplier_of, -0.5, 0.5)


def find_multipliers(
    segments: Segments,
    x: FloatArray,
    w: FloatArray | None,
    mass: np.ndarray,
    total: np.ndarray,
    temperature: float,
    start: Multipliers | None = None,
    search: Search | None = None,
) -> Multipliers:
    """Solve every group's projection; ``x`` and ``w`` are sorted, ``mass`` and ``total`` are per group.

    Raises FloatingPointError when a score is NaN or infinite.
    """
    search = search or EUCLIDEAN
    scale = scale_of(temperature)
    if start is None:
        anchor = x[segments.offsets[:-1]].astype(np.float64)
        nu = np.full(anchor.size, search.first_nu)
    else:
        anchor, nu = start.anchor.copy(), start.nu.copy()
    where = Multipliers(anchor, nu, np.zeros(anchor.size, np.bool_), scale, search.half)
    status = np.zeros(anchor.size, np.int64)
    unsolved = segments.large
    if segments.small_rows:
        search.many(
            segments.small_rows, x, w, segments.offsets, segments.tasks, scale, mass, total, start is None,
            anchor, nu, where.flat, status,
        )  # fmt: skip
        if (status == NOT_FINITE).any():
            raise FloatingPointError
        unsolved = [*unsolved, *np.flatnonzero(status != SOLVED).tolist()]
    for g in unsolved:
        rows = segments.slice(g)
        first = None if start is None else (float(start.anchor[g]), float(start.nu[g]))
        found = search.one(x[rows], None if w is None else w[rows], float(mass[g]), float(total[g]), temperature, first)
        anchor[g], nu[g], where.flat[g] = found.anchor, found.nu, found.flat
    return where
