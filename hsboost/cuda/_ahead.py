"""Loading several rows at a time in a CUDA kernel.

In a file of its own: Numba's simulator exchanges the name ``cuda`` in the file of a device function while one of its
threads is inside, which no other thread may then need there.
"""

from __future__ import annotations

from typing import Any

from numba import cuda

#: Rows that a thread loads at a time: one leaves most of the memory bandwidth unused, because a load passes no store
#: and no branch.
LOADS = 4


@cuda.jit(device=True)
def rows_ahead(x: Any, i: Any, stride: Any, last: Any) -> Any:
    """The next `LOADS` of a thread's rows from row i on; those beyond the last are that one again."""
    return (
        x[i],
        x[min(i + stride, last)],
        x[min(i + 2 * stride, last)],
        x[min(i + 3 * stride, last)],
    )
