"""One task of the barrier stage that trains: read, agree with the others, train, find the thresholds."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from hsboost import _validation as check
from hsboost._engines import plan
from hsboost._engines import rows as _rows
from hsboost._validation import Budgets
from hsboost._workers.radix import AtWorkers, Places, Rows
from hsboost.estimators import HSClassifier, _boosters, _calibration, _weights
from hsboost.estimators._evaluation import stopping
from hsboost.estimators._inputs.class_weight import weight_by_class
from hsboost.spark import _arrow, _checkpoint, _crew
from hsboost.spark._arrow import Layout
from hsboost.spark._batches import Names, Part, matrix, read, width_of
from hsboost.spark._crew import Alone, Failed, Failure, everywhere

#: What a task returns, in rows.
RESULT = "part long, failed boolean, data binary"
#: Bytes in one of them.
CHUNK = 1 << 25


class Job(NamedTuple):
    """What all tasks are told."""

    layout: Layout
    names: Names
    local: HSClassifier  # unfitted
    k: Budgets
    checkpoint: _checkpoint.Place | None
    external_memory: bool
    coll_cfg: Any
    is_local: bool  # a Spark on one machine, which does not deal out GPUs


class Trained(NamedTuple):
    """What comes back to the driver."""

    model: HSClassifier
    history: dict[str, dict[str, list[float]]]
    warnings: list[str]


class _Known(NamedTuple):
    """:class:`hsboost._engines.plan.Known`, and the validation rows' labels of groups."""

    classes: np.ndarray
    labels: list[Any] | None
    weighted: bool
    cells: np.ndarray
    n_rows: int
    width: int
    levels: dict[str, list[str]]
    by_class: np.ndarray | None
    all_labels: list[Any] | None
    n_valid: int


def run(batches: Iterable[pa.RecordBatch], job: Job) -> Iterator[pa.RecordBatch]:
    """The task; partition 0 returns the trained model, or the error that some partition had."""
    from pyspark import BarrierTaskContext, cloudpickle

    context = BarrierTaskContext.get()
    partition, n = context.partitionId(), len(context.getTaskInfos())
    folder = Path(tempfile.mkdtemp(prefix="hsboost-")) if job.external_memory else None
    try:
        trained = _together(context, partition, n, batches, job, folder)
    except Failed as error:
        if error.failure.is_loss:  # Spark tries the stage again, or ends it
            raise
        answer = cloudpickle.dumps(error.failure)
        trained = None
    else:
        answer = cloudpickle.dumps(trained)  # a metric of the user's may be of no module here
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    if partition == 0:
        for i, at in enumerate(range(0, len(answer), CHUNK)):
            columns = [pa.array([i]), pa.array([trained is None]), pa.array([answer[at : at + CHUNK]], pa.binary())]
            yield pa.RecordBatch.from_arrays(columns, names=["part", "failed", "data"])


def _together(
    context: Any, partition: int, n: int, batches: Iterable[pa.RecordBatch], job: Job, folder: Path | None
) -> Trained | None:
    """Read, then train with the others: an error of one is raised by all. The model, in partition 0."""
    failure, parts, tracker, arguments = None, None, None, None
    try:
        missing = job.local.estimator.missing
        parts = read(batches, job.layout, job.names, float(missing), folder)
        if partition == 0 and n > 1:
            tracker, arguments = _crew.tracker_of(context, job.coll_cfg)
    except Exception as error:  # of any kind: the others are waiting
        failure = Failure.of(error, partition, n)
    arguments = _crew.agree(context, failure, tracker=arguments)[0]["tracker"]
    assert parts is not None
    trained = None
    try:
        with (
            warnings.catch_warnings(record=True) as caught,
            _crew.connected(arguments, partition, job.coll_cfg) as crew,
        ):
            warnings.simplefilter("always", UserWarning)
            found = _fit(context, crew, parts, job, folder)
        if partition == 0:
            texts = [str(one.message) for one in caught if issubclass(one.category, UserWarning)]
            texts = [text for text in texts if "Empty dataset at worker" not in text]  # which is no fault here
            trained = found._replace(warnings=list(dict.fromkeys(texts)))
    except Exception as error:
        failure = Failure.of(error, partition, n)
    _crew.agree(context, failure)
    del tracker
    return trained


