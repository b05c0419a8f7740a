"""Evaluation sets: what they weigh, which of them decides when to stop, and what reaches the calibrator."""

from __future__ import annotations

import warnings
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xgboost as xgb
from _models import BOOSTERS, N, binary, multi, small
from sklearn.datasets import make_classification
from sklearn.metrics import roc_auc_score

from hsboost import HSClassifier, PrecisionAtK, precision_at_k
from hsboost.estimators import _calibration
from hsboost.estimators._evaluation import same_data

pytestmark = pytest.mark.truth

X, Y = binary()
VALID, Y_VALID = binary(300, seed=5)
W_VALID = np.random.default_rng(3).integers(1, 9, 300) * np.where(Y_VALID == 1, 4.0, 1.0)
KINDS = pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])
WEIGHTS = pytest.mark.parametrize("name", ["eval_sample_weight", "sample_weight_eval_set"])


def results(model: HSClassifier) -> list[dict[str, list[float]]]:
    """The record of each evaluation set, in their order."""
    found = model.estimator_
    return list((found.evals_result() if hasattr(found, "evals_result") else found.evals_result_).values())


def watched(model: HSClassifier, i: int = 0) -> float:
    """The metric of evaluation set i after the last round."""
    (values,) = results(model)[i].values()
    return values[-1]


def calibrated_by(model: HSClassifier, kind: Any, rows: Any, y: np.ndarray, weight: Any = None) -> None:
    """The model's calibrator is that of these rows and weights."""
    expected = _calibration.fit_all(kind, model.decision_function(rows), y, weight)
    found = model.predict_proba(X)
    np.testing.assert_array_equal(found, _calibration.predict(expected, model.decision_function(X)))


# Class weights and the calibrator


def with_class_weight(booster: str, by: str, weight: Any) -> dict[str, Any]:
    """The ways to ask for class weights; XGBoost keeps what it does not know among its free arguments."""
    if by == "HSClassifier":
        return {"estimator": small(booster), "class_weight": weight}
    return {"estimator": small(booster, class_weight=weight)}


@BOOSTERS
@KINDS
@pytest.mark.parametrize("by", ["HSClassifier", "booster"])
@pytest.mark.parametrize("rows", ["two classes", "three classes", "sample weights"])
def test_class_weights_steer_the_trees_and_not_the_calibrator(booster: str, kind: Any, by: str, rows: str) -> None:
    data, labels = multi(600) if rows == "three classes" else binary(600, share=0.1)
    own = np.random.default_rng(0).integers(1, 4, 600).astype(float) if rows == "sample weights" else None
    settings = {"k": 0.1, "calibration": kind, "calibration_fraction": 0.4, "random_state": 0}
    model = HSClassifier(**settings, **with_class_weight(booster, by, "balanced")).fit(data, labels, own)
    _, held = HSClassifier(**settings)._set_aside(labels)
    counts = np.bincount(labels)
    by_row = (labels.size / (counts.size * counts))[labels] * (1.0 if own is None else own)
    # The same trees with the class weights written out, and a calibrator of the rows set aside.
    same = HSClassifier(small(booster), **settings).fit(data, labels, by_row)
    np.testing.assert_array_equal(model.decision_function(data), same.decision_function(data))
    calibrators = _calibration.fit_all(
        kind, model.decision_function(data[held]), labels[held], None if own is None else own[held]
    )
    expected = _calibration.predict(calibrators, model.decision_function(data))
    np.testing.assert_array_equal(model.predict_proba(data), expected)
    share = np.average(labels[held] == counts.argmin(), weights=None if own is None else own[held])
    mean = np.average(model.predict_proba(data[held])[:, counts.argmin()], weights=None if own is None else own[held])
    assert mean == pytest.approx(share, abs=0.03 if rows == "three classes" else 1e-3)


