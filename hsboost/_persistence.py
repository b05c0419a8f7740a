"""A fitted classifier as one JSON file, and back: numbers to the last bit, nothing executed.

Floats are written as Python writes them, the shortest text that reads back as the same number. XGBoost's model is
nested as the JSON it is; LightGBM's is its own text. A checksum over the content tells a damaged file from a good one.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import numbers
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hsboost import _calibration, _native
from hsboost import _plain as plain
from hsboost._version import __version__
from hsboost.losses import LOSSES, HypersimplexLoss, Loss
from hsboost.objectives import HypersimplexObjective, LossObjective

FORMAT = "hsboost.HSClassifier"
FORMAT_VERSION = 1


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write ``model``, a fitted HSClassifier."""
    _check_labels(getattr(model, "group_thresholds_", {}))
    loss = model.objective_.loss
    fitted = {
        "classes": model.classes_,
        "threshold": model.threshold_,
        "group_thresholds": getattr(model, "group_thresholds_", None),
        "offset": model.objective_.offset,
        "unit": model.objective_.unit,
        "n_features": model.n_features_in_,
        "feature_names": getattr(model, "feature_names_in_", None),
        "history": model.training_history_,
    }
    content = {
        "hsboost_version": __version__,
        "parameters": _parameters_of(model),
        "loss": {"name": _name_of(loss), "parameters": plain.encode(parameters(loss), "the loss")},
        "fitted": {name: plain.encode(value, name) for name, value in fitted.items()},
        "calibrators": [_calibration.to_plain(one) for one in getattr(model, "calibrators_", [])],
        "booster": _native.to_plain(model.estimator_, model.estimator),
    }
    document = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": _digest(content), "content": content}
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            json.dump(document, file, allow_nan=False)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load(cls: type[Any], path: str | os.PathLike[str]) -> Any:
    """Read what :func:`save` wrote."""
    content = _read(path)
    try:
        settings = {name: plain.decode(value) for name, value in content["parameters"].items()}
        loss = LOSSES[content["loss"]["name"]](**plain.decode(content["loss"]["parameters"]))
        fitted = {name: plain.decode(value) for name, value in content["fitted"].items()}
        estimator = _native.from_plain(content["booster"], fitted["classes"].size)
        if settings["loss"] is None:  # k is the estimator's
            whole = isinstance(loss, HypersimplexLoss)
            settings["loss"] = type(loss)(**(parameters(loss) | {"k": None})) if whole else loss
        model = cls(_native.given(content["booster"]), **settings)
        model.classes_, model.estimator_ = fitted["classes"], estimator
        model.objective_ = _objective(loss, fitted["offset"])
        model.objective_.unit = fitted.get("unit", 1.0)
        estimator.set_params(objective=model.objective_)
        model.threshold_, model.n_features_in_ = fitted["threshold"], fitted["n_features"]
        model.training_history_ = fitted["history"]
        if fitted["group_thresholds"] is not None:
            model.group_thresholds_ = fitted["group_thresholds"]
        if fitted["feature_names"] is not None:
            model.feature_names_in_ = fitted["feature_names"]
        if content["calibrators"]:
            model.calibrators_ = [_calibration.from_plain(one) for one in content["calibrators"]]
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: not a complete HSClassifier ({type(error).__name__}: {error})") from error
    return model


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content, after format, version and checksum have been found good."""
    try:
        document = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file, or a damaged one ({error})") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path} is JSON, but not a model saved by HSClassifier.save_model")
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version!r}, this hsboost ({__version__}) reads {FORMAT_VERSION}; "
            "upgrade hsboost, or save the model again with the version that wrote it"
        )
    content = document.get("content")
    try:
        if isinstance(content, dict) and document.get("sha256") == _digest(content):
            return content
    except (ValueError, RecursionError):  # numbers that JSON does not have: NaN, 1e999
        pass
    raise ValueError(f"{path} is damaged: its checksum does not fit its content; restore it from a copy")


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _parameters_of(model: Any) -> dict[str, Any]:
    """HSClassifier's own settings; the booster's lie with the booster."""
    settings = {name: value for name, value in model.get_params(deep=False).items() if name != "estimator"}
    if isinstance(settings["loss"], Loss):
        settings["loss"] = None  # the content's loss says it all
    if settings["random_state"] is not None and not isinstance(settings["random_state"], numbers.Integral):
        settings["random_state"] = None  # a generator: it chose rows of the past
    return {name: plain.encode(value, name) for name, value in settings.items()}


def _check_labels(labels: Iterable[Any]) -> None:
    """Group labels reach several places of the file: those that it cannot hold are refused first, and once."""
    for label in labels:
        try:
            plain.encode(label, "groups")
        except TypeError:
            raise TypeError(
                f"the group label {label!r} ({type(label).__name__}) is none that a JSON file can hold; train with "
                "texts, numbers or truth values as group labels (texts of dates, say), or save with pickle or joblib"
            ) from None


def _name_of(loss: Loss) -> str:
    for name, make in LOSSES.items():
        if make is type(loss):
            return name
    raise TypeError(f"only losses of hsboost can be saved by name, got {loss!r}; use pickle or joblib")


def _objective(loss: Loss, offset: Any) -> LossObjective:
    objective = HypersimplexObjective.of(loss) if isinstance(loss, HypersimplexLoss) else LossObjective(loss)
    objective.offset = offset
    return objective


def parameters(loss: Loss) -> dict[str, Any]:
    """The constructor's arguments of a loss, as its attributes keep them."""
    return {name: getattr(loss, name) for name in inspect.signature(type(loss)).parameters}
