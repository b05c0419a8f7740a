"""Parameters of SparkHSClassifier and of its models, in the manner of pyspark.ml."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import (
    HasFeaturesCol,
    HasLabelCol,
    HasPredictionCol,
    HasProbabilityCol,
    HasRawPredictionCol,
    HasValidationIndicatorCol,
    HasWeightCol,
)

from hsboost.estimators import HSClassifier

#: Names of keywords, and of pyspark.ml's parameters that they set.
ALIASES = {
    "features_col": "featuresCol",
    "label_col": "labelCol",
    "weight_col": "weightCol",
    "group_col": "groupCol",
    "validation_indicator_col": "validationIndicatorCol",
    "prediction_col": "predictionCol",
    "raw_prediction_col": "rawPredictionCol",
    "probability_col": "probabilityCol",
    "decision_col": "decisionCol",
    "selected_col": "selectedCol",
}

#: HSClassifier's settings that are this estimator's, too.
OF_CLASSIFIER = (
    "loss", "k", "temperature", "hessian", "hessian_floor", "pos_label", "class_weight", "calibration",
)  # fmt: skip

#: XGBClassifier's settings that are not for choice here: the loss takes the objective's place, Spark says how many
#: threads a task has.
_NOT_HERE = {
    "objective": "the loss is the objective: pass loss=",
    "n_jobs": "a task uses the threads that Spark gives it: set spark.task.cpus",
    "nthread": "a task uses the threads that Spark gives it: set spark.task.cpus",
    "base_margin_col": "a starting score would not be there when predicting",
    "qid_col": "rows of a group share a budget with group_col=",
}


def _optional(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else convert(value)


def plain_value(value: Any) -> Any:
    """NumPy's numbers as Python's, also in mappings."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {plain_value(key): plain_value(one) for key, one in value.items()}
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"could not convert {value!r} to a number")
    return float(value)


