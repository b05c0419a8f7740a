"""The report of the scaling benchmark: a round's time and traffic, the cost model and what it predicts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.suite import options, plots
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Cell, Column, Table, table_of, with_range, written
from benchmarks.trainings import scaling_model as model
from benchmarks.trainings.objectives import HYPERSIMPLEX, LOG_LOSS
from benchmarks.trainings.requests import ScalingRequest
from benchmarks.trainings.scaling_data import FLIGHTS, MOST
from benchmarks.trainings.scaling_figures import DASK, SPARK, TRACKER, Cases, requirements
from benchmarks.trainings.scaling_model import FAR_ROWS, FAR_WORKERS, Fit, Network, Prediction

Columns = list[Column[Record]]


def network_of(request: ScalingRequest) -> Network:
    """Read the network of the prediction; raises OptionError for impossible values."""
    options.at_least(0, latency=request.latency)
    options.at_least(1, cores_each=request.cores_each)
    if not request.bandwidth > 0:
        raise options.OptionError(f"--bandwidth: must be above 0 Gbit/s, got {request.bandwidth:g}")
    return Network(request.latency, request.bandwidth, request.cores_each)


LABELS: Columns = [
    Column("through", lambda r: r["engine"]),
    Column("rows", lambda r: f"{r['rows']:,}"),
    Column("workers", lambda r: str(r["workers"])),
]


class ScalingReport(Report):
    """The cost of a round on several workers, and its predicted cost on the cluster that the request describes."""

    title = "Scaling benchmark: rows by workers"
    facts = ("settings", "params", "versions")
    picture = ("scaling.png", "ms a round")
    closing = "Ranges and how to read the figures: table.md."

    def gather(self) -> None:
        self.cases, self.network = Cases(self.records), network_of(self.request)
        self.fitted = model.fit(self.cases, self.shared["settings"]["threads"])
        self.predicted = None if self.fitted is None else model.predict(self.fitted, self.network)

    def requirements(self) -> list[Requirement]:
        return requirements(self.cases)

    def tables(self) -> list[Table]:
        """Times, traffic, and the cost model if there are enough cases for one."""
        found = [_times(self.cases), _traffic(self.cases)]
        if self.fitted is not None and self.predicted is not None:
            found += [_residuals(self.fitted), _predicted(self.fitted, self.predicted)]
        return found

    def spoken(self, brief: bool) -> list[str]:
        """The cost model."""
        return self.model_notes()

    def summary(self) -> dict[str, Any]:
        cases = self.cases
        return {"rows": cases.to_json(), "cost_model": self._model_json(), "runs": cases.records}

    def _model_json(self) -> dict[str, Any] | None:
        fitted, predicted = self.fitted, self.predicted
        if fitted is None or predicted is None:
            return None
        return {
            "objective": fitted.objective._asdict(),
            "booster": fitted.booster._asdict(),
            "largest_residual": float(np.abs(fitted.residuals).max()),
            "network": asdict(self.network),
            "prediction": {"rows": FAR_ROWS, "workers": FAR_WORKERS, **predicted._asdict(), "ratio": predicted.ratio},
        }

    def notes(self) -> list[str]:
        settings = self.shared["settings"]
        if settings["data"] == FLIGHTS:
            rows = f"Flights of 2001 (flights3m, 8 columns, airports as codes); beyond {MOST:,} rows they are repeated."
        else:
            rows = (
                f"Made-up rows with the flights' 8 columns (the flights are not here), repeated beyond {MOST:,} rows."
            )
        found = [
            rows,
            f"{settings['rounds']} rounds, {settings['repeats']} repeats in which the two objectives take turns. "
            f"Workers are processes on this machine, which share its {settings['threads']} cores (at least one thread "
            "each): more workers show the cost of communication, and are not faster.",
            "tracker: XGBoost's own RabitTracker, the engine of xgboost.dask; dask: xgboost.dask on a LocalCluster; "
            "spark: fit of SparkHSClassifier and of SparkXGBClassifier, on a local Spark. Rows were binned before, "
            "outside the timing. SparkXGBClassifier also computes its metric on the training rows in each round.",
            "A round's time is that of the slowest worker; median and quartiles of the warm rounds (all but a "
            "training's first). Ratios are of whole trainings within a repeat: median, least and greatest. Time in "
            "all-reduce is part of the time inside the objective, and contains waiting for slower workers.",
            "Peak MiB is resident memory of a worker while it trains, libraries and bins included (on Linux; elsewhere "
            "the peak of its life).",
        ]
        if not any(record["engine"] == DASK for record in self.cases.records):
            found.append("The case under Dask is missing: it needs dask and distributed, and 2 among the workers.")
        if not any(record["engine"] == SPARK for record in self.cases.records):
            found.append("The case under Spark is missing: it needs pyspark and Java, and 2 among the workers.")
        return found + self.model_notes()

    def model_notes(self) -> list[str]:
        """State the cost model and the assumptions of the prediction."""
        fitted, network = self.fitted, self.network
        if fitted is None:
            return ["No cost model: it needs two numbers of rows and two of workers."]
        return [
            "Cost model, fitted to the medians (least squares of relative errors, no price below zero). "
            f"Objective: {_formula(fitted.objective)} with {fitted.calls:g} calls. "
            f"Rest of the round: {_formula(fitted.booster)} with {model.TREE_CALLS} calls. Ring steps are calls × "
            "2 (workers − 1), because XGBoost adds up over a ring; here a step also waits for a core where workers "
            "outnumber them.",
            f"The prediction assumes {FAR_WORKERS} equal machines of {network.cores_each} cores as fast as "
            "these, sharing the rows evenly, none of them delayed, with their bins in memory; time per row as measured "
            f"here; {network.latency_us:g} µs per message and {network.gbits:g} Gbit/s, added to "
            f"what a ring step costs here; {fitted.calls:g} calls of {fitted.call_bytes:.0f} bytes in a warm round, as "
            f"in the largest case measured; histograms of {model.TREE_NODES} nodes (depth {model.DEPTH}) by "
            f"{fitted.bins} bins; the network to itself. It leaves out the first round, reading and binning.",
        ]

    def draw(self, out: Path) -> list[str]:
        """A round's time by rows, a panel for each number of workers, with the part inside the objective."""
        records = [record for record in self.cases.records if record["engine"] == TRACKER]
        workers = sorted({record["workers"] for record in records})
        figure = Figure(figsize=(3.6 * len(workers) + 0.6, 3.4), layout="constrained")
        panels = figure.subplots(1, len(workers), squeeze=False, sharey=True)[0]
        for axes, count in zip(panels, workers, strict=True):
            self._panel(axes, [record for record in records if record["workers"] == count])
            plots.tidy(axes, f"{count} worker{'s' if count > 1 else ''}", "rows", ticks=True)
            axes.set_axisbelow("line")
        panels[0].set_ylabel("ms a round (median, quartiles)", fontsize=9, color=plots.INK)
        plots.legend_below(figure, panels[0], 3)
        return plots.save(figure, out, "scaling.png")

    def _panel(self, axes: Axes, here: list[Record]) -> None:
        rows = [record["rows"] for record in here]
        both = ((HYPERSIMPLEX, plots.BLUE, "HyperSimplex"), (LOG_LOSS, plots.GREY, "log loss, built in"))
        for name, colour, label in both:
            found = [self.cases.round_seconds(record, name) for record in here]
            axes.plot(rows, [1e3 * one.median for one in found], "o-", color=colour, label=label)
            low, high = (
                [1e3 * value for value in ends] for ends in zip(*((s.low, s.high) for s in found), strict=True)
            )
            axes.fill_between(rows, low, high, color=colour, alpha=0.2)
        inside = [1e3 * self.cases.inside_seconds(record) for record in here]
        axes.plot(rows, inside, "o--", color=plots.RED, label="inside the objective")
        axes.set_xscale("log")
        axes.set_yscale("log")


