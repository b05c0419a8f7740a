"""The report of the losses benchmark: cost and error of EXACT, cost of the softmax family, sampled gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.calls.figures import median, ratio, timing
from benchmarks.calls.losses_cases import FAMILIES, LABELS, LOSSES, SAMPLES
from benchmarks.suite import plots
from benchmarks.suite.measure import spread
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Cell, Column, Table, seconds, table_of, written

#: The fit of EXACT's time starts where a row's fixed cost is negligible.
FIT_FROM = 16
#: Number of classes in the requirements.
CLASSES, LARGEST = 16, 1000
#: Rows of a leaf, whose summed gradient is what a tree sees; leaves gather rows of like classes.
LEAF_ROWS = 100
#: Draws over which the error of a sampled gradient is averaged.
DRAWS = 8
UNITS = (("ms", 1e-3), ("µs", 1e-6))
STYLES = {
    "exact": (plots.BLUE, "D", "-"),
    "genz": (plots.RED, "P", ":"),
    "softmax": (plots.DARK, "o", ":"),
    "sparsemax": (plots.GREEN, "^", "-."),
    "entmax15": (plots.PINK, "v", "-."),
    "entmax": (plots.ORANGE, "s", "--"),
}
CLASS_COLORS = (plots.BLUE, plots.GREEN, plots.RED, plots.PINK)


class Fit(NamedTuple):
    """time = scale · (Q C)^power, from a straight line in logarithms; r2 is the line's share of the variance."""

    power: float
    scale: float
    r2: float


class Figures:
    """Answers about a set of case records."""

    def __init__(self, records: list[Record]) -> None:
        self.records = sorted(records, key=lambda r: (FAMILIES.index(r["family"]), r["classes"]))

    def of(self, family: str) -> list[Record]:
        """Return the cases of a family by number of classes."""
        return [record for record in self.records if record["family"] == family]

    def at(self, family: str, classes: int) -> Record | None:
        """Return one case, if it was run."""
        return next((record for record in self.of(family) if record["classes"] == classes), None)

    def fit(self) -> Fit | None:
        """Fit EXACT's time per row to nodes times classes; None for fewer than three cases."""
        records = [record for record in self.of("exact") if record["classes"] >= FIT_FROM]
        if len(records) < 3:
            return None
        work = np.log([record["methods"]["exact"]["nodes"] * record["classes"] for record in records])
        time = np.log([median(record, "exact") for record in records])
        power, offset = np.polyfit(work, time, 1)
        rest = time - (power * work + offset)
        return Fit(float(power), float(np.exp(offset)), float(1.0 - rest.var() / time.var()))


def requirements(figures: Figures) -> list[Requirement]:
    """Cost against Genz, error against Genz, growth with nodes times classes."""
    record = figures.at("exact", CLASSES)
    claims = (
        f"EXACT with gradient and curvature against 512-sample Genz (value only), C = {CLASSES}: times cheaper",
        f"EXACT's largest error against Genz's, C = {CLASSES}",
        f"EXACT's time per row grows as (nodes · classes)^p, C = {FIT_FROM} … {LARGEST}: p",
        f"… and that line explains the times (R²), C up to {LARGEST}",
    )
    missing = "" if record else f"needs --families exact with {CLASSES} classes"
    cheaper = None if record is None else ratio(record, "genz", "exact")
    errors = None
    if record is not None:
        errors = record["methods"]["exact"]["error"] / record["methods"]["genz"]["error"]
    fit = figures.fit() if figures.at("exact", LARGEST) else None
    no_fit = "" if fit else f"needs {LARGEST} classes and two more of at least {FIT_FROM}"
    return [
        Requirement(claims[0], cheaper, 20.0, at_least=True, note=missing),
        Requirement(claims[1], errors, 1.0, note=missing),
        Requirement(claims[2], fit.power if fit else None, 1.1, unit="", note=no_fit),
        Requirement(claims[3], fit.r2 if fit else None, 0.98, unit="", at_least=True, note=no_fit),
    ]


