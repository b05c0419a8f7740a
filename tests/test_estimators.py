"""HSClassifier: labels, weights, budgets, thresholds, early stopping and calibration."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from _boosters import make_data, make_weight
from _versions import need_arrow
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from xgboost import XGBClassifier

from hsboost import HSClassifier, PrecisionAtK, precision_at_k

N = 240
BOOSTERS = pytest.mark.parametrize("booster", ["xgboost", "lightgbm"])
KINDS = pytest.mark.parametrize("kind", ["sigmoid", "isotonic"])


def small(booster: str, **params: Any) -> Any:
    """A booster that is quick to train."""
    if booster == "xgboost":
        return XGBClassifier(**{"n_estimators": 10, "max_depth": 3, "n_jobs": 1, **params})
    return LGBMClassifier(**{"n_estimators": 10, "num_leaves": 8, "n_jobs": 1, "verbose": -1, **params})


def data(n: int = N, seed: int = 0, share: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    """Continuous features, labels 0 and 1; the first column tells rows apart."""
    X, y = make_data(n, seed, share)
    return X + np.random.default_rng(seed).uniform(-0.04, 0.04, X.shape), y.astype(int)


def raw(model: HSClassifier, X: Any, rounds: int | None = None) -> np.ndarray:
    """Raw scores of the first rounds (None: of those the booster predicts with), past HSClassifier."""
    booster = model.estimator_
    if isinstance(booster, XGBClassifier):
        extra = {} if rounds is None else {"iteration_range": (0, rounds)}
        return booster.predict(X, output_margin=True, **extra).astype(np.float64)
    return np.asarray(booster.predict(X, raw_score=True, num_iteration=rounds))


# Ways in


@BOOSTERS
def test_by_name_by_instance_and_by_default(booster: str) -> None:
    X, y = data(60)
    kind = XGBClassifier if booster == "xgboost" else LGBMClassifier
    by_name = HSClassifier(booster).fit(X, y)
    by_instance = HSClassifier(kind()).fit(X, y)
    assert type(by_name.estimator_).__bases__ == (kind,)  # guarded
    np.testing.assert_array_equal(by_name.decision_function(X), by_instance.decision_function(X))
    if booster == "xgboost":
        np.testing.assert_array_equal(HSClassifier().fit(X, y).decision_function(X), by_name.decision_function(X))


@BOOSTERS
def test_the_given_estimator_is_left_as_it_was(booster: str) -> None:
    X, y = data()
    given = small(booster, reg_lambda=3.0)
    before = given.get_params()
    model = HSClassifier(given).fit(X, y)
    assert model.estimator is given
    assert model.estimator_ is not given
    np.testing.assert_equal(given.get_params(), before)
    with pytest.raises(NotFittedError):
        given.predict(X)
    assert model.estimator_.get_params()["reg_lambda"] == 3.0
    assert model.estimator_.get_params()["objective"] is model.objective_


@BOOSTERS
def test_a_subclass_of_a_booster_is_a_booster(booster: str) -> None:
    X, y = data()
    kind = type("Mine", (type(small(booster)),), {})
    assert isinstance(HSClassifier(kind(n_estimators=3, n_jobs=1)).fit(X, y).estimator_, kind)


@BOOSTERS
@pytest.mark.parametrize(
    "labels",
    [
        np.array(["ham", "spam"]), np.array(["no", "yes"], dtype=object), np.array([False, True]), np.array([1, 2]),
        np.array([-1, 1]), np.array([0.0, 1.0]), np.array([0, 1], dtype=np.uint8),
    ],
    ids=["str", "object", "bool", "1-2", "signs", "float", "uint8"],
)  # fmt: skip
def test_labels_of_any_type_give_the_same_model(booster: str, labels: np.ndarray) -> None:
    X, y = data()
    expected = HSClassifier(small(booster)).fit(X, y)
    model = HSClassifier(small(booster)).fit(X, labels[y], eval_set=(X[:50], labels[y[:50]]))
    np.testing.assert_array_equal(model.classes_, labels)
    assert model.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(model.decision_function(X), expected.decision_function(X))
    np.testing.assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert model.predict(X).dtype == labels.dtype


@BOOSTERS
@pytest.mark.parametrize("dtype", ["str", "category", "list"])
def test_labels_in_pandas_and_lists(booster: str, dtype: str) -> None:
    X, y = data()
    names = np.where(y == 1, "yes", "no")
    labels = names.tolist() if dtype == "list" else pd.Series(names, dtype=dtype, index=np.arange(N) * 7)
    model = HSClassifier(small(booster)).fit(X, labels)
    assert model.classes_.tolist() == ["no", "yes"]
    assert model.score(X, names) == HSClassifier(small(booster)).fit(X, y).score(X, y) > 0.7


@BOOSTERS
def test_data_frames_arrow_tables_and_lists_give_the_model_of_the_array(booster: str) -> None:
    need_arrow(booster, "arrow")
    pa = pytest.importorskip("pyarrow")
    X, y = data()
    expected = HSClassifier(small(booster)).fit(X, y).decision_function(X)
    frame = pd.DataFrame(X, columns=list("abcde"))
    for form in (frame, pa.table({name: frame[name].to_numpy() for name in frame}), X.tolist()):
        model = HSClassifier(small(booster)).fit(form, y)
        np.testing.assert_array_equal(model.decision_function(form), expected)
        assert hasattr(model, "feature_names_in_") == (not isinstance(form, list))


# Weights


@pytest.mark.parametrize("k", [None, 0.2, 60])
def test_integer_weights_are_repeated_rows(k: int | float | None) -> None:
    # With hessian="exact" they are so but for the curvature: see test_estimator_checks.
    X, y = data()
    weight = np.random.default_rng(1).integers(1, 4, N)
    model = HSClassifier(
        small("xgboost", tree_method="exact"), k=k, loss="hypersimplex", hessian="unit", threshold="training"
    )
    weighted = clone(model).fit(X, y, sample_weight=weight)
    repeated = clone(model).fit(X.repeat(weight, axis=0), y.repeat(weight))
    np.testing.assert_allclose(weighted.decision_function(X), repeated.decision_function(X), atol=1e-5)
    assert weighted.threshold_ == pytest.approx(repeated.threshold_, abs=1e-5)


@pytest.mark.parametrize("k", [None, 0.1, 0.2, 0.3, 50])
def test_rows_of_weight_zero_are_as_good_as_absent(k: int | float | None) -> None:
    X, y = data()
    weight = np.random.default_rng(1).integers(0, 2, N)
    model = HSClassifier(small("xgboost"), k=k, threshold="training")
    with_zeros = clone(model).fit(X, y, sample_weight=weight)
    without = clone(model).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_allclose(raw(with_zeros, X), raw(without, X), atol=1e-6)
    assert with_zeros.threshold_ == pytest.approx(without.threshold_, abs=1e-6)


@BOOSTERS
def test_weights_reach_the_booster_and_the_threshold(booster: str) -> None:
    X, y = data()
    weight = make_weight(N)
    model = HSClassifier(small(booster, n_estimators=30), k=0.2, threshold="training").fit(X, y, sample_weight=weight)
    assert (
        np.abs(raw(model, X) - raw(HSClassifier(model.estimator, k=0.2, threshold="training").fit(X, y), X)).max()
        > 1e-3
    )
    above = weight[model.decision_function(X) > 0].sum()
    assert abs(above - 0.2 * weight.sum()) <= weight.max() / 2


# Budgets and thresholds


@BOOSTERS
@pytest.mark.parametrize("k", [None, 17, 60, 200, 240, 0, 0.1, 0.37])
def test_exactly_k_training_rows_exceed_the_threshold(booster: str, k: int | float | None) -> None:
    X, y = data()
    model = HSClassifier(
        small(booster, n_estimators=60, min_child_weight=0.0), k=k, threshold="training", loss="hypersimplex"
    ).fit(X, y)
    scores = raw(model, X)
    mass = y.sum() if k is None else k if isinstance(k, int) else k * N
    count = int(np.floor(mass + 0.5))
    ranked = np.sort(scores)[::-1]
    assert count in (0, N) or ranked[count - 1] > ranked[count], "scores tied at the boundary: no test"
    assert (scores > model.threshold_).sum() == count
    if 0 < count < N:
        assert model.threshold_ == pytest.approx((ranked[count - 1] + ranked[count]) / 2)
    np.testing.assert_array_equal(model.decision_function(X), scores - model.threshold_)
    assert model.predict(X).sum() == count


@BOOSTERS
def test_decision_function_above_zero_is_predict_positive(booster: str) -> None:
    X, y = data()
    model = HSClassifier(small(booster), k=0.3).fit(X, np.where(y == 1, "yes", "no"))
    X_new, _ = data(1000, seed=9)
    decision = model.decision_function(X_new)
    assert decision.dtype == np.float64
    assert decision.shape == (1000,)
    np.testing.assert_array_equal(model.predict(X_new) == "yes", decision > 0)
    assert model.predict(X_new[:1]) == model.predict(X_new)[:1]


@BOOSTERS
def test_the_budget_is_what_is_trained_for(booster: str) -> None:
    X, y = data(1500, share=0.3)
    X_new, y_new = data(1500, seed=8, share=0.3)
    model = HSClassifier(small(booster, n_estimators=40), k=0.05).fit(X, y)
    assert model.objective_.loss.k == 0.05
    assert precision_at_k(y_new, model.decision_function(X_new), 0.05) > 2 * y_new.mean()


@BOOSTERS
@pytest.mark.parametrize("k", [0, 1, 7, 100, 240, 0.1, 0.5])
def test_predict_top_k_is_exact(booster: str, k: int | float) -> None:
    X, y = data()
    model = HSClassifier(small(booster, n_estimators=3)).fit(X, np.where(y == 1, "yes", "no"))
    chosen = model.predict_top_k(X, k) == "yes"
    count = k if isinstance(k, int) else round(k * N)
    assert chosen.sum() == count
    decision = model.decision_function(X)
    if 0 < count < N:
        edge = decision[chosen].min()
        assert edge >= decision[~chosen].max()
        tied = np.flatnonzero(decision == edge)
        taken = int(chosen[tied].sum())
        assert chosen[tied[:taken]].all()  # ties go to the rows that come first
        assert not chosen[tied[taken:]].any()


def test_predict_top_k_among_equal_rows_takes_the_first() -> None:
    X, y = data()
    model = HSClassifier(small("xgboost")).fit(X, y)
    np.testing.assert_array_equal(model.predict_top_k(np.repeat(X[:1], 6, axis=0), 2), [1, 1, 0, 0, 0, 0])


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (None, r"k must be an int \(a count\) or a float in \(0, 1\).*no labels"),
        (-1, r"k as a count must be >= 0, got -1"),
        (1.0, r"k as a float is a share"),
        (True, r"k must be None, an int"),
        ("a", r"k must be None, an int"),
    ],
)
def test_predict_top_k_refuses(k: Any, message: str) -> None:
    X, y = data()
    with pytest.raises(ValueError, match=message):
        HSClassifier(small("xgboost", n_estimators=2)).fit(X, y).predict_top_k(X, k)


# Early stopping


@BOOSTERS
@pytest.mark.parametrize("k", [None, 0.1])
def test_early_stopping_counts_for_predictions_and_for_the_threshold(booster: str, k: float | None) -> None:
    X, y = data(600, seed=3)
    X, y, X_val, y_val = X[:300], y[:300], X[300:], y[300:]
    metric, extra = PrecisionAtK(0.1), {}
    if booster == "xgboost":
        estimator = small(booster, n_estimators=60, learning_rate=0.3, eval_metric=metric, early_stopping_rounds=8)
    else:
        estimator = small(booster, n_estimators=60, learning_rate=0.3, metric="None")
        extra = {"eval_metric": metric.lightgbm, "callbacks": [lgb.early_stopping(8, verbose=False)]}
    model = HSClassifier(estimator, k=k, threshold="training", loss="hypersimplex").fit(
        X, y, eval_set=(X_val, y_val), **extra
    )
    fitted = model.estimator_
    if booster == "xgboost":
        history, best = fitted.evals_result()["validation_0"][metric.__name__], fitted.best_iteration + 1
    else:
        history, best = fitted.evals_result_["valid_0"][metric.__name__], fitted.best_iteration_
    assert best == int(np.argmax(history)) + 1 < len(history) < 60
    # The same trees grown with no early stopping in sight, for as long and for longer.
    same = HSClassifier(
        small(booster, n_estimators=best, learning_rate=0.3), k=k, threshold="training", loss="hypersimplex"
    ).fit(X, y)
    longer = HSClassifier(
        small(booster, n_estimators=len(history), learning_rate=0.3), k=k, threshold="training", loss="hypersimplex"
    ).fit(X, y)
    assert model.threshold_ == same.threshold_ != longer.threshold_
    assert model.threshold_ == model.objective_.fit_threshold(raw(model, X, best), y)
    np.testing.assert_array_equal(model.decision_function(X_val), same.decision_function(X_val))
    np.testing.assert_array_equal(model.predict(X_val), (raw(same, X_val) > same.threshold_).astype(int))


@BOOSTERS
def test_several_eval_sets(booster: str, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    extra = {} if booster == "xgboost" else {"eval_metric": PrecisionAtK().lightgbm}
    model = HSClassifier(small(booster)).fit(X, y, eval_set=[(X[:100], y[:100]), (X[100:], y[100:])], **extra)
    sets = model.estimator_.evals_result() if booster == "xgboost" else model.estimator_.evals_result_
    assert len(sets) == 2
    assert "validation" not in capsys.readouterr().out


# Calibration


class Watched:
    """Mixed into a booster, notes what it is trained on."""

    seen: list[dict[str, Any]] = []  # noqa: RUF012

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **extra: Any) -> Any:
        self.seen.append({"X": np.asarray(X), "y": np.asarray(y), "weight": sample_weight})
        return super().fit(X, y, sample_weight=sample_weight, **extra)  # type: ignore[misc]


def watched(booster: str) -> tuple[Any, list[dict[str, Any]]]:
    seen: list[dict[str, Any]] = []
    plain = small(booster)
    kind = type("Spy", (Watched, type(plain)), {"seen": seen})
    return kind(**{name: plain.get_params()[name] for name in ("n_estimators", "n_jobs", "max_depth")}), seen


def by_hand(kind: str, decision: np.ndarray, y: np.ndarray, new: np.ndarray, weight: Any = None) -> np.ndarray:
    """The calibrator that scikit-learn fits on these scores."""
    if kind == "isotonic":
        return IsotonicRegression(out_of_bounds="clip").fit(decision, y, sample_weight=weight).predict(new)
    model = LogisticRegression(C=1e9, tol=1e-8, max_iter=1000).fit(decision[:, None], y, sample_weight=weight)
    return model.predict_proba(new[:, None])[:, 1]


@BOOSTERS
@KINDS
@pytest.mark.parametrize("weighted", [False, True])
def test_held_out_rows_fit_the_calibrator_and_never_reach_the_trees(booster: str, kind: Any, weighted: bool) -> None:
    X, y = data(400)
    weight = make_weight(400) if weighted else None
    estimator, seen = watched(booster)
    model = HSClassifier(estimator, calibration=kind, calibration_fraction=0.25, random_state=3, threshold="training")
    model.fit(X, np.where(y == 1, "yes", "no"), sample_weight=weight)
    (given,) = seen
    train = np.isin(X[:, 0], given["X"][:, 0])
    assert len(given["X"]) == train.sum() == 300
    np.testing.assert_array_equal(given["X"], X[train])
    np.testing.assert_array_equal(given["y"], y[train])
    assert y[~train].mean() == pytest.approx(y.mean(), abs=0.006)
    if weight is not None:
        np.testing.assert_array_equal(given["weight"], weight[train])
    held_weight = None if weight is None else weight[~train]
    decision = model.decision_function(X)
    expected = by_hand(kind, decision[~train], y[~train], decision, held_weight)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], expected, atol=1e-3)
    assert model.threshold_ == model.objective_.fit_threshold(raw(model, X[train]), y[train], given["weight"])


@BOOSTERS
@KINDS
def test_an_eval_set_fits_the_calibrator_and_all_rows_the_trees(booster: str, kind: Any) -> None:
    X, y = data()
    X_val, y_val = data(300, seed=4)
    estimator, seen = watched(booster)
    plain = HSClassifier(estimator, threshold="training").fit(X, y)
    model = HSClassifier(estimator, calibration=kind, threshold="training").fit(
        X, y, eval_set=[(X[:9], y[:9]), (X_val, y_val)]
    )
    np.testing.assert_array_equal(seen[-1]["X"], X)
    decision = model.decision_function(X_val)
    np.testing.assert_array_equal(decision, plain.decision_function(X_val))
    expected = by_hand(kind, decision, y_val, decision)
    np.testing.assert_allclose(model.predict_proba(X_val)[:, 1], expected, atol=1e-3)


@BOOSTERS
@KINDS
def test_probabilities_are_probabilities_and_rise_with_the_score(booster: str, kind: Any) -> None:
    X, y = data(400)
    model = HSClassifier(small(booster), calibration=kind, calibration_fraction=0.3, random_state=0).fit(X, y)
    X_new, y_new = data(2000, seed=6)
    probability = model.predict_proba(X_new * 3)
    assert probability.shape == (2000, 2)
    assert probability.min() >= 0.0
    assert probability.max() <= 1.0
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-12)
    order = np.argsort(model.decision_function(X_new * 3), kind="stable")
    assert (np.diff(probability[order, 1]) >= 0).all()
    assert abs(model.predict_proba(X_new)[:, 1].mean() - y_new.mean()) < 0.1


def test_the_random_state_chooses_the_rows() -> None:
    X, y = data()
    estimator, seen = watched("xgboost")
    for state in (0, 0, 1, np.random.RandomState(0)):
        HSClassifier(estimator, calibration="sigmoid", random_state=state, threshold="training").fit(X, y)
    rows = [set(given["X"][:, 0]) for given in seen]
    assert rows[0] == rows[1] == rows[3] != rows[2]
    assert len(rows[0]) == N - 24


@BOOSTERS
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [0, 60, N])
def test_a_count_keeps_its_rate_when_rows_are_held_out(booster: str, weighted: bool, k: int) -> None:
    X, y = data()
    weight = make_weight(N) if weighted else np.ones(N)
    k = min(k, int(weight.sum())) if weighted else k
    estimator, seen = watched(booster)
    settings = {"calibration": "sigmoid", "calibration_fraction": 0.25, "random_state": 0, "threshold": "training"}
    model = HSClassifier(estimator, k=k, **settings).fit(X, y, sample_weight=weight)
    given = seen[0]
    mass = k / weight.sum() * given["weight"].sum()
    above = given["weight"][model.decision_function(given["X"]) > 0].sum()
    assert abs(above - mass) < 0.03 * weight.sum()
    reference = HSClassifier(small(booster), k=k).fit(X, y, sample_weight=weight, eval_set=(X, y))
    assert reference.objective_.loss.k == k
