"""A budget for labels that a mapping does not name, and counts above the rows that are there: one rule everywhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference
from _boosters import train_any
from _models import BOOSTERS, binary, by_loop, multi, small

from hsboost import (
    HSClassifier,
    HypersimplexLoss,
    HypersimplexObjective,
    PrecisionAtK,
    precision_at_k,
    project_hypersimplex,
    recall_at_k,
)

X, Y = binary(160)
REGION = np.array(["north", "south", "west", "east"])[np.arange(160) % 4]
#: Those of a slow day: one that training did not know, few rows of another.
DAY = np.array(["north"] * 25 + ["south"] * 3 + ["island"] * 12)
ROWS = X[:40]
NAMED = {"north": 10, "south": 8, "west": 0.25, "east": 7}
DEFAULT = {"north": 10, "west": 0.25, None: 7}
#: The same for REGION, spelt out.
SPELT = {"north": 10, "south": 7, "west": 0.25, "east": 7}


@BOOSTERS
def test_training_reads_the_default(booster: str) -> None:
    right, found = (HSClassifier(small(booster), k=k).fit(X, Y, groups=REGION) for k in (SPELT, DEFAULT))
    np.testing.assert_array_equal(found.decision_function(X), right.decision_function(X))
    assert found.group_thresholds_ == right.group_thresholds_
    assert found.threshold_ == right.threshold_
    only = HSClassifier(small(booster), k={None: 0.2}).fit(X, Y, groups=REGION)
    same = HSClassifier(small(booster), k=0.2).fit(X, Y, groups=REGION)
    np.testing.assert_array_equal(only.decision_function(X), same.decision_function(X))
    # Without groups, and for the positive class alone.
    for k in ({None: 0.2}, {1: 0.2}, {1: 0.2, None: 0.9}):
        one = HSClassifier(small(booster), k=k).fit(X, Y)
        assert one.threshold_ == HSClassifier(small(booster), k=0.2).fit(X, Y).threshold_


@BOOSTERS
def test_objectives_read_the_default(booster: str) -> None:
    codes = np.arange(160) % 4
    models = [
        train_any(booster, HypersimplexObjective(k=k, groups=codes), X, Y)
        for k in ({0: 5, 1: 9, 2: 9, 3: 9}, {0: 5, None: 9})
    ]
    one, other = (np.asarray(m.predict(_rows(booster, X))) for m in models)
    np.testing.assert_array_equal(one, other)


def _rows(booster: str, rows: np.ndarray) -> Any:
    import xgboost as xgb

    return xgb.DMatrix(rows) if booster == "xgboost" else rows


def test_losses_and_projections_read_the_default() -> None:
    scores = X[:, 0]
    for k, spelt in ((DEFAULT, SPELT), ({None: None}, None)):
        given = [HypersimplexLoss(one).loss(Y, scores, groups=REGION) for one in (k, spelt)]
        assert given[0] == given[1]
    masses = {"north": 10.5, None: 3.0}
    found = project_hypersimplex(scores, masses, groups=REGION).values
    for label in np.unique(REGION):
        rows = label == REGION
        np.testing.assert_allclose(
            found[rows], reference.project(scores[rows], masses.get(label, 3.0)).values, atol=1e-12
        )  # fmt: skip


METRICS: dict[str, Callable[[Any, Any], float]] = {
    "precision": lambda k, groups: precision_at_k(Y[:40], X[:40, 0], k, groups=groups),
    "recall": lambda k, groups: recall_at_k(Y[:40], X[:40, 0], k, groups=groups),
    "object": lambda k, groups: PrecisionAtK(k, groups=groups)(Y[:40], X[:40, 0]),
}


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_read_the_default(metric: str) -> None:
    value = METRICS[metric]
    assert value({"north": 10, None: 5}, DAY) == value({"north": 10, "south": 5, "island": 5}, DAY)
    assert value({"north": 99, None: 99}, DAY) == value({"north": 25, "south": 3, "island": 12}, DAY)
    assert value(50, None) == value(40, None)
    assert value(9, DAY) == value({"north": 9, "south": 3, "island": 9}, DAY)
    with pytest.raises(
        ValueError, match=r"no budget for group 'island' \(1 such groups in all\); add it .*\{None: budget\}"
    ):
        value({"north": 10, "south": 5}, DAY)


@BOOSTERS
@pytest.mark.parametrize("grouped", [False, True])
def test_a_slow_day_is_no_error(booster: str, grouped: bool) -> None:
    """In the top k: all rows where there are fewer, a default for groups that training did not know."""
    more = {"groups": REGION} if grouped else {}
    model = HSClassifier(small(booster), k=NAMED if grouped else 20).fit(X, Y, **more)
    scores = model.decision_function(ROWS)
    one = {"groups": np.zeros(40)} if grouped else {}
    assert model.predict_top_k(ROWS, 100, **one).sum() == 40
    assert model.predict_top_k(ROWS[:0], 100, **({"groups": []} if grouped else {})).sum() == 0
    for k in (9, {"north": 10, None: 5}, {None: 4}, {"north": 10, "south": 3, "island": 99}, {"north": 0, None: 0.5}):
        spelt = {g: k.get(g, k.get(None)) for g in ("north", "south", "island")} if isinstance(k, dict) else k
        np.testing.assert_array_equal(
            model.predict_top_k(ROWS, k, groups=DAY, return_mask=True), by_loop(scores, DAY, spelt)
        )  # fmt: skip
    with pytest.raises(ValueError, match="no budget for group 'island'"):
        model.predict_top_k(ROWS, NAMED, groups=DAY)
    if grouped:
        with pytest.raises(ValueError, match="no budget for group 'island'"):
            model.predict_top_k(ROWS, groups=DAY)
        own = HSClassifier(small(booster), k=DEFAULT).fit(X, Y, groups=REGION)
        assert own.predict_top_k(ROWS, groups=DAY, return_mask=True).sum() == 10 + 3 + 7


@pytest.mark.parametrize("grouped", [False, True])
def test_counts_above_the_rows_take_all_of_them_in_training(grouped: bool) -> None:
    more = {"groups": REGION} if grouped else {}
    k: Any = {"north": 1000, None: 10} if grouped else 1000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model = HSClassifier(small("xgboost"), k=k).fit(X, Y, **more)
    queue = model.predict_top_k(X, **more)
    assert queue.sum() == (40 + 30 if grouped else 160)


@BOOSTERS
def test_a_default_goes_for_classes_too(booster: str) -> None:
    rows, labels = multi(160)
    models = [HSClassifier(small(booster), k=k).fit(rows, labels) for k in ({0: 40, 1: 20, 2: 20}, {0: 40, None: 20})]
    np.testing.assert_array_equal(*(model.decision_function(rows) for model in models))
    top = models[0].predict_top_k(rows, {2: 3, None: 9})
    assert top.sum(axis=0).tolist() == [9, 9, 3]
    scores = models[0].decision_function(rows)
    assert precision_at_k(labels, scores, {2: 3, None: 9}) == precision_at_k(labels, scores, {0: 9, 1: 9, 2: 3})
    both = models[0].predict_top_k(rows, {0: {"north": 2, None: 1}, None: 5}, groups=REGION)
    assert both.sum(axis=0).tolist() == [5, 20, 20]
    with pytest.raises(ValueError, match=r"no budget for class 1; give every class a budget: \[0, 1, 2\] \(None: one"):
        models[0].predict_top_k(rows, {0: 3, 2: 3})
    with pytest.raises(ValueError, match="k has the unknown class 7"):
        models[0].predict_top_k(rows, {7: 3, None: 3})


@BOOSTERS
def test_the_default_is_watched_and_saved(booster: str, tmp_path: Any) -> None:
    """Evaluation rows of a group that training did not know."""
    y = Y[:40]
    model = HSClassifier(small(booster), k=DEFAULT).fit(
        X, Y, groups=REGION, eval_set=(ROWS, y), eval_groups=DAY
    )  # fmt: skip
    fitted = model.estimator_
    record = fitted.evals_result_ if booster == "lightgbm" else fitted.evals_result()
    ((history,),) = (list(one.values()) for one in record.values())
    assert history[-1] == pytest.approx(
        precision_at_k(y, model.decision_function(ROWS), DEFAULT, groups=DAY), abs=1e-6
    )  # fmt: skip
    model.save_model(tmp_path / "model.json")
    again = HSClassifier.load_model(tmp_path / "model.json")
    assert again.k == DEFAULT
    np.testing.assert_array_equal(again.predict_top_k(ROWS, groups=DAY), model.predict_top_k(ROWS, groups=DAY))


def test_on_a_cluster(client: Any) -> None:
    da = pytest.importorskip("dask.array")
    from hsboost.dask import DaskHSClassifier

    def spread(rows: np.ndarray) -> Any:
        return da.from_array(rows, chunks=(60, *rows.shape[1:]))

    found = DaskHSClassifier(small("xgboost"), k=DEFAULT).fit(
        spread(X), spread(Y), groups=spread(REGION), eval_set=(spread(ROWS), spread(Y[:40])), eval_groups=spread(DAY)
    )
    chosen = found.predict_top_k(spread(ROWS), groups=spread(DAY)).compute().astype(bool)
    scores = found.to_local().decision_function(ROWS)
    np.testing.assert_array_equal(chosen, by_loop(scores, DAY, {"north": 10, "south": 7, "island": 7}))
    ((history,),) = (list(one.values()) for one in found.evals_result_.values())
    assert history[-1] == pytest.approx(precision_at_k(Y[:40], scores, DEFAULT, groups=DAY), abs=1e-6)
    assert found.predict_top_k(spread(ROWS), 100, groups=spread(np.zeros(40))).compute().sum() == 40
