"""The methods timed in a case: the floors, our projection, our loss's step, the rivals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numba import prange
from numpy.typing import NDArray

from benchmarks.calls.cases import Case, FloatArray, PartCase, PartRows, Rows, round_before
from benchmarks.rivals import RIVALS, Availability
from benchmarks.suite.store import Record
from hsboost._kernels._compile import BLOCK, PARALLEL_FROM, njit

Float32 = NDArray[np.float32]


@njit
def _block(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    for i in range(x.size):
        gradient[i] = x[i] - y[i]
        hessian[i] = x[i] + y[i]


# Two functions and not one compiled twice: Numba's disk cache identifies a function by name and place, not by its
# options, and would load whichever form was compiled first.
@njit
def _serial(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    _block(x, y, gradient, hessian)


@njit(parallel=True)
def _parallel(x: Any, y: Any, gradient: Any, hessian: Any) -> None:
    n = x.size
    for b in prange((n + BLOCK - 1) // BLOCK):
        i, j = b * BLOCK, min(n, (b + 1) * BLOCK)
        _block(x[i:j], y[i:j], gradient[i:j], hessian[i:j])


def stream(x: Float32, y: Float32, gradient: Float32, hessian: Float32) -> None:
    """Fill both outputs from both inputs and do nothing else, threaded like hsboost's passes."""
    if x.size >= PARALLEL_FROM and numba.get_num_threads() > 1:
        _parallel(x, y, gradient, hessian)
    else:
        _serial(x, y, gradient, hessian)


@njit
def _gather_serial(x: Any, order: Any, out: Any) -> None:
    for i in range(x.size):
        out[i] = x[order[i]]


@njit(parallel=True)
def _gather_parallel(x: Any, order: Any, out: Any) -> None:
    for i in prange(x.size):
        out[i] = x[order[i]]


def gather(x: FloatArray, order: NDArray[np.intp], out: FloatArray) -> None:
    """Fill ``out`` with ``x[order]``, threaded like hsboost's passes."""
    if x.size >= PARALLEL_FROM and numba.get_num_threads() > 1:
        _gather_parallel(x, order, out)
    else:
        _gather_serial(x, order, out)


def threading_layer() -> str:
    """Name Numba's threading layer; starts the threads if necessary."""
    x = np.zeros(BLOCK, np.float32)
    _parallel(x, x, np.empty_like(x), np.empty_like(x))
    return str(numba.threading_layer())


LABELS = {
    "copy": "numpy.copyto (floor)",
    "copy_new": "copy into a new array",
    "gather": "gather x[order] (floor)",
    "find_groups": "finding the groups from labels",
    "projection": "project_hypersimplex",
    "projection_into": "project_hypersimplex, out=",
    "stream": "stream kernel (floor)",
    "stream_new": "stream into new arrays",
    "step_cold": "loss step, cold",
    "step_warm": "loss step, warm",
} | {name: rival.label for name, rival in RIVALS.items()}

#: Calls that return a new array, and that write into one that exists.
OURS = ("projection", "projection_into")
PROJECTIONS = (*OURS, *RIVALS)
STEPS = ("step_cold", "step_warm")
#: Prefix of the name of a call on all parts' rows as one problem.
ONE = "one_"
#: Methods this many times slower than the slowest of ours take turns among themselves, after the others: the system is
#: still busy with the gigabytes they free when the next method runs.
FAR_SLOWER = 10.0


@dataclass(frozen=True)
class Method:
    """A call to be timed. It returns y or (gradient, hessian), which are checked, or nothing for floors."""

    name: str
    call: Callable[[], Any]

    @property
    def is_rival(self) -> bool:
        """Whether this is a rival, which has a budget of seconds."""
        return self.name in RIVALS

    @property
    def into(self) -> bool:
        """Whether it writes into an existing array."""
        return self.name == "projection_into" or (self.is_rival and RIVALS[self.name].into)


