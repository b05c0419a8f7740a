"""Command line: ``python -m benchmarks <subject>``. Subjects import what they need when called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import OptionError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Benchmarks of hsboost."""


@app.command()
def tabular(
    datasets: Annotated[
        str | None, typer.Option(help="Data sets, separated by commas. Default: all that are shipped.")
    ] = None,
    boosters: Annotated[str | None, typer.Option(help="lightgbm, xgboost. Default: both.")] = None,
    losses: Annotated[str | None, typer.Option(help="l2, log-loss, hypersimplex. Default: all.")] = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds (splits and boosters), 0 … N-1.")] = 5,
    rows: Annotated[
        int | None, typer.Option(help="At most so many rows of each split (0: all). Default: 50000.")
    ] = None,
    rounds: Annotated[int | None, typer.Option(help="At most so many boosting rounds. Default: 200.")] = None,
    selection: Annotated[
        str,
        typer.Option(help="Validation metric for early stopping: auc, precision@prevalence, precision@5% …"),
    ] = "auc",
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with data of your own: NAME.parquet with NAME.toml.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished runs.")] = Path("results/tabular"),
    threads: Annotated[int | None, typer.Option(help="Threads. Default: every core available.")] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from the finished runs.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the finished runs in --out first.")] = False,
) -> None:
    """Compare L2, log loss and HyperSimplex on real tables with LightGBM and XGBoost.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept: the same
    command goes on where it stopped.
    """
    from benchmarks import environment

    environment.let_waiting_threads_sleep()
    from benchmarks.tabular import plan, run

    try:
        code = run.main(
            plan.Request(
                datasets=datasets,
                boosters=boosters,
                losses=losses,
                seeds=seeds,
                rows=rows,
                rounds=rounds,
                selection=selection,
                data_dir=data_dir,
                out=out,
                threads=threads,
                report_only=report_only,
                fresh=fresh,
            )
        )
    except OptionError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
