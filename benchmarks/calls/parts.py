"""Cases with many problems in one array: a budget for each group of rows, or for each class column."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.calls.cases import LINE, Case, FloatArray, Rows, make_rows

CLASSES = 10
FEW_GROUPS = 10
ROWS_OF_SMALL_GROUPS = 100
#: Fewer make no ten groups or classes.
FEWEST_SCORES = 100

LABELS = {
    "many_sorted": "many groups, sorted",
    "many_shuffled": "many groups, shuffled",
    "few_sorted": f"{FEW_GROUPS} groups, sorted",
    "few_shuffled": f"{FEW_GROUPS} groups, shuffled",
    "columns_c": f"{CLASSES} columns, C order",
    "columns_f": f"{CLASSES} columns, F order",
}
LAYOUTS = tuple(LABELS)


@dataclass(frozen=True)
class PartCase:
    """One size, in scores of all parts together, and one layout, a key of LABELS; the temperature is 1."""

    n: int
    layout: str
    dtype: str
    weights: bool

    #: The promises speak of single problems.
    on_line: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """What rivals must be able to do: ``groups`` or ``columns``."""
        return "columns" if self.layout.startswith("columns") else "groups"

    @property
    def key(self) -> str:
        """The case's name in runs.jsonl; all of it but the size is the case's shape."""
        return f"{self.layout}/{self.dtype}/{'weighted' if self.weights else 'unweighted'}/{self.n}"


@dataclass(frozen=True)
class PartRows:
    """The rows of all parts, as hsboost takes them, and the same numbers as one problem.

    ``x`` is (n,) with ``groups`` (n,), integers in order of the parts, or (n, C) with classes in ``y``; ``w`` is (n,)
    or None, ``k`` the mass of each part; ``index[p]`` picks part p out of ``x``.
    """

    x: FloatArray
    y: NDArray[np.float32]
    w: FloatArray | None
    k: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    index: list[Any]
    one: Rows

    def of(self, p: int) -> Rows:
        """One part, as a problem of its own."""
        at = self.index[p]
        if self.groups is None:
            return Rows(self.x[at], (self.y == p).astype(np.float32), self.w, float(self.k[p]))
        return Rows(self.x[at], self.y[at], None if self.w is None else self.w[at], float(self.k[p]))


def make_parts(case: PartCase) -> PartRows:
    """Draw the rows of a case: normal scores, moved for each part by a normal number, so that no two cuts agree."""
    # Layouts of one kind hold the same numbers.
    rng = np.random.default_rng(zlib.crc32(f"{case.layout.partition('_')[0]}/{case.n}".encode()))
    return _columns(case, rng) if case.kind == "columns" else _groups(case, rng)


def _groups(case: PartCase, rng: np.random.Generator) -> PartRows:
    """Half of the rows are positive; the sizes of the groups vary as chance has it."""
    rows = make_rows(Case(case.n, *LINE[:2], case.dtype, case.weights))
    most = FEW_GROUPS if case.layout.startswith("few") else max(2, case.n // ROWS_OF_SMALL_GROUPS)
    _, groups = np.unique(rng.integers(most, size=case.n), return_inverse=True)
    groups = np.sort(groups).astype(np.int64)
    x, y, w = rows.x + rng.standard_normal(most)[groups].astype(case.dtype), rows.y, rows.w
    order = rng.permutation(case.n) if case.layout.endswith("shuffled") else None
    if order is not None:
        x, y, w, groups = x[order], y[order], None if w is None else w[order], groups[order]
    k = np.bincount(groups, weights=y if w is None else w.astype(np.float64) * y).astype(np.float64)
    ends = [0, *np.cumsum(np.bincount(groups)).tolist()]
    index: list[Any] = [slice(*pair) for pair in itertools.pairwise(ends)]
    if order is not None:
        by_group = np.argsort(groups, kind="stable")
        index = [by_group[at] for at in index]
    return PartRows(x, y, w, k, groups, index, Rows(x, y, w, float(k.sum())))


def _columns(case: PartCase, rng: np.random.Generator) -> PartRows:
    """A tenth of the rows in each class, give or take: the class whose score is highest after noise."""
    n = case.n // CLASSES
    rows = make_rows(Case(n * CLASSES, *LINE[:2], case.dtype, False))
    x = rows.x.reshape(n, CLASSES)
    classes = (x + rng.standard_normal(x.shape)).argmax(axis=1)
    order: Literal["C", "F"] = "C" if case.layout.endswith("_c") else "F"
    x = np.asarray(x + rng.standard_normal(CLASSES), case.dtype, order=order)
    w = rng.uniform(0.5, 2.0, n).astype(case.dtype) if case.weights else None
    k = np.bincount(classes, weights=w, minlength=CLASSES).astype(np.float64)
    index = [(slice(None), c) for c in range(CLASSES)]
    of_class = (classes[:, None] == np.arange(CLASSES)).astype(np.float32)
    weight = None if w is None else np.broadcast_to(w[:, None], x.shape).ravel(order)
    one = Rows(x.ravel(order), of_class.ravel(order), weight, float(k.sum()))
    return PartRows(x, classes.astype(np.float32), w, k, None, index, one)