def _times(cases: Cases) -> Table:
    def round_of(objective: str) -> Any:
        def show(record: Record) -> Cell:
            one = cases.round_seconds(record, objective)
            middle, low, high = (f"{1e3 * value:.4g}" for value in (one.median, one.low, one.high))
            return Cell(f"{middle} ({low}–{high})", brief=middle)

        return show

    columns: Columns = [
        *LABELS,
        Column("HyperSimplex, ms a round", round_of(HYPERSIMPLEX), "ours ms"),
        Column("log loss, ms a round", round_of(LOG_LOSS), "log ms"),
        Column("× log loss, whole training", lambda r: with_range(cases.ratios(r)), "× log loss"),
        Column("inside objective", lambda r: f"{cases.share(r):.1%}", "inside"),
        Column("inside its all-reduce", lambda r: f"{cases.share(r, 'reductions'):.1%}", "talk"),
        Column("peak MiB a worker", lambda r: written("{:.0f}", cases.peak_bytes(r, HYPERSIMPLEX), 2**-20), "MiB"),
        Column("with log loss", lambda r: written("{:.0f}", cases.peak_bytes(r, LOG_LOSS), 2**-20), "log"),
    ]
    return table_of("A round by rows and workers", columns, cases.records)


def _traffic(cases: Cases) -> Table:
    names = {
        "calls, first round": ("first", "cold_calls"),
        "calls, warm: median": ("warm", "warm_calls"),
        "most": ("most", "warm_calls_most"),
        "bytes, first round": ("B first", "cold_bytes"),
        "bytes, warm: median": ("B warm", "warm_bytes"),
        "largest call, bytes": ("largest B", "largest"),
    }

    def figure(name: str) -> Any:
        return lambda record: f"{getattr(cases.traffic(record), name):g}"

    columns = [*LABELS, *(Column(name, figure(field), brief) for name, (brief, field) in names.items())]
    title = "What the objective hands to all-reduce in a round"
    return table_of(title, columns, [record for record in cases.records if record["workers"] > 1])


