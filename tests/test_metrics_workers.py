"""Metrics of rows spread over workers: the value of all rows together, on every worker."""

from __future__ import annotations

import pickle
import threading
import warnings
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb
from _boosters import LGB, XGB, lgb_data, make_data, make_weight, xgb_data
from _collective import on_workers
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from hsboost import PrecisionAtK, RecallAtK, hypersimplex_obj, precision_at_k, recall_at_k
from hsboost._workers import communicator, metrics
from hsboost.metrics import DistributedAUC

BUDGETS = pytest.mark.parametrize("k", [None, 7, 0.2, 0])


@pytest.fixture
def communicate(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a function on threads that the metrics take for XGBoost's workers."""
    here = threading.local()
    monkeypatch.setattr(communicator, "workers", lambda: here.workers)

    def run(size: int, work: Any) -> list[Any]:
        def enter(workers: Any) -> Any:
            here.workers = workers
            return work(workers.rank)

        return on_workers(size, enter)

    return run


def scattered(rng: np.random.Generator, n: int = 300, size: int = 3) -> tuple[np.ndarray, ...]:
    """Labels, tied scores, whole weights, and the worker of each row; the last worker has none."""
    y = (rng.random(n) < 0.3).astype(float)
    score = (rng.normal(size=n) + y).round(1).astype(np.float32)
    return y, score, rng.integers(0, 4, n).astype(float), rng.integers(0, size - 1, n)


@BUDGETS
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", [PrecisionAtK, RecallAtK])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_every_worker_gets_the_value_of_all_rows(
    metric: Any, weighted: bool, k: Any, communicate: Any, rng: np.random.Generator
) -> None:
    y, score, weight, place = scattered(rng)
    w = weight if weighted else None
    measure = metric(k)
    found = communicate(
        3, lambda rank: measure(y[place == rank], score[place == rank], None if w is None else w[place == rank])
    )
    function = precision_at_k if metric is PrecisionAtK else recall_at_k
    assert found[0] == pytest.approx(function(y, score, k, sample_weight=w), rel=1e-12)
    assert found == [found[0]] * 3


@pytest.mark.parametrize("k", [None, 20, 0.1, {0: 5, 1: 0.5, 2: None}])
def test_classes(k: Any, communicate: Any, rng: np.random.Generator) -> None:
    n = 200
    y, score, place = rng.integers(0, 3, n), rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, 2, n)
    score[np.arange(n), y] += 1
    measure = PrecisionAtK(k)
    # The worker without rows knows nothing of the columns.
    found = communicate(
        3, lambda rank: measure(y[place == rank], score[place == rank] if rank < 2 else np.empty(0, np.float32))
    )
    assert found == [pytest.approx(precision_at_k(y, score, k), rel=1e-12)] * 3


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("k", [None, 12, 0.1, "mapping"])
def test_groups_travel_in_the_data(k: Any, classes: int, communicate: Any, rng: np.random.Generator) -> None:
    n = 240
    groups, place = rng.choice([0.0, 1.0, 5.0], n), rng.integers(0, 2, n)
    place[groups == 5.0] = 1  # a group that only one worker has
    y = rng.integers(0, max(classes, 2), n)
    score = rng.normal(size=n if classes == 1 else (n, classes)).astype(np.float32)
    weight = rng.integers(1, 3, n).astype(float)
    if k == "mapping":
        k = {0: 3, 1: 0.2, 5: None}
        k = k if classes == 1 else dict.fromkeys(range(classes), k)
    measure = PrecisionAtK(k, groups="label_lower_bound")

    def work(rank: int) -> Any:
        mine = place == rank
        data = xgb.DMatrix(np.zeros((mine.sum(), 1)), y[mine], weight=weight[mine], label_lower_bound=groups[mine])
        return measure(score[mine], data)

    expected = precision_at_k(y, score, k, sample_weight=weight, groups=groups)
    assert communicate(3, work) == [(measure.__name__, pytest.approx(expected, rel=1e-12))] * 3


def test_groups_in_the_data_of_one_machine(rng: np.random.Generator) -> None:
    y, score, _, _ = scattered(rng)
    groups = rng.integers(0, 3, y.size)
    measure = pickle.loads(pickle.dumps(PrecisionAtK(5, groups="label_lower_bound")))
    data = xgb.DMatrix(np.zeros((y.size, 1)), y, label_lower_bound=groups)
    assert measure(score, data) == ("precision@5", precision_at_k(y, score, 5, groups=groups))
    assert repr(measure) == "PrecisionAtK(k=5, groups='label_lower_bound')"
    with pytest.raises(ValueError, match="build it with label_lower_bound="):
        measure(score, xgb.DMatrix(np.zeros((y.size, 1)), y))
    with pytest.raises(ValueError, match=r"needs an xgboost\.DMatrix"):
        measure(y, score)
    with pytest.raises(ValueError, match=r"groups must be None, 'dataset', 'label_lower_bound' or one label per"):
        PrecisionAtK(groups="label_upper_bound")


