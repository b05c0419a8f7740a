"""Train one model on Spark: choose five flights of every day to prepare for, among rows that lie in partitions.

Problem: the history of an airport lies in Spark, and every morning five of the day's flights can be prepared for (crews
on call, gates kept free). Days are groups: a flight competes with those of its own day, wherever Spark holds them. The
flights of new days are chosen in Spark as well, and the model is taken out of it for a service without a cluster.

Data: the shipped nycflights13 set, 10,000 flights for training and 10,000 of other days for the test, as two partitions
of a local Spark; on a cluster the rows would come from `spark.read`, and the rest of the code is the same.

    python examples/train_on_spark.py [--plot spark.png]

Needs: a clone, for its data sets, with the extras bench and spark; Java 17.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from xgboost import XGBClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HSClassifier, precision_at_k
from hsboost.plotting import PrecisionAtKDisplay
from hsboost.spark import PrecisionAtKEvaluator, SparkHSClassifier

PREPARED = 5
TREES = {"n_estimators": 40, "learning_rate": 0.15, "max_depth": 5, "random_state": 0}


def session() -> SparkSession:
    """A Spark of two tasks on this machine; on a cluster it is there already."""
    os.environ["PYSPARK_PYTHON"] = sys.executable  # the tasks' Python: this one, which has hsboost
    os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], os.environ.get("PYTHONPATH", "")])
    settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()


def table(part: Any) -> pd.DataFrame:
    """Flights as Spark would hold them: texts, numbers, the day and whether it was late."""
    rows = part.X.drop(columns="dest").astype(dict.fromkeys(("carrier", "origin", "plane_engine"), object))
    return rows.where(rows.notna(), None).assign(date=np.asarray(part.groups, dtype=np.int64), late=part.y)


def main(plot: str | None = None) -> dict[str, float]:
    """Train on Spark and in one process, print both, and return the figures."""
    train, _, test = (table(part) for part in datasets.load_splits("nycflights13", seed=0, rows=10_000))
    features = [name for name in train.columns if name not in ("date", "late")]
    spark = session()
    try:
        rows, new = (spark.createDataFrame(part).repartition(2, "date").persist() for part in (train, test))
        estimator = SparkHSClassifier(
            features_col=features, label_col="late", group_col="date", k=PREPARED, num_workers=2,
            enable_categorical=True, **TREES,
        )  # fmt: skip
        model = estimator.fit(rows)
        queue = model.predict_top_k(new, PREPARED)
        evaluator = PrecisionAtKEvaluator(k=PREPARED, label_col="late", group_col="date")
        found = {"spark": evaluator.evaluate(queue)}
        chosen = queue.where("selected").select("date", "late").toPandas()
        served = model.to_classifier()  # an ordinary HSClassifier: to be saved, exported, explained
    finally:
        spark.stop()

    texts = {name: pd.CategoricalDtype(sorted(train[name].dropna().unique())) for name in ("carrier", "origin")}
    texts["plane_engine"] = pd.CategoricalDtype(sorted(train["plane_engine"].dropna().unique()))
    X, X_test = (
        part[features].astype(texts).astype(dict.fromkeys(set(features) - set(texts), float)) for part in (train, test)
    )
    here = HSClassifier(XGBClassifier(enable_categorical=True, **TREES), k=PREPARED, threshold="training")
    here.fit(X, train.late, groups=train.date)
    scores = {"Spark, two tasks": served.decision_function(X_test), "one process": here.decision_function(X_test)}
    found |= {name: precision_at_k(test.late, score, PREPARED, groups=test.date) for name, score in scores.items()}
    days = chosen["date"].nunique()
    print(f"prepared {len(chosen)} flights on {days} days, at most {chosen.groupby('date').size().max()} a day")
    print(f"of these late: {chosen.late.mean():.3f}; with ties shared, as Spark evaluates it: {found['spark']:.3f}")
    for name in scores:
        print(f"  {name}: precision {found[name]:.3f}")

    if plot:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
        PrecisionAtKDisplay.compare(test.late, scores, x="share", log=True, start=50, n_bootstrap=100, ax=ax)
        figure.savefig(plot, dpi=120)
        print(f"wrote {plot}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on Spark and choose k rows of every group there.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