def _fit(context: Any, crew: Any, parts: tuple[Part, Part], job: Job, folder: Path | None) -> Trained:
    local, (train, valid) = job.local, parts
    known = _learn(crew, train, valid, job)
    index = plan.index_of(known.all_labels)
    with everywhere():
        budget = plan.budget_of(job.k, known)
        made = plan.plan(local, job.k, known, budget, index, known.labels is not None and job.names.valid is not None)
    estimator = made.estimator
    threads = int(context.cpus())
    estimator.n_jobs = threads
    if known.levels:
        estimator.enable_categorical = True
    if str(estimator.device or "").partition(":")[0] in ("cuda", "gpu"):
        estimator.device = f"cuda:{_gpu(context, job.is_local)}"
    where = (job.layout, known.width, known.levels, estimator, threads)
    rows = _encoded(train, known, index, job.names)
    held = _agreed(crew, lambda: _held(valid, known, index, job.names))

    dtrain = matrix(train, rows, *where, None, folder)
    evals = []
    if job.names.valid is not None:
        evals = [(matrix(valid, held, *where, dtrain, folder), "validation_0")]
    with everywhere():
        params, custom = plan.native_settings(estimator, known.classes.size, made.metric if evals else None)
    history: dict[str, dict[str, list[float]]] = {}
    with _boosters.explained(), stopping.on_one_set("xgboost", estimator, {}, [False] * len(evals)):
        booster = _checkpoint.train(
            params | {"nthread": threads},
            dtrain,
            estimator.get_num_boosting_rounds(),
            evals=evals,
            obj=made.objective,
            custom_metric=custom,
            early_stopping_rounds=estimator.early_stopping_rounds,
            callbacks=estimator.callbacks,
            evals_result=history,
            place=job.checkpoint,
            crew=crew,
        )
    del dtrain, evals
    model = plan.assembled(local, made, booster, known.classes, _arrow.empty(job.layout, known.width))
    model.estimator_.n_jobs = threads
    model.estimator_.get_booster().set_param({"nthread": threads})
    _cut(crew, model, train, rows, known, budget)
    if local.calibration is not None:
        _calibrate(crew, model, valid, held, known)
    model.estimator_.n_jobs, model.estimator_.device = local.estimator.n_jobs, local.estimator.device
    model.estimator_.callbacks = model.estimator.callbacks = None  # no part of a model
    log = {name: {metric: list(map(float, values)) for metric, values in of.items()} for name, of in history.items()}
    return Trained(model, log, [])


def _learn(crew: Any, train: Part, valid: Part, job: Job) -> _Known:
    """Classes, groups, weights, categories and the number of features of all rows."""
    local = job.local

    def survey() -> tuple[_rows.Seen, list[Any], int, int, dict[str, list[str]]]:
        others = _rows.labels_with(valid.label, valid.group) if valid.group is not None else []
        widths = {width for one in (train, valid) if (width := width_of(one))}
        if len(widths) > 1:
            raise ValueError(f"{job.layout.name} has {' and '.join(map(str, sorted(widths)))} features")
        levels = _arrow.levels_of(list(train.pieces))
        return (
            _rows.survey(train.label, train.label, train.weight, train.group),
            others,
            valid.label.size,
            max(widths, default=0),
            levels,
        )

    seen = crew.share(survey)
    with everywhere():
        classes, counts, labels = plan.union([one[0] for one in seen], local.pos_label, job.names.group is not None)
        widths = {one[3] for one in seen if one[3]}
        if len(widths) > 1:
            raise ValueError(
                f"{job.layout.name} has {' and '.join(map(str, sorted(widths)))} features in different partitions; all "
                "rows need the same ones"
            )
        n_valid = sum(one[2] for one in seen)
        if job.names.valid is not None and not n_valid:
            raise ValueError(
                f"validation_indicator_col {job.names.valid!r} is false in all rows; let it be true in some, or leave "
                "it out"
            )
        by_class = None
        class_weight = _weights.class_weight_of(local)
        if class_weight is not None:
            by_class = weight_by_class(class_weight, classes, counts, "class_weight", strict=False)
    levels: dict[str, list[str]] = {}
    for name in sorted(job.layout.texts):
        levels[name] = sorted({text for one in seen for text in one[4].get(name, [])})
    all_labels = labels
    if labels is not None:
        others = {label for one in seen for label in one[1]} - set(labels)
        all_labels = [*labels, *sorted(others)]
    known = _Known(
        classes, labels, job.names.weight is not None or by_class is not None,
        np.empty(0), int(counts.sum()), max(widths, default=0), levels, by_class, all_labels, n_valid,
    )  # fmt: skip
    shape = (classes.size, 1 if labels is None else len(labels))
    index = plan.index_of(all_labels)
    cells = crew.sum(shape, lambda: _rows.cells(_encoded(train, known, index, job.names), *shape))
    name = _weight_name(local, job.names)
    with everywhere():
        check.check_total_weight(float(cells.sum()), name)
    if known.weighted:
        greatest = crew.max((1,), lambda: _rows.largest_weight(_encoded(train, known, index, job.names)))
        with everywhere():
            check.check_some_weight(float(greatest[0]), name)
    return known._replace(cells=cells)


