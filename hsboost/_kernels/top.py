"""The top k of many small groups at once, and the positives among them; `segments` says what a task is."""

from __future__ import annotations

import numpy as np
from numba import prange

from hsboost._kernels._compile import Kernel, inner
from hsboost._kernels.guess import last_in

#: Groups of more rows are left to NumPy, whose selection is faster there.
MOST_ROWS = 4096


@inner
def block_hits(score, y, w, mass):
    """Weight of the positives among the top ``mass``, where tied rows at the boundary share what is left evenly."""
    if mass <= 0.0:
        return 0.0
    last = last_in(score, w, mass)
    above = hits = tied = tied_hits = 0.0
    for i in range(score.size):
        wi = 1.0 if w is None else np.float64(w[i])
        yi = np.float64(y[i])
        if score[i] > last:
            above += wi
            hits += wi * yi
        elif score[i] == last:
            tied += wi
            tied_hits += wi * yi
    left = mass - above
    if w is None:
        return hits + left * tied_hits / tied
    share = min(max(left / tied, 0.0), 1.0) if tied > 0.0 else 0.0
    return hits + share * tied_hits


def _hits(score, y, w, offsets, first, mass, out):
    """out[s] = `block_hits` of segment s, if it has at most `MOST_ROWS` rows."""
    for t in prange(first.shape[1]):
        for s in range(first[0, t], first[1, t]):
            i, j = offsets[s], offsets[s + 1]
            if j - i <= MOST_ROWS:
                if w is None:
                    out[s] = block_hits(score[i:j], y[i:j], None, mass[s])
                else:
                    out[s] = block_hits(score[i:j], y[i:j], w[i:j], mass[s])


hits = Kernel(_hits)
