"""Options of ``python -m benchmarks vision``; the benchmark itself is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import options
from benchmarks.errors import carry_out
from benchmarks.options import Fresh, ReportOnly, Threads


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
    threads: Threads = None,
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
    report_only: ReportOnly = False,
    fresh: Fresh = False,
) -> None:
    """Train the paper's network with each loss at each batch size, and compare test accuracies. Needs PyTorch.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept, and an unfinished one's
    state every half minute: the same command goes on where it stopped. With --layer: layer.md and layer.json.
    """
    from benchmarks.vision import plan

    def chosen() -> int:
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

    carry_out(chosen)
