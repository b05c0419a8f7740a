"""The options of the commands ``kernels`` and ``losses``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from benchmarks.suite.options import Request, Threads


@dataclass(frozen=True)
class KernelsRequest(Request):
    """Time the projection and the loss's step against other solvers and the cost of memory access.

    By default one shape of scores at all sizes, and all shapes at a million rows. Writes table.md, results.json,
    kernels.png and runs.jsonl into --out. Every finished case is kept: the same command resumes where it stopped.
    """

    module: ClassVar[str] = "benchmarks.calls.kernels"

    sizes: Annotated[
        str | None, typer.Option(help="Rows, separated by commas: 1000,1e6. Default: 1e3 to 1e7 by powers of ten.")
    ] = None
    dtypes: Annotated[str | None, typer.Option(help="float64, float32. Default: both.")] = None
    distributions: Annotated[
        str | None, typer.Option(help="normal, heavy_tails, ties, margins, saturated. Default: all.")
    ] = None
    budgets: Annotated[str | None, typer.Option(help="k: small (1 %), half, near (99 %). Default: all.")] = None
    parts: Annotated[
        str | None,
        typer.Option(
            help="Groups and classes: many_sorted, many_shuffled, few_sorted, few_shuffled, columns_c, columns_f, or "
            "none. Default: all."
        ),
    ] = None
    rivals: Annotated[
        str | None,
        typer.Option(
            help="numpy_newton, numpy_in_place, jaxopt, scipy_isotonic, pav, pav_into, entmax, or none. Default: all "
            "that are installed."
        ),
    ] = None
    repeats: Annotated[int, typer.Option(help="Samples per method (hsboost and the floors: three times as many).")] = 7
    rival_seconds: Annotated[float, typer.Option(help="Seconds granted to each rival in each case.")] = 5.0
    threads: Threads = None
    full: Annotated[bool, typer.Option("--full", help="Every size with every distribution, k and weighting.")] = False
    large: Annotated[bool, typer.Option("--large", help="Also 1e8 rows (about 8 GB of memory).")] = False
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/kernels")


@dataclass(frozen=True)
class LossesRequest(Request):
    """Time the losses' gradients by number of classes: EXACT against Genz's sampling, softmax family, sampled softmax.

    Writes table.md, results.json, losses.png and runs.jsonl into --out. Every finished case is kept: the same command
    resumes where it stopped.
    """

    module: ClassVar[str] = "benchmarks.calls.losses"

    families: Annotated[str | None, typer.Option(help="exact, softmax, sampled. Default: all.")] = None
    classes: Annotated[
        str | None, typer.Option(help="Numbers of classes, separated by commas. Default: each family's own.")
    ] = None
    repeats: Annotated[int, typer.Option(help="Samples per method.")] = 9
    scale: Annotated[float, typer.Option(help="Share of the usual rows, for a quick look.")] = 1.0
    threads: Annotated[int | None, typer.Option(help="Threads. Default: 1, for the cost of a row.")] = None
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/losses")
