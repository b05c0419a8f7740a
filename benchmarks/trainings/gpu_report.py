"""The report of the GPU benchmark: requirements, kernels beside the memory's bandwidth, trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.calls import gpu as kernels
from benchmarks.suite import plots
from benchmarks.suite.measure import spread
from benchmarks.suite.report import Report
from benchmarks.suite.requirements import Requirement, ratio_within
from benchmarks.suite.store import Record
from benchmarks.suite.tables import Cell, Column, Table, table_of, with_range, written
from benchmarks.trainings.figures import Case, Trainings

DTYPES = ("float32", "float64")
ON_GPU, ON_HOST, FLOOR, LOG_LOSS = "hypersimplex_gpu", "hypersimplex_cpu", "floor", "log_loss"
LABELS = {
    ON_GPU: "HyperSimplex on the GPU",
    ON_HOST: "HyperSimplex on the processor",
    FLOOR: "custom L2 in CuPy (floor)",
    LOG_LOSS: "log loss, built in",
}
#: The training of the requirement.
REQUIRED: Case = ("xgboost", 10_000_000)


class GpuReport(Report):
    """The cost of the GPU's kernels, and of training on it."""

    title = "GPU benchmark"
    facts = ("settings", "versions", "gpu")
    picture = ("gpu.png", "kernels and trainings")

    def gather(self) -> None:
        sizes = [record for record in self.records if record["kind"] == "kernels"]
        self.kernels = sorted(sizes, key=lambda record: (record["dtype"], record["n"]))
        self.trainings = Trainings((record for record in self.records if record["kind"] == "training"), ["xgboost"])
        self.closing = f"{self.notes()[0]} How to read the figures: table.md."
        self.rows = [(case, name) for case in self.trainings.cases for name in LABELS]

    def requirements(self) -> list[Requirement]:
        projection, same_gradients = kernels.requirements(self.kernels)
        claim = "XGBoost on the GPU, 1e7 x 28: HyperSimplex against built-in log loss"
        ratios = self.trainings.ratios(REQUIRED, ON_GPU, LOG_LOSS)
        return [projection, ratio_within(claim, ratios, 1.15, "needs --rows 1e7"), same_gradients]

    def tables(self) -> list[Table]:
        """Kernels of each dtype, trainings."""
        found = self.trainings
        columns: list[Column[tuple[Case, str]]] = [
            Column("rows", lambda r: f"{r[0][1]:,}"),
            Column("objective", lambda r: LABELS[r[1]]),
            Column("seconds", lambda r: Cell(f"{found.seconds(*r).median:.3f}", r[1] == ON_GPU), "s"),
            Column("× log loss", lambda r: with_range(found.ratios(*r, LOG_LOSS))),
            Column("× on the processor", lambda r: with_range(found.ratios(*r, ON_HOST)), "× processor"),
            Column("ms a call", lambda r: written("{:.3f}", found.call_seconds(*r), 1e3)),
            Column("leaves a tree", lambda r: f"{found.leaves(*r):.1f}", "leaves"),
        ]
        trainings = table_of("XGBoost's training on the GPU", columns, self.rows)
        return [*(kernels.table(self.kernels, dtype) for dtype in DTYPES), trainings]

    def summary(self) -> dict[str, Any]:
        found = self.trainings
        trainings = [
            {
                "rows": case[1],
                "objective": name,
                "seconds": found.seconds(case, name).to_json(),
                "ratio_to_log_loss": spread(found.ratios(case, name, LOG_LOSS)).to_json(),
                "ratio_to_processor": spread(found.ratios(case, name, ON_HOST)).to_json(),
                "seconds_per_call": found.call_seconds(case, name),
                "leaves": found.leaves(case, name),
            }
            for case, name in self.rows
        ]
        return {"kernels": kernels.to_json(self.kernels), "trainings": trainings}

    def notes(self) -> list[str]:
        settings, gpu = self.shared["settings"], self.shared["gpu"]
        facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in gpu.items() if name != "name")
        return [
            f"GPU: {gpu['name']}" + (f" ({facts})." if facts else "."),
            f"Kernels: medians of {settings['samples']} samples, methods in turn; normal scores, half of the labels "
            "positive, temperature 1, no weights. Wall time of a call that waits for the GPU, so every exchange with "
            "the host is in it. The copy is a device-to-device copy of the same array in the same run; the projection "
            "reads the scores in each pass of its search and once more to write the values. Warm: from the threshold "
            f"of the round before, whose scores differ by up to {kernels.MOVE:g}.",
            f"Trainings: {settings['rounds']} rounds on {settings['columns']} numeric columns drawn like the Higgs "
            "data, device='cuda', binned before, after an untimed warm-up. In each repeat the objectives take turns in "
            "rotating order; ratios are within a repeat: median, and in brackets the least and the greatest.",
            "The floor moves the predictions to the GPU and subtracts labels that are there: XGBoost passes "
            "predictions to every custom objective in host memory; built-in ones stay on the GPU.",
        ]

    def draw(self, out: Path) -> list[str]:
        """A panel of kernels, and one for each number of rows."""
        line = [record for record in self.kernels if record["dtype"] == "float32"]
        panels = (1 if line else 0) + len(self.trainings.cases)
        if not panels:
            return []
        figure = Figure(figsize=(5.6 * panels, 4.6), layout="constrained")
        axes: list[Axes] = list(figure.subplots(1, panels, squeeze=False)[0])
        if line:
            _draw_kernels(axes.pop(0), line)
        found = self.trainings
        for each, case in zip(axes, found.cases, strict=True):
            totals = [found.seconds(case, name).median for name in LABELS]
            inside = [
                total * sum(found.of(case, name, "objective_seconds")) / sum(found.of(case, name, "seconds"))
                for name, total in zip(LABELS, totals, strict=True)
            ]
            plots.bars(each, list(LABELS.values()), totals, inside)
            plots.tidy(each, f"XGBoost on the GPU, {case[1]:,} rows", "seconds (median)", grid="x")
            each.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
        return plots.save(figure, out, "gpu.png")


def _draw_kernels(axes: Axes, line: list[Record]) -> None:
    """Nanoseconds a row against rows; marker and line repeat the colour, the floors are grey."""
    styles = {
        kernels.COPY: (plots.GREY, "", ":"),
        kernels.STREAM: (plots.GREY, "", (0, (1, 3))),
        kernels.PROJECTION: (plots.BLUE, "D", "-"),
        kernels.STEP_WARM: (plots.SKY, "o", "-"),
        kernels.UPLOAD: (plots.ORANGE, "s", "--"),
        kernels.ROUND: (plots.GREEN, "^", "-"),
        kernels.HOST: (plots.PINK, "v", "--"),
    }
    for method, (color, marker, style) in styles.items():
        times = [(record["n"], kernels.median(record, method)) for record in line]
        points = [(n, 1e9 * found / n) for n, found in times if found is not None]
        if points:
            sizes, per_row = zip(*points, strict=True)
            label = kernels.LABELS[method]
            axes.plot(sizes, per_row, color=color, marker=marker, linestyle=style, markersize=5, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    plots.tidy(axes, "Kernels, float32", "rows", "nanoseconds per row (median)")
    axes.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.15))
