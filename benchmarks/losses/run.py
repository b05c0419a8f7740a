"""Measure the cases that are missing, keep each finished case, and write the report."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks import environment, measure
from benchmarks.losses import report
from benchmarks.losses.aggregate import Figures
from benchmarks.losses.case_run import run_case
from benchmarks.losses.cases import Case
from benchmarks.losses.plan import Plan, Request, make_plan, shared_facts
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.store import Record, RunStore

#: Entries that every record has.
FIELDS = ("case", "family", "rows", "methods")


def key_of(record: Record) -> str:
    """Name a run: its case."""
    return str(record["case"])


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks losses``; returns the exit code, or raises OptionError."""
    console = console or default_console()

    def work() -> Work[str]:
        plan = make_plan(request)
        cases = {case.key: case for case in plan.cases}

        def make(missing: list[str], store: RunStore[str]) -> None:
            with measure.pinned(plan.settings.threads):
                execute(plan, [cases[key] for key in missing], store, console)

        return Work(list(cases), shared_facts(plan.settings), make, "case")

    def written(store: RunStore[str], records: list[Record]) -> None:
        write_report(store, records, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def execute(plan: Plan, missing: list[Case], store: RunStore[str], console: Console) -> None:
    """Measure the missing cases in order and append each to the store as soon as it is finished."""
    with progress_bar(console) as progress:
        task = progress.add_task("starting", total=len(missing))
        for case in missing:

            def say(doing: str, key: str = case.key) -> None:
                progress.update(task, description=f"{key}: {doing}")

            store.append(run_case(case, plan.settings, say))
            progress.advance(task)
        progress.update(task, description="all cases done")


def write_report(store: RunStore[str], records: list[Record], out: Path, console: Console) -> None:
    """Write table.md, results.json and losses.png from finished cases, and print the tables."""
    from benchmarks.losses import plots

    assert store.header is not None
    figures = Figures(records)
    result = report.Result(store.header, environment.describe(store.header["settings"]["threads"]), figures)
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result), plots.draw(figures, out), console)
