"""One style for all displays: colours distinct for every kind of colour vision, a light grid, one legend."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

#: Okabe and Ito's palette, in an order that keeps contrast on white. Line styles repeat the distinction and, like the
#: markers, distinguish curves of the same colour.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#555555")
DASHES = ("-", (0, (6, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1.5, 1.2)), (0, (8, 1.5, 1, 1.5, 1, 1.5)))
MARKERS = ("", "s", "^", "D")
INK, QUIET, GRID, BAND = "#222222", "#6b6b6b", "#e4e4e4", "#f6e7b4"
POSITIVE, NEGATIVE = PALETTE[1], PALETTE[0]
#: Style of reference lines.
REFERENCE: dict[str, Any] = {"color": "#9a9a9a", "linewidth": 1.0, "zorder": 1}
DOTTED: dict[str, Any] = {**REFERENCE, "linestyle": (0, (1, 2))}
TITLE: dict[str, Any] = {"loc": "left", "fontsize": 11, "color": INK}
SMALL, TINY = 9.0, 7.0
CURVE, ONCE = "hsboost:curve", "hsboost:once"
BASELINE: dict[str, Any] = {"color": PALETTE[-1], "linestyle": DASHES[1], "linewidth": 1.6, "zorder": 2.5, "gid": CURVE}
#: Separator of a curve's name and its description. A legend of many curves lists the names only.
SAYS = ":\u2002"
MOST_INSIDE = 10
#: matplotlib's locations for a legend, in its order.
PLACES: tuple[Any, ...] = (
    *("upper right", "upper left", "lower left", "lower right", "center left", "center right"),
    *("lower center", "upper center", "center"),
)


def pyplot() -> Any:
    """matplotlib.pyplot, or one clear error."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("drawing needs matplotlib, which is not installed: pip install hsboost[plot]") from error
    return plt


def tidy(ax: Axes) -> None:
    """Light grid behind the data, no frame."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color("#bbbbbb")
    ax.tick_params(which="both", colors=INK, length=0, labelsize=SMALL)
    ax.xaxis.label.set(color=INK, size=10)
    ax.yaxis.label.set(color=INK, size=10)
    ax.grid(color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)


def percent(axis: Any) -> None:
    """Format shares as "40 %"."""
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g} %")


def thousands(axis: Any) -> None:
    """Format counts as "12,000"."""
    axis.set_major_formatter(lambda value, _: number(value))


def number(value: float) -> str:
    """A count or a fractional weight, formatted for reading."""
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 or abs(value) >= 1000 else f"{value:,.3g}"


def budget_axis(ax: Axes, share: bool, log: bool, first: float, last: float, weighted: bool) -> None:
    """Set up the x axis of a plot against the budget."""
    if log and last > first:
        from matplotlib.ticker import LogLocator, NullLocator

        ax.set_xscale("log")
        wide = last / first > 2000
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xlim(first, last)
    else:
        ax.set_xlim(0.0, last)
    ax.tick_params(axis="x", pad=6)
    (percent if share else thousands)(ax.xaxis)
    unit = "weight" if weighted else "rows"
    ax.set_xlabel(f"budget k: {f'share of the {unit}' if share else unit} taken, highest scores first")


def fill(text: str, width: int) -> str:
    """The text in lines of at most ``width`` characters; signs and units stay with their numbers."""
    glued = re.sub(r" (?=[%×…])|(?<=…) |(?<=%:) ", "\u00a0", text)
    return "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in glued.split("\n"))


def once(ax: Axes, gid: str) -> bool:
    """Whether this is the first display that draws ``gid`` (a reference line, say) on the axes."""
    return not any(artist.get_gid() == gid for artist in ax.get_children())


def curves(ax: Axes) -> list[Line2D]:
    """The models' curves on these axes so far."""
    return [line for line in ax.get_lines() if line.get_gid() == CURVE]


