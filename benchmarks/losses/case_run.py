"""Measure one case: time in rounds over all methods, nodes and errors of EXACT, quality of sampled gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import numpy as np

from benchmarks import measure
from benchmarks.losses import genz
from benchmarks.losses.cases import CHECKED_ROWS, Case, Rows, generator, make_rows, slow_probabilities
from benchmarks.losses.methods import (
    GENZ_MOST_CLASSES,
    GENZ_SAMPLES,
    SAMPLES,
    exact_probabilities,
    methods,
)
from benchmarks.losses.plan import Settings
from benchmarks.store import Record

#: Rows of a leaf, whose summed gradient is what a tree sees; leaves gather rows of like classes.
LEAF_ROWS = 100
#: Draws over which the error of a sampled gradient is averaged.
DRAWS = 8


def run_case(case: Case, settings: Settings, say: Callable[[str], None] = lambda name: None) -> Record:
    """Measure a case and return its record; ``say`` is told what is being done."""
    say("rows")
    rows = make_rows(case)
    found: dict[str, Record] = {}
    calls = methods(case, rows)
    each, repeats = {}, {}
    for name, call in calls.items():
        say(name)
        call()  # compiles
        once = measure.seconds_of(call)
        each[name], repeats[name] = measure.calls_per_sample(once), settings.repeats
        found[name] = {}
    if case.family == "exact":
        say("errors")
        _exact_errors(case, rows, found)
    if case.family == "sampled":
        say("quality")
        _sampled_errors(rows, found)
    say("timing")
    for name, seconds in measure.interleaved(calls, each, repeats).items():
        found[name] |= {"seconds": [second / case.rows for second in seconds], "calls": each[name]}
    return {"case": case.key, **asdict(case), "rows": case.rows, "methods": found}


def _exact_errors(case: Case, rows: Rows, found: dict[str, Record]) -> None:
    from hsboost._kernels.exact import count_nodes
    from hsboost._kernels.normal import table

    truth = slow_probabilities(rows)
    ours = exact_probabilities(rows, len(truth))
    found["exact"]["error"] = float(np.abs(ours - truth).max())
    found["exact"]["nodes"] = float(count_nodes(rows.x, rows.y, 1.0, table()))
    if case.classes > GENZ_MOST_CLASSES:
        return
    uniforms = generator(case, "genz errors").random((GENZ_SAMPLES, max(case.classes - 1, 1)))
    sampled = genz.probabilities(rows.x[:CHECKED_ROWS], rows.y[:CHECKED_ROWS], uniforms)
    found["genz"]["error"] = float(np.abs(sampled - truth).max())


def _sampled_errors(rows: Rows, found: dict[str, Record]) -> None:
    """Root mean square error of a row's gradient and of a leaf's summed gradient, beside their own size."""
    from hsboost.losses import SampledSoftmaxLoss, SoftmaxLoss

    n = len(rows.y) // LEAF_ROWS * LEAF_ROWS or len(rows.y)
    leaf_order = np.argsort(rows.y, kind="stable")[:n]
    exact = SoftmaxLoss().gradient(rows.y, rows.x)[leaf_order]
    for samples in SAMPLES:
        row_error, leaf_error = 0.0, 0.0
        for seed in range(DRAWS):
            gap = SampledSoftmaxLoss(samples, seed=seed).gradient(rows.y, rows.x)[leaf_order] - exact
            row_error += float((gap**2).sum())
            leaf_error += float((_leaves(gap) ** 2).sum())
        found[f"sampled_{samples}"] |= {
            "row_error": float(np.sqrt(row_error / DRAWS / (exact**2).sum())),
            "leaf_error": float(np.sqrt(leaf_error / DRAWS / (_leaves(exact) ** 2).sum())),
        }


def _leaves(gradient: np.ndarray) -> np.ndarray:
    size = min(LEAF_ROWS, len(gradient))
    return np.asarray(gradient.reshape(-1, size, gradient.shape[1]).sum(axis=1))
