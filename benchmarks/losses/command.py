"""Options of ``python -m benchmarks losses``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly


def losses(
    families: Annotated[str | None, typer.Option(help="exact, softmax, sampled. Default: all.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Numbers of classes, separated by commas. Default: each family's own.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Samples per method.")] = 9,
    scale: Annotated[float, typer.Option(help="Share of the usual rows, for a quick look.")] = 1.0,
    threads: Annotated[int | None, typer.Option(help="Threads. Default: 1, for the cost of a row.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/losses"),
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Time the losses' gradients by number of classes: EXACT beside Genz's sampling, softmax family, sampled softmax.

    Writes table.md, results.json, losses.png and runs.jsonl into --out. Every finished case is kept: the same command
    goes on where it stopped.
    """
    from benchmarks.losses import plan, run

    request = plan.Request(
        families=families,
        classes=classes,
        repeats=repeats,
        scale=scale,
        threads=threads,
        out=out,
        report_only=report_only,
        fresh=fresh,
    )
    carry_out(lambda: run.main(request))