@pytest.mark.parametrize(
    ("measure", "change", "message"),
    [
        (PrecisionAtK(groups=[1, 2, 3]), {}, r"^groups describes 3 rows, but 3 workers hold the rows here; give the"),
        (PrecisionAtK({0: 1}), {}, r"^k is a mapping of 1 labels"),
        (PrecisionAtK(), {"score": np.nan}, r"^worker 1 of 3: y_score must be finite, got nan at row 2"),
        (DistributedAUC(), {"score": np.inf}, r"^worker 1 of 3: y_score must be finite, got inf at row 2"),
        (RecallAtK(), {"y": 2.0}, r"^worker 1 of 3: y_true must be 0 or 1, got 2\.0 at row 2"),
        (
            DistributedAUC(),
            {"weight": -1.0},
            r"^worker 1 of 3: sample_weight must be finite and >= 0, got -1\.0 at row 2",
        ),
    ],
)
def test_one_error_on_every_worker(
    measure: Any, change: dict[str, float], message: str, communicate: Any, rng: np.random.Generator
) -> None:
    y, score, weight, place = scattered(rng)
    weight[:] = 1.0
    at = np.flatnonzero(place == 1)[2]
    for name, value in change.items():
        {"y": y, "score": score, "weight": weight}[name][at] = value
    found = communicate(3, lambda rank: measure(y[place == rank], score[place == rank], weight[place == rank]))
    for one in found:
        assert isinstance(one, ValueError)
        with pytest.raises(ValueError, match=message):
            raise one


@st.composite
def spread(draw: st.DrawFn) -> tuple[np.ndarray, ...]:
    """Rows of both kinds with weight, on three workers."""
    n = draw(st.integers(2, 25))
    y = np.array(draw(st.lists(st.sampled_from([0.0, 1.0]), min_size=n, max_size=n)))
    y[:2] = 0.0, 1.0
    score = np.array(draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n)), np.float32)
    weight = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), float)
    weight[:2] += 1.0
    place = np.array(draw(st.lists(st.integers(0, 2), min_size=n, max_size=n)))
    return y, score, weight, place


@given(spread(), st.sampled_from([3, 6, 1 << 20]))
def test_distributed_area_is_scikit_learns_of_all_rows(rows: tuple[np.ndarray, ...], exchanged: int) -> None:
    y, score, weight, place = rows
    expected = roc_auc_score(y, score, sample_weight=weight)
    assert DistributedAUC()(y, score, weight) == pytest.approx(expected, abs=1e-12)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "EXCHANGED", exchanged)
        found = on_workers(
            3, lambda w: metrics.roc_auc(w, *(part[place == w.rank] for part in (y, score, weight)))
        )  # fmt: skip
    assert found == [pytest.approx(expected, abs=1e-12)] * 3


def test_the_rarer_kind_travels_and_no_turn_is_large(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    monkeypatch.setattr(metrics, "EXCHANGED", 30)
    sent: list[int] = []
    share = communicator.Workers.share

    def watched(self: Any, compute: Any) -> Any:
        found = share(self, compute)
        if self.rank == 0:
            sent.append(sum(scores.size for scores, _ in found))
        return found

    monkeypatch.setattr(communicator.Workers, "share", watched)
    y = np.arange(1000) % 10 == 0
    for labels in (y, ~y):
        score = rng.normal(size=y.size)
        sent.clear()
        found = on_workers(3, lambda w: metrics.roc_auc(w, labels[w.rank :: 3], score[w.rank :: 3], None))  # noqa: B023
        assert found[0] == pytest.approx(roc_auc_score(labels, score), abs=1e-12)
        assert sum(sent) == 100
        assert max(sent) <= 30


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_an_area_without_pairs_is_nan(label: float, communicate: Any) -> None:
    y, score = np.full(6, label), np.arange(6.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        found = communicate(3, lambda rank: DistributedAUC()(y[:2], score[:2]))
    assert np.isnan(found).all()
    with pytest.warns(UndefinedMetricWarning, match="positives or negatives are missing"):
        assert np.isnan(_distributed_alone(y, score))
    with pytest.raises(ValueError, match=r"y_score must hold one score per row, got shape \(6, 3\)"):
        _distributed_alone(y, np.zeros((6, 3)))


def _distributed_alone(y: np.ndarray, score: np.ndarray) -> float:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(communicator, "workers", lambda: None)
        return DistributedAUC()(y, score)


def test_distributed_area_in_both_boosters() -> None:
    X, y = make_data(400, seed=1)
    weight = make_weight(400).astype(np.float32)
    history: dict[str, Any] = {}
    data = xgb_data(X, y, weight=weight)
    model = xgb.train(
        XGB, data, 40, obj=hypersimplex_obj, evals=[(xgb_data(X, 1 - y), "turned")], custom_metric=DistributedAUC(),
        evals_result=history, verbose_eval=False, early_stopping_rounds=3,
    )  # fmt: skip
    assert model.best_iteration == int(np.argmax(history["turned"]["auc_distributed"]))  # maximised by its name
    raw = model.predict(data, output_margin=True)
    assert DistributedAUC()(raw, data) == (
        "auc_distributed",
        pytest.approx(roc_auc_score(y, raw, sample_weight=weight)),
    )
    train = lgb_data(X, y, weight=weight)
    lgb.train(
        {**LGB, "objective": hypersimplex_obj, "metric": "None"}, train, 5, valid_sets=[train], feval=DistributedAUC(),
        callbacks=[lgb.record_evaluation(history)],
    )  # fmt: skip
    assert history["training"]["auc_distributed"][-1] > 0.6
    assert repr(pickle.loads(pickle.dumps(DistributedAUC()))) == "DistributedAUC()"
