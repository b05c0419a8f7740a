"""Log loss tailored to a budget: rows count by how near their scores are to the cut at which the budget ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hsboost import _validation as check
from hsboost._solver.segments import Segments
from hsboost._validation import Budgets
from hsboost.losses._base import LEAST_CURVATURE, Loss
from hsboost.losses._passes import Passes, Slopes
from hsboost.losses._windowed import Windowed
from hsboost.losses.hypersimplex import HypersimplexLoss
from hsboost.losses.simplex import LEAST_SHARE, SoftmaxLoss

DEFAULT_WIDTH = 0.5
DEFAULT_FLOOR = 0.05
DEFAULT_GUARD = 150.0

#: Widths between these keep scores over the width, and their sums, in the range of floats.
WIDTHS = 1e-6, 1e6


class BudgetLogLoss(HypersimplexLoss):
    """Log loss whose attention lies where the budget ends: probabilities that are best near the cut.

    Log loss spends a model's capacity on the probabilities of all rows; a budget needs them where it ends. Here every
    row has log loss times a weight a that is greatest at the cut,

        a = floor + ρ + (1 - ρ) 4 ŷ (1 - ŷ),    ŷ = σ((s - ν) / width),    Σ w ŷ = k,
        ∂L/∂s = w a (p - y),    curvature w a p (1 - p),    p = σ(s).

    s is the raw score, ν a smooth k-th score. For a given window each row's loss is proper, so that scores are
    log-odds, the better the nearer to the cut. The window moves from round to round with ν: what is trained is a
    sequence of reweighted log losses. :meth:`loss` is Σ w a log-loss(p, y) under the window of the given scores: how
    well they fit near the cut. A lower value under another window is no progress; judge models by precision at k.

    With ``groups`` each has a cut of its own, and an intercept b of its own, at which the loss of the group is least:
    p = σ(s - b), Σ w a p = Σ w a y. Rows compete within their group, scores are log-odds up to a constant of the group,
    and a group of one class teaches nothing. With scores of shape (n, C) each class column is a problem of its own,
    against the rest.

    Parameters
    ----------
    k : None, int, float in (0, 1), or a mapping, default None
        The budget, as for :class:`hsboost.HypersimplexLoss`.
    width : float, default 0.5
        Width of the window, in units of log-odds, between 1e-6 and 1e6. Half of the full weight is left 1.76 widths
        from the cut. A wide window is log loss.
    floor : float in (0, 1], default 0.05
        Weight of a row far from the cut, as a share of that at the cut.
    guard : float, default 150.0
        Where the window holds few rows of a class, trees would learn these by heart. ρ = 1 / (1 + (m / guard)²), m
        being the smaller of Σ w y 4 ŷ (1 - ŷ) and Σ w (1 - y) 4 ŷ (1 - ŷ) over all groups (of a class column): what
        the rarer class weighs under the window. With m well above guard ρ is near 0; with m near 0 all rows weigh the
        same, which is log loss. In units of weight, as counts k are: weights that add up to 1 leave log loss. 0: no
        guard.

    Notes
    -----
    Derivatives hold the window as it is: it is attention, not part of the loss. Boosters get gradient and
    curvature times Σ w a / Σ w a² over all rows and class columns, so that rows that count weigh about as much as their
    sample weight, and ``min_child_weight``, ``min_sum_hessian_in_leaf`` and ``reg_lambda`` mean what they mean for
    log loss. At equal scores all rows are equally near to the cut, and the round is one of log loss.

    A budget of nothing or of everything has its cut beyond all rows; alone it leaves log loss.

    References
    ----------
    Buja, Stuetzle, Shen, "Loss functions for binary class probability estimation and classification: structure and
    applications", 2005: proper losses as mixtures over cuts, and weights that tailor them to one.

    Examples
    --------
    >>> from hsboost.losses import BudgetLogLoss
    >>> loss = BudgetLogLoss(k=1, guard=0)
    >>> loss.gradient([1, 1, 0, 0], [2.0, 0.5, 0.0, -3.0]).round(3)
    array([-0.087, -0.215,  0.142,  0.002])
    """

    unit_name = ""

    def __init__(
        self,
        k: Budgets = None,
        width: float = DEFAULT_WIDTH,
        floor: float = DEFAULT_FLOOR,
        guard: float = DEFAULT_GUARD,
    ) -> None:
        self.width = check.check_positive(width, "width")
        if not WIDTHS[0] <= self.width <= WIDTHS[1]:
            raise ValueError(f"width must lie between {WIDTHS[0]:g} and {WIDTHS[1]:g} (log-odds), got {width!r}")
        super().__init__(k, temperature=self.width)
        self.floor = check.check_positive(floor, "floor")
        if self.floor > 1.0:
            raise ValueError(f"floor is a share of the weight at the cut, at most 1; got {floor!r}")
        self.guard = 0.0 if guard == 0 and not isinstance(guard, bool) else check.check_positive(guard, "guard")

    def __repr__(self) -> str:
        return f"BudgetLogLoss(k={self.k!r}, width={self.width!r}, floor={self.floor!r}, guard={self.guard!r})"

    @property
    def passes(self) -> Passes:  # type: ignore[override]
        """Those of the window."""
        return Windowed(self.floor, self.guard)

    @property
    def unit(self) -> float:
        """1: scores are log-odds."""
        return 1.0

    def in_units(self, unit: float) -> tuple[Loss, float]:
        """This loss and the factor ``unit``."""
        return self, unit

    def gradient_hessian(
        self,
        y_true: ArrayLike,
        raw_prediction: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | Segments | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Derivative in each raw score with the window held, and the curvature.

        Parameters
        ----------
        y_true, raw_prediction, sample_weight, groups
            As for :meth:`loss`.

        Returns
        -------
        gradient, hessian : ndarrays of the scores' shape
            w a (p - y) and w max(a p (1 - p), 1e-16); float32 for float32 scores, else float64.
        """
        return super().gradient_hessian(y_true, raw_prediction, sample_weight, groups)

    def probabilities(self, raw_prediction: ArrayLike) -> np.ndarray:
        """σ of the raw scores, (n, 2), or of each column over their sum, (n, C): of scores trained without groups.

        They are best near the cut; far from it a model that could not fit everything was not asked to.
        """
        scores = check.check_score_columns(raw_prediction, "raw_prediction")
        if scores.ndim == 1:
            return SoftmaxLoss().probabilities(scores)
        each = np.stack([SoftmaxLoss().probabilities(column)[:, 1] for column in scores.T], axis=1)
        return each / np.maximum(each.sum(axis=1, keepdims=True), np.finfo(each.dtype).tiny)

    def intercept(
        self, y_true: ArrayLike, sample_weight: ArrayLike | None = None, n_classes: int | None = None
    ) -> np.ndarray:
        """The log-odds of the classes' shares, (1,) for class 1 of two, else (C,), each against the rest."""
        found = SoftmaxLoss().intercept(y_true, sample_weight, n_classes)
        if found.size == 1:
            return found
        shares = np.exp(found)
        return np.log(shares) - np.log(np.maximum(1.0 - shares, LEAST_SHARE))

    def _slopes(self, total: float) -> Slopes:
        return Slopes(1.0, 1.0, LEAST_CURVATURE, convex=True)

    def boosting_slopes(self, total: float) -> Slopes:
        """As the derivatives', with rows that count weighing about as much as their sample weight."""
        return self._slopes(total)._replace(levelled=True)
