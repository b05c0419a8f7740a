"""The course of every command: go on where the last one stopped, keep each finished run, write the report."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol

from rich.console import Console

from benchmarks.errors import OptionError
from benchmarks.output import INTERRUPTED, check_writable
from benchmarks.store import Key, Record, RunStore


class Request(Protocol):
    """What every command is told."""

    @property
    def out(self) -> Path: ...

    @property
    def report_only(self) -> bool: ...

    @property
    def fresh(self) -> bool: ...


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Work(Generic[Key]):
    """What a command is to make.

    ``keys`` names the runs, ``shared`` holds the facts that all have in common, ``make`` makes those it is given and
    appends each to the store, ``unit`` is what one of them is called, ``forget`` removes what else lies beside the
    store when the user wants to start afresh.
    """

    keys: Sequence[Key]
    shared: Record
    make: Callable[[list[Key], RunStore[Key]], None]
    unit: str = "run"
    forget: Callable[[], None] = _nothing


def carry_out(
    request: Request,
    key_of: Callable[[Record], Key],
    prepare: Callable[[], Work[Key]],
    write_report: Callable[[RunStore[Key], list[Record]], None],
    console: Console,
    fields: Collection[str] = (),
) -> int:
    """Make what is missing, then write the report of it all; returns the exit code, or raises OptionError.

    ``key_of`` names a run from its record, ``fields`` are the entries that a record has. ``--report-only`` reports
    what is there, without calling ``prepare``. Another command that works in the folder is an OptionError, and so is a
    disk without space.
    """
    path = request.out / "runs.jsonl"
    if request.report_only:
        with _space(request.out):
            store = RunStore(path, key_of, fields)
            if not store.runs:
                raise OptionError(f"--report-only: no finished runs in {str(path)!r}; run without --report-only first")
            if store.damaged:
                console.print(f"{path}: the last line was cut short, or is being written; it is left out.")
            check_writable(request.out)
            write_report(store, list(store.runs.values()))
        return 0
    work = prepare()
    check_writable(request.out)
    with _alone(request.out), _space(request.out):
        if request.fresh:
            path.unlink(missing_ok=True)
            work.forget()
        store = RunStore(path, key_of, fields)
        if not _make_missing(work, store, console):
            return INTERRUPTED
        write_report(store, [store.runs[key] for key in work.keys])
    return 0


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with this process however that ends."""
    from datasets._lock import Busy, exclusive

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(exclusive(out / "runs.jsonl.lock"))
        except Busy as holder:
            raise OptionError(
                f"--out: another command ({holder}) is at work in {str(out)!r}; wait for it, end it, or choose another "
                "folder (--report-only shows what it has finished)"
            ) from None
        except OSError as error:
            raise OptionError(f"--out: cannot lock {str(out)!r} ({error.strerror}); choose another folder") from None
        yield


@contextlib.contextmanager
def _space(out: Path) -> Iterator[None]:
    """Turn a full disk into an OptionError; what is finished is on the disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise OptionError(
            f"--out: cannot write to {str(out)!r} ({error.strerror}); finished runs are kept: free space and run the "
            "same command again"
        ) from None


def _make_missing(work: Work[Key], store: RunStore[Key], console: Console) -> bool:
    """Whether all runs are there now; after Ctrl-C what is finished is kept, and the reader told how to go on."""
    store.begin(work.shared)
    keys, unit = work.keys, work.unit
    if store.damaged:
        console.print(f"{store.path}: the last line was cut short; that {unit} is made again.")
    missing = [key for key in keys if key not in store.runs]
    if len(missing) < len(keys):
        console.print(f"{len(keys) - len(missing)} of {len(keys)} {unit}s are already in {store.path}.")
    try:
        if missing:
            work.make(missing, store)
    except KeyboardInterrupt:
        done = sum(key in store.runs for key in keys)
        console.print(
            f"Interrupted: {done} of {len(keys)} {unit}s are kept in {store.path}. "
            "Run the same command again to go on, or add --report-only to see them."
        )
        return False
    return True
