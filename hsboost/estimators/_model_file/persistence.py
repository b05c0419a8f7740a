"""A fitted classifier as one JSON file, and back: numbers to the last bit, nothing executed.

Floats are written as Python writes them, the shortest text that reads back as the same number. XGBoost's model is
nested as the JSON it is; LightGBM's is its own text. A checksum over the content detects a damaged file;
scores of a few made-up rows show that this booster reads the model as the one that wrote it. Neither is a signature.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import numbers
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from hsboost import _stack
from hsboost._version import __version__
from hsboost.estimators import _boosters, _calibration, _history
from hsboost.estimators._model_file import files, native, parts, plain
from hsboost.estimators._model_file.splits import Splits
from hsboost.losses import LOSSES, Loss
from hsboost.objectives import objective_of

FORMAT = "hsboost.HSClassifier"
#: 3 knows which of two classes is positive, and dates as group labels; 2 the booster's version, and has a proof; 1 is
#: read where it cannot be misread.
FORMAT_VERSION = 3


def save(model: Any, path: str | os.PathLike[str]) -> None:
    """Write ``model``, a fitted HSClassifier, unless it would not load again."""
    _check_labels(getattr(model, "group_thresholds_", {}))
    loss = model.objective_.loss
    fitted = {
        "classes": model.classes_,
        "positive": 0 if model._is_turned() else 1,
        "threshold": model.threshold_,
        "group_thresholds": getattr(model, "group_thresholds_", None),
        "threshold_source": getattr(model, "threshold_source_", "training"),
        "offset": model.objective_.offset,
        "unit": model.objective_.unit,
        "n_features": model.n_features_in_,
        "feature_names": getattr(model, "feature_names_in_", None),
        "history": _history.to_file(model.training_history_),
    }
    content: dict[str, Any] = {
        "hsboost_version": __version__,
        "parameters": _parameters_of(model),
        "loss": {"name": _name_of(loss), "parameters": plain.encode(parameters(loss), "the loss")},
        "fitted": {name: plain.encode(value, name) for name, value in fitted.items()},
        "calibrators": [_calibration.to_plain(one) for one in getattr(model, "calibrators_", [])],
        "booster": native.to_plain(model.estimator_, model.estimator),
    }
    try:
        splits = _check_booster(content["booster"], model.n_features_in_, model.classes_, fitted["feature_names"])
        proof = native.prove(model.estimator_, splits, content["booster"]["kind"])
        content["proof"] = proof | {"decisions": _decisions(model, proof["scores"]).tolist()}
        _build(type(model), content)
        digest = _digest(content)
    except ValueError as error:
        raise ValueError(
            f"this model cannot be saved so that it loads again: {error}. With pickle or joblib it can, for these "
            "versions of the libraries"
        ) from error
    document = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": digest, "content": content}
    files.write_whole(path, lambda file: json.dump(document, file, allow_nan=False))


def booster_version(estimator: Any) -> tuple[str, str]:
    """Name and version of the booster behind a fitted estimator."""
    kind = str(_boosters.kind(estimator))
    return kind, native.version(kind)


def warn_of_pickles(wrote: tuple[str, str], here: tuple[str, str]) -> None:
    """Say that a pickle comes from another version of the booster: it holds the booster's memory, unchecked."""
    if tuple(wrote) != here:
        _stack.warn(
            f"this pickle was made with {wrote[0]} {wrote[1]}, and {here[1]} may misread it without an error; "
            f"install {wrote[0]}=={wrote[1]}, or move the model with save_model and load_model, which check it",
        )


