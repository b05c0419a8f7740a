"""The GPU interface of the passes: memory from CuPy, launches through Numba.

`Gpu` is a CUDA device. `Simulated` has the same methods on the processor, for kernels in `numba.cuda`'s simulator
(``NUMBA_ENABLE_CUDASIM=1``): the callers and the kernels run unchanged, slowly, without a GPU.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, Protocol

import numba
import numpy as np

from hsboost.cuda._ahead import LOADS
from hsboost.cuda._kernels import KINDS, THREADS

#: Most blocks of a launch: 2^18 threads keep every processor of a large GPU busy. The same for every GPU, so that all
#: of them give the same bits.
MOST_BLOCKS = 1024

#: Least number of blocks: empty ones cost nothing, and Numba warns about fewer.
FEWEST_BLOCKS = 128


class Device(Protocol):
    """Arrays and launches on one device."""

    threads: int
    blocks: tuple[int, int]

    def current(self) -> AbstractContextManager[None]:
        """Make it the current device, and its default stream the current stream; wrap all work in this context."""
        ...

    def empty(self, shape: Any, dtype: Any) -> Any:
        """An uninitialised array on the device."""
        ...

    def upload(self, host: np.ndarray, into: Any = None) -> Any:
        """A copy on the device of a contiguous array, in ``into`` where its shape and dtype fit."""
        ...

    def download(self, array: Any) -> np.ndarray:
        """A copy in host memory, after everything launched so far."""
        ...

    def running_sum(self, counts: Any) -> Any:
        """Inclusive running sums of counts, int64."""
        ...

    def view(self, array: Any) -> Any:
        """The array in the form that kernels take; wrapping is slow, so wrap once."""
        ...

    def finish(self) -> None:
        """Wait for everything launched so far."""
        ...


def grid(device: Device, n: int, kinds: int = KINDS) -> tuple[int, int, int, int]:
    """Launch over n rows: blocks, threads, stream, bytes of shared memory. It depends on n only, not on the GPU.

    ``kinds`` sums are added up at once at most.
    """
    fewest, most = device.blocks
    return max(fewest, min(most, -(-n // (device.threads * LOADS)))), device.threads, 0, 8 * kinds * device.threads


def prepare_numba() -> None:
    """Have numba-cuda load what it knows of NumPy, as the first launch would.

    It looks up ``row_stack``, once another name of ``vstack``, which NumPy 2.5 no longer has; numba-cuda gets no
    release for that any more (its issue 907). The name is there while it looks.
    """
    target: Any = importlib.import_module("numba.cuda.descriptor").cuda_target
    dropped = {"row_stack"} - vars(np).keys()
    for name in dropped:
        setattr(np, name, np.vstack)
    try:
        target.typing_context.refresh()
        target.target_context.refresh()
    finally:
        for name in dropped:
            delattr(np, name)


class Gpu:
    """One CUDA device: CuPy's memory pool and the legacy default stream, on which Numba launches too."""

    threads, blocks = THREADS, (FEWEST_BLOCKS, MOST_BLOCKS)

    def __init__(self, ordinal: int) -> None:
        self.ordinal = ordinal
        self._cupy: Any = importlib.import_module("cupy")
        self._cuda: Any = importlib.import_module("numba.cuda")
        prepare_numba()

    def current(self) -> AbstractContextManager[None]:
        return self._current()

    @contextmanager
    def _current(self) -> Iterator[None]:
        with self._cupy.cuda.Device(self.ordinal), self._cuda.gpus[self.ordinal], self._cupy.cuda.Stream.null:
            yield

    def empty(self, shape: Any, dtype: Any) -> Any:
        return self._cupy.empty(shape, dtype)

    def upload(self, host: np.ndarray, into: Any = None) -> Any:
        if into is None or into.shape != host.shape or into.dtype != host.dtype:
            into = self._cupy.empty(host.shape, host.dtype)
        into.set(host)
        return into

    def download(self, array: Any) -> np.ndarray:
        return np.asarray(self._cupy.asnumpy(array))

    def running_sum(self, counts: Any) -> Any:
        return self._cupy.cumsum(counts, dtype=np.int64)

    def view(self, array: Any) -> Any:
        # Everything is on one stream: waiting for it here would cost more than the launch.
        return self._cuda.as_cuda_array(array, sync=False)

    def finish(self) -> None:
        self._cupy.cuda.Stream.null.synchronize()


class Simulated:
    """Host memory in place of device memory; few threads, because each one is a Python thread."""

    threads, blocks = 4, (1, 2)

    def __init__(self) -> None:
        # A NumPy array would be copied for each launch and back, so that passes would not work in place.
        self._view: Any = type(importlib.import_module("numba.cuda").device_array(1))

    def current(self) -> AbstractContextManager[None]:
        return nullcontext()

    def empty(self, shape: Any, dtype: Any) -> Any:
        # A recognisable value, so that tests fail if a kernel reads uninitialised memory.
        return np.full(shape, 77, dtype)

    def upload(self, host: np.ndarray, into: Any = None) -> Any:
        return np.array(host)

    def download(self, array: Any) -> np.ndarray:
        return np.array(array)

    def running_sum(self, counts: Any) -> Any:
        return np.cumsum(counts, dtype=np.int64)

    def view(self, array: Any) -> Any:
        return self._view(array)

    def finish(self) -> None:
        return None


def simulated() -> bool:
    """Whether `numba.cuda` is its simulator in this process."""
    return bool(getattr(numba.config, "ENABLE_CUDASIM", 0))


@cache
def missing() -> str | None:
    """Why the passes cannot run here, or None when they can. Determined once per process."""
    if simulated():
        return None
    try:
        cupy: Any = importlib.import_module("cupy")
    except Exception as error:  # a broken installation fails in many ways, and none of them may stop training
        return f"CuPy cannot be imported ({error}); install hsboost[gpu]"
    try:
        if cupy.cuda.runtime.getDeviceCount() < 1:
            return "CuPy finds no CUDA device"
        # Numba's own CUDA target, which lies beside the package and gets no more releases, cannot compile the kernels.
        if importlib.util.find_spec("numba_cuda") is None:
            return "numba-cuda is not installed; install hsboost[gpu]"
        cuda: Any = importlib.import_module("numba.cuda")
        if not cuda.is_available():
            return "numba.cuda finds no CUDA device or toolkit; install hsboost[gpu], which brings both"
        prepare_numba()
    except Exception as error:
        return f"CUDA does not start ({error})"
    return None


@cache
def device(ordinal: int) -> Device:
    """The device of that number, one object for each."""
    return Simulated() if simulated() else Gpu(ordinal)
