"""Worker processes under XGBoost's own tracker: the engine of `xgboost.dask`, without a scheduler beside it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import queue
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.scaling.work import Job, train_part
from benchmarks.store import Record

HOST = "127.0.0.1"
#: Seconds between two looks at whether all processes are alive.
LOOK = 2.0


def train(job: Job, advance: Callable[[], object]) -> list[Record]:
    """Carry out a case on ``job.workers`` new processes; what they noted, worker after worker.

    Whatever ends this call, Ctrl-C too, kills them. Raises RuntimeError where a worker failed or died.
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
            # It complains of workers that were killed; they were.
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
    # XGBoost tells its ranks on the terminal, across the progress bar.
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
