"""scikit-learn's interface to the losses of this package, on either booster."""

from hsboost.estimators._classifier import HSClassifier

__all__ = ["HSClassifier"]
