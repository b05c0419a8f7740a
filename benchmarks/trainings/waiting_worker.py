"""One turn of a row of the waiting benchmark, in a process of its own: ``python -P -m … ROW SCALE REPEATS THREADS``.

The folder of a build of hsboost comes first on PYTHONPATH. The last line of the output is the record.
"""

from __future__ import annotations

import gc
import json
import sys
from typing import Any

from benchmarks.suite import environment, measure
from benchmarks.trainings import waiting_rows
from benchmarks.trainings.waiting_rows import ROWS, Row


def measured(row: Row, scale: float, repeats: int) -> dict[str, Any]:
    """Seconds (or bytes) of both calls, sample by sample."""
    assert row.make is not None
    calls = row.make(scale)
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


def main(key: str, scale: str, repeats: str, threads: str) -> None:
    """Print the record of one turn."""
    environment.let_waiting_threads_sleep()
    with waiting_rows.threads(int(threads)):
        print(json.dumps(measured(ROWS[key], float(scale), int(repeats))))


if __name__ == "__main__":
    main(*sys.argv[1:])
