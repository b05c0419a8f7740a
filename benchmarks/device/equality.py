"""The card's gradients, trees and thresholds against the processor's, in one process."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.calls import gpu_machine as machine
from benchmarks.calls.gpu import FLOAT32_ROUNDING
from benchmarks.device.parts import Step
from benchmarks.suite.store import Record
from benchmarks.trainings.objectives import LARGE_PARAMS

ROWS, TREE_ROWS, ROUNDS = 1_000_000, 300_000, 20
TINY_ROWS, TINY_ROUNDS = 24, 2
COLUMNS = 10
#: Predictions of trees from gradients that differ by float32 rounding, relative to their largest.
TREES_AGREE = 1e-5
THRESHOLDS_AGREE = 1e-6


def gradients(tiny: bool) -> Record:
    """Two rounds of each loss on both sides: the largest difference, relative to the largest entry."""
    from hsboost.cuda import _step
    from hsboost.cuda._device import device

    place, cases = device(0), {}
    for name, (loss, y, x, w) in _losses(TINY_ROWS if tiny else ROWS).items():
        state = host_state = rows = None
        worst, cut = 0.0, 0.0
        for turn in range(2):  # cold, and from the threshold of the round before
            scores = (x + turn * 0.05).astype(np.float32) * np.float32(1.0 + 0.1 * turn)
            *ours, state, rows = _step.boosting_step(place, loss, y, scores, w, state, rows)
            *theirs, host_state = loss.boosting_step(y, scores, w, host_state)
            with place.current():
                pairs = [(place.download(a), b) for a, b in zip(ours, theirs, strict=True)]
            worst = max([worst, *(float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30)) for a, b in pairs)])
            cuts = np.atleast_1d(state.soft_threshold) - np.atleast_1d(host_state.soft_threshold)
            cut = max(cut, float(np.abs(cuts).max()))
        print(f"  {name}: gradients {worst:.1e}, thresholds {cut:.1e}", flush=True)
        cases[name] = {"difference": worst, "threshold_difference": cut, "bound": FLOAT32_ROUNDING}
    return {"cases": cases}


def _losses(n: int) -> dict[str, tuple[Any, np.ndarray, np.ndarray, np.ndarray | None]]:
    from hsboost import losses

    rng = np.random.default_rng(0)
    x = rng.standard_normal(n).astype(np.float32)
    y = (x + rng.standard_normal(n) > 0.8).astype(np.float32)
    w = rng.random(n).astype(np.float32)
    classes, columns = rng.integers(0, 3, n), rng.standard_normal((n, 3)).astype(np.float32)
    binary = losses.HypersimplexLoss
    return {
        "binary": (binary(), y, x, None),
        "share of rows": (binary(k=0.05), y, x, None),
        "temperature 0.1, unit curvature": (binary(temperature=0.1, hessian="unit"), y, x, None),
        "weights": (binary(k=0.3), y, x, w),
        "classes": (binary(), classes, columns, None),
        "classes and weights": (binary(), classes, columns, w),
        "convex sibling": (losses.HypersimplexFYLoss(k=0.2), y, x, w),
        "smooth": (losses.HypersimplexSmoothLoss(), y, x, w),
        "smooth sibling": (losses.HypersimplexSmoothFYLoss(k=0.2), y, x, None),
        "log loss at the edge": (losses.BudgetLogLoss(k=0.05), y, x, w),
    }


def trees(tiny: bool) -> Record:
    """The booster on the card with the objective there and on the processor: splits, predictions, thresholds."""
    cases = {}
    for name, arguments in _objectives(TINY_ROWS if tiny else TREE_ROWS).items():
        found = compared(*arguments, TINY_ROUNDS if tiny else ROUNDS)
        print("  " + name + ": " + ", ".join(f"{key} {value:.3g}" for key, value in found.items()), flush=True)
        cases[name] = found
    return {"cases": cases, "rounds": TINY_ROUNDS if tiny else ROUNDS}


def _objectives(n: int) -> dict[str, tuple[Any, Any, str]]:
    """(data, maker of the objective for a device, device) by case. Groups run on the processor: there "auto"."""
    import xgboost as xgb

    from hsboost import HypersimplexObjective, losses

    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, COLUMNS)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] + X[:, 2] + rng.standard_normal(n) > 1.0).astype(np.float32)
    classes = np.digitize(X[:, 3] + X[:, 4] * X[:, 5] + rng.standard_normal(n), [-0.7, 0.7])
    binary, groups = xgb.DMatrix(X, y), rng.integers(0, 50, n)
    weighted = xgb.DMatrix(X, y, weight=rng.random(n).astype(np.float32))

    def of(loss: Any) -> Any:
        return lambda device: HypersimplexObjective.of(loss, device=device)

    return {
        "binary": (binary, of(losses.HypersimplexLoss()), "cuda"),
        "weights": (weighted, of(losses.HypersimplexLoss(k=0.1)), "cuda"),
        "classes": (xgb.DMatrix(X, classes), of(losses.HypersimplexLoss()), "cuda"),
        "smooth": (binary, of(losses.HypersimplexSmoothLoss()), "cuda"),
        "log loss at the edge": (weighted, of(losses.BudgetLogLoss(k=0.1)), "cuda"),
        "groups": (binary, lambda device: HypersimplexObjective(groups=groups, device=device), "auto"),
    }


def compared(data: Any, make: Any, device: str, rounds: int) -> Record:
    """Train with the objective on ``device`` and on the processor."""
    import xgboost as xgb

    params = LARGE_PARAMS | {"base_score": 0.0, "device": machine.xgboost_device()}
    classes = int(data.get_label().max()) + 1
    params |= {"objective": "multi:softprob", "num_class": classes} if classes > 2 else {}
    dumps, margins, cuts = [], [], []
    for where in (device, "cpu"):
        objective = make(where)
        model = xgb.train(params, data, rounds, obj=objective)
        dumps.append([_splits(tree) for tree in model.get_dump()])
        margins.append(np.asarray(model.predict(data, output_margin=True), np.float64))
        cuts.append(np.atleast_1d(objective.soft_threshold_ if objective.groups is None else 0.0))
    same = [ours == theirs for ours, theirs in zip(*dumps, strict=True)]
    scale = max(float(np.abs(margins[1]).max()), 1e-30)
    return {
        "trees": len(same),
        "trees_with_the_same_splits": sum(same),
        "prediction_difference": float(np.abs(margins[0] - margins[1]).max()) / scale,
        "threshold_difference": float(np.abs(cuts[0] - cuts[1]).max()) / scale,
    }


def _splits(tree: str) -> list[str]:
    """A tree's splits without the values of its leaves."""
    return [line.partition("leaf=")[0] for line in tree.splitlines()]


STEPS: dict[str, dict[str, Step]] = {"equality": {"gradients": gradients, "trees": trees}}
