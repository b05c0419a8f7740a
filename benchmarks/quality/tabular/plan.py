"""The runs of each protocol: from the command's options to a checked plan."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.quality.requests import TabularRequest
from benchmarks.quality.tabular import evaluate
from benchmarks.quality.tabular.boosters import BOOSTERS
from benchmarks.quality.tabular.evaluate import ECE, METRICS, Metric
from benchmarks.quality.tabular.losses import DEFAULT_LOSSES, EVERY_LOSS, LOSSES
from benchmarks.quality.tabular.published import EXPERIMENTS, KDD12, TEMPERATURE, PublishedHypersimplex, paper_sets
from benchmarks.quality.tabular.settings import Key, Settings
from benchmarks.suite import environment
from benchmarks.suite.options import OptionError, at_least, choose
from benchmarks.suite.store import Record


@dataclass(frozen=True)
class Protocol:
    """A protocol's name, its title in reports, and its defaults for options.

    ``rows`` None is all rows; ``rounds`` None is the published script's number. ``corrected`` selects tests that
    account for the overlap of the seeds' splits, with Holm's correction; ``trials`` is the default number of trials.
    """

    name: str
    title: str
    losses: tuple[str, ...]
    boosters: tuple[str, ...] = ("lightgbm", "xgboost")
    metrics: tuple[Metric, ...] = METRICS
    seeds: int = 3
    rows: int | None = 50_000
    rounds: int | None = 200
    encoding: Literal["categorical", "as_numbers"] = "categorical"
    corrected: bool = False
    trials: int = 0
    tune_seconds: float = 0.0


#: Log loss, L2 (which the paper's scripts train instead), this package's two losses, and the strongest simple rivals.
CONTENDERS = (*DEFAULT_LOSSES, "hypersimplex-fy", "weighted-log-loss", "focal", "lambdarank")

QUICK = Protocol("quick", "a quick look", DEFAULT_LOSSES, seeds=5)
PAPER = Protocol(
    "paper",
    "the paper's table, by its published scripts",
    ("l2", "log-loss", PublishedHypersimplex.name),
    boosters=("lightgbm",),
    seeds=1,
    rows=None,
    rounds=None,
    encoding="as_numbers",
)
FAIR = Protocol("fair", "a fair comparison", CONTENDERS, metrics=(*METRICS, ECE), corrected=True)
TUNED = Protocol(
    "tuned",
    "a fair comparison, every loss tuned",
    CONTENDERS,
    metrics=(*METRICS, ECE),
    corrected=True,
    trials=20,
    tune_seconds=300.0,
)
PROTOCOLS = {protocol.name: protocol for protocol in (QUICK, PAPER, FAIR, TUNED)}


def losses_of(protocol: Protocol) -> list[str]:
    """Name the losses that the protocol can train."""
    return [*LOSSES, PublishedHypersimplex.name] if protocol is PAPER else list(LOSSES)


ALL = "all"
#: Sources whose changes may change figures.
MODULES = ("adapters", "boosters", "evaluate", "losses", "published", "resample", "tuning")


@dataclass(frozen=True)
class Plan:
    """The runs: every combination of data set, seed, booster and loss, with the same settings."""

    datasets: list[str]
    boosters: list[str]
    losses: list[str]
    seeds: int
    settings: Settings

    def keys(self) -> list[Key]:
        """List the runs in order: losses innermost, so that times to be compared are measured close together."""
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
    """Read the tuning budget: trials, and the seconds after which no trial starts."""
    for option, value in (("--trials", request.trials), ("--tune-seconds", request.tune_seconds)):
        if value is not None and not protocol.trials:
            raise OptionError(f"{option}: belongs to --protocol tuned, got --protocol {protocol.name}")
    if request.tune_seconds is not None and not request.tune_seconds > 0:
        raise OptionError(f"--tune-seconds: must be above 0, got {request.tune_seconds:g}")
    return request.trials or protocol.trials, request.tune_seconds or protocol.tune_seconds


def _datasets(text: str | None, protocol: Protocol, available: list[str]) -> list[str]:
    """Read --datasets. The default is the shipped sets, never one that was fetched or is in a folder."""
    from datasets.registry import registry

    elsewhere = [name for name, info in registry().items() if info.published and name not in available]
    if protocol is PAPER:
        in_paper = [name for name in paper_sets() if name in available]
        if text is None:
            here = f"at hand: {','.join(in_paper)}" if in_paper else "none is at hand; see docs/datasets.md"
            raise OptionError(f"--datasets: --protocol paper needs data sets of the paper's table ({here})")
        available = in_paper or paper_sets()
    elif text is None:
        return [name for name, info in registry().items() if not info.published and name in available]
    here = ", ".join(name for name in available if name not in elsewhere) or "none"
    for name in (one.strip() for one in text.split(",")):
        if name in elsewhere and (protocol is not PAPER or name in paper_sets()):
            raise OptionError(
                f"--datasets: {name!r} is not at hand; fetch it, python -m datasets fetch {name}, or pass the folder "
                f"that holds it, --data-dir (at hand: {here})"
            )
    return choose("--datasets", "data set", text, available)


def _boosters(text: str | None, protocol: Protocol) -> list[str]:
    if protocol is PAPER and text is not None and text.strip() != "lightgbm":
        raise OptionError(f"--boosters: the paper's scripts train lightgbm only, got {text!r}")
    return choose("--boosters", "booster", text, BOOSTERS) if text is not None else list(protocol.boosters)


def _losses(text: str | None, protocol: Protocol) -> list[str]:
    if text is None:
        return list(protocol.losses)
    return choose("--losses", "loss", None if text.strip() == ALL else text, losses_of(protocol))


def shared_facts(settings: Settings) -> Record:
    """Gather the facts that affect figures and are the same for every run: the first line of runs.jsonl."""
    if settings.protocol == PAPER.name:
        trees = {"lightgbm": EXPERIMENTS, "lightgbm for kdd12": KDD12, "temperature": TEMPERATURE}
    else:
        trees = {name: booster.params(settings, "") for name, booster in BOOSTERS.items()}
    sources = (f"quality/tabular/{name}.py" for name in MODULES)
    losses = {name: EVERY_LOSS[name].describe() for name in losses_of(PROTOCOLS[settings.protocol])}
    facts = environment.shared_facts(settings, sources, boosters=trees, losses=losses, **environment.waiting())
    # Only the folder's name: reports are published, and the path may be private.
    facts["settings"]["data_dir"] = settings.data_dir and Path(settings.data_dir).name
    return facts
