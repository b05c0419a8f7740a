"""Groups that an XGBoost DMatrix carries row by row, so that they may span workers."""

from __future__ import annotations

import pickle
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import make_data, train_xgb, trees, xgb_data

from hsboost import HypersimplexObjective


def test_query_groups_are_refused_on_several_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = make_data(100)
    monkeypatch.setattr(xgb.collective, "get_world_size", lambda: 2)
    with pytest.raises(ValueError, match=r"does not work on several workers.*label_lower_bound=codes"):
        train_xgb(HypersimplexObjective(groups="dataset"), xgb_data(X, y, qid=np.arange(100) // 50), rounds=1)


def test_a_dmatrix_may_carry_a_group_for_each_row() -> None:
    X, y = make_data()
    codes = np.random.default_rng(0).integers(0, 4, y.size)
    budgets = {0: 0.1, 1: 20, 2: None, 3: 0.5}
    by_array = HypersimplexObjective(budgets, groups=codes)
    by_field = HypersimplexObjective(budgets, groups="label_lower_bound")
    one = train_xgb(by_array, xgb_data(X, y))
    other = train_xgb(by_field, xgb_data(X, y, label_lower_bound=codes))
    assert trees(one) == trees(other)
    np.testing.assert_array_equal(by_array.soft_threshold_, by_field.soft_threshold_)
    assert "label_lower_bound" in repr(by_field)
    assert pickle.loads(pickle.dumps(by_field)).groups == "label_lower_bound"


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (None, r"the DMatrix has no such field; build it with label_lower_bound=codes"),
        ([0.5] * 100, r"whole numbers from 0 to 16777215.*got 0.5 at row 0 \(100 such rows"),
        ([0] * 99 + [-1], r"got -1.0 at row 99 \(1 such rows"),
        ([0] * 99 + [2**24], r"got 16777216.0 at row 99"),
    ],
)
def test_bad_codes_of_rows_are_refused(codes: Any, message: str) -> None:
    X, y = make_data(100)
    extra = {} if codes is None else {"label_lower_bound": np.array(codes)}
    with pytest.raises(ValueError, match=message):
        train_xgb(HypersimplexObjective(groups="label_lower_bound"), xgb_data(X, y, **extra), rounds=1)


def test_codes_of_rows_are_xgboosts_alone() -> None:
    X, y = make_data(100)
    with pytest.raises(ValueError, match=r"elsewhere pass groups as one label per row"):
        lgb.train({"objective": HypersimplexObjective(groups="label_lower_bound"), "verbose": -1}, lgb.Dataset(X, y))
