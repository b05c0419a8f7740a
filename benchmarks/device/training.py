"""XGBoost on the card with each objective in turn: rows from the card's memory and from the host's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.calls import gpu_machine as machine
from benchmarks.device.parts import Step
from benchmarks.suite import environment
from benchmarks.suite.store import Record
from benchmarks.trainings.data import make_data
from benchmarks.trainings.gpu import LARGE, OBJECTIVES, train_once
from benchmarks.trainings.gpu_report import FLOOR, LOG_LOSS, ON_GPU, ON_HOST
from benchmarks.trainings.training import WARM_UP_ROUNDS, rotated

ROUNDS, TINY_ROUNDS, TINY_ROWS = 100, 2, 64
#: In these every repeat, the objective on the processor once: it is no requirement, and the slowest.
REPEATED = (ON_GPU, LOG_LOSS, FLOOR)
#: Bytes of memory on the host that rows of this kind need: themselves, labels, scores.
BYTES_A_ROW = 200


def trained(rows: int, place: str, repeats: int, on_host: bool = True) -> Step:
    """The step that trains on ``rows`` rows, binned from memory of the ``place`` "device" or "host"."""

    def step(tiny: bool) -> Record:
        n, rounds, turns = (TINY_ROWS, TINY_ROUNDS, 1) if tiny else (rows, ROUNDS, repeats)
        memory = environment.hardware()["memory_gib"]
        if memory is not None and n * BYTES_A_ROW > memory * 2**30:
            raise MemoryError(f"{n:,} rows need {n * BYTES_A_ROW / 2**30:.0f} GiB of memory, there are {memory:g}")
        threads = environment.available_cores()
        X, y = make_data(n)
        print(f"  {n:,} rows are made", flush=True)
        start = perf_counter()
        data = machine.binned(X, y, threads) if place == "device" else _from_host(X, y, threads)
        binning = perf_counter() - start
        del X
        for name in REPEATED:
            train_once(data, OBJECTIVES[name], min(WARM_UP_ROUNDS, rounds), threads)
        found: list[Record] = []
        for turn in range(turns):
            names = rotated(list(REPEATED), turn) + ([ON_HOST] if on_host and turn == 0 else [])
            one = {name: _once(data, name, rounds, threads) for name in names}
            found.append({"objectives": one})
        return {"rows": n, "rounds": rounds, "place": place, "binning_seconds": binning, "turns": found}

    return step


def _once(data: Any, name: str, rounds: int, threads: int) -> Record:
    with moved() as copied:
        record = train_once(data, OBJECTIVES[name], rounds, threads)
    record["calls"] = [float(np.median(record["calls"]))] if record["calls"] else []
    print(f"  {name}: {record['seconds']:.3f} s, {record['objective_seconds']:.3f} s in the objective", flush=True)
    return record | copied


def _from_host(X: np.ndarray, y: np.ndarray, threads: int) -> Any:
    """A QuantileDMatrix of rows in host memory, whose bins are on the device after the first training."""
    import xgboost as xgb

    return xgb.QuantileDMatrix(X, y, nthread=threads)


@contextmanager
def moved() -> Iterator[dict[str, int]]:
    """The bytes that this package copies to the device and back within the context, of all rounds together."""
    from hsboost.cuda._device import device

    place: Any = device(0)
    found = {"to_device": 0, "to_host": 0}
    upload, download = place.upload, place.download

    def counting_upload(host: np.ndarray, into: Any = None) -> Any:
        found["to_device"] += host.nbytes
        return upload(host, into)

    def counting_download(array: Any) -> np.ndarray:
        host: np.ndarray = download(array)
        found["to_host"] += host.nbytes
        return host

    place.upload, place.download = counting_upload, counting_download
    try:
        yield found
    finally:
        del place.upload, place.download


STEPS: dict[str, dict[str, Step]] = {
    "training": {"1e7 rows": trained(10_000_000, "device", 3)},
    "more-training": {
        "1e6 rows": trained(1_000_000, "device", 3),
        "1e7 rows from the host": trained(10_000_000, "host", 1, on_host=False),
        "5e7 rows": trained(LARGE, "device", 1, on_host=False),
    },
}
