"""The cases of the losses benchmark and their rows, seeded by the case."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

FAMILIES = ("exact", "softmax", "sampled")
CLASSES = {"exact": (2, 4, 8, 16, 32, 64, 128, 256, 512, 1000), "softmax": (2, 4, 16, 64, 256, 1000, 4000),
           "sampled": (1000, 4000, 10_000)}  # fmt: skip
#: About so many scores (rows times classes) are timed at once; for EXACT so many divided by the nodes.
SCORES = {"exact": 20_000, "softmax": 1_000_000, "sampled": 12_000_000}
FEWEST_ROWS = 20
#: Rows whose probability is computed slowly, to tell errors.
CHECKED_ROWS = 24


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
    """A generator of its own for each case and purpose."""
    return np.random.default_rng(zlib.crc32(f"{case.key}/{what}".encode()))


def make_rows(case: Case) -> Rows:
    """Draw rows as a half-learnt model would leave them: noise, the log shares of classes, the true class ahead.

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


def describe() -> dict[str, Any]:
    """What of this module decides figures, beside its text."""
    return {"classes": {name: list(values) for name, values in CLASSES.items()}, "scores": SCORES}
