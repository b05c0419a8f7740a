"""One worker's rows in the distributed search: sums at many candidates, over fewer rows as the search narrows."""

from __future__ import annotations

import numpy as np

from hsboost._kernels import distributed, search
from hsboost._kernels._compile import BLOCK
from hsboost._validation import FloatArray


class WorkerRows:
    """Rows sorted by problem; once narrowed, only those whose value depends on nu in an interval.

    Parameters
    ----------
    x, y, w : ndarray of shape (n,), w may be None
        Finite scores, labels 0 and 1, weights.
    offsets : ndarray of shape (P + 1,), intp
        Problem p holds the rows offsets[p] to offsets[p + 1]; there may be none.
    known : ndarray of shape (P, KINDS), optional
        Sums over the rows that were removed, at nu = 0.
    """

    def __init__(
        self, x: FloatArray, y: FloatArray, w: FloatArray | None, offsets: np.ndarray, known: np.ndarray | None = None
    ) -> None:
        self.x, self.y, self.w, self.offsets = x, y, w, offsets
        sizes = np.diff(offsets)
        blocks = (sizes + BLOCK - 1) // BLOCK
        self.problem = np.repeat(np.arange(sizes.size), blocks)
        place = np.arange(self.problem.size) - np.repeat(np.cumsum(blocks) - blocks, blocks)
        self.start = offsets[:-1][self.problem] + place * BLOCK
        self.stop = np.minimum(self.start + BLOCK, offsets[1:][self.problem])
        self.known = np.zeros((sizes.size, distributed.KINDS)) if known is None else known

    # The attributes that `hsboost._workers.radix` reads.
    @property
    def score(self) -> FloatArray:
        """The scores."""
        return self.x

    @property
    def weight(self) -> FloatArray | None:
        """Their weights."""
        return self.w

    @property
    def ranking(self) -> np.ndarray:
        """Each row's problem."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))

    @property
    def _tasks(self) -> tuple[np.ndarray, ...]:
        return self.problem, self.start, self.stop

    def sums(self, anchor: np.ndarray, scale: float, nus: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Sums (P, candidates, KINDS) at the first counts[p] candidates of each problem."""
        parts = np.empty((self.problem.size, nus.shape[1], distributed.KINDS))
        distributed.candidates(
            self.x.size * int(counts.max()), self.x, self.y, self.w, *self._tasks,
            anchor, scale, nus, counts, search.MARGIN, parts,
        )  # fmt: skip
        out = np.repeat(self.known[:, None, :], nus.shape[1], axis=1)
        out[:, :, 2] -= nus * self.known[:, 1, None]
        distributed.add_tasks(self.problem, counts, parts, out)
        return out

    def narrowed(self, anchor: np.ndarray, scale: float, lo: np.ndarray, hi: np.ndarray) -> WorkerRows:
        """The rows that are undecided for nu in [lo, hi] of their problem; the others are summed up."""
        parts, kept = np.empty((self.problem.size, 1, distributed.KINDS)), np.empty(self.problem.size, np.intp)
        n, here = self.x.size, (self.x, self.y, self.w)
        distributed.sure(n, *here, *self._tasks, anchor, scale, lo, hi, parts, kept)
        known = self.known[:, None, :].copy()
        distributed.add_tasks(self.problem, np.ones(lo.size, np.intp), parts, known)
        place = np.concatenate([[0], np.cumsum(kept)])
        x, y, w = (None if a is None else np.empty(int(place[-1]), a.dtype) for a in here)
        distributed.keep(n, *here, *self._tasks, anchor, scale, lo, hi, place, x, y, w)
        left = np.bincount(self.problem, kept, minlength=lo.size)
        return WorkerRows(x, y, w, np.concatenate([[0], np.cumsum(left)]).astype(np.intp), known[:, 0])  # type: ignore[arg-type]

    def edges(self, anchor: np.ndarray, scale: float, nu: np.ndarray) -> np.ndarray:
        """(P, 4): largest score with value <= 1/2, minus the smallest with more, the largest, minus the smallest."""
        parts = np.empty((self.problem.size, 4))
        distributed.edges(self.x.size, self.x, self.w, *self._tasks, anchor, scale, nu, parts)
        out = np.full((nu.size, 4), -np.inf)
        np.maximum.at(out, self.problem, parts)
        return out

    def every(self, stride: int) -> WorkerRows:
        """Every ``stride``-th row of each problem."""
        bounds = zip(self.offsets[:-1].tolist(), self.offsets[1:].tolist(), strict=True)
        rows = np.concatenate([np.arange(a, b, stride) for a, b in bounds])
        sizes = -(-np.diff(self.offsets) // stride)
        w = None if self.w is None else self.w[rows]
        return WorkerRows(self.x[rows], self.y[rows], w, np.concatenate([[0], np.cumsum(sizes)]).astype(np.intp))

    def weights(self) -> np.ndarray:
        """Σ w per problem."""
        if self.w is None:
            return np.diff(self.offsets).astype(np.float64)
        tasks = zip(self.start.tolist(), self.stop.tolist(), strict=True)
        parts = [float(self.w[a:b].sum(dtype=np.float64)) for a, b in tasks]
        return np.bincount(self.problem, parts, minlength=self.offsets.size - 1)
