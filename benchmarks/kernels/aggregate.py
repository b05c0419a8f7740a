"""From records to figures: medians with quartiles, ratios to the floors, the best rival."""

from __future__ import annotations

from benchmarks.kernels.cases import BUDGETS, DISTRIBUTIONS, LINE
from benchmarks.kernels.methods import ONE, STEPS
from benchmarks.kernels.parts import LAYOUTS
from benchmarks.measure import Spread, spread
from benchmarks.rivals import RIVALS
from benchmarks.store import Record

#: Results this close to the reference are equally good: it is rounding of y itself.
ROUNDING = {"float64": 1e-14, "float32": 3e-7}
FLOORS = {
    "projection": "copy",
    "projection_into": "copy",
    "step_cold": "stream",
    "step_warm": "stream",
    "copy_new": "copy",
    "stream_new": "stream",
} | {ONE + step: "stream" for step in STEPS}


class Figures:
    """Answers about a set of case records: ``records`` of single problems, ``parted`` of groups and classes."""

    def __init__(self, records: list[Record]) -> None:
        shapes, budgets = list(DISTRIBUTIONS), list(BUDGETS)
        self.parted = sorted(
            (record for record in records if "layout" in record),
            key=lambda r: (LAYOUTS.index(r["layout"]), r["dtype"] != "float64", r["weights"], r["n"]),
        )
        self.records = sorted(
            (record for record in records if "layout" not in record),
            key=lambda r: (
                r["dtype"] != "float64",
                r["weights"],
                shapes.index(r["distribution"]),
                budgets.index(r["budget"]),
                r["n"],
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
        """Return the case that the promises speak of (normal, half, unweighted) at one size, if it was run."""
        wanted = (*LINE, n, dtype)
        axes = ("distribution", "budget", "weights", "n", "dtype")
        return next((record for record in self.records if tuple(record[axis] for axis in axes) == wanted), None)


def timing(record: Record, method: str) -> Spread | None:
    """Seconds per call of a method in a case; None where it was not timed."""
    seconds = record["methods"].get(method, {}).get("seconds")
    return spread(seconds) if seconds else None


def ratio(record: Record, method: str, base: str) -> float | None:
    """Ratio of medians of two methods timed in the same rounds."""
    above, below = timing(record, method), timing(record, base)
    return above.median / below.median if above and below else None


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

    Those that return a new array, or with ``into`` those that write into one that exists.
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


def to_json(records: list[Record]) -> list[Record]:
    """Summarise every case for results.json."""
    rows = []
    for record in records:
        methods = {}
        for name, found in record["methods"].items():
            kept = {key: value for key, value in found.items() if key != "seconds"}
            time = timing(record, name)
            floor = ratio(record, name, FLOORS.get(name, "copy"))
            if time is not None:
                kept |= {"seconds": time.to_json(), "ratio_to_floor": floor, "floor": FLOORS.get(name, "copy")}
            if ONE + name in record["methods"]:
                kept["ratio_to_one_problem"] = ratio(record, name, ONE + name)
            methods[name] = kept
        rows.append({key: value for key, value in record.items() if key != "methods"} | {"methods": methods})
    return rows
