"""Gradient-boosted trees trained with the HyperSimplex loss: a differentiable zero-one loss and precision@k.

Names load when they are first used, so that ``import hsboost`` stays cheap and imports no booster.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hsboost._version import __version__

if TYPE_CHECKING:
    from hsboost.comparison import LossComparison, compare_losses
    from hsboost.estimators import SKOPS_TRUSTED, ExportResult, HSClassifier, top_k
    from hsboost.losses import HypersimplexFYLoss, HypersimplexLoss, get_loss
    from hsboost.metrics import DistributedAUC, PrecisionAtK, RecallAtK, precision_at_k, recall_at_k
    from hsboost.objectives import HypersimplexObjective, LossObjective, hypersimplex_obj
    from hsboost.plotting import BudgetGainDisplay, HypersimplexDisplay, LossComparisonDisplay, PrecisionAtKDisplay
    from hsboost.projection import HypersimplexProjection, project_hypersimplex

_HOMES = {
    "BudgetGainDisplay": "plotting",
    "ExportResult": "estimators",
    "HSClassifier": "estimators",
    "HypersimplexDisplay": "plotting",
    "HypersimplexFYLoss": "losses",
    "HypersimplexLoss": "losses",
    "HypersimplexObjective": "objectives",
    "HypersimplexProjection": "projection",
    "LossComparison": "comparison",
    "LossComparisonDisplay": "plotting",
    "LossObjective": "objectives",
    "DistributedAUC": "metrics",
    "PrecisionAtK": "metrics",
    "PrecisionAtKDisplay": "plotting",
    "RecallAtK": "metrics",
    "SKOPS_TRUSTED": "estimators",
    "compare_losses": "comparison",
    "get_loss": "losses",
    "hypersimplex_obj": "objectives",
    "precision_at_k": "metrics",
    "project_hypersimplex": "projection",
    "recall_at_k": "metrics",
    "top_k": "estimators",
}

__all__ = [
    "SKOPS_TRUSTED",
    "BudgetGainDisplay",
    "DistributedAUC",
    "ExportResult",
    "HSClassifier",
    "HypersimplexDisplay",
    "HypersimplexFYLoss",
    "HypersimplexLoss",
    "HypersimplexObjective",
    "HypersimplexProjection",
    "LossComparison",
    "LossComparisonDisplay",
    "LossObjective",
    "PrecisionAtK",
    "PrecisionAtKDisplay",
    "RecallAtK",
    "__version__",
    "compare_losses",
    "get_loss",
    "hypersimplex_obj",
    "precision_at_k",
    "project_hypersimplex",
    "recall_at_k",
    "top_k",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hsboost' has no attribute {name!r}")
    value = getattr(import_module(f"hsboost.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
