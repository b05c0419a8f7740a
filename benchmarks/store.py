"""The finished runs on disk: one JSON line each, appended at once, never mixed between different settings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.errors import OptionError

Record = dict[str, Any]
Key = TypeVar("Key", bound=Hashable)


def flatten(facts: Record, prefix: str = "") -> dict[str, Any]:
    """Turn nested facts into ``{"a.b": value}``, so that two of them can be compared fact by fact."""
    flat: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dict) and value:
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


class RunStore(Generic[Key]):
    """``runs.jsonl``: a first line with the facts that all runs share, then a line for each finished run.

    ``key_of`` names a run from its record. A last line cut short by a killed process is dropped (its run is made
    again); ``damaged`` says whether there was one. Reading changes nothing on disk; `begin` makes the file ready
    for `append`.
    """

    def __init__(self, path: Path, key_of: Callable[[Record], Key]) -> None:
        self.path = path
        self.header: Record | None = None
        self.runs: dict[Key, Record] = {}
        self.damaged = False
        self._key_of = key_of
        self._good_bytes = 0
        if path.is_file():
            self._read()

    def _read(self) -> None:
        lines = self.path.read_bytes().splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            last = number == len(lines)
            if last and not line.endswith(b"\n"):
                self.damaged = True
                return
            try:
                record = json.loads(line)
                if self.header is None:
                    self.header = record["shared"]
                else:
                    self.runs[self._key_of(record)] = record
            except (ValueError, KeyError, TypeError):
                if last:
                    self.damaged = True
                    return
                raise OptionError(
                    f"--out: line {number} of {self.path} is not a record of this benchmark; "
                    "repair the file, use --fresh to start over, or choose another --out"
                ) from None
            self._good_bytes += len(line)

    def begin(self, shared: Record) -> None:
        """Make the file ready for runs made under the facts ``shared``.

        Drops a damaged last line and writes the first line of a new file. Raises OptionError, naming every
        difference, where the file holds runs made under other facts.
        """
        shared = json.loads(json.dumps(shared))
        if self.header is not None and self.header != shared:
            before, now = flatten(self.header), flatten(shared)
            changed = [
                f"{name} was {before.get(name)!r}, is {now.get(name)!r}"
                for name in sorted(before.keys() | now.keys())
                if before.get(name) != now.get(name)
            ]
            raise OptionError(
                f"--out: {self.path} holds runs made under other settings, which must not be mixed "
                f"({'; '.join(changed)}); use --fresh to start over, or choose another --out"
            )
        if self.damaged:
            os.truncate(self.path, self._good_bytes)
        if self.header is None:
            self.header = shared
            self._write({"shared": shared})

    def append(self, record: Record) -> None:
        """Keep one finished run, at once and to the disk."""
        self._write(record)
        # Keep what a later process will read, so that a report does not depend on whether it was resumed.
        self.runs[self._key_of(record)] = json.loads(json.dumps(record))

    def _write(self, record: Record) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
