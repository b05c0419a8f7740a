"""The smooth HyperSimplex losses: scores are projected with an entropy, so that every row has a say."""

from __future__ import annotations

from typing import ClassVar, Literal

from hsboost._validation import Budgets
from hsboost.losses import _entropic
from hsboost.losses._passes import Passes, Slopes
from hsboost.losses.hypersimplex import HypersimplexLoss

#: Share of the mean curvature that every row keeps.
DEFAULT_FLOOR = 0.02


class HypersimplexSmoothLoss(HypersimplexLoss):
    """The HyperSimplex loss without corners: rows near the budget's edge count most, and no row counts for nothing.

    The loss is ½ Σ w (ŷ - y)² as for :class:`hsboost.HypersimplexLoss`, but ŷ is the entropic projection onto the same
    polytope, ŷ = σ(z - ν) with z = raw_prediction / temperature and the ν at which Σ w ŷ = k. With d = ŷ (1 - ŷ),
    r = ŷ - y and S = Σ w d

        ∂L/∂x = (w / temperature) d (r - Σ w d r / S).

    Rows are drawn towards their labels by how close they are to the edge, not by whether they are in a band around it.
    Whether that pays is to be tried (docs/losses.md): with budgets far below the prevalence its steps are long. Groups
    and class columns work as in :class:`hsboost.HypersimplexLoss`.

    Parameters
    ----------
    k : None, int, float in (0, 1), or a mapping, default None
        As for :class:`hsboost.HypersimplexLoss`.
    temperature : float, default 1.0
        Width of the edge, in units of the raw scores. With curvature for boosters it only sets the scores' unit.
    hessian : {"exact", "unit"}, default "exact"
        Curvature of :meth:`gradient_hessian`. ``"exact"``: the diagonal of the Gauss-Newton matrix, (w / temperature²)
        d² (1 - 2 w d / S + w Σ w d² / S²), floored. ``"unit"``: w for every row.
    reduction : {"sum", "mean"}, default "sum"
        As for :class:`hsboost.HypersimplexLoss`.
    hessian_floor : float in (0, 1], default 0.02
        Least curvature of a row, as a share of the weighted mean of d² over all rows (and class columns).

    Notes
    -----
    Boosters get gradient and curvature times temperature² (S / Σ w d²)², sums over all rows and columns, and the
    curvature w d², floored: a row of weight 2 adds what two rows add. Then rows that count have a curvature near their
    weight, whatever the budget. Without the factor, d² is about (k / Σ w)² at first, and ``min_child_weight`` or
    ``min_sum_hessian_in_leaf`` of 1 keep trees from growing at a budget of one percent.

    References
    ----------
    Amos, Koltun, Kolter, "The Limited Multi-Label Projection Layer", arXiv 1906.08707, for the projection.

    Examples
    --------
    >>> from hsboost.losses import HypersimplexSmoothLoss
    >>> loss = HypersimplexSmoothLoss()
    >>> round(loss.loss([1, 1, 0, 0], [0.9, 0.2, 0.1, -2.0]), 4)
    0.2863
    >>> loss.gradient([1, 1, 0, 0], [0.9, 0.2, 0.1, -2.0]).round(3)
    array([-0.051, -0.102,  0.138,  0.015])
    """

    passes: ClassVar[Passes] = _entropic

    def __init__(
        self,
        k: Budgets = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        reduction: Literal["sum", "mean"] = "sum",
        hessian_floor: float = DEFAULT_FLOOR,
    ) -> None:
        super().__init__(k, temperature, hessian, reduction, hessian_floor)

    def _slopes(self, total: float) -> Slopes:
        return super()._slopes(total)._replace(unit=self.hessian == "unit")

    def boosting_slopes(self, total: float) -> Slopes:
        """As for :class:`hsboost.HypersimplexLoss`, with the curvature of rows that count near their weight."""
        slopes = super().boosting_slopes(total)
        return slopes if self.hessian == "unit" else slopes._replace(levelled=True)


class HypersimplexSmoothFYLoss(HypersimplexSmoothLoss):
    """The convex sibling of the smooth loss: logistic regression whose intercept is set by the budget.

    With ŷ = σ(z - ν) and Σ w ŷ = k it is the Fenchel-Young loss of the entropy on the hypersimplex,

        L = Σ w [log-loss(ŷ, y) - (z - ν) (k - Σ w y) / Σ w],    ∂L/∂x = (w / temperature) (ŷ - y - (k - Σ w y) / Σ w).

    For k = Σ w y the last terms are zero, and it is log loss with a free intercept per group, profiled out: the right
    likelihood where only the order within a group matters.

    Parameters
    ----------
    k, temperature
        As for :class:`HypersimplexSmoothLoss`.
    hessian : {"exact", "unit"}, default "exact"
        Curvature of :meth:`gradient_hessian`. ``"exact"``: (w / temperature²) d (1 - w d / S), floored.
    hessian_floor : float in (0, 1], default 0.02
        Least curvature of a row, as a share of the weighted mean of d over all rows (and class columns).

    Notes
    -----
    Boosters get gradient and curvature times temperature² S / Σ w d², and the curvature w d, floored.

    References
    ----------
    Blondel, Martins, Niculae, "Learning with Fenchel-Young losses", JMLR 21 (2020), sections 3 and 4.

    Examples
    --------
    >>> from hsboost.losses import HypersimplexSmoothFYLoss
    >>> HypersimplexSmoothFYLoss().gradient([1, 1, 0, 0], [0.9, 0.2, 0.1, -2.0]).round(3)
    array([-0.265, -0.421,  0.554,  0.132])
    """

    def __init__(
        self,
        k: Budgets = None,
        temperature: float = 1.0,
        hessian: Literal["exact", "unit"] = "exact",
        hessian_floor: float = DEFAULT_FLOOR,
    ) -> None:
        super().__init__(k, temperature, hessian, "sum", hessian_floor)

    def __repr__(self) -> str:
        return (
            f"HypersimplexSmoothFYLoss(k={self.k!r}, temperature={self.temperature!r}, hessian={self.hessian!r}, "
            f"hessian_floor={self.hessian_floor!r})"
        )

    def _slopes(self, total: float) -> Slopes:
        return super()._slopes(total)._replace(convex=True)

    def boosting_slopes(self, total: float) -> Slopes:
        """As for :class:`HypersimplexSmoothLoss`."""
        return super().boosting_slopes(total)._replace(convex=True)
