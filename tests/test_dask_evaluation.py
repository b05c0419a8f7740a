"""DaskHSClassifier: weights of evaluation rows, the set that decides, and fits that fail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from _cluster import local_client
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted
from xgboost import XGBClassifier

from hsboost import HSClassifier, _calibration, precision_at_k

da = pytest.importorskip("dask.array", reason="needs dask")
pytest.importorskip("distributed", reason="needs distributed")

from hsboost.dask import DaskHSClassifier, _training  # noqa: E402

pytestmark = pytest.mark.truth

#: Uneven partitions, one of them empty.
CHUNKS = (120, 0, 30, 150)
NAMES = np.array(["no", "yes"])


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_client() as found:
        yield found


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
    here = HSClassifier(trees(), class_weight="balanced", k=0.1).fit(*TRAIN)
    np.testing.assert_allclose(scores, here.decision_function(VALID[0]), atol=1e-4)


def test_balanced_evaluation_rows(client: Any) -> None:
    model = DaskHSClassifier(trees(), k=0.1).fit(*TRAIN_D, eval_set=[VALID_D], eval_class_weight=["balanced"])
    here = HSClassifier(trees(), k=0.1).fit(*TRAIN, eval_set=[VALID], eval_class_weight=["balanced"])
    ((history,),) = (list(one.values()) for one in model.evals_result_.values())
    assert history == pytest.approx(next(iter(here.estimator_.evals_result()["validation_0"].values())), abs=1e-6)


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
    here = HSClassifier(trees(**stop, **settings), k=0.1).fit(*TRAIN, eval_set=VALID)
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
