"""From the command's options to a checked list of runs, and the facts that all of them share."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.quality.requests import VisionRequest
from benchmarks.suite import environment, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.store import Record
from datasets.vision import NAMES

#: The paper's batch sizes.
BATCHES = (128, 256, 512, 1024, 2048, 4096, 8192)
LOSSES = ("ce", "hypersimplex-count", "hypersimplex-half", "mse", "hinge", "exact")
#: "exact-log" is run only on request.
ALL_LOSSES = (*LOSSES, "exact-log")
PRECISIONS = ("float32", "tf32", "bfloat16")
FEWEST_PICTURES = 20

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Settings:
    """The settings that affect a run's figures, other than its case. ``rows``: training images kept (0: all)."""

    epochs: int
    rows: int
    hidden: int
    learning_rate: float
    validation: float
    temperature: float
    augment: bool
    precision: str
    device: str
    threads: int


@dataclass(frozen=True)
class Case:
    """One training."""

    dataset: str
    batch: int
    loss: str
    seed: int

    @property
    def key(self) -> str:
        """Name of the run."""
        return f"{self.dataset}/{self.batch}/{self.loss}/{self.seed}"


@dataclass(frozen=True)
class Plan:
    """The runs: seed by seed, so that an early report has every loss."""

    cases: list[Case]
    settings: Settings


def need_torch() -> None:
    """Raise OptionError without torch."""
    if importlib.util.find_spec("torch") is None:
        raise OptionError("this command needs PyTorch; install it with: pip install -e '.[torch]'")


def make_plan(request: VisionRequest) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    small = request.small
    options.at_least(1, seeds=request.seeds, epochs=request.epochs, hidden=request.hidden, threads=request.threads)
    options.at_least(FEWEST_PICTURES, rows=request.rows or None)
    if not 0.0 <= request.validation <= 0.5:
        raise OptionError(f"--validation: must lie in [0, 0.5], got {request.validation:g}")
    rate = _given(request.learning_rate, 1e-3 if small else 1e-4)
    options.above_zero(temperature=request.temperature, learning_rate=rate)
    if request.minutes is not None:
        options.above_zero(minutes=request.minutes)
    precision = options.choose("--precision", "precision", request.precision, PRECISIONS)[0]
    names = options.choose("--datasets", "data set", request.datasets or ("digits" if small else "cifar10"), NAMES)
    losses = list(LOSSES) if request.losses is None else options.choose("--losses", "loss", request.losses, ALL_LOSSES)
    batches = [64, 256] if small else list(BATCHES)
    if request.batches is not None:
        batches = options.sizes("--batches", request.batches, 2)
    settings = Settings(
        epochs=_given(request.epochs, 12 if small else 600),
        rows=_given(request.rows, 4000 if small else 0),
        hidden=_given(request.hidden, 16 if small else 64),
        learning_rate=rate,
        validation=request.validation,
        temperature=request.temperature,
        augment=request.augment,
        precision=precision,
        device=_device(request.device),
        threads=request.threads or environment.available_cores(),
    )
    seeds = range(_given(request.seeds, 2 if small else 5))
    cases = [Case(name, batch, loss, seed) for name in names for seed in seeds for batch in batches for loss in losses]
    return Plan(cases, settings)


def _given(value: Number | None, default: Number) -> Number:
    return default if value is None else value


def _device(name: str | None) -> str:
    import torch

    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise OptionError(f"--device: must be cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise OptionError("--device: torch finds no GPU; leave the option out, or give cpu")
    return name


def shared_facts(settings: Settings) -> Record:
    """Gather the facts that affect figures and are the same for every run: the first line of runs.jsonl."""
    import torch

    sources = (f"quality/vision/{name}.py" for name in ("augment", "losses", "network", "train"))
    facts = environment.shared_facts(settings, sources, ("torch", "numpy", "numba", "scipy"))
    return facts | {"device": torch.cuda.get_device_name() if settings.device == "cuda" else facts["cpu"]}
