"""Reading of source files: plain, compressed or inside a zip archive, in blocks of whole lines."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from datasets.registry import DatasetError

BLOCK = 16 << 20
ENDINGS = ("", ".gz", ".bz2", ".xz")
_OPENERS: dict[str, Callable[[Any], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Source:
    """A file to read: its path, and the member's name where it is a zip archive."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path} ({self.member})"

    @property
    def size(self) -> int:
        """Bytes to read: of the file as stored, or of the unpacked member."""
        if self.member is None:
            return self.path.stat().st_size
        with zipfile.ZipFile(self.path) as archive:
            return archive.getinfo(self.member).file_size


class _Counted(io.RawIOBase):
    """A raw file that hashes what is read in order and knows how far it is."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.position = 0
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]  # every file we open has it
        self.sha256.update(memoryview(buffer)[:count])
        self.md5.update(memoryview(buffer)[:count])
        self.position += count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class Reader:
    """A source as blocks of whole lines; ``position`` counts stored bytes, ``hashes`` are theirs at the end.

    For an archive's member the hashes are of the unpacked member, which is what is published.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        if not source.path.is_file():
            raise DatasetError(f"file not found: {source.path}")
        if source.path.stat().st_size == 0:
            raise DatasetError(f"{source} is empty (0 bytes); fetch or copy it again")
        try:
            if source.member is None:
                self._raw = _Counted(source.path.open("rb"))
                opener = _OPENERS.get(source.path.suffix)
                buffered = io.BufferedReader(self._raw, 1 << 20)
                self._stream: Any = buffered if opener is None else opener(buffered)
            else:
                self._archive = zipfile.ZipFile(source.path)
                self._raw = _Counted(self._archive.open(source.member))
                self._stream = io.BufferedReader(self._raw, 1 << 20)
        except _DAMAGED as error:
            raise self._damaged(error) from error

    @property
    def position(self) -> int:
        return self._raw.position

    def hashes(self) -> dict[str, str]:
        """SHA-256 and MD5 of what was stored; call after the last block."""
        while self._raw.read(1 << 20):  # what may follow the compressed data
            pass
        return {"sha256": self._raw.sha256.hexdigest(), "md5": self._raw.md5.hexdigest()}

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (number of the first line from 1, whole lines), with LF line ends and no byte order mark.

        Raises `DatasetError` for a file that ends early or is otherwise damaged, naming the last line read.
        """
        line, rest, first = 1, b"", True
        while True:
            try:
                text = self._stream.read(size or BLOCK)
            except _DAMAGED as error:
                raise self._damaged(error, line + rest.count(b"\n")) from error
            if first:
                text, first = text.removeprefix(b"\xef\xbb\xbf"), False
            if not text:
                break
            whole, newline, tail = text.rpartition(b"\n")
            if not newline:
                rest += text
                continue
            block, rest = rest + whole + newline, tail
            yield line, block.replace(b"\r\n", b"\n")
            line += block.count(b"\n")
        if rest.strip(b"\r"):
            yield line, rest.removesuffix(b"\r") + b"\n"

    def close(self) -> None:
        self._stream.close()
        self._raw.close()
        if self.source.member is not None:
            self._archive.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _damaged(self, error: BaseException, line: int | None = None) -> DatasetError:
        where = "" if line is None else f" after line {line}"
        return DatasetError(
            f"{self.source} is truncated or damaged{where} ({error}); fetch or copy it again and check its size"
        )


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's hash in hexadecimal, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()


def digest_of(source: Source, algorithm: str) -> str:
    """Return the hash of a file, or of an archive's unpacked member."""
    if source.member is None:
        return digest(source.path, algorithm)
    with zipfile.ZipFile(source.path) as archive, archive.open(source.member) as stream:
        found = hashlib.new(algorithm, usedforsecurity=False)
        while piece := stream.read(1 << 20):
            found.update(piece)
        return found.hexdigest()
