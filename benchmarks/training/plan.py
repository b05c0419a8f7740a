"""From the options typed to a checked plan, and the facts that all rounds share."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import environment, options
from benchmarks.errors import OptionError
from benchmarks.store import Record
from benchmarks.training.boosters import BOOSTERS
from benchmarks.training.data import COLUMNS

ROWS = (100_000, 1_000_000)
LARGE = 5_000_000
FEWEST_ROWS = 100

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    rows: str | None
    boosters: str | None
    rounds: int
    repeats: int
    threads: int | None
    large: bool
    out: Path
    report_only: bool
    fresh: bool


@dataclass(frozen=True)
class Settings:
    """What decides a training's time apart from booster, rows and objective."""

    rounds: int
    threads: int
    columns: int = COLUMNS


@dataclass(frozen=True)
class Plan:
    """Every booster at every size, ``repeats`` times; one unit of work trains all objectives once, in turn."""

    rows: list[int]
    boosters: list[str]
    repeats: int
    settings: Settings

    def keys(self) -> list[Key]:
        """List the units of work in order."""
        return [
            (booster, rows, repeat) for rows in self.rows for booster in self.boosters for repeat in range(self.repeats)
        ]


def make_plan(request: Request) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least("--rounds", request.rounds, 1)
    options.at_least("--repeats", request.repeats, 1)
    options.at_least("--threads", request.threads, 1)
    cores = environment.available_cores()
    if request.threads is not None and request.threads > cores:
        raise OptionError(f"--threads: only {cores} cores are available, got {request.threads}")
    rows = list(ROWS) if request.rows is None else options.sizes("--rows", request.rows, FEWEST_ROWS)
    if request.large:
        rows = sorted({*rows, LARGE})
    boosters = options.choose("--boosters", "booster", request.boosters, BOOSTERS)
    return Plan(rows, boosters, request.repeats, Settings(request.rounds, request.threads or cores))


def shared_facts(settings: Settings) -> Record:
    """Gather what decides figures and is the same for every round: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("boosters", "data", "objectives", "run")]
    for path in [*files, here.parent / "measure.py"]:
        protocol.update(path.read_bytes())
    return {
        "settings": asdict(settings),
        "boosters": {name: booster.params(settings.threads) for name, booster in BOOSTERS.items()},
        "protocol": protocol.hexdigest()[:12],
        "versions": environment.versions(),
        "openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "cpu": environment.hardware()["cpu"],
    }
