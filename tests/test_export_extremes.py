"""Models whose splits lie at infinity or at the ends of float64 are saved, exported and decide as before."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _serving import need
from numpy.testing import assert_array_equal
from scipy import sparse

from hsboost import HSClassifier

pytestmark = pytest.mark.truth
N = 400
RNG = np.random.default_rng(0)
BASE = RNG.standard_normal((N, 3))
MISSING = RNG.random(N) < 0.3
#: What is missing says most.
Y = (1.5 * MISSING + BASE[:, 1] + 0.5 * RNG.standard_normal(N) > 1.2).astype(int)


def instead(value: float, rows: np.ndarray = MISSING, *, fifth: float | None = None) -> np.ndarray:
    """The rows with ``value`` in the first column of some, and another one in that of every fifth row."""
    X = BASE.copy()
    X[rows, 0] = value
    if fifth is not None:
        X[::5, 0] = fifth
    return X


def frame(values: Any) -> pd.DataFrame:
    return pd.DataFrame({"said": values, "other": BASE[:, 1]})


#: X, and whether XGBoost takes it: it refuses what is infinite as float32.
ROWS: dict[str, tuple[Any, bool]] = {
    "missing or a number": (instead(np.nan), True),
    "missing or one number": (np.column_stack([np.where(MISSING, np.nan, 3.0), BASE[:, 1:]]), True),
    "missing or one category": (frame(pd.Categorical(np.where(MISSING, None, "x"))), True),
    "missing or whole numbers": (frame(pd.array(np.where(MISSING, None, np.arange(N)), dtype="Int64")), True),
    "a column that is missing": (instead(np.nan, np.ones(N, dtype=bool)), True),
    "sparse": (sparse.csr_array(np.where(RNG.random((N, 3)) < 0.5, 0.0, instead(np.nan))), True),
    "infinite": (instead(np.inf), False),
    "minus infinite": (instead(-np.inf), False),
    "both infinite": (instead(np.inf, fifth=-np.inf), False),
    "infinite or missing": (instead(np.nan, fifth=np.inf), False),
    "1e300": (instead(1e300), False),
    "-1e300": (instead(-1e300), False),
    "the greatest float64": (instead(np.finfo(np.float64).max), False),
    "the least float64": (instead(np.finfo(np.float64).min), False),
    "the greatest float32": (instead(float(np.finfo(np.float32).max)), True),
    "the least float32": (instead(float(np.finfo(np.float32).min)), True),
    "subnormal": (instead(1e-310), True),
}
BOOSTERS: dict[str, Any] = {
    "lightgbm": lgb.LGBMClassifier(n_estimators=6, num_leaves=8, n_jobs=1, verbose=-1),
    "xgboost": xgb.XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1, enable_categorical=True),
}
OWN = {"lightgbm": ".txt", "xgboost": ".json"}
CASES = [(name, booster) for name, (_, both) in ROWS.items() for booster in BOOSTERS if both or booster == "lightgbm"]


def fitted(name: str, booster: str) -> tuple[HSClassifier, Any]:
    X = ROWS[name][0]
    model = HSClassifier(k=0.2, loss="hypersimplex", threshold="training", estimator=BOOSTERS[booster])
    return model.fit(X, Y), X


def test_some_splits_are_infinite_or_large() -> None:
    """Otherwise these tests test nothing."""
    at: dict[str, set[float]] = {}
    for name, booster in CASES:
        if booster == "lightgbm":
            trees = fitted(name, booster)[0].estimator_.booster_.model_to_string().split("\n")
            lines = [line.partition("=")[2].split() for line in trees if line.startswith("threshold=")]
            at[name] = {float(one) for line in lines for one in line}
    assert np.inf in at["missing or a number"]
    assert np.inf in at["missing or whole numbers"]
    assert min(at["minus infinite"]) < -1e300
    assert -np.inf < min(at["the least float64"]) < -1e300


@pytest.mark.parametrize(("name", "booster"), CASES)
def test_saved_and_loaded(name: str, booster: str, tmp_path: Any) -> None:
    model, X = fitted(name, booster)
    model.save_model(tmp_path / "model.json")
    loaded = HSClassifier.load_model(tmp_path / "model.json")
    assert_array_equal(loaded.decision_function(X), model.decision_function(X))


@pytest.mark.parametrize("suffix", ["own", ".onnx", ".tl"])
@pytest.mark.parametrize(("name", "booster"), CASES)
def test_exported_and_compared_on_the_training_rows(name: str, booster: str, suffix: str, tmp_path: Any) -> None:
    need(suffix)
    model, X = fitted(name, booster)
    file = tmp_path / f"model{OWN[booster] if suffix == 'own' else suffix}"
    drawn = model.export(file)
    assert model.export(file, rows=X).rows == drawn.rows + N
