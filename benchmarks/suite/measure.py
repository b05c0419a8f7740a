"""Measure time and memory: interleaved, with pinned threads, and memory as the operating system reports it."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

#: Least duration of a sample: short calls are repeated within it, so that the clock's own cost is negligible.
MIN_SAMPLE_SECONDS = 2e-3
MOST_CALLS = 10_000


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of repeated figures."""

    median: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Give the content of a results.json entry."""
        return {"median": self.median, "q1": self.low, "q3": self.high}


def spread(values: list[float]) -> Spread:
    """Summarise repeats; unlike a mean, a median is not affected by one disturbed repeat."""
    low, median, high = np.percentile(values, [25, 50, 75])
    return Spread(float(median), float(low), float(high))


def seconds_of(call: Callable[[], Any], calls: int = 1) -> float:
    """Time ``calls`` calls in a row and return the seconds of one."""
    start = perf_counter()
    for _ in range(calls):
        call()
    return (perf_counter() - start) / calls


def calls_per_sample(seconds: float) -> int:
    """How many calls of ``seconds`` each make a sample long enough for timing."""
    return max(1, min(MOST_CALLS, round(MIN_SAMPLE_SECONDS / max(seconds, 1e-9))))


def interleaved(
    calls: Mapping[str, Callable[[], Any]], each: Mapping[str, int], repeats: Mapping[str, int]
) -> dict[str, list[float]]:
    """Time every method in turn, round after round, so that a disturbance of the machine affects all of them.

    ``each`` is the number of calls within one sample, ``repeats`` the number of samples; a method with fewer samples
    than others takes part in rounds spread evenly over all rounds. The garbage collector is off during the timing.
    Returns seconds per call, a list for each method.

    An untimed call precedes each sample: a virtual machine may return memory that was idle for a second or two to its
    host, and the first access then costs ten times as much as clearing pages usually does. Without the untimed call,
    a method that follows a slow one would pay for that.
    """
    rounds = max(repeats.values(), default=0)
    found: dict[str, list[float]] = {name: [] for name in calls}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for turn in range(1, rounds + 1):
            for name, call in calls.items():
                if turn * repeats[name] // rounds > len(found[name]):
                    call()
                    found[name].append(seconds_of(call, each[name]))
    finally:
        if collecting:
            gc.enable()
    return found


def in_turns(calls: Mapping[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Warm up all methods and time them in turn; returns seconds per call, and the number of calls in a sample."""
    for call in calls.values():
        call()  # compiles
    each = {name: calls_per_sample(seconds_of(call)) for name, call in calls.items()}
    return interleaved(calls, each, dict.fromkeys(calls, repeats)), each


def extra_peak_bytes(call: Callable[[], Any]) -> tuple[int, int] | None:
    """Measure the memory of one call beyond what exists before it: (peak, returned arrays within it), in bytes.

    The peak is that of the process's resident memory as Linux records it, reset just before the call, so it counts
    allocations of every library; Python's own tracer would miss those of C++ libraries. None on other systems.
    """
    _release_free_memory()
    before = resident("VmRSS")
    if before is None or not reset_peak():
        return None
    result = call()
    peak = resident("VmHWM")
    if peak is None:
        return None
    arrays = result if isinstance(result, tuple) else (result,)
    return max(peak - before, 0), sum(int(getattr(array, "nbytes", 0)) for array in arrays)


def reset_peak() -> bool:
    """Reset the peak to the current resident memory; False where the system does not support it."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def resident(kind: str) -> int | None:
    """Resident memory of this process in bytes, now (VmRSS) or at its peak (VmHWM); None except on Linux."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{kind}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _release_free_memory() -> None:
    """Return freed memory to the system; otherwise the call would reuse it without being counted."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


@contextlib.contextmanager
def pinned(threads: int) -> Iterator[None]:
    """Let every library use ``threads`` threads within the context.

    With fewer threads than cores the process is also bound to as many cores, because some libraries (XLA) only count
    cores. Numba cannot use more threads than it was started with.
    """
    import numba
    from threadpoolctl import threadpool_limits

    bound = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    numba_threads = numba.get_num_threads()
    if bound is not None and threads < len(bound):
        os.sched_setaffinity(0, set(sorted(bound)[:threads]))
    numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        numba.set_num_threads(numba_threads)
        if bound is not None:
            os.sched_setaffinity(0, bound)
