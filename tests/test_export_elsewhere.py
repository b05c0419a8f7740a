"""Exported files in readers outside Python: every cell of the documentation's second table.

PMML needs Java and the packages sklearn2pmml, jpmml-evaluator and jpype1. JavaScript needs Node.js and, in the folder
that HSBOOST_NODE_MODULES names, onnxruntime-node and onnxruntime-web (npm install --ignore-scripts).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _serving import N_ROWS, codes, fitted, need, rows

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "serving.md"
CASES = {
    "two classes": "binary",
    "three classes": "classes",
    "early stopping": "early stopping",
    "DART": "DART",
    "log loss": "log loss",
    "log loss, three classes": "classes, log loss",
    "sigmoid, two classes": "sigmoid",
}
#: Rows of the table: the booster, and whether PMML (else ONNX in JavaScript) is read.
READERS = {
    "JPMML, of XGBoost": ("xgboost", True),
    "JPMML, of LightGBM": ("lightgbm", True),
    "ONNX Runtime for JavaScript, of XGBoost": ("xgboost", False),
    "ONNX Runtime for JavaScript, of LightGBM": ("lightgbm", False),
}
#: The columns of models with categories, and of models with numbers only.
COLUMNS = [[*"abcde", "city", "size"], [*"abcde"]]
#: What becomes PMML: one model with categories of XGBoost's shows that its converter does not read them.
PMML = [
    *(("xgboost", COLUMNS[1], case) for case in CASES.values()),
    ("xgboost", COLUMNS[0], "binary"),
    *(("lightgbm", COLUMNS[0], case) for case in CASES.values()),
]
SUFFIX = {"xgboost": ".json", "lightgbm": ".txt"}


def table() -> dict[tuple[str, str], str]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("| reader |"))
    names, _, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[head : head + 6]]
    return {(line[0], column): cell for line in body for column, cell in zip(names[1:], line[1:], strict=True)}


def test_the_table_names_every_reader_and_case() -> None:
    assert set(table()) == {(reader, column) for reader in READERS for column in [*CASES, "categories"]}
    assert set(table().values()) == {"yes", "no"}


def run(*command: Any, **environment: str) -> str:
    done = subprocess.run(
        [str(one) for one in command], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def compare(case: str, model: Any, X: pd.DataFrame, said: dict[str, np.ndarray], cut: float | None) -> None:
    """Decisions of all rows and, where there are some, probabilities."""
    if case in ("log loss", "classes, log loss", "sigmoid"):
        wanted = model.predict_proba(X)
        found = np.column_stack([said[f"probability({one})"] for one in range(wanted.shape[1])])
    else:
        decision = model.decision_function(X)
        wanted = decision.reshape(N_ROWS, -1)
        found = np.column_stack([said[name] for name in (["y"] if wanted.shape[1] == 1 else ["y1", "y2", "y3"])])
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    index = found.argmax(axis=1) if cut is None else (found[:, -1] > cut).astype(int)
    np.testing.assert_array_equal(model.classes_[index], model.predict(X))


@pytest.fixture(scope="module")
def pmml(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with what every model's PMML says, and which files the converters refused."""
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    for package in ("jpype", "sklearn2pmml", "jpmml_evaluator"):
        pytest.importorskip(package, reason="needs sklearn2pmml, jpmml-evaluator and jpype1")
    folder, files = tmp_path_factory.mktemp("pmml"), []
    for booster, columns, case in PMML:
        files.append(folder / f"{booster} {case} {len(columns)}{SUFFIX[booster]}")
        fitted(case, booster, columns == COLUMNS[0]).export(files[-1])
        X = rows(case)[columns]
        X.astype(object).where(X.notna(), None).to_pickle(f"{files[-1]}.rows")
    refused = run(sys.executable, HERE / "_java.py", "convert", *files)
    read = [one for one in files if Path(f"{one}.pmml").exists()]
    run(sys.executable, HERE / "_java.py", "evaluate", *read)
    return folder, refused


@pytest.mark.parametrize(("booster", "columns", "case"), PMML, ids=[f"{b} {c} {len(x)}" for b, x, c in PMML])
def test_pmml(booster: str, columns: list[str], case: str, pmml: tuple[Path, str], tmp_path: Path) -> None:
    folder, refused = pmml
    reader = f"JPMML, of {'XGBoost' if booster == 'xgboost' else 'LightGBM'}"
    column = next(name for name, one in CASES.items() if one == case)
    file, categories = folder / f"{booster} {case} {len(columns)}{SUFFIX[booster]}", columns == COLUMNS[0]
    reads = table()[reader, column] == "yes" and (not categories or table()[reader, "categories"] == "yes")
    assert (f"refused {file.name}" in refused) == (not reads)
    if reads:
        model = fitted(case, booster, categories)
        said = {name: np.array(values) for name, values in json.loads(Path(f"{file}.said").read_text()).items()}
        cut = model.export(tmp_path / f"again{SUFFIX[booster]}").cut
        compare(case, model, rows(case)[columns], said, cut)


@pytest.mark.parametrize("package", ["onnxruntime-node", "onnxruntime-web"])
@pytest.mark.parametrize("column", CASES)
@pytest.mark.parametrize("booster", SUFFIX)
def test_onnx_in_javascript(booster: str, column: str, package: str, tmp_path: Path) -> None:
    modules = os.environ.get("HSBOOST_NODE_MODULES", "")
    if shutil.which("node") is None or not (Path(modules) / package).is_dir():
        pytest.skip(f"needs Node.js and {package} in the folder HSBOOST_NODE_MODULES")
    need(".onnx")
    reader = f"ONNX Runtime for JavaScript, of {'XGBoost' if booster == 'xgboost' else 'LightGBM'}"
    assert table()[reader, column] == table()[reader, "categories"] == "yes"
    case = CASES[column]
    model, X = fitted(case, booster), rows(case)
    model.export(tmp_path / "m.onnx")
    kind = np.dtype(np.float32 if booster == "xgboost" else np.float64)
    codes(X, kind).tofile(tmp_path / "rows")
    where = {"NODE_PATH": modules}
    text = run("node", HERE / "_onnx.js", package, tmp_path / "m.onnx", tmp_path / "rows", kind, X.shape[1], **where)
    said = json.loads(text)
    np.testing.assert_array_equal(said["label"], model.predict(X))
    decision = np.array(said["decision_function"]).reshape(N_ROWS, -1)
    np.testing.assert_allclose(decision, model.decision_function(X).reshape(N_ROWS, -1), rtol=0, atol=2e-6)
    if "probabilities" in said:
        found = np.array(said["probabilities"]).reshape(N_ROWS, -1)
        np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=1e-6)
