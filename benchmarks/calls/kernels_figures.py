"""From the records of the kernels benchmark to figures and requirements."""

from __future__ import annotations

from benchmarks.calls.cases import BUDGETS, DISTRIBUTIONS, LAYOUTS, LINE
from benchmarks.calls.figures import ratio, timing
from benchmarks.calls.methods import LABELS, ONE, STEPS
from benchmarks.rivals import RIVALS
from benchmarks.suite.measure import Spread
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.store import Record

#: Results this close to the reference are equally accurate: the difference is rounding of y itself.
ROUNDING = {"float64": 1e-14, "float32": 3e-7}
FLOORS = {
    "projection": "copy",
    "projection_into": "copy",
    "step_cold": "stream",
    "step_warm": "stream",
    "copy_new": "copy",
    "stream_new": "stream",
} | {ONE + step: "stream" for step in STEPS}

SMALL, MIDDLE, BIG, HUGE = 1_000, 1_000_000, 10_000_000, 100_000_000
#: Extra memory that the requirement "the memory of the inputs and outputs" tolerates, as a share of them.
MEMORY_SLACK = 0.10


class Figures:
    """Figures of a set of case records: ``records`` of single problems, ``parted`` of groups and classes."""

    def __init__(self, records: list[Record]) -> None:
        shapes, budgets = list(DISTRIBUTIONS), list(BUDGETS)
        self.parted = sorted(
            (record for record in records if "layout" in record),
            key=lambda r: (LAYOUTS.index(r["layout"]), r["dtype"] != "float64", r["weights"], r["n"]),
        )
        self.records = sorted(
            (record for record in records if "layout" not in record),
            key=lambda r: (
                *(r["dtype"] != "float64", r["weights"]),
                *(shapes.index(r["distribution"]), budgets.index(r["budget"]), r["n"]),
            ),
        )

    @property
    def all(self) -> list[Record]:
        """Every record."""
        return self.records + self.parted

    def line(self, dtype: str) -> list[Record]:
        """Return the records of one shape at all its sizes: normal, half, unweighted, or the shape with most sizes."""
        shapes: dict[tuple[str, str, bool], list[Record]] = {}
        for record in self.records:
            if record["dtype"] == dtype:
                shapes.setdefault((record["distribution"], record["budget"], record["weights"]), []).append(record)
        if not shapes:
            return []
        chosen = LINE if LINE in shapes else max(shapes, key=lambda shape: len(shapes[shape]))
        return shapes[chosen]

    def at(self, n: int, dtype: str) -> Record | None:
        """Return the case of the speed requirements (normal, half, unweighted) at one size, if it was run."""
        wanted = (*LINE, n, dtype)
        axes = ("distribution", "budget", "weights", "n", "dtype")
        return next((record for record in self.records if tuple(record[axis] for axis in axes) == wanted), None)

    def to_json(self) -> list[Record]:
        """Summarise every case for results.json."""
        return [record | {"methods": _methods(record)} for record in self.all]


def _methods(record: Record) -> Record:
    methods = {}
    for name, found in record["methods"].items():
        kept = {key: value for key, value in found.items() if key != "seconds"}
        time, floor = timing(record, name), FLOORS.get(name, "copy")
        if time is not None:
            kept |= {"seconds": time.to_json(), "ratio_to_floor": ratio(record, name, floor), "floor": floor}
        if ONE + name in record["methods"]:
            kept["ratio_to_one_problem"] = ratio(record, name, ONE + name)
        methods[name] = kept
    return methods


def error(record: Record, method: str) -> float | None:
    """Largest error of a row against the long-double reference."""
    found = record["methods"].get(method, {}).get("error")
    return None if found is None else float(found)


def as_good(record: Record, rival: str) -> bool:
    """Whether our projection is at least as accurate as a rival's (both at rounding counts as equal)."""
    ours, theirs = error(record, "projection"), error(record, rival)
    return ours is not None and theirs is not None and ours <= max(theirs, ROUNDING[record["dtype"]])


def fastest_rival(record: Record, sorting: bool | None = None, into: bool = False) -> str | None:
    """Name the fastest rival; ``sorting`` keeps those that sort, or those that do not.

    Only rivals that return a new array or, with ``into``, those that write into an existing one.
    """
    timed = {
        name: found.median
        for name, rival in RIVALS.items()
        if rival.into == into
        and (sorting is None or rival.sorts == sorting)
        and (found := timing(record, name)) is not None
    }
    return min(timed, key=lambda name: timed[name]) if timed else None


def extra_bytes(record: Record, method: str) -> int | None:
    """Peak memory of a call beyond its inputs and outputs."""
    found = record["methods"].get(method, {})
    return max(found["peak_bytes"] - found["output_bytes"], 0) if "peak_bytes" in found else None


