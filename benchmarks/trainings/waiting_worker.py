"""One turn of a row of the waiting benchmark, in a process of its own: ``python -P -m … ROW SCALE REPEATS THREADS``.

The folder of a build of hsboost comes first on PYTHONPATH. The last line of the output is the record. With 0 repeats it
is the profile of the measured call instead.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from benchmarks.suite import environment, measure, profiling
from benchmarks.trainings import waiting_rows
from benchmarks.trainings.waiting_rows import ROWS, Row


def measured(row: Row, scale: float, repeats: int) -> dict[str, Any]:
    """Seconds (or bytes) of both calls, sample by sample."""
    assert row.make is not None
    calls = row.make(scale)
    if row.kind == "figure":  # the same in every repeat
        return {name: [float(call())] for name, call in calls.items()}
    if row.kind == "memory":
        for call in calls.values():
            call()  # loads libraries
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(max(1, repeats // 3)):
            for name, call in calls.items():
                peak = measure.extra_peak_bytes(call)
                if peak is None:
                    raise OSError("this system does not tell a process's peak memory")
                found[name].append(float(peak[0]))
        return found
    if not row.long:
        return dict(measure.in_turns(calls, repeats)[0])
    found = {name: [] for name in calls}
    for call in calls.values():
        call()
    gc.collect()
    for _ in range(max(1, repeats // 3)):
        for name, call in calls.items():
            found[name].append(measure.seconds_of(call))
    return found


def profiled(row: Row, scale: float) -> dict[str, Any]:
    """Where the time of the measured call goes."""
    assert row.make is not None
    return {"profile": profiling.profile(row.make(scale)["measured"])}


def main(key: str, scale: str, repeats: str, threads: str) -> None:
    """Print the record of one turn."""
    environment.let_waiting_threads_sleep()
    row = ROWS[key]
    with waiting_rows.threads(int(threads)):
        print(json.dumps(measured(row, float(scale), int(repeats)) if int(repeats) else profiled(row, float(scale))))


if __name__ == "__main__":
    main(*sys.argv[1:])
