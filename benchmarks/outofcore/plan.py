"""From the options typed to a checked plan, and the facts that all cases share."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import environment, options
from benchmarks.errors import OptionError
from benchmarks.outofcore.batches import NARROW, WIDE
from benchmarks.outofcore.work import EXTERNAL, HYPERSIMPLEX, IN_MEMORY, LOG_LOSS, PARAMS
from benchmarks.store import Record

MOST_ROWS, FEWEST_ROWS, SMALL_ROWS = 3_000_000, 200, 20_000

Key = tuple[str, str, int]
KEYS: tuple[Key, ...] = (
    (EXTERNAL, HYPERSIMPLEX, WIDE),
    (EXTERNAL, LOG_LOSS, WIDE),
    (IN_MEMORY, HYPERSIMPLEX, WIDE),
    (EXTERNAL, HYPERSIMPLEX, NARROW),
    (IN_MEMORY, HYPERSIMPLEX, NARROW),
)


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    rows: str | None
    rounds: int
    threads: int | None
    data_dir: Path | None
    small: bool
    out: Path
    report_only: bool
    fresh: bool


@dataclass(frozen=True)
class Settings:
    """What decides memory and time apart from a case's way, objective and columns."""

    rows: int
    rounds: int
    threads: int


def make_settings(request: Request) -> Settings:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least("--rounds", request.rounds, 1)
    options.at_least("--threads", request.threads, 1)
    cores = environment.available_cores()
    if request.threads is not None and request.threads > cores:
        raise OptionError(f"--threads: only {cores} cores are available, got {request.threads}")
    rows = SMALL_ROWS if request.small else MOST_ROWS
    if request.rows is not None:
        given = options.sizes("--rows", request.rows, FEWEST_ROWS)
        if len(given) != 1 or given[0] > MOST_ROWS:
            raise OptionError(f"--rows: one number of at most {MOST_ROWS:,}, got {request.rows!r}")
        rows = given[0]
    return Settings(rows, request.rounds, request.threads or cores)


def shared_facts(settings: Settings) -> Record:
    """Gather what decides figures and is the same for every case: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    here = Path(__file__).parent
    for path in (here / "batches.py", here / "work.py", here.parent / "measure.py"):
        protocol.update(path.read_bytes())
    return {
        "settings": asdict(settings),
        "params": PARAMS,
        "protocol": protocol.hexdigest()[:12],
        "versions": environment.versions((*environment.PACKAGES, "pyarrow")),
        "cpu": environment.hardware()["cpu"],
    }
