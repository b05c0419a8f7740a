"""One case: both objectives train the same trees in turn, on processes under XGBoost's tracker or on Dask's workers."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suite.store import Record
from benchmarks.trainings.objectives import HYPERSIMPLEX, LARGE_PARAMS, LOG_LOSS, hypersimplex, large_params
from benchmarks.trainings.scaling_data import COLUMNS, Table

OBJECTIVES = (HYPERSIMPLEX, LOG_LOSS)
MAX_BIN = 256
PARAMS = LARGE_PARAMS | {"max_bin": MAX_BIN}
WARM_UP_ROUNDS, WARM_UP = 3, -1
HOST = "127.0.0.1"
#: Seconds between two checks that all processes are alive.
LOOK = 2.0


@dataclass(frozen=True)
class Job:
    """A case from the view of one worker; ``threads`` are those of one worker."""

    table: Table
    rows: int
    workers: int
    threads: int
    rounds: int
    repeats: int

    def params(self, objective: str) -> dict[str, Any]:
        """Return the booster's settings for one objective."""
        return PARAMS | large_params(objective, self.threads)

    def trainings(self) -> list[tuple[str, int, int]]:
        """List (objective, repeat, rounds) in order: a warm-up of both first, then turns that rotate."""
        found = [(name, WARM_UP, min(WARM_UP_ROUNDS, self.rounds)) for name in OBJECTIVES]
        for repeat in range(self.repeats):
            order = OBJECTIVES if repeat % 2 == 0 else OBJECTIVES[::-1]
            found += [(name, repeat, self.rounds) for name in order]
        return found


def custom(objective: str) -> Any:
    """Make the objective for `xgb.train`, None for the built-in one."""
    from benchmarks.trainings.scaling_watch import Watched

    return Watched(hypersimplex()) if objective == HYPERSIMPLEX else None


def train_part(job: Job, rank: int, done: Callable[[], object]) -> list[Record]:
    """Train on this worker's rows, inside the communicator if there are several; ``done`` is called after each."""
    import numba
    import xgboost as xgb

    from benchmarks.trainings import scaling_watch as watch

    numba.set_num_threads(min(job.threads, numba.config.NUMBA_NUM_THREADS))
    # Passed as an expression, so that the rows are freed once they are binned.
    data = xgb.QuantileDMatrix(*job.table.part(job.rows, job.workers, rank), nthread=job.threads, max_bin=MAX_BIN)
    bins = len(data.get_quantile_cut()[1])
    for objective, repeat, rounds in job.trainings():
        clock = watch.Clock(objective, repeat)
        xgb.train(job.params(objective), data, rounds, obj=custom(objective), callbacks=[clock])
        done()
    return [found | {"bins": bins} for found in watch.take() if found["repeat"] != WARM_UP]


# ---- processes under XGBoost's own tracker: the engine of `xgboost.dask`, without a scheduler --------------------


def train_on_processes(job: Job, advance: Callable[[], object]) -> list[Record]:
    """Carry out a case on ``job.workers`` new processes; returns their records, worker by worker.

    The processes are killed when this call ends for any reason, Ctrl-C included. Raises RuntimeError if a worker failed
    or died.
    """
    context = multiprocessing.get_context("spawn")
    news = context.Queue()
    tracker, connection = _start_tracker(job.workers)
    processes = [
        context.Process(target=_worker, args=(job, rank, connection, news), daemon=True) for rank in range(job.workers)
    ]
    try:
        for process in processes:
            process.start()
        return _collect(job, processes, news, advance)
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()
        if tracker is not None:
            # It reports workers that were killed, which is expected here.
            with contextlib.suppress(Exception):
                tracker.free()


def _start_tracker(workers: int) -> tuple[Any, dict[str, Any] | None]:
    if workers == 1:
        return None, None
    from xgboost.tracker import RabitTracker

    tracker = RabitTracker(n_workers=workers, host_ip=HOST, sortby="task")
    tracker.start()
    return tracker, tracker.worker_args()


