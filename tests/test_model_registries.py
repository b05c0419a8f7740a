"""skops and mlflow take a fitted classifier and give it back; cloudpickle takes it to other processes."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from _models import BOOSTERS, binary, small
from _serving import CASES, fitted, rows
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hsboost import SKOPS_TRUSTED, HSClassifier, RecallAtK, get_loss
from hsboost.losses import LOSSES

X, Y = binary()
GROUPS = np.arange(len(Y)) % 3


def through_skops(model: Any) -> Any:
    io = pytest.importorskip("skops.io", reason="needs skops")
    blob = io.dumps(model)
    assert set(io.get_untrusted_types(data=blob)) <= set(SKOPS_TRUSTED)
    return io.loads(blob, trusted=SKOPS_TRUSTED)


@pytest.mark.parametrize("case", [*CASES, "isotonic", "linear"])
@BOOSTERS
def test_skops_needs_no_other_types(booster: str, case: str) -> None:
    model, x = fitted(case, booster), rows(case).head(50)
    again = through_skops(model)
    np.testing.assert_array_equal(again.decision_function(x), model.decision_function(x))
    with pytest.raises(ValueError, match=r"estimator_\.predict_proba"):
        again.estimator_.predict_proba(x)


@pytest.mark.parametrize("loss", LOSSES)
def test_skops_takes_every_loss(loss: str) -> None:
    for one in (loss, get_loss(loss)):
        model = HSClassifier(small("lightgbm", n_estimators=2), loss=one).fit(X, Y)
        np.testing.assert_array_equal(through_skops(model).decision_function(X), model.decision_function(X))


@BOOSTERS
def test_skops_takes_groups_metrics_and_pipelines(booster: str) -> None:
    metric = RecallAtK(0.2)
    settings = {"eval_metric": metric} if booster == "xgboost" else {}
    model = HSClassifier(small(booster, **settings), k=0.2)
    extra = {} if booster == "xgboost" else {"eval_metric": metric}
    model.fit(X, Y, groups=GROUPS, eval_set=binary(seed=2), **extra)
    again = through_skops(make_pipeline(StandardScaler(), model))[-1]
    np.testing.assert_array_equal(again.predict(X, groups=GROUPS), model.predict(X, groups=GROUPS))


def test_every_trusted_type_is_there() -> None:
    for name in SKOPS_TRUSTED:
        module, _, attribute = name.rpartition(".")
        assert isinstance(getattr(import_module(module), attribute), type), name
    assert sorted(SKOPS_TRUSTED) == SKOPS_TRUSTED


@BOOSTERS
def test_cloudpickle(booster: str) -> None:
    cloudpickle = pytest.importorskip("cloudpickle", reason="needs cloudpickle")
    model = fitted("sigmoid", booster)
    again = cloudpickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(rows("sigmoid")), model.predict_proba(rows("sigmoid")))


@pytest.fixture
def mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """mlflow with a store of its own, in a folder of its own, that sends nothing."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("DO_NOT_TRACK", "true")
    monkeypatch.chdir(tmp_path)
    found = pytest.importorskip("mlflow", reason="needs mlflow")
    found.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
    found.set_experiment("hsboost")
    return found


@pytest.mark.parametrize("serialization", [None, "skops", "cloudpickle"])
def test_mlflow_logs_a_model_with_signature_and_example(mlflow: Any, serialization: str | None) -> None:
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = HSClassifier(small("xgboost"), k=0.2, calibration="sigmoid", random_state=0).fit(frame, Y)
    chosen = {} if serialization is None else {"serialization_format": serialization}
    with mlflow.start_run():
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=mlflow.models.infer_signature(frame, model.predict(frame)),
            input_example=frame.head(3),
            skops_trusted_types=SKOPS_TRUSTED,
            pip_requirements=["hsboost"],  # what mlflow would find out by loading the model in a process of its own
            **chosen,
        )
    again = mlflow.sklearn.load_model(logged.model_uri)
    np.testing.assert_array_equal(again.predict_proba(frame), model.predict_proba(frame))
    served = mlflow.pyfunc.load_model(logged.model_uri)
    np.testing.assert_array_equal(served.predict(frame), model.predict(frame))
    assert served.metadata.get_input_schema().input_names() == list("abcde")
    assert os.listdir(Path.cwd())  # all of it lies in the test's folder


def test_mlflow_logs_the_settings_of_a_pipeline_by_itself(mlflow: Any) -> None:
    mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
    try:
        with mlflow.start_run() as run:
            steps = make_pipeline(StandardScaler(), HSClassifier(small("lightgbm"), k=0.2, loss="hypersimplex-fy"))
            steps.fit(X, Y, hsclassifier__groups=GROUPS)
    finally:
        mlflow.sklearn.autolog(disable=True)
    logged = mlflow.get_run(run.info.run_id).data.params
    assert (logged["hsclassifier__k"], logged["hsclassifier__loss"]) == ("0.2", "hypersimplex-fy")
