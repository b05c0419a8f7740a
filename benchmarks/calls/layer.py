"""The layer's own cost on the processor: forward and backward against the same layer with a sort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.suite import environment, measure, options, report, requirements
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.tables import Column, Table, markdown_table, print_table, table_of

FULL_ROWS, COLUMNS = 1_000_000, 10
TIMES_FASTER = 5.0
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
    import torch

    options.at_least(10, layer_rows=rows)
    options.at_least(1, repeats=repeats, threads=threads)
    console = console or report.default_console()
    report.check_writable(out)
    threads = threads or environment.available_cores()
    torch.set_num_threads(threads)
    with measure.pinned(threads):
        found = {dtype: time_layer(rows, dtype, repeats) for dtype in DTYPES}
    shared = {
        "settings": {"rows": rows, "columns": COLUMNS, "repeats": repeats, "threads": threads},
        "versions": environment.versions(("torch", "numpy", "numba")),
        "cpu": environment.hardware()["cpu"],
    }
    full = rows == FULL_ROWS
    required = [
        Requirement(
            f"Layer, forward + backward, {dtype}, 1e6 × {COLUMNS}: times faster than with a sort and PAV",
            ratio(found[dtype]) if full else None,
            TIMES_FASTER,
            at_least=True,
            note="" if full else f"needs {FULL_ROWS:,} rows",
        )
        for dtype in DTYPES
    ]
    place = environment.describe(threads)
    result = shared | {
        "environment_of_the_report": place,
        "seconds": found,
        "times_faster": {dtype: {kind: ratio(found[dtype], kind) for kind in ("forward", "both")} for dtype in DTYPES},
        "targets": [one.to_json() for one in required],
    }
    report.replace(out / "layer.json", json.dumps(result, indent=1, allow_nan=False) + "\n")
    shown = [requirements.table(required), _table(found, rows)]
    lines = ["# The layer's cost on the processor", ""]
    lines.append(
        f"* Medians of {repeats} repeats in turns, quartiles in brackets; scores normal, k a tenth of the rows."
    )
    for table in shown:
        lines += ["", f"## {table.title}", "", *markdown_table(table)]
    report.replace(out / "layer.md", "\n".join([*lines, "", *report.made_with(shared, place)]) + "\n")
    for table in reversed(shown):
        print_table(table, console)
    console.print(f"Wrote {out}: layer.md, layer.json.")
    return 0


def _table(found: dict[str, dict[str, dict[str, list[float]]]], rows: int) -> Table:
    def median(dtype: str, method: str, kind: str) -> str:
        spread = measure.spread(found[dtype][method][kind])
        return f"{1e3 * spread.median:.3g} ms ({1e3 * spread.low:.3g} … {1e3 * spread.high:.3g})"

    columns: list[Column[tuple[str, str]]] = [
        Column("dtype", lambda r: r[0]),
        Column("method", lambda r: LABELS[r[1]]),
        Column("forward", lambda r: median(*r, "forward")),
        Column("forward + backward", lambda r: median(*r, "both")),
        Column("times longer", lambda r: f"{ratio(found[r[0]]):.3g}×" if r[1] == "pav" else "1×"),
    ]
    title = f"soft_binary_argmax, {rows:,} rows × {COLUMNS} columns"
    return table_of(title, columns, [(dtype, method) for dtype in DTYPES for method in METHODS])