def _residuals(fitted: Fit) -> Table:
    rows = []
    for point, residuals in zip(fitted.points, fitted.residuals, strict=True):
        cells = [Cell(f"{point.rows:,}"), Cell(str(point.workers))]
        for seconds, residual in zip(point.seconds, residuals, strict=True):
            cells += [Cell(f"{1e3 * seconds:.4g}"), Cell(f"{1e3 * seconds * (1 + residual):.4g} ({residual:+.0%})")]
        rows.append(cells)
    header = ["rows", "workers", "objective, ms", "model", "rest of the round, ms", "model"]
    return Table("The cost model beside what it was fitted to", [Cell(text) for text in header], rows, labels=1)


def _predicted(fitted: Fit, found: Prediction) -> Table:
    rows = [
        ["objective: passes over the rows", f"{1e3 * found.objective:.4g}"],
        [f"objective: {fitted.calls:g} all-reduce calls", f"{1e3 * found.objective_talk:.4g}"],
        ["rest of the round: trees", f"{1e3 * found.booster:.4g}"],
        ["rest of the round: histograms over the network", f"{1e3 * found.booster_talk:.4g}"],
        ["a round", f"{1e3 * found.seconds:.4g}"],
        ["a round against one without the objective", f"{found.ratio:.3f} ×"],
    ]
    title = f"Predicted, not measured: {FAR_ROWS:.0e} rows on {FAR_WORKERS} workers".replace("e+0", "e")
    return Table(title, [Cell("part"), Cell("ms")], [[Cell(text) for text in row] for row in rows], labels=1)


def _formula(prices: model.Prices) -> str:
    fixed, row, call, step = 1e3 * prices.fixed, 1e9 * prices.row, 1e6 * prices.call, 1e6 * prices.step
    return f"{fixed:.3g} ms + {row:.3g} ns × rows per core + {call:.3g} µs × calls + {step:.3g} µs × ring steps"
