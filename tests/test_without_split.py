"""A model whose trees have no split says so: it would choose no row before another, silently."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from _models import BOOSTERS, binary, multi, small

from hsboost import HSClassifier

pytestmark = pytest.mark.truth

X, Y = binary(300)
X3, Y3 = multi(300)
#: Weights of one in sum, as of a distribution: too little for XGBoost's min_child_weight, enough for LightGBM's.
SUMMING_TO_ONE = np.full(300, 1 / 300)


def said(model: HSClassifier, X: Any, y: Any, **arguments: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        model.fit(X, y, **arguments)
    return [text for one in found if "no tree has a split" in (text := str(one.message))]


@BOOSTERS
@pytest.mark.parametrize(("rows", "labels"), [(X, Y), (X3, Y3)], ids=["binary", "classes"])
@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
def test_weights_too_small_for_splits(booster: str, loss: str, rows: Any, labels: Any) -> None:
    (text,) = said(HSClassifier(small(booster), loss=loss), rows, labels, sample_weight=np.full(300, 1e-12))
    assert re.search(r"sample_weight is 1e-12 on average: multiply it by 1e\+12, or lower min_child_weight=", text)
    model = HSClassifier(small(booster), loss=loss)
    assert not said(model, rows, labels, sample_weight=np.full(300, 1e-12) * 1e12)
    assert np.unique(model.decision_function(rows)).size > 2


def test_weights_that_sum_to_one() -> None:
    (text,) = said(HSClassifier(small("xgboost"), k=0.1), X, Y, sample_weight=SUMMING_TO_ONE)
    assert "sample_weight is 0.00333 on average: multiply it by 300, or lower min_child_weight=None" in text
    assert not said(HSClassifier(small("xgboost", min_child_weight=0.003), k=0.1), X, Y, sample_weight=SUMMING_TO_ONE)
    assert not said(HSClassifier(small("lightgbm"), k=0.1), X, Y, sample_weight=SUMMING_TO_ONE)


@BOOSTERS
def test_settings_that_forbid_splits_and_classes_without_weight(booster: str) -> None:
    (text,) = said(HSClassifier(small(booster, min_child_weight=1e6), k=0.1), X, Y)
    assert "lower min_child_weight=1000000.0 if that forbids splits" in text
    (text,) = said(HSClassifier(small(booster), loss="log-loss", class_weight={0: 1, 1: 0}), X, Y)
    assert "see what columns and weights hold" in text


@pytest.mark.parametrize(
    "settings",
    [{"n_estimators": 0}, {"booster": "gblinear", "max_depth": None}, {"booster": "dart"}, {"num_parallel_tree": 3}],
    ids=str,
)
def test_models_that_were_asked_for_are_not_told(settings: dict[str, Any]) -> None:
    assert not said(HSClassifier(small("xgboost").set_params(**settings), k=0.1), X, Y)


@BOOSTERS
def test_trees_to_go_on_from_count(booster: str) -> None:
    first = HSClassifier(small(booster), k=0.1).fit(X, Y)
    assert not said(HSClassifier(small(booster), k=0.1), X, Y, sample_weight=np.full(300, 1e-12), init_model=first)


@pytest.mark.slow  # a cluster of processes
def test_on_dask() -> None:
    da = pytest.importorskip("dask.array", reason="needs dask")
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    from hsboost.dask import DaskHSClassifier

    parts = [da.from_array(one, chunks=(100, *one.shape[1:])) for one in (X, Y, SUMMING_TO_ONE)]
    with distributed.Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as client:
        model = DaskHSClassifier(small("xgboost"), k=0.1)
        model.client = client
        (text,) = said(model, parts[0], parts[1], sample_weight=parts[2])
        assert "sample_weight is 0.00333 on average: multiply it by 300" in text
        assert not said(model, parts[0], parts[1])
