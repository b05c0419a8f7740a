"""One transfer over HTTP into a partial file: resumed only if the server still has the same file."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests
import urllib3

from datasets._layouts import SourceFile
from datasets._refusals import unwritable
from datasets._sealed import read_note, write_all, write_note

TIMEOUT = (20, 60)
PIECE = 1 << 16
Watch = Callable[[int, int | None], None]


class _Interrupted(requests.exceptions.RequestException):
    """The transfer ended early; the received bytes are kept and can be resumed."""


class _Changed(requests.exceptions.RequestException):
    """The server's file does not continue the local piece, which was removed."""


class Part:
    """A partial download and the note on its origin.

    The note next to ``<name>.part`` holds the address, the total size and the validator (ETag or Last-Modified) of the
    file. A piece is continued only with bytes of the same file: by an answer with the same validator and total or, if a
    published checksum will verify the result, by an answer that contradicts neither.
    """

    def __init__(self, path: Path, file: SourceFile) -> None:
        self.path, self._file = path, file
        #: Whether the file was assembled from several transfers.
        self.spliced = False
        self._note = path.with_name(f"{path.name}.json")

    def forget(self) -> None:
        """Remove the partial file and its note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Give the complete and checked file its name."""
        self._note.unlink(missing_ok=True)
        self.path.replace(target)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turn an OSError into a `DatasetError` that names the folder and the remedy."""
        try:
            yield
        except OSError as error:
            again = "; run the command again then: it goes on with what arrived"
            raise unwritable(self.path.parent, error, again) from error

    def download(self, url: str, watch: Watch | None) -> None:
        """Download all bytes; request the rest again at once as long as each attempt brings more."""
        arrived, restarted = -1, False
        while True:
            try:
                self._transfer(url, watch)
                return
            except _Changed:
                if restarted:
                    raise
                arrived, restarted = -1, True
            except (_Interrupted, requests.exceptions.ConnectionError):
                before, arrived = arrived, self._have()
                if arrived <= max(before, 0):
                    raise

    def _have(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def _transfer(self, url: str, watch: Watch | None) -> None:
        have, note = self._resumable(url)
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if note.get("validator") and note.get("url") == url:
                headers["If-Range"] = note["validator"]
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as reply:
            if reply.status_code == requests.codes.requested_range_not_satisfiable:
                if _total(reply) != have or not self._continues(reply, note, url):
                    self._changed(f"the server has no bytes after {have:,}")
                self.spliced = True
                return
            reply.raise_for_status()
            start = self._start(reply, have, note, url)
            self.spliced = start > 0
            total = _total(reply)
            self._refuse(reply, total)
            with self.writing():
                facts = {"url": url, "total": total, "validator": _validator(reply), "etag": reply.headers.get("ETag")}
                write_note(self._note, facts)
            self._receive(reply, start, self._file.size or total, watch)

    def _start(self, reply: requests.Response, have: int, note: dict[str, Any], url: str) -> int:
        """The offset of the answer's first byte: 0 if the server sends all, otherwise the end of the local piece."""
        if reply.status_code == requests.codes.ok:
            return 0
        if reply.status_code != requests.codes.partial_content:
            raise requests.exceptions.InvalidHeader(f"the server answered {reply.status_code} {reply.reason}")
        span = _span(reply)
        if span is None or span[0] not in (0, have):
            self._changed(
                f"asked for bytes from {have:,}, got {reply.headers.get('Content-Range', 'no Content-Range')}"
            )
        assert span is not None
        if span[0] and not self._continues(reply, note, url):
            self._changed("the file on the server is not the one that was begun")
        return span[0]

    def _continues(self, reply: requests.Response, note: dict[str, Any], url: str) -> bool:
        """Whether, judging by its headers, an answer is of the same file as the local piece."""
        total, size = _total(reply), self._file.size
        known = [value for value in (note.get("total"), size, total) if value is not None]
        if any(value != known[0] for value in known):
            return False
        before, now = note.get("validator"), _validator(reply)
        if note.get("url") != url or not before or not now:
            # Another mirror's piece, or a server without validators: the checksum decides.
            return self._file.checksum is not None
        tags = note.get("etag"), reply.headers.get("ETag")
        return bool(before == now and (None in tags or tags[0] == tags[1]))

    def _changed(self, reason: str) -> None:
        self.forget()
        raise _Changed(reason)

    def _refuse(self, reply: requests.Response, total: int | None) -> None:
        """Raise if the answer's body is not the file, or if a truncated one could not be detected."""
        size, checksum = self._file.size, self._file.checksum
        if size is not None and total not in (None, size):
            raise requests.exceptions.InvalidHeader(f"the server's file has {total:,} bytes, not {size:,}")
        encoding = reply.headers.get("Content-Encoding", "identity").lower()
        # Some servers set this header for a file that is itself compressed: then the bytes are the file's.
        if encoding != "identity" and not (encoding in ("gzip", "x-gzip") and self._file.name.endswith(".gz")):
            raise requests.exceptions.InvalidHeader(f"the server compresses the file ({encoding}) though asked not to")
        if size is not None or checksum is not None:
            return
        if reply.headers.get("Content-Type", "").lower().startswith("text/html"):
            raise requests.exceptions.InvalidHeader(
                "the server sends a web page in place of the file; it may require a login"
            )
        if total is None and not _chunked(reply):
            raise requests.exceptions.InvalidHeader(
                "the server does not say how long the file is, and neither size nor checksum is published: half of it "
                "would look like all of it"
            )

    def _receive(self, reply: requests.Response, start: int, expected: int | None, watch: Watch | None) -> None:
        done = start
        try:
            with self.writing():
                stream = self.path.open("ab" if start else "wb", buffering=0)
            with stream:
                # Raw bytes: a decoder would change the bytes that are counted and compared.
                for piece in reply.raw.stream(PIECE, decode_content=False):
                    with self.writing():
                        write_all(stream, piece)
                    done += len(piece)
                    if watch is not None:
                        watch(done, expected)
        except urllib3.exceptions.HTTPError as error:
            raise _Interrupted(f"the transfer ended after {done:,} bytes ({error})") from error
        if expected is not None and done < expected:
            raise _Interrupted(f"the transfer ended after {done:,} of {expected:,} bytes")

    def _resumable(self, url: str) -> tuple[int, dict[str, Any]]:
        """How many bytes can be kept, and their note."""
        note: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            note = read_note(self._note.read_bytes(), {"url", "total", "validator"})
        have, size = self._have(), self._file.size
        known = (note.get("url") == url and note.get("validator")) or self._file.checksum is not None
        if have and note and known and (size is None or have <= size):
            return have, note
        self.forget()
        return 0, {}


def _validator(reply: requests.Response) -> str:
    """The value for If-Range: a strong ETag, otherwise the time of the last change, otherwise nothing."""
    etag = reply.headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else reply.headers.get("Last-Modified", "")


def _span(reply: requests.Response) -> tuple[int, int] | None:
    found = re.match(r"bytes (\d+)-(\d+)/", reply.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found else None


def _chunked(reply: requests.Response) -> bool:
    return "chunked" in reply.headers.get("Transfer-Encoding", "").lower()


def _total(reply: requests.Response) -> int | None:
    """The full file's size according to the server; None if it does not say."""
    found = re.search(r"/(\d+)$", reply.headers.get("Content-Range", ""))
    if found:
        return int(found[1])
    length = reply.headers.get("Content-Length", "")
    known = length.isdecimal() and reply.status_code == requests.codes.ok and not _chunked(reply)
    return int(length) if known else None
