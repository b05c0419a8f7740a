"""The GPU that is measured, through CuPy; or Numba's simulator, with which this code is tested."""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.suite.options import OptionError

PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "numba-cuda")
SIMULATOR = "Numba's simulator on the processor (its figures mean nothing)"


def need_gpu() -> None:
    """Raise OptionError without a GPU to measure, or without an XGBoost that can use it."""
    from hsboost import cuda
    from hsboost.cuda._device import simulated

    reason = cuda.missing()
    if reason is not None:
        raise OptionError(f"this benchmark needs a CUDA GPU and hsboost[gpu]: {reason}")
    if simulated():
        return
    import xgboost

    if not xgboost.build_info().get("USE_CUDA"):
        raise OptionError("this benchmark needs an XGBoost with CUDA: the one installed was built without")


def describe() -> dict[str, Any]:
    """Name the GPU: model, memory in GiB, compute capability, driver."""
    from hsboost.cuda._device import simulated

    if simulated():
        return {"name": SIMULATOR}
    cupy: Any = importlib.import_module("cupy")
    found = cupy.cuda.runtime.getDeviceProperties(0)
    return {
        "name": found["name"].decode(),
        "memory_gib": round(found["totalGlobalMem"] / 2**30, 1),
        "compute_capability": f"{found['major']}.{found['minor']}",
        "driver": _driver(),
        "cuda_runtime": cupy.cuda.runtime.runtimeGetVersion(),
    }


def _driver() -> str | None:
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.split()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def xgboost_device() -> str:
    """XGBoost's name of the device to train on."""
    from hsboost.cuda._device import simulated

    return "cpu" if simulated() else "cuda"


def binned(X: np.ndarray, y: np.ndarray, threads: int) -> Any:
    """A QuantileDMatrix whose bins are computed and kept on the device that grows the trees."""
    import xgboost as xgb

    if xgboost_device() == "cpu":
        return xgb.QuantileDMatrix(X, y, nthread=threads)
    cupy: Any = importlib.import_module("cupy")
    data = xgb.QuantileDMatrix(cupy.asarray(X), y, nthread=threads)
    cupy.get_default_memory_pool().free_all_blocks()  # the rows themselves are not needed any more
    return data


def copy_kernels() -> tuple[Callable[[Any, Any], None], Callable[..., None]]:
    """(copy(out, x), stream(x, y, gradient, hessian)): the least cost of moving the same bytes on the device."""
    from hsboost.cuda._device import simulated

    if simulated():
        return _copy, _stream
    cupy: Any = importlib.import_module("cupy")
    both = cupy.ElementwiseKernel("float32 x, float32 y", "float32 g, float32 h", "g = x - y; h = x + y", "stream")

    def copy(out: Any, x: Any) -> None:
        # Between two arrays of one device this is a cudaMemcpyAsync, the fastest copy of the driver.
        out.data.copy_from_device_async(x.data, x.nbytes, cupy.cuda.Stream.null)
        cupy.cuda.Stream.null.synchronize()

    def stream(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
        both(x, y, gradient, hessian)
        cupy.cuda.Stream.null.synchronize()

    return copy, stream


def _copy(out: np.ndarray, x: np.ndarray) -> None:
    np.copyto(out, x)


def _stream(x: np.ndarray, y: np.ndarray, gradient: np.ndarray, hessian: np.ndarray) -> None:
    np.subtract(x, y, out=gradient)
    np.add(x, y, out=hessian)
