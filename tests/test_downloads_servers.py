"""What servers do, well or badly, and what becomes of the file: right, or one error; never half, never spliced."""

from __future__ import annotations

import functools
import gzip
import hashlib
import http.server
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from datasets import DatasetError, _fetch, _transfer
from datasets._layouts import SourceFile

pytestmark = pytest.mark.truth
CONTENT = bytes(range(256)) * 400
NEW = CONTENT[::-1]
SIZE, HALF = len(CONTENT), len(CONTENT) // 2
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
NEW_SHA256 = "sha256:" + hashlib.sha256(NEW).hexdigest()
OLD_DATE, NEW_DATE = "Mon, 01 Jan 2024 00:00:00 GMT", "Tue, 02 Jan 2024 00:00:00 GMT"


@dataclass
class Reply:
    """One answer: ``length`` None announces the body's, "" nothing; ``chunked`` "cut" ends without the last chunk."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | str | None = None
    chunked: str = ""


class Server(http.server.ThreadingHTTPServer):
    """Gives the replies of a list in order, the last one again and again; notes the Range headers."""

    def __init__(self, replies: list[Reply]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies, self.ranges = replies, []

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        reply = server.replies[min(len(server.ranges), len(server.replies) - 1)]
        server.ranges.append(self.headers.get("Range"))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.chunked:
            self.protocol_version = "HTTP/1.1"
            self.send_header("Transfer-Encoding", "chunked")
        elif reply.length != "":
            self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
        self.end_headers()
        if reply.chunked:
            self.wfile.write(f"{len(reply.body):x}\r\n".encode() + reply.body + b"\r\n")
            self.wfile.write(b"0\r\n\r\n" if reply.chunked == "whole" else b"")
        else:
            self.wfile.write(reply.body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve():
    running: list[tuple[Server, threading.Thread]] = []

    def start(replies: list[Reply]) -> Server:
        server = Server(replies)
        thread = threading.Thread(target=functools.partial(server.serve_forever, 0.01), daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def tag(value: str = '"one"', **more: str) -> dict[str, str]:
    return {"ETag": value} | {name.replace("_", "-"): text for name, text in more.items()}


def rest(content: bytes = CONTENT, start: int = HALF, total: int | None = None, **headers: str) -> Reply:
    """The bytes from ``start`` on as a 206 answer."""
    whole = len(content) if total is None else total
    span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{whole}"}
    return Reply(content[start:], 206, span | {name.replace("_", "-"): text for name, text in headers.items()})


CUT = Reply(CONTENT[:HALF], headers=tag(), length=SIZE)
CUT_DATED = Reply(CONTENT[:HALF], headers={"Last-Modified": OLD_DATE}, length=SIZE)
CUT_WEAK = Reply(CONTENT[:HALF], headers=tag('W/"one"'), length=SIZE)
CUT_SILENT = Reply(CONTENT[:HALF], length=SIZE)
SILENT_HALF = Reply(CONTENT[:HALF], headers=tag(), length="")
WHOLE, NEW_WHOLE = Reply(CONTENT, headers=tag()), Reply(NEW, headers=tag('"two"'))
KNOWN: dict[str, Any] = {"size": SIZE}
CHECKED: dict[str, Any] = {"checksum": SHA256}
FROM_HALF = f"bytes={HALF}-"

#: Name: the replies, what the registry knows, the content (or the error's words), the Range headers expected.
TABLE: dict[str, tuple[list[Reply], dict[str, Any], bytes | str, list[str | None]]] = {
    # Without a Content-Length
    "no length, half, then the rest": ([SILENT_HALF, rest(ETag='"one"')], KNOWN, CONTENT, [None, FROM_HALF]),
    "no length, always half": ([SILENT_HALF], KNOWN, f"ended after {HALF:,} of {SIZE:,} bytes", [None, FROM_HALF]),
    "no length, all, size known": ([Reply(CONTENT, length="")], KNOWN, CONTENT, [None]),
    "no length, too much": ([Reply(CONTENT + b"!", length="")], KNOWN, f"{SIZE + 1:,} bytes arrived", [None]),
    "no length, half, checksum known": ([SILENT_HALF], CHECKED, "sha256 is ", [None]),
    "no length, all, checksum known": ([Reply(CONTENT, length="")], CHECKED, CONTENT, [None]),
    "no length, nothing known": ([Reply(CONTENT, length="")], {}, "does not say how long the file is", [None]),
    "chunked, all, nothing known": ([Reply(CONTENT, chunked="whole")], {}, CONTENT, [None]),
    "chunked, cut": ([Reply(CONTENT[:HALF], chunked="cut")], {}, "the transfer ended after", [None, None]),
    "chunked, cut, then all": (
        [Reply(CONTENT[:HALF], chunked="cut"), Reply(CONTENT, chunked="whole")], {}, CONTENT, [None, None]
    ),
    "chunked and whole, yet half by the registry": (
        [Reply(CONTENT[:HALF], chunked="whole")], KNOWN, f"ended after {HALF:,} of {SIZE:,} bytes", [None, None]
    ),
    # The rest of another file
    "206 with another ETag": ([CUT, rest(NEW, ETag='"two"'), NEW_WHOLE], {}, NEW, [None, FROM_HALF, None]),
    "206 with another ETag, checksum known": (
        [CUT, rest(NEW, ETag='"two"'), NEW_WHOLE], {"checksum": NEW_SHA256}, NEW, [None, FROM_HALF, None]
    ),
    "206 with another date": (
        [CUT_DATED, rest(NEW, Last_Modified=NEW_DATE), NEW_WHOLE], {}, NEW, [None, FROM_HALF, None]
    ),
    "206 with the same date": ([CUT_DATED, rest(Last_Modified=OLD_DATE)], {}, CONTENT, [None, FROM_HALF]),
    "206 with the same date and another weak ETag": (
        [
            Reply(CONTENT[:HALF], headers=tag('W/"one"', Last_Modified=OLD_DATE), length=SIZE),
            rest(NEW, ETag='W/"two"', Last_Modified=OLD_DATE),
            NEW_WHOLE,
        ], {}, NEW, [None, FROM_HALF, None]
    ),
    "206 with another total": (
        [CUT, rest(NEW + NEW, ETag='"one"'), Reply(NEW + NEW, headers=tag())], {}, NEW + NEW, [None, FROM_HALF, None]
    ),
    "206 without a Content-Range": (
        [CUT, Reply(NEW[HALF:], 206, tag()), NEW_WHOLE], {}, NEW, [None, FROM_HALF, None]
    ),
    "206 from another place": (
        [CUT, rest(CONTENT, HALF + 10, ETag='"one"'), WHOLE], {}, CONTENT, [None, FROM_HALF, None]
    ),
    "206 from the beginning": ([CUT, rest(CONTENT, 0, ETag='"one"')], {}, CONTENT, [None, FROM_HALF]),
    "206 without a validator": ([CUT, rest(NEW), NEW_WHOLE], {}, NEW, [None, FROM_HALF, None]),
    "206 without a validator, checksum known": ([CUT, rest()], CHECKED, CONTENT, [None, FROM_HALF]),
    "206 of a changed file without a validator, checksum known": (
        [CUT, rest(NEW), NEW_WHOLE], {"checksum": NEW_SHA256}, NEW, [None, FROM_HALF, None]
    ),
    "no validator at all": ([CUT_SILENT, WHOLE], {}, CONTENT, [None, None]),
    "weak ETags only": ([CUT_WEAK, WHOLE], {}, CONTENT, [None, None]),
    "206 of a part of the rest": (
        [CUT, Reply(CONTENT[HALF : HALF + 99], 206, tag(Content_Range=f"bytes {HALF}-{HALF + 98}/{SIZE}")),
         rest(start=HALF + 99, ETag='"one"')], {}, CONTENT, [None, FROM_HALF, f"bytes={HALF + 99}-"]
    ),
    # Other answers to a Range
    "200 in place of the rest": ([CUT, NEW_WHOLE], {}, NEW, [None, FROM_HALF]),
    "416 and another size": (
        [CUT, Reply(b"", 416, {"Content-Range": "bytes */7"}), NEW_WHOLE], {}, NEW, [None, FROM_HALF, None]
    ),
    "416 without a size": ([CUT, Reply(b"", 416), NEW_WHOLE], {}, NEW, [None, FROM_HALF, None]),
    "204": ([Reply(b"", 204, length="")], {}, "the server answered 204", [None]),
    # Not the file
    "another length than published": ([Reply(NEW[:99])], KNOWN, f"has 99 bytes, not {SIZE:,}", [None]),
    "compressed on the way": (
        [Reply(gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})], {}, "compresses the file (gzip)", [None]
    ),
    "compressed on the way, checksum known": (
        [Reply(gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})], CHECKED, "compresses the file", [None]
    ),
    "a page that asks for a login": (
        [Reply(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})], {}, "a web page", [None]
    ),
    "a page, checksum known": ([Reply(b"<html>", headers={"Content-Type": "text/html"})], CHECKED, "sha256", [None]),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_what_a_server_does(case, serve, tmp_path):
    replies, known, expected, ranges = TABLE[case]
    server = serve(replies)
    file = SourceFile("data.bin", "any", (server.url("data.bin"),), **known)
    target = tmp_path / "data.bin"
    if isinstance(expected, bytes):
        assert _fetch.fetch(file, tmp_path).sha256 == hashlib.sha256(expected).hexdigest()
        assert target.read_bytes() == expected
        assert not list(tmp_path.glob("*.part*"))
    else:
        with pytest.raises(DatasetError, match=r"cannot fetch data\.bin \(http://") as caught:
            _fetch.fetch(file, tmp_path)
        assert expected in str(caught.value)
        assert not target.exists()
    assert server.ranges == ranges


def test_a_compressed_file_that_the_server_marks_as_such_is_kept_as_sent(serve, tmp_path):
    packed = gzip.compress(CONTENT)
    server = serve([Reply(packed, headers={"Content-Encoding": "gzip"})])
    _fetch.fetch(SourceFile("data.csv.gz", "any", (server.url("data.csv.gz"),)), tmp_path)
    assert (tmp_path / "data.csv.gz").read_bytes() == packed


@pytest.mark.parametrize(
    ("etag", "checksum", "ranges"),
    [
        ('"one"', None, [f"bytes={SIZE}-"]),
        ('"two"', None, [f"bytes={SIZE}-", None]),
        ("", None, [f"bytes={SIZE}-", None]),
        ("", SHA256, [f"bytes={SIZE}-"]),
    ],
)
def test_a_whole_part_is_taken_only_where_the_server_still_has_that_file(etag, checksum, ranges, serve, tmp_path):
    headers = {"Content-Range": f"bytes */{SIZE}"} | ({"ETag": etag} if etag else {})
    server = serve([Reply(b"", 416, headers), NEW_WHOLE])
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    note = {"url": server.url("data.bin"), "total": SIZE, "validator": '"one"'}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    _fetch.fetch(SourceFile("data.bin", "any", (server.url("data.bin"),), checksum=checksum), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == (CONTENT if len(ranges) == 1 else NEW)
    assert server.ranges == ranges


@pytest.mark.parametrize(
    "damage", [lambda note: note[:40], lambda note: b"[1]", lambda note: note.replace(b"one", b"two")]
)
def test_a_damaged_note_of_a_part_is_not_believed(damage: Callable[[bytes], bytes], serve, tmp_path):
    server = serve([CUT, Reply(b"", 500)])
    file = SourceFile("data.bin", "any", (server.url("data.bin"),))
    with pytest.raises(DatasetError):
        _fetch.fetch(file, tmp_path)
    note = tmp_path / "data.bin.part.json"
    note.write_bytes(damage(note.read_bytes()))
    server.replies = [NEW_WHOLE]
    server.ranges.clear()
    _fetch.fetch(file, tmp_path)
    assert server.ranges == [None]
    assert (tmp_path / "data.bin").read_bytes() == NEW


@pytest.mark.parametrize("bit", range(0, 2400, 97))
def test_a_damaged_note_of_a_fetched_file_is_named(bit, serve, tmp_path):
    server = serve([WHOLE])
    file = SourceFile("data.bin", "any", (server.url("data.bin"),))
    _fetch.fetch(file, tmp_path)
    note = tmp_path / "data.bin.sha256.json"
    content = bytearray(note.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    note.write_bytes(content)
    with pytest.raises(DatasetError, match=r"data\.bin\.sha256\.json is damaged .* remove both and fetch"):
        _fetch.verify(file, tmp_path / "data.bin")


def test_a_full_disk_is_named_and_what_arrived_is_resumed(serve, tmp_path, monkeypatch):
    server = serve([WHOLE])
    file = SourceFile("data.bin", "any", (server.url("data.bin"), server.url("mirror.bin")))
    real = _transfer.write_all

    def full(stream: Any, piece: bytes) -> None:
        if stream.tell() + len(piece) > HALF:
            real(stream, piece[: HALF - stream.tell()])
            raise OSError(28, "No space left on device")
        real(stream, piece)

    monkeypatch.setattr(_transfer, "write_all", full)
    with pytest.raises(DatasetError, match=r"cannot write to .*No space left on device.*free space.*goes on with what"):
        _fetch.fetch(file, tmp_path)
    assert server.ranges == [None]  # another mirror would not help
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin.part", "data.bin.part.json"]
    monkeypatch.setattr(_transfer, "write_all", real)
    server.replies.append(rest(ETag='"one"'))
    _fetch.fetch(file, tmp_path)
    assert server.ranges == [None, FROM_HALF]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
