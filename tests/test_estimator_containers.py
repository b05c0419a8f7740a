"""X in every container and number type: read rightly by both boosters, or refused with one clear error."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from _models import BOOSTERS, small
from _versions import need_arrow

from hsboost import (
    DistributedAUC,
    HSClassifier,
    HypersimplexLoss,
    HypersimplexObjective,
    PrecisionAtK,
    precision_at_k,
    project_hypersimplex,
)
from hsboost.estimators._inputs import features
from hsboost.estimators._inputs.features import readable

pytestmark = pytest.mark.truth

pl = pytest.importorskip("polars", reason="polars is not installed")
pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

N = 160
RNG = np.random.default_rng(3)
X = RNG.integers(-9, 10, (N, 4)).astype(float)
Y = (X[:, 0] + X[:, 1] + RNG.normal(size=N) > 3).astype(int)
#: Labels of evaluation rows: with Y the rows of X would be the training rows.
OTHER_Y = np.where(np.arange(N) % 10, Y, 1 - Y)
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
ABOVE, SIZES, HOLES_ABOVE = (X > 0) * 1.0, np.abs(X), np.where(np.isnan(HOLES), np.nan, X > 0)
SPARSE_X, SPARSE_ABOVE = sp.csr_array(X), sp.csr_array(ABOVE)
NAMES = list("abcd")
FRAME = pd.DataFrame(X, columns=NAMES)


class OnlyArray:
    """What NumPy can read, and nothing else."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return self.values if dtype is None else self.values.astype(dtype)


