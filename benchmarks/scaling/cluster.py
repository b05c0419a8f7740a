"""The same case through `xgboost.dask`, on a cluster of local processes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.scaling import watch
from benchmarks.scaling.data import COLUMNS
from benchmarks.scaling.work import MAX_BIN, WARM_UP, Job, custom
from benchmarks.store import Record


def train(job: Job, advance: Callable[[], object]) -> list[Record]:
    """Carry out a case as a user of Dask would: ``xgboost.dask.train``, a partition on each worker."""
    from distributed import Client, LocalCluster
    from xgboost import dask as xgboost_dask

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
    """Keep a worker's output off the progress bar: XGBoost tells its ranks. Errors come back as errors."""
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
