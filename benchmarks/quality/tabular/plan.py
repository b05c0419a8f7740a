"""From the options typed to a checked plan, and the facts that runs of one plan share."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.quality.requests import TabularRequest
from benchmarks.quality.tabular import evaluate
from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.losses import EVERY_LOSS
from benchmarks.quality.tabular.protocols import PAPER, PROTOCOLS, Protocol, losses_of
from benchmarks.quality.tabular.published import EXPERIMENTS, KDD12, TEMPERATURE, paper_sets
from benchmarks.quality.tabular.settings import Key, Settings
from benchmarks.suite import environment
from benchmarks.suite.options import OptionError, at_least, choose
from benchmarks.suite.store import Record

ALL = "all"
#: Sources of which a change changes figures.
MODULES = ("adapters", "boosters", "evaluate", "losses", "published", "resample", "rivals", "tuning")


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


def make_plan(request: TabularRequest) -> Plan:
    """Check every option and fill in the protocol's defaults; raises OptionError naming option, value and choices."""
    import datasets

    at_least(1, seeds=request.seeds)
    at_least(0, rows=request.rows)
    at_least(1, rounds=request.rounds, threads=request.threads, trials=request.trials)
    if request.data_dir is not None and not request.data_dir.is_dir():
        raise OptionError(f"--data-dir: {str(request.data_dir)!r} is not a folder")
    evaluate.parse_selection(request.selection)
    protocol = PROTOCOLS[choose("--protocol", "protocol", request.protocol, PROTOCOLS)[0]]
    trials, seconds = _budget(request, protocol)
    data_dir = request.data_dir or os.environ.get(datasets.DATA_DIR_VARIABLE) or None
    settings = Settings(
        rows=protocol.rows if request.rows is None else request.rows or None,
        rounds=request.rounds or protocol.rounds,
        selection=request.selection.strip().lower(),
        data_dir=None if data_dir is None else str(data_dir),
        threads=request.threads or environment.available_cores(),
        encoding=protocol.encoding,
        protocol=protocol.name,
        trials=trials,
        tune_seconds=seconds,
    )
    return Plan(
        datasets=_datasets(request.datasets, protocol, datasets.list_datasets(data_dir)),
        boosters=_boosters(request.boosters, protocol),
        losses=_losses(request.losses, protocol),
        seeds=request.seeds or protocol.seeds,
        settings=settings,
    )


def _budget(request: TabularRequest, protocol: Protocol) -> tuple[int, float]:
    """Read the tuning budget: trials, and the seconds after which none is begun."""
    for option, value in (("--trials", request.trials), ("--tune-seconds", request.tune_seconds)):
        if value is not None and not protocol.trials:
            raise OptionError(f"{option}: belongs to --protocol tuned, got --protocol {protocol.name}")
    if request.tune_seconds is not None and not request.tune_seconds > 0:
        raise OptionError(f"--tune-seconds: must be above 0, got {request.tune_seconds:g}")
    return request.trials or protocol.trials, request.tune_seconds or protocol.tune_seconds


def _datasets(text: str | None, protocol: Protocol, at_hand: list[str]) -> list[str]:
    """Read --datasets. Without it: the shipped sets, never one that was fetched or lies in a folder."""
    from datasets.registry import registry

    if protocol is PAPER:
        in_paper = [name for name in paper_sets() if name in at_hand]
        if text is None:
            here = f"at hand: {','.join(in_paper)}" if in_paper else "none is at hand; see docs/datasets.md"
            raise OptionError(f"--datasets: --protocol paper needs data sets of the paper's table ({here})")
        at_hand = in_paper or paper_sets()
    elif text is None:
        return [name for name, info in registry().items() if not info.published and name in at_hand]
    return choose("--datasets", "data set", text, at_hand)


def _boosters(text: str | None, protocol: Protocol) -> list[str]:
    if protocol is PAPER and text is not None and text.strip() != "lightgbm":
        raise OptionError(f"--boosters: the paper's scripts train lightgbm only, got {text!r}")
    return choose("--boosters", "booster", text, BOOSTERS) if text is not None else list(protocol.boosters)


def _losses(text: str | None, protocol: Protocol) -> list[str]:
    if text is None:
        return list(protocol.losses)
    return choose("--losses", "loss", None if text.strip() == ALL else text, losses_of(protocol))


def shared_facts(settings: Settings) -> Record:
    """Gather what decides figures and is the same for every run: the first line of runs.jsonl."""
    if settings.protocol == PAPER.name:
        trees = {"lightgbm": EXPERIMENTS, "lightgbm for kdd12": KDD12, "temperature": TEMPERATURE}
    else:
        trees = {name: booster.params(settings, "") for name, booster in BOOSTERS.items()}
    return {
        # The folder's name alone: reports are shown around, and where it lies is nobody's business.
        "settings": asdict(settings) | {"data_dir": settings.data_dir and Path(settings.data_dir).name},
        "boosters": trees,
        "losses": {name: EVERY_LOSS[name].describe() for name in losses_of(PROTOCOLS[settings.protocol])},
        "protocol": environment.protocol(*(f"quality/tabular/{name}.py" for name in MODULES)),
        "versions": environment.versions(),
        "openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "cpu": environment.hardware()["cpu"],
    }
