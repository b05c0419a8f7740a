"""From the options typed to a checked plan, and the facts that all cases share."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import environment, options
from benchmarks.errors import OptionError
from benchmarks.scaling.network import Network
from benchmarks.store import Record

ROWS, WORKERS = (100_000, 1_000_000, 10_000_000), (1, 2, 4)
SMALL_ROWS, SMALL_WORKERS, SMALL_ROUNDS = (2_000, 4_000), (1, 2), 4
FEWEST_ROWS, MOST_WORKERS = 200, 64
#: What the promise under Dask is about.
DASK_ROWS, DASK_WORKERS = 1_000_000, 2

#: How the workers are brought together: XGBoost's tracker alone, or `xgboost.dask` on local processes.
TRACKER, DASK = "tracker", "dask"

Key = tuple[str, int, int]


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    rows: str | None
    workers: str | None
    rounds: int
    repeats: int
    data_dir: Path | None
    small: bool
    network: Network
    out: Path
    report_only: bool
    fresh: bool


@dataclass(frozen=True)
class Settings:
    """What decides a round's time apart from rows, workers and objective; ``threads`` are those of all workers."""

    rounds: int
    repeats: int
    threads: int
    data: str


@dataclass(frozen=True)
class Plan:
    """Every number of rows on every number of workers; one case trains both objectives ``repeats`` times, in turn."""

    rows: list[int]
    workers: list[int]
    rounds: int
    repeats: int
    cores: int
    with_dask: bool

    def keys(self) -> list[Key]:
        """List the cases in order, the one under Dask last."""
        found = [(TRACKER, rows, workers) for rows in self.rows for workers in self.workers]
        if self.with_dask and DASK_WORKERS in self.workers:
            found.append((DASK, min(self.rows, key=lambda rows: abs(rows - DASK_ROWS)), DASK_WORKERS))
        return found

    def threads_each(self, workers: int) -> int:
        """Threads of one worker: the cores shared out, at least one each."""
        return max(1, self.cores // workers)


def make_plan(request: Request) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least("--rounds", request.rounds, 2)
    options.at_least("--repeats", request.repeats, 1)
    rows = list(SMALL_ROWS if request.small else ROWS)
    if request.rows is not None:
        rows = options.sizes("--rows", request.rows, FEWEST_ROWS)
    workers = list(SMALL_WORKERS if request.small else WORKERS)
    if request.workers is not None:
        workers = _workers(request.workers)
    rounds, repeats = (min(request.rounds, SMALL_ROUNDS), 1) if request.small else (request.rounds, request.repeats)
    return Plan(rows, workers, rounds, repeats, environment.available_cores(), dask_is_here())


def _workers(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not (word.isascii() and word.isdigit() and 1 <= int(word) <= MOST_WORKERS):
            raise OptionError(f"--workers: {word!r} is not a number of processes from 1 to {MOST_WORKERS}; write 1,2,4")
    return sorted({int(word) for word in words})


def check_network(network: Network) -> None:
    """Raise OptionError for a network that cannot be."""
    options.at_least("--latency", network.latency_us, 0)
    options.at_least("--cores-each", network.cores_each, 1)
    if not network.gbits > 0:
        raise OptionError(f"--bandwidth: must be above 0 Gbit/s, got {network.gbits:g}")


def dask_is_here() -> bool:
    """Whether the case under Dask can run."""
    return all(importlib.util.find_spec(name) is not None for name in ("dask", "distributed"))


def shared_facts(settings: Settings, params: dict[str, Any]) -> Record:
    """Gather what decides figures and is the same for every case: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    here = Path(__file__).parent
    for name in ("cluster", "data", "processes", "watch", "work"):
        protocol.update((here / f"{name}.py").read_bytes())
    return {
        "settings": asdict(settings),
        "params": params,
        "protocol": protocol.hexdigest()[:12],
        "versions": environment.versions((*environment.PACKAGES, "dask", "distributed")),
        "cpu": environment.hardware()["cpu"],
    }
