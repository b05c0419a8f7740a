"""Matrices whose columns are problems, in the order in which rows come."""

from __future__ import annotations

from numba import prange

from hsboost._kernels._compile import Kernel

#: Rows that a thread takes at a time: with a few columns they fit the second-level cache.
TILE = 4096
#: Columns that it takes at a time: more streams at once than a core can follow cost more than reading rows again.
STREAMS = 16


def _transpose(a, out):
    """out[c, i] = a[i, c]."""
    n, columns = a.shape
    tiles = (n + TILE - 1) // TILE
    for task in prange(tiles * ((columns + STREAMS - 1) // STREAMS)):
        b, first = task % tiles, task // tiles * STREAMS
        for c in range(first, min(columns, first + STREAMS)):
            for i in range(b * TILE, min(n, (b + 1) * TILE)):
                out[c, i] = a[i, c]


transpose = Kernel(_transpose)
