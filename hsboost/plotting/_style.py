"""One look for all displays: colours told apart with every kind of colour vision, a light grid, names beside curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.text import Annotation

#: Okabe and Ito's palette, in an order that keeps contrast on white; line styles repeat the difference.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#E69F00", "#555555")
DASHES = ("-", (0, (6, 1.5)), (0, (4, 1.5, 1, 1.5)), (0, (1.5, 1.2)), (0, (8, 1.5, 1, 1.5, 1, 1.5)), "-")
INK, QUIET, GRID, BAND = "#222222", "#6b6b6b", "#e4e4e4", "#f6e7b4"
POSITIVE, NEGATIVE = PALETTE[1], PALETTE[0]
SMALL = 9.0
CURVE, LABEL, ONCE = "hsboost:curve", "hsboost:label", "hsboost:once"


def pyplot() -> Any:
    """matplotlib.pyplot, or one clear error."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("drawing needs matplotlib, which is not installed: pip install hsboost[plot]") from error
    return plt


def new_axes(ax: Axes | None, size: tuple[float, float] = (7.2, 4.2)) -> Axes:
    """The axes given, or those of a new figure."""
    plt = pyplot()
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    return ax


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
    """Shares as "40 %"."""
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g} %")


def thousands(axis: Any) -> None:
    """Counts as "12,000"."""
    axis.set_major_formatter(lambda value, _: number(value))


def number(value: float) -> str:
    """A count, or a weight that is not whole, for reading."""
    return f"{value:,.0f}" if abs(value - round(value)) < 1e-9 or abs(value) >= 1000 else f"{value:,.3g}"


def budget_axis(ax: Axes, share: bool, log: bool, first: float, last: float, weighted: bool) -> None:
    """The x axis of everything drawn against the budget."""
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


def once(ax: Axes, name: str) -> bool:
    """Whether this is the first display that draws ``name`` (a reference line, say) on the axes."""
    mark = f"{ONCE}:{name}"
    return not any(artist.get_gid() == mark for artist in ax.get_children())


def marked(artist: Any, name: str) -> Any:
    """Remember that ``name`` has been drawn; see :func:`once`."""
    artist.set_gid(f"{ONCE}:{name}")
    return artist


def curves(ax: Axes) -> list[Line2D]:
    """The models' curves on these axes so far."""
    return [line for line in ax.get_lines() if line.get_gid() == CURVE]


def curve_style(ax: Axes, color: Any, line_kw: dict[str, Any]) -> dict[str, Any]:
    """Look of the next curve on these axes; what the user gave comes first, also by matplotlib's short names."""
    place = len(curves(ax))
    own = {
        "color": PALETTE[place % len(PALETTE)] if color is None else color,
        "linestyle": DASHES[place % len(DASHES)],
        "linewidth": 2.0,
        "zorder": 3,
    }
    return {**own, **full_names(line_kw), "gid": CURVE}


def full_names(line_kw: dict[str, Any]) -> dict[str, Any]:
    """``lw`` as ``linewidth`` and so on."""
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    return normalize_kwargs(line_kw, Line2D)


def note(ax: Axes, text: str, xy: tuple[float, float], offset: tuple[float, float], **text_kw: Any) -> Annotation:
    """A small text near a point, with a halo so that lines behind it do not disturb."""
    from matplotlib import patheffects

    found = ax.annotate(
        text,
        xy,
        offset,
        textcoords="offset points",
        **{"fontsize": SMALL, "color": QUIET, "annotation_clip": False, **text_kw},
    )
    found.set_path_effects([patheffects.withStroke(linewidth=3, foreground="white")])
    return found


def label_curves(ax: Axes, beside: Axes | None = None) -> None:
    """Write each curve's name beside it where there is room; where curves lie too close, list the names instead."""
    for text in [text for text in ax.texts if text.get_gid() == LABEL]:
        text.remove()
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()
    layers = [ax] if beside is None else [ax, beside]
    named = [line for layer in layers for line in curves(layer) if not str(line.get_label()).startswith("_")]
    if not named:
        return
    _root(ax).draw_without_rendering()  # settles the layout, on which sizes in pixels depend
    places = _places(ax, named, layers)
    if places is None:
        look: dict[str, Any] = {"frameon": False, "fontsize": SMALL, "labelcolor": "linecolor", "handlelength": 2.6}
        legend = ax.legend(handles=named, loc="upper right", **look)
        _root(ax).draw_without_rendering()
        legend.set_loc(_roomiest(ax, layers, legend.get_window_extent()))
        return
    for line, (x, y) in zip(named, places, strict=True):
        at = ax.transData.inverted().transform((x, y))
        text = note(ax, str(line.get_label()), (at[0], at[1]), (0, 0), color=line.get_color(), ha="center", va="center")
        text.set_gid(LABEL)
        text.set_fontweight("bold")


def pull_inside(ax: Axes, text: Annotation) -> None:
    """Move a note that sticks out of the axes on the right or left back in."""
    root = _root(ax)
    root.draw_without_rendering()
    box, frame = text.get_window_extent(), ax.get_window_extent()
    out = max(box.x1 - frame.x1, 0.0) or min(box.x0 - frame.x0, 0.0)
    x, y = text.get_position()
    text.set_position((x - out * 72.0 / root.dpi, y))


def _root(ax: Axes) -> Any:
    """The figure itself, also for axes in a subfigure."""
    figure: Any = ax.figure
    while getattr(figure, "figure", figure) is not figure:
        figure = figure.figure
    return figure


