"""The report of the kernels benchmark: times by size and by shape, accuracy, memory, what was skipped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.calls.cases import CLASSES, DESCRIPTIONS, FEW_GROUPS, LAYOUT_LABELS, ROWS_OF_SMALL_GROUPS
from benchmarks.calls.figures import ratio, timing
from benchmarks.calls.kernels_figures import FLOORS, Figures, error, extra_bytes, fastest_rival, requirements
from benchmarks.calls.methods import FAR_SLOWER, LABELS, ONE, OURS, PROJECTIONS, STEPS
from benchmarks.calls.truth import MOST_CHECKED
from benchmarks.rivals import RIVALS
from benchmarks.suite import plots
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.store import Record
from benchmarks.suite.tables import NONE, Cell, Column, Table, count, seconds, table_of, written

STREAMS = ("stream", "stream_new")
COPIES = ("copy", "copy_new")
#: Long tables that appear only in the file.
ONLY_IN_FILE = ("Every case", "Peak memory")
# Marker and line repeat the colour. The floors are grey, hsboost blue.
STYLES: dict[str, tuple[str, str, Any]] = {
    "copy": (plots.GREY, "", ":"),
    "stream": (plots.GREY, "", ":"),
    "copy_new": (plots.GREY, "", (0, (1, 3))),
    "stream_new": (plots.GREY, "", (0, (1, 3))),
    "projection": (plots.BLUE, "D", "-"),
    "step_warm": (plots.BLUE, "D", "-"),
    "step_cold": (plots.SKY, "o", "-"),
    "projection_into": (plots.BLUE, "d", (0, (5, 1))),
    "numpy_in_place": (plots.ORANGE, "o", ":"),
    "numpy_newton": (plots.ORANGE, "s", "--"),
    "jaxopt": (plots.GREEN, "^", "--"),
    "scipy_isotonic": (plots.PINK, "v", "--"),
    "pav": (plots.SKY, "P", "--"),
    "pav_into": (plots.SKY, "p", ":"),
    "entmax": (plots.RED, "X", "--"),
}
Columns = list[Column[Record]]


class KernelsReport(Report):
    """Cost and accuracy of the projection and the loss's step."""

    title = "Kernels benchmark: projection and loss step"
    facts = ("settings", "versions", "openmp_wait_policy", "numba_threading_layer")
    picture = ("kernels.png", "time per row against rows")
    closing = "Spreads, every case, memory and how to read the figures: table.md."

    def gather(self) -> None:
        self.figures = Figures(self.records)

    def requirements(self) -> list[Requirement]:
        return requirements(self.figures)

    def summary(self) -> dict[str, Any]:
        return {"cases": self.figures.to_json()}

    def shown(self, brief: bool) -> list[tuple[Table, bool]]:
        """All but the long tables."""
        return [(table, brief) for table in self.tables() if not table.title.startswith(ONLY_IN_FILE)]

    def tables(self) -> list[Table]:
        """By size, by part, by shape, accuracy, memory, what was skipped."""
        figures = self.figures
        both = ((f"Projection, {dtype}", figures.line(dtype)) for dtype in ("float64", "float32"))
        return [
            *(_by_size(title, line, (*COPIES, *PROJECTIONS), "copy") for title, line in both),
            _by_size(
                "Loss step (gradient and curvature), float32", figures.line("float32"), (*STREAMS, *STEPS), "stream"
            ),
            _part_projections(figures.parted),
            _part_steps(figures.parted),
            _by_shape(figures.records),
            _accuracy("Accuracy against long double, the worst of all cases", figures.records),
            _accuracy("Accuracy of groups and classes, the worst of all parts checked", figures.parted),
            _memory(figures),
            _skipped(figures),
        ]

    def notes(self) -> list[str]:
        shared, figures = self.shared, self.figures
        settings = shared["settings"]
        shapes = sorted({record["distribution"] for record in figures.records}, key=list(DESCRIPTIONS).index)
        found = [
            f"{len(figures.all)} cases on {settings['threads']} threads (Numba layer: "
            f"{shared['numba_threading_layer']}; OMP_WAIT_POLICY {shared['openmp_wait_policy'] or 'unset'}). Medians "
            f"of at least {settings['repeats']} samples, fewer for rivals that need more than "
            f"{settings['rival_seconds']:g} s in all; methods take turns within a case, so ratios are of one moment. "
            f"Those more than {FAR_SLOWER:g} times slower than the slowest of ours take theirs afterwards. Before each "
            "sample comes an untimed call, so that the first access to memory that was idle is not measured.",
            "Temperature 1; k is Σ w y of labels that follow the scores with noise: 1 % (small), 50 % (half) or 99 % "
            "(near) positive. Scores: " + "; ".join(f"{name}: {DESCRIPTIONS[name]}" for name in shapes) + ".",
            "copyto, the stream kernel, 'out=' and 'in place' write into arrays that exist; all others return new "
            "arrays, whose pages the system must clear first. The lines 'into new arrays' show that cost alone. "
            "'Fastest rival' is the fastest of those that return new arrays too.",
            "Warm: the state of the round before, whose scores differ by up to 0.1. Cold: no state. Both include the "
            "checks of labels and weights.",
            "Every rival runs compiled, warmed up and with the same threads. jaxopt stops after 30 halvings of its "
            "bracket; entmax gets as many as float64 has digits for.",
            "Errors are against a bracketed Newton search in long double that shares no code with hsboost. Memory is "
            "the growth of the process's resident peak during one call (Linux), so it counts what C++ libraries take "
            "too; what a rival converted beforehand is not counted.",
        ]
        return found + PART_NOTES if figures.parted else found

    def draw(self, out: Path) -> list[str]:
        """Time per row against rows, a line for each method."""
        panels = [
            ("Projection, float64", "float64", (*COPIES, *PROJECTIONS)),
            ("Loss step, float32", "float32", (*STREAMS, *STEPS)),
        ]
        panels = [panel for panel in panels if self.figures.line(panel[1])]
        if not panels:
            return []
        figure = Figure(figsize=(6.2 * len(panels), 5.6), layout="constrained")
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, (title, dtype, methods) in zip(grid, panels, strict=True):
            plots.tidy(axes, title, "rows", "nanoseconds per row (median; band: quartiles)")
            axes.set_axisbelow("line")
            for method in methods:
                _line(axes, self.figures.line(dtype), method)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
        return plots.save(figure, out, "kernels.png")


