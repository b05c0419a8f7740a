"""One boosting round of the hypersimplex losses when the rows are distributed over XGBoost's workers.

The layout and the passes are those of `_rounds`: budgets, multipliers and mean residuals are those of all rows
together; each worker writes the gradients of its own rows. A worker without rows takes part in every exchange.
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
from hsboost._solver.problems import Problems
from hsboost._solver.segments import Segments
from hsboost._validation import BudgetRule, FloatArray
from hsboost._workers.communicator import Traffic, Workers
from hsboost.losses._passes import Totals
from hsboost.losses._problems import Rows, check_learnable, warn_if_all
from hsboost.losses._rounds import Coupled, Round, outputs, write_in_order

#: Stamps are below this: sums of their squares over thousands of workers stay exact.
_STAMPS = 1 << 20


class Meeting(NamedTuple):
    """What the workers of a training agreed on in a round, in addition to the numbers in `Round`.

    ``stamp`` shows whether all workers continue from the same round; ``own`` is Σ w and Σ w y of this worker's rows,
    the only field that differs between workers.
    """

    stamp: int
    threads: int
    labels: list[Any] | None
    own: np.ndarray
    guess: object
    traffic: Traffic


class _Own(NamedTuple):
    """This worker's rows, checked, with an entry for every group of any worker; their Σ w and Σ w y, (2, C, G)."""

    rows: Rows
    sums: np.ndarray


class _Here(NamedTuple):
    """This worker's part of a round, and the facts that all workers share."""

    x: FloatArray
    w: FloatArray | None
    segments: Segments | None
    classes: int
    own: _Own | None
    changed: bool
    last: Round | None


def step(
    loss: Coupled,
    workers: Workers,
    inputs: Callable[[], tuple[FloatArray, FloatArray | None, Segments | None]],
    y_true: Callable[[], ArrayLike],
    state: Any,
    grouped: bool,
    gradient_out: np.ndarray | None = None,
    hessian_out: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, Round]:
    """One boosting round.

    Parameters
    ----------
    loss : Coupled
        The loss: its budget, temperature and slopes.
    workers : Workers
    inputs : callable
        Returns scores (n,) or (n, C), weights and groups of this worker's rows, or raises. Without rows: scores (0,).
    y_true : callable
        Returns this worker's labels; not called where there are no rows.
    state : Round or None
        State of the last round.
    grouped : bool
        Whether there are groups; the same everywhere.
    gradient_out, hessian_out : ndarrays, optional
        Arrays to write into.
    """
    last = state if isinstance(state, Round) and state.meeting is not None else None
    with ExitStack() as limits:
        if last is not None:
            limits.enter_context(at_most(last.meeting.threads))
        here = _meet(workers, inputs, y_true, last)
        last, own = here.last, here.own
        threads = workers.threads_each() if last is None else last.meeting.threads
        limits.enter_context(at_most(threads))
        if last is not None:
            labels = last.meeting.labels
        else:
            found = workers.share(lambda: here.segments.labels if here.segments else []) if grouped else []
            labels = _union(found) if grouped else None
        shape = here.classes, 1 if labels is None else len(labels)
        if last is None or here.changed:

            def counted() -> np.ndarray:
                nonlocal own
                own = own or _own_rows(here, y_true, labels)
                return own.sums

            weights, positive = workers.sum((2, *shape), counted)
            total = weights[0]
            check.check_total_weight(float(total.sum()))
            rule = BudgetRule.of_problems(loss.k, here.classes, labels)
            mass = rule.masses(total, positive)
            check_learnable(loss.k, total, positive, mass)
            totals = Totals(mass, total, positive)
        else:
            totals, rule = last.totals, last.rule
        weight = float(totals.total.sum())
        assert own is not None
        slopes = loss.boosting_slopes(weight)
        if last is None and not slopes.convex:
            warn_if_all(totals.mass, totals.total)
        guess = None if last is None else last.meeting.guess
        where, sums, guess = loss.passes.solve_over_workers(workers, own.rows, totals, loss.temperature, guess)
        stamp = _new_stamp(workers) if last is None else _next_stamp(last.meeting.stamp)
        n = own.rows.problems.segments.n
        spare = None if last is None else last.spare
        rows = (n,) if here.classes == 1 else (n, here.classes)
        gradient, hessian, spare = outputs(rows, gradient_out, hessian_out, spare)
        if n:
            write_in_order(loss.passes, own.rows, where, slopes, gradient, hessian, totals, sums)
        meeting = Meeting(stamp, threads, labels, own.sums, guess, workers.traffic)
        ended = Round(
            where, totals, sums.active, weight, own.rows.problems.segments.offsets,
            loss.k, rule, here.classes > 1, grouped, meeting, None, spare,
        )  # fmt: skip
        return gradient, hessian, ended


