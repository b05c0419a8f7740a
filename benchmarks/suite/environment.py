"""The facts about machine and software that a benchmark's figures depend on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

#: The folder of all benchmarks.
ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("lightgbm", "xgboost", "scikit-learn", "numpy", "numba", "pandas", "scipy")


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Collect the versions that affect a run's figures: Python, hsboost and the named packages.

    The entry of hsboost includes a digest of its sources, because a working copy changes without a new version number.
    A package that is not installed is omitted.
    """
    import hsboost

    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["hsboost"] = f"{hsboost.__version__} (sources {source_digest()})"
    return found


def source_digest() -> str:
    """Digest hsboost's Python sources: 12 hex digits."""
    import hsboost

    root = Path(hsboost.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def protocol(*sources: str) -> str:
    """Digest the sources that affect a benchmark's figures, files or folders below ROOT: 12 hex digits."""
    digest = hashlib.sha256()
    for name in sources:
        for path in sorted((ROOT / name).glob("*.py")) if (ROOT / name).is_dir() else [ROOT / name]:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def shared_facts(
    settings: Any, sources: Iterable[str], packages: tuple[str, ...] = PACKAGES, **more: Any
) -> dict[str, Any]:
    """Gather the facts that affect figures and are the same for every run: the first line of runs.jsonl.

    ``settings`` is a dataclass, ``sources`` those of `protocol`, ``packages`` those of `versions`.
    """
    return {
        "settings": asdict(settings),
        "protocol": protocol(*sources),
        "versions": versions(packages),
        "cpu": hardware()["cpu"],
    } | more


def waiting() -> dict[str, Any]:
    """Describe how threads wait, if that may affect times."""
    return {"openmp_wait_policy": os.environ.get("OMP_WAIT_POLICY")}


def let_waiting_threads_sleep() -> None:
    """Keep timings usable on a busy machine: let waiting OpenMP threads yield their core.

    By default they spin, and one other busy process can then slow small boosting rounds many times over. Call this
    before a booster is imported. An OMP_WAIT_POLICY that is set already is kept.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def available_cores() -> int:
    """Count the cores this process may use (its CPU affinity where the system knows one)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def hardware() -> dict[str, Any]:
    """Describe the machine: CPU model, cores, memory in GiB, operating system."""
    return {
        "cpu": _cpu_model(),
        "cores": available_cores(),
        "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def describe(threads: int) -> dict[str, Any]:
    """Gather everything a report prints about the origin of its figures.

    ``threads`` is the number passed to the boosters; the BLAS libraries in use and the git commit (None outside a
    checkout) are looked up.
    """
    return {
        "hardware": hardware(),
        "versions": versions(),
        "threads": threads,
        "blas": _blas(),
        "commit": git_commit(),
    }


def git_commit() -> str | None:
    """Name the checkout's commit, with ``-dirty`` appended where tracked files differ; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, OSError, ValueError):
        return None


def _blas() -> list[str]:
    from threadpoolctl import threadpool_info

    pools = {
        f"{pool.get('internal_api')} {pool.get('version')} ({pool.get('num_threads')} threads)"
        for pool in threadpool_info()
    }
    return sorted(pools)
