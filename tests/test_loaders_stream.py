"""Training from batches gives the trees that training from memory gives."""

from __future__ import annotations

import dataclasses

import _published as tiny
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from _versions import need
from scipy import sparse
from sklearn.metrics import roc_auc_score

import datasets
from datasets import DatasetError, _sources, load, stream
from datasets.streaming import LightGBMRows, Stream

XGBOOST = {"tree_method": "hist", "max_depth": 4, "nthread": 1, "objective": "binary:logistic", "max_bin": 256}
LIGHTGBM = {"objective": "binary", "num_threads": 1, "verbose": -1, "deterministic": True, "force_row_wise": True}
ROUNDS = 8


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def clicks(tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "BLOCK", 30_000)
    return tiny.many_clicks(tmp_path)


@pytest.fixture
def sparse_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(_sources, "BLOCK", 20_000)
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(2_000):
        indices = np.sort(rng.choice(40, 6, replace=False)) + 1
        y = int(rng.random() < (0.7 if 3 in indices else 0.2))
        rows.append(f"{y} " + " ".join(f"{index}:{rng.integers(1, 5) / 4:g}" for index in indices))
    tiny.put(tmp_path / "kdd12", "kdd12.tr", tiny.lines(rows))
    tiny.put(tmp_path / "kdd12", "kdd12.val", tiny.lines(rows[:200]))
    return {"name": "kdd12", "split": "train", "data_dir": tmp_path}


def test_batches_put_together_are_what_load_gives(clicks):
    data, batches = load(**clicks), stream(**clicks)
    parts = list(batches)
    assert len(parts) > 3
    assert batches.categorical == data.categorical
    assert len(data.info.encoded) == 1
    pd.testing.assert_frame_equal(pd.concat([X for X, _ in parts], ignore_index=True), data.X)
    np.testing.assert_array_equal(np.concatenate([y for _, y in parts]), data.y)
    np.testing.assert_array_equal(batches.y, data.y)
    assert len(batches) == len(data.y)


def test_groups_of_a_stream_are_those_of_load(tmp_path):
    tiny.put(tmp_path / "kdd12", "click_prediction_small.csv", tiny.kdd12_log())
    kw = {"name": "kdd12", "split": "valid", "data_dir": tmp_path}
    np.testing.assert_array_equal(stream(**kw).groups, load(**kw).groups)


def matrix(data):
    """The features of `load` as one matrix of numbers, categories as codes."""
    frame = data.X.copy()
    for column in data.categorical:
        frame[column] = frame[column].cat.codes.replace(-1, np.nan).astype(float)
    return frame.to_numpy(float)


def predictions(booster, X, batches):
    kinds = ["c" if name in batches.categorical else "float" for name in batches.columns]
    return booster.predict(xgb.DMatrix(X, feature_names=batches.columns, feature_types=kinds, enable_categorical=True))


@pytest.mark.parametrize("external", [False, True])
def test_xgboost_grows_the_same_trees(clicks, external, tmp_path):
    """Fewer distinct values than bins: the cuts are the values themselves, and the trees are equal, not just close."""
    if external:
        need("xgboost", "3.0", "quantized pages are kept on disk")
    data, batches = load(**clicks), stream(**clicks)
    in_memory = xgb.train(XGBOOST, xgb.QuantileDMatrix(data.X, data.y, enable_categorical=True), ROUNDS)
    if external:
        source = batches.xgboost(cache_prefix=tmp_path / "pages")
        matrix_of_batches = xgb.ExtMemQuantileDMatrix(source, enable_categorical=True)
    else:
        matrix_of_batches = xgb.QuantileDMatrix(batches.xgboost(), enable_categorical=True)
    streamed = xgb.train(XGBOOST, matrix_of_batches, ROUNDS)
    assert matrix_of_batches.num_row() == len(data.y)
    first, second = (booster.trees_to_dataframe() for booster in (in_memory, streamed))
    pd.testing.assert_series_equal(first["Feature"], second["Feature"])
    np.testing.assert_array_equal(first["Split"], second["Split"])
    np.testing.assert_allclose(first["Gain"], second["Gain"], rtol=1e-5)
    X = matrix(data)
    np.testing.assert_allclose(predictions(streamed, X, batches), predictions(in_memory, X, batches), rtol=1e-5)
    assert first["Feature"].nunique() > 5


