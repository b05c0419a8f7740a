"""DaskHSClassifier: weights of evaluation rows, the set that decides, and fits that fail."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from xgboost import XGBClassifier

from hsboost import HSClassifier, precision_at_k
from hsboost.estimators import _calibration

da = pytest.importorskip("dask.array", reason="needs dask")
pytest.importorskip("distributed", reason="needs distributed")

from hsboost.dask import DaskHSClassifier, _training  # noqa: E402

pytestmark = pytest.mark.truth

#: Uneven partitions, one of them empty.
CHUNKS = (120, 0, 30, 150)
NAMES = np.array(["no", "yes"])


def trees(**settings: Any) -> XGBClassifier:
    return XGBClassifier(**{"n_estimators": 4, "max_depth": 3, "n_jobs": 1, "random_state": 0} | settings)


def make(seed: int, flipped: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose few distinct values make the same bins for any layout; text labels."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(300, 4)).round(1).astype(np.float32)
    y = X[:, 0] + rng.normal(size=300) > 0.8
    return X, NAMES[np.where(rng.random(300) < flipped, ~y, y).astype(int)]


def spread(rows: np.ndarray) -> Any:
    return da.from_array(rows, chunks=(CHUNKS, *[(size,) for size in rows.shape[1:]]))


TRAIN, VALID, OTHER = make(0), make(1), make(2, flipped=0.3)
TRAIN_D, VALID_D, OTHER_D = ([spread(part) for part in pair] for pair in (TRAIN, VALID, OTHER))
TRAIN_D, VALID_D, OTHER_D = tuple(TRAIN_D), tuple(VALID_D), tuple(OTHER_D)
WEIGHT = np.where(VALID[1] == "yes", 5.0, 1.0) * np.random.default_rng(0).integers(1, 4, 300)


def calibrated_by(model: Any, kind: Any, pair: Any, weight: Any = None) -> None:
    local = model.to_local()
    scores = local.decision_function(pair[0])
    expected = _calibration.fit_all(kind, scores, (pair[1] == "yes").astype(np.int32), weight)
    np.testing.assert_allclose(local.predict_proba(pair[0]), _calibration.predict(expected, scores), atol=1e-6)


@pytest.mark.parametrize(("kind", "name"), [("sigmoid", "eval_sample_weight"), ("isotonic", "sample_weight_eval_set")])
def test_weights_of_evaluation_rows(kind: Any, name: str, client: Any) -> None:
    model = DaskHSClassifier(trees(class_weight="balanced"), k=0.1, calibration=kind)
    model.fit(*TRAIN_D, eval_set=VALID_D, **{name: [spread(WEIGHT)]}, eval_class_weight={"no": 3.0})
    calibrated_by(model, kind, VALID, WEIGHT)
    by_row = WEIGHT * np.where(VALID[1] == "no", 3.0, 1.0)
    scores = model.to_local().decision_function(VALID[0])
    expected = precision_at_k(VALID[1] == "yes", scores, 0.1, sample_weight=by_row)
    ((history,),) = (list(one.values()) for one in model.evals_result_.values())
    assert history[-1] == pytest.approx(expected, abs=1e-6)
    assert history[-1] != pytest.approx(precision_at_k(VALID[1] == "yes", scores, 0.1), abs=1e-3)
    # Class weights on the booster are those of HSClassifier.
    here = HSClassifier(trees(), threshold="training", class_weight="balanced", k=0.1).fit(*TRAIN)
    np.testing.assert_allclose(scores, here.decision_function(VALID[0]), atol=1e-4)


def test_balanced_evaluation_rows(client: Any) -> None:
    model = DaskHSClassifier(trees(), k=0.1).fit(*TRAIN_D, eval_set=[VALID_D], eval_class_weight=["balanced"])
    here = HSClassifier(trees(), threshold="training", k=0.1).fit(
        *TRAIN, eval_set=[VALID], eval_class_weight=["balanced"]
    )
    ((history,),) = (list(one.values()) for one in model.evals_result_.values())
    assert history == pytest.approx(next(iter(here.estimator_.evals_result()["validation_0"].values())), abs=1e-6)


@pytest.mark.parametrize("several", [False, True])
def test_both_forms_of_evaluation_sets(several: bool, client: Any) -> None:
    pairs = [VALID_D, OTHER_D] if several else [VALID_D]
    in_two = tuple(zip(*pairs, strict=True)) if several else VALID_D
    right = DaskHSClassifier(trees(), k=0.1).fit(*TRAIN_D, eval_set=pairs)
    found = DaskHSClassifier(trees(), k=0.1).fit(*TRAIN_D, eval_X=in_two[0], eval_y=in_two[1])
    assert found.evals_result_ == right.evals_result_
    with pytest.raises(ValueError, match="eval_set and eval_X, eval_y are one argument in two forms"):
        DaskHSClassifier(trees()).fit(*TRAIN_D, eval_set=pairs, eval_X=in_two[0], eval_y=in_two[1])


EVAL = {"eval_set": VALID_D}
BAD = [
    (
        EVAL | {"eval_sample_weight": [spread(-WEIGHT)]},
        ValueError,
        r"^partition 0: eval_sample_weight\[0\] must be fin",
    ),
    (
        EVAL | {"eval_sample_weight": [spread(WEIGHT * 0)]},
        ValueError,
        r"^eval_sample_weight\[0\] must have a positive su",
    ),
    (
        EVAL | {"eval_sample_weight": [WEIGHT]},
        TypeError,
        r"^eval_sample_weight\[0\] must be a Dask array or data frame",
    ),
    (
        EVAL | {"sample_weight_eval_set": [None, None]},
        ValueError,
        r"^sample_weight_eval_set must have one entry .* got 2",
    ),
    (
        EVAL | {"eval_class_weight": {"nope": 1.0}},
        ValueError,
        r"^eval_class_weight\[0\] has a weight for 'nope', which",
    ),
    (
        {"eval_sample_weight": [spread(WEIGHT)]},
        ValueError,
        r"^eval_sample_weight goes with eval_set, and there is none",
    ),
]


@pytest.mark.parametrize(("arguments", "kind", "message"), BAD)
def test_bad_weights_of_evaluation_rows(arguments: Any, kind: Any, message: str, client: Any) -> None:
    with pytest.raises(kind, match=message):
        DaskHSClassifier(trees()).fit(*TRAIN_D, **arguments)


COPY_D = tuple(da.from_array(part, chunks=one.chunks, name=False) for part, one in zip(TRAIN, TRAIN_D, strict=True))


@pytest.mark.parametrize(("way", "same"), [("parameter", "itself"), ("callback", "equal")])
def test_the_last_set_that_is_not_the_training_rows_decides(way: str, same: str, client: Any) -> None:
    settings = {"n_estimators": 30, "learning_rate": 0.5}
    stop = {"early_stopping_rounds": 4} if way == "parameter" else {"callbacks": [xgb.callback.EarlyStopping(rounds=4)]}
    known = TRAIN_D if same == "itself" else COPY_D
    model = DaskHSClassifier(trees(**stop, **settings), k=0.1, calibration="sigmoid")
    model.fit(*TRAIN_D, eval_set=[OTHER_D, VALID_D, known])
    here = HSClassifier(trees(**stop, **settings), threshold="training", k=0.1).fit(*TRAIN, eval_set=VALID)
    assert model.booster_.best_iteration == here.estimator_.best_iteration < 25
    calibrated_by(model, "sigmoid", VALID)
    assert list(model.evals_result_) == ["validation_0", "validation_1", "validation_2"]
    with pytest.warns(UserWarning, match="eval_set holds the training rows only"):
        alone = DaskHSClassifier(trees(**stop, **settings), k=0.1).fit(*TRAIN_D, eval_set=known)
    assert alone.booster_.num_boosted_rounds() == 30
    with pytest.raises(ValueError, match="eval_set holds the training rows only; pass other rows"):
        DaskHSClassifier(trees(), calibration="sigmoid").fit(*TRAIN_D, eval_set=known)


class OwnError(Exception):
    """Raised in the midst of a fit."""


@pytest.mark.parametrize("fault", ["one class", "interrupt", "thresholds", "calibrator"])
def test_a_failed_fit_leaves_no_trace(fault: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name = {
        "interrupt": (_training, "train"),
        "thresholds": (_training, "find_thresholds"), "calibrator": (_calibration, "fit_all"),
    }.get(fault, (None, None))  # fmt: skip
    error = {"interrupt": KeyboardInterrupt, "one class": ValueError}.get(fault, OwnError)
    given = (VALID_D[0], spread(np.full(300, "yes"))) if fault == "one class" else VALID_D

    def fail(model: Any) -> None:
        if owner is not None:

            def raising(*_: Any, **__: Any) -> Any:
                raise error

            monkeypatch.setattr(owner, name, raising)
        with pytest.raises(error):
            model.fit(*TRAIN_D, eval_set=given)
        monkeypatch.undo()

    model = DaskHSClassifier(trees(n_estimators=2), k=0.1).fit(*OTHER_D, groups=spread(np.arange(300) % 3))
    model.set_params(calibration="isotonic")
    before = dict(vars(model)) | {"of local_": dict(vars(model.local_))}
    fail(model)
    after = dict(vars(model)) | {"of local_": dict(vars(model.local_))}
    assert list(after) == list(before)
    assert all(after[name] is before[name] for name in vars(model))
    assert after["of local_"] == before["of local_"]
    first = DaskHSClassifier(trees(n_estimators=2), calibration="isotonic")
    fail(first)
    with pytest.raises(NotFittedError):
        check_is_fitted(first)
    assert not hasattr(first, "evals_result_")


@pytest.mark.parametrize("loss", ["hypersimplex", "log-loss"])
def test_weights_beyond_xgboosts_sums_are_refused(client: Any, loss: str) -> None:
    model = DaskHSClassifier(trees(), loss=loss)
    with pytest.raises(ValueError, match=r"^sample_weight must have a sum of at most 1e\+19 .*got 3e\+2\d; divide the"):
        model.fit(*TRAIN_D, sample_weight=spread(np.full(300, 1e20)))


# Evaluation sets as they are passed


def at(row: int, value: Any) -> np.ndarray:
    labels = VALID[1].astype(object)
    labels[row] = value
    return labels


@pytest.mark.parametrize(
    "form",
    [(VALID_D,), [list(VALID_D)], (list(VALID_D),), (VALID_D, OTHER_D), [list(VALID_D), OTHER_D]],
    ids=["tuple of one", "list of lists", "tuple of lists", "two in a tuple", "two in a list"],
)
def test_forms_of_evaluation_sets(client: Any, form: Any) -> None:
    model = DaskHSClassifier(trees(), k=0.2).fit(*TRAIN_D, eval_set=form)
    right = precision_at_k(VALID[1] == "yes", model.to_local().decision_function(VALID[0]), 0.2)
    assert len(model.evals_result_) == len(form)
    assert model.evals_result_["validation_0"]["precision@0.2"][-1] == pytest.approx(right, abs=1e-6)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (at(200, None), r"^partition 3: {}'s y must not contain NaN or infinity.*first: row 50, None"),
        (at(200, np.nan), r"^partition 3: {}'s y must not contain NaN or infinity.*first: row 50, nan"),
        (at(125, "?"), r"^partition 2: {} holds the label '\?' at row 5 .*, which y does not; known: \['no', 'yes'\]"),
        (np.column_stack([VALID[1]] * 2), r"{}'s y should be a 1d array, got an array of shape \((120|30|150), 2\)"),
    ],
    ids=["None", "nan", "unknown", "two columns"],
)
@pytest.mark.parametrize("more", [{}, {"eval_class_weight": "balanced"}])
def test_labels_of_evaluation_sets(client: Any, several: bool, labels: Any, said: str, more: Any) -> None:
    name = r"eval_set\[1\]" if several else "eval_set"
    sets = [OTHER_D, (VALID_D[0], spread(labels))] if several else (VALID_D[0], spread(labels))
    if several and more:
        more = {"eval_class_weight": [None, "balanced"]}
    with pytest.raises(ValueError, match=said.format(name)):
        DaskHSClassifier(trees()).fit(*TRAIN_D, eval_set=sets, **more)


@pytest.mark.parametrize("more", [{}, {"eval_class_weight": "balanced"}, {"eval_sample_weight": "ones"}])
def test_empty_evaluation_sets(client: Any, more: Any) -> None:
    rows, labels = da.from_array(VALID[0][:0]), da.from_array(VALID[1][:0])
    given = {"eval_sample_weight": da.ones(0)} if "eval_sample_weight" in more else more
    with pytest.raises(ValueError, match=r"^eval_set is empty, its X has 0 rows; pass rows to watch"):
        DaskHSClassifier(trees()).fit(*TRAIN_D, eval_set=(rows, labels), **given)


def test_evaluation_sets_that_are_none(client: Any) -> None:
    with pytest.raises(ValueError, match=r"^eval_set's X is None; pass rows with the columns of X"):
        DaskHSClassifier(trees()).fit(*TRAIN_D, eval_set=(None, VALID_D[1]))
    with pytest.raises(TypeError, match=r"^eval_set's y must be a Dask array or data frame, got NoneType"):
        DaskHSClassifier(trees()).fit(*TRAIN_D, eval_set=(VALID_D[0], None))


@pytest.mark.parametrize(
    ("weight", "said"),
    [
        (1e-320, r"^{} must not be below 1\.4e-45 in every row, .* got 1e-320 at most; multiply"),
        (1e300, r"^partition \d: {} must be at most 3\.4e\+38, .* got 1e\+300 at row 0; divide the weights"),
        (0.0, r"^{} must have a positive sum, got 0\.0"),
    ],
)
def test_evaluation_weights_that_float32_cannot_hold(client: Any, weight: float, said: str) -> None:
    weights, by_class = spread(np.full(300, weight)), {"no": weight, "yes": weight}
    model = DaskHSClassifier(trees())
    for argument in ("eval_sample_weight", "sample_weight_eval_set"):
        with pytest.raises(ValueError, match=said.format(rf"{argument}\[0\]")):
            model.fit(*TRAIN_D, eval_set=VALID_D, **{argument: weights})
    with pytest.raises(ValueError, match=said.format(r"eval_class_weight\[0\]")):
        model.fit(*TRAIN_D, eval_set=VALID_D, eval_class_weight=by_class)


@pytest.mark.parametrize("route", ["sample_weight", "sample_weight times class_weight"])
def test_training_weights_that_leave_nothing(client: Any, route: str) -> None:
    def fit(no: float, yes: float) -> None:
        if route == "sample_weight":
            DaskHSClassifier(trees()).fit(*TRAIN_D, spread(np.where(TRAIN[1] == "yes", yes, no)))
        else:
            DaskHSClassifier(trees(), class_weight={"no": no, "yes": yes}).fit(*TRAIN_D)

    with pytest.raises(ValueError, match=rf"^{route} leaves the class 'yes' without any weight, and k=None"):
        fit(1.0, 0.0)
    with pytest.raises(ValueError, match=rf"^{route} leaves the class 'no' without any weight, and k=None"):
        fit(0.0, 1.0)
    with pytest.raises(ValueError, match=rf"^{route} must have a positive sum, got 0\.0"):
        fit(0.0, 0.0)
    with pytest.raises(ValueError, match=rf"^{route} must not be below 1\.4e-45 in every row"):
        fit(1e-320, 1e-320)
