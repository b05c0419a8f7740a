"""Many projections in one layout: C columns of scores, each in G groups. One projection is C = G = 1."""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from hsboost import _validation as check
from hsboost._kernels import entropic_segments, grouping, search
from hsboost._kernels import gradient as kernels
from hsboost._kernels._compile import BLOCK, as_input
from hsboost._kernels.segments import segment_values
from hsboost._solver import entropic
from hsboost._solver.pav import by_pav
from hsboost._solver.search import Multiplier, multiplier_of, scale_of
from hsboost._solver.segments import Multipliers, Segments, find_multipliers
from hsboost._validation import FloatArray

#: What is added to the linear objective over the hypersimplex.
Regularization: TypeAlias = Literal["euclidean", "entropic"]


class Problems(NamedTuple):
    """P = C x G projections: one for every group in each column of scores.

    Quantities per problem (masses, multipliers) have the shape (C, G).

    Attributes
    ----------
    segments : Segments
        Which rows of a column belong together.
    x : ndarray of shape (C, n)
        Raw scores, sorted by group in each column.
    w : ndarray of shape (n,), or None
        Weights, in the same order.
    """

    segments: Segments
    x: FloatArray
    w: FloatArray | None

    @classmethod
    def of(
        cls,
        scores: FloatArray,
        weight: FloatArray | None,
        segments: Segments | None,
        memory: FloatArray | None = None,
    ) -> Problems:
        """Lay out checked scores (n,) or (n, C) and weights (n,), in the caller's order; None: no groups.

        Scores that have to be sorted are written to ``memory``, (C, n), where there is any.
        """
        columns = scores[None] if scores.ndim == 1 else scores.T
        if segments is None:
            return cls(Segments.one(columns.shape[1]), columns, weight)
        return cls(segments, segments.sort(columns, memory), None if weight is None else segments.sort(weight))

    @property
    def is_one(self) -> bool:
        """Whether this is a single projection, P = 1."""
        return len(self.x) == 1 and self.segments.offsets.size == 2

    def rows(self, c: int, g: int) -> tuple[FloatArray, FloatArray | None]:
        """Scores and weights of one problem."""
        at = self.segments.slice(g)
        return self.x[c, at], None if self.w is None else self.w[at]

    def weights(self) -> np.ndarray:
        """Σ w of each group, the same in all columns: shape (G,)."""
        if self.w is None:
            return np.diff(self.segments.offsets).astype(np.float64)
        if self.segments.offsets.size == 2:
            return np.array([self.w.sum(dtype=np.float64)])
        return np.add.reduceat(self.w, self.segments.offsets[:-1], dtype=np.float64)

    def find(
        self,
        mass: np.ndarray,
        total: np.ndarray,
        temperature: float,
        name: str,
        start: Multipliers | None = None,
        method: str = "threshold",
        regularization: Regularization = "euclidean",
    ) -> Multipliers:
        """Solve all of them.

        Parameters
        ----------
        mass : ndarray of shape (C, G)
        total : ndarray of shape (G,)
            Σ w of each group.
        temperature : float
        name : str
            The user's name for the scores, for errors.
        start : Multipliers of shape (C, G), optional
            Solutions of similar problems to start from. They affect speed, never the result.
        method : {"threshold", "pav"}
        regularization : {"euclidean", "entropic"}

        Raises
        ------
        ValueError
            For scores that are not finite.
        """
        if mass.size == 1 and method == "threshold":
            begin = None if start is None else (start.anchor.item(), start.nu.item())
            one = self.find_one(mass.item(), total.item(), temperature, name, begin, regularization)
            arrays = np.array([[one.anchor]]), np.array([[one.nu]]), np.array([[one.flat]])
            return Multipliers(*arrays, one.scale, one.half)
        columns, n = self.x.shape
        many_of = _SEARCHES[regularization][1]
        try:
            if method == "pav":
                found = [self._by_pav(c, mass[c], total, temperature) for c in range(columns)]
            elif self.are_small and self.w is None:
                every, first = np.full(columns, total[0]), None if start is None else start.reshape(-1)
                equal = Segments.equal(columns, n)
                both = many_of(equal, self.x.reshape(-1), None, mass[:, 0], every, temperature, first)
                return both.reshape(mass.shape)
            else:
                found = [
                    many_of(
                        self.segments, self.x[c], self.w, mass[c], total, temperature,
                        None if start is None else start.row(c),
                    )
                    for c in range(columns)
                ]  # fmt: skip
        except FloatingPointError:
            raise check.not_finite(self.unsorted(self.x), name) from None
        return found[0].reshape((1, -1)) if columns == 1 else Multipliers.stack(found)

    def find_one(
        self,
        mass: float,
        total: float,
        temperature: float,
        name: str,
        start: tuple[float, float] | None = None,
        regularization: Regularization = "euclidean",
    ) -> Multiplier:
        """`find` for P = 1, without arrays; ``start`` is (anchor, nu)."""
        try:
            return _SEARCHES[regularization][0](self.x[0], self.w, mass, total, temperature, start)
        except FloatingPointError:
            raise check.not_finite(self.unsorted(self.x), name) from None

    @property
    def are_small(self) -> bool:
        """Whether these are columns without groups, so small that one thread per column is fastest."""
        columns, n = self.x.shape
        return columns > 1 and self.segments.offsets.size == 2 and not Segments.equal(columns, n).large

    def _by_pav(self, c: int, mass: np.ndarray, total: np.ndarray, temperature: float) -> Multipliers:
        if not np.isfinite(self.x[c]).all():
            raise FloatingPointError
        found = []
        for g, (k, weight_of) in enumerate(zip(mass.tolist(), total.tolist(), strict=True)):
            found.append(by_pav(*self.rows(c, g), k, weight_of, temperature))
        anchor, nu, _, flat, _ = (np.array(part) for part in zip(*found, strict=True))
        return Multipliers(anchor, nu, flat, scale_of(temperature))

    def values(self, where: Multipliers, out: FloatArray, scores: FloatArray | None = None) -> FloatArray:
        """The projections in the caller's order, (C, n); ``out`` may be the scores themselves.

        Faster with ``scores`` in that order, where they had to be sorted.
        """
        segments = self.segments
        if self.are_small:
            equal = Segments.equal(*self.x.shape)
            _write_small(equal, self.x.reshape(-1), where.reshape(-1), out.reshape(-1))
            return out
        if scores is not None and segments.placed is not None and where.half != entropic.HALF:
            # Looking up each row's multiplier takes less than bringing the values back.
            places = np.zeros((where.nu.shape[1], 4))  # one cache line has all that a row needs
            for c, column in enumerate(scores):
                places[:, 0], places[:, 1] = where.anchor[c], where.nu[c]
                places[:, 2] = np.where(where.flat[c], 2 * search.MARGIN, 0.0)
                grouping.values(column.size, as_input(column), segments.placed.codes, where.scale, places, out[c])
            return out
        # Sorted scores are a copy that may be overwritten: each value depends on its own score only.
        target = out if segments.placed is None else self.x
        for c in range(len(self.x)):
            at = where.row(c)
            if segments.small_rows:
                _write_small(segments, self.x[c], at, target[c])
            for g in segments.large:
                rows = segments.slice(g)
                values_at(self.x[c, rows], at.at(g), target[c, rows])
        return segments.unsort(target, out)

    def unsorted(self, columns: FloatArray) -> FloatArray:
        """Columns (C, n) in the caller's shape: (n,) or (n, C)."""
        back = self.segments.unsort(columns)
        return back[0] if len(back) == 1 else back.T


