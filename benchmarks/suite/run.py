"""The course of every command: go on where the last one stopped, keep each finished run, write the report."""

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


@dataclass
class Telling:
    """Where the making of a run says what it does, beside the progress bar, and moves the bar on by a step."""

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
    """What a command is to make.

    ``keys`` names the runs in order, ``shared`` holds the facts that all have in common, ``make`` makes one, given the
    store of the finished ones, and returns its record; ``kept`` is told when that is on the disk. ``unit`` is what one
    of them is called, ``steps`` are those of the progress bar in each. ``around`` is entered with the missing keys
    before the first is made; ``forget`` removes what else lies beside the store when the user wants to start afresh.
    """

    keys: Sequence[Key]
    shared: Record
    make: Callable[[Key, RunStore[Key], Telling], Record]
    unit: str = "run"
    steps: int = 1
    around: Callable[[list[Key]], contextlib.AbstractContextManager[object]] = contextlib.nullcontext
    kept: Callable[[Key], object] = _nothing
    forget: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Benchmark(Generic[Asked, Key]):
    """What a command is made of.

    ``key_of`` names a run from its record, ``fields`` are the entries that a record has; ``prepare`` checks a request
    and says what is to be made; ``report`` makes the report of it (a subclass of `Report`, or a function).
    """

    key_of: Callable[[Record], Key]
    fields: Collection[str]
    prepare: Callable[[Asked], Work[Key]]
    report: Callable[[Record, Record, list[Record], Asked], Report]

    def run(self, request: Asked, console: Console | None = None) -> int:
        """Make what is missing and write the report of it all; returns the exit code, or raises OptionError."""
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
    """Make what is missing, then write the report of it all; returns the exit code, or raises OptionError.

    ``key_of`` names a run from its record, ``fields`` are the entries that a record has. ``--report-only`` reports
    what is there, without calling ``prepare``. Another command that works in the folder is an OptionError, and so is a
    disk without space.
    """
    path = request.folder / "runs.jsonl"
    if request.report_only:
        with _space(request.folder):
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
    with _alone(request.folder), _space(request.folder):
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
            _make(work, missing, store, console)
    except KeyboardInterrupt:
        done = sum(key in store.runs for key in keys)
        console.print(
            f"Interrupted: {done} of {len(keys)} {unit}s are kept in {store.path}. "
            "Run the same command again to go on, or add --report-only to see them."
        )
        return False
    return True


def _make(work: Work[Key], missing: list[Key], store: RunStore[Key], console: Console) -> None:
    with progress_bar(console) as progress:
        tell = Telling(progress, len(missing) * work.steps)
        with work.around(missing):
            for number, key in enumerate(missing, start=1):
                store.append(work.make(key, store, tell))
                work.kept(key)
                progress.update(tell.task, completed=number * work.steps)
        tell(f"all {work.unit}s done")
