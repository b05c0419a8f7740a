"""The Fenchel-Young loss of the hypersimplex: a convex sibling of the HyperSimplex loss."""

from __future__ import annotations

from typing import Literal

from hsboost._validation import Budgets
from hsboost.losses._passes import Slopes
from hsboost.losses.hypersimplex import HypersimplexLoss

#: J ≼ 1, so that curvature w for every row bounds the Hessian: Newton steps with it never overshoot.
DEFAULT_FLOOR = 1.0


class HypersimplexFYLoss(HypersimplexLoss):
    """A convex loss for the top k: every wrong row has a gradient, however wrong it is.

    The HyperSimplex loss has no gradient at rows that are confidently wrong; this one has. With z the scores over the
    temperature, centred to mean 0, and ŷ = Π(z) their projection onto { y in [0,1]^n : Σ w y = k }, it is

        L = Σ w [ z (ŷ - y) + ½ (y² - ŷ²) ],    ∂L/∂x = (w / temperature) (ŷ - y - (k - Σ w y) / Σ w).

    That is the Fenchel-Young loss of ½‖·‖² on the hypersimplex, ½‖z‖² - ½‖z - ŷ‖² - ⟨z, y⟩ up to a constant: convex in
    the scores, and zero exactly when ŷ = y with a margin (for k = Σ w y; other budgets keep it above zero). Centring
    changes nothing for k = Σ w y, and keeps scores from drifting for other k. Groups and class columns work as in
    :class:`hsboost.HypersimplexLoss`.

    Parameters
    ----------
    k, temperature
        As for :class:`hsboost.HypersimplexLoss`. The temperature is the unit of the margin; in boosting it only sets
        the unit of the scores.
    hessian : {"exact", "unit"}, default "exact"
        Curvature of :meth:`gradient_hessian`. ``"exact"``: (w / temperature²) (1 - w / Σ_A w) on the active set,
        floored. ``"unit"``: w for every row.
    hessian_floor : float in (0, 1], default 1.0
        Least curvature of a row, as a share of w / temperature². Off the active set the Hessian is zero while the
        gradient is not: a small floor there means huge Newton steps. 1 bounds the Hessian from above.

    References
    ----------
    Blondel, Martins, Niculae, "Learning with Fenchel-Young losses", JMLR 21 (2020), sections 3 and 4.

    Examples
    --------
    >>> from hsboost.losses import HypersimplexFYLoss
    >>> loss = HypersimplexFYLoss()
    >>> round(loss.loss([1, 1, 0, 0], [-5.0, 2.0, 1.0, 0.0]), 4)
    6.0
    >>> loss.gradient([1, 1, 0, 0], [-5.0, 2.0, 1.0, 0.0])
    array([-1.,  0.,  1.,  0.])
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
            f"HypersimplexFYLoss(k={self.k!r}, temperature={self.temperature!r}, hessian={self.hessian!r}, "
            f"hessian_floor={self.hessian_floor!r})"
        )

    def _slopes(self, total: float) -> Slopes:
        return super()._slopes(total)._replace(convex=True)

    def boosting_slopes(self, total: float) -> Slopes:
        """As for :class:`hsboost.HypersimplexLoss`, with gradients off the active set as well."""
        return super().boosting_slopes(total)._replace(convex=True)
