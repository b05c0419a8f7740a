"""Contributions of features as a ``shap.Explanation``: of decisions, or of probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost.estimators._boosters import scores
from hsboost.estimators._export import plan as plans
from hsboost.estimators._export import rows
from hsboost.estimators._export.plan import Plan

#: Pieces of the way from the average margin to a row's, and nodes of each, for integrals over softmax.
_PIECES, _NODES = 16, 8


def explain(model: Any, X: Any, output: str) -> Any:
    """:meth:`hsboost.HSClassifier.explain`; X has been read."""
    try:
        import shap
    except ModuleNotFoundError as error:
        raise ImportError(
            "explain makes a shap.Explanation and needs shap; pip install shap, or take the numbers of contributions(X)"
        ) from error
    if output not in ("decision", "probability"):
        raise ValueError(f"output must be 'decision' or 'probability', got {output!r}")
    plan = plans.of(model, output)
    if plan.link == "each":
        raise ValueError(
            "output='probability' of several calibrated classes is a sigmoid of each, scaled to sum to 1, over which "
            "contributions do not add up; pass output='decision'"
        )
    found = scores.contributions(model.estimator_, X, model.classes_.size)
    n, several = len(found), model.classes_.size > 2
    # Axes: rows, features and the rest, outputs.
    shares = found[:, :, None] if not several else np.moveaxis(found, 1, 2)
    values, base = shares[:, :-1] * plan.factor, shares[:, -1] * plan.factor + plan.shift
    if plan.output == "probability":
        values, base = _linked(plan, values, base)
    names = getattr(model, "feature_names_in_", None)
    p = values.shape[1]
    labels = [f"x{i}" for i in range(p)] if names is None else [str(one) for one in names]
    data, shown = rows.as_codes(model, X, rows.categories_of(model)), None
    if hasattr(X, "to_pandas") or hasattr(X, "iloc"):
        frame = X if hasattr(X, "iloc") else X.to_pandas()
        shown = np.asarray(frame.astype(object))
    classes = [str(one) for one in model.classes_.tolist()]
    return shap.Explanation(
        values=values if several else values[:, :, 0],
        base_values=base if several else base[:, 0],
        data=data.reshape(n, p),
        display_data=shown,
        feature_names=labels,
        output_names=classes if several else classes[1],
    )


def _linked(plan: Plan, values: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Contributions to the link of the margins, and its value at the base.

    A feature's share of a probability is the integral of the link's slope along the straight way from the base to the
    row's margins, times its share of the margins (Aumann and Shapley's values): they add up exactly.
    """
    way = values.sum(axis=1)
    start, end = plan.linked(base), plan.linked(base + way)
    if plan.link == "sigmoid":
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = (end - start) / way
        slope = np.where(np.abs(way) > 1e-9, slope, start * (1.0 - start))
        return values * slope[:, None], start
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    total = np.zeros_like(values)
    for piece in range(_PIECES):
        for node, weight in zip(nodes.tolist(), weights.tolist(), strict=True):
            p = plan.linked(base + (piece + 0.5 * (node + 1.0)) / _PIECES * way)[:, None]
            # The softmax's slope in direction v is p (v - Σ p v).
            along = p * (values - (p * values).sum(axis=2, keepdims=True))
            total += 0.5 * weight / _PIECES * along
    return total, start
