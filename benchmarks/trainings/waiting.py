"""``python -m benchmarks waiting``: every row in processes of this build and, in turn, of another one."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.suite import environment, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from benchmarks.trainings.requests import WaitingRequest
from benchmarks.trainings.waiting_report import WaitingReport
from benchmarks.trainings.waiting_rows import PROFILE, ROWS

#: Entries that every record has.
FIELDS = ("row", "turn", "this", "other")
#: Longest time of a process.
LIMIT = 3600

#: Rows whose time is profiled, in a process after their turns.
PROFILED = ("ratio", "process")

#: Row, turn.
Key = tuple[str, int]


@dataclass(frozen=True)
class Settings:
    """The settings that affect the figures; ``against`` is a digest of the other build's sources."""

    repeats: int
    scale: float
    threads: int
    against: str | None


class Turns:
    """Carries out turns; both builds take part in each."""

    def __init__(self, settings: Settings, other: Path | None, caches: Path) -> None:
        import hsboost

        self.settings = settings
        self.builds = {"this": Path(hsboost.__file__).parents[1], "other": other}
        self.caches = caches
        self._has_bytecode: set[Path] = set()

    def __call__(self, key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        row, turn = key
        found: Record = {"row": row, "turn": turn, "this": None, "other": None}
        if turn == PROFILE:
            status(f"{row}, profile")
            this = self.builds["this"]
            assert this is not None
            found["this"] = self._stages(row, this) if ROWS[row].kind == "process" else self._calls(row, this, 0)
            return found
        for name in ("this", "other") if turn % 2 == 0 else ("other", "this"):
            if (build := self.builds[name]) is not None:
                status(f"{row}, turn {turn + 1}, {name} build")
                process = ROWS[row].kind == "process"
                found[name] = self._process(row, build) if process else self._calls(row, build, self.settings.repeats)
        return found

    def _calls(self, row: str, build: Path, repeats: int) -> Record:
        settings = self.settings
        words = (row, settings.scale, repeats, settings.threads)
        command = [sys.executable, "-P", "-m", "benchmarks.trainings.waiting_worker", *map(str, words)]
        done = subprocess.run(
            command, env=self._place(build), capture_output=True, text=True, timeout=LIMIT, check=False
        )
        if done.returncode != 0:
            return {"failed": _last_words(done.stderr, build)}
        record: Record = json.loads(done.stdout.splitlines()[-1])
        return record

    def _process(self, row: str, build: Path) -> Record:
        seconds, output, failed = self._script(ROWS[row].script, ROWS[row].cached, build)
        if failed:
            return {"failed": failed}
        return {"measured": [float(output.splitlines()[-1]) if ROWS[row].alone else seconds]}

    def _stages(self, row: str, build: Path) -> Record:
        """The seconds of imports, compiler and fit, as `waiting_stages` prints them for the row's script."""
        script = f"from benchmarks.trainings.waiting_stages import told\ntold({ROWS[row].script!r})\n"
        _, output, failed = self._script(script, ROWS[row].cached, build)
        return {"failed": failed} if failed else {"profile": json.loads(output.splitlines()[-1])}

    def _script(self, script: str, cached: bool, build: Path) -> tuple[float, str, str]:
        """Seconds and output of a script in a new process, and why it failed, if it did."""
        # An installed package has bytecode, and so have those that it imports: some installers leave it to a first run.
        runs = [] if build in self._has_bytecode else ["writes bytecode"]
        runs += ["fills the cache", "measured"] if cached else ["measured"]
        with tempfile.TemporaryDirectory() as folder:
            for run in runs:
                kernels = Path(folder) / ("aside" if run == "writes bytecode" else "kernels")
                place = self._place(build) | {"NUMBA_CACHE_DIR": str(kernels)}
                start = perf_counter()
                command = [sys.executable, "-P", "-c", script]
                done = subprocess.run(command, env=place, capture_output=True, text=True, timeout=LIMIT, check=False)
                seconds = perf_counter() - start
                if done.returncode != 0:
                    return 0.0, "", f"{run}: {_last_words(done.stderr, build)}"
                self._has_bytecode.add(build)
        return seconds, done.stdout, ""

    def _place(self, build: Path) -> dict[str, str]:
        """The environment of a process that uses a build."""
        path = os.pathsep.join([str(build), str(environment.ROOT.parent)])
        threads = str(self.settings.threads)
        usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return usual | {
            "PYTHONPATH": path,
            "PYTHONPYCACHEPREFIX": str(self.caches / "bytecode"),
            "OMP_NUM_THREADS": threads,
            "NUMBA_CACHE_DIR": str(self.caches),
        }


def _last_words(errors: str, build: Path) -> str:
    """The last line of a process's errors, without the place of the build, which is this machine's."""
    return (errors.strip().splitlines() or ["no message"])[-1].replace(f"{build}{os.sep}", "")[:300]


def prepare(request: WaitingRequest) -> Work[Key]:
    """Check every option and list the turns, row by row."""
    options.at_least(1, turns=request.turns, repeats=request.repeats)
    if not 0.0 < request.scale <= 1.0:
        raise OptionError(f"--scale: must lie in (0, 1], got {request.scale:g}")
    threads = options.threads(request.threads)
    rows = options.choose("--rows", "row", request.rows, ROWS)
    other = None if request.against is None else _build(request.against, request.folder)
    settings = Settings(request.repeats, request.scale, threads, None if other is None else _digest(other))
    sources = (f"trainings/{name}.py" for name in ("waiting_rows", "waiting_worker", "waiting", "waiting_stages"))
    shared = environment.shared_facts(settings, (*sources, "suite/measure.py"), **environment.waiting())
    keys = [
        (row, turn)
        for row in rows
        for turn in (*range(request.turns), *([PROFILE] if ROWS[row].kind in PROFILED else []))
    ]
    caches = (request.folder / "kernels").resolve()
    return Work(keys, shared, Turns(settings, other, caches), "turn", around=lambda missing: _folder(caches))


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Compiled kernels that all processes share: only rows that ask for it wait for the compiler."""
    path.mkdir(parents=True, exist_ok=True)
    yield


def _build(path: Path, out: Path) -> Path:
    """The folder that holds the other build's package; a wheel is unpacked into ``out``."""
    if path.suffix == ".whl" and path.is_file():
        folder = out / f"build-{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"
        with zipfile.ZipFile(path) as wheel:
            wheel.extractall(folder)
        path = folder
    if not (path / "hsboost" / "__init__.py").is_file():
        raise OptionError(
            f"--against: {str(path)!r} holds no package hsboost; pass a wheel, or the folder that it is installed in "
            "(pip install --no-deps --target FOLDER …)"
        )
    return path.resolve()


def _digest(build: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((build / "hsboost").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def key_of(record: Record) -> Key:
    """Row and turn."""
    return record["row"], int(record["turn"])


BENCHMARK: Benchmark[Any, Key] = Benchmark(key_of, FIELDS, prepare, WaitingReport)
main = BENCHMARK.run
