"""The kernels against copies of the same arrays, and each pass alone at several sizes of its grid."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.calls.gpu import BIG, median, run_case
from benchmarks.device.parts import Step
from benchmarks.suite.store import Record

SAMPLES, TINY_SAMPLES, TINY_ROWS = 9, 1, 24
#: Launches of a pass that are timed together.
LAUNCHES = 20
#: Blocks of the grid: the usual most, and others beside it.
BLOCKS = (512, 1024, 2048, 4096)
TINY_BLOCKS = (2,)


def kernels(n: int, dtype: str) -> Step:
    """The step that times projection, loss step and round for n scores."""

    def step(tiny: bool) -> Record:
        found = run_case(TINY_ROWS if tiny else n, dtype, TINY_SAMPLES if tiny else SAMPLES)
        times = {name: median(found, name) for name in found["methods"]}
        print("  " + ", ".join(f"{name} {1e3 * (time or 0.0):.4g} ms" for name, time in times.items()), flush=True)
        return found

    return step


def passes(tiny: bool) -> Record:
    """Every pass over 1e8 float32 scores alone, by events on the card: milliseconds for each number of blocks."""
    from hsboost.cuda import _device, _entropic_kernels, _kernels

    n, blocks = (TINY_ROWS, TINY_BLOCKS) if tiny else (BIG, BLOCKS)
    place = _device.device(0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(n, np.float32)
    y = (x > 0.5).astype(np.float32)
    found: dict[str, dict[str, float]] = {}
    with place.current():
        scores, labels = (place.view(place.upload(array)) for array in (x, y))
        gradient, hessian = (place.view(place.empty(n, np.float32)) for _ in range(2))
        arrays = scores, labels, gradient, hessian
        for count in blocks:
            grid = count, place.threads, 0, 8 * _entropic_kernels.KINDS * place.threads
            for name, launch in _launches(place, grid, arrays, (_kernels, _entropic_kernels)).items():
                seconds = _timed(launch, 1 if tiny else LAUNCHES, tiny)
                found.setdefault(name, {})[str(count)] = seconds
    for name, times in found.items():
        print(f"  {name}: " + ", ".join(f"{count}: {1e3 * time:.4g} ms" for count, time in times.items()), flush=True)
    return {"n": n, "usual_blocks": place.blocks[1], "bytes": _bytes(n), "seconds": found}


def _bytes(n: int) -> dict[str, int]:
    """The bytes of the arrays that each pass reads and writes."""
    moved = {"sums": 4, "window": 4, "residuals": 8, "gradient": 16, "values": 8}
    entropic = {"entropic sums": 4, "entropic residuals": 8, "entropic gradient": 16, "entropic values": 8}
    return {name: each * n for name, each in (moved | entropic).items()}


def _launches(place: Any, grid: Any, arrays: Any, modules: Any) -> dict[str, Callable[[], None]]:
    """Each pass as a call; nothing is kept by `window`, whose threads have room for one row."""
    (x, y, a, b), (exact, smooth) = arrays, modules
    threads = grid[0] * grid[1]
    kept, counts = place.view(place.empty(threads, np.float32)), place.view(place.empty(threads, np.int32))
    sums = [place.view(place.empty((kinds, grid[0]), np.float64)) for kinds in (2, 3, 4, 6, 8)]
    two, three, four, six, eight = sums
    at, first = (0.0, 1.0, 0.5), (x, y, x, False, 1.0)
    return {
        "sums": lambda: exact.sums[grid](x, x, False, counts, False, *at, four),
        "window": lambda: exact.window[grid](
            x, x, False, counts, False, 0.0, 1.0, 9.0, 9.05, kept, kept, counts, 1, six
        ),
        "residuals": lambda: exact.residuals[grid](*first, *at, two),
        "gradient": lambda: exact.gradient[grid](*first, *at, *(0.1,) * 6, a, b),
        "values": lambda: exact.values[grid](x, *at, 0.0, a),
        "entropic sums": lambda: smooth.sums[grid](x, x, False, *at, eight),
        "entropic residuals": lambda: smooth.residuals[grid](*first, *at, 1.0, three),
        "entropic gradient": lambda: smooth.gradient[grid](*first, *at, *(0.1,) * 6, a, b),
        "entropic values": lambda: smooth.values[grid](x, *at, a),
    }


def _timed(launch: Callable[[], None], launches: int, tiny: bool) -> float:
    """Seconds of a launch on the card; on the processor, in the simulator."""
    launch()
    if tiny:
        start = perf_counter()
        launch()
        return perf_counter() - start
    cupy: Any = importlib.import_module("cupy")
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    begin.record()
    for _ in range(launches):
        launch()
    end.record()
    end.synchronize()
    return float(cupy.cuda.get_elapsed_time(begin, end)) / 1e3 / launches


STEPS: dict[str, dict[str, Step]] = {
    "kernels": {"1e8 float32": kernels(BIG, "float32")},
    "passes": {"1e8 float32": passes},
    "more-kernels": {
        "1e6 float32": kernels(1_000_000, "float32"),
        "1e7 float32": kernels(10_000_000, "float32"),
        "1e7 float64": kernels(10_000_000, "float64"),
    },
}
