"""The entropic multiplier in tensor operations: for CUDA, and for code that torch.compile traces on any device.

As in `hsboost.torch._search` there are two stages without sorts: selection of the score at which the running weight
reaches k, and a search relative to it. That score bounds nu from both sides, to within some hundred temperatures: rows
that score as much cannot have more than k together, nor less than what the rows above leave of it. If the rows from
that score on weigh k, nu lies in the gap below, and in the middle of a gap so wide that all values are 0 or 1.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from hsboost import _validation as check
from hsboost._kernels.entropic_search import BEYOND, FLAT_SLOPE, TINY, WIDE_GAP
from hsboost._kernels.search import EPS
from hsboost.torch._search import BITS, LARGE, LOOK_EVERY, MOST_STEPS, Sums, select_by_weight

#: Steps of division: a bracket of 1800 becomes 2e-9, and Newton's step from there ends within its square.
DIVISIONS = 10

#: A step of Newton's method that is shorter than this is the last.
SHORT = 1e-9

#: No product with it overflows that a sum with scores would not.
FARTHEST = 1e300


class Problem(NamedTuple):
    """Scores (…, n), budgets and Σ w (…, groups), weights (n,) or (…, n) (None: all 1), and the groups."""

    x: Tensor
    k: Tensor
    total: Tensor
    w: Tensor | None
    sums: Sums

    def weighted(self, t: Tensor) -> Tensor:
        """w t."""
        return t if self.w is None else t * self.w


def solve(p: Problem, scale: float, one_by_one: bool | None = None) -> tuple[Tensor, Tensor]:
    """(anchor, nu) of every group, with σ((x - anchor) · scale - nu) the projection; float64.

    NaN for a group with a score that is not finite, a weight that is not finite or negative, or k out of range.
    ``one_by_one`` overrides the choice of the search by size (for tests).
    """
    if one_by_one is None:
        one_by_one = not torch.compiler.is_compiling() and p.x.numel() >= LARGE
    none, every = p.k <= TINY * p.total, p.k >= p.total
    k = torch.where(none | every, 0.5 * p.total, p.k)
    most, least = p.sums.largest(p.x).double(), -p.sums.largest(-p.x).double()
    pivot = select_by_weight(p.x, k, 1 if one_by_one else BITS, p.sums, p.w).double()
    pivot = torch.where(pivot > least, pivot, least)  # a sum that rounding left below k selects no score
    z = (p.x.double() - p.sums.at_rows(pivot)) * scale
    lo, hi, gap = bracket(p, z, k)
    nu, slope = newton(p, z, k, lo, hi) if one_by_one else divide(p, z, k, lo, hi)
    flat = (gap > WIDE_GAP) | (slope <= FLAT_SLOPE * torch.minimum(k, p.total - k))
    nu = torch.where((gap > 0.0) & flat, -0.5 * gap.clamp(max=FARTHEST), nu)
    nu = torch.where(none, BEYOND, torch.where(every, -BEYOND, nu))
    anchor = torch.where(none, most, torch.where(every, least, pivot))
    good = (p.k >= 0.0) & (p.k <= p.total * (1.0 + check.ROUNDING)) & (p.sums.of(~p.x.isfinite()) == 0)
    if p.w is not None:
        good = good & (p.sums.of(~(p.w.isfinite() & (p.w >= 0.0)).expand(p.x.shape)) == 0)
    return anchor, torch.where(good, nu, torch.nan)


def bracket(p: Problem, z: Tensor, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(lo, hi) for nu relative to the score at which the running weight reaches k, and the gap below if nu is in it.

    As `hsboost._kernels.entropic_search.beside`; ``z`` are the scores relative to that one. Without a gap it is 0; in a
    wide one nu is not searched for.
    """
    rows = torch.ones_like(z) if p.w is None else p.w.expand(z.shape)
    above = p.sums.of(torch.where(z > 0.0, rows, 0.0))
    full = above + p.sums.of(torch.where(z == 0.0, rows, 0.0))
    down = -p.sums.largest(torch.where((z < 0.0) & (rows > 0.0), z, -torch.inf))
    room = torch.maximum((k - above) / p.total, EPS * k / p.total)
    hi = 1.0 - log_odds(room.clamp(max=0.5), torch.ones_like(room))
    crowded = k < full * (1.0 - 8.0 * EPS)
    last = down == torch.inf
    at_last = -log_odds(torch.minimum(k, p.total * (1.0 - EPS)), p.total) - 1.0
    gap = torch.where(crowded | last, 0.0, down)
    lo = torch.where(crowded, -log_odds(k, full) - 1.0, torch.where(last, at_last, -down - BEYOND))
    return torch.where(gap > WIDE_GAP, hi - 1.0, lo), hi, gap