def swapped(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


def swapped_sparse(matrix: Any, indices: bool = False) -> Any:
    matrix = matrix.copy()
    matrix.data = swapped(matrix.data)
    if indices:
        matrix.indices, matrix.indptr = swapped(matrix.indices), swapped(matrix.indptr)
    return matrix


def in_two_parts(matrix: Any) -> Any:
    halves = np.repeat(matrix.data / 2, 2)
    return type(matrix)((halves, np.repeat(matrix.indices, 2), matrix.indptr * 2), shape=matrix.shape)


def arrow(values: np.ndarray, **types: Any) -> Any:
    return pa.table({name: pa.array(column, types.get(name)) for name, column in zip(NAMES, values.T, strict=True)})


def read_only(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.setflags(write=False)
    return values


#: What is given, and the float64 array (or sparse matrix) that it stands for.
FORMS: dict[str, tuple[Any, Any]] = {
    "float64": (X.copy(), X),
    "float32": (X.astype(np.float32), X),
    "float16": (X.astype(np.float16), X),
    "long double": (X.astype(np.longdouble), X),
    **{f"int{8 * size}": (X.astype(f"i{size}"), X) for size in (1, 2, 4, 8)},
    **{f"uint{8 * size}": (np.abs(X).astype(f"u{size}"), SIZES) for size in (1, 2, 4, 8)},
    "bool": (X > 0, ABOVE),
    "objects": (X.astype(object), X),
    "objects with None": (np.where(np.isnan(HOLES), None, HOLES), HOLES),
    "objects with NA": (np.where(np.isnan(HOLES), pd.NA, HOLES), HOLES),
    "fortran": (np.asfortranarray(X), X),
    "strided": (np.repeat(X, 2, axis=1)[:, ::2], X),
    "backwards": (np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1], X),
    "read-only": (read_only(X), X),
    "unaligned": (np.frombuffer(b"x" + X.tobytes(), np.uint8)[1:].view(np.float64).reshape(X.shape), X),
    **{f"swapped {code}": (swapped(np.abs(X).astype(code)), SIZES) for code in ("f2", "f4", "f8")},
    **{f"swapped {code}": (swapped(np.abs(X).astype(code)), SIZES) for code in ("i2", "i4", "i8", "u2", "u4", "u8")},
    "swapped fortran": (np.asfortranarray(swapped(X)), X),
    "swapped read-only": (read_only(swapped(X)), X),
    "masked": (np.ma.masked_array(X, np.isnan(HOLES)), HOLES),
    "masked float32": (np.ma.masked_array(X.astype(np.float32), np.isnan(HOLES)), HOLES),
    "masked int": (np.ma.masked_array(X.astype(int), np.isnan(HOLES)), HOLES),
    "masked bool": (np.ma.masked_array(X > 0, np.isnan(HOLES)), HOLES_ABOVE),
    "masked objects": (np.ma.masked_array(X.astype(object), np.isnan(HOLES)), HOLES),
    "masked swapped": (np.ma.masked_array(swapped(X), np.isnan(HOLES)), HOLES),
    "nothing masked": (np.ma.masked_array(X), X),
    "matrix": (np.matrix(X), X),
    "lists": (X.tolist(), X),
    "lists with None": ([[None if np.isnan(v) else v for v in row] for row in HOLES], HOLES),
    "tuples": (tuple(map(tuple, X)), X),
    "list of arrays": (list(X), X),
    "list of swapped arrays": (list(swapped(X)), X),
    "list of series": ([pd.Series(row) for row in X], X),
    "only __array__": (OnlyArray(X), X),
    "only __array__, swapped": (OnlyArray(swapped(X)), X),
    "frame": (FRAME, X),
    "frame of ints": (FRAME.astype(int), X),
    "frame of bools": (FRAME > 0, ABOVE),
    "frame swapped": (pd.DataFrame(swapped(X), columns=NAMES), X),
    "frame swapped ints": (pd.DataFrame(swapped(X.astype(int)), columns=NAMES), X),
    "frame with a swapped column": (FRAME.assign(b=pd.Series(swapped(X[:, 1]))), X),
    "frame Int64": (pd.DataFrame(HOLES, columns=NAMES).astype("Int64"), HOLES),
    "frame Float64": (pd.DataFrame(HOLES, columns=NAMES).astype("Float64"), HOLES),
    "frame sparse": (FRAME.astype(pd.SparseDtype(float, 0.0)), X),
    "frame named by numbers": (pd.DataFrame(X, columns=[7, 3, 5, 1]), X),
    "polars": (pl.DataFrame(X, schema=NAMES), X),
    "polars with nulls": (pl.DataFrame(HOLES, schema=NAMES).fill_nan(None), HOLES),
    "polars of ints": (pl.DataFrame(X.astype(int), schema=NAMES), X),
    "polars of bools": (pl.DataFrame(X > 0, schema=NAMES), ABOVE),
    "arrow": (arrow(X), X),
    "arrow with nulls": (arrow(HOLES).replace_schema_metadata(None), HOLES),
    "arrow batch": (pa.record_batch(list(map(pa.array, X.T)), names=NAMES), X),
    "arrow of bools": (arrow(X > 0), ABOVE),
    **{
        f"{kind}_{of}": (getattr(sp, f"{kind}_{of}")(X), SPARSE_X)
        for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
        for of in ("array", "matrix")
    },
    "csr float32": (sp.csr_array(X.astype(np.float32)), SPARSE_X),
    "csr of ints": (sp.csr_array(X.astype(int)), SPARSE_X),
    "csr of bools": (sp.csr_array(X > 0), SPARSE_ABOVE),
    "csr swapped": (swapped_sparse(sp.csr_array(X)), SPARSE_X),
    "csr swapped ints": (swapped_sparse(sp.csr_array(X.astype(int))), SPARSE_X),
    "csr swapped everywhere": (swapped_sparse(sp.csr_array(X), indices=True), SPARSE_X),
    "csc swapped everywhere": (swapped_sparse(sp.csc_array(X.astype(np.float32)), indices=True), SPARSE_X),
    "coo swapped": (swapped_sparse(sp.coo_array(X)), SPARSE_X),
    "csr in parts": (in_two_parts(sp.csr_array(X)), SPARSE_X),
    "csc in parts": (in_two_parts(sp.csc_array(X)), SPARSE_X),
    "csr, 64-bit indices": (
        sp.csr_array((sp.csr_array(X).data, sp.csr_array(X).indices.astype("i8"), sp.csr_array(X).indptr.astype("i8"))),
        SPARSE_X,
    ),
}


SETTINGS: dict[str, Any] = {"k": 0.2, "calibration": "sigmoid", "random_state": 0}
MEANT = {id(reference): reference for _, reference in FORMS.values()}


@functools.cache
def expected(booster: str, reference: int) -> tuple[np.ndarray, ...]:
    """What a model says that was trained on the plain float64 form."""
    rows = MEANT[reference]
    model = HSClassifier(small(booster, n_estimators=3), **SETTINGS).fit(rows, Y)
    scores = model.decision_function(rows)
    assert np.ptp(scores) > 0.02
    return model.predict_top_k(rows, 11), scores, model.predict_proba(rows), model.contributions(rows)


@BOOSTERS
@pytest.mark.parametrize("form", FORMS)
def test_one_model_from_every_form(booster: str, form: str) -> None:
    need_arrow(booster, form.split()[0])
    given, reference = FORMS[form]
    chosen, scores, probabilities, explained = expected(booster, id(reference))
    model = HSClassifier(small(booster, n_estimators=3), **SETTINGS).fit(given, Y)
    np.testing.assert_allclose(model.decision_function(given), scores, atol=1e-6)
    np.testing.assert_array_equal(model.predict_top_k(given, 11), chosen)
    np.testing.assert_allclose(model.predict_proba(given), probabilities, atol=1e-6)
    np.testing.assert_allclose(model.contributions(given), explained, atol=1e-5)
    assert model.n_features_in_ == 4


@BOOSTERS
@pytest.mark.parametrize(
    "form",
    [
        "swapped f4",
        "swapped i4",
        "csr swapped",
        "csr in parts",
        "masked",
        "only __array__",
        "lists",
        "matrix",
        "objects",
    ],
)
def test_evaluation_sets_in_every_form(booster: str, form: str) -> None:
    given, reference = FORMS[form]
    settings: dict[str, Any] = {"k": 0.2, "calibration": "isotonic"}
    expected, model, mixed = (
        HSClassifier(small(booster, n_estimators=3), **settings).fit(train, Y, eval_set=(held, OTHER_Y))
        for train, held in ((reference, reference), (given, given), (reference, given))
    )
    for one in (model, mixed):
        np.testing.assert_allclose(one.predict_proba(given), expected.predict_proba(reference), atol=1e-6)
        assert watched(one) == watched(expected)


def watched(model: HSClassifier) -> Any:
    fitted = model.estimator_
    return fitted.evals_result_ if hasattr(fitted, "evals_result_") else fitted.evals_result()


@pytest.mark.parametrize("form", ["frame swapped", "frame with a swapped column"])
@BOOSTERS
def test_an_evaluation_set_from_a_swapped_frame(booster: str, form: str) -> None:
    expected, model = (
        HSClassifier(small(booster, n_estimators=3), calibration="sigmoid").fit(FRAME, Y, eval_set=(rows, OTHER_Y))
        for rows in (FRAME.copy(), FORMS[form][0])
    )
    np.testing.assert_allclose(model.predict_proba(FRAME), expected.predict_proba(FRAME), atol=1e-6)


@BOOSTERS
def test_labels_weights_and_groups_in_the_other_byte_order(booster: str) -> None:
    weight, groups = RNG.uniform(0.5, 2, N), np.arange(N) % 3
    expected = HSClassifier(small(booster), k=4).fit(X, Y, sample_weight=weight, groups=groups)
    model = HSClassifier(small(booster), k=4).fit(
        X,
        swapped(Y),
        sample_weight=swapped(weight),
        groups=swapped(groups),
        eval_set=(X, swapped(Y)),
        eval_groups=groups,
    )
    np.testing.assert_array_equal(model.decision_function(X), expected.decision_function(X))
    np.testing.assert_array_equal(model.predict(X, swapped(groups)), expected.predict(X, groups))
    assert model.group_thresholds_ == expected.group_thresholds_
    assert model.classes_.dtype.isnative


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_arrays_in_the_other_byte_order(dtype: Any) -> None:
    z, w = (RNG.normal(size=N) * 0.5).astype(dtype), RNG.uniform(0.5, 2, N).astype(dtype)
    groups = np.arange(N) % 3
    other = {"sample_weight": swapped(w), "groups": swapped(groups)}
    same = {"sample_weight": w, "groups": groups}
    tight = {"rtol": 1e-5, "atol": 1e-6}
    found, wanted = project_hypersimplex(swapped(z), 5.0, **other), project_hypersimplex(z, 5.0, **same)
    np.testing.assert_allclose(found.values, wanted.values, **tight)
    loss = HypersimplexLoss(0.2)
    assert loss.loss(swapped(Y), swapped(z), *other.values()) == pytest.approx(
        loss.loss(Y, z, *same.values()), rel=1e-5
    )
    for got, wanted in zip(
        HypersimplexObjective(0.2)(swapped(Y), swapped(z), swapped(w)), HypersimplexObjective(0.2)(Y, z, w), strict=True
    ):
        np.testing.assert_allclose(got, wanted, **tight)
    assert precision_at_k(swapped(Y), swapped(z), 7, **other) == pytest.approx(precision_at_k(Y, z, 7, **same))
    for metric in (PrecisionAtK(0.2), DistributedAUC()):
        assert metric(swapped(Y), swapped(z), swapped(w)) == pytest.approx(metric(Y, z, w), rel=1e-6)


POLARS = pl.DataFrame(X, schema=NAMES)
REFUSED: dict[str, tuple[Any, str]] = {
    "dates": (X.astype("M8[D]"), r"X must hold numbers, got dtype datetime64\[D\]; turn dates and times into numbers"),
    "durations": (X.astype("m8[D]"), r"X must hold numbers, got dtype timedelta64\[D\]; turn dates"),
    "complex": (X + 1j, r"Complex data not supported: X holds complex128"),
    "complex without imaginary part": (X.astype(complex), "Complex data not supported"),
    "sparse complex": (sp.csr_array(X + 1j), "Complex data not supported"),
    "texts": (X.astype(str), r"X must hold numbers, got dtype <U\d+; turn texts"),
    "bytes": (X.astype("S8"), r"X must hold numbers, got dtype \|S8; turn texts"),
    "objects that are texts": (np.full((N, 2), "a", object), "X must hold numbers: could not convert string"),
    "structured": (FRAME.to_records(index=False), r"X is a structured array \(of 'a', 'b', 'c', 'd'\); pass pan"),
    "frame with a date": (FRAME.assign(b=pd.Timestamp("2020")), r"X: column 'b' holds datetime64\[.*\]; turn dates"),
    "frame with a time zone": (FRAME.assign(b=pd.Timestamp("2020", tz="UTC")), r"X: column 'b' holds datetime.*; turn"),
    "frame with a duration": (FRAME.assign(b=pd.Timedelta("1D")), r"X: column 'b' holds timedelta64.*; turn dates"),
    "frame with a period": (FRAME.assign(b=pd.Period("2020-01")), r"X: column 'b' holds period.*; turn dates"),
    "frame with texts": (FRAME.assign(b="x"), r"X: column 'b' holds (str|object|string); turn texts .* category dtype"),
    "frame with complex": (FRAME.assign(b=1j), "Complex data not supported: X's column 'b' holds complex128"),
}  # fmt: skip


@BOOSTERS
@pytest.mark.parametrize("case", REFUSED)
def test_what_holds_no_numbers_is_refused(booster: str, case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        readable(given, "X", booster)  # first without a booster behind it
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster)).fit(given, Y)
    model = HSClassifier(small(booster, n_estimators=1)).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(given)
    with pytest.raises(ValueError, match=message.replace("X", "eval_set's X", 1)):
        HSClassifier(small(booster)).fit(X, Y, eval_set=(given, Y))


