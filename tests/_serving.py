"""Shared by the tests of exported models: cases, their rows, and the runtimes, each used as its own manual says."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _models import binary, multi, small, stopping

from hsboost import HSClassifier

#: Rows on which every cell of the table is checked.
N_ROWS = 10_000
CITIES = ["rome", "oslo", "bonn", "lima", "cairo"]
#: Case to (arguments of HSClassifier, of the booster by name, data).
CASES = ("binary", "log loss", "sigmoid", "classes", "classes, log loss", "classes, sigmoid", "early stopping", "DART")
#: Columns of the documentation's table to the cases behind them, and what the file says.
COLUMNS = {
    "two classes": (("binary", None),),
    "three classes": (("classes", None),),
    "early stopping": (("early stopping", None),),
    "DART": (("DART", None),),
    "log loss, probabilities": (("log loss", "probability"), ("classes, log loss", "probability")),
    "sigmoid, two classes": (("sigmoid", "probability"),),
    "sigmoid, three classes": (("classes, sigmoid", "probability"),),
    "isotonic": (("isotonic", "probability"),),
    "linear terms": (("linear", None),),
}
#: Rows of that table: the end of the file's name, and the booster.
RUNTIMES = {
    "XGBoost, `.json`": (".json", "xgboost"),
    "XGBoost, `.ubj`": (".ubj", "xgboost"),
    "LightGBM, `.txt`": (".txt", "lightgbm"),
    "ONNX, of XGBoost": (".onnx", "xgboost"),
    "ONNX, of LightGBM": (".onnx", "lightgbm"),
    "treelite, of XGBoost": (".tl", "xgboost"),
    "treelite, of LightGBM": (".tl", "lightgbm"),
}


def frame(n: int, seed: int, classes: int = 2) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers and two kinds of categories, a tenth of them missing."""
    values, y = (binary if classes == 2 else multi)(n, seed)
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(values, columns=list("abcde"))
    X["city"] = pd.Categorical(np.array(CITIES)[rng.integers(0, 5, n)], categories=CITIES)
    X["size"] = pd.Categorical(rng.integers(3, 9, n), categories=range(3, 9))
    y = np.where((X["city"] == "oslo") & (rng.random(n) < 0.6), 1, y)
    for name in ("a", "city"):
        X.loc[rng.random(n) < 0.1, name] = np.nan
    return X, y


@functools.cache
def fitted(case: str, booster: str, categories: bool = True) -> HSClassifier:
    """A model of the case, with missing values and, unless it is a linear one, categories."""
    X, y = frame(800, 0, 3 if case.startswith("classes") else 2)
    if not categories:
        X = X.drop(columns=["city", "size"])
    settings: dict[str, Any] = {"n_estimators": 12}
    if booster == "xgboost":
        settings |= {"enable_categorical": True, "max_cat_to_onehot": 2}
    else:
        settings |= {"min_data_per_group": 5, "cat_smooth": 1.0}
    own: dict[str, Any] = {"k": 0.2}
    fit: dict[str, Any] = {}
    estimator = small(booster, **settings)
    if case in ("log loss", "classes, log loss"):
        own = {"loss": "log-loss"} | ({"k": 0.2} if case == "log loss" else {})
    elif case in ("sigmoid", "classes, sigmoid", "isotonic"):
        own |= {"calibration": case.removeprefix("classes, "), "random_state": 0}
    elif case == "no probabilities":
        own["loss"] = "hypersimplex"
    elif case == "early stopping":
        estimator, fit = stopping(booster, **{k: v for k, v in settings.items() if k != "n_estimators"})
        seen, labels = frame(400, 1)
        fit["eval_set"] = seen[X.columns], labels
    elif case == "DART":
        dart = {"booster": "dart", "rate_drop": 0.4} if booster == "xgboost" else {"boosting_type": "dart"}
        estimator.set_params(**dart)
    elif case == "linear":
        X = X.drop(columns=["city", "size"])
        estimator.set_params(**({"booster": "gblinear"} if booster == "xgboost" else {"linear_tree": True}))
    labels = np.array(["no", "yes", "perhaps"])[y] if case == "classes" else y
    return HSClassifier(estimator, **own).fit(X, labels, **fit)


@functools.cache
def rows(case: str) -> pd.DataFrame:
    X, _ = frame(N_ROWS, 7, 3 if case.startswith("classes") else 2)
    return X.drop(columns=["city", "size"]) if case == "linear" else X


class Said(NamedTuple):
    """What a runtime says: outputs (n,) or (n, C), and labels where it has some."""

    output: np.ndarray
    labels: np.ndarray | None = None


def codes(X: pd.DataFrame, kind: Any) -> np.ndarray:
    """The rows as numbers, categories by their place."""
    columns = [one.cat.codes.replace(-1, np.nan) if str(one.dtype) == "category" else one for _, one in X.items()]
    return np.ascontiguousarray(np.column_stack(columns), dtype=kind)


def said(file: Path, booster: str, X: pd.DataFrame) -> Said:
    """Read a file with its own runtime, nothing of hsboost."""
    if file.suffix in (".json", ".ubj"):
        return Said(xgb.Booster({"nthread": 1}, model_file=file).predict(xgb.DMatrix(X, enable_categorical=True)))
    if file.suffix == ".txt":
        return Said(np.asarray(lgb.Booster(model_file=file).predict(X, num_threads=1)))
    numbers = codes(X, np.float32 if booster == "xgboost" else np.float64)
    if file.suffix == ".tl":
        import treelite

        return Said(np.squeeze(treelite.gtil.predict(treelite.Model.deserialize(file), numbers)))
    import onnxruntime

    session = onnxruntime.InferenceSession(file)
    found = dict(zip([one.name for one in session.get_outputs()], session.run(None, {"X": numbers}), strict=True))
    return Said(found.get("probabilities", found["decision_function"]), found["label"])


def need(suffix: str) -> None:
    """Skip where the runtime of such files is not installed."""
    for package in {".onnx": ("onnx", "onnxruntime"), ".tl": ("treelite",)}.get(suffix, ()):
        pytest.importorskip(package, reason=f"needs {package}: pip install hsboost[export]")
