"""What HSClassifier is given: untouched on its way to the booster, checked, explained in the same columns."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _models import BOOSTERS, N, binary, multi, raw, small, stopping
from _versions import need, need_arrow
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from hsboost import HSClassifier

X, Y = binary()
X3, Y3 = multi()
FRAME = pd.DataFrame(X, columns=list("abcde"))


def polars(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(
        {name: frame[name].to_numpy() for name in frame}
    )


def arrow(frame: pd.DataFrame) -> Any:
    return pytest.importorskip("pyarrow").table({name: frame[name].to_numpy() for name in frame})


FORMS: dict[str, Any] = {
    "pandas": lambda frame: frame.copy(),
    "polars": polars,
    "arrow": arrow,
    "float32": lambda frame: frame.to_numpy().astype(np.float32),
    "float64": lambda frame: frame.to_numpy().copy(),
    "fortran": lambda frame: np.asfortranarray(frame.to_numpy()),
    "strided": lambda frame: np.repeat(frame.to_numpy(), 2, axis=1)[:, ::2],
    "csr": lambda frame: sp.csr_matrix(frame.to_numpy()),
    "csc": lambda frame: sp.csc_array(frame.to_numpy()),
    "list": lambda frame: frame.to_numpy().tolist(),
}
NAMED = {"pandas", "polars", "arrow"}


def content(form: Any) -> Any:
    """The values of whichever form, for a comparison."""
    if sp.issparse(form):
        return form.toarray()
    if hasattr(form, "to_pandas") and not isinstance(form, pd.DataFrame):
        return np.column_stack([np.asarray(form[name]) for name in "abcde"])
    return np.array(form)


@BOOSTERS
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("calibration", [None, "sigmoid"])
def test_every_form_of_the_data_gives_one_model(booster: str, form: str, calibration: Any) -> None:
    need_arrow(booster, form)
    given = FORMS[form](FRAME)
    before = content(given)
    kept = FORMS[form](FRAME[:30])
    reference = FRAME.to_numpy().astype(np.float32) if form == "float32" else FRAME.to_numpy()
    if form in ("csr", "csc"):
        reference = sp.csr_matrix(reference)
    settings = {"k": 0.2, "calibration": calibration, "random_state": 0}
    expected = HSClassifier(small(booster), **settings).fit(reference, Y)
    model = HSClassifier(small(booster), **settings).fit(given, Y)
    tolerance = 1e-6 if form == "float32" else 0.0
    np.testing.assert_allclose(model.decision_function(given), expected.decision_function(reference), atol=tolerance)
    np.testing.assert_array_equal(model.predict_top_k(given, 11), expected.predict_top_k(reference, 11))
    assert model.decision_function(kept).shape == (30,)
    np.testing.assert_allclose(model.contributions(given).sum(axis=1), model.decision_function(given), atol=1e-5)
    np.testing.assert_array_equal(content(given), before)
    assert model.n_features_in_ == 5
    assert hasattr(model, "feature_names_in_") == (form in NAMED)
    if form in NAMED:
        assert model.feature_names_in_.tolist() == list("abcde")
    if calibration:
        np.testing.assert_allclose(model.predict_proba(given), expected.predict_proba(reference), atol=1e-5)


@BOOSTERS
@pytest.mark.parametrize("form", sorted(set(FORMS) - {"list"}))
def test_the_booster_receives_what_was_passed(booster: str, form: str) -> None:
    need_arrow(booster, form)
    seen: list[dict[str, Any]] = []
    plain = small(booster)

    class Spy(type(plain)):  # type: ignore[misc]
        def fit(self, X: Any, y: Any, **more: Any) -> Any:
            seen.append({"X": X, **more})
            return super().fit(X, y, **more)

        def predict(self, X: Any, **more: Any) -> Any:
            seen.append({"predict": X})
            return super().predict(X, **more)

    given, validation = FORMS[form](FRAME), FORMS[form](FRAME[:50])
    model = HSClassifier(Spy(n_estimators=2, n_jobs=1), threshold="training").fit(
        given, Y, eval_set=(validation, Y[:50])
    )
    assert seen[0]["X"] is given
    watched = seen[0]["eval_set"][0][0] if "eval_set" in seen[0] else seen[0]["eval_X"][0]
    assert watched is validation
    assert all(one["predict"] is given for one in seen[1:])
    model.decision_function(validation)
    assert seen[-1]["predict"] is validation


@BOOSTERS
def test_read_only_data_will_do(booster: str) -> None:
    rows, labels, weight, groups = X.copy(), Y.copy(), np.ones(N), np.arange(N) % 5
    for array in (rows, labels, weight, groups):
        array.setflags(write=False)
    model = HSClassifier(small(booster), k=3).fit(rows, labels, sample_weight=weight, groups=groups)
    assert model.predict_top_k(rows, groups=groups).sum() == 15


CITY = np.random.default_rng(0).integers(0, 8, N)


@BOOSTERS
def test_categories_in_another_order_are_the_same_categories(booster: str) -> None:
    if booster == "xgboost":
        need("xgboost", "3.1.1", "categories are told by their names, not their positions,")
    names = np.array([f"city {i}" for i in range(8)])
    labels = np.isin(CITY, [1, 4, 6]).astype(int)
    frame = pd.DataFrame({"city": pd.Categorical(names[CITY], names), "a": X[:, 0]})
    other = frame.assign(city=pd.Categorical(names[CITY], names[::-1]))
    extra = {"enable_categorical": True} if booster == "xgboost" else {}
    model = HSClassifier(small(booster, **extra)).fit(frame, labels)
    assert model.score(frame, labels) > 0.95
    np.testing.assert_array_equal(model.decision_function(other), model.decision_function(frame))
    np.testing.assert_array_equal(model.contributions(other), model.contributions(frame))
    np.testing.assert_array_equal(frame["city"].cat.categories, names)


@BOOSTERS
@pytest.mark.parametrize("form", sorted(NAMED))
def test_columns_in_another_order_or_number_are_an_error(booster: str, form: str) -> None:
    need_arrow(booster, form)
    model = HSClassifier(small(booster, n_estimators=2), calibration="sigmoid").fit(FORMS[form](FRAME), Y)
    for method in ("predict", "decision_function", "predict_proba", "contributions"):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(model, method)(FORMS[form](FRAME[list("edcba")]))
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(model, method)(FORMS[form](FRAME[list("abc")]))
        with pytest.raises(ValueError, match="X has 3 features, but HSClassifier is expecting 5"):
            getattr(HSClassifier(small(booster, n_estimators=2), calibration="sigmoid").fit(X, Y), method)(X[:, :3])


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@BOOSTERS
def test_labels_from_frames_of_any_library(booster: str) -> None:
    expected = HSClassifier(small(booster)).fit(X, Y, sample_weight=X[:, 0] ** 2).decision_function(X)
    forms: list[Any] = [Y.tolist(), pd.Series(Y, index=np.arange(N)[::-1]), Y[:, None]]
    for name in ("polars", "pyarrow"):
        library = pytest.importorskip(name, reason=f"{name} is not installed")
        forms.append(library.Series(Y) if name == "polars" else library.chunked_array([Y[:100], Y[100:]]))
    for labels in forms:
        model = HSClassifier(small(booster)).fit(X, labels, sample_weight=pd.Series(X[:, 0] ** 2))
        np.testing.assert_array_equal(model.decision_function(X), expected)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, Fraction])
def test_the_share_set_aside_may_be_any_real_number(kind: Any) -> None:
    plain, same, other = (
        HSClassifier(small("xgboost"), calibration="sigmoid", calibration_fraction=share, random_state=0).fit(X, Y)
        for share in (0.25, kind(0.25), kind(0.5))
    )
    np.testing.assert_array_equal(same.predict_proba(X), plain.predict_proba(X))
    assert np.abs(other.predict_proba(X) - plain.predict_proba(X)).max() > 1e-3


# Errors


@BOOSTERS
@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (X[:1], Y[:1], r"y holds 1 class, .*needs rows of two classes at least"),
        (X, np.zeros(N), r"y holds 1 class, .*0\.0.*needs rows of two classes"),
        (X, np.full(N, "a"), r"y holds 1 class, .*'a'"),
        (X[:0], Y[:0], r"0 sample\(s\).*minimum of 1 is required"),
        (X[:, :0], Y, r"0 feature\(s\).*minimum of 1 is required"),
        ([], [], r"0 sample\(s\)"),
        (X, None, r"y.*None"),
        (X, Y[:-1], r"y must have one label per row of X: expected 240, got \(239,\)"),
        (X[:, 0], Y, r"X must be two-dimensional"),
        (X[:, :, None], Y, r"X must be two-dimensional"),
        (X, np.array([1, "a"] * (N // 2), dtype=object), r"Unknown label type"),
        (X, X[:, 0], r"Unknown label type: continuous"),
        (X, np.where(Y == 1, np.inf, 0.0), r"y must not contain NaN or infinity"),
        (X, pd.Series(np.where(Y == 1, "a", None)), r"y must not contain NaN"),
    ],
    ids=[
        "one row", "one class", "one name", "no rows", "no columns", "empty lists", "no y", "a label too few", "vector",
        "cube", "mixed labels", "continuous", "infinite labels", "missing labels",
    ],
)  # fmt: skip
def test_data_that_cannot_be_learnt_from(booster: str, rows: Any, labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster, n_estimators=2)).fit(rows, labels)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("case", ["two rows", "three rows of three classes", "constant columns"])
def test_tiny_data_train_or_say_why_not(booster: str, case: str) -> None:
    rows, labels = {
        "two rows": (X[:2], np.array([0, 1])),
        "three rows of three classes": (X[:3], np.array([0, 1, 2])),
        "constant columns": (np.zeros((40, 2)), Y[:40]),
    }[case]
    try:
        model = HSClassifier(small(booster)).fit(rows, labels)
    except ValueError as error:
        assert "constant" in str(error) or "min_" in str(error)  # noqa: PT017
    else:
        assert model.predict(rows).shape == labels.shape
        assert np.isfinite(model.decision_function(rows)).all()


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_rows_to_predict_are_no_rows_or_one_clear_error(booster: str, n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    model = HSClassifier(small(booster)).fit(rows, labels)
    try:
        assert model.predict(rows[:0]).shape == (0,)
        assert model.decision_function(rows[:0]).shape == ((0,) if n_classes == 2 else (0, 3))
    except ValueError as error:
        assert "0 sample(s)" in str(error)  # noqa: PT017


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_of_a_single_evaluation_row_and_of_lists(booster: str, n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    model = HSClassifier(small(booster)).fit(rows, labels, eval_set=(rows[:1], [1]))
    assert model.n_features_in_ == 5
    with pytest.raises(ValueError, match="eval_set holds the label"):
        HSClassifier(small(booster)).fit(rows, labels, eval_set=(rows, labels.astype(str)))
    with pytest.raises(ValueError, match="eval_set holds the label"):
        HSClassifier(small(booster)).fit(rows, labels.astype(str), eval_set=(rows, labels))


@BOOSTERS
def test_a_starting_point_of_the_users_own_is_refused_or_counts(booster: str) -> None:
    name = "base_margin" if booster == "xgboost" else "init_score"
    try:
        model = HSClassifier(small(booster), k=60).fit(X, Y, **{name: 3.0 * X[:, 1]})
    except (TypeError, ValueError) as error:
        assert name in str(error)  # noqa: PT017
    else:
        given = raw(model, X) + 3.0 * X[:, 1]
        assert abs((given > model.threshold_).sum() - 60) < 15


# Contributions


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("form", ["dense", "sparse", "named"])
@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
@pytest.mark.parametrize("stopped", [False, True])
def test_contributions_sum_to_the_decision(booster: str, n_classes: int, form: str, loss: str, stopped: bool) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    given: Any = {"dense": rows, "sparse": sp.csr_matrix(rows * (rows > 0)), "named": FRAME}[form]
    estimator, extra = stopping(booster) if stopped else (small(booster), {})
    validation = binary(300, seed=11) if n_classes == 2 else multi(300, seed=11)
    more = {"eval_set": [validation]} if stopped else {}
    if stopped and form != "dense":
        held = sp.csr_matrix(validation[0]) if form == "sparse" else pd.DataFrame(validation[0], columns=list("abcde"))
        more = {"eval_set": [(held, validation[1])]}
    model = HSClassifier(estimator, loss=loss).fit(given, labels, **more, **extra)
    found = model.contributions(given)
    assert found.dtype == np.float64
    assert found.shape == ((N, 6) if n_classes == 2 else (N, 3, 6))
    tolerance = 2e-6 if booster == "xgboost" else 1e-10
    np.testing.assert_allclose(found.sum(axis=-1), model.decision_function(given), rtol=0, atol=tolerance)
    # The last column is one constant per class: the rest.
    assert np.ptp(found[..., -1], axis=0).max() < tolerance
    assert np.abs(found[..., :-1]).max() > 0.01


@BOOSTERS
def test_contributions_of_a_feature_that_no_tree_uses_are_zero(booster: str) -> None:
    rows = X.copy()
    rows[:, 2] = 7.0
    found = HSClassifier(small(booster)).fit(rows, Y).contributions(rows)
    assert not found[:, 2].any()
    assert found[:, 0].any()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_trees_with_several_outputs_have_no_contributions(n_classes: int) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    model = HSClassifier(small("xgboost", multi_strategy="multi_output_tree", tree_method="hist")).fit(rows, labels)
    assert model.score(rows, labels) > 0.75
    with pytest.raises(ValueError, match=r"no contributions for multi_strategy='multi_output_tree'; train with multi"):
        model.contributions(rows)


def test_contributions_need_a_fitted_model() -> None:
    with pytest.raises(NotFittedError):
        HSClassifier().contributions(X)


def test_names_and_functions_may_be_mixed_in_xgboosts_eval_metric() -> None:
    need("xgboost", "3.1.1", "eval_metric takes names and functions together")
    X, y = binary()
    booster = small("xgboost", eval_metric=["logloss", roc_auc_score])
    model = HSClassifier(booster).fit(X, y, eval_set=[(X, y)])
    assert {"logloss", "roc_auc_score"} <= set(model.estimator_.evals_result()["validation_0"])
