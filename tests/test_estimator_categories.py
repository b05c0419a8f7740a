"""Categories are told by the values that rows have: unseen ones, missing columns, levels of all types."""

from __future__ import annotations

import datetime
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, small
from _versions import need
from sklearn.base import clone

from hsboost import HSClassifier

pytestmark = pytest.mark.truth

RNG = np.random.default_rng(7)
CODE = RNG.integers(0, 5, 200)
X1 = RNG.standard_normal(200)
Y = np.isin(CODE, [0, 2]).astype(int)
TEXTS = np.array(list("vwxyz"))
WHOLE = np.array([0, 2, 4, 6, 8])


def rows(values: Any, levels: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Categorical(values, levels), "x": X1[: len(values)]})


def of(code: np.ndarray, levels: Any) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Categorical.from_codes(code, pd.Index(levels)), "x": X1[: len(code)]})


def untrained(booster: str, **more: Any) -> HSClassifier:
    if booster == "lightgbm":
        return HSClassifier(small(booster, min_child_samples=5, min_data_per_group=5, cat_smooth=1.0, **more), k=0.4)
    need("xgboost", "3.1.1", "categories are told by their names, not their positions,")
    return HSClassifier(small(booster, enable_categorical=True, **more), k=0.4)


def routes(fitted: HSClassifier, folder: Any) -> list[HSClassifier]:
    """The model itself, as saved and loaded, and as pickled."""
    fitted.save_model(folder / "model.json")
    return [fitted, HSClassifier.load_model(folder / "model.json"), pickle.loads(pickle.dumps(fitted))]


@pytest.mark.parametrize(
    ("levels", "value"),
    [
        *[(TEXTS, one) for one in ("NEW", "", "wa", "vv", "y0", "zz")],
        *[(WHOLE, one) for one in (-1, 1, 3, 7, 9)],
        (WHOLE.astype(np.int8), 1),
        (["é", "v", "w", "x", "y"], "ж"),
    ],
)
def test_xgboost_refuses_a_category_that_fit_did_not_have(levels: Any, value: Any, tmp_path: Any) -> None:
    levels = pd.Index(levels).tolist()
    train = rows(np.array(levels, dtype=object)[CODE])
    new = rows([value, *train["c"].iloc[1:]])
    message = rf"column 'c' holds the category {value!r} that fit did not have.*pd.CategoricalDtype"
    for model in routes(untrained("xgboost").fit(train, Y), tmp_path):
        for method in ("predict", "decision_function", "contributions"):
            with pytest.raises(ValueError, match=f"X: {message}"):
                getattr(model, method)(new)
    with pytest.raises(ValueError, match=f"eval_set's X: {message}"):
        clone(model).fit(train, Y, eval_set=(new, Y))
    with pytest.raises(ValueError, match=f"init_model was trained on other columns: X: {message}"):
        clone(model).fit(new, Y, init_model=model)


@BOOSTERS
@pytest.mark.parametrize("levels", [TEXTS, WHOLE, WHOLE.astype(np.int8)], ids=["texts", "int64", "int8"])
@pytest.mark.parametrize("new", ["a level that no row has", "all of them new", "fewer levels"])
def test_levels_count_only_where_rows_have_them(booster: str, levels: Any, new: str, tmp_path: Any) -> None:
    train = of(CODE, levels)
    fitted = untrained(booster).fit(train, Y)
    expected = fitted.decision_function(train)
    missing = fitted.decision_function(rows([None] * 200, levels))
    between = "wa" if isinstance(train["c"].cat.categories[0], str) else 3
    for model in routes(fitted, tmp_path):
        if new == "a level that no row has":
            given = train.assign(c=train["c"].cat.add_categories([between]))
            np.testing.assert_array_equal(model.decision_function(given), expected)
            model.contributions(given)
            clone(model).fit(train, Y, eval_set=(given, Y))
        elif new == "all of them new":
            given = rows([None] * 200, [between])
            np.testing.assert_array_equal(model.decision_function(given), missing)
        else:
            given = train[CODE == 2].assign(c=lambda d: d["c"].cat.remove_unused_categories())
            np.testing.assert_array_equal(model.decision_function(given), expected[CODE == 2])


