"""Choose the budget to train with, and calibrate the probabilities.

Problem: a fundraiser will write to the 5 % of people most likely to earn well, and wants a probability for each letter.
The best k for training need not be the 5 % of the evaluation, so it is searched for together with the trees' settings;
then the best model is trained again with calibration on held-out rows, and its reliability is drawn.

Data: the shipped adult set (census income, 24 % earn more than 50,000 dollars), 6,000 rows to search on, 6,000 to test.

    python examples/choose_and_calibrate.py [--plot reliability.png]

Needs: a clone, for its data sets, with the extra bench.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.metrics import brier_score_loss, make_scorer
from sklearn.model_selection import GridSearchCV
from xgboost import XGBClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HSClassifier, precision_at_k

LETTERS = 0.05
BUDGETS = [None, 0.05, 0.15, 0.4]


def main(plot: str | None = None) -> dict[str, float]:
    """Search, calibrate, print and return the figures of the test rows."""
    train, _, test = datasets.load_splits("adult", seed=0, rows=6_000)
    trees = XGBClassifier(n_estimators=40, learning_rate=0.2, enable_categorical=True, n_jobs=1, random_state=0)
    search = GridSearchCV(
        HSClassifier(trees, random_state=0),
        {"k": BUDGETS, "estimator__max_depth": [3, 5]},
        scoring=make_scorer(precision_at_k, response_method="decision_function", k=LETTERS),
        cv=3,
    ).fit(train.X, train.y)
    print(f"precision in the top {LETTERS:.0%}, three folds, best depth for each k:")
    for k in BUDGETS:
        rows = [i for i, p in enumerate(search.cv_results_["params"]) if p["k"] == k]
        best = max(rows, key=lambda i: search.cv_results_["mean_test_score"][i])
        score, error = (search.cv_results_[f"{name}_test_score"][best] for name in ("mean", "std"))
        print(f"  k = {'positives' if k is None else k!s:<9}  {score:.3f} ± {error:.3f}")

    chosen = search.best_params_
    print(f"chosen: k = {chosen['k']}, max_depth = {chosen['estimator__max_depth']}")
    found = {"top": precision_at_k(test.y, search.decision_function(test.X), LETTERS)}
    print(f"on the test rows: {found['top']:.3f} of the letters go to people who earn well")

    probability = {}
    for method in ("sigmoid", "isotonic"):
        model = clone(search.best_estimator_).set_params(calibration=method, calibration_fraction=0.2)
        probability[method] = model.fit(train.X, train.y).predict_proba(test.X)[:, 1]
        found[method] = float(brier_score_loss(test.y, probability[method]))
    found["prevalence"] = float(brier_score_loss(test.y, np.full(test.y.size, train.y.mean())))
    print("Brier score: " + ", ".join(f"{name} {found[name]:.4f}" for name in ("sigmoid", "isotonic", "prevalence")))

    if plot:
        import matplotlib.pyplot as plt
        from sklearn.calibration import CalibrationDisplay

        figure, ax = plt.subplots(figsize=(6, 5.2), layout="constrained")
        for (method, values), colour in zip(probability.items(), ("#0072B2", "#D55E00"), strict=True):
            CalibrationDisplay.from_predictions(
                test.y, values, n_bins=10, strategy="quantile", name=f"{method}: Brier {found[method]:.3f}", ax=ax,
                color=colour,
            )  # fmt: skip
        ax.set(xlabel="predicted probability", ylabel="share that earns well")
        ax.set_title("Calibrated on held-out rows, checked on 6,000 others", loc="left", fontsize=11)
        ax.grid(alpha=0.25)
        figure.savefig(plot, dpi=120)
        print(f"wrote {plot}")
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Search for k, calibrate, and look at the reliability.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
