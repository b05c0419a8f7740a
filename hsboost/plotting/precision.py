"""PrecisionAtKDisplay: precision and recall at every budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._validation import FloatArray
from hsboost.plotting import _curves, _inputs, _style
from hsboost.plotting._curves import Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Metric = Literal["both", "precision", "recall"]


class PrecisionAtKDisplay:
    """See what a ranking is worth at every budget: precision and recall of the k highest scores, for all k.

    Make one with :meth:`from_estimator`, :meth:`from_predictions` or, for several models at once, :meth:`compare`.

    Attributes
    ----------
    budget : ndarray of shape (m,)
        The k drawn, in rows or, with weights, in weight: every k for up to ``max_points`` rows, else all small ones
        and a thinned rest.
    precision, recall : ndarray of shape (m,)
        What :func:`hsboost.precision_at_k` and :func:`hsboost.recall_at_k` give at these k, ties shared evenly.
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
        self.budget, self.precision, self.recall = budget, precision, recall
        self.positives, self.total, self.break_even = positives, total, break_even
        self.prevalence = positives / total
        self.ceiling = np.minimum(positives / budget, 1.0)
        self.recall_ceiling = np.minimum(budget / positives, 1.0)
        self.precision_low: FloatArray | None = None
        self.precision_high: FloatArray | None = None
        self.recall_low: FloatArray | None = None
        self.recall_high: FloatArray | None = None
        if band is not None:
            self.precision_low, self.precision_high, self.recall_low, self.recall_high = band
        self.rows, self.weighted, self.name = rows, weighted, name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
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
            The class to be found. None: ``classes_[1]``. For more than two classes it must be given, and picks that
            class's column of the scores.
        response_method : {"auto", "decision_function", "predict_proba"}, default "auto"
        name : str, optional
            Default: the estimator's class.
        sample_weight, n_bootstrap, confidence_level, random_state, max_points, ax, **plot_kw
            As for :meth:`from_predictions`.

        Returns
        -------
        PrecisionAtKDisplay
        """
        scores, label = _inputs.response(estimator, X, pos_label, response_method)
        return cls.from_predictions(
            y,
            scores,
            sample_weight=sample_weight,
            pos_label=label,
            n_bootstrap=n_bootstrap,
            confidence_level=confidence_level,
            random_state=random_state,
            max_points=max_points,
            name=type(estimator).__name__ if name is None else name,
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
            So many resamples of the rows give a band; 0: none.
        confidence_level : float, default 0.95
        random_state : int, default 0
            Seed of the resampling.
        max_points : int, default 1000
            Longer curves are thinned to about this many points; small budgets are all kept.
        name : str, optional
            Written beside the curve.
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
        display = cls._measure(
            y_true, y_score, sample_weight, pos_label, n_bootstrap, confidence_level, random_state, max_points, name
        )
        return display.plot(ax, **plot_kw)

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
    def _measure(
        cls,
        y_true: ArrayLike,
        y_score: ArrayLike,
        sample_weight: ArrayLike | None,
        pos_label: Any,
        n_bootstrap: int,
        confidence_level: float,
        random_state: int,
        max_points: int,
        name: str | None,
    ) -> PrecisionAtKDisplay:
        _curves.check_resampling(n_bootstrap, confidence_level, random_state)
        rows = _inputs.check_rows(y_true, y_score, sample_weight, pos_label)
        ranking = Ranking(rows.positive, rows.score, rows.weight)
        budget = ranking.budgets(_curves.check_points(max_points), [ranking.positives])
        hits = ranking.hits(budget)
        band = None
        if n_bootstrap:
            share = budget / ranking.total
            draws, total, found = _curves.resample([ranking], share, n_bootstrap, random_state)
            precisions = draws[:, 0] / (share * total[:, None])
            recalls = draws[:, 0] / np.where(found > 0.0, found, 1.0)[:, None]  # 0 without positives, as recall_at_k
            band = (*_curves.interval(precisions, confidence_level), *_curves.interval(recalls, confidence_level))
        return cls(
            budget=budget,
            precision=np.minimum(hits / budget, 1.0),
            recall=np.minimum(hits / ranking.positives, 1.0),
            positives=ranking.positives,
            total=ranking.total,
            break_even=float(min(ranking.hits(np.array([ranking.positives]))[0] / ranking.positives, 1.0)),
            band=band,
            rows=ranking.n,
            weighted=rows.weight is not None,
            name=name,
        )

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
        """Draw onto ``ax``. Further displays drawn onto the same axes get the next colour.

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
            Smallest budget drawn, in rows (or weight). None: 10 of 500 rows or more, else the first; precision at
            the very first ones moves in jumps of 1/k. The attributes hold all of them.
        reference : bool, default True
            Draw the prevalence (the floor), the perfect ranking (the ceiling) and the break-even point.
        name, color, **line_kw
            Of the curve; ``line_kw`` goes to ``Axes.plot``.

        Returns
        -------
        PrecisionAtKDisplay
            Itself.
        """
        check.check_choice(metric, "metric", ("both", "precision", "recall"))
        check.check_choice(x, "x", ("count", "share"))
        shown = _curves.from_start(self.budget, start, self.rows, self.total)
        ax = _style.new_axes(ax)
        self.name = self.name if name is None else name
        unit = self.total if x == "share" else 1.0
        at = self.budget[shown] / unit
        style = _style.curve_style(ax, color, line_kw)
        _style.tidy(ax)
        first = "recall" if metric == "recall" else "precision"
        second = self._second_axis(ax) if metric == "both" else None
        self._draw(ax, first, at, shown, style, self._label(metric, first, reference))
        if second is not None:
            thin = {**style, "linewidth": 0.6 * style["linewidth"]}
            self._draw(second, "recall", at, shown, thin, self._label(metric, "recall", reference))
        ax.set_ylim(0.0, 1.03)
        _style.percent(ax.yaxis)
        ax.set_ylabel(first)
        _style.budget_axis(ax, x == "share", log, float(at[0]), float(at[-1]), self.weighted)
        if reference:
            self._reference(ax, metric, at, shown, unit, style["color"])
        _style.label_curves(ax, second)
        self.ax_, self.recall_ax_, self.figure_ = ax, second, ax.figure
        return self

    def _draw(self, ax: Axes, which: str, at: FloatArray, shown: np.ndarray, style: dict[str, Any], label: str) -> None:
        ax.plot(at, getattr(self, which)[shown], **{"label": label, **style})
        low, high = getattr(self, f"{which}_low"), getattr(self, f"{which}_high")
        if low is not None:
            ax.fill_between(at, low[shown], high[shown], color=style["color"], alpha=0.15, linewidth=0, zorder=2)

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

    def _reference(self, ax: Axes, metric: Metric, at: FloatArray, shown: np.ndarray, unit: float, color: Any) -> None:
        even = self.positives / unit
        if even >= at[0]:
            ax.plot([even], [self.break_even], "o", color=color, ms=7, mec="white", mew=1.5, zorder=4)
        if not _style.once(ax, "reference"):
            return
        ceiling = (self.recall_ceiling if metric == "recall" else self.ceiling)[shown]
        line = ax.plot(at, ceiling, color="#9a9a9a", linewidth=1.0, zorder=1, label="_")[0]
        _style.marked(line, "reference")
        if metric != "both":
            ax.fill_between(at, ceiling, 1.03, color="#f3f3f3", linewidth=0, zorder=0.5)
        floor = at * unit / self.total if metric == "recall" else np.full(at.size, self.prevalence)
        ax.plot(at, floor, color="#9a9a9a", linewidth=1.0, linestyle=(0, (1, 2)), zorder=1, label="_")
        ax.axvline(even, color="#9a9a9a", linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
        self._write_reference(ax, metric, at, even)

    def _write_reference(self, ax: Axes, metric: Metric, at: FloatArray, even: float) -> None:
        """Say in words what the reference lines are."""
        text = f"k = {_style.number(self.positives)} positives"
        left = ax.transAxes.inverted().transform(ax.transData.transform((even, 0.0)))[0] > 0.3
        if left and metric != "recall":
            high = 0.0 if self.break_even > 0.75 else 1.0  # a good ranking's curve takes the room at the top
            _style.note(ax, text, (even, high), (-4, 4 - 8 * high), ha="right", va="top" if high else "bottom")
        else:
            _style.note(ax, text, (even, 0.0), (4, 4), va="bottom")
        if even >= at[0] and (self.name is None or metric == "both"):
            text = f"break-even {100 * self.break_even:.1f} %"
            _style.note(ax, text, (even, self.break_even), (11, 0), va="center", color=_style.INK)
        left = ax.get_xlim()[0]
        if metric == "recall":
            _style.note(ax, "random order", (0.75 * at[-1], 0.75), (6, -8), ha="left", va="top")
        else:
            below = self.prevalence > 0.12
            text = f"random order: prevalence {100 * self.prevalence:.3g} %"
            _style.note(ax, text, (left, self.prevalence), (4, -3 if below else 3), va="top" if below else "bottom")
        if metric == "precision":
            _style.note(ax, "out of reach", (at[-1], 1.0), (-6, -5), ha="right", va="top")
        elif metric == "recall":
            _style.note(ax, "out of reach", (left, 1.0), (6, -5), va="top")

    def _label(self, metric: Metric, which: str, reference: bool) -> str:
        """What is written beside the curve."""
        if metric == "both":
            return which if self.name is None else f"{self.name}, {which}"
        if self.name is None:
            return "_"
        return f"{self.name}: {100 * self.break_even:.1f} % at break-even" if reference else self.name
