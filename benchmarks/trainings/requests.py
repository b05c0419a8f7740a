"""The options of the commands ``training``, ``waiting``, ``scaling``, ``outofcore`` and ``gpu``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from benchmarks.suite.options import Request, Threads


@dataclass(frozen=True)
class TrainingRequest(Request):
    """Time training with HyperSimplex against log loss, L2 and the cheapest custom objective, with both boosters.

    Writes table.md, results.json, training.png and runs.jsonl into --out. Every finished turn (each objective
    trained once) is kept: the same command resumes where it stopped.
    """

    module: ClassVar[str] = "benchmarks.trainings.training"

    rows: Annotated[str | None, typer.Option(help="Rows, separated by commas. Default: 1e5,1e6.")] = None
    boosters: Annotated[str | None, typer.Option(help="xgboost, lightgbm. Default: both.")] = None
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 100
    repeats: Annotated[int, typer.Option(help="Trainings of each objective.")] = 3
    threads: Threads = None
    large: Annotated[bool, typer.Option("--large", help="Also 5e6 rows.")] = False
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished turns.")] = Path("results/training")


@dataclass(frozen=True)
class WaitingRequest(Request):
    """Time what users wait for, each as a ratio to the least it could cost, and with another build of hsboost.

    Groups, classes, scores far apart, evaluation sets, queues, the first fit of a process. Each turn runs in a process
    of its own, this build and the other one in turn. Writes table.md, results.json and runs.jsonl into --out. Every
    finished turn is kept: the same command resumes where it stopped.
    """

    module: ClassVar[str] = "benchmarks.trainings.waiting"

    rows: Annotated[str | None, typer.Option(help="Rows of the table, separated by commas. Default: all.")] = None
    against: Annotated[
        Path | None, typer.Option(help="Another build: a wheel, or a folder that holds the package hsboost.")
    ] = None
    turns: Annotated[int, typer.Option(help="Processes for each row and build.")] = 3
    repeats: Annotated[int, typer.Option(help="Samples within a process (of a training: a third).")] = 9
    scale: Annotated[float, typer.Option(help="Share of the usual number of data rows, for a quick look.")] = 1.0
    threads: Threads = None
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished turns.")] = Path("results/waiting")


@dataclass(frozen=True)
class ScalingRequest(Request):
    """Time a round on several workers, count their communication, and predict a cluster's round from it.

    Writes table.md, results.json, scaling.png and runs.jsonl into --out. Every finished case (rows by workers) is kept:
    the same command resumes where it stopped.
    """

    module: ClassVar[str] = "benchmarks.trainings.scaling"

    rows: Annotated[str | None, typer.Option(help="Rows, separated by commas. Default: 1e5,1e6,1e7.")] = None
    workers: Annotated[str | None, typer.Option(help="Worker processes. Default: 1,2,4.")] = None
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 30
    repeats: Annotated[int, typer.Option(help="Trainings of each objective.")] = 3
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder with the flights. Default: HSBOOST_DATA_DIR, else made-up rows.")
    ] = None
    small: Annotated[bool, typer.Option("--small", help="A few thousand rows: does it run here?")] = False
    latency: Annotated[float, typer.Option(help="Of the prediction: microseconds a message.")] = 50.0
    bandwidth: Annotated[float, typer.Option(help="Of the prediction: Gbit/s.")] = 10.0
    cores_each: Annotated[int, typer.Option(help="Of the prediction: cores of each machine.")] = 16
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/scaling")


@dataclass(frozen=True)
class OutOfCoreRequest(Request):
    """Train on three million flights with the features on disk, and measure memory against their raw size.

    Writes table.md, results.json and runs.jsonl into --out. Every finished case is kept: the same command resumes
    where it stopped.
    """

    module: ClassVar[str] = "benchmarks.trainings.outofcore"

    rows: Annotated[str | None, typer.Option(help="Rows, at most 3e6. Default: 3e6.")] = None
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 10
    threads: Threads = None
    data_dir: Annotated[Path | None, typer.Option(help="Folder with the flights. Default: HSBOOST_DATA_DIR.")] = None
    small: Annotated[bool, typer.Option("--small", help="20,000 rows: does it run here?")] = False
    out: Annotated[Path, typer.Option(help="Folder for the report and the finished cases.")] = Path("results/outofcore")


@dataclass(frozen=True)
class GpuRequest(Request):
    """Time the GPU path against copies on the same GPU, built-in log loss and the processor's objective.

    Needs a CUDA device and the packages of the extra gpu. Writes table.md, results.json, gpu.png and runs.jsonl into
    --out. Every finished size and turn (each objective trained once) is kept: the same command resumes where it
    stopped.
    """

    module: ClassVar[str] = "benchmarks.trainings.gpu"

    sizes: Annotated[
        str | None, typer.Option(help="Scores of the kernels, separated by commas, or none. Default: 1e6,1e7,1e8.")
    ] = None
    rows: Annotated[
        str | None, typer.Option(help="Rows of the trainings, separated by commas, or none. Default: 1e6,1e7.")
    ] = None
    rounds: Annotated[int, typer.Option(help="Boosting rounds.")] = 100
    repeats: Annotated[int, typer.Option(help="Trainings of each objective; five samples of a kernel for each.")] = 5
    threads: Threads = None
    large: Annotated[bool, typer.Option("--large", help="Also train on 5e7 rows (about 20 GB of memory).")] = False
    out: Annotated[Path, typer.Option(help="Folder for the report and what is finished.")] = Path("results/gpu")
