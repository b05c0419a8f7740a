"""The case under Spark: SparkHSClassifier and SparkXGBClassifier with log loss train the same trees in turn."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suite.store import Record
from benchmarks.trainings import scaling_watch as watch
from benchmarks.trainings.objectives import HYPERSIMPLEX
from benchmarks.trainings.scaling_data import COLUMNS
from benchmarks.trainings.scaling_workers import HOST, PARAMS, WARM_UP, Job

#: Rows in one of the batches that the table is read in.
BATCH = 10_000


def spark_is_here() -> bool:
    """Whether the packages for the case under Spark are installed, and Java."""
    java = shutil.which("java") or os.environ.get("JAVA_HOME")
    return importlib.util.find_spec("pyspark") is not None and java is not None


def train_under_spark(job: Job, advance: Callable[[], object]) -> list[Record]:
    """Carry out a case like a user of Spark: ``fit`` of both estimators, one partition for each task."""
    from xgboost.spark import SparkXGBClassifier

    from hsboost.spark import SparkHSClassifier

    settings = {name: value for name, value in PARAMS.items() if name not in ("seed", "base_score")}
    shared = {"features_col": "features", "label_col": "label", "num_workers": job.workers, "random_state": 0}
    with _session(job) as spark, tempfile.TemporaryDirectory(prefix="hsboost-spark-") as folder:
        rows = _frame(spark, job)
        for objective, repeat, rounds in job.trainings():
            clock = Saved(objective, repeat, folder)
            kinds: dict[str, Any] = {"n_estimators": rounds, "callbacks": [clock], **settings, **shared}
            if objective == HYPERSIMPLEX:
                SparkHSClassifier(**kinds).fit(rows)
            else:
                SparkXGBClassifier(**kinds, base_score=PARAMS["base_score"]).fit(rows)
            advance()
        found = [pickle.loads(path.read_bytes()) for path in Path(folder).glob("*.pickle")]
    return sorted(
        (one for one in found if one["repeat"] != WARM_UP),
        key=lambda one: (one["rank"], one["repeat"], one["objective_name"]),
    )


class Saved(watch.Clock):
    """A clock whose record lies in a file when the training ends: Spark's processes come and go."""

    def __init__(self, objective: str, repeat: int, folder: str) -> None:
        super().__init__(objective, repeat)
        self.folder = folder

    def before_training(self, model: Any) -> Any:
        """Start a training's record."""
        watch.watch_objectives()
        return super().before_training(model)

    def after_training(self, model: Any) -> Any:
        """Finish it, and write it."""
        super().after_training(model)
        for found in watch.take():
            name = f"{found['objective_name']}-{found['repeat']}-{found['rank']}.pickle"
            (Path(self.folder) / name).write_bytes(pickle.dumps(found))
        return model


@contextlib.contextmanager
def _session(job: Job) -> Iterator[Any]:
    """Spark in a Java process of its own, with as many task slots as there are workers."""
    from pyspark.sql import SparkSession

    root = str(Path(__file__).resolve().parents[2])
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    settings = {
        "spark.task.cpus": str(job.threads),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": HOST,
        "spark.driver.bindAddress": HOST,
        "spark.log.level": "OFF",
    }
    with _quiet():
        spark = SparkSession.builder.master(f"local[{job.workers * job.threads}]").config(map=settings).getOrCreate()
        try:
            yield spark
        finally:
            spark.stop()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Java's and XGBoost's output off the progress bar. Errors are still raised."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _frame(spark: Any, job: Job) -> Any:
    """The rows in as many partitions, read from the table where they are."""
    import pyarrow as pa

    def give(batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            for rank in batch.column(0).to_pylist():
                X, y = job.table.part(job.rows, job.workers, rank)
                for at in range(0, len(y), BATCH):
                    part = np.ascontiguousarray(X[at : at + BATCH], dtype=np.float32)
                    ends = np.arange(0, part.size + 1, COLUMNS, dtype=np.int32)
                    features = pa.ListArray.from_arrays(pa.array(ends), pa.array(part.ravel()))
                    label = pa.array(y[at : at + BATCH].astype(np.float64))
                    yield pa.RecordBatch.from_arrays([features, label], names=["features", "label"])

    parts = spark.range(0, job.workers, 1, job.workers)
    return parts.mapInArrow(give, "features array<float>, label double")
