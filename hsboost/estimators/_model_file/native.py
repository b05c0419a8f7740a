"""Fitted boosters in terms of JSON, and back as the scikit-learn estimators they were."""

from __future__ import annotations

import json
import platform
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelEncoder

from hsboost import _stack
from hsboost.estimators import _boosters
from hsboost.estimators._model_file import lightgbm_model, plain, xgboost_model
from hsboost.estimators._model_file.proof import check_rows, difference, make_rows, scores_of
from hsboost.estimators._model_file.splits import Splits

_NAMES = {"xgboost": "XGBoost", "lightgbm": "LightGBM"}
#: How the boosters call the number of threads, which they take unchecked.
_THREADS = ("n_jobs", "nthread", "nthreads", "n_thread", "n_threads", "num_thread", "num_threads")
_MOST_THREADS = 4096
_IMPORTANCES = {
    "xgboost": (None, "gain", "weight", "cover", "total_gain", "total_cover"),
    "lightgbm": ("split", "gain"),
}


def version(kind: str) -> str:
    """The booster's version on this machine."""
    if kind == "xgboost":
        from xgboost import __version__
    else:
        from lightgbm import __version__
    return str(__version__)


def to_plain(estimator: Any, given: Any) -> dict[str, Any]:
    """Kind, version and model of a fitted XGBClassifier or LGBMClassifier, and the settings of the one that ``fit`` was
    given.

    ``fit`` changes some (metric, base score, class weight): a loaded model must be able to start as the first did.
    """
    kind = _boosters.kind(estimator)
    assert kind is not None
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
        _stack.warn(
            f"settings of the booster that only training needs are not saved: {', '.join(left_out)}",
        )
    booster = _boosters.native(estimator)
    common = {
        "kind": kind,
        "version": version(kind),
        "machine": platform.machine(),
        "given": given if named else "settings",
        "settings": settings,
    }
    if kind == "xgboost":
        return common | {"model": xgboost_model.portable(json.loads(bytes(booster.save_raw("json"))))}
    return common | {
        "model": booster.model_to_string(num_iteration=-1),
        "best_iteration": booster.best_iteration,
        "named_features": bool(getattr(estimator, "_fitted_with_feature_names", False)),
    }


def check(content: Any, n_features: int, n_classes: int, names: list[str] | None) -> Splits:
    """What the model looks at; ValueError for what no booster wrote. No booster reads it."""
    where = "the booster"
    kind = plain.part(content, "kind", where)
    if not isinstance(kind, str) or kind not in _NAMES:
        raise ValueError(f"the saved model was trained with {kind!r}, which this hsboost does not know; upgrade it")
    plain.entry(plain.part(content, "given", where), (None, kind, "settings"), "the estimator that was given")
    settings = plain.part(content, "settings", where)
    if not isinstance(settings, dict):
        raise ValueError("the booster's settings are no mapping")
    for name in settings.keys() & set(_THREADS):
        if settings[name] is not None:
            plain.whole(settings[name], f"the booster's {name}", -_MOST_THREADS, _MOST_THREADS)
    if "importance_type" in settings:
        plain.entry(settings["importance_type"], _IMPORTANCES[kind], "the booster's importance_type")
    if kind == "xgboost" and not isinstance(plain.decode(settings.get("missing")), int | float | None):
        raise ValueError("the booster's missing is no number")
    model = plain.part(content, "model", where)
    if kind == "xgboost":
        return xgboost_model.check(model, n_features, n_classes, names)
    splits = lightgbm_model.check(model, n_features, n_classes)
    plain.whole(plain.part(content, "best_iteration", where), "best_iteration", -1, splits.n_rounds)
    plain.entry(plain.part(content, "named_features", where), (True, False), "named_features")
    return splits


def prove(estimator: Any, splits: Splits, kind: str) -> dict[str, Any]:
    """Rows and their scores, for :func:`check_proof`."""
    rows = make_rows(splits, single=kind == "xgboost")
    return {"rows": rows, "scores": scores_of(estimator, rows, splits.n_features).tolist()}


