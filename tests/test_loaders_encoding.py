"""Ids become features honestly: categories that are the same everywhere, or target encodings fitted on train only."""

from __future__ import annotations

import _published as tiny
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder

from datasets import DatasetError, _convert, _sources, load, load_splits


@pytest.fixture(autouse=True)
def small_blocks(own_cache, monkeypatch):
    # Several row groups, so that nothing holds for one only.
    monkeypatch.setattr(_sources, "BLOCK", 20_000)


def many_ids(folder, n=3_000, users=900, noise=False, seed=0):
    """MovieLens's x1 files with more users than stay categories; a user's label follows the user unless ``noise``."""
    rng = np.random.default_rng(seed)
    liking = rng.random(users + 100)
    frames = {}
    for part, extra in (("train", 0), ("valid", 50), ("test", 100)):
        user = rng.integers(0, users + extra, n)
        y = rng.integers(0, 2, n) if noise else (rng.random(n) < liking[user]).astype(int)
        tag = np.where(rng.random(n) < 0.1, "", rng.integers(0, 700, n).astype(str))
        frames[part] = pd.DataFrame({"label": y, "user_id": user, "item_id": rng.integers(0, 40, n), "tag_id": tag})
        tiny.put(folder / "movielens", f"{part}.csv", frames[part].to_csv(index=False))
    return frames


def test_few_levels_stay_categories_and_many_become_target_encodings(tmp_path):
    frames = many_ids(tmp_path)
    parts = load_splits("movielens", data_dir=tmp_path)
    assert parts[0].categorical == ["item_id"]
    assert parts[0].info.encoded == ("user_id", "tag_id")
    for part, name in zip(parts, ("train", "valid", "test"), strict=True):
        assert part.X["item_id"].cat.categories.tolist() == [str(k) for k in range(40)]
        np.testing.assert_array_equal(part.X["item_id"].astype(int), frames[name]["item_id"])
        assert (part.X["user_id"].dtype, part.X["tag_id"].dtype) == (np.float32, np.float32)
        assert not part.X.isna().any(axis=None)


def test_the_limit_is_the_documented_one(tmp_path):
    for levels, encoded in ((_convert.LEVELS_AT_MOST, ()), (_convert.LEVELS_AT_MOST + 1, ("user_id",))):
        rows = [f"{k % 2},{k % levels},1,1" for k in range(2 * levels)]
        for part in ("train", "valid", "test"):
            folder = tmp_path / str(levels)
            tiny.put(folder / "movielens", f"{part}.csv", tiny.lines(rows, "label,user_id,item_id,tag_id"))
        assert load("movielens", data_dir=folder).info.encoded == encoded
    assert _convert.LEVELS_AT_MOST == 512


@pytest.mark.parametrize("rows", [None, 800])
def test_encodings_are_scikit_learns(tmp_path, rows):
    """Train gets what `TargetEncoder.fit_transform` gives with these folds; the others what `transform` gives."""
    many_ids(tmp_path)
    seed = 3
    parts = load_splits("movielens", seed=seed, rows=rows, data_dir=tmp_path)
    raw = load_splits("movielens", seed=seed, rows=rows, encoding="as_numbers", data_dir=tmp_path)
    columns = ["user_id", "tag_id"]
    # Missing ids are a level of their own in both.
    ids = [part.X[columns].fillna(-1).to_numpy(float) for part in raw]
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    encoder = TargetEncoder(target_type="binary", smooth="auto", random_state=seed).fit(ids[0], raw[0].y)
    for part, identities in zip(parts[1:], ids[1:], strict=True):
        np.testing.assert_allclose(part.X[columns], encoder.transform(identities), rtol=1e-6)
    for fitted, inside in folds.split(ids[0], raw[0].y):
        expected = TargetEncoder(target_type="binary", smooth="auto").fit(ids[0][fitted], raw[0].y[fitted])
        np.testing.assert_allclose(parts[0].X[columns].iloc[inside], expected.transform(ids[0][inside]), rtol=1e-6)


def test_labels_of_valid_and_test_never_reach_the_features(tmp_path):
    frames = many_ids(tmp_path)
    before = load_splits("movielens", data_dir=tmp_path)
    for part in ("valid", "test"):
        frames[part]["label"] = 1 - frames[part]["label"]
        tiny.put(tmp_path / "movielens", f"{part}.csv", frames[part].to_csv(index=False))
    after = load_splits("movielens", data_dir=tmp_path)
    for one, two in zip(before, after, strict=True):
        pd.testing.assert_frame_equal(one.X, two.X)
    np.testing.assert_array_equal(before[1].y, 1 - after[1].y)


def test_a_rows_own_label_does_not_show_in_its_feature(tmp_path):
    """With labels at random, an encoding fitted on a row's own label would rank train far above chance."""
    many_ids(tmp_path, noise=True)
    train, valid, _ = load_splits("movielens", data_dir=tmp_path)
    for part in (train, valid):
        assert abs(roc_auc_score(part.y, part.X["user_id"]) - 0.5) < 0.06


