"""The steps of every command: resume where the last one stopped, keep each finished run, write the report."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from rich.console import Console
from rich.progress import Progress

from benchmarks.suite import environment
from benchmarks.suite.options import OptionError, Request
from benchmarks.suite.report import INTERRUPTED, Report, check_writable, default_console, progress_bar
from benchmarks.suite.store import Key, Record, RunStore

Asked = TypeVar("Asked", bound=Request)


class OutOfTime(Exception):
    """Raised by a run whose time is up. The finished ones are reported; the same command goes on."""


@dataclass
class StatusLine:
    """The text next to the progress bar, by which a run shows its state; it also advances the bar."""

    progress: Progress
    steps: int

    def __post_init__(self) -> None:
        self.task = self.progress.add_task("starting", total=self.steps)

    def __call__(self, doing: str) -> None:
        self.progress.update(self.task, description=doing)

    def advance(self) -> None:
        """One step of a run is done."""
        self.progress.advance(self.task)


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Work(Generic[Key]):
    """The runs of a command.

    ``keys`` names the runs in order, ``shared`` holds the facts that all have in common. ``make`` carries one out,
    given the store of the finished ones, and returns its record; ``kept`` is called once that is on disk. ``unit`` is
    the word for a run, ``steps`` its steps on the progress bar. ``around`` is entered with the missing keys before the
    first run; ``forget`` removes other files next to the store when the user starts over.
    """

    keys: Sequence[Key]
    shared: Record
    make: Callable[[Key, RunStore[Key], StatusLine], Record]
    unit: str = "run"
    steps: int = 1
    around: Callable[[list[Key]], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    kept: Callable[[Key], object] = _nothing
    forget: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Benchmark(Generic[Asked, Key]):
    """The parts of a command.

    ``key_of`` names a run from its record, ``fields`` are the entries of a record; ``prepare`` checks a request and
    returns its runs; ``report`` creates the report (a subclass of `Report`, or a function).
    """

    key_of: Callable[[Record], Key]
    fields: Collection[str]
    prepare: Callable[[Asked], Work[Key]]
    report: Callable[[Record, Record, list[Record], Asked], Report]

    def run(self, request: Asked, console: Console | None = None) -> int:
        """Carry out the missing runs and write the report; returns the exit code, or raises OptionError."""
        shown = console or default_console()

        def write_report(store: RunStore[Key], records: list[Record]) -> None:
            assert store.header is not None
            place = environment.describe(store.header["settings"]["threads"])
            self.report(store.header, place, records, request).publish(request.folder, shown)

        return carry_out(request, self.key_of, lambda: self.prepare(request), write_report, shown, self.fields)


def carry_out(
    request: Request,
    key_of: Callable[[Record], Key],
    prepare: Callable[[], Work[Key]],
    write_report: Callable[[RunStore[Key], list[Record]], None],
    console: Console,
    fields: Collection[str] = (),
) -> int:
    """Carry out the missing runs, then write the report; returns the exit code, or raises OptionError.

    ``key_of`` names a run from its record, ``fields`` are the entries of a record. ``--report-only`` reports the
    finished runs without calling ``prepare``. A second command in the same folder and a full disk are OptionErrors.
    """
    path = request.folder / "runs.jsonl"
    if request.report_only:
        with enough_space(request.folder):
            store = RunStore(path, key_of, fields)
            if not store.runs:
                raise OptionError(f"--report-only: no finished runs in {str(path)!r}; run without --report-only first")
            if store.damaged:
                console.print(f"{path}: the last line was cut short, or is being written; it is left out.")
            check_writable(request.folder)
            write_report(store, list(store.runs.values()))
        return 0
    work = prepare()
    check_writable(request.folder)
    with alone(request.folder), enough_space(request.folder):
        if request.fresh:
            path.unlink(missing_ok=True)
            work.forget()
        store = RunStore(path, key_of, fields)
        if not _make_missing(work, store, console):
            return INTERRUPTED
        if found := [store.runs[key] for key in work.keys if key in store.runs]:
            write_report(store, found)
        if more := len(store.runs) - len(work.keys):
            console.print(f"{path} has {more} finished {work.unit}s more: --report-only reports all of them.")
    return 0


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Hold the folder's lock; the system releases it when this process ends, even if it is killed."""
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
def enough_space(out: Path) -> Iterator[None]:
    """Turn a full disk into an OptionError; finished runs are already on disk."""
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
    """Carry out the missing runs, or as many as time allows; False after Ctrl-C. Prints how to resume after both."""
    store.begin(work.shared)
    keys, unit = work.keys, work.unit
    if store.damaged:
        console.print(f"{store.path}: the last line was cut short; that {unit} is made again.")
    missing = [key for key in keys if key not in store.runs]
    if len(missing) < len(keys):
        console.print(f"{len(keys) - len(missing)} of {len(keys)} {unit}s are already in {store.path}.")
    try:
        if missing:
            _make(work, missing, store, console)
    except KeyboardInterrupt:
        done = sum(key in store.runs for key in keys)
        console.print(
            f"Interrupted: {done} of {len(keys)} {unit}s are kept in {store.path}. "
            "Run the same command again to go on, or add --report-only to see them."
        )
        return False
    except OutOfTime:
        done = sum(key in store.runs for key in keys)
        console.print(f"The time is up: {done} of {len(keys)} {unit}s are done. Run the same command again to go on.")
    return True


def _make(work: Work[Key], missing: list[Key], store: RunStore[Key], console: Console) -> None:
    with progress_bar(console) as progress:
        status = StatusLine(progress, len(missing) * work.steps)
        with work.around(missing):
            for number, key in enumerate(missing, start=1):
                store.append(work.make(key, store, status))
                work.kept(key)
                progress.update(status.task, completed=number * work.steps)
        status(f"all {work.unit}s done")