def check_proof(estimator: Any, content: dict[str, Any], proof: Any, splits: Splits) -> None:
    """ValueError, naming both versions, where the restored estimator gives other scores than the one that was saved.

    The same version on the same kind of processor has to give every bit; others, and GPUs, may round differently.
    """
    rows = check_rows(plain.part(proof, "rows", "the proof"), splits.n_features)
    expected = np.array(plain.part(proof, "scores", "the proof"), dtype=np.float64)
    if not np.isfinite(expected).all():
        raise ValueError("the proof's scores are not finite")
    on_cpu = str(content["settings"].get("device") or "cpu").startswith("cpu")
    same = (content["version"], content["machine"]) == (version(content["kind"]), platform.machine())
    try:
        found = scores_of(estimator, rows, splits.n_features)
    except Exception as error:
        raise _cannot_read(content, f"gives no scores for it ({_first_line(error)})") from error
    off = difference(found, expected, splits.scale, exact=same and on_cpu)
    if off is not None:
        raise _cannot_read(content, f"gives other scores than were saved with it (by up to {off:.3g})")


def _cannot_read(content: dict[str, Any], what: str) -> ValueError:
    kind, here = content["kind"], version(content["kind"])
    name, wrote = _NAMES[kind], content["version"]
    if wrote == here:
        return ValueError(f"{name} {here} wrote the saved model and {what}; save the model again")
    return ValueError(
        f"the model was saved with {name} {wrote}, and this {name} {here} {what}; "
        f"install {kind}=={wrote} to load it, or train and save it again with {name} {here}"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def from_plain(content: dict[str, Any], n_classes: int) -> Any:
    """The estimator again, from a content that :func:`check` found good."""
    kind, settings = content["kind"], {name: plain.decode(value) for name, value in content["settings"].items()}
    if kind == "lightgbm":
        return _lightgbm(content, settings, n_classes)
    from xgboost import XGBClassifier
    from xgboost.core import XGBoostError

    here = numbers(version(kind))
    if here < [3, 1, 1] and xgboost_model.knows_categories(content["model"]):
        raise _cannot_read(content, "does not know categories by their names, as the model does")
    if here >= [3, 2] and xgboost_model.vector_leaves_without_weights(content["model"]):
        raise _cannot_read(content, "needs more of trees with several values per leaf than the older one saved")
    estimator = XGBClassifier(**settings)
    try:
        estimator.load_model(bytearray(json.dumps(content["model"]).encode()))
    except (XGBoostError, ValueError, TypeError) as error:
        raise _cannot_read(content, f"cannot read the saved model ({_first_line(error)})") from error
    estimator.n_classes_ = n_classes
    return estimator


def numbers(text: str) -> list[int]:
    return [int("".join(filter(str.isdigit, part)) or 0) for part in text.split(".")[:3]]


def _lightgbm(content: dict[str, Any], settings: dict[str, Any], n_classes: int) -> Any:
    from lightgbm import Booster, LGBMClassifier
    from lightgbm.basic import LightGBMError

    estimator = LGBMClassifier(**settings)
    try:
        booster = Booster(model_str=content["model"])
    except (LightGBMError, ValueError, TypeError) as error:
        raise _cannot_read(content, f"cannot read the saved model ({_first_line(error)})") from error
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


def without_proof(content: dict[str, Any]) -> dict[str, Any]:
    """The content of a file without versions (format version 1), if it cannot be misread.

    XGBoost's model names the version that wrote it, and only that one may read it. LightGBM's names its layout only,
    which every released version has read alike so far: a warning says so.
    """
    here = version(content["kind"])
    if content["kind"] == "xgboost":
        wrote = ".".join(map(str, plain.part(content["model"], "version", "the model")))
        if numbers(wrote) != numbers(here):
            raise _cannot_read(
                content | {"version": wrote}, "cannot check that it reads it rightly, as format version 1 has no proof"
            )
    else:
        _stack.warn(
            "this file has format version 1, which does not record what LightGBM wrote it and cannot prove itself; "
            "compare a few scores with earlier ones, and save the model again",
        )
    return content | {"version": here, "machine": platform.machine()}
