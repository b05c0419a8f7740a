"""Softmax for thousands of classes: an unbiased gradient at the cost of a few of them."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from hsboost import _validation as check
from hsboost._kernels import sampled as kernels
from hsboost._kernels._compile import BLOCK
from hsboost.losses._base import LEAST_CURVATURE
from hsboost.losses._separable import Rows
from hsboost.losses.simplex import SoftmaxLoss

#: Neighbouring rows that share their sampled classes: drawing a class costs more than evaluating it.
ROWS_PER_PICK = 16


class SampledSoftmaxLoss(SoftmaxLoss):
    """Log loss over thousands of classes, with an unbiased gradient from a sample of the classes.

    Each row estimates its softmax from the true class and ``samples`` classes drawn from a proposal q, weighted by
    1 / q (importance sampling). That alone is biased, because it divides by an estimate. So each row is drawn with
    probability ``exact_share`` to compute its exact gradient too, and adds (exact - estimate) / exact_share: in
    expectation over that draw every row has its exact gradient, whatever was sampled. A row costs
    samples + exact_share · C exponentials in place of C. :meth:`loss`, :meth:`probabilities` and :meth:`intercept`
    are exact. With one score per row (two classes) everything is exact.

    Parameters
    ----------
    samples : int, default 64
        Draws per row, with replacement.
    exact_share : float in (0, 1], default 0.1
        Share of the rows that correct the rest; 1 is the exact gradient.
    proposal : {"prior", "uniform"}, default "prior"
        ``"prior"``: by weight of the classes in y_true, each at least as if it had one average row: near the
        softmax of a model that starts from :meth:`intercept`. ``"uniform"``: the same for every class.
    seed : int, default 0
        Seed of the draws; each boosting round draws other samples, :meth:`gradient_hessian` always those of round 0.
    hessian_floor : float, default 1e-16
        Least curvature of a row of weight 1; entries that were not sampled keep it.

    Notes
    -----
    The curvature is 2 p̂ (1 - p) from the same sample, exact in corrected rows: it is positive, near the exact
    bound 2 p (1 - p) on average, and not exactly unbiased.

    References
    ----------
    Bengio, Senécal, "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model",
    IEEE Transactions on Neural Networks 19, 2008 (the estimate); Rhee, Glynn, "Unbiased Estimation with Square Root
    Convergence for SDE Models", Operations Research 63, 2015 (randomised correction of a bias).

    Examples
    --------
    >>> import numpy as np
    >>> from hsboost.losses import SampledSoftmaxLoss
    >>> gradient = SampledSoftmaxLoss(samples=8).gradient([3], np.zeros((1, 1000)))
    >>> int((gradient != 0).sum()) <= 9, round(float(gradient.sum()), 12)
    (True, 0.0)
    """

    def __init__(
        self,
        samples: int = 64,
        exact_share: float = 0.1,
        proposal: Literal["prior", "uniform"] = "prior",
        seed: int = 0,
        hessian_floor: float = LEAST_CURVATURE,
    ) -> None:
        super().__init__(None, hessian_floor)
        self.samples = _whole(samples, "samples", 1)
        self.exact_share = check.check_positive(exact_share, "exact_share")
        if self.exact_share > 1.0:
            raise ValueError(f"exact_share is a share of the rows, in (0, 1]; got {exact_share!r}")
        self.proposal = check.check_choice(proposal, "proposal", ("prior", "uniform"))
        self.seed = _whole(seed, "seed", 0)

    def __repr__(self) -> str:
        return (
            f"SampledSoftmaxLoss(samples={self.samples!r}, exact_share={self.exact_share!r}, "
            f"proposal={self.proposal!r}, seed={self.seed!r}, hessian_floor={self.hessian_floor!r})"
        )

    def boosting_step(
        self, y_true: ArrayLike, raw_prediction: ArrayLike, sample_weight: ArrayLike | None, state: Any
    ) -> tuple[np.ndarray, np.ndarray, int]:
        """float32 gradient and curvature of this round's draw, and the number of the next round."""
        rows = self._rows(y_true, raw_prediction, sample_weight)
        round_ = 0 if state is None else int(state)
        return *self._derivatives(rows, np.float32, round_), round_ + 1

    def proposal_of(self, y: np.ndarray, w: np.ndarray, classes: int) -> np.ndarray:
        """q, (C,): the probability of each class in one draw."""
        if self.proposal == "uniform":
            return np.full(classes, 1.0 / classes)
        counts = np.bincount(y, w if w.size > 1 else None, minlength=classes)
        mass = counts + counts.sum() / y.size
        return np.asarray(mass / mass.sum(), dtype=np.float64)

    def _derivatives(self, rows: Rows, dtype: DTypeLike, round_: int = 0) -> tuple[np.ndarray, np.ndarray]:
        x, y, w, shape = rows
        n, classes = x.shape
        if classes == 1 or self.exact_share == 1.0:
            return super()._derivatives(rows, dtype)
        rng = np.random.default_rng([self.seed, round_])
        q = self.proposal_of(y, w, classes)
        draws = rng.random((-(-n // ROWS_PER_PICK), self.samples))
        picks = np.minimum(np.searchsorted(np.cumsum(q), draws, side="right"), classes - 1)
        corrected = rng.random(n) < self.exact_share
        gradient, hessian = np.empty(x.shape, dtype), np.empty(x.shape, dtype)
        per_block = max(1, BLOCK // classes)
        kernels.sampled(
            x.size, x, y, w, picks, ROWS_PER_PICK, 1.0 / (self.samples * q), corrected, self.exact_share,
            self.hessian_floor, per_block, -(-n // per_block), gradient, hessian,
        )  # fmt: skip
        return gradient.reshape(shape), hessian.reshape(shape)


def _whole(value: Any, name: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)
