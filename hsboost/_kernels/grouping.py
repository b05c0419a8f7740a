"""Rows into the order of their groups and back: a counting sort whose rows are read, or written, as they lie.

A permutation of the rows would send every access to a place of its own. Here chunk b of the caller's rows knows where
its first row of each group goes, ``place[b, g]``, and takes its rows in order: each group's rows arrive one after the
other, so that as many places are in use as there are groups. The number of chunks changes no result: the order within a
group is that of the rows.
"""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import BLOCK, FAST, Kernel, inner, njit


@inner
def block_ends(labels):
    """(smallest, largest) label of one block."""
    least = most = labels[0]
    for i in range(labels.size):
        least = min(least, labels[i])
        most = max(most, labels[i])
    return least, most


def _ends(labels, out):
    """out[:, b] = `block_ends` of block b."""
    n = labels.size
    for b in prange(out.shape[1]):
        out[0, b], out[1, b] = block_ends(labels[b * BLOCK : min(n, (b + 1) * BLOCK)])


@inner
def block_number(labels, before, least, codes, count):
    """Codes of one chunk and how many rows have each; whether any label is below the one before it."""
    descents = 0
    for i in range(labels.size):
        label = labels[i]
        descents += 1 if label < before else 0
        before = label
        c = label - least
        codes[i] = c
        count[c] += 1
    return descents > 0


def _number(labels, least, codes, counts, descends):
    """codes = labels - least; counts[b, c] = rows with code c in chunk b; descends[b]: it is not in order."""
    n, chunks = codes.size, counts.shape[0]
    for b in prange(chunks):
        i, j = b * n // chunks, (b + 1) * n // chunks
        descends[b] = block_number(labels[i:j], labels[max(i - 1, 0)], least, codes[i:j], counts[b])


@inner
def block_sort(source, codes, at, out):
    """Rows of one chunk to their groups; ``at`` is where each group's next row goes."""
    for i in range(codes.size):
        c = codes[i]
        out[at[c]] = source[i]
        at[c] += 1


def _sort(source, codes, place, out):
    """The rows by group."""
    n, chunks = codes.size, place.shape[0]
    for b in prange(chunks):
        i, j = b * n // chunks, (b + 1) * n // chunks
        block_sort(source[i:j], codes[i:j], place[b].copy(), out)


@inner
def block_unsort(source, codes, at, out):
    """Rows of one chunk from their groups."""
    for i in range(codes.size):
        c = codes[i]
        out[i] = source[at[c]]
        at[c] += 1


def _unsort(source, codes, place, out):
    """Undo `sort`."""
    n, chunks = codes.size, place.shape[0]
    for b in prange(chunks):
        i, j = b * n // chunks, (b + 1) * n // chunks
        block_unsort(source, codes[i:j], place[b].copy(), out[i:j])


@njit(fastmath=FAST)
def block_values(x, codes, scale, where, out):
    """`gradient.block_values` for rows each of which has a group of its own: ``where[g]`` = (anchor, nu, margin)."""
    for i in range(x.size):
        at = where[codes[i]]
        v = (np.float64(x[i]) - at[0]) * scale - at[1]
        c = min(max(v, 0.0), 1.0)
        c = 0.0 if c <= at[2] else c
        out[i] = 1.0 if c >= 1.0 - at[2] else c


def _values(x, codes, scale, where, out):
    """The projections themselves, of rows in any order."""
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        block_values(x[i:j], codes[i:j], scale, where, out[i:j])


ends = Kernel(_ends)
number = Kernel(_number)
sort = Kernel(_sort)
unsort = Kernel(_unsort)
values = Kernel(_values)
