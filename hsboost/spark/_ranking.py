"""The hard top k of a data frame's rows, which stay where they are: searches whose sums Spark adds up."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark.sql import functions as F

from hsboost._engines import plan
from hsboost._engines import rows as _rows
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost._workers import radix
from hsboost.estimators import _top_k
from hsboost.spark import _arrow, _columns
from hsboost.spark._arrow import GROUP
from hsboost.spark._session import said

#: Columns of the kept rows: scores of the positive class or of each class, and a number of the row's own.
_SCORE, _ROW = "hsboost_score", "hsboost_row"
#: `monotonically_increasing_id` has the partition's number above these bits.
_BITS = 33


def top_k(model: Any, df: Any, k: Budgets, groups: str | None) -> Any:
    """See :meth:`hsboost.spark.SparkHSClassifierModel.predict_top_k`."""
    local = model._fitted()
    by_column = _top_k.budgets(k, local._numbered(), groups is not None)
    decision, selected = model.getDecisionCol(), model.getSelectedCol()
    for name in (decision, selected):
        if name and name in df.columns:
            raise ValueError(f"the data frame has a column {name!r} already; rename it, or the model's own column")
    columns = len(by_column)
    _group(df, groups)  # an error before any rows are read
    kept = _kept(_scored(model, df, columns, groups))
    scores = kept.select(F.col(_SCORE).alias("score"), F.col(_ROW).alias("row"), *_group(kept, groups))
    labels = None if groups is None else group_labels(scores, groups, "groups")
    if groups is not None and not labels:  # no rows, and no groups to have a budget
        by_column = [0] * columns
    places = Frame(scores, labels, partial(ranked, columns=columns))
    n_groups = max(len(labels or ()), 1)
    sizes = places.sum((columns, n_groups), _sizes, columns * n_groups)
    counts = np.concatenate([_top_k.counts(b, size, labels or None) for b, size in zip(by_column, sizes, strict=True)])
    found = radix.boundaries(places, counts, np.float32, "scores")
    last_rows = _last_rows(places, found, counts)
    marked = kept.withColumn(selected, _marks(kept, groups, columns, labels, found.last, last_rows))
    return marked.drop(_SCORE, _ROW)


class Frame:
    """Scored rows of a Spark data frame as :class:`hsboost._workers.radix.Places`.

    ``read(batches, index)`` makes the rows of a partition, and something that is 0 or empty where there are none.
    """

    def __init__(self, scores: Any, labels: list[Any] | None, read: Callable[..., tuple[Any, Any]]) -> None:
        self.scores, self.read, self.index = scores, read, plan.index_of(labels)

    def sum(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Σ over partitions."""
        return self._reduced(shape, F.sum("value"), 0.0, function, arguments)

    def max(self, shape: tuple[int, ...], function: Callable[..., Any], *arguments: Any) -> np.ndarray:
        """Maximum over partitions."""
        return self._reduced(shape, F.max("value"), -np.inf, function, arguments)

    def each(self, function: Callable[..., Any], *arguments: Any) -> list[tuple[int, Any]]:
        """What ``function`` returns for every partition that holds rows: the partition's number among the kept rows."""
        read, index = self.read, self.index

        def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            rows, ids = read(batches, index)
            if ids.size:
                answer = pickle.dumps(function(rows, ids, *arguments))
                yield pa.RecordBatch.from_pydict({"part": [int(ids[0] >> _BITS)], "data": [answer]})

        found = self.scores.mapInArrow(task, "part long, data binary").collect()
        return sorted((int(one["part"]), pickle.loads(bytes(one["data"]))) for one in found)

    def _reduced(
        self, shape: tuple[int, ...], add: Any, empty: float, function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> np.ndarray:
        read, index = self.read, self.index

        def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            rows, held = read(batches, index)
            if not (held if isinstance(held, int) else held.size):
                return
            sums = np.asarray(function(rows, *arguments), dtype=np.float64).ravel()
            at = np.flatnonzero(sums != empty)
            yield pa.RecordBatch.from_arrays([pa.array(at), pa.array(sums[at])], names=["at", "value"])

        found = self.scores.mapInArrow(task, "at long, value double").groupBy("at").agg(add.alias("value")).collect()
        out = np.full(int(np.prod(shape)), empty)
        for one in found:
            out[one["at"]] = one["value"]
        return out.reshape(shape)


def ranked(
    batches: Iterable[pa.RecordBatch], index: dict[Any, int] | None, columns: int
) -> tuple[radix.Rows, np.ndarray]:
    """The rows of one partition as rankings of each column and group, and each row's number."""
    held = [dict(zip(batch.schema.names, batch.columns, strict=True)) for batch in batches if batch.num_rows]
    if not held:
        return radix.Rows(np.empty(0, np.float32)), np.empty(0, np.int64)
    ids = np.concatenate([one["row"].to_numpy(zero_copy_only=False) for one in held])
    scores = np.concatenate([_matrix(one["score"], columns) for one in held])
    groups = None
    if index is not None:
        groups = _rows.codes(np.concatenate([_arrow.values(one[GROUP]) for one in held]), index)
    return _rows.ranked(scores if columns > 1 else scores[:, 0], None, groups, len(index) if index else 1), ids


def _matrix(column: pa.Array, columns: int) -> np.ndarray:
    flat = column if columns == 1 else column.flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(-1, columns)


def _scored(model: Any, df: Any, columns: int, groups: str | None) -> Any:
    """The rows with their scores as XGBoost has them, and their decisions."""
    fields = ["score"] + (["decision"] if model.getDecisionCol() else [])
    kind = "{}" if columns == 1 else "array<{}>"
    types = {"score": kind.format("float"), "decision": kind.format("double")}
    schema = "struct<" + ",".join(f"{field}:{types[field]}" for field in fields) + ">"
    if not hasattr(model._fitted(), "group_thresholds_"):
        groups = None
    made = df.withColumn("hsboost_made", model._call(df, tuple(fields), schema, groups))
    made = made.withColumn(_SCORE, F.col("hsboost_made.score"))
    if model.getDecisionCol():
        made = made.withColumn(model.getDecisionCol(), F.col("hsboost_made.decision"))
    return made.drop("hsboost_made").withColumn(_ROW, F.monotonically_increasing_id())


def _kept(df: Any) -> Any:
    """The same rows, computed once and kept on the executors: whatever is read later are these."""
    reliable = said(lambda: df.sparkSession.sparkContext.getCheckpointDir())
    return df.checkpoint() if reliable else df.localCheckpoint()


def _group(df: Any, groups: str | None) -> list[Any]:
    return [] if groups is None else [_columns.group_of(df, groups, "groups")]


def group_labels(scores: Any, groups: str, what: str) -> list[Any]:
    """The groups' labels, sorted."""

    def task(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        columns = [one.column(one.schema.names.index(GROUP)) for one in batches if one.num_rows]
        if columns:
            labels, failure = None, None
            try:
                for one in columns:
                    _arrow.check_present(one, f"{what} {groups!r}", "give those rows a group")
                labels = Segments.by_label(np.concatenate([_arrow.values(one) for one in columns])).labels
            except ValueError as error:
                failure = str(error)
            yield pa.RecordBatch.from_pydict({"data": [pickle.dumps((labels, failure))]})

    found = [pickle.loads(bytes(one["data"])) for one in scores.mapInArrow(task, "data binary").collect()]
    for _, failure in found:
        if failure is not None:
            raise ValueError(failure)
    seen = [label for labels, _ in found for label in labels]
    return Segments.by_label(seen).labels if seen else []


def _sizes(rows: radix.Rows, n: int) -> np.ndarray:
    """Rows of each ranking."""
    return np.bincount(np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking, minlength=n)


def _last_rows(places: Frame, found: radix.Boundaries, counts: np.ndarray) -> np.ndarray:
    """For each ranking the number of the last row that is chosen among those at the boundary; -1 for none."""
    tied = places.each(_tied, found.last)
    free = counts - found.above
    last = np.full(counts.size, -1, np.int64)
    wanted: dict[int, np.ndarray] = {}
    before = np.zeros(counts.size)
    for part, here in tied:
        taken = np.clip(free - before, 0, here).astype(np.int64)
        wanted[part] = taken
        before += here
    for _, rows in places.each(_chosen, found.last, wanted):
        last = np.maximum(last, rows)
    return last


def _tied(rows: radix.Rows, ids: np.ndarray, last: np.ndarray) -> np.ndarray:
    return _rows.tied(rows, last)


def _chosen(rows: radix.Rows, ids: np.ndarray, last: np.ndarray, wanted: dict[int, np.ndarray]) -> np.ndarray:
    """The number of the last of so many rows at each boundary, of one partition."""
    taken = wanted[int(ids[0] >> _BITS)]
    at = np.zeros(rows.score.size, np.intp) if rows.ranking is None else rows.ranking
    number = np.tile(ids, rows.score.size // ids.size)
    out = np.full(last.size, -1, np.int64)
    for ranking in np.flatnonzero(taken).tolist():
        own = np.sort(number[(at == ranking) & (rows.score == last[ranking])])
        out[ranking] = own[taken[ranking] - 1]
    return out


def _marks(
    kept: Any,
    groups: str | None,
    columns: int,
    labels: list[Any] | None,
    last: np.ndarray,
    last_rows: np.ndarray,
) -> Any:
    """Which rows are chosen: above their boundary, or at it and not after the last one chosen there.

    Of stored scores and row numbers alone, so that it does not matter where, when and how often it is computed.
    """
    if groups is None:
        marks = [
            _mark(F.col(_SCORE) if columns == 1 else F.col(_SCORE)[c], last[c], last_rows[c]) for c in range(columns)
        ]
        return marks[0] if columns == 1 else F.array(*marks)
    index = plan.index_of(labels)
    of_groups = last.reshape(columns, -1), last_rows.reshape(columns, -1)

    @F.pandas_udf("boolean" if columns == 1 else "array<boolean>")
    def marked(rows: pd.DataFrame) -> pd.Series:
        return of_batch(rows, columns, index or {}, *of_groups)

    return marked(F.struct(F.col(_SCORE).alias("score"), F.col(_ROW).alias("row"), *_group(kept, groups)))


def _mark(score: Any, last: float, last_row: int) -> Any:
    if np.isnan(last):
        return F.lit(False)
    boundary = F.lit(float(last)).cast("float")
    return (score > boundary) | ((score == boundary) & (F.col(_ROW) <= F.lit(int(last_row))))


def of_batch(
    rows: pd.DataFrame, columns: int, index: dict[Any, int], last: np.ndarray, last_rows: np.ndarray
) -> pd.Series:
    """The marks of one batch of rows in groups."""
    if len(rows) == 0:
        return pd.Series([], dtype=bool if columns == 1 else object)
    groups = _arrow.values(pa.Array.from_pandas(rows[GROUP]))
    codes = _rows.codes(groups, index)
    score = np.stack(rows["score"].to_list()) if columns > 1 else rows["score"].to_numpy()[:, None]
    boundary, final = last[:, codes].T, last_rows[:, codes].T
    number = rows["row"].to_numpy()[:, None]
    chosen = (score > boundary) | ((score == boundary) & (number <= final))
    return pd.Series(chosen[:, 0] if columns == 1 else list(chosen))