def test_probabilities_of_a_rare_class_average_to_its_share() -> None:
    rows, y = make_classification(20000, 12, weights=[0.95], flip_y=0.02, random_state=1)
    model = HSClassifier(
        "lightgbm", k=0.05, class_weight="balanced", calibration="isotonic", calibration_fraction=0.3, random_state=0
    ).fit(rows[:10000], y[:10000])
    assert y[10000:].mean() == pytest.approx(0.0606)
    assert model.predict_proba(rows[10000:])[:, 1].mean() == pytest.approx(0.0606, abs=0.005)


@BOOSTERS
def test_class_weights_say_what_is_wrong_with_them(booster: str) -> None:
    names = np.where(Y == 1, "yes", "no")
    for weight, message in [
        (
            {"yes": 2.0, "maybe": 1.0},
            r"^class_weight has a weight for 'maybe', which is no class of y; name the labels",
        ),
        ({"yes": -1.0}, r"^class_weight\['yes'\] must be a finite number >= 0, got -1"),
        ({"yes": np.nan}, r"^class_weight\['yes'\] must be a finite number >= 0, got nan"),
        ("even", r"^class_weight must be None, 'balanced' or a dict of class labels to weights, got 'even'"),
        ({"yes": 0.0, "no": 0.0}, r"^sample_weight times class_weight must have a positive sum"),
    ]:
        for by in ("HSClassifier", "booster"):
            with pytest.raises(ValueError, match=message):
                HSClassifier(**with_class_weight(booster, by, weight)).fit(X, names)
    with pytest.raises(ValueError, match=r"^class_weight is given twice"):
        HSClassifier(small(booster, class_weight="balanced"), class_weight="balanced").fit(X, names)


# Weights of evaluation rows


@BOOSTERS
@WEIGHTS
@pytest.mark.parametrize("form", ["list", "itself", "series", "plain list"])
def test_evaluation_weights_weigh_the_metric(booster: str, name: str, form: str) -> None:
    given = {"list": [W_VALID], "itself": W_VALID, "series": [pd.Series(W_VALID)], "plain list": W_VALID.tolist()}[form]
    model = HSClassifier(small(booster), k=0.1).fit(X, Y, eval_set=(VALID, Y_VALID), **{name: given})
    scores = model.decision_function(VALID)
    expected = precision_at_k(Y_VALID, scores, 0.1, sample_weight=W_VALID)
    assert abs(expected - precision_at_k(Y_VALID, scores, 0.1)) > 1e-3
    assert watched(model) == pytest.approx(expected, abs=1e-6)


@BOOSTERS
@WEIGHTS
@KINDS
@pytest.mark.parametrize("n_classes", [2, 3])
def test_evaluation_weights_weigh_the_calibrator(booster: str, name: str, kind: Any, n_classes: int) -> None:
    (rows, y), (valid, y_valid) = [(binary if n_classes == 2 else multi)(300, seed=seed) for seed in (0, 5)]
    weight = np.where(y_valid == 1, 5.0, 1.0)
    model = HSClassifier(small(booster), k=0.1, calibration=kind)
    model.fit(rows, y, eval_set=[(valid, y_valid)], **{name: [weight]})
    expected = _calibration.fit_all(kind, model.decision_function(valid), y_valid, weight)
    np.testing.assert_array_equal(
        model.predict_proba(rows), _calibration.predict(expected, model.decision_function(rows))
    )
    # Whole numbers are repeated rows.
    repeated = valid.repeat(weight.astype(int), axis=0), y_valid.repeat(weight.astype(int))
    same = HSClassifier(small(booster), k=0.1, calibration=kind).fit(rows, y, eval_set=[repeated])
    np.testing.assert_allclose(model.predict_proba(rows), same.predict_proba(rows), atol=2e-3)


@KINDS
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e9])
def test_only_ratios_of_weights_matter_to_the_calibrator(kind: Any, scale: float) -> None:
    rng = np.random.default_rng(0)
    scores, weight = rng.normal(size=500), rng.uniform(0.1, 3.0, 500)
    y = (scores + rng.normal(size=500) > 0).astype(int)
    (plain,), (scaled,) = (_calibration.fit_all(kind, scores, y, w) for w in (weight, weight * scale))
    np.testing.assert_allclose(scaled.predict(scores), plain.predict(scores), atol=1e-6)


