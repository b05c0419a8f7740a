"""Plots of a ranking and its budget: scikit-learn style displays. They need ``pip install hsboost[plot]``.

Importing this package does not need matplotlib; the ``plot`` methods do.
"""

from __future__ import annotations

from hsboost.plotting.assignment import HypersimplexDisplay
from hsboost.plotting.comparison import LossComparisonDisplay
from hsboost.plotting.gain import AtBudget, BudgetGainDisplay
from hsboost.plotting.precision import PrecisionAtKDisplay

__all__ = ["AtBudget", "BudgetGainDisplay", "HypersimplexDisplay", "LossComparisonDisplay", "PrecisionAtKDisplay"]
