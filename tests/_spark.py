"""A small Spark of two tasks at a time, and data frames in partitions of one's own choice."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest


def has_java() -> bool:
    """Whether Spark would find Java."""
    return bool(shutil.which("java") or os.environ.get("JAVA_HOME"))


@contextmanager
def local_spark(master: str = "local[2,3]") -> Iterator[Any]:
    """Spark in this process's own Java; the test is skipped where pyspark or Java is absent."""
    pytest.importorskip("pyspark.ml", reason="needs pyspark")
    if not has_java():
        pytest.skip("needs Java for Spark")
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable  # otherwise the "python3" of the PATH
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.driver.memory": "1g",
        "spark.log.level": "OFF",
    }
    spark = SparkSession.builder.master(master).config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    try:
        yield spark
    finally:
        spark.stop()


def dealt(spark: Any, parts: list[pd.DataFrame]) -> Any:
    """A Spark data frame with these partitions."""
    schema = spark.createDataFrame(pd.concat(parts).head(20)).schema

    def give(batches: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            for i in batch["id"]:
                yield parts[i]

    return spark.range(0, len(parts), 1, len(parts)).mapInPandas(give, schema)


COLUMNS = ["a", "b", "c"]
TREES = {"n_estimators": 4, "max_depth": 3}


def example() -> pd.DataFrame:
    """Rows whose features have few values, so that XGBoost's bins do not depend on the partitions."""
    rng = np.random.default_rng(21)
    n = 900
    frame = pd.DataFrame(rng.integers(0, 40, (n, 3)).astype(float), columns=COLUMNS)
    frame["y"] = (frame.a + frame.b + rng.normal(0, 9, n) > 55).astype(int)
    frame["w"] = rng.integers(1, 4, n).astype(float)
    frame["g"] = rng.choice(["north", "south", "west"], n)
    frame["valid"] = rng.random(n) < 0.25
    return frame


def classifier(**settings: Any) -> Any:
    """A SparkHSClassifier of two tasks for these rows."""
    from hsboost.spark import SparkHSClassifier

    return SparkHSClassifier(**({"features_col": COLUMNS, "label_col": "y", "num_workers": 2} | TREES | settings))


def callback(function: Any) -> Any:
    """A callback that calls a function of the round and of Spark's task; the executors need not import this module."""

    from xgboost.callback import TrainingCallback

    class Calls(TrainingCallback):
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            from pyspark import BarrierTaskContext

            function(epoch, BarrierTaskContext.get())
            return False

    return Calls()
