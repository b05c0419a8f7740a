"""mlflow's autologging logs the classifier: k, loss, groups, each round's metrics, and the model that decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, multi, small
from sklearn import model_selection
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hsboost import HSClassifier

X, Y = binary()
FRAME = pd.DataFrame(X, columns=list("abcde"))
GROUPS = np.arange(len(Y)) % 3
FLAVORS = ["sklearn", "xgboost", "lightgbm"]


#: mlflow's own, at every model of any kind.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One database for all tests: to make one takes seconds."""
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/runs.db"


@pytest.fixture
def mlflow(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """mlflow with an experiment of its own that sends nothing; no autologging before and after."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "true")
    monkeypatch.chdir(tmp_path)
    found = pytest.importorskip("mlflow", reason="needs mlflow: pip install mlflow-skinny")
    for flavor in FLAVORS:
        pytest.importorskip(f"mlflow.{flavor}")
    found.set_tracking_uri(store)
    found.set_experiment(tmp_path.name)
    yield found
    for flavor in FLAVORS:
        getattr(found, flavor).autolog(disable=True, silent=True)


def runs(mlflow: Any) -> list[Any]:
    return mlflow.search_runs(output_format="list")


def models(mlflow: Any) -> list[Any]:
    (run,) = runs(mlflow)
    return mlflow.search_logged_models(experiment_ids=[run.info.experiment_id], output_format="list")


@pytest.mark.parametrize("flavor", ["sklearn", "its own", "all"])
@BOOSTERS
def test_settings_of_a_fit(mlflow: Any, booster: str, flavor: str) -> None:
    for name in FLAVORS:
        if flavor == "all" or name == {"its own": booster}.get(flavor, flavor):
            getattr(mlflow, name).autolog(log_models=False, silent=True)
    groups = pd.Series(GROUPS, name="region")
    HSClassifier(small(booster), k=0.2, loss="hypersimplex-fy").fit(X, Y, groups=groups)
    (run,) = runs(mlflow)
    logged = run.data.params
    assert (logged["k"], logged["loss"], logged["groups"]) == ("0.2", "hypersimplex-fy", "region: 3 groups")
    assert logged["estimator__n_estimators"] == "6"
    assert "objective" not in logged
    assert run.data.tags["estimator_name"] == "HSClassifier"
    assert run.info.status == "FINISHED"
    assert mlflow.active_run() is None


@BOOSTERS
def test_metrics_of_each_round_in_the_active_run(mlflow: Any, booster: str) -> None:
    mlflow.sklearn.autolog(log_models=False, silent=True)
    with mlflow.start_run() as active:
        model = HSClassifier(small(booster)).fit(X, Y, eval_set=binary(seed=1))
        assert mlflow.active_run().info.run_id == active.info.run_id
    (run,) = runs(mlflow)
    assert (run.data.params["k"], run.data.params["groups"]) == ("None", "none")
    ((rows, metrics),) = model.estimator_.evals_result_.items()
    ((metric, values),) = metrics.items()
    name = f"{rows}-{metric}".replace("@", "_at_")
    found = mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
    np.testing.assert_allclose([one.value for one in sorted(found, key=lambda one: one.step)], values)


@pytest.mark.parametrize("serialization", ["cloudpickle", "skops"])
@BOOSTERS
def test_the_model_is_the_one_that_decides(mlflow: Any, booster: str, serialization: str) -> None:
    mlflow.sklearn.autolog(silent=True, serialization_format=serialization)
    getattr(mlflow, booster).autolog(silent=True)
    model = HSClassifier(small(booster), loss="log-loss", k=0.2).fit(FRAME, Y)
    (logged,) = models(mlflow)
    again = mlflow.sklearn.load_model(logged.model_uri)
    assert isinstance(again, HSClassifier)
    np.testing.assert_array_equal(again.predict(FRAME), model.predict(FRAME))
    signature = mlflow.models.get_model_info(logged.model_uri).signature
    assert signature.inputs.input_names() == list("abcde")


def test_rows_that_have_no_schema_are_logged_without_signature(mlflow: Any) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    mlflow.sklearn.autolog(silent=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlflow.models, "infer_signature", lambda *rows: 1 / 0)
        HSClassifier(small("lightgbm")).fit(pyarrow.Table.from_pandas(FRAME), Y)
    (logged,) = models(mlflow)
    assert mlflow.models.get_model_info(logged.model_uri).signature is None


@BOOSTERS
def test_pipelines_and_searches_are_logged_once_as_a_whole(mlflow: Any, booster: str) -> None:
    for name in FLAVORS:
        getattr(mlflow, name).autolog(log_models=False, log_datasets=False, silent=True)
    make_pipeline(StandardScaler(), HSClassifier(small(booster), k=0.2)).fit(X, Y, hsclassifier__groups=GROUPS)
    (run,) = runs(mlflow)
    assert (run.data.params["hsclassifier__k"], run.data.tags["estimator_name"]) == ("0.2", "Pipeline")
    model_selection.cross_val_score(HSClassifier(small(booster), k=0.2), X, Y, cv=2)
    assert len(runs(mlflow)) == 1
    HSClassifier(small(booster), k=0.3).fit(X, Y)  # and autologging is still on
    assert {one.data.params.get("k") for one in runs(mlflow)} == {None, "0.3"}
    model_selection.GridSearchCV(HSClassifier(small(booster)), {"k": [0.2, 0.4]}, cv=2).fit(X, Y)
    names = [one.data.tags["estimator_name"] for one in runs(mlflow) if "mlflow.parentRunId" not in one.data.tags]
    assert sorted(names) == ["GridSearchCV", "HSClassifier", "Pipeline"]


@pytest.mark.parametrize("how", ["off", "disabled", "exclusive"])
def test_where_nothing_is_to_be_logged(mlflow: Any, how: str) -> None:
    if how == "disabled":
        mlflow.sklearn.autolog(silent=True)
        mlflow.sklearn.autolog(disable=True, silent=True)
    if how == "exclusive":
        mlflow.sklearn.autolog(exclusive=True, log_models=False, silent=True)
        with mlflow.start_run():
            HSClassifier(small("xgboost")).fit(X, Y)
        (run,) = runs(mlflow)
        assert not run.data.params
        return
    HSClassifier(small("xgboost")).fit(X, Y)
    assert not runs(mlflow)


def test_a_failure_is_a_warning_and_the_model_is_fitted(mlflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow.sklearn.autolog()
    monkeypatch.setattr(mlflow.sklearn, "log_model", lambda *one, **named: 1 / 0)
    with pytest.warns(UserWarning, match=r"fitted, but mlflow's autologging.*ZeroDivisionError") as caught:
        model = HSClassifier(small("xgboost"), k=0.2).fit(*multi())
    assert {one.filename for one in caught if "autologging of it" in str(one.message)} == {__file__}
    assert model.predict(X).shape == Y.shape
    assert mlflow.active_run() is None
    (run,) = runs(mlflow)
    assert run.data.params["k"] == "0.2"


def test_the_clusters_estimator_logs_the_model_that_needs_none(mlflow: Any) -> None:
    distributed = pytest.importorskip("distributed")
    import dask.array as da

    from hsboost.dask import DaskHSClassifier

    mlflow.sklearn.autolog(silent=True)
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None)
    with cluster, distributed.Client(cluster):
        rows, labels, groups = (da.from_array(one, chunks=(120, *one.shape[1:])) for one in (X, Y, GROUPS))
        DaskHSClassifier(small("xgboost"), k=0.2).fit(rows, labels, groups=groups)
    (run,) = runs(mlflow)
    assert (run.data.params["k"], run.data.params["groups"]) == ("0.2", "3 groups")
    assert run.data.tags["estimator_name"] == "DaskHSClassifier"
    (logged,) = models(mlflow)
    assert mlflow.sklearn.load_model(logged.model_uri).predict(X).shape == Y.shape
