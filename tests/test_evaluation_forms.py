"""eval_X and eval_y are eval_set in LightGBM's newer form: one meaning, with both boosters, on every LightGBM."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, stopping, trained_rounds
from scipy.sparse import csr_array

from hsboost import HSClassifier

X, Y = binary(160)
VALID, Y_VALID = binary(120, seed=4)
OTHER, Y_OTHER = binary(90, seed=5)
TEXTS = np.array(["legit", "fraud"])
HALVES, HALVES_VALID = np.arange(160) % 2, np.arange(120) % 2


def record(model: HSClassifier) -> list[dict[str, list[float]]]:
    """The history of every evaluation set, in order."""
    fitted = model.estimator_
    found = fitted.evals_result_ if hasattr(fitted, "evals_result_") else fitted.evals_result()
    return [{name: list(values) for name, values in one.items()} for one in found.values()]


def fit(booster: str, y: Any = Y, k: Any = 0.2, **given: Any) -> HSClassifier:
    estimator, extra = stopping(booster)
    return HSClassifier(estimator, k=k, random_state=0).fit(X, y, **given, **extra)


#: One set, or two, in the one form and in the other.
FORMS: dict[str, tuple[Any, Any, Any]] = {
    "arrays": ((VALID, Y_VALID), VALID, Y_VALID),
    "frame": ((pd.DataFrame(VALID), pd.Series(Y_VALID)), pd.DataFrame(VALID), pd.Series(Y_VALID)),
    "lists": ((VALID.tolist(), Y_VALID.tolist()), VALID.tolist(), Y_VALID.tolist()),
    "rows as tuples": ((VALID, Y_VALID), tuple(map(tuple, VALID)), tuple(Y_VALID)),
    "sparse": ((csr_array(VALID), Y_VALID), csr_array(VALID), Y_VALID),
    "tuple of one": ((VALID, Y_VALID), (VALID,), (Y_VALID,)),
    "tuple of two": ([(VALID, Y_VALID), (OTHER, Y_OTHER)], (VALID, OTHER), (Y_VALID, Y_OTHER)),
    "list of two": ([(VALID, Y_VALID), (OTHER, Y_OTHER)], [VALID, OTHER], [Y_VALID, Y_OTHER]),
    "training rows last": ([(VALID, Y_VALID), (X, Y)], (VALID, X), (Y_VALID, Y)),
}


@BOOSTERS
@pytest.mark.parametrize("form", FORMS)
def test_both_forms_watch_the_same_rows(booster: str, form: str) -> None:
    pairs, eval_X, eval_y = FORMS[form]
    right, found = fit(booster, eval_set=pairs), fit(booster, eval_X=eval_X, eval_y=eval_y)
    assert record(found) == record(right)
    assert list(record(found)[0]) == ["precision@0.2"]
    assert trained_rounds(found) == trained_rounds(right) < 60
    np.testing.assert_array_equal(found.decision_function(VALID), right.decision_function(VALID))


WAYS: dict[str, dict[str, Any]] = {
    "groups": {"groups": HALVES, "eval_groups": HALVES_VALID},
    "groups in training only": {"groups": HALVES},
    "weights": {"eval_sample_weight": np.linspace(0.1, 3.0, 120)},
    "weights in a list": {"sample_weight_eval_set": [np.linspace(0.1, 3.0, 120)]},
    "class weights": {"eval_class_weight": "balanced"},
}


@BOOSTERS
@pytest.mark.parametrize("way", WAYS)
def test_both_forms_go_with_the_same_arguments(booster: str, way: str) -> None:
    more = WAYS[way]
    right, found = (
        fit(booster, eval_set=(VALID, Y_VALID), **more),
        fit(booster, eval_X=VALID, eval_y=Y_VALID, **more),
    )
    assert record(found) == record(right)
    np.testing.assert_array_equal(found.decision_function(VALID), right.decision_function(VALID))


@BOOSTERS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_text_labels_are_encoded_in_both_forms(booster: str, n_classes: int) -> None:
    names = np.array(["low", "medium", "high"])[:n_classes]
    rows, labels = (X, Y) if n_classes == 2 else multi(160)
    other, other_labels = (VALID, Y_VALID) if n_classes == 2 else multi(120, seed=4)
    estimator, extra = stopping(booster)
    models = [
        HSClassifier(estimator).fit(rows, names[labels], **form, **extra)
        for form in (
            {"eval_set": (other, names[other_labels])},
            {"eval_X": other, "eval_y": names[other_labels]},
            {"eval_X": (other,), "eval_y": (names[other_labels].tolist(),)},
        )
    ]
    for model in models[1:]:
        assert record(model) == record(models[0])


@BOOSTERS
@pytest.mark.parametrize("calibration", ["sigmoid", "isotonic"])
def test_the_calibrator_is_fitted_on_the_last_set_of_both_forms(booster: str, calibration: Any) -> None:
    found = [
        HSClassifier(stopping(booster)[0].set_params(n_estimators=5), calibration=calibration)
        .fit(X, Y, **form, **stopping(booster)[1])
        .predict_proba(OTHER)
        for form in ({"eval_set": (VALID, Y_VALID)}, {"eval_X": VALID, "eval_y": Y_VALID})
    ]
    np.testing.assert_array_equal(*found)


@BOOSTERS
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"eval_X": VALID}, r"eval_X goes with eval_y, which is None; pass both, or eval_set=\(X, y\)"),
        ({"eval_y": Y_VALID}, "eval_y goes with eval_X, which is None"),
        (
            {"eval_X": VALID, "eval_y": Y_VALID, "eval_set": (VALID, Y_VALID)},
            "eval_set and eval_X, eval_y are one argument in two forms; give one of them",
        ),
        ({"eval_X": (VALID, OTHER), "eval_y": Y_VALID}, "eval_y must have the labels of each of the 2 sets of eval_X"),
        ({"eval_X": (VALID, OTHER), "eval_y": (Y_VALID,)}, "each of the 2 sets of eval_X, got a tuple of 1"),
        ({"eval_X": VALID, "eval_y": Y_OTHER}, r"\(eval_X, eval_y\)'s y must have one label per row of its X: got 120"),
        ({"eval_X": VALID[:, :3], "eval_y": Y_VALID}, r"\(eval_X, eval_y\)'s X has 3 features, but X has 5"),
        ({"eval_X": VALID[:0], "eval_y": Y_VALID[:0]}, r"\(eval_X, eval_y\) is empty"),
        ({"eval_X": "rows", "eval_y": Y_VALID}, r"\(eval_X, eval_y\)'s X is 'rows'; pass rows"),
        (
            {"eval_X": (VALID, OTHER), "eval_y": (Y_VALID, Y_OTHER + 1)},
            r"\(eval_X, eval_y\)\[1\] holds the label 2 at row .*which y does not; known: \[0, 1\]",
        ),
        (
            {"eval_X": (VALID, OTHER), "eval_y": (Y_VALID, Y_OTHER), "groups": HALVES, "eval_groups": HALVES_VALID},
            "eval_groups goes with one eval_set, got 2",
        ),
    ],
    ids=range(11),
)
def test_what_the_second_form_cannot_be(booster: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(booster, **given)
