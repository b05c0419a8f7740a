"""The promises about several workers, each checked against the cases."""

from __future__ import annotations

import numpy as np

from benchmarks.scaling.aggregate import Cases
from benchmarks.scaling.plan import DASK, DASK_ROWS, DASK_WORKERS
from benchmarks.targets import Target

CALLS, BYTES, OVERHEAD = 4, 4096, 1.15


def targets(cases: Cases) -> list[Target]:
    """List the promises: traffic over all cases of several workers, overhead under Dask."""
    return [*_traffic(cases), _overhead(cases)]


def _traffic(cases: Cases) -> list[Target]:
    found = [cases.traffic(record) for record in cases.records if record["workers"] > 1]
    claims = ("all-reduce calls of a warm round, at most", "largest single call, cold rounds included")
    if not found:
        return [Target(claim, None, bound, unit, note="needs two workers") for claim, bound, unit in _bounds(claims)]
    most = (float(max(one.warm_calls_most for one in found)), float(max(one.largest for one in found)))
    median = float(np.median([one.warm_calls for one in found]))
    notes = (f"cases: {len(found)}; median {median:g}, cold at most {max(one.cold_calls for one in found)}", "")
    return [
        Target(claim, value, bound, unit, note=note)
        for (claim, bound, unit), value, note in zip(_bounds(claims), most, notes, strict=True)
    ]


def _bounds(claims: tuple[str, str]) -> list[tuple[str, float, str]]:
    return [(claims[0], CALLS, ""), (claims[1], BYTES, " B")]


def _overhead(cases: Cases) -> Target:
    claim = f"under Dask, 1e6 rows on {DASK_WORKERS} workers: HyperSimplex against binary:logistic"
    record = cases.at((DASK, DASK_ROWS, DASK_WORKERS))
    if record is None:
        return Target(claim, None, OVERHEAD, note="needs 1e6 rows, 2 workers, dask and distributed")
    ratios = cases.ratios(record)
    note = f"repeats: {len(ratios)}; {min(ratios):.3f}–{max(ratios):.3f}"
    return Target(claim, float(np.median(ratios)), OVERHEAD, note=note)
