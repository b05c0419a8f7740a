"""One boosting round of the hypersimplex losses when the rows are spread over XGBoost's workers.

The same mathematics as `_single` and `_grouped`: budgets, thresholds and mean residuals are those of all rows
together, gradients are written for the worker's own. A worker without rows joins every exchange.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._kernels._compile import at_most
from hsboost._solver.search import scale_of
from hsboost._solver.segments import Multipliers, Segments
from hsboost._validation import Budgets, FloatArray
from hsboost._workers.communicator import Traffic, Workers
from hsboost._workers.rows import WorkerRows
from hsboost._workers.search import Found, Guess, find_distributed
from hsboost.losses import _grouped, _single
from hsboost.losses._single import Slopes

#: Stamps are below this: sums of their squares over thousands of workers stay exact.
_STAMPS = 1 << 20


class Shared(NamedTuple):
    """What the rounds of one training know, the same on every worker but for ``own``.

    Arrays have an entry per problem: class after class, and in each group after group. ``stamp`` tells whether all
    workers come from the same round; ``own`` is Σ w and Σ w y of this worker's rows.
    """

    stamp: int
    threads: int
    classes: int
    labels: list[Any] | None
    total: np.ndarray
    positive: np.ndarray
    mass: np.ndarray
    own: np.ndarray
    where: Multipliers
    active: np.ndarray
    guess: Guess
    traffic: Traffic


class DistributedRound(NamedTuple):
    """What a round leaves for the next: one class's view of it, and arrays to write into."""

    shared: Shared
    of_class: int = 0
    gradient: np.ndarray | None = None
    hessian: np.ndarray | None = None

    def _part(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(self.shared.classes, -1)[self.of_class]

    @property
    def soft_threshold(self) -> Any:
        """The raw score that got ŷ = 1/2; one per group where there are groups."""
        cuts = self._part(self.shared.where.soft_threshold)
        return float(cuts[0]) if self.shared.labels is None else cuts

    @property
    def active_share(self) -> float:
        """Share of the weight, on all workers, with 0 < ŷ < 1."""
        return float(self._part(self.shared.active).sum()) / self.total

    @property
    def total(self) -> float:
        """Σ w of all workers' rows."""
        return float(self._part(self.shared.total).sum())

    @property
    def traffic(self) -> Traffic:
        """What this worker sent in the round."""
        return self.shared.traffic

    def without_arrays(self) -> DistributedRound:
        """What has not the size of the data."""
        return self._replace(gradient=None, hessian=None)


class _Own(NamedTuple):
    """This worker's rows, checked, problem after problem; Σ w and Σ w y of each, (2, P)."""

    rows: WorkerRows
    segments: Segments
    sums: np.ndarray


def step(
    workers: Workers,
    inputs: Callable[[], tuple[FloatArray, FloatArray | None, Segments | None]],
    y_true: Callable[[], ArrayLike],
    k: Budgets,
    temperature: float,
    slopes_of: Callable[[float], Slopes],
    state: Any,
    grouped: bool,
) -> tuple[np.ndarray, np.ndarray, Any]:
    """One boosting round.

    Parameters
    ----------
    workers : Workers
    inputs : callable
        Gives scores (n,) or (n, C), weights and groups of this worker's rows, or raises. Without rows: scores (0,).
    y_true : callable
        Gives this worker's labels; not called where there are no rows.
    k, temperature, slopes_of
        As for :func:`hsboost.losses._single.step`.
    state : DistributedRound, tuple of them or None
        Of the last round.
    grouped : bool
        Whether there are groups; the same everywhere.
    """
    if type(state) is tuple:
        state = state[0]
    last = state.shared if isinstance(state, DistributedRound) else None
    with ExitStack() as limits:
        if last is not None:
            limits.enter_context(at_most(last.threads))
        x, w, segments, classes, own, changed, last = _meet(workers, inputs, y_true, last)
        threads = workers.threads_each() if last is None else last.threads
        limits.enter_context(at_most(threads))
        if last is not None:
            labels = last.labels
        else:
            labels = _union(workers.share(lambda: segments.labels if segments else [])) if grouped else None
        count = classes * (1 if labels is None else len(labels))
        if last is None or changed:

            def totals() -> np.ndarray:
                nonlocal own
                own = own or _own_rows(x, y_true, w, segments, labels, classes)
                return own.sums

            total, positive = workers.sum((2, count), totals)
            check.check_total_weight(float(total.sum()))
            mass = _masses(k, labels, total, positive, classes)
            if last is None:
                _single.warn_if_all(float(mass.sum()), float(total.sum()), slopes_of(float(total.sum())))
        else:
            total, positive, mass = last.total, last.positive, last.mass
        assert own is not None
        found = find_distributed(
            workers, own.rows, mass, total, scale_of(temperature), None if last is None else last.guess
        )
        stamp = _new_stamp(workers) if last is None else _next_stamp(last.stamp)
        shared = Shared(
            stamp=stamp, threads=threads, classes=classes, labels=labels, total=total, positive=positive, mass=mass,
            own=own.sums, where=found.where, active=found.active, guess=found.guess(), traffic=workers.traffic,
        )  # fmt: skip
        if classes == 1 and labels is None:
            gradient, hessian = _single.arrays_after(state, own.segments.n)
            _write(own, shared, found, slopes_of, gradient, hessian)
            return gradient, hessian, DistributedRound(shared, 0, gradient, hessian)
        gradient, hessian = _derivatives(own, shared, found, slopes_of)
        if classes == 1:
            return gradient, hessian, DistributedRound(shared)
        columns = gradient.reshape(classes, -1).T, hessian.reshape(classes, -1).T
        return *columns, tuple(DistributedRound(shared, c) for c in range(classes))


def _meet(
    workers: Workers,
    inputs: Callable[[], tuple[FloatArray, FloatArray | None, Segments | None]],
    y_true: Callable[[], ArrayLike],
    last: Shared | None,
) -> tuple[FloatArray, FloatArray | None, Segments | None, int, _Own | None, bool, Shared | None]:
    """This worker's rows, and what all workers agree on: how many classes, and whether to go on from ``last``."""
    here: list[Any] = []

    def look() -> list[float]:
        x, w, segments = inputs()
        n = x.shape[0]
        classes = 1 if x.ndim == 1 else x.shape[1]
        own = None
        if last is not None and (n == 0 or classes == last.classes):
            own = _own_rows(x, y_true, w, segments, last.labels, last.classes)
        here.append((x, w, segments, own))
        stamp = 0 if own is None else last.stamp  # type: ignore[union-attr]
        changed = own is not None and not np.array_equal(own.sums, last.own)  # type: ignore[union-attr]
        return [n > 0, classes if n else 0, stamp, stamp**2, changed]

    present, columns, stamps, squares, changed = (int(v) for v in workers.sum((5,), look))
    if present == 0:
        raise ValueError("y_true is empty on every worker; pass at least one row")
    classes, rest = divmod(columns, present)
    x, w, segments, own = here[0]
    if rest or (x.shape[0] and classes != (1 if x.ndim == 1 else x.shape[1])):
        raise RuntimeError("the workers' raw predictions differ in their number of columns")
    # Equality in Cauchy and Schwarz: all stamps are the same.
    together = stamps > 0 and workers.size * squares == stamps**2
    if not together:
        own, last = None, None
    return x, w, segments, classes, own, changed > 0, last


def _own_rows(
    x: FloatArray,
    y_true: Callable[[], ArrayLike],
    w: FloatArray | None,
    segments: Segments | None,
    labels: list[Any] | None,
    classes: int,
) -> _Own:
    """Check this worker's rows and lay them out problem after problem."""
    n = x.shape[0]
    everyone = [None] if labels is None else labels
    groups = len(everyone)
    if n == 0:
        nothing = np.empty(0, np.float32)
        none_at_all = np.zeros(classes * groups + 1, np.intp)
        order = Segments(everyone, none_at_all[: groups + 1], None)
        return _Own(WorkerRows(nothing, nothing, None, none_at_all), order, np.zeros((2, classes * groups)))
    if not np.isfinite(x).all():
        raise check.not_finite(x, "raw_prediction")
    order = Segments([None], np.array([0, n], np.intp), None) if segments is None else _among(segments, everyone)
    if classes == 1:
        columns, targets = [x], [y_true()]
    else:
        codes = check.check_classes(y_true(), n, classes)
        columns, targets = [x[:, c] for c in range(classes)], [(codes == c).astype(np.float32) for c in range(classes)]
    counted = [_grouped.count(order, target, n, w) for target in targets]
    ends = [c * n + order.offsets[1:] for c in range(classes)]
    rows = WorkerRows(
        _stacked([order.sort(np.ascontiguousarray(column)) for column in columns]),
        _stacked([one.y for one in counted]),
        None if w is None else _stacked([one.w for one in counted]),
        np.concatenate([[0], *ends]).astype(np.intp),
    )
    return _Own(
        rows, order, np.array([np.concatenate(part) for part in zip(*[one[2:] for one in counted], strict=True)])
    )


def _stacked(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _among(segments: Segments, labels: list[Any]) -> Segments:
    """The same rows, with a place for every group of all workers."""
    place = {label: g for g, label in enumerate(labels)}
    unknown = [label for label in segments.labels if label not in place]
    if unknown:
        raise ValueError(
            f"groups has the label {unknown[0]!r}, which no worker had in the first round; keep the groups"
        )
    sizes = np.zeros(len(labels), np.intp)
    sizes[[place[label] for label in segments.labels]] = np.diff(segments.offsets)
    return Segments(labels, np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp), segments.order)


def _union(labels: list[list[Any]]) -> list[Any]:
    """Every worker's labels, sorted as `Segments` sorts them."""
    try:
        return sorted(set().union(*labels))
    except TypeError:
        raise ValueError("groups must hold labels of one kind (all numbers, all texts, …) on all workers") from None


def _masses(k: Budgets, labels: list[Any] | None, total: np.ndarray, positive: np.ndarray, classes: int) -> np.ndarray:
    """The mass of each problem; errors are the same on every worker, as these numbers are."""
    budgets = [k] if classes == 1 else check.class_budgets(k, classes)
    weights, found = total.reshape(classes, -1), positive.reshape(classes, -1)
    masses: list[Any] = []
    for budget, of_all, of_positives in zip(budgets, weights, found, strict=True):
        if labels is None:
            single = check.single_budget(budget)
            masses.append([check.budget_mass(single, float(of_all[0]), float(of_positives[0]))])
        else:
            masses.append(check.BudgetRule.of(budget, labels).masses(of_all, of_positives))
    mass = np.concatenate(masses)
    if k is None and classes == 1 and not 0.0 < mass.sum() < total.sum():
        raise _single.one_class(0 if mass.sum() <= 0.0 else 1)
    if k is None and classes > 1 and (found.sum(axis=1) > 0.0).sum() < 2:
        raise _single.few_classes(np.flatnonzero(found.sum(axis=1) > 0.0).tolist())
    return mass


def _write(
    own: _Own,
    shared: Shared,
    found: Found,
    slopes_of: Callable[[float], Slopes],
    gradient: np.ndarray,
    hessian: np.ndarray,
) -> None:
    """Gradient and curvature of one problem, straight into the given arrays."""
    if gradient.size == 0:
        return
    total, positive, mass = (float(part[0]) for part in (shared.total, shared.positive, shared.mass))
    rows = _single.Rows(own.rows.x, own.rows.y, own.rows.w, total, positive, mass)
    slopes = slopes_of(total)
    mean = rows.mean(slopes, float(found.active[0]), float(found.mass[0] - found.positive[0]))
    _single.write_derivatives(rows, found.where.at(0), slopes, gradient, hessian, mean)


def _derivatives(
    own: _Own, shared: Shared, found: Found, slopes_of: Callable[[float], Slopes]
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and curvature of this worker's rows, class after class, in the caller's order."""
    n, classes = own.segments.n, shared.classes
    gradient, hessian = np.empty(n * classes, np.float32), np.empty(n * classes, np.float32)
    if n == 0:
        return gradient, hessian
    residual = found.mass - found.positive
    for c, parts in enumerate(np.arange(shared.total.size).reshape(classes, -1)):
        slopes = slopes_of(float(shared.total[parts].sum()))
        over, under = (shared.mass - shared.positive, shared.total) if slopes.convex else (residual, found.active)
        means = np.divide(over[parts], under[parts], out=np.zeros(parts.size), where=under[parts] > 0.0)
        at = slice(c * n, (c + 1) * n)
        rows = _grouped.GroupedRows(
            own.segments, own.rows.x[at], own.rows.y[at], None if own.rows.w is None else own.rows.w[at],
            shared.total[parts], shared.positive[parts], shared.mass[parts],
        )  # fmt: skip
        where = found.where
        cuts = where._replace(anchor=where.anchor[parts], nu=where.nu[parts], flat=where.flat[parts])
        gradient[at], hessian[at], _ = _grouped.derivatives(rows, cuts, slopes, np.float32, means)
    return gradient, hessian


def _new_stamp(workers: Workers) -> int:
    """A number that the first worker draws."""
    return int(workers.sum((1,), lambda: [secrets.randbelow(_STAMPS - 1) + 1 if workers.rank == 0 else 0])[0])


def _next_stamp(stamp: int) -> int:
    return stamp * 48_271 % (_STAMPS - 3) or 1
