"""The smooth HyperSimplex losses as modules: scores of a batch are projected with an entropy."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from hsboost.torch import _entropic
from hsboost.torch._hypersimplex import HypersimplexLoss
from hsboost.torch._projection import entropic_problem
from hsboost.torch._targets import check_logits


class _Batch(NamedTuple):
    """Scores as problems (C, B), their 0/1 labels, weights (B,) or None, and Σ w y and Σ w of each group (C, G)."""

    problem: _entropic.Problem
    labels: Tensor
    positive: Tensor
    shape: torch.Size
    dtype: torch.dtype


class HypersimplexSmoothLoss(HypersimplexLoss):
    """The HyperSimplex loss of a batch without corners: rows near the budget's edge count most, and all have a say.

    As :class:`HypersimplexLoss`, with the entropic projection ŷ = σ(scores / temperature - ν), Σ w ŷ = k, in place of
    the Euclidean one: every row has a gradient, and second derivatives exist. The same mathematics, and on the same
    rows the same numbers, as `hsboost.losses.HypersimplexSmoothLoss`, computed in float64. Calls may bring weights and
    groups of the rows; with groups (queries, days, branches) rows compete within their group of the batch.

    Parameters
    ----------
    k, temperature, num_classes, momentum
        As for :class:`HypersimplexLoss`. With weights, counts and shares are those of the weight; with groups each
        group has a budget by the same rule (``"running"``: by the frequencies of the whole batches).
    reduction : {"mean", "sum", "none"}, default "mean"
        ``"mean"``: Σ w (ŷ - y)² / Σ w, added up over classes. ``"sum"``: ½ Σ w (ŷ - y)². ``"none"``: the
        ½ w (ŷ - y)² themselves.

    Attributes
    ----------
    frequency, batches : Tensor
        As for :class:`HypersimplexLoss`.

    Raises
    ------
    ValueError
        For shapes that do not match; on the CPU also for targets, weights and groups out of range, and scores that are
        not finite.

    References
    ----------
    Amos, Koltun, Kolter, "The Limited Multi-Label Projection Layer", arXiv 1906.08707, for the projection.

    Examples
    --------
    >>> import torch
    >>> from hsboost.torch import HypersimplexSmoothLoss
    >>> scores = torch.tensor([0.9, 0.2, 0.1, -2.0], requires_grad=True)
    >>> loss = HypersimplexSmoothLoss(reduction="sum")(scores, torch.tensor([1, 1, 0, 0]))
    >>> loss.backward()
    >>> round(loss.item(), 4), [round(g, 3) for g in scores.grad.tolist()]
    (0.2863, [-0.051, -0.102, 0.138, 0.015])
    """

    def forward(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch; see the class for shapes.

        Parameters
        ----------
        input : Tensor of shape (B,) or (B, C)
        target : Tensor of shape (B,) or of the shape of input
        sample_weight : Tensor of shape (B,), optional
            Finite and >= 0.
        groups : Tensor of shape (B,), whole numbers, optional
            The group of each row, numbered from 0. Not in compiled code.

        Returns
        -------
        Tensor : a scalar, or the shape of input for ``reduction="none"``.
        """
        batch = self._batch(input, target, sample_weight, groups, self.training)
        odds = _entropic.log_odds(batch.problem, self.temperature)
        each = batch.problem.weighted(self._of_rows(odds, batch))
        if self.reduction == "none":
            return each.t().reshape(batch.shape).to(batch.dtype)
        value = each.sum()
        if self.reduction == "mean":
            value = value * self._per_weight / batch.problem.total[0].sum()
        return value.to(batch.dtype)

    #: ``"mean"`` is the sum times this over Σ w: the mean has no ½.
    _per_weight = 2.0

    @torch.no_grad()
    def soft_threshold(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None = None, groups: Tensor | None = None
    ) -> Tensor:
        """The score that gets ŷ = 1/2 in each column: subtract it before comparing columns by ``argmax``.

        Parameters
        ----------
        input, target, sample_weight, groups
            As for :meth:`forward`.

        Returns
        -------
        Tensor of shape (C,), (1,) for one score per row; with groups (C, G). As
        `hsboost.losses.HypersimplexSmoothLoss.soft_threshold`.
        """
        batch = self._batch(input, target, sample_weight, groups, update=False)
        problem = batch.problem._replace(x=batch.problem.x.double())
        anchor, nu = _entropic.multipliers(problem, self.temperature)
        cuts = (anchor + self.temperature * nu).to(batch.dtype)
        return cuts[:, 0] if groups is None else cuts

    def _of_rows(self, odds: Tensor, batch: _Batch) -> Tensor:
        """The loss of each row, of weight 1, from the log odds of ŷ."""
        return 0.5 * (torch.sigmoid(odds) - batch.labels).square()

    def _batch(
        self, input: Tensor, target: Tensor, sample_weight: Tensor | None, groups: Tensor | None, update: bool
    ) -> _Batch:
        """Everything checked and laid out, with the budgets of all columns and groups."""
        logits = check_logits(input)
        scores = logits if logits.ndim == 2 else logits.unsqueeze(-1)
        labels = self._indicators(scores, target).t().double()
        rows = torch.Size(scores.shape[:1])
        if sample_weight is not None and getattr(sample_weight, "shape", rows) != rows:
            raise ValueError(f"sample_weight must have shape {tuple(rows)}, got {tuple(sample_weight.shape)}")
        problem = entropic_problem(scores.t(), 0.0, sample_weight, groups)
        positive = problem.sums.of(problem.weighted(labels))
        mass = self._masses(positive, problem.total[0], update)
        return _Batch(problem._replace(k=mass), labels, positive, logits.shape, logits.dtype)


