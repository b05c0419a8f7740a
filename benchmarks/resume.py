"""Go on where a command stopped: which runs are missing, what an interruption leaves, a report of what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.errors import OptionError
from benchmarks.output import check_writable
from benchmarks.store import Key, Record, RunStore


def finished_runs(store: RunStore[Key], out: Path) -> list[Record]:
    """Return every finished run, for ``--report-only``; raises OptionError where there is none."""
    if not store.runs:
        raise OptionError(f"--report-only: no finished runs in {str(store.path)!r}; run without --report-only first")
    check_writable(out)
    return list(store.runs.values())


def make_missing(
    store: RunStore[Key],
    shared: Record,
    keys: Sequence[Key],
    work: Callable[[list[Key]], None],
    console: Console,
    unit: str = "run",
) -> bool:
    """Have ``work`` make the runs that the store lacks, and tell whether all are there now.

    ``shared`` are the facts that all runs have in common, ``unit`` what one of them is called. False after Ctrl-C: what
    is finished is kept, and the reader told how to go on.
    """
    store.begin(shared)
    if store.damaged:
        console.print(f"{store.path}: the last line was cut short; that {unit} is made again.")
    missing = [key for key in keys if key not in store.runs]
    if len(missing) < len(keys):
        console.print(f"{len(keys) - len(missing)} of {len(keys)} {unit}s are already in {store.path}.")
    try:
        work(missing)
    except KeyboardInterrupt:
        done = sum(key in store.runs for key in keys)
        console.print(
            f"Interrupted: {done} of {len(keys)} {unit}s are kept in {store.path}. "
            "Run the same command again to go on, or add --report-only to see them."
        )
        return False
    return True
