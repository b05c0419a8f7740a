"""What DaskHSClassifier is given: every number type, columns told by name, settings under every name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _versions import need
from xgboost import XGBClassifier

from hsboost import HSClassifier, PrecisionAtK, RecallAtK

da = pytest.importorskip("dask.array", reason="needs dask")
dd = pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
pytest.importorskip("distributed", reason="needs distributed")

from hsboost.dask import DaskHSClassifier  # noqa: E402

# Slow: a cluster of processes starts, and each of them loads Dask, XGBoost and the kernels.
pytestmark = [pytest.mark.truth, pytest.mark.slow]

N = 200
RNG = np.random.default_rng(1)
X = RNG.integers(-9, 10, (N, 3)).astype(float)
Y = (X[:, 0] + RNG.normal(size=N) > 2).astype(int)
NAMES = list("abc")


def trees(**more: Any) -> XGBClassifier:
    return XGBClassifier(**{"n_estimators": 3, "max_depth": 3, "n_jobs": 1, **more})


def swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


def cut(rows: Any) -> Any:
    if isinstance(rows, pd.DataFrame):
        return dd.from_pandas(rows, npartitions=2)
    return da.from_array(rows, chunks=(N // 2, *rows.shape[1:]))


@pytest.fixture(scope="module")
def expected() -> HSClassifier:
    return HSClassifier(trees(), k=0.2, threshold="training").fit(X, Y)


@pytest.mark.parametrize("form", ["array", "ints", "float32", "objects", "masked"])
def test_arrays_of_every_number_type(client: Any, expected: HSClassifier, form: str) -> None:
    holes = np.zeros(X.shape, bool)
    holes[::7, 1] = True
    given = {
        "array": swapped(X), "ints": swapped(X.astype(int)), "float32": swapped(X.astype(np.float32)),
        "objects": X.astype(object), "masked": np.ma.masked_array(X, holes),
    }[form]  # fmt: skip
    reference = np.where(holes, np.nan, X) if form == "masked" else X
    wanted = HSClassifier(trees(), k=0.2, threshold="training").fit(reference, Y) if form == "masked" else expected
    model = DaskHSClassifier(trees(), k=0.2).fit(cut(given), cut(swapped(Y)), sample_weight=cut(swapped(np.ones(N))))
    np.testing.assert_allclose(
        model.decision_function(cut(given)).compute(), wanted.decision_function(reference), atol=1e-6
    )
    np.testing.assert_array_equal(model.predict_top_k(cut(given), 11).compute(), wanted.predict_top_k(reference, 11))


def test_a_frame_of_swapped_columns(client: Any, expected: HSClassifier) -> None:
    given = pd.DataFrame(X, columns=NAMES)
    blocks = [given.iloc[: N // 2], given.iloc[N // 2 :]]
    import dask

    parts = [
        dask.delayed(lambda part: pd.DataFrame(swapped(part.to_numpy()), part.index, NAMES))(one) for one in blocks
    ]
    frame = dd.from_delayed(parts, meta=pd.DataFrame(swapped(X[:0]), columns=NAMES), verify_meta=False)
    labels = dd.from_delayed([dask.delayed(pd.Series)(Y[one.index], one.index) for one in blocks])
    model = DaskHSClassifier(trees(), k=0.2).fit(frame, labels)
    scores = model.decision_function(frame).compute()
    np.testing.assert_allclose(scores.to_numpy(), expected.decision_function(X), atol=1e-6)


def test_columns_of_evaluation_sets_and_predictions(client: Any) -> None:
    rows, labels = pd.DataFrame(X, columns=NAMES), pd.Series(Y)
    y = dd.from_pandas(labels, npartitions=2)
    model = DaskHSClassifier(trees(), k=0.2)
    with pytest.raises(ValueError, match=r"eval_set's X: The feature names should match[\s\S]*in the same order"):
        model.fit(cut(rows), y, eval_set=(cut(rows[["b", "a", "c"]]), y))
    numbers = rows.set_axis([5, 3, 8], axis=1)
    model.fit(cut(numbers), y, eval_set=(cut(numbers), y))
    assert model.feature_names_in_.tolist() == [5, 3, 8]
    with pytest.raises(ValueError, match="in the same order"):
        model.predict(cut(numbers[[3, 5, 8]]))
    with pytest.raises(ValueError, match="X has the column name 'a' twice"):
        model.fit(cut(rows.set_axis(["a", "b", "a"], axis=1)), y)
    with pytest.raises(ValueError, match="X: column 'b' holds datetime64"):
        model.fit(cut(rows.assign(b=pd.Timestamp("2020"))), y)
    with pytest.raises(ValueError, match="X must hold numbers, got dtype datetime64"):
        model.fit(cut(X.astype("M8[D]")), cut(Y))


def test_settings(client: Any) -> None:
    x, y = cut(X), cut(Y)
    first, second = (DaskHSClassifier(trees(**one), k=0.2).fit(x, y) for one in ({"eta": 0.6}, {"learning_rate": 0.6}))
    np.testing.assert_array_equal(first.decision_function(x).compute(), second.decision_function(x).compute())
    with pytest.raises(ValueError, match=r"learning_rate=0\.3 and eta=0.6 are one setting of XGBoost"):
        DaskHSClassifier(trees(eta=0.6, learning_rate=0.3)).fit(x, y)
    with pytest.raises(ValueError, match=r"tweedie_variance_power=1\.2 belongs to the booster's own losses"):
        DaskHSClassifier(trees(tweedie_variance_power=1.2)).fit(x, y)
    watched = DaskHSClassifier(trees(eval_metric=PrecisionAtK(0.2).lightgbm)).fit(x, y, eval_set=(x, y))
    assert list(watched.evals_result_["validation_0"]) == ["precision@0.2"]


@pytest.mark.parametrize(
    ("metric", "found"),
    [
        ([PrecisionAtK(0.2)], ["precision@0.2"]),
        (("auc", PrecisionAtK(0.2)), ["auc", "precision@0.2"]),
        (np.array(["auc", "logloss"]), ["auc", "logloss"]),
        ([], ["precision@positives"]),
        (
            [PrecisionAtK(0.2), RecallAtK(0.2)],
            r"^eval_metric holds 2 functions \(precision@0\.2, recall@0\.2\); XGBoost",
        ),
        ({"auc"}, r"^eval_metric must be a metric's name, a function, or a list of them in order, got \{'auc'\}"),
        (["auc", 5], r"^eval_metric\[1\] must be a metric's name or a function, got 5"),
        ("no such metric", "^eval_metric='no such metric' is no metric of XGBoost; correct the name"),
    ],
    ids=str,
)
def test_metrics_in_containers(client: Any, metric: Any, found: Any) -> None:
    x, y = cut(X), cut(Y)

    def watched() -> Any:
        return DaskHSClassifier(trees(eval_metric=metric)).fit(x, y, eval_set=(x, y)).evals_result_["validation_0"]

    if isinstance(found, list):
        assert list(watched()) == found
    else:
        with pytest.raises((ValueError, TypeError), match=found):
            watched()


def test_several_label_columns(client: Any) -> None:
    labels = np.column_stack([Y, np.where(Y, np.nan, 0)])
    with pytest.raises(ValueError, match=r"partition \d: y should be a 1d array, got an array of shape \(100, 2\)"):
        DaskHSClassifier(trees()).fit(cut(X), da.from_array(labels, chunks=(N // 2, 2)))


def test_a_category_that_fit_did_not_have(client: Any) -> None:
    need("xgboost", "3.1.1", "categories are told by their names, not their positions,")
    code = np.random.default_rng(0).integers(0, 5, 200)
    x = pd.DataFrame({"c": pd.Categorical.from_codes(code, list("vwxyz"))})
    new = pd.DataFrame({"c": pd.Categorical(["wa" if i == 150 else one for i, one in enumerate(x["c"])])})
    rows, other = (dd.from_pandas(one, npartitions=2) for one in (x, new))
    labels = dd.from_pandas(pd.Series(code % 2), npartitions=2)
    booster = XGBClassifier(n_estimators=2, enable_categorical=True)
    fitted = DaskHSClassifier(booster, k=0.5).fit(rows, labels)
    message = "partition 1: {}: column 'c' holds the category 'wa' that fit did not have"
    with pytest.raises(ValueError, match=message.format("X")):
        fitted.predict(other).compute()
    with pytest.raises(ValueError, match=message.format("eval_set's X")):
        DaskHSClassifier(booster, k=0.5).fit(rows, labels, eval_set=[(other, labels)])


def test_budgets_by_date(client: Any) -> None:
    """NumPy's dates as keys, pandas' as labels of groups: other hashes before NumPy 2.2."""
    days = np.array(["2026-01-01", "2026-01-02"], "M8[s]")
    k, codes = dict(zip(days, [20, 40], strict=True)), RNG.integers(0, 2, N)
    local = HSClassifier(trees(), k={0: 20, 1: 40}, threshold="training").fit(X, Y, groups=codes)
    model = DaskHSClassifier(trees(), k=k).fit(cut(X), cut(Y), groups=cut(days[codes]))
    found = model.predict_top_k(cut(X), k, groups=cut(days[codes])).compute()
    np.testing.assert_array_equal(found, local.predict_top_k(X, {0: 20, 1: 40}, groups=codes))
    assert list(model.group_thresholds_) == list(pd.to_datetime(days))
    np.testing.assert_allclose(
        list(model.group_thresholds_.values()), list(local.group_thresholds_.values()), atol=1e-6
    )
