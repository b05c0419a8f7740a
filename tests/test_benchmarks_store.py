"""The store of finished runs: what was altered, damaged, repeated or is being written by another is one clear error."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.__main__ import SUBJECTS
from benchmarks.suite import run as suite_run
from benchmarks.suite.options import OptionError, Request
from benchmarks.suite.run import StatusLine, Work, carry_out
from benchmarks.suite.store import Record, RunStore
from datasets._lock import exclusive
from datasets._sealed import seal, unseal

pytestmark = pytest.mark.truth
SHARED = {"settings": {"rounds": 3}, "cpu": "any"}
FIELDS = ("case", "seconds")
REMEDY = "use --fresh to start over, or choose another --out"


class Command:
    """A benchmark of a few cases without any work in it; notes what it made and what it reported."""

    def __init__(self, request: Request, on_case: Callable[[str], object] = lambda case: None, cases: int = 6) -> None:
        self.request, self.on_case, self.cases = request, on_case, cases
        self.made: list[str] = []
        self.reported: list[Record] = []
        self.console = Console(record=True, width=200)

    def run(self) -> int:
        def make(case: str, store: RunStore[str], status: StatusLine) -> Record:
            self.on_case(case)
            self.made.append(case)
            return {"case": case, "seconds": [0.125, 2.0], "methods": {"a": {"error": 1e-17}}}

        def report(store: RunStore[str], records: list[Record]) -> None:
            self.reported.extend(records)

        work = Work([f"case {i}" for i in range(self.cases)], SHARED, make)
        return carry_out(self.request, key_of, lambda: work, report, self.console, FIELDS)


def key_of(record: Record) -> str:
    return str(record["case"])


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    assert Command(Request(tmp_path)).run() == 0
    return tmp_path


def read(folder: Path) -> RunStore[str]:
    return RunStore(folder / "runs.jsonl", key_of, FIELDS)


def test_each_line_has_a_checksum_and_reads_back(finished):
    lines = (finished / "runs.jsonl").read_bytes().splitlines()
    assert [unseal(line) for line in lines[1:]] == list(read(finished).runs.values())
    assert all(set(json.loads(line)) >= {"checksum"} for line in lines)
    assert sorted(path.name for path in finished.iterdir()) == ["runs.jsonl"]
    again = Command(Request(finished))
    assert again.run() == 0
    assert again.made == []
    assert len(again.reported) == 6


def test_no_flipped_bit_gives_other_figures(finished):
    """Only the last line's end may go: then that run is made again."""
    path = finished / "runs.jsonl"
    content, expected = path.read_bytes(), read(finished).runs
    for place in [*range(0, len(content), 5), len(content) - 1]:
        wrong = bytearray(content)
        wrong[place] ^= 1 << place % 8
        path.write_bytes(wrong)
        if place == len(content) - 1:
            assert read(finished).damaged
            continue
        with pytest.raises(OptionError, match=r"--out: line \d+ of .*runs\.jsonl cannot be used: .*--fresh"):
            read(finished)
    path.write_bytes(content)
    assert read(finished).runs == expected


