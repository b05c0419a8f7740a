"""The plot: what kernels cost beside moving the same bytes, and seconds of training."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.gpu.aggregate import Figures, median
from benchmarks.gpu.kernels import COPY, HOST, LABELS, PROJECTION, ROUND, STEP_WARM, STREAM, UPLOAD
from benchmarks.gpu.training import OBJECTIVES

INK, GRID, BOOSTER, OBJECTIVE = "#222222", "#dddddd", "#bbbbbb", "#0072B2"
# Okabe and Ito's palette; marker and line repeat the colour. The floors are grey.
STYLES = {
    COPY: ("#888888", "", ":"),
    STREAM: ("#888888", "", (0, (1, 3))),
    PROJECTION: ("#0072B2", "D", "-"),
    STEP_WARM: ("#56B4E9", "o", "-"),
    UPLOAD: ("#E69F00", "s", "--"),
    ROUND: ("#009E73", "^", "-"),
    HOST: ("#CC79A7", "v", "--"),
}


def draw(figures: Figures, out: Path) -> list[str]:
    """Write gpu.png and return its name in a list; nothing to draw gives an empty list."""
    line = figures.line("float32")
    panels = (1 if line else 0) + len(figures.rows)
    if not panels:
        return []
    figure = Figure(figsize=(5.6 * panels, 4.6), layout="constrained")
    axes: list[Axes] = list(figure.subplots(1, panels, squeeze=False)[0])
    if line:
        _kernels(axes[0], figures)
    for each, rows in zip(axes[1 if line else 0 :], figures.rows, strict=True):
        _trainings(each, figures, rows)
    figure.savefig(out / "gpu.png", dpi=150)
    return ["gpu.png"]


def _bare(axes: Axes, title: str, label: str) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(which="both", colors=INK, length=0, labelsize=9)
    axes.grid(color=GRID, linewidth=0.6, axis="x" if label.startswith("seconds") else "both")
    axes.set_axisbelow(True)
    axes.set_xlabel(label, fontsize=9, color=INK)
    axes.set_title(title, fontsize=10, color=INK, loc="left")


def _kernels(axes: Axes, figures: Figures) -> None:
    for method, (color, marker, line) in STYLES.items():
        times = [(record["n"], median(record, method)) for record in figures.line("float32")]
        points = [(n, 1e9 * found / n) for n, found in times if found is not None]
        if points:
            sizes, per_row = zip(*points, strict=True)
            axes.plot(sizes, per_row, color=color, marker=marker, linestyle=line, markersize=5, label=LABELS[method])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylabel("nanoseconds per row (median)", fontsize=9, color=INK)
    _bare(axes, "Kernels, float32", "rows")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15))


def _trainings(axes: Axes, figures: Figures, rows: int) -> None:
    totals = [figures.seconds(rows, name).median for name in OBJECTIVES]
    inside = [
        total * sum(one["objective_seconds"] for one in found) / sum(one["seconds"] for one in found)
        for found, total in zip((figures.trainings(rows, name) for name in OBJECTIVES), totals, strict=True)
    ]
    places = range(len(OBJECTIVES))
    outside = [total - part for total, part in zip(totals, inside, strict=True)]
    axes.barh(places, outside, color=BOOSTER, height=0.6, label="the booster")
    axes.barh(places, inside, left=outside, color=OBJECTIVE, height=0.6, label="inside the custom objective")
    for place, total in zip(places, totals, strict=True):
        axes.annotate(f"{total:.2f} s", (total, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, [objective.label for objective in OBJECTIVES.values()])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    _bare(axes, f"XGBoost on the GPU, {rows:,} rows", "seconds (median)")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
