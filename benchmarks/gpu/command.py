"""Options of ``python -m benchmarks gpu``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly, Threads


def gpu(
    sizes: Annotated[
        str | None, typer.Option(help="Scores of the kernels, separated by commas, or none. Default: 1e6,1e7,1e8.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Rows of the trainings, separated by commas, or none. Default: 1e6,1e7.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 100,
    repeats: Annotated[int, typer.Option(help="Trainings of each objective; five samples of a kernel for each.")] = 5,
    threads: Threads = None,
    large: Annotated[bool, typer.Option("--large", help="Also train on 5e7 rows (about 20 GB of memory).")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and what is finished.")] = Path("results/gpu"),
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Time the GPU path beside copies on the same GPU, built-in log loss and the processor's objective.

    Needs a CUDA device and the packages of the extra gpu. Writes table.md, results.json, gpu.png and runs.jsonl into
    --out. Every finished size and turn (each objective trained once) is kept: the same command goes on where it
    stopped.
    """
    from benchmarks.gpu import plan, run

    request = plan.Request(
        sizes=sizes,
        rows=rows,
        rounds=rounds,
        repeats=repeats,
        threads=threads,
        large=large,
        out=out,
        report_only=report_only,
        fresh=fresh,
    )
    carry_out(lambda: run.main(request))
