"""Worker processes that live through several tests, for what goes wrong among them: each can be killed or stopped."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import pytest

#: Seconds within which every worker must have ended, in every case: a minute is guaranteed.
MINUTE = 60.0
#: Starting a process imports and compiles; that is not what is timed.
PATIENCE = 300.0


class Outcome(NamedTuple):
    """What a worker's function returned, or the error it raised: the type's name and the text."""

    value: Any = None
    error: str | None = None
    text: str = ""


class StillWaiting(AssertionError):
    """A call in this process has not ended."""


class Hung(AssertionError):
    """A worker said nothing in time; ``stack`` is where it stood, most recent call first."""

    def __init__(self, rank: int, stack: str) -> None:
        super().__init__(f"worker {rank} hangs\n{stack}")
        self.stack = stack

    @property
    def in_xgboost(self) -> bool:
        """Whether it waits in compiled code that XGBoost's Python called."""
        calls = [line for line in self.stack.splitlines() if line.lstrip().startswith("File ")]
        return bool(calls) and f"{os.sep}xgboost{os.sep}" in calls[0]


class Crew:
    """So many processes, each doing one function at a time."""

    def __init__(self, size: int) -> None:
        self._context = multiprocessing.get_context("spawn")
        self.size = size
        self.processes: list[Any] = [None] * size
        self._ends: list[Any] = [None] * size
        self._stacks: list[Any] = [None] * size
        for rank in range(size):
            self.replace(rank)

    def replace(self, rank: int) -> None:
        """Start a process in the place of one that is gone."""
        end, other = self._context.Pipe()
        stacks, its_stack = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_serve, args=(other, its_stack), daemon=True)
        process.start()
        other.close()
        its_stack.close()
        self.processes[rank], self._ends[rank], self._stacks[rank] = process, end, stacks

    def restart(self) -> None:
        """End all processes, whatever they are doing, and start new ones."""
        self.close()
        for rank in range(self.size):
            self.replace(rank)

    def ask(self, function: Callable[..., Any], arguments: dict[int, tuple[Any, ...]]) -> None:
        """Have the workers named by rank do something."""
        for rank, given in arguments.items():
            self._ends[rank].send((function, given))

    def told(self, rank: int, seconds: float = PATIENCE) -> Any:
        """What a worker says next: an `Outcome`, or what it was made to say on its way."""
        if not self._ends[rank].poll(seconds):
            raise Hung(rank, self._stack(rank))
        return self._ends[rank].recv()

    def _stack(self, rank: int) -> str:
        os.kill(self.processes[rank].pid, signal.SIGUSR1)
        found, stacks = b"", self._stacks[rank]
        while stacks.poll(1.0):  # it is written line by line
            part = os.read(stacks.fileno(), 1 << 16)
            if not part:
                break
            found += part
        return found.decode(errors="replace")

    def outcomes(self, ranks: Iterable[int], seconds: float = MINUTE, look: float | None = None) -> list[Outcome]:
        """How the workers ended, all of them within so many seconds from now.

        After ``look`` seconds a worker that waits in XGBoost counts as hanging already: there it takes a whole core.
        """
        begun = time.monotonic()
        found = []
        for rank in ranks:
            if look is not None and not self._ends[rank].poll(max(0.0, begun + look - time.monotonic())):
                hung = Hung(rank, self._stack(rank))
                if hung.in_xgboost and not self._ends[rank].poll(0.0):
                    raise hung
            found.append(self.told(rank, max(0.0, begun + seconds - time.monotonic())))
        return found

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()


def _serve(end: Any, stacks: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    faulthandler.register(signal.SIGUSR1, stacks, all_threads=False)
    while True:
        function, arguments = end.recv()
        try:
            outcome = Outcome(function(end, *arguments))
        except BaseException as error:
            outcome = Outcome(None, type(error).__name__, str(error))
        end.send(outcome)


@contextmanager
def tracker(workers: int) -> Iterator[Any]:
    """XGBoost's tracker on this machine; the test is skipped where it cannot listen."""
    from xgboost.core import XGBoostError
    from xgboost.tracker import RabitTracker

    try:
        found = RabitTracker(n_workers=workers, host_ip="127.0.0.1", sortby="task")
        found.start()
    except (XGBoostError, OSError) as error:
        pytest.skip(f"XGBoost's tracker cannot listen here: {error}")
    try:
        yield found
    finally:
        with suppress(XGBoostError):  # it complains of workers that are gone
            found.free()


def connections(found: Any, ranks: Iterable[int], **more: Any) -> dict[int, tuple[dict[str, Any]]]:
    """What each worker needs to join; ranks in the order given."""
    return {rank: (found.worker_args() | {"dmlc_task_id": f"{rank:03d}"} | more,) for rank in ranks}


def within(seconds: float, function: Callable[..., Any], *arguments: Any) -> Outcome:
    """How a call in this process ends, so many seconds from now at the latest."""
    found: list[Outcome] = []

    def run() -> None:
        try:
            found.append(Outcome(function(*arguments)))
        except BaseException as error:
            found.append(Outcome(None, type(error).__name__, str(error)))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise StillWaiting(f"still waiting after {seconds:g} s")
    return found[0]
