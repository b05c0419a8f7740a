"""One turn of training: the same trees on the same GPU under each objective, with the part inside the objective."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.gpu import machine
from benchmarks.store import Record
from benchmarks.training.boosters import BOOSTERS
from benchmarks.training.objectives import Stopwatch

ON_GPU, ON_HOST, FLOOR, LOG_LOSS = "hypersimplex_gpu", "hypersimplex_cpu", "floor", "log_loss"


@dataclass(frozen=True)
class Objective:
    """What is compared: a built-in loss by name, or what makes a fresh custom one."""

    name: str
    label: str
    nominal: str
    custom: Callable[[], Callable[[Any, Any], Any]] | None = None


def _hypersimplex(device: str) -> Callable[[Any, Any], Any]:
    from hsboost import HypersimplexObjective

    return HypersimplexObjective(device=device)


class _Floor:
    """L2 with labels that stay on the device: what any custom objective pays for predictions in host memory."""

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
    objective.name: objective
    for objective in (
        Objective(ON_GPU, "HyperSimplex on the GPU", "reg:squarederror", lambda: _hypersimplex("cuda")),
        Objective(ON_HOST, "HyperSimplex on the processor", "reg:squarederror", lambda: _hypersimplex("cpu")),
        Objective(FLOOR, "custom L2 in CuPy (floor)", "reg:squarederror", _Floor),
        Objective(LOG_LOSS, "log loss, built in", "binary:logistic"),
    )
}


def train_once(data: Any, objective: Objective, rounds: int, threads: int) -> Record:
    """Train once: the time, the part of it inside the objective, the size of the trees."""
    import xgboost as xgb

    params = BOOSTERS["xgboost"].params(threads) | {"objective": objective.nominal, "device": machine.xgboost_device()}
    watch = None if objective.custom is None else Stopwatch(objective.custom())
    gc.collect()
    start = perf_counter()
    model = xgb.train(params, data, num_boost_round=rounds, obj=watch)
    wait_for_device()
    seconds = perf_counter() - start
    calls = [] if watch is None else watch.seconds
    leaves = float(np.mean([tree.count("leaf=") for tree in model.get_dump()]))
    return {"seconds": seconds, "calls": calls, "objective_seconds": sum(calls), "leaves": leaves}


def wait_for_device() -> None:
    """Let everything launched come to its end, on every stream."""
    if machine.xgboost_device() == "cuda":
        importlib.import_module("cupy").cuda.runtime.deviceSynchronize()
