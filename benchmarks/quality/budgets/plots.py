"""The plots of the budgets benchmark: gains with intervals by cell, and their growth with rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.quality.budgets.cells import DEFAULTS, TUNED, Cell, Cells, Compared
from benchmarks.quality.budgets.methods import WEIGHTED, Method, methods
from benchmarks.quality.budgets.settings import ALL, GROUP, shown
from benchmarks.suite.plots import BLUE, DARK, GREEN, INK, ORANGE, PINK, RED, SKY, headline, legend_below, save, tidy

COLOURS = {
    "hypersimplex": (BLUE, "D"),
    "hypersimplex-smooth": (GREEN, "o"),
    "hypersimplex-smooth-fy": (SKY, "^"),
    "budget-log-loss": (PINK, "v"),
    WEIGHTED: (ORANGE, "s"),
    "lambdarank": (RED, "P"),
}


def style(method: str) -> tuple[str, str]:
    """A method's colour and marker; by group as for all rows."""
    return COLOURS.get(method.removesuffix("/groups"), (DARK, "x"))


def _methods(cells: Cells, chosen: list[Cell]) -> list[Method]:
    present = {one.name for cell in chosen for one in cells.methods(cell)}
    return [one for one in methods().values() if one.name in present and one.name.removesuffix("/groups") in COLOURS]


def _gain(cells: Cells, cell: Cell, method: Method) -> Compared | None:
    return cells.compare(cell, (method.name, DEFAULTS if method.ours else TUNED))


def _bar(axes: Axes, at: float, found: Compared, colour: str, marker: str, across: bool) -> None:
    low, high = (value if np.isfinite(value) else found.difference.mean for value in found.interval)
    mean = found.difference.mean
    if across:
        axes.plot([low, high], [at, at], color=colour, linewidth=1.2)
        axes.plot([mean], [at], marker, color=colour, markersize=4)
    else:
        axes.plot([at, at], [low, high], color=colour, linewidth=1.2)


def gains(cells: Cells) -> Figure:
    """The gain of each method over tuned log loss in every cell, with its interval."""
    panels = [(title, [c for c in cells.cells if c.judged == judged])
              for judged, title in ((ALL, "all rows together"), (GROUP, "group by group"))]  # fmt: skip
    panels = [panel for panel in panels if panel[1]]
    heights = [len(chosen) for _, chosen in panels]
    figure = Figure(figsize=(8.0, 1.6 + 0.5 * sum(heights)), layout="constrained")
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    for axes, (title, chosen) in zip(grid, panels, strict=True):
        tidy(axes, title, grid="x")
        axes.axvline(0.0, color=INK, linewidth=0.8)
        known = _methods(cells, chosen)
        for place, cell in enumerate(chosen):
            for step, method in enumerate(known):
                found = _gain(cells, cell, method)
                if found is not None:
                    colour, marker = style(method.name)
                    _bar(axes, place + 0.7 * ((step + 0.5) / len(known) - 0.5), found, colour, marker, True)
        axes.set_yticks(range(len(chosen)), [_label(cell) for cell in chosen], fontsize=8)
        axes.set_ylim(len(chosen) - 0.5, -0.5)
    everywhere = {
        method.name.removesuffix("/groups"): method
        for _, chosen in panels
        for method in reversed(_methods(cells, chosen))
    }
    for name, method in everywhere.items():
        colour, marker = style(name)
        grid[0].plot(
            [], [], marker, linestyle="-", color=colour, markersize=4, label=method.label.removesuffix(", by group")
        )
    legend_below(figure, grid[0], 3)
    headline(
        figure, "Precision at k minus tuned log loss's, 95 % intervals (this package's losses at their defaults)", 10
    )
    return figure


def growth(cells: Cells, series: list[tuple[Cell, list[Cell]]]) -> Figure:
    """The gain over tuned log loss by rows, a panel for each series of cells."""
    columns = min(2, len(series))
    lines = -(-len(series) // columns)
    figure = Figure(figsize=(4.5 * columns, 0.8 + 2.8 * lines), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False)
    for axes in grid.flat[len(series) :]:
        axes.set_axis_off()
    for axes, (key, chosen) in zip(grid.flat, series, strict=False):
        tidy(axes, _label(key), "rows for training and validation", "gain")
        axes.axhline(0.0, color=INK, linewidth=0.8)
        axes.set_xscale("log")
        for method in _methods(cells, chosen):
            colour, marker = style(method.name)
            points = [(cells.rows(cell), found) for cell in chosen if (found := _gain(cells, cell, method)) is not None]
            for rows, found in points:
                _bar(axes, rows, found, colour, marker, False)
            means = [found.difference.mean for _, found in points]
            axes.plot(
                [rows for rows, _ in points],
                means,
                marker,
                linestyle="-",
                color=colour,
                markersize=4,
                label=method.label,
            )
    legend_below(figure, grid.flat[0], 3)
    headline(figure, "Precision at k minus tuned log loss's, by rows", 10)
    return figure


def _label(cell: Cell) -> str:
    more = f", {cell.rows:,} rows" if cell.rows else ""
    more += f", {cell.noise:.0%} flipped" if cell.noise else ""
    return f"{cell.dataset}, {cell.split}{more}\n{cell.trees}, {cell.booster}, k = {shown(cell.budget)}"


def draw(cells: Cells, series: list[tuple[Cell, list[Cell]]], out: Path) -> list[str]:
    """Write the plots and return their names."""
    if not cells.cells:
        return []
    names = save(gains(cells), out, "gains.png")
    return names + (save(growth(cells, series), out, "growth.png") if series else [])
