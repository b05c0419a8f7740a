"""Shared by the tests of HSClassifier: boosters that are quick to train, data of two and three classes, brute force."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from _boosters import make_data
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from hsboost import HSClassifier

N = 240
BOOSTERS = pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])


def small(booster: str, **params: Any) -> Any:
    """A booster that is quick to train."""
    if booster == "xgboost":
        return XGBClassifier(**{"n_estimators": 6, "max_depth": 3, "n_jobs": 1, **params})
    return LGBMClassifier(**{"n_estimators": 6, "num_leaves": 8, "n_jobs": 1, "verbose": -1, **params})


def stopping(booster: str, rounds: int = 4, n_estimators: int = 60, **params: Any) -> tuple[Any, dict[str, Any]]:
    """A booster that stops early, and what its ``fit`` needs for it."""
    if booster == "xgboost":
        return small(booster, n_estimators=n_estimators, early_stopping_rounds=rounds, **params), {}
    return small(booster, n_estimators=n_estimators, **params), {
        "callbacks": [lgb.early_stopping(rounds, verbose=False)]
    }


def binary(n: int = N, seed: int = 0, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Continuous features, labels 0 and 1."""
    X, y = make_data(n, seed, share)
    return X + np.random.default_rng(seed).uniform(-0.04, 0.04, X.shape), y.astype(int)


def multi(n: int = N, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Continuous features, labels 0, 1 and 2."""
    X, y = binary(n, seed)
    return X, np.where(X[:, 3] + 0.3 * X[:, 4] > 0.8, 2, y)


def raw(model: HSClassifier, X: Any) -> np.ndarray:
    """Raw scores of the rounds that the booster predicts with, past HSClassifier; no starting point added."""
    booster = model.estimator_
    if isinstance(booster, XGBClassifier):
        return booster.predict(X, output_margin=True).astype(np.float64)
    return np.asarray(booster.predict(X, raw_score=True))


def trained_rounds(model: HSClassifier) -> int:
    """Rounds that the native model holds."""
    if isinstance(model.estimator_, XGBClassifier):
        return int(model.booster_.num_boosted_rounds())
    return int(model.booster_.current_iteration())


def by_loop(scores: np.ndarray, groups: Any, budget: Any) -> np.ndarray:
    """The top rows of each group, one row after the other; ties to the rows that come first."""
    chosen = np.zeros(len(scores), dtype=bool)
    for label in dict.fromkeys(groups):
        rows = [i for i, g in enumerate(groups) if g == label]
        k = budget[label] if isinstance(budget, dict) else budget
        count = min(k, len(rows)) if isinstance(k, int) else round(k * len(rows))
        for i in sorted(rows, key=lambda i: (-scores[i], i))[:count]:
            chosen[i] = True
    return chosen
