"""LossComparisonDisplay: the gain of each loss over log loss, with its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hsboost import _validation as check
from hsboost.plotting import _style
from hsboost.plotting._base import Display

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CALLED = {"precision": "precision among the top k", "recall": "recall among the top k", "auc": "AUC"}


class LossComparisonDisplay(Display):
    """See the gain of each loss over log loss: a point and an interval per loss, on the same trees and splits.

    Filled points differ from log loss after the correction for the number of losses, hollow ones do not. Only precision
    is tested; recall and AUC are drawn hollow.

    Attributes
    ----------
    losses : list of str
        From top to bottom.
    difference, low, high : ndarray of shape (m,)
        Mean differences to log loss and their intervals (NaN for a single split).
    significant : ndarray of shape (m,), bool
    metric : str
    confidence : float
    ax_, axes_, figure_
        After :meth:`plot`.

    Examples
    --------
    >>> from hsboost.plotting import LossComparisonDisplay
    >>> display = LossComparisonDisplay(losses=["hypersimplex"], difference=[0.02], low=[0.01], high=[0.03])
    >>> display.significant
    array([False])
    """

    def __init__(
        self,
        *,
        losses: Sequence[str],
        difference: Sequence[float],
        low: Sequence[float],
        high: Sequence[float],
        significant: Sequence[bool] | None = None,
        metric: str = "precision",
        confidence: float = 0.95,
    ) -> None:
        self.losses, self.metric, self.confidence = list(losses), metric, confidence
        self.difference, self.low, self.high = (np.asarray(one, dtype=np.float64) for one in (difference, low, high))
        self.significant = np.zeros(len(self.losses), bool) if significant is None else np.asarray(significant, bool)

    @classmethod
    def from_comparison(
        cls, comparison: Any, *, metric: str = "precision", ax: Axes | None = None, **style: Any
    ) -> LossComparisonDisplay:
        """Draw the differences of a comparison.

        Parameters
        ----------
        comparison : LossComparison
            What :func:`hsboost.compare_losses` returns.
        metric : {"precision", "recall", "auc"}, default "precision"
        ax : matplotlib Axes, optional
        **style
            As for :meth:`plot`.

        Returns
        -------
        LossComparisonDisplay
        """
        check.check_choice(metric, "metric", tuple(_CALLED))
        frame = comparison.frame.iloc[1:]
        display = cls(
            losses=[str(name) for name in frame.index],
            difference=frame[f"{metric}_difference"].to_numpy(),
            low=frame[f"{metric}_low"].to_numpy(),
            high=frame[f"{metric}_high"].to_numpy(),
            significant=(frame["p_adjusted"] <= 1.0 - comparison.confidence).to_numpy() & (metric == "precision"),
            metric=metric,
            confidence=comparison.confidence,
        )
        return display.plot(ax, **style)

    def plot(self, ax: Axes | None = None, *, color: Any = None, name: str | None = None) -> LossComparisonDisplay:
        """Draw on ``ax``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        color : optional
            Colour of points and intervals.
        name : str, optional
            Name of the comparison, used as the title.

        Returns
        -------
        LossComparisonDisplay
            Itself.
        """
        (axes,) = self._panels(ax, (7.2, 1.4 + 0.45 * len(self.losses)))
        color = _style.PALETTE[0] if color is None else color
        axes.axvline(0.0, color=_style.INK, linewidth=1.0, zorder=1.5)
        for place, (middle, low, high, sure) in enumerate(
            zip(self.difference, self.low, self.high, self.significant, strict=True)
        ):
            if not math.isnan(low):
                axes.plot([low, high], [place, place], color=color, linewidth=2.0, zorder=2, solid_capstyle="butt")
            face = color if sure else "white"
            axes.plot([middle], [place], "o", color=color, markerfacecolor=face, markersize=7, mew=1.6, zorder=3)
        axes.set_yticks(range(len(self.losses)), [_style.fill(one, 28) for one in self.losses])
        axes.set_ylim(len(self.losses) - 0.5, -0.5)
        axes.margins(x=0.08)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:+.4g}".replace("-", "−") if value else "0")
        called = _CALLED.get(self.metric, self.metric)
        axes.set_xlabel(f"{called}, minus that of log loss ({100 * self.confidence:g} % intervals)")
        if name is not None:
            axes.set_title(name, **_style.TITLE)
        return self
