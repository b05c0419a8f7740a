"""From the options typed to a checked list of cases, and the facts that all of them share."""

from __future__ import annotations

import hashlib
import itertools
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import environment, options
from benchmarks.errors import OptionError
from benchmarks.kernels.cases import BUDGETS, DISTRIBUTIONS, DTYPES, Case
from benchmarks.kernels.parts import FEWEST_SCORES, LAYOUTS, PartCase
from benchmarks.rivals import RIVALS
from benchmarks.store import Record

SIZES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
LARGE = 100_000_000
FEWEST_ROWS = 16
#: Every distribution, budget and weighting is tried at the largest size up to this one.
DETAIL_SIZE = 1_000_000


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    sizes: str | None
    dtypes: str | None
    distributions: str | None
    budgets: str | None
    rivals: str | None
    repeats: int
    rival_seconds: float
    threads: int | None
    full: bool
    large: bool
    out: Path
    report_only: bool
    fresh: bool
    parts: str | None = None


@dataclass(frozen=True)
class Settings:
    """What decides the figures of a case: samples per method, seconds granted to a rival, rivals, threads."""

    repeats: int
    rival_seconds: float
    rivals: tuple[str, ...]
    threads: int


@dataclass(frozen=True)
class Plan:
    """The cases in order of size, so that a smaller one foretells what a rival will need for a larger one."""

    cases: list[Case | PartCase]
    settings: Settings


def make_plan(request: Request) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least("--repeats", request.repeats, 1)
    options.at_least("--rival-seconds", request.rival_seconds, 0)
    options.at_least("--threads", request.threads, 1)
    cores = environment.available_cores()
    if request.threads is not None and request.threads > cores:
        raise OptionError(f"--threads: only {cores} cores are available, got {request.threads}")
    sizes = list(SIZES) if request.sizes is None else options.sizes("--sizes", request.sizes, FEWEST_ROWS)
    if request.large:
        sizes = sorted({*sizes, LARGE})
    chosen = Chosen(
        options.choose("--dtypes", "dtype", request.dtypes, DTYPES),
        options.choose("--distributions", "distribution", request.distributions, DISTRIBUTIONS),
        options.choose("--budgets", "budget", request.budgets, BUDGETS),
    )
    rivals = [] if request.rivals == "none" else options.choose("--rivals", "rival", request.rivals, RIVALS)
    settings = Settings(request.repeats, request.rival_seconds, tuple(rivals), request.threads or cores)
    layouts = [] if request.parts == "none" else options.choose("--parts", "layout", request.parts, LAYOUTS)
    cases = cases_of(sizes, chosen, request.full)
    return Plan([*cases, *part_cases_of(sizes, chosen.dtypes, layouts, request.full)], settings)


@dataclass(frozen=True)
class Chosen:
    """The values that the options allow on each axis."""

    dtypes: list[str]
    distributions: list[str]
    budgets: list[str]


def cases_of(sizes: list[int], chosen: Chosen, full: bool) -> list[Case]:
    """List the cases: the whole cross product, or a line through all sizes and a cross at one of them.

    The line is normal scores at half (or the first of what was chosen) without weights; the cross adds, at the
    largest size up to a million, every distribution with every budget, and weights on the line's own case.
    """
    product = itertools.product(sizes, chosen.distributions, chosen.budgets, chosen.dtypes, (False, True))
    cases = [Case(n, distribution, budget, dtype, weights) for n, distribution, budget, dtype, weights in product]
    if full:
        return cases
    distribution = "normal" if "normal" in chosen.distributions else chosen.distributions[0]
    budget = "half" if "half" in chosen.budgets else chosen.budgets[0]
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

    Weights are tried at the largest of those sizes, on float32 if that was chosen: there the loss's step is timed too.
    """
    enough = [n for n in sizes if n >= FEWEST_SCORES]
    kept = enough if full else ([n for n in enough if n <= DETAIL_SIZE] or enough[:1])[-2:]
    plain = [PartCase(n, layout, dtype, False) for n, layout, dtype in itertools.product(kept, layouts, dtypes)]
    dtype = "float32" if "float32" in dtypes else dtypes[0]
    return plain + [PartCase(kept[-1], layout, dtype, True) for layout in layouts if kept]


def shared_facts(settings: Settings, threading_layer: str) -> Record:
    """Gather what decides figures and is the same for every case: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    here = Path(__file__).parent
    files = [
        here / f"{name}.py" for name in ("cases", "parts", "methods", "problems", "reference", "case_run", "stream")
    ]
    for path in [*files, here.parent / "measure.py", *sorted((here.parent / "rivals").glob("*.py"))]:
        protocol.update(path.read_bytes())
    versions = environment.versions()
    for name in settings.rivals:
        versions |= RIVALS[name].versions()
    return {
        "settings": asdict(settings) | {"rivals": list(settings.rivals)},
        "protocol": protocol.hexdigest()[:12],
        "versions": versions,
        "openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "numba_threading_layer": threading_layer,
        "cpu": environment.hardware()["cpu"],
    }
