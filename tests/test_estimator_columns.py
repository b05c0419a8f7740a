"""Columns are told by name, order and number: in predictions, in evaluation sets, in models gone on from."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, small
from _versions import need, need_arrow

from hsboost import HSClassifier

pytestmark = pytest.mark.truth

X, Y = binary(160)
VALID, Y_VALID = binary(80, seed=4)
TEXTS = list("abcde")
#: Names of five columns, none of them texts.
OTHERS: dict[str, list[Any]] = {
    "positions": [0, 1, 2, 3, 4],
    "numbers": [7, 3, 5, 1, 9],
    "fractions": [0.5, 0.25, 2.5, 1.5, 9.0],
}
METHODS = ("predict", "decision_function", "predict_top_k", "predict_proba", "contributions")


def frame(rows: np.ndarray, names: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=names)


def model(booster: str, **more: Any) -> HSClassifier:
    return HSClassifier(small(booster, n_estimators=3), k=0.2, calibration="sigmoid", random_state=0, **more)


@BOOSTERS
@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("change", ["order", "others", "fewer", "more"])
def test_names_that_are_no_texts_are_names(booster: str, kind: str, change: str) -> None:
    names = OTHERS[kind]
    fitted = model(booster).fit(frame(X, names), Y)
    assert fitted.feature_names_in_.tolist() == names
    expected = model(booster).fit(X, Y)
    np.testing.assert_array_equal(fitted.decision_function(frame(X, names)), expected.decision_function(X))
    same = frame(X, names)
    wrong = {
        "order": same[names[::-1]], "others": frame(X, [10, 11, 12, 13, 14]), "fewer": same[names[:3]],
        "more": same.assign(z=1.0).set_axis([*names, 99], axis=1),
    }[change]  # fmt: skip
    message = "The feature names should match those that were passed during fit"
    if kind == "positions" and change in ("fewer", "more"):  # 0, 1, 2: as good as none
        message = f"X has {wrong.shape[1]} features, but HSClassifier is expecting 5|{message}"
    for method in METHODS:
        with pytest.raises(ValueError, match=message):
            getattr(fitted, method)(wrong)
    with pytest.raises(ValueError, match=f"eval_set's X.*({message}|has . features, but X has 5)"):
        model(booster).fit(same, Y, eval_set=(wrong, Y))
    with pytest.raises(ValueError, match="init_model was trained on other columns"):
        model(booster).fit(wrong, Y, init_model=fitted)


@BOOSTERS
def test_positions_as_names_are_an_array(booster: str) -> None:
    rows = frame(X, [0, 1, 2, 3, 4])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*HSClassifier was fitted")
        of_frame, of_array = model(booster).fit(rows, Y), model(booster).fit(X, Y)
        np.testing.assert_array_equal(of_frame.decision_function(X), of_array.decision_function(rows))
    assert not hasattr(of_array, "feature_names_in_")
    # Positions in another order were taken from such a frame.
    for fitted in (of_frame, of_array):
        with pytest.raises(ValueError, match="Feature names must be in the same order as they were in fit"):
            fitted.predict(rows[[1, 0, 2, 3, 4]])


@BOOSTERS
@pytest.mark.parametrize(
    ("fitted_with", "given", "words"),
    [
        (TEXTS, None, "X does not have valid feature names, but HSClassifier was fitted with feature names"),
        ([7, 3, 5, 1, 9], None, "X does not have valid feature names, but HSClassifier was fitted with feature names"),
        (None, TEXTS, "X has feature names, but HSClassifier was fitted without feature names"),
        (None, [7, 3, 5, 1, 9], "X has feature names, but HSClassifier was fitted without feature names"),
    ],
)
def test_names_on_one_side_only_are_a_warning(booster: str, fitted_with: Any, given: Any, words: str) -> None:
    fitted = model(booster).fit(X if fitted_with is None else frame(X, fitted_with), Y)
    with pytest.warns(UserWarning, match=words):
        fitted.predict(X if given is None else frame(X, given))


@BOOSTERS
@pytest.mark.parametrize("form", ["pandas", "polars", "arrow"])
@pytest.mark.parametrize("among", [False, True])
def test_evaluation_sets_with_other_columns(booster: str, form: str, among: bool) -> None:
    need_arrow(booster, form)

    def make(names: list[str], rows: np.ndarray = VALID) -> Any:
        columns = {name: rows[:, TEXTS.index(name)] for name in names}
        if form == "pandas":
            return pd.DataFrame(columns)
        if form == "polars":
            return pytest.importorskip("polars").DataFrame(columns)
        return pytest.importorskip("pyarrow").table(columns)

    train, good = make(TEXTS, X), (make(TEXTS), Y_VALID)
    named = r"eval_set\[1\]'s X" if among else "eval_set's X"
    for names, message in (
        (TEXTS[::-1], "must be in the same order"), (TEXTS[:4], "yet now missing:\n- e"),
    ):  # fmt: skip
        wrong = make(names), Y_VALID
        with pytest.raises(ValueError, match=rf"{named}: The feature names should match[\s\S]*{message}"):
            model(booster).fit(train, Y, eval_set=[good, wrong] if among else wrong)
    model(booster).fit(train, Y, eval_set=[good, good] if among else good)


@BOOSTERS
@pytest.mark.parametrize("rows", [VALID[:, :4], np.column_stack([VALID, VALID[:, 0]]), VALID[:, :4].tolist()])
def test_evaluation_arrays_with_another_number_of_columns(booster: str, rows: Any) -> None:
    with pytest.raises(ValueError, match=r"eval_set's X has [46] features, but X has 5; pass the same columns"):
        model(booster).fit(X, Y, eval_set=(rows, Y_VALID))
    with pytest.raises(ValueError, match=r"eval_set's X must be two-dimensional, got shape \(80,\)"):
        model(booster).fit(X, Y, eval_set=(VALID[:, 0], Y_VALID))


def test_an_evaluation_array_beside_a_frame() -> None:
    expected = model("lightgbm").fit(X, Y, eval_set=(VALID, Y_VALID))
    with pytest.warns(UserWarning, match="eval_set's X does not have valid feature names"):
        fitted = model("lightgbm").fit(frame(X, TEXTS), Y, eval_set=(VALID, Y_VALID))
    np.testing.assert_array_equal(fitted.predict_proba(frame(X, TEXTS)), expected.predict_proba(X))
    with pytest.raises(
        ValueError, match=r"eval_set's X has no column names, but X has; pass a frame with the columns \["
    ):
        model("xgboost").fit(frame(X, TEXTS), Y, eval_set=(VALID, Y_VALID))


@BOOSTERS
@pytest.mark.parametrize("frame_is", ["X", "eval_set"])
def test_positions_as_names_on_one_side_of_an_evaluation(booster: str, frame_is: str) -> None:
    expected = model(booster).fit(X, Y, eval_set=(VALID, Y_VALID))
    positions = [0, 1, 2, 3, 4]
    rows, valid = (frame(X, positions), VALID) if frame_is == "X" else (X, frame(VALID, positions))
    fitted = model(booster).fit(rows, Y, eval_set=(valid, Y_VALID))
    np.testing.assert_array_equal(fitted.predict_proba(X), expected.predict_proba(X))
    assert fitted.estimator_.evals_result_ == expected.estimator_.evals_result_


def test_an_evaluation_frame_beside_an_array() -> None:
    with pytest.raises(ValueError, match="eval_set's X has column names, but X has none; pass both as arrays"):
        model("xgboost").fit(X, Y, eval_set=(frame(VALID, TEXTS), Y_VALID))


@BOOSTERS
def test_names_that_are_equal_but_stored_otherwise(booster: str) -> None:
    given = frame(X, [0.0, 1.0, 2.0, 3.0, 4.0])
    fitted = model(booster).fit(frame(X, [0, 1, 2, 3, 4]), Y)
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- 0\.0[\s\S]*yet now missing:\n- 0\n"):
        fitted.predict(given)
    with pytest.raises(ValueError, match=r"eval_set's X: The feature names should match[\s\S]*\n- 0\.0"):
        model(booster).fit(frame(X, [0, 1, 2, 3, 4]), Y, eval_set=(given, Y))


@BOOSTERS
def test_the_training_rows_among_the_sets_stay_themselves(booster: str) -> None:
    seen: dict[str, Any] = {}

    class Spy(type(small(booster))):  # type: ignore[misc]
        def fit(self, X: Any, y: Any, **more: Any) -> Any:
            seen.update(more, X=X)
            return super().fit(X, y, **more)

    rows = X.astype(X.dtype.newbyteorder())
    HSClassifier(Spy(n_estimators=2, n_jobs=1), threshold="training").fit(rows, Y, eval_set=[(rows, Y)])
    watched = seen["eval_set"][0][0] if "eval_set" in seen else seen["eval_X"][0]
    assert watched is seen["X"]


# Names that cannot be told apart, or not be written down


@BOOSTERS
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (list("abcda"), r"X has the column name 'a' twice \(columns 0 and 4\); rename one of them"),
        ([1, 2, 3, 2, 4], r"X has the column name 2 twice \(columns 1 and 3\)"),
    ],
)
def test_columns_of_one_name(booster: str, names: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster)).fit(frame(X, names), Y)


@BOOSTERS
def test_arrow_columns_of_one_name(booster: str) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_arrays([pa.array(column) for column in X.T], names=list("abcda"))
    with pytest.raises(ValueError, match=r"X has the column name 'a' twice \(columns 0 and 4\)"):
        HSClassifier(small(booster)).fit(table, Y)


def test_names_that_are_one_to_lightgbm() -> None:
    rows = frame(X, ["f 1", "f_1", "c", "d", "e"])
    with pytest.raises(ValueError, match=r"column names that are one to LightGBM, 'f 1' and 'f_1' \(columns 0 and 1\)"):
        HSClassifier(small("lightgbm")).fit(rows, Y)
    HSClassifier(small("xgboost")).fit(rows, Y)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("name", ["a[", "a]", "a<", "a,", "a:", 'a"', "a{", "a}"])
def test_names_that_the_boosters_cannot_write(booster: str, name: str) -> None:
    rows = frame(X, [*"bcde", name])
    if (name[1] in "[]<") if booster == "xgboost" else (name[1] != "<"):
        with pytest.raises(ValueError, match=r"X: the column name '.*' holds one of .*(XGBoost|LightGBM).*rename"):
            HSClassifier(small(booster)).fit(rows, Y)
    else:
        assert HSClassifier(small(booster)).fit(rows, Y).predict(rows).shape == Y.shape


def test_names_of_two_levels() -> None:
    rows = frame(X, pd.MultiIndex.from_product([["a"], range(5)]))  # type: ignore[arg-type]
    fitted = model("xgboost").fit(rows, Y)
    np.testing.assert_array_equal(fitted.decision_function(rows), model("xgboost").fit(X, Y).decision_function(X))
    with pytest.raises(ValueError, match="must be in the same order"):
        fitted.predict(rows.iloc[:, ::-1])


@BOOSTERS
def test_names_of_texts_and_numbers_are_refused(booster: str) -> None:
    with pytest.raises(TypeError, match="Feature names are only supported if all input features have string names"):
        HSClassifier(small(booster)).fit(frame(X, ["a", 1, "b", 2, "c"]), Y)


@BOOSTERS
def test_numbers_as_names_are_saved(booster: str, tmp_path: Any) -> None:
    rows = frame(X, [7, 3, 5, 1, 9])
    model(booster).fit(rows, Y).save_model(tmp_path / "model.json")
    loaded = HSClassifier.load_model(tmp_path / "model.json")
    assert loaded.feature_names_in_.tolist() == [7, 3, 5, 1, 9]
    with pytest.raises(ValueError, match="must be in the same order"):
        loaded.predict(rows[[3, 7, 5, 1, 9]])


# Categories

CITY = np.random.default_rng(0).integers(0, 6, 160)
NAMES = np.array([f"city {i}" for i in range(6)])
HOME = np.isin(CITY, [1, 4]).astype(int)


def cities(values: Any, categories: Any = None) -> pd.DataFrame:
    return pd.DataFrame({"the city": pd.Categorical(values, categories), "x": X[:, 0]})


def trained(booster: str, rows: pd.DataFrame) -> HSClassifier:
    if booster == "xgboost":
        need("xgboost", "3.1.1", "categories are told by their names, not their positions,")
        return HSClassifier(small(booster, enable_categorical=True), calibration="sigmoid").fit(rows, HOME)
    return HSClassifier(
        small(booster, min_child_samples=5, min_data_per_group=5, cat_smooth=1.0), calibration="sigmoid"
    ).fit(rows, HOME)


@BOOSTERS
@pytest.mark.parametrize(
    "same",
    [
        cities(NAMES[CITY], NAMES[::-1]),
        cities(NAMES[CITY]).assign(**{"the city": lambda d: d["the city"].cat.as_ordered()}),
    ],
    ids=["another order", "ordered"],
)
def test_the_same_categories(booster: str, same: pd.DataFrame) -> None:
    rows = cities(NAMES[CITY])
    fitted = trained(booster, rows)
    assert fitted.score(rows, HOME) > 0.95
    np.testing.assert_array_equal(fitted.decision_function(same), fitted.decision_function(rows))
    other = np.where(np.arange(HOME.size) % 10, HOME, 1 - HOME)  # not the training rows
    again = HSClassifier(fitted.estimator, calibration="sigmoid").fit(rows, HOME, eval_set=(same, other))
    expected = HSClassifier(fitted.estimator, calibration="sigmoid").fit(rows, HOME, eval_set=(rows.copy(), other))
    np.testing.assert_array_equal(again.predict_proba(rows), expected.predict_proba(rows))


@BOOSTERS
@pytest.mark.parametrize("saved", [False, True])
@pytest.mark.parametrize(
    ("fit_on", "given", "message"),
    [
        (cities(NAMES[CITY]), cities(CITY), r"the categories of column 'the.city' are numbers .* were texts"),
        (cities(CITY), cities(NAMES[CITY]), r"the categories of column 'the.city' are texts .* were numbers"),
        (
            cities(NAMES[CITY]),
            cities(CITY).astype(float),
            "column 'the.city' holds numbers, and held categories in fit",
        ),
        (cities(CITY).astype(float), cities(CITY), "column 'the.city' holds categories, and held numbers in fit"),
        (
            cities(NAMES[CITY]),
            cities(NAMES[CITY]).astype({"the city": str}),
            "column 'the city' holds .*category dtype",
        ),
        (
            cities(NAMES[CITY]),
            cities(NAMES[CITY]).astype({"x": "category"}),
            "column 'x' holds categories, and held num",
        ),
    ],
    ids=["numbers for texts", "texts for numbers", "numbers", "categories", "plain texts", "another column"],
)
def test_other_categories(booster: str, saved: bool, fit_on: Any, given: Any, message: str, tmp_path: Any) -> None:
    if booster == "xgboost" and message.startswith("the categories"):
        message += "|do not fit those of fit"
    fitted = trained(booster, fit_on)
    with pytest.raises(ValueError, match=f"eval_set's X: .*{message}"):
        HSClassifier(fitted.estimator, calibration="sigmoid").fit(fit_on, HOME, eval_set=(given, HOME))
    if saved:
        fitted.save_model(tmp_path / "model.json")
        fitted = HSClassifier.load_model(tmp_path / "model.json")
    for method in ("predict", "contributions", "predict_proba"):
        with pytest.raises(ValueError, match=message):
            getattr(fitted, method)(given)


def test_a_category_that_fit_did_not_see() -> None:
    rows = cities(NAMES[CITY])
    new = cities(["elsewhere", *NAMES[CITY][1:]])
    missing = cities([None, *NAMES[CITY][1:]], NAMES)
    light = trained("lightgbm", rows)
    np.testing.assert_array_equal(light.decision_function(new), light.decision_function(missing))
    fitted = trained("xgboost", rows)
    for method in ("predict", "contributions"):
        with pytest.raises(
            ValueError,
            match=r"X: column 'the city' holds the category 'elsewhere' that fit did not have.*Set such values",
        ):
            getattr(fitted, method)(new)
