"""Measure what is missing, keep each finished size and turn, and write the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import environment, measure
from benchmarks.gpu import machine, report
from benchmarks.gpu.aggregate import Figures
from benchmarks.gpu.kernels import run_case
from benchmarks.gpu.plan import Key, Plan, Request, make_plan, shared_facts
from benchmarks.gpu.training import OBJECTIVES, train_once
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.store import Record, RunStore
from benchmarks.training.data import make_data

WARM_UP_ROUNDS = 3


#: Entries that every record has.
FIELDS = ("kind",)


def key_of(record: Record) -> Key:
    """Name a unit of work."""
    if not {"kernels": {"methods", "passes"}, "training": {"objectives"}}[record["kind"]] <= record.keys():
        raise KeyError("methods, passes or objectives")
    if record["kind"] == "kernels":
        return "kernels", record["n"], record["dtype"]
    return "training", record["rows"], record["repeat"]


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks gpu``; returns the exit code, or raises OptionError."""
    console = console or default_console()

    def work() -> Work[Key]:
        plan = make_plan(request)
        machine.need_gpu()

        def make(missing: list[Key], store: RunStore[Key]) -> None:
            with measure.pinned(plan.settings.threads):
                execute(plan, missing, store, console)

        return Work(plan.keys(), shared_facts(plan.settings), make, "unit")

    def written(store: RunStore[Key], records: list[Record]) -> None:
        write_report(store, records, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def execute(plan: Plan, missing: list[Key], store: RunStore[Key], console: Console) -> None:
    """Measure the missing units in order and append each to the store as soon as it is finished."""
    prepared: tuple[int, Any] | None = None
    settings = plan.settings
    with progress_bar(console) as progress:
        task = progress.add_task("starting", total=len(missing))
        for key in missing:
            kind, n, which = key
            progress.update(task, description=f"{kind}, {n:,} rows: {which}")
            if kind == "kernels":
                store.append(run_case(n, str(which), settings.samples))
            else:
                if prepared is None or prepared[0] != n:
                    prepared = None  # before the next is built: two of them need not fit in memory
                    prepared = n, machine.binned(*make_data(n), settings.threads)
                    for objective in OBJECTIVES.values():
                        # Compilation and first touches must not count as any objective's time.
                        train_once(prepared[1], objective, min(WARM_UP_ROUNDS, settings.rounds), settings.threads)
                store.append(train_in_turn(prepared[1], n, int(which), plan))
            progress.advance(task)
        progress.update(task, description="everything done")


def train_in_turn(data: Any, rows: int, repeat: int, plan: Plan) -> Record:
    """Train each objective once; who comes first changes from turn to turn."""
    names = list(OBJECTIVES)
    turn = repeat % len(names)
    trained = {
        name: train_once(data, OBJECTIVES[name], plan.settings.rounds, plan.settings.threads)
        for name in names[turn:] + names[:turn]
    }
    return {"kind": "training", "rows": rows, "repeat": repeat, "objectives": trained}


def write_report(store: RunStore[Key], records: list[Record], out: Path, console: Console) -> None:
    """Write table.md, results.json and gpu.png from what is finished, and print the tables."""
    from benchmarks.gpu import plots

    assert store.header is not None
    figures = Figures(records)
    result = report.Result(store.header, environment.describe(store.header["settings"]["threads"]), figures)
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result), plots.draw(figures, out), console)
