"""P = ∫ φ(t) Π Φ(t + a_i) dt in tensor operations: the trapezoid rule of `hsboost._kernels.exact`, nodes fitted by row.

The nodes are constants of a row; the derivatives of log P are those of the sum over them, which converges as fast.
Everything is float64, and the number of operations depends on the shape alone: no value is read by the host.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from hsboost._kernels.exact import DIGITS, FAR
from hsboost.torch._targets import by_plain_operations

#: Newton steps to the maximum of the integrand, and steps down its left flank; more do not change the result.
MODE_STEPS = 10
FLANK_STEPS = 26

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


def node_count(others: int) -> tuple[int, int]:
    """Nodes to the left and to the right of the maximum, for the worst rows with this many other classes."""
    doublings = math.log2(others + 1)
    return math.ceil(12 + 3.5 * doublings), math.ceil(14 + 8.5 * doublings)


def log_probability(a: Tensor) -> Tensor:
    """log P of each row of offsets ``a`` (n, others), float64; differentiable."""
    if a.shape[-1] == 1:
        return log_cdf(a.squeeze(-1) * _ROOT_HALF)
    mode, step, bend = place_nodes(a.detach())
    far = mode > FAR
    left, right = node_count(a.shape[-1])
    place = torch.arange(-left, right + 1, dtype=a.dtype, device=a.device)
    # Far rows: Laplace's method, one node at the maximum.
    t = mode.unsqueeze(-1) + torch.where(far, 0.0, step).unsqueeze(-1) * place
    # Relative to the maximum: t²/2 nearly cancels with the logarithms of Φ, and would lose the digits of the rest.
    top = 0.5 * mode * mode
    log_g = log_cdf(t.unsqueeze(-1) + a.unsqueeze(-2)).sum(-1) + (top.unsqueeze(-1) - 0.5 * t * t)
    total = torch.logsumexp(log_g, -1) - top + torch.log(step) - _HALF_LOG_2PI
    laplace = log_g[..., left] - top - 0.5 * torch.log(bend)
    return torch.where(far, laplace, total).clamp(max=0.0)


def place_nodes(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(maximum of the integrand, step between nodes, curvature at the maximum) of each row."""
    t = (-0.5 * a.amin(-1)).clamp(min=0.0)
    for _ in range(MODE_STEPS):
        total, bend, _ = slopes(t, a)
        t = t + (total - t) / bend
    _, curvature, top = slopes(t, a)
    mode, bend, log_g = t, curvature, top
    best = torch.full_like(t, math.inf)
    for _ in range(FLANK_STEPS):
        left = DIGITS - (top - log_g)
        step = math.pi * torch.sqrt(2.0 / (bend * left.clamp(min=1.0)))
        best = torch.where(left > 1.0, torch.minimum(best, step), best)
        t = t - 1.0 / torch.sqrt(bend)
        _, bend, log_g = slopes(t, a)
    return mode, best, curvature


def slopes(t: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(Σ λ(t + a), 1 + Σ κ(t + a), log of the integrand) with λ = φ/Φ and κ = λ (t + a + λ)."""
    x = t.unsqueeze(-1) + a
    lam = hazard(x)
    bend = (lam * (lam + x)).clamp(0.0, 1.0)
    return lam.sum(-1), 1.0 + bend.sum(-1), torch.special.log_ndtr(x).sum(-1) - 0.5 * t * t


def hazard(x: Tensor) -> Tensor:
    """λ = φ(x) / Φ(x), to all digits far to the left. Beyond 36, where it is 1e-282, erfcx would overflow."""
    return math.sqrt(2.0 / math.pi) / torch.special.erfcx(-_ROOT_HALF * x.clamp(max=36.0))


def log_cdf(x: Tensor) -> Tensor:
    """log Φ(x). The derivative of torch's own log_ndtr loses digits far to the left, as a difference of squares."""
    if not by_plain_operations(x):
        return _LogCdf.apply(x)
    # The same function from pieces with correct derivatives, each used where it is finite.
    left = torch.where(x < 0.0, -_ROOT_HALF * x, 0.0)
    right = torch.where(x < 0.0, 0.0, _ROOT_HALF * x)
    below = torch.log(0.5 * torch.special.erfcx(left)) - left * left
    return torch.where(x < 0.0, below, torch.log1p(-0.5 * torch.special.erfc(right)))


class _LogCdf(Function):
    """log Φ with λ as its derivative; stores only its argument."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return torch.special.log_ndtr(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return g[0] * hazard(x)

    @staticmethod
    def jvp(ctx: Any, *v: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return v[0] * hazard(x)
