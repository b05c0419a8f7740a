"""The options of the command ``gpu-check``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from benchmarks.suite.options import Request, Threads


@dataclass(frozen=True)
class GpuCheckRequest(Request):
    """Run the tests on a GPU, compare its results with the processor's, and time it, all within a few minutes.

    Each part runs in a process with a time limit, in order of worth: one that fails, crashes or takes too long is
    recorded, and the next begins. Writes table.md, results.json, runs.jsonl and log.txt into --out. Every finished step
    is kept: the same command makes the missing ones.
    """

    module: ClassVar[str] = "benchmarks.device.check"

    minutes: Annotated[float, typer.Option(help="No part runs longer than until then.")] = 8.0
    parts: Annotated[
        str | None,
        typer.Option(
            help="environment, cuda-tests, equality, kernels, training, layer, torch-tests, passes, more-kernels, "
            "more-training. Default: all, in this order."
        ),
    ] = None
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Tiny sizes in Numba's simulator and on the processor: does it run?")
    ] = False
    threads: Threads = None
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished steps.")] = Path("results/gpu-check")
