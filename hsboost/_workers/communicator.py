"""The processes that train one model together: sums over all of them, and one error when one of them fails.

XGBoost connects its workers (`xgboost.dask`, Ray Train, `RabitTracker`); this is a thin layer above
`xgboost.collective` with three guarantees. Every worker takes part in every call, even without rows or after a failure.
All of them get the same bits. When one worker fails, all of them raise the same error, which names that worker.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

#: XGBoost's codes for the reductions used here.
_MAX, _MIN, _SUM = 0, 1, 2


class Collective(Protocol):
    """The part of `xgboost.collective` that is needed; tests replace it with threads."""

    def get_rank(self) -> int: ...

    def get_world_size(self) -> int: ...

    def allreduce(self, data: np.ndarray, op: Any) -> np.ndarray: ...

    def broadcast(self, data: Any, root: int) -> Any: ...


class Traffic(NamedTuple):
    """What one worker sent: number of calls, bytes in total, and bytes in the largest call."""

    calls: int = 0
    bytes: int = 0
    largest: int = 0


def workers() -> Workers | None:
    """The workers of the XGBoost communicator that this thread has joined; None without one."""
    xgboost = sys.modules.get("xgboost")
    if xgboost is None or xgboost.collective.get_world_size() == 1:
        return None
    return Workers(xgboost.collective)


class Workers:
    """All workers of one training, seen from one of them."""

    def __init__(self, collective: Collective) -> None:
        self._collective = collective
        self.rank, self.size = collective.get_rank(), collective.get_world_size()
        self.traffic = Traffic()

    def sum(self, shape: tuple[int, ...], compute: Callable[[], Any]) -> np.ndarray:
        """Sum over all workers of what ``compute`` returns, float64 of the given shape.

        ``shape`` must be the same on every worker. An error that ``compute`` raises on one worker is raised on all.
        """
        return self._reduce(shape, compute, _SUM)

    def max(self, shape: tuple[int, ...], compute: Callable[[], Any]) -> np.ndarray:
        """Elementwise maximum, otherwise as :meth:`sum`; a worker without rows returns -inf."""
        return self._reduce(shape, compute, _MAX)

    def share(self, compute: Callable[[], Any]) -> list[Any]:
        """What ``compute`` returns on each worker, in the order of their ranks: any picklable objects.

        It takes one call per worker, so use it once per data set and not once per round.
        """
        mine: list[Any] = []

        def keep() -> list[float]:
            mine.append(compute())
            return []

        self._reduce((0,), keep, _SUM)  # agree first that no worker failed
        return [self._broadcast(mine[0] if root == self.rank else None, root) for root in range(self.size)]

    def threads_each(self) -> int:
        """How many threads each worker may use when the workers of one machine share its cores evenly.

        Threads that wait for other workers would otherwise occupy the cores that these need to reach the next call.
        """
        machine = platform.node()
        neighbours = self.share(lambda: machine).count(machine)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, cores // neighbours)

    def _reduce(self, shape: tuple[int, ...], compute: Callable[[], Any], op: int) -> np.ndarray:
        buffer = np.zeros(int(np.prod(shape)) + 1)
        failure = None
        try:
            buffer[:-1] = np.asarray(compute(), dtype=np.float64).ravel()
        except Exception as error:  # of any kind: the other workers are waiting
            failure = error
            buffer[:-1], buffer[-1] = 0.0, 1.0
        found = self._allreduce(buffer, op)
        if found[-1] > 0.0:
            self._raise_first(failure)
        return found[:-1].reshape(shape)

    def _raise_first(self, failure: Exception | None) -> None:
        """Raise the error of the failed worker of lowest rank, on every worker."""
        own = self.size if failure is None else self.rank
        root = int(self._allreduce(np.array([float(own)]), _MIN)[0])
        is_value, text = self._broadcast((isinstance(failure, ValueError), _describe(failure)), root)
        kind = ValueError if is_value else RuntimeError
        raise kind(f"worker {root} of {self.size}: {text}") from (failure if root == self.rank else None)

    def _allreduce(self, data: np.ndarray, op: int) -> np.ndarray:
        self._count(data.nbytes)
        try:
            return np.asarray(self._collective.allreduce(data, op))
        except Exception as error:
            raise self._lost(error) from error

    def _broadcast(self, data: Any, root: int) -> Any:
        # XGBoost takes None for "nothing to send".
        try:
            return self._collective.broadcast([data] if root == self.rank else None, root)[0]
        except Exception as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> RuntimeError:
        """The error when the connection to the others is lost; XGBoost does not say which worker is gone."""
        return RuntimeError(
            f"worker {self.rank} of {self.size} has lost another one, which died, stalled or ended with an error of "
            f"its own: look for that in the workers' logs, and go on from the last checkpoint ({_reason(error)})"
        )

    def _count(self, size: int) -> None:
        calls, sent, largest = self.traffic
        self.traffic = Traffic(calls + 1, sent + size, max(largest, size))


def _reason(error: Exception) -> str:
    """The line of XGBoost's report with the cause of the lost connection: the last before its stack trace."""
    lines = [line.strip("- ") for line in str(error).partition("Stack trace")[0].splitlines() if line.strip("- ")]
    return lines[-1] if lines else type(error).__name__


def _describe(failure: Exception | None) -> str:
    if failure is None or isinstance(failure, ValueError):
        return str(failure)
    return f"{type(failure).__name__}: {failure}"