def requirements(figures: Figures) -> list[Requirement]:
    """List all requirements with the measured figures, all on normal scores at half without weights."""
    big64, big32 = figures.at(BIG, "float64"), figures.at(BIG, "float32")
    in_place = "projection_into"
    double, cold, warm = ("float64", "projection"), ("float32", "step_cold"), ("float32", "step_warm")
    return [
        _against_floor("projection, 1e7 float64, cold: copies of the array", big64, "projection", "copy", 3.5),
        _against_rival("slower: the fastest rival, 1e7 float64, at equal or better accuracy of ours", big64, None, 8.0),
        _against_rival(
            "slower: NumPy in place, 1e7 float64; both write into an array that exists", big64, False, 8.0, in_place
        ),
        _against_rival("slower: the fastest sort-based rival, 1e7 float64", big64, True, 30.0),
        _against_rival("slower: the same, both into an array that exists", big64, True, 30.0, in_place),
        _against_floor("loss step, 1e7 float32, warm: streams", big32, "step_warm", "stream", 3.0),
        _against_floor("loss step, 1e7 float32, cold: streams", big32, "step_cold", "stream", 5.0),
        *[_small(figures, *which) for which in (double, ("float32", "projection"), warm)],
        *[_growth(figures, *which) for which in (double, cold, warm)],
        *[_memory(figures, *which) for which in (double, cold)],
        _same_bits(figures),
    ]


def _missing(*sizes: float) -> str:
    words = " and ".join(f"{n:.0e}".replace("e+0", "e") for n in sizes)
    return f"needs normal/half at n = {words}"


def _timings(method: str, *records: Record | None) -> list[Spread] | None:
    """A method's times in all of the records, if it was timed in all."""
    found = [None if record is None else timing(record, method) for record in records]
    return None if None in found else [time for time in found if time is not None]


def _milliseconds(found: list[Spread], between: str) -> str:
    return between.join(f"{1e3 * time.median:.4g} ms" for time in found)


def _against_floor(claim: str, record: Record | None, method: str, floor: str, bound: float) -> Requirement:
    time, least = _timings(method, record), _timings(floor, record)
    if time is None or least is None:
        return Requirement(claim, None, bound, note=_missing(BIG))
    return Requirement(claim, time[0].median / least[0].median, bound, note=_milliseconds(time + least, " / "))


def _against_rival(
    claim: str, record: Record | None, sorting: bool | None, bound: float, method: str = "projection"
) -> Requirement:
    into = method == "projection_into"
    name = None if record is None else fastest_rival(record, sorting, into)
    measured = None if record is None or name is None else ratio(record, name, method)
    if record is None or name is None or measured is None:
        rival = "and that rival" if into else "and a rival that was timed there"
        return Requirement(claim, None, bound, at_least=True, note=f"{_missing(BIG)} {rival}")
    note = f"{RIVALS[name].label}; error {error(record, method):.1e} (ours), {error(record, name):.1e} (rival)"
    if not as_good(record, name):
        # Faster but less accurate does not count: the ratio is reported, the verdict is "not met".
        return Requirement(claim, 0.0, bound, at_least=True, note=f"{measured:.3g}×, but less accurate: {note}")
    return Requirement(claim, measured, bound, at_least=True, note=note)


def _small(figures: Figures, dtype: str, method: str) -> Requirement:
    claim = f"{LABELS[method]}, 1e3 {dtype}: time of a call"
    found = _timings(method, figures.at(SMALL, dtype))
    if found is None:
        return Requirement(claim, None, 30.0, " µs", note=_missing(SMALL))
    (time,) = found
    note = f"quartiles {1e6 * time.low:.3g}–{1e6 * time.high:.3g}"
    return Requirement(claim, 1e6 * time.median, 30.0, " µs", note=note)


def _growth(figures: Figures, dtype: str, method: str) -> Requirement:
    claim = f"{LABELS[method]}, {dtype}: growth of time from 1e6 to 1e7"
    found = _timings(method, figures.at(MIDDLE, dtype), figures.at(BIG, dtype))
    if found is None:
        return Requirement(claim, None, 12.0, note=_missing(MIDDLE, BIG))
    before, after = found
    return Requirement(claim, after.median / before.median, 12.0, note=_milliseconds(found, ", then "))


def _memory(figures: Figures, dtype: str, method: str) -> Requirement:
    claim = f"{LABELS[method]}, 1e8 {dtype}: peak memory beyond inputs and outputs, as a share of them"
    record = figures.at(HUGE, dtype)
    extra = None if record is None else extra_bytes(record, method)
    if record is None or extra is None:
        return Requirement(claim, None, MEMORY_SLACK, "", note="needs --large, on Linux")
    own = record["input_bytes"] + record["methods"][method]["output_bytes"]
    own += record["label_bytes"] if method != "projection" else 0
    note = f"{extra / 2**20:.0f} MiB on {own / 2**20:.0f} MiB"
    return Requirement(claim, extra / own, MEMORY_SLACK, "", note=note)


def _same_bits(figures: Figures) -> Requirement:
    claim = "same bits for one thread and for all"
    checked = [
        (record["case"], name, found["same_bits_with_one_thread"])
        for record in figures.all
        for name, found in record["methods"].items()
        if found.get("same_bits_with_one_thread") is not None
    ]
    if not checked:
        return Requirement(claim, None, None, note="needs two threads")
    differing = [f"{name} in {case}" for case, name, same in checked if not same]
    note = f"differs: {', '.join(differing[:3])}" if differing else f"{len(checked)} results compared"
    return Requirement(claim, float(not differing), None, note=note)
