"""scikit-learn's interface to the losses of this package, on either booster."""

from hsboost.estimators._classifier import HSClassifier
from hsboost.estimators._export.result import ExportResult

__all__ = ["ExportResult", "HSClassifier"]