@KINDS
def test_rows_of_weight_zero_are_absent_from_the_calibrator(kind: Any) -> None:
    rng = np.random.default_rng(0)
    scores, y = rng.normal(size=500), rng.integers(0, 2, 500)
    weight = (np.arange(500) < 400).astype(float)
    scores[400:] = 1e6
    (some,), (fewer,) = (
        _calibration.fit_all(kind, scores, y, weight),
        _calibration.fit_all(kind, scores[:400], y[:400], None),
    )
    np.testing.assert_allclose(some.predict(scores), fewer.predict(scores), atol=1e-9)


@BOOSTERS
def test_each_set_has_its_weights_or_none(booster: str) -> None:
    sets = [(VALID, Y_VALID), (VALID[:200], Y_VALID[:200]), (VALID, Y_VALID)]
    model = HSClassifier(small(booster), k=0.1).fit(
        X, Y, eval_set=sets, eval_sample_weight=[None, W_VALID[:200], W_VALID]
    )
    scores = model.decision_function(VALID)
    for i, (size, weight) in enumerate([(300, None), (200, W_VALID[:200]), (300, W_VALID)]):
        expected = precision_at_k(Y_VALID[:size], scores[:size], 0.1, sample_weight=weight)
        assert watched(model, i) == pytest.approx(expected, abs=1e-6)


LABELS = {
    "numbers": (np.array([1, 2]), {2: 5.0}),
    "the first class": (np.array([1, 2]), {1: 5.0}),
    "floats": (np.array([1.0, 2.0]), {2: 5.0}),
    "text": (np.array(["no", "yes"]), {"yes": 5.0}),
    "text objects": (np.array(["no", "yes"], dtype=object), {"yes": 5.0, "no": 2.0}),
    "truth values": (np.array([False, True]), {True: 5.0}),
    "NumPy's own": (np.array([-1, 1]), {np.int64(1): np.float32(5.0)}),
    "balanced": (np.array(["no", "yes"]), "balanced"),
}


@BOOSTERS
@pytest.mark.parametrize("case", LABELS)
def test_class_weights_of_evaluation_rows_go_by_the_users_labels(booster: str, case: str) -> None:
    names, weight = LABELS[case]
    counts = np.bincount(Y_VALID)
    of_class = 300 / (2 * counts) if weight == "balanced" else np.array([weight.get(name, 1.0) for name in names])
    for given, own in [(weight, None), ([weight], W_VALID)]:
        model = HSClassifier(small(booster), k=0.1, calibration="isotonic").fit(
            X, names[Y], eval_set=(VALID, names[Y_VALID]), eval_class_weight=given, eval_sample_weight=own
        )
        by_row = of_class[Y_VALID] * (1.0 if own is None else own)
        expected = precision_at_k(Y_VALID, model.decision_function(VALID), 0.1, sample_weight=by_row)
        assert watched(model) == pytest.approx(expected, abs=1e-6)
        calibrated_by(model, "isotonic", VALID, Y_VALID, own)  # what mistakes cost is no news about the cases


@BOOSTERS
def test_an_evaluation_set_may_lack_a_class_that_has_a_weight(booster: str) -> None:
    (rows, y), (valid, y_valid) = multi(300), multi(300, seed=5)
    some = y_valid > 0
    for weight, of_class in [({0: 7.0, 2: 3.0}, [7.0, 1.0, 3.0]), ("balanced", None)]:
        model = HSClassifier(small(booster), k=0.2)
        model.fit(rows, y, eval_set=(valid[some], y_valid[some]), eval_class_weight=weight)
        counts = np.bincount(y_valid[some])
        factors = np.array(of_class) if of_class else np.where(counts, some.sum() / (2 * np.maximum(counts, 1)), 1.0)
        expected = precision_at_k(
            y_valid[some], model.decision_function(valid[some]) + model.threshold_, 0.2,
            sample_weight=factors[y_valid[some]],
        )  # fmt: skip
        assert watched(model) == pytest.approx(expected, abs=1e-6)


