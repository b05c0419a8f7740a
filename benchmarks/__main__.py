"""Command line: ``python -m benchmarks <subject>``. Subjects import what they need when called."""

from __future__ import annotations

from collections.abc import Callable
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
    threads: Annotated[int | None, typer.Option(help="Threads. Default: every core available.")] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from the finished runs.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the finished runs in --out first.")] = False,
) -> None:
    """Compare L2, log loss, HyperSimplex and other losses on real tables with LightGBM and XGBoost.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept: the same
    command goes on where it stopped.
    """
    from benchmarks import environment

    environment.let_waiting_threads_sleep()
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
    raise typer.Exit(_carried_out(lambda: run.main(request)))


@app.command()
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
            help="numpy_newton, jaxopt, scipy_isotonic, pav, entmax, or none. Default: all that are installed."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(help="Samples per method (hsboost and the floors: three times as many).")] = 7,
    rival_seconds: Annotated[float, typer.Option(help="Seconds granted to each rival in each case.")] = 5.0,
    threads: Annotated[int | None, typer.Option(help="Threads. Default: every core available.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Every size with every distribution, k and weighting.")] = False,
    large: Annotated[bool, typer.Option("--large", help="Also 1e8 rows (about 8 GB of memory).")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/kernels"),
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from the finished cases.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the finished cases in --out first.")] = False,
) -> None:
    """Time the projection and the loss's step beside other solvers and the cost of touching memory.

    By default one shape of scores at all sizes, and all shapes at a million rows. Writes table.md, results.json,
    kernels.png and runs.jsonl into --out. Every finished case is kept: the same command goes on where it stopped.
    """
    from benchmarks import environment

    environment.let_waiting_threads_sleep()
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
    raise typer.Exit(_carried_out(lambda: run.main(request)))


@app.command()
def training(
    rows: Annotated[str | None, typer.Option(help="Rows, separated by commas. Default: 1e5,1e6.")] = None,
    boosters: Annotated[str | None, typer.Option(help="xgboost, lightgbm. Default: both.")] = None,
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 100,
    repeats: Annotated[int, typer.Option(help="Trainings of each objective.")] = 3,
    threads: Annotated[int | None, typer.Option(help="Threads. Default: every core available.")] = None,
    large: Annotated[bool, typer.Option("--large", help="Also 5e6 rows.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished turns.")] = Path("results/training"),
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from the finished turns.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the finished turns in --out first.")] = False,
) -> None:
    """Time training with HyperSimplex beside log loss, L2 and the cheapest custom objective, with both boosters.

    Writes table.md, results.json, training.png and runs.jsonl into --out. Every finished turn (each objective
    trained once) is kept: the same command goes on where it stopped.
    """
    from benchmarks import environment

    environment.let_waiting_threads_sleep()
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
    raise typer.Exit(_carried_out(lambda: run.main(request)))


@app.command()
def losses(
    families: Annotated[str | None, typer.Option(help="exact, softmax, sampled. Default: all.")] = None,
    classes: Annotated[
        str | None, typer.Option(help="Numbers of classes, separated by commas. Default: each family's own.")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Samples per method.")] = 9,
    scale: Annotated[float, typer.Option(help="Share of the usual rows, for a quick look.")] = 1.0,
    threads: Annotated[int | None, typer.Option(help="Threads. Default: 1, for the cost of a row.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/losses"),
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from the finished cases.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the finished cases in --out first.")] = False,
) -> None:
    """Time the losses' gradients by number of classes: EXACT beside Genz's sampling, softmax family, sampled softmax.

    Writes table.md, results.json, losses.png and runs.jsonl into --out. Every finished case is kept: the same command
    goes on where it stopped.
    """
    from benchmarks import environment

    environment.let_waiting_threads_sleep()
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
    raise typer.Exit(_carried_out(lambda: run.main(request)))


@app.command()
def vision(
    datasets: Annotated[
        str | None, typer.Option(help="cifar10, fashion-mnist, digits (shipped with scikit-learn). Default: cifar10.")
    ] = None,
    losses: Annotated[
        str | None,
        typer.Option(
            help="ce, hypersimplex-count, hypersimplex-half, mse, hinge, exact, exact-log. Default: all but the last."
        ),
    ] = None,
    batches: Annotated[str | None, typer.Option(help="Batch sizes, separated by commas. Default: 128 to 8192.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, 0 … N-1. Default: 5.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each run. Default: 600, as in the paper.")] = None,
    rows: Annotated[int | None, typer.Option(help="At most so many pictures of each part (0: all).")] = None,
    hidden: Annotated[int | None, typer.Option(help="Channels of the convolutions. Default: 64.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's step. Default: 1e-4, as in the paper.")] = None,
    validation: Annotated[
        float, typer.Option(help="Share of the training pictures that is held out (0: none, as in the paper).")
    ] = 0.1,
    temperature: Annotated[float, typer.Option(help="Temperature of HyperSimplex.")] = 1.5,
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Random crops and flips.")] = True,
    precision: Annotated[str, typer.Option(help="float32, tf32 (GPU), bfloat16 (autocast).")] = "float32",
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: cuda where there is one.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads. Default: every core available.")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Folder with cifar10/ and fashion-mnist/.")] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch missing pictures.")] = False,
    jpeg: Annotated[bool, typer.Option("--jpeg", help="The JPEG copy of CIFAR-10, whatever else is there.")] = False,
    small: Annotated[
        bool, typer.Option("--small", help="Minutes on two cores: digits, 16 channels, 12 epochs, step 1e-3.")
    ] = False,
    layer: Annotated[
        bool, typer.Option("--layer", help="Only time the layer on the processor beside sort and PAV.")
    ] = False,
    layer_rows: Annotated[int, typer.Option(help="Rows for --layer.")] = 1_000_000,
    repeats: Annotated[int, typer.Option(help="Repeats for --layer.")] = 7,
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished runs.")] = Path("results/vision"),
    report_only: Annotated[bool, typer.Option("--report-only", help="Redraw from the finished runs.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the finished runs in --out first.")] = False,
) -> None:
    """Train the paper's network with each loss at each batch size, and compare test accuracies. Needs PyTorch.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept, and an unfinished one's
    state every half minute: the same command goes on where it stopped. With --layer: layer.md and layer.json.
    """
    from benchmarks import environment, options

    environment.let_waiting_threads_sleep()
    from benchmarks.vision import plan

    def carry_out() -> int:
        plan.need_torch()
        if layer:
            options.at_least("--layer-rows", layer_rows, 10)
            options.at_least("--repeats", repeats, 1)
            options.at_least("--threads", threads, 1)
            from benchmarks.vision import layer as layer_run

            return layer_run.main(layer_rows, repeats, threads, out)
        from benchmarks.vision import run

        request = plan.Request(
            datasets=datasets,
            losses=losses,
            batches=batches,
            seeds=seeds,
            epochs=epochs,
            rows=rows,
            hidden=hidden,
            learning_rate=learning_rate,
            validation=validation,
            temperature=temperature,
            augment=augment,
            precision=precision,
            device=device,
            threads=threads,
            data_dir=data_dir,
            download=download,
            jpeg=jpeg,
            small=small,
            out=out,
            report_only=report_only,
            fresh=fresh,
        )
        return run.main(request)

    raise typer.Exit(_carried_out(carry_out))


def _carried_out(command: Callable[[], int]) -> int:
    """Run a command; an OptionError becomes one line and exit code 2."""
    try:
        return command()
    except OptionError as error:
        typer.echo(f"error: {error}", err=True)
        return 2


if __name__ == "__main__":
    app(prog_name="python -m benchmarks")
