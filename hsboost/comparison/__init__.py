"""Which loss finds more positives among the top k of your rows: log loss and its rivals, trained alike."""

from hsboost.comparison._compare import ComparisonInterrupted, compare_losses
from hsboost.comparison._recommendation import Recommendation
from hsboost.comparison._result import LossComparison
from hsboost.comparison._trials import CANDIDATES, Candidate, Trial

__all__ = [
    "CANDIDATES",
    "Candidate",
    "ComparisonInterrupted",
    "LossComparison",
    "Recommendation",
    "Trial",
    "compare_losses",
]
