"""The options of the commands ``tabular``, ``budgets``, ``thresholds`` and ``vision``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from benchmarks.suite.options import Request, Threads


@dataclass(frozen=True)
class TabularRequest(Request):
    """Compare L2, log loss, HyperSimplex and other losses on real tables with LightGBM and XGBoost.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept: the same
    command resumes where it stopped.
    """

    module: ClassVar[str] = "benchmarks.quality.tabular.run"

    datasets: Annotated[str | None, typer.Option(help="Data sets, separated by commas. Default: the shipped ones.")] = (
        None
    )
    protocol: Annotated[
        str,
        typer.Option(
            help="quick: a first look. paper: as the published scripts train, LightGBM only. fair: with the strongest "
            "easy rivals and corrected tests. tuned: fair, with an equal search for every loss."
        ),
    ] = "quick"
    boosters: Annotated[str | None, typer.Option(help="lightgbm, xgboost. Default: both.")] = None
    losses: Annotated[
        str | None,
        typer.Option(
            help="Losses, separated by commas: l2, log-loss, hypersimplex, hypersimplex-fy, weighted-log-loss, focal, "
            "lambdarank, hypersimplex-smooth, hypersimplex-smooth-fy, exact, exact-log, sparsemax, entmax15, hinge, "
            "squared-hinge, or all; paper also knows hypersimplex-published. Default: the protocol's (quick: the first "
            "three; fair, tuned: the first seven)."
        ),
    ] = None
    seeds: Annotated[
        int | None,
        typer.Option(help="Number of seeds (splits and boosters), 0 … N-1. Default: 5 (paper: 1; fair, tuned: 3)."),
    ] = None
    rows: Annotated[
        int | None, typer.Option(help="At most so many rows of each split (0: all). Default: 50000 (paper: all).")
    ] = None
    rounds: Annotated[
        int | None, typer.Option(help="At most so many boosting rounds. Default: 200 (paper: the scripts').")
    ] = None
    selection: Annotated[
        str,
        typer.Option(help="Validation metric for early stopping: auc, precision@prevalence, precision@5% …"),
    ] = "auc"
    trials: Annotated[int | None, typer.Option(help="tuned: trials for each loss and split. Default: 20.")] = None
    tune_seconds: Annotated[
        float | None, typer.Option(help="tuned: no trial begins after so many seconds of them. Default: 300.")
    ] = None
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Folder with data: published sets in NAME/, your own as NAME.parquet with NAME.toml."),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the report and the finished runs. Default: results/tabular, or tabular-PROTOCOL."
        ),
    ] = None
    threads: Threads = None

    @property
    def folder(self) -> Path:
        """The folder of the report and the finished runs: one for each protocol unless --out is given."""
        return self.out or Path("results") / ("tabular" if self.protocol == "quick" else f"tabular-{self.protocol}")


@dataclass(frozen=True)
class BudgetsRequest(Request):
    """Train for budgets: which loss finds more positives among the top k, of all rows or of each group?

    Data sets, splits, trees, boosters, label noise and row counts are cells; each method gets equally many trials,
    chosen on validation, judged on test. Writes table.md, cells.csv, results.json, plots and runs.jsonl into --out.
    Every finished training is kept: the same command resumes where it stopped, and a larger scope goes on from a
    smaller one.
    """

    module: ClassVar[str] = "benchmarks.quality.budgets.run"

    scope: Annotated[
        str,
        typer.Option(
            help="smoke: seconds. shipped: the shipped flights, three minutes on two cores. middle: the most telling "
            "cells, about 40 minutes. growth: the gain from 10,000 rows to three million, hours. noise: flipped "
            "labels, an hour. several: one model for several budgets, a quarter of an hour. rivals: focal loss, L2 "
            "and 500 trees, an hour. full: all of them, days. confirm: the sets kept for the confirming run of "
            "docs/evidence/protocol.md."
        ),
    ] = "middle"
    datasets: Annotated[str | None, typer.Option(help="Only these data sets of the scope, separated by commas.")] = None
    boosters: Annotated[str | None, typer.Option(help="lightgbm, xgboost. Default: the scope's.")] = None
    folds: Annotated[int | None, typer.Option(help="Splits of each cell. Default: 5 (smoke: 2, shipped: 3).")] = None
    trials: Annotated[int, typer.Option(help="Trials of each method where the trees are tuned.")] = 16
    test_rows: Annotated[int, typer.Option(help="At most so many test rows of each split (0: all).")] = 200_000
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with published sets in NAME/. Default: see python -m datasets.")
    ] = None
    packages: Annotated[Path | None, typer.Option(help="confirm: the folder that pip install --target filled.")] = None
    out: Annotated[
        Path | None, typer.Option(help="Folder for the report and the finished runs. Default: results/budgets.")
    ] = None
    threads: Threads = None

    @property
    def folder(self) -> Path:
        """The folder of the report and the finished runs: one for scopes that share them."""
        shared = self.scope in ("middle", "full")
        return self.out or Path("results") / ("budgets" if shared else f"budgets-{self.scope}")


@dataclass(frozen=True)
class ThresholdsRequest(Request):
    """Compare the share of test rows that HSClassifier's predict calls with k, by the rows its threshold comes from.

    Writes table.md, results.json and runs.jsonl into --out. Every finished run is kept: the same command resumes where
    it stopped.
    """

    module: ClassVar[str] = "benchmarks.quality.thresholds"

    datasets: Annotated[
        str | None,
        typer.Option(
            help="Data sets, separated by commas. Default: the shipped ones and scikit-learn's breast-cancer."
        ),
    ] = None
    boosters: Annotated[str | None, typer.Option(help="lightgbm, xgboost. Default: both.")] = None
    seeds: Annotated[int, typer.Option(help="Number of seeds (splits), 0 … N-1.")] = 3
    rows: Annotated[int, typer.Option(help="At most so many rows of each split.")] = 4000
    data_dir: Annotated[Path | None, typer.Option(help="Folder with data, as for tabular.")] = None
    threads: Threads = None
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished runs.")] = Path("results/thresholds")


@dataclass(frozen=True)
class VisionRequest(Request):
    """Train the paper's network with each loss at each batch size, and compare test accuracies. Needs PyTorch.

    Writes table.md, results.json, plots and runs.jsonl into --out. Every finished run is kept, and an unfinished one's
    state every half minute: the same command resumes where it stopped. With --layer: layer.md and layer.json.
    """

    module: ClassVar[str] = "benchmarks.quality.vision.run"

    datasets: Annotated[
        str | None, typer.Option(help="cifar10, fashion-mnist, digits (shipped with scikit-learn). Default: cifar10.")
    ] = None
    losses: Annotated[
        str | None,
        typer.Option(
            help="ce, hypersimplex-count, hypersimplex-half, mse, hinge, exact, exact-log. Default: all but the last."
        ),
    ] = None
    batches: Annotated[str | None, typer.Option(help="Batch sizes, separated by commas. Default: 128 to 8192.")] = None
    seeds: Annotated[int | None, typer.Option(help="Number of seeds, 0 … N-1. Default: 5.")] = None
    epochs: Annotated[int | None, typer.Option(help="Epochs of each run. Default: 600, as in the paper.")] = None
    minutes: Annotated[
        float | None, typer.Option(help="No epoch begins later; reports the runs that are done. Default: no limit.")
    ] = None
    rows: Annotated[int | None, typer.Option(help="At most so many pictures of each part (0: all).")] = None
    hidden: Annotated[int | None, typer.Option(help="Channels of the convolutions. Default: 64.")] = None
    learning_rate: Annotated[float | None, typer.Option(help="Adam's step. Default: 1e-4, as in the paper.")] = None
    validation: Annotated[
        float, typer.Option(help="Share of the training pictures that is held out (0: none, as in the paper).")
    ] = 0.1
    temperature: Annotated[float, typer.Option(help="Temperature of HyperSimplex.")] = 1.5
    augment: Annotated[bool, typer.Option("--augment/--no-augment", help="Random crops and flips.")] = True
    precision: Annotated[str, typer.Option(help="float32, tf32 (GPU), bfloat16 (autocast).")] = "float32"
    device: Annotated[str | None, typer.Option(help="cpu or cuda. Default: cuda where there is one.")] = None
    threads: Threads = None
    data_dir: Annotated[Path | None, typer.Option(help="Folder with cifar10/ and fashion-mnist/.")] = None
    download: Annotated[bool, typer.Option("--download", help="Fetch missing pictures.")] = False
    jpeg: Annotated[bool, typer.Option("--jpeg", help="The JPEG copy of CIFAR-10, whatever else is there.")] = False
    small: Annotated[
        bool, typer.Option("--small", help="Minutes on two cores: digits, 16 channels, 12 epochs, step 1e-3.")
    ] = False
    layer: Annotated[
        bool, typer.Option("--layer", help="Only time the layer on the processor beside sort and PAV.")
    ] = False
    layer_rows: Annotated[int, typer.Option(help="Rows for --layer.")] = 1_000_000
    repeats: Annotated[int, typer.Option(help="Repeats for --layer.")] = 7
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished runs.")] = Path("results/vision")
