"""A file of finished trainings, so that an interrupted comparison goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

FORMAT = 1


class State:
    """Finished trainings by (split, trial), on disk as soon as they are done.

    The file is JSON lines: what the comparison is of, then one line per training. A line cut short when its process was
    killed is dropped. One process at a time writes it.

    Parameters
    ----------
    path : path-like or None
        None: in memory only.
    of : mapping of names to digests or values
        What the trainings depend on; the file's must be equal.
    splits : sequence of str
        A digest of each split's rows: those of the file's trainings must be equal, as far as both have the split.

    Raises
    ------
    ValueError
        For a file of another comparison (it names what differs), one that is no state file, or one in use.
    """

    def __init__(self, path: str | os.PathLike[str] | None, of: Mapping[str, Any], splits: Sequence[str] = ()) -> None:
        self.done: dict[tuple[int, str], dict[str, Any]] = {}
        self._splits = list(splits)
        self._file: IO[bytes] | None = None
        if path is None:
            return
        place = Path(path)
        header = {"hsboost compare": FORMAT, "of": dict(of)}
        if not place.exists():
            with open(place, "xb") as file:
                file.write(_line(header))
        self._file = open(place, "r+b")  # noqa: SIM115 (kept open, and locked, as long as trainings are added)
        try:
            _lock(self._file, place)
            self._read(place, header)
        except BaseException:
            self.close()
            raise

    def add(self, record: dict[str, Any]) -> None:
        """Keep a training."""
        self.done[record["split"], record["trial"]] = record
        if self._file is not None:
            self._file.write(_line({**record, "rows": self._splits[record["split"]]}))
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, place: Path, header: dict[str, Any]) -> None:
        assert self._file is not None
        whole, _, _ = self._file.read().rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        if not lines:  # killed while the first line was written
            lines = [_line(header)[:-1]]
            self._file.seek(0)
            self._file.write(lines[0] + b"\n")
        try:
            found, *records = [json.loads(line) for line in lines]
            kept = found["of"]
            known = found["hsboost compare"]
            rows = {(record["split"], record.pop("rows")) for record in records}
            self.done = {(record["split"], record["trial"]): record for record in records}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(
                f"state={str(place)!r} is not a file of a comparison, or is damaged; name another, or delete it"
            ) from error
        if known != FORMAT:
            raise ValueError(f"state={str(place)!r} has format {known}, and this version reads {FORMAT}; name another")
        changed = [name for name in {**kept, **header["of"]} if kept.get(name) != header["of"].get(name)]
        if any(split < len(self._splits) and mark != self._splits[split] for split, mark in rows):
            changed.append("splits")
        if changed:
            shown = ", ".join(_change(name, kept.get(name), header["of"].get(name)) for name in changed)
            raise ValueError(
                f"state={str(place)!r} is of another comparison: {shown}; go back to that, or name another file"
            )
        end = sum(len(line) + 1 for line in lines)
        self._file.truncate(end)
        self._file.seek(end)


def _line(content: Any) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"


def _change(name: str, before: Any, now: Any) -> str:
    short = all(len(str(value)) < 60 and not re.fullmatch(r"[0-9a-f]{32}", str(value)) for value in (before, now))
    return f"{name} was {before}, is {now}" if short and before != now else f"{name} changed"


def _lock(file: IO[bytes], place: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise ValueError(
            f"state={str(place)!r} is in use by another comparison; wait for it, or name another"
        ) from error


def digest(value: Any) -> str | None:
    """32 hexadecimal digits that identify contents: rows of any container that boosters read, arrays, or None."""
    if value is None:
        return None
    state = hashlib.sha256()
    if isinstance(value, pd.DataFrame | pd.Series):
        frame = value.to_frame() if isinstance(value, pd.Series) else value
        state.update(repr([(name, str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
        for i in range(frame.shape[1]):
            state.update(pd.util.hash_pandas_object(frame.iloc[:, i], index=False).to_numpy().tobytes())
    elif issparse(value):
        rows: Any = value
        rows = csr_array(rows)
        for part in (rows.data, rows.indices, rows.indptr):
            state.update(np.ascontiguousarray(part).tobytes())
        state.update(repr((rows.shape, rows.dtype)).encode())
    elif hasattr(value, "hash_rows"):  # polars
        state.update(repr(value.schema).encode() + value.hash_rows(0).to_numpy().tobytes())
    elif hasattr(value, "to_pandas"):  # Arrow
        return digest(value.to_pandas())
    else:
        array = np.asarray(value)
        if array.dtype == object:
            return digest(pd.DataFrame(array.reshape(len(array), -1)).astype(str))
        state.update(repr((array.shape, array.dtype.str)).encode() + np.ascontiguousarray(array).tobytes())
    return state.hexdigest()[:32]


def described(estimator: Any) -> str:
    """An estimator's class and settings, the same text in every process."""
    settings = {name: value for name, value in estimator.get_params(deep=False).items() if value is not None}
    text = ", ".join(f"{name}={value!r}" for name, value in sorted(settings.items()))
    return f"{type(estimator).__name__}({re.sub(r' at 0x[0-9A-Fa-f]+', '', text)})"
