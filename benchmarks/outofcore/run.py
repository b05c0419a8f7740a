"""Run what is missing, case by case in fresh processes, keep each finished case, and write the report."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks import environment
from benchmarks.errors import OptionError
from benchmarks.outofcore import report
from benchmarks.outofcore.plan import KEYS, Key, Request, Settings, make_settings, shared_facts
from benchmarks.outofcore.work import Case, in_fresh_process, objective_bytes_per_row
from benchmarks.output import default_console, progress_bar, publish
from benchmarks.resume import Work, carry_out
from benchmarks.store import Record, RunStore

#: Entries that every record has.
FIELDS = (
    *("way", "objective", "columns", "rows", "matrix"),
    *("seconds_binning", "seconds_per_round", "disk_bytes", "peak_bytes", "raw_bytes"),
)


def key_of(record: Record) -> Key:
    """Name a case: way, objective, columns."""
    return record["way"], record["objective"], record["columns"]


def main(request: Request, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks outofcore``; returns the exit code, or raises OptionError."""
    console = console or default_console()

    def work() -> Work[Key]:
        settings = make_settings(request)
        rows = rows_at_hand(settings.rows, request.data_dir)

        def make(missing: list[Key], store: RunStore[Key]) -> None:
            with progress_bar(console) as progress:
                task = progress.add_task("starting", total=len(missing))
                for key in missing:
                    progress.update(task, description=f"{key[0]}, {key[1]}, {key[2]} columns")
                    store.append(one_case(key, settings, rows, request.data_dir))
                    progress.advance(task)

        return Work(KEYS, shared_facts(settings), make, "case")

    def written(store: RunStore[Key], records: list[Record]) -> None:
        write_report(store, records, request.out, console)

    return carry_out(request, key_of, work, written, console, FIELDS)


def rows_at_hand(rows: int, data_dir: Path | None) -> int:
    """How many of the rows asked for there are; raises OptionError without the flights."""
    from datasets import DatasetError, stream

    try:
        return len(stream("flights3m", rows=rows, data_dir=data_dir))
    except DatasetError as error:
        raise OptionError(f"--data-dir: {error}") from None


def one_case(key: Key, settings: Settings, rows: int, data_dir: Path | None) -> Record:
    """Train once; the first case also says what the objective allocates."""
    with tempfile.TemporaryDirectory(prefix="hsboost-outofcore-") as folder:
        case = Case(*key, rows, settings.rounds, settings.threads, data_dir, Path(folder))
        found = in_fresh_process(case)
    if key == KEYS[0]:
        found["objective_bytes_per_row"] = objective_bytes_per_row()
    return found


def write_report(store: RunStore[Key], records: list[Record], out: Path, console: Console) -> None:
    """Write table.md and results.json from finished cases, and print the tables."""
    assert store.header is not None
    described = environment.describe(store.header["settings"]["threads"])
    result = report.Result(store.header, described, records)
    report.print_tables(result, console)
    publish(out, result, report.to_markdown(result), [], console)
