"""From the options typed to a checked list of cases, and the facts that all of them share."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import environment, options
from benchmarks.errors import OptionError
from benchmarks.losses.cases import CLASSES, FAMILIES, Case, describe
from benchmarks.store import Record

FEWEST_CLASSES = 2


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    families: str | None
    classes: str | None
    repeats: int
    scale: float
    threads: int | None
    out: Path
    report_only: bool
    fresh: bool


@dataclass(frozen=True)
class Settings:
    """What decides the figures of a case: samples per method, size of the cases, threads."""

    repeats: int
    scale: float
    threads: int


@dataclass(frozen=True)
class Plan:
    """The cases, small ones first."""

    cases: list[Case]
    settings: Settings


def make_plan(request: Request) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least("--repeats", request.repeats, 1)
    options.at_least("--threads", request.threads, 1)
    if not 0.0 < request.scale <= 1.0:
        raise OptionError(f"--scale: must lie in (0, 1], got {request.scale:g}")
    cores = environment.available_cores()
    if request.threads is not None and request.threads > cores:
        raise OptionError(f"--threads: only {cores} cores are available, got {request.threads}")
    families = options.choose("--families", "family", request.families, FAMILIES)
    chosen = None if request.classes is None else options.sizes("--classes", request.classes, FEWEST_CLASSES)
    cases = [Case(family, classes, request.scale) for family in families for classes in (chosen or CLASSES[family])]
    return Plan(cases, Settings(request.repeats, request.scale, request.threads or 1))


def shared_facts(settings: Settings) -> Record:
    """Gather what decides figures and is the same for every case: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("cases", "methods", "genz", "case_run")]
    for path in [*files, here.parent / "measure.py"]:
        protocol.update(path.read_bytes())
    return {
        "settings": asdict(settings) | describe(),
        "protocol": protocol.hexdigest()[:12],
        "versions": environment.versions(),
        "openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "cpu": environment.hardware()["cpu"],
    }
