"""The finished runs on disk: one JSON line each, with a checksum, appended at once, never mixed between settings."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Hashable
from pathlib import Path
from typing import Any, Generic, TypeVar

from benchmarks.suite.options import OptionError

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

    ``key_of`` names a run from its record, ``fields`` are the entries that every record has. Each line ends with a
    checksum. A line that was altered or damaged or lacks an entry, and a run that occurs twice, raise OptionError with
    the line's number and the remedy. A last line cut short by a killed process (it has no line end) is dropped, and its
    run is repeated; ``damaged`` says whether there was one. Reading changes nothing on disk; `begin` prepares the file
    for `append`. Only one process at a time may write: `benchmarks.suite.run` holds a lock.
    """

    def __init__(self, path: Path, key_of: Callable[[Record], Key], fields: Collection[str] = ()) -> None:
        self.path = path
        self.header: Record | None = None
        self.runs: dict[Key, Record] = {}
        self.damaged = False
        self._key_of, self._fields = key_of, fields
        self._lines: dict[Key, int] = {}
        self._good_bytes = 0
        if path.is_file():
            self._read()

    def _read(self) -> None:
        *lines, tail = self.path.read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            self._take(number, line.removesuffix(b"\r"))
            self._good_bytes += len(line) + 1
        self.damaged = bool(tail)

    def _take(self, number: int, line: bytes) -> None:
        # Imported here, so that processes that only measure do not load the data set readers.
        from datasets._sealed import unseal

        try:
            record = unseal(line)
        except ValueError as error:
            raise self._wrong(number, self._reason(number, line, error)) from None
        if self.header is None:
            if not isinstance(record.get("shared"), dict):
                raise self._wrong(number, "it does not hold the settings of the runs")
            self.header = record["shared"]
            return
        if missing := self._missing(record):
            raise self._wrong(number, f"it is no record of this benchmark: it lacks {', '.join(missing)}")
        try:
            key = self._key_of(record)
            earlier = self._lines.setdefault(key, number)
        except (KeyError, TypeError) as error:
            raise self._wrong(number, f"it is no record of this benchmark ({error})") from None
        if earlier != number:
            raise self._wrong(number, f"it repeats the run of line {earlier}")
        self.runs[key] = record

    def _missing(self, record: Record) -> list[str]:
        return [field for field in self._fields if field not in record]

    @staticmethod
    def _reason(number: int, line: bytes, error: ValueError) -> str:
        try:
            parsed = json.loads(line)
        except ValueError:
            return "it is no JSON"
        if number == 1 and isinstance(parsed, dict) and "checksum" not in parsed:
            return "the file has no checksums: an earlier version wrote it"
        return f"it was altered or damaged ({error})"

    def _wrong(self, number: int, reason: str) -> OptionError:
        mend = "" if number == 1 else "delete that line to have its run made again, "
        return OptionError(
            f"--out: line {number} of {self.path} cannot be used: {reason}; {mend}use --fresh to start over, or choose "
            "another --out"
        )

    def begin(self, shared: Record) -> None:
        """Prepare the file for runs made under the facts ``shared``.

        Drops a damaged last line and writes the first line of a new file, or of one without finished runs, which a
        command leaves if it fails before its first. Raises OptionError, naming every difference, if the file holds runs
        made under other facts.
        """
        shared = json.loads(json.dumps(shared))
        if self.header != shared and self.path.is_file() and not self.runs:
            os.truncate(self.path, 0)
            self.header, self.damaged = None, False
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
        """Write one finished run to disk at once; raises KeyError for a record that could not be read back."""
        if missing := self._missing(record):
            raise KeyError(f"the record lacks {', '.join(missing)}")
        self._write(record)
        # Keep the record as a later process will read it, so that a report does not depend on a resume.
        self.runs[self._key_of(record)] = json.loads(json.dumps(record))

    def _write(self, record: Record) -> None:
        from datasets._sealed import seal

        with self.path.open("a", encoding="utf-8") as file:
            file.write(seal(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
