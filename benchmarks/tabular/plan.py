"""From the options typed to a checked plan, and the facts that runs of one plan share."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import environment
from benchmarks.errors import OptionError
from benchmarks.options import choose
from benchmarks.tabular import evaluate
from benchmarks.tabular.boosters import BOOSTERS
from benchmarks.tabular.losses import DEFAULT_LOSSES, LOSSES
from benchmarks.tabular.settings import Settings
from benchmarks.tabular.store import Key, Record

DEFAULT_ROWS = 50_000
DEFAULT_ROUNDS = 200
ALL = "all"


@dataclass(frozen=True)
class Request:
    """The command line as it was typed; None where an option was left out."""

    datasets: str | None
    boosters: str | None
    losses: str | None
    seeds: int
    rows: int | None
    rounds: int | None
    selection: str
    data_dir: Path | None
    out: Path
    threads: int | None
    report_only: bool
    fresh: bool


@dataclass(frozen=True)
class Plan:
    """What to run: every combination of data set, seed, booster and loss, under one set of settings."""

    datasets: list[str]
    boosters: list[str]
    losses: list[str]
    seeds: int
    settings: Settings

    def keys(self) -> list[Key]:
        """List the runs in order: the losses innermost, so that the times compared are taken side by side."""
        return [
            (dataset, booster, loss, seed)
            for dataset in self.datasets
            for seed in range(self.seeds)
            for booster in self.boosters
            for loss in self.losses
        ]


def make_plan(request: Request) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    import datasets

    for option, value, least in (
        ("--seeds", request.seeds, 1),
        ("--rows", request.rows, 0),
        ("--rounds", request.rounds, 1),
        ("--threads", request.threads, 1),
    ):
        if value is not None and value < least:
            raise OptionError(f"{option}: must be at least {least}, got {value}")
    if request.data_dir is not None and not request.data_dir.is_dir():
        raise OptionError(f"--data-dir: {str(request.data_dir)!r} is not a folder")
    evaluate.parse_selection(request.selection)
    data_dir = request.data_dir or os.environ.get(datasets.DATA_DIR_VARIABLE) or None
    rows = DEFAULT_ROWS if request.rows is None else request.rows
    settings = Settings(
        rows=rows or None,
        rounds=request.rounds or DEFAULT_ROUNDS,
        selection=request.selection.strip().lower(),
        data_dir=None if data_dir is None else str(data_dir),
        threads=request.threads or environment.available_cores(),
    )
    return Plan(
        datasets=choose("--datasets", "data set", request.datasets, datasets.list_datasets(data_dir)),
        boosters=choose("--boosters", "booster", request.boosters, BOOSTERS),
        losses=_losses(request.losses),
        seeds=request.seeds,
        settings=settings,
    )


def _losses(text: str | None) -> list[str]:
    if text is None:
        return list(DEFAULT_LOSSES)
    return choose("--losses", "loss", None if text.strip() == ALL else text, LOSSES)


def shared_facts(settings: Settings) -> Record:
    """Gather what decides figures and is the same for every run: the first line of runs.jsonl."""
    protocol = hashlib.sha256()
    for module in ("boosters.py", "evaluate.py", "losses.py"):
        protocol.update((Path(__file__).parent / module).read_bytes())
    return {
        "settings": asdict(settings),
        "boosters": {name: booster.params(settings) for name, booster in BOOSTERS.items()},
        "losses": {name: loss.describe() for name, loss in LOSSES.items()},
        "protocol": protocol.hexdigest()[:12],
        "versions": environment.versions(),
        "openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "cpu": environment.hardware()["cpu"],
    }
