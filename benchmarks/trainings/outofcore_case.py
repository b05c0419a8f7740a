"""One case out of core, in its own process: bin the rows, train, and measure the memory."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
import traceback
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.suite import measure
from benchmarks.suite.store import Record
from benchmarks.trainings.objectives import HYPERSIMPLEX, hypersimplex, large_params

EXTERNAL, IN_MEMORY = "out of core", "in memory"
WARM_UP_ROWS = 2_000


@dataclass(frozen=True)
class Case:
    """Data and settings of a training; ``folder`` is for XGBoost's pages."""

    way: str
    objective: str
    columns: int
    rows: int
    rounds: int
    threads: int
    data_dir: Path | None
    folder: Path

    @property
    def raw_bytes(self) -> int:
        """Size of the features as float32, the least that a matrix in memory takes."""
        return self.rows * self.columns * 4

    def params(self) -> dict[str, Any]:
        """Return the booster's settings."""
        return large_params(self.objective, self.threads)

    def custom(self) -> Any:
        """Make the objective for `xgb.train`, None for the built-in one."""
        return hypersimplex() if self.objective == HYPERSIMPLEX else None


def in_fresh_process(case: Case) -> Record:
    """Carry out a case in a new process, which ends when this call ends for any reason, Ctrl-C included.

    Raises RuntimeError if the case failed or its process was killed.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(case, there), daemon=True)
    process.start()
    there.close()
    try:
        found = here.recv()
    except EOFError:
        process.join()
        raise RuntimeError(
            f"{case.way}, {case.columns} columns: the process ended with exit code {process.exitcode}; -9 may mean "
            "that memory ran out"
        ) from None
    finally:
        process.kill()
        process.join()
    if isinstance(found, str):
        raise RuntimeError(f"{case.way}, {case.columns} columns failed:\n{found}")
    return found


def _send(case: Case, there: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends this process
    try:
        there.send(carry_out(case))
    except Exception:
        there.send(traceback.format_exc())


def carry_out(case: Case) -> Record:
    """Train once, from opening the files to the last round; the figures of runs.jsonl."""
    from datasets import stream

    _warm_up(case)
    found: Record = {"way": case.way, "objective": case.objective, "columns": case.columns, "rows": case.rows}
    folder = tempfile.TemporaryDirectory(prefix="pages-", dir=case.folder)

    def train() -> None:
        import xgboost as xgb

        start = perf_counter()
        batches = stream("flights3m", rows=case.rows, encoding="as_numbers", data_dir=case.data_dir)
        data = binned(batches, case, Path(folder.name))
        del batches
        found["matrix"], found["seconds_binning"] = type(data).__name__, perf_counter() - start
        start = perf_counter()
        xgb.train(case.params(), data, case.rounds, obj=case.custom())
        found["seconds_per_round"] = (perf_counter() - start) / case.rounds
        found["disk_bytes"] = sum(path.stat().st_size for path in Path(folder.name).iterdir())

    try:
        peak = measure.extra_peak_bytes(train)
        if "seconds_per_round" not in found:  # memory cannot be measured on this system
            train()
    finally:
        # XGBoost may be removing its pages at the same time.
        with contextlib.suppress(OSError):
            folder.cleanup()
    return found | {"peak_bytes": None if peak is None else peak[0], "raw_bytes": case.raw_bytes}


def binned(batches: Any, case: Case, folder: Path) -> Any:
    """Bin the rows: batch by batch onto the disk, or all of them in memory first."""
    import xgboost as xgb

    from benchmarks.trainings.outofcore_batches import CrossedBatches, crossed

    if case.way == IN_MEMORY:
        rows = np.concatenate([batches.matrix(number) for number in range(len(batches.starts) - 1)])
        return xgb.QuantileDMatrix(crossed(rows, case.columns), batches.y, nthread=case.threads)
    if not hasattr(xgb, "ExtMemQuantileDMatrix"):  # before XGBoost 3.0: the bins stay in memory
        return xgb.QuantileDMatrix(CrossedBatches(batches, case.columns, None), nthread=case.threads)
    source = CrossedBatches(batches, case.columns, folder / "pages")
    return xgb.ExtMemQuantileDMatrix(source, nthread=case.threads)


def objective_bytes_per_row(rows: int = 1 << 19) -> Record:
    """NumPy's allocations for the objective, in bytes per row: at the peak of a call, and kept between calls.

    XGBoost's scores exist already and are not counted; the copy of the labels that it returns is.
    """
    import xgboost as xgb

    from hsboost import HypersimplexObjective

    rng = np.random.default_rng(0)
    scores = rng.normal(size=rows).astype(np.float32)
    moved = scores + rng.normal(0.0, 0.02, rows).astype(np.float32)  # by a tree
    data = xgb.DMatrix(scores[:, None], label=(scores + rng.normal(size=rows) > 1.0).astype(np.float32), nthread=1)
    HypersimplexObjective()(scores, data)  # compiled outside
    objective = HypersimplexObjective()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        result: Any = objective(scores, data)
        cold = tracemalloc.get_traced_memory()[1] - before
        result = None
        tracemalloc.reset_peak()
        result = objective(moved, data)
        warm = tracemalloc.get_traced_memory()[1] - before
        del result
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    return {"first_round": cold / rows, "later_rounds": warm / rows, "between_rounds": kept / rows}


def _warm_up(case: Case) -> None:
    """Import and compile everything whose memory does not depend on the rows."""
    import numba
    import xgboost as xgb

    numba.set_num_threads(min(case.threads, numba.config.NUMBA_NUM_THREADS))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(WARM_UP_ROWS, 4)).astype(np.float32)
    data = xgb.QuantileDMatrix(X, (X[:, 0] > 0).astype(np.float32), nthread=case.threads)
    xgb.train(case.params(), data, 2, obj=case.custom())
