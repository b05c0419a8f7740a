"""Downloads: mirrors in order, partial files resumed, checksums checked, nothing under its name before it is whole."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch  # type: ignore[import-untyped]  # it has no stubs
import requests

from datasets._layouts import SourceFile
from datasets._sources import digest
from datasets.registry import DatasetError

TIMEOUT = (20, 60)
PIECE = 1 << 16
Watch = Callable[[int, int | None], None]


class _Interrupted(requests.exceptions.RequestException):
    """The transfer ended early; what arrived is kept and can be resumed."""


@dataclass(frozen=True)
class Fetched:
    """What became of a file: its path, the address it came from (None: it was there), its SHA-256."""

    path: Path
    url: str | None
    sha256: str


def fetch(file: SourceFile, folder: Path, watch: Watch | None = None) -> Fetched:
    """Download one file into ``folder`` unless it is there whole, from the first address that serves it well.

    What arrives goes to ``<name>.part``, which a later call resumes; the file gets its name when size and
    checksum are right. Where no checksum is published, the SHA-256 is kept in ``<name>.sha256.json`` for
    `verify`. Raises `DatasetError` with what each address answered.
    """
    target = folder / file.name
    if target.is_file():
        sha256 = _check_present(file, target)
        return Fetched(target, None, sha256)
    folder.mkdir(parents=True, exist_ok=True)
    failures = []
    for url in file.urls:
        # A wrong checksum after a resume may come from the piece of an earlier day: once more, from the start.
        for fresh in (False, True):
            part = _Part(folder / f"{file.name}.part", file)
            if fresh:
                part.forget()
            resumed = part.path.exists()
            try:
                pooch.retrieve(
                    url,
                    known_hash=file.checksum,
                    fname=file.name,
                    path=folder,
                    downloader=lambda link, output, _, part=part: part.download(link, Path(output), watch),
                )
            except ValueError as error:
                failures.append(f"{url}: {_one_line(error)}")
                part.forget()
                if resumed:
                    continue
            except (requests.exceptions.RequestException, OSError) as error:
                failures.append(f"{url}: {_one_line(error)}")
            else:
                part.forget()
                sha256 = digest(target)
                if file.checksum is None or not file.checksum.startswith("sha256:"):
                    record = {"sha256": sha256, "url": url, "size": target.stat().st_size}
                    (folder / f"{file.name}.sha256.json").write_text(json.dumps(record), encoding="utf-8")
                return Fetched(target, url, sha256)
            break
    raise DatasetError(
        f"cannot fetch {file.name} ({'; '.join(failures)}); run the command again to resume, or download it by "
        f"hand into {folder}"
    )


def verify(file: SourceFile, path: Path) -> str:
    """Say how a file compares with what is published; raises `DatasetError` where it differs.

    Without a published checksum it is compared with the one noted when it was fetched, if it was.
    """
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise DatasetError(f"{path} has {size:,} bytes, expected {file.size:,}; it is not the published file")
    expected, whence = file.checksum, "published"
    note = path.with_name(f"{path.name}.sha256.json")
    if expected is None and note.is_file():
        expected, whence = (
            f"sha256:{json.loads(note.read_text(encoding='utf-8'))['sha256']}",
            "noted when it was fetched",
        )
    if expected is None:
        return f"no checksum is published; its SHA-256 is {digest(path)}"
    algorithm, _, value = expected.partition(":")
    found = digest(path, algorithm)
    if found != value:
        raise DatasetError(f"{path}: {algorithm} is {found}, expected {value} ({whence}); remove it and fetch it again")
    return f"has the {algorithm} that was {whence}"


def _check_present(file: SourceFile, path: Path) -> str:
    verify(file, path)
    return digest(path)


class _Part:
    """A partial download and what is known of where it came from."""

    def __init__(self, path: Path, file: SourceFile) -> None:
        self.path, self._file = path, file
        self._note = path.with_name(f"{path.name}.json")

    def forget(self) -> None:
        """Remove the partial file and its note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def download(self, url: str, output: Path, watch: Watch | None) -> None:
        """Bring the whole file to ``output`` (a name of pooch's, which then checks the hash)."""
        arrived = -1
        while True:
            try:
                self._transfer(url, watch)
                break
            except (_Interrupted, requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError):
                # Ask for the rest at once, as long as something more arrives each time.
                before, arrived = arrived, self.path.stat().st_size if self.path.is_file() else 0
                if arrived <= max(before, 0):
                    raise
        self.path.replace(output)

    def _transfer(self, url: str, watch: Watch | None) -> None:
        have, validator = self._resumable(url)
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator:
                headers["If-Range"] = validator
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
            if reply.status_code == requests.codes.requested_range_not_satisfiable:
                if _total(reply) == have:
                    return
                self.forget()
                raise _Interrupted(f"the server has no bytes after {have:,}")
            reply.raise_for_status()
            start = _start(reply)
            if start not in (0, have):
                self.forget()
                raise _Interrupted(f"asked for bytes from {have:,}, got them from {start:,}")
            total = _total(reply)
            if self._file.size is not None and total not in (None, self._file.size):
                raise requests.exceptions.InvalidHeader(
                    f"the server's file has {total:,} bytes, not {self._file.size:,}"
                )
            etag = reply.headers.get("ETag", "")
            strong = etag if not etag.startswith("W/") else ""
            note = {"url": url, "total": total, "validator": strong or reply.headers.get("Last-Modified", "")}
            self._note.write_text(json.dumps(note), encoding="utf-8")
            # The server may have ignored the Range header: then the file starts anew.
            with self.path.open("ab" if start else "wb") as stream:
                done = start
                for piece in reply.iter_content(PIECE):
                    stream.write(piece)
                    done += len(piece)
                    if watch is not None:
                        watch(done, total)
        if total is not None and done < total:
            raise _Interrupted(f"the transfer ended after {done:,} of {total:,} bytes")

    def _resumable(self, url: str) -> tuple[int, str]:
        """How many bytes can be kept, and the validator that says whether they still hold."""
        if not self.path.is_file():
            return 0, ""
        note: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            note = json.loads(self._note.read_text(encoding="utf-8"))
        if note.get("url") == url and (note.get("validator") or self._file.checksum):
            return self.path.stat().st_size, str(note.get("validator", ""))
        # Another mirror's piece will do where the checksum tells in the end.
        if note and self._file.checksum is not None:
            return self.path.stat().st_size, ""
        self.forget()
        return 0, ""


def _start(reply: requests.Response) -> int:
    found = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    return int(found[1]) if reply.status_code == requests.codes.partial_content and found else 0


def _total(reply: requests.Response) -> int | None:
    found = re.search(r"/(\d+)$", reply.headers.get("Content-Range", ""))
    if found:
        return int(found[1])
    length = reply.headers.get("Content-Length")
    return int(length) if length is not None and reply.status_code == requests.codes.ok else None


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


# What pooch would print for files without a published hash is said by the command itself.
pooch.get_logger().setLevel(logging.WARNING)
