"""One size of the passes: projection and loss step on the device, beside a copy and a stream of the same arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.gpu import machine
from benchmarks.store import Record

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
#: The least that a method can cost.
FLOORS = {PROJECTION: COPY, STEP_COLD: STREAM, STEP_WARM: STREAM}

#: Scores move by up to so much from the round before to the present one.
MOVE = 0.1


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
            STEP_COLD: lambda: _step.passes(device, loss, rows, (None,)),
            STEP_WARM: lambda: _step.passes(device, loss, rows, (state,)),
            UPLOAD: lambda: device.upload(x, out),
            ROUND: lambda: _step.boosting_step(device, loss, y, x, None, state, rows),
            HOST: lambda: loss.boosting_step(y, x, None, host_state),
        }
        if dtype == "float32":
            g, h = device.empty(x.shape, np.float32), device.empty(x.shape, np.float32)
            calls[STREAM] = lambda: stream(rows.scores, rows.y, g, h)
        for call in calls.values():
            call()  # compiles, and fills the memory pool
        each = {name: measure.calls_per_sample(measure.seconds_of(call)) for name, call in calls.items()}
        seconds = measure.interleaved(calls, each, dict.fromkeys(calls, samples))
    return {
        "kind": "kernels",
        "n": n,
        "dtype": dtype,
        "methods": seconds,
        "passes": passes,
        "gradient_difference": max(differences),
    }
