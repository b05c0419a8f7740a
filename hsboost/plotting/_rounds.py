"""The course of training: share of the active rows and threshold, round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hsboost.plotting import _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(panels: Sequence[Axes], history: Mapping[str, np.ndarray], is_smooth: bool, style: dict[str, Any]) -> None:
    """Draw a checked history, shares above and thresholds below; one line each where a round has several of them."""
    top, bottom = panels
    rounds, shares, thresholds = (history[key] for key in ("iteration", "active_share", "soft_threshold"))
    thin = {**style, "linewidth": 1.0, "alpha": 0.6}  # several groups or classes
    for panel, values in ((top, shares), (bottom, thresholds)):
        panel.plot(rounds, values, **(style if values.ndim == 1 else thin))
        panel.margins(x=0.02, y=0.18)
    mean, label = (shares, "_") if shares.ndim == 1 else (shares.mean(axis=1), "mean of groups or classes")
    top.fill_between(rounds, 0.0, mean, color=_style.BAND, linewidth=0, zorder=0, label=label)
    top.set_ylim(0.0, 1.06)
    _style.percent(top.yaxis)
    top.set_ylabel("active, by 4y(1 − y)" if is_smooth else "active rows")
    what = "Rows near the budget's edge" if is_smooth else "Rows that still have a gradient"
    top.set_title(f"{what}, and where the budget cuts", **_style.TITLE)
    bottom.set_ylabel("threshold (raw score)")
    bottom.set_xlabel("round of boosting")
    for panel, values, scale, unit in ((top, shares, 100.0, " %"), (bottom, thresholds, 1.0, "")):
        if values.ndim == 1:
            end = rounds[-1], values[-1]
            below = panel is top and end[1] > 0.8  # else it would run into the title
            _style.point(panel, *end, style["color"])
            place: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "top" if below else "bottom"}
            text = f"{scale * end[1]:.3g}{unit}"
            panel.annotate(text, end, (0, -8 if below else 7), fontsize=_style.SMALL, **place)
    _style.legend(top)
