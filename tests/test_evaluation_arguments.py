"""Evaluation sets as they are passed: forms that have one meaning are read, and faults are named by their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small, stopping, trained_rounds
from scipy.sparse import csr_array
from test_estimator_fit_arguments import values

from hsboost import HSClassifier, precision_at_k
from hsboost.estimators import _evaluation

X, Y = binary(160)
X3, Y3 = multi(160)
VALID, Y_VALID = binary(120, seed=4)
OTHER, Y_OTHER = binary(90, seed=5)
LISTED = VALID.tolist(), Y_VALID.tolist()
TUPLES = tuple(map(tuple, VALID)), tuple(Y_VALID)


def fit(booster: str, eval_set: Any, y: Any = Y, **more: Any) -> HSClassifier:
    return HSClassifier(small(booster)).fit(X, y, eval_set=eval_set, **more)


# Forms


@BOOSTERS
@pytest.mark.parametrize(
    ("form", "n_sets"),
    [
        ((VALID, Y_VALID), 1), ([(VALID, Y_VALID)], 1), (((VALID, Y_VALID),), 1), ([[VALID, Y_VALID]], 1),
        (([VALID, Y_VALID],), 1), (LISTED, 1), ([LISTED], 1), ([list(LISTED)], 1), ((LISTED,), 1), (TUPLES, 1),
        ([TUPLES], 1), ((TUPLES,), 1), ((pd.DataFrame(VALID), pd.Series(Y_VALID)), 1),
        (([pd.DataFrame(VALID), pd.Series(Y_VALID)],), 1), ([[csr_array(VALID), Y_VALID]], 1),
        (((VALID, Y_VALID), (OTHER, Y_OTHER)), 2), (([VALID, Y_VALID], (OTHER, Y_OTHER)), 2),
        ([[VALID, Y_VALID], [OTHER, Y_OTHER]], 2), ((LISTED, [OTHER, Y_OTHER]), 2), ((TUPLES, TUPLES), 2),
        (None, 0), ([], 0), ((), 0),
    ],
)  # fmt: skip
def test_forms_of_evaluation_sets(booster: str, form: Any, n_sets: int) -> None:
    model = fit(booster, form)
    fitted = model.estimator_
    results = getattr(fitted, "evals_result_", {}) if booster == "lightgbm" or n_sets == 0 else fitted.evals_result()
    assert len(results) == n_sets
    if n_sets:
        right = precision_at_k(Y_VALID, model.decision_function(VALID), float(Y.mean()))
        own = precision_at_k(Y_VALID, model.decision_function(VALID))
        assert values(model)["precision@positives"] == pytest.approx(own, abs=1e-6)
        assert right > 0.4


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_two_rows_are_not_two_sets(rows: int) -> None:
    """What looks like a tuple of two may be two rows."""
    for X_, y_ in ((VALID[:rows].tolist(), [0] * rows), (tuple(map(tuple, VALID[:rows])), (0,) * rows)):
        assert _evaluation.evaluation_sets((X_, y_), None) == [(X_, y_)]
        assert _evaluation.evaluation_sets([(X_, y_)], None) == [(X_, y_)]
        assert _evaluation.evaluation_sets(((X_, y_),), None) == [(X_, y_)]
        assert _evaluation.evaluation_sets(((X_, y_), (X_, y_)), None) == [(X_, y_), (X_, y_)]
    by_row = [VALID[i] for i in range(rows)]
    (found,) = _evaluation.evaluation_sets((by_row, [0] * rows), None)
    assert found[0] is by_row


@BOOSTERS
@pytest.mark.parametrize(
    ("form", "found"),
    [
        ([VALID, Y_VALID], r"a list of 2 \(ndarray, ndarray\)"), ((VALID, Y_VALID, Y_VALID), r"a tuple of 3 \(nda"),
        ([(VALID, Y_VALID, None)], r"a list of 1 \(tuple of 3\)"), (VALID, "a ndarray"), (pd.DataFrame(VALID), "a Dat"),
        ({"valid": (VALID, Y_VALID)}, "a dict"), (iter([(VALID, Y_VALID)]), "a list_iterator"), ("X", "a str"),
        ([None], r"a list of 1 \(NoneType\)"), ([(VALID, Y_VALID), VALID], r"a list of 2 \(tuple of 2, ndarray\)"),
        (((VALID, Y_VALID), VALID), r"a tuple of 2 \(tuple of 2, ndarray\)"), ((VALID,), r"a tuple of 1 \(ndarray\)"),
    ],
)  # fmt: skip
def test_other_forms_are_refused(booster: str, form: Any, found: str) -> None:
    with pytest.raises(
        ValueError, match=rf"^eval_set must be a pair .* list of such pairs, got {found}.*pass \[\(X, y"
    ):
        fit(booster, form)


# Faults of one set, called eval_set, and of one of several, called by its place


def with_one(value: Any, kind: Any = float) -> np.ndarray:
    labels = Y_VALID.astype(kind)
    labels[7] = value
    return labels


#: Labels, and what is said of them after the set's name.
FAULTS: dict[str, tuple[Any, str]] = {
    "none": (None, "'s y is None; pass the labels"),
    "nan": (with_one(np.nan), r"'s y must not contain NaN or infinity; drop the rows .*first: row 7, .*nan"),
    "inf": (with_one(np.inf), r"'s y must not contain NaN or infinity.*first: row 7, .*inf"),
    "-inf": (with_one(-np.inf, object), r"'s y must not contain NaN or infinity.*first: row 7, -inf"),
    "None": (with_one(None, object), r"'s y must not contain NaN or infinity.*first: row 7, None"),
    "NaT": (with_one(pd.NaT, object), r"'s y must not contain NaN or infinity.*first: row 7, NaT"),
    "NA": (pd.Series(with_one(pd.NA, object), dtype="Int64"), r"'s y (must not contain NaN|is a masked).*first: row 7"),
    "no date": (np.full(120, np.datetime64("NaT")), r"'s y must not contain NaN or infinity.*first: row 0"),
    "masked": (np.ma.MaskedArray(Y_VALID, np.arange(120) == 7), r"'s y is a masked array .*first: row 7"),
    "two columns": (np.column_stack([Y_VALID] * 2), r"'s y should be a 1d array, got an array of shape \(120, 2\)"),
    "two in a frame": (pd.DataFrame({"a": Y_VALID, "b": Y_VALID}), r"'s y should be a 1d array, .*\(120, 2\)"),
    "short": (Y_VALID[:5], "'s y must have one label per row of its X: got 120 rows and 5 labels"),
    "empty": (Y_VALID[:0], "'s y must have one label per row of its X: got 120 rows and 0 labels"),
    "one": (1, "'s y must have one label per row of its X, got a single int"),
    "text": ("yes", "'s y must have one label per row of its X, got a single str"),
    "unknown": (with_one(7), r" holds the label 7\.0 at row 7 \(leave such rows out, .*known: \[0, 1\]$"),
    "other type": (np.where(Y_VALID == 1, "yes", "no"), r" holds the label '(yes|no)' at row 0 .*which y does not"),
    "complex": (Y_VALID + 0j, "'s y holds complex numbers; pass labels that can be sorted"),
}  # fmt: skip


@BOOSTERS
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("calibration", [None, "sigmoid"])
def test_labels_of_evaluation_sets(booster: str, fault: str, several: bool, calibration: Any) -> None:
    labels, said = FAULTS[fault]
    name = r"eval_set\[1\]" if several else "eval_set"
    sets = [(OTHER, Y_OTHER), (VALID, labels)] if several else (VALID, labels)
    with pytest.raises(ValueError, match=rf"^{name}{said}"):
        HSClassifier(small(booster), calibration=calibration).fit(X, Y, eval_set=sets)


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("calibration", [None, "isotonic"])
def test_empty_evaluation_sets(booster: str, n_classes: int, calibration: Any) -> None:
    rows, labels = (X, Y) if n_classes == 2 else (X3, Y3)
    model = HSClassifier(small(booster), calibration=calibration)
    message = r"^{} is empty, its X has 0 rows; pass rows to watch, or leave {} out"
    for nothing in (rows[:0], pd.DataFrame(rows[:0])):
        with pytest.raises(ValueError, match=message.format("eval_set", "eval_set")):
            model.fit(pd.DataFrame(rows) if isinstance(nothing, pd.DataFrame) else rows, labels, eval_set=(nothing, []))
    with pytest.raises(ValueError, match=message.format(r"eval_set\[0\]", r"eval_set\[0\]")):
        model.fit(rows, labels, eval_set=[(rows[:0], labels[:0]), (rows, labels)])
    groups = np.arange(len(rows)) % 2
    with pytest.raises(ValueError, match=message.format("eval_set", "eval_set")):
        model.fit(rows, labels, eval_set=(rows[:0], []), groups=groups, eval_groups=[])


@BOOSTERS
@pytest.mark.parametrize("rows", [None, "rows", 5])
def test_evaluation_rows_that_are_none(booster: str, rows: Any) -> None:
    with pytest.raises(ValueError, match=rf"^eval_set's X is {rows!r}; pass rows with the columns of X"):
        fit(booster, (rows, Y_VALID))
    with pytest.raises(ValueError, match=rf"^eval_set\[1\]'s X is {rows!r}; pass rows"):
        fit(booster, [(OTHER, Y_OTHER), (rows, Y_VALID)])


@BOOSTERS
@pytest.mark.parametrize("labels", [Y_VALID[:, None], Y_VALID.astype(">i4"), Y_VALID == 1, pd.Categorical(Y_VALID)])
def test_labels_in_other_forms_are_the_same_labels(booster: str, labels: Any) -> None:
    assert values(fit(booster, (VALID, labels))) == values(fit(booster, (VALID, Y_VALID)))


# Weights


@BOOSTERS
@pytest.mark.parametrize("argument", ["eval_sample_weight", "sample_weight_eval_set"])
@pytest.mark.parametrize("settings", [{}, {"calibration": "sigmoid"}, {"calibration": "isotonic"}, {"k": 0.1}])
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (1e-320, r"must not be below 1\.4e-45 in every row, as boosters .*, got 1e-320 at most; multiply the weights"),
        (1e-60, r"must not be below 1\.4e-45 in every row, .*, got 1e-60 at most"),
        (1e300, r"must be at most 3\.4e\+38, .* got 1e\+300 at row 0; divide the weights by a constant"),
        (0.0, r"must have a positive sum, got 0\.0"),
        (np.inf, r"must be finite and >= 0, got inf at row 0"),
    ],
)
def test_weights_of_evaluation_rows(booster: str, argument: str, settings: Any, weight: float, message: str) -> None:
    model, weights = HSClassifier(small(booster), **settings), np.full(120, weight)
    for given in (weights, [weights]):
        with pytest.raises(ValueError, match=rf"^{argument}\[0\] {message}"):
            model.fit(X, Y, eval_set=(VALID, Y_VALID), **{argument: given})
    with pytest.raises(ValueError, match=rf"^{argument}\[1\] {message}"):
        model.fit(X, Y, eval_set=[(OTHER, Y_OTHER), (VALID, Y_VALID)], **{argument: [None, weights]})
    groups = {"groups": np.arange(160) % 3, "eval_groups": np.arange(120) % 3}
    with pytest.raises(ValueError, match=rf"^{argument}\[0\] {message}"):
        model.fit(X, Y, eval_set=(VALID, Y_VALID), **groups, **{argument: weights})


@BOOSTERS
@pytest.mark.parametrize("weight", [1e-320, 1e300])
def test_class_weights_of_evaluation_rows(booster: str, weight: float) -> None:
    by_class = {0: weight, 1: weight}
    with pytest.raises(ValueError, match=r"^eval_class_weight\[0\] must (not be below|be at most)"):
        fit(booster, (VALID, Y_VALID), eval_class_weight=by_class)
    with pytest.raises(
        ValueError, match=r"^eval_class_weight\[0\] times eval_sample_weight\[0\] must (not|be at most)"
    ):
        fit(booster, (VALID, Y_VALID), eval_class_weight=by_class, eval_sample_weight=np.ones(120))


@BOOSTERS
@pytest.mark.parametrize("weight", [1e-320, 1e-60])
def test_weights_that_no_booster_can_keep(booster: str, weight: float) -> None:
    with pytest.raises(
        ValueError, match=r"^sample_weight must not be below 1\.4e-45 in every row.*multiply the weights"
    ):
        HSClassifier(small(booster)).fit(X, Y, np.full(160, weight))
    with pytest.raises(ValueError, match=r"^sample_weight times class_weight must not be below 1\.4e-45 in every row"):
        HSClassifier(small(booster), class_weight={0: weight, 1: weight}).fit(X, Y)


@BOOSTERS
@pytest.mark.parametrize("loss", ["hypersimplex", "hypersimplex-fy"])
@pytest.mark.parametrize("names", [(0, 1), ("bad", "good")])
@pytest.mark.parametrize("light", [0, 1])
@pytest.mark.parametrize("weight", [0.0, 1e-60])
def test_a_class_without_weight_is_named(booster: str, loss: str, names: Any, light: int, weight: float) -> None:
    """k=None stands for the positives' weight: all of it, or none, is no budget."""
    labels = np.array(names)[Y]
    weights = np.where(light == Y, weight, 1.0)
    said = rf"leaves the class {names[light]!r} without any weight, and k=None stands.* weight above 0, or pass k"
    by_class = {names[light]: weight, names[1 - light]: 1.0}
    for more in ({}, {"groups": np.arange(160) % 2}):
        with pytest.raises(ValueError, match=rf"^sample_weight {said}"):
            HSClassifier(small(booster), loss=loss).fit(X, labels, weights, **more)
        with pytest.raises(ValueError, match=rf"^sample_weight times class_weight {said}"):
            HSClassifier(small(booster), loss=loss, class_weight=by_class).fit(X, labels, **more)
    HSClassifier(small(booster), loss=loss, k=0.1).fit(X, labels, weights)


