"""The multiplier search in tensor operations: for CUDA, and for code that torch.compile traces on any device.

Two stages, both free of sorts and of values read by the host. *Selection* finds the pivot, the score of rank ⌈k⌉, bit
by bit: counting the scores above a few trial values fixes the next bits of the pivot's floating-point pattern, whatever
the range of the scores. Relative to the pivot, in units of the temperature, the multiplier nu is in [-1, 0]. *Search*
finds it there: sixteenfold division of the bracket for problems that are cheap to evaluate or being compiled (a fixed
number of steps, all trial values in one operation), Newton's method for large ones. Division ends with one Newton step
from the active set, which is exact because F is piecewise linear.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

#: Values closer than this to 0 or 1 are 0 or 1: rounding put them there (as in `hsboost._kernels.search`).
MARGIN = 64 * 2.220446049250313e-16

#: Trial values per step are 2**BITS - 1 where all of them are evaluated at once.
BITS = 4

#: From this many scores on, trial values are evaluated one by one, and the host checks every few steps whether the
#: search is done: there, a check costs less than a step. Below, and when compiling, the host reads no values.
LARGE = 1 << 20
LOOK_EVERY = 4

#: Newton's method ends by itself; bisection every third step bounds the number of steps by this.
MOST_STEPS = 180

#: A last step that ends further than this from the bracket is wrong: a kink of F was in between.
ASTRAY = 2.0**-20


class Sums(NamedTuple):
    """Sums over the last dimension: of all n entries, or of each of ``number`` groups; ``groups`` (n,) or None."""

    groups: Tensor | None
    number: int

    def of(self, t: Tensor) -> Tensor:
        """(…, n) -> (…, number)."""
        if self.groups is None:
            return t.sum(-1, keepdim=True)
        t = t.to(torch.float64) if t.dtype == torch.bool else t
        return t.new_zeros((*t.shape[:-1], self.number)).index_add(-1, self.groups, t)

    def largest(self, t: Tensor) -> Tensor:
        """(…, n) -> (…, number), the maxima; -inf for a group without entries."""
        if self.groups is None:
            return t.amax(-1, keepdim=True)
        least = t.new_full((*t.shape[:-1], self.number), -torch.inf)
        return least.scatter_reduce(-1, self.groups.expand(t.shape), t, "amax")

    def at_rows(self, t: Tensor) -> Tensor:
        """(…, number) -> (…, n), or (…, 1), which broadcasts."""
        return t if self.groups is None else t.index_select(-1, self.groups)


def project(x: Tensor, k: Tensor, scale: float, one_by_one: bool | None = None) -> Tensor:
    """clip((x - anchor) · scale - nu, 0, 1) with sum k over the last dimension; float64.

    ``x`` (…, n) float32 or float64, ``k`` (…) float64. A problem with a score that is not finite, or k outside
    [0, n], gets NaN. ``one_by_one`` overrides the choice by size (for tests).
    """
    n = x.shape[-1]
    if one_by_one is None:
        one_by_one = not torch.compiler.is_compiling() and x.numel() >= LARGE
    rank = k.ceil().clamp(1, n)
    pivot = select(x, rank, 1 if one_by_one else BITS)
    z = (x.double() - pivot.double().unsqueeze(-1)) * scale
    nu = newton(z, k) if one_by_one else divide(z, k, 13 if x.dtype == torch.float64 else 8)
    v = (z - nu.unsqueeze(-1)).clamp(0.0, 1.0)
    v = torch.where(v < MARGIN, 0.0, torch.where(v > 1.0 - MARGIN, 1.0, v))
    v = torch.where((k <= 0.0).unsqueeze(-1), 0.0, torch.where((k >= n).unsqueeze(-1), 1.0, v))
    good = x.isfinite().all(-1) & (k >= 0.0) & (k <= n)
    return torch.where(good.unsqueeze(-1), v, torch.nan)


def select(x: Tensor, rank: Tensor, bits: int) -> Tensor:
    """The score of that rank, best first, in each problem: ``x`` (…, n), ``rank`` (…) from 1 to n."""
    return select_by_weight(x, rank.unsqueeze(-1), bits, Sums(None, 1)).squeeze(-1)


def select_by_weight(x: Tensor, k: Tensor, bits: int, sums: Sums, w: Tensor | None = None) -> Tensor:
    """The largest score that rows of weight ``k`` reach, in each group of each problem.

    ``x`` (…, n); ``k`` (…, groups); ``w`` broadcasts to x, None: all 1. NaN where all rows together weigh less.
    """
    wide = x.dtype == torch.float64
    width = 64 if wide else 32
    # As integers, with the negative ones inverted, floats keep their order.
    pattern = x.contiguous().view(torch.int64 if wide else torch.int32)
    turn = (1 << (width - 1)) - 1
    key = torch.where(pattern < 0, pattern ^ turn, pattern)
    found = torch.zeros_like(k, dtype=key.dtype)
    for shift in range(width - bits, -1, -bits):
        # The highest digit starts at the most negative pattern.
        first = -(1 << (bits - 1)) if shift == width - bits else 0
        # Shifted, not multiplied: torch 2.13's compiler for CPUs multiplies such large integers wrongly.
        digits = torch.arange(first + 1, first + (1 << bits), dtype=key.dtype, device=x.device) << shift
        trials = found.unsqueeze(-2) + digits.unsqueeze(-1)
        reached = key.unsqueeze(-2) >= sums.at_rows(trials)
        weight = sums.of(reached if w is None else torch.where(reached, w.unsqueeze(-2), 0.0))
        digit = (weight >= k.unsqueeze(-2)).sum(-2).to(key.dtype) + first
        found = found + (digit << shift)
    return torch.where(found < 0, found ^ turn, found).view(x.dtype)


def divide(z: Tensor, k: Tensor, steps: int) -> Tensor:
    """nu in [-1, 0] by dividing the bracket, 2**BITS parts a step, and one Newton step."""
    parts = 1 << BITS
    inner = torch.arange(1, parts, dtype=torch.float64, device=z.device)
    low, width = torch.full_like(k, -1.0), 1.0
    for _ in range(steps):
        width /= parts
        trials = low.unsqueeze(-1) + inner * width
        mass = (z.unsqueeze(-2) - trials.unsqueeze(-1)).clamp(0.0, 1.0).sum(-1)
        low = low + (mass >= k.unsqueeze(-1)).sum(-1) * width
    middle = low + 0.5 * width
    excess, active = excess_at(z, k, middle)
    last = middle + excess / active.clamp(min=1.0)
    return torch.where((active > 0.0) & ((last - middle).abs() < ASTRAY), last, middle)


def newton(z: Tensor, k: Tensor) -> Tensor:
    """nu in [-1, 0] by Newton's method inside a bracket; the host checks every `LOOK_EVERY` steps for the end."""
    low, high, nu = torch.full_like(k, -1.0), torch.zeros_like(k), torch.full_like(k, -0.5)
    for step in range(MOST_STEPS):
        excess, active = excess_at(z, k, nu)
        low, high = torch.where(excess >= 0.0, nu, low), torch.where(excess <= 0.0, nu, high)
        following = nu + excess / active.clamp(min=1.0)
        inside = (active > 0.0) & (following >= low) & (following <= high)
        if step >= 8 and step % 3 == 2:
            inside = inside & ((following - nu).abs() < MARGIN)
        following = torch.where((excess == 0.0) | inside, following, 0.5 * (low + high))
        moved, nu = (following - nu).abs(), following
        if step % LOOK_EVERY == LOOK_EVERY - 1 and not bool((moved > 0.125 * MARGIN).any()):
            break
    return nu


def excess_at(z: Tensor, k: Tensor, nu: Tensor) -> tuple[Tensor, Tensor]:
    """F(nu) and minus its slope, the number of active scores. Ones are counted separately, which is exact."""
    v = z - nu.unsqueeze(-1)
    inside = (v > 0.0) & (v < 1.0)
    ones = (v >= 1.0).sum(-1).to(k.dtype)
    return (ones - k) + torch.where(inside, v, 0.0).sum(-1), inside.sum(-1).to(k.dtype)
