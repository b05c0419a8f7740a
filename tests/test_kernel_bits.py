"""The same bits whether kernels were compiled just now or come from the disk cache, and whatever ran before them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hsboost

ROOT = Path(hsboost.__file__).parents[1]

CASES = """
import hashlib, sys
import numpy as np
from hsboost import HypersimplexLoss
from hsboost._kernels import _compile
_compile.PARALLEL_FROM = 8192
rng = np.random.default_rng(5)
groups = rng.permutation(np.repeat(np.arange(906), [20_000, 1, 4, 5000, 17_000, 9000, *[7] * 900]))
y, x, w = rng.integers(0, 2, groups.size), rng.normal(size=groups.size), rng.uniform(0, 2, groups.size)
loss = HypersimplexLoss(0.3)
cases = {
    "distance": lambda: (loss.loss(y, x, w, groups),),
    "gradient": lambda: loss.gradient_hessian(y, x, w, groups),
}
found = {}
for name in list(cases)[:: int(sys.argv[1])]:
    found[name] = [hashlib.sha256(np.asarray(part).tobytes()).hexdigest() for part in cases[name]()]
print(sorted(found.items()))
"""


@pytest.mark.slow  # compiles into an empty cache
def test_compiled_loaded_and_in_another_order(tmp_path: Path) -> None:
    # Numba optimises a function once for itself and once more in each caller, and which of the copies runs depends on
    # what the process loaded first: functions that may be reassociated must have no copies.
    def run(order: int, threads: str) -> str:
        settings = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT), "NUMBA_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", CASES, str(order)],
            env={**os.environ, **settings}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    cold = run(1, "1")
    assert [run(1, "1"), run(-1, "2")] == [cold] * 2
