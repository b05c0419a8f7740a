"""Base classes of the displays: the axes they draw on and store, and curves against the budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hsboost import _validation as check
from hsboost._validation import FloatArray
from hsboost.plotting import _curves, _inputs, _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Display:
    """A plot that stores its numbers and its axes.

    ``from_predictions`` computes the numbers and draws them, ``from_estimator`` scores the rows first, ``plot`` draws
    the stored numbers. Each returns the display.
    """

    name: str | None
    ax_: Axes
    axes_: np.ndarray
    figure_: Any

    @staticmethod
    def _scores_of(
        estimator: Any, X: Any, pos_label: Any, response_method: str, name: str | None, groups: Any = None
    ) -> tuple[FloatArray, Any, str]:
        """(scores of one class, that class's label, the model's name) for ``from_estimator``.

        With ``groups`` scores are relative to each group's threshold.
        """
        more = {} if groups is None else {"groups": groups}
        scores, label = _inputs.response(estimator, X, pos_label, response_method, **more)
        return scores, label, type(estimator).__name__ if name is None else name

    def _panels(self, ax: Axes | None, size: tuple[float, float], *heights: float) -> list[Axes]:
        """The given axes, or those of a new figure; with ``heights``, as shares, panels in place of the axes."""
        plt = _style.pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=size, layout="constrained")
        panels = [ax]
        if heights:
            upper, lower = heights
            ax.set_axis_off()
            panels = [ax.inset_axes((0.0, 1.0 - upper, 1.0, upper)), ax.inset_axes((0.0, 0.0, 1.0, lower))]
            panels[0].tick_params(labelbottom=False)
        for panel in panels:
            _style.tidy(panel)
        self.ax_, self.axes_, self.figure_ = panels[0], np.array(panels), ax.figure
        return panels


class View(NamedTuple):
    """The budgets drawn, their positions on the x axis, the rows (or weight) per unit on it, and the kind of axis."""

    shown: np.ndarray
    at: FloatArray
    unit: float
    share: bool
    log: bool


class BudgetDisplay(Display):
    """A display of curves against the budget."""

    def __init__(
        self, budget: FloatArray, positives: float, total: float, rows: int, weighted: bool, name: str | None
    ) -> None:
        self.budget, self.positives, self.total = budget, positives, total
        self.prevalence = positives / total
        self.rows, self.weighted, self.name = rows, weighted, name

    def _view(self, x: str, log: bool, start: float | None) -> View:
        """The view for these arguments, checked before a figure is created."""
        share = check.check_choice(x, "x", ("count", "share")) == "share"
        shown = _curves.from_start(self.budget, start, self.rows, self.total)
        unit = self.total if share else 1.0
        return View(shown, self.budget[shown] / unit, unit, share, log)

    def _budget_panels(self, view: View, ax: Axes | None, size: tuple[float, float], *heights: float) -> list[Axes]:
        """Same as :meth:`_panels`, with the budget as x axis."""
        panels = self._panels(ax, size, *heights)
        for panel in panels:
            _style.budget_axis(panel, view.share, view.log, float(view.at[0]), float(view.at[-1]), self.weighted)
        for panel in panels[:-1]:
            panel.set_xlabel("")
        return panels

    def _curve(self, ax: Axes, which: str, view: View, style: dict[str, Any], label: str) -> None:
        """Draw the attribute ``which`` and, if there is one, its band."""
        ax.plot(view.at, getattr(self, which)[view.shown], **{"label": label, **style})
        low, high = (getattr(self, f"{which}_{end}", None) for end in ("low", "high"))
        if low is not None and high is not None:
            band = {"color": style["color"], "alpha": 0.15, "linewidth": 0, "zorder": 2, "gid": _style.CURVE}
            ax.fill_between(view.at, low[view.shown], high[view.shown], **band)

    def _label(self, text: str | None) -> str:
        """A curve's label in the legend: its name, its description, or both."""
        return _style.SAYS.join(part for part in (self.name, text) if part) or "_"
