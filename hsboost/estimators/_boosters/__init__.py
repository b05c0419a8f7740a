"""What differs between XGBoost's and LightGBM's scikit-learn estimators, in one place."""

from hsboost.estimators._boosters.columns import (
    check_columns,
    check_columns_of_start,
    check_evaluation,
    check_names,
    continued,
    know_categories,
    readable,
)
from hsboost.estimators._boosters.errors import explained
from hsboost.estimators._boosters.kinds import kind, kind_meant, native
from hsboost.estimators._boosters.training import class_weight, exchange_objective, fit, prepare, warn_of_one_score
from hsboost.estimators._boosters.truncation import first_rounds, rounds, start

__all__ = [
    "check_columns",
    "check_columns_of_start",
    "check_evaluation",
    "check_names",
    "class_weight",
    "continued",
    "exchange_objective",
    "explained",
    "first_rounds",
    "fit",
    "kind",
    "kind_meant",
    "know_categories",
    "native",
    "prepare",
    "readable",
    "rounds",
    "start",
    "warn_of_one_score",
]
