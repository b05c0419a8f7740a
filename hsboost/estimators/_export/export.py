"""Writing a fitted classifier for another runtime, and verifying on rows that the runtime's answers are the same."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hsboost.estimators import _boosters
from hsboost.estimators._boosters import scores as _scores
from hsboost.estimators._export import forest, lightgbm_file, onnx_file, rows, runtimes, treelite_file, xgboost_file
from hsboost.estimators._export import plan as plans
from hsboost.estimators._export.plan import Plan
from hsboost.estimators._export.result import ExportResult
from hsboost.estimators._model_file import files, lightgbm_model, xgboost_model
from hsboost.estimators._model_file.splits import Splits

#: Formats and the ends of their files' names.
SUFFIXES = {"xgboost": (".json", ".ubj"), "lightgbm": (".txt",), "onnx": (".onnx",), "treelite": (".tl",)}

#: Rounding errors of a sum over trees, in units of the greatest score that the leaves allow.
_ROUNDING = 64.0


class _Compared(NamedTuple):
    rows: int
    difference: float
    tolerance: float
    ties: int


def write(
    model: Any,
    path: str | os.PathLike[str],
    format: str | None,
    output: str | None,
    threshold: str | None,
    given: Any,
    require_check: bool,
) -> ExportResult:
    """:meth:`hsboost.HSClassifier.export`."""
    kind = str(_boosters.kind(model.estimator_))
    format, suffix = _format(path, format)
    _check_model(model, kind, format, threshold)
    plan = plans.of(model, output)
    if plan.link == "each" and format != "onnx":
        raise ValueError(
            f"output='probability' of several calibrated classes is a sigmoid of each, scaled to sum to 1, which "
            f"format={format!r} does not know; export to format='onnx', or pass output='decision'"
        )
    categories = rows.categories_of(model)
    native = _boosters.native(model.estimator_)
    names = getattr(model, "feature_names_in_", None)
    splits, content = _content(model, kind, native, format, suffix, plan, categories, names)
    runtime = runtimes.version(format)
    if runtime is None and require_check:
        raise ValueError(
            f"require_check=True: {runtimes.PACKAGES[format]}, which reads {format} files, is not installed, so "
            f"nothing can be compared; pip install {runtimes.PACKAGES[format]}"
        )
    compared = _compare(model, kind, splits, plan, format, content, categories, given) if runtime else None
    files.write_whole(path, lambda file: file.buffer.write(content))
    return ExportResult(
        path=os.fspath(path),
        format=format,
        output=plan.output,
        cut=plan.output_cut(),
        classes=model.classes_.tolist(),
        categories=categories,
        runtime=runtime,
        rows=0 if compared is None else compared.rows,
        largest_difference=None if compared is None else compared.difference,
        tolerance=0.0 if compared is None else compared.tolerance,
        decisions_equal=None if compared is None else compared.rows - compared.ties,
        ties=None if compared is None else compared.ties,
    )


def _format(path: str | os.PathLike[str], format: str | None) -> tuple[str, str]:
    """The format and the end of the file's name."""
    suffix = Path(path).suffix.lower()
    if format is None:
        format = next((name for name, ends in SUFFIXES.items() if suffix in ends), None)
        if format is None:
            known = ", ".join(f"{end} ({name})" for name, ends in SUFFIXES.items() for end in ends)
            raise ValueError(f"path={os.fspath(path)!r} does not say which format; pass format=, or one of {known}")
    if format not in SUFFIXES:
        raise ValueError(f"format must be one of {', '.join(map(repr, SUFFIXES))}, got {format!r}")
    if format == "xgboost" and suffix not in SUFFIXES[format]:
        raise ValueError(
            f"path={os.fspath(path)!r}: XGBoost reads model files by the ends of their names; name it .json or .ubj"
        )
    return format, suffix


