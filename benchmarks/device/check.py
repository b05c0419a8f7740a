"""``python -m benchmarks gpu-check``: starts the parts one after the other, and writes the report of what there is."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from benchmarks.calls import gpu_machine as machine
from benchmarks.device import worker
from benchmarks.device.parts import PARTS, Part
from benchmarks.device.requests import GpuCheckRequest
from benchmarks.suite import environment, options, report
from benchmarks.suite.options import OptionError
from benchmarks.suite.run import alone, enough_space
from benchmarks.suite.store import Record

RECORDS = worker.Records(worker.key_of, worker.FIELDS)
#: Seconds of the time for the report, and for the end of a process that is stopped.
RESERVE = 5.0


@dataclass(frozen=True)
class Settings:
    """The settings that affect figures."""

    simulated: bool
    threads: int


def shared_facts(settings: Settings) -> Record:
    """Gather the facts that affect figures and are the same for all steps."""
    packages = (*environment.PACKAGES, *machine.PACKAGES, "torch", "triton")
    gpu = {"name": machine.SIMULATOR} if settings.simulated else described()
    return environment.shared_facts(settings, ("device", "calls/gpu.py", "calls/gpu_machine.py"), packages, gpu=gpu)


def described() -> Record:
    """The card as CuPy describes it, or by torch's name where CuPy cannot."""
    try:
        return machine.describe()
    except Exception as error:
        return {"name": card_of_torch(), "cupy": f"{type(error).__name__}: {error}"[:200]}


def card_of_torch() -> str | None:
    """The name of the card that torch sees, None without one."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def need_card(settings: Settings, console: Console) -> None:
    """Raise OptionError without a GPU, unless it is simulated. What one library lacks fails in its own parts only."""
    if settings.simulated:
        return
    from hsboost import cuda

    reason = cuda.missing()
    if reason is None:
        return
    if card_of_torch() is None:
        raise OptionError(
            f"this command needs a CUDA GPU and hsboost[gpu]: {reason}; --simulate runs everything at tiny sizes "
            "without one"
        )
    console.print(f"Only torch finds the GPU, and the parts without it will fail: {reason}.", highlight=False)


def main(request: GpuCheckRequest, console: Console | None = None) -> int:
    """Carry out the missing steps and write the report; returns the exit code, or raises OptionError."""
    console = console or report.default_console()
    options.above_zero(minutes=request.minutes)
    names = options.choose("--parts", "part", request.parts, PARTS)
    chosen = [part for name, part in PARTS.items() if name in names]
    settings = Settings(request.simulate, options.threads(request.threads))
    folder = request.folder
    if request.report_only:
        store = worker.open_store(folder)
        if not store.runs:
            raise OptionError(f"--report-only: no finished steps in {str(store.path)!r}; run without it first")
        _publish(folder, request, console)
        return 0
    need_card(settings, console)
    report.check_writable(folder)
    with alone(folder), enough_space(folder):
        if request.fresh:
            for name in ("runs.jsonl", "log.txt"):
                (folder / name).unlink(missing_ok=True)
        worker.open_store(folder).begin(shared_facts(settings))
        code = run_parts(chosen, folder, settings, 60.0 * request.minutes, console)
        _publish(folder, request, console)
    return code


def run_parts(chosen: list[Part], folder: Path, settings: Settings, seconds: float, console: Console) -> int:
    """Start the parts that have missing steps, while there is time; returns the exit code."""
    end = time.monotonic() + seconds - RESERVE
    try:
        for part in chosen:
            if not worker.missing(worker.open_store(folder), part.name):
                console.print(f"{part.name}: done before.")
                continue
            left = end - time.monotonic()
            if left < min(part.least, part.seconds):
                console.print(f"{part.name}: {max(left, 0.0):.0f} s are left, not begun.")
                continue
            run_part(part, folder, settings, min(part.seconds, left), console)
    except KeyboardInterrupt:
        console.print("Interrupted: finished steps are kept; the same command makes the others.")
        return report.INTERRUPTED
    return 0


def run_part(part: Part, folder: Path, settings: Settings, seconds: float, console: Console) -> None:
    """Run a part's missing steps in a process; after one in which it crashed, the rest in another.

    The step in which it crashed or was stopped is recorded.
    """
    console.print(f"{part.name}: {part.title}, at most {seconds:.0f} s", highlight=False)
    end = time.monotonic() + seconds
    store = worker.open_store(folder)
    names = worker.missing(store, part.name)
    attempts = {name: worker.attempted(store, part.name, name) for name in names}
    while names and (left := end - time.monotonic()) > 0.0:
        command = [sys.executable, "-u", "-m", "benchmarks.device.worker", str(folder.resolve()), part.name]
        command += ["--tiny"] if settings.simulated else []
        code = watched([*command, *names], surroundings(settings), left, folder / "log.txt", console)
        store = worker.open_store(folder)
        names = [name for name in names if (part.name, name, attempts[name]) not in store.runs]
        if not names:
            return
        outcome = worker.STOPPED if code is None else worker.CRASHED
        error = f"the limit was {seconds:.0f} s" if code is None else f"the process ended with {code}; see log.txt"
        took = seconds - (end - time.monotonic())
        worker.keep(store, worker.record_of(part.name, names[0], attempts[names[0]], outcome, took, error=error))
        console.print(f"{part.name}: {names[0]}: {outcome}: {error}", highlight=False)
        names = names[1:]


def surroundings(settings: Settings) -> dict[str, str]:
    """The environment of a part's process."""
    found = os.environ | {"NUMBA_NUM_THREADS": str(settings.threads), "OMP_NUM_THREADS": str(settings.threads)}
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [str(environment.ROOT.parent), os.environ.get("PYTHONPATH")]))
    if settings.simulated:
        found["NUMBA_ENABLE_CUDASIM"] = "1"
    return found


def watched(command: list[str], env: dict[str, str], seconds: float, log: Path, console: Console) -> int | None:
    """Run a command, print and log its lines as they come; the exit code, None if it was ended after ``seconds``."""
    end = time.monotonic() + seconds
    with log.open("a", encoding="utf-8") as file, started(command, env) as process:
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None
            if line is None:
                break
            file.write(line)
            file.flush()
            console.print(line.rstrip(), highlight=False, markup=False)
        try:
            return process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None


@contextlib.contextmanager
def started(command: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A process with its output in a pipe, in a group of its own that ends with it."""
    process = subprocess.Popen(
        command,
        cwd=environment.ROOT.parent,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    )
    try:
        yield process
    finally:
        # What it started, such as tests, ends too, also where it ended first.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _read(source: TextIO | None, lines: queue.Queue[str | None]) -> None:
    assert source is not None
    with source:
        for line in source:
            lines.put(line)
    lines.put(None)


def _publish(folder: Path, request: GpuCheckRequest, console: Console) -> None:
    from benchmarks.device.report import CheckReport

    store = worker.open_store(folder)
    assert store.header is not None
    place: dict[str, Any] = environment.describe(store.header["settings"]["threads"])
    CheckReport(store.header, place, list(store.runs.values()), request).publish(folder, console)
