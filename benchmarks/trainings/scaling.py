"""``python -m benchmarks scaling``: every number of rows on every number of workers, a case on Dask and on Spark."""

from __future__ import annotations

import contextlib
import importlib.util
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

from rich.console import Console

from benchmarks.suite import environment, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from benchmarks.trainings import scaling_data as data
from benchmarks.trainings import scaling_spark
from benchmarks.trainings import scaling_workers as workers_of
from benchmarks.trainings.requests import ScalingRequest
from benchmarks.trainings.scaling_figures import DASK, DASK_ROWS, DASK_WORKERS, SPARK, TRACKER, Key
from benchmarks.trainings.scaling_report import ScalingReport, network_of

ROWS, WORKERS = (100_000, 1_000_000, 10_000_000), (1, 2, 4)
SMALL_ROWS, SMALL_WORKERS, SMALL_ROUNDS = (2_000, 4_000), (1, 2), 4
FEWEST_ROWS, MOST_WORKERS = 200, 64
#: Entries that every record has.
FIELDS = ("engine", "rows", "workers", "threads_each", "bins", "trainings")


@dataclass(frozen=True)
class Settings:
    """The settings that affect a round's time, other than rows, workers and objective; ``threads`` of all workers."""

    rounds: int
    repeats: int
    threads: int
    data: str


@dataclass(frozen=True)
class Plan:
    """Every number of rows on every number of workers; one case trains both objectives ``repeats`` times, in turn."""

    rows: list[int]
    workers: list[int]
    rounds: int
    repeats: int
    cores: int
    with_dask: bool
    with_spark: bool = False

    def keys(self) -> list[Key]:
        """List the cases in order, those under Dask and Spark last."""
        found = [(TRACKER, rows, workers) for rows in self.rows for workers in self.workers]
        for engine, is_here in ((DASK, self.with_dask), (SPARK, self.with_spark)):
            if is_here and DASK_WORKERS in self.workers:
                found.append((engine, min(self.rows, key=lambda rows: abs(rows - DASK_ROWS)), DASK_WORKERS))
        return found

    def threads_each(self, workers: int) -> int:
        """Threads of one worker: the cores shared out, at least one each."""
        return max(1, self.cores // workers)


def make_plan(request: ScalingRequest) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least(2, rounds=request.rounds)
    options.at_least(1, repeats=request.repeats)
    rows = list(SMALL_ROWS if request.small else ROWS)
    if request.rows is not None:
        rows = options.sizes("--rows", request.rows, FEWEST_ROWS)
    workers = list(SMALL_WORKERS if request.small else WORKERS)
    if request.workers is not None:
        workers = _workers(request.workers)
    rounds, repeats = (min(request.rounds, SMALL_ROUNDS), 1) if request.small else (request.rounds, request.repeats)
    return Plan(rows, workers, rounds, repeats, environment.available_cores(), dask_is_here(), spark_is_here())


def _workers(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not (word.isascii() and word.isdigit() and 1 <= int(word) <= MOST_WORKERS):
            raise OptionError(f"--workers: {word!r} is not a number of processes from 1 to {MOST_WORKERS}; write 1,2,4")
    return sorted({int(word) for word in words})


def dask_is_here() -> bool:
    """Whether the packages for the case under Dask are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("dask", "distributed"))


def spark_is_here() -> bool:
    """Whether the packages for the case under Spark are installed, and Java."""
    return scaling_spark.spark_is_here()


def prepare(request: ScalingRequest) -> Work[Key]:
    """Check every option and list the cases."""
    plan = make_plan(request)
    source = data.available_source(request.data_dir)
    tables: list[data.Table] = []

    @contextlib.contextmanager
    def table(missing: list[Key]) -> Iterator[None]:
        """The rows of the largest case, in files that exist while cases run."""
        with tempfile.TemporaryDirectory(prefix="hsboost-scaling-") as folder:
            tables.append(data.write_table(source, max(rows for _, rows, _ in missing), request.data_dir, Path(folder)))
            yield

    def make(key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        engine, rows, workers = key
        threads = plan.threads_each(workers)
        job = workers_of.Job(tables[-1], rows, workers, threads, plan.rounds, plan.repeats)
        status(f"{engine}, {rows:,} rows, {workers} workers")
        train = {
            TRACKER: workers_of.train_on_processes,
            DASK: workers_of.train_under_dask,
            SPARK: scaling_spark.train_under_spark,
        }[engine]
        trainings = train(job, status.advance)
        return {
            **{"engine": engine, "rows": rows, "workers": workers, "threads_each": threads},
            "bins": max((training.pop("bins", 0) for training in trainings), default=0),
            "trainings": trainings,
        }

    settings = Settings(plan.rounds, plan.repeats, plan.cores, source)
    parts = ("data", "spark", "watch", "workers")
    sources = (*(f"trainings/scaling_{name}.py" for name in parts), "trainings/objectives.py")
    packages = (*environment.PACKAGES, "dask", "distributed", "pyspark")
    shared = environment.shared_facts(settings, sources, packages, params=workers_of.PARAMS)
    return Work(plan.keys(), shared, make, "case", 2 * (1 + plan.repeats), table)


BENCHMARK = Benchmark(itemgetter("engine", "rows", "workers"), FIELDS, prepare, ScalingReport)


def main(request: ScalingRequest, console: Console | None = None) -> int:
    """Carry out the command; the network is checked first, because only the report needs it."""
    network_of(request)
    return BENCHMARK.run(request, console)