def _check_model(model: Any, kind: str, format: str, threshold: str | None) -> None:
    if threshold not in (None, "global"):
        raise ValueError(f"threshold must be 'global' or None, got {threshold!r}")
    if hasattr(model, "group_thresholds_") and threshold is None:
        raise ValueError(
            f"this model has a threshold for each of {len(model.group_thresholds_)} groups, and a file of trees has "
            "one for all rows; pass threshold='global' to export with threshold_, or serve the scores and "
            "group_thresholds_ beside them"
        )
    if format in ("xgboost", "lightgbm") and format != kind:
        raise ValueError(f"format={format!r}: this model was trained with {kind}; export to format={kind!r} or 'onnx'")
    missing = getattr(model.estimator_, "missing", np.nan) if kind == "xgboost" else np.nan
    if missing is not None and not np.isnan(missing):
        raise ValueError(
            f"the booster's missing={missing!r} is no part of a model file, and readers would take that number for a "
            "value; put NaN in its place, and train with missing left out"
        )


def _content(
    model: Any,
    kind: str,
    native: Any,
    format: str,
    suffix: str,
    plan: Plan,
    categories: dict[Any, Any],
    names: np.ndarray | None,
) -> tuple[Splits, bytes]:
    """What the model looks at, and the file."""
    n_outputs, n_features = plan.shift.size, int(model.n_features_in_)
    if kind == "xgboost":
        parsed = xgboost_file.parsed(native, _boosters.rounds(model.estimator_))
        splits = xgboost_model.check(parsed, n_features, model.classes_.size, None if names is None else names.tolist())
        if format == "onnx":
            trees = forest.of_xgboost(parsed, n_outputs)
            return splits, _made("onnx", onnx_file.to_bytes, model, trees, plan, True, categories)
        if format == "treelite" and parsed["learner"]["gradient_booster"]["name"] == "gblinear":
            forest.of_xgboost(parsed, n_outputs)  # raises an error that there are no trees
        rewritten = xgboost_file.rewritten(parsed, plan)
        if format == "treelite":
            xgboost_file.drop_names_of_categories(rewritten)
        content = xgboost_file.to_bytes(rewritten, "ubj" if suffix == ".ubj" else "json")
    else:
        text = lightgbm_file.text_of(native)
        splits = lightgbm_model.check(text, n_features, model.classes_.size)
        if format != "lightgbm":
            forest.refuse_lightgbm(text, format)
        if format == "onnx":
            trees = forest.of_lightgbm(text, n_outputs)
            return splits, _made("onnx", onnx_file.to_bytes, model, trees, plan, False, categories)
        content = lightgbm_file.rewritten(text, plan).encode()
    return splits, _made("treelite", treelite_file.to_bytes, content, kind, plan) if format == "treelite" else content


def _made(package: str, make: Any, *arguments: Any) -> bytes:
    try:
        made: bytes = make(*arguments)
    except ModuleNotFoundError as error:
        raise ImportError(f"format={package!r} needs {package}; pip install hsboost[export]") from error
    return made


def _compare(
    model: Any,
    kind: str,
    splits: Splits,
    plan: Plan,
    format: str,
    content: bytes,
    categories: dict[Any, Any],
    given: Any,
) -> _Compared:
    """Compare the file with the model on drawn rows, and on the given ones; ValueError beyond rounding."""
    own = rows.drawn(splits, single=kind == "xgboost")
    with warnings.catch_warnings():  # names of features: these rows have none
        warnings.simplefilter("ignore")
        scores = _scores.raw_scores_by_code(model.estimator_, own)
        read = runtimes.read(format, content, plan, model, own, own, by_name=False)
    done = [_differences(model, kind, splits, plan, format, scores, read, "rows drawn between its split values")]
    if given is not None:
        X = model._read(given)
        scores = _scores.raw_scores(model.estimator_, X)
        if len(scores):
            aligned = _scores.aligned(model.estimator_, X) if kind == "xgboost" else X
            codes = rows.as_codes(model, aligned, categories)
            read = runtimes.read(format, content, plan, model, aligned, codes, by_name=True)
            done.append(_differences(model, kind, splits, plan, format, scores, read, "the given rows"))
    return _Compared(
        sum(one.rows for one in done),
        max(one.difference for one in done),
        done[0].tolerance,
        sum(one.ties for one in done),
    )


