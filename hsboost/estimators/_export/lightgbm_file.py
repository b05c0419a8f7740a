"""LightGBM's model as text with a factor, a shift and another nominal objective written into it."""

from __future__ import annotations

from typing import Any

import numpy as np

from hsboost.estimators._export.plan import Plan

#: Lines of a tree that are in units of the scores.
_SCALED = ("leaf_value", "internal_value", "leaf_const", "leaf_coeff")
_SHIFTED = ("leaf_value", "leaf_const")


def text_of(booster: Any) -> str:
    """The rounds that a native booster predicts with."""
    best = booster.best_iteration
    return str(booster.model_to_string(num_iteration=best if best > 0 else -1))


def objective(plan: Plan) -> str:
    """The nominal objective with the plan's link."""
    several = plan.shift.size > 1
    if plan.link == "identity":
        return "custom" if several else "regression"
    return f"multiclass num_class:{plan.shift.size}" if several else "binary sigmoid:1"


def trees(text: str) -> list[dict[str, str]]:
    """The lines of every tree, by name."""
    blocks = text.partition("\nTree=0\n")[2].partition("end of trees\n")[0]
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks.split("\nTree=")]


def rewritten(text: str, plan: Plan) -> str:
    """``text`` so that its margins are the plan's and its nominal objective has the plan's link.

    The shift goes into the leaves of each output's first tree, in float64.
    """
    n_outputs = plan.shift.size
    head, _, rest = text.partition("\n\n")
    body, end, tail = rest.partition("end of trees\n")
    blocks = []
    for index, block in enumerate(body.split("Tree=")[1:]):
        output = index % n_outputs
        shift = float(plan.shift[output]) if index < n_outputs else 0.0
        lines = [_line(line, float(plan.factor[output]), shift) for line in block.rstrip("\n").split("\n")]
        blocks.append("\n".join(["Tree=" + lines[0], *lines[1:]]) + "\n\n\n")
    sizes = " ".join(str(len(block.encode())) for block in blocks)
    lines = [line for line in head.split("\n") if not line.startswith(("objective=", "tree_sizes="))]
    place = next(i for i, line in enumerate(lines) if line.startswith("feature_names="))
    lines.insert(place, f"objective={objective(plan)}")
    return "\n".join([*lines, f"tree_sizes={sizes}"]) + "\n\n" + "".join(blocks) + end + tail


def _line(line: str, factor: float, shift: float) -> str:
    name, _, values = line.partition("=")
    if name not in _SCALED or not values.strip() or (factor == 1.0 and shift == 0.0):
        return line
    numbers = np.array([float(one) for one in values.split()]) * factor
    if name in _SHIFTED:
        numbers += shift
    return f"{name}={' '.join(map(repr, numbers.tolist()))}"