# Names, which LightGBM takes


SETS = [(OTHER, Y_OTHER), (VALID, Y_VALID)]
TRAINING = (X, Y)


def named(sets: Any, names: Any, way: str | None = None) -> HSClassifier:
    estimator, more = small("lightgbm", n_estimators=40), {}
    if way == "callback":
        estimator, more = stopping("lightgbm", n_estimators=40)
    elif way == "parameter":
        estimator.set_params(early_stopping_round=4)
    return HSClassifier(estimator).fit(X, Y, eval_set=sets, eval_names=names, **more)


@pytest.mark.parametrize("way", [None, "parameter", "callback"])
@pytest.mark.parametrize(
    ("sets", "names", "expected"),
    [
        (SETS, ["a", "b"], ["a", "b"]), (SETS, ("a", "b"), ["a", "b"]), (SETS, np.array(["a", "b"]), ["a", "b"]),
        (SETS, pd.Index(["a", "b"]), ["a", "b"]), (SETS, pd.Series(["a", "b"]), ["a", "b"]), (SETS[1], "b", ["b"]),
        (SETS, None, ["valid_0", "valid_1"]), (SETS, [], ["valid_0", "valid_1"]), (SETS, ["training", "b"], None),
        ([TRAINING, SETS[1]], ["training", "b"], None), ([SETS[1], TRAINING], ["b", "training"], None),
        (SETS, ["valid_1", "valid_0"], ["valid_1", "valid_0"]),
    ],
)  # fmt: skip
def test_names_of_evaluation_sets(way: str | None, sets: Any, names: Any, expected: list[str] | None) -> None:
    model = named(sets, names, way)
    assert list(model.estimator_.evals_result_) == (names if expected is None else expected)
    assert (trained_rounds(model) < 40) == (way is not None)