PART_NOTES = [
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


def _by_size(title: str, line: list[Record], methods: tuple[str, ...], floor: str) -> Table:
    """A line for each method, a column for each size."""

    def cell(record: Record, method: str) -> Cell:
        time, times = timing(record, method), ratio(record, method, floor)
        if time is None:
            return NONE
        text = seconds(time.median) + ("" if times is None or method == floor else f" ×{times:.3g}")
        iqr = f" ±{50 * (time.high - time.low) / time.median:.0f} %"
        return Cell(text + iqr, method in (*OURS, *STEPS), text)

    shape = f": {line[0]['distribution']} scores, {line[0]['budget']}" if line else ""
    rows = [[Cell(LABELS[method]), *(cell(record, method) for record in line)] for method in methods]
    header = [Cell("method"), *(Cell(f"n = {count(record['n'])}") for record in line)]
    title = f"{title}{shape} (× {LABELS[floor]}; ± half the interquartile range)"
    return Table(title, header, [row for row in rows if any(cell is not NONE for cell in row[1:])], labels=1)


def _times(method: str, base: str) -> Callable[[Record], str | None]:
    """Show the ratio of two methods."""
    return lambda record: written("×{:.3g}", ratio(record, method, base))


def _by_shape(records: list[Record]) -> Table:
    def best(record: Record) -> Cell | None:
        rival = fastest_rival(record)
        gain = None if rival is None else ratio(record, rival, "projection")
        if rival is None or gain is None:
            return None
        return Cell(f"{gain:.3g}× ({LABELS[rival]})", brief=f"{gain:.3g}×")

    columns: Columns = [
        Column("dtype", lambda r: r["dtype"]),
        Column("scores", lambda r: r["distribution"]),
        Column("k", lambda r: r["budget"]),
        Column("weights", lambda r: "yes" if r["weights"] else "no"),
        Column("n", lambda r: count(r["n"])),
        Column("projection", _times("projection", "copy")),
        *(Column(step.replace("_", " "), _times(step, FLOORS[step])) for step in STEPS),
        Column("fastest rival", best),
    ]
    return table_of("Every case: ratios to the floor; how much slower the fastest rival is", columns, records, 4)


#: Of the tables of groups and classes.
_PART: Columns = [
    Column("parts", lambda r: LAYOUT_LABELS[r["layout"]]),
    Column("dtype", lambda r: r["dtype"] + (", weighted" if r["weights"] else "")),
    Column("n", lambda r: count(r["n"])),
]


def _part(heading: str, show: Callable[[Record], Cell | str | None]) -> Column[Record]:
    """A column whose brief heading omits the part in parentheses."""
    return Column(heading, show, heading.partition(" (")[0].replace(" problem", ""))


def _own(method: str, floor: str) -> Callable[[Record], Cell | None]:
    """Show a method's time, and its ratio to the floor."""

    def show(record: Record) -> Cell | None:
        time, times = timing(record, method), written("×{:.3g}", ratio(record, method, floor)) or NONE.text
        return None if time is None else Cell(f"{seconds(time.median)} {times}", strong=True, brief=times)

    return show


def _part_projections(parted: list[Record]) -> Table:
    """The cost of groups against one problem on the same rows, the least cost of gathering, and the rivals."""
    rivals = [name for name in RIVALS if any(timing(record, name) for record in parted)]
    columns = [
        *_PART,
        _part("projection (× copyto)", _own("projection", "copy")),
        _part("× one problem", _times("projection", ONE + "projection")),
        _part("find (the groups, × copyto)", _times("find_groups", "copy")),
        _part("gather (× copyto)", _times("gather", "copy")),
        *(Column(f"{LABELS[name]} (× ours)", _times(name, "projection"), name) for name in rivals),
    ]
    return table_of("Groups and classes: projection; rivals over ours", columns, parted)


def _part_steps(parted: list[Record]) -> Table:
    columns = [*_PART]
    for step in STEPS:
        columns += [
            _part(f"{step.removeprefix('step_')} (× stream)", _own(step, "stream")),
            _part("× one problem", _times(step, ONE + step)),
        ]
    columns.append(_part("gather (× stream)", _times("gather", "stream")))
    return table_of("Groups and classes: loss step", columns, [r for r in parted if timing(r, "step_cold") is not None])


def _accuracy(title: str, every: list[Record]) -> Table:
    """For each method, the worst over all cases of each dtype."""
    rows = []
    for dtype in ("float64", "float32"):
        records = [record for record in every if record["dtype"] == dtype]
        for method in (*PROJECTIONS, *STEPS):
            found = [(e, r) for r in records if (e := error(r, method)) is not None]
            if not found:
                continue
            worst, record = max(found, key=lambda pair: pair[0])
            masses = [e for _, r in found if (e := r["methods"][method].get("mass_error")) is not None]
            mass = Cell(f"{max(masses):.1e}") if masses else NONE
            where = (
                [LAYOUT_LABELS[record["layout"]]] if "layout" in record else [record["distribution"], record["budget"]]
            )
            place = Cell(", ".join([*where, count(record["n"])]))
            rows.append([Cell(dtype), Cell(LABELS[method]), Cell(f"{worst:.1e}"), place, mass])
    header = ["dtype", "method", "largest error of a row", "where", "largest |Σ w y − k|"]
    return Table(title, list(map(Cell, header)), rows)


def _memory(figures: Figures) -> Table:
    rows = [
        (record, method, extra)
        for dtype in ("float64", "float32")
        for record in figures.line(dtype)
        for method in (*PROJECTIONS, *STEPS)
        if (extra := extra_bytes(record, method)) is not None
    ]
    columns: list[Column[tuple[Record, str, int]]] = [
        Column("dtype", lambda r: r[0]["dtype"]),
        Column("n", lambda r: count(r[0]["n"])),
        Column("method", lambda r: LABELS[r[1]]),
        Column("extra peak", lambda r: f"{r[2] / 2**20:.1f} MiB"),
        Column("bytes a row", lambda r: f"{r[2] / r[0]['n']:.2f}"),
    ]
    return table_of("Peak memory of a call beyond its inputs and outputs", columns, rows, labels=3)


def _skipped(figures: Figures) -> Table:
    reasons: dict[tuple[str, str], list[str]] = {}
    for record in figures.all:
        for method, found in record["methods"].items():
            if "skipped" in found:
                reasons.setdefault((method, found["skipped"]), []).append(record["case"])
    columns: list[Column[tuple[tuple[str, str], list[str]]]] = [
        Column("rival", lambda r: LABELS[r[0][0]]),
        Column("reason", lambda r: r[0][1]),
        Column("where", lambda r: r[1][0] if len(r[1]) == 1 else f"{len(r[1])} cases"),
    ]
    return table_of("Not timed", columns, reasons.items(), labels=3)


def _line(axes: Axes, line: list[Record], method: str) -> None:
    times = [(record["n"], timing(record, method)) for record in line]
    points = [(n, 1e9 * found.median / n, 1e9 * found.low / n, 1e9 * found.high / n) for n, found in times if found]
    if not points:
        return
    rows, median, low, high = zip(*points, strict=True)
    color, marker, style = STYLES[method]
    axes.plot(
        rows, median, color=color, marker=marker, linestyle=style, linewidth=1.6, markersize=5, label=LABELS[method]
    )
    axes.fill_between(rows, low, high, color=color, alpha=0.15, linewidth=0)
