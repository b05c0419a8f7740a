"""BudgetGainDisplay: what a ranking gains over random order and over another model, at every budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import Budget, FloatArray
from hsboost.plotting import _curves, _inputs, _style
from hsboost.plotting._curves import Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARK = "hsboost:mark"
Kind = Literal["auto", "both", "lift", "difference"]


class AtBudget(NamedTuple):
    """The numbers at the budget of interest; ``k``, ``hits`` and ``difference`` in rows (or weight).

    ``hits`` are the positives among the top k, ``lift`` is their share over the prevalence. ``difference`` is hits less
    those of the baseline, ``low`` to ``high`` its bootstrap interval of confidence ``level``; each None where it was
    not asked for.
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


class BudgetGainDisplay:
    """See what a ranking gains: lift over random order, and positives found beyond a baseline model's, per budget.

    Attributes
    ----------
    budget : ndarray of shape (m,)
        The k drawn, in rows or, with weights, in weight.
    lift : ndarray of shape (m,)
        Precision@k over prevalence: 1 is a random ranking.
    ceiling : ndarray of shape (m,)
        Lift of a perfect ranking.
    baseline_lift, difference : ndarray of shape (m,) or None
        The baseline's lift, and positives found beyond the baseline's among the top k, in rows (or weight).
    difference_low, difference_high : ndarray of shape (m,) or None
        Paired bootstrap band: the same resampled rows are ranked by both models.
    prevalence, positives, total : float
    at_budget : AtBudget or None
        The numbers at the budget of interest; ``str`` of it is the sentence in the picture.
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
        self.budget, self.positives, self.total = budget, positives, total
        self.prevalence = positives / total
        self.lift = hits / budget / self.prevalence
        self.ceiling = np.minimum(positives / budget, 1.0) / self.prevalence
        self.baseline_lift = None if baseline_hits is None else baseline_hits / budget / self.prevalence
        self.difference = None if baseline_hits is None else hits - baseline_hits
        self.difference_low: FloatArray | None = None
        self.difference_high: FloatArray | None = None
        if band is not None:
            self.difference_low, self.difference_high = band
        self.at_budget, self.confidence_level = at_budget, confidence_level
        self.rows, self.weighted, self.name, self.baseline_name = rows, weighted, name, baseline_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        baseline: Any = None,
        pos_label: Any = None,
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
        pos_label, response_method
            As for :meth:`PrecisionAtKDisplay.from_estimator`; they hold for both estimators.
        name, baseline_name : str, optional
            Default: the estimators' classes.
        **options
            As for :meth:`from_predictions`.

        Returns
        -------
        BudgetGainDisplay
        """
        scores, label = _inputs.response(estimator, X, pos_label, response_method)
        if hasattr(baseline, "fit"):
            baseline_name = type(baseline).__name__ if baseline_name is None else baseline_name
            baseline, _ = _inputs.response(baseline, X, label, response_method)
        return cls.from_predictions(
            y,
            scores,
            baseline=baseline,
            pos_label=label,
            name=type(estimator).__name__ if name is None else name,
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
            Of the band, at each budget by itself.
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
        _curves.check_resampling(n_bootstrap, confidence_level, random_state)
        rows = _inputs.check_rows(y_true, y_score, sample_weight, pos_label)
        rankings = [Ranking(rows.positive, rows.score, rows.weight)]
        if baseline is not None:
            rankings.append(Ranking(rows.positive, rows.also(baseline, "baseline"), rows.weight))
        ours = rankings[0]
        marked = check.budget_mass(check.check_budget(k), ours.total, ours.positives)
        if marked <= 0.0:
            raise ValueError("k must be above 0: nothing is found among no rows")
        budget = ours.budgets(_curves.check_points(max_points), [marked])
        at = int(np.searchsorted(budget, marked))
        hits = ours.hits(budget)
        other = band = None
        point = AtBudget(marked, float(hits[at]), float(hits[at] / marked / (ours.positives / ours.total)))
        if baseline is not None:
            other = rankings[1].hits(budget)
            point = point._replace(difference=float(hits[at] - other[at]))
            if n_bootstrap:
                draws, _, _ = _curves.resample(rankings, budget / ours.total, n_bootstrap, random_state)
                band = _curves.interval(draws[:, 0] - draws[:, 1], confidence_level)
                point = point._replace(low=float(band[0][at]), high=float(band[1][at]), level=confidence_level)
        display = cls(
            budget=budget,
            hits=hits,
            positives=ours.positives,
            total=ours.total,
            baseline_hits=other,
            band=band,
            at_budget=point,
            confidence_level=confidence_level,
            rows=ours.n,
            weighted=rows.weight is not None,
            name=name,
            baseline_name=baseline_name,
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
        """Draw onto ``ax``.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure. With two panels they take its place.
        kind : {"auto", "both", "lift", "difference"}, default "auto"
            One panel or both; "auto": both if there is a baseline. For several displays on one axes: "lift" or
            "difference".
        x, log, start
            As for :meth:`PrecisionAtKDisplay.plot`.
        name, color, **line_kw
            Of the curve; ``line_kw`` goes to ``Axes.plot``.

        Returns
        -------
        BudgetGainDisplay
            Itself.
        """
        check.check_choice(kind, "kind", ("auto", "both", "lift", "difference"))
        check.check_choice(x, "x", ("count", "share"))
        if self.difference is None and kind in ("both", "difference"):
            raise ValueError(f"kind={kind!r} needs baseline=, the scores of the model to compare with")
        shown = _curves.from_start(self.budget, start, self.rows, self.total)
        self.name = self.name if name is None else name
        both = kind == "both" or (kind == "auto" and self.difference is not None)
        outer = _style.new_axes(ax, (7.2, 5.2) if both else (7.2, 4.2))
        top, bottom = _style.panels(outer, 0.46, 0.46) if both else (outer, outer)
        unit = self.total if x == "share" else 1.0
        panels = [top, bottom] if both else [outer]
        for panel in panels:
            _style.tidy(panel)
            ends = self.budget[shown][[0, -1]] / unit
            _style.budget_axis(panel, x == "share", log, float(ends[0]), float(ends[1]), self.weighted)
        if kind != "difference":
            self._lift(top, shown, unit, color, line_kw, both)
        if both:
            top.set_xlabel("")
            top.tick_params(labelbottom=False)
        if kind == "difference" or both:
            self._difference(bottom, shown, unit, color, line_kw, both)
        self.ax_, self.axes_, self.figure_ = top, np.array(panels), outer.figure
        return self

    def _lift(self, ax: Axes, shown: np.ndarray, unit: float, color: Any, line_kw: dict[str, Any], both: bool) -> None:
        at = self.budget[shown] / unit
        style = _style.curve_style(ax, color, line_kw)
        first = _style.once(ax, "lift")
        ax.plot(at, self.lift[shown], **{"label": self.name or "_", **style})
        if self.baseline_lift is not None and first:
            quiet: dict[str, Any] = {
                "color": _style.PALETTE[-1],
                "linestyle": _style.DASHES[1],
                "linewidth": 1.6,
                "gid": _style.CURVE,
            }
            ax.plot(at, self.baseline_lift[shown], label=self.baseline_name or "baseline", zorder=2.5, **quiet)
        if first:
            _style.marked(ax.axhline(1.0, color="#9a9a9a", linewidth=1.0, zorder=1), "lift")
            ax.plot(at, self.ceiling[shown], color="#9a9a9a", linewidth=1.0, zorder=1, label="_")
        peak = max(float(line.get_ydata().max()) for line in _style.curves(ax))  # type: ignore[union-attr]
        top = 1.18 * peak
        ax.set_ylim(0.0, top)
        if first:
            below = top < 6.0
            spot = (ax.get_xlim()[0], 1.0)
            _style.note(ax, "random order", spot, (4, -3 if below else 3), va="top" if below else "bottom")
        if first and self.ceiling[shown][0] > top:
            x = float(np.interp(-top, -self.ceiling[shown], at))
            _style.note(ax, "perfect ranking", (x, top), (6, -4), va="top")
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g} ×")
        ax.set_ylabel("lift over random")
        point = self.at_budget
        if point is not None:
            text = "" if both else str(AtBudget(*point[:3])).replace(": ", ":\n")
            self._mark(ax, point.k / unit, point.lift, text, style["color"], style["color"])
        _style.label_curves(ax)

    def _difference(
        self, ax: Axes, shown: np.ndarray, unit: float, color: Any, line_kw: dict[str, Any], both: bool
    ) -> None:
        assert self.difference is not None
        at = self.budget[shown] / unit
        style = _style.curve_style(ax, color, line_kw)
        label = "_" if both or self.name is None else self.name
        ax.plot(at, self.difference[shown], **{"label": label, **style})
        if self.difference_low is not None and self.difference_high is not None:
            low, high = self.difference_low[shown], self.difference_high[shown]
            ax.fill_between(at, low, high, color=style["color"], alpha=0.16, linewidth=0, zorder=2)
        if _style.once(ax, "difference"):
            _style.marked(ax.axhline(0.0, color=_style.INK, linewidth=1.0, zorder=1.5), "difference")
        ax.yaxis.set_major_formatter(lambda value, _: _signed(value) if value else "0")
        ax.margins(y=0.12)
        if not self.weighted:
            ax.locator_params(axis="y", integer=True)
        ax.set_ylabel(f"positives beyond\n{self.baseline_name or 'the baseline'}")
        point = self.at_budget
        if point is not None and point.difference is not None:
            ink = _style.INK if both else style["color"]
            self._mark(ax, point.k / unit, point.difference, str(point), style["color"], ink)
        _style.label_curves(ax)

    def _mark(self, ax: Axes, x: float, y: float, text: str, color: Any, ink: Any) -> None:
        """The budget of interest and its number, if it is among the budgets drawn."""
        if x < ax.get_xlim()[0]:
            return
        ax.axvline(x, color="#9a9a9a", linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
        ax.plot([x], [y], "o", color=color, ms=7, mec="white", mew=1.5, zorder=4)
        if not text:
            return
        right = float(ax.transAxes.inverted().transform(ax.transData.transform((x, y)))[0]) < 0.5
        before = [found.get_text() for found in ax.texts if found.get_gid() == MARK]  # of other displays
        offset = (6 if right else -6, -13 * sum(text.count("\n") + 1 for text in before))
        style: dict[str, Any] = {"ha": "left" if right else "right", "va": "top", "fontweight": "bold", "color": ink}
        found = _style.note(ax, text, (x, 0.98), offset, xycoords=("data", "axes fraction"), **style)
        found.set_gid(MARK)
        _style.pull_inside(ax, found)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "−" if value < 0 else "±") + _style.number(abs(value))


def _rounded(value: float) -> float:
    """Ends of an interval are not known to a fraction of a row."""
    return float(round(value)) if abs(value) >= 1.0 else round(value, 2)
