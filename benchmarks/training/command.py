"""Options of ``python -m benchmarks training``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly, Threads


def training(
    rows: Annotated[str | None, typer.Option(help="Rows, separated by commas. Default: 1e5,1e6.")] = None,
    boosters: Annotated[str | None, typer.Option(help="xgboost, lightgbm. Default: both.")] = None,
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 100,
    repeats: Annotated[int, typer.Option(help="Trainings of each objective.")] = 3,
    threads: Threads = None,
    large: Annotated[bool, typer.Option("--large", help="Also 5e6 rows.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished turns.")] = Path("results/training"),
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Time training with HyperSimplex beside log loss, L2 and the cheapest custom objective, with both boosters.

    Writes table.md, results.json, training.png and runs.jsonl into --out. Every finished turn (each objective
    trained once) is kept: the same command goes on where it stopped.
    """
    from benchmarks.training import plan, run

    request = plan.Request(
        rows=rows,
        boosters=boosters,
        rounds=rounds,
        repeats=repeats,
        threads=threads,
        large=large,
        out=out,
        report_only=report_only,
        fresh=fresh,
    )
    carry_out(lambda: run.main(request))
