"""The report of the kernels benchmark: promises, times by size and by shape, accuracy, memory, what was skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from benchmarks import targets as promised
from benchmarks.kernels import aggregate, promises
from benchmarks.kernels.aggregate import FLOORS, Figures
from benchmarks.kernels.cases import DESCRIPTIONS
from benchmarks.kernels.methods import LABELS, PROJECTIONS, STEPS
from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
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
            "cases": aggregate.to_json(self.figures.records),
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
    found += [_by_shape(figures), _accuracy(figures), _memory(figures), _skipped(figures)]
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
            cells.append(Cell(text + above + iqr, method in ("projection", *STEPS), text + above))
        if any(cell is not NONE for cell in cells):
            rows.append([Cell(LABELS[method]), *cells])
    header = [Cell("method"), *(Cell(f"n = {_count(record['n'])}") for record in line)]
    return Table(f"{title}{shape} (× {LABELS[floor]}; ± half the interquartile range)", header, rows, labels=1)


def _by_shape(figures: Figures) -> Table:
    rows = []
    for record in figures.records:
        own = [_ratio(record, method) for method in ("projection", *STEPS)]
        rival = aggregate.fastest_rival(record)
        gain = None if rival is None else aggregate.ratio(record, rival, "projection")
        best = NONE if rival is None or gain is None else Cell(f"{gain:.3g}× ({LABELS[rival]})", brief=f"{gain:.3g}×")
        name = [record["dtype"], record["distribution"], record["budget"], "yes" if record["weights"] else "no"]
        rows.append([*map(Cell, name), Cell(_count(record["n"])), *own, best])
    header = ["dtype", "scores", "k", "weights", "n", "projection", "step cold", "step warm", "fastest rival"]
    return Table(
        "Every case: ratios to the floor; how much slower the fastest rival is", list(map(Cell, header)), rows, 4
    )


def _ratio(record: Record, method: str) -> Cell:
    found = aggregate.ratio(record, method, FLOORS[method])
    return NONE if found is None else Cell(f"×{found:.3g}")


def _accuracy(figures: Figures) -> Table:
    """For each method, the worst over all cases of each dtype."""
    rows = []
    for dtype in ("float64", "float32"):
        records = [record for record in figures.records if record["dtype"] == dtype]
        for method in (*PROJECTIONS, *STEPS):
            found = [(e, r) for r in records if (e := aggregate.error(r, method)) is not None]
            if not found:
                continue
            worst, record = max(found, key=lambda pair: pair[0])
            masses = [(e, r["n"]) for _, r in found if (e := r["methods"][method].get("mass_error")) is not None]
            mass = Cell(f"{max(e for e, _ in masses):.1e}") if masses else NONE
            place = Cell(f"{record['distribution']}, {record['budget']}, {_count(record['n'])}")
            rows.append([Cell(dtype), Cell(LABELS[method]), Cell(f"{worst:.1e}"), place, mass])
    header = ["dtype", "method", "largest error of a row", "where", "largest |Σ w y − k|"]
    return Table("Accuracy against long double, the worst of all cases", list(map(Cell, header)), rows)


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
    for record in figures.records:
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
    shared, records = result.shared, result.figures.records
    settings = shared["settings"]
    shapes = sorted({record["distribution"] for record in records}, key=list(DESCRIPTIONS).index)
    return [
        f"{len(records)} cases on {settings['threads']} threads (Numba layer: {shared['numba_threading_layer']}; "
        f"OMP_WAIT_POLICY {shared['openmp_wait_policy'] or 'unset'}). Medians of at least {settings['repeats']} "
        "samples, fewer for rivals that need more than "
        f"{settings['rival_seconds']:g} s in all; methods take turns within a case, so ratios are of one moment.",
        "Temperature 1; k is Σ w y of labels that follow the scores with noise: 1 % (small), 50 % (half) or 99 % "
        "(near) positive. Scores: " + "; ".join(f"{name}: {DESCRIPTIONS[name]}" for name in shapes) + ".",
        "copyto and the stream kernel write into arrays that exist; hsboost and the rivals return new arrays, whose "
        "pages the system must clear first. The lines 'into new arrays' show that cost alone.",
        "Warm: the state of the round before, whose scores differ by up to 0.1. Cold: no state. Both include the "
        "checks of labels and weights.",
        "Every rival runs compiled, warmed up and with the same threads. jaxopt stops after 30 halvings of its "
        "bracket; entmax gets as many as float64 has digits for.",
        "Errors are against a bracketed Newton search in long double that shares no code with hsboost. Memory is the "
        "growth of the process's resident peak during one call (Linux), so it counts what C++ libraries take too; "
        "what a rival converted beforehand is not counted.",
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