def _features(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return TypeConverters.toListString(value)


def own(name: str, doc: str, convert: Callable[[Any], Any] = plain_value) -> Any:
    """A parameter of pyspark.ml."""
    return Param(Params._dummy(), name, doc, typeConverter=convert)


class HSParams(
    HasFeaturesCol,
    HasLabelCol,
    HasWeightCol,
    HasPredictionCol,
    HasRawPredictionCol,
    HasProbabilityCol,
    HasValidationIndicatorCol,
):
    """Columns, the budget, the loss, and every setting of XGBoost's trees."""

    featuresCol = own("featuresCol", "column of vectors or arrays, or list of columns of numbers", _features)
    groupCol = own("groupCol", "column of the groups: each has a budget of its own", TypeConverters.toString)
    decisionCol = own("decisionCol", "column for the raw score minus the threshold", TypeConverters.toString)
    selectedCol = own("selectedCol", "column of predict_top_k: which rows are chosen", TypeConverters.toString)
    k = own("k", "how many rows to call positive: a count, a share, a mapping; None: as many as are positive")
    loss = own("loss", "'auto', name of a loss of hsboost.losses.LOSSES, or a loss")
    temperature = own("temperature", "softness in units of the raw scores", _number)
    hessian = own("hessian", "'exact' or 'unit'", TypeConverters.toString)
    hessian_floor = own("hessian_floor", "least curvature of a row", _optional(_number))
    pos_label = own("pos_label", "of two classes the one that is looked for")
    class_weight = own("class_weight", "'balanced', or a mapping of labels to weights")
    calibration = own("calibration", "'sigmoid' or 'isotonic', fitted on the validation rows", _optional(str))
    num_workers = own("num_workers", "how many tasks train together", TypeConverters.toInt)
    force_repartition = own("force_repartition", "deal rows out anew in any case", TypeConverters.toBoolean)
    checkpoint_dir = own("checkpoint_dir", "folder that all machines reach", _optional(str))
    checkpoint_interval = own("checkpoint_interval", "rounds between two checkpoints", TypeConverters.toInt)
    external_memory = own("external_memory", "keep rows in the executors' files", TypeConverters.toBoolean)
    arbitrary_params_dict = own("arbitrary_params_dict", "parameters of XGBoost that XGBClassifier has no name for")
    coll_cfg = own("coll_cfg", "xgboost.collective.Config: time-outs, retries, the tracker's address")

    def __init__(self) -> None:
        super().__init__()
        self._setDefault(
            decisionCol="decision", selectedCol="selected", k=None, loss="auto", temperature=1.0,
            hessian="exact", hessian_floor=None, pos_label=None, class_weight=None, calibration=None, num_workers=1,
            force_repartition=False, checkpoint_dir=None, checkpoint_interval=10, external_memory=False, coll_cfg=None,
            arbitrary_params_dict={},
        )  # fmt: skip
        self._setDefault(**XGBOOST)

    def getK(self) -> Any:
        """The budget."""
        return self.getOrDefault("k")

    def getLoss(self) -> Any:
        """The loss."""
        return self.getOrDefault("loss")

    def getGroupCol(self) -> str | None:
        """The column of the groups; None without groups."""
        return self._named("groupCol")

    def getDecisionCol(self) -> str:
        """The column for decisions."""
        return self.getOrDefault("decisionCol")

    def getSelectedCol(self) -> str:
        """The column that says which rows ``predict_top_k`` chooses."""
        return self.getOrDefault("selectedCol")

    def getNumWorkers(self) -> int:
        """How many tasks train together."""
        return self.getOrDefault("num_workers")

    def _named(self, param: str) -> Any:
        """A column that may not be given."""
        return self.getOrDefault(param) if self.isDefined(param) and self.getOrDefault(param) else None

    def _set_all(self, settings: dict[str, Any]) -> Any:
        """Set parameters by keyword; None for a column takes it back."""
        for name, value in settings.items():
            param = ALIASES.get(name, name)
            if name in _NOT_HERE:
                raise TypeError(f"{name} cannot be set here: {_NOT_HERE[name]}")
            if not self.hasParam(param):
                known = [*ALIASES, *(one.name for one in self.params if one.name not in ALIASES.values())]
                close = difflib.get_close_matches(name, known, 1)
                hint = f"; did you mean {close[0]!r}?" if close else ""
                raise TypeError(f"{name!r} is no parameter of {type(self).__name__}, nor of XGBClassifier{hint}")
            if value is None and param in ALIASES.values():
                self.clear(self.getParam(param))
            else:
                self._set(**{param: value})
        return self

    def _booster_settings(self) -> dict[str, Any]:
        return {name: self.getOrDefault(name) for name in XGBOOST} | self.getOrDefault("arbitrary_params_dict")

    def _classifier(self) -> HSClassifier:
        """An unfitted HSClassifier with these settings, and the booster's."""
        from xgboost import XGBClassifier

        settings = {name: self.getOrDefault(name) for name in OF_CLASSIFIER}
        return HSClassifier(XGBClassifier(**self._booster_settings()), threshold="training", **settings)


def _defaults_of_xgboost() -> dict[str, Any]:
    from xgboost import XGBClassifier

    found = XGBClassifier().get_params()
    return {name: value for name, value in found.items() if name not in {*_NOT_HERE, *OF_CLASSIFIER}}


#: XGBClassifier's settings and their defaults.
XGBOOST = _defaults_of_xgboost()

_INTEGERS = (
    "max_depth", "n_estimators", "max_bin", "max_leaves", "num_parallel_tree", "early_stopping_rounds", "random_state",
    "verbosity", "max_cat_to_onehot", "max_cat_threshold",
)  # fmt: skip
_FLOATS = (
    "learning_rate", "gamma", "min_child_weight", "max_delta_step", "subsample", "colsample_bytree", "missing",
    "colsample_bylevel", "colsample_bynode", "reg_alpha", "reg_lambda", "scale_pos_weight",
)  # fmt: skip
for _name in XGBOOST:
    _convert = TypeConverters.toInt if _name in _INTEGERS else _number if _name in _FLOATS else plain_value
    setattr(HSParams, _name, own(_name, f"XGBoost's {_name}", _optional(_convert)))
