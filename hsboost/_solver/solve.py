"""Projections of checked arrays: the threshold by either method, and the values there. Errors name users' arguments."""

from __future__ import annotations

import numpy as np

from hsboost import _validation as check
from hsboost._kernels import gradient as kernels
from hsboost._kernels import search
from hsboost._kernels._compile import BLOCK
from hsboost._kernels.segments import segment_values
from hsboost._solver.pav import by_pav
from hsboost._solver.search import Multiplier, multiplier_of, scale_of
from hsboost._solver.segments import Multipliers, Segments, find_multipliers
from hsboost._validation import FloatArray


def project(
    scores: FloatArray,
    weight: FloatArray | None,
    mass: float,
    total: float,
    temperature: float,
    method: str,
    out: FloatArray | None = None,
) -> tuple[FloatArray, Multiplier]:
    """One projection, by the method asked for."""
    if method == "pav":
        where = by_pav(scores, weight, mass, total, temperature)
    else:
        where = solve_multiplier(scores, weight, mass, total, temperature, "x")
    return values_at(scores, where, out), where


def project_groups(
    segments: Segments,
    column: FloatArray,
    weight: FloatArray | None,
    mass: np.ndarray,
    total: np.ndarray,
    temperature: float,
    method: str,
    out: FloatArray,
) -> Multipliers:
    """One projection per group, into ``out`` in the order of the column; weight is sorted by group."""
    scores = segments.sort(column)
    if method == "threshold":
        where = solve_multipliers(segments, scores, weight, mass, total, temperature, "x")
    else:
        if not np.isfinite(scores).all():
            raise check.not_finite(column, "x")
        found = []
        for g, (k, weight_of) in enumerate(zip(mass.tolist(), total.tolist(), strict=True)):
            rows = segments.slice(g)
            found.append(by_pav(scores[rows], None if weight is None else weight[rows], k, weight_of, temperature))
        anchor, nu, _, flat = (np.array(part) for part in zip(*found, strict=True))
        where = Multipliers(anchor, nu, flat, scale_of(temperature))
    if segments.order is None:
        grouped_values_at(segments, scores, where, out)
    else:
        segments.unsort(grouped_values_at(segments, scores, where, scores), out)
    return where


def group_weights(segments: Segments, weight: FloatArray | None) -> np.ndarray:
    """Σ w of each group; ``weight`` is sorted by group."""
    if weight is None:
        return np.diff(segments.offsets).astype(np.float64)
    return np.add.reduceat(weight, segments.offsets[:-1], dtype=np.float64)


def solve_multipliers(
    segments: Segments,
    scores: FloatArray,
    weight: FloatArray | None,
    mass: np.ndarray,
    total: np.ndarray,
    temperature: float,
    name: str,
    start: Multipliers | None = None,
) -> Multipliers:
    """:func:`hsboost._solver.segments.find_multipliers`, with the users' error for scores that are not finite."""
    try:
        return find_multipliers(segments, scores, weight, mass, total, temperature, start)
    except FloatingPointError:
        raise check.not_finite(segments.unsort(scores), name) from None


def grouped_values_at(
    segments: Segments, scores: FloatArray, where: Multipliers, out: FloatArray | None = None
) -> FloatArray:
    """:func:`values_at` with one threshold per group."""
    out = np.empty_like(scores) if out is None else out
    segment_values(
        segments.small_rows, scores, segments.offsets, segments.tasks, where.scale, where.anchor, where.nu, where.flat,
        2 * search.MARGIN, out,
    )  # fmt: skip
    for g in segments.large:
        rows = segments.slice(g)
        values_at(scores[rows], where.at(g), out[rows])
    return out


def total_weight(weight: FloatArray | None, n: int) -> float:
    """Σ w, after the weights have been found finite, non-negative and not all zero."""
    if weight is None:
        return float(n)
    total = float(weight.sum(dtype=np.float64))
    if not (np.isfinite(total) and weight.min() >= 0) and not (np.isfinite(weight) & (weight >= 0)).all():
        raise check.bad_weights(weight)
    check.check_total_weight(total)
    return total


def solve_multiplier(
    scores: FloatArray,
    weight: FloatArray | None,
    mass: float,
    total: float,
    temperature: float,
    name: str,
    start: tuple[float, float] | None = None,
) -> Multiplier:
    """:func:`hsboost._solver.search.multiplier_of`, with the error that users see for scores that are not finite."""
    try:
        return multiplier_of(scores, weight, mass, total, temperature, start)
    except FloatingPointError:
        raise check.not_finite(scores, name) from None


def values_at(scores: FloatArray, where: Multiplier, out: FloatArray | None = None) -> FloatArray:
    """clip((x - anchor) / temperature - nu, 0, 1), in the dtype of the scores; ``out`` may be the scores themselves."""
    out = np.empty_like(scores) if out is None else out
    margin = 2 * search.MARGIN if where.flat else 0.0
    n = scores.size
    if n <= BLOCK:
        kernels.block_values(scores, where.anchor, where.scale, where.nu, margin, out)
    else:
        kernels.values(n, scores, where.anchor, where.scale, where.nu, margin, out)
    return out
