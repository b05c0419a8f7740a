"""Where the time of a process's first fit goes: imports, the compiler, the rest. Runs within that process."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any


def told(script: str) -> None:
    """Run a script of the waiting benchmark and print its stages, as `profiling.profile` returns functions."""
    start = perf_counter()
    import numpy  # noqa: F401 - the stages are what is imported

    stages = {"import of NumPy": perf_counter() - start}
    with _timed(stages, "import of scikit-learn, with SciPy and pandas"):
        import sklearn.base
        import sklearn.model_selection  # noqa: F401
    with _timed(stages, "import of Numba"):
        import numba  # noqa: F401
    with _timed(stages, "import of hsboost, of what is left"):
        import hsboost  # noqa: F401
    with _timed(stages, "import of the booster"):
        import xgboost  # noqa: F401
    from numba.core import event

    with event.install_timer("numba:compile", lambda found: None) as compiler, _timed(stages, "data and fit"):
        exec(script, {"__name__": "__main__"})
    compiled = float(compiler.duration) if compiler.done else 0.0
    stages["data and fit"] -= compiled
    stages["compiling kernels, or reading compiled ones"] = compiled
    total = sum(stages.values())
    lines = [{"where": name, "seconds": spent, "share": spent / total} for name, spent in stages.items()]
    sys.stdout.write(json.dumps(sorted(lines, key=lambda line: -float(str(line["seconds"])))) + "\n")


@contextmanager
def _timed(stages: dict[str, float], name: str) -> Iterator[Any]:
    start = perf_counter()
    yield
    stages[name] = perf_counter() - start