class LossesReport(Report):
    """What the losses' gradients cost."""

    title = "Losses benchmark: what gradients cost"
    facts = ("settings", "versions", "openmp_wait_policy")
    picture = ("losses.png", "time per row against classes")
    closing = "Spreads and how to read the figures: table.md."

    def gather(self) -> None:
        self.figures = Figures(self.records)

    def requirements(self) -> list[Requirement]:
        return requirements(self.figures)

    def tables(self) -> list[Table]:
        """A table for each family."""
        return [_exact(self.figures), _softmax(self.figures), _sampled(self.figures)]

    def summary(self) -> dict[str, Any]:
        fit = self.figures.fit()
        cases = []
        for record in self.figures.records:
            methods = {
                name: {key: value for key, value in found.items() if key != "seconds"}
                | {"seconds_per_row": spread(found["seconds"]).to_json()}
                for name, found in record["methods"].items()
            }
            cases.append(record | {"methods": methods})
        return {"exact_fit": None if fit is None else fit._asdict(), "cases": cases}

    def notes(self) -> list[str]:
        settings = self.shared["settings"]
        return [
            f"{len(self.figures.records)} cases, threads: {settings['threads']}; medians of {settings['repeats']} "
            "samples ± half the interquartile range; methods take turns within a case, so ratios are of one moment. "
            "Float64, checks of the input included; rows are seeded by the case.",
            "EXACT: σ = 1, standard normal scores with the true class ahead by an exponential variable. Nodes Q are "
            "counted over the rows. Errors are the largest over the first rows, against a trapezoid rule of 2001 "
            "nodes.",
            "Genz's sampling is compiled too and computes the value alone, on one thread; drawing its random numbers "
            "is not timed.",
            "Softmax family and sampled softmax: class shares by Zipf's law, scores noise around their logarithms.",
            "Sampled softmax: a tenth of the rows are exact and correct the others; errors over "
            f"{DRAWS} draws. A leaf is {LEAF_ROWS} neighbours in the order of their classes, as a tree gathers rows "
            "that are alike: in their sum noise averages out, and nothing in it is bias.",
        ]

    def draw(self, out: Path) -> list[str]:
        """A panel for each family that was run."""
        panels = [
            (family, panel)
            for family, panel in zip(FAMILIES, (_draw_exact, _draw_softmax, _draw_sampled), strict=True)
            if self.figures.of(family)
        ]
        figure = Figure(figsize=(5.0 * len(panels), 4.2), layout="constrained")
        for axes, (family, panel) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            panel(axes, self.figures.of(family))
            axes.legend(frameon=False, fontsize=8)
        return plots.save(figure, out, "losses.png")


def _time(method: str) -> Any:
    """Show a method's median seconds with half the interquartile range."""

    def show(record: Record) -> Cell | None:
        found = timing(record, method)
        if found is None:
            return None
        text = seconds(found.median, UNITS)
        return Cell(f"{text} ±{50 * (found.high - found.low) / found.median:.0f} %", brief=text)

    return show


def _exact(figures: Figures) -> Table:
    def per_node(record: Record) -> str:
        work = record["methods"]["exact"]["nodes"] * record["classes"]
        return f"{median(record, 'exact') / work * 1e9:.1f} ns"

    columns: list[Column[Record]] = [
        Column("classes", lambda r: f"{r['classes']:,}"),
        Column("nodes Q", lambda r: f"{r['methods']['exact']['nodes']:.1f}"),
        Column(LABELS["exact"], _time("exact")),
        Column(LABELS["exact_log"], _time("exact_log")),
        Column("per Q·C", per_node),
        Column("× softmax", lambda r: written("{:.3g}×", ratio(r, "exact", "softmax"))),
        Column("error", lambda r: f"{r['methods']['exact']['error']:.0e}"),
        Column("Genz, value only", _time("genz")),
        Column("× EXACT", lambda r: written("{:.3g}×", ratio(r, "genz", "exact"))),
        Column("Genz's error", lambda r: written("{:.0e}", r["methods"].get("genz", {}).get("error"))),
    ]
    return table_of("EXACT: gradient and curvature, time per row", columns, figures.of("exact"), labels=1)


