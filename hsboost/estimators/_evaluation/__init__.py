"""Evaluation sets: the forms they are passed in, what they hold, which of them decides, early stopping, metrics."""

from hsboost.estimators._evaluation.arguments import (
    class_weights,
    evaluation_sets,
    names,
    one_form,
    sample_weights,
    set_name,
)
from hsboost.estimators._evaluation.deciding import deciding, only_training_rows, same_data
from hsboost.estimators._evaluation.sets import EvaluationSet, empty_set, encode_known, read

__all__ = [
    "EvaluationSet",
    "class_weights",
    "deciding",
    "empty_set",
    "encode_known",
    "evaluation_sets",
    "names",
    "one_form",
    "only_training_rows",
    "read",
    "same_data",
    "sample_weights",
    "set_name",
]
