"""The protocols of the tabular benchmark: what is trained, how it is chosen, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benchmarks.quality.tabular.evaluate import ECE, METRICS, Metric
from benchmarks.quality.tabular.losses import DEFAULT_LOSSES, LOSSES
from benchmarks.quality.tabular.published import PublishedHypersimplex


@dataclass(frozen=True)
class Protocol:
    """A protocol's name, its title in reports, and what it takes where the command line says nothing.

    ``rows`` None is all rows; ``rounds`` None is the published script's number. ``corrected`` asks for tests that know
    how the seeds' splits overlap, with Holm's correction; ``trials`` is the default number of tuning trials.
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


#: Log loss, what the paper's scripts train in its place, this package's two, and the strongest easy rivals.
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
