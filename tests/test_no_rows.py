"""A batch without rows: every method gives an empty result of the shape and type that it has for rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small
from scipy.sparse import csc_array, csr_array

from hsboost import HSClassifier

DATA = {2: binary(120), 3: multi(120)}
NAMES = np.array(["a", "b", "c"])
GROUPS = np.arange(120) % 3
METHODS = ["decision_function", "predict", "predict_proba", "predict_top_k", "contributions"]
FORMS: dict[str, Any] = {"array": np.asarray, "frame": pd.DataFrame, "csr": csr_array, "csc": csc_array}

SETTINGS: dict[str, dict[str, Any]] = {
    "sigmoid": {"calibration": "sigmoid"}, "isotonic": {"calibration": "isotonic"}, "log-loss": {"loss": "log-loss"},
    "exact": {"loss": "exact"},
}  # fmt: skip


def fitted(booster: str, n_classes: int, form: str = "array", **settings: Any) -> HSClassifier:
    X, y = DATA[n_classes]
    more = {"groups": settings.pop("groups")} if "groups" in settings else {}
    k = None if "loss" in settings else 0.1
    return HSClassifier(small(booster), k=k, **settings).fit(FORMS[form](X), NAMES[y], **more)


def same_as_one_row(model: HSClassifier, X: Any, method: str, **more: Any) -> None:
    one = getattr(model, method)(X[:1], **{name: value[:1] for name, value in more.items() if name != "k"})
    none = getattr(model, method)(X[:0], **{name: value[:0] for name, value in more.items() if name != "k"})
    assert isinstance(none, np.ndarray)
    assert none.shape == (0, *one.shape[1:])
    assert none.dtype == one.dtype


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("saved", [False, True])
def test_every_method(booster: str, n_classes: int, settings: str, saved: bool, tmp_path: Path) -> None:
    model = fitted(booster, n_classes, **SETTINGS[settings])
    if saved:
        model.save_model(tmp_path / "model.json")
        model = HSClassifier.load_model(tmp_path / "model.json")
    if model.k is None:
        model.k = 5
    for method in METHODS:
        same_as_one_row(model, DATA[n_classes][0], method)


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("form", FORMS)
def test_every_container(booster: str, n_classes: int, form: str) -> None:
    model = fitted(booster, n_classes, form, calibration="sigmoid")
    for method in METHODS:
        same_as_one_row(model, FORMS[form](DATA[n_classes][0]), method)


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "labels",
    [GROUPS, GROUPS.tolist(), NAMES[GROUPS], pd.Series(NAMES[GROUPS]), pd.Series(NAMES[GROUPS], dtype="category")],
    ids=["int", "list", "text", "series", "category"],
)
def test_no_groups_for_no_rows(booster: str, n_classes: int, labels: Any) -> None:
    model, X = fitted(booster, n_classes, groups=labels), DATA[n_classes][0]
    for method in ("decision_function", "predict", "predict_top_k"):
        same_as_one_row(model, X, method, groups=labels)
        with pytest.raises(
            ValueError, match=r"groups must have one entry per row of X: expected shape \(0,\), got \(3,"
        ):
            getattr(model, method)(X[:0], groups=labels[:3])
        with pytest.raises(
            ValueError, match=r"groups must have one entry per row of X: expected shape \(3,\), got \(0,"
        ):
            getattr(model, method)(X[:3], groups=labels[:0])


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_budgets_of_no_rows(booster: str, n_classes: int) -> None:
    model, X = fitted(booster, n_classes), DATA[n_classes][0]
    by_group: dict[Any, Any] = {0: 1, 1: 0.5}
    k = by_group if n_classes == 2 else dict.fromkeys(NAMES[:3].tolist(), by_group)
    for budget, more in ((3, {}), (0.5, {}), (k, {"groups": []}), (2, {"groups": []})):
        assert model.predict_top_k(X[:0], budget, **more).shape == ((0,) if n_classes == 2 else (0, 3))
    with pytest.raises(ValueError, match="k as a count must be >= 0, got -1"):
        model.predict_top_k(X[:0], -1)


@BOOSTERS
def test_what_is_wrong_without_rows(booster: str) -> None:
    model = fitted(booster, 2, calibration="sigmoid")
    grouped = fitted(booster, 2, "frame")
    for method in METHODS:
        with pytest.raises(ValueError, match="X has 4 features, but HSClassifier is expecting 5"):
            getattr(model, method)(np.empty((0, 4)))
        for nothing in ([], ()):
            with pytest.raises(
                ValueError, match=r"X is an empty (list|tuple), without columns; pass .* shape \(0, 5\)"
            ):
                getattr(model, method)(nothing)
    with pytest.raises(ValueError, match="trained without groups"):
        grouped.predict(pd.DataFrame(DATA[2][0][:0]), groups=[])
    with pytest.raises(ValueError, match="minimum of 1"):
        HSClassifier(small(booster)).fit(DATA[2][0][:0], [])


@pytest.mark.parametrize("settings", [{"booster": "gblinear"}, {"booster": "dart"}, {"num_parallel_tree": 2}])
def test_other_models_of_xgboost(settings: dict[str, Any]) -> None:
    from xgboost import XGBClassifier

    X, y = DATA[2]
    model = HSClassifier(XGBClassifier(n_estimators=3, n_jobs=1, **settings), k=5).fit(X, y)
    for method in ("decision_function", "predict", "predict_top_k", "contributions"):
        same_as_one_row(model, X, method)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_on_a_cluster(n_classes: int) -> None:
    da = pytest.importorskip("dask.array", reason="needs dask")
    from hsboost.dask import DaskHSClassifier

    X, y = DATA[n_classes]
    x, groups = da.from_array(X, chunks=(60, 5)), da.from_array(GROUPS, chunks=60)
    model = DaskHSClassifier(small("xgboost"), k=0.1).fit(x, da.from_array(y, chunks=60), groups=groups)
    local, nothing = model.to_local(), da.from_array(X[:0])
    no_groups = da.from_array(GROUPS[:0])
    for method in ("decision_function", "predict", "predict_top_k"):
        for more, of_local in (({}, {}), ({"groups": no_groups}, {"groups": []})):
            if method == "predict_top_k" and not more:  # a model of groups asks for them
                continue
            found = getattr(model, method)(nothing, **more).compute()
            right = getattr(local, method)(X[:0], **of_local)
            assert found.shape == right.shape
            assert found.dtype == right.dtype
    with pytest.raises(ValueError, match="X holds no rows, and accuracy is a share of them"):
        model.score(nothing, da.from_array(y[:0]))
