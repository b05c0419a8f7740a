"""From single runs to statistics: means over seeds, and differences to log loss paired by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

import numpy as np

from benchmarks.quality.paired import Cells
from benchmarks.quality.tabular import compare
from benchmarks.quality.tabular.compare import CONFIDENCE
from benchmarks.quality.tabular.evaluate import METRICS, Metric
from benchmarks.quality.tabular.losses import BASELINE
from benchmarks.suite.store import Record

ALPHA = 1.0 - CONFIDENCE
Verdict = Literal["better", "worse", "within noise", "one seed"]
Case = tuple[str, str]


@dataclass(frozen=True)
class Estimate:
    """Mean, sample standard deviation (None for a single seed) and median over seeds."""

    mean: float
    std: float | None
    median: float


@dataclass(frozen=True)
class Difference:
    """A metric minus log loss's, paired by seed: mean, 95 % t-interval (None for one seed), verdict.

    ``p`` and ``p_holm``, if the protocol has corrected tests: before and after Holm's correction over all differences
    of the metric (data sets, boosters and losses); the verdict is then that of ``p_holm``.
    """

    mean: float
    low: float | None
    high: float | None
    verdict: Verdict
    p: float | None = None
    p_holm: float | None = None


def estimate(values: Sequence[float]) -> Estimate:
    """Summarise one figure over seeds."""
    data = np.asarray(values, dtype=np.float64)
    std = float(data.std(ddof=1)) if len(data) > 1 else None
    return Estimate(float(data.mean()), std, float(np.median(data)))


def difference(ours: Sequence[float], baseline: Sequence[float], higher_is_better: bool) -> Difference:
    """Compare two losses seed by seed; "better" and "worse" only where the t-interval excludes 0."""
    from scipy.stats import t

    gaps = np.asarray(ours, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    mean, n = float(gaps.mean()), len(gaps)
    if n < 2:
        return Difference(mean, None, None, "one seed")
    if np.ptp(gaps) < 1e-12 * (1.0 + abs(mean)):
        # Equal gaps over a few seeds come from coarse counts (precision among few rows): the spread is not
        # meaningful.
        return Difference(mean, mean, mean, "within noise")
    half = float(t.ppf(0.5 + CONFIDENCE / 2, n - 1) * gaps.std(ddof=1) / np.sqrt(n))
    low, high = mean - half, mean + half
    if low <= 0.0 <= high:
        return Difference(mean, low, high, "within noise")
    return Difference(mean, low, high, "better" if (mean > 0) == higher_is_better else "worse")


class Statistics:
    """The statistics of a set of runs: cases, losses, seeds, estimates, differences, the best loss.

    A *case* is a data set with a booster. Losses are compared to log loss on their common seeds: by the t-interval
    over seeds or, with ``corrected``, by the tests of `compare`. ``metrics`` are those reported.
    """

    def __init__(
        self,
        runs: Sequence[Record],
        booster_order: Sequence[str],
        loss_order: Sequence[str],
        metrics: Sequence[Metric] = METRICS,
        corrected: bool = False,
    ) -> None:
        def rank(run: Record) -> tuple[str, int, int, int]:
            booster, loss = booster_order.index(run["booster"]), loss_order.index(run["loss"])
            return run["dataset"], booster, loss, run["seed"]

        self.runs = sorted(runs, key=rank)
        self.datasets = list(dict.fromkeys(run["dataset"] for run in self.runs))
        self.cases: list[Case] = list(dict.fromkeys((run["dataset"], run["booster"]) for run in self.runs))
        present = {run["loss"] for run in self.runs}
        self.losses = [loss for loss in loss_order if loss in present]
        self._cells = Cells(self.runs, ("dataset", "booster", "loss"))
        self.metrics, self.corrected = tuple(metrics), corrected
        self._same_test = set(self.fixed_splits()) if corrected else set[str]()
        self._tested = {metric.key: self._corrected(metric) for metric in self.metrics} if corrected else {}

    @property
    def rivals(self) -> list[str]:
        """The losses that are compared to log loss."""
        return [loss for loss in self.losses if loss != BASELINE]

    def data(self, dataset: str) -> Record:
        """The facts about a data set's splits, from its first run."""
        found: Record = next(run["data"] for run in self.runs if run["dataset"] == dataset)
        return found

    def runs_of(self, case: Case, loss: str) -> list[Record]:
        """The runs of one loss, by seed; empty if it was not trained."""
        return list(self._cells.runs(*case, loss).values())

    def estimate(self, case: Case, loss: str, key: str) -> Estimate | None:
        """Mean and deviation of a figure; None if the loss has no runs or does not define the figure."""
        values = [run[key] for run in self.runs_of(case, loss) if run[key] is not None]
        return estimate(values) if values else None

    def ratio(self, case: Case, loss: str, key: str) -> Estimate | None:
        """A figure divided by log loss's of the same seed; None without common seeds."""
        pairs = self._pairs(case, loss, key)
        return estimate([ours / base for ours, base in pairs]) if pairs else None

    def difference(self, case: Case, loss: str, metric: Metric) -> Difference | None:
        """A loss against log loss; None without common seeds."""
        if self.corrected:
            return self._tested[metric.key].get((case, loss))
        pairs = self._pairs(case, loss, metric.key)
        if not pairs:
            return None
        ours, base = zip(*pairs, strict=True)
        return difference(ours, base, metric.higher_is_better)

    def best(self, case: Case, metric: Metric) -> str | None:
        """The loss with the best mean, if that is more than noise.

        A rival must differ from log loss outside noise; log loss itself must beat every rival outside noise.
        """
        means = {loss: found.mean for loss in self.losses if (found := self.estimate(case, loss, metric.key))}
        if len(means) < 2 or BASELINE not in means:
            return None
        pick: Callable[..., str] = max if metric.higher_is_better else min
        winner = pick(means, key=means.__getitem__)
        against = [loss for loss in means if loss != BASELINE] if winner == BASELINE else [winner]
        wanted = "worse" if winner == BASELINE else "better"
        gaps = [self.difference(case, loss, metric) for loss in against]
        return winner if all(gap is not None and gap.verdict == wanted for gap in gaps) else None

    def tally(self, loss: str, metric: Metric) -> dict[Verdict, int]:
        """Count a loss's verdicts against log loss over all cases."""
        counts: dict[Verdict, int] = {"better": 0, "worse": 0, "within noise": 0, "one seed": 0}
        for case in self.cases:
            gap = self.difference(case, loss, metric)
            if gap is not None:
                counts[gap.verdict] += 1
        return counts

    def fixed_splits(self) -> list[str]:
        """The data sets whose test rows are the same for every seed, so that seeds affect only the training."""
        fixed = []
        for dataset in self.datasets:
            digests = {run["seed"]: run["data"]["digest"]["test"] for run in self.runs if run["dataset"] == dataset}
            if len(digests) > 1 and len(set(digests.values())) == 1:
                fixed.append(dataset)
        return fixed

    def to_json(self) -> dict[str, Any]:
        """The aggregated rows and the paired differences as plain data."""
        keys = [metric.key for metric in self.metrics] + ["own_log_loss", "seconds", "seconds_per_round", "rounds"]
        rows, gaps = [], []
        for case in self.cases:
            for loss in self.losses:
                runs = self.runs_of(case, loss)
                if not runs:
                    continue
                seeds = [run["seed"] for run in runs]
                name = {"dataset": case[0], "booster": case[1], "loss": loss, "seeds": seeds}
                found = {key: self.estimate(case, loss, key) for key in keys}
                found["seconds_to_log_loss"] = self.ratio(case, loss, "seconds")
                found["seconds_per_round_to_log_loss"] = self.ratio(case, loss, "seconds_per_round")
                rows.append(name | {key: None if value is None else vars(value) for key, value in found.items()})
                for metric in self.metrics if loss != BASELINE else ():
                    gap = self.difference(case, loss, metric)
                    if gap is not None:
                        gaps.append(name | {"metric": metric.key} | vars(gap))
        return {"rows": rows, "differences_to_log_loss": gaps, "wins": self.wins(self.metrics[0])}

    def wins(self, metric: Metric) -> dict[str, dict[str, list[int]]]:
        """Count, for each pair of losses, in how many cases the first has the better mean, and of how many."""
        counts: dict[str, dict[str, list[int]]] = {}
        sign = 1.0 if metric.higher_is_better else -1.0
        for ours in self.losses:
            for theirs in (loss for loss in self.losses if loss != ours):
                both = [(self.estimate(c, ours, metric.key), self.estimate(c, theirs, metric.key)) for c in self.cases]
                gaps = [sign * (a.mean - b.mean) for a, b in both if a is not None and b is not None]
                counts.setdefault(ours, {})[theirs] = [sum(gap > 0 for gap in gaps), len(gaps)]
        return counts

    def over_datasets(self, booster: str, loss: str, metric: Metric) -> tuple[float, float | None] | None:
        """Mean over data sets of a loss's difference to log loss, and Wilcoxon's p; None without pairs."""
        gaps = [
            gap.mean
            for case in self.cases
            if case[1] == booster and (gap := self.difference(case, loss, metric)) is not None
        ]
        return (float(np.mean(gaps)), compare.over_datasets(gaps)) if gaps else None

    def _corrected(self, metric: Metric) -> dict[tuple[Case, str], Difference]:
        """Test every loss against log loss in every case, and correct for their number."""
        found: dict[tuple[Case, str], tuple[float, float, float]] = {}
        for case in self.cases:
            for loss in self.rivals:
                pairs = self._cells.pairs((*case, loss), (*case, BASELINE), lambda run: run)
                if not pairs:
                    continue
                gaps = [ours[metric.key] - base[metric.key] for ours, base in pairs]
                drawn = [np.subtract(*(run["bootstrap"][metric.key] for run in pair)) for pair in pairs]
                rows = pairs[0][0]["data"]["rows"]
                error, freedom = compare.standard_error(
                    gaps, drawn, case[0] in self._same_test, rows["train"], rows["test"]
                )
                found[case, loss] = (float(np.mean(gaps)), error, freedom)
        raw = [compare.p_value(*values) for values in found.values()]
        tested = {}
        for (key, (mean, error, freedom)), p, adjusted in zip(found.items(), raw, compare.holm(raw), strict=True):
            half = compare.half_width(error, freedom)
            good = (mean > 0) == metric.higher_is_better
            verdict: Verdict = "within noise" if adjusted > ALPHA else "better" if good else "worse"
            tested[key] = Difference(mean, mean - half, mean + half, verdict, p, adjusted)
        return tested

    def _pairs(self, case: Case, loss: str, key: str) -> list[tuple[float, float]]:
        return self._cells.pairs((*case, loss), (*case, BASELINE), itemgetter(key))
