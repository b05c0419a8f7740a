"""The bridge to the compiled core for tensors in host memory: a batch of problems in one call."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import prange
from torch import Tensor

from hsboost._kernels._compile import BLOCK, FAST, Kernel, njit
from hsboost._kernels.columns import TILE, transpose
from hsboost._kernels.search import MARGIN
from hsboost._solver.problems import Problems
from hsboost._solver.search import scale_of
from hsboost._solver.segments import Segments, find_multipliers

#: Columns are copied in groups of about this many scores: the copy stays in the cache, and new memory is slow.
FEW_SCORES = 1 << 20


def project(x: Tensor, k: Tensor, temperature: float, method: str) -> Tensor:
    """Projections of the rows of ``x`` (problems, n), float32 or float64; ``k`` (problems,) float64.

    Rows that are stored as the columns of a matrix are read and written in that order.
    Raises ValueError for scores that are not finite and for k out of range.
    """
    n = x.shape[1]
    mass = k.contiguous().numpy()
    check_budgets(mass, n)
    scores = x.numpy()
    try:
        if method == "threshold" and not x.is_contiguous() and x.t().is_contiguous():
            return torch.from_numpy(_by_columns(scores.T, mass, temperature)).t()
        scores = np.ascontiguousarray(scores)
        rows = Problems(Segments.one(n), scores, None)
        where = rows.find(mass[:, None], np.array([float(n)]), temperature, "x", method=method)
        values = rows.values(where, np.empty_like(scores))
    except (ValueError, FloatingPointError):
        raise not_finite(scores) from None
    return torch.from_numpy(values)


def _by_columns(a: np.ndarray, mass: np.ndarray, temperature: float) -> np.ndarray:
    """Projections of the columns of ``a`` (n, problems), in its memory order; a few columns are copied at a time."""
    n, problems = a.shape
    together = min(problems, max(1, FEW_SCORES // n))
    found = np.empty((3, problems))
    rows = np.empty((together, n), a.dtype)
    for first in range(0, problems, together):
        part = slice(first, min(problems, first + together))
        some = rows[: part.stop - first]
        transpose(some.size, a[:, part], some)
        segments = Segments.equal(len(some), n)
        where = find_multipliers(
            segments, some.reshape(-1), None, mass[part], np.full(len(some), float(n)), temperature
        )
        found[0, part], found[1, part], found[2, part] = where.anchor, where.nu, where.flat
    out = np.empty_like(a)
    column_values(a.size, a, found[0], scale_of(temperature), found[1], 2 * MARGIN * found[2], out)
    return out


def check_budgets(mass: np.ndarray, n: int) -> None:
    """0 <= k <= n for every problem."""
    bad = ~((mass >= 0.0) & (mass <= n))
    if bad.any():
        at = int(np.argmax(bad))
        raise ValueError(
            f"k must lie between 0 and {n}, the number of scores in a problem; got {mass[at]:g} for problem {at}"
        )


def not_finite(scores: np.ndarray) -> ValueError:
    """The error for scores with NaN or infinity."""
    bad = ~np.isfinite(scores)
    problem, place = np.unravel_index(int(np.argmax(bad)), bad.shape)
    return ValueError(
        f"x must be finite, got {scores[problem, place]} at place {place} of problem {problem} ({int(bad.sum())} such "
        "scores in all); if this happens in training, look for a diverging learning rate"
    )


@njit(fastmath=FAST)
def block_active(u: Any, y: Any) -> Any:
    """(number of active rows, Σ_A u) of one block."""
    count, total = 0, 0.0
    for i in range(y.size):
        inside = (y[i] > 0.0) & (y[i] < 1.0)
        count += 1 if inside else 0
        total += np.float64(u[i]) if inside else 0.0
    return np.float64(count), total


@njit(fastmath=FAST)
def block_derivative(u: Any, y: Any, mean: Any, scale: Any, out: Any) -> None:
    """(u - mean) · scale where 0 < y < 1, else 0."""
    for i in range(y.size):
        inside = (y[i] > 0.0) & (y[i] < 1.0)
        out[i] = (np.float64(u[i]) - mean) * scale if inside else 0.0


def _active_sums(u: Any, y: Any, out: Any) -> None:
    """out[:, p, b] = `block_active` of block b of problem p."""
    n, blocks = y.shape[1], out.shape[2]
    for task in prange(y.shape[0] * blocks):
        p, b = task // blocks, task % blocks
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        out[0, p, b], out[1, p, b] = block_active(u[p, i:j], y[p, i:j])


def _derivative(u: Any, y: Any, mean: Any, scale: Any, blocks: Any, out: Any) -> None:
    """`block_derivative` over all problems and blocks."""
    n = y.shape[1]
    for task in prange(y.shape[0] * blocks):
        p, b = task // blocks, task % blocks
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        block_derivative(u[p, i:j], y[p, i:j], mean[p], scale, out[p, i:j])


active_sums = Kernel(_active_sums)
write_derivative = Kernel(_derivative)


def _column_values(a: Any, anchor: Any, scale: Any, nu: Any, margin: Any, out: Any) -> None:
    """`hsboost._kernels.gradient.block_values` for every column's multiplier, row by row."""
    n, columns = a.shape
    for b in prange((n + TILE - 1) // TILE):
        for i in range(b * TILE, min(n, (b + 1) * TILE)):
            for c in range(columns):
                v = min(max((np.float64(a[i, c]) - anchor[c]) * scale - nu[c], 0.0), 1.0)
                v = 0.0 if v <= margin[c] else v
                out[i, c] = 1.0 if v >= 1.0 - margin[c] else v


def _column_sums(u: Any, y: Any, out: Any) -> None:
    """out[:, b, c] = (number of active rows, Σ_A u) of column c in tile b."""
    n, columns = y.shape
    for b in prange((n + TILE - 1) // TILE):
        for c in range(columns):
            out[0, b, c] = 0.0
            out[1, b, c] = 0.0
        for i in range(b * TILE, min(n, (b + 1) * TILE)):
            for c in range(columns):
                inside = (y[i, c] > 0.0) & (y[i, c] < 1.0)
                out[0, b, c] += 1.0 if inside else 0.0
                out[1, b, c] += np.float64(u[i, c]) if inside else 0.0


def _column_derivative(u: Any, y: Any, mean: Any, scale: Any, out: Any) -> None:
    """(u - mean of the column) · scale where 0 < y < 1, else 0."""
    n, columns = y.shape
    for b in prange((n + TILE - 1) // TILE):
        for i in range(b * TILE, min(n, (b + 1) * TILE)):
            for c in range(columns):
                inside = (y[i, c] > 0.0) & (y[i, c] < 1.0)
                out[i, c] = (np.float64(u[i, c]) - mean[c]) * scale if inside else 0.0


column_values = Kernel(_column_values)
column_sums = Kernel(_column_sums)
write_columns = Kernel(_column_derivative)


def derivative(u: Tensor, y: Tensor, temperature: float) -> Tensor:
    """J u for each row of (problems, n): (u - mean over the active set) / temperature on it, 0 elsewhere."""
    if y.is_contiguous() or not y.t().is_contiguous():
        return torch.from_numpy(_by_rows(u.contiguous().numpy(), y.contiguous().numpy(), temperature))
    values, direction = y.t().numpy(), u.t().contiguous().numpy()
    sums = np.empty((2, -(-values.shape[0] // TILE), values.shape[1]))
    column_sums(values.size, direction, values, sums)
    count, total = sums.sum(axis=1)
    out = np.empty_like(values)
    write_columns(values.size, direction, values, total / np.maximum(count, 1.0), 1.0 / temperature, out)
    return torch.from_numpy(out).t()


def _by_rows(u: np.ndarray, y: np.ndarray, temperature: float) -> np.ndarray:
    blocks = -(-y.shape[1] // BLOCK)
    sums = np.empty((2, y.shape[0], blocks))
    active_sums(y.size, u, y, sums)
    count, total = sums.sum(axis=2)
    out = np.empty_like(y)
    write_derivative(y.size, u, y, total / np.maximum(count, 1.0), 1.0 / temperature, blocks, out)
    return out
