"""Compile every kernel ahead of time: ``python -m hsboost.precompile``, for images and clusters."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numba
import numpy as np

from hsboost._kernels import _cache
from hsboost._kernels._compile import PARALLEL_FROM
from hsboost._solver.problems import REGULARIZATIONS
from hsboost._solver.segments import Segments
from hsboost._workers.communicator import Workers
from hsboost.losses import BudgetLogLoss, HypersimplexLoss, HypersimplexSmoothFYLoss, HypersimplexSmoothLoss
from hsboost.projection import project_hypersimplex

#: The losses whose rounds reach different kernels.
_LOSSES = {
    "": HypersimplexLoss,
    "smooth ": HypersimplexSmoothLoss,
    "smooth convex ": HypersimplexSmoothFYLoss,
    "windowed ": BudgetLogLoss,
}


def precompile(report: Callable[[str], object] | None = None) -> None:
    """Compile all kernels and store them on disk, so that no later process waits for the compiler (minutes, once).

    They go into a subfolder of ``NUMBA_CACHE_DIR`` (for example a folder of the container image). The default is a
    folder next to the package or, where that is read-only, the user's cache directory. Processes that use them need
    no write access. They are valid for the same kernels, the same versions of Python, NumPy, Numba and llvmlite, and
    the same processor.

    Parameters
    ----------
    report : callable taking a str, optional
        Called with one line for each form compiled.

    Raises
    ------
    OSError
        When a compiled form cannot be stored: no folder is writeable, or the disk is full.
    """
    if numba.config.DISABLE_JIT:
        if report is not None:
            report("NUMBA_DISABLE_JIT is set: kernels run as Python, and there is nothing to compile")
        return
    for name, call in _forms():
        begin, lost_before = time.perf_counter(), len(_cache.lost)
        with warnings.catch_warnings(category=RuntimeWarning, action="ignore"):  # the error below reports it
            call()
        if len(_cache.lost) > lost_before:
            raise OSError(
                f"compiled kernels cannot be kept on disk ({_cache.lost[-1]}); set NUMBA_CACHE_DIR to a folder that "
                "this user can write to"
            )
        if report is not None:
            report(f"{name}: {time.perf_counter() - begin:.1f} s")


def _forms() -> Iterator[tuple[str, Callable[[], object]]]:
    """One call for each combination of dtypes, weights and size that reaches a different compiled form."""
    for n, size in ((64, "small"), (PARALLEL_FROM - 1, "one thread"), (PARALLEL_FROM, "threads")):
        x = np.linspace(-3.0, 3.0, n)
        for dtype in (np.float32, np.float64):
            scores, labels = x.astype(dtype), (x > 0).astype(np.float32)
            if size != "one thread":
                yield f"columns, {dtype.__name__}, {size}", partial(project_hypersimplex, scores.reshape(-1, 2), 7)
            for weight in (None, np.ones(n, np.float32), np.ones(n)):
                groups = Segments.by_size(np.arange(0, n + 1, 8 if n % 8 == 0 else n))
                kind = f"{dtype.__name__}, {_kind_of(weight)} weights, {size}"
                for regularization in REGULARIZATIONS:
                    options: dict[str, Any] = {"sample_weight": weight, "regularization": regularization}
                    yield f"{regularization} projection, {kind}", partial(project_hypersimplex, scores, 7, **options)
                for name, loss in _LOSSES.items():
                    yield f"{name}gradient, {kind}", partial(loss().boosting_step, labels, scores, weight, None)
                    if dtype is np.float32 and _kind_of(weight) in ("no", "float32"):  # what XGBoost's workers have
                        workers = partial(_distributed_rounds, loss(), labels, scores, weight)
                        yield f"{name}gradient, several workers, {kind}", workers
                    if size != "one thread":  # groups know two forms: one thread, and threads over many groups
                        grouped = partial(_grouped_round, loss(), labels, scores, weight, groups)
                        yield f"{name}gradient, groups, {kind}", grouped
    yield "pool adjacent violators", partial(project_hypersimplex, np.arange(64.0), 7, method="pav")


def _kind_of(weight: np.ndarray | None) -> str:
    """The property of weights that selects a compiled form."""
    return "no" if weight is None else str(weight.dtype)


def _grouped_round(
    loss: HypersimplexLoss, labels: np.ndarray, scores: np.ndarray, weight: np.ndarray | None, groups: Segments
) -> None:
    loss.boosting_step(labels, scores, weight, None, Segments.by_label(groups.codes[::-1].copy()))
    options: dict[str, Any] = {"sample_weight": weight, "regularization": loss.passes.REGULARIZATION}
    for codes in (groups.codes, groups.codes[::-1].copy()):
        project_hypersimplex(scores, 1.0, groups=codes, **options)


class _SingleProcess:
    """Single-process stand-in for `xgboost.collective`."""

    def get_rank(self) -> int:
        return 0

    def get_world_size(self) -> int:
        return 1

    def allreduce(self, data: np.ndarray, op: Any) -> np.ndarray:
        return data

    def broadcast(self, data: Any, root: int) -> Any:
        return data


def _distributed_rounds(
    loss: HypersimplexLoss, labels: np.ndarray, scores: np.ndarray, weight: np.ndarray | None
) -> None:
    state = None
    for _ in range(2):  # the first search, and one that goes on
        state = loss.distributed_step(lambda: labels, scores, weight, state, None, Workers(_SingleProcess()))[2]


if __name__ == "__main__":
    try:
        precompile(lambda line: print(line, file=sys.stderr, flush=True))
    except OSError as error:
        sys.exit(str(error))
