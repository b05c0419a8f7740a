"""Files that are checked as they are read: blocks with digests, and notes that end with their own checksum."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import time
import zlib
from pathlib import Path
from typing import Any

from datasets._refusals import unwritable

BLOCK = 1 << 16
_DIGEST = 4
_CHECKSUM = ', "checksum": "'


class Damaged(OSError):
    """Bytes that differ from those written."""


class BlockWriter(io.RawIOBase):
    """A new file that computes the digest of every block of 64 KB as it is written.

    Raises `DatasetError` if the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("xb", buffering=0)
        self._digests: list[bytes] = []
        self._tail = bytearray()
        self.size = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.size

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        try:
            write_all(self._file, view)
        except OSError as error:
            raise unwritable(self._path.parent, error) from error
        self.size += len(view)
        self._tail += view
        whole = len(self._tail) // BLOCK * BLOCK
        self._digests += [_digest(self._tail[at : at + BLOCK]) for at in range(0, whole, BLOCK)]
        del self._tail[:whole]
        return len(view)

    def close(self) -> None:
        self._file.close()
        super().close()

    def digests(self) -> str:
        """Return the digests of all blocks, 8 hexadecimal digits each; the last block may be shorter."""
        last = [_digest(self._tail)] if self._tail else []
        return b"".join([*self._digests, *last]).hex()


class BlockReader(io.RawIOBase):
    """A file that returns only bytes of blocks with the expected digest; otherwise it raises `Damaged`.

    A Parquet reader thus never parses damaged bytes, whether pages, page headers or the footer, and each part of the
    file is read and hashed only once.
    """

    def __init__(self, path: Path, size: int, digests: str) -> None:
        found = path.stat().st_size
        if found != size:
            raise Damaged(f"{found:,} bytes, {size:,} were written")
        self._digests = bytes.fromhex(digests)
        if len(self._digests) != -(-size // BLOCK) * _DIGEST:
            raise Damaged(f"its note has digests of {len(self._digests) // _DIGEST:,} blocks, not of all")
        self._file = path.open("rb", buffering=0)
        self._size, self._position = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def read(self, size: int = -1) -> Any:
        """Return the next ``size`` bytes (-1: all) as a memoryview: Arrow takes it without a copy."""
        start, stop = self._position, self._size if size < 0 else min(self._position + size, self._size)
        if stop <= start:
            return b""
        first = start // BLOCK
        blocks = self._blocks(first, -(-stop // BLOCK))
        self._position = stop
        return blocks[start - first * BLOCK : stop - first * BLOCK]

    def check(self) -> None:
        """Read the entire file; raises `Damaged` at the first block that differs."""
        last = -(-self._size // BLOCK)
        for first in range(0, last, 256):
            self._blocks(first, min(first + 256, last))

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _blocks(self, first: int, last: int) -> memoryview:
        """Read blocks ``first`` to ``last`` (exclusive), each compared with its digest."""
        wanted = min(last * BLOCK, self._size) - first * BLOCK
        held = bytearray(wanted)
        view, done = memoryview(held), 0
        while done < wanted and (count := _read_at(self._file, view[done:], first * BLOCK + done)):
            done += count
        if done < wanted:
            raise Damaged(f"it ends at byte {first * BLOCK + done:,}, {self._size:,} were written")
        for number in range(first, last):
            at = (number - first) * BLOCK
            if _digest(view[at : at + BLOCK]) != self._digests[number * _DIGEST : (number + 1) * _DIGEST]:
                end = min((number + 1) * BLOCK, self._size) - 1
                raise Damaged(f"bytes {number * BLOCK:,} to {end:,} differ from those written")
        return view


def _read_at(file: io.FileIO, view: memoryview, place: int) -> int:
    """Read into ``view`` from a place in an unbuffered file; 0 at its end."""
    if hasattr(os, "preadv"):
        # A forked process shares the file's position.
        return os.preadv(file.fileno(), [view], place)
    file.seek(place)
    return file.readinto(view) or 0


def write_all(file: Any, data: Any) -> None:
    """Write all bytes to an unbuffered file, whose ``write`` may take only a part and raise for the rest."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def scratch(path: Path) -> Path:
    """Return a temporary name next to ``path`` that no other process or thread uses."""
    return path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident():x}-{time.time_ns():x}.partial")


def seal(facts: dict[str, Any]) -> str:
    """Write facts as JSON on one line whose last entry is the SHA-256 of the preceding text."""
    text = json.dumps(facts, allow_nan=False)[:-1]
    return f'{text}{_CHECKSUM}{hashlib.sha256(text.encode()).hexdigest()}"}}'


def unseal(line: bytes) -> dict[str, Any]:
    """Read a line from `seal`, without the checksum; raises ValueError if any byte differs."""
    text, found, end = line.rpartition(_CHECKSUM.encode())
    if not found or end != f'{hashlib.sha256(text).hexdigest()}"}}'.encode():
        raise ValueError("it does not end with the checksum of its content" if found else "it has no checksum")
    facts = json.loads(text + b"}")
    if not isinstance(facts, dict):
        raise ValueError("it is no JSON object")
    return facts


def read_note(content: bytes, unsealed: set[str]) -> dict[str, Any]:
    """Read a note, or one of an earlier version, which has no checksum and only the entries ``unsealed``.

    Raises ValueError for a damaged note.
    """
    facts = json.loads(content)
    return facts if isinstance(facts, dict) and facts.keys() <= unsealed else unseal(content)


def write_note(path: Path, facts: dict[str, Any]) -> None:
    """Write a sealed note atomically."""
    temporary = scratch(path)
    try:
        temporary.write_text(seal(facts), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _digest(block: Any) -> bytes:
    # CRC-32, like Parquet's own page checksums: it detects all bursts of up to 32 bits, at 4 GB/s.
    return zlib.crc32(block).to_bytes(_DIGEST, "big")
