"""``python -m benchmarks kernels``: the cases of a request, each measured over all methods in turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from operator import itemgetter
from time import perf_counter
from typing import Any

import numba
import numpy as np

from benchmarks.calls.cases import BUDGETS, DISTRIBUTIONS, DTYPES, FEWEST_SCORES, LAYOUTS, Case, PartCase
from benchmarks.calls.kernels_report import KernelsReport
from benchmarks.calls.methods import (
    FAR_SLOWER,
    STEPS,
    Method,
    expected_seconds,
    possible,
    rival_method,
    threading_layer,
)
from benchmarks.calls.requests import KernelsRequest
from benchmarks.calls.truth import Parts, Single
from benchmarks.rivals import RIVALS, DidNotConverge
from benchmarks.suite import environment, measure, options
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LARGE = 100_000_000
FEWEST_ROWS = 16
#: Every distribution, budget and weighting is tried at the largest size up to this one.
DETAIL_SIZE = 1_000_000
#: With fewer rows a call's allocations are too small against the process's memory to be measured.
MEMORY_FROM = 1_000_000
#: Our own calls and the floors are cheap: more samples make their ratios steadier.
OWN_SAMPLES = 3
#: In cases other than the one run at all sizes, a rival's time only has to be distinguishable from ours.
RIVAL_SAMPLES_ELSEWHERE = 3
#: Entries that every record has.
FIELDS = ("case", "n", "input_bytes", "label_bytes", "methods")


@dataclass(frozen=True)
class Settings:
    """The settings that affect the figures of a case: samples per method, seconds per rival, rivals, threads."""

    repeats: int
    rival_seconds: float
    rivals: tuple[str, ...]
    threads: int


@dataclass(frozen=True)
class Plan:
    """The cases in order of size, so that a smaller one predicts a rival's time for a larger one."""

    cases: list[Case | PartCase]
    settings: Settings


def make_plan(request: KernelsRequest) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least(1, repeats=request.repeats)
    options.at_least(0, rival_seconds=request.rival_seconds)
    threads = options.threads(request.threads)
    sizes = list(SIZES) if request.sizes is None else options.sizes("--sizes", request.sizes, FEWEST_ROWS)
    if request.large:
        sizes = sorted({*sizes, LARGE})
    dtypes = options.choose("--dtypes", "dtype", request.dtypes, DTYPES)
    distributions = options.choose("--distributions", "distribution", request.distributions, DISTRIBUTIONS)
    budgets = options.choose("--budgets", "budget", request.budgets, BUDGETS)
    rivals = [] if request.rivals == "none" else options.choose("--rivals", "rival", request.rivals, RIVALS)
    layouts = [] if request.parts == "none" else options.choose("--parts", "layout", request.parts, LAYOUTS)
    cases = cases_of(sizes, dtypes, distributions, budgets, request.full)
    settings = Settings(request.repeats, request.rival_seconds, tuple(rivals), threads)
    return Plan([*cases, *part_cases_of(sizes, dtypes, layouts, request.full)], settings)


def cases_of(
    sizes: list[int], dtypes: list[str], distributions: list[str], budgets: list[str], full: bool
) -> list[Case]:
    """List the cases: the full cross product, or a line through all sizes and a cross at one of them.

    The line is normal scores at half (or the first of the chosen ones) without weights; the cross adds, at the
    largest size up to a million, every distribution with every budget, and weights on the line's own case.
    """
    cases = list(itertools.starmap(Case, itertools.product(sizes, distributions, budgets, dtypes, (False, True))))
    if full:
        return cases
    distribution = "normal" if "normal" in distributions else distributions[0]
    budget = "half" if "half" in budgets else budgets[0]
    detail = max((n for n in sizes if n <= DETAIL_SIZE), default=sizes[0])
    ends = {sizes[0], detail}

    def wanted(case: Case) -> bool:
        on_line = (case.distribution, case.budget) == (distribution, budget)
        if case.weights:
            return on_line and case.n in ends
        return on_line or case.n == detail

    return [case for case in cases if wanted(case)]


def part_cases_of(sizes: list[int], dtypes: list[str], layouts: list[str], full: bool) -> list[PartCase]:
    """List the cases of groups and classes: the two largest sizes up to a million (or all), and weights once each.

    Weights are added at the largest of those sizes, on float32 if chosen, where the loss's step is timed too.
    """
    enough = [n for n in sizes if n >= FEWEST_SCORES]
    kept = enough if full else ([n for n in enough if n <= DETAIL_SIZE] or enough[:1])[-2:]
    plain = [PartCase(n, layout, dtype, False) for n, layout, dtype in itertools.product(kept, layouts, dtypes)]
    dtype = "float32" if "float32" in dtypes else dtypes[0]
    return plain + [PartCase(kept[-1], layout, dtype, True) for layout in layouts if kept]


def prepare(request: KernelsRequest) -> Work[str]:
    """Check every option and list the cases."""
    plan = make_plan(request)
    cases, settings = {case.key: case for case in plan.cases}, plan.settings

    def make(key: str, store: RunStore[str], status: StatusLine) -> Record:
        return run_case(cases[key], settings, list(store.runs.values()), lambda doing: status(f"{key}: {doing}"))

    def pinned(keys: object = None) -> AbstractContextManager[None]:
        return measure.pinned(settings.threads)

    with pinned():
        shared = shared_facts(settings, threading_layer())
    return Work(list(cases), shared, make, "case", around=pinned)


