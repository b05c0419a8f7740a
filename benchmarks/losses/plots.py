"""The plot: time per row against classes, and what sampled gradients cost and miss."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.losses.aggregate import Figures, median, ratio
from benchmarks.losses.methods import LABELS, SAMPLES

INK, GRID = "#222222", "#dddddd"
STYLES = {
    "exact": ("#0072B2", "D", "-"),
    "genz": ("#D55E00", "P", ":"),
    "softmax": ("#555555", "o", ":"),
    "sparsemax": ("#009E73", "^", "-."),
    "entmax15": ("#CC79A7", "v", "-."),
    "entmax": ("#E69F00", "s", "--"),
}
CLASS_COLORS = ("#0072B2", "#009E73", "#D55E00", "#CC79A7")


def draw(figures: Figures, out: Path) -> list[str]:
    """Write losses.png, a panel for each family that was run; returns the file's name in a list."""
    panels = [
        (family, panel)
        for family, panel in (("exact", _exact), ("softmax", _softmax), ("sampled", _sampled))
        if figures.of(family)
    ]
    figure = Figure(figsize=(5.0 * len(panels), 4.2), layout="constrained")
    for axes, (_, panel) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GRID)
        axes.tick_params(which="both", colors=INK, length=0, labelsize=9)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        panel(axes, figures)
        axes.legend(frameon=False, fontsize=8)
    figure.savefig(out / "losses.png", dpi=150)
    return ["losses.png"]


def _lines(axes: Axes, figures: Figures, family: str, names: tuple[str, ...]) -> None:
    for name in names:
        records = [record for record in figures.of(family) if name in record["methods"]]
        color, marker, line = STYLES[name]
        axes.plot(
            [record["classes"] for record in records], [median(record, name) for record in records],
            color=color, marker=marker, linestyle=line, markersize=4, linewidth=1.5, label=LABELS[name],
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("classes", fontsize=9, color=INK)
    axes.set_ylabel("seconds per row", fontsize=9, color=INK)


def _exact(axes: Axes, figures: Figures) -> None:
    _lines(axes, figures, "exact", ("exact", "genz", "softmax"))
    axes.set_title("EXACT: gradient and curvature", fontsize=10, color=INK, loc="left")


def _softmax(axes: Axes, figures: Figures) -> None:
    _lines(axes, figures, "softmax", ("softmax", "sparsemax", "entmax15", "entmax"))
    axes.set_title("Softmax family: gradient and curvature", fontsize=10, color=INK, loc="left")


def _sampled(axes: Axes, figures: Figures) -> None:
    for record, color in zip(figures.of("sampled"), CLASS_COLORS * 9, strict=False):
        names = [f"sampled_{samples}" for samples in SAMPLES]
        cost = [100.0 * (ratio(record, name, "softmax") or 0.0) for name in names]
        error = [record["methods"][name]["leaf_error"] for name in names]
        axes.plot(cost, error, "o-", color=color, markersize=4, linewidth=1.5, label=f"{record['classes']:,} classes")
        for samples, x, y in zip(SAMPLES, cost, error, strict=True):
            axes.annotate(str(samples), (x, y), (4, 4), textcoords="offset points", fontsize=8, color=INK)
    axes.set_xlabel("cost, % of the exact gradient's", fontsize=9, color=INK)
    axes.set_ylabel("error of a leaf's gradient, share of its size", fontsize=9, color=INK)
    axes.set_ylim(bottom=0.0)
    axes.set_title("Sampled softmax, by number of draws", fontsize=10, color=INK, loc="left")
