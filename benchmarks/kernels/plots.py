"""The plot: time per row against rows, one line a method, with the floor."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.kernels import aggregate
from benchmarks.kernels.aggregate import Figures
from benchmarks.kernels.methods import LABELS, PROJECTIONS

INK, GRID = "#222222", "#dddddd"
# Okabe and Ito's palette; marker and line repeat the colour. The floors are grey, hsboost blue.
STYLES = {
    "copy": ("#888888", "", ":"),
    "stream": ("#888888", "", ":"),
    "copy_new": ("#888888", "", (0, (1, 3))),
    "stream_new": ("#888888", "", (0, (1, 3))),
    "projection": ("#0072B2", "D", "-"),
    "step_warm": ("#0072B2", "D", "-"),
    "step_cold": ("#56B4E9", "o", "-"),
    "projection_into": ("#0072B2", "d", (0, (5, 1))),
    "numpy_in_place": ("#E69F00", "o", ":"),
    "numpy_newton": ("#E69F00", "s", "--"),
    "jaxopt": ("#009E73", "^", "--"),
    "scipy_isotonic": ("#CC79A7", "v", "--"),
    "pav": ("#56B4E9", "P", "--"),
    "pav_into": ("#56B4E9", "p", ":"),
    "entmax": ("#D55E00", "X", "--"),
}


def draw(figures: Figures, out: Path) -> list[str]:
    """Write kernels.png and return its name in a list; nothing to draw gives an empty list."""
    panels = [
        ("Projection, float64", "float64", ("copy", "copy_new", *PROJECTIONS)),
        ("Loss step, float32", "float32", ("stream", "stream_new", "step_cold", "step_warm")),
    ]
    panels = [panel for panel in panels if figures.line(panel[1])]
    if not panels:
        return []
    figure = Figure(figsize=(6.2 * len(panels), 5.6), layout="constrained")
    for axes, (title, dtype, methods) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _panel(axes, figures, dtype, methods)
        axes.set_title(title, fontsize=10, color=INK, loc="left")
    figure.savefig(out / "kernels.png", dpi=150)
    return ["kernels.png"]


def _panel(axes: Axes, figures: Figures, dtype: str, methods: tuple[str, ...]) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(which="both", colors=INK, length=0, labelsize=9)
    axes.grid(color=GRID, linewidth=0.6)
    for method in methods:
        times = [(record["n"], aggregate.timing(record, method)) for record in figures.line(dtype)]
        points = [(n, 1e9 * found.median / n, 1e9 * found.low / n, 1e9 * found.high / n) for n, found in times if found]
        if not points:
            continue
        rows, median, low, high = zip(*points, strict=True)
        color, marker, line = STYLES[method]
        axes.plot(
            rows, median, color=color, marker=marker, linestyle=line, linewidth=1.6, markersize=5, label=LABELS[method]
        )
        axes.fill_between(rows, low, high, color=color, alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rows", fontsize=9, color=INK)
    axes.set_ylabel("nanoseconds per row (median; band: quartiles)", fontsize=9, color=INK)
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
