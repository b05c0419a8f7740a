"""Run what is missing, case by case, keep each finished case, and write the report."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import environment
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.scaling import data, processes, report
from benchmarks.scaling.aggregate import Cases
from benchmarks.scaling.network import Network
from benchmarks.scaling.plan import TRACKER, Key, Plan, Request, Settings, check_network, make_plan, shared_facts
from benchmarks.scaling.work import PARAMS, Job
from benchmarks.store import Record, RunStore

#: Entries that every record has.
FIELDS = ("engine", "rows", "workers", "threads_each", "bins", "trainings")


def key_of(record: Record) -> Key:
    """Name a case: engine, rows, workers."""
    return record["engine"], record["rows"], record["workers"]


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks scaling``; returns the exit code, or raises OptionError."""
    console = console or default_console()
    check_network(request.network)

    def work() -> Work[Key]:
        plan = make_plan(request)
        source = data.source_at_hand(request.data_dir)

        def make(missing: list[Key], store: RunStore[Key]) -> None:
            with tempfile.TemporaryDirectory(prefix="hsboost-scaling-") as folder:
                execute(plan, source, request.data_dir, missing, store, Path(folder), console)

        settings = Settings(plan.rounds, plan.repeats, plan.cores, source)
        return Work(plan.keys(), shared_facts(settings, PARAMS), make, "case")

    def written(store: RunStore[Key], records: list[Record]) -> None:
        write_report(store, records, request.network, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def execute(
    plan: Plan,
    source: str,
    data_dir: Path | None,
    missing: list[Key],
    store: RunStore[Key],
    folder: Path,
    console: Console,
) -> None:
    """Make the missing cases in order and append each to the store as soon as it is finished."""
    with progress_bar(console) as progress:
        task = progress.add_task("data", total=len(missing) * 2 * (1 + plan.repeats))
        table = data.write_table(source, max(rows for _, rows, _ in missing), data_dir, folder)
        for engine, rows, workers in missing:
            threads = plan.threads_each(workers)
            job = Job(table, rows, workers, threads, plan.rounds, plan.repeats)
            progress.update(task, description=f"{engine}, {rows:,} rows, {workers} workers")
            if engine == TRACKER:
                trainings = processes.train(job, lambda: progress.advance(task))
            else:
                from benchmarks.scaling import cluster

                trainings = cluster.train(job, lambda: progress.advance(task))
            store.append(
                {
                    **{"engine": engine, "rows": rows, "workers": workers, "threads_each": threads},
                    "bins": max((t.pop("bins", 0) for t in trainings), default=0),
                    "trainings": trainings,
                }
            )
        progress.update(task, description="all cases done")


def write_report(store: RunStore[Key], records: list[Record], network: Network, out: Path, console: Console) -> None:
    """Write table.md, results.json and scaling.png from finished cases, and print the tables."""
    from benchmarks.scaling import plots

    assert store.header is not None
    result = report.Result(
        store.header, environment.describe(store.header["settings"]["threads"]), Cases(records), network
    )
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result), plots.draw(result.cases, out), console)
