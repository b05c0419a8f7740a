"""Projection and loss step on a GPU, against a copy and a stream of the same arrays: one size of scores at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.calls import gpu_machine as machine
from benchmarks.suite import measure
from benchmarks.suite.measure import spread
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.store import Record
from benchmarks.suite.tables import NONE, Cell, Table

COPY, PROJECTION, STREAM = "copy", "projection", "stream"
STEP_COLD, STEP_WARM, UPLOAD, ROUND, HOST = "step_cold", "step_warm", "upload", "round", "host_step"
LABELS = {
    COPY: "copy on the device",
    PROJECTION: "projection, cold",
    STREAM: "stream on the device (two arrays read, two written)",
    STEP_COLD: "loss step on the device, cold",
    STEP_WARM: "loss step on the device, warm",
    UPLOAD: "scores to the device",
    ROUND: "whole round from scores in host memory, warm",
    HOST: "whole round on the processor, warm",
}
#: The floor of each method.
FLOORS = {PROJECTION: COPY, STEP_COLD: STREAM, STEP_WARM: STREAM}

#: Largest change of a score from the round before to the present one.
MOVE = 0.1
#: The size of the requirement.
BIG = 100_000_000
#: Gradients lie between -1 and 1 (temperature 1), curvatures between 0 and 1: a few units in float32's last place.
FLOAT32_ROUNDING = 4 * float(np.finfo(np.float32).eps)


def run_case(n: int, dtype: str, samples: int) -> Record:
    """Time all methods in turn; also count the projection's passes and compare gradients with the processor's.

    Scores are normal, half of the labels positive and following the scores with noise, temperature 1, no weights.
    """
    from hsboost import HypersimplexLoss, cuda
    from hsboost.cuda import _step
    from hsboost.cuda._device import device as numbered

    device, loss = numbered(0), HypersimplexLoss()
    rng = np.random.default_rng(n)
    before = rng.standard_normal(n, np.float32).astype(dtype)
    x = (before + MOVE * (2.0 * rng.random(n, np.float32) - 1.0)).astype(dtype)
    y = (x + rng.standard_normal(n, np.float32) > 0.0).astype(np.float32)
    k = float(y.sum(dtype=np.float64))
    copy, stream = machine.copy_kernels()
    *_, state, rows = _step.boosting_step(device, loss, y, before, None, None, None)
    gradient, hessian, _, rows = _step.boosting_step(device, loss, y, x, None, state, rows)
    host_gradient, host_hessian, host_state = loss.boosting_step(y, x, None, state)
    with device.current():
        differences = [
            float(np.abs(device.download(ours) - theirs).max())
            for ours, theirs in ((gradient, host_gradient), (hessian, host_hessian))
        ]
        del gradient, hessian, host_gradient, host_hessian
        out = device.empty(x.shape, x.dtype)
        *_, passes = cuda.project_hypersimplex(rows.scores, k)
        calls: dict[str, Callable[[], Any]] = {
            COPY: lambda: copy(out, rows.scores),
            PROJECTION: lambda: cuda.project_hypersimplex(rows.scores, k),
            STEP_COLD: lambda: _step.passes(device, loss, rows, None),
            STEP_WARM: lambda: _step.passes(device, loss, rows, state),
            UPLOAD: lambda: device.upload(x, out),
            ROUND: lambda: _step.boosting_step(device, loss, y, x, None, state, rows),
            HOST: lambda: loss.boosting_step(y, x, None, host_state),
        }
        if dtype == "float32":
            g, h = device.empty(x.shape, np.float32), device.empty(x.shape, np.float32)
            calls[STREAM] = lambda: stream(rows.scores, rows.y, g, h)
        seconds, _ = measure.in_turns(calls, samples)  # the first calls fill the memory pool, too
    return {
        "kind": "kernels",
        "n": n,
        "dtype": dtype,
        "methods": seconds,
        "passes": passes,
        "gradient_difference": max(differences),
    }


def median(record: Record, method: str) -> float | None:
    """Median seconds of a method; None where it was not timed."""
    found = record["methods"].get(method)
    return float(np.median(found)) if found else None


def ratio(record: Record, method: str) -> float | None:
    """Time of a method over its floor, medians of samples taken in turn."""
    own, least = median(record, method), median(record, FLOORS[method])
    return None if own is None or least is None else own / least


def requirements(records: list[Record]) -> list[Requirement]:
    """The projection's cost against a copy, and gradients that equal the processor's."""
    return [_projection(records), _same_gradients(records)]


def _projection(records: list[Record]) -> Requirement:
    claim = "projection on the GPU, 1e8 float32, cold: copies of the array"
    record = next((record for record in records if (record["n"], record["dtype"]) == (BIG, "float32")), None)
    own, least = (None, None) if record is None else (median(record, name) for name in (PROJECTION, COPY))
    if record is None or own is None or least is None:
        return Requirement(claim, None, 2.0, note="needs --sizes 1e8")
    speed = f"{2 * record['n'] * 4 / least / 1e9:.0f} GB/s"
    note = f"{1e3 * own:.4g} ms / {1e3 * least:.4g} ms ({speed}); passes that read: {record['passes']} + 1"
    return Requirement(claim, own / least, 2.0, note=note)


def _same_gradients(records: list[Record]) -> Requirement:
    claim = "gradients and curvatures equal the processor's to float32 rounding"
    if not records:
        return Requirement(claim, None, None, note="needs --sizes")
    worst = max(record["gradient_difference"] for record in records)
    note = f"largest difference {worst:.1e} in {len(records)} cases; rounding is {FLOAT32_ROUNDING:.1e}"
    return Requirement(claim, float(worst <= FLOAT32_ROUNDING), None, note=note)


def table(records: list[Record], dtype: str) -> Table:
    """Lay out a dtype's cases: a line for each method, a column for each size."""
    line = [record for record in records if record["dtype"] == dtype]
    rows = [[Cell(label), *(_cell(record, method) for record in line)] for method, label in LABELS.items()]
    rows = [row for row in rows if any(cell is not NONE for cell in row[1:])]
    if rows:
        rows.append([Cell("passes of the projection's search"), *(Cell(f"{record['passes']}") for record in line)])
    header = [Cell("method"), *(Cell(f"n = {record['n']:.0e}".replace("e+0", "e")) for record in line)]
    return Table(f"Kernels, {dtype}: milliseconds (× what moving the same bytes costs)", header, rows, labels=1)


def _cell(record: Record, method: str) -> Cell:
    time = median(record, method)
    if time is None:
        return NONE
    times = ratio(record, method) if method in FLOORS else None
    return Cell(f"{1e3 * time:.4g}" + ("" if times is None else f" (×{times:.3g})"), method in FLOORS)


def to_json(records: list[Record]) -> list[Record]:
    """Summarise every case for results.json."""
    return [
        {
            **{key: record[key] for key in ("n", "dtype", "passes", "gradient_difference")},
            "seconds": {name: spread(found).to_json() for name, found in record["methods"].items()},
            "ratio_to_floor": {name: found for name in FLOORS if (found := ratio(record, name)) is not None},
        }
        for record in records
    ]