@BOOSTERS
@pytest.mark.parametrize("levels", [TEXTS, WHOLE], ids=["texts", "numbers"])
@pytest.mark.parametrize("n", [200, 3])
def test_all_missing_is_missing(booster: str, levels: Any, n: int, tmp_path: Any) -> None:
    train = of(CODE, levels)
    fitted = untrained(booster).fit(train, Y)
    expected = fitted.decision_function(rows([None] * n, levels))
    for model in routes(fitted, tmp_path):
        for given in (rows([None] * n), rows([None] * n, np.array([], dtype=np.int64)),
                      rows([None] * n, levels).assign(c=lambda d: d["c"].cat.remove_unused_categories())):  # fmt: skip
            np.testing.assert_array_equal(model.decision_function(given), expected)
            assert model.contributions(given).shape == (n, 3)
    clone(fitted).fit(train, Y, eval_set=(rows([None] * 200), Y))


@BOOSTERS
def test_all_missing_in_fit(booster: str) -> None:
    train = rows([None] * 200)
    fitted = untrained(booster).fit(train, Y)
    plain = untrained(booster).fit(train.assign(c=np.nan), Y)
    np.testing.assert_allclose(fitted.decision_function(train), plain.decision_function(train.assign(c=np.nan)))


@pytest.mark.parametrize(
    ("before", "now"), [(a, b) for a in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8") for b in ("i1", "i8", "f8")]
)
def test_whole_numbers_are_one_type_of_category(before: str, now: str, tmp_path: Any) -> None:
    train, given = of(CODE, WHOLE.astype(before)), of(CODE, WHOLE.astype(now))
    fitted = untrained("xgboost").fit(train, Y)
    assert fitted.score(train, Y) > 0.95
    for model in routes(fitted, tmp_path):
        np.testing.assert_array_equal(model.decision_function(given), fitted.decision_function(train))
    again = clone(fitted).fit(train, Y, eval_set=(given, Y)).estimator_.evals_result()
    assert again == clone(fitted).fit(train, Y, eval_set=(train.copy(), Y)).estimator_.evals_result()


# Types of levels in fit

DAY = datetime.date(2020, 1, 1)
LEVELS: dict[str, tuple[pd.Index, str]] = {  # and which boosters read them
    "texts": (pd.Index(["a", "b"]), "xl"),
    "objects": (pd.Index(["a", "b"], dtype=object), "xl"),
    "string": (pd.Index(pd.array(["a", "b"], dtype="string")), "xl"),
    "int8": (pd.Index(np.array([1, 2], dtype=np.int8)), "xl"),
    "uint64": (pd.Index(np.array([1, 2], dtype=np.uint64)), "xl"),
    "Int64": (pd.Index(pd.array([1, 2], dtype="Int64")), "xl"),
    "objects of int": (pd.Index([1, 2], dtype=object), "xl"),
    "whole floats": (pd.Index([1.0, 2.0]), "xl"),
    "floats": (pd.Index([0.5, 1.5]), "l"),
    "float32": (pd.Index(np.array([0.5, 1.5], dtype=np.float32)), "l"),
    "bool": (pd.Index([False, True]), "l"),
    "boolean": (pd.Index(pd.array([False, True], dtype="boolean")), "l"),
    "mixed": (pd.Index(["a", 1], dtype=object), "l"),
    "datetime": (pd.DatetimeIndex(["2020-01-01", "2020-01-02"]), ""),
    "with time zone": (pd.DatetimeIndex(["2020-01-01", "2020-01-02"], tz="UTC"), ""),
    "timedelta": (pd.to_timedelta([1, 2], "D"), ""),
    "period": (pd.PeriodIndex(["2020-01", "2020-02"], freq="M"), ""),
    "interval": (pd.IntervalIndex.from_breaks([0, 1, 2]), ""),
    "bytes": (pd.Index([b"a", b"b"], dtype=object), ""),
    "tuples": (pd.Index([(1, 2), (3, 4)], tupleize_cols=False), ""),
    "date": (pd.Index([DAY, DAY + datetime.timedelta(1)], dtype=object), ""),
}


@BOOSTERS
@pytest.mark.parametrize("kind", LEVELS)
def test_types_of_levels(booster: str, kind: str, tmp_path: Any) -> None:
    levels, readers = LEVELS[kind]
    train = of(Y, levels)
    if booster[0] in readers:
        fitted = untrained(booster).fit(train, Y)
        for model in routes(fitted, tmp_path):
            assert model.score(train, Y) == 1.0
        clone(fitted).fit(train, Y, eval_set=(train.copy(), Y))
        return
    message = r"X: column 'c' has categories of \w+.* \(.*\), and (XGBoost|LightGBM) reads .*rename_categories"
    with pytest.raises(ValueError, match=message):
        untrained(booster).fit(train, Y)
    as_told = train.assign(c=train["c"].cat.rename_categories(lambda one: str(one)))
    assert untrained(booster).fit(as_told, Y).score(as_told, Y) == 1.0


# Categories that feature_types= calls so


@pytest.mark.parametrize("dtype", [np.float64, np.int64])
def test_numbers_that_feature_types_calls_categories(dtype: Any, tmp_path: Any) -> None:
    train = pd.DataFrame({"c": CODE.astype(dtype), "x": X1})
    fitted = untrained("xgboost", feature_types=["c", "q"]).fit(train, Y, eval_set=(train.copy(), Y))
    expected = untrained("xgboost").fit(of(CODE, WHOLE), Y).decision_function(of(CODE, WHOLE))
    for model in routes(fitted, tmp_path):
        np.testing.assert_allclose(model.decision_function(train), expected)
        np.testing.assert_allclose(
            model.contributions(train).sum(1), model.decision_function(train) / model.objective_.unit, atol=1e-4
        )


# Other frames


@pytest.mark.parametrize("form", ["polars", "arrow"])
@pytest.mark.parametrize("in_fit", [False, True])
def test_categories_of_other_frames(form: str, in_fit: bool) -> None:
    def make(frame: pd.DataFrame) -> Any:
        if form == "polars":
            pl = pytest.importorskip("polars")
            texts = pl.Series("c", frame["c"].astype(object).tolist(), dtype=pl.Categorical)
            return pl.DataFrame([texts, pl.Series("x", frame["x"].to_numpy())])
        return pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)

    train = of(CODE, TEXTS)
    given = make(train) if in_fit else train
    fitted = untrained("xgboost").fit(given, Y)
    expected = untrained("xgboost").fit(train, Y).decision_function(train)
    np.testing.assert_array_equal(fitted.decision_function(make(train)), expected)
    new = make(rows(["wa", *train["c"].iloc[1:]]))
    for method in ("predict", "contributions"):
        with pytest.raises(ValueError, match="X: column 'c' holds the category 'wa' that fit did not have"):
            getattr(fitted, method)(new)
    with pytest.raises(ValueError, match="eval_set's X: column 'c' holds the category 'wa' that fit did not have"):
        clone(fitted).fit(given, Y, eval_set=(new, Y))


# Arrow's numbers in pandas


@BOOSTERS
@pytest.mark.parametrize("kind", ["double", "float", "int64", "int8", "bool"])
@pytest.mark.parametrize("missing", [False, True])
def test_numbers_of_arrow_in_pandas(booster: str, kind: str, missing: bool) -> None:
    pytest.importorskip("pyarrow")
    values = (X1 > 0).astype(float) if kind == "bool" else np.round(10 * X1) if "int" in kind else X1
    values = np.where(RNG.random(200) < 0.1, np.nan, values) if missing else values
    plain = pd.DataFrame({"a": values, "x": CODE}).astype({"a": "float32" if kind == "float" else "float64"})
    given = plain.assign(a=pd.array([None if np.isnan(one) else one for one in values], dtype=f"{kind}[pyarrow]"))
    expected = HSClassifier(small(booster), k=0.4).fit(plain, Y).decision_function(plain)
    fitted = HSClassifier(small(booster), k=0.4).fit(given, Y, eval_set=(given.copy(), Y))
    np.testing.assert_array_equal(fitted.decision_function(given), expected)
