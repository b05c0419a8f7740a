"""Matrices whose columns are problems, in the order in which rows come."""

from __future__ import annotations

from numba import prange

from hsboost._kernels._compile import BLOCK, Kernel

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


def _one_hot(labels, out):
    """out[c, i] = 1 where labels[i] = c, and 0 elsewhere."""
    n = labels.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        part = labels[b * BLOCK : min(n, (b + 1) * BLOCK)]
        for c in range(out.shape[0]):
            column = out[c, b * BLOCK : min(n, (b + 1) * BLOCK)]
            for i in range(part.size):
                column[i] = 1.0 if part[i] == c else 0.0


transpose = Kernel(_transpose)
one_hot = Kernel(_one_hot)
