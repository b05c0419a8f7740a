"""The layer's own cost on the processor: forward and backward beside the same layer with a sort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import environment, measure
from benchmarks import targets as promised
from benchmarks.output import Cell, Table, check_writable, default_console, made_with, markdown_table, print_table
from benchmarks.output import replace as write
from benchmarks.targets import Target
from benchmarks.vision.plan import need_torch

FULL_ROWS, COLUMNS = 1_000_000, 10
PROMISE = 5.0
METHODS = ("threshold", "pav")
LABELS = {"threshold": "threshold search", "pav": "sort and pool adjacent violators"}
DTYPES = ("float32", "float64")


def time_layer(rows: int, dtype: str, repeats: int) -> dict[str, dict[str, list[float]]]:
    """Seconds of forward and of forward + backward, by method, taken in turns; scores (rows, 10) along dim 0."""
    import torch

    from hsboost.torch import soft_binary_argmax

    draw = torch.Generator().manual_seed(rows)
    kind = getattr(torch, dtype)
    x = torch.randn(rows, COLUMNS, dtype=kind, generator=draw, requires_grad=True)
    up = torch.randn(rows, COLUMNS, dtype=kind, generator=draw)

    def forward(method: Any) -> Any:
        with torch.no_grad():
            return soft_binary_argmax(x, 0.1 * rows, dim=0, method=method)

    def both(method: Any) -> None:
        x.grad = None
        soft_binary_argmax(x, 0.1 * rows, dim=0, method=method).backward(up)

    calls = {f"{kind} {method}": (lambda f=f, m=method: f(m)) for method in METHODS
             for kind, f in (("forward", forward), ("both", both))}  # fmt: skip
    for call in calls.values():
        call()  # compiles
    times = measure.interleaved(calls, dict.fromkeys(calls, 1), dict.fromkeys(calls, repeats))
    return {method: {kind: times[f"{kind} {method}"] for kind in ("forward", "both")} for method in METHODS}


def ratio(found: dict[str, dict[str, list[float]]], kind: str = "both") -> float:
    """How many times longer the sort takes, by medians."""
    return measure.spread(found["pav"][kind]).median / measure.spread(found["threshold"][kind]).median


def main(rows: int, repeats: int, threads: int | None, out: Path, console: Console | None = None) -> int:
    """Carry out ``python -m benchmarks vision --layer``; returns the exit code, or raises OptionError."""
    need_torch()
    import torch

    console = console or default_console()
    check_writable(out)
    threads = threads or environment.available_cores()
    torch.set_num_threads(threads)
    with measure.pinned(threads):
        found = {dtype: time_layer(rows, dtype, repeats) for dtype in DTYPES}
    shared = {
        "settings": {"rows": rows, "columns": COLUMNS, "repeats": repeats, "threads": threads},
        "versions": environment.versions(("torch", "numpy", "numba")),
        "cpu": environment.hardware()["cpu"],
    }
    promises = [
        Target(
            f"Layer, forward + backward, {dtype}, 1e6 × {COLUMNS}: times faster than with a sort and PAV",
            ratio(found[dtype]) if rows == FULL_ROWS else None, PROMISE, at_least=True,
            note="" if rows == FULL_ROWS else f"needs {FULL_ROWS:,} rows",
        )
        for dtype in DTYPES
    ]  # fmt: skip
    place = environment.describe(threads)
    result = shared | {
        "environment_of_the_report": place,
        "seconds": found,
        "times_faster": {dtype: {kind: ratio(found[dtype], kind) for kind in ("forward", "both")} for dtype in DTYPES},
        "targets": [target.to_json() for target in promises],
    }
    write(out / "layer.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    shown = [promised.table(promises), _table(found, rows)]
    lines = ["# The layer's cost on the processor", ""]
    lines.append(
        f"* Medians of {repeats} repeats in turns, quartiles in brackets; scores normal, k a tenth of the rows."
    )
    for table in shown:
        lines += ["", f"## {table.title}", "", *markdown_table(table)]
    write(out / "layer.md", "\n".join([*lines, "", *made_with(shared, place)]) + "\n")
    for table in reversed(shown):
        print_table(table, console)
    console.print(f"Wrote {out}: layer.md, layer.json.")
    return 0


def _table(found: dict[str, dict[str, dict[str, list[float]]]], rows: int) -> Table:
    lines = []
    for dtype in DTYPES:
        for method in METHODS:
            cells = []
            for kind in ("forward", "both"):
                spread = measure.spread(found[dtype][method][kind])
                cells.append(Cell(f"{1e3 * spread.median:.3g} ms ({1e3 * spread.low:.3g} … {1e3 * spread.high:.3g})"))
            times = Cell(f"{ratio(found[dtype]):.3g}×" if method == "pav" else "1×")
            lines.append([Cell(dtype), Cell(LABELS[method]), *cells, times])
    header = ["dtype", "method", "forward", "forward + backward", "times longer"]
    return Table(f"soft_binary_argmax, {rows:,} rows × {COLUMNS} columns", list(map(Cell, header)), lines)
