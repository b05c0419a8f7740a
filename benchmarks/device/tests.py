"""The card and the software, and the package's tests on the card."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.calls import gpu_machine as machine
from benchmarks.device.parts import Step
from benchmarks.suite import environment
from benchmarks.suite.store import Record

ROOT = environment.ROOT.parent
PACKAGES = (*environment.PACKAGES, *machine.PACKAGES, "torch", "triton", "cuda-bindings", "nvidia-nvvm", "pytest")
#: Processes of pytest, if pytest-xdist is there: most of a test's time is compiling.
PROCESSES = 4
#: Failed tests that are named.
MOST_NAMED = 40

CUDA_TESTS = (
    "test_cuda_passes.py",
    "test_cuda_smooth.py",
    "test_cuda_objective.py",
    "test_cuda.py",
    "test_cuda_fallback.py",
    "test_cuda_compiled.py",
)
TORCH_TESTS = ("test_torch_device.py",)


def software(tiny: bool) -> Record:
    """Versions of packages, and the boosters' and compilers' own facts."""
    import numba
    import xgboost

    facts: Record = {"python": sys.version.split()[0], "numba.cuda": _origin("numba_cuda")}
    facts |= environment.versions(PACKAGES)
    facts |= {f"xgboost {name}": value for name, value in xgboost.build_info().items() if name.startswith("USE_")}
    facts["xgboost CUDA_VERSION"] = xgboost.build_info().get("CUDA_VERSION")
    facts["numba threads"] = numba.config.NUMBA_NUM_THREADS
    if importlib.util.find_spec("torch"):
        import torch

        facts |= {"torch cuda": torch.version.cuda, "torch sees a card": torch.cuda.is_available()}
    for name, value in facts.items():
        print(f"  {name}: {value}", flush=True)
    return facts


def card(tiny: bool) -> Record:
    """The card: what CuPy and nvidia-smi say."""
    facts = machine.describe()
    query = "name,driver_version,memory.total,memory.used,clocks.sm,clocks.max.sm,clocks.mem,power.draw,temperature.gpu"
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        facts |= dict(zip(query.split(","), map(str.strip, done.stdout.splitlines()[0].split(",")), strict=False))
    except (OSError, subprocess.SubprocessError, IndexError) as error:
        facts["nvidia-smi"] = f"{type(error).__name__}: {error}"
    facts["host"] = environment.hardware()
    for name, value in facts.items():
        print(f"  {name}: {value}", flush=True)
    return facts


def _origin(package: str) -> str | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None else spec.origin


def cuda_tests(name: str) -> Step:
    """The step that runs a file of tests of the CUDA path."""

    def step(tiny: bool) -> Record:
        if tiny:
            return tested(["test_cuda_passes.py"], ["-k", "share_of_one"], {})
        return tested([name], ["-m", "not slow"], {})

    return step


def torch_tests(tiny: bool) -> Record:
    """Tests of the layer and the losses, with tensors on the card."""
    if tiny:
        return tested(TORCH_TESTS, ["-k", "a_loss_is"], {"HSBOOST_TORCH_DEVICE": "cpu", "NUMBA_ENABLE_CUDASIM": "0"})
    return tested(TORCH_TESTS, [], {"HSBOOST_TORCH_DEVICE": "cuda"})


def tested(files: Sequence[str], selected: Sequence[str], env: dict[str, str]) -> Record:
    """Run pytest on files of the folder tests; counts of its outcomes and names of what failed.

    Raises FileNotFoundError outside a checkout.
    """
    paths = [str(Path("tests") / name) for name in files]
    for path in paths:
        if not (ROOT / path).is_file():
            raise FileNotFoundError(f"{path} is not there: gpu-check runs in a checkout, whose tests it needs")
    command = [sys.executable, "-m", "pytest", *paths, *selected, "-q", "-ra", "--tb=short", "-p", "no:cacheprovider"]
    # Warnings of the packages' other versions are no failures of ours.
    command += ["-W", "default", *_processes(len(selected) < 2 or selected[0] != "-k")]
    surroundings: dict[str, Any] = os.environ | {"HYPOTHESIS_PROFILE": "few"} | env
    lines = []
    with subprocess.Popen(
        command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(f"  {line}", end="", flush=True)
            lines.append(line)
    return counted("".join(lines), process.returncode)


def _processes(many: bool) -> list[str]:
    if many and importlib.util.find_spec("xdist") and environment.available_cores() >= PROCESSES:
        return ["-n", str(PROCESSES)]
    return ["-p", "no:xdist"]


def counted(said: str, code: int) -> Record:
    """Outcomes from pytest's last lines."""
    counts = dict.fromkeys(("passed", "failed", "skipped", "error"), 0)
    summary = [line for line in said.splitlines() if re.search(r"\d+ (passed|failed|skipped|errors?)\b.* in ", line)]
    for number, name in re.findall(r"(\d+) (passed|failed|skipped|error)", summary[-1] if summary else ""):
        counts[name] = int(number)
    named = re.findall(r"^(?:FAILED|ERROR) (\S+)", said, re.MULTILINE)
    return counts | {"exit_code": code, "failures": named[:MOST_NAMED]}


STEPS: dict[str, dict[str, Step]] = {
    "environment": {"software": software, "card": card},
    "cuda-tests": {name: cuda_tests(name) for name in CUDA_TESTS},
    "torch-tests": dict.fromkeys(TORCH_TESTS, torch_tests),
}
