"""The entropic layer: log odds of the smooth projection, with derivatives of every order and kind that torch knows.

The projection is σ(v), v = x / temperature - ν with Σ w σ(v) = k in each problem, or in each group of one. With
d = σ(v) σ(-v) and S = Σ w d the derivative of v is P u = (u - Σ w d u / S) / temperature. It is written in
differentiable operations on v: d depends on v, and so all higher derivatives follow.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from hsboost import _validation as check
from hsboost._solver.entropic import find_multipliers
from hsboost._solver.segments import Segments
from hsboost.torch._entropic_search import Problem, solve
from hsboost.torch._host import not_finite
from hsboost.torch._search import Sums
from hsboost.torch._targets import INTEGERS, by_plain_operations, readable

#: A smaller Σ w d, as a share of Σ w, counts as none: all values are 0 or 1, and quotients of it might overflow.
NO_SLOPE = 1e-150

#: Differentiable steps of Newton's method in traced code: m of them give all derivatives below order 2**m.
TRACED_STEPS = 3


def log_odds(p: Problem, temperature: float, validate: bool = False) -> Tensor:
    """v of every score, so that the projection is ``torch.sigmoid`` of it; float64, differentiable in ``p.x``.

    Raises ValueError for scores that are not finite, and weights and k out of range, in host memory.
    """
    if by_plain_operations(p.x):
        return traced(p, temperature)
    p = p._replace(x=p.x.double())
    if validate and not all(map(_at_hand, p)):
        x, k, total = (t.detach().cpu() for t in (p.x, p.k, p.total))
        _checked(Problem(x, k, total, None if p.w is None else p.w.detach().cpu(), p.sums))
    v: Tensor = _LogOdds.apply(p.x, p.k, p.total, p.w, *p.sums, temperature)
    return v


def multipliers(p: Problem, temperature: float) -> tuple[Tensor, Tensor]:
    """(anchor, nu) of every group, with v = (x - anchor) / temperature - nu; no derivatives."""
    if all(map(_at_hand, p)):
        return _by_core(p, temperature)
    return solve(p, 1.0 / temperature)


def place(x: Tensor, sums: Sums, anchor: Tensor, nu: Tensor, temperature: float) -> Tensor:
    """(x - anchor) / temperature - nu."""
    return (x.double() - sums.at_rows(anchor)) * (1.0 / temperature) - sums.at_rows(nu)


def traced(p: Problem, temperature: float) -> Tensor:
    """The layer in plain operations, for compilers and ``torch.func``.

    The search takes no part in derivatives. They come from Newton's steps after it, whose value is 0.
    """
    x = p.x.detach()
    v = place(x, p.sums, *solve(p._replace(x=x), 1.0 / temperature), temperature)
    v = v + (p.x - x).double() / temperature
    for _ in range(TRACED_STEPS):
        y = torch.sigmoid(v)
        move = p.sums.of(p.weighted(y - y.detach())) / _or_one(p.sums.of(p.weighted(_slope(v))), p.total)
        v = v - p.sums.at_rows(move)
    return v


def _slope(v: Tensor) -> Tensor:
    """σ'(v), to its last digit on both sides."""
    return torch.sigmoid(v) * torch.sigmoid(-v)


def _or_one(slope: Tensor, total: Tensor) -> Tensor:
    """S, or 1 where there is none: then all d are 0, too."""
    return torch.where(slope > NO_SLOPE * total, slope, torch.ones_like(slope))


