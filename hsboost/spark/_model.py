"""What a fitted SparkHSClassifier does: decide and rank rows where they are."""

from __future__ import annotations

import copy
import hashlib
import pickle
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark import cloudpickle
from pyspark.ml.base import Model
from pyspark.ml.functions import array_to_vector
from pyspark.sql import functions as F

from hsboost._engines import rows as _rows
from hsboost._validation import Budgets
from hsboost.estimators import HSClassifier, _top_k
from hsboost.spark import _arrow, _columns
from hsboost.spark._arrow import FEATURES, GROUP, Layout
from hsboost.spark._params import HSParams
from hsboost.spark._persistence import ModelReadable, ModelWritable

#: The structure that one pass over the rows makes, until its fields are columns.
_MADE = "hsboost_made"


def _of_local(name: str) -> Any:
    return property(lambda self: getattr(self._fitted(), name), doc=f"``{name}`` of the HSClassifier.")


class SparkHSClassifierModel(Model, HSParams, ModelWritable, ModelReadable):
    """What :class:`SparkHSClassifier` has trained, for data frames of any size.

    ``transform`` adds the columns

    * ``rawPrediction``: a vector with the raw score of each class; of two classes minus the score, and the score
    * ``decision``: the raw score minus the threshold (a vector for several classes): above 0 is ``classes_[1]``
    * ``prediction``: the class of each row by itself; a double where labels are numbers
    * ``probability``: a vector of probabilities, of models with a calibration and of losses that have some

    A column whose name is set to "" is left out. With ``group_col`` decisions and predictions are by each group's own
    threshold.

    Attributes
    ----------
    evals_result : dict
        XGBoost's record of the validation rows, as "validation_0".
    classes_, pos_label_, threshold_, group_thresholds_, booster_
        As for :class:`hsboost.HSClassifier`.
    """

    def __init__(self, local: HSClassifier | None = None, evals_result: dict[str, Any] | None = None) -> None:
        super().__init__()
        self._local = local
        self.evals_result = evals_result or {}

    def to_classifier(self) -> HSClassifier:
        """The same model as an HSClassifier, to be saved, exported, served and explained without Spark."""
        return copy.deepcopy(self._fitted())

    classes_, pos_label_, threshold_, group_thresholds_, booster_ = map(
        _of_local, ("classes_", "pos_label_", "threshold_", "group_thresholds_", "booster_")
    )

    @property
    def numClasses(self) -> int:
        """The number of classes."""
        return int(self._fitted().classes_.size)

    @property
    def numFeatures(self) -> int:
        """The number of features."""
        return int(self._fitted().n_features_in_)

    def setFeaturesCol(self, value: str | list[str]) -> SparkHSClassifierModel:
        """Set the column, or the columns, of features."""
        return self._set_all({"features_col": value})

    def setGroupCol(self, value: str | None) -> SparkHSClassifierModel:
        """Set the column of groups; None: all rows by the common threshold."""
        return self._set_all({"group_col": value})

    def setPredictionCol(self, value: str) -> SparkHSClassifierModel:
        """Set the column for predictions; "" leaves it out."""
        return self._set_all({"prediction_col": value})

    def setRawPredictionCol(self, value: str) -> SparkHSClassifierModel:
        """Set the column for raw scores; "" leaves it out."""
        return self._set_all({"raw_prediction_col": value})

    def setProbabilityCol(self, value: str) -> SparkHSClassifierModel:
        """Set the column for probabilities; "" leaves it out."""
        return self._set_all({"probability_col": value})

    def setDecisionCol(self, value: str) -> SparkHSClassifierModel:
        """Set the column for decisions; "" leaves it out."""
        return self._set_all({"decision_col": value})

    def setSelectedCol(self, value: str) -> SparkHSClassifierModel:
        """Set the column of :meth:`predict_top_k`."""
        return self._set_all({"selected_col": value})

    def predict_top_k(self, df: Any, k: Budgets = None, groups: str | None = None) -> Any:
        """Exactly k rows among all of a data frame, of each group, of each class, without collecting them.

        Rows and scores are kept on the executors (``localCheckpoint``, or ``checkpoint`` where Spark has a checkpoint
        directory) until the result is no longer referred to, so that what is returned stays the same rows however
        often it is computed. The k-th highest score is found in three exchanges, whose sums Spark adds up.

        Parameters
        ----------
        df : DataFrame
        k : int, float in (0, 1), or a mapping, optional
            As for :meth:`hsboost.HSClassifier.predict_top_k`; the model's own k if None.
        groups : str, optional
            The column of the groups, each of which has the budget; ``group_col`` if None.

        Returns
        -------
        DataFrame
            All rows, with the columns ``decision`` and ``selected``: ``.where("selected")`` are the k rows. Of rows
            that tie some are chosen, so that it is exactly k. For more than two classes ``selected`` is an array of one
            truth value per class, in the order of ``classes_``.
        """
        from hsboost.spark import _ranking

        groups = self.getGroupCol() if groups is None else groups
        local = self._fitted()
        local._check_grouped(groups)
        return _ranking.top_k(self, df, local.k if k is None else k, groups)

    def _fitted(self) -> HSClassifier:
        if self._local is None:
            raise ValueError(
                "this SparkHSClassifierModel has no model; load one with SparkHSClassifierModel.load(path)"
            )
        return self._local

    def _layout(self, df: Any) -> Layout:
        settings = self._fitted().estimator_
        columns = self.getFeaturesCol()
        return _columns.layout_of(df, columns, float(settings.missing), bool(settings.enable_categorical))

    def _transform(self, dataset: Any) -> Any:
        local = self._fitted()
        groups = self.getGroupCol()
        has_groups = groups is not None and hasattr(local, "group_thresholds_")
        if groups is not None and not has_groups:
            raise _top_k.without_groups()
        wanted = {
            "raw": self.getRawPredictionCol(),
            "decision": self.getDecisionCol(),
            "prediction": self.getPredictionCol(),
            "probability": self.getProbabilityCol() if _has_probabilities(local) else "",
        }
        wanted = {field: name for field, name in wanted.items() if name}
        for name in wanted.values():
            if name in dataset.columns:
                raise ValueError(f"the data frame has a column {name!r} already; rename it, or the model's own column")
        if not wanted:
            return dataset
        types = {
            "raw": "array<double>",
            "decision": "double" if local.classes_.size == 2 else "array<double>",
            "prediction": _label_type(local.classes_),
            "probability": "array<double>",
        }
        schema = "struct<" + ",".join(f"{field}:{types[field]}" for field in wanted) + ">"
        made = dataset.withColumn(_MADE, self._call(dataset, tuple(wanted), schema, groups if has_groups else None))
        for field, name in wanted.items():
            column = F.col(f"{_MADE}.{field}")
            made = made.withColumn(name, array_to_vector(column) if types[field] == "array<double>" else column)
        return made.drop(_MADE)

    def _call(self, df: Any, fields: tuple[str, ...], schema: str, groups: str | None) -> Any:
        """A column of structures with these fields, computed batch by batch."""
        layout = self._layout(df)
        columns = _columns.features_of(df, self.getFeaturesCol(), layout)
        if layout.kind == "vector":  # pandas would hold a structure within a structure as one dictionary a row
            columns = [columns[0].getField(part).alias(part) for part in _arrow.VECTOR]
        if groups is not None:
            columns.append(_columns.group_of(df, groups))
        model = cloudpickle.dumps(_single_threaded(self._fitted()))

        @F.pandas_udf(schema)
        def made(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for batch in batches:
                yield scored(batch, layout, model, fields, groups is not None)

        return made(F.struct(*columns))


def scored(batch: pd.DataFrame, layout: Layout, model: bytes, fields: tuple[str, ...], grouped: bool) -> pd.DataFrame:
    """What the model says of one batch."""
    local = _loaded(hashlib.sha256(model).digest(), model)
    found = {name: _as_arrow(batch[name], kind) for name, kind in _arrow.types(layout).items()}
    if layout.kind == "vector":
        found = {FEATURES: _arrow.vectors(found)}
    if len(batch) == 0:
        return pd.DataFrame({field: pd.Series([], dtype=object) for field in fields})
    rows = _arrow.features(found, layout)
    groups = None
    if grouped:
        column = _as_arrow(batch[GROUP])
        _arrow.check_present(column, "group_col", "give those rows a group")
        groups = _arrow.values(column)
    made: dict[str, Any] = {}
    for field in fields:
        if field == "raw":
            made[field] = _listed(_raw(local, rows))
        elif field == "decision":
            decision = _rows.call(rows, groups, local, "decision_function")
            made[field] = decision if decision.ndim == 1 else _listed(decision)
        elif field == "prediction":
            label = _rows.call(rows, groups, local, "predict")
            made[field] = label if label.dtype.kind in "bUO" else label.astype(np.float64)
        elif field == "score":
            score = _rows.raw(rows, local)
            made[field] = score if score.ndim == 1 else _listed(score)
        else:
            made[field] = _listed(_rows.call(rows, None, local, "predict_proba"))
    return pd.DataFrame(made)


def _raw(local: HSClassifier, rows: Any) -> np.ndarray:
    """Raw scores of the classes, (n, C): in the order of ``classes_``."""
    raw = local._raw(local._read(rows))
    if raw.ndim == 2:
        return raw
    return np.column_stack([raw, -raw] if local._is_turned() else [-raw, raw])


def _listed(values: np.ndarray) -> list[Any]:
    return list(values)


def _as_arrow(column: pd.Series, kind: Any = None) -> pa.Array:
    values = pa.Array.from_pandas(column, type=kind)
    return values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values


@lru_cache(maxsize=4)  # a worker process serves many tasks of one model
def _loaded(_: bytes, model: bytes) -> HSClassifier:
    return pickle.loads(model)  # sent by the driver, within Spark's own pickle of this function


def _single_threaded(local: HSClassifier) -> HSClassifier:
    """The model with one thread for each task: the tasks are what runs in parallel."""
    model = copy.deepcopy(local)
    model.estimator_.n_jobs = 1
    model.estimator_.get_booster().set_param({"nthread": 1})
    return model


def _has_probabilities(local: HSClassifier) -> bool:
    return local.calibration is not None or local._own_probabilities()


def _label_type(classes: np.ndarray) -> str:
    return {"b": "boolean", "U": "string", "O": "string"}.get(classes.dtype.kind, "double")


SparkHSClassifierModel.__module__ = "hsboost.spark"  # what saved pipelines name
