"""Rows dealt out to workers, and what a worker's part of a hypersimplex problem is."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import strategies as st

from hsboost._solver.search import scale_of
from hsboost._workers.communicator import Workers
from hsboost._workers.rows import WorkerRows
from hsboost._workers.search import find_distributed

#: Shares of the rows: even, uneven, with workers that have none.
DEALS = [(1.0,), (0.5, 0.5), (0.1, 0.9), (0.0, 1.0), (0.3, 0.0, 0.7), (0.25, 0.25, 0.25, 0.25)]
deals = st.sampled_from(DEALS)


def parts(n, deal):
    """Slices of n rows, one for each worker."""
    ends = np.round(np.cumsum([0.0, *deal]) * n).astype(int)
    return [slice(a, b) for a, b in itertools.pairwise(ends)]


def of(a, at):
    return None if a is None else a[at]


def single_rows(x, y, w, at):
    """One worker's rows of one problem."""
    x, y, w = x[at], y[at].astype(np.float32), of(w, at)
    return WorkerRows(x, y, w, np.array([0, x.size], np.intp))


def search(workers: Workers, x, y, w, k, temperature, deal, guess=None):
    """What a worker finds: `Found`, and what it sent."""
    at = parts(x.size, deal)[workers.rank]
    total = np.array([float(x.size if w is None else w.sum(dtype=np.float64))])
    rows = single_rows(x, y, w, at)
    found = find_distributed(workers, rows, np.array([float(k)]), total, scale_of(temperature), guess)
    return found, workers.traffic
