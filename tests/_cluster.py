"""A small Dask cluster of real processes, for one module's tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def local_client(n_workers: int = 2) -> Iterator[Any]:
    """A client of so many worker processes with one thread each; the module is skipped where Dask is absent."""
    pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    with (
        distributed.LocalCluster(
            n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.wait_for_workers(n_workers)
        yield client
