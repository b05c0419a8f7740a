"""HypersimplexDisplay: scores against their soft assignment, and the course of training round by round."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.top_k import hard_cut
from hsboost._validation import Budget, FloatArray
from hsboost.plotting import _curves, _inputs, _rounds, _style
from hsboost.plotting._base import Display
from hsboost.projection import HypersimplexProjection, project_hypersimplex

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: The log odds of 0.9: half the width of the entropic projection's band, in units of the temperature.
_LOG_9 = float(np.log(9.0))


class HypersimplexDisplay(Display):
    """See where the budget cuts the scores: soft assignment, threshold, active band, both classes.

    Only rows in the active band have a gradient: the plot shows what training can still change. For the smooth losses,
    whose projection is entropic, rows count by how near they are to the budget's edge, and the band is where soft
    assignments lie between 0.1 and 0.9. :meth:`plot` draws the scores, :meth:`plot_rounds` threshold and active share
    over the rounds of training.

    Attributes
    ----------
    score : ndarray of shape (n,)
        Raw scores, without rows of weight 0.
    positive : bool ndarray of shape (n,)
    values : ndarray of shape (n,)
        Soft assignments, in [0, 1], with Σ w y = ``k``.
    k : float
        The budget as a mass, in rows (or weight).
    temperature : float
        Width of the active band, in units of the scores; for the entropic projection its scale.
    regularization : {"euclidean", "entropic"}
        Which projection is shown.
    threshold : float
        The score with soft assignment 1/2.
    hard_threshold : float
        The score exceeded by the top k rows, where ``predict`` would cut these rows.
    band : tuple of float
        Scores between which rows are active; entropic: have soft assignments between 0.1 and 0.9.
    active : bool ndarray of shape (n,)
        Rows with soft assignments other than 0 and 1.
    active_share : float
        Share of the rows (not of their weight) that is active; entropic: the mean of 4 y (1 - y) over soft assignments
        y, so that a row at the threshold counts whole.
    history : dict or None
        Per round, as ``training_history_`` of HSClassifier: "iteration", "soft_threshold", "active_share", and perhaps
        "loss".
    cut_ : float or None
        Where the estimator's ``predict`` cuts (0 of its ``decision_function``); None from predictions.
    ax_, axes_, figure_
        After a plot: the upper panel, both panels and the figure.

    Examples
    --------
    >>> from hsboost.plotting import HypersimplexDisplay
    >>> display = HypersimplexDisplay.from_predictions([1, 0, 1, 0], [2.0, 1.2, 0.9, -3.0])
    >>> display.values.round(3)
    array([1.  , 0.65, 0.35, 0.  ])
    >>> display.active_share
    0.5
    """

    def __init__(
        self,
        *,
        score: FloatArray,
        positive: np.ndarray,
        projection: HypersimplexProjection,
        k: float,
        hard_threshold: float,
        cut: float | None = None,
        history: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        self.score, self.positive, self.k, self.name = score, positive, k, name
        self.values, self.active = projection.values, projection.active
        self.temperature, self.threshold, self.hard_threshold = (
            projection.temperature,
            projection.soft_threshold,
            hard_threshold,
        )
        self.regularization = projection.regularization
        is_smooth = self.regularization == "entropic"
        half = (_LOG_9 if is_smooth else 0.5) * self.temperature
        self.band = (self.threshold - half, self.threshold + half)
        self.active_share = float((4.0 * self.values * (1.0 - self.values) if is_smooth else self.active).mean())
        self.cut_ = cut
        self.history = None if history is None else _inputs.check_history(history)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: ArrayLike,
        *,
        k: Budget = None,
        temperature: float | None = None,
        regularization: Literal["euclidean", "entropic"] | None = None,
        sample_weight: ArrayLike | None = None,
        pos_label: Any = None,
        groups: ArrayLike | None = None,
        response_method: Literal["auto", "decision_function", "predict_proba"] = "auto",
        name: str | None = None,
        ax: Axes | None = None,
        **plot_kw: Any,
    ) -> HypersimplexDisplay:
        """Score rows with a fitted classifier, project them with its budget, and draw.

        Parameters
        ----------
        estimator : fitted classifier
            An HSClassifier (also in a Pipeline or a search) supplies its ``k``, ``temperature``, loss (smooth or not)
            and ``training_history_``. Other classifiers are shown with the arguments given here.
        X, y : the rows and their labels.
        k : None, int or float in (0, 1), default None
            None: the estimator's own k. A count is a count of *these* rows.
        temperature : float, default None
            None: the estimator's own, else 1.
        regularization : {"euclidean", "entropic"}, default None
            The projection to show. None: that of the estimator's loss, else Euclidean.
        sample_weight, pos_label, groups, response_method, name, ax, **plot_kw
            As for :meth:`PrecisionAtKDisplay.from_estimator`.

        Returns
        -------
        HypersimplexDisplay
        """
        scores, label, name = cls._scores_of(estimator, X, pos_label, response_method, name, groups)
        own: Any = _inputs.inner(estimator, "k", None) if k is None else k
        if k is None and isinstance(own, Mapping) and len(getattr(estimator, "classes_", ())) > 2:
            own = own.get(label, own)  # budgets per class: the one of the class shown
        grouped = own is not None and _inputs.inner(estimator, "group_thresholds_", None) is not None
        if (grouped and k is None) or isinstance(own, Mapping | str) or np.ndim(own) > 0:
            raise ValueError(
                f"the estimator was trained with a budget per {'group' if grouped else 'class or group'}; pass k, the "
                "budget of the rows shown here"
            )
        trained = getattr(_inputs.inner(estimator, "objective_", None), "loss", None)
        if temperature is None:
            temperature = getattr(trained, "temperature", 1.0)
        its_own = getattr(getattr(trained, "passes", None), "REGULARIZATION", "euclidean")
        shown: Any = its_own if regularization is None else regularization
        display = cls._measure(y, scores, own, temperature, sample_weight, label, shown)
        display.name = name
        display.cut_ = 0.0 if hasattr(estimator, "decision_function") and response_method != "predict_proba" else None
        history = _inputs.inner(estimator, "training_history_", None)
        if history is not None and "soft_threshold" not in history:
            history = None  # of a loss that has none
        classes = np.asarray(getattr(estimator, "classes_", ()))
        column = int(np.flatnonzero(classes == label)[0]) if classes.size > 2 else None
        display.history = None if history is None else _inputs.check_history(history, column)
        return display.plot(ax, **plot_kw)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        k: Budget = None,
        temperature: float = 1.0,
        sample_weight: ArrayLike | None = None,
        *,
        pos_label: Any = None,
        regularization: Literal["euclidean", "entropic"] = "euclidean",
        history: Mapping[str, Any] | None = None,
        name: str | None = None,
        ax: Axes | None = None,
        **plot_kw: Any,
    ) -> HypersimplexDisplay:
        """Project given scores and draw.

        Parameters
        ----------
        y_true : array-like of shape (n,)
        raw_prediction : array-like of shape (n,)
            Raw scores (margins), finite.
        k : None, int or float in (0, 1), default None
            As for the objectives: as many as are positive, a count, or a share.
        temperature : float, default 1.0
            In units of the scores.
        sample_weight : array-like of shape (n,), optional
        pos_label : default None
            Needed unless labels are 0/1, -1/1 or booleans.
        regularization : {"euclidean", "entropic"}, default "euclidean"
            As for :func:`hsboost.project_hypersimplex`; "entropic" for scores of the smooth losses.
        history : mapping, optional
            Per-round values for :meth:`plot_rounds`.
        name, ax, **plot_kw
            Title's name, axes, and arguments of :meth:`plot`.

        Returns
        -------
        HypersimplexDisplay
        """
        display = cls._measure(y_true, raw_prediction, k, temperature, sample_weight, pos_label, regularization)
        display.name, display.history = name, None if history is None else _inputs.check_history(history)
        return display.plot(ax, **plot_kw)

    @classmethod
    def _measure(
        cls,
        y: ArrayLike,
        score: ArrayLike,
        k: Budget,
        temperature: float,
        weight: ArrayLike | None,
        pos_label: Any,
        regularization: Literal["euclidean", "entropic"],
    ) -> HypersimplexDisplay:
        rows = _inputs.check_rows(y, score, weight, pos_label, "raw_prediction")
        total = float(rows.score.size if rows.weight is None else rows.weight.sum())
        found = float(rows.positive.sum() if rows.weight is None else rows.weight[rows.positive].sum())
        mass = check.budget_mass(check.check_budget(k), total, found)
        projection = project_hypersimplex(
            rows.score, mass, temperature=temperature, sample_weight=rows.weight, regularization=regularization
        )
        return cls(
            score=rows.score,
            positive=rows.positive,
            projection=projection,
            k=mass,
            hard_threshold=hard_cut(rows.score, rows.weight, mass),
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        kind: Literal["scores", "rounds"] = "scores",
        bins: int | None = None,
        name: str | None = None,
        **line_kw: Any,
    ) -> HypersimplexDisplay:
        """Draw the soft assignment and, below it, histograms of the positives (up) and negatives (down).

        Parameters
        ----------
        ax : matplotlib Axes, optional
            The two panels replace it. Default: a new figure.
        kind : {"scores", "rounds"}, default "scores"
            "rounds": :meth:`plot_rounds` instead.
        bins : int, default None
            Bins of the histograms; None: up to 60, fewer for few rows. Each class is shown as shares of its own rows.
        name : str, optional
            Name in the title.
        **line_kw
            Passed to ``Axes.plot`` for the assignment.

        Returns
        -------
        HypersimplexDisplay
            Itself.
        """
        check.check_choice(kind, "kind", ("scores", "rounds"))
        if kind == "rounds":
            return self.plot_rounds(ax, **line_kw)
        if bins is None:
            bins = int(np.clip(2.0 * np.sqrt(self.score.size), 8, 60))
        bins = _curves.check_whole(bins, "bins", 2)
        self.name = self.name if name is None else name
        top, bottom = self._panels(ax, (7.2, 4.8), 0.44, 0.5)
        low, high = self._limits()
        is_smooth = self.regularization == "entropic"
        share = f"{100 * self.active_share:.3g} % of the rows"
        band = f"active band: {share}\nonly these have a gradient"
        if is_smooth:
            band = f"soft assignments 0.1 to 0.9\n{share} count, by 4y(1 − y)"
        above = _style.number(int((self.score > self.threshold).sum()))
        half = f"½ at {self.threshold:.3g}, {above} rows above it"
        for panel in (top, bottom):
            edges = max(self.band[0], low), min(self.band[1], high)
            panel.axvspan(*edges, color=_style.BAND, zorder=0, linewidth=0, label=band if panel is top else "_")
            dots: dict[str, Any] = {"color": _style.INK, "linewidth": 1.2, "linestyle": (0, (1, 1.5)), "zorder": 2}
            panel.axvline(self.threshold, label=half if panel is top else "_", **dots)
            panel.set_xlim(low, high)
        if is_smooth:
            curve = np.linspace(low, high, 401), self.threshold + self.temperature * np.linspace(-8.0, 8.0, 161)
            knots = np.unique(np.clip(np.concatenate(curve), low, high))  # dense also where the edge is narrow
            ramp = 0.5 + 0.5 * np.tanh(0.5 * (knots - self.threshold) / self.temperature)  # σ, without overflow
        else:
            knots = np.unique(np.clip([low, *self.band, high], low, high))
            ramp = np.clip((knots - self.band[0]) / self.temperature, 0.0, 1.0)
        top.plot(knots, ramp, **{"color": _style.INK, "linewidth": 1.8, "zorder": 3, **_style.full_names(line_kw)})
        self._rows(top)
        top.set_ylim(-0.06, 1.06)
        top.set_yticks([0.0, 0.5, 1.0])
        top.set_ylabel("soft assignment")
        lead = f"{self.name}: soft" if self.name else "Soft"
        title = f"{lead} assignments add up to k = {_style.number(self.k)}"
        top.set_title(_style.fill(title, 72), **_style.TITLE)
        self._histograms(bottom, np.linspace(low, high, bins + 1))
        bottom.set_xlabel("raw score" if self.cut_ is None else "decision_function (raw score − threshold)")
        if self.cut_ is not None and low < self.cut_ < high and abs(self.cut_ - self.threshold) > 0.01 * (high - low):
            bottom.axvline(self.cut_, color=_style.QUIET, linewidth=1.2, zorder=2, label="predict cuts here")
        for panel in (top, bottom):
            _style.legend(panel)
        return self

    def _limits(self) -> tuple[float, float]:
        """Axis limits: all scores and, unless that compresses them too much, the entire band."""
        low, high = float(self.score.min()), float(self.score.max())
        spread = (high - low) or self.temperature
        low, high = max(min(low, self.band[0]), low - 0.5 * spread), min(max(high, self.band[1]), high + 0.5 * spread)
        return low - 0.03 * (high - low), high + 0.03 * (high - low)

    def _rows(self, ax: Axes) -> None:
        """Draw individual rows on the curve if they are few."""
        if self.score.size > 300:
            return
        for rows, color in ((~self.positive, _style.NEGATIVE), (self.positive, _style.POSITIVE)):
            ax.scatter(self.score[rows], self.values[rows], s=22, color=color, zorder=4, linewidth=0.5, edgecolor="w")

    def _histograms(self, ax: Axes, edges: np.ndarray) -> None:
        heights = []
        for rows, word, color, sign in (
            (self.positive, "positive", _style.POSITIVE, 1),
            (~self.positive, "negative", _style.NEGATIVE, -1),
        ):
            label = f"{_style.number(int(rows.sum()))} {word}"
            share = np.histogram(self.score[rows], edges)[0] / max(int(rows.sum()), 1)
            ax.stairs(
                sign * share, edges, fill=True, color=color, alpha=0.85, zorder=1.5, label=label, gid=_style.CURVE
            )
            heights.append(float(share.max()))
        reach = 1.15 * max(heights)
        ax.axhline(0.0, color=_style.INK, linewidth=0.8, zorder=3)
        ax.set_ylim(-reach, reach)
        ax.yaxis.set_major_formatter(lambda share, _: f"{abs(round(100 * share, 6)):g} %")
        ax.locator_params(axis="y", nbins=5)
        ax.set_ylabel("share of the class")

    def plot_rounds(self, ax: Axes | None = None, *, color: Any = None, **line_kw: Any) -> HypersimplexDisplay:
        """Draw threshold and active share of every round of training; several thresholds where a round has several.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            The panels replace it. Default: a new figure.
        color, **line_kw
            Passed to ``Axes.plot``.

        Returns
        -------
        HypersimplexDisplay
            Itself.

        Raises
        ------
        ValueError
            Without a history.
        """
        if self.history is None:
            raise ValueError(
                "there is no training history to draw; pass history= to from_predictions, or an estimator with "
                "training_history_"
            )
        panels = self._panels(ax, (7.2, 4.4), 0.44, 0.5)
        color = _style.PALETTE[0] if color is None else color
        style = {"color": color, "linewidth": 2.0, **_style.full_names(line_kw)}
        _rounds.draw(panels, self.history, self.regularization == "entropic", style)
        return self