def shared_facts(settings: Settings, layer: str) -> Record:
    """Gather the facts that affect figures and are the same for every case."""
    sources = ("cases", "methods", "truth", "kernels")
    paths = (*(f"calls/{name}.py" for name in sources), "suite/measure.py", "rivals")
    facts = environment.shared_facts(settings, paths, numba_threading_layer=layer, **environment.waiting())
    for name in settings.rivals:
        facts["versions"] |= RIVALS[name].versions()
    return facts


class _Bench:
    """A case's problem, and the methods accepted for timing."""

    def __init__(self, case: Case | PartCase, settings: Settings) -> None:
        self.case, self.settings = case, settings
        self.problem = Single(case) if isinstance(case, Case) else Parts(case)
        self.calls: dict[str, Callable[[], Any]] = {}
        self.repeats: dict[str, int] = {}
        self.once: dict[str, float] = {}
        self.found: dict[str, Record] = {}

    def admit(self, method: Method, samples: int, most_seconds: float | None = None) -> str | None:
        """Measure everything except a method's time and queue it for timing; or return the reason why not.

        ``most_seconds`` bounds the seconds of one call, and of all samples together.
        """
        method.call()  # compiles
        start = perf_counter()
        result = method.call()
        once = perf_counter() - start
        if most_seconds is not None:
            if once > most_seconds:
                return f"needs {once:.2g} s a call (limit {most_seconds:g} s)"
            samples = max(1, min(samples, int(most_seconds / once)))
        facts = self.problem.accuracy(method, result)
        del result
        if self.case.n >= MEMORY_FROM and self.case.on_line:
            peak = measure.extra_peak_bytes(method.call)
            if peak is not None:
                facts |= {"peak_bytes": peak[0], "output_bytes": 0 if method.into else peak[1]}
        if method.name in STEPS or method.name == "projection":
            facts["same_bits_with_one_thread"] = _same_bits(method.call)
        self.found[method.name] = facts
        self.calls[method.name], self.repeats[method.name] = method.call, samples
        self.once[method.name] = once
        return None

    def admit_rival(self, name: str, earlier: list[Record]) -> str | None:
        """Accept a rival, with as many samples as its seconds allow; or return the reason why not."""
        can, limit = possible(name, self.case), self.settings.rival_seconds
        if not can.ok:
            return can.reason
        expected = expected_seconds(name, self.case, earlier)
        if expected is not None and expected > limit:
            return f"would need about {expected:.2g} s a call (limit {limit:g} s)"
        samples = self.settings.repeats
        if not self.case.on_line:
            samples = min(samples, RIVAL_SAMPLES_ELSEWHERE)
        try:
            return self.admit(rival_method(name, self.problem.rows), samples, limit)
        except (DidNotConverge, MemoryError) as error:
            return f"failed: {error or 'out of memory'}"

    def time_all(self, own: list[str]) -> None:
        """Time the methods in turns: ours and those of similar speed first, then the far slower ones."""
        limit = FAR_SLOWER * max(self.once[name] for name in own)
        quick = {name for name, once in self.once.items() if once <= limit}
        for group in (quick, self.once.keys() - quick):
            calls = {name: call for name, call in self.calls.items() if name in group}
            each = {name: measure.calls_per_sample(self.once[name]) for name in calls}
            repeats = {name: self.repeats[name] for name in calls}
            for name, seconds in measure.interleaved(calls, each, repeats).items():
                self.found[name] |= {"seconds": seconds, "calls": each[name]}


def run_case(
    case: Case | PartCase, settings: Settings, earlier: list[Record], say: Callable[[str], None] = lambda name: None
) -> Record:
    """Measure a case and return its record; ``earlier`` are records of smaller cases, to predict slow rivals.

    ``say`` is called with a description of each step.
    """
    say("rows and reference")
    bench = _Bench(case, settings)
    own = bench.problem.own_methods()
    for method in own:
        say(method.name)
        bench.admit(method, OWN_SAMPLES * settings.repeats)
    for name in settings.rivals:
        say(name)
        reason = bench.admit_rival(name, earlier)
        if reason is not None:
            bench.found[name] = {"skipped": reason}
    say("timing")
    bench.time_all([method.name for method in own])
    rows = bench.problem.rows
    return {
        "case": case.key,
        **asdict(case),
        **bench.problem.facts,
        "input_bytes": sum(a.nbytes for a in (rows.x, rows.w) if a is not None),
        "label_bytes": rows.y.nbytes,
        "methods": bench.found,
    }


def _same_bits(call: Callable[[], Any]) -> bool | None:
    """Whether one thread gives the same bytes as all of them; None where there is only one."""
    threads = numba.get_num_threads()
    if threads < 2:
        return None
    many = call()
    numba.set_num_threads(1)
    try:
        one = call()
    finally:
        numba.set_num_threads(threads)
    pairs = zip(many, one, strict=True) if isinstance(many, tuple) else [(many, one)]
    # As integers: equal NaN would differ, and 0.0 equal -0.0. In place, because a copy of 1e8 rows is too large.
    return all(bool(np.array_equal(a.view(f"i{a.itemsize}"), b.view(f"i{b.itemsize}"))) for a, b in pairs)


BENCHMARK = Benchmark(itemgetter("case"), FIELDS, prepare, KernelsReport)
main = BENCHMARK.run
