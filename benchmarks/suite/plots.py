"""The common style of all plots: little decoration, and colours that are distinct for every kind of colour vision."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, GRID = "#222222", "#dddddd"
#: Okabe and Ito's palette, by name.
BLUE, SKY, ORANGE, GREEN, RED, PINK = "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
GREY, DARK, LIGHT = "#888888", "#555555", "#bbbbbb"


def tidy(
    axes: Axes,
    title: str | None = None,
    x: str | None = None,
    y: str | None = None,
    grid: Literal["both", "x", "y"] | None = "both",
    ticks: bool = False,
) -> None:
    """Remove decoration (tick marks too, unless ``ticks``), and label the axes ``x`` and ``y``."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    if ticks:
        axes.tick_params(colors=INK, labelsize=9)
    else:
        axes.tick_params(which="both", colors=INK, length=0, labelsize=9)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color=GRID, linewidth=0.6, axis=grid)
    if title is not None:
        axes.set_title(title, fontsize=10, color=INK, loc="left")
    if x is not None:
        axes.set_xlabel(x, fontsize=9, color=INK)
    if y is not None:
        axes.set_ylabel(y, fontsize=9, color=INK)


def headline(figure: Figure, title: str, size: int = 12) -> None:
    """Write the figure's title, left-aligned."""
    figure.suptitle(title, fontsize=size, color=INK, x=0.01, ha="left")


def legend_below(figure: Figure, axes: Axes, columns: int, size: int = 9) -> None:
    """One legend for all panels, below them."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        at = min(len(labels), columns)
        figure.legend(handles, labels, loc="outside lower center", ncols=at, frameon=False, fontsize=size)


def bars(axes: Axes, labels: Sequence[str], totals: Sequence[float], inside: Sequence[float]) -> None:
    """A bar for each training: the seconds ``totals``, of which ``inside`` are the custom objective's."""
    places = range(len(labels))
    outside = [total - part for total, part in zip(totals, inside, strict=True)]
    axes.barh(places, outside, color=LIGHT, height=0.6, label="the booster")
    axes.barh(places, inside, left=outside, color=BLUE, height=0.6, label="inside the custom objective")
    for place, total in zip(places, totals, strict=True):
        axes.annotate(f"{total:.2f} s", (total, place), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.margins(x=0.15)


def save(figure: Figure, out: Path, name: str) -> list[str]:
    """Write the plot; returns a list with its file name."""
    figure.savefig(out / name, dpi=150)
    return [name]
