"""LightGBM on several machines shows an objective its own rows only: refused, and on one machine not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from _boosters import LGB, lgb_data, make_data

from hsboost import HSClassifier, PrecisionAtK, hypersimplex_obj
from hsboost._boosting.lightgbm_workers import refuse_lightgbm_workers

SETTINGS: dict[str, Any] = {"n_estimators": 3, "num_leaves": 4, "verbose": -1, "n_jobs": 1}


def rows(client: Any, chunks: int) -> tuple[Any, Any]:
    """Rows on both workers, or on one."""
    da = pytest.importorskip("dask.array", reason="needs dask")
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    X, y = make_data(400, seed=2)
    pair = da.from_array(X, chunks=(chunks, -1)), da.from_array(y, chunks=chunks)
    if chunks == len(X):  # one part is on one worker; a view of it was no data to the oldest Dask supported
        return pair
    addresses = sorted(client.scheduler_info(n_workers=-1)["workers"])
    # Without this the scheduler is free to put both parts on one worker.
    kept = [
        client.persist([one.blocks[i] for one in pair], workers=[addresses[i % 2]])
        for i in range(pair[1].numblocks[0])
    ]  # fmt: skip
    found = [da.concatenate([part[i] for part in kept]) for i in range(2)]
    distributed.wait(found)
    return found[0], found[1]


def train_dask(client: Any, chunks: int, objective: Any, metric: Any = None) -> Any:
    """A DaskLGBMClassifier."""
    model = lgb.DaskLGBMClassifier(objective=objective, client=client, **SETTINGS)
    X, y = rows(client, chunks)
    return model.fit(X, y, **({} if metric is None else {"eval_set": [(X, y)], "eval_metric": metric}))


def test_several_workers_are_refused_before_a_tree_is_grown(client: Any) -> None:
    with pytest.raises(RuntimeError, match=r"LightGBM trains on several machines and shows this objective the rows of"):
        train_dask(client, 200, hypersimplex_obj)


def test_one_machine_is_not_refused_under_dask(client: Any) -> None:
    model = train_dask(client, 400, hypersimplex_obj)
    X, y = make_data(400, seed=2)
    here = lgb.LGBMClassifier(objective=hypersimplex_obj, **SETTINGS).fit(X, y)
    found = model.to_local().predict(X, raw_score=True)
    np.testing.assert_allclose(found, here.predict(X, raw_score=True), rtol=1e-6)


def test_lightgbm_inside_a_task_is_not_refused(client: Any) -> None:
    X, y = make_data(400, seed=2)
    settings = HSClassifier("lightgbm", k=0.1)
    found = client.submit(settings.fit, X, y).result()
    np.testing.assert_array_equal(found.decision_function(X), settings.fit(X, y).decision_function(X))


def test_losses_that_add_up_over_rows_are_not_refused(client: Any) -> None:
    from hsboost import get_loss
    from hsboost.objectives import LossObjective

    model = train_dask(client, 200, LossObjective(get_loss("log-loss")))
    X, y = make_data(400, seed=2)
    assert np.mean((model.to_local().predict(X, raw_score=True) > 0) == y) > 0.7


def test_machines_given_to_lgb_train_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without opening a network: what LightGBM is told is what counts."""
    monkeypatch.setattr(lgb.Booster, "set_network", lambda self, **_: self)
    X, y = make_data(100, seed=0)
    two = {"machines": "10.0.0.1:123,10.0.0.2:123"}
    for params, kind in (({"num_machines": 2}, None), ({}, None), ({"num_machines": 1}, lgb.Booster)):
        settings = {**LGB, "objective": hypersimplex_obj, **two, **params}
        if kind is None:
            with pytest.raises(RuntimeError, match=r"or with one of LightGBM's own losses$"):
                lgb.train(settings, lgb_data(X, y), 1)
        else:
            assert isinstance(lgb.train(settings | {"num_machines": 1}, lgb_data(X, y), 1), kind)


@pytest.mark.parametrize(
    ("params", "refused"),
    [
        (None, False),
        ({}, False),
        ({"num_machines": 2}, False),  # no list, no network
        ({"machines": "10.0.0.1:1"}, False),
        ({"workers": "10.0.0.1:1,10.0.0.2:1"}, True),
        ({"nodes": ["10.0.0.1:1", "10.0.0.2:1"]}, True),
        ({"machines": "10.0.0.1:1,10.0.0.2:1", "num_machine": 1}, False),
        ({"machines": "10.0.0.1:1,10.0.0.2:1", "num_machine": 2}, True),
    ],
)
def test_parameters_of_the_data_set(params: Any, refused: bool) -> None:
    dataset = SimpleNamespace(params=params)
    if refused:
        with pytest.raises(RuntimeError, match=r"^LightGBM trains on several machines and shows a metric the rows"):
            refuse_lightgbm_workers(dataset, "a metric")
    else:
        refuse_lightgbm_workers(dataset, "a metric")


def test_a_metric_of_several_workers_is_refused_too(client: Any) -> None:
    metric = PrecisionAtK(0.1)
    with pytest.raises(RuntimeError, match=r"and shows precision@0\.1 the rows of"):
        train_dask(client, 200, "binary", metric.lightgbm)