def altered(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda line: json.dumps(json.loads(line) | changes).encode()


def resealed(change: Callable[[Record], object]) -> Callable[[bytes], bytes]:
    def write(line: bytes) -> bytes:
        record = unseal(line)
        change(record)
        return seal(record).encode()

    return write


WRONG = {
    "an altered number": (altered(seconds=[0.1, 2.0]), "it was altered or damaged"),
    "a digit": (lambda line: line.replace(b"0.125", b"0.126"), "it was altered or damaged"),
    "rewritten with other blanks": (lambda line: line.replace(b", ", b","), "it was altered or damaged"),
    "no checksum": (lambda line: line.rpartition(b', "checksum"')[0] + b"}", r"it was altered .*it has no checksum"),
    "half a line": (lambda line: line[: len(line) // 2], "it is no JSON"),
    "an empty line": (lambda line: b"", "it is no JSON"),
    "zeros": (lambda line: bytes(len(line)), "it is no JSON"),
    "a list": (lambda line: b"[1]", "altered or damaged"),
    "an entry lacks": (resealed(lambda record: record.pop("seconds")), "no record of this benchmark: it lacks seconds"),
    "the key lacks": (resealed(lambda record: record.pop("case")), "no record of this benchmark: it lacks case"),
    "the settings again": (lambda line: seal({"shared": SHARED}).encode(), "it lacks case, seconds"),
    "a run twice": (resealed(lambda record: record.update(case="case 0")), "it repeats the run of line 2"),
    "two in one line": (lambda line: line + line, "it is no JSON"),
}


@pytest.mark.parametrize("number", [4, 7])
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_line_is_named_with_the_remedy(case, number, finished):
    """In the middle and at the end: a last line with its line end was not cut short."""
    change, message = WRONG[case]
    path = finished / "runs.jsonl"
    lines = path.read_bytes().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_bytes(b"\n".join([*lines, b""]))
    before = path.read_bytes()
    for report_only in (False, True):
        with pytest.raises(
            OptionError, match=rf"^--out: line {number} of {path} cannot be used: .*{message}"
        ) as caught:
            Command(Request(finished, report_only)).run()
        assert str(caught.value).endswith(f"; delete that line to have its run made again, {REMEDY}")
    assert path.read_bytes() == before
    # The remedies hold.
    path.write_bytes(b"\n".join([*lines[: number - 1], *lines[number:], b""]))
    again = Command(Request(finished))
    assert again.run() == 0
    assert again.made == [f"case {number - 2}"]
    assert Command(Request(finished, fresh=True)).run() == 0


def test_every_cut_of_the_last_line_makes_that_run_again(finished):
    path = finished / "runs.jsonl"
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    for size in [*range(last, len(content), 9), len(content) - 1]:
        path.write_bytes(content[:size])
        command = Command(Request(finished))
        assert command.run() == 0
        assert command.made == ["case 5"]
        assert ("cut short" in command.console.export_text()) == (size > last)
        assert path.read_bytes() == content


def test_a_cut_last_line_is_told_without_making_it_again(finished):
    path = finished / "runs.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    command = Command(Request(finished, report_only=True))
    assert command.run() == 0
    assert len(command.reported) == 5
    assert "the last line was cut short" in command.console.export_text()


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (altered(shared=SHARED | {"cpu": "other"}), "it was altered or damaged"),
        (
            lambda line: json.dumps({"shared": SHARED}).encode(),
            "the file has no checksums: an earlier version wrote it",
        ),
        (lambda line: b"text", "it is no JSON"),
        (lambda line: seal({"case": "case 0"}).encode(), "it does not hold the settings"),
    ],
)
def test_a_wrong_first_line_is_named(first, message, finished):
    path = finished / "runs.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([first(lines[0]), *lines[1:], b""]))
    with pytest.raises(OptionError, match=rf"^--out: line 1 of {path} cannot be used: {message}.*; {REMEDY}$"):
        Command(Request(finished)).run()
    assert Command(Request(finished, fresh=True)).run() == 0


def test_windows_line_ends_are_read(finished):
    path = finished / "runs.jsonl"
    expected = read(finished).runs
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(finished).runs == expected


@pytest.mark.parametrize("name", [name for name in SUBJECTS if name != "gpu-vision"])  # whose records are vision's
def test_every_command_says_what_its_records_hold(name, tmp_path):
    if name == "vision":
        pytest.importorskip("torch")
    module = importlib.import_module(SUBJECTS[name].module)
    run = module.RECORDS if name == "gpu-check" else module.BENCHMARK
    whole = dict.fromkeys(run.fields, 1)
    if name == "gpu":
        whole |= {"kind": "training", "rows": 1, "repeat": 0, "objectives": {}}
    for lacking in whole:
        record = {field: value for field, value in whole.items() if field != lacking}
        (tmp_path / "runs.jsonl").write_text(f"{seal({'shared': SHARED})}\n{seal(record)}\n")
        with pytest.raises(OptionError, match=r"line 2 of .*it is no record of this benchmark"):
            RunStore(tmp_path / "runs.jsonl", run.key_of, run.fields)
    (tmp_path / "runs.jsonl").write_text(f"{seal({'shared': SHARED})}\n{seal(whole)}\n")
    assert len(RunStore(tmp_path / "runs.jsonl", run.key_of, run.fields).runs) == 1
    store: RunStore[Any] = RunStore(tmp_path / "new.jsonl", run.key_of, run.fields)
    store.begin(SHARED)
    with pytest.raises(KeyError, match="the record lacks"):
        store.append({"other": 1})


@pytest.mark.parametrize("rest", ["", '{"cut sho'])
def test_a_command_that_failed_before_its_first_run_blocks_no_other(rest, tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(f"{seal({'shared': SHARED})}\n{rest}")
    store: RunStore[Any] = RunStore(path, lambda record: record["name"], ("name",))
    store.begin({"settings": {"threads": 7}})
    store.append({"name": "first"})
    again: RunStore[Any] = RunStore(path, lambda record: record["name"], ("name",))
    assert (again.header, list(again.runs), again.damaged) == ({"settings": {"threads": 7}}, ["first"], False)
    with pytest.raises(OptionError, match=r"holds runs made under other settings.*threads was 7, is 8"):
        again.begin({"settings": {"threads": 8}})


# Two commands in one folder, and a full disk


@pytest.mark.parametrize("fresh", [False, True])
def test_a_second_command_in_the_folder_is_refused(fresh, tmp_path):
    def second(case: str) -> None:
        other = Command(Request(tmp_path, fresh=fresh))
        with pytest.raises(
            OptionError, match=r"^--out: another command \(process \d+ on .*\) is at work in .*; wait"
        ) as caught:
            other.run()
        assert f"process {os.getpid()} on" in str(caught.value)
        assert str(tmp_path) in str(caught.value)
        assert other.made == []
        if case == "case 3":
            looking = Command(Request(tmp_path, report_only=True))
            assert looking.run() == 0
            assert len(looking.reported) == 3

    first = Command(Request(tmp_path), second)
    assert first.run() == 0
    assert len(first.made) == len(read(tmp_path).runs) == 6
    assert Command(Request(tmp_path)).run() == 0
    assert not (tmp_path / "runs.jsonl.lock").exists()


HOLD = """
import sys
from pathlib import Path
from datasets._lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_another_process_is_named_and_its_end_frees_the_folder(tmp_path):
    lock = tmp_path / "runs.jsonl.lock"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], **pipes)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OptionError, match=rf"another command \(process {holder.pid} on "):
            Command(Request(tmp_path)).run()
    finally:
        holder.kill()
        holder.communicate()
    assert lock.is_file()  # left behind, and not held
    assert Command(Request(tmp_path)).run() == 0
    assert not lock.exists()


def test_an_interrupted_command_frees_the_folder(tmp_path):
    def interrupt(case: str) -> None:
        if case == "case 2":
            raise KeyboardInterrupt

    assert Command(Request(tmp_path), interrupt).run() == 130
    with exclusive(tmp_path / "runs.jsonl.lock"):
        pass
    again = Command(Request(tmp_path))
    assert again.run() == 0
    assert again.made == [f"case {i}" for i in range(2, 6)]


def test_a_report_on_fewer_runs_than_are_finished_says_so(finished):
    fewer = Command(Request(finished), cases=2)
    assert fewer.run() == 0
    assert len(fewer.reported) == 2
    assert "runs.jsonl has 4 finished runs more: --report-only reports all of them." in fewer.console.export_text()
    whole = Command(Request(finished))
    assert whole.run() == 0
    assert "more" not in whole.console.export_text()


def test_a_full_disk_is_named_and_finished_runs_are_kept(tmp_path, monkeypatch):
    def full(case: str) -> None:
        if case == "case 3":
            raise OSError(28, "No space left on device")

    with pytest.raises(
        OptionError, match=r"^--out: cannot write to .*No space left on device.*run the same command again"
    ):
        Command(Request(tmp_path), full).run()
    again = Command(Request(tmp_path))
    assert again.run() == 0
    assert again.made == ["case 3", "case 4", "case 5"]
    # Any other error is a bug and keeps its traceback.
    monkeypatch.setattr(suite_run, "RunStore", lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
    with pytest.raises(OSError, match="Input/output error"):
        Command(Request(tmp_path)).run()
