"""From curves to figures: maximum, final and validation-selected accuracy, paired tests, and the trend over batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.quality.paired import Cells
from benchmarks.quality.vision.plan import ALL_LOSSES
from benchmarks.suite.store import Record

#: Figure, and how it is computed from a run's curve of test accuracy.
FIGURES = {
    "max": "maximum over epochs of test accuracy (chosen on the test set, as the paper's)",
    "final": "test accuracy after the last epoch",
    "selected": "test accuracy at the epoch of best validation accuracy",
    "aligned": "test accuracy after the last epoch, columns measured from their cuts on the training rows",
}
RIVALS = ("ce", "mse", "hinge")
OURS = ("hypersimplex-count", "hypersimplex-half", "exact", "exact-log")
CONFIDENCE = 0.95


class Paired(NamedTuple):
    """A loss minus a rival over common seeds: mean, p of the paired t-test and of Wilcoxon's (None: undefined)."""

    mean: float
    seeds: int
    t_test: float | None
    wilcoxon: float | None


class Trend(NamedTuple):
    """A loss minus cross entropy per doubling of the batch: least squares slope, 95 % interval, and verdict."""

    slope: float
    low: float | None
    high: float | None
    verdict: str


def figure_of(record: Record, figure: str) -> float | None:
    """One run's accuracy; None for "selected" without validation rows."""
    test, valid = record["curves"]["test"], record["curves"]["valid"]
    if figure == "max":
        return float(max(test))
    if figure == "aligned":
        return float(record["aligned"])
    if figure == "final":
        return float(test[-1])
    return float(test[int(np.argmax(valid))]) if valid else None


class Figures:
    """The figures of a set of runs."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)
        self.datasets = list(dict.fromkeys(record["dataset"] for record in self.records))
        present = {record["loss"] for record in self.records}
        self.losses = [loss for loss in ALL_LOSSES if loss in present]
        self._cells = Cells(self.records, ("dataset", "batch", "loss"))

    def batches(self, dataset: str) -> list[int]:
        """Batch sizes of a data set's runs, increasing."""
        return sorted({record["batch"] for record in self.records if record["dataset"] == dataset})

    def runs(self, dataset: str, batch: int, loss: str) -> dict[int, Record]:
        """Runs by seed."""
        return self._cells.runs(dataset, batch, loss)

    def values(self, dataset: str, batch: int, loss: str, figure: str) -> dict[int, float]:
        """A figure by seed."""
        found = {seed: figure_of(run, figure) for seed, run in self.runs(dataset, batch, loss).items()}
        return {seed: value for seed, value in found.items() if value is not None}

    def gaps(self, dataset: str, batch: int, loss: str, rival: str, figure: str) -> list[float]:
        """A loss minus a rival, seed by seed."""
        pairs = self._cells.pairs((dataset, batch, loss), (dataset, batch, rival), lambda run: figure_of(run, figure))
        return [ours - theirs for ours, theirs in pairs]

    def paired(self, dataset: str, batch: int, loss: str, rival: str, figure: str) -> Paired | None:
        """The paired tests; None without common seeds."""
        gaps = self.gaps(dataset, batch, loss, rival, figure)
        return paired(gaps) if gaps else None

    def trend(self, dataset: str, loss: str, figure: str) -> Trend | None:
        """The trend of the gap to cross entropy over the batch size; None for fewer than two batch sizes."""
        points = [
            (math.log2(batch), gap)
            for batch in self.batches(dataset)
            for gap in self.gaps(dataset, batch, loss, "ce", figure)
        ]
        return trend(points)

    def to_json(self) -> list[dict[str, Any]]:
        """Every cell's figures for results.json."""
        rows = []
        for dataset in self.datasets:
            for batch in self.batches(dataset):
                for loss in self.losses:
                    runs = self.runs(dataset, batch, loss)
                    if not runs:
                        continue
                    cell: dict[str, Any] = {"dataset": dataset, "batch": batch, "loss": loss, "seeds": list(runs)}
                    cell |= {name: list(self.values(dataset, batch, loss, name).values()) for name in FIGURES}
                    cell["seconds_per_epoch"] = float(
                        np.median([second for run in runs.values() for second in run["curves"]["seconds"]])
                    )
                    cell["against"] = {
                        rival: {name: found._asdict() for name in FIGURES
                                if (found := self.paired(dataset, batch, loss, rival, name))}
                        for rival in RIVALS if rival != loss
                    }  # fmt: skip
                    rows.append(cell)
        return rows


def paired(gaps: Sequence[float]) -> Paired:
    """Mean of differences and the two tests; without variation (no or equal differences) the tests are undefined."""
    from scipy import stats

    data = np.asarray(gaps, dtype=np.float64)
    mean, n = float(data.mean()), len(data)
    if n < 2 or np.ptp(data) < 1e-12:
        return Paired(mean, n, None, None)
    found = (float(test.pvalue) for test in (stats.ttest_1samp(data, 0.0), stats.wilcoxon(data)))
    return Paired(mean, n, *(p if math.isfinite(p) else None for p in found))


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Least squares of gap on log2(batch)."""
    from scipy import stats

    if len({x for x, _ in points}) < 2:
        return None
    x, y = (np.asarray(column) for column in zip(*points, strict=True))
    fit = stats.linregress(x, y)
    if len(points) < 3 or not math.isfinite(fit.stderr):
        return Trend(float(fit.slope), None, None, "too few runs to tell")
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(points) - 2) * fit.stderr)
    low, high = float(fit.slope) - half, float(fit.slope) + half
    verdict = "moves for the loss" if low > 0 else "moves against the loss" if high < 0 else "no trend beyond noise"
    return Trend(float(fit.slope), low, high, verdict)
