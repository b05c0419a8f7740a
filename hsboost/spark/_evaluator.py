"""The precision of the top k of a data frame, for CrossValidator and TrainValidationSplit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.ml.evaluation import Evaluator
from pyspark.ml.param.shared import HasLabelCol, HasWeightCol
from pyspark.sql import functions as F
from pyspark.sql import types as T

from hsboost import _validation as check
from hsboost._engines import rows as _rows
from hsboost._validation import Budgets
from hsboost._workers import radix
from hsboost.spark import _arrow, _columns
from hsboost.spark._arrow import GROUP, WEIGHT
from hsboost.spark._params import own, plain_value
from hsboost.spark._persistence import Readable, Writable
from hsboost.spark._ranking import Frame, group_labels


class PrecisionAtKEvaluator(Evaluator, HasLabelCol, HasWeightCol, Writable, Readable):
    """Of the k rows with the highest decisions, the share that is positive: :func:`hsboost.precision_at_k` on Spark.

    Of all rows of the data frame, or with ``group_col`` of each group; no rows are collected. Higher is better.

    Parameters
    ----------
    k : None, int, float in (0, 1), or a mapping, default None
        As for :func:`hsboost.precision_at_k`. In a ``CrossValidator`` pass a share, as parts of the data have fewer
        rows.
    label_col, weight_col, group_col : str
        Columns of labels (default "label"), of weights and of groups (default: none).
    decision_col : str, default "decision"
        A column of numbers, higher first.
    pos_label : default 1
        The label that counts as positive.
    """

    k = own("k", "how many rows are chosen", plain_value)
    groupCol = own("groupCol", "column of the groups", str)
    decisionCol = own("decisionCol", "column of the scores", str)
    pos_label = own("pos_label", "the label that counts as positive", plain_value)

    def __init__(
        self,
        *,
        k: Budgets = None,
        label_col: str = "label",
        weight_col: str | None = None,
        group_col: str | None = None,
        decision_col: str = "decision",
        pos_label: Any = 1,
    ) -> None:
        super().__init__()
        self._setDefault(k=None, decisionCol="decision", pos_label=1)
        self._set(k=k, labelCol=label_col, decisionCol=decision_col, pos_label=pos_label)
        for name, column in (("weightCol", weight_col), ("groupCol", group_col)):
            if column is not None:
                self._set(**{name: column})

    def isLargerBetter(self) -> bool:
        """Higher is better."""
        return True

    def _evaluate(self, dataset: Any) -> float:
        k = check.check_budgets(self.getOrDefault("k"))
        name = self.getOrDefault("decisionCol")
        score, dtype = _columns.column_of(dataset, name, "decision_col")
        if not isinstance(dtype, T.DoubleType | T.FloatType):
            raise TypeError(f"decision_col {name!r} is of type {dtype.simpleString()}; it must hold numbers: double")
        label, _ = _columns.column_of(dataset, self.getLabelCol(), "label_col")
        hit = (label == F.lit(self.getOrDefault("pos_label"))).cast("double")
        selected = [score.cast("double").alias("score"), hit.alias("hit")]
        weight = self.getOrDefault("weightCol") if self.isDefined("weightCol") else None
        if weight is not None:
            selected.append(_columns.weight_of(dataset, weight))
        groups = self.getOrDefault("groupCol") if self.isDefined("groupCol") else None
        if groups is not None:
            selected.append(_columns.group_of(dataset, groups))
        rows = dataset.select(*selected).persist()
        try:
            return self._precision(rows, k, groups)
        finally:
            rows.unpersist()

    def _precision(self, rows: Any, k: Budgets, groups: str | None) -> float:
        labels = None if groups is None else group_labels(rows, groups, "group_col")
        places = Frame(rows, labels, judged)
        n = max(len(labels or ()), 1)
        total, positive = places.sum((2, n), _totals, n)
        if not total.sum() > 0.0:
            raise ValueError("the data frame holds no rows with weight, and precision is a share of them")
        if labels is None:
            mass = np.array([check.budget_mass(check.single_budget(k), float(total[0]), float(positive[0]))])
        else:
            mass = check.BudgetRule.of(k, labels).masses(total, positive)
        if not mass.sum() > 0.0:
            return 0.0
        found = radix.boundaries(places, mass, np.float64, "decision_col")
        above, tied = places.sum((2, n), _hits, found.last)
        share = np.divide(mass - found.above, found.tied, out=np.zeros(n), where=found.tied > 0.0)
        hits = np.where(mass > 0.0, above + np.clip(share, 0.0, 1.0) * tied, 0.0)
        return float(hits.sum() / mass.sum())


class Judged(NamedTuple):
    """:class:`hsboost._workers.radix.Rows`, and whether each row is positive."""

    score: np.ndarray
    weight: np.ndarray | None
    ranking: np.ndarray | None
    hit: np.ndarray


def judged(batches: Iterable[pa.RecordBatch], index: dict[Any, int] | None) -> tuple[Judged, int]:
    """The rows of one partition, and their number."""
    held = [dict(zip(batch.schema.names, batch.columns, strict=True)) for batch in batches if batch.num_rows]
    if not held:
        return Judged(np.empty(0), None, None, np.empty(0)), 0
    for one in held:
        _arrow.check_present(one["hit"], "label_col", "leave the rows without a label out")
    columns = {name: np.concatenate([_arrow.values(one[name]) for one in held]) for name in held[0]}
    ranking = None if index is None else _rows.codes(columns[GROUP], index)
    return Judged(columns["score"], columns.get(WEIGHT), ranking, columns["hit"]), columns["score"].size


def _totals(rows: Judged, n: int) -> np.ndarray:
    """Weight of all rows, and of the positive ones, of each ranking."""
    weight = np.ones(rows.score.size) if rows.weight is None else rows.weight
    at = np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking
    return np.stack([np.bincount(at, weight, n), np.bincount(at, weight * rows.hit, n)])


def _hits(rows: Judged, last: np.ndarray) -> np.ndarray:
    """Weight of the positive rows above the boundary, and at it, of each ranking."""
    weight = rows.hit if rows.weight is None else rows.weight * rows.hit
    at = np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking
    own = last[at]
    return np.stack(
        [
            np.bincount(at, weight * (rows.score > own), last.size),
            np.bincount(at, weight * (rows.score == own), last.size),
        ]
    )


PrecisionAtKEvaluator.__module__ = "hsboost.spark"  # what saved cross-validators name
