"""What a saved classifier holds beside its booster, checked: shapes, ranges, and that the parts fit each other."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from hsboost import _validation as check
from hsboost.estimators._model_file import plain
from hsboost.losses import LOSSES, Loss


def check_fitted(fitted: dict[str, Any]) -> None:
    """Decoded attributes of a fitted classifier."""
    classes = fitted["classes"]
    if not isinstance(classes, np.ndarray) or classes.ndim != 1 or classes.size < 2:
        raise ValueError("classes are no array of two labels at least")
    finite = classes.dtype.kind != "f" or np.isfinite(classes).all()
    if not finite or not np.array_equal(np.unique(classes), classes):
        raise ValueError("classes are not sorted, or hold a label twice")
    plain.whole(fitted.get("positive", 1), "positive", 0 if classes.size == 2 else 1, 1)
    n_features = plain.whole(fitted["n_features"], "n_features", 1, 2**31 - 1)
    names = fitted["feature_names"]
    if names is not None:
        if not isinstance(names, np.ndarray) or names.shape != (n_features,):
            raise ValueError("feature_names do not name each feature")
        if not all(isinstance(one, str | int | float) for one in names.tolist()):
            raise ValueError("feature_names holds something that is neither text nor number")
    _check_score(fitted["threshold"], classes.size, "threshold")
    if fitted["offset"] is not None:
        _check_score(fitted["offset"], classes.size, "offset")
    if plain.real(fitted.get("unit", 1.0), "unit") <= 0.0:  # files of format 1 have none
        raise ValueError(f"unit must be above 0, got {fitted['unit']!r}")
    plain.entry(fitted.get("threshold_source", "training"), ("training", "holdout", "cross-fit"), "threshold_source")
    groups = fitted["group_thresholds"]
    if groups is not None:
        if not isinstance(groups, dict):
            raise ValueError("group_thresholds are no mapping")
        for label, threshold in groups.items():
            _check_score(threshold, classes.size, f"the threshold of group {label!r}")
    _check_history(fitted["history"])


def _check_score(value: Any, n_classes: int, where: str) -> None:
    """One finite number, or one per class."""
    if n_classes == 2:
        plain.real(value, where)
    elif not isinstance(value, np.ndarray) or value.dtype.kind != "f" or value.shape != (n_classes,):
        raise ValueError(f"{where} is no array of {n_classes} numbers")
    elif not np.isfinite(value).all():
        raise ValueError(f"{where} must be finite")


def _check_history(history: Any) -> None:
    known = ("iteration", "threshold", "active_share")
    if not isinstance(history, dict) or not set(history) <= set(known):
        raise ValueError(f"the history has something else than {', '.join(known)}")
    rounds = {len(column) if isinstance(column, list) else -1 for column in history.values()}
    if -1 in rounds or len(rounds) > 1:
        raise ValueError("the history's columns are no lists of one length")
    for name, column in history.items():
        for one in column:
            if not isinstance(one, np.ndarray):
                plain.real(one, f"the history's {name}")
            elif one.dtype.kind != "f":
                raise ValueError(f"the history's {name} holds something that is no number")


def check_parameters(settings: dict[str, Any], constructor: Any) -> None:
    """The classifier's own settings, decoded: those that predictions use as ``fit`` checks them."""
    unknown = settings.keys() - inspect.signature(constructor).parameters.keys()
    if unknown:
        raise ValueError(f"{constructor.__name__} has no parameter {sorted(unknown)[0]!r}")
    check.check_budgets(settings["k"])
    if settings["calibration"] is not None:
        check.check_choice(settings["calibration"], "calibration", ("sigmoid", "isotonic"))
    check.check_choice(settings["threshold"], "threshold", ("auto", "training", "holdout", "cross-fit"))


def make_loss(content: Any, n_classes: int) -> Loss:
    """The loss that the classifier was trained with."""
    name = plain.part(content, "name", "the loss")
    values = plain.decode(plain.part(content, "parameters", "the loss"))
    if not isinstance(values, dict):
        raise ValueError("the loss's parameters are no mapping")
    loss = LOSSES[name](**values)
    outputs = 1 if n_classes == 2 else n_classes
    if loss.n_outputs(n_classes) != outputs:
        raise ValueError(f"{loss!r} wants {loss.n_outputs(n_classes)} scores per row, the trees give {outputs}")
    return loss


def check_calibrators(calibrators: Any, n_classes: int, calibration: Any) -> None:
    """As many as there are scores, each a non-decreasing function into [0, 1]."""
    wanted = 1 if n_classes == 2 else n_classes
    if not isinstance(calibrators, list) or len(calibrators) not in (() if calibration else (0,)) + (wanted,):
        raise ValueError(f"there must be {wanted} calibrators for calibration={calibration!r}; fit the model again")
    for one in calibrators:
        kind = plain.entry(plain.part(one, "kind", "a calibrator"), ("sigmoid", "isotonic"), "a calibrator's kind")
        if kind == "sigmoid":
            for name in ("slope", "intercept"):
                plain.real(plain.part(one, name, "a calibrator"), f"a calibrator's {name}")
            continue
        scores = plain.reals(plain.part(one, "scores", "a calibrator"), "a calibrator's scores", None, 1e308)
        values = plain.reals(
            plain.part(one, "probabilities", "a calibrator"), "a calibrator's probabilities", scores.size, 1.0
        )
        if not scores.size or (np.diff(scores) < 0).any() or (np.diff(values) < 0).any() or values.min() < 0.0:
            raise ValueError("a calibrator's points are no non-decreasing function into [0, 1]")