def own_methods(rows: Rows) -> list[Method]:
    """Prepare the floors and hsboost's own calls; the loss's step is timed on float32, the type of XGBoost's scores."""
    from hsboost import project_hypersimplex

    x, w, k = rows.x, rows.w, rows.k
    out, values = np.zeros_like(x), np.zeros_like(x)
    methods = [
        Method("copy", lambda: np.copyto(out, x)),
        Method("copy_new", x.copy),
        Method("projection", lambda: project_hypersimplex(x, k, sample_weight=w).values),
        Method("projection_into", lambda: project_hypersimplex(x, k, sample_weight=w, out=values).values),
    ]
    if x.dtype == np.float32:
        methods += [*_streams(rows), *_steps(x, rows.y, w)]
    return methods


def own_part_methods(rows: PartRows) -> list[Method]:
    """The same with a problem for each part, and the same calls on the same rows as one problem."""
    from hsboost import project_hypersimplex
    from hsboost._solver.segments import Segments

    x, w, k, groups = rows.x, rows.w, rows.k, rows.groups
    ours = ("projection", *STEPS)
    one = [method for method in own_methods(rows.one) if not method.into]
    methods = [Method(ONE + m.name, m.call) if m.name in ours else m for m in one]
    methods.append(Method("projection", lambda: project_hypersimplex(x, k, sample_weight=w, groups=groups).values))
    segments = None
    if groups is not None:
        segments = Segments.by_label(groups)
        methods.append(Method("find_groups", lambda: Segments.by_label(groups)))
        order = segments.order
        if order is not None:
            out = np.zeros_like(x)
            methods.append(Method("gather", lambda: gather(x, order, out)))
    # Objectives find the groups once for all rounds.
    return methods + (_steps(x, rows.y, w, segments) if x.dtype == np.float32 else [])


def _streams(rows: Rows) -> list[Method]:
    x, y = rows.x, rows.y
    gradient, hessian = np.zeros_like(x), np.zeros_like(x)

    def stream_new() -> tuple[np.ndarray, np.ndarray]:
        outputs = np.empty_like(x), np.empty_like(x)
        stream(x, y, *outputs)
        return outputs

    return [Method("stream", lambda: stream(x, y, gradient, hessian)), Method("stream_new", stream_new)]


def _steps(x: FloatArray, y: FloatArray, w: FloatArray | None, segments: Any = None) -> list[Method]:
    from hsboost import HypersimplexLoss

    loss = HypersimplexLoss()
    # A call never changes the state of the round before, so all repeats can use it.
    *out, state = loss.boosting_step(y, round_before(x), w, None, segments)
    return [
        Method("step_cold", lambda: loss.boosting_step(y, x, w, None, segments)[:2]),
        Method("step_warm", lambda: loss.boosting_step(y, x, w, state, segments, *out)[:2]),
    ]


def rival_method(name: str, rows: Rows | PartRows) -> Method:
    """Prepare a rival's call, untimed."""
    rival = RIVALS[name]
    if isinstance(rows, Rows):
        return Method(name, rival.prepare(rows.x, rows.k, rows.w))
    if rows.groups is None:
        return Method(name, rival.prepare_columns(rows.x, rows.k, rows.w))
    return Method(name, rival.prepare_groups(rows.x, rows.k, rows.w, rows.groups))


def possible(name: str, case: Case | PartCase) -> Availability:
    """Say whether a rival supports a case."""
    rival = RIVALS[name]
    here = rival.available()
    return rival.supports(case.weights, case.kind) if here.ok else here


def expected_seconds(name: str, case: Case | PartCase, earlier: list[Record]) -> float | None:
    """Predict a rival's seconds per call from the same shape at a smaller size; costs grow at least with n.

    Fixed costs dominate small sizes and would make the prediction too high: times scale with rows only from 10,000 on.
    """
    best: tuple[int, float] | None = None
    for record in earlier:
        if _shape(record["case"]) != _shape(case.key):
            continue
        found = record["methods"].get(name, {}).get("seconds")
        if found and 10_000 <= record["n"] < case.n and (best is None or record["n"] > best[0]):
            best = record["n"], float(np.median(found))
    return None if best is None else best[1] * case.n / best[0]


def _shape(key: str) -> str:
    """A case's key without its size."""
    return key.rpartition("/")[0]
