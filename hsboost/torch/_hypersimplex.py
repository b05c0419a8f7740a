"""The HyperSimplex loss as a module: multiclass, binary and multilabel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from hsboost import _validation as check
from hsboost.torch import _budgets
from hsboost.torch._projection import soft_binary_argmax
from hsboost.torch._targets import check_binary, check_classes, check_logits, check_reduction, indicators


class HypersimplexLoss(nn.Module):
    """Train a network on a differentiable zero-one loss over its batch: a class's column should rank its rows highest.

    Each column of scores is projected over the rows of the batch, ŷ = soft_binary_argmax(scores, k), and compared with
    its 0/1 indicators y. At hard assignments ‖ŷ - y‖² counts mistakes, k + P - 2 TP@k with P positives. The same
    mathematics, and on the same rows the same numbers, as `hsboost.losses.HypersimplexLoss`.

    Parameters
    ----------
    k : "count", "half", "running", int, float in (0, 1), or a sequence of these numbers, default "count"
        How many rows of the batch each column's projection picks. ``"count"``: as many as there are in the batch, the
        class counts, as the paper's text has it. ``"half"``: half of the batch for every class, of n rows the integer
        part n // 2, as the paper's code has it. ``"running"``: the batch's size times the running frequency of each
        class, for batches so small that their own counts are noise. An int is a count (all rows of a smaller batch), a
        float a share of the batch (0.5: n / 2 itself); a sequence has one per class.
    temperature : float, default 1.0
        Softness, in units of the scores (1.5 in the paper's image experiments).
    reduction : {"mean", "sum", "none"}, default "mean"
        ``"mean"``: Σ (ŷ - y)² / B, added up over classes (no ½, as in the paper's code). ``"sum"``: ½ Σ (ŷ - y)².
        ``"none"``: the ½ (ŷ - y)² themselves.
    num_classes : int, optional
        Columns (1 for one score per row). Needed only for ``k="running"``.
    momentum : float in (0, 1] or None, default 0.1
        Weight of the newest batch in the running frequencies; the first batches count equally until their number
        reaches 1 / momentum. None: all batches ever seen count equally. Updated in training mode only.

    Attributes
    ----------
    frequency, batches : Tensor
        Buffers of ``k="running"``, shape (num_classes,) and (); part of the ``state_dict``.

    Shapes
    ------
    input (B, C) with target (B,) of class indices: multiclass. Input (B,) or (B, 1) with 0/1 targets of the same shape
    or (B,): binary. Input (B, C) with target (B, C) of 0/1: multilabel. Half precision is converted to float32, also
    for the result.

    Notes
    -----
    Scores are compared within a column only: adding a constant to a column changes nothing. Subtract
    :meth:`soft_threshold` before taking the best column of a row. Rows compete within the batch: with gradient
    accumulation or several devices each part is a separate batch.

    Raises
    ------
    ValueError
        For shapes that do not match, and targets out of range (checked on the CPU only).

    References
    ----------
    Gomez, Wang, Tang, "Differentiable Zero-One Loss via Hypersimplex Projections", arXiv 2602.23336.

    Examples
    --------
    >>> import torch
    >>> from hsboost.torch import HypersimplexLoss
    >>> scores = torch.tensor([0.9, 0.2, 0.1, -2.0], requires_grad=True)
    >>> loss = HypersimplexLoss(reduction="sum")(scores, torch.tensor([1, 1, 0, 0]))
    >>> loss.backward()
    >>> round(loss.item(), 4), [round(g, 3) for g in scores.grad.tolist()]
    (0.2025, [0.0, -0.45, 0.45, 0.0])
    """

    frequency: Tensor
    batches: Tensor

    def __init__(
        self,
        k: Literal["count", "half", "running"] | float | Sequence[float] = "count",
        temperature: float = 1.0,
        reduction: Literal["mean", "sum", "none"] = "mean",
        *,
        num_classes: int | None = None,
        momentum: float | None = 0.1,
    ) -> None:
        super().__init__()
        self.k = _budgets.check_budget(k)
        self.temperature = check.check_temperature(temperature)
        self.reduction = check_reduction(reduction)
        self.momentum = momentum
        if momentum is not None and check.check_positive(momentum, "momentum") > 1.0:
            raise ValueError(f"momentum must lie in (0, 1], or be None for plain averages; got {momentum!r}")
        if self.k == "running":
            if num_classes is None or num_classes < 1:
                raise ValueError(f"k='running' needs num_classes, the number of columns; got {num_classes!r}")
            self.register_buffer("frequency", torch.zeros(num_classes, dtype=torch.float32))
            self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def extra_repr(self) -> str:
        """The parameters, for ``print``."""
        return f"k={self.k!r}, temperature={self.temperature!r}, reduction={self.reduction!r}"

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch; see the class for shapes.

        Parameters
        ----------
        input : Tensor of shape (B,) or (B, C)
        target : Tensor of shape (B,) or of the shape of input

        Returns
        -------
        Tensor : a scalar, or the shape of input for ``reduction="none"``.
        """
        logits = check_logits(input)
        scores = logits if logits.ndim == 2 else logits.unsqueeze(-1)
        labels = self._indicators(scores, target)
        mass = self._masses(*self._totals(labels), self.training)
        values = soft_binary_argmax(scores, mass, self.temperature, dim=0)
        squares = (values - labels).square()
        if self.reduction == "none":
            return 0.5 * squares.reshape(logits.shape)
        return 0.5 * squares.sum() if self.reduction == "sum" else squares.sum() / scores.shape[0]

    @torch.no_grad()
    def soft_threshold(self, input: Tensor, target: Tensor) -> Tensor:
        """The score that gets ŷ = 1/2 in each column: subtract it before comparing columns by ``argmax``.

        The loss does not change when a constant is added to a column, so the columns have no common zero. Compute the
        cuts from (unaugmented) training rows, in evaluation mode, with as many rows as fit into memory.

        Parameters
        ----------
        input, target
            As for :meth:`forward`.

        Returns
        -------
        Tensor of shape (C,); (1,) for one score per row. As `hsboost.losses.HypersimplexLoss.soft_threshold`.
        """
        logits = check_logits(input)
        scores = logits if logits.ndim == 2 else logits.unsqueeze(-1)
        mass = self._masses(*self._totals(self._indicators(scores, target)), update=False)
        x = scores.double()
        v = soft_binary_argmax(x, mass, self.temperature, dim=0)
        active = (v > 0.0) & (v < 1.0)
        inside = torch.where(active, x - self.temperature * (v - 0.5), 0.0).sum(0) / active.sum(0).clamp(min=1)
        lowest = torch.where(v >= 1.0, x, torch.inf).amin(0)
        highest = torch.where(v <= 0.0, x, -torch.inf).amax(0)
        half = 0.5 * self.temperature
        between = torch.where(lowest.isinf(), highest + half, torch.where(highest.isinf(), lowest - half, 0.0))
        both = lowest.isfinite() & highest.isfinite()
        between = torch.where(both, 0.5 * lowest + 0.5 * highest, between)
        return torch.where(active.any(0), inside, between).to(scores.dtype)

    @staticmethod
    def _indicators(scores: Tensor, target: Tensor) -> Tensor:
        """(B, C) of 0 and 1, one column per projection."""
        rows, columns = scores.shape
        if target.ndim == 1 and columns > 1:
            return indicators(check_classes(target, rows, columns), columns, scores.dtype)
        labels = target.unsqueeze(-1) if target.ndim == 1 else target
        return check_binary(labels, scores.shape).to(scores.dtype)

    @staticmethod
    def _totals(labels: Tensor) -> tuple[Tensor, Tensor]:
        """How many rows each column has as positives (C,), and how many there are ()."""
        rows = torch.full((), float(len(labels)), dtype=torch.float64, device=labels.device)
        return labels.sum(0, dtype=torch.float64), rows

    def _masses(self, positive: Tensor, total: Tensor, update: bool) -> Tensor:
        """The budgets of columns with Σ w y (C, …) of Σ w (…)."""
        if self.k != "running":
            return _budgets.masses(self.k, positive, total)
        columns = len(positive)
        if columns != self.frequency.numel():
            raise ValueError(f"input has {columns} columns, num_classes is {self.frequency.numel()}; they must agree")
        if update:
            self._update(positive.reshape(columns, -1).sum(1) / total.sum())
        share = self.frequency.double().reshape(-1, *[1] * total.ndim)
        return (share * total).clamp(min=0.0).minimum(total)

    @torch.no_grad()
    def _update(self, share: Tensor) -> None:
        """Move the running frequencies towards those of a batch (C,)."""
        self.batches.add_(1)
        rate = 1.0 / self.batches.float()
        if self.momentum is not None:
            rate = rate.clamp(min=self.momentum)
        self.frequency.lerp_(share.to(self.frequency.dtype), rate)
