"""``python -m benchmarks losses``: the cost of gradients by number of classes, and their accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from operator import itemgetter

import numpy as np

from benchmarks.calls import genz
from benchmarks.calls.losses_cases import (
    CHECKED_ROWS,
    CLASSES,
    FAMILIES,
    GENZ_MOST_CLASSES,
    SAMPLES,
    SCORES,
    Case,
    Rows,
    exact_probabilities,
    make_rows,
    methods,
    slow_probabilities,
    uniform,
)
from benchmarks.calls.losses_report import DRAWS, LEAF_ROWS, LossesReport
from benchmarks.calls.requests import LossesRequest
from benchmarks.suite import environment, measure, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore

FEWEST_CLASSES = 2
#: Entries that every record has.
FIELDS = ("case", "family", "rows", "methods")


@dataclass(frozen=True)
class Settings:
    """The settings that affect the figures of a case: samples per method, size of the cases, threads."""

    repeats: int
    scale: float
    threads: int


def prepare(request: LossesRequest) -> Work[str]:
    """Check every option and list the cases, small ones first."""
    options.at_least(1, repeats=request.repeats, threads=request.threads)
    if not 0.0 < request.scale <= 1.0:
        raise OptionError(f"--scale: must lie in (0, 1], got {request.scale:g}")
    options.threads(request.threads)
    families = options.choose("--families", "family", request.families, FAMILIES)
    chosen = None if request.classes is None else options.sizes("--classes", request.classes, FEWEST_CLASSES)
    cases = [Case(family, classes, request.scale) for family in families for classes in (chosen or CLASSES[family])]
    settings = Settings(request.repeats, request.scale, request.threads or 1)
    by_key = {case.key: case for case in cases}

    def make(key: str, store: RunStore[str], status: StatusLine) -> Record:
        return run_case(by_key[key], settings, lambda doing: status(f"{key}: {doing}"))

    sources = (*(f"calls/{name}.py" for name in ("losses_cases", "genz", "losses")), "suite/measure.py")
    shared = environment.shared_facts(settings, sources, **environment.waiting())
    shared["settings"] |= {"classes": {name: list(n) for name, n in CLASSES.items()}, "scores": SCORES}
    return Work(list(by_key), shared, make, "case", around=lambda keys: measure.pinned(settings.threads))


def run_case(case: Case, settings: Settings, say: Callable[[str], None] = lambda doing: None) -> Record:
    """Measure a case and return its record; ``say`` is called with a description of each step."""
    say("rows")
    rows = make_rows(case)
    calls = methods(case, rows)
    found: dict[str, Record] = {name: {} for name in calls}
    if case.family == "exact":
        say("errors")
        _exact_errors(case, rows, found)
    if case.family == "sampled":
        say("quality")
        _sampled_errors(rows, found)
    say("timing")
    times, each = measure.in_turns(calls, settings.repeats)
    for name, seconds in times.items():
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
    sampled = genz.probabilities(rows.x[:CHECKED_ROWS], rows.y[:CHECKED_ROWS], uniform(case, "genz errors"))
    found["genz"]["error"] = float(np.abs(sampled - truth).max())


def _sampled_errors(rows: Rows, found: dict[str, Record]) -> None:
    """Root mean square error of a row's gradient and of a leaf's summed gradient, relative to their size."""
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


BENCHMARK = Benchmark(itemgetter("case"), FIELDS, prepare, LossesReport)
main = BENCHMARK.run
