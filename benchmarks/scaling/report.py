"""The report of the scaling benchmark: promises, a round's time and traffic, the cost model and what it predicts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks import targets as promised
from benchmarks.output import Cell, Table, made_with, markdown_table, print_table
from benchmarks.scaling import model, promises
from benchmarks.scaling.aggregate import Cases
from benchmarks.scaling.data import FLIGHTS, MOST
from benchmarks.scaling.model import FAR_ROWS, FAR_WORKERS, Fit, Prediction
from benchmarks.scaling.network import Network
from benchmarks.scaling.plan import DASK
from benchmarks.scaling.work import DEPTH, HYPERSIMPLEX, LOG_LOSS
from benchmarks.store import Record

NONE = Cell("–")


@dataclass(frozen=True)
class Result:
    """What a report is drawn from: the shared facts, where it was drawn, the figures, the network to predict for."""

    shared: Record
    environment: dict[str, Any]
    cases: Cases
    network: Network

    @cached_property
    def fitted(self) -> Fit | None:
        """The cost model, where the cases suffice for one."""
        return model.fit(self.cases, self.shared["settings"]["threads"])

    @cached_property
    def predicted(self) -> Prediction | None:
        """The far case."""
        return None if self.fitted is None else model.predict(self.fitted, self.network)

    def to_json(self) -> dict[str, Any]:
        """Give the content of results.json."""
        return {
            **{key: self.shared[key] for key in ("settings", "params", "versions")},
            "environment_of_the_report": self.environment,
            "targets": [target.to_json() for target in promises.targets(self.cases)],
            "rows": self.cases.to_json(),
            "cost_model": self._model_json(),
            "runs": self.cases.records,
        }

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


def tables(result: Result) -> list[Table]:
    """Lay out the tables for terminal and file; promises last."""
    found = [_times(result.cases), _traffic(result.cases)]
    if result.fitted is not None and result.predicted is not None:
        found += [_residuals(result.fitted), _predicted(result.fitted, result.predicted)]
    return [*found, promised.table(promises.targets(result.cases))]


def _labels(record: Record) -> list[Cell]:
    return [Cell(record["engine"]), Cell(f"{record['rows']:,}"), Cell(str(record["workers"]))]


LABELS = [Cell("through"), Cell("rows"), Cell("workers")]


def _times(cases: Cases) -> Table:
    rows = []
    for record in cases.records:
        seconds = [cases.round_seconds(record, name) for name in (HYPERSIMPLEX, LOG_LOSS)]
        ratios, middle = cases.ratios(record), f"{np.median(cases.ratios(record)):.3f}"
        peaks = [cases.peak_bytes(record, name) for name in (HYPERSIMPLEX, LOG_LOSS)]
        rows.append(
            [
                *_labels(record),
                *[_milliseconds(one.median, one.low, one.high) for one in seconds],
                Cell(f"{middle} ({min(ratios):.3f}–{max(ratios):.3f})", brief=middle),
                Cell(f"{cases.share(record):.1%}"),
                Cell(f"{cases.share(record, 'reductions'):.1%}"),
                *[NONE if peak is None else Cell(f"{peak / 2**20:.0f}") for peak in peaks],
            ]
        )
    header = [
        *LABELS,
        Cell("HyperSimplex, ms a round", brief="ours ms"),
        Cell("log loss, ms a round", brief="log ms"),
        Cell("× log loss, whole training", brief="× log loss"),
        Cell("inside objective", brief="inside"),
        Cell("inside its all-reduce", brief="talk"),
        Cell("peak MiB a worker", brief="MiB"),
        Cell("with log loss", brief="log"),
    ]
    return Table("A round by rows and workers", header, rows, labels=2)


def _milliseconds(median: float, low: float, high: float) -> Cell:
    return Cell(f"{1e3 * median:.4g} ({1e3 * low:.4g}–{1e3 * high:.4g})", brief=f"{1e3 * median:.4g}")


def _traffic(cases: Cases) -> Table:
    rows = []
    for record in cases.records:
        if record["workers"] > 1:
            found = cases.traffic(record)
            figures = (
                found.cold_calls,
                found.warm_calls,
                found.warm_calls_most,
                found.cold_bytes,
                found.warm_bytes,
                found.largest,
            )
            rows.append([*_labels(record), *[Cell(f"{figure:g}") for figure in figures]])
    header = [
        *LABELS,
        Cell("calls, first round", brief="first"),
        Cell("calls, warm: median", brief="warm"),
        Cell("most", brief="most"),
        Cell("bytes, first round", brief="B first"),
        Cell("bytes, warm: median", brief="B warm"),
        Cell("largest call, bytes", brief="largest B"),
    ]
    return Table("What the objective hands to all-reduce in a round", header, rows, labels=2)


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


def notes(result: Result) -> list[str]:
    """Say in plain sentences how the figures were made and how to read them."""
    settings, cases = result.shared["settings"], result.cases
    if settings["data"] == FLIGHTS:
        rows = f"Flights of 2001 (flights3m, 8 columns, airports as codes); beyond {MOST:,} rows they are repeated."
    else:
        rows = f"Made-up rows with the flights' 8 columns (the flights are not here), repeated beyond {MOST:,} rows."
    found = [
        rows,
        f"{settings['rounds']} rounds, {settings['repeats']} repeats in which the two objectives take turns. Workers "
        f"are processes on this machine, which share its {settings['threads']} cores (at least one thread each): "
        "more workers show what talking costs, they do not make it faster.",
        "tracker: XGBoost's own RabitTracker, the engine of xgboost.dask; dask: xgboost.dask on a LocalCluster. Rows "
        "were binned before, outside the timing.",
        "A round's time is that of the slowest worker; median and quartiles of the warm rounds (all but a training's "
        "first). Ratios are of whole trainings within a repeat: median, least and greatest. Time in all-reduce is "
        "part of the time inside the objective, and contains waiting for slower workers.",
        "Peak MiB is resident memory of a worker while it trains, libraries and bins included (on Linux; elsewhere "
        "the peak of its life).",
    ]
    if not any(record["engine"] == DASK for record in cases.records):
        found.append("The case under Dask is missing: it needs dask and distributed, and 2 among the workers.")
    return found + model_notes(result)


def model_notes(result: Result) -> list[str]:
    """State the cost model and all that the prediction takes for granted."""
    fitted, network = result.fitted, result.network
    if fitted is None:
        return ["No cost model: it needs two numbers of rows and two of workers."]
    return [
        "Cost model, fitted to the medians (least squares of relative errors, no price below zero). "
        f"Objective: {_formula(fitted.objective)} with {fitted.calls:g} calls. "
        f"Rest of the round: {_formula(fitted.booster)} with {model.TREE_CALLS} calls. Ring steps are calls × "
        "2 (workers − 1), because XGBoost adds up over a ring; here a step also waits for a core where workers "
        "outnumber them.",
        f"The prediction takes for granted: {FAR_WORKERS} equal machines of {network.cores_each} cores as fast as "
        "these, sharing the rows evenly, none of them late, with their bins in memory; time per row as measured here; "
        f"{network.latency_us:g} µs per message and {network.gbits:g} Gbit/s, added to "
        f"what a ring step costs here; {fitted.calls:g} calls of {fitted.call_bytes:.0f} bytes in a warm round, as in "
        f"the largest case measured; histograms of {model.TREE_NODES} nodes (depth {DEPTH}) by {fitted.bins} bins; "
        "the network to itself. It leaves out the first round, reading and binning.",
    ]


def _formula(prices: model.Prices) -> str:
    fixed, row, call, step = 1e3 * prices.fixed, 1e9 * prices.row, 1e6 * prices.call, 1e6 * prices.step
    return f"{fixed:.3g} ms + {row:.3g} ns × rows per core + {call:.3g} µs × calls + {step:.3g} µs × ring steps"


def to_markdown(result: Result) -> str:
    """Write the whole report as Markdown."""
    lines = ["# Scaling benchmark: rows by workers", ""]
    lines += [f"* {note}" for note in notes(result)] + ["", "![ms a round](scaling.png)", ""]
    *figures, promise = tables(result)
    for table in [promise, *figures]:
        lines += [f"## {table.title}", "", *markdown_table(table), ""]
    return "\n".join(lines + made_with(result.shared, result.environment)) + "\n"


def print_tables(result: Result, console: Console) -> None:
    """Print the tables, targets last, where the eye is when the command ends."""
    *figures, promise = tables(result)
    for table in figures:
        print_table(table, console, brief=console.width < 170)
    for note in model_notes(result):
        console.print(f"• {note}", highlight=False)
    print_table(promise, console)
    console.print("• Ranges and how to read the figures: table.md.", highlight=False)
