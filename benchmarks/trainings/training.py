"""``python -m benchmarks training``: every booster at every size trains all objectives in rotating turns."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from operator import itemgetter
from time import perf_counter
from typing import Any

from benchmarks.suite import environment, measure, options
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from benchmarks.trainings.boosters import BOOSTERS, Booster
from benchmarks.trainings.data import COLUMNS, make_data
from benchmarks.trainings.objectives import OBJECTIVES, Objective
from benchmarks.trainings.requests import TrainingRequest
from benchmarks.trainings.training_report import TrainingReport

ROWS = (100_000, 1_000_000)
LARGE = 5_000_000
FEWEST_ROWS = 100
WARM_UP_ROUNDS = 3
#: Entries that every record has.
FIELDS = ("booster", "rows", "repeat", "objectives")

#: Booster, rows, repeat: one turn over all objectives.
Key = tuple[str, int, int]


@dataclass(frozen=True)
class Settings:
    """The settings that affect a training's time, other than booster, rows and objective."""

    rounds: int
    threads: int
    columns: int = COLUMNS


def prepare(request: TrainingRequest) -> Work[Key]:
    """Check every option and list the turns."""
    options.at_least(1, rounds=request.rounds, repeats=request.repeats)
    threads = options.threads(request.threads)
    rows = list(ROWS) if request.rows is None else options.sizes("--rows", request.rows, FEWEST_ROWS)
    if request.large:
        rows = sorted({*rows, LARGE})
    boosters = options.choose("--boosters", "booster", request.boosters, BOOSTERS)
    keys = [(booster, n, repeat) for n in rows for booster in boosters for repeat in range(request.repeats)]
    settings = Settings(request.rounds, threads)
    sources = (f"trainings/{name}.py" for name in ("boosters", "data", "objectives", "training"))
    params = {name: booster.params(threads) for name, booster in BOOSTERS.items()}
    paths = (*sources, "suite/measure.py")
    shared = environment.shared_facts(settings, paths, boosters=params, **environment.waiting())
    return Work(keys, shared, Turns(settings), "turn", len(OBJECTIVES), lambda keys: measure.pinned(threads))


class Turns:
    """Carries out turns; the next one reuses the binned rows of the last if they are the same."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.prepared: tuple[tuple[str, int], Any] | None = None

    def __call__(self, key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        booster, place = BOOSTERS[key[0]], f"{BOOSTERS[key[0]].label}, {key[1]:,} rows"
        if self.prepared is None or self.prepared[0] != key[:2]:
            status(f"{place}: data")
            self.prepared = None  # freed before the next is built: two of them need not fit in memory
            data = booster.prepare(*make_data(key[1]), self.settings.threads)
            self.prepared = key[:2], data
            warm_up = min(WARM_UP_ROUNDS, self.settings.rounds)
            for objective in OBJECTIVES.values():
                # Compilation and first memory accesses must not count towards any objective.
                booster.trainer(data, objective, objective.watched(), warm_up, self.settings.threads)()
        trained = {}
        for name in rotated(list(OBJECTIVES), key[2]):
            status(f"{place}, repeat {key[2] + 1}: {OBJECTIVES[name].label}")
            trained[name] = train_once(booster, self.prepared[1], OBJECTIVES[name], self.settings)
            status.advance()
        return {"booster": key[0], "rows": key[1], "repeat": key[2], "objectives": trained}


def rotated(names: list[str], turn: int) -> list[str]:
    """The order of a turn: it rotates, because the first objective runs on a cooler machine."""
    turn %= len(names)
    return names[turn:] + names[:turn]


def train_once(booster: Booster, data: Any, objective: Objective, settings: Settings) -> Record:
    """Train once and return the time, the part of it inside the objective, the peak memory and the trees' size."""
    watch = objective.watched()
    train = booster.trainer(data, objective, watch, settings.rounds, settings.threads)
    found: Record = {}
    models: list[Any] = []

    def timed() -> None:
        start = perf_counter()
        models.append(train())
        found["seconds"] = perf_counter() - start

    gc.collect()
    peak = measure.extra_peak_bytes(timed)
    if not models:  # memory cannot be measured on this system
        timed()
    calls = [] if watch is None else watch.seconds
    return found | {
        "calls": calls,
        "objective_seconds": sum(calls),
        "peak_bytes": None if peak is None else peak[0],
        "leaves": booster.leaves(models[0]),
    }


BENCHMARK = Benchmark(itemgetter("booster", "rows", "repeat"), FIELDS, prepare, TrainingReport)
main = BENCHMARK.run
