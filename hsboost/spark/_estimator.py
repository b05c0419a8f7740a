"""SparkHSClassifier: HSClassifier as an estimator of pyspark.ml."""

from __future__ import annotations

import inspect
import pickle
import re
import uuid
from collections.abc import Iterator
from typing import Any, Literal

import xgboost
from pyspark.ml.base import Estimator

from hsboost import _stack
from hsboost import _validation as check
from hsboost._validation import Budgets
from hsboost.estimators import _boosters
from hsboost.losses import Loss
from hsboost.spark import _checkpoint, _columns, _worker
from hsboost.spark._batches import Names
from hsboost.spark._model import SparkHSClassifierModel
from hsboost.spark._params import XGBOOST, HSParams
from hsboost.spark._persistence import Readable, Writable
from hsboost.spark._session import said

#: Spark's names for the errors of a barrier stage that takes its rows from an unequal number of partitions.
_CHAIN = ("SPARK-24820", "SPARK-24821")
#: ... and of one that has more tasks than can run at a time.
_SLOTS = "SPARK-24819"


#: Arguments of the constructor that are no parameters.
_NOT_PARAMETERS = ("self", "estimator", "settings", "__class__")


class SparkHSClassifier(Estimator, HSParams, Writable, Readable):
    """HSClassifier on Spark: trees for precision at a budget of all rows, trained where the rows are.

    All tasks' rows compete for one budget and share one threshold, as if they were in one place (see the guide to
    distributed training). The trees are XGBoost's; one barrier stage trains them, whose tasks XGBoost's tracker
    connects. Only the finished model comes back to the driver.

    Parameters
    ----------
    features_col : str or list of str, default "features"
        A column of vectors, or of arrays of numbers; or a list of columns of numbers, truth values and, with
        ``enable_categorical=True``, texts (categories: the same in all partitions). Null is missing. What a sparse
        vector does not store is 0, as everywhere in Spark; with ``missing=0.0`` it is missing, and rows stay sparse.
    label_col : str, default "label"
        Two or more classes: numbers, texts or truth values.
    weight_col, group_col, validation_indicator_col : str, optional
        Weights; groups (branches, days, queries), each with its own budget; which rows (true) are for validation: for
        early stopping (``early_stopping_rounds``), watched with the precision of all of them, and for calibration.
    prediction_col, raw_prediction_col, probability_col, decision_col, selected_col : str
        Columns of the model, by default "prediction", "rawPrediction", "probability", "decision" and "selected": see
        :class:`SparkHSClassifierModel`.
    loss, k, temperature, hessian, hessian_floor, pos_label, class_weight, calibration
        As for :class:`hsboost.HSClassifier`, by keyword or as ``pyspark.ml`` parameters. ``k`` as a share is right in
        a ``CrossValidator``, whose training sets are smaller than the data.
    num_workers : int, default 1
        Tasks that train together; all must be able to run at the same time. A data frame of another number of
        partitions is dealt out anew (a shuffle); one of as many is trained on as it lies.
    force_repartition : bool, default False
        Deal rows out anew in any case.
    device : str, default None
        ``"cuda"``: each task trains on the GPU that Spark gives it (``spark.task.resource.gpu.amount=1``).
    external_memory : bool, default False
        Keep rows in files of the executors' temporary folders, which XGBoost reads page by page.
    checkpoint_dir : str, optional
        A folder that all executors reach (a path, or a URI that ``pyarrow.fs`` knows: ``hdfs://``, ``s3://``). When
        Spark tries the stage again, after it lost an executor, training goes on from the latest checkpoint there.
    checkpoint_interval : int, default 10
        Rounds from one checkpoint to the next.
    coll_cfg : xgboost.collective.Config, optional
        Time-outs, retries and the tracker's address (default: the machine of partition 0).
    estimator : None, "xgboost" or XGBClassifier, default None
        A booster whose settings are taken over. LightGBM is refused: it has no Spark package for Python.
    arbitrary_params_dict : dict, optional
        Parameters of XGBoost that XGBClassifier has no name for.
    **settings
        XGBClassifier's parameters: ``n_estimators``, ``max_depth``, ``early_stopping_rounds``, ``callbacks`` …

    Examples
    --------
    >>> from hsboost.spark import SparkHSClassifier
    >>> model = SparkHSClassifier(k=0.05, num_workers=4, max_depth=4).fit(df)  # doctest: +SKIP
    >>> model.predict_top_k(new, 1_000).where("selected").count()  # doctest: +SKIP
    1000
    >>> model.to_classifier().save_model("model.json")  # doctest: +SKIP
    """

    def __init__(
        self,
        *,
        features_col: str | list[str] = "features",
        label_col: str = "label",
        weight_col: str | None = None,
        group_col: str | None = None,
        validation_indicator_col: str | None = None,
        prediction_col: str = "prediction",
        raw_prediction_col: str = "rawPrediction",
        probability_col: str = "probability",
        decision_col: str = "decision",
        selected_col: str = "selected",
        loss: str | Loss = "auto",
        k: Budgets = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        hessian_floor: float | None = None,
        pos_label: Any = None,
        class_weight: Any = None,
        calibration: Literal["sigmoid", "isotonic"] | None = None,
        num_workers: int = 1,
        force_repartition: bool = False,
        device: str | None = None,
        external_memory: bool = False,
        checkpoint_dir: str | None = None,
        checkpoint_interval: int = 10,
        coll_cfg: Any = None,
        estimator: Any = None,
        arbitrary_params_dict: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        given = {name: value for name, value in locals().items() if name not in _NOT_PARAMETERS}
        super().__init__()
        chosen = {name: value for name, value in given.items() if not _is_default(name, value)}
        self._set_all(_settings_of(estimator) | chosen | settings)

    def setParams(self, **settings: Any) -> SparkHSClassifier:
        """Set parameters by keyword, as the constructor does."""
        return self._set_all(settings)

    def setFeaturesCol(self, value: str | list[str]) -> SparkHSClassifier:
        """Set the column, or the columns, of features."""
        return self._set_all({"features_col": value})

    def setLabelCol(self, value: str) -> SparkHSClassifier:
        """Set the column of labels."""
        return self._set_all({"label_col": value})

    def setWeightCol(self, value: str | None) -> SparkHSClassifier:
        """Set the column of weights."""
        return self._set_all({"weight_col": value})

    def setGroupCol(self, value: str | None) -> SparkHSClassifier:
        """Set the column of groups."""
        return self._set_all({"group_col": value})

    def setValidationIndicatorCol(self, value: str | None) -> SparkHSClassifier:
        """Set the column that is true for validation rows."""
        return self._set_all({"validation_indicator_col": value})

    def setK(self, value: Any) -> SparkHSClassifier:
        """Set the budget."""
        return self._set_all({"k": value})

    def setLoss(self, value: Any) -> SparkHSClassifier:
        """Set the loss."""
        return self._set_all({"loss": value})

    def setNumWorkers(self, value: int) -> SparkHSClassifier:
        """Set how many tasks train together."""
        return self._set_all({"num_workers": value})

    def _fit(self, dataset: Any) -> SparkHSClassifierModel:
        local = self._classifier()
        k = check.check_budgets(local.k)
        n = self.getNumWorkers()
        if n < 1:
            raise ValueError(f"num_workers must be 1 or more, got {n}")
        interval = self.getOrDefault("checkpoint_interval")
        if interval < 1:
            raise ValueError(f"checkpoint_interval must be 1 or more rounds, got {interval}")
        names = Names(
            self.getLabelCol(), self._named("weightCol"), self.getGroupCol(), self._named("validationIndicatorCol")
        )
        self._check(local, names)
        columns = self.getFeaturesCol()
        layout = _columns.layout_of(
            dataset, columns, float(local.estimator.missing), local.estimator.enable_categorical
        )
        selected = [*_columns.features_of(dataset, columns, layout), _columns.label_of(dataset, names.label)]
        for name, column_of in ((names.weight, _columns.weight_of), (names.group, _columns.group_of)):
            if name is not None:
                selected.append(column_of(dataset, name))
        if names.valid is not None:
            selected.append(_columns.valid_of(dataset, names.valid))
        rows = _dealt(dataset.select(*selected), n, self.getOrDefault("force_repartition"))
        tasks = _local_tasks(dataset)
        _check_tasks(n, tasks)
        place = None
        if self.getOrDefault("checkpoint_dir") is not None:
            folder = f"{self.getOrDefault('checkpoint_dir').rstrip('/')}/hsboost-{uuid.uuid4().hex}"
            place = _checkpoint.Place(folder, interval)
        job = _worker.Job(
            layout, names, local, k, place, self.getOrDefault("external_memory"), self.getOrDefault("coll_cfg"),
            is_local=tasks is not None,
        )  # fmt: skip
        found = _trained(rows, n, job)
        if place is not None:
            _checkpoint.remove(place)
        for text in found.warnings:
            _stack.warn(text)
        model = SparkHSClassifierModel(found.model, found.history)
        model._resetUid(self.uid)
        return self._copyValues(model)

    def _check(self, local: Any, names: Names) -> None:
        """Settings that go together, before any rows are read."""
        if local.calibration is not None:
            check.check_choice(local.calibration, "calibration", ("sigmoid", "isotonic"))
            if names.valid is None:
                raise ValueError(
                    f"calibration={local.calibration!r} is fitted on rows that the trees are not trained on; name a "
                    "column that is true for them: validation_indicator_col="
                )
        if local.estimator.early_stopping_rounds and names.valid is None:
            raise ValueError(
                "early_stopping_rounds needs rows that the trees are not trained on; name a column that is true for "
                "them: validation_indicator_col="
            )
        folder = self.getOrDefault("checkpoint_dir")
        if folder is not None and "://" not in folder and not folder.startswith("/"):
            raise ValueError(
                f"checkpoint_dir={folder!r} must be an absolute path or a URI that all executors reach, such as "
                "'/shared/run' or 'hdfs:///run'"
            )
        if self.getOrDefault("external_memory") and not hasattr(xgboost, "ExtMemQuantileDMatrix"):
            raise ValueError(f"external_memory=True needs XGBoost 3.0; this is {xgboost.__version__}: upgrade it")
        if local.estimator.booster == "gblinear":
            raise ValueError("booster='gblinear' grows no trees; leave booster out, or use 'dart'")
        local._loss(None)


def _is_default(name: str, value: Any) -> bool:
    """Whether an argument was left at its default, so that the parameter is not set."""
    default = inspect.signature(SparkHSClassifier).parameters[name].default
    return type(value) is type(default) and bool(value == default)


def _settings_of(estimator: Any) -> dict[str, Any]:
    """The settings of a booster as keywords."""
    if estimator is None or (isinstance(estimator, str) and estimator == "xgboost"):
        return {}
    kind = estimator if isinstance(estimator, str) else _boosters.kind(estimator)
    if kind == "lightgbm":
        raise ValueError(
            "estimator: LightGBM has no Spark package for Python, and trained partition by partition it would show the "
            "loss the rows of one task only; leave estimator out for XGBoost, or use HSClassifier('lightgbm') on one "
            "machine"
        )
    if kind != "xgboost" or isinstance(estimator, str):
        raise ValueError(f"estimator must be None, 'xgboost' or an XGBClassifier; got {estimator!r}")
    settings = {name: value for name, value in estimator.get_params().items() if value is not None}
    own = {name: value for name, value in settings.items() if name in XGBOOST}
    extra = getattr(estimator, "kwargs", None) or {}
    return own | ({"arbitrary_params_dict": dict(extra)} if extra else {})


def _dealt(rows: Any, n: int, force: bool) -> Any:
    """The rows in so many partitions."""
    known = said(lambda: rows.rdd.getNumPartitions())
    return rows if known == n and not force else rows.repartition(n)


def _local_tasks(df: Any) -> int | None:
    """How many tasks a local Spark runs at a time; None on a cluster, and where Spark does not say it."""
    context = said(lambda: df.sparkSession.sparkContext)
    if context is None:
        return None
    master, cpus = str(context.master), int(context.getConf().get("spark.task.cpus", "1"))
    named = re.fullmatch(r"local(?:\[(\d+|\*)(?:,\d+)?\])?", master)
    if named is None:
        return None
    return int(context.defaultParallelism if named[1] == "*" else named[1] or 1) // cpus


def _check_tasks(n: int, tasks: int | None) -> None:
    """So many tasks can run at a time: Spark itself would wait for ten minutes before it says so."""
    if tasks is not None and n > tasks:
        raise ValueError(
            f"num_workers={n} tasks train at the same time, and this Spark runs {tasks} at a time; lower num_workers, "
            f"or start Spark with more cores (local[{n}])"
        )


def _trained(rows: Any, n: int, job: _worker.Job) -> _worker.Trained:
    """Run the stage; on rows dealt out anew where Spark cannot run it on these partitions."""

    def task(batches: Iterator[Any]) -> Iterator[Any]:
        return _worker.run(batches, job)

    try:
        # A shuffle after the barrier stage: Spark tries a stage again that others read from, and never one that is
        # collected.
        found = rows.mapInArrow(task, _worker.RESULT, barrier=True).repartition(1).collect()
    except Exception as error:  # of pyspark, py4j or gRPC
        text = str(error)
        if any(name in text for name in _CHAIN):  # of a union, a coalesce, a limit
            return _trained(rows.repartition(n), n, job)
        if _SLOTS in text:
            raise ValueError(
                f"num_workers={n} tasks train at the same time, and Spark cannot run so many; lower num_workers, or "
                "add executors"
            ) from error
        raise RuntimeError(f"Spark could not finish the training stage: {_reason(text)}") from error
    answer = b"".join(bytes(one["data"]) for one in sorted(found, key=lambda one: one["part"]))
    content = pickle.loads(answer)  # of our own task
    if found[0]["failed"]:
        raise content.error()
    return content


def _reason(text: str) -> str:
    """Python's error in Spark's report, or that report's first line."""
    found = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception|Failed)): (.+)$", text, re.MULTILINE)
    python = [one for one in found if not one[0].startswith(("Py4J", "Spark", "Python"))]
    if not found:
        return next((line.strip() for line in text.splitlines() if line.strip()), "no reason given")
    named, why = (python or found)[0]
    if "No module named 'hsboost'" in why:
        return "the executors have no hsboost; install hsboost[spark] in their Python environment"
    return why if named == "Failed" else f"{named}: {why}"


SparkHSClassifier.__module__ = "hsboost.spark"  # what saved pipelines name
