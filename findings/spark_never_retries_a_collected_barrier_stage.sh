#!/usr/bin/env bash
# Spark's barrier stages train distributed models: all tasks run at once, and when one is lost, the documentation of
# RDDBarrier says, Spark aborts the entire stage and launches all its tasks again. One would guess that a training job
# whose executor dies is therefore tried again, up to spark.stage.maxConsecutiveAttempts times.
# Instead that holds only for stages that another stage reads from. A barrier stage that is collected directly, the way
# training code does it (xgboost.spark: rdd.barrier().mapPartitions(...).collect()), is never tried again: the first
# lost task ends the job ("Could not recover from a failed barrier ResultStage"), though Spark was told to allow four
# failures. A shuffle of the one row of result, repartition(1), is all it takes. Shown for pyspark 3.5.7, on a local Spark
# that allows four failures of a task; the Python process of one task ends itself in the first attempt. Needs Java 17.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check pyspark==3.5.7 pandas==2.3.3 pyarrow==21.0.0 numpy==2.2.6
cd "$work"
PYSPARK_PYTHON="$work/venv/bin/python" "$work/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import pandas as pd
import pyspark
from pyspark.sql import SparkSession

settings = {"spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
spark = SparkSession.builder.master("local[2,4]").config(map=settings).getOrCreate()
print("Python", sys.version.split()[0], "pyspark", pyspark.__version__)


def job(file, shuffled):
    """Two tasks, of which the second dies once; their result is collected."""

    def task(batches):
        import os

        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        context.barrier()
        n = sum(len(batch) for batch in batches)
        if context.partitionId() == 1 and not os.path.exists(file):
            open(file, "w").close()
            os._exit(1)
        context.barrier()
        yield pd.DataFrame({"rows": [n]})

    found = spark.range(0, 10, 1, 2).mapInPandas(task, "rows long", barrier=True)
    try:
        return sorted(row["rows"] for row in (found.repartition(1) if shuffled else found).collect())
    except Exception as error:
        return next(line for line in str(error).splitlines() if "barrier" in line)[:140]


collected, shuffled = job("one", False), job("two", True)
print("collected directly:", collected)
print("collected behind a shuffle:", shuffled)
if shuffled != [5, 5] or "Could not recover from a failed barrier ResultStage" not in collected:
    sys.exit("the behaviour has changed")
PYTHON
