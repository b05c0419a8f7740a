"""Settings shared by all tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before anything loads OpenMP, which reads it once. Its threads spin while they wait for work: where several test
# processes share the cores, they take from each other half of all time. Here they sleep. Results are the same.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# OpenBLAS has threads of its own, which always spin: fitting a calibrator's two numbers, as nearly every fit here does,
# takes forty times as much processor time with two of them. All matrices of the tests are small.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

# First calls compile kernels: no deadline. In CI the examples are always the same, so that a failure there is news.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=80, **_COMMON)
settings.register_profile("ci", max_examples=120, derandomize=True, **_COMMON)
settings.register_profile("few", max_examples=10, derandomize=True, **_COMMON)
settings.register_profile("thorough", max_examples=3000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

#: Where to write which tests were skipped, for a second run where more is installed. Not for tests that run pytest.
_SKIPPED = os.environ.pop("HSBOOST_SKIPPED", "")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write the skipped tests, as ``pytest @FILE`` reads them."""
    if _SKIPPED:
        found = dict.fromkeys(report.nodeid for report in terminalreporter.stats.get("skipped", ()))
        Path(_SKIPPED).write_text("".join(f"{name}\n" for name in found), encoding="utf-8")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name long contents by their length.

    pytest would put them into the test's name whole, and pytest-xdist asks that all workers give a test the same name,
    which a compressed file does not guarantee: gzip writes the second of its making into the head.
    """
    if isinstance(val, dict) and len(str(val)) > 200:
        return f"{argname} with {', '.join(map(str, val))}"
    if isinstance(val, int) and val.bit_length() > 200:
        return f"{argname} of {val.bit_length()} bits"
    if isinstance(val, str | bytes) and len(val) > 200:
        return f"{argname} of {len(val)} {'characters' if isinstance(val, str) else 'bytes'}"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Have the garbage collector pass over what collection makes, which stays until the end.

    Twelve thousand tests and all libraries are millions of objects: the benchmarks under test, which collect garbage
    before they time anything, would spend nearly all their time on them.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each of ``-n``'s workers one long run of tests, and let those that finish early take from the others.

    pytest-xdist's own default deals tests out in small portions: modules are torn apart, and what a module trains or
    starts once (a benchmark, a Dask cluster) is made by every worker. ``--dist`` still chooses another way.
    """
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with the same seed in every test."""
    return np.random.default_rng(20_260_217)


@pytest.fixture
def warning_options(pytestconfig: pytest.Config) -> list[str]:
    """This run's ``-W`` options, for tests that run pytest: `.ci/lowest` takes back that warnings are errors."""
    return [part for one in pytestconfig.getoption("pythonwarnings") or [] for part in ("-W", one)]


@pytest.fixture(scope="session")
def dask_cluster() -> Iterator[Any]:
    """Two processes for all modules: each start imports Dask, XGBoost and the package, and loads the kernels."""
    from _cluster import local_cluster

    with local_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def client(dask_cluster: Any) -> Iterator[Any]:
    """A client of two processes. It ends with the module: what comes after must not find a default client."""
    from _cluster import client_of

    with client_of(dask_cluster) as found:
        yield found


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Spark with two tasks at a time, for all modules: Java starts once."""
    from _spark import local_spark

    with local_spark() as session:
        yield session


@pytest.fixture
def passes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send problems of every size through the block passes that normally serve large ones."""
    monkeypatch.setattr("hsboost._solver.search.SMALL", 0)
    monkeypatch.setattr("hsboost._solver.segments.SMALL_GROUP", 0)
    monkeypatch.setattr("hsboost._solver.problems.BLOCK", 0)


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A per-user folder of the test's own, and no data folder: nothing of this machine is read or changed."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.delenv("HSBOOST_DATA_DIR", raising=False)
    monkeypatch.setenv("HSBOOST_CACHE_DIR", str(folder))
    return folder