def test_encodings_carry_the_signal(tmp_path):
    many_ids(tmp_path)
    for part in load_splits("movielens", data_dir=tmp_path):
        assert roc_auc_score(part.y, part.X["user_id"]) > 0.65


def test_ids_that_train_has_not_get_its_mean(tmp_path):
    frames = many_ids(tmp_path)
    train, _, test = load_splits("movielens", data_dir=tmp_path)
    unknown = ~frames["test"]["user_id"].isin(frames["train"]["user_id"]).to_numpy()
    assert unknown.sum() > 50
    np.testing.assert_allclose(test.X["user_id"][unknown], train.y.mean(), rtol=1e-6)


def test_all_rows_at_once_are_encoded_as_in_their_splits(tmp_path):
    many_ids(tmp_path)
    whole = load("movielens", data_dir=tmp_path)
    parts = load_splits("movielens", data_dir=tmp_path)
    together = pd.concat([part.X for part in parts], ignore_index=True)
    pd.testing.assert_frame_equal(whole.X, together)


def test_as_numbers_gives_the_ids_themselves(tmp_path):
    frames = many_ids(tmp_path)
    part = load("movielens", split="valid", encoding="as_numbers", data_dir=tmp_path)
    np.testing.assert_array_equal(part.X["user_id"], frames["valid"]["user_id"])
    np.testing.assert_array_equal(part.X["item_id"], frames["valid"]["item_id"])
    np.testing.assert_array_equal(part.X["tag_id"].isna(), frames["valid"]["tag_id"] == "")
    assert part.X["user_id"].dtype == np.int64
    assert part.X["tag_id"].dtype == np.float64


def test_as_numbers_gives_texts_their_place_among_all_levels(tmp_path):
    tiny.put(tmp_path / "criteo", "train.txt", tiny.criteo_raw())
    levels, numbers = (
        load("criteo", split="test", encoding=e, data_dir=tmp_path) for e in ("categorical", "as_numbers")
    )
    for column in ("C1", "C13"):
        codes = levels.X[column].cat.codes.replace(-1, np.nan)
        np.testing.assert_array_equal(numbers.X[column].to_numpy(float), codes.to_numpy(float))
        assert list(levels.X[column].cat.categories) == sorted(levels.X[column].cat.categories)


def test_groups_are_the_same_in_every_split_and_ordered_by_value(tmp_path):
    frames = many_ids(tmp_path)
    users = np.unique(np.concatenate([frame["user_id"] for frame in frames.values()]))
    for part, name in zip(load_splits("movielens", data_dir=tmp_path), ("train", "valid", "test"), strict=True):
        np.testing.assert_array_equal(users[part.groups], frames[name]["user_id"])
        assert part.groups.dtype == np.int32


def test_subsets_are_nested_and_rows_keep_their_order(tmp_path):
    frames = many_ids(tmp_path)
    large, small = (
        load("movielens", split="train", rows=rows, seed=1, encoding="as_numbers", data_dir=tmp_path)
        for rows in (500, 100)
    )
    rows = [set(map(tuple, part.X.fillna(-1).to_numpy())) for part in (small, large)]
    assert rows[0] <= rows[1]
    at = pd.Index(map(tuple, frames["train"][["user_id", "item_id", "tag_id"]].astype(str).to_numpy()))
    shown = large.X.assign(tag_id=large.X["tag_id"].map(lambda v: "" if np.isnan(v) else str(int(v)))).astype(str)
    places = [at.get_indexer_for([tuple(row)]) for row in shown.to_numpy()]
    last = -1
    for found in places:
        last = min(place for place in found if place > last)


def test_one_class_in_train_is_explained(tmp_path):
    frames = many_ids(tmp_path)
    frames["train"]["label"] = 0
    frames["train"].loc[5, "label"] = 1
    tiny.put(tmp_path / "movielens", "train.csv", frames["train"].to_csv(index=False))
    with pytest.raises(DatasetError, match="needs two training rows of each class, there are 2999 and 1"):
        load("movielens", split="valid", data_dir=tmp_path)
    assert len(load("movielens", split="valid", encoding="as_numbers", data_dir=tmp_path).y) == 3_000


def test_changing_what_was_loaded_does_not_change_the_next_load(tmp_path):
    many_ids(tmp_path)
    data = load("movielens", split="train", data_dir=tmp_path)
    kept = data.X.copy()
    data.X.loc[:, "user_id"] = 0
    data.y[:] = 1
    data.groups[:] = 0
    again = load("movielens", split="train", data_dir=tmp_path)
    pd.testing.assert_frame_equal(again.X, kept)
    assert again.y.mean() < 1
    assert again.groups.max() > 0