@BOOSTERS
def test_a_lazy_frame_is_not_there_yet(booster: str) -> None:
    with pytest.raises(TypeError, match=r"X is a polars LazyFrame.*collect"):
        HSClassifier(small(booster)).fit(POLARS.lazy(), Y)


OF_OTHER_LIBRARIES: dict[str, tuple[Any, str]] = {
    "polars with a date": (POLARS.with_columns(b=pl.date(2020, 1, 1)), "X: column 'b' holds Date; t"),
    "polars with texts": (POLARS.with_columns(b=pl.lit("x")), "X: column 'b' holds String; "),
    "polars with a list": (POLARS.with_columns(b=pl.concat_list("a")), "'b' holds List"),
    "arrow with a date": (arrow(X.astype(int), b=pa.timestamp("s")), "X: column 'b' holds timestamp.*; turn dates"),
    "arrow with texts": (arrow(X.astype(str), a=pa.string()), "X: column 'a' holds string; turn texts"),
    "arrow with nothing": (arrow(X).set_column(1, "b", pa.nulls(N)), "X: column 'b' holds null"),
}  # fmt: skip


@pytest.mark.parametrize("case", OF_OTHER_LIBRARIES)
def test_columns_of_other_libraries_that_hold_no_numbers_are_refused(case: str) -> None:
    given, message = OF_OTHER_LIBRARIES[case]
    with pytest.raises(ValueError, match=message):
        HSClassifier(small("xgboost")).fit(given, Y)
    model = HSClassifier(small("xgboost", n_estimators=1)).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict(given)


@pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
@pytest.mark.parametrize(
    ("dtype", "refused_by", "message"),
    [
        ("String", "both", "holds String; turn texts"),
        ("large_string", "both", "holds large_string; "),
        ("Date", "both", "holds Date; turn dates"),
        ("timestamp[s]", "both", r"holds timestamp\[s\]; turn dates"),
        ("null", "both", "holds null"),
        ("List(Float64)", "both", "holds List"),
        ("dictionary<values=string, indices=int32, ordered=0>", "lightgbm", "holds dictionary; .* pandas frames only"),
        ("Categorical", "lightgbm", "holds Categorical; .* pandas frames only"),
        ("Enum(categories=['v', 'u'])", "lightgbm", "holds Enum; .* pandas frames only"),
        ("halffloat", "lightgbm", "holds halffloat; .* 32 bits"),
        ("double", "neither", ""),
        ("Int8", "neither", ""),
        ("bool", "neither", ""),
    ],
)
def test_types_of_columns_by_their_names(booster: str, dtype: str, refused_by: str, message: str) -> None:
    """No frame is needed for that, and no booster."""
    columns = [("a", "double"), ("b", dtype)]
    if refused_by not in ("both", booster):
        features._check_types(columns, "X", booster)
        return
    with pytest.raises(ValueError, match=f"X: column 'b' {message}"):
        features._check_types(columns, "X", booster)


