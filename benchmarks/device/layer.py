"""The layer of PyTorch on the card, eager and compiled, against a sort there and against sort and PAV."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from benchmarks.calls.layer import COLUMNS
from benchmarks.device.parts import Step
from benchmarks.suite.measure import spread
from benchmarks.suite.store import Record

THRESHOLD, COMPILED, ENTROPIC, SORT, PAV = "threshold", "compiled", "entropic", "sort", "pav"
LABELS = {
    THRESHOLD: "threshold search",
    COMPILED: "threshold search, torch.compile",
    ENTROPIC: "entropic, threshold search",
    SORT: "torch.sort alone (what any sort costs at least)",
    PAV: "sort and PAV (copied to the processor and back)",
}
FORWARD, BOTH = "forward", "forward + backward"
REPEATS, SLOW_REPEATS = 25, 3
TINY_ROWS = 30


def timed(rows: int, methods: tuple[str, ...]) -> Step:
    """The step that times methods on scores (rows, 10) along dim 0, k a tenth of the rows, float32."""

    def step(tiny: bool) -> Record:
        import torch

        device = "cpu" if tiny else "cuda"
        n = TINY_ROWS if tiny else rows
        draw = torch.Generator(device).manual_seed(n)
        x = torch.randn(n, COLUMNS, device=device, generator=draw, requires_grad=True)
        up = torch.randn(n, COLUMNS, device=device, generator=draw)
        found: dict[str, dict[str, list[float]]] = {}
        for method in methods:
            way = _way(method, 0.1 * n, tiny)
            repeats = 1 if tiny else SLOW_REPEATS if method == PAV else REPEATS
            calls = {FORWARD: _forward(way, x), BOTH: _both(way, x, up)}
            if method == SORT:
                del calls[BOTH]
            found[method] = {kind: _seconds(call, repeats, tiny) for kind, call in calls.items()}
            shown = (f"{kind} {1e3 * spread(times).median:.4g} ms" for kind, times in found[method].items())
            print(f"  {method}: {', '.join(shown)}", flush=True)
        exact = _way(THRESHOLD, 0.1 * n, tiny)(x.detach().double())
        ours = _way(THRESHOLD, 0.1 * n, tiny)(x.detach())
        return {
            "rows": n,
            "columns": COLUMNS,
            "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
            "seconds": found,
            "difference_to_float64": float((ours.double() - exact).abs().max()),
            "largest_memory": torch.cuda.max_memory_allocated() if device == "cuda" else None,
        }

    return step


def _way(method: str, k: float, tiny: bool) -> Callable[[Any], Any]:
    import torch

    from hsboost.torch import soft_binary_argmax

    ways: dict[str, Callable[[Any], Any]] = {
        THRESHOLD: lambda t: soft_binary_argmax(t, k, dim=0),
        ENTROPIC: lambda t: soft_binary_argmax(t, k, dim=0, regularization="entropic"),
        SORT: lambda t: torch.sort(t.detach(), dim=0, descending=True).values,
        PAV: lambda t: soft_binary_argmax(t, k, dim=0, method="pav"),
    }
    if method == COMPILED:
        return torch.compile(ways[THRESHOLD], fullgraph=True, backend="aot_eager" if tiny else "inductor")
    return ways[method]


def _forward(way: Callable[[Any], Any], x: Any) -> Callable[[], None]:
    import torch

    def call() -> None:
        with torch.no_grad():
            way(x)

    return call


def _both(way: Callable[[Any], Any], x: Any, up: Any) -> Callable[[], None]:
    def call() -> None:
        x.grad = None
        way(x).backward(up)

    return call


def _seconds(call: Callable[[], None], repeats: int, tiny: bool) -> list[float]:
    """Wall time of calls that wait for the card, after two untimed ones."""
    import torch

    def wait() -> None:
        if not tiny:
            torch.cuda.synchronize()

    found = []
    for turn in range(2 + repeats if repeats > 1 else 1 + repeats):
        wait()
        start = perf_counter()
        call()
        wait()
        if turn >= (2 if repeats > 1 else 1):
            found.append(perf_counter() - start)
    return found


STEPS: dict[str, dict[str, Step]] = {
    "layer": {
        "1e6 x 10": timed(1_000_000, (THRESHOLD, ENTROPIC, SORT, PAV)),
        "8192 x 10": timed(8192, (THRESHOLD, ENTROPIC, SORT, PAV)),
        "8192 x 10 compiled": timed(8192, (THRESHOLD, COMPILED)),
        "1e6 x 10 compiled": timed(1_000_000, (THRESHOLD, COMPILED)),
    }
}