def _differences(
    model: Any,
    kind: str,
    splits: Splits,
    plan: Plan,
    format: str,
    scores: np.ndarray,
    read: runtimes.Outputs,
    what: str,
) -> _Compared:
    """Margins (or outputs), and decisions, of some rows."""
    decided = plans.decisions(model)
    decision, margin = decided.margin(scores), plan.margin(scores)
    # XGBoost sums float32, and the comparison has to do the same.
    eps = float(np.finfo(np.float32 if kind == "xgboost" else np.float64).eps)

    def rounding(one: Plan) -> float:
        return _ROUNDING * eps * float((np.abs(one.factor) * splits.scale + np.abs(one.shift)).max())

    # Links are computed in float32 by XGBoost and treelite.
    linked = rounding(plan) + (_ROUNDING * float(np.finfo(np.float32).eps) if plan.link != "identity" else 0.0)
    off = [(read.output, _output(plan, margin), linked)]
    if read.margin is not None:
        off = [(read.margin, margin, rounding(plan)), *off]
    if read.decision is not None:
        off.append((read.decision, decision, rounding(decided)))
    for found, wanted, tolerance in off:
        largest = _largest(found, wanted)
        if not largest <= tolerance:
            raise ValueError(
                f"format={format!r}: {runtimes.version(format)} reads the file otherwise than the model decides, on "
                f"{what} by up to {largest:.3g} where rounding explains {tolerance:.3g}; nothing was written. Export "
                "to the booster's own format, or save with save_model"
            )
    right = decision.argmax(axis=1) if plan.cut is None else decision[:, 0] > 0.0
    if read.chosen is not None:
        index = read.chosen
    elif plan.cut is None:
        index = off[0][0].argmax(axis=1)
    else:
        index = read.output[:, 0] > np.asarray(plan.output_cut(), dtype=read.output.dtype)
    unlike = np.flatnonzero(index != right)
    top = np.sort(decision, axis=1)
    gap = top[:, -1] - top[:, -2] if plan.cut is None else np.abs(decision[:, 0])
    # The effect of rounding of the output, in units of the decision: a sigmoid flattens far from one half.
    room = 2.0 * rounding(decided) + _hidden(plan, decided, read.output.dtype)
    if (gap[unlike] > room).any():
        raise ValueError(
            f"format={format!r}: {runtimes.version(format)} decides {unlike.size} of {len(right)} rows of {what} "
            "otherwise than predict, not only at the cut; nothing was written. Pass output='decision'"
        )
    return _Compared(len(right), _largest(*off[0][:2]), off[0][2], int(unlike.size))


def _hidden(plan: Plan, decided: Plan, dtype: Any) -> float:
    """How far apart decisions may lie whose probabilities at the cut are one number of ``dtype``."""
    if plan.link != "sigmoid" or plan.cut is None:
        return 0.0
    cut = float(plan.output_cut() or 0.0)
    slope = max(cut * (1.0 - cut), 1e-300) * float(plan.factor[0] / decided.factor[0])
    return 4.0 * float(np.finfo(dtype).eps) * cut / slope


def _output(plan: Plan, margin: np.ndarray) -> np.ndarray:
    """Outputs of margins."""
    found = plan.linked(margin)
    if plan.link != "each":
        return found
    total = found.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, found / np.where(total > 0.0, total, 1.0), 1.0 / found.shape[1])


def _largest(found: np.ndarray, wanted: np.ndarray) -> float:
    off = np.abs(np.asarray(found, dtype=np.float64) - wanted)
    return float(np.where(np.isnan(off), np.inf, off).max(initial=0.0))
