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

from datasets._refusals import raise_refusal
from datasets.registry import DatasetError

BLOCK = 16 << 20
ENDINGS = ("", ".gz", ".bz2", ".xz")
_OPENERS: dict[str, Callable[[Any], Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


_AS_UTF8 = "write it as UTF-8 (iconv -f UTF-16 -t UTF-8 old > new)"
_UNPACK = "give it the ending {} or unpack it"
#: Starts of files that are not text despite their name: first bytes, kind of file, remedy. UTF-32 before UTF-16.
_FOREIGN = (
    (b"\xff\xfe\0\0", "is UTF-32 text", "write it as UTF-8 (iconv -f UTF-32 -t UTF-8 old > new)"),
    (b"\0\0\xfe\xff", "is UTF-32 text", "write it as UTF-8 (iconv -f UTF-32 -t UTF-8 old > new)"),
    (b"\xff\xfe", "is UTF-16 text", _AS_UTF8),
    (b"\xfe\xff", "is UTF-16 text", _AS_UTF8),
    (b"\x1f\x8b", "holds gzip-compressed data where text is expected", _UNPACK.format(".gz")),
    (b"BZh", "holds bzip2-compressed data where text is expected", _UNPACK.format(".bz2")),
    (b"\xfd7zXZ\0", "holds xz-compressed data where text is expected", _UNPACK.format(".xz")),
    (b"\x28\xb5\x2f\xfd", "holds zstd-compressed data where text is expected", "unpack it"),
    (b"PK\x03\x04", "is a zip archive (or a spreadsheet) where text is expected", "unpack it, or save it as text"),
    (b"PAR1", "is a Parquet file where text is expected", "write it as text in the published form"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself", "download the file with git lfs pull"),
    (b"<!doctype html", "is a web page, not the file", "download it again; the site may require a login"),
    (b"<html", "is a web page, not the file", "download it again; the site may require a login"),
)


@dataclass(frozen=True)
class Source:
    """A file to read: its path, and the member's name if it is a zip archive."""

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
    """A raw file that hashes its bytes as they are read in order, and counts them."""

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
    """A source as blocks of complete lines; ``position`` counts stored bytes, ``hashes`` are theirs at the end.

    For an archive's member the hashes are of the unpacked member, like the published ones.
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
        """SHA-256 and MD5 of the stored bytes; call after the last block."""
        while self._raw.read(1 << 20):  # bytes after the compressed data, if any
            pass
        return {"sha256": self._raw.sha256.hexdigest(), "md5": self._raw.md5.hexdigest()}

    def blocks(self, size: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Yield (number of the first line from 1, complete lines), with LF line ends and no byte order mark.

        Raises `DatasetError` for a file that ends early or is otherwise damaged, naming the last line read.
        """
        line, rest, first = 1, b"", True
        while True:
            try:
                text = self._stream.read(size or BLOCK)
            except _DAMAGED as error:
                raise self._damaged(error, line + rest.count(b"\n")) from error
            if first:
                self._refuse_foreign(text)
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

    def _refuse_foreign(self, start: bytes) -> None:
        """Raise `DatasetError` if the first bytes show that this is not UTF-8 text with LF or CRLF line ends."""
        for mark, found, remedy in _FOREIGN:
            if (start[:256].lstrip().lower() if mark.startswith(b"<") else start).startswith(mark):
                raise DatasetError(f"{self.source} {found}; {remedy}")
        # A single NUL byte is a malformed row; in UTF-16 every other byte of Latin text is NUL.
        if start[:4096].count(b"\0") * 8 > len(start[:4096]):
            raise DatasetError(f"{self.source} is UTF-16 text without a byte order mark, or no text; {_AS_UTF8}")
        if b"\n" not in start and b"\r" in start:
            raise DatasetError(
                f"{self.source} ends its lines with CR alone, as old Macintosh files do; write it with LF line ends "
                "(tr '\\r' '\\n' < old > new)"
            )

    def _damaged(self, error: BaseException, line: int | None = None) -> DatasetError:
        raise_refusal(self.source, error)
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
