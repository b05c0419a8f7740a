"""HSClassifier on Spark: one threshold for rows that stay where they are. Needs ``hsboost[spark]``, and Java."""

from __future__ import annotations

try:
    import pyarrow  # noqa: F401
    import pyspark.ml  # noqa: F401
except ImportError as error:
    raise ImportError(
        f'hsboost.spark needs pyspark and pyarrow ({error}); install them with `pip install "hsboost[spark]"`'
    ) from error

from hsboost.spark._estimator import SparkHSClassifier
from hsboost.spark._evaluator import PrecisionAtKEvaluator
from hsboost.spark._model import SparkHSClassifierModel

__all__ = ["PrecisionAtKEvaluator", "SparkHSClassifier", "SparkHSClassifierModel"]
