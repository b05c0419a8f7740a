"""Choose the customers to call with a fixed number of calls.

Problem: a bank's call centre can call 15 % of its customers this month. Which customers should it call, and how many
will say yes? Only precision among the calls matters; probabilities for other customers are not needed.

Data: the shipped bank_marketing set (4,521 customers, 11.5 % said yes). It is small, so everything is averaged over
five splits, and compared with log loss and with calling at random.

    python examples/leads.py [--plot leads.png]

Needs: a clone, for its data sets, with the extra bench.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from lightgbm import LGBMClassifier

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the data sets lie in the repository, not in the package

import datasets
from hsboost import HSClassifier
from hsboost.plotting import BudgetGainDisplay

CAPACITY = 0.15
SEEDS = range(5)


def trees() -> LGBMClassifier:
    """The same small trees for both losses; few rows need few leaves and small steps."""
    return LGBMClassifier(
        n_estimators=80, learning_rate=0.05, num_leaves=8, min_child_samples=20, random_state=0, n_jobs=1, verbose=-1
    )


def main(plot: str | None = None) -> dict[str, float]:
    """Train on five splits, print yeses among the calls, and return the means."""
    found: dict[str, list[int]] = {"HSClassifier": [], "log loss": []}
    expected, shown, calls, customers = [], {}, 0, 0
    for seed in SEEDS:
        train, _, test = datasets.load_splits("bank_marketing", seed=seed)
        customers = len(test.y)
        calls = round(CAPACITY * customers)
        model = HSClassifier(trees(), k=CAPACITY).fit(train.X, train.y)
        rung = model.predict_top_k(test.X, calls) == 1
        assert rung.sum() == calls
        log_loss = trees().fit(train.X, train.y).predict_proba(test.X)[:, 1]
        found["HSClassifier"].append(int(test.y[rung].sum()))
        found["log loss"].append(int(test.y[np.argsort(-log_loss, kind="stable")[:calls]].sum()))
        expected.append(calls * test.y.mean())
        shown.setdefault("first", (test.y, model.decision_function(test.X), log_loss))

    print(f"{calls} calls to {customers} customers, mean over {len(SEEDS)} splits:")
    print(f"  at random     {np.mean(expected):5.1f} say yes")
    for name, counts in found.items():
        print(f"  {name:<13} {np.mean(counts):5.1f} say yes   per split: {counts}")
    gap = np.subtract(found["HSClassifier"], found["log loss"])
    error = gap.std(ddof=1) / np.sqrt(gap.size)
    clear = abs(gap.mean()) > 2.776 * error  # Student's t for five splits, 95 %
    print(f"  difference    {gap.mean():+5.1f} ± {error:.1f} (standard error): {'clear' if clear else 'within noise'}")

    if plot:  # one split: the test sets of different seeds share customers, pooling them would count these twice
        y, ours, theirs = shown["first"]
        display = BudgetGainDisplay.from_predictions(
            y, ours, baseline=theirs, k=calls, log=True, name="HSClassifier", baseline_name="log loss"
        )
        display.ax_.set_title("Whom to call: the first of the five splits", loc="left", fontsize=11)
        display.figure_.savefig(plot, dpi=120)
        print(f"wrote {plot}")
    return {name: float(np.mean(counts)) for name, counts in found.items()} | {"random": float(np.mean(expected))}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Choose the customers to call within a capacity.")
    parser.add_argument("--plot", metavar="PATH", help="also save a picture")
    main(parser.parse_args().plot)
