"""Losses of one interface: ``loss``, ``gradient``, ``gradient_hessian`` (y_true, raw_prediction, sample_weight)."""

from hsboost.losses._base import Loss
from hsboost.losses.budget_log_loss import BudgetLogLoss
from hsboost.losses.exact import ExactLoss
from hsboost.losses.focal import FocalLoss
from hsboost.losses.hypersimplex import HypersimplexLoss
from hsboost.losses.hypersimplex_fy import HypersimplexFYLoss
from hsboost.losses.hypersimplex_smooth import HypersimplexSmoothFYLoss, HypersimplexSmoothLoss
from hsboost.losses.margins import HingeLoss, SquaredHingeLoss, SquaredLoss
from hsboost.losses.registry import LOSSES, get_loss
from hsboost.losses.sampled import SampledSoftmaxLoss
from hsboost.losses.simplex import EntmaxLoss, SoftmaxLoss, SparsemaxLoss, entmax15

__all__ = [
    "LOSSES",
    "BudgetLogLoss",
    "EntmaxLoss",
    "ExactLoss",
    "FocalLoss",
    "HingeLoss",
    "HypersimplexFYLoss",
    "HypersimplexLoss",
    "HypersimplexSmoothFYLoss",
    "HypersimplexSmoothLoss",
    "Loss",
    "SampledSoftmaxLoss",
    "SoftmaxLoss",
    "SparsemaxLoss",
    "SquaredHingeLoss",
    "SquaredLoss",
    "entmax15",
    "get_loss",
]
