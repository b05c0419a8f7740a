"""Files read back by the runtimes that will read them elsewhere: margins, outputs and decisions of rows."""

from __future__ import annotations

import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hsboost.estimators import _boosters
from hsboost.estimators._export import treelite_file
from hsboost.estimators._export.plan import Plan

#: The package behind each format.
PACKAGES = {"xgboost": "xgboost", "lightgbm": "lightgbm", "onnx": "onnxruntime", "treelite": "treelite"}


class Outputs(NamedTuple):
    """A runtime's answer for rows: outputs (n, C), margins (n, C) if it gives them, the classes' places if it does."""

    output: np.ndarray
    margin: np.ndarray | None = None
    chosen: np.ndarray | None = None
    decision: np.ndarray | None = None


def version(format: str) -> str | None:
    """Name and version of a format's runtime, or None where it is not installed."""
    package = PACKAGES[format]
    return f"{package} {import_module(package).__version__}" if find_spec(package) else None


def read(format: str, content: bytes, plan: Plan, model: Any, X: Any, codes: np.ndarray, by_name: bool) -> Outputs:
    """Outputs of a file for rows.

    ``X`` are rows as the user has them and ``codes`` the same as numbers; the boosters' own runtimes read X if
    ``by_name``.
    """
    width = plan.shift.size
    if format == "xgboost":
        return _xgboost(content, X if by_name else codes, width, model.estimator_.n_jobs)
    if format == "lightgbm":
        return _lightgbm(content, X if by_name else codes, width)
    single = _boosters.kind(model.estimator_) == "xgboost"
    rows = np.ascontiguousarray(codes, dtype=np.float32 if single else np.float64)
    if format == "treelite":
        import treelite

        loaded = treelite_file.load(content)
        output = treelite.gtil.predict(loaded, rows).reshape(len(rows), width)
        return Outputs(output, treelite.gtil.predict(loaded, rows, pred_margin=True).reshape(len(rows), width))
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    found = dict(zip([one.name for one in session.get_outputs()], session.run(None, {"X": rows}), strict=True))
    decision = found["decision_function"].reshape(len(rows), width)
    labels = model.classes_.tolist()
    named = found["label"].tolist()
    index = np.array(named if not set(named) <= set(labels) else [labels.index(one) for one in named])
    if plan.output == "decision":
        return Outputs(decision, decision, index, decision)
    probabilities = found["probabilities"]
    return Outputs(probabilities if plan.cut is None else probabilities[:, 1:], None, index, decision)


def _xgboost(content: bytes, X: Any, width: int, n_jobs: int | None) -> Outputs:
    import xgboost as xgb

    booster = xgb.Booster({} if n_jobs is None else {"nthread": n_jobs})
    booster.load_model(bytearray(content))
    names, types = booster.feature_names, booster.feature_types
    with _boosters.explained():
        if isinstance(X, np.ndarray):
            rows = xgb.DMatrix(X, feature_names=names, feature_types=types, nthread=n_jobs)
        else:
            rows = xgb.DMatrix(X, enable_categorical=True, nthread=n_jobs)
    margin = booster.predict(rows, output_margin=True).reshape(-1, width)
    return Outputs(booster.predict(rows).reshape(-1, width), margin)


def _lightgbm(content: bytes, X: Any, width: int) -> Outputs:
    import lightgbm as lgb

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.txt"
        file.write_bytes(content)
        booster = lgb.Booster(model_file=str(file))
    margin = np.asarray(booster.predict(X, raw_score=True)).reshape(-1, width)
    return Outputs(np.asarray(booster.predict(X)).reshape(-1, width), margin)
