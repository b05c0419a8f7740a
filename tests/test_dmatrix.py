"""Labels and weights of a DMatrix are read where they lie, as its own methods return them, and kept by nobody."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from numpy.testing import assert_array_equal

from hsboost import HypersimplexObjective, LossObjective, PrecisionAtK
from hsboost._boosting import dmatrix
from hsboost._boosting.dataset_groups import ROW_FIELD, row_codes, row_weights
from hsboost.losses import HypersimplexLoss

N = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = (RNG.random(N) < 0.3).astype(np.float32)
W = RNG.random(N).astype(np.float32) + 0.5
SCORES = RNG.normal(size=N).astype(np.float32)
CODES = (np.arange(N) % 4).astype(np.float32)

lends = pytest.mark.skipif(
    dmatrix.lent(xgb.DMatrix(X, Y), "label") is None, reason=f"xgboost {xgb.__version__} cannot lend a field (3.2 can)"
)

MATRICES: dict[str, Callable[[], Any]] = {
    "DMatrix": lambda: xgb.DMatrix(X, Y, weight=W),
    "no weights": lambda: xgb.DMatrix(X, Y),
    "no label": lambda: xgb.DMatrix(X),
    "no rows": lambda: xgb.DMatrix(X[:0], Y[:0]),
    "one row": lambda: xgb.DMatrix(X[:1], Y[:1], weight=W[:1]),
    "QuantileDMatrix": lambda: xgb.QuantileDMatrix(X, Y, weight=W),
    "two labels a row": lambda: xgb.DMatrix(X, np.stack([Y, 1 - Y], axis=1)),
    "slice": lambda: xgb.DMatrix(X, Y, weight=W).slice(np.arange(1, N, 2)),
    "weights of queries": lambda: xgb.DMatrix(X, Y, qid=np.repeat(range(6), 10), weight=W[:6]),
    "other types": lambda: xgb.DMatrix(X, Y.astype(bool), weight=W.astype(np.float64)),
    "strided": lambda: xgb.DMatrix(X, np.stack([Y, W], axis=1)[:, 0], weight=np.stack([Y, W], axis=1)[:, 1]),
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_fields_are_what_the_methods_return(matrix: str) -> None:
    data = MATRICES[matrix]()
    for field, usual in (("label", data.get_label()), ("weight", data.get_weight())):
        for copy in (False, True):
            found = dmatrix.read(data, field, copy)
            assert_array_equal(found, usual)
            assert (found.dtype, found.shape, found.flags.writeable) == (usual.dtype, usual.shape, True)
            assert not np.shares_memory(found, usual)


@lends
@pytest.mark.parametrize("field", ["label", "weight", ROW_FIELD])
def test_a_field_is_lent_without_a_copy(field: str) -> None:
    data = xgb.DMatrix(X, Y, weight=W, **{ROW_FIELD: CODES, "label_upper_bound": CODES})
    one, two = dmatrix.lent(data, field), dmatrix.lent(data, field)
    assert one is not None
    assert two is not None
    assert np.shares_memory(one, two)
    assert not np.shares_memory(one, data.get_float_info(field))


@lends
def test_what_is_lent_keeps_its_data_set() -> None:
    data = xgb.DMatrix(X, Y)
    part = dmatrix.read(data, "label")[1:][::2]
    alive = weakref.ref(data)
    del data
    gc.collect()
    assert alive() is not None
    assert_array_equal(part, Y[1:][::2])
    del part
    gc.collect()
    assert alive() is None


class Own(xgb.DMatrix):
    """Labels of its own."""

    def get_label(self) -> np.ndarray:
        return 1.0 - Y


def test_a_subclass_with_labels_of_its_own_is_asked() -> None:
    data = Own(X, Y, weight=W)
    assert_array_equal(dmatrix.read(data, "label"), 1.0 - Y)
    assert_array_equal(dmatrix.read(data, "weight"), W)
    mine = HypersimplexObjective(0.2)(SCORES, data)
    other = HypersimplexObjective(0.2)(SCORES, xgb.DMatrix(X, 1.0 - Y, weight=W))
    assert_array_equal(mine, other)


class Missing:
    """A library without the function."""

    def __getitem__(self, name: str) -> Any:
        raise AttributeError(name)


@pytest.mark.parametrize("library", [None, Missing()], ids=["another layout", "an older version"])
def test_without_the_function_the_methods_are_asked(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if library is None:
        monkeypatch.delattr(xgb.core, "_LIB")
    else:
        monkeypatch.setattr(xgb.core, "_LIB", library)
    dmatrix._ask_of.cache_clear()
    try:
        assert dmatrix._ask_of(xgb.DMatrix, "label") is None
    finally:
        monkeypatch.undo()
    assert_array_equal(dmatrix.read(xgb.DMatrix(X, Y), "label"), Y)  # the answer for the class is kept
    dmatrix._ask_of.cache_clear()


@lends
def test_an_error_is_the_methods_error() -> None:
    class Closed(xgb.DMatrix):
        """A data set whose handle is gone."""

    data = Closed(X, Y)
    handle, data.handle = data.handle, None
    try:
        assert dmatrix.lent(data, "label") is None
        with pytest.raises(xgb.core.XGBoostError):
            dmatrix.read(data, "label")
    finally:
        data.handle = handle


def test_arrays_on_a_gpu_are_left_to_the_methods() -> None:
    said = {"data": [1 << 40, True], "shape": [N], "strides": [4], "typestr": "<f4", "version": 3, "stream": 2}
    assert dmatrix._interface(json.dumps(said).encode()) is None


def test_lightgbms_data_sets_are_asked() -> None:
    data = lgb.Dataset(X, Y, weight=W).construct()
    assert_array_equal(dmatrix.read(data, "label"), Y)
    assert_array_equal(row_weights(data, N), W)
    assert row_weights(lgb.Dataset(X, Y).construct(), N) is None


def test_weights_of_queries_are_those_of_rows() -> None:
    assert_array_equal(row_weights(MATRICES["weights of queries"](), N), np.repeat(W[:6], 10))


def test_labels_weights_and_groups_that_change_between_rounds_are_seen() -> None:
    data = xgb.DMatrix(X, Y, weight=W, **{ROW_FIELD: CODES, "label_upper_bound": CODES})
    objective, metric = HypersimplexObjective(0.2, groups=ROW_FIELD), PrecisionAtK(0.2, groups=ROW_FIELD)
    objective(SCORES, data)
    metric(SCORES, data)
    y, w, codes = Y[::-1].copy(), W[::-1].copy(), np.sort(CODES)
    data.set_label(y)
    data.set_weight(w)
    data.set_info(**{ROW_FIELD: codes, "label_upper_bound": codes})
    fresh = xgb.DMatrix(X, y, weight=w, **{ROW_FIELD: codes, "label_upper_bound": codes})
    again = HypersimplexObjective(0.2, groups=ROW_FIELD)
    assert_array_equal(objective(SCORES, data), again(SCORES, fresh))
    assert metric(SCORES, data) == metric(SCORES, fresh)
    assert_array_equal(row_codes(data), codes)


def test_a_round_leaves_the_data_set_as_it_is() -> None:
    data = MATRICES["DMatrix"]()
    xgb.train({"max_depth": 2}, data, 3, obj=HypersimplexObjective(0.2), custom_metric=PrecisionAtK(0.2))
    assert_array_equal(data.get_label(), Y)
    assert_array_equal(data.get_weight(), W)


def test_trees_are_those_of_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    def trained() -> bytes:
        data = xgb.DMatrix(X, Y, weight=W)
        return bytes(xgb.train({"max_depth": 3}, data, 5, obj=HypersimplexObjective(0.2)).save_raw("ubj"))

    lent = trained()
    monkeypatch.setattr(dmatrix, "lent", lambda dataset, field: None)
    assert lent == trained()


class Keeping(HypersimplexLoss):
    """A user's loss, which keeps the labels that it has seen."""

    def boosting_step(self, y_true: Any, *rest: Any, **more: Any) -> Any:
        self.seen = y_true
        return super().boosting_step(y_true, *rest, **more)


class KeepingObjective(LossObjective):
    """A user's objective, which does."""

    def _step(self, loss: Any, y_true: Any, *rest: Any) -> Any:
        self.seen = y_true
        return super()._step(loss, y_true, *rest)


class KeepingMetric(PrecisionAtK):
    """A user's metric, which does."""

    def _measure(self, y_true: Any, *rest: Any) -> float:
        self.seen = y_true
        return super()._measure(y_true, *rest)


@pytest.mark.parametrize("whose", ["loss", "objective", "metric"])
def test_users_classes_get_copies_that_they_may_keep(whose: str) -> None:
    if whose == "loss":
        keeper: Any = Keeping(0.2)
        objective: Any = LossObjective(keeper)
    elif whose == "objective":
        keeper = objective = KeepingObjective(HypersimplexLoss(0.2))
    else:
        keeper = objective = KeepingMetric(0.2)
    data = xgb.DMatrix(X, Y)
    objective(SCORES, data)
    data.set_label(1.0 - Y)
    assert_array_equal(keeper.seen, Y)
    keeper.seen[:] = 7.0
    assert_array_equal(data.get_label(), 1.0 - Y)
