"""Fitted boosters in terms of JSON, and back as the scikit-learn estimators they were."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder

from hsboost import _boosters
from hsboost import _plain as plain


def to_plain(estimator: Any, given: Any) -> dict[str, Any]:
    """Kind and model of a fitted XGBClassifier or LGBMClassifier, and the settings of the one that ``fit`` was given.

    ``fit`` changes some (metric, base score, class weight): a loaded model must be able to start as the first did.
    """
    kind = _boosters.kind(estimator)
    named = given is None or isinstance(given, str)
    settings: dict[str, Any] = {}
    left_out = []
    for name, value in ({} if named else given.get_params(deep=False)).items():
        if name == "objective":
            continue
        try:
            settings[name] = plain.encode(value, name)
        except TypeError:
            left_out.append(name)
    if left_out:
        warnings.warn(
            f"settings of the booster that only training needs are not saved: {', '.join(left_out)}", stacklevel=4
        )
    booster = _boosters.native(estimator)
    common = {"kind": kind, "given": given if named else "settings", "settings": settings}
    if kind == "xgboost":
        return common | {"model": json.loads(bytes(booster.save_raw("json")))}
    return common | {
        "model": booster.model_to_string(num_iteration=-1),
        "best_iteration": booster.best_iteration,
        "named_features": bool(getattr(estimator, "_fitted_with_feature_names", False)),
    }


def from_plain(content: dict[str, Any], n_classes: int) -> Any:
    """The estimator again."""
    kind, settings = content["kind"], {name: plain.decode(value) for name, value in content["settings"].items()}
    if kind == "xgboost":
        from xgboost import XGBClassifier
        from xgboost.core import XGBoostError

        estimator = XGBClassifier(**settings)
        try:
            estimator.load_model(bytearray(json.dumps(content["model"]).encode()))
        except XGBoostError as error:
            raise ValueError(f"this XGBoost cannot read the saved model: {str(error).splitlines()[0]}") from error
        estimator.n_classes_ = n_classes
        return estimator
    if kind == "lightgbm":
        return _lightgbm(content, settings, n_classes)
    raise ValueError(f"the saved model was trained with {kind!r}, which this hsboost does not know; upgrade it")


def _lightgbm(content: dict[str, Any], settings: dict[str, Any], n_classes: int) -> Any:
    from lightgbm import Booster, LGBMClassifier
    from lightgbm.basic import LightGBMError

    estimator = LGBMClassifier(**settings)
    try:
        booster = Booster(model_str=content["model"])
    except LightGBMError as error:
        raise ValueError(f"this LightGBM cannot read the saved model: {error}") from error
    booster.best_iteration = content["best_iteration"]
    # LightGBM's estimator cannot be restored from a model; these are what its methods read.
    classes = np.arange(n_classes)
    state = {
        "_Booster": booster,
        "_best_iteration": content["best_iteration"],
        "_best_score": {},
        "_evals_result": {},
        "_n_features": booster.num_feature(),
        "_n_features_in": booster.num_feature(),
        "_n_classes": n_classes,
        "_classes": classes,
        "_le": LabelEncoder().fit(classes),
        "_class_map": {int(c): int(c) for c in classes},
        "_fitted_with_feature_names": content["named_features"],
        "fitted_": True,
    }
    for name, value in state.items():
        setattr(estimator, name, value)
    return estimator


def given(content: dict[str, Any]) -> Any:
    """The estimator as the user passed it: None, a name, or one with settings."""
    if content["given"] != "settings":
        return content["given"]
    settings = {name: plain.decode(value) for name, value in content["settings"].items()}
    if content["kind"] == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(**settings)
    from lightgbm import LGBMClassifier

    return LGBMClassifier(**settings)
