"""The options of the commands ``gpu-check`` and ``gpu-vision``."""

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


@dataclass(frozen=True)
class GpuVisionRequest(Request):
    """Train the paper's network on a GPU on the JPEG copy of CIFAR-10, for as many epochs as there is time for.

    Cross entropy and HyperSimplex (count and half), without validation rows, as in the paper. The number of epochs is
    chosen from the time of one of each, once for a folder. What it writes is that of the command vision; the same
    command goes on.
    """

    module: ClassVar[str] = "benchmarks.device.vision"

    minutes: Annotated[float, typer.Option(help="No epoch begins later.")] = 8.0
    epochs: Annotated[int | None, typer.Option(help="Epochs of each run. Default: what the time allows.")] = None
    seeds: Annotated[int, typer.Option(help="Number of seeds, 0 … N-1.")] = 1
    batches: Annotated[str, typer.Option(help="Batch sizes, separated by commas.")] = "512,4096"
    learning_rate: Annotated[float | None, typer.Option(help="Adam's step. Default: 1e-4, as in the paper.")] = None
    precision: Annotated[str, typer.Option(help="float32, tf32, bfloat16 (autocast).")] = "tf32"
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with cifar10/. Default: HSBOOST_REAL_DATA, then HSBOOST_DATA_DIR.")
    ] = None
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Digits and a tiny network on the processor: does it run?")
    ] = False
    threads: Threads = None
    out: Annotated[Path, typer.Option(help="Folder for the report and the runs.")] = Path("results/gpu-vision")
