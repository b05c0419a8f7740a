"""How many threads the kernels use is the user's to say, in the ways users already know."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import hsboost
from hsboost import project_hypersimplex
from hsboost._kernels import _compile
from hsboost._kernels import gradient as kernels
from hsboost._kernels._compile import PARALLEL_FROM, thread_count

several = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")


@pytest.fixture
def launches(monkeypatch):
    """Thread counts of the threaded launches made."""
    made: list[int] = []
    x = np.linspace(-1, 1, PARALLEL_FROM)
    project_hypersimplex(x, 10)  # OpenMP is loaded with the first launch
    for kernel in (kernels.values, _module().sums, _module().narrow, _module().interior, _module().gaps):
        run = kernel.parallel

        def noted(*args, run=run):
            made.append(numba.get_num_threads())
            return run(*args)

        monkeypatch.setattr(kernel, "_parallel", noted)
    # Earlier tests in this process may have set either number: LightGBM's n_jobs=1 OpenMP's, the benchmarks Numba's.
    before = numba.get_num_threads()
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
    with threadpool_limits(numba.config.NUMBA_NUM_THREADS):
        yield made
    numba.set_num_threads(before)


def _module():
    from hsboost._kernels import multiplier

    return multiplier


@several
def test_large_arrays_use_numbas_threads_and_small_ones_do_not(launches):
    project_hypersimplex(np.linspace(-1, 1, PARALLEL_FROM - 1), 10)
    assert launches == []
    project_hypersimplex(np.linspace(-1, 1, PARALLEL_FROM), 10)
    assert set(launches) == {thread_count()}
    assert thread_count() > 1


@several
def test_one_thread_by_numba_or_by_threadpoolctl(launches):
    x = np.linspace(-1, 1, PARALLEL_FROM)
    usual = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        project_hypersimplex(x, 10)
    finally:
        numba.set_num_threads(usual)
    assert launches == []
    if _compile._openmp_maximum is not None:  # GNU OpenMP, as on Linux
        with threadpool_limits(1):
            assert thread_count() == 1
            project_hypersimplex(x, 10)
        assert launches == []
    project_hypersimplex(x, 10)
    assert launches
    assert numba.get_num_threads() == usual


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("OMP_NUM_THREADS", "1", "1 1"),
        ("OMP_NUM_THREADS", "1,2", "1 1"),
        ("NUMBA_NUM_THREADS", "1", "1 1"),
        ("OMP_NUM_THREADS", "nonsense", None),
    ],
)
def test_the_environment_is_heard_before_and_after_the_first_launch(variable, value, expected):
    code = (
        "import numpy as np; from hsboost import project_hypersimplex; from hsboost._kernels._compile import "
        f"thread_count as t; a = t(); project_hypersimplex(np.linspace(-1, 1, {PARALLEL_FROM}), 10); print(a, t())"
    )
    here = str(Path(hsboost.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": here, variable: value},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if expected is not None:
        assert done.stdout.strip() == expected
