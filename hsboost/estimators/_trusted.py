"""Types in a file that skops writes of a fitted HSClassifier: what its loader has to be told to trust."""

from __future__ import annotations

#: For ``skops.io.load(path, trusted=…)`` and ``mlflow.sklearn.log_model(…, skops_trusted_types=…)``.
SKOPS_TRUSTED = [
    "collections.OrderedDict",
    "hsboost.estimators._calibration.Isotonic",
    "hsboost.estimators._calibration.Sigmoid",
    "hsboost.estimators._classifier.HSClassifier",
    "hsboost.estimators._guarded.LGBMClassifier",
    "hsboost.estimators._guarded.XGBClassifier",
    "hsboost.losses.budget_log_loss.BudgetLogLoss",
    "hsboost.losses.exact.ExactLoss",
    "hsboost.losses.focal.FocalLoss",
    "hsboost.losses.hypersimplex.HypersimplexLoss",
    "hsboost.losses.hypersimplex_fy.HypersimplexFYLoss",
    "hsboost.losses.hypersimplex_smooth.HypersimplexSmoothFYLoss",
    "hsboost.losses.hypersimplex_smooth.HypersimplexSmoothLoss",
    "hsboost.losses.margins.HingeLoss",
    "hsboost.losses.margins.SquaredHingeLoss",
    "hsboost.losses.margins.SquaredLoss",
    "hsboost.losses.sampled.SampledSoftmaxLoss",
    "hsboost.losses.simplex.EntmaxLoss",
    "hsboost.losses.simplex.SoftmaxLoss",
    "hsboost.losses.simplex.SparsemaxLoss",
    "hsboost.metrics.PrecisionAtK",
    "hsboost.metrics.RecallAtK",
    "hsboost.objectives.HypersimplexObjective",
    "hsboost.objectives.LossObjective",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
]
