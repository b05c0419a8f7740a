"""PrecisionAtKDisplay: precision and recall at every budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import FloatArray
from hsboost.plotting import _curves, _style
from hsboost.plotting._base import BudgetDisplay, View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Metric = Literal["both", "precision", "recall"]


class PrecisionAtKDisplay(BudgetDisplay):
    """See the quality of a ranking at every budget: precision and recall of the k highest scores, for all k.

    Create one with :meth:`from_estimator`, :meth:`from_predictions` or, for several models at once, :meth:`compare`.

    Attributes
    ----------
    budget : ndarray of shape (m,)
        The k drawn, in rows or, with weights, in weight: every k for up to ``max_points`` rows, otherwise all small
        ones and a subset of the others.
    precision, recall : ndarray of shape (m,)
        :func:`hsboost.precision_at_k` and :func:`hsboost.recall_at_k` at these k, ties shared evenly.
    ceiling, recall_ceiling : ndarray of shape (m,)
        The same for a perfect ranking.
    prevalence : float
        Share of positives: the precision of a random ranking.
    positives, total : float
        Number (or weight) of positives and of all rows.
    break_even : float
        Precision = recall at k = ``positives``.
    precision_low, precision_high, recall_low, recall_high : ndarray of shape (m,) or None
        Bootstrap band, when ``n_bootstrap`` > 0.
    rows : int
        Rows of positive weight.
    name : str or None
        The model's name.
    ax_, recall_ax_, figure_
        After :meth:`plot`: the axes, the second axes of recall (or None) and the figure.

    Examples
    --------
    >>> from hsboost.plotting import PrecisionAtKDisplay
    >>> display = PrecisionAtKDisplay.from_predictions([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    >>> display.precision.round(3)
    array([1.   , 0.5  , 0.667, 0.5  ])
    >>> display.break_even
    0.5
    """

    def __init__(
        self,
        *,
        budget: FloatArray,
        precision: FloatArray,
        recall: FloatArray,
        positives: float,
        total: float,
        break_even: float,
        band: tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None = None,
        rows: int,
        weighted: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(budget, positives, total, rows, weighted, name)
        self.precision, self.recall, self.break_even = precision, recall, break_even
        self.ceiling = np.minimum(positives / budget, 1.0)
        self.recall_ceiling = np.minimum(budget / positives, 1.0)
        self.precision_low: FloatArray | None
        self.precision_high: FloatArray | None
        self.recall_low: FloatArray | None
        self.recall_high: FloatArray | None
        self.precision_low, self.precision_high, self.recall_low, self.recall_high = band or (None,) * 4

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        groups: ArrayLike | None = None,
        response_method: Literal["auto", "decision_function", "predict_proba"] = "auto",
        n_bootstrap: int = 0,
        confidence_level: float = 0.95,
        random_state: int = 0,
        max_points: int = 1000,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_kw: Any,
    ) -> PrecisionAtKDisplay:
        """Score the rows with a fitted classifier and draw.

        Parameters
        ----------
        estimator : fitted classifier
            ``decision_function`` is used if there is one, else ``predict_proba``.
        X, y : the rows and their labels.
        pos_label : default None
            The class to be found. None: the estimator's own ``pos_label_``, else ``classes_[1]``. For more than two
            classes it must be given, and picks that class's column of the scores.
        groups : array-like of shape (n,), optional
            Group of each row, for an HSClassifier trained with groups: scores are relative to each group's threshold,
            so that rows of different groups can be compared.
        response_method : {"auto", "decision_function", "predict_proba"}, default "auto"
        name : str, optional
            Default: the estimator's class.
        sample_weight, n_bootstrap, confidence_level, random_state, max_points, ax, **plot_kw
            As for :meth:`from_predictions`.

        Returns
        -------
        PrecisionAtKDisplay
        """
        scores, label, name = cls._scores_of(estimator, X, pos_label, response_method, name, groups)
        return cls.from_predictions(
            y,
            scores,
            sample_weight=sample_weight,
            pos_label=label,
            n_bootstrap=n_bootstrap,
            confidence_level=confidence_level,
            random_state=random_state,
            max_points=max_points,
            name=name,
            ax=ax,
            **plot_kw,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        n_bootstrap: int = 0,
        confidence_level: float = 0.95,
        random_state: int = 0,
        max_points: int = 1000,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_kw: Any,
    ) -> PrecisionAtKDisplay:
        """Draw precision and recall of given scores.

        Parameters
        ----------
        y_true : array-like of shape (n,)
        y_score : array-like of shape (n,)
            Higher first; only their order counts.
        sample_weight : array-like of shape (n,), optional
            Budgets are then in units of weight.
        pos_label : default None
            The label to be found; needed unless labels are 0/1, -1/1 or booleans. All others are the rest.
        n_bootstrap : int, default 0
            Number of resamples of the rows for a bootstrap band; 0: no band.
        confidence_level : float, default 0.95
        random_state : int, default 0
            Seed of the resampling.
        max_points : int, default 1000
            Longer curves are thinned to about this many points; small budgets are all kept.
        name : str, optional
            The curve's label.
        ax : matplotlib Axes, optional
            Default: a new figure.
        **plot_kw
            Passed to :meth:`plot`.

        Returns
        -------
        PrecisionAtKDisplay

        Raises
        ------
        ValueError
            For labels that need ``pos_label``, no positive row, non-finite or two-dimensional scores, bad weights.
        ImportError
            Without matplotlib.
        """
        resampling = n_bootstrap, confidence_level, random_state
        measured = _curves.Measured(y_true, y_score, sample_weight, pos_label, *resampling, max_points)
        return cls._of(measured, name).plot(ax, **plot_kw)

    @classmethod
    def compare(
        cls,
        y_true: ArrayLike,
        scores: Mapping[str, ArrayLike],
        *,
        ax: Axes | None = None,
        metric: Metric = "precision",
        **options: Any,
    ) -> dict[str, PrecisionAtKDisplay]:
        """Draw several models on one axes.

        Parameters
        ----------
        y_true : array-like of shape (n,)
        scores : mapping of name to array-like of shape (n,)
        ax, metric, **options
            As for :meth:`from_predictions` and :meth:`plot`.

        Returns
        -------
        dict of name to PrecisionAtKDisplay
        """
        if not isinstance(scores, Mapping) or not scores:
            raise ValueError(f"scores must be a mapping of names to scores with at least one entry, got {scores!r}")
        displays: dict[str, PrecisionAtKDisplay] = {}
        for name, score in scores.items():
            display = cls.from_predictions(y_true, score, name=name, ax=ax, metric=metric, **options)
            ax, displays[name] = display.ax_, display
        return displays

    @classmethod
    def _of(cls, measured: _curves.Measured, name: str | None = None) -> PrecisionAtKDisplay:
        precision = np.minimum(measured.hits[0] / measured.budget, 1.0)
        recall = np.minimum(measured.hits[0] / measured.positives, 1.0)
        band = None
        if measured.n_bootstrap:
            hits, total, found = measured.resampled()
            precisions = hits[:, 0] / (measured.share * total[:, None])
            recalls = hits[:, 0] / np.where(found > 0.0, found, 1.0)[:, None]  # 0 without positives, as recall_at_k
            band = (*measured.interval(precisions), *measured.interval(recalls))
        break_even = float(recall[measured.at])
        return cls(precision=precision, recall=recall, break_even=break_even, band=band, name=name, **measured.common)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        metric: Metric = "both",
        x: Literal["count", "share"] = "count",
        log: bool = False,
        start: float | None = None,
        reference: bool = True,
        name: str | None = None,
        color: Any = None,
        **line_kw: Any,
    ) -> PrecisionAtKDisplay:
        """Draw on ``ax``. Further displays on the same axes get the next colour.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Default: a new figure.
        metric : {"both", "precision", "recall"}, default "both"
            "both" puts recall on a second axis with the same scale, so that the curves cross at the break-even point.
        x : {"count", "share"}, default "count"
            Budgets as rows (or weight), or as a share of all.
        log : bool, default False
            Logarithmic budgets, to see the small ones.
        start : float, default None
            Smallest budget drawn, in rows (or weight). None: 10 for 500 rows or more, otherwise the first, because
            precision at the smallest budgets changes in jumps of 1/k. The attributes hold all budgets.
        reference : bool, default True
            Draw the prevalence (the floor), the perfect ranking (the ceiling) and the break-even point.
        name, color, **line_kw
            Label and style of the curve; ``line_kw`` goes to ``Axes.plot``.

        Returns
        -------
        PrecisionAtKDisplay
            Itself.
        """
        check.check_choice(metric, "metric", ("both", "precision", "recall"))
        view = self._view(x, log, start)
        self.name = self.name if name is None else name
        (ax,) = self._budget_panels(view, ax, (7.2, 4.2))
        style = _style.curve_style(ax, color, line_kw)
        first, second = "recall" if metric == "recall" else "precision", None
        ax.set_ylim(0.0, 1.03)
        _style.percent(ax.yaxis)
        ax.set_ylabel(first)
        if metric == "both":
            self._curve(ax, "precision", view, style, ", ".join(filter(None, (self.name, "precision"))))
            second = self._second_axis(ax)
            thin = {**style, "linewidth": 0.6 * style["linewidth"]}
            self._curve(second, "recall", view, thin, ", ".join(filter(None, (self.name, "recall"))))
        else:
            said = f"{100 * self.break_even:.1f} % at break-even" if self.name and reference else None
            self._curve(ax, first, view, style, self._label(said))
        if reference:
            self._reference(ax, metric, view, style["color"])
        _style.legend(ax, *(() if second is None else (second,)))
        self.recall_ax_ = second
        return self

    def _second_axis(self, ax: Axes) -> Axes:
        """The axes of recall over ``ax``: those of an earlier display, or new ones."""
        for other in ax.figure.axes:
            if other.get_gid() == "hsboost:recall" and ax.get_shared_x_axes().joined(ax, other):
                return other
        second = ax.twinx()
        second.set_gid("hsboost:recall")
        _style.tidy(second)
        second.grid(False)
        second.spines[["left", "bottom"]].set_visible(False)
        second.set_ylim(0.0, 1.03)
        _style.percent(second.yaxis)
        second.set_ylabel("recall (thin)")
        second.tick_params(pad=6)
        return second

    def _reference(self, ax: Axes, metric: Metric, view: View, color: Any) -> None:
        """Draw the curve's break-even point and, once per axes, the curves of a perfect and a random ranking."""
        even = self.positives / view.unit
        if even >= view.at[0]:
            new = self.name is None or metric == "both"  # otherwise the curve's label contains it
            label = f"break-even {100 * self.break_even:.1f} %" if new else "_"
            _style.point(ax, even, self.break_even, color, label)
        gid = f"{_style.ONCE}:reference"
        if not _style.once(ax, gid):
            return
        ceiling = (self.recall_ceiling if metric == "recall" else self.ceiling)[view.shown]
        ax.plot(view.at, ceiling, label="perfect ranking", gid=gid, **_style.REFERENCE)
        if metric != "both":
            ax.fill_between(view.at, ceiling, 1.03, color="#f3f3f3", linewidth=0, zorder=0.5)
        if metric == "recall":
            floor, label = view.at * view.unit / self.total, "random order"
        else:
            floor = np.full(view.at.size, self.prevalence)
            label = f"random order: prevalence {100 * self.prevalence:.3g} %"
        ax.plot(view.at, floor, label=label, **_style.DOTTED)
        ax.axvline(even, label=f"k = {_style.number(self.positives)} positives", **_style.DOTTED)