class _LogOdds(Function):
    """Forward: the search. Derivatives: plain operations on the result."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        x: Tensor, k: Tensor, total: Tensor, w: Tensor | None, groups: Tensor | None, count: int, temperature: float
    ) -> Tensor:
        if x.numel() == 0:
            return torch.empty_like(x)
        sums = Sums(groups, count)
        return place(x, sums, *multipliers(Problem(x, k, total, w, sums), temperature), temperature)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, _, total, w, groups, ctx.count, ctx.temperature = inputs
        ctx.save_for_backward(output, total, w, groups)
        ctx.save_for_forward(output, total, w, groups)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor | None, ...]:
        v, total, w, groups = ctx.saved_tensors
        sums, wd = Sums(groups, ctx.count), _slope(v) if w is None else w * _slope(v)
        shared = sums.of(g[0]) / _or_one(sums.of(wd), total)
        return (g[0] - wd * sums.at_rows(shared)) / ctx.temperature, None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, u: Tensor, *_: Any) -> Tensor:
        v, total, w, groups = ctx.saved_tensors
        sums, wd = Sums(groups, ctx.count), _slope(v) if w is None else w * _slope(v)
        shared = sums.of(wd * u) / _or_one(sums.of(wd), total)
        return (u - sums.at_rows(shared)) / ctx.temperature


def _at_hand(t: Any) -> bool:
    """Whether the values can be read at no cost."""
    if isinstance(t, Sums):
        return t.groups is None or readable(t.groups)
    return t is None or readable(t)


def _checked(p: Problem) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """Scores and weights (problems, n), budgets and Σ w (problems, groups), or a ValueError for bad values."""
    n = p.x.shape[-1]
    x = p.x.detach().reshape(-1, n).contiguous().numpy()
    mass, total = (t.detach().reshape(-1, t.shape[-1]).contiguous().numpy() for t in (p.k, p.total))
    w = None
    if p.w is not None:
        _check_weights(p.w.detach())
        w = p.w.detach().expand(p.x.shape).reshape(-1, n).contiguous().numpy()
    if not np.isfinite(x).all():
        raise not_finite(x)
    bad = ~((mass >= 0.0) & (mass <= total * (1.0 + check.ROUNDING)))
    if bad.any():
        problem, group = np.argwhere(bad)[0].tolist()
        most = f"{total[problem, group]:g}, the " + ("number of scores" if w is None else "total weight")
        where = "in a problem" if p.sums.groups is None else f"in group {group}"
        raise ValueError(f"k must lie between 0 and {most} {where}; got {mass[problem, group]:g} for problem {problem}")
    check.check_resolution(mass.reshape(-1), total.reshape(-1), w)
    return x, np.minimum(mass, total), total, w


def _check_weights(w: Tensor) -> None:
    """Weights (…, n) must be finite and >= 0, with a positive finite sum for each problem."""
    rows = w.reshape(-1, w.shape[-1]).numpy()
    if not (np.isfinite(rows) & (rows >= 0.0)).all():
        raise check.bad_weights(rows.reshape(-1))
    sums = rows.sum(axis=-1)
    for extreme in (sums.min(), sums.max()) if sums.size else ():
        check.check_total_weight(float(extreme))


def _by_core(p: Problem, temperature: float) -> tuple[Tensor, Tensor]:
    """`multipliers` by the compiled core: all groups of all problems in one call."""
    x, mass, total, w = _checked(p)
    shape = mass.shape
    if p.sums.groups is None:
        segments, groups = Segments.equal(*x.shape), np.arange(mass.size)
    else:
        codes = np.arange(len(x))[:, None] * shape[1] + p.sums.groups.numpy()
        segments = Segments.by_label(codes.reshape(-1))
        groups = np.array(segments.labels)
    weights = None if w is None else segments.sort(w.reshape(-1))
    budgets, totals = mass.reshape(-1)[groups], total.reshape(-1)[groups]
    found = find_multipliers(segments, segments.sort(x.reshape(-1)), weights, budgets, totals, temperature)
    out = np.zeros((2, mass.size))  # groups without rows have none
    out[0, groups], out[1, groups] = found.anchor, found.nu
    anchor, nu = torch.from_numpy(out).reshape(2, *p.k.shape)
    return anchor, nu


def group_sums(groups: Tensor | None, n: int, count: int | None) -> Sums:
    """Check groups: whole numbers from 0, one for each of the n rows; ``count`` of them, None: the largest and 1.

    Where reading the largest would make the host wait, there may be as many as rows.
    """
    if groups is None:
        return Sums(None, 1)
    if torch.compiler.is_compiling():
        # torch 2.13's compiler for CPUs writes past the ends of arrays in code with sums by group.
        raise ValueError("groups cannot be compiled; leave them out, or keep the call outside of torch.compile")
    if not isinstance(groups, Tensor) or groups.dtype not in INTEGERS:
        kind = getattr(groups, "dtype", type(groups))
        raise ValueError(f"groups must be a tensor of whole numbers, the group of each row, got {kind}")
    if groups.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), one group per row; got {tuple(groups.shape)}")
    groups = groups.long()
    if readable(groups):
        least, most = int(groups.min()), int(groups.max())
        if least < 0 or (count is not None and most >= count):
            bad = least if least < 0 else most
            last = "" if count is None else f" to {count - 1}, as k has {count} entries"
            raise ValueError(f"groups must be numbered from 0{last}; got {bad}")
        count = most + 1 if count is None else count
    return Sums(groups, n if count is None else count)


def weights_of(sample_weight: Tensor | None, shape: torch.Size, device: torch.device) -> Tensor | None:
    """Weights (n,), or of the scores' shape (…, n), as float64."""
    if sample_weight is None:
        return None
    if not isinstance(sample_weight, Tensor) or sample_weight.is_complex():
        kind = getattr(sample_weight, "dtype", type(sample_weight))
        raise ValueError(f"sample_weight must be a tensor of numbers, got {kind}")
    if sample_weight.requires_grad:
        raise ValueError("sample_weight is a constant and gets no gradient; pass sample_weight.detach()")
    if sample_weight.shape not in (shape, shape[-1:]):
        raise ValueError(
            f"sample_weight must have shape ({shape[-1]},), one weight per row, or the shape of the scores; got "
            f"{tuple(sample_weight.shape)}"
        )
    w = sample_weight.to(device=device, dtype=torch.float64)
    if readable(w):
        _check_weights(w)
    return w
