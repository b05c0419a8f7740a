"""The probability that the true class scores highest, by Genz's sequential sampling: O(N C²), noisy, independent."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri


def probability(a: np.ndarray, samples: int, seed: int) -> tuple[float, float]:
    """P(all score differences positive) for offsets a (C-1,), covariance I + 11ᵀ; (mean, standard error).

    Genz, "Numerical Computation of Multivariate Normal Probabilities", J. Comp. Graph. Stat. 1, 1992.
    """
    m = a.size
    factor = np.linalg.cholesky(np.eye(m) + 1.0)
    rng = np.random.default_rng(seed)
    drawn = np.zeros((samples, m))
    product = np.ones(samples)
    for i in range(m):
        share = ndtr((a[i] - drawn[:, :i] @ factor[i, :i]) / factor[i, i])
        product *= share
        drawn[:, i] = ndtri(np.maximum(rng.random(samples) * share, 1e-300))
    return float(product.mean()), float(product.std(ddof=1) / np.sqrt(samples))
