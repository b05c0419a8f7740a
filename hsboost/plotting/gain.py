"""BudgetGainDisplay: the gain of a ranking over random order and over another model, at every budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import Budget, FloatArray
from hsboost.plotting import _curves, _inputs, _style
from hsboost.plotting._base import BudgetDisplay, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["auto", "both", "lift", "difference"]


class AtBudget(NamedTuple):
    """The numbers at the budget of interest; ``k``, ``hits`` and ``difference`` in rows (or weight).

    ``hits`` are the positives among the top k, ``lift`` is their share over the prevalence. ``difference`` is hits
    minus those of the baseline, ``low`` to ``high`` its bootstrap interval of confidence ``level``; each is None if it
    was not requested.
    """

    k: float
    hits: float
    lift: float
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None

    def __str__(self) -> str:
        reviewed = f"positives among {_style.number(self.k)} reviewed"
        if self.difference is None:
            return f"{_style.number(self.hits)} {reviewed}: {self.lift:.2f} × random"
        text = f"{_signed(self.difference)} {reviewed}"
        if self.low is None or self.high is None or self.level is None:
            return text
        return f"{text} ({100 * self.level:g} %: {_signed(_rounded(self.low))} … {_signed(_rounded(self.high))})"


class BudgetGainDisplay(BudgetDisplay):
    """See the gain of a ranking: lift over random order, and additional positives over a baseline model, per budget.

    Attributes
    ----------
    budget : ndarray of shape (m,)
        The k drawn, in rows or, with weights, in weight.
    lift : ndarray of shape (m,)
        Precision@k over prevalence: 1 is a random ranking.
    ceiling : ndarray of shape (m,)
        Lift of a perfect ranking.
    baseline_lift, difference : ndarray of shape (m,) or None
        The baseline's lift, and the positives among the top k minus the baseline's, in rows (or weight).
    difference_low, difference_high : ndarray of shape (m,) or None
        Paired bootstrap band: the same resampled rows are ranked by both models.
    prevalence, positives, total : float
    at_budget : AtBudget or None
        The numbers at the budget of interest; its ``str`` is the sentence in the plot.
    confidence_level : float
    name, baseline_name : str or None
    ax_, axes_, figure_
        After :meth:`plot`: the upper (or only) panel, all panels and the figure.

    Examples
    --------
    >>> from hsboost.plotting import BudgetGainDisplay
    >>> y, ours, theirs = [1, 0, 1, 0], [0.9, 0.2, 0.8, 0.1], [0.9, 0.8, 0.2, 0.1]
    >>> display = BudgetGainDisplay.from_predictions(y, ours, baseline=theirs, k=2, n_bootstrap=0)
    >>> display.lift
    array([2.        , 2.        , 1.33333333, 1.        ])
    >>> print(display.at_budget)
    +1 positives among 2 reviewed
    """

    def __init__(
        self,
        *,
        budget: FloatArray,
        hits: FloatArray,
        positives: float,
        total: float,
        baseline_hits: FloatArray | None = None,
        band: tuple[FloatArray, FloatArray] | None = None,
        at_budget: AtBudget | None = None,
        confidence_level: float = 0.95,
        rows: int,
        weighted: bool = False,
        name: str | None = None,
        baseline_name: str | None = None,
    ) -> None:
        super().__init__(budget, positives, total, rows, weighted, name)
        self.lift = hits / budget / self.prevalence
        self.ceiling = np.minimum(positives / budget, 1.0) / self.prevalence
        self.baseline_lift = None if baseline_hits is None else baseline_hits / budget / self.prevalence
        self.difference = None if baseline_hits is None else hits - baseline_hits
        self.difference_low: FloatArray | None
        self.difference_high: FloatArray | None
        self.difference_low, self.difference_high = band or (None, None)
        self.at_budget, self.confidence_level, self.baseline_name = at_budget, confidence_level, baseline_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        baseline: Any = None,
        pos_label: Any = None,
        groups: ArrayLike | None = None,
        response_method: Literal["auto", "decision_function", "predict_proba"] = "auto",
        name: str | None = None,
        baseline_name: str | None = None,
        **options: Any,
    ) -> BudgetGainDisplay:
        """Score the rows with a fitted classifier (and a second one as baseline) and draw.

        Parameters
        ----------
        estimator : fitted classifier
        X, y : the rows and their labels.
        baseline : fitted classifier or array-like of shape (n,), optional
            The model to compare with, or its scores.
        pos_label, groups, response_method
            As for :meth:`PrecisionAtKDisplay.from_estimator`; they apply to both estimators (groups only to a baseline
            that was trained with them).
        name, baseline_name : str, optional
            Default: the estimators' classes.
        **options
            As for :meth:`from_predictions`.

        Returns
        -------
        BudgetGainDisplay
        """
        scores, label, name = cls._scores_of(estimator, X, pos_label, response_method, name, groups)
        if hasattr(baseline, "fit"):
            own = groups if _inputs.inner(baseline, "group_thresholds_", None) is not None else None
            baseline, _, baseline_name = cls._scores_of(baseline, X, label, response_method, baseline_name, own)
        return cls.from_predictions(
            y,
            scores,
            baseline=baseline,
            pos_label=label,
            name=name,
            baseline_name=baseline_name,
            **options,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        baseline: ArrayLike | None = None,
        k: Budget = None,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        n_bootstrap: int = 300,
        confidence_level: float = 0.95,
        random_state: int = 0,
        max_points: int = 500,
        name: str | None = None,
        baseline_name: str | None = None,
        ax: Axes | None = None,
        **plot_kw: Any,
    ) -> BudgetGainDisplay:
        """Draw the gain of given scores.

        Parameters
        ----------
        y_true, y_score : array-like of shape (n,)
        baseline : array-like of shape (n,), optional
            Scores of the model to compare with; without it only the lift is drawn.
        k : None, int or float in (0, 1), default None
            The budget of interest, marked with its number. None: as many as are positive.
        sample_weight : array-like of shape (n,), optional
        pos_label : default None
            Needed unless labels are 0/1, -1/1 or booleans.
        n_bootstrap : int, default 300
            Resamples of the rows for the band of the difference; 0: no band.
        confidence_level : float, default 0.95
            Confidence level of the band, pointwise for each budget.
        random_state : int, default 0
            Seed of the resampling.
        max_points : int, default 500
            Longer curves are thinned to about this many points; small budgets are all kept.
        name, baseline_name : str, optional
        ax : matplotlib Axes, optional
        **plot_kw
            Passed to :meth:`plot`.

        Returns
        -------
        BudgetGainDisplay

        Raises
        ------
        ValueError
            As :meth:`PrecisionAtKDisplay.from_predictions`, and for k = 0.
        """
        resampling = n_bootstrap, confidence_level, random_state
        measured = _curves.Measured(y_true, y_score, sample_weight, pos_label, *resampling, max_points, baseline, k)
        hits, at, marked = measured.hits[0], measured.at, measured.marked
        point = AtBudget(marked, float(hits[at]), float(hits[at] / marked / (measured.positives / measured.total)))
        other = band = None
        if baseline is not None:
            other = measured.hits[1]
            point = point._replace(difference=float(hits[at] - other[at]))
            if n_bootstrap:
                draws, _, _ = measured.resampled()
                band = measured.interval(draws[:, 0] - draws[:, 1])
                point = point._replace(low=float(band[0][at]), high=float(band[1][at]), level=confidence_level)
        display = cls(
            hits=hits,
            baseline_hits=other,
            band=band,
            at_budget=point,
            confidence_level=confidence_level,
            name=name,
            baseline_name=baseline_name,
            **measured.common,
        )
        return display.plot(ax, **plot_kw)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Kind = "auto",
        x: Literal["count", "share"] = "count",
        log: bool = False,
        start: float | None = None,
        name: str | None = None,
        color: Any = None,
        **line_kw: Any,
    ) -> BudgetGainDisplay:
        """Draw on ``ax``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure. If there are two panels, they replace it.
        kind : {"auto", "both", "lift", "difference"}, default "auto"
            One panel or both; "auto": both if there is a baseline. For several displays on one axes: "lift" or
            "difference".
        x, log, start
            As for :meth:`PrecisionAtKDisplay.plot`.
        name, color, **line_kw
            Label and style of the curve; ``line_kw`` goes to ``Axes.plot``.

        Returns
        -------
        BudgetGainDisplay
            Itself.
        """
        check.check_choice(kind, "kind", ("auto", "both", "lift", "difference"))
        if self.difference is None and kind in ("both", "difference"):
            raise ValueError(f"kind={kind!r} needs baseline=, the scores of the model to compare with")
        view = self._view(x, log, start)
        self.name = self.name if name is None else name
        both = kind == "both" or (kind == "auto" and self.difference is not None)
        size, heights = ((7.2, 5.2), (0.46, 0.46)) if both else ((7.2, 4.2), ())
        panels = self._budget_panels(view, ax, size, *heights)
        if kind != "difference":
            self._lift(panels[0], view, _style.curve_style(panels[0], color, line_kw), alone=not both)
        if both or kind == "difference":
            self._difference(panels[-1], view, _style.curve_style(panels[-1], color, line_kw), alone=not both)
        for panel in panels:
            _style.legend(panel)
        return self

    def _lift(self, ax: Axes, view: View, style: dict[str, Any], alone: bool) -> None:
        point = self._marked(ax, view)
        sentence = str(AtBudget(*point[:3])) if point is not None and alone else None
        self._marked_curve(ax, "lift", view, style, self._label(sentence), point)
        gid = f"{_style.ONCE}:lift"
        if _style.once(ax, gid):
            if self.baseline_lift is not None:
                label = self.baseline_name or "baseline"
                ax.plot(view.at, self.baseline_lift[view.shown], label=label, **_style.BASELINE)
            ax.axhline(1.0, label="random order", gid=gid, **_style.DOTTED)
            ax.plot(view.at, self.ceiling[view.shown], label="perfect ranking", **_style.REFERENCE)
        ax.set_ylim(0.0, 1.18 * max(float(np.max(line.get_ydata())) for line in _style.curves(ax)))
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
        ax.set_ylabel("lift over random")

    def _difference(self, ax: Axes, view: View, style: dict[str, Any], alone: bool) -> None:
        point = self._marked(ax, view)
        if point is not None and point.difference is None:
            point = None
        sentence = None if point is None else str(point)
        label = self._label(sentence) if alone else sentence or "_"
        self._marked_curve(ax, "difference", view, style, label, point)
        gid = f"{_style.ONCE}:difference"
        if _style.once(ax, gid):
            ax.axhline(0.0, gid=gid, color=_style.INK, linewidth=1.0, zorder=1.5)
        ax.yaxis.set_major_formatter(lambda value, _: _signed(value) if value else "0")
        ax.margins(y=0.12)
        if not self.weighted:
            ax.locator_params(axis="y", integer=True)
        ax.set_ylabel(_style.fill(f"positives beyond\n{self.baseline_name or 'the baseline'}", 28))

    def _marked(self, ax: Axes, view: View) -> AtBudget | None:
        """The numbers at the budget of interest, if it lies on the axes."""
        point = self.at_budget
        return None if point is None or point.k / view.unit < ax.get_xlim()[0] else point

    def _marked_curve(
        self, ax: Axes, which: str, view: View, style: dict[str, Any], label: str, point: AtBudget | None
    ) -> None:
        """Draw a curve and mark the budget of interest on it."""
        self._curve(ax, which, view, style, label)
        if point is not None:
            ax.axvline(point.k / view.unit, **_style.DOTTED)
            _style.point(ax, point.k / view.unit, getattr(point, which), style["color"])


def _signed(value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "±") + _style.number(abs(value))


def _rounded(value: float) -> float:
    """Round to whole rows where values are large: an interval's ends are not accurate to a fraction of a row."""
    return float(round(value)) if abs(value) >= 1.0 else round(value, 2)