def log_odds(k: Tensor, total: Tensor) -> Tensor:
    """log(k / (total - k))."""
    return torch.log(k / total) - torch.log((total - k) / total)


def divide(p: Problem, z: Tensor, k: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """(nu, Σ w d) by dividing the bracket, 2**BITS parts a step, and one Newton step."""
    parts = 1 << BITS
    inner = torch.arange(1, parts, dtype=torch.float64, device=z.device).unsqueeze(-1)
    width = hi - lo
    for _ in range(DIVISIONS):
        width = width / parts
        trials = lo.unsqueeze(-2) + inner * width.unsqueeze(-2)
        excess = excess_at(p, z.unsqueeze(-2) - p.sums.at_rows(trials), k.unsqueeze(-2))
        lo = lo + (excess >= 0.0).sum(-2) * width
    nu = lo + 0.5 * width
    v = z - p.sums.at_rows(nu)
    slope = slope_at(p, v)
    move = excess_at(p, v, k) / torch.where(slope > 0.0, slope, 1.0)
    return nu + torch.where(move.abs() <= width, move, 0.0), slope


def newton(p: Problem, z: Tensor, k: Tensor, lo: Tensor, hi: Tensor) -> tuple[Tensor, Tensor]:
    """(nu, Σ w d) by Newton's method on the log odds of the mean, inside the bracket.

    The host checks every `LOOK_EVERY` steps for the end.
    """
    nu = 0.5 * lo + 0.5 * hi
    slope = torch.zeros_like(nu)
    for step in range(MOST_STEPS):
        v = z - p.sums.at_rows(nu)
        excess, slope = excess_at(p, v, k), slope_at(p, v)
        lo, hi = torch.where(excess >= 0.0, nu, lo), torch.where(excess <= 0.0, nu, hi)
        mean = ((k + excess) / p.total).clamp(1e-300, 1.0 - EPS)
        off = torch.log1p((excess / k).clamp(min=-1.0 + EPS)) - torch.log1p(
            (-excess / (p.total - k)).clamp(min=-1.0 + EPS)
        )
        following = nu + off * mean * (1.0 - mean) * (p.total / torch.where(slope > 0.0, slope, 1.0))
        inside = (slope > 0.0) & (following >= lo) & (following <= hi)
        if step >= 8 and step % 3 == 2:
            inside = inside & ((following - nu).abs() < SHORT)
        following = torch.where((excess == 0.0) | inside, following, 0.5 * lo + 0.5 * hi)
        moved, nu = (following - nu).abs(), following
        if step % LOOK_EVERY == LOOK_EVERY - 1 and not bool((moved > SHORT).any()):
            break
    return nu, slope


def excess_at(p: Problem, v: Tensor, k: Tensor) -> Tensor:
    """Σ w σ(v) - k. What rows with v > 0 lack to 1 is added up in place of 1, so that gaps keep their digits."""
    w = None if p.w is None else (p.w if v.ndim == p.x.ndim else p.w.unsqueeze(-2))
    part = torch.sigmoid(-v.abs())
    part = torch.where(v > 0.0, -part, part)
    above = (v > 0.0) if w is None else torch.where(v > 0.0, w, 0.0)
    return p.sums.of(part if w is None else part * w) + (p.sums.of(above) - k)


def slope_at(p: Problem, v: Tensor) -> Tensor:
    """Σ w σ(v) σ(-v)."""
    return p.sums.of(p.weighted(torch.sigmoid(v) * torch.sigmoid(-v)))
