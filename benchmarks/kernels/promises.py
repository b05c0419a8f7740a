"""The speed promises of the projection and of the loss's step, each checked against the records."""

from __future__ import annotations

from benchmarks.kernels.aggregate import Figures, as_good, error, extra_bytes, fastest_rival, ratio, timing
from benchmarks.kernels.methods import LABELS
from benchmarks.rivals import RIVALS
from benchmarks.store import Record
from benchmarks.targets import Target

SMALL, MIDDLE, BIG, HUGE = 1_000, 1_000_000, 10_000_000, 100_000_000
#: "The memory of the inputs and outputs" leaves room for this share of them.
MEMORY_SLACK = 0.10


def targets(figures: Figures) -> list[Target]:
    """List every promise with what was measured, all on normal scores at half without weights."""
    big64, big32 = figures.at(BIG, "float64"), figures.at(BIG, "float32")
    found = [
        _against_floor("projection, 1e7 float64, cold: copies of the array", big64, "projection", "copy", 3.5),
        _against_rival("slower: the fastest rival, 1e7 float64, at equal or better accuracy of ours", big64, None, 8.0),
        _in_place("slower: NumPy in place, 1e7 float64; both write into an array that exists", big64, False, 8.0),
        _against_rival("slower: the fastest sort-based rival, 1e7 float64", big64, True, 30.0),
        _in_place("slower: the same, both into an array that exists", big64, True, 30.0),
        _against_floor("loss step, 1e7 float32, warm: streams", big32, "step_warm", "stream", 3.0),
        _against_floor("loss step, 1e7 float32, cold: streams", big32, "step_cold", "stream", 5.0),
    ]
    for dtype, method in (("float64", "projection"), ("float32", "projection"), ("float32", "step_warm")):
        found.append(_small(figures, dtype, method))
    for dtype, method in (("float64", "projection"), ("float32", "step_cold"), ("float32", "step_warm")):
        found.append(_growth(figures, dtype, method))
    for dtype, method in (("float64", "projection"), ("float32", "step_cold")):
        found.append(_memory(figures, dtype, method))
    found.append(_same_bits(figures))
    return found


def _missing(*sizes: float) -> str:
    words = " and ".join(f"{n:.0e}".replace("e+0", "e") for n in sizes)
    return f"needs normal/half at n = {words}"


def _against_floor(claim: str, record: Record | None, method: str, floor: str, bound: float) -> Target:
    measured = None if record is None else ratio(record, method, floor)
    time = None if record is None else timing(record, method)
    below = None if record is None else timing(record, floor)
    if measured is None or time is None or below is None:
        return Target(claim, None, bound, note=_missing(BIG))
    return Target(claim, measured, bound, note=f"{1e3 * time.median:.4g} ms / {1e3 * below.median:.4g} ms")


def _against_rival(claim: str, record: Record | None, sorting: bool | None, bound: float) -> Target:
    name = None if record is None else fastest_rival(record, sorting)
    if record is None or name is None:
        return Target(claim, None, bound, at_least=True, note=f"{_missing(BIG)} and a rival that was timed there")
    return _compared(claim, record, name, "projection", bound)


def _in_place(claim: str, record: Record | None, sorting: bool, bound: float) -> Target:
    name = None if record is None else fastest_rival(record, sorting, into=True)
    if record is None or name is None or timing(record, "projection_into") is None:
        return Target(claim, None, bound, at_least=True, note=f"{_missing(BIG)} and that rival")
    return _compared(claim, record, name, "projection_into", bound)


def _compared(claim: str, record: Record, name: str, method: str, bound: float) -> Target:
    measured = ratio(record, name, method)
    ours, theirs = error(record, method), error(record, name)
    note = f"{RIVALS[name].label}; error {ours:.1e} (ours), {theirs:.1e} (rival)"
    if not as_good(record, name):
        # Faster but less accurate keeps no promise: the ratio is told, the verdict is not met.
        return Target(claim, 0.0, bound, at_least=True, note=f"{measured:.3g}×, but less accurate: {note}")
    return Target(claim, measured, bound, at_least=True, note=note)


def _small(figures: Figures, dtype: str, method: str) -> Target:
    claim = f"{LABELS[method]}, 1e3 {dtype}: time of a call"
    record = figures.at(SMALL, dtype)
    time = None if record is None else timing(record, method)
    if time is None:
        return Target(claim, None, 30.0, " µs", note=_missing(SMALL))
    return Target(claim, 1e6 * time.median, 30.0, " µs", note=f"quartiles {1e6 * time.low:.3g}–{1e6 * time.high:.3g}")


def _growth(figures: Figures, dtype: str, method: str) -> Target:
    claim = f"{LABELS[method]}, {dtype}: growth of time from 1e6 to 1e7"
    times = [
        None if record is None else timing(record, method)
        for record in (figures.at(MIDDLE, dtype), figures.at(BIG, dtype))
    ]
    before, after = times
    if before is None or after is None:
        return Target(claim, None, 12.0, note=_missing(MIDDLE, BIG))
    note = f"{1e3 * before.median:.4g} ms, then {1e3 * after.median:.4g} ms"
    return Target(claim, after.median / before.median, 12.0, note=note)


def _memory(figures: Figures, dtype: str, method: str) -> Target:
    claim = f"{LABELS[method]}, 1e8 {dtype}: peak memory beyond inputs and outputs, as a share of them"
    record = figures.at(HUGE, dtype)
    extra = None if record is None else extra_bytes(record, method)
    if record is None or extra is None:
        return Target(claim, None, MEMORY_SLACK, "", note="needs --large, on Linux")
    own = record["input_bytes"] + record["methods"][method]["output_bytes"]
    own += record["label_bytes"] if method != "projection" else 0
    return Target(claim, extra / own, MEMORY_SLACK, "", note=f"{extra / 2**20:.0f} MiB on {own / 2**20:.0f} MiB")


def _same_bits(figures: Figures) -> Target:
    claim = "same bits for one thread and for all"
    checked = [
        (record["case"], name, found["same_bits_with_one_thread"])
        for record in figures.all
        for name, found in record["methods"].items()
        if found.get("same_bits_with_one_thread") is not None
    ]
    if not checked:
        return Target(claim, None, None, note="needs two threads")
    differing = [f"{name} in {case}" for case, name, same in checked if not same]
    note = f"differs: {', '.join(differing[:3])}" if differing else f"{len(checked)} results compared"
    return Target(claim, float(not differing), None, note=note)
