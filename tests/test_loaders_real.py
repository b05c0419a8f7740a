"""Real rows of the published sets, where HSBOOST_REAL_DATA names a folder with them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from datasets import describe, list_datasets, load, load_splits

FOLDER = os.environ.get("HSBOOST_REAL_DATA")
pytestmark = pytest.mark.skipif(
    not FOLDER or not Path(FOLDER).is_dir(), reason="HSBOOST_REAL_DATA does not name a folder with real rows"
)

# Name -> rows, share of positives, rows of the splits for seed 0, what `describe` must say.
SETS = {
    "higgs": (40_255, 0.530, [24_153, 8_051, 8_051], "random rows"),
    "flight": (100_000, 0.190, None, "100,000 of the 10M train rows"),
    "kdd10": (129_998, 0.754, [78_000, 25_999, 25_999], "Algebra I 2005-06"),
    "kdd12": (39_948, 0.168, None, "negatives downsampled 5:1"),
    "criteo": (8_000, 0.216, [4_800, 1_600, 1_600], "first 8,000 rows only"),
    "avazu": (8_999, 0.174, [5_399, 1_800, 1_800], "one hour of the ten days"),
    "movielens": (100_000, 0.554, None, "Ratings of ml-100k"),
}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("HSBOOST_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


def test_all_sets_are_found():
    assert set(SETS) <= set(list_datasets(FOLDER))


@pytest.mark.parametrize("name", SETS)
def test_real_rows_load(name):
    rows, positives, sizes, said = SETS[name]
    parts = load_splits(name, data_dir=FOLDER)
    assert sum(len(part.y) for part in parts) == rows
    assert np.concatenate([part.y for part in parts]).mean() == pytest.approx(positives, abs=5e-4)
    if sizes is not None:
        assert [len(part.y) for part in parts] == sizes
    for part in parts:
        assert len(part.y) > 0.15 * rows
        assert 0.05 < part.y.mean() < 0.95
        assert list(part.X.dtypes) == list(parts[0].X.dtypes)
    info = describe(name, FOLDER)
    assert (info.rows, info.positive_rate) == (rows, pytest.approx(positives, abs=5e-4))
    assert said in info.here
    assert "malformed" not in info.here


@pytest.mark.parametrize("name", SETS)
def test_no_real_column_gives_the_answer_away(name):
    from sklearn.metrics import roc_auc_score

    data = load(name, split="train", data_dir=FOLDER)
    y = pd.Series(data.y, dtype=float)
    for column in data.X:
        values = data.X[column]
        score = y.groupby(values, observed=True).transform("mean") if column in data.categorical else values
        assert 0.15 < roc_auc_score(data.y, score.astype(float).fillna(-1e9)) < 0.85, column


def test_three_million_flights():
    if not (Path(str(FOLDER)) / "flight" / "flights-3m.parquet").is_file():
        pytest.skip("flights-3m.parquet is not there")
    data = load("flights3m", rows=100_000, data_dir=FOLDER)
    assert data.info.rows == 3_000_000
    assert data.info.positive_rate == pytest.approx(0.209, abs=5e-4)
    assert data.X["month"].between(1, 7).all()
