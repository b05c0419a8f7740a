"""The rows of each case: scores of several shapes, labels that follow them, weights. All seeded by the case."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]

DTYPES = ("float64", "float32")
#: Share of rows that are positive, which is also the budget.
BUDGETS = {"small": 0.01, "half": 0.5, "near": 0.99}
#: The shape that the promises speak of: distribution, budget, weights.
LINE = ("normal", "half", False)
#: How far one boosting round moves a score, in units of the temperature: learning rate 0.1, leaf values up to 1.
ROUND_MOVE = 0.1


@dataclass(frozen=True)
class Case:
    """One problem size and shape; ``budget`` is a key of BUDGETS, the temperature is 1."""

    n: int
    distribution: str
    budget: str
    dtype: str
    weights: bool

    kind: ClassVar[str] = "one"

    @property
    def on_line(self) -> bool:
        """Whether this is the shape that the promises speak of, and that is run at every size."""
        return (self.distribution, self.budget, self.weights) == LINE

    @property
    def key(self) -> str:
        """The case's name in runs.jsonl; all of it but the size is the case's shape."""
        weights = "weighted" if self.weights else "unweighted"
        return f"{self.distribution}/{self.budget}/{self.dtype}/{weights}/{self.n}"


@dataclass(frozen=True)
class Rows:
    """Scores, labels (float32, 0 and 1), weights or None, and the mass k = Σ w y."""

    x: FloatArray
    y: NDArray[np.float32]
    w: FloatArray | None
    k: float


def _normal(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    return rng.standard_normal(n)


def _heavy_tails(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    return rng.standard_t(1.5, n)


def _ties(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    return rng.standard_normal(n).round(1)


def _margins(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    p = np.clip(rng.beta(0.5, 8.0, n), 1e-12, 1.0 - 1e-12)
    return np.asarray(np.log(p) - np.log1p(-p))


def _saturated(rng: np.random.Generator, n: int, share: float) -> FloatArray:
    # Cluster sizes as the budget: every row ends at 0 or 1 and the threshold is anywhere in the gap.
    x = rng.standard_normal(n)
    x[rng.permutation(n)[: _positives(n, share)]] += 100.0
    return x


DISTRIBUTIONS: dict[str, Callable[[np.random.Generator, int, float], FloatArray]] = {
    "normal": _normal,
    "heavy_tails": _heavy_tails,
    "ties": _ties,
    "margins": _margins,
    "saturated": _saturated,
}
DESCRIPTIONS = {
    "normal": "standard normal",
    "heavy_tails": "Student's t with 1.5 degrees of freedom",
    "ties": "standard normal rounded to one decimal: a few dozen distinct values",
    "margins": "logits of Beta(0.5, 8) probabilities, as log loss leaves them",
    "saturated": "two clusters 100 temperatures apart, as large as the budget and the rest",
}


def _positives(n: int, share: float) -> int:
    return min(max(round(share * n), 1), n - 1)


def _generator(case: Case) -> np.random.Generator:
    # By shape and size only: both dtypes see the same rows.
    return np.random.default_rng(zlib.crc32(f"{case.distribution}/{case.budget}/{case.n}".encode()))


def make_rows(case: Case) -> Rows:
    """Draw the rows of a case; labels are the highest scores after noise, as a half-learnt model would have it."""
    rng = _generator(case)
    share = BUDGETS[case.budget]
    x = DISTRIBUTIONS[case.distribution](rng, case.n, share)
    noisy = rng.standard_normal(case.n)
    noisy += x
    place = case.n - _positives(case.n, share)
    y = (noisy >= np.partition(noisy, place)[place]).astype(np.float32)
    w = rng.uniform(0.5, 2.0, case.n).astype(case.dtype) if case.weights else None
    k = float(y.sum(dtype=np.float64)) if w is None else float(np.dot(w.astype(np.float64), y.astype(np.float64)))
    return Rows(x.astype(case.dtype, copy=False), y, w, k)


def round_before(x: FloatArray) -> FloatArray:
    """Give the scores one boosting round earlier, for the warm start."""
    move = np.random.default_rng(x.size).random(x.shape, dtype=np.float32)
    move -= 0.5
    move *= 2.0 * ROUND_MOVE
    return np.asarray(x + move, dtype=x.dtype)
