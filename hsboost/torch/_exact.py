"""EXACT as a module: expected accuracy of a classifier whose scores are Gaussian."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.autograd import Function

from hsboost import _validation as check
from hsboost.losses.exact import _check_bounds
from hsboost.torch._quadrature import log_probability
from hsboost.torch._targets import check_binary, check_classes, check_logits, check_reduction

SIGMAS = ("learned", "parameter")


class ExactLoss(nn.Module):
    """Expected mistakes of a network that adds Gaussian noise to its scores: a smooth stand-in for accuracy.

    Scores s ~ N(μ, σ² I) have their largest entry at the true class with probability P; a row's loss is 1 - P, or
    -log P. P is the one-dimensional integral ∫ φ(t) Π_{i≠y} Φ(t + (μ_y - μ_i)/σ) dt, here by a trapezoid rule in
    tensor operations (47 nodes for three classes, 68 for ten, 147 for a thousand), always in float64. The same
    mathematics, and on the same rows the same numbers, as `hsboost.losses.ExactLoss`.

    Parameters
    ----------
    sigma : float, "learned" or "parameter", default 1.0
        Standard deviation of the scores, in units of the scores. ``"learned"``: the network has one more output, the
        last, which is log σ(x). ``"parameter"``: one σ for all rows, a parameter of this module (give
        ``loss.parameters()`` to the optimiser), which starts at 1. Only a σ that can shrink relative to the scores
        lets the loss approach the zero-one loss.
    log : bool, default False
        The loss of a row: -log P instead of 1 - P.
    margin : float, optional
        Upper limit of the leads μ_y - μ_i.
    reduction : {"mean", "sum", "none"}, default "mean"
        Reduction over the rows. ``"sum"`` is the value of `hsboost.losses.ExactLoss`.
    sigma_bounds : (float, float), default (0.05, 20.0)
        Least and greatest σ, where it is learned. Beyond them σ stays at the bound, and only a gradient that leads
        back is kept.

    Attributes
    ----------
    log_sigma : nn.Parameter
        Only with ``sigma="parameter"``; shape ().

    Shapes
    ------
    input (B, C) with target (B,) of class indices, or (B,) or (B, 1) with 0/1 targets: the one score is μ₁ - μ₀. With
    ``sigma="learned"`` one more column. Half precision is converted to float32, also for the result. Memory is about
    3 · 8 bytes · B · (C - 1) · nodes, more when compiled.

    Raises
    ------
    ValueError
        For shapes that do not match, and targets out of range (checked on the CPU only).

    References
    ----------
    Karpukhin, Dereka, Kolesnikov, "EXACT: How to Train Your Accuracy", Pattern Recognition Letters, 2024
    (arXiv 2205.09615).

    Examples
    --------
    >>> import torch
    >>> from hsboost.torch import ExactLoss
    >>> round(ExactLoss()(torch.zeros(1, 3), torch.tensor([2])).item(), 6)
    0.666667
    """

    def __init__(
        self,
        sigma: float | Literal["learned", "parameter"] = 1.0,
        log: bool = False,
        margin: float | None = None,
        reduction: Literal["mean", "sum", "none"] = "mean",
        sigma_bounds: tuple[float, float] = (0.05, 20.0),
    ) -> None:
        super().__init__()
        if isinstance(sigma, str) and sigma not in SIGMAS:
            raise ValueError(f"sigma must be a positive number, 'learned' or 'parameter', got {sigma!r}")
        if not isinstance(log, bool):
            raise ValueError(f"log must be True (-log P) or False (1 - P), got {log!r}")
        self.sigma = sigma if isinstance(sigma, str) else check.check_positive(sigma, "sigma")
        self.log = log
        self.margin = None if margin is None else check.check_positive(margin, "margin")
        self.reduction = check_reduction(reduction)
        self.sigma_bounds = _check_bounds(sigma_bounds)
        if self.sigma == "parameter":
            self.log_sigma = nn.Parameter(torch.zeros(()))

    def extra_repr(self) -> str:
        """The parameters, for ``print``."""
        return f"sigma={self.sigma!r}, log={self.log!r}, margin={self.margin!r}, reduction={self.reduction!r}"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch; see the class for shapes.

        Parameters
        ----------
        input : Tensor of shape (B,) or (B, C), with one more column for ``sigma="learned"``
        target : Tensor of shape (B,)

        Returns
        -------
        Tensor : a scalar, or shape (B,) for ``reduction="none"``.
        """
        logits = check_logits(input)
        raw = (logits if logits.ndim == 2 else logits.unsqueeze(-1)).double()
        sigma = self._sigma(raw)
        if self.sigma == "learned":
            raw = raw[:, :-1]
        leads = self._leads(raw, target)
        if self.margin is not None:
            leads = leads.clamp(max=self.margin)
        log_p = log_probability(leads / sigma)
        values = (-log_p if self.log else -torch.expm1(log_p)).to(logits.dtype)
        if self.reduction == "none":
            return values
        return values.sum() if self.reduction == "sum" else values.mean()

    def _sigma(self, raw: Tensor) -> Tensor | float:
        """σ, shape (B, 1) where it is an output."""
        if not isinstance(self.sigma, str):
            return self.sigma
        if self.sigma == "parameter":
            log_sigma = self.log_sigma.double()
        elif raw.shape[1] < 2:
            raise ValueError(
                f"input must have one more column than there are scores when sigma='learned', got {raw.shape[1]} in all"
            )
        else:
            log_sigma = raw[:, -1:]
        low, high = (math.log(bound) for bound in self.sigma_bounds)
        return torch.exp(_Bounded.apply(log_sigma, low, high))

    @staticmethod
    def _leads(means: Tensor, target: Tensor) -> Tensor:
        """μ_y - μ_i over the other classes i, shape (B, max(C - 1, 1))."""
        rows, classes = means.shape
        if classes == 1:
            labels = check_binary(target.reshape(-1, 1), means.shape)
            return torch.where(labels != 0, means, -means)
        index = check_classes(target, rows, classes).long().unsqueeze(-1)
        # The other classes in order: 0 … y-1, then y+1 … C-1.
        places = torch.arange(classes - 1, device=means.device)
        others = places + (places >= index)
        return means.gather(1, index) - means.gather(1, others)


class _Bounded(Function):
    """clamp that keeps the gradient beyond the bounds where a descent step leads back to them."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, low: float, high: float) -> Tensor:
        return x.clamp(low, high)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.low, ctx.high = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, *g: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        outward = ((x > ctx.high) & (g[0] < 0.0)) | ((x < ctx.low) & (g[0] > 0.0))
        return torch.where(outward, 0.0, g[0]), None, None
