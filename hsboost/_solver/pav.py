"""The paper's algorithm for the multiplier: a sort and isotonic regression. Slower, and independent of the search."""

from __future__ import annotations

import numpy as np

from hsboost import _validation as check
from hsboost._kernels import pav, search
from hsboost._solver.search import ArrayReducer, Multiplier, multiplier_of, scale_of
from hsboost._validation import FloatArray


def by_pav(scores: FloatArray, weight: FloatArray | None, mass: float, total: float, temperature: float) -> Multiplier:
    """Sort, subtract the vertex of the polytope, regress isotonically, subtract (weighted generalisation)."""
    if not np.isfinite(scores).all():
        raise check.not_finite(scores, "x")
    scale = scale_of(temperature)
    if mass <= 0.0 or mass >= total:
        return multiplier_of(scores, weight, mass, total, temperature)
    if weight is None:
        # Sort the values alone: an argsort costs several times as much.
        z, w = np.sort(scores)[::-1].astype(np.float64), None
    else:
        order = np.argsort(scores)[::-1]
        order = order[weight[order] > 0]  # rows without weight do not affect the multiplier
        z, w = scores[order].astype(np.float64), weight[order].astype(np.float64)
    s, relative, sums = np.empty(z.size), np.empty(z.size), np.empty(z.size)
    first, last = np.empty(z.size, np.intp), np.empty(z.size, np.intp)
    pav.vertex(w, mass, s)
    blocks = pav.pool(z, scale, s, w, first, relative, sums, last)
    row, level, ones = pav.fractional_block(z, scale, first, relative, last, blocks, search.MARGIN)
    if row >= 0:
        # z minus its block's level is the projection: 1 before the fractional block, 0 after it, its clip within.
        where = Multiplier(float(z[row]), level, scale, False)
        if abs(level) > search.FAR:
            rows = ArrayReducer(scores, weight, scale, total)
            rows.anchor = where.anchor
            closest = rows.nearest(level)
            where = Multiplier(closest, level + (where.anchor - closest) * scale, scale, False)
        return where
    # All values are 0 or 1: any multiplier between the two sets is a solution; take the middle.
    below = float(z[ones]) if ones < z.size else -np.inf
    anchor, nu = search.flat_cut(below, float(z[ones - 1]) if ones > 0 else np.inf, scale)
    return Multiplier(anchor, nu, scale, True)
