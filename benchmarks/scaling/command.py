"""Options of ``python -m benchmarks scaling``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly


def scaling(
    rows: Annotated[str | None, typer.Option(help="Rows, separated by commas. Default: 1e5,1e6,1e7.")] = None,
    workers: Annotated[str | None, typer.Option(help="Worker processes. Default: 1,2,4.")] = None,
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 30,
    repeats: Annotated[int, typer.Option(help="Trainings of each objective.")] = 3,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with the flights. Default: HSBOOST_DATA_DIR, else made-up rows.")
    ] = None,
    small: Annotated[bool, typer.Option("--small", help="A few thousand rows: does it run here?")] = False,
    latency: Annotated[float, typer.Option(help="Of the prediction: microseconds a message.")] = 50.0,
    bandwidth: Annotated[float, typer.Option(help="Of the prediction: Gbit/s.")] = 10.0,
    cores_each: Annotated[int, typer.Option(help="Of the prediction: cores of each machine.")] = 16,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/scaling"),
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Time a round on several workers, count what they tell each other, and predict a cluster's round from it.

    Writes table.md, results.json, scaling.png and runs.jsonl into --out. Every finished case (rows by workers) is kept:
    the same command goes on where it stopped.
    """
    from benchmarks.scaling import network, plan, run

    request = plan.Request(
        rows=rows,
        workers=workers,
        rounds=rounds,
        repeats=repeats,
        data_dir=data_dir,
        small=small,
        network=network.Network(latency, bandwidth, cores_each),
        out=out,
        report_only=report_only,
        fresh=fresh,
    )
    carry_out(lambda: run.main(request))
