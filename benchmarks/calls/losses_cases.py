"""The cases of the losses benchmark: their rows, seeded by the case, and the methods timed on them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.calls import genz

FloatArray = NDArray[np.float64]
Call = Callable[[], Any]

FAMILIES = ("exact", "softmax", "sampled")
CLASSES = {"exact": (2, 4, 8, 16, 32, 64, 128, 256, 512, 1000), "softmax": (2, 4, 16, 64, 256, 1000, 4000),
           "sampled": (1000, 4000, 10_000)}  # fmt: skip
#: Approximate number of scores (rows times classes) timed at once; for EXACT divided by the number of nodes.
SCORES = {"exact": 20_000, "softmax": 1_000_000, "sampled": 12_000_000}
FEWEST_ROWS = 20
#: Rows whose probability is also computed by a slow reference, to measure errors.
CHECKED_ROWS = 24
GENZ_SAMPLES = 512
#: Above this many classes Genz is skipped: its cost grows with the square.
GENZ_MOST_CLASSES = 64
SAMPLES = (16, 64, 256)

#: hsboost's losses by the benchmark's names for them: registered name and parameters.
LOSSES: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "exact": {"exact": ("exact", {}), "exact_log": ("exact", {"log": True}), "softmax": ("softmax", {})},
    "softmax": {
        "softmax": ("softmax", {}),
        "sparsemax": ("sparsemax", {}),
        "entmax15": ("entmax15", {}),
        "entmax": ("entmax", {"alpha": 1.25}),
    },
    "sampled": {
        "softmax": ("softmax", {}),
        **{f"sampled_{m}": ("sampled-softmax", {"samples": m}) for m in SAMPLES},
    },
}
LABELS = {
    "exact": "EXACT, 1 - P",
    "exact_log": "EXACT, -log P",
    "genz": f"Genz, {GENZ_SAMPLES} samples, value only",
    "softmax": "softmax",
    "sparsemax": "sparsemax",
    "entmax15": "entmax, α = 1.5",
    "entmax": "entmax, α = 1.25",
    **{f"sampled_{m}": f"sampled softmax, {m} draws" for m in SAMPLES},
}


@dataclass(frozen=True)
class Case:
    """One family of losses at one number of classes."""

    family: str
    classes: int
    scale: float = 1.0

    @property
    def key(self) -> str:
        """The case's name in runs.jsonl."""
        return f"{self.family}/{self.classes}"

    @property
    def rows(self) -> int:
        """Rows that are timed; ``scale`` makes the case smaller."""
        return max(FEWEST_ROWS, int(self.scale * SCORES[self.family]) // self.classes)


@dataclass(frozen=True)
class Rows:
    """Scores (n, C) and classes (n,)."""

    x: FloatArray
    y: NDArray[np.int64]


def generator(case: Case, what: str = "rows") -> np.random.Generator:
    """A separate generator for each case and purpose."""
    return np.random.default_rng(zlib.crc32(f"{case.key}/{what}".encode()))


def make_rows(case: Case) -> Rows:
    """Draw rows like the scores of a half-trained model: noise, the log shares of classes, the true class ahead.

    EXACT's rows have equally likely classes. The other families' follow Zipf's law, as large sets of classes do.
    """
    rng = generator(case)
    n, classes = case.rows, case.classes
    shares = np.full(classes, 1.0 / classes) if case.family == "exact" else 1.0 / (1.0 + np.arange(classes))
    shares /= shares.sum()
    y = rng.choice(classes, n, p=shares)
    x = rng.normal(size=(n, classes)) + (0.0 if case.family == "exact" else np.log(shares))
    x[np.arange(n), y] += rng.exponential(size=n)
    return Rows(x, np.asarray(y, dtype=np.int64))


def methods(case: Case, rows: Rows) -> dict[str, Call]:
    """Gradient and curvature (no value) of every loss of the family, and the value alone by Genz's sampling."""
    from hsboost.losses import get_loss

    def derivatives(name: str, parameters: dict[str, Any]) -> Call:
        loss = get_loss(name, **parameters)
        return lambda: loss.gradient_hessian(rows.y, rows.x)

    found = {name: derivatives(*loss) for name, loss in LOSSES[case.family].items()}
    if case.family == "exact" and case.classes <= GENZ_MOST_CLASSES:
        uniforms = uniform(case, "genz")
        found["genz"] = lambda: genz.probabilities(rows.x, rows.y, uniforms)
    return found


def uniform(case: Case, what: str) -> FloatArray:
    """The uniform numbers that Genz's sampling takes for a case."""
    return generator(case, what).random((GENZ_SAMPLES, max(case.classes - 1, 1)))


def slow_probabilities(rows: Rows) -> FloatArray:
    """P(true class scores highest) for σ = 1, of the first rows, by a fine and wide trapezoid rule in log space."""
    from scipy.special import log_ndtr

    found = []
    for scores, true in list(zip(rows.x, rows.y, strict=True))[:CHECKED_ROWS]:
        a = np.delete(scores[true] - scores, true)
        t, step = np.linspace(-20.0, 20.0, 2001, retstep=True)
        log_g = -0.5 * t**2 + np.array([log_ndtr(a + v).sum() for v in t])
        found.append(float(np.exp(log_g).sum() * step / np.sqrt(2.0 * np.pi)))
    return np.array(found)


def exact_probabilities(rows: Rows, count: int) -> FloatArray:
    """P of the first rows as the loss computes it."""
    from hsboost.losses import ExactLoss

    loss = ExactLoss()
    return np.array([1.0 - loss.loss(rows.y[i : i + 1], rows.x[i : i + 1]) for i in range(count)])
