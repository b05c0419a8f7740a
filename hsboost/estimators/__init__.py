"""scikit-learn's interface to the losses of this package, on either booster."""

from hsboost.estimators._classifier import HSClassifier
from hsboost.estimators._queues import top_k

__all__ = ["HSClassifier", "top_k"]