SET = {"eval_set": [(VALID, Y_VALID)]}
BAD = [
    ({"eval_sample_weight": [W_VALID]}, r"^eval_sample_weight goes with eval_set, and there is none; pass eval_set="),
    ({"eval_class_weight": ["balanced"]}, r"^eval_class_weight goes with eval_set, and there is none"),
    (SET | {"eval_sample_weight": [W_VALID, W_VALID]}, r"^eval_sample_weight must have one entry .* expected 1, got 2"),
    (SET | {"sample_weight_eval_set": []}, r"^sample_weight_eval_set must have one entry .* expected 1, got 0"),
    (SET | {"eval_sample_weight": {0: W_VALID}}, r"^eval_sample_weight must be a list .*got dict"),
    (SET | {"eval_sample_weight": "heavy"}, r"^eval_sample_weight must be a list .*got str"),
    ({"eval_set": [(X, Y), (VALID, Y_VALID)], "eval_sample_weight": W_VALID}, r"must be a list .*2 eval.*got ndarray"),
    ({"eval_set": [(X, Y), (VALID, Y_VALID)], "eval_class_weight": {1: 2.0}}, r"^eval_class_weight must be a list"),
    (
        SET | {"eval_sample_weight": [W_VALID[:5]]},
        r"^eval_sample_weight\[0\] must have one entry per row of eval_set's X",
    ),
    (SET | {"sample_weight_eval_set": [-W_VALID]}, r"^sample_weight_eval_set\[0\] must be finite and >= 0, got -"),
    (SET | {"eval_sample_weight": [W_VALID * np.nan]}, r"^eval_sample_weight\[0\] must be finite and >= 0, got nan"),
    (SET | {"eval_sample_weight": [W_VALID * 0]}, r"^eval_sample_weight\[0\] must have a positive sum"),
    (SET | {"eval_sample_weight": [W_VALID.astype(str)]}, r"^eval_sample_weight\[0\] must hold numbers"),
    (
        SET | {"eval_sample_weight": [W_VALID], "sample_weight_eval_set": [W_VALID]},
        r"are one argument; give one of them",
    ),
    (SET | {"eval_class_weight": [{2: 1.0}]}, r"^eval_class_weight\[0\] has a weight for 2, which is no class of y"),
    (
        SET | {"eval_class_weight": [{0: 1.0, 1: 1.0, 2: 1.0}]},
        r"^eval_class_weight\[0\] has a weight for 2, which is no",
    ),
    (
        SET | {"eval_class_weight": [{"1": 1.0}]},
        r"^eval_class_weight\[0\] has a weight for '1', which is no class of y",
    ),
    (SET | {"eval_class_weight": [{1: "5"}]}, r"^eval_class_weight\[0\]\[1\] must be a finite number >= 0, got '5'"),
    (SET | {"eval_class_weight": ["even"]}, r"^eval_class_weight\[0\] must be None, 'balanced' or a dict"),
    (SET | {"eval_class_weight": [[1.0, 2.0]]}, r"^eval_class_weight\[0\] must be None, 'balanced' or a dict"),
    (
        SET | {"eval_class_weight": [{0: 0, 1: 0}]},
        r"^eval_class_weight\[0\] must have a positive sum",
    ),
]


