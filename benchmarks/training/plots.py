"""The plot: seconds of training, with the part inside the objective, for every booster and size."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.training.aggregate import Case, Trainings
from benchmarks.training.boosters import BOOSTERS
from benchmarks.training.objectives import OBJECTIVES

INK, GRID, BOOSTER, OBJECTIVE = "#222222", "#dddddd", "#bbbbbb", "#0072B2"


def draw(trainings: Trainings, out: Path) -> list[str]:
    """Write training.png: a panel per case, a bar per objective; returns the file's name in a list."""
    cases = trainings.cases
    columns = min(2, len(cases))
    rows = -(-len(cases) // columns)
    figure = Figure(figsize=(5.4 * columns, 0.7 + 2.0 * rows), layout="constrained")
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes, case in zip(panels, cases, strict=False):
        _panel(axes, trainings, case)
    for axes in panels[len(cases) :]:
        axes.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    figure.savefig(out / "training.png", dpi=150)
    return ["training.png"]


def _panel(axes: Axes, trainings: Trainings, case: Case) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=INK, length=0, labelsize=9)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    found = [trainings.seconds(case, name) for name in OBJECTIVES]
    totals = [0.0 if seconds is None else seconds.median for seconds in found]
    inside = [(trainings.share(case, name) or 0.0) * total for name, total in zip(OBJECTIVES, totals, strict=True)]
    places = range(len(OBJECTIVES))
    outside = [total - part for total, part in zip(totals, inside, strict=True)]
    axes.barh(places, outside, color=BOOSTER, height=0.6, label="the booster")
    axes.barh(places, inside, left=outside, color=OBJECTIVE, height=0.6, label="inside the custom objective")
    for place, total in zip(places, totals, strict=True):
        axes.annotate(f"{total:.2f} s", (total, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, [objective.label for objective in OBJECTIVES.values()])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("seconds (median)", fontsize=9, color=INK)
    axes.set_title(f"{BOOSTERS[case[0]].label}, {case[1]:,} rows", fontsize=10, color=INK, loc="left")
