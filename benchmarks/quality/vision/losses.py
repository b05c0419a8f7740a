"""The losses that are compared, as functions of (scores, classes)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.quality.vision.plan import Settings
from hsboost.torch import ExactLoss, HypersimplexLoss
from hsboost.torch._targets import indicators


@dataclass(frozen=True)
class Described:
    """A loss's name in tables, and its description."""

    label: str
    meaning: str


DESCRIBED = {
    "ce": Described("cross entropy", "softmax and log loss"),
    "hypersimplex-count": Described("HyperSimplex, k = count", "each class's count in the batch, as the paper's text"),
    "hypersimplex-half": Described("HyperSimplex, k = n/2", "half of the batch for every class, as the paper's code"),
    "mse": Described("MSE", "mean squared error of the softmax probabilities, as the paper's code"),
    "hinge": Described("hinge", "Σ over other classes of [1 + s_i - s_y]₊, as the paper's code"),
    "exact": Described("EXACT", "1 - P with σ = 1, by quadrature"),
    "exact-log": Described("EXACT, -log P", "-log P with σ = 1, by quadrature"),
}


class Probabilities(nn.Module):
    """Mean squared error of softmax probabilities."""

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        return F.mse_loss(scores.softmax(1), indicators(target, scores.shape[1], scores.dtype))


class Hinge(nn.Module):
    """Multiclass hinge, summed over the other classes."""

    def forward(self, scores: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        own = indicators(target, scores.shape[1], scores.dtype)
        lead = scores - (scores * own).sum(1, keepdim=True)
        return ((1.0 + lead).clamp(min=0.0) * (1.0 - own)).sum(1).mean()


class Hypersimplex(HypersimplexLoss):
    """HyperSimplex with the paper's scaling, the mean over rows and classes (Adam almost ignores the factor)."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch."""
        return super().forward(input, target) / input.shape[1]


def make_loss(name: str, settings: Settings) -> nn.Module:
    """Create a loss from its name on the command line."""
    if name.startswith("hypersimplex"):
        return Hypersimplex("half" if name.endswith("half") else "count", settings.temperature)
    makers = {"ce": nn.CrossEntropyLoss, "mse": Probabilities, "hinge": Hinge, "exact": ExactLoss}
    return ExactLoss(log=True) if name == "exact-log" else makers[name]()