MASKED = np.ma.masked_array(Y, np.arange(N) == 7)


@BOOSTERS
def test_masked_labels_and_weights_are_refused(booster: str) -> None:
    model = HSClassifier(small(booster))
    with pytest.raises(ValueError, match=r"y is a masked array with masked entries \(first: row 7\); drop these rows"):
        model.fit(X, MASKED)
    with pytest.raises(ValueError, match="eval_set's y is a masked array"):
        model.fit(X, Y, eval_set=(X, MASKED))
    with pytest.raises(ValueError, match="sample_weight is a masked array"):
        model.fit(X, Y, sample_weight=np.ma.masked_array(np.ones(N), np.arange(N) == 7))
    model.fit(X, np.ma.masked_array(Y), sample_weight=np.ma.masked_array(np.ones(N)))


def test_masked_scores_and_labels_are_refused_by_functions_too() -> None:
    masked = np.ma.masked_array(np.linspace(0, 1, N), np.arange(N) == 3)
    for call in (
        lambda: project_hypersimplex(masked, 3.0),
        lambda: HypersimplexLoss(3).loss(Y, masked),
        lambda: precision_at_k(Y, masked, 3),
        lambda: HypersimplexObjective(3)(Y, masked),
    ):
        with pytest.raises(ValueError, match=r"is a masked array with masked entries \(first: row 3\)"):
            call()