def load(cls: type[Any], path: str | os.PathLike[str]) -> Any:
    """Read what :func:`save` wrote."""
    content, version = _read(path)
    try:
        return _build(cls, content, version)
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise ValueError(f"{path}: not a complete HSClassifier ({type(error).__name__}: {error})") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _build(cls: type[Any], content: dict[str, Any], version: int = FORMAT_VERSION) -> Any:
    """The classifier of a content, every part of which is checked before the booster sees its model."""
    settings = {name: plain.decode(value) for name, value in content["parameters"].items()}
    fitted = {name: plain.decode(value) for name, value in content["fitted"].items()}
    parts.check_fitted(fitted)
    n_classes = fitted["classes"].size
    settings.setdefault("threshold", "training")  # of files from before there was a choice
    parts.check_parameters(settings, cls)
    loss = parts.make_loss(content["loss"], n_classes)
    parts.check_calibrators(content["calibrators"], n_classes, settings["calibration"])
    booster = content["booster"]
    splits = _check_booster(booster, fitted["n_features"], fitted["classes"], fitted["feature_names"])
    if version == 1:
        booster = native.without_proof(booster)
    estimator = native.from_plain(booster, n_classes)
    if settings["loss"] is None:  # k is the estimator's
        whole = loss.has_budget
        settings["loss"] = type(loss)(**(parameters(loss) | {"k": None})) if whole else loss
    model = cls(native.given(booster), **settings)
    model._loss(None)  # the settings make a loss
    model.classes_, model.estimator_ = fitted["classes"], estimator
    if n_classes == 2:  # files before format 3 know no choice
        model.pos_label_ = fitted["classes"][fitted.get("positive", 1)]
    model.objective_ = objective_of(loss, offset=fitted["offset"], unit=fitted.get("unit", 1.0))
    _boosters.exchange_objective(estimator, model.objective_)
    model.threshold_, model.n_features_in_ = fitted["threshold"], fitted["n_features"]
    model.threshold_source_ = fitted.get("threshold_source", "training")  # files from before there was a choice
    model.training_history_ = _history.from_file(fitted["history"])
    if fitted["group_thresholds"] is not None:
        model.group_thresholds_ = fitted["group_thresholds"]
    if fitted["feature_names"] is not None:
        model.feature_names_in_ = fitted["feature_names"]
    if content["calibrators"]:
        model.calibrators_ = [_calibration.from_plain(one) for one in content["calibrators"]]
    if version > 1:
        proof = content["proof"]
        native.check_proof(estimator, booster, proof, splits)
        if not np.array_equal(_decisions(model, proof["scores"]), proof["decisions"]):
            raise ValueError("the thresholds give other decisions than were saved with the model; save it again")
    return model


def _check_booster(booster: Any, n_features: Any, classes: np.ndarray, names: np.ndarray | None) -> Splits:
    return native.check(booster, int(n_features), classes.size, None if names is None else names.tolist())


def _decisions(model: Any, scores: Any) -> np.ndarray:
    """What a classifier makes of a booster's raw scores."""
    raw = model.objective_.unit * np.array(scores, dtype=np.float64)
    offset = model.objective_.offset
    decisions: np.ndarray = (raw if offset is None else raw + offset) - model.threshold_
    return -decisions if model._is_turned() else decisions


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], int]:
    """The content and the format's version, after format, version and checksum have been found good."""
    try:
        document = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file, or a damaged one ({error})") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"{path} is JSON, but not a model saved by HSClassifier.save_model")
    version = document.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {version!r}, this hsboost ({__version__}) reads up to {FORMAT_VERSION}; "
            "upgrade hsboost, or save the model again with the version that wrote it"
        )
    content = document.get("content")
    try:
        if isinstance(content, dict) and document.get("sha256") == _digest(content):
            return content, version
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
                "texts, numbers, truth values or dates as group labels, or save with pickle or joblib"
            ) from None


def _name_of(loss: Loss) -> str:
    for name, make in LOSSES.items():
        if make is type(loss):
            return name
    raise TypeError(f"only losses of hsboost can be saved by name, got {loss!r}; use pickle or joblib")


def parameters(loss: Loss) -> dict[str, Any]:
    """The constructor's arguments of a loss, as its attributes keep them."""
    return {name: getattr(loss, name) for name in inspect.signature(type(loss)).parameters}
