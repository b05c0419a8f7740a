"""Options of ``python -m benchmarks tabular``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly, Threads


def tabular(
    datasets: Annotated[
        str | None, typer.Option(help="Data sets, separated by commas. Default: the shipped ones.")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="quick: a first look. paper: as the published scripts train, LightGBM only. fair: with the strongest "
            "easy rivals and corrected tests. tuned: fair, with an equal search for every loss."
        ),
    ] = "quick",
    boosters: Annotated[str | None, typer.Option(help="lightgbm, xgboost. Default: both.")] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            help="Losses, separated by commas: l2, log-loss, hypersimplex, hypersimplex-fy, weighted-log-loss, focal, "
            "lambdarank, exact, exact-log, sparsemax, entmax15, hinge, squared-hinge, or all; paper also knows "
            "hypersimplex-published. Default: the protocol's (quick: the first three; fair, tuned: the first seven)."
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(help="Number of seeds (splits and boosters), 0 … N-1. Default: 5 (paper: 1; fair, tuned: 3)."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="At most so many rows of each split (0: all). Default: 50000 (paper: all).")
    ] = None,
    rounds: Annotated[
        int | None, typer.Option(help="At most so many boosting rounds. Default: 200 (paper: the scripts').")
    ] = None,
    selection: Annotated[
        str,
        typer.Option(help="Validation metric for early stopping: auc, precision@prevalence, precision@5% …"),
    ] = "auc",
    trials: Annotated[int | None, typer.Option(help="tuned: trials for each loss and split. Default: 20.")] = None,
    tune_seconds: Annotated[
        float | None, typer.Option(help="tuned: no trial begins after so many seconds of them. Default: 300.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with data: published sets in NAME/, your own as NAME.parquet with NAME.toml."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report and the finished runs. Default: results/tabular, or tabular-PROTOCOL."
        ),
    ] = None,
    threads: Threads = None,
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Compare L2, log loss, HyperSimplex and other losses on real tables with LightGBM and XGBoost.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept: the same
    command goes on where it stopped.
    """
    from benchmarks.tabular import plan, run

    request = plan.Request(
        datasets=datasets,
        boosters=boosters,
        losses=losses,
        seeds=seeds,
        rows=rows,
        rounds=rounds,
        selection=selection,
        data_dir=data_dir,
        out=out or Path("results") / ("tabular" if protocol == "quick" else f"tabular-{protocol}"),
        threads=threads,
        report_only=report_only,
        fresh=fresh,
        protocol=protocol,
        trials=trials,
        tune_seconds=tune_seconds,
    )
    carry_out(lambda: run.main(request))
