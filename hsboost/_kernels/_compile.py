"""One kernel source, two compiled forms: serial for small arrays, threaded for large ones."""

from __future__ import annotations

import os
import threading
import types
from collections.abc import Callable
from typing import Any

import numba

#: Rows per block. Two float64 blocks fit the first-level cache, so several candidates reuse one load from memory.
BLOCK = 4096

#: Below this many rows one thread is faster than waking the others (measured with ``benchmarks kernels``).
PARALLEL_FROM = 131_072

#: Reassociation lets sums use vector lanes. NaN and inf keep their IEEE meaning: the finiteness check needs it.
FAST = {"reassoc", "contract", "nsz"}

_launch = threading.Lock()
_owner_pid = os.getpid()


def _renamed(function: Callable[..., None], form: str) -> Callable[..., None]:
    """A copy under a name of its own: Numba's disk cache tells functions apart by name, not by compiler options."""
    copy = types.FunctionType(function.__code__, function.__globals__, f"{function.__name__}_{form}")
    copy.__qualname__ = copy.__name__
    copy.__module__ = function.__module__
    return copy


class Kernel:
    """A loop over blocks (``numba.prange``) that runs serially or threaded, whichever is safe and faster.

    Numba's threading layers must not be entered from two threads at once (the fallback layer aborts the process)
    nor from a forked child (GNU OpenMP aborts). Both cases take the serial form, which gives the same bits. That
    is also the right choice for speed: in joblib or Dask workers the cores are taken already.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.serial = numba.njit(nogil=True, cache=True)(_renamed(function, "serial"))
        self._parallel_source = _renamed(function, "parallel")
        self._parallel: Any = None
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    @property
    def parallel(self) -> Any:
        """The threaded form; compiled when it is first needed."""
        if self._parallel is None:
            self._parallel = numba.njit(nogil=True, cache=True, parallel=True)(self._parallel_source)
        return self._parallel

    def __call__(self, n: int, *args: Any) -> None:
        # The process comes first: in a forked child even asking for the number of threads may hang.
        worth_it = n >= PARALLEL_FROM and os.getpid() == _owner_pid and numba.get_num_threads() > 1
        if worth_it and _launch.acquire(blocking=False):
            try:
                self.parallel(*args)
            finally:
                _launch.release()
        else:
            self.serial(*args)
