"""Options of ``python -m benchmarks kernels``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly, Threads


def kernels(
    sizes: Annotated[
        str | None, typer.Option(help="Rows, separated by commas: 1000,1e6. Default: 1e3 to 1e7 by powers of ten.")
    ] = None,
    dtypes: Annotated[str | None, typer.Option(help="float64, float32. Default: both.")] = None,
    distributions: Annotated[
        str | None, typer.Option(help="normal, heavy_tails, ties, margins, saturated. Default: all.")
    ] = None,
    budgets: Annotated[str | None, typer.Option(help="k: small (1 %), half, near (99 %). Default: all.")] = None,
    parts: Annotated[
        str | None,
        typer.Option(
            help="Groups and classes: many_sorted, many_shuffled, few_sorted, few_shuffled, columns_c, columns_f, or "
            "none. Default: all."
        ),
    ] = None,
    rivals: Annotated[
        str | None,
        typer.Option(
            help="numpy_newton, numpy_in_place, jaxopt, scipy_isotonic, pav, pav_into, entmax, or none. Default: all "
            "that are installed."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Samples per method (hsboost and the floors: three times as many).")] = 7,
    rival_seconds: Annotated[float, typer.Option(help="Seconds granted to each rival in each case.")] = 5.0,
    threads: Threads = None,
    full: Annotated[bool, typer.Option("--full", help="Every size with every distribution, k and weighting.")] = False,
    large: Annotated[bool, typer.Option("--large", help="Also 1e8 rows (about 8 GB of memory).")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/kernels"),
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Time the projection and the loss's step beside other solvers and the cost of touching memory.

    By default one shape of scores at all sizes, and all shapes at a million rows. Writes table.md, results.json,
    kernels.png and runs.jsonl into --out. Every finished case is kept: the same command goes on where it stopped.
    """
    from benchmarks.kernels import plan, run

    request = plan.Request(
        sizes=sizes,
        dtypes=dtypes,
        distributions=distributions,
        budgets=budgets,
        rivals=rivals,
        parts=parts,
        repeats=repeats,
        rival_seconds=rival_seconds,
        threads=threads,
        full=full,
        large=large,
        out=out,
        report_only=report_only,
        fresh=fresh,
    )
    carry_out(lambda: run.main(request))
