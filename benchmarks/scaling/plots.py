"""The plot: a round's time by rows, a panel per number of workers, with the part inside the objective."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.scaling.aggregate import Cases
from benchmarks.scaling.plan import TRACKER
from benchmarks.scaling.work import HYPERSIMPLEX, LOG_LOSS

INK, GRID, OURS, THEIRS, INSIDE = "#222222", "#dddddd", "#0072B2", "#888888", "#D55E00"


def draw(cases: Cases, out: Path) -> list[str]:
    """Write scaling.png; returns the file's name in a list."""
    records = [record for record in cases.records if record["engine"] == TRACKER]
    workers = sorted({record["workers"] for record in records})
    figure = Figure(figsize=(3.6 * len(workers) + 0.6, 3.4), layout="constrained")
    panels = figure.subplots(1, len(workers), squeeze=False, sharey=True)[0]
    for axes, count in zip(panels, workers, strict=True):
        here = [record for record in records if record["workers"] == count]
        rows = [record["rows"] for record in here]
        for name, colour, label in ((HYPERSIMPLEX, OURS, "HyperSimplex"), (LOG_LOSS, THEIRS, "log loss, built in")):
            found = [cases.round_seconds(record, name) for record in here]
            axes.plot(rows, [1e3 * one.median for one in found], "o-", color=colour, label=label)
            axes.fill_between(
                rows, [1e3 * one.low for one in found], [1e3 * one.high for one in found], color=colour, alpha=0.2
            )
        inside = [1e3 * cases.inside_seconds(record) for record in here]
        axes.plot(rows, inside, "o--", color=INSIDE, label="inside the objective")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GRID)
        axes.tick_params(colors=INK, labelsize=9)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_title(f"{count} worker{'s' if count > 1 else ''}", fontsize=10, color=INK, loc="left")
        axes.set_xlabel("rows", fontsize=9, color=INK)
    panels[0].set_ylabel("ms a round (median, quartiles)", fontsize=9, color=INK)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    figure.savefig(out / "scaling.png", dpi=150)
    return ["scaling.png"]
