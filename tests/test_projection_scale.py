"""The projection of large arrays, on threads and in other processes: same answer, same bits, compiled or not."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numba
import numpy as np
import pytest
import reference

from hsboost import project_hypersimplex
from hsboost._kernels._compile import BLOCK, PARALLEL_FROM
from hsboost._solver.search import SMALL

METHODS = ["threshold", "pav"]
both = pytest.mark.parametrize("method", METHODS)

DATA = {
    "normal": lambda r, n: r.normal(size=n),
    "heavy-tailed": lambda r, n: r.standard_cauchy(n) ** 3,
    "tied": lambda r, n: r.integers(0, 6, n).astype(float),
    "saturated": lambda r, n: r.normal(size=n) * 0.01 + np.where(r.random(n) < 0.3, 50.0, -50.0),
    "ascending": lambda r, n: np.linspace(-4, 4, n),
    "descending": lambda r, n: np.linspace(4, -4, n),
    "periodic": lambda r, n: np.where(np.arange(n) % 8 == 0, 5.0, -5.0) + np.sin(np.arange(n)),
    "one outlier": lambda r, n: np.where(np.arange(n) == n // 3, 1e30, r.normal(size=n)),
}
SIZES = [BLOCK - 1, BLOCK, BLOCK + 1, SMALL, SMALL + 1, PARALLEL_FROM, 200_000]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("data", DATA)
def test_large_arrays(data, n, rng):
    x = DATA[data](rng, n)
    flat_at = float((x > 0).sum())
    cases = [(None, flat_at, 1.0), (None, 0.37 * n + 0.25, 1.0), (None, 3.0, 0.05)]
    w = np.where(rng.random(n) < 0.2, 0.0, rng.uniform(0, 2, n))
    cases += [(w, 0.37 * w.sum(), 1.0), (w, 0.999 * w.sum(), 0.01)]
    for weight, k, temperature in cases:
        truth = reference.project_by_sorting(x, k, temperature, weight)
        for method in METHODS if n <= SMALL + 1 else METHODS[:1]:
            got = project_hypersimplex(x, k, temperature=temperature, sample_weight=weight, method=method)
            counted = slice(None) if weight is None else weight > 0
            np.testing.assert_allclose(got.values[counted], truth.values[counted], rtol=0, atol=1e-9)
            total = n if weight is None else weight.sum()
            assert np.dot(np.ones(n) if weight is None else weight, got.values) == pytest.approx(k, abs=1e-12 * total)
            if truth.flat:
                assert got.soft_threshold == pytest.approx(truth.cut, abs=1e-9)


@both
@pytest.mark.parametrize("n", [1000, BLOCK - 1, SMALL, SMALL + 1])
@pytest.mark.parametrize("passes", [False, True], ids=["small", "passes"])
def test_two_confident_clusters(method, n, passes, rng, request):
    """All rows 50 temperatures from the cut: the root is nowhere near a row."""
    if passes:
        request.getfixturevalue("passes_only")
    for _ in range(6):
        upper = rng.random(n) < 0.3
        x = rng.normal(size=n) * 0.01 + np.where(upper, 50.0, -50.0)
        got = project_hypersimplex(x, upper.sum(), method=method)
        np.testing.assert_array_equal(got.values, upper)
        assert got.soft_threshold == (x[upper].min() + x[~upper].max()) / 2


# --- threads, processes, no compiler ----------------------------------------------------------------------------------


@pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="needs two threads")
@pytest.mark.parametrize("weighted", [False, True])
def test_one_and_two_threads_give_the_same_bits(weighted, rng):
    x = rng.normal(size=200_000)
    w = rng.uniform(0, 2, x.size) if weighted else None
    before, results = numba.get_num_threads(), []
    try:
        for threads in (1, 2):
            numba.set_num_threads(threads)
            results.append(project_hypersimplex(x, 61_234.5, temperature=0.7, sample_weight=w))
    finally:
        numba.set_num_threads(before)
    assert results[0].soft_threshold == results[1].soft_threshold
    np.testing.assert_array_equal(results[0].values, results[1].values)


def test_calls_from_several_python_threads(rng):
    problems = [(rng.normal(size=n), 0.2 * n) for n in (70_000, 100_000, 300, 130_000) * 6]
    one_by_one = [project_hypersimplex(*p).values for p in problems]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda p: project_hypersimplex(*p).values, problems))
    for a, b in zip(one_by_one, at_once, strict=True):
        np.testing.assert_array_equal(a, b)


FORK = """
import os, numpy as np
from hsboost import project_hypersimplex
x = np.random.default_rng(0).normal(size=100_000)
here = [project_hypersimplex(x, k).soft_threshold for k in (10, 1000, 50_000)]
child = os.fork()
if child == 0:
    there = [project_hypersimplex(x, k).soft_threshold for k in (10, 1000, 50_000)]
    os._exit(0 if there == here else 1)
print("status", os.waitpid(child, 0)[1])
"""

USE_ONE_FORM = """
import sys, numba, numpy as np
from hsboost._kernels.multiplier import sums
getattr(sums, sys.argv[1])(np.zeros(8), None, 0.0, 1.0, np.zeros(1), np.empty((1, 4, 1)))
try:
    print(bool(numba.threading_layer()))
except ValueError:  # no pool of threads was started
    print(False)
"""


def in_a_new_process(*arguments, **environment):
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, **environment}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_forked_children_after_a_threaded_call():
    done = in_a_new_process("-c", FORK)
    assert done.stdout.strip() == "status 0", done.stderr


@pytest.mark.parametrize("first", ["serial", "parallel"])
def test_the_disk_cache_keeps_serial_and_threaded_forms_apart(first, tmp_path):
    """Two compiled forms of one source: a later process must not load the one for the other."""
    second = "parallel" if first == "serial" else "serial"
    for form in (first, second, first):
        done = in_a_new_process("-c", USE_ONE_FORM, form, NUMBA_CACHE_DIR=str(tmp_path), NUMBA_NUM_THREADS="2")
        assert done.stdout.strip() == str(form == "parallel"), f"{form}: {done.stdout} {done.stderr}"


def test_kernels_run_without_the_compiler(warning_options):
    """The kernels are Python: what a debugger and a coverage tool see is what users run."""
    names = ["projection", "losses", "threshold", "entropic", "entropic_losses", "budget_log_loss"]
    files = [f"tests/test_{name}.py" for name in names]
    options = ["-q", "-x", "-k", "small", "-p", "no:cacheprovider", "-p", "no:xdist"]
    options += [*warning_options, "-W", "ignore::RuntimeWarning"]  # compiled code says nothing
    done = in_a_new_process("-m", "pytest", *files, *options, NUMBA_DISABLE_JIT="1", HYPOTHESIS_PROFILE="few")
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout
