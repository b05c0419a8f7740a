"""What is timed in each family, each a call without arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.losses import genz
from benchmarks.losses.cases import Case, FloatArray, Rows, generator

GENZ_SAMPLES = 512
#: Above so many classes Genz would only be waited for: its cost grows with the square.
GENZ_MOST_CLASSES = 64
SAMPLES = (16, 64, 256)

LABELS = {
    "exact": "EXACT, 1 - P",
    "exact_log": "EXACT, -log P",
    "genz": f"Genz, {GENZ_SAMPLES} samples, value only",
    "softmax": "softmax",
    "sparsemax": "sparsemax",
    "entmax15": "entmax, α = 1.5",
    "entmax": "entmax, α = 1.25",
    **{f"sampled_{m}": f"sampled softmax, {m} draws" for m in SAMPLES},
}

Call = Callable[[], Any]


def methods(case: Case, rows: Rows) -> dict[str, Call]:
    """Value-free calls of gradient and curvature for every loss of the family, and rivals."""
    from hsboost.losses import get_loss

    def derivatives(name: str, **parameters: Any) -> Call:
        loss = get_loss(name, **parameters)
        return lambda: loss.gradient_hessian(rows.y, rows.x)

    if case.family == "exact":
        found = {"exact": derivatives("exact"), "exact_log": derivatives("exact", log=True)}
        if case.classes <= GENZ_MOST_CLASSES:
            uniforms = generator(case, "genz").random((GENZ_SAMPLES, max(case.classes - 1, 1)))
            found["genz"] = lambda: genz.probabilities(rows.x, rows.y, uniforms)
        return found | {"softmax": derivatives("softmax")}
    if case.family == "softmax":
        return {
            "softmax": derivatives("softmax"),
            "sparsemax": derivatives("sparsemax"),
            "entmax15": derivatives("entmax15"),
            "entmax": derivatives("entmax", alpha=1.25),
        }
    return {"softmax": derivatives("softmax")} | {
        f"sampled_{m}": derivatives("sampled-softmax", samples=m) for m in SAMPLES
    }


def exact_probabilities(rows: Rows, count: int) -> FloatArray:
    """P of the first rows as the loss has it."""
    from hsboost.losses import ExactLoss

    loss = ExactLoss()
    return np.array([1.0 - loss.loss(rows.y[i : i + 1], rows.x[i : i + 1]) for i in range(count)])
