"""mlflow's autologging of HSClassifier: its settings, the metrics of each round, and the model as a whole.

mlflow knows scikit-learn's, XGBoost's and LightGBM's own classes. It would log the booster inside as the run's model,
with neither threshold nor k, and XGBoost's with a sigmoid that is not the loss's. So that booster is trained unlogged,
and the classifier is logged wherever autologging of scikit-learn or of its booster is on. Nothing here imports mlflow.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from hsboost import _stack
from hsboost._version import __version__
from hsboost.estimators._trusted import SKOPS_TRUSTED

_TOOLS = "mlflow.utils.autologging_utils"
#: mlflow's flag of ``disable_autologging``, which leaves it False at its end, whatever it was before.
_OFF = "_AUTOLOGGING_GLOBALLY_DISABLED"
#: How many rows give the signature and the input example.
ROWS = 5


@contextmanager
def unlogged() -> Iterator[None]:
    """Train the booster inside, or the models that thresholds come from, without mlflow's patches."""
    tools: Any = sys.modules.get(_TOOLS)
    if tools is None or getattr(tools, _OFF, True):
        yield
        return
    with tools.disable_autologging():
        yield


def log(model: Any, kind: str, rows: Callable[[], Any], groups: Any, results: Any) -> None:
    """Log a fitted model to the active run, or to one of its own, if mlflow's autologging is on.

    ``model`` is what was fitted, ``rows`` gives the first of its training rows, ``results`` is the record of its
    evaluation sets. What goes wrong is a warning: the model is fitted.
    """
    tools: Any = sys.modules.get(_TOOLS)
    if tools is None or getattr(tools, _OFF, False):
        return
    flavor = next((one for one in ("sklearn", kind) if not tools.autologging_is_disabled(one)), None)
    # Within a pipeline or a search that mlflow logs, settings are logged as those of its parts.
    if flavor is None or tools._has_active_training_session():
        return

    def chosen(name: str, default: Any) -> Any:
        return tools.get_autologging_config(flavor, name, default)

    mlflow = import_module("mlflow")
    active = mlflow.active_run()
    if active is not None and chosen("exclusive", False):
        return
    try:
        run = active or mlflow.start_run()
        try:
            _log(tools, run.info.run_id, model, groups, results)
            if chosen("log_models", True):
                _log_model(mlflow, model, kind, rows(), chosen)
        finally:
            if active is None:
                mlflow.end_run()
    except Exception as error:
        if not chosen("silent", False):
            _stack.warn(
                f"{type(model).__name__} is fitted, but mlflow's autologging of it failed "
                f"({type(error).__name__}: {str(error)[:300]}); log it with mlflow.sklearn.log_model, or pass "
                "log_models=False to autolog"
            )


def _log(tools: Any, run: str, model: Any, groups: Any, results: Any) -> None:
    client = tools.MlflowAutologgingQueueingClient()
    settings = {name: value for name, value in model.get_params(deep=True).items() if value is not None}
    named = {"k": model.k, "loss": getattr(model, "local_", model)._loss_name(), "groups": _named(model, groups)}
    client.log_params(run_id=run, params=settings | named)
    kind = type(model)
    tags = {"estimator_name": kind.__name__, "estimator_class": f"{kind.__module__}.{kind.__qualname__}"}
    client.set_tags(run_id=run, tags=tags)
    rounds: dict[int, dict[str, float]] = {}
    for rows, of_rows in (results or {}).items():
        for metric, values in of_rows.items():
            for i, value in enumerate(values):
                rounds.setdefault(i, {})[f"{rows}-{metric}".replace("@", "_at_")] = float(value)
    for i, metrics in rounds.items():
        client.log_metrics(run_id=run, metrics=metrics, step=i)
    client.flush(synchronous=True)


def _named(model: Any, groups: Any) -> str:
    """How many groups the model has, and of which column."""
    if groups is None:
        return "none"
    name = None if hasattr(groups, "chunks") else getattr(groups, "name", None)  # Dask's arrays have names of their own
    count = f"{len(model.group_thresholds_)} groups"
    return f"{name}: {count}" if isinstance(name, str) else count


def _log_model(mlflow: Any, model: Any, kind: str, rows: Any, chosen: Any) -> None:
    flavor = import_module("mlflow.sklearn")
    whole = getattr(model, "local_", model)  # of a cluster's estimator the model that needs none
    way = chosen("serialization_format", "cloudpickle")  # mlflow's own default of autolog
    settings: dict[str, Any] = {
        "serialization_format": way,
        "registered_model_name": chosen("registered_model_name", None),
        # mlflow would find them by loading the model in a process of its own.
        "pip_requirements": [
            f"hsboost=={__version__}",
            *(f"{name}=={version(name)}" for name in (kind, "scikit-learn", "numpy", "pandas", way)),
        ],
    }
    if chosen("log_model_signatures", True):
        with suppress(Exception):  # of rows that mlflow has no schema for
            settings["signature"] = mlflow.models.infer_signature(rows, np.asarray(whole.predict(rows)))
    if chosen("log_input_examples", False):
        settings["input_example"] = rows
    known = inspect.signature(flavor.log_model).parameters
    settings["name" if "name" in known else "artifact_path"] = "model"
    if way == "skops" and "skops_trusted_types" in known:
        settings["skops_trusted_types"] = SKOPS_TRUSTED
    flavor.log_model(whole, **settings)
