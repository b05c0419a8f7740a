"""Losses of one interface: ``loss``, ``gradient``, ``gradient_hessian`` (y_true, raw_prediction, sample_weight)."""

from hsboost.losses._base import Loss
from hsboost.losses.hypersimplex import HypersimplexLoss

__all__ = ["HypersimplexLoss", "Loss"]
