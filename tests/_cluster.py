"""Small Dask clusters of real processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def local_cluster(n_workers: int = 2) -> Iterator[Any]:
    """So many worker processes with one thread each; the test is skipped where Dask is absent."""
    pytest.importorskip("dask.dataframe", reason="needs dask[dataframe]")
    distributed = pytest.importorskip("distributed", reason="needs distributed")
    with distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=True, dashboard_address=":0", memory_limit=None
    ) as cluster:
        yield cluster


@contextmanager
def client_of(cluster: Any) -> Iterator[Any]:
    """A client of all workers of a cluster; Dask's default one meanwhile."""
    from distributed import Client

    with Client(cluster) as client:
        client.wait_for_workers(len(cluster.workers))
        yield client


@contextmanager
def local_client(n_workers: int = 2) -> Iterator[Any]:
    """A client of a cluster of its own, for tests that end or block its workers."""
    with local_cluster(n_workers) as cluster, client_of(cluster) as client:
        yield client
