"""scikit-learn's interface to the losses of this package, on either booster."""

from hsboost.estimators._classifier import HSClassifier
from hsboost.estimators._export.result import ExportResult
from hsboost.estimators._queues import top_k
from hsboost.estimators._trusted import SKOPS_TRUSTED

__all__ = ["SKOPS_TRUSTED", "ExportResult", "HSClassifier", "top_k"]
