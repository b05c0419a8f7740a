"""Options of ``python -m benchmarks outofcore``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly, Threads


def outofcore(
    rows: Annotated[str | None, typer.Option(help="Rows, at most 3e6. Default: 3e6.")] = None,
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 10,
    threads: Threads = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the flights. Default: HSBOOST_DATA_DIR.")] = None,
    small: Annotated[bool, typer.Option("--small", help="20,000 rows: does it run here?")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path(
        "results/outofcore"
    ),
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Train on three million flights with the features on disk, and measure the memory beside their raw size.

    Writes table.md, results.json and runs.jsonl into --out. Every finished case is kept: the same command goes on
    where it stopped.
    """
    from benchmarks.outofcore import plan, run

    request = plan.Request(
        rows=rows,
        rounds=rounds,
        threads=threads,
        data_dir=data_dir,
        small=small,
        out=out,
        report_only=report_only,
        fresh=fresh,
    )
    carry_out(lambda: run.main(request))