def _softmax(figures: Figures) -> Table:
    records = figures.of("softmax")

    def cell(record: Record, name: str) -> Cell:
        found = timing(record, name)
        text = seconds(found.median, UNITS) if found else "–"
        above = "" if name == "softmax" else f" ×{ratio(record, name, 'softmax') or 0.0:.2g}"
        return Cell(text + above)

    rows = [[Cell(LABELS[name]), *(cell(record, name) for record in records)] for name in LOSSES["softmax"]]
    header = [Cell("loss"), *(Cell(f"C = {record['classes']:,}") for record in records)]
    return Table("Softmax family: gradient and curvature, time per row", header, rows if records else [], labels=1)


def _sampled(figures: Figures) -> Table:
    names = ["softmax", *(f"sampled_{samples}" for samples in SAMPLES)]
    rows = [(record, name) for record in figures.of("sampled") for name in names]
    columns: list[Column[tuple[Record, str]]] = [
        Column("classes", lambda r: f"{r[0]['classes']:,}"),
        Column("gradient", lambda r: "softmax, exact" if r[1] == "softmax" else LABELS[r[1]]),
        Column("time per row", lambda r: _time(r[1])(r[0])),
        Column(
            "times cheaper", lambda r: None if r[1] == "softmax" else written("{:.3g}×", ratio(r[0], "softmax", r[1]))
        ),
        Column("error of a row", lambda r: written("{:.2f}", r[0]["methods"][r[1]].get("row_error"))),
        Column(f"of a leaf ({LEAF_ROWS} rows)", lambda r: written("{:.2f}", r[0]["methods"][r[1]].get("leaf_error"))),
    ]
    title = "Sampled softmax: cost, and root mean square error beside the gradient's size"
    return table_of(title, columns, rows)


def _lines(axes: Axes, title: str, records: list[Record], names: tuple[str, ...]) -> None:
    for name in names:
        timed = [record for record in records if name in record["methods"]]
        color, marker, line = STYLES[name]
        axes.plot(
            [record["classes"] for record in timed], [median(record, name) for record in timed],
            color=color, marker=marker, linestyle=line, markersize=4, linewidth=1.5, label=LABELS[name],
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    plots.tidy(axes, title, "classes", "seconds per row")


def _draw_exact(axes: Axes, records: list[Record]) -> None:
    _lines(axes, "EXACT: gradient and curvature", records, ("exact", "genz", "softmax"))


def _draw_softmax(axes: Axes, records: list[Record]) -> None:
    _lines(axes, "Softmax family: gradient and curvature", records, tuple(LOSSES["softmax"]))


def _draw_sampled(axes: Axes, records: list[Record]) -> None:
    names = [f"sampled_{samples}" for samples in SAMPLES]
    for record, color in zip(records, CLASS_COLORS * 9, strict=False):
        cost = [100.0 * (ratio(record, name, "softmax") or 0.0) for name in names]
        error = [record["methods"][name]["leaf_error"] for name in names]
        axes.plot(cost, error, "o-", color=color, markersize=4, linewidth=1.5, label=f"{record['classes']:,} classes")
        for samples, x, y in zip(SAMPLES, cost, error, strict=True):
            axes.annotate(str(samples), (x, y), (4, 4), textcoords="offset points", fontsize=8, color=plots.INK)
    axes.set_ylim(bottom=0.0)
    cost_title, error_title = "cost, % of the exact gradient's", "error of a leaf's gradient, share of its size"
    plots.tidy(axes, "Sampled softmax, by number of draws", cost_title, error_title)
