"""Every warning names the user's line, not one of this package or of the boosters that call it."""

from __future__ import annotations

import ast
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _models import binary, small, stopping
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import hsboost
from hsboost import DistributedAUC, HSClassifier, HypersimplexObjective, precision_at_k, recall_at_k
from hsboost.estimators._model_file.persistence import _digest

X, Y = binary()
FRAME = pd.DataFrame(X, columns=list("abcde"))
TEXTS = np.array(["bad", "good"])[Y]
PACKAGE = Path(hsboost.__file__).parent


def test_one_place_warns() -> None:
    """``warnings.warn`` counts frames, and each new function in between would make the count wrong."""
    found = [
        (path.relative_to(PACKAGE).as_posix(), ast.unparse(node))
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("warn", "warn_explicit")
    ]
    assert {one for one in found if one[1] != "_stack.warn"} == {("_stack.py", "warnings.warn_explicit")}
    assert len(found) > 12


def log_loss(booster: str) -> HSClassifier:
    return HSClassifier(small(booster), loss="log-loss").fit(X, Y)


def by_another_version() -> bytes:
    model = HSClassifier(small("lightgbm"), k=0.2).fit(X, Y)
    return pickle.dumps(_Wrote(model.__getstate__() | {"_booster_version": ("lightgbm", "0.0.1")}))


class _Wrote:
    """A pickle that says that another version wrote it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> Any:
        return HSClassifier, (), self.state


def early(booster: str) -> Any:
    estimator, extra = stopping(booster)
    return lambda: HSClassifier(estimator, k=0.2).fit(X, Y, eval_set=(X, Y), **extra)


def version_one(folder: Path) -> Any:
    """A file that knows no versions."""
    path = folder / "old.json"
    HSClassifier(small("lightgbm"), k=0.2).fit(X, Y).save_model(path)
    document = json.loads(path.read_text())
    content = document["content"]
    for part in (content, content["booster"]):
        for name in ("version", "machine", "proof"):
            part.pop(name, None)
    path.write_text(json.dumps(document | {"format_version": 1, "sha256": _digest(content)}))
    return lambda: HSClassifier.load_model(path)


def all_rows(library: str) -> Any:
    objective = HypersimplexObjective(k=len(Y))
    if library == "xgboost":
        data = xgb.DMatrix(X, Y)
        return lambda: xgb.train({"base_score": 0.0}, data, 2, obj=objective)
    return lambda: lgb.train({"objective": objective, "verbose": -1}, lgb.Dataset(X, Y), 2)


def undefined_auc() -> Any:
    return lambda: DistributedAUC()(np.zeros(4), np.arange(4.0))


def columns(method: str, booster: str = "lightgbm") -> Any:
    model = HSClassifier(small(booster), k=0.2).fit(FRAME, Y)
    return lambda: getattr(model, method)(X)


def no_split(booster: str) -> Any:
    never = {"min_child_weight": 1e9}
    return lambda: HSClassifier(small(booster, **never), k=0.2).fit(X, Y)


def texts(how: str) -> Any:
    model = HSClassifier(small("lightgbm"), k=0.2)
    if how == "fit":
        return lambda: model.fit(X, TEXTS)
    if how == "pipeline":
        steps = make_pipeline(StandardScaler(), model)
        return lambda: steps.fit(X, TEXTS)
    if how == "cross-validation":
        return lambda: cross_val_score(model, X, TEXTS, cv=2)
    if how == "search":
        return lambda: GridSearchCV(clone(model), {"k": [0.2]}, cv=2).fit(X, TEXTS)

    class Mine(HSClassifier):
        pass

    return lambda: Mine(small("lightgbm"), k=0.2).fit(X, TEXTS)


def native(booster: str, how: str) -> Any:
    model = log_loss(booster)
    if how == "booster_":
        return lambda: model.booster_
    if how == "inside":
        inside = model.estimator_
        return lambda: inside.get_booster() if booster == "xgboost" else inside.booster_
    return lambda: model.estimator_.predict(X, **{"output_margin" if booster == "xgboost" else "raw_score": True})


def of_cluster() -> Any:
    dask = pytest.importorskip("hsboost.dask", reason="needs dask", exc_type=ImportError)
    model = dask.DaskHSClassifier()
    model.local_ = log_loss("xgboost")
    return lambda: model.booster_


def evaluation() -> Any:
    model = HSClassifier(small("lightgbm"), k=0.2)
    return lambda: model.fit(FRAME, Y, eval_set=(X, Y))


def unsaved(folder: Path) -> Any:
    metric = small("xgboost", eval_metric=lambda y, score: 0.0)
    model = HSClassifier(metric, k=0.2).fit(X, Y)
    return lambda: model.save_model(folder / "model.json")


def pickled(folder: Path, loads: Any) -> Any:
    blob = by_another_version()
    (folder / "m.pickle").write_bytes(blob)
    return (lambda: pickle.loads(blob)) if loads == "pickle" else (lambda: joblib.load(folder / "m.pickle"))


#: A word of the warning, and what makes the call (given a folder).
CASES: dict[str, tuple[str, Any]] = {
    "precision": ("Precision@k is undefined", lambda _: lambda: precision_at_k([1, 0], [0.1, 0.2], 0)),
    "recall": ("Recall@k is undefined", lambda _: lambda: recall_at_k([0, 0], [0.1, 0.2], 1)),
    "auc": ("area under the ROC curve", lambda _: undefined_auc()),
    "all rows, xgboost": ("k takes all rows", lambda _: all_rows("xgboost")),
    "all rows, lightgbm": ("k takes all rows", lambda _: all_rows("lightgbm")),
    "all rows, fit": (
        "k takes all rows",
        lambda _: lambda: HSClassifier(small("xgboost"), k=len(Y), loss="hypersimplex").fit(X, Y),
    ),
    "early stopping, xgboost": ("training rows only", lambda _: early("xgboost")),
    "early stopping, lightgbm": ("training rows only", lambda _: early("lightgbm")),
    **{
        f"{how}, {booster}": ("booster inside", lambda _, b=booster, h=how: native(b, h))
        for booster in ("xgboost", "lightgbm")
        for how in ("booster_", "inside", "margins")
    },
    "booster_ of the cluster's estimator": ("booster inside", lambda _: of_cluster()),
    "evaluation set": ("valid feature names", lambda _: evaluation()),
    "no split, xgboost": ("no tree has a split", lambda _: no_split("xgboost")),
    "no split, lightgbm": ("no tree has a split", lambda _: no_split("lightgbm")),
    **{
        f"columns, {method}": ("feature names", lambda _, m=method: columns(m))
        for method in ("predict", "decision_function", "contributions")
    },
    **{
        f"texts, {how}": ("counts as positive", lambda _, h=how: texts(h))
        for how in ("fit", "pipeline", "cross-validation", "search", "subclass")
    },
    "settings not saved": ("are not saved", unsaved),
    "version one": ("format version 1", version_one),
    "pickle": ("this pickle was made with", lambda folder: pickled(folder, "pickle")),
    "joblib": ("this pickle was made with", lambda folder: pickled(folder, "joblib")),
}


@pytest.mark.parametrize("case", CASES)
def test_the_warning_names_this_file(case: str, tmp_path: Path) -> None:
    words, make = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call = make(tmp_path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    said = [one for one in caught if words in str(one.message)]
    assert said, [str(one.message) for one in caught]
    assert {one.filename for one in said} == {__file__}
    assert all(one.lineno > 0 for one in said)
