"""Downloads from a server of our own: whole or not at all, resumed where possible, from the first mirror that works."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import re
import threading

import _published as tiny
import pytest
from typer.testing import CliRunner

import datasets
from datasets import DatasetError, _fetch
from datasets.__main__ import app
from datasets._layouts import SourceFile
from datasets.registry import registry

CONTENT = bytes(range(256)) * 4_000


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files``; ``cut`` ends that many replies after half of what they announced; notes every request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/data.bin": CONTENT}
        self.cut, self.ranges, self.etag = 0, True, '"one"'
        self.requests: list[tuple[str, str | None, int]] = []

    def url(self, name="data.bin"):
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        server: Server = self.server
        content = server.files.get(self.path)
        if content is None:
            return self._reply(404, b"", {})
        wanted = re.match(r"bytes=(\d+)-$", self.headers.get("Range") or "")
        validator = self.headers.get("If-Range")
        start = int(wanted[1]) if wanted and server.ranges and validator in (None, server.etag) else 0
        if start >= len(content):
            return self._reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
        return self._reply(206 if start else 200, content[start:], headers)

    def _reply(self, status, body, headers):
        self.server.requests.append((self.path, self.headers.get("Range"), status))
        self.send_response(status)
        for name, value in (headers | {"ETag": self.server.etag, "Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if body and self.server.cut:
            self.server.cut -= 1
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    running = Server()
    thread = threading.Thread(target=functools.partial(running.serve_forever, poll_interval=0.01), daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()


def sha(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def entry(*urls, checksum=sha(CONTENT), **more):  # noqa: B008
    return SourceFile("data.bin", "any", urls, checksum=checksum, **more)


def test_a_file_is_fetched_checked_and_not_fetched_again(server, tmp_path):
    steps = []
    found = _fetch.fetch(
        entry(server.url(), size=len(CONTENT)), tmp_path, lambda done, total: steps.append((done, total))
    )
    assert found.path.read_bytes() == CONTENT
    assert (found.url, "sha256:" + found.sha256) == (server.url(), sha(CONTENT))
    assert steps[-1] == (len(CONTENT), len(CONTENT))
    assert steps == sorted(steps)
    assert [path.name for path in tmp_path.iterdir()] == ["data.bin"]
    assert _fetch.fetch(entry(server.url()), tmp_path).url is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_published_checksums_of_both_kinds_count(algorithm, server, tmp_path):
    right = f"{algorithm}:{hashlib.new(algorithm, CONTENT).hexdigest()}"
    _fetch.fetch(entry(server.url(), checksum=right), tmp_path)
    assert _fetch.verify(entry(checksum=right), tmp_path / "data.bin") == f"has the {algorithm} that was published"


def test_an_interrupted_transfer_goes_on_where_it_stopped(server, tmp_path):
    server.cut = 3
    _fetch.fetch(entry(server.url()), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    ranges = [wanted for _, wanted, _ in server.requests]
    assert ranges[0] is None
    starts = [int(wanted[6:-1]) for wanted in ranges[1:]]
    assert starts == sorted(starts)
    assert starts[0] > 0
    assert [status for *_, status in server.requests] == [200, 206, 206, 206]


def test_the_next_call_resumes_what_a_killed_one_left(server, tmp_path):
    half = len(CONTENT) // 2
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:half])
    note = {"url": server.url(), "total": len(CONTENT), "validator": server.etag}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    _fetch.fetch(entry(server.url()), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert server.requests == [("/data.bin", f"bytes={half}-", 206)]


def test_a_whole_part_needs_no_more_bytes(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT)
    note = {"url": server.url(), "total": len(CONTENT), "validator": server.etag}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    _fetch.fetch(entry(server.url()), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [status for *_, status in server.requests] == [416]


def test_a_server_without_ranges_sends_all_again(server, tmp_path):
    server.ranges, server.cut = False, 1
    _fetch.fetch(entry(server.url()), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT
    assert [(bool(wanted), status) for _, wanted, status in server.requests] == [(False, 200), (True, 200)]


def test_a_file_that_changed_on_the_server_is_not_glued_to_the_old_part(server, tmp_path):
    new = CONTENT[::-1]
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    note = {"url": server.url(), "total": len(CONTENT), "validator": server.etag}
    (tmp_path / "data.bin.part.json").write_text(json.dumps(note))
    server.files["/data.bin"], server.etag = new, '"two"'
    _fetch.fetch(entry(server.url(), checksum=None), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == new


def test_a_part_of_unknown_origin_is_used_only_where_a_checksum_tells(server, tmp_path):
    """A wrong piece with a checksum: found out, and fetched from the start. Without one: never used."""
    for checksum in (sha(CONTENT), None):
        (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
        (tmp_path / "data.bin.part.json").write_text(json.dumps({"url": "http://elsewhere/data.bin", "validator": ""}))
        _fetch.fetch(entry(server.url(), checksum=checksum), tmp_path)
        assert (tmp_path / "data.bin").read_bytes() == CONTENT
        (tmp_path / "data.bin").unlink()
    assert [status for *_, status in server.requests] == [206, 200, 200]


def test_a_dead_first_mirror_is_passed_over(server, tmp_path):
    dead = Server()
    address = dead.url()
    dead.server_close()
    found = _fetch.fetch(entry(address, server.url("gone.bin"), server.url()), tmp_path)
    assert found.url == server.url()
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_a_mirror_that_dies_halfway_is_continued_at_the_next(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:5000])
    (tmp_path / "data.bin.part.json").write_text(json.dumps({"url": "http://127.0.0.1:9/data.bin", "validator": "x"}))
    _fetch.fetch(entry(server.url()), tmp_path)
    assert server.requests == [("/data.bin", "bytes=5000-", 206)]


def test_a_wrong_checksum_leaves_nothing_and_names_both(server, tmp_path):
    server.files["/bad.bin"] = CONTENT[:-1] + b"!"
    with pytest.raises(
        DatasetError, match=r"cannot fetch data\.bin \(http.*bad\.bin: .*[0-9a-f]{64}.*; run the command"
    ):
        _fetch.fetch(entry(server.url("bad.bin")), tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert _fetch.fetch(entry(server.url("bad.bin"), server.url()), tmp_path).url == server.url()


def test_a_server_that_announces_another_size_is_passed_over(server, tmp_path):
    server.files["/short.bin"] = CONTENT[:100]
    with pytest.raises(DatasetError, match="the server's file has 100 bytes, not 1,024,000"):
        _fetch.fetch(entry(server.url("short.bin"), size=len(CONTENT)), tmp_path)
    assert not (tmp_path / "data.bin").exists()


def test_a_transfer_that_stops_keeps_its_part_and_says_how_to_go_on(server, tmp_path):
    server.cut = 10**6
    with pytest.raises(DatasetError, match=r"cannot fetch data\.bin .*run the command again to resume"):
        _fetch.fetch(entry(server.url()), tmp_path)
    assert not (tmp_path / "data.bin").exists()
    kept = (tmp_path / "data.bin.part").read_bytes()
    assert CONTENT.startswith(kept)
    assert kept
    server.cut = 0
    _fetch.fetch(entry(server.url()), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == CONTENT


def test_without_a_published_checksum_the_first_one_is_kept(server, tmp_path):
    file = entry(server.url(), checksum=None)
    _fetch.fetch(file, tmp_path)
    assert _fetch.verify(file, tmp_path / "data.bin") == "has the sha256 that was noted when it was fetched"
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(DatasetError, match=r"data\.bin: sha256 is .*, expected .*\(noted when it was fetched\)"):
        _fetch.fetch(file, tmp_path)


def test_a_wrong_file_under_the_name_is_never_overwritten(server, tmp_path):
    (tmp_path / "data.bin").write_bytes(b"mine")
    with pytest.raises(DatasetError, match=r"has 4 bytes, expected 1,024,000; it is not the published file"):
        _fetch.fetch(entry(server.url(), size=len(CONTENT)), tmp_path)
    with pytest.raises(DatasetError, match=r"sha256 is .*, expected .*published"):
        _fetch.fetch(entry(server.url()), tmp_path)
    assert (tmp_path / "data.bin").read_bytes() == b"mine"
    assert not server.requests


# The commands


@pytest.fixture
def registered(server, monkeypatch, tmp_path):
    """A registry whose MovieLens archive lies on our server, and an empty data folder."""
    import dataclasses

    files = {f"{part}.csv": tiny.movielens_x1(seed=seed) for seed, part in enumerate(("train", "valid", "test"))}
    archive = tiny.zipped(files)
    server.files["/x1.zip"] = archive
    info = registry()["movielens"]
    members = {name: "md5:" + hashlib.md5(text.encode()).hexdigest() for name, text in files.items()}
    file = dataclasses.replace(info.files[0], urls=(server.url("x1.zip"),), members=members)
    monkeypatch.setitem(registry(), "movielens", dataclasses.replace(info, files=(file,)))
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "data"


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_fetch_verify_convert_load(registered, server):
    result = run("fetch", "movielens", "--data-dir", registered)
    assert result.exit_code == 0, result.output
    assert (registered / "movielens" / "MovielensLatest_x1.zip").read_bytes() == server.files["/x1.zip"]
    assert "was there, whole" in run("fetch", "movielens", "--data-dir", registered).output
    result = run("verify", "movielens", "--data-dir", registered)
    assert result.output.count("has the md5 that was published") == 3
    result = run("convert", "movielens", "--data-dir", registered)
    assert result.output.count("30 rows in") == 3
    result = run("verify", "movielens", "--data-dir", registered)
    assert result.output.count("is whole (30 rows)") == 3
    assert len(datasets.load("movielens", split="test", data_dir=registered).y) == 30
    assert "here" in run("list", "--data-dir", registered).output


def test_fetch_without_a_folder_goes_to_the_per_user_one(registered, tmp_path):
    assert run("fetch", "movielens").exit_code == 0
    assert (tmp_path / "cache" / "movielens" / "MovielensLatest_x1.zip").is_file()
    assert "movielens" in datasets.list_datasets()
    assert len(datasets.load("movielens", split="train").y) == 30


def test_verify_finds_a_damaged_cache(registered):
    run("fetch", "movielens", "--data-dir", registered)
    run("convert", "movielens", "--data-dir", registered)
    path = registered / "movielens" / "parquet" / "x1" / "train.parquet"
    content = bytearray(path.read_bytes())
    content[8:40] = bytes(32)
    path.write_bytes(content)
    result = run("verify", "movielens", "--data-dir", registered)
    assert result.exit_code == 1
    assert "is damaged (bytes 0 to " in result.output
    assert "the next use converts it again from " in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fetch", "adult"], "name: unknown value 'adult', known are higgs"),
        (["fetch", "flights3m"], "no download is known of flights3m"),
        (
            ["fetch", "flight", "--only", "train-2m.csv"],
            "--only: unknown value 'train-2m.csv', known are train-10m",
        ),
        (["fetch", "criteo", "--layout", "x3"], "--layout: unknown value 'x3', known are x1, raw"),
        (["fetch", "criteo", "--layout", "raw"], "no download is known of criteo; get it from https://"),
        (["verify", "kkbox"], "'kkbox' is known, but its files are not in"),
        (["convert", "higgs", "--from", "/no/such"], "--from: /no/such does not exist"),
        (["convert", "higgs"], "'higgs' is known, but its files are not in"),
    ],
)
@pytest.mark.usefixtures("registered")
def test_commands_fail_with_one_line(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.strip().startswith("error: ")
    assert result.output.strip().count("\n") == 0