def test_xgboost_on_many_distinct_values_is_close(tmp_path, monkeypatch):
    """More distinct values than bins: the sketch merges batches, so cuts and predictions differ a little."""
    monkeypatch.setattr(_sources, "BLOCK", 200_000)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4_000, 28)).astype(np.float32)
    y = (values[:, 0] + values[:, 1] + rng.normal(size=4_000) > 0).astype(int)
    rows = [f"{label}," + ",".join(f"{v:.9g}" for v in row) for label, row in zip(y, values, strict=True)]
    tiny.put(tmp_path / "higgs", "HIGGS.csv", tiny.lines(rows))
    kw = {"name": "higgs", "split": "train", "data_dir": tmp_path}
    data, batches = load(**kw), stream(**kw)
    assert len(batches.starts) > 3
    in_memory = xgb.train(XGBOOST, xgb.QuantileDMatrix(data.X, data.y), ROUNDS)
    streamed = xgb.train(XGBOOST, xgb.QuantileDMatrix(batches.xgboost()), ROUNDS)
    scores = [predictions(booster, matrix(data), batches) for booster in (in_memory, streamed)]
    assert np.corrcoef(*scores)[0, 1] > 0.98
    assert np.abs(scores[0] - scores[1]).mean() < 0.01


def test_a_validation_stream_follows_its_training_stream(clicks):
    train, valid = stream(**clicks), stream(**(clicks | {"split": "valid"}))
    first = xgb.QuantileDMatrix(train.xgboost(), enable_categorical=True)
    second = xgb.QuantileDMatrix(valid.xgboost(), enable_categorical=True, ref=first)
    record: dict = {}
    booster = xgb.train(XGBOOST, first, ROUNDS, evals=[(second, "valid")], evals_result=record, verbose_eval=False)
    held_out = load(**(clicks | {"split": "valid"}))
    scores = predictions(booster, matrix(held_out), valid).clip(1e-7, 1 - 1e-7)
    loss = -np.log(np.where(held_out.y == 1, scores, 1 - scores)).mean()
    assert record["valid"]["logloss"][-1] == pytest.approx(loss, rel=1e-4)


def test_lightgbm_grows_the_same_trees(clicks):
    data, batches = load(**clicks), stream(**clicks)
    in_memory = lgb.train(LIGHTGBM, lgb.Dataset(data.X, data.y), ROUNDS)
    streamed = lgb.train(LIGHTGBM, batches.lightgbm(LIGHTGBM), ROUNDS)
    trees = [booster.dump_model()["tree_info"] for booster in (in_memory, streamed)]
    assert trees[0] == trees[1]
    np.testing.assert_array_equal(in_memory.predict(data.X), streamed.predict(matrix(data)))


def test_lightgbm_validation_set_is_binned_like_train(clicks):
    train = stream(**clicks).lightgbm(LIGHTGBM)
    valid = stream(**(clicks | {"split": "valid"}))
    record: dict = {}
    booster = lgb.train(
        LIGHTGBM | {"metric": "auc"},
        train,
        ROUNDS,
        valid_sets=[valid.lightgbm(LIGHTGBM, reference=train)],
        callbacks=[lgb.record_evaluation(record)],
    )
    held_out = load(**(clicks | {"split": "valid"}))
    expected = roc_auc_score(held_out.y, booster.predict(matrix(held_out)))
    assert record["valid_0"]["auc"][-1] == pytest.approx(expected, abs=1e-9)


def test_rows_on_demand_in_any_order(clicks):
    data = load(**clicks)
    expected, rows = matrix(data), LightGBMRows(stream(**clicks))
    n = len(data.y)
    assert len(rows) == n
    for index in (0, n - 1, slice(0, n), slice(100, 700), slice(5, 5), slice(0, n, 7), [n - 1, 3, 800, 3]):
        np.testing.assert_array_equal(rows[index], expected[index])


def test_sparse_batches_grow_the_same_trees(sparse_rows):
    data, batches = load(**sparse_rows), stream(**sparse_rows)
    parts = list(batches)
    assert len(parts) > 2
    assert all(isinstance(X, sparse.csr_matrix) and X.shape[1] == 54_686_452 for X, _ in parts)
    assert (sparse.vstack([X for X, _ in parts]) != data.X).nnz == 0
    # Fifty columns are used; boosters should not be asked to hold 54 million bins in a test.
    narrow = data.X[:, :50]
    store = batches._store
    few = dataclasses.replace(store, layout=dataclasses.replace(store.layout, features=50))
    fifty = Stream(few, batches._rows, batches._encoder)
    streamed = xgb.train(XGBOOST, xgb.QuantileDMatrix(fifty.xgboost()), ROUNDS)
    in_memory = xgb.train(XGBOOST, xgb.QuantileDMatrix(narrow, data.y), ROUNDS)
    pd.testing.assert_frame_equal(in_memory.trees_to_dataframe(), streamed.trees_to_dataframe())
    with pytest.raises(DatasetError, match="LightGBM reads dense rows only when streaming"):
        batches.lightgbm()


def test_only_published_sets_are_streamed():
    with pytest.raises(DatasetError, match=r"'adult' is read into memory whole; use datasets\.load"):
        datasets.stream("adult")


def test_as_numbers_has_no_categories(clicks):
    batches = stream(**clicks, encoding="as_numbers")
    assert batches.categorical == []
    pd.testing.assert_frame_equal(
        pd.concat([X for X, _ in batches], ignore_index=True), load(**clicks, encoding="as_numbers").X
    )
