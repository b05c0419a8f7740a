"""Downloads: mirrors in order, resumed partial files, size and checksum checked before a file gets its name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import requests

from datasets._layouts import SourceFile
from datasets._lock import making
from datasets._sealed import read_note, write_note
from datasets._sources import digest
from datasets._transfer import Part, Watch
from datasets.registry import DatasetError


class _Wrong(Exception):
    """All bytes arrived, but they are not those of the published file."""


@dataclass(frozen=True)
class Fetched:
    """The result of a fetch: the file's path, its address (None: it existed already), its SHA-256."""

    path: Path
    url: str | None
    sha256: str


def fetch(file: SourceFile, folder: Path, watch: Watch | None = None) -> Fetched:
    """Download one file into ``folder`` from the first address that serves it, unless it is complete there.

    Bytes are written to ``<name>.part``, which a later call resumes; the file gets its name at the end, when size and
    checksum are correct. If no checksum is published, the SHA-256 is kept in ``<name>.sha256.json`` for `verify`. Of
    several concurrent calls, in any process or thread, one downloads and the others wait for its file. Raises
    `DatasetError` with the answer of each address, and for a folder that is not writeable.
    """
    target = folder / file.name
    if not target.is_file():
        with making(folder, file.name):
            if not target.is_file():  # another process may have fetched it in the meantime
                return _download(file, target, watch)
    return Fetched(target, None, _compared(file, target)[1])


def _download(file: SourceFile, target: Path, watch: Watch | None) -> Fetched:
    failures = []
    for url in file.urls:
        part = Part(target.with_name(f"{file.name}.part"), file)
        # A wrong checksum after a resume may come from the earlier piece: try again from the start.
        for fresh in (False, True):
            if fresh:
                part.forget()
            try:
                part.download(url, watch)
                return Fetched(target, url, _finish(file, part, target, url))
            except _Wrong as error:
                failures.append(f"{url}: {error}")
                part.forget()
                if part.spliced:
                    continue
            except requests.exceptions.RequestException as error:
                failures.append(f"{url}: {' '.join(str(error).split())[:300]}")
            break
    raise DatasetError(
        f"cannot fetch {file.name} ({'; '.join(failures)}); run the command again to resume, or download it by "
        f"hand into {target.parent}"
    )


def _finish(file: SourceFile, part: Part, target: Path, url: str) -> str:
    """Check a complete partial file and give it its name; returns its SHA-256."""
    size = part.path.stat().st_size
    if file.size is not None and size != file.size:
        raise _Wrong(f"{size:,} bytes arrived, the published file has {file.size:,}")
    algorithm, _, expected = (file.checksum or "sha256:").partition(":")
    found = _digests(part.path, algorithm)
    if expected and found[algorithm] != expected:
        raise _Wrong(f"{algorithm} is {found[algorithm]}, expected {expected}")
    with part.writing():
        if algorithm != "sha256" or not expected:
            write_note(_note_of(target), {"sha256": found["sha256"], "url": url, "size": size})
        part.finish(target)
    return found["sha256"]


def verify(file: SourceFile, path: Path) -> str:
    """Compare a file with the published size and checksum; raises `DatasetError` if it differs.

    Without a published checksum it is compared with the one noted when it was fetched, if any.
    """
    return _compared(file, path)[0]


def _compared(file: SourceFile, path: Path) -> tuple[str, str]:
    """The result of `verify`, and the SHA-256, from one reading of the file."""
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise DatasetError(f"{path} has {size:,} bytes, expected {file.size:,}; it is not the published file")
    expected, whence = file.checksum, "published"
    if expected is None and (noted := _noted(path)) is not None:
        expected, whence = f"sha256:{noted}", "noted when it was fetched"
    algorithm, _, value = (expected or "sha256:").partition(":")
    found = _digests(path, algorithm)
    if expected is None:
        return f"no checksum is published; its SHA-256 is {found['sha256']}", found["sha256"]
    if found[algorithm] != value:
        raise DatasetError(
            f"{path}: {algorithm} is {found[algorithm]}, expected {value} ({whence}); remove it and fetch it again"
        )
    return f"has the {algorithm} that was {whence}", found["sha256"]


def _note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256.json")


def _noted(path: Path) -> str | None:
    """The SHA-256 noted when a file was fetched; None without a note."""
    note = _note_of(path)
    try:
        content = note.read_bytes()
    except FileNotFoundError:
        return None
    try:
        value = str(read_note(content, {"sha256", "url", "size"})["sha256"])
        if len(bytes.fromhex(value)) == hashlib.sha256().digest_size:
            return value
        reason = "no SHA-256 in it"
    except (ValueError, KeyError, TypeError) as error:
        reason = str(error)
    raise DatasetError(
        f"{note} is damaged ({reason}), so {path.name} cannot be compared with what was fetched; remove both and "
        "fetch the file again"
    )


def _digests(path: Path, algorithm: str) -> dict[str, str]:
    """SHA-256 and another hash of a file, read once."""
    if algorithm == "sha256":
        return {"sha256": digest(path)}
    found = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", algorithm)}
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            for known in found.values():
                known.update(piece)
    return {name: known.hexdigest() for name, known in found.items()}
