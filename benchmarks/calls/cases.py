"""The rows of each case: one problem, or many in one array, with a budget for each group of rows or class column.

Scores of several shapes, labels that follow them, weights; all seeded by the case.
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

DTYPES = ("float64", "float32")
#: Share of rows that are positive, which is also the budget.
BUDGETS = {"small": 0.01, "half": 0.5, "near": 0.99}
#: The shape of the requirements: distribution, budget, weights.
LINE = ("normal", "half", False)
#: Largest change of a score in one boosting round, in units of the temperature: learning rate 0.1, leaf values up to 1.
ROUND_MOVE = 0.1


@dataclass(frozen=True)
class Case:
    """One problem size and shape; ``budget`` is a key of BUDGETS, the temperature is 1."""

    n: int
    distribution: str
    budget: str
    dtype: str
    weights: bool

    kind: ClassVar[str] = "one"

    @property
    def on_line(self) -> bool:
        """Whether this is the shape of the requirements, which is run at every size."""
        return (self.distribution, self.budget, self.weights) == LINE

    @property
    def key(self) -> str:
        """The case's name in runs.jsonl; all of it but the size is the case's shape."""
        weights = "weighted" if self.weights else "unweighted"
        return f"{self.distribution}/{self.budget}/{self.dtype}/{weights}/{self.n}"


@dataclass(frozen=True)
class Rows:
    """Scores, labels (float32, 0 and 1), weights or None, and the mass k = Σ w y."""

    x: FloatArray
    y: NDArray[np.float32]
    w: FloatArray | None
    k: float


def _normal(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    return rng.standard_normal(n)


def _heavy_tails(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    return rng.standard_t(1.5, n)


def _ties(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    return rng.standard_normal(n).round(1)


def _margins(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    p = np.clip(rng.beta(0.5, 8.0, n), 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(p) - np.log1p(-p))


def _saturated(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    # Clusters as large as the budget: every row ends at 0 or 1 and the threshold may be anywhere in the gap.
    x = rng.standard_normal(n)
    x[rng.permutation(n)[: _positives(n, share)]] += 100.0
    return x


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int, float], FloatArray]] = {
    "normal": _normal,
    "heavy_tails": _heavy_tails,
    "ties": _ties,
    "margins": _margins,
    "saturated": _saturated,
}
DESCRIPTIONS = {
    "normal": "standard normal",
    "heavy_tails": "Student's t with 1.5 degrees of freedom",
    "ties": "standard normal rounded to one decimal: a few dozen distinct values",
    "margins": "logits of Beta(0.5, 8) probabilities, as log loss leaves them",
    "saturated": "two clusters 100 temperatures apart, as large as the budget and the rest",
}


def _positives(n: int, share: float) -> int:
    return min(max(round(share * n), 1), n - 1)


def _generator(case: Case) -> np.random.Generator:
    # By shape and size only: both dtypes see the same rows.
    return np.random.default_rng(zlib.crc32(f"{case.distribution}/{case.budget}/{case.n}".encode()))


def make_rows(case: Case) -> Rows:
    """Draw the rows of a case; labels are the highest scores after noise, as for a half-trained model."""
    rng = _generator(case)
    share = BUDGETS[case.budget]
    x = DISTRIBUTIONS[case.distribution](rng, case.n, share)
    noisy = rng.standard_normal(case.n)
    noisy += x
    place = case.n - _positives(case.n, share)
    y = (noisy >= np.partition(noisy, place)[place]).astype(np.float32)
    w = rng.uniform(0.5, 2.0, case.n).astype(case.dtype) if case.weights else None
    k = float(y.sum(dtype=np.float64)) if w is None else float(np.dot(w.astype(np.float64), y.astype(np.float64)))
    return Rows(x.astype(case.dtype, copy=False), y, w, k)


def round_before(x: FloatArray) -> FloatArray:
    """Return the scores one boosting round earlier, for the warm start."""
    move = np.random.default_rng(x.size).random(x.shape, dtype=np.float32)
    move -= 0.5
    move *= 2.0 * ROUND_MOVE
    return np.asarray(x + move, dtype=x.dtype)


CLASSES = 10
FEW_GROUPS = 10
ROWS_OF_SMALL_GROUPS = 100
#: Fewer rows are too few for ten groups or classes.
FEWEST_SCORES = 100

LAYOUT_LABELS = {
    "many_sorted": "many groups, sorted",
    "many_shuffled": "many groups, shuffled",
    "few_sorted": f"{FEW_GROUPS} groups, sorted",
    "few_shuffled": f"{FEW_GROUPS} groups, shuffled",
    "columns_c": f"{CLASSES} columns, C order",
    "columns_f": f"{CLASSES} columns, F order",
}
LAYOUTS = tuple(LAYOUT_LABELS)


@dataclass(frozen=True)
class PartCase:
    """One size, in scores of all parts together, and one layout, a key of LAYOUT_LABELS; the temperature is 1."""

    n: int
    layout: str
    dtype: str
    weights: bool

    #: The requirements apply to single problems only.
    on_line: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """The kind of problem that rivals must support: ``groups`` or ``columns``."""
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
        """One part as a single problem."""
        at = self.index[p]
        if self.groups is None:
            return Rows(self.x[at], (self.y == p).astype(np.float32), self.w, float(self.k[p]))
        return Rows(self.x[at], self.y[at], None if self.w is None else self.w[at], float(self.k[p]))


def make_parts(case: PartCase) -> PartRows:
    """Draw the rows of a case: normal scores, shifted by a normal number for each part, so that all cuts differ."""
    # Layouts of the same kind hold the same numbers.
    rng = np.random.default_rng(zlib.crc32(f"{case.layout.partition('_')[0]}/{case.n}".encode()))
    return _columns(case, rng) if case.kind == "columns" else _groups(case, rng)


def _groups(case: PartCase, rng: np.random.Generator) -> PartRows:
    """Half of the rows are positive; the sizes of the groups are random."""
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
    """About a tenth of the rows in each class: the class whose score is highest after noise."""
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
