"""What the passes of a hypersimplex loss offer, whichever projection it uses, and how derivatives are scaled."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from hsboost._solver.problems import Regularization
from hsboost._solver.segments import Multipliers
from hsboost._validation import FloatArray
from hsboost._workers.communicator import Workers
from hsboost.losses._problems import Rows


class Slopes(NamedTuple):
    """How derivatives are scaled, for the squared composition and for the ``convex`` (Fenchel-Young) loss.

    Euclidean: gradient = slope w (r - mean) on the active set A and outer w (r - mean) off A; hessian = bend w
    max(1 - own w / Σ_A w, floor) on A and bend w floor off A. r = ŷ - y; the mean is that of r on A, or, for the convex
    loss, (k - Σ w y) / Σ w.

    Entropic, with d = ŷ (1 - ŷ) and S = Σ w d: gradient = slope w d (r - Σ w d r / S); hessian = bend w d²
    (1 - own w (2 d / S - Σ w d² / S²)), and at least ``floor`` of the mean of d². Convex: slope w (r - mean); bend w d
    (1 - own w d / S), and at least ``floor`` of the mean of d. ``levelled``: both times one number that brings the
    curvature of the rows that count near their weight. ``unit``: hessian = bend w for every row.
    """

    slope: float
    bend: float
    floor: float
    own: float = 0.0
    convex: bool = False
    levelled: bool = False
    unit: bool = False

    @property
    def outer(self) -> float:
        """The slope off the active set."""
        return self.slope if self.convex else 0.0


class Totals(NamedTuple):
    """All rows of every problem: budget as a mass and Σ w y of each (C, G), Σ w of each group (G,)."""

    mass: np.ndarray
    total: np.ndarray
    positive: np.ndarray


class Sums(NamedTuple):
    """What a pass over all rows finds for the derivatives, per problem, (C, G).

    Euclidean: ``active`` and ``residual`` are Σ w and Σ w r of the active rows. Entropic: 4 Σ w d (a row with ŷ = 1/2
    counts whole), Σ w d r, and ``square`` is Σ w d². Tailored: 4 Σ w d, Σ w d y and Σ w d². ``total`` (G,) and
    ``positive`` are Σ w and Σ w y as this pass adds them up, and ``known`` says whether these are what was expected,
    and no label or weight is wrong. ``kept`` is what the same pass of the next round may start from.
    """

    active: np.ndarray
    residual: np.ndarray
    square: np.ndarray | None = None
    total: np.ndarray | None = None
    positive: np.ndarray | None = None
    known: bool = True
    kept: Any = None


class Solved(NamedTuple):
    """A projection over workers: where, the sums over all of their rows, and what the next search starts from."""

    where: Multipliers
    sums: Sums
    guess: object


class Passes(Protocol):
    """The passes over rows whose projection is known, and the search for it."""

    @property
    def REGULARIZATION(self) -> Regularization:
        """As `hsboost._solver.problems.Problems.find` knows the projection."""
        ...

    def checks_along(self, rows: Rows) -> bool:
        """Whether `sums` looks at labels and weights of these rows, too."""
        ...

    def sums(self, rows: Rows, where: Multipliers, totals: Totals, kept: Any = None) -> Sums | None:
        """The sums behind the derivatives; the same pass compares ``totals``. None: `write` adds up.

        ``kept`` is what the last round's sums left for these; it affects speed, never the result.
        """
        ...

    def write(
        self,
        rows: Rows,
        where: Multipliers,
        slopes: Slopes,
        gradient: FloatArray,
        hessian: FloatArray,
        totals: Totals,
        sums: Sums | None,
    ) -> np.ndarray:
        """Gradient and curvature into arrays (C, n), group after group; returns the active weight of every problem."""
        ...

    def value(self, rows: Rows, where: Multipliers, convex: bool, totals: Totals) -> float:
        """The loss over all problems."""
        ...

    def solve_over_workers(
        self,
        workers: Workers,
        rows: Rows,
        totals: Totals,
        temperature: float,
        guess: Any,
    ) -> Solved:
        """The projections of all workers' rows; ``guess`` is what the last round's gave, the same everywhere."""
        ...


def one_problem(rows: Rows, c: int, g: int) -> tuple[int, FloatArray, FloatArray, FloatArray | None]:
    """Number, scores, labels and weights of the rows of one problem."""
    if rows.problems.is_one:
        return rows.problems.x[0].size, rows.problems.x[0], rows.y[0], rows.problems.w
    x, w = rows.problems.rows(c, g)
    return x.size, x, rows.y[c, rows.problems.segments.slice(g)], w


def place_of(where: Multipliers, c: int, g: int) -> tuple[float, float, float]:
    """Anchor, scale and nu of one problem."""
    return where.anchor.item(c, g), where.scale, where.nu.item(c, g)


def seen(found: np.ndarray, kinds: int, totals: Totals) -> Sums:
    """`Sums` of the problems' sums, class after class: so many for the derivatives, then those of `block_labels`.

    ``found`` has a row for each problem.
    """
    total, positive = totals.total, totals.positive
    if len(found) == 1:  # in a fifth of the time
        one = found[0].tolist()
        known = one[kinds:] == [total.item(), positive.item(), 0.0, 0.0]
        if not known:
            total, positive = np.array([one[kinds]]), np.array([[one[kinds + 1]]])
        square = np.array([[one[2]]]) if kinds > 2 else None
        return Sums(np.array([[one[0]]]), np.array([[one[1]]]), square, total, positive, known)
    by_class = found.reshape(*positive.shape, -1)
    weights, positives, wrong = by_class[:, :, kinds], by_class[:, :, kinds + 1], by_class[:, :, kinds + 2 :]
    known = bool((weights == total).all() and (positives == positive).all() and not wrong.any())
    parts = [np.ascontiguousarray(by_class[:, :, i]) for i in range(kinds)]
    square = parts[2] if kinds > 2 else None
    if not known:
        total, positive = weights[0].copy(), positives.copy()
    return Sums(parts[0], parts[1], square, total, positive, known)