def _roomiest(ax: Axes, layers: list[Axes], size: Any) -> Any:
    """Where a box of this size hides the least; unlike matplotlib's "best", notes count too."""
    frame, pad = ax.get_window_extent(), 6.0
    grid = np.linspace(frame.x0, frame.x1, 241)
    lines = [(line, _path(line, grid)) for layer in layers for line in layer.get_lines() if line.get_visible()]
    boxes = [text.get_window_extent() for layer in layers for text in layer.texts]
    best = ("upper right", np.inf)
    for across, x in (
        ("right", frame.x1 - pad - size.width),
        ("left", frame.x0 + pad),
        ("center", frame.x0 + (frame.width - size.width) / 2),
    ):
        for down, y in (
            ("upper", frame.y1 - pad - size.height),
            ("lower", frame.y0 + pad),
            ("center", frame.y0 + (frame.height - size.height) / 2),
        ):
            inside = (grid >= x) & (grid <= x + size.width)
            hidden = 0.0
            for line, path in lines:
                share = float(np.mean((path[inside] >= y - 2) & (path[inside] <= y + size.height + 2)))
                hidden += share * (5.0 if line.get_gid() == CURVE else 1.0)
            hidden += sum(
                3.0 for b in boxes if x < b.x1 and x + size.width > b.x0 and y < b.y1 and y + size.height > b.y0
            )
            name = "center" if down == across == "center" else f"{down} {across}"
            if hidden < best[1]:
                best = (name, hidden)
    return best[0]


def _places(ax: Axes, named: list[Line2D], layers: list[Axes]) -> list[tuple[float, float]] | None:
    """A free place in pixels for the name of each curve, or None when one of them has none."""
    frame = ax.get_window_extent()
    grid = np.linspace(frame.x0, frame.x1, 241)
    paths = {line: _path(line, grid) for layer in layers for line in layer.get_lines() if line.get_visible()}
    taken = [text.get_window_extent() for layer in layers for text in layer.texts]
    boxes = [(box.x0, box.y0, box.x1, box.y1) for box in taken]
    found = []
    for line in named:
        probe = ax.text(0.5, 0.5, str(line.get_label()), fontsize=SMALL, fontweight="bold", transform=ax.transAxes)
        size = probe.get_window_extent()
        probe.remove()
        best = _best_place(paths, line, grid, (size.width, size.height), boxes, (frame.y0, frame.y1))
        if best is None:
            return None
        x, y = best
        boxes.append((x - size.width / 2, y - size.height / 2, x + size.width / 2, y + size.height / 2))
        found.append(best)
    return found


def _path(line: Line2D, grid: np.ndarray) -> np.ndarray:
    """The line's height in pixels on a grid of x in pixels; NaN where it has none (also for vertical lines)."""
    points = line.get_transform().transform(np.column_stack(line.get_data()).astype(np.float64))
    x, y = points[np.isfinite(points).all(axis=1)].T
    if x.size < 2 or np.ptp(x) < 1.0:
        return np.full(grid.size, np.nan)
    return np.interp(grid, x, y, left=np.nan, right=np.nan)


def _best_place(
    paths: dict[Line2D, np.ndarray],
    own: Line2D,
    grid: np.ndarray,
    size: tuple[float, float],
    boxes: list[tuple[float, float, float, float]],
    bounds: tuple[float, float],
) -> tuple[float, float] | None:
    width, height = size
    best: tuple[float, float, float] | None = None
    for x in grid[2::3]:
        left, right = x - width / 2 - 4, x + width / 2 + 4
        span = (grid >= left) & (grid <= right)
        mine = paths[own][span]
        if left < grid[0] or right > grid[-1] or not np.isfinite(mine).all():
            continue
        for side in (1, -1):
            edge = (mine.max() if side > 0 else mine.min()) + side * 4
            low, high = sorted((edge, edge + side * height))
            if low < bounds[0] + 3 or high > bounds[1] - 3:
                continue
            if any(left < b[2] and right > b[0] and low - 3 < b[3] and high + 3 > b[1] for b in boxes):
                continue
            centre, slope = (low + high) / 2, abs(centre_gap(mine, edge))
            room = _room(paths, own, span, low, high)
            if room < slope + 6:  # another curve is nearer: the name could be taken for its
                continue
            score = min(room, 60.0) - slope - 0.03 * abs(x - grid[grid.size // 2])
            if best is None or score > best[0]:
                best = (score, float(x), float(centre))
    return None if best is None else best[1:]


def centre_gap(mine: np.ndarray, edge: float) -> float:
    """Distance between a label's edge and its curve, at the label's centre."""
    return float(edge - mine[mine.size // 2])


def _room(paths: dict[Line2D, np.ndarray], own: Line2D, span: np.ndarray, low: float, high: float) -> float:
    """Pixels between a label's box and the nearest other line; negative where one crosses it."""
    room = np.inf
    for line, path in paths.items():
        y = path[span]
        if line is own or not np.isfinite(y).any():
            continue
        outside = np.where(y > high, y - high, np.where(y < low, low - y, -1.0))
        crosses = bool(np.nanmin(y) < low and np.nanmax(y) > high) or float(np.nanmin(outside)) < 1.0
        if crosses or line.get_gid() == CURVE:  # reference lines only must not run through the name
            room = min(room, -1.0 if crosses else float(np.nanmin(outside)))
    return room


def panels(ax: Axes, upper: float, lower: float) -> tuple[Axes, Axes]:
    """Two panels, one above the other, in the place of ``ax``; heights as shares of it."""
    ax.set_axis_off()
    ax.set_gid("hsboost:outer")
    return ax.inset_axes((0.0, 1.0 - upper, 1.0, upper)), ax.inset_axes((0.0, 0.0, 1.0, lower))
