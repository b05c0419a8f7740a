"""``python -m benchmarks gpu``: the GPU's kernels, and XGBoost's training on it under each objective."""

from __future__ import annotations

import gc
import importlib
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.calls import gpu_machine as machine
from benchmarks.calls.gpu import run_case
from benchmarks.suite import environment, measure, options
from benchmarks.suite.options import OptionError
from benchmarks.suite.run import Benchmark, StatusLine, Work
from benchmarks.suite.store import Record, RunStore
from benchmarks.trainings.boosters import BOOSTERS
from benchmarks.trainings.data import COLUMNS, make_data
from benchmarks.trainings.gpu_report import DTYPES, FLOOR, LABELS, LOG_LOSS, ON_GPU, ON_HOST, GpuReport
from benchmarks.trainings.objectives import Objective, hypersimplex
from benchmarks.trainings.requests import GpuRequest
from benchmarks.trainings.training import WARM_UP_ROUNDS, rotated

SIZES = (1_000_000, 10_000_000, 100_000_000)
ROWS = (1_000_000, 10_000_000)
LARGE = 50_000_000
FEWEST = 16
#: Samples of a kernel for each training: they are cheap, and a median of many is steadier.
SAMPLES = 5
#: Entries that every record has.
FIELDS = ("kind",)

#: What is measured ("kernels" or "training"), how many rows, and the score's dtype or the number of the repeat.
Key = tuple[str, int, str | int]


class _Floor:
    """L2 with labels that stay on the device: what every custom objective pays for predictions in host memory."""

    def __init__(self) -> None:
        from hsboost.cuda._device import device

        self._device = device(0)
        self._arrays: tuple[Any, Any] | None = None

    def __call__(self, predictions: Any, dataset: Any) -> Any:
        with self._device.current():
            if self._arrays is None:
                y = np.ascontiguousarray(dataset.get_label())
                self._arrays = self._device.upload(y), self._device.upload(np.ones_like(y))
            gradient = self._device.upload(np.ascontiguousarray(predictions)) - self._arrays[0]
            self._device.finish()
        return gradient, self._arrays[1]


OBJECTIVES: dict[str, Objective] = {
    name: Objective(name, LABELS[name], nominal, custom=custom)
    for name, nominal, custom in (
        (ON_GPU, "reg:squarederror", lambda: hypersimplex("cuda")),
        (ON_HOST, "reg:squarederror", lambda: hypersimplex("cpu")),
        (FLOOR, "reg:squarederror", _Floor),
        (LOG_LOSS, "binary:logistic", None),
    )
}


@dataclass(frozen=True)
class Settings:
    """The settings that affect figures, other than sizes and repeats."""

    rounds: int
    threads: int
    samples: int
    columns: int = COLUMNS


@dataclass(frozen=True)
class Plan:
    """Sizes of the kernels, each for both dtypes, and rows of the trainings, each ``repeats`` times."""

    sizes: list[int]
    rows: list[int]
    repeats: int
    settings: Settings

    def keys(self) -> list[Key]:
        """List the units of work in order."""
        kernels: list[Key] = [("kernels", n, dtype) for n in self.sizes for dtype in DTYPES]
        return kernels + [("training", rows, repeat) for rows in self.rows for repeat in range(self.repeats)]


def key_of(record: Record) -> Key:
    """Name a unit of work."""
    if not {"kernels": {"methods", "passes"}, "training": {"objectives"}}[record["kind"]] <= record.keys():
        raise KeyError("methods, passes or objectives")
    if record["kind"] == "kernels":
        return "kernels", record["n"], record["dtype"]
    return "training", record["rows"], record["repeat"]


def make_plan(request: GpuRequest) -> Plan:
    """Check every option and fill in the defaults; raises OptionError naming option, value and choices."""
    options.at_least(1, rounds=request.rounds, repeats=request.repeats)
    threads = options.threads(request.threads)
    rows = _sizes("--rows", request.rows, ROWS)
    if request.large:
        rows = sorted({*rows, LARGE})
    sizes = _sizes("--sizes", request.sizes, SIZES)
    if not sizes and not rows:
        raise OptionError("--sizes and --rows are both none: nothing is left to measure; leave one of them out")
    return Plan(sizes, rows, request.repeats, Settings(request.rounds, threads, SAMPLES * request.repeats))


def _sizes(option: str, text: str | None, default: tuple[int, ...]) -> list[int]:
    if text is None:
        return list(default)
    return [] if text == "none" else options.sizes(option, text, FEWEST)


def shared_facts(settings: Settings) -> Record:
    """Gather the facts that affect figures and are the same for all measurements."""
    sources = (
        *("calls/gpu.py", "calls/gpu_machine.py", "suite/measure.py"),
        *("trainings/gpu.py", "trainings/boosters.py", "trainings/data.py"),
    )
    packages = (*environment.PACKAGES, *machine.PACKAGES)
    return environment.shared_facts(settings, sources, packages, gpu=machine.describe())


def prepare(request: GpuRequest) -> Work[Key]:
    """Check every option and list the units of work; raises OptionError without a GPU."""
    plan = make_plan(request)
    machine.need_gpu()
    settings = plan.settings
    return Work(
        plan.keys(),
        shared_facts(settings),
        Units(settings),
        "unit",
        around=lambda keys: measure.pinned(settings.threads),
    )


class Units:
    """Carries out units of work; the next training reuses the binned rows of the last if the number is the same."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.prepared: tuple[int, Any] | None = None

    def __call__(self, key: Key, store: RunStore[Key], status: StatusLine) -> Record:
        kind, n, which = key
        status(f"{kind}, {n:,} rows: {which}")
        if kind == "kernels":
            return run_case(n, str(which), self.settings.samples)
        threads = self.settings.threads
        if self.prepared is None or self.prepared[0] != n:
            self.prepared = None  # freed before the next is built: two of them need not fit in memory
            self.prepared = n, machine.binned(*make_data(n), threads)
            for objective in OBJECTIVES.values():
                # Compilation and first memory accesses must not count towards any objective.
                train_once(self.prepared[1], objective, min(WARM_UP_ROUNDS, self.settings.rounds), threads)
        trained = {
            name: train_once(self.prepared[1], OBJECTIVES[name], self.settings.rounds, threads)
            for name in rotated(list(OBJECTIVES), int(which))
        }
        return {"kind": "training", "rows": n, "repeat": int(which), "objectives": trained}


def train_once(data: Any, objective: Objective, rounds: int, threads: int) -> Record:
    """Train once: the time, the part of it inside the objective, the size of the trees."""
    import xgboost as xgb

    booster = BOOSTERS["xgboost"]
    params = booster.params(threads) | {"objective": objective.xgboost, "device": machine.xgboost_device()}
    watch = objective.watched()
    gc.collect()
    start = perf_counter()
    model = xgb.train(params, data, num_boost_round=rounds, obj=watch)
    wait_for_device()
    seconds = perf_counter() - start
    calls = [] if watch is None else watch.seconds
    return {"seconds": seconds, "calls": calls, "objective_seconds": sum(calls), "leaves": booster.leaves(model)}


def wait_for_device() -> None:
    """Wait for everything launched, on every stream."""
    if machine.xgboost_device() == "cuda":
        importlib.import_module("cupy").cuda.runtime.deviceSynchronize()


BENCHMARK = Benchmark(key_of, FIELDS, prepare, GpuReport)
main = BENCHMARK.run
