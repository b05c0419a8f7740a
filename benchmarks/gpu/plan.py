"""From the options typed to a checked plan, and the facts that everything measured shares."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import environment, options
from benchmarks.errors import OptionError
from benchmarks.gpu import machine
from benchmarks.store import Record
from benchmarks.training.data import COLUMNS

SIZES = (1_000_000, 10_000_000, 100_000_000)
ROWS = (1_000_000, 10_000_000)
LARGE = 50_000_000
FEWEST = 16
DTYPES = ("float32", "float64")
#: Samples of a kernel for each training: they are cheap, and a median of many is steadier.
SAMPLES = 5

#: What is measured ("kernels" or "training"), how many rows, and the score's dtype or the number of the repeat.
Key = tuple[str, int, str | int]


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    sizes: str | None
    rows: str | None
    rounds: int
    repeats: int
    threads: int | None
    large: bool
    out: Path
    report_only: bool
    fresh: bool


@dataclass(frozen=True)
class Settings:
    """What decides figures apart from sizes and repeats."""

    rounds: int
    threads: int
    samples: int
    columns: int = COLUMNS


@dataclass(frozen=True)
class Plan:
    """Sizes of the kernels, each for both dtypes, and rows of the trainings, each ``repeats`` times."""

    sizes: list[int]
    rows: list[int]
    repeats: int
    settings: Settings

    def keys(self) -> list[Key]:
        """List the units of work in order."""
        kernels: list[Key] = [("kernels", n, dtype) for n in self.sizes for dtype in DTYPES]
        return kernels + [("training", rows, repeat) for rows in self.rows for repeat in range(self.repeats)]


def make_plan(request: Request) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least("--rounds", request.rounds, 1)
    options.at_least("--repeats", request.repeats, 1)
    options.at_least("--threads", request.threads, 1)
    cores = environment.available_cores()
    if request.threads is not None and request.threads > cores:
        raise OptionError(f"--threads: only {cores} cores are available, got {request.threads}")
    rows = _sizes("--rows", request.rows, ROWS)
    if request.large:
        rows = sorted({*rows, LARGE})
    sizes = _sizes("--sizes", request.sizes, SIZES)
    if not sizes and not rows:
        raise OptionError("--sizes and --rows are both none: nothing is left to measure; leave one of them out")
    settings = Settings(request.rounds, request.threads or cores, SAMPLES * request.repeats)
    return Plan(sizes, rows, request.repeats, settings)


def _sizes(option: str, text: str | None, default: tuple[int, ...]) -> list[int]:
    if text is None:
        return list(default)
    return [] if text == "none" else options.sizes(option, text, FEWEST)


def shared_facts(settings: Settings) -> Record:
    """Gather what decides figures and is the same for everything measured: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    here = Path(__file__).parent
    files = [here / f"{name}.py" for name in ("kernels", "machine", "training")]
    files += [
        here.parent / "measure.py",
        here.parent / "training" / "boosters.py",
        here.parent / "training" / "data.py",
    ]
    for path in files:
        protocol.update(path.read_bytes())
    return {
        "settings": asdict(settings),
        "protocol": protocol.hexdigest()[:12],
        "versions": environment.versions((*environment.PACKAGES, *machine.PACKAGES)),
        "gpu": machine.describe(),
        "cpu": environment.hardware()["cpu"],
    }
