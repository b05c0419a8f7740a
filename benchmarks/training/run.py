"""Train what is missing in turns over the objectives, keep each finished turn, and write the report."""

from __future__ import annotations

import gc
from pathlib import Path
from time import perf_counter
from typing import Any

from rich.console import Console

from benchmarks import environment, measure
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.store import Record, RunStore
from benchmarks.training import report
from benchmarks.training.aggregate import Trainings
from benchmarks.training.boosters import BOOSTERS, Booster
from benchmarks.training.data import make_data
from benchmarks.training.objectives import OBJECTIVES, Objective
from benchmarks.training.plan import Key, Plan, Request, Settings, make_plan, shared_facts

WARM_UP_ROUNDS = 3


#: Entries that every record has.
FIELDS = ("booster", "rows", "repeat", "objectives")


def key_of(record: Record) -> Key:
    """Name a unit of work: booster, rows, repeat."""
    return record["booster"], record["rows"], record["repeat"]


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks training``; returns the exit code, or raises OptionError."""
    console = console or default_console()

    def work() -> Work[Key]:
        plan = make_plan(request)

        def make(missing: list[Key], store: RunStore[Key]) -> None:
            with measure.pinned(plan.settings.threads):
                execute(plan, missing, store, console)

        return Work(plan.keys(), shared_facts(plan.settings), make, "turn")

    def written(store: RunStore[Key], records: list[Record]) -> None:
        write_report(store, records, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def execute(plan: Plan, missing: list[Key], store: RunStore[Key], console: Console) -> None:
    """Train the missing turns in order and append each to the store as soon as it is finished."""
    prepared: tuple[tuple[str, int], Any] | None = None
    with progress_bar(console) as progress:
        task = progress.add_task("starting", total=len(missing) * len(OBJECTIVES))
        for key in missing:
            booster, place = BOOSTERS[key[0]], f"{BOOSTERS[key[0]].label}, {key[1]:,} rows"
            if prepared is None or prepared[0] != key[:2]:
                progress.update(task, description=f"{place}: data")
                prepared = None  # before the next is built: two of them need not fit in memory
                data = booster.prepare(*make_data(key[1]), plan.settings.threads)
                prepared = key[:2], data
                for objective in OBJECTIVES.values():
                    # Compilation and first touches must not count as any objective's time.
                    booster.trainer(
                        data, objective, objective.watched(), min(WARM_UP_ROUNDS, plan.settings.rounds),
                        plan.settings.threads,
                    )()  # fmt: skip
            trained = {}
            names = list(OBJECTIVES)
            turn = key[2] % len(names)
            for name in names[turn:] + names[:turn]:  # whoever comes first meets a cooler machine: take turns
                progress.update(task, description=f"{place}, repeat {key[2] + 1}: {OBJECTIVES[name].label}")
                trained[name] = train_once(booster, prepared[1], OBJECTIVES[name], plan.settings)
                progress.advance(task)
            store.append({"booster": key[0], "rows": key[1], "repeat": key[2], "objectives": trained})
        progress.update(task, description="all turns done")


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
    if not models:  # no way to measure memory on this system
        timed()
    calls = [] if watch is None else watch.seconds
    return found | {
        "calls": calls,
        "objective_seconds": sum(calls),
        "peak_bytes": None if peak is None else peak[0],
        "leaves": booster.leaves(models[0]),
    }


def write_report(store: RunStore[Key], records: list[Record], out: Path, console: Console) -> None:
    """Write table.md, results.json and training.png from finished turns, and print the tables."""
    from benchmarks.training import plots

    assert store.header is not None
    trainings = Trainings(records)
    result = report.Result(store.header, environment.describe(store.header["settings"]["threads"]), trainings)
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result), plots.draw(trainings, out), console)
