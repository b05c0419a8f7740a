"""The tasks of a barrier stage as XGBoost's workers, and the errors that one of them has as the errors of all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, NamedTuple

import numpy as np

from hsboost._workers.communicator import Workers

#: How `Workers` names a worker, whose rank is the partition's number.
_WORKER = re.compile(r"^worker (\d+) of (\d+): ")

#: XGBoost's errors when the connection to another worker is lost.
_NETWORK = re.compile("collective|socket|rabit", re.IGNORECASE)


class Failure(NamedTuple):
    """Why training ended: the kind of error, what it says, and whether it only says that another worker is gone."""

    kind: str
    text: str
    is_loss: bool = False

    @classmethod
    def of(cls, error: BaseException, partition: int, n: int) -> Failure:
        """An error of one task; errors of rows name their partition already."""
        text, named = _WORKER.subn(r"partition \1 of \2: ", str(error).partition("Stack trace")[0].strip())
        kind = next((one for one in (ValueError, TypeError) if isinstance(error, one)), RuntimeError)
        native = type(error).__name__ == "XGBoostError" and _NETWORK.search(str(error)) is not None
        lost = native or (isinstance(error, RuntimeError) and "has lost another one" in text)
        if kind is RuntimeError and not isinstance(error, RuntimeError):
            text = f"{type(error).__name__}: {text}"
        if not named and not isinstance(error, Everywhere):
            text = f"partition {partition} of {n}: {text}"
        return cls(kind.__name__, text, lost)

    def error(self) -> Exception:
        """The error to raise on the driver."""
        kinds: dict[str, type[Exception]] = {"ValueError": ValueError, "TypeError": TypeError}
        return kinds.get(self.kind, RuntimeError)(self.text)


class Everywhere(ValueError):
    """An error that every partition has, as it is one of settings or of all rows together."""


@contextmanager
def everywhere() -> Iterator[None]:
    """What follows is computed from the same numbers by all: an error in it names no partition."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if _WORKER.match(str(error)):
            raise
        raise Everywhere(str(error)) from error


class Alone:
    """A single worker, with the methods of :class:`hsboost._workers.communicator.Workers`."""

    rank, size = 0, 1

    def share(self, compute: Callable[[], Any]) -> list[Any]:
        """The only worker's value."""
        return [compute()]

    def sum(self, shape: tuple[int, ...], compute: Callable[[], Any]) -> np.ndarray:
        """The only worker's value."""
        return np.asarray(compute(), dtype=np.float64).reshape(shape)

    max = sum


def agree(context: Any, failure: Failure | None, **message: Any) -> list[dict[str, Any]]:
    """Wait for all tasks; every one's message, or the first error that is not a mere loss of another worker.

    Spark's own exchange: it has no time limit, so that it can wait for partitions that take long to read, and Spark
    ends the tasks that wait in it when another one is lost.
    """
    found = [json.loads(one) for one in context.allGather(json.dumps({"failure": failure, **message}))]
    failures = [Failure(*one["failure"]) for one in found if one["failure"] is not None]
    if failures:
        raise Failed(min(failures, key=lambda one: one.is_loss))
    return found


class Failed(Exception):
    """Some task has failed; all raise this, after they have heard of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def tracker_of(context: Any, settings: Any) -> tuple[Any, dict[str, Any]]:
    """XGBoost's tracker, in the task of partition 0: a new one whenever Spark tries the stage again."""
    from xgboost.tracker import RabitTracker

    tasks = context.getTaskInfos()
    host = getattr(settings, "tracker_host_ip", None) or tasks[0].address.rpartition(":")[0] or tasks[0].address
    port = getattr(settings, "tracker_port", None) or 0
    timeout = getattr(settings, "tracker_timeout", None) or 0
    tracker = RabitTracker(n_workers=len(tasks), host_ip=host.strip("[]"), port=port, sortby="task", timeout=timeout)
    tracker.start()
    Thread(target=tracker.wait_for, daemon=True).start()
    return tracker, tracker.worker_args()


@contextmanager
def connected(arguments: dict[str, Any] | None, partition: int, settings: Any) -> Iterator[Workers | Alone]:
    """XGBoost's communicator of all tasks while this lasts; the worker of partition i has rank i."""
    if arguments is None:
        yield Alone()
        return
    from xgboost import collective

    own = {"dmlc_task_id": f"{partition:09d}"}  # sorted as text: "10" would come before "2"
    for name in ("retry", "timeout"):
        if getattr(settings, name, None) is not None:
            own[f"dmlc_{name}"] = getattr(settings, name)
    with collective.CommunicatorContext(**arguments, **own):
        yield Workers(collective)
