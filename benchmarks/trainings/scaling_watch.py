"""One worker's measurements during training: rounds, the part inside the objective and its reductions, memory.

They are kept in the process, because Dask's workers get copies of objective and callback; `take` returns them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import xgboost as xgb
from xgboost import collective

from benchmarks.suite import measure
from benchmarks.suite.store import Record

_kept: list[Record] = []
_waited = 0.0
_watched = _objectives_watched = False


class Watched:
    """A HyperSimplex objective that records its time, the time in reductions and the bytes sent, call by call."""

    def __init__(self, objective: Any, call: Any = None) -> None:
        self.objective, self.call = objective, objective if call is None else call

    def __call__(self, predictions: np.ndarray, dataset: Any) -> tuple[np.ndarray, np.ndarray]:
        found = _kept[-1]
        states: list[Any] = []
        self.objective.on_round = states.append
        before, start = _waited, perf_counter()
        result = self.call(predictions, dataset)
        found["objective"].append(perf_counter() - start)
        found["reductions"].append(_waited - before)
        meeting = getattr(states[0], "meeting", None)  # None on one machine, which sends nothing
        found["traffic"].append([0, 0, 0] if meeting is None else [int(v) for v in meeting.traffic])
        return result


class Clock(xgb.callback.TrainingCallback):
    """Records the end of each round, and the worker's peak memory."""

    def __init__(self, objective: str, repeat: int) -> None:
        self.objective, self.repeat = objective, repeat
        self._last = 0.0

    def before_training(self, model: Any) -> Any:
        """Start a training's record."""
        watch_reductions()
        gc.collect()
        # If the peak cannot be reset, it is that of the process's lifetime.
        measure.reset_peak()
        _kept.append(
            {"objective_name": self.objective, "repeat": self.repeat, "rank": collective.get_rank()}
            | {name: [] for name in ("rounds", "objective", "reductions", "traffic")}
        )
        self._last = perf_counter()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Record a round."""
        now = perf_counter()
        _kept[-1]["rounds"].append(now - self._last)
        self._last = now
        return False

    def after_training(self, model: Any) -> Any:
        """Finish a training's record."""
        _kept[-1]["peak_bytes"] = peak_bytes()
        return model


def take() -> list[Record]:
    """Return this process's records since the last call."""
    found = list(_kept)
    _kept.clear()
    return found


def watch_reductions() -> None:
    """Time the functions of `xgboost.collective` that the objective calls (XGBoost's own trees do not call them)."""
    global _watched
    if not _watched:
        collective.allreduce, collective.broadcast = _timed(collective.allreduce), _timed(collective.broadcast)
        _watched = True


def watch_objectives() -> None:
    """The same for the objectives that an estimator makes by itself."""
    from hsboost.objectives import LossObjective

    global _objectives_watched
    if _objectives_watched:
        return
    plain = LossObjective.__call__

    def called(self: Any, *arguments: Any) -> Any:
        return Watched(self, partial(plain, self))(*arguments)

    setattr(LossObjective, "__call__", called)  # noqa: B010
    _objectives_watched = True


def _timed(function: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        global _waited
        start = perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            _waited += perf_counter() - start

    return timed


def peak_bytes() -> int | None:
    """Peak resident memory of this process, since the last reset where the system has one."""
    found = measure.resident("VmHWM")
    if found is not None:
        return found
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
