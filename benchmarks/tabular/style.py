"""Colours, markers and lines: the same for a loss in every plot."""

from __future__ import annotations

from matplotlib.axes import Axes

from benchmarks.tabular.aggregate import Statistics

# Okabe and Ito's palette: told apart with every kind of colour vision. The marker and the line style repeat
# the colour.
STYLES = {
    "l2": ("#E69F00", "s", "--"),
    "log-loss": ("#555555", "o", ":"),
    "hypersimplex": ("#0072B2", "D", "-"),
    "hypersimplex-published": ("#D55E00", "D", "-"),
}
SPARE_STYLES = (
    ("#009E73", "^", "-."),
    ("#CC79A7", "v", "-."),
    ("#D55E00", "P", "-."),
    ("#56B4E9", "X", "--"),
    ("#8A6D00", "<", "-"),
    ("#009E73", ">", ":"),
    ("#CC79A7", "h", "-"),
    ("#D55E00", "p", ":"),
)
INK, GRID = "#222222", "#dddddd"


def style(statistics: Statistics, loss: str) -> tuple[str, str, str]:
    """Return a loss's colour, marker and line style; losses without their own take spare ones in turn."""
    others = [name for name in statistics.losses if name not in STYLES]
    return STYLES[loss] if loss in STYLES else SPARE_STYLES[others.index(loss) % len(SPARE_STYLES)]


def tidy(axes: Axes) -> None:
    """Take away what is not data."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)
    axes.tick_params(which="both", colors=INK, length=0, labelsize=9)
    axes.set_axisbelow(True)
