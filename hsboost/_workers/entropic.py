"""The search for entropic projections over rows on several machines: a reduction per step, the same bits everywhere."""

from __future__ import annotations

import numpy as np

from hsboost._kernels import distributed
from hsboost._kernels import entropic as kernels
from hsboost._kernels import entropic_search as search
from hsboost._solver.entropic import HALF, find
from hsboost._solver.segments import Multipliers
from hsboost._workers import radix
from hsboost._workers.communicator import Workers
from hsboost._workers.rows import WorkerRows


class WorkersReducer:
    """Rows of all workers; implements `hsboost._solver.entropic.Reducer`."""

    def __init__(self, workers: Workers, rows: WorkerRows) -> None:
        self.workers, self.rows = workers, rows

    def sums(self, anchor: np.ndarray, scale: float, nu: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """Sums (P, KINDS) over all workers' rows."""
        rows, counts = self.rows, asked.astype(np.intp)

        def compute() -> np.ndarray:
            parts = np.empty((rows.problem.size, 1, kernels.KINDS + 1))
            tasks = rows.problem, rows.start, rows.stop
            kernels.candidates(rows.x.size, rows.x, rows.w, *tasks, anchor, scale, nu[:, None], counts, parts)
            out = np.zeros((nu.size, 1, kernels.KINDS + 1))
            distributed.add_tasks(rows.problem, counts, parts, out)
            return out

        found = self.workers.sum((nu.size, 1, kernels.KINDS + 1), compute)[:, 0]
        if found[:, -1].any():
            raise FloatingPointError
        return found[:, :-1].copy()

    def edges(self, anchor: np.ndarray, scale: float, nu: np.ndarray) -> np.ndarray:
        """As `WorkerRows.edges`, of all workers' rows."""
        return self.workers.max((nu.size, 4), lambda: self.rows.edges(anchor, scale, nu))


def find_distributed(
    workers: Workers,
    rows: WorkerRows,
    k: np.ndarray,
    total: np.ndarray,
    scale: float,
    guess: tuple[np.ndarray, np.ndarray] | None,
) -> Multipliers:
    """Solve every problem over the rows of all workers.

    Parameters
    ----------
    workers : Workers
    rows : WorkerRows
        This worker's; finite scores.
    k, total : ndarray of shape (P,)
        Mass and Σ w over all workers, the same arrays everywhere.
    scale : float
        1 / temperature.
    guess : (anchor, nu) or None
        Of similar problems, the same everywhere; None takes mean and variance of the scores.
    """
    reducer = WorkersReducer(workers, rows)
    try:
        return find(reducer, k, total, scale, guess or _from_moments(reducer, k, total, scale))
    except OverflowError:
        return _from_rank(reducer, k, total, scale)


def _from_moments(
    reducer: WorkersReducer, k: np.ndarray, total: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """A start as if the scores were normally distributed."""
    rows, nothing = reducer.rows, np.zeros(k.size)
    most, least = (reducer.edges(nothing, 1.0, nothing) * [1.0, -1.0, 1.0, -1.0]).T[2:]
    anchor = np.where(np.isfinite(most) & np.isfinite(least), 0.5 * most + 0.5 * least, 0.0)

    def moments() -> np.ndarray:
        problem = rows.ranking
        with np.errstate(over="ignore", invalid="ignore"):
            u = (rows.x - anchor[problem]) * scale
            w = 1.0 if rows.w is None else rows.w.astype(np.float64)
            return np.stack([np.bincount(problem, w * u**power, minlength=k.size) for power in (1, 2)])

    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        first, second = reducer.workers.sum((2, k.size), moments) / total
        spread = np.sqrt(1.0 + np.pi / 8.0 * np.maximum(second - first**2, 0.0))
        nu = first - (np.log(k / total) - np.log((total - k) / total)) * spread
    return anchor, np.where(np.abs(nu) < search.COARSE, nu, 0.0)


def _from_rank(reducer: WorkersReducer, k: np.ndarray, total: np.ndarray, scale: float) -> Multipliers:
    """Begin at the score at which the running weight passes k: the solution lies beside it, or in the gap below."""
    workers, rows = reducer.workers, reducer.rows
    found = radix.boundaries(radix.AtWorkers(workers, rows), k, np.float64, "raw_prediction")
    last = np.where(np.isnan(found.last), 0.0, found.last)

    def lower_here() -> np.ndarray:
        out = np.full(k.size, -np.inf)
        counted = rows.x if rows.w is None else np.where(rows.w > 0.0, rows.x, -np.inf)
        np.maximum.at(out, rows.ranking, np.where(counted < last[rows.ranking], counted, -np.inf))
        return out

    lower = workers.max((k.size,), lower_here)
    inside = (k > search.TINY * total) & (k < total)
    ends = np.zeros((2, k.size))
    for p in np.flatnonzero(inside).tolist():
        ends[:, p] = search.beside(last[p], lower[p], found.above[p], found.tied[p], k[p], total[p], scale)
    gaps = np.isnan(ends[0])
    ends[:, gaps] = 0.0
    asked = np.where(gaps, 0.0, k)  # those are solved already
    solved = find(reducer, asked, total, scale, (last, 0.5 * ends[0] + 0.5 * ends[1]), (ends[0], ends[1]))
    for p in np.flatnonzero(gaps).tolist():
        solved.anchor[p], solved.nu[p] = search.middle_of_gap(lower[p], last[p], scale)
        solved.flat[p] = True
    return Multipliers(solved.anchor, solved.nu, solved.flat, scale, HALF)