@pytest.mark.parametrize("way", [None, "parameter", "callback"])
@pytest.mark.parametrize(
    ("sets", "names", "kind", "message"),
    [
        (SETS, ["a", "training"], ValueError, r"=.* calls the set that decides .* 'training', .*give it another"),
        (SETS[1], ["training"], ValueError, r"=.* calls the set that decides when to stop 'training'"),
        ([TRAINING, SETS[1]], ["a", "training"], ValueError, r"=.* calls the set that decides when to stop 'training'"),
        ([SETS[1], TRAINING], ["training", "a"], ValueError, r"=.* calls the set that decides when to stop 'training'"),
        (SETS, ["a", "a"], ValueError, r"=\['a', 'a'\] gives one name to several sets; call each by a name of its own"),
        (SETS, ["a"], ValueError, r"must have one name for each evaluation set: expected 2, got \['a'\]"),
        (SETS, "a", ValueError, r"must have one name for each evaluation set: expected 2, got \['a'\]"),
        (SETS[1], ["a", "b"], ValueError, r"must have one name for each evaluation set: expected 1, got \['a', 'b'\]"),
        (None, ["a"], ValueError, r"=\['a'\] goes with eval_set, and there is none"),
        (SETS, ["a", 5], TypeError, r"must be a list of texts, one for each evaluation set, got \['a', 5\]"),
        (SETS, ["a", None], TypeError, r"must be a list of texts, .*got \['a', None\]"),
        (SETS, {"a", "b"}, TypeError, r"must be a list of texts, .*got \{'.', '.'\}; pass a list"),
        (SETS, {"a": 1, "b": 2}, TypeError, r"must be a list of texts, .*got \{'a': 1, 'b': 2\}"),
        (SETS, iter("ab"), TypeError, r"must be a list of texts, .*got <str"),
        (SETS, 5, TypeError, r"must be a list of texts, .*got 5"),
    ],
)  # fmt: skip
def test_names_that_name_no_set(way: str | None, sets: Any, names: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=rf"^eval_names ?{message}"):
        named(sets, names, way)
