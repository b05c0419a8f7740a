"""The report of the training benchmark: requirements, times, ratios, the objective's share, memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarks.suite import plots
from benchmarks.suite.measure import spread
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement, ratio_within
from benchmarks.suite.tables import Cell, Column, Table, table_of, with_range, written
from benchmarks.trainings.boosters import BOOSTERS
from benchmarks.trainings.figures import Case, Trainings
from benchmarks.trainings.objectives import HYPERSIMPLEX, LOG_LOSS, OBJECTIVES, TRIVIAL

#: Longest training allowed for HyperSimplex, as a multiple of another objective's, at a million rows.
ROWS, BOUNDS = 1_000_000, ((TRIVIAL, 1.05), (LOG_LOSS, 1.12))


class TrainingReport(Report):
    """The cost of training with each objective."""

    title = "Training benchmark: what the loss costs"
    facts = ("settings", "boosters", "versions", "openmp_wait_policy")
    picture = ("training.png", "seconds of training")
    closing = "Ranges and how to read the figures: table.md."

    def gather(self) -> None:
        self.trainings = Trainings(self.records, BOOSTERS)
        self.rows = [(case, name) for case in self.trainings.cases for name in OBJECTIVES]

    def requirements(self) -> list[Requirement]:
        return requirements(self.trainings)

    def tables(self) -> list[Table]:
        """One table of all trainings."""
        found = self.trainings
        columns: list[Column[tuple[Case, str]]] = [
            Column("booster", lambda r: BOOSTERS[r[0][0]].label),
            Column("rows", lambda r: f"{r[0][1]:,}"),
            Column("objective", lambda r: OBJECTIVES[r[1]].label),
            Column("seconds", lambda r: Cell(f"{found.seconds(*r).median:.2f}", r[1] == HYPERSIMPLEX), "s"),
            Column("× custom L2", lambda r: with_range(found.ratios(*r, TRIVIAL))),
            Column("× log loss", lambda r: with_range(found.ratios(*r, LOG_LOSS))),
            Column("inside objective", lambda r: written("{:.1%}", found.share(*r)), "inside"),
            Column("ms a call", lambda r: written("{:.2f}", found.call_seconds(*r), 1e3)),
            Column("ms, first call", lambda r: written("{:.2f}", self._first_call(*r), 1e3), "first"),
            Column("peak MiB", lambda r: written("{:.0f}", self._peak(*r), 2**-20)),
            Column("leaves a tree", lambda r: f"{found.leaves(*r):.1f}", "leaves"),
        ]
        return [table_of("Training", columns, self.rows, labels=3)]

    def _first_call(self, case: Case, objective: str) -> float | None:
        """Median time of the first call of a training."""
        calls = self.trainings.calls(case, objective)
        return float(np.median([one[0] for one in calls])) if calls else None

    def _peak(self, case: Case, objective: str) -> int | None:
        """Largest growth of resident memory during training, over the repeats; None where it was not measured."""
        found = [peak for peak in self.trainings.of(case, objective, "peak_bytes") if not pd.isna(peak)]
        return int(max(found)) if found else None

    def summary(self) -> dict[str, Any]:
        found = self.trainings
        rows = [
            {
                "booster": case[0],
                "rows": case[1],
                "objective": name,
                "seconds": found.seconds(case, name).to_json(),
                "ratio_to_trivial": spread(found.ratios(case, name, TRIVIAL)).to_json(),
                "ratio_to_log_loss": spread(found.ratios(case, name, LOG_LOSS)).to_json(),
                "share_inside_objective": found.share(case, name),
                "seconds_per_call": found.call_seconds(case, name),
                "seconds_first_call": self._first_call(case, name),
                "peak_bytes": self._peak(case, name),
                "leaves": found.leaves(case, name),
            }
            for case, name in self.rows
        ]
        return {"rows": rows, "runs": found.records}

    def notes(self) -> list[str]:
        settings = self.shared["settings"]
        return [
            f"{settings['rounds']} rounds on {settings['columns']} numeric columns drawn like the Higgs data, "
            f"{settings['threads']} threads (OMP_WAIT_POLICY {self.shared['openmp_wait_policy'] or 'unset'}). Wall "
            "time of xgb.train and lgb.train alone: the data were binned before, once for all objectives, after an "
            "untimed warm-up.",
            "In each repeat the objectives take turns, in rotating order. Ratios are taken within a repeat: median, "
            "and in brackets the least and the greatest.",
            "The floor of any custom objective returns predictions - labels and ones, float32. The times of "
            "custom objectives include passing predictions and gradients, which built-in ones do not need.",
            "The trees' settings are one for all objectives, with no least curvature in a leaf; leaves a tree shows "
            "whether the trees came out alike. Peak MiB is the growth of resident memory during training (Linux).",
        ]

    def draw(self, out: Path) -> list[str]:
        """A panel for each case, a bar for each objective."""
        cases, found = self.trainings.cases, self.trainings
        columns = min(2, len(cases))
        rows = -(-len(cases) // columns)
        figure = Figure(figsize=(5.4 * columns, 0.7 + 2.0 * rows), layout="constrained")
        panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axes, case in zip(panels, cases, strict=False):
            plots.tidy(axes, f"{BOOSTERS[case[0]].label}, {case[1]:,} rows", "seconds (median)", grid="x")
            axes.spines["left"].set_visible(False)
            totals = [found.seconds(case, name).median for name in OBJECTIVES]
            inside = [(found.share(case, name) or 0.0) * total for name, total in zip(OBJECTIVES, totals, strict=True)]
            plots.bars(axes, [objective.label for objective in OBJECTIVES.values()], totals, inside)
        for axes in panels[len(cases) :]:
            axes.set_visible(False)
        plots.legend_below(figure, panels[0], 2)
        return plots.save(figure, out, "training.png")


def requirements(trainings: Trainings) -> list[Requirement]:
    """HyperSimplex against the cheapest custom objective and built-in log loss, with both boosters."""
    found = []
    for name, booster in BOOSTERS.items():
        for base, bound in BOUNDS:
            claim = f"{booster.label}, 1e6 x 28: HyperSimplex against {OBJECTIVES[base].label}"
            found.append(
                ratio_within(claim, trainings.ratios((name, ROWS), HYPERSIMPLEX, base), bound, "needs 1e6 rows")
            )
    return found
