"""Several downloads of one file at a time, in threads and processes, and one that is killed: the file is whole."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from datasets import DatasetError, _fetch, _lock
from datasets._layouts import SourceFile

pytestmark = pytest.mark.truth
CONTENT = bytes(range(256)) * 2_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATIENCE = 60
CALLERS = """
import sys, threading, requests
from pathlib import Path
from datasets._fetch import fetch
from datasets._layouts import SourceFile
site, folder, checksum, threads = sys.argv[1:]
found = []
def one():
    requests.get(site + "/ready")
    file = SourceFile("data.bin", "any", (site + "/data.bin",), checksum=checksum or None)
    found.append(fetch(file, Path(folder)).sha256)
crew = [threading.Thread(target=one) for _ in range(int(threads))]
[thread.start() for thread in crew]
[thread.join() for thread in crew]
print(*found)
"""


class Server(http.server.ThreadingHTTPServer):
    """Sends half of the file, and the rest once so many callers have said that they are about to fetch it."""

    def __init__(self, callers: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.callers, self.ready = callers, 0
        self.all_ready, self.half_sent = threading.Event(), threading.Event()
        self.requests: list[str | None] = []
        self._counting = threading.Lock()

    def one_is_ready(self) -> None:
        with self._counting:
            self.ready += 1
            if self.ready == self.callers:
                self.all_ready.set()

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        if self.path == "/ready":
            server.one_is_ready()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        server.requests.append(self.headers.get("Range"))
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range") or "")
        start = int(wanted[1]) if wanted else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("ETag", '"one"')
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        middle = max(start, len(CONTENT) // 2)
        self.wfile.write(CONTENT[start:middle])
        self.wfile.flush()
        server.half_sent.set()
        server.all_ready.wait(PATIENCE)
        with contextlib.suppress(OSError):  # the caller was killed
            self.wfile.write(CONTENT[middle:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve():
    running: list[tuple[Server, threading.Thread]] = []

    def start(callers: int) -> Server:
        server = Server(callers)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.all_ready.set()
        server.shutdown()
        server.server_close()
        thread.join()


def callers(server: Server, folder: Path, threads: int, checksum: str = f"sha256:{SHA256}") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CALLERS, server.site, str(folder), checksum, str(threads)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("checksum", [f"sha256:{SHA256}", f"md5:{hashlib.md5(CONTENT).hexdigest()}", None])
def test_threads_that_fetch_one_file_make_one_download(checksum, serve, tmp_path):
    server = serve(6)

    def one(_: int) -> _fetch.Fetched:
        server.one_is_ready()
        return _fetch.fetch(SourceFile("data.bin", "any", (f"{server.site}/data.bin",), checksum=checksum), tmp_path)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(one, range(6)))
    assert [each.sha256 for each in found] == [SHA256] * 6
    assert sum(each.url is not None for each in found) == 1
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.requests == [None]
    notes = [] if checksum and checksum.startswith("sha256") else ["data.bin.sha256.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin", *notes]


def test_processes_and_their_threads_make_one_download(serve, tmp_path):
    server = serve(4)
    crew = [callers(server, tmp_path, 2) for _ in range(2)]
    said = [process.communicate(timeout=PATIENCE) for process in crew]
    assert [process.returncode for process in crew] == [0, 0], said
    assert "".join(out for out, _ in said).split() == [SHA256] * 4
    assert server.requests == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_killed_download_blocks_nobody_and_is_resumed(serve, tmp_path):
    server = serve(2)
    killed = callers(server, tmp_path, 1)
    assert server.half_sent.wait(PATIENCE)
    part = tmp_path / "data.bin.part"
    while not (part.is_file() and part.stat().st_size):
        assert killed.poll() is None, killed.communicate()
    killed.kill()
    killed.communicate()
    server.all_ready.set()
    have = part.stat().st_size
    assert (tmp_path / "data.bin.lock").is_file()
    assert str(killed.pid) in (tmp_path / "data.bin.lock").read_text()
    assert not (tmp_path / "data.bin").exists()
    file = SourceFile("data.bin", "any", (f"{server.site}/data.bin",))
    assert _fetch.fetch(file, tmp_path).sha256 == SHA256
    assert server.requests == [None, f"bytes={have}-"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.bin", "data.bin.sha256.json"]


def test_a_file_put_there_by_hand_meanwhile_is_kept(serve, tmp_path, monkeypatch):
    """Whoever had the lock first left a verified file: it is compared, not made again."""
    server = serve(0)
    file = SourceFile("data.bin", "any", (f"{server.site}/data.bin",), checksum=f"sha256:{SHA256}")
    entered = _fetch.making

    def late(folder: Path, name: str):
        (folder / name).write_bytes(CONTENT)
        return entered(folder, name)

    monkeypatch.setattr(_fetch, "making", late)
    assert _fetch.fetch(file, tmp_path).url is None
    assert server.requests == []


def test_whoever_waits_is_told_for_whom(tmp_path, monkeypatch):
    told, words = threading.Event(), []

    def tell(*message: object) -> None:
        words.append(str(message[0]) % message[1:])
        told.set()

    monkeypatch.setattr(_lock._log, "warning", tell)
    file = SourceFile("data.bin", "any", ("http://127.0.0.1:9/data.bin",), checksum=f"sha256:{SHA256}")
    with ThreadPoolExecutor(1) as pool:
        with _lock.exclusive(tmp_path / "data.bin.lock"):
            waiting = pool.submit(_fetch.fetch, file, tmp_path)
            assert told.wait(PATIENCE)
            (tmp_path / "data.bin").write_bytes(CONTENT)
        assert waiting.result(PATIENCE).url is None
    assert words == [f"{tmp_path / 'data.bin'}: process {os.getpid()} on {socket.gethostname()} is making it; waiting"]


def test_a_lock_names_its_holder_and_goes_away(tmp_path):
    path = tmp_path / "a.lock"
    with _lock.exclusive(path):
        with pytest.raises(_lock.Busy, match=r"process \d+ on "), _lock.exclusive(path):
            pytest.fail("two hold one lock")
        assert path.is_file()
    assert not path.exists()
    with pytest.raises(KeyError), _lock.exclusive(path):
        raise KeyError
    with _lock.exclusive(path):
        pass


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_folder_that_cannot_be_written_is_named(error, tmp_path, monkeypatch):
    def closed(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr(_lock.os, "open", closed)
    with pytest.raises(DatasetError, match=rf"cannot write to .*{error.strerror}.*HSBOOST_CACHE_DIR"):
        _fetch.fetch(SourceFile("data.bin", "any", ("http://127.0.0.1:9/data.bin",)), tmp_path)
