"""The promises about the GPU path, each checked against what was measured."""

from __future__ import annotations

import numpy as np

from benchmarks.gpu.aggregate import Figures, median, ratio
from benchmarks.gpu.kernels import COPY, PROJECTION
from benchmarks.gpu.training import LOG_LOSS, ON_GPU
from benchmarks.targets import Target

BIG, ROWS = 100_000_000, 10_000_000
#: Gradients lie between -1 and 1 (temperature 1), curvatures between 0 and 1: a few units in float32's last place.
FLOAT32_ROUNDING = 4 * float(np.finfo(np.float32).eps)


def targets(figures: Figures) -> list[Target]:
    """List every promise with what was measured."""
    return [_projection(figures), _training(figures), _same_gradients(figures)]


def _projection(figures: Figures) -> Target:
    claim = "projection on the GPU, 1e8 float32, cold: copies of the array"
    record = figures.at(BIG, "float32")
    found = None if record is None else ratio(record, PROJECTION)
    if record is None or found is None:
        return Target(claim, None, 2.0, note="needs --sizes 1e8")
    own, least = median(record, PROJECTION), median(record, COPY)
    assert own is not None
    assert least is not None
    moved = 2 * record["n"] * 4 / least / 1e9
    return Target(
        claim,
        found,
        2.0,
        note=f"{1e3 * own:.4g} ms / {1e3 * least:.4g} ms ({moved:.0f} GB/s); passes that read: {record['passes']} + 1",
    )


def _training(figures: Figures) -> Target:
    claim = "XGBoost on the GPU, 1e7 x 28: HyperSimplex against built-in log loss"
    ratios = figures.ratios(ROWS, ON_GPU, LOG_LOSS)
    if not ratios:
        return Target(claim, None, 1.15, note="needs --rows 1e7")
    note = f"repeats: {len(ratios)}; {min(ratios):.3f}–{max(ratios):.3f}"
    return Target(claim, float(np.median(ratios)), 1.15, note=note)


def _same_gradients(figures: Figures) -> Target:
    claim = "gradients and curvatures equal the processor's to float32 rounding"
    if not figures.kernels:
        return Target(claim, None, None, note="needs --sizes")
    worst = max(record["gradient_difference"] for record in figures.kernels)
    note = f"largest difference {worst:.1e} in {len(figures.kernels)} cases; rounding is {FLOAT32_ROUNDING:.1e}"
    return Target(claim, float(worst <= FLOAT32_ROUNDING), None, note=note)
