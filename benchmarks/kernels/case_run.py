"""Measure one case: time in rounds over all methods, errors against the reference, memory, thread independence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numba
import numpy as np

from benchmarks import measure
from benchmarks.kernels.cases import Case
from benchmarks.kernels.methods import FAR_SLOWER, STEPS, Method, foretold, possible, rival_method
from benchmarks.kernels.parts import PartCase
from benchmarks.kernels.plan import Settings
from benchmarks.kernels.problems import Parts, Single
from benchmarks.rivals import DidNotConverge
from benchmarks.store import Record

#: Below so many rows what a call allocates disappears in what the process holds anyway.
MEMORY_FROM = 1_000_000
#: Our own calls and the floors are cheap: more samples make their ratios steadier.
OWN_SAMPLES = 3
#: Off the line through all sizes a rival's time only has to be told from ours.
RIVAL_SAMPLES_ELSEWHERE = 3


class _Bench:
    """A case's problem, and the methods that have been found fit to be timed."""

    def __init__(self, case: Case | PartCase, settings: Settings) -> None:
        self.case, self.settings = case, settings
        self.problem = Single(case) if isinstance(case, Case) else Parts(case)
        self.calls: dict[str, Callable[[], Any]] = {}
        self.each: dict[str, int] = {}
        self.repeats: dict[str, int] = {}
        self.once: dict[str, float] = {}
        self.found: dict[str, Record] = {}

    def admit(self, method: Method, samples: int, most_seconds: float | None = None) -> str | None:
        """Measure everything but a method's time and put it in line for the timing; or say why not.

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
        self.each[method.name] = measure.calls_per_sample(once)
        self.once[method.name] = once
        return None

    def admit_rival(self, name: str, earlier: list[Record]) -> str | None:
        """Take a rival in, with as many samples as its seconds allow; or say why not."""
        reason = _why_not(name, self.case, self.settings, earlier)
        if reason is not None:
            return reason
        samples = self.settings.repeats
        if not self.case.on_line:
            samples = min(samples, RIVAL_SAMPLES_ELSEWHERE)
        try:
            return self.admit(rival_method(name, self.problem.rows), samples, self.settings.rival_seconds)
        except (DidNotConverge, MemoryError) as error:
            return f"failed: {error or 'out of memory'}"

    def time_all(self, own: list[str]) -> None:
        """Time the methods in turns: ours and those of a like speed first, then the far slower ones."""
        limit = FAR_SLOWER * max(self.once[name] for name in own)
        quick = {name for name, once in self.once.items() if once <= limit}
        for group in (quick, self.once.keys() - quick):
            calls = {name: call for name, call in self.calls.items() if name in group}
            repeats = {name: self.repeats[name] for name in calls}
            for name, seconds in measure.interleaved(calls, self.each, repeats).items():
                self.found[name] |= {"seconds": seconds, "calls": self.each[name]}


def run_case(
    case: Case | PartCase, settings: Settings, earlier: list[Record], say: Callable[[str], None] = lambda name: None
) -> Record:
    """Measure a case and return its record; ``earlier`` are records of smaller cases, to foretell slow rivals.

    ``say`` is told what is being done.
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


def _why_not(name: str, case: Case | PartCase, settings: Settings, earlier: list[Record]) -> str | None:
    can = possible(name, case)
    if not can.ok:
        return can.reason
    expected = foretold(name, case, earlier)
    if expected is not None and expected > settings.rival_seconds:
        return f"would need about {expected:.2g} s a call (limit {settings.rival_seconds:g} s)"
    return None


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
    # As integers: equal NaN would differ, and 0.0 equal -0.0. In place, because a hundred million rows have no copy.
    return all(bool(np.array_equal(a.view(f"i{a.itemsize}"), b.view(f"i{b.itemsize}"))) for a, b in pairs)
