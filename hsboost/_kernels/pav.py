"""Pool adjacent violators: the reduction of the paper (sorted scores minus a vertex, isotonic regression)."""

from __future__ import annotations

from hsboost._kernels._compile import njit


@njit
def vertex(w, k, out):
    """Fill the total mass k from the front: w[0] out[0] + w[1] out[1] + … = k with out in [0, 1]."""
    left = k
    for i in range(out.size):
        wi = 1.0 if w is None else w[i]
        if wi <= 0.0:
            out[i] = 1.0 if left > 0.0 else 0.0
        elif left >= wi:
            out[i] = 1.0
            left -= wi
        else:  # what rounding would leave of it here is much for a row of little weight
            out[i] = left / wi
            left = 0.0


@njit
def pool(z, scale, s, w, first, relative, weight, last):
    """Weighted non-increasing isotonic regression of z·scale - s, z sorted descending; returns the number of blocks.

    A block is kept as (first row, mean relative to that row's z), so that no digits are lost when z is huge:
    its level is z[first]·scale + relative. ``last`` is one past the block's end.
    """
    blocks = 0
    for i in range(z.size):
        first[blocks] = i
        relative[blocks] = -s[i]
        weight[blocks] = 1.0 if w is None else w[i]
        last[blocks] = i + 1
        blocks += 1
        while blocks > 1:
            p, q = blocks - 2, blocks - 1
            drop = (z[first[p]] - z[first[q]]) * scale
            if drop + (relative[p] - relative[q]) > 0.0:
                break
            total = weight[p] + weight[q]
            if weight[q] > 0.0:
                relative[p] += (relative[q] - drop - relative[p]) * (weight[q] / total)
            weight[p] = total
            last[p] = last[q]
            blocks -= 1
    return blocks


@njit
def fractional_block(z, scale, first, relative, last, blocks, margin):
    """(first row, relative level) of the block that holds values strictly between 0 and 1 (by ``margin``), and
    how many values are 1; the row is -1 when every value is 0 or 1. Values are z·scale - level of the row's block."""
    row = -1
    level = 0.0
    ones = 0
    for b in range(blocks):
        anchor = z[first[b]]
        for i in range(first[b], last[b]):
            y = (z[i] - anchor) * scale - relative[b]
            if y >= 1.0 - margin:
                ones += 1
            elif y > margin:
                row = first[b]
                level = relative[b]
    return row, level, ones