def _meet(
    workers: Workers,
    inputs: Callable[[], tuple[FloatArray, FloatArray | None, Segments | None]],
    y_true: Callable[[], ArrayLike],
    last: Round | None,
) -> _Here:
    """This worker's rows, and what all workers agree on: how many classes, and whether to go on from ``last``."""
    found: list[_Here] = []

    def look() -> list[float]:
        x, w, segments = inputs()
        n = x.shape[0]
        classes = 1 if x.ndim == 1 else x.shape[1]
        here = _Here(x, w, segments, classes, None, False, last)
        if last is not None and (n == 0 or classes == len(last.totals.positive)):
            alike = here._replace(classes=len(last.totals.positive))
            here = here._replace(own=_own_rows(alike, y_true, last.meeting.labels))
        found.append(here)
        own = here.own
        stamp = 0 if own is None else last.meeting.stamp  # type: ignore[union-attr]
        changed = own is not None and not np.array_equal(own.sums, last.meeting.own)  # type: ignore[union-attr]
        return [n > 0, classes if n else 0, stamp, stamp**2, changed]

    present, columns, stamps, squares, changed = (int(v) for v in workers.sum((5,), look))
    if present == 0:
        raise ValueError("y_true is empty on every worker; pass at least one row")
    classes, rest = divmod(columns, present)
    here = found[0]
    if rest or (here.x.shape[0] and classes != here.classes):
        raise RuntimeError("the workers' raw predictions differ in their number of columns")
    # Equality in the Cauchy-Schwarz inequality: all stamps are the same.
    if not (stamps > 0 and workers.size * squares == stamps**2):
        here = here._replace(own=None, last=None)
    return here._replace(classes=classes, changed=changed > 0)


def _own_rows(here: _Here, y_true: Callable[[], ArrayLike], labels: list[Any] | None) -> _Own:
    """Check this worker's rows and lay them out, with an entry for every group of any worker."""
    x, w, segments, classes = here.x, here.w, here.segments, here.classes
    everyone = [None] if labels is None else labels
    n = x.shape[0]
    if n == 0:
        order = Segments(everyone, np.zeros(len(everyone) + 1, np.intp), None)
        nothing = np.empty((classes, 0), np.float32)
        rows = Rows(Problems(order, nothing, None), nothing, nothing[0], None)
        return _Own(rows, np.zeros((2, classes, len(everyone))))
    if not np.isfinite(x).all():
        raise check.not_finite(x, "raw_prediction")
    among = None if segments is None else _among(segments, everyone)
    rows, total, positive = Rows.of(x, y_true(), w, among).counted()
    return _Own(rows, np.stack([np.broadcast_to(total, positive.shape), positive]))


def _among(segments: Segments, labels: list[Any]) -> Segments:
    """The same rows, with an entry for every group of any worker."""
    place = {label: g for g, label in enumerate(labels)}
    unknown = [label for label in segments.labels if label not in place]
    if unknown:
        raise ValueError(
            f"groups has the label {unknown[0]!r}, which no worker had in the first round; keep the groups"
        )
    return segments.among(labels, np.array([place[label] for label in segments.labels], np.intp))


def _union(labels: list[list[Any]]) -> list[Any]:
    """Every worker's labels, sorted as `Segments` sorts them."""
    try:
        return sorted(set().union(*labels))
    except TypeError:
        raise ValueError("groups must hold labels of one kind (all numbers, all texts, …) on all workers") from None


def _new_stamp(workers: Workers) -> int:
    """A number that the first worker draws."""
    return int(workers.sum((1,), lambda: [secrets.randbelow(_STAMPS - 1) + 1 if workers.rank == 0 else 0])[0])


def _next_stamp(stamp: int) -> int:
    return stamp * 48_271 % (_STAMPS - 3) or 1