def _weight_name(local: Any, names: Names) -> str:
    column = f"weight_col {names.weight!r}"
    if _weights.class_weight_of(local) is None:
        return column
    return "class_weight" if names.weight is None else f"{column} times class_weight"


def _encoded(part: Part, known: _Known, index: dict[Any, int] | None, names: Names) -> _rows.Encoded:
    """Class numbers, weights and group numbers of the training rows."""
    if not part.label.size:
        return _none(known, index)
    return _rows.encode(
        part.label, part.weight, part.group, known.classes, known.by_class, index, f"weight_col {names.weight!r}"
    )


def _held(part: Part, known: _Known, index: dict[Any, int] | None, names: Names) -> _rows.Encoded:
    """The same of the validation rows: only weights of rows count there."""
    if names.valid is None:
        return None  # type: ignore[return-value]
    if not part.label.size:
        found = _none(known, index)
        return found._replace(weight=None if names.weight is None else np.empty(0))
    weight = f"weight_col {names.weight!r}"
    for piece in part.pieces:
        for name, texts in _arrow.levels_of([piece]).items():
            unseen = sorted(set(texts) - set(known.levels[name]))
            if unseen:
                raise ValueError(
                    f"column {name!r} holds the text {unseen[0]!r} in validation rows, which no training row has; "
                    "make it null (missing) there"
                )
    return _rows.evaluated(
        part.label.size, part.label, part.weight, part.group, known.classes, None, index,
        f"label_col {names.label!r} of the validation rows", weight, weight,
    )  # fmt: skip


def _none(known: _Known, index: dict[Any, int] | None) -> _rows.Encoded:
    weight = np.empty(0) if known.weighted else None
    return _rows.Encoded(np.empty(0, np.int32), weight, None if index is None else np.empty(0, np.intp))


def _cut(crew: Any, model: Any, train: Part, rows: _rows.Encoded, known: _Known, budget: Any) -> None:
    """Thresholds of the training scores of all partitions."""
    n_groups = known.cells.shape[1]
    shape = (0,) if known.classes.size == 2 else (0, known.classes.size)

    def scores() -> tuple[Rows, Rows]:
        found = [_rows.raw(_arrow.with_levels(piece, known.levels), model) for piece in train.pieces]
        raw = np.concatenate(found) if found else np.empty(shape, np.float32)
        return _rows.ranked(raw, rows.weight, None, 1), _rows.ranked(raw, rows.weight, rows.group, n_groups)

    places = [_place(crew, one) for one in _agreed(crew, scores)]
    with everywhere():
        plan.find_thresholds(model, places.__getitem__, known, budget)


def _calibrate(crew: Any, model: Any, valid: Part, held: _rows.Encoded, known: _Known) -> None:
    """The calibrator, of the scores of all validation rows."""
    shape = (0,) if known.classes.size == 2 else (0, known.classes.size)

    def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        found = [model._margins(_arrow.with_levels(piece, known.levels)) for piece in valid.pieces]
        return np.concatenate(found) if found else np.empty(shape), held.label, held.own if held.label.size else None

    seen = crew.share(scored)
    labels = np.concatenate([one[1] for one in seen]).astype(np.int32)
    weights = [one[2] for one in seen if one[2] is not None]
    weight = np.concatenate(weights) if weights else None
    with everywhere():
        _calibration.check_rows(labels, weight, known.classes.size)
        decisions = np.concatenate([one[0] for one in seen]) / model.objective_.unit
        model.calibrators_ = _calibration.fit_all(model.calibration, decisions, labels, weight)


def _agreed(crew: Any, compute: Callable[[], Any]) -> Any:
    """What ``compute`` returns here, once it has failed nowhere."""
    kept: list[Any] = []

    def keep() -> list[float]:
        kept.append(compute())
        return []

    crew.sum((0,), keep)
    return kept[0]


class _Here:
    """One place, which holds all rows."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def sum(self, shape: tuple[int, ...], function: Any, *arguments: Any) -> np.ndarray:
        return np.asarray(function(self.rows, *arguments), dtype=np.float64).reshape(shape)

    max = sum


def _place(crew: Any, rows: Rows) -> Places:
    return _Here(rows) if isinstance(crew, Alone) else AtWorkers(crew, rows)


def _gpu(context: Any, is_local: bool) -> int:
    """The number of the GPU that Spark gave this task."""
    gpus = context.resources().get("gpu")
    if gpus is not None:
        return int(gpus.addresses[0].strip())
    if is_local:
        return int(context.partitionId())
    raise ValueError(
        "device='cuda', but Spark gave the task no GPU; set spark.executor.resource.gpu.amount and "
        "spark.task.resource.gpu.amount=1 for the cluster, or leave device out"
    )