def _collect(job: Job, processes: list[Any], news: Any, advance: Callable[[], object]) -> list[Record]:
    done: dict[int, list[Record]] = {}
    while len(done) < len(processes):
        try:
            kind, rank, content = news.get(timeout=LOOK)
        except queue.Empty:
            for rank, process in enumerate(processes):
                if rank not in done and process.exitcode is not None:
                    said = _log_of(job, rank).read_text(encoding="utf-8", errors="replace")[-2000:]
                    raise RuntimeError(
                        f"worker {rank} ended with exit code {process.exitcode}; it said:\n{said}"
                    ) from None
            continue
        if kind == "failed":
            raise RuntimeError(f"worker {rank} failed:\n{content}")
        if kind == "done":
            done[rank] = content
        elif rank == 0:
            advance()
    return [found for rank in sorted(done) for found in done[rank]]


def _log_of(job: Job, rank: int) -> Path:
    return job.table.features.with_name(f"worker-{rank}.log")


def _worker(job: Job, rank: int, connection: dict[str, Any] | None, news: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends its workers
    # XGBoost prints its ranks on the terminal, over the progress bar.
    with _log_of(job, rank).open("wb") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    try:
        with contextlib.ExitStack() as stack:
            if connection is not None:
                from xgboost import collective

                named = connection | {"dmlc_task_id": f"{rank:04d}"}
                stack.enter_context(collective.CommunicatorContext(**named))
            found = train_part(job, rank, lambda: news.put(("trained", rank, None)))
        news.put(("done", rank, found))
    except Exception:
        news.put(("failed", rank, traceback.format_exc()))


# ---- `xgboost.dask`, on a cluster of local processes ---------------------------------------------------------------


def train_under_dask(job: Job, advance: Callable[[], object]) -> list[Record]:
    """Carry out a case like a user of Dask: ``xgboost.dask.train``, one partition on each worker."""
    from distributed import Client, LocalCluster
    from xgboost import dask as xgboost_dask

    from benchmarks.trainings import scaling_watch as watch

    with (
        LocalCluster(
            n_workers=job.workers,
            threads_per_worker=job.threads,
            processes=True,
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        client.wait_for_workers(job.workers)
        client.run(_quiet)
        X, y = _arrays(client, job)
        data = xgboost_dask.DaskQuantileDMatrix(client, X, y, max_bin=MAX_BIN)
        for objective, repeat, rounds in job.trainings():
            xgboost_dask.train(
                client,
                job.params(objective),
                data,
                num_boost_round=rounds,
                obj=custom(objective),
                callbacks=[watch.Clock(objective, repeat)],
            )
            advance()
        noted = client.run(watch.take)
    found = [record for records in noted.values() for record in records if record["repeat"] != WARM_UP]
    return sorted(found, key=lambda record: record["rank"])


def _quiet() -> None:
    """Keep a worker's output off the progress bar: XGBoost prints its ranks. Errors are still raised."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _arrays(client: Any, job: Job) -> tuple[Any, Any]:
    """Features and labels as Dask arrays of one block per worker, each on its own."""
    import dask.array as da

    addresses = sorted(client.nthreads())
    blocks: tuple[list[Any], list[Any]] = ([], [])
    for rank, address in enumerate(addresses):
        size = (rank + 1) * job.rows // job.workers - rank * job.rows // job.workers
        for which, shape in enumerate([(size, COLUMNS), (size,)]):
            block = client.submit(_block, job, rank, which, workers=[address], pure=False)
            blocks[which].append(da.from_delayed(block, shape, np.float32))
    return da.concatenate(blocks[0]), da.concatenate(blocks[1])


def _block(job: Job, rank: int, which: int) -> np.ndarray:
    return np.ascontiguousarray(job.table.part(job.rows, job.workers, rank)[which])
