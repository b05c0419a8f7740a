"""What is timed in a case: the floors, our projection, our loss's step, the rivals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.kernels.cases import Case, Rows, round_before
from benchmarks.kernels.stream import stream
from benchmarks.rivals import RIVALS, Availability
from benchmarks.store import Record

LABELS = {
    "copy": "numpy.copyto (floor)",
    "copy_new": "copy into a new array",
    "projection": "project_hypersimplex",
    "stream": "stream kernel (floor)",
    "stream_new": "stream into new arrays",
    "step_cold": "loss step, cold",
    "step_warm": "loss step, warm",
} | {name: rival.label for name, rival in RIVALS.items()}

PROJECTIONS = ("projection", *RIVALS)
STEPS = ("step_cold", "step_warm")


@dataclass(frozen=True)
class Method:
    """A call to be timed. It returns what `checked` understands: y, (gradient, hessian), or nothing for floors."""

    name: str
    call: Callable[[], Any]

    @property
    def is_rival(self) -> bool:
        """Rivals have a budget of seconds."""
        return self.name in RIVALS


def own_methods(case: Case, rows: Rows) -> list[Method]:
    """Prepare the floors and hsboost's own calls; the loss's step is timed on float32, as XGBoost hands it over."""
    from hsboost import project_hypersimplex

    x, w, k = rows.x, rows.w, rows.k
    out = np.zeros_like(x)
    methods = [
        Method("copy", lambda: np.copyto(out, x)),
        Method("copy_new", x.copy),
        Method("projection", lambda: project_hypersimplex(x, k, sample_weight=w).values),
    ]
    if case.dtype == "float32":
        methods += _steps(case, rows)
    return methods


def _steps(case: Case, rows: Rows) -> list[Method]:
    from hsboost import HypersimplexLoss

    x, y, w = rows.x, rows.y, rows.w
    loss = HypersimplexLoss()
    # The state is handed from round to round and never changed by a call, so it can serve every repeat.
    *_, state = loss.boosting_step(y, round_before(case, x), w, None)
    gradient, hessian = np.zeros_like(x), np.zeros_like(x)

    def stream_new() -> tuple[np.ndarray, np.ndarray]:
        outputs = np.empty_like(x), np.empty_like(x)
        stream(x, y, *outputs)
        return outputs

    return [
        Method("stream", lambda: stream(x, y, gradient, hessian)),
        Method("stream_new", stream_new),
        Method("step_cold", lambda: loss.boosting_step(y, x, w, None)[:2]),
        Method("step_warm", lambda: loss.boosting_step(y, x, w, state)[:2]),
    ]


def rival_method(name: str, case: Case, rows: Rows) -> Method:
    """Prepare a rival's call, untimed."""
    return Method(name, RIVALS[name].prepare(rows.x, rows.k, rows.w))


def possible(name: str, case: Case) -> Availability:
    """Say whether a rival can be run on a case at all."""
    rival = RIVALS[name]
    here = rival.available()
    return rival.supports(case.weights) if here.ok else here


def foretold(name: str, case: Case, earlier: list[Record]) -> float | None:
    """Guess a rival's seconds per call from the same shape at a smaller size; costs grow at least with n.

    Small sizes are ruled by fixed costs and would foretell too much: they are scaled by rows only from 10,000 on.
    """
    shape = (case.distribution, case.budget, case.dtype, case.weights)
    best: tuple[int, float] | None = None
    for record in earlier:
        if tuple(record[axis] for axis in ("distribution", "budget", "dtype", "weights")) != shape:
            continue
        found = record["methods"].get(name, {}).get("seconds")
        if found and 10_000 <= record["n"] < case.n and (best is None or record["n"] > best[0]):
            best = record["n"], float(np.median(found))
    return None if best is None else best[1] * case.n / best[0]