def curve_style(ax: Axes, color: Any, line_kw: dict[str, Any]) -> dict[str, Any]:
    """Style of the next curve on these axes; the user's arguments take precedence, also under short names."""
    place = len(curves(ax))
    turn = place // len(PALETTE)  # shifts the line styles against the colours: 30 pairs, then markers
    own = {
        "color": PALETTE[place % len(PALETTE)] if color is None else color,
        "linestyle": DASHES[(place + turn) % len(DASHES)],
        "linewidth": 2.0,
        "zorder": 3,
    }
    if turn >= len(DASHES):
        own |= {"marker": MARKERS[turn // len(DASHES) % len(MARKERS)], "markevery": 0.1, "markersize": 4.0}
    return {**own, **full_names(line_kw), "gid": CURVE}


def full_names(line_kw: dict[str, Any]) -> dict[str, Any]:
    """``lw`` as ``linewidth`` and so on."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(line_kw, Line2D)


def point(ax: Axes, x: float, y: float, color: Any, label: str = "_") -> None:
    """A point of interest on a curve."""
    ax.plot([x], [y], "o", color=color, ms=7, mec="white", mew=1.5, zorder=4, label=label)


def legend(ax: Axes, *above: Axes) -> None:
    """Draw a legend, curves first: inside the axes at a location that hides no curve, otherwise outside.

    matplotlib's "best" is not enough: it ignores the axes ``above``, which lie over ``ax`` and whose artists are listed
    too, it treats reference lines like curves, and it may choose another location at another resolution.
    """
    layers = ax, *above
    handles: list[Any] = [handle for layer in layers for handle in layer.get_legend_handles_labels()[0]]
    if not handles:
        return
    handles.sort(key=lambda handle: handle.get_gid() != CURVE)
    names = [handle.get_label() for handle in handles]
    look: dict[str, Any] = {"handlelength": 3.2, "fontsize": SMALL, "framealpha": 0.8, "edgecolor": "none"}
    figure: Any = ax.figure
    if len(handles) <= MOST_INSIDE:
        inside = ax.legend(handles, [fill(name, _characters(ax, SMALL) // 2) for name in names], **look)
        inside.set_in_layout(False)
        figure.canvas.figure.draw_without_rendering()  # fixes the layout, on which the locations depend
        hidden: dict[str, tuple[int, int]] = {}
        for place in PLACES:
            inside.set_loc(place)
            box = inside.get_window_extent()
            met = [(layer, artist) for layer in layers for artist in layer.get_children() if _meets(artist, box)]
            # A curve of the axes above would be drawn over the names, which is worse than behind them.
            curves_met = sum(1 + (layer is not ax) for layer, artist in met if artist.get_gid() == CURVE)
            hidden[place] = curves_met, len(met)
        best = min(PLACES, key=hidden.__getitem__)
        inside.set_loc(best)
        frame = ax.get_window_extent()
        fits = box.width <= frame.width and box.height <= frame.height and hidden[best][0] == 0
        if fits or figure.get_layout_engine() is None:  # without an engine, the legend gets no space outside
            return
    else:
        names = [name.partition(SAYS)[0] for name in names]
        look["fontsize"] = TINY
    width = _characters(ax, look["fontsize"])
    names = [fill(name, width - 8) for name in names]
    lengths = [len(line) for name in names for line in name.split("\n")]
    usual = float(np.quantile(lengths, 0.9))  # a column is as wide as its own names; ten more for a line and gaps
    columns = max(int((width + usual - max(lengths)) / (usual + 10)), 1)
    look |= {"ncols": columns, "columnspacing": 1.0, "labelspacing": 0.25, "borderpad": 0.1}
    if ax.get_xlabel():  # leave the space above for a title
        from matplotlib.transforms import ScaledTranslation

        below = ax.transAxes + ScaledTranslation(0.0, -36.0 / 72.0, figure.dpi_scale_trans)
        ax.legend(handles, names, loc="upper left", bbox_to_anchor=(0.0, 0.0), bbox_transform=below, **look)
    else:
        ax.legend(handles, names, loc="lower left", bbox_to_anchor=(0.0, 1.0), **look)


def _meets(artist: Any, box: Any) -> bool:
    """Whether a line, or an area that belongs to a curve, lies in a box in pixels."""
    from matplotlib.lines import Line2D

    is_line = isinstance(artist, Line2D)
    if not is_line and artist.get_gid() != CURVE:
        return False
    paths = artist.get_paths() if hasattr(artist, "get_paths") else [artist.get_path()]
    return any(artist.get_transform().transform_path(path).intersects_bbox(box, filled=not is_line) for path in paths)


def _characters(ax: Axes, size: float) -> int:
    """Approximate number of characters of this size, in points, that fit in a line of the axes; at least 24."""
    figure: Any = ax.figure
    return max(int(ax.get_window_extent().width * 72.0 / figure.dpi / (0.55 * size)), 24)