@BOOSTERS
@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_weights_of_evaluation_rows_get_one_clear_error(booster: str, arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HSClassifier(small(booster, n_estimators=1)).fit(X, Y, **arguments)


@BOOSTERS
@KINDS
def test_rows_for_calibration_must_count_in_every_class(booster: str, kind: Any) -> None:
    model = HSClassifier(small(booster), calibration=kind)
    with pytest.raises(ValueError, match=r"^the rows for calibration hold one class only; .*each with some weight$"):
        model.fit(X, Y, eval_set=(VALID, Y_VALID), eval_sample_weight=(Y_VALID == 1).astype(float))
    with pytest.raises(
        ValueError, match=r"^the rows for calibration hold 2 of 3 classes only; pass an eval_set with all"
    ):
        model.fit(*multi(), eval_set=(VALID, Y_VALID))


# Which set decides


def stops(booster: str, way: str, rounds: int = 4) -> tuple[Any, dict[str, Any]]:
    """A booster asked to stop early in one of the ways it knows, and what goes to ``fit``."""
    many = {"n_estimators": 40, "learning_rate": 0.5}
    if way == "callback":
        if booster == "xgboost":
            return small(booster, callbacks=[xgb.callback.EarlyStopping(rounds=rounds)], **many), {}
        return small(booster, **many), {"callbacks": [lgb.early_stopping(rounds, verbose=False)]}
    return small(booster, **{way: rounds}, **many), {}


WAYS = [
    ("xgboost", "early_stopping_rounds"),
    ("xgboost", "callback"),
    ("lightgbm", "callback"),
    ("lightgbm", "early_stopping_round"),
    ("lightgbm", "early_stopping_rounds"),
    ("lightgbm", "early_stopping"),
    ("lightgbm", "n_iter_no_change"),
]
STOPPING = pytest.mark.parametrize(("booster", "way"), WAYS)


def asked_for(estimator: Any) -> set[Any]:
    """The rounds of patience among a booster's parameters, by whichever name."""
    params = estimator.get_params()
    return {params[way] for _, way in WAYS if params.get(way) is not None}


def best(model: HSClassifier) -> int:
    """The rounds that predictions use."""
    found = model.estimator_
    return found.best_iteration + 1 if hasattr(found, "evals_result") else found.best_iteration_


def noisy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows with many wrong labels, on which training stops after another number of rounds."""
    rows, y = binary(300, seed=seed)
    return rows, np.where(np.random.default_rng(seed).random(300) < 0.3, 1 - y, y)


OTHER = noisy(11)


#: Evaluation sets, and which of them decides.
LAYOUTS = [
    ([(VALID, Y_VALID), (X, Y)], 0),
    ([OTHER, (VALID, Y_VALID), (X, Y)], 1),
    ([(X, Y), (VALID, Y_VALID)], 1),
    ([(VALID, Y_VALID), OTHER], 1),
    ([(X, Y), (VALID, Y_VALID), (X, Y)], 1),
]


@pytest.mark.parametrize(
    ("booster", "way", "sets", "deciding"),
    # Names of one parameter differ in nothing else.
    [(*way, *layout) for i, way in enumerate(WAYS) for layout in LAYOUTS[: 5 if i < 4 else 2]],
)
def test_the_last_set_that_is_not_the_training_rows_decides(booster: str, way: str, sets: Any, deciding: int) -> None:
    estimator, extra = stops(booster, way)
    alone = HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=sets[deciding], **extra)
    assert 1 < best(alone) < 40
    model = HSClassifier(estimator, k=0.1, calibration="sigmoid").fit(X, Y, eval_set=sets, **extra)
    assert best(model) == best(alone)
    np.testing.assert_array_equal(model.decision_function(VALID), alone.decision_function(VALID))
    assert model.threshold_ == alone.threshold_
    calibrated_by(model, "sigmoid", *sets[deciding])
    # All sets are watched, for as long as training went on.
    assert [len(next(iter(one.values()))) for one in results(model)] == [
        len(next(iter(results(alone)[0].values())))
    ] * len(sets)
    assert results(model)[deciding] == results(alone)[0]
    if booster == "lightgbm":
        assert set(model.estimator_.best_score_) == set(model.estimator_.evals_result_)
        for name, metrics in model.estimator_.evals_result_.items():
            for metric, values in metrics.items():
                assert model.estimator_.best_score_[name][metric] == values[best(model) - 1]
    assert asked_for(model.estimator_) == asked_for(estimator)


@BOOSTERS
def test_the_sets_of_these_tests_stop_after_different_numbers_of_rounds(booster: str) -> None:
    estimator, extra = stops(booster, "callback")
    found = {best(HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=one, **extra)) for one in (OTHER, (VALID, Y_VALID))}
    assert len(found) == 2


@STOPPING
def test_training_rows_alone_stop_nothing_and_calibrate_nothing(booster: str, way: str) -> None:
    estimator, extra = stops(booster, way, rounds=1)
    with pytest.warns(
        UserWarning, match=r"^eval_set holds the training rows only, .*early stopping is off and all round"
    ):
        model = HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=(X, Y), **extra)
    (values,) = results(model)[0].values()
    assert len(values) == 40
    everything = HSClassifier(small(booster, n_estimators=40, learning_rate=0.5), k=0.1).fit(X, Y)
    np.testing.assert_array_equal(model.decision_function(VALID), everything.decision_function(VALID))
    assert asked_for(model.estimator_) == asked_for(estimator)
    with pytest.raises(
        ValueError, match=r"^calibration='sigmoid' .* eval_set holds the training rows only; pass other ro"
    ):
        HSClassifier(estimator, calibration="sigmoid").fit(X, Y, eval_set=[(X, Y)], **extra)


@STOPPING
def test_early_stopping_without_rows_to_watch_is_an_error(booster: str, way: str) -> None:
    estimator, extra = stops(booster, way)
    with pytest.raises(
        ValueError, match=r"^early stopping needs rows that the trees are not trained on; pass eval_set="
    ):
        HSClassifier(estimator).fit(X, Y, **extra)


@BOOSTERS
def test_the_same_rows_are_the_training_rows_however_they_come(booster: str) -> None:
    estimator, extra = stops(booster, "early_stopping_rounds")
    frame = pd.DataFrame(X, columns=list("abcde")).assign(y=Y)
    columns, valid = list("abcde"), (pd.DataFrame(VALID, columns=list("abcde")), Y_VALID)
    alone = HSClassifier(estimator, k=0.1).fit(frame[columns], frame["y"], eval_set=valid, **extra)
    for same in [(frame[columns], frame["y"]), (frame[columns].copy(), Y.tolist()), (frame[columns].iloc[:], Y)]:
        model = HSClassifier(estimator, k=0.1).fit(frame[columns], frame["y"], eval_set=[valid, same], **extra)
        assert best(model) == best(alone)
    # The same features with other labels are other rows.
    other = HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=[(VALID, Y_VALID), (X, 1 - Y)], **extra)
    assert best(other) == best(HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=(X, 1 - Y), **extra)) != best(alone)


HOLES = np.where(X > 1.0, np.nan, X)
FORMS: dict[str, Any] = {
    "array": lambda a: a.copy(),
    "view": lambda a: np.repeat(a, 2, axis=0)[::2],
    "fortran": np.asfortranarray,
    "lists": lambda a: a.tolist(),
    "pandas": lambda a: pd.DataFrame(a.copy(), columns=list("abcde"), index=np.arange(len(a)) * 3),
    "polars": lambda a: pytest.importorskip("polars").DataFrame({c: a[:, i] for i, c in enumerate("abcde")}),
    "arrow": lambda a: pytest.importorskip("pyarrow").table({c: a[:, i] for i, c in enumerate("abcde")}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("as_", FORMS)
def test_equal_values_are_recognised_in_any_container(form: str, as_: str) -> None:
    other = HOLES.copy()
    other[-1, -1] += 1.0
    assert same_data(FORMS[form](HOLES), FORMS[as_](HOLES))
    assert not same_data(FORMS[form](HOLES), FORMS[as_](other))
    assert not same_data(FORMS[form](HOLES), FORMS[as_](HOLES[:-1]))


def test_equal_values_are_recognised_in_sparse_matrices_and_categories() -> None:
    sparse = sp.csc_array(np.random.default_rng(0).binomial(1, 0.3, (50, 4)) * np.arange(1.0, 5.0))
    assert same_data(sparse, sp.csr_matrix(sparse))
    changed = sp.csr_matrix(sparse)
    changed.data[-1] += 1.0
    assert not same_data(sparse, changed)
    assert not same_data(sparse, sparse.toarray())
    frame = pd.DataFrame({"a": pd.Categorical(["x", None, "y"]), "b": [1, 2, 3], "c": pd.array([1, None, 3], "Int64")})
    assert same_data(frame, frame[["a", "b", "c"]].copy())
    assert not same_data(frame, frame.assign(a=pd.Categorical(["x", "y", "y"])))


class Incomparable:
    """A matrix that only a booster could read."""

    shape = (3, 2)


def test_what_cannot_be_compared_is_the_same_only_as_itself() -> None:
    one = Incomparable()
    assert same_data(one, one)
    assert not same_data(one, Incomparable())


def test_xgboosts_callback_may_name_its_set() -> None:
    sets = [(VALID, Y_VALID), OTHER, (X, Y)]
    estimator = small(
        "xgboost", n_estimators=40, callbacks=[xgb.callback.EarlyStopping(rounds=4, data_name="validation_0")]
    )
    model = HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=sets)
    assert best(model) == best(HSClassifier(estimator, k=0.1).fit(X, Y, eval_set=sets[0]))
    estimator.callbacks[0].data = "validation_2"
    with pytest.raises(ValueError, match=r"^EarlyStopping\(data_name='validation_2'\) names the training rows"):
        HSClassifier(estimator).fit(X, Y, eval_set=sets)


@pytest.mark.parametrize("first_only", [False, True])
def test_lightgbms_settings_of_early_stopping_go_with_it(first_only: bool) -> None:
    settings = {"early_stopping_round": 4, "first_metric_only": first_only, "early_stopping_min_delta": 0.002}
    estimator = small("lightgbm", n_estimators=40, learning_rate=0.5, metric="None", **settings)
    metrics = {"eval_metric": [PrecisionAtK(0.1).lightgbm, lambda y, s: ("auc", roc_auc_score(y, s), True)]}
    alone = HSClassifier(estimator).fit(X, Y, eval_set=(VALID, Y_VALID), **metrics)
    model = HSClassifier(estimator).fit(
        X, Y, eval_set=[(VALID, Y_VALID), (X, Y)], eval_names=["new", "seen"], **metrics
    )
    assert best(model) == best(alone)
    assert list(model.estimator_.evals_result_) == ["new", "seen"]
    assert model.estimator_.get_params()["early_stopping_round"] == 4


@BOOSTERS
def test_the_calibrator_and_predictions_see_the_same_score_with_groups(booster: str) -> None:
    groups, new = np.arange(N) % 3, np.arange(300) % 3
    estimator, extra = stops(booster, "early_stopping_rounds")
    model = HSClassifier(estimator, k=0.1, calibration="isotonic").fit(
        X, Y, groups=groups, eval_set=(VALID, Y_VALID), eval_groups=new, eval_sample_weight=W_VALID, **extra
    )
    calibrated_by(model, "isotonic", VALID, Y_VALID, W_VALID)
    mean = np.average(model.predict_proba(VALID)[:, 1], weights=W_VALID)
    assert mean == pytest.approx(np.average(Y_VALID, weights=W_VALID), abs=1e-6)


@pytest.mark.parametrize("booster", ["lightgbm"])
def test_the_lists_that_users_pass_stay_theirs(booster: str) -> None:
    metrics, names, weights = ["auc", "logloss"], ["new"], [W_VALID]
    before = W_VALID.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        HSClassifier(small(booster)).fit(
            *multi(),
            eval_set=[multi(300, seed=5)],
            eval_metric=metrics[1:],
            eval_names=names,
            eval_sample_weight=weights,
        )
        HSClassifier(small(booster)).fit(X, Y, eval_set=[(VALID, Y_VALID)], eval_metric=metrics)
    assert metrics == ["auc", "logloss"]
    assert names == ["new"]
    np.testing.assert_array_equal(weights[0], before)