def users_numbers(where: Multipliers, columns: bool, groups: bool, shift: int = 0) -> tuple[Any, Any]:
    """Multipliers and soft thresholds over 2**shift, in the shape of `in_users_shape`."""
    if not columns and not groups:
        one = where.row(0).at(0)
        return one.value, math.ldexp(one.soft_threshold, -shift)
    thresholds = np.ldexp(where.soft_threshold, -shift)
    return in_users_shape(where.value, columns, groups), in_users_shape(thresholds, columns, groups)


def in_users_shape(numbers: np.ndarray, columns: bool, groups: bool) -> Any:
    """Numbers of shape (C, G) as users get them: a float, (G,) with groups, (C,) with columns, (C, G) with both."""
    if not groups:
        numbers = numbers[:, 0]
    if not columns:
        numbers = numbers[0]
    return numbers if np.ndim(numbers) else float(numbers)


#: The searches for one problem and for many, by what is added to the linear objective over the hypersimplex.
_SEARCHES: dict[Regularization, tuple[Any, Any]] = {
    "euclidean": (multiplier_of, find_multipliers),
    "entropic": (entropic.multiplier_of, entropic.find_multipliers),
}
REGULARIZATIONS: tuple[Regularization, ...] = tuple(_SEARCHES)


def values_at(scores: FloatArray, where: Multiplier, out: FloatArray | None = None) -> FloatArray:
    """The projection with this multiplier, in the dtype of the scores; ``out`` may be the scores themselves.

    clip(v, 0, 1) with v = (x - anchor) / temperature - nu, or σ(v) where the multiplier is an entropic one.
    """
    if where.half == entropic.HALF:
        return entropic.values_at(scores, where, out)
    out = np.empty_like(scores) if out is None else out
    margin = 2 * search.MARGIN if where.flat else 0.0
    n = scores.size
    if n <= BLOCK:
        kernels.block_values(scores, where.anchor, where.scale, where.nu, margin, out)
    else:
        kernels.values(n, scores, where.anchor, where.scale, where.nu, margin, out)
    return out


def _write_small(segments: Segments, x: FloatArray, where: Multipliers, out: FloatArray) -> None:
    """`values_at` for the small groups of one column."""
    s = segments
    if where.half == entropic.HALF:
        entropic_segments.segment_values(s.small_rows, x, s.offsets, s.tasks, where.scale, where.anchor, where.nu, out)
        return
    segment_values(
        s.small_rows, x, s.offsets, s.tasks, where.scale, where.anchor, where.nu, where.flat, 2 * search.MARGIN, out
    )


def total_weight(weight: FloatArray | None, n: int) -> float:
    """Σ w, after the weights have been found finite, non-negative and not all zero."""
    if weight is None:
        return float(n)
    with np.errstate(over="ignore"):  # refused below
        total = float(weight.sum(dtype=np.float64))
    if not (np.isfinite(total) and weight.min() >= 0) and not (np.isfinite(weight) & (weight >= 0)).all():
        raise check.bad_weights(weight)
    check.check_total_weight(total)
    return total
