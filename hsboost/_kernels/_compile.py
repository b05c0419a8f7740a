"""One kernel source, two compiled forms: serial for small arrays, threaded for large ones."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np

from hsboost._kernels._cache import attach

#: Rows per block. Two float64 blocks fit the first-level cache, so several candidates reuse one load from memory.
BLOCK = 4096

#: A constant that kernels hand to each other needs a type: Numba compiles a callee once for each literal number.
ZERO, ONE = np.int64(0), np.int64(1)

#: Below this many rows one thread is faster than several (measured with ``benchmarks kernels``).
PARALLEL_FROM = 131_072

#: Reassociation lets sums use vector lanes. NaN and inf keep their IEEE meaning: the finiteness check needs it.
FAST = {"reassoc", "contract", "nsz"}

#: For scores known to be free of NaN: minima and maxima use vector lanes too. Infinities keep their meaning.
FINITE = FAST | {"nnan"}

_launch = threading.Lock()
_here = threading.local()
_owner_pid = os.getpid()
_openmp_maximum: Any = None

_setting = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
#: Read at import, because Numba's OpenMP layer overwrites it when it starts.
_OMP_NUM_THREADS = int(_setting) if _setting.isdigit() and int(_setting) > 0 else 1 << 30


def njit(function: Any = None, **options: Any) -> Any:
    """``numba.njit`` for everything in this package: without the GIL, and stored on disk by `_cache`.

    Kernels are called from Python and from each other, never by C through a pointer: no wrapper is compiled for that.
    Functions with reassociation are inlined into their callers. Otherwise each caller would hold its own copy,
    optimised differently and so with other bits, and the copy that a process loads first would serve all callers.
    """
    if function is None:
        return lambda function: njit(function, **options)
    options |= {"nogil": True, "no_cfunc_wrapper": True, "forceinline": bool(options.get("fastmath"))}
    return _uncollected(attach(numba.njit(**options)(function)))


def inner(function: Any = None, **options: Any) -> Any:
    """`njit` for functions that only kernels call: wrappers for Python are a sixth of the compiler's work."""
    return njit(function, **options, no_cpython_wrapper=True)


def _uncollected(dispatcher: Any) -> Any:
    """Let garbage wait while a kernel is compiled or loaded, in both of which Numba makes objects by the ten thousand.

    Python then looks for garbage among all objects of the process, time and again: in a process with scikit-learn this
    takes a tenth of the first fit.
    """
    compile_for = getattr(dispatcher, "_compile_for_args", None)
    if compile_for is None:  # a plain function, under NUMBA_DISABLE_JIT
        return dispatcher

    def compile_for_args(*args: Any, **kwargs: Any) -> Any:
        if not gc.isenabled():
            return compile_for(*args, **kwargs)
        gc.disable()
        try:
            return compile_for(*args, **kwargs)
        finally:
            gc.enable()

    dispatcher._compile_for_args = compile_for_args
    return dispatcher


def as_input(array: np.ndarray, any_layout: bool = False) -> np.ndarray:
    """The array in the one form that kernels are compiled to read; a copy only where the memory layout differs.

    Contiguous, unless a kernel takes ``any_layout``; aligned; and without the read-only flag that memory maps,
    broadcasts, pandas columns and arrays from joblib and Dask have: Numba would compile every kernel a second time for
    it. Kernels may only read the result.
    """
    if array.flags.carray:  # contiguous, aligned and writeable: the usual case, and the cheapest check
        return array
    if not any_layout:
        array = np.ascontiguousarray(array)
    if not array.flags.aligned:
        return array.copy()
    return array if array.flags.writeable else np.asarray(_Unmarked(array))


class _Unmarked:
    """The memory of a read-only array without the read-only flag; keeps the array alive."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def _renamed(function: Callable[..., None], form: str) -> Callable[..., None]:
    """A copy with its own name: compiled forms on disk are identified by name, not by compiler options."""
    copy = types.FunctionType(function.__code__, function.__globals__, f"{function.__name__}_{form}")
    copy.__qualname__ = copy.__name__
    copy.__module__ = function.__module__
    return copy


def thread_count() -> int:
    """Threads that a kernel may use now: the least of Numba's number and OpenMP's.

    Numba's is ``NUMBA_NUM_THREADS`` or ``numba.set_num_threads``. OpenMP's is ``OMP_NUM_THREADS`` or what
    ``threadpoolctl``, joblib or a booster (``n_jobs``) sets on the OpenMP library that Numba uses. `at_most` lowers it.
    """
    return max(1, min(numba.get_num_threads(), _openmp_threads(), getattr(_here, "most", 1 << 30)))


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Limit the threads of kernels that this thread calls within the context."""
    before = getattr(_here, "most", 1 << 30)
    _here.most = min(before, threads)
    try:
        yield
    finally:
        _here.most = before


def _openmp_threads() -> int:
    global _openmp_maximum
    if _openmp_maximum is None:
        try:
            loaded = ctypes.CDLL("libgomp.so.1", mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        except (OSError, AttributeError):  # not loaded yet, or a platform without it
            return _OMP_NUM_THREADS
        _openmp_maximum = loaded.omp_get_max_threads
    return min(_OMP_NUM_THREADS, int(_openmp_maximum()))


class Kernel:
    """A loop over blocks (``numba.prange``) that runs serially or threaded, whichever is safe and faster.

    Numba's threading layers must not be entered from two threads at once (the fallback layer aborts the process)
    nor from a forked child (GNU OpenMP aborts). Both cases take the serial form, which gives the same bits. That
    is also the right choice for speed: in joblib or Dask workers the cores are busy already.

    ``block`` takes the same arguments and is called in its place where all rows are one block: the loop around it need
    not be compiled then.
    """

    def __init__(self, function: Callable[..., None], block: Callable[..., None] | None = None) -> None:
        self.serial = njit(_renamed(function, "serial"))
        self.block = block
        self._parallel_source = _renamed(function, "parallel")
        self._parallel: Any = None
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__

    @property
    def parallel(self) -> Any:
        """The threaded form; compiled when it is first needed."""
        if self._parallel is None:
            self._parallel = njit(self._parallel_source, parallel=True)
        return self._parallel

    def __call__(self, n: int, *args: Any) -> None:
        if n <= BLOCK and self.block is not None:
            self.block(*args)
            return
        # Check the process first: in a forked child even asking for the number of threads may hang.
        threads = thread_count() if n >= PARALLEL_FROM and os.getpid() == _owner_pid else 1
        if threads == 1 or not _launch.acquire(blocking=False):
            self.serial(*args)
            return
        usual = numba.get_num_threads()
        try:
            numba.set_num_threads(threads)
            self.parallel(*args)
        finally:
            numba.set_num_threads(usual)
            _launch.release()


class SumKernel(Kernel):
    """A kernel whose last argument takes so many ``kinds`` of sums for each block of rows: out[:, b] = block(…).

    ``block`` returns those of one block.
    """

    def __init__(self, function: Callable[..., None], block: Callable[..., tuple[float, ...]], kinds: int) -> None:
        super().__init__(function)
        self._sums_of_one = block
        self._kinds = kinds

    def totals(self, n: int, *args: Any) -> tuple[float, ...]:
        """The sums over all n rows, added up in the order of the blocks."""
        if 0 < n <= BLOCK:
            return self._sums_of_one(*args)
        out = np.empty((self._kinds, (n + BLOCK - 1) // BLOCK))
        if n:
            self(n, *args, out)
        return tuple(out.sum(axis=1).tolist())
