"""The report of the kernels benchmark: promises, times by size and by shape, accuracy, memory, what was skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks import targets as promised
from benchmarks.kernels import aggregate, promises
from benchmarks.kernels.aggregate import FLOORS, Figures
from benchmarks.kernels.cases import DESCRIPTIONS
from benchmarks.kernels.methods import FAR_SLOWER, LABELS, ONE, OURS, PROJECTIONS, STEPS
from benchmarks.kernels.parts import CLASSES, FEW_GROUPS, ROWS_OF_SMALL_GROUPS
from benchmarks.kernels.parts import LABELS as LAYOUTS
from benchmarks.kernels.problems import MOST_CHECKED
from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
from benchmarks.rivals import RIVALS
from benchmarks.store import Record

NONE = Cell("–")


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the shared facts, where it was drawn, the figures."""

    shared: Record
    environment: dict[str, Any]
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        return {
            **{key: self.shared[key] for key in ("settings", "versions", "openmp_wait_policy")},
            "numba_threading_layer": self.shared["numba_threading_layer"],
            "environment_of_the_report": self.environment,
            "targets": [target.to_json() for target in promises.targets(self.figures)],
            "cases": aggregate.to_json(self.figures.all),
        }


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file."""
    figures = result.figures
    found = [promised.table(promises.targets(figures))]
    for dtype in ("float64", "float32"):
        line = figures.line(dtype)
        found.append(_by_size(f"Projection, {dtype}", line, ("copy", "copy_new", *PROJECTIONS), "copy"))
    step_methods = ("stream", "stream_new", "step_cold", "step_warm")
    found.append(
        _by_size("Loss step (gradient and curvature), float32", figures.line("float32"), step_methods, "stream")
    )
    found += [_part_projections(figures), _part_steps(figures), _by_shape(figures)]
    found.append(_accuracy("Accuracy against long double, the worst of all cases", figures.records))
    found.append(_accuracy("Accuracy of groups and classes, the worst of all parts checked", figures.parted))
    found += [_memory(figures), _skipped(figures)]
    return [table for table in found if table.rows]


def _by_size(title: str, line: list[Record], methods: tuple[str, ...], floor: str) -> Table:
    shape = f": {line[0]['distribution']} scores, {line[0]['budget']}" if line else ""
    rows = []
    for method in methods:
        cells = []
        for record in line:
            time, times = aggregate.timing(record, method), aggregate.ratio(record, method, floor)
            if time is None:
                cells.append(NONE)
                continue
            text = _time(time.median)
            above = "" if times is None or method == floor else f" ×{times:.3g}"
            iqr = f" ±{50 * (time.high - time.low) / time.median:.0f} %"
            cells.append(Cell(text + above + iqr, method in (*OURS, *STEPS), text + above))
        if any(cell is not NONE for cell in cells):
            rows.append([Cell(LABELS[method]), *cells])
    header = [Cell("method"), *(Cell(f"n = {_count(record['n'])}") for record in line)]
    return Table(f"{title}{shape} (× {LABELS[floor]}; ± half the interquartile range)", header, rows, labels=1)


def _by_shape(figures: Figures) -> Table:
    rows = []
    for record in figures.records:
        own = [_times(record, method, FLOORS[method]) for method in ("projection", *STEPS)]
        rival = aggregate.fastest_rival(record)
        gain = None if rival is None else aggregate.ratio(record, rival, "projection")
        best = NONE if rival is None or gain is None else Cell(f"{gain:.3g}× ({LABELS[rival]})", brief=f"{gain:.3g}×")
        name = [record["dtype"], record["distribution"], record["budget"], "yes" if record["weights"] else "no"]
        rows.append([*map(Cell, name), Cell(_count(record["n"])), *own, best])
    header = ["dtype", "scores", "k", "weights", "n", "projection", "step cold", "step warm", "fastest rival"]
    return Table(
        "Every case: ratios to the floor; how much slower the fastest rival is", list(map(Cell, header)), rows, 4
    )


def _times(record: Record, method: str, base: str) -> Cell:
    found = aggregate.ratio(record, method, base)
    return NONE if found is None else Cell(f"×{found:.3g}")


def _part_projections(figures: Figures) -> Table:
    """What the grouping costs beside one problem on the same rows, what gathering must cost, and the rivals."""
    rivals = [name for name in RIVALS if any(aggregate.timing(record, name) for record in figures.parted)]
    rows = []
    for record in figures.parted:
        own = [_timed(record, "projection", "copy"), _over_one(record, "projection")]
        others = [_times(record, name, "projection") for name in rivals]
        apart = [_times(record, name, "copy") for name in ("find_groups", "gather")]
        rows.append([*_part_name(record), *own, *apart, *others])
    own = _header("projection (× copyto)", "× one problem", "find (the groups, × copyto)", "gather (× copyto)")
    header = [*_PART_HEADER, *own, *(Cell(f"{LABELS[name]} (× ours)", brief=name) for name in rivals)]
    return Table("Groups and classes: projection; rivals over ours", header, rows)


def _part_steps(figures: Figures) -> Table:
    rows = []
    for record in figures.parted:
        if aggregate.timing(record, "step_cold") is not None:
            own = [(_timed(record, step, "stream"), _over_one(record, step)) for step in STEPS]
            rows.append([*_part_name(record), *own[0], *own[1], _times(record, "gather", "stream")])
    columns = ("cold (× stream)", "× one problem", "warm (× stream)", "× one problem", "gather (× stream)")
    return Table("Groups and classes: loss step", [*_PART_HEADER, *_header(*columns)], rows)


_PART_HEADER = [Cell("parts"), Cell("dtype"), Cell("n")]


def _header(*names: str) -> list[Cell]:
    """Cells that are brief without what stands in parentheses."""
    return [Cell(name, brief=name.partition(" (")[0].replace(" problem", "")) for name in names]


def _part_name(record: Record) -> list[Cell]:
    dtype = record["dtype"] + (", weighted" if record["weights"] else "")
    return [Cell(LAYOUTS[record["layout"]]), Cell(dtype), Cell(_count(record["n"]))]


def _timed(record: Record, method: str, floor: str) -> Cell:
    time, times = aggregate.timing(record, method), _times(record, method, floor).text
    return NONE if time is None else Cell(f"{_time(time.median)} {times}", strong=True, brief=times)


def _over_one(record: Record, method: str) -> Cell:
    return _times(record, method, ONE + method)


def _accuracy(title: str, every: list[Record]) -> Table:
    """For each method, the worst over all cases of each dtype."""
    rows = []
    for dtype in ("float64", "float32"):
        records = [record for record in every if record["dtype"] == dtype]
        for method in (*PROJECTIONS, *STEPS):
            found = [(e, r) for r in records if (e := aggregate.error(r, method)) is not None]
            if not found:
                continue
            worst, record = max(found, key=lambda pair: pair[0])
            masses = [(e, r["n"]) for _, r in found if (e := r["methods"][method].get("mass_error")) is not None]
            mass = Cell(f"{max(e for e, _ in masses):.1e}") if masses else NONE
            where = [LAYOUTS[record["layout"]]] if "layout" in record else [record["distribution"], record["budget"]]
            place = Cell(", ".join([*where, _count(record["n"])]))
            rows.append([Cell(dtype), Cell(LABELS[method]), Cell(f"{worst:.1e}"), place, mass])
    header = ["dtype", "method", "largest error of a row", "where", "largest |Σ w y − k|"]
    return Table(title, list(map(Cell, header)), rows)


def _memory(figures: Figures) -> Table:
    rows = []
    for dtype in ("float64", "float32"):
        for record in figures.line(dtype):
            for method in (*PROJECTIONS, *STEPS):
                extra = aggregate.extra_bytes(record, method)
                if extra is not None:
                    size = Cell(f"{extra / 2**20:.1f} MiB")
                    per_row = Cell(f"{extra / record['n']:.2f}")
                    rows.append([Cell(dtype), Cell(_count(record["n"])), Cell(LABELS[method]), size, per_row])
    header = ["dtype", "n", "method", "extra peak", "bytes a row"]
    return Table("Peak memory of a call beyond its inputs and outputs", list(map(Cell, header)), rows, labels=3)


def _skipped(figures: Figures) -> Table:
    reasons: dict[tuple[str, str], list[str]] = {}
    for record in figures.all:
        for method, found in record["methods"].items():
            if "skipped" in found:
                reasons.setdefault((method, found["skipped"]), []).append(record["case"])
    rows = [
        [Cell(LABELS[method]), Cell(reason), Cell(cases[0] if len(cases) == 1 else f"{len(cases)} cases")]
        for (method, reason), cases in reasons.items()
    ]
    return Table("Not timed", [Cell("rival"), Cell("reason"), Cell("where")], rows, labels=3)


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def _count(n: int) -> str:
    digits = f"{n:.0e}".replace("e+0", "e")
    return digits if float(digits) == n else f"{n:,}"


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    shared, records = result.shared, result.figures.all
    settings = shared["settings"]
    shapes = sorted({record["distribution"] for record in result.figures.records}, key=list(DESCRIPTIONS).index)
    found = [
        f"{len(records)} cases on {settings['threads']} threads (Numba layer: {shared['numba_threading_layer']}; "
        f"OMP_WAIT_POLICY {shared['openmp_wait_policy'] or 'unset'}). Medians of at least {settings['repeats']} "
        "samples, fewer for rivals that need more than "
        f"{settings['rival_seconds']:g} s in all; methods take turns within a case, so ratios are of one moment. "
        f"Those more than {FAR_SLOWER:g} times slower than the slowest of ours take theirs afterwards. Before each "
        "sample comes an untimed call, so that no method pays for memory that the one before it left cold.",
        "Temperature 1; k is Σ w y of labels that follow the scores with noise: 1 % (small), 50 % (half) or 99 % "
        "(near) positive. Scores: " + "; ".join(f"{name}: {DESCRIPTIONS[name]}" for name in shapes) + ".",
        "copyto, the stream kernel, 'out=' and 'in place' write into arrays that exist; all others return new arrays, "
        "whose pages the system must clear first. The lines 'into new arrays' show that cost alone. 'Fastest rival' is "
        "the fastest of those that return new arrays too.",
        "Warm: the state of the round before, whose scores differ by up to 0.1. Cold: no state. Both include the "
        "checks of labels and weights.",
        "Every rival runs compiled, warmed up and with the same threads. jaxopt stops after 30 halvings of its "
        "bracket; entmax gets as many as float64 has digits for.",
        "Errors are against a bracketed Newton search in long double that shares no code with hsboost. Memory is the "
        "growth of the process's resident peak during one call (Linux), so it counts what C++ libraries take too; "
        "what a rival converted beforehand is not counted.",
    ]
    return found + _part_notes() if result.figures.parted else found


def _part_notes() -> list[str]:
    return [
        f"Groups and classes: n counts scores; many groups have about {ROWS_OF_SMALL_GROUPS} rows each, few are "
        f"{FEW_GROUPS}, {CLASSES} columns have n / {CLASSES} rows. Scores are normal, moved by a number of each part's "
        "own; half of the rows are positive, or about a tenth are in each class. Columns come in C order from XGBoost, "
        "in Fortran (F) order from LightGBM.",
        "'× one problem' is the time over that of the same call on the same scores with one budget for all, in the "
        "same run. The projection finds the groups from their labels in every call ('find' is that alone); the step "
        "gets them found, as the objectives do once for a data set. 'gather' is x[order] into an array that exists, "
        "threaded, with the order known: the least that one array of shuffled rows costs. The projection moves two "
        "arrays (scores, values), the step four (scores, labels, gradient, curvature), and both the weights if there "
        "are any.",
        "Rivals without groups or columns of their own run in a loop over the parts that finds the groups by one sort "
        "(none if the rows are sorted). The stream kernel and the single problem read a label for each score. Errors "
        f"of rows are the worst of up to {MOST_CHECKED} parts, spread evenly; sums are checked in every part.",
    ]


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    place = result.environment
    lines = ["# Kernels benchmark: projection and loss step", ""]
    lines += [f"* {note}" for note in notes(result)] + ["", "![time per row against rows](kernels.png)", ""]
    for table in tables(result):
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    lines += made_with(result.shared, place)
    return "\n".join(lines) + "\n"


#: Long tables that only the file holds.
ONLY_IN_FILE = ("Every case", "Peak memory")


def print_tables(result: Result, console: Console) -> None:
    """Print the tables in their brief form, targets last, where the eye is when the command ends."""
    first, *others = tables(result)
    for table in [*others, first]:
        if not table.title.startswith(ONLY_IN_FILE):
            print_table(table, console, brief=False if table is first else console.width < 170)
    console.print("• Spreads, every case, memory and how to read the figures: table.md.", highlight=False)