class HypersimplexSmoothFYLoss(HypersimplexSmoothLoss):
    """The convex sibling of the smooth loss: logistic regression whose intercept is set by the budget of the batch.

    L = Σ w [log-loss(ŷ, y) - v (k - Σ w y) / Σ w] with ŷ = σ(v), v = scores / temperature - ν and Σ w ŷ = k: the
    Fenchel-Young loss of the entropy on the hypersimplex, with gradient (w / temperature) (ŷ - y - (k - Σ w y) / Σ w).
    For ``k="count"`` it is log loss with a free intercept per column and group, profiled out. The same mathematics, and
    on the same rows the same numbers, as `hsboost.losses.HypersimplexSmoothFYLoss`, computed in float64.

    Parameters
    ----------
    k, temperature, num_classes, momentum
        As for :class:`HypersimplexSmoothLoss`.
    reduction : {"mean", "sum", "none"}, default "mean"
        ``"mean"``: L / Σ w, added up over classes. ``"sum"``: L. ``"none"``: its terms.

    References
    ----------
    Blondel, Martins, Niculae, "Learning with Fenchel-Young losses", JMLR 21 (2020), sections 3 and 4.

    Examples
    --------
    >>> import torch
    >>> from hsboost.torch import HypersimplexSmoothFYLoss
    >>> scores = torch.tensor([0.9, 0.2, 0.1, -2.0], requires_grad=True)
    >>> HypersimplexSmoothFYLoss(reduction="sum")(scores, torch.tensor([1, 1, 0, 0])).backward()
    >>> [round(g, 3) for g in scores.grad.tolist()]
    [-0.265, -0.421, 0.554, 0.132]
    """

    _per_weight = 1.0

    def _of_rows(self, odds: Tensor, batch: _Batch) -> Tensor:
        problem = batch.problem
        log_loss = -functional.logsigmoid(torch.where(batch.labels != 0.0, odds, -odds))
        shift = (problem.k - batch.positive) / torch.where(problem.total > 0.0, problem.total, 1.0)
        shift = problem.sums.at_rows(shift).expand(odds.shape)
        # Log odds may be infinite: no product with 0.
        return log_loss - torch.where(shift != 0.0, odds, 0.0) * shift
