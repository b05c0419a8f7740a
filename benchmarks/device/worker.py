"""The process of one part: ``python -m benchmarks.device.worker``. Each step's record is on disk before the next."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.device.parts import PARTS, Step
from benchmarks.suite.store import Record, RunStore

#: Entries that every record has.
FIELDS = ("part", "step", "attempt", "outcome", "seconds", "result", "error")
#: The outcomes of a step.
DONE, FAILED, CRASHED, STOPPED = "done", "failed", "crashed", "out of time"

Key = tuple[str, str, int]


def key_of(record: Record) -> Key:
    """Name a step's attempt."""
    return record["part"], record["step"], record["attempt"]


class Records(NamedTuple):
    """What a record's name and entries are, as `benchmarks.suite.run.Benchmark` has them."""

    key_of: Callable[[Record], Key]
    fields: tuple[str, ...]


def open_store(folder: Path) -> RunStore[Key]:
    """The records of a folder."""
    return RunStore(folder / "runs.jsonl", key_of, FIELDS)


def latest(store: RunStore[Key], part: str) -> dict[str, Record]:
    """The last record of every step of a part."""
    return {record["step"]: record for record in store.runs.values() if record["part"] == part}


def missing(store: RunStore[Key], part: str) -> list[str]:
    """The steps of a part that are not done, in order."""
    found = latest(store, part)
    return [name for name in PARTS[part].steps() if name not in found or found[name]["outcome"] != DONE]


def attempted(store: RunStore[Key], part: str, step: str) -> int:
    """How often a step was begun."""
    return sum(key[:2] == (part, step) for key in store.runs)


def record_of(part: str, step: str, attempt: int, outcome: str, seconds: float, **more: object) -> Record:
    """A step's record."""
    found = {"part": part, "step": step, "attempt": attempt, "outcome": outcome, "seconds": round(seconds, 3)}
    return found | {"result": {}, "error": ""} | more


def run_step(part: str, name: str, step: Step, attempt: int, tiny: bool) -> Record:
    """Carry out a step; an error is its outcome."""
    start = time.monotonic()
    try:
        result = step(tiny)
    except Exception as error:
        traceback.print_exc()
        said = f"{type(error).__name__}: {error}"[:2000]
        return record_of(part, name, attempt, FAILED, time.monotonic() - start, error=said)
    return record_of(part, name, attempt, DONE, time.monotonic() - start, result=result)


def keep(store: RunStore[Key], record: Record) -> None:
    """Append a record to a file that another process may have left in the middle of a line."""
    assert store.header is not None
    store.begin(store.header)
    store.append(record)


def main(folder: Path, part: str, names: list[str], tiny: bool) -> None:
    """Carry out steps of a part."""
    store, steps = open_store(folder), PARTS[part].steps()
    for name in names:
        print(f"{part}: {name}", flush=True)
        record = run_step(part, name, steps[name], attempted(store, part, name), tiny)
        keep(store, record)
        print(f"{part}: {name}: {record['outcome']} in {record['seconds']:.1f} s {record['error']}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], [name for name in sys.argv[3:] if name != "--tiny"], "--tiny" in sys.argv[3:])
