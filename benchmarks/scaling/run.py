"""Run what is missing, case by case, keep each finished case, and write the report."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import environment
from benchmarks.output import INTERRUPTED, check_writable, default_console, progress_bar, replace
from benchmarks.resume import finished_runs, make_missing
from benchmarks.scaling import data, processes, report
from benchmarks.scaling.aggregate import Cases
from benchmarks.scaling.network import Network
from benchmarks.scaling.plan import TRACKER, Key, Plan, Request, Settings, check_network, make_plan, shared_facts
from benchmarks.scaling.work import PARAMS, Job
from benchmarks.store import Record, RunStore


def key_of(record: Record) -> Key:
    """Name a case: engine, rows, workers."""
    return record["engine"], record["rows"], record["workers"]


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks scaling``; returns the exit code, or raises OptionError."""
    console = console or default_console()
    path = request.out / "runs.jsonl"
    check_network(request.network)
    if request.report_only:
        store = RunStore(path, key_of)
        write_report(store, finished_runs(store, request.out), request.network, request.out, console)
        return 0
    plan = make_plan(request)
    source = data.source_at_hand(request.data_dir)
    check_writable(request.out)
    if request.fresh:
        path.unlink(missing_ok=True)
    store = RunStore(path, key_of)
    keys = plan.keys()

    def work(missing: list[Key]) -> None:
        if missing:
            with tempfile.TemporaryDirectory(prefix="hsboost-scaling-") as folder:
                execute(plan, source, request.data_dir, missing, store, Path(folder), console)

    settings = Settings(plan.rounds, plan.repeats, plan.cores, source)
    if not make_missing(store, shared_facts(settings, PARAMS), keys, work, console, "case"):
        return INTERRUPTED
    write_report(store, [store.runs[key] for key in keys], request.network, request.out, console)
    return 0


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
    replace(out / "results.json", json.dumps(result.to_json(), indent=1, allow_nan=False) + "\n")
    replace(out / "table.md", report.to_markdown(result))
    report.print_tables(result, console)
    written = plots.draw(result.cases, out)
    console.print(f"Wrote {out}: {', '.join(['table.md', 'results.json', 'runs.jsonl', *written])}.")
